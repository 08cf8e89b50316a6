// Exact values, and values modulo a prime.
// SPDX-License-Identifier: Apache-2.0
#include <flint/fmpz_vec.h>

#include <algorithm>

#include "math_answer/evaluate.h"

namespace tenon::math_answer {
namespace {

constexpr int64_t kMaxTerms = 10000;

using Maybe = std::optional<Rational>;

class Exact {
 public:
  Exact(Environment& env, Budget& budget) : env_(env), budget_(budget) {}

  Maybe of(Ref e) {
    budget_.spend(1);
    switch (e.kind()) {
      case Kind::kNumber:
        return e.tree->number(e.id).is_truncated ? std::nullopt : Maybe(e.tree->number(e.id).value);
      case Kind::kSymbol:
      case Kind::kOpaque: {
        const Rational* value = env_.find(e.tree->name(e.id));
        return value != nullptr ? Maybe(*value) : std::nullopt;
      }
      case Kind::kAdd:
        return fold(e, [](const Rational& a, const Rational& b) { return a + b; });
      case Kind::kMul:
        return fold(e, [](const Rational& a, const Rational& b) { return a * b; });
      case Kind::kNegate:
        return map(e, [](const Rational& a) { return a.negated(); });
      case Kind::kPercent:
        return map(e, [](const Rational& a) { return a / Rational(100); });
      case Kind::kQuantity:
        return of(e.child(0));
      case Kind::kDivide:
      case Kind::kRatio:
        return divide(e);
      case Kind::kPower:
        return power(e);
      case Kind::kRoot:
        return root(e);
      case Kind::kFunction:
        return function(e);
      case Kind::kSum:
        return sum(e);
      default:
        return std::nullopt;
    }
  }

