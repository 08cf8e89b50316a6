// Values as balls, by Arb.
// SPDX-License-Identifier: Apache-2.0
#include <acb_hypgeom.h>
#include <arb_hypgeom.h>

#include "math_answer/evaluate.h"

namespace tenon::math_answer {
namespace {

constexpr int64_t kMaxTerms = 10000;

class Balls {
 public:
  explicit Balls(BallContext& c) : c_(c) {}

  Evaluated of(Ref e, Ball& out) {
    // Counted in words, weighted by what an operation costs beside an addition.
    c_.budget.spend(2 + static_cast<uint64_t>(c_.bits) / 64);
    const Evaluated result = value(e, out);
    if (result == Evaluated::kValue && acb_is_finite(out.raw()) == 0) return Evaluated::kUnknown;
    return result;
  }

 private:
  using E = Evaluated;

  E value(Ref e, Ball& out) {
    switch (e.kind()) {
      case Kind::kNumber: {
        const Number& n = e.tree->number(e.id);
        arb_set_fmpq(out.re(), n.value.raw(), c_.bits);
        return n.is_truncated ? E::kUnknown : E::kValue;
      }
      case Kind::kSymbol:
      case Kind::kOpaque: {
        const Rational* value = c_.env.find(e.tree->name(e.id));
        if (value == nullptr) return E::kUnknown;
        arb_set_fmpq(out.re(), value->raw(), c_.bits);
        return E::kValue;
      }
      case Kind::kConstant:
        return constant(static_cast<Constant>(e.node().sub), out);
      case Kind::kAdd:
        return fold(e, out, acb_add);
      case Kind::kMul:
        return fold(e, out, acb_mul);
      case Kind::kNegate: {
        const E r = of(e.child(0), out);
        acb_neg(out.raw(), out.raw());
        return r;
      }
      case Kind::kPercent: {
        const E r = of(e.child(0), out);
        acb_div_ui(out.raw(), out.raw(), 100, c_.bits);
        return r;
      }
      case Kind::kDegree:
        return degree(e, out);
      case Kind::kQuantity:
        return of(e.child(0), out);
      case Kind::kDivide:
      case Kind::kRatio:
        return divide(e, out);
      case Kind::kPower:
        return power(e, out);
      case Kind::kRoot:
        return root(e, out);
      case Kind::kFunction:
        return function(e, out);
      case Kind::kSum:
        return sum(e, out);
      default:
        return E::kUnknown;
    }
  }

  E constant(Constant which, Ball& out) {
    switch (which) {
      case Constant::kPi:
        arb_const_pi(out.re(), c_.bits);
        return E::kValue;
      case Constant::kE:
        arb_const_e(out.re(), c_.bits);
        return E::kValue;
      case Constant::kI:
        acb_onei(out.raw());
        return E::kValue;
      case Constant::kUndefined:
        return E::kUndefined;
      case Constant::kInfinity:
        return E::kUnknown;
    }
    return E::kUnknown;
  }
  template <class F>
  E fold(Ref e, Ball& out, F f) {
    if (const E r = of(e.child(0), out); r != E::kValue) return r;
    for (uint32_t i = 1; i < e.size(); ++i) {
      Ball next;
      if (const E r = of(e.child(i), next); r != E::kValue) return r;
      f(out.raw(), out.raw(), next.raw(), c_.bits);
    }
    return E::kValue;
  }
  E degree(Ref e, Ball& out) {
    const E r = of(e.child(0), out);
    Ball pi;
    arb_const_pi(pi.re(), c_.bits);
    acb_mul(out.raw(), out.raw(), pi.raw(), c_.bits);
    acb_div_ui(out.raw(), out.raw(), 180, c_.bits);
    return r;
  }
  // Whether the ball is zero: yes, no, or too wide to say.
  E nonzero(const Ball& x) const {
    if (acb_is_zero(x.raw())) return E::kUndefined;
    return acb_contains_zero(x.raw()) ? E::kUnknown : E::kValue;
  }
  E divide(Ref e, Ball& out) {
    if (e.kind() == Kind::kRatio && e.child(0).kind() == Kind::kRatio) return E::kUnknown;  // 1 : 2 : 3
    if (const E r = of(e.child(0), out); r != E::kValue) return r;
    Ball below;
    if (const E r = of(e.child(1), below); r != E::kValue) return r;
    if (const E r = nonzero(below); r != E::kValue) return r;
    acb_div(out.raw(), out.raw(), below.raw(), c_.bits);
    return E::kValue;
  }