 private:
  Maybe bounded(Rational r) {
    const uint64_t bits = r.bits();
    if (bits > kMaxBits) return std::nullopt;
    budget_.spend(bits / 64);
    return r;
  }
  template <class F>
  Maybe fold(Ref e, F f) {
    Maybe sum = of(e.child(0));
    for (uint32_t i = 1; sum && i < e.size(); ++i) {
      const Maybe next = of(e.child(i));
      if (!next) return std::nullopt;
      sum = bounded(f(*sum, *next));
    }
    return sum;
  }
  template <class F>
  Maybe map(Ref e, F f) {
    const Maybe a = of(e.child(0));
    return a ? Maybe(f(*a)) : std::nullopt;
  }
  Maybe divide(Ref e) {
    if (e.kind() == Kind::kRatio && e.child(0).kind() == Kind::kRatio) return std::nullopt;  // 1 : 2 : 3
    const Maybe a = of(e.child(0));
    if (!a) return std::nullopt;
    const Maybe b = of(e.child(1));
    if (!b || b->is_zero()) return std::nullopt;
    return bounded(*a / *b);
  }
  Maybe power(Ref e) {
    const Maybe exponent = of(e.child(1));
    if (!exponent) return std::nullopt;
    const Maybe base = of(e.child(0));
    if (!base) return std::nullopt;
    return raised(*base, *exponent);
  }
  Maybe raised(const Rational& base, const Rational& exponent) {
    if (!exponent.is_integer()) {
      if (!fmpz_abs_fits_ui(exponent.den()) || !fmpz_fits_si(exponent.num())) return std::nullopt;
      const Maybe r = rooted(base, fmpz_get_ui(exponent.den()));
      Rational numerator;
      fmpz_set(numerator.num(), exponent.num());
      return r ? raised(*r, numerator) : std::nullopt;
    }
    if (base.is_one()) return base;
    if (base.is_zero())
      return exponent.sign() > 0 ? Maybe(base) : exponent.is_zero() ? Maybe(Rational(1)) : std::nullopt;
    if (base == Rational(-1)) return Rational(fmpz_is_even(exponent.num()) ? 1 : -1);
    if (!exponent.fits_int()) return std::nullopt;
    const int64_t n = exponent.to_int();
    if (n > static_cast<int64_t>(kMaxBits) || n < -static_cast<int64_t>(kMaxBits)) return std::nullopt;
    if (base.bits() * static_cast<uint64_t>(n < 0 ? -n : n) > kMaxBits + 64) return std::nullopt;
    return bounded(base.power(n));
  }
  // The rational root, if there is one; of negative numbers the real one of odd order.
  Maybe rooted(const Rational& x, uint64_t n) {
    if (n == 0 || n > 1000 || (x.sign() < 0 && n % 2 == 0)) return std::nullopt;
    budget_.spend(1 + x.bits() / 16);
    Rational magnitude = x.abs(), root;
    if (fmpz_root(root.num(), magnitude.num(), static_cast<slong>(n)) == 0) return std::nullopt;
    Rational below;
    if (fmpz_root(below.num(), magnitude.den(), static_cast<slong>(n)) == 0) return std::nullopt;
    root = root / below;
    return x.sign() < 0 ? root.negated() : root;
  }
  Maybe root(Ref e) {
    const Maybe n = of(e.child(1));
    if (!n || !n->fits_int() || n->sign() <= 0) return std::nullopt;
    const Maybe x = of(e.child(0));
    return x ? rooted(*x, static_cast<uint64_t>(n->to_int())) : std::nullopt;
  }
  Maybe function(Ref e) {
    std::vector<Rational> a;
    const auto f = static_cast<Function>(e.node().sub);
    if (f < Function::kAbs || f > Function::kIm) return std::nullopt;
    if (f == Function::kDet || e.size() > 64) return std::nullopt;
    for (uint32_t i = 0; i < e.size(); ++i) {
      Maybe value = of(e.child(i));
      if (!value) return std::nullopt;
      a.push_back(std::move(*value));
    }
    if (a.size() == 1) return unary(f, a[0]);
    if (a.size() == 2 && (f == Function::kBinomial || f == Function::kPermutations || f == Function::kMod))
      return binary(f, a[0], a[1]);
    if (a.size() < 2) return std::nullopt;
    Maybe all = a[0];
    for (size_t i = 1; all && i < a.size(); ++i) all = binary(f, *all, a[i]);
    return all;
  }
  Maybe unary(Function f, const Rational& x) {
    switch (f) {
      case Function::kAbs:
        return x.abs();
      case Function::kFloor:
        return x.floor();
      case Function::kCeil:
        return x.negated().floor().negated();
      case Function::kSign:
        return Rational(x.sign());
      case Function::kRe:
        return x;
      case Function::kIm:
        return Rational(0);
      case Function::kFactorial:
      case Function::kDoubleFactorial: {
        if (!x.fits_int() || x.sign() < 0 || x.to_int() > 6000) return std::nullopt;
        const auto n = static_cast<ulong>(x.to_int());
        budget_.spend(1 + n);
        Rational r(1);
        if (f == Function::kFactorial)
          fmpz_fac_ui(r.num(), n);
        else
          for (ulong k = n; k > 1; k -= 2) fmpz_mul_ui(r.num(), r.num(), k);
        return bounded(std::move(r));
      }
      default:
        return std::nullopt;
    }
  }
  Maybe binary(Function f, const Rational& a, const Rational& b) {
    switch (f) {
      case Function::kMax:
        return a < b ? b : a;
      case Function::kMin:
        return a < b ? a : b;
      case Function::kGcd:
      case Function::kLcm: {
        if (!a.is_integer() || !b.is_integer()) return std::nullopt;
        Rational r;
        (f == Function::kGcd ? fmpz_gcd : fmpz_lcm)(r.num(), a.num(), b.num());
        return bounded(std::move(r));
      }
      case Function::kMod:
        return b.is_zero() ? std::nullopt : Maybe(a - b * (a / b).floor());
      case Function::kPermutations: {
        const Maybe chosen = binary(Function::kBinomial, a, b), order = unary(Function::kFactorial, b);
        return chosen && order ? bounded(*chosen * *order) : std::nullopt;
      }
      case Function::kBinomial: {
        if (!a.fits_int() || !b.fits_int() || a.sign() < 0 || a.to_int() > static_cast<int64_t>(kMaxBits))
          return std::nullopt;
        if (b.sign() < 0 || a < b) return Rational(0);
        budget_.spend(1 + static_cast<uint64_t>(a.to_int()) / 16);
        Rational r;
        fmpz_bin_uiui(r.num(), static_cast<ulong>(a.to_int()), static_cast<ulong>(b.to_int()));
        return bounded(std::move(r));
      }
      default:
        return std::nullopt;
    }
  }
  Maybe sum(Ref e) {
    const Maybe from = of(e.child(2)), to = of(e.child(3));
    if (!from || !to || !from->fits_int() || !to->fits_int() || to->to_int() - from->to_int() >= kMaxTerms)
      return std::nullopt;
    const bool product = e.node().sub == 1;
    Rational all(product ? 1 : 0);
    for (int64_t k = from->to_int(); k <= to->to_int(); ++k) {
      env_.push(e.tree->name(e.tree->child(e.id, 1)), Rational(k));
      const Maybe term = of(e.child(0));
      env_.pop();
      if (!term) return std::nullopt;
      Maybe next = bounded(product ? all * *term : all + *term);
      if (!next) return std::nullopt;
      all = std::move(*next);
    }
    return all;
  }

  Environment& env_;
  Budget& budget_;
};

// --- modulo 2^61 − 1 -------------------------------------------------------------------------------------------------

constexpr uint64_t kPrime = (uint64_t{1} << 61) - 1;

uint64_t times(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % kPrime);
}
uint64_t plus(uint64_t a, uint64_t b) {
  return (a + b) % kPrime;
}
uint64_t raised(uint64_t a, uint64_t n) {
  uint64_t r = 1;
  for (; n != 0; n >>= 1) {
    if (n & 1) r = times(r, a);
    a = times(a, a);
  }
  return r;
}
std::optional<uint64_t> residue(const Rational& r) {
  const uint64_t den = fmpz_fdiv_ui(r.den(), kPrime);
  if (den == 0) return std::nullopt;
  const uint64_t num = fmpz_fdiv_ui(r.num(), kPrime);
  return den == 1 ? num : times(num, raised(den, kPrime - 2));
}

class Modular {
 public:
  Modular(uint64_t point, Environment& env, Budget& budget) : point_(point), env_(env), budget_(budget) {}

  std::optional<uint64_t> of(Ref e) {
    budget_.spend(1);
    switch (e.kind()) {
      case Kind::kNumber:
        return e.tree->number(e.id).is_truncated ? std::nullopt : residue(e.tree->number(e.id).value);
      case Kind::kSymbol:
      case Kind::kOpaque: {
        const Rational* bound = env_.find(e.tree->name(e.id));
        return bound != nullptr ? residue(*bound) : std::optional(value_of(e.tree->name(e.id)));
      }
      case Kind::kAdd:
      case Kind::kMul: {
        uint64_t all = e.kind() == Kind::kAdd ? 0 : 1;
        for (uint32_t i = 0; i < e.size(); ++i) {
          const auto next = of(e.child(i));
          if (!next) return std::nullopt;
          all = e.kind() == Kind::kAdd ? plus(all, *next) : times(all, *next);
        }
        return all;
      }
      case Kind::kNegate: {
        const auto a = of(e.child(0));
        return a ? std::optional((kPrime - *a) % kPrime) : std::nullopt;
      }
      case Kind::kDivide: {
        const auto a = of(e.child(0)), b = a ? of(e.child(1)) : std::nullopt;
        if (!b || *b == 0) return std::nullopt;
        return times(*a, raised(*b, kPrime - 2));
      }
      case Kind::kPower:
        return power(e);
      case Kind::kSum:
        return sum(e);
      default:
        return std::nullopt;
    }
  }