  // --- powers ------------------------------------------------------------------------------------------------------
  E power(Ref e, Ball& out) {
    Ball base;
    if (const E r = of(e.child(0), base); r != E::kValue) return r;
    if (const auto n = exact_value(e.child(1), c_.env, c_.budget)) {
      // a^x is a function of a > 0; only written exponents have real roots of odd order.
      if (c_.real && !n->is_integer() && base.is_real() && arb_is_negative(base.re())) {
        std::vector<std::string_view> names;
        collect_symbols(e.child(1), names);
        if (!names.empty()) return E::kUndefined;
      }
      return rational_power(base, *n, out);
    }
    Ball exponent;
    if (const E r = of(e.child(1), exponent); r != E::kValue) return r;
    if (acb_is_zero(base.raw())) {
      if (!exponent.is_real() || arb_is_positive(exponent.re()) == 0) return E::kUndefined;
      acb_zero(out.raw());
      return E::kValue;
    }
    if (acb_contains_zero(base.raw())) return E::kUnknown;
    if (c_.real) {
      if (!base.is_real() || !exponent.is_real()) return E::kUndefined;
      if (arb_is_negative(base.re())) return E::kUndefined;
      arb_pow(out.re(), base.re(), exponent.re(), c_.bits);
      return E::kValue;
    }
    acb_pow(out.raw(), base.raw(), exponent.raw(), c_.bits);
    return E::kValue;
  }
  E rational_power(Ball& base, const Rational& n, Ball& out) {
    if (n.is_integer()) {
      if (n.sign() < 0)
        if (const E r = nonzero(base); r != E::kValue) return r;
      if (fmpz_bits(n.num()) > 62) {
        if (!base.is_real() || arb_is_positive(base.re()) == 0) return E::kUnknown;
        arb_t exponent;
        arb_init(exponent);
        arb_set_fmpz(exponent, n.num());
        arb_pow(out.re(), base.re(), exponent, c_.bits);
        arb_clear(exponent);
        return E::kValue;
      }
      c_.budget.spend(fmpz_bits(n.num()));
      acb_pow_fmpz(out.raw(), base.raw(), n.num(), c_.bits);
      return E::kValue;
    }
    if (acb_is_zero(base.raw())) {
      if (n.sign() < 0) return E::kUndefined;
      acb_zero(out.raw());
      return E::kValue;
    }
    if (acb_contains_zero(base.raw())) return E::kUnknown;
    Ball exponent;
    arb_set_fmpq(exponent.re(), n.raw(), c_.bits);
    if (base.is_real() && c_.real) {
      const bool negative = arb_is_negative(base.re()) != 0;
      if (negative && fmpz_is_even(n.den())) return E::kUndefined;
      if (negative) arb_neg(base.re(), base.re());
      arb_pow(out.re(), base.re(), exponent.re(), c_.bits);
      if (negative && !fmpz_is_even(n.num())) arb_neg(out.re(), out.re());
      return E::kValue;
    }
    acb_pow(out.raw(), base.raw(), exponent.raw(), c_.bits);
    return E::kValue;
  }
  E root(Ref e, Ball& out) {
    const auto n = exact_value(e.child(1), c_.env, c_.budget);
    Ball x;
    if (const E r = of(e.child(0), x); r != E::kValue) return r;
    if (!n) {
      Ball degree;
      if (const E r = of(e.child(1), degree); r != E::kValue) return r;
      if (!degree.is_real() || !x.is_real() || !arb_is_positive(x.re()) || arb_contains_zero(degree.re()))
        return E::kUnknown;
      arb_inv(degree.re(), degree.re(), c_.bits);
      arb_pow(out.re(), x.re(), degree.re(), c_.bits);
      return E::kValue;
    }
    if (n->is_zero()) return E::kUndefined;
    if (!n->fits_int() || n->to_int() < 0 || n->to_int() > 100000)
      return rational_power(x, Rational(1) / *n, out);
    const auto k = static_cast<ulong>(n->to_int());
    if (!x.is_real() || !c_.real) {
      acb_root_ui(out.raw(), x.raw(), k, c_.bits);
      return E::kValue;
    }
    if (arb_is_negative(x.re())) {
      if (k % 2 == 0) return E::kUndefined;
      arb_neg(x.re(), x.re());
      arb_root_ui(out.re(), x.re(), k, c_.bits);
      arb_neg(out.re(), out.re());
      return E::kValue;
    }
    if (arb_is_nonnegative(x.re()) == 0) {
      if (k % 2 == 0) {  // a ball around zero: the root of what of it is not negative
        arb_sqrtpos(out.re(), x.re(), c_.bits);
        if (k != 2) return E::kUnknown;
        return E::kValue;
      }
      return E::kUnknown;
    }
    arb_root_ui(out.re(), x.re(), k, c_.bits);
    return E::kValue;
  }