 private:
  uint64_t value_of(std::string_view name) const {
    uint64_t h = 0x9e3779b97f4a7c15u * (point_ + 1);
    for (unsigned char c : name) h = (h ^ c) * 0x100000001b3u + (h >> 29);
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return h % (kPrime - 2) + 2;
  }
  std::optional<uint64_t> power(Ref e) {
    const auto exponent = exact_value(e.child(1), env_, budget_);
    if (!exponent || !exponent->is_integer() || fmpz_bits(exponent->num()) > 60) return std::nullopt;
    const auto base = of(e.child(0));
    if (!base) return std::nullopt;
    const int64_t n = exponent->to_int();
    budget_.spend(4);
    if (n >= 0) return raised(*base, static_cast<uint64_t>(n));
    if (*base == 0) return std::nullopt;
    return raised(raised(*base, static_cast<uint64_t>(-n)), kPrime - 2);
  }
  std::optional<uint64_t> sum(Ref e) {
    const auto from = exact_value(e.child(2), env_, budget_), to = exact_value(e.child(3), env_, budget_);
    if (!from || !to || !from->fits_int() || !to->fits_int() || to->to_int() - from->to_int() >= kMaxTerms)
      return std::nullopt;
    const bool product = e.node().sub == 1;
    uint64_t all = product ? 1 : 0;
    for (int64_t k = from->to_int(); k <= to->to_int(); ++k) {
      env_.push(e.tree->name(e.tree->child(e.id, 1)), Rational(k));
      const auto term = of(e.child(0));
      env_.pop();
      if (!term) return std::nullopt;
      all = product ? times(all, *term) : plus(all, *term);
    }
    return all;
  }

  uint64_t point_;
  Environment& env_;
  Budget& budget_;
};

}  // namespace

std::optional<Rational> exact_value(Ref e, Environment& env, Budget& budget) {
  return Exact(env, budget).of(e);
}

std::optional<uint64_t> modular_value(Ref e, uint64_t point, Environment& env, Budget& budget) {
  return Modular(point, env, budget).of(e);
}

void collect_symbols(Ref e, std::vector<std::string_view>& names) {
  if (e.kind() == Kind::kSymbol || e.kind() == Kind::kOpaque) {
    const std::string_view name = e.tree->name(e.id);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    return;
  }
  if (e.kind() == Kind::kSum || (e.kind() == Kind::kOperator && binds_symbol(e))) {
    std::vector<std::string_view> inside;
    collect_symbols(e.child(0), inside);
    for (std::string_view name : inside)
      if (name != e.tree->name(e.tree->child(e.id, 1)) &&
          std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(name);
    for (uint32_t i = 2; i < e.size(); ++i) collect_symbols(e.child(i), names);
    return;
  }
  for (uint32_t i = 0; i < e.size(); ++i) collect_symbols(e.child(i), names);
}

bool mentions(Ref e, std::string_view name) {
  if ((e.kind() == Kind::kSymbol || e.kind() == Kind::kOpaque) && e.tree->name(e.id) == name) return true;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (mentions(e.child(i), name)) return true;
  return false;
}

bool is_residue(Ref e) {
  return e.kind() == Kind::kFunction && e.node().sub == static_cast<uint8_t>(Function::kMod) && e.size() == 2;
}

bool has_imaginary_unit(Ref e) {
  if (e.tree->is(e.id, Constant::kI)) return true;
  if (e.kind() == Kind::kFunction && e.node().sub == static_cast<uint8_t>(Function::kCis)) return true;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (has_imaginary_unit(e.child(i))) return true;
  return false;
}

}  // namespace tenon::math_answer