  // --- functions ---------------------------------------------------------------------------------------------------
  E function(Ref e, Ball& out) {
    const auto f = static_cast<Function>(e.node().sub);
    c_.budget.spend(10 + static_cast<uint64_t>(c_.bits) / 8);
    if (f == Function::kDet || f == Function::kTranspose) return E::kUnknown;
    if (f == Function::kGcd || f == Function::kLcm || f == Function::kMod || f == Function::kFloor ||
        f == Function::kCeil) {
      const auto value = exact_value(e, c_.env, c_.budget);
      if (!value && f != Function::kFloor && f != Function::kCeil) return E::kUnknown;
      if (value) {
        arb_set_fmpq(out.re(), value->raw(), c_.bits);
        return E::kValue;
      }
    }
    Ball x;
    if (const E r = of(e.child(0), x); r != E::kValue) return r;
    if (e.size() == 1) return unary(f, x, out);
    for (uint32_t i = 1; i < e.size(); ++i) {
      Ball y;
      if (const E r = of(e.child(i), y); r != E::kValue) return r;
      if (const E r = binary(f, x, y, out); r != E::kValue) return r;
      acb_set(x.raw(), out.raw());
      if (i + 1 < e.size() && f != Function::kMax && f != Function::kMin) return E::kUnknown;
    }
    return E::kValue;
  }
  E unary(Function f, Ball& x, Ball& out) {
    const bool real = x.is_real();
    switch (f) {
      case Function::kSin:
        return both(real, x, out, arb_sin, acb_sin);
      case Function::kCos:
        return both(real, x, out, arb_cos, acb_cos);
      case Function::kTan:
        return both(real, x, out, arb_tan, acb_tan);
      case Function::kCot:
        return nonzero(x) == E::kUndefined ? E::kUndefined : both(real, x, out, arb_cot, acb_cot);
      case Function::kSec:
        return both(real, x, out, arb_sec, acb_sec);
      case Function::kCsc:
        return nonzero(x) == E::kUndefined ? E::kUndefined : both(real, x, out, arb_csc, acb_csc);
      case Function::kSinh:
        return both(real, x, out, arb_sinh, acb_sinh);
      case Function::kCosh:
        return both(real, x, out, arb_cosh, acb_cosh);
      case Function::kTanh:
        return both(real, x, out, arb_tanh, acb_tanh);
      case Function::kCoth:
        return nonzero(x) == E::kUndefined ? E::kUndefined : both(real, x, out, arb_coth, acb_coth);
      case Function::kExp:
        return both(real, x, out, arb_exp, acb_exp);
      case Function::kCis:
        acb_mul_onei(x.raw(), x.raw());
        acb_exp(out.raw(), x.raw(), c_.bits);
        return E::kValue;
      case Function::kArctan:
        return both(real, x, out, arb_atan, acb_atan);
      case Function::kArsinh:
        return both(real, x, out, arb_asinh, acb_asinh);
      case Function::kArcsin:
        return within(x, out, arb_asin, acb_asin);
      case Function::kArccos:
        return within(x, out, arb_acos, acb_acos);
      case Function::kArtanh:
        return within(x, out, arb_atanh, acb_atanh);
      case Function::kArccot:
        return inverted(x, out, Function::kArctan);
      case Function::kArcsec:
        return inverted(x, out, Function::kArccos);
      case Function::kArccsc:
        return inverted(x, out, Function::kArcsin);
      case Function::kArcosh: {
        arb_t one;
        arb_init(one);
        arb_one(one);
        const bool outside = real && arb_lt(x.re(), one) != 0, inside = real && arb_ge(x.re(), one) != 0;
        arb_clear(one);
        if (c_.real && outside) return E::kUndefined;
        if (c_.real && !inside) return E::kUnknown;
        return both(inside, x, out, arb_acosh, acb_acosh);
      }
      case Function::kLog:
        return logarithm(x, out);
      case Function::kAbs:
        acb_abs(out.re(), x.raw(), c_.bits);
        return E::kValue;
      case Function::kFloor:
      case Function::kCeil:
        if (!real) return E::kUnknown;
        (f == Function::kFloor ? arb_floor : arb_ceil)(out.re(), x.re(), c_.bits);
        return arb_is_exact(out.re()) ? E::kValue : E::kUnknown;
      case Function::kSign:
        if (!real || arb_contains_zero(x.re())) return E::kUnknown;
        arb_set_si(out.re(), arb_is_positive(x.re()) ? 1 : -1);
        return E::kValue;
      case Function::kRe:
        arb_set(out.re(), x.re());
        return E::kValue;
      case Function::kIm:
        arb_set(out.re(), x.im());
        return E::kValue;
      case Function::kConjugate:
        acb_conj(out.raw(), x.raw());
        return E::kValue;
      case Function::kArg:
        acb_arg(out.re(), x.raw(), c_.bits);
        return E::kValue;
      case Function::kFactorial:
        acb_add_ui(x.raw(), x.raw(), 1, c_.bits);
        return gamma(x, out);
      case Function::kGamma:
        return gamma(x, out);
      default:
        return E::kUnknown;
    }
  }
  E both(bool real, Ball& x, Ball& out, void (*f)(arb_t, const arb_t, slong),
         void (*g)(acb_t, const acb_t, slong)) {
    if (real)
      f(out.re(), x.re(), c_.bits);
    else
      g(out.raw(), x.raw(), c_.bits);
    return E::kValue;
  }
  // Functions that are real on [−1, 1] alone.
  E within(Ball& x, Ball& out, void (*f)(arb_t, const arb_t, slong), void (*g)(acb_t, const acb_t, slong)) {
    bool outside = false;
    bool inside = false;
    if (x.is_real()) {
      arb_t size, one;
      arb_init(size);
      arb_init(one);
      arb_abs(size, x.re());
      arb_one(one);
      outside = arb_gt(size, one) != 0;
      inside = arb_le(size, one) != 0;
      arb_clear(size);
      arb_clear(one);
    }
    if (c_.real && outside) return E::kUndefined;
    if (c_.real && x.is_real() && !inside) return E::kUnknown;
    return both(inside, x, out, f, g);
  }
  E inverted(Ball& x, Ball& out, Function f) {
    if (const E r = nonzero(x); r != E::kValue) return r;
    acb_inv(x.raw(), x.raw(), c_.bits);
    return unary(f, x, out);
  }
  E logarithm(Ball& x, Ball& out) {
    if (const E r = nonzero(x); r != E::kValue) return r;
    if (x.is_real() && arb_is_positive(x.re())) {
      arb_log(out.re(), x.re(), c_.bits);
      return E::kValue;
    }
    if (c_.real) return E::kUndefined;
    acb_log(out.raw(), x.raw(), c_.bits);
    return E::kValue;
  }
  E gamma(Ball& x, Ball& out) {
    if (x.is_real() && arb_is_int(x.re()) && !arb_is_positive(x.re())) return E::kUndefined;
    mag_t size;
    mag_init(size);
    acb_get_mag(size, x.raw());
    const bool huge = mag_cmp_2exp_si(size, 60) > 0;
    mag_clear(size);
    if (huge) return E::kUnknown;
    c_.budget.spend(static_cast<uint64_t>(c_.bits));
    return both(x.is_real(), x, out, arb_gamma, acb_gamma);
  }
  E binary(Function f, Ball& x, Ball& y, Ball& out) {
    switch (f) {
      case Function::kLog: {
        Ball base;
        if (const E r = logarithm(y, base); r != E::kValue) return r;
        if (const E r = nonzero(base); r != E::kValue) return r;
        if (const E r = logarithm(x, out); r != E::kValue) return r;
        acb_div(out.raw(), out.raw(), base.raw(), c_.bits);
        return E::kValue;
      }
      case Function::kMax:
      case Function::kMin:
        if (!x.is_real() || !y.is_real()) return E::kUnknown;
        (f == Function::kMax ? arb_max : arb_min)(out.re(), x.re(), y.re(), c_.bits);
        return E::kValue;
      case Function::kBinomial: {
        Ball a, b, c;
        acb_add_ui(a.raw(), x.raw(), 1, c_.bits);
        acb_add_ui(b.raw(), y.raw(), 1, c_.bits);
        acb_sub(c.raw(), a.raw(), y.raw(), c_.bits);
        Ball top, left, right;
        if (const E r = gamma(a, top); r != E::kValue) return r;
        if (const E r = gamma(b, left); r != E::kValue) return r;
        if (const E r = gamma(c, right); r != E::kValue) return r;
        acb_mul(left.raw(), left.raw(), right.raw(), c_.bits);
        if (const E r = nonzero(left); r != E::kValue) return r;
        acb_div(out.raw(), top.raw(), left.raw(), c_.bits);
        return E::kValue;
      }
      default:
        return E::kUnknown;
    }
  }
  E sum(Ref e, Ball& out) {
    const auto from = exact_value(e.child(2), c_.env, c_.budget),
               to = exact_value(e.child(3), c_.env, c_.budget);
    if (!from || !to || !from->fits_int() || !to->fits_int() || to->to_int() - from->to_int() >= kMaxTerms)
      return E::kUnknown;
    const bool product = e.node().sub == 1;
    acb_set_ui(out.raw(), product ? 1 : 0);
    for (int64_t k = from->to_int(); k <= to->to_int(); ++k) {
      Ball term;
      c_.env.push(e.tree->name(e.tree->child(e.id, 1)), Rational(k));
      const E r = of(e.child(0), term);
      c_.env.pop();
      if (r != E::kValue) return r;
      (product ? acb_mul : acb_add)(out.raw(), out.raw(), term.raw(), c_.bits);
    }
    return E::kValue;
  }

  BallContext& c_;
};

}  // namespace

Evaluated ball_value(Ref e, BallContext& context, Ball& out) {
  acb_zero(out.raw());
  return Balls(context).of(e, out);
}

}  // namespace tenon::math_answer
