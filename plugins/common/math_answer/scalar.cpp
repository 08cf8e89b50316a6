// Comparing values: exactly, by polynomial identity, by balls at common points; decimals, percent, units.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "math_answer/compare.h"
#include "math_answer/units.h"

namespace tenon::math_answer {
namespace {

constexpr slong kFirstBits = 128, kLastBits = 1024;
constexpr uint64_t kModularPoints = 3;
constexpr int kPointsOfOne = 8, kPointsOfSeveral = 12, kEnough = 3;

// Probing points: the same for every pair, different for each name; of both signs and several sizes, with denominators that no answer has.
// From point 8 on the names have different signs: the bits of their places.
Rational probe(std::string_view name, size_t place, int point) {
  constexpr int kLo[] = {5, 120, -230, 1400, 40, -65, 260, -900, 120, 5, 120, 260},
                kWidth[] = {60, 150, 200, 2000, 30, 60, 200, 700, 150, 60, 150, 200};
  constexpr unsigned kSigns[] = {0b01, 0b10, 0b11, 0b100};  // place & bits, odd: negative
  const bool mixed = point >= 8;
  const bool negative =
      mixed && std::popcount(static_cast<unsigned>(place) & kSigns[point - 8]) % 2 == (point < 10 ? 1 : 0);
  uint64_t h = 0xcbf29ce484222325u + static_cast<uint64_t>(point) * 0x9e3779b97f4a7c15u;
  for (unsigned char c : name) h = (h ^ c) * 0x100000001b3u;
  h ^= h >> 31;
  h *= 0xbf58476d1ce4e5b9u;
  h ^= h >> 29;
  const auto numerator = static_cast<int64_t>(kLo[point]) * 1009 +
                         static_cast<int64_t>(h % (static_cast<uint64_t>(kWidth[point]) * 1009));
  return Rational(negative ? -numerator : numerator) / Rational(101 * 997);
}

// Whether a sum or a product runs to a bound with a symbol in it, so that it has values at integers alone.
bool runs_to_symbol(Ref e) {
  if (e.kind() == Kind::kSum) {
    std::vector<std::string_view> names;
    collect_symbols(e.child(2), names);
    collect_symbols(e.child(3), names);
    if (!names.empty()) return true;
  }
  for (uint32_t i = 0; i < e.size(); ++i)
    if (runs_to_symbol(e.child(i))) return true;
  return false;
}

// Whether a floor or a ceiling is in it.
bool steps(Ref e) {
  if (e.kind() == Kind::kFunction && (e.node().sub == static_cast<uint8_t>(Function::kFloor) ||
                                      e.node().sub == static_cast<uint8_t>(Function::kCeil)))
    return true;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (steps(e.child(i))) return true;
  return false;
}

// Whether it is one number as it is written: 12, -2.5, 3/4, 2 1/2, 1.2 × 10^3. Nothing in it is left to be worked out.
bool is_written_number(Ref e) {
  auto is_literal = [](Ref x) {
    return x.kind() == Kind::kNumber || (x.kind() == Kind::kNegate && x.child(0).kind() == Kind::kNumber);
  };
  auto is_integer = [](Ref x) {
    return x.kind() == Kind::kNumber && x.tree->number(x.id).value.is_integer();
  };
  if (e.kind() == Kind::kNegate) e = e.child(0);
  if (is_literal(e)) return true;
  if (e.size() != 2) return false;
  const Ref a = e.child(0), b = e.child(1);
  if (e.kind() == Kind::kDivide) return is_literal(a) && is_literal(b);
  if (e.kind() == Kind::kAdd)  // a mixed number
    return is_integer(a) && b.kind() == Kind::kDivide && is_integer(b.child(0)) && is_integer(b.child(1)) &&
           b.tree->number(b.child(0).id).value < b.tree->number(b.child(1).id).value;
  return e.kind() == Kind::kMul && is_literal(a) && b.kind() == Kind::kPower && is_literal(b.child(1)) &&
         is_integer(b.child(0)) && b.tree->number(b.child(0).id).value == Rational(10);
}

enum class Meeting { kApart, kTogether, kOnlyOne, kNeither, kUnknown };

// Whether a ball is small beside what it holds and absolutely: then overlapping means equal for all practical purposes.
bool is_sharp(const Ball& b, slong bits) {
  mag_t radius, size;
  mag_init(radius);
  mag_init(size);
  mag_hypot(radius, arb_radref(acb_realref(b.raw())), arb_radref(acb_imagref(b.raw())));
  acb_get_mag(size, b.raw());
  mag_mul_2exp_si(size, size, -(bits / 3));
  // A huge value is not sharp however many digits are right: a 1 that was added would not show.
  const bool sharp = (mag_cmp(radius, size) <= 0 && mag_cmp_2exp_si(radius, -24) < 0) ||
                     mag_cmp_2exp_si(radius, -(bits / 3)) < 0;
  mag_clear(radius);
  mag_clear(size);
  return sharp;
}

struct Meet {
  Environment& env;
  Budget& budget;

  Meeting at(Ref g, Ref p, bool real, slong bits) const {
    Ball a, b;
    BallContext context{bits, real, env, budget};
    const Evaluated first = ball_value(g, context, a), second = ball_value(p, context, b);
    if (first == Evaluated::kUnknown || second == Evaluated::kUnknown) return Meeting::kUnknown;
    if (first == Evaluated::kUndefined && second == Evaluated::kUndefined) return Meeting::kNeither;
    if (first == Evaluated::kUndefined || second == Evaluated::kUndefined) return Meeting::kOnlyOne;
    if (!acb_overlaps(a.raw(), b.raw())) return Meeting::kApart;
    return is_sharp(a, bits) && is_sharp(b, bits) ? Meeting::kTogether : Meeting::kUnknown;
  }
  // At a precision at which meeting is convincing.
  Meeting closely(Ref g, Ref p, bool real) const {
    const Meeting first = at(g, p, real, kFirstBits);
    if (first != Meeting::kTogether && first != Meeting::kUnknown) return first;
    return at(g, p, real, kLastBits);
  }
};

}  // namespace

// One node, with other children.
NodeId Comparer::copied_node(Ref e, std::span<const NodeId> children, Tree& to) const {
  const Node& node = e.node();
  switch (e.kind()) {
    case Kind::kNumber:
      return to.add_number(e.tree->number(e.id));
    case Kind::kSymbol:
    case Kind::kOpaque:
    case Kind::kQuantity:
    case Kind::kText:
      return to.add(e.kind(), children, node.sub, to.name_index(e.tree->name(e.id)));
    default:
      return to.add(e.kind(), children, node.sub);
  }
}

NodeId Comparer::copied(Ref e, Tree& to) {
  std::vector<NodeId> children;
  for (uint32_t i = 0; i < e.size(); ++i) children.push_back(copied(e.child(i), to));
  return copied_node(e, children, to);
}

Ref Comparer::made(Kind kind, std::initializer_list<Ref> children, uint8_t sub) {
  Tree& tree = scratch_.emplace_back();
  std::vector<NodeId> ids;
  for (Ref child : children) ids.push_back(copied(child, tree));
  budget_.spend(tree.size());
  const NodeId id = tree.add(kind, ids, sub);
  return {&tree, id};
}

Ref Comparer::scaled(Ref e, const Rational& factor) {
  if (factor.is_one()) return e;
  Tree& tree = scratch_.emplace_back();
  const NodeId number = tree.add_number({.value = factor});
  const NodeId id = tree.add(Kind::kMul, {copied(e, tree), number});
  budget_.spend(tree.size());
  return {&tree, id};
}

// --- units, percent, degrees -----------------------------------------------------------------------------------------

Comparer::Peeled Comparer::peel(Ref e) {
  Peeled peeled;
  bool negative = false;
  for (;;) {
    if (e.kind() == Kind::kQuantity && !peeled.has_unit) {
      const std::string& name = e.tree->name(e.id);
      const auto unit = parse_unit(name);
      const bool angle =
          unit && unit->exponents[static_cast<size_t>(Dimension::kAngle)] == 1 && unit->factor.is_one();
      peeled.degree = peeled.degree || angle;
      if (!angle) {
        peeled.has_unit = true;
        peeled.unit = name;
        // 5th place
        if (const Ref inner = e.child(0);
            inner.kind() == Kind::kQuantity && inner.tree->name(inner.id) == kOrdinal) {
          peeled.unit = std::string(kOrdinal) + " " + name;
          e = inner;
        }
      }
    } else if (e.kind() == Kind::kPercent && !peeled.percent) {
      peeled.percent = true;
    } else if (e.kind() == Kind::kDegree && !peeled.degree) {
      peeled.degree = true;
    } else if (e.kind() == Kind::kNegate &&
               (e.child(0).kind() == Kind::kQuantity || e.child(0).kind() == Kind::kPercent ||
                e.child(0).kind() == Kind::kDegree)) {
      negative = !negative;
    } else {
      break;
    }
    e = e.child(0);
  }
  peeled.value = negative ? made(Kind::kNegate, {e}) : e;
  return peeled;
}

// A product of a number with single letters and their powers, parted: 9m/s² is 9 and "m s^-2". Nothing: it is none.
std::optional<Ref> Comparer::without_unit_letters(Ref e, int power, std::string& name) {
  if (e.kind() == Kind::kSymbol && e.tree->name(e.id).size() == 1) {
    name += (name.empty() ? "" : " ") + e.tree->name(e.id);
    if (power != 1) name += "^" + std::to_string(power);
    return Ref{};
  }
  if (e.kind() == Kind::kPower && e.child(0).kind() == Kind::kSymbol) {
    Environment env;
    const auto exponent = exact_value(e.child(1), env, budget_);
    if (!exponent || !exponent->fits_int() || Rational(3) < exponent->abs()) return std::nullopt;
    return without_unit_letters(e.child(0), power * static_cast<int>(exponent->to_int()), name);
  }
  const bool divide = e.kind() == Kind::kDivide;
  if ((e.kind() != Kind::kMul && !divide) || e.size() != 2)
    return is_number(e) && power == 1 ? std::optional(e) : std::nullopt;
  const auto left = without_unit_letters(e.child(0), power, name);
  const auto right = left ? without_unit_letters(e.child(1), divide ? -power : power, name) : std::nullopt;
  if (!right || (left->id != kNone && right->id != kNone))
    return is_number(e) && power == 1 ? std::optional(e) : std::nullopt;
  return left->id != kNone ? left : right;
}

bool Comparer::is_number(Ref e) const {
  std::vector<std::string_view> names;
  collect_symbols(e, names);
  return names.empty();
}

// A degree or percent sign beside a unit of something else, or beside each other; "square units" beside a unit that is no area. Units that nobody knows leave it open.
std::optional<Outcome> Comparer::signs(const Peeled& g, const Peeled& p) const {
  if (policies_.units == 1) return std::nullopt;
  const Outcome different{State::kDifferent, "units of different kinds"};
  if ((g.degree && p.percent && !p.degree) || (p.degree && g.percent && !g.degree)) return different;
  for (const auto& [sign, other] : {std::pair(&g, &p), std::pair(&p, &g)}) {
    if (!other->has_unit) continue;
    const auto unit = parse_unit(other->unit);
    const bool has_sign = (sign->degree && !other->degree) || (sign->percent && !other->percent);
    if (has_sign && !sign->has_unit && !names_a_sign(other->unit))
      return unit || plain_power(other->unit) > 1
                 ? different
                 : Outcome{State::kUndecided, "units that may not be the same"};
    if (const int power = sign->has_unit ? plain_power(sign->unit) : 0;
        power > 1 && unit && !is_length(*unit, power))
      return different;
  }
  return std::nullopt;
}

// Nothing: the values are to be compared, scaled where the units say so.
std::optional<Outcome> Comparer::units(Peeled& g, Peeled& p) {
  if (policies_.units == 1) return std::nullopt;
  // 6m, 6 m/s^2: six metres or six times m? The other side tells.
  auto part = [&](const Peeled& with, Peeled& without) {
    if (!with.has_unit || without.has_unit) return;
    std::string name;
    const auto value = without_unit_letters(without.value, 1, name);
    if (!value || value->id == kNone || name.empty()) return;  // of m alone there is no value
    const auto a = parse_unit(with.unit), b = parse_unit(name);
    if (a && b ? a->exponents != b->exponents : with.unit != name) return;
    without.unit = name;
    without.has_unit = true;
    without.value = *value;
  };
  part(g, p);
  part(p, g);
  // 5 m beside a mere number.
  if (policies_.units == 0 && !g.has_unit && !p.has_unit && p.value.kind() == Kind::kMul &&
      p.value.node().sub == 1 && is_number(g.value)) {
    by_role_ = true;
    p.unit = p.value.child(1).tree->name(p.value.child(1).id);
    p.has_unit = true;
    p.value = p.value.child(0);
  }
  if (policies_.units == 2 && g.has_unit && !p.has_unit)
    return Outcome{State::kDifferent, "the unit is missing"};
  if (!g.has_unit || !p.has_unit || g.unit == p.unit) return std::nullopt;
  const auto a = parse_unit(g.unit), b = parse_unit(p.unit);
  if (!a || !b) return std::nullopt;
  if (a->exponents != b->exponents) return Outcome{State::kDifferent, "units of different kinds"};
  if (a->factor == b->factor) return std::nullopt;
  p.value = scaled(p.value, b->factor / a->factor);
  return std::nullopt;
}

// Whether both have units, at least one of them is not known, and they may name different things: apples and oranges.
bool Comparer::are_unrelated(const Peeled& g, const Peeled& p) const {
  if (policies_.units == 1 || !g.has_unit || !p.has_unit || g.unit == p.unit) return false;
  return !(parse_unit(g.unit) && parse_unit(p.unit)) && !is_same_thing(g.unit, p.unit);
}

// 1 : 2 : 3 and 2 : 4 : 6: the same up to a factor.
Outcome Comparer::ratios(Ref g, Ref p) {
  auto terms = [](Ref e) {
    std::vector<Ref> all;
    for (; e.kind() == Kind::kRatio; e = e.child(0)) all.push_back(e.child(1));
    all.push_back(e);
    return all;
  };
  const std::vector<Ref> a = terms(g), b = terms(p);
  if (a.size() != b.size()) return {State::kDifferent, "ratios of different length"};
  for (size_t i = 1; i < a.size(); ++i) {
    const Outcome outcome = values(made(Kind::kMul, {a[i], b[0]}), made(Kind::kMul, {b[i], a[0]}));
    if (!outcome.equal()) return outcome;
  }
  return {State::kEqual, "the same ratio"};
}

Outcome Comparer::scalars(Ref gold, Ref given) {
  auto is_long = [](Ref e) { return e.kind() == Kind::kRatio && e.child(0).kind() == Kind::kRatio; };
  if (is_long(gold) || is_long(given)) return ratios(gold, given);
  if (is_residue(gold) && is_residue(given) && !compare(gold.child(1), given.child(1)).equal())
    return {State::kDifferent, "different moduli"};
  Peeled g = peel(gold), p = peel(given);
  if (const auto outcome = signs(g, p)) {
    const bool is_open = outcome->state == State::kUndecided;
    const Outcome otherwise = is_open ? values(g.value, p.value) : *outcome;
    return otherwise.equal() ? *outcome : otherwise;
  }
  if (auto outcome = units(g, p)) return *outcome;
  if (are_unrelated(g, p)) {
    const Outcome outcome = values(g.value, p.value);
    return outcome.equal() ? Outcome{State::kUndecided, "units that may not be the same"} : outcome;
  }
  // "A circle" is no A, "I think" no I: only a number, or a formula, has units that nobody knows.
  if (const Peeled& with = g.has_unit ? g : p;
      g.has_unit != p.has_unit && !parse_unit(with.unit) &&
      (with.value.kind() == Kind::kSymbol || with.value.kind() == Kind::kConstant))
    return {State::kDifferent, "a letter and words"};
  if (policies_.worked_out && is_written_number(g.value) && !is_written_number(p.value))
    return {State::kDifferent, "not worked out"};
  Outcome outcome{State::kDifferent, ""};
  if (g.percent == p.percent) {
    outcome = values(g.value, p.value);
  } else {
    const Rational hundredth = Rational(1) / Rational(100);
    outcome = policies_.percent == 1 ? Outcome{State::kDifferent, "one has a percent sign"}
                                     : values(g.value, p.value);
    if (!outcome.equal() && policies_.percent != 2)
      outcome = values(g.percent ? scaled(g.value, hundredth) : g.value,
                       p.percent ? scaled(p.value, hundredth) : p.value);
  }
  if (g.degree == p.degree || outcome.state == State::kUndecided) return outcome;
  if (outcome.equal() && policies_.degrees == 0) return outcome;
  return values(g.degree ? made(Kind::kDegree, {g.value}) : g.value,
                p.degree ? made(Kind::kDegree, {p.value}) : p.value);
}

// --- values ----------------------------------------------------------------------------------------------------------

Outcome Comparer::values(Ref g, Ref p) {
  budget_.spend(10);
  if (g.kind() == Kind::kText || p.kind() == Kind::kText) return texts(g, p);
  const bool unworked =
      (g.tree->may_be_unworked() && has_operator(g)) || (p.tree->may_be_unworked() && has_operator(p));
  if (unworked) return with_operators(g, p);
  auto is_infinite = [](Ref e) {
    return e.tree->is(e.id, Constant::kInfinity) ||
           (e.kind() == Kind::kNegate && e.tree->is(e.tree->child(e.id, 0), Constant::kInfinity));
  };
  if (is_infinite(g) || is_infinite(p))
    return is_infinite(g) && is_infinite(p) && g.kind() == p.kind()
               ? Outcome{State::kEqual, "both infinite"}
               : Outcome{State::kDifferent, "one is infinite"};
  const bool undefined_g = g.tree->is(g.id, Constant::kUndefined),
             undefined_p = p.tree->is(p.id, Constant::kUndefined);
  if (undefined_g || undefined_p)
    return undefined_g == undefined_p ? Outcome{State::kEqual, "both undefined"}
                                      : Outcome{State::kDifferent, "one is undefined"};
  if (!policies_.base_required && g.kind() == Kind::kNumber && p.kind() == Kind::kNumber &&
      g.tree->number(g.id).base != p.tree->number(p.id).base) {
    // The digits of the side without a base, read in the other's.
    const Number& a = g.tree->number(g.id);
    const Number& b = p.tree->number(p.id);
    const Number& plain = a.base == 10 ? a : b;
    const Number& based = a.base == 10 ? b : a;
    if (plain.base == 10 && plain.value.is_integer() && plain.value.sign() >= 0) {
      char* digits = fmpz_get_str(nullptr, 10, plain.value.num());
      Rational value;
      const bool read = fmpz_set_str(value.num(), digits, based.base) == 0;
      flint_free(digits);
      if (read && value == based.value) return {State::kEqual, "the same digits; the base was left out"};
    }
  }
  std::vector<std::string_view> names;
  collect_symbols(g, names);
  collect_symbols(p, names);
  if (g.kind() == Kind::kSum && p.kind() == Kind::kSum && same_operator(g, p))
    return {State::kEqual, "sums of the same terms"};
  if (names.size() > 64) throw LimitError("more than 64 symbols");
  std::sort(names.begin(), names.end());
  return names.empty() ? constants(g, p) : functions(g, p, names);
}

Outcome Comparer::constants(Ref g, Ref p) {
  Environment env;
  const auto a = exact_value(g, env, budget_), b = exact_value(p, env, budget_);
  if (a && b) {
    if (*a == *b) return {State::kEqual, "the same exact number"};
    return decimals(g, p, {State::kDifferent, "different exact numbers"});
  }
  const auto gold = decimal_of(g), given = decimal_of(p);
  if ((gold && gold->truncated) || (given && given->truncated))
    return decimals(g, p, {State::kDifferent, "not what the digits before the dots say"});
  const bool imaginary = has_imaginary_unit(g) || has_imaginary_unit(p);
  const Meet meet{env, budget_};
  Meeting result = imaginary ? Meeting::kUnknown : meet.closely(g, p, true);
  if (result == Meeting::kUnknown || result == Meeting::kNeither || result == Meeting::kOnlyOne) {
    const Meeting complex = meet.closely(g, p, false);
    if (complex == Meeting::kApart || complex == Meeting::kTogether) result = complex;
  }
  switch (result) {
    case Meeting::kTogether:
      return {State::kEqual, "equal to 1,024 bits"};
    case Meeting::kApart:
      return decimals(g, p, {State::kDifferent, "different numbers, proved by intervals"});
    case Meeting::kOnlyOne:
      return {State::kDifferent, "one of them has no value"};
    case Meeting::kNeither:
      return {State::kUndecided, "neither has a value"};
    case Meeting::kUnknown:
      break;
  }
  // Towers: of positive bases, exponents and logarithms tell.
  if (g.kind() == Kind::kPower && p.kind() == Kind::kPower && ++depth_ < 8) {
    const Outcome bases = constants(g.child(0), p.child(0));
    if (bases.equal()) return constants(g.child(1), p.child(1));
  }
  return {State::kUndecided, "too large or too hard to evaluate"};
}

std::optional<Outcome> Comparer::identity(Ref g, Ref p) {
  Environment env;
  uint64_t met = 0;
  for (uint64_t point = 0; point < kModularPoints; ++point) {
    const auto a = modular_value(g, point, env, budget_);
    if (!a) return std::nullopt;
    const auto b = modular_value(p, point, env, budget_);
    if (!b) return std::nullopt;
    if (*a != *b) return Outcome{State::kDifferent, "different rational functions, at a point"};
    ++met;
  }
  return Outcome{State::kEqual, "the same rational function, modulo 2^61 - 1 at three points"};
}

Outcome Comparer::functions(Ref g, Ref p, const std::vector<std::string_view>& names) {
  if (auto outcome = identity(g, p)) return *outcome;
  const bool imaginary = has_imaginary_unit(g) || has_imaginary_unit(p);
  const bool has_steps = steps(g) || steps(p), integers = runs_to_symbol(g) || runs_to_symbol(p);
  const int points = names.size() == 1 ? kPointsOfOne : kPointsOfSeveral;
  auto at_point = [&](Environment& env, int point, bool whole) {
    for (size_t i = 0; i < names.size(); ++i)
      env.push(names[i], integers ? Rational(static_cast<int64_t>(2 + 3 * i) + point)
                         : whole  ? probe(names[i], i, point).floor()
                                  : probe(names[i], i, point));
  };
  for (const bool real : {true, false}) {
    if (real && imaginary) continue;
    int together = 0, only_one = 0;
    for (int point = 0; point < points; ++point) {
      Environment env;
      at_point(env, point, false);
      const Meet meet{env, budget_};
      const Meeting result = together < kEnough ? meet.closely(g, p, real) : meet.at(g, p, real, kFirstBits);
      if (result == Meeting::kApart) return {State::kDifferent, "different at a point, proved by intervals"};
      together += result == Meeting::kTogether ? 1 : 0;
      only_one += result == Meeting::kOnlyOne ? 1 : 0;
    }
    if (together >= kEnough && has_steps) {
      // Floors and ceilings step at integers, which the points above avoid.
      for (int point = 0; point < points; ++point) {
        Environment env;
        at_point(env, point, true);
        if (Meet{env, budget_}.at(g, p, real, kFirstBits) == Meeting::kApart)
          return {State::kDifferent, "different at an integer"};
      }
    }
    if (together >= kEnough) {
      if (only_one > 0) return {State::kDifferent, "defined on different sets"};
      return {State::kEqual, real ? "equal at common points, to 1,024 bits"
                                  : "equal at common points of the complex plane, to 1,024 bits"};
    }
    if (together + only_one >= kEnough && only_one > 0)
      return {State::kDifferent, "defined on different sets"};
  }
  return {State::kUndecided, "no common points where both could be evaluated"};
}

// --- decimals --------------------------------------------------------------------------------------------------------

// A number that is written as a decimal: 3.14, −3.14, 2.5 · 10^{-3}.
std::optional<Comparer::Decimal> Comparer::decimal_of(Ref e) const {
  if (e.kind() == Kind::kNegate) {
    auto inner = decimal_of(e.child(0));
    if (inner) inner->value = inner->value.negated();
    return inner;
  }
  if (e.kind() == Kind::kNumber) {
    const Number& n = e.tree->number(e.id);
    if (!n.is_decimal) return std::nullopt;
    return Decimal{n.value, Rational::power_of_ten(-n.decimals), n.significant, n.is_truncated, n.decimals};
  }
  if (e.kind() == Kind::kMul && e.size() == 2) {
    auto mantissa = decimal_of(e.child(0));
    if (!mantissa) return std::nullopt;
    Environment env;
    const auto factor = exact_value(e.child(1), env, budget_);
    if (!factor || factor->sign() <= 0) return std::nullopt;
    // A power of ten, or the hundredth of a percent.
    Rational rest = *factor;
    const bool up = Rational(1) <= rest;
    int shift = 0;
    for (; shift < 400 && !rest.is_one(); ++shift) {
      rest = up ? rest / Rational(10) : rest * Rational(10);
      if (up ? rest < Rational(1) : Rational(1) < rest) return std::nullopt;
    }
    if (!rest.is_one()) return std::nullopt;
    mantissa->value = mantissa->value * *factor;
    mantissa->unit = mantissa->unit * *factor;
    mantissa->decimals += up ? -shift : shift;
    return mantissa;
  }
  return std::nullopt;
}

// Whether the value surely lies within one unit (half: half a unit) of the decimal's last digit.
bool Comparer::rounds_to(Ref value, const Decimal& decimal, bool half) {
  const Rational reach = half ? decimal.unit / Rational(2) : decimal.unit;
  Environment env;
  if (const auto exact = exact_value(value, env, budget_)) return (*exact - decimal.value).abs() <= reach;
  Ball ball;
  const slong bits = decimal.significant > 30 ? kLastBits : kFirstBits;
  BallContext context{bits, !has_imaginary_unit(value), env, budget_};
  if (ball_value(value, context, ball) != Evaluated::kValue || !ball.is_real()) return false;
  arb_t lo, hi;
  arb_init(lo);
  arb_init(hi);
  arb_set_fmpq(lo, (decimal.value - reach).raw(), kLastBits);
  arb_set_fmpq(hi, (decimal.value + reach).raw(), kLastBits);
  const bool inside = arb_le(lo, ball.re()) != 0 && arb_le(ball.re(), hi) != 0;
  arb_clear(lo);
  arb_clear(hi);
  return inside;
}

bool Comparer::within_tolerance(Ref g, Ref p) {
  Environment env;
  Rational reach;
  fmpq_t tolerance;
  fmpq_init(tolerance);
  arf_t written;
  arf_init(written);
  arf_set_d(written, policies_.tolerance);
  arf_get_fmpq(tolerance, written);
  fmpq_set(reach.raw(), tolerance);
  fmpq_clear(tolerance);
  arf_clear(written);
  const Ref difference = made(Kind::kAdd, {g, made(Kind::kNegate, {p})});
  return rounds_to(difference, Decimal{Rational(0), reach, 0, false, 0}, false);
}

// Of two numbers that are not the same: whether one is a rounding of the other as the policies allow.
Outcome Comparer::decimals(Ref g, Ref p, Outcome otherwise) {
  if (policies_.tolerance > 0 && within_tolerance(g, p)) return {State::kEqual, "within the tolerance"};
  const auto gold = decimal_of(g), given = decimal_of(p);
  if (gold && policies_.gold_decimal == 0) {
    // Fewer digits are enough where the other side is no decimal and could not have been written as one.
    Environment env;
    const auto exact = given ? std::nullopt : exact_value(p, env, budget_);
    const bool endless = !given && (!exact || !(*exact * Rational::power_of_ten(30)).is_integer());
    // 33.3 is 100/3, yet 12.54 is not 12.5: what is written out in full needs a gold of four digits.
    const bool precise = gold->significant >= 4 || (gold->significant >= 3 && endless);
    const bool longer = given && given->decimals >= gold->decimals;
    const bool integer = exact && exact->is_integer();
    if (precise && !integer && (!given || longer) && rounds_to(p, *gold, !gold->truncated))
      return of_role({State::kEqual, "rounds to the gold's digits"});
  }
  if (given && !gold && policies_.decimal_digits > 0 && given->significant >= policies_.decimal_digits &&
      rounds_to(g, *given, !given->truncated))
    return of_role({State::kEqual, "the gold, correctly rounded"});
  return otherwise;
}

std::optional<int> Comparer::order(Ref a, Ref b) {
  Environment env;
  const auto x = exact_value(a, env, budget_), y = exact_value(b, env, budget_);
  if (x && y) return *x == *y ? 0 : *x < *y ? -1 : 1;
  for (const slong bits : {kFirstBits, kLastBits}) {
    Ball left, right;
    BallContext context{bits, true, env, budget_};
    if (ball_value(a, context, left) != Evaluated::kValue ||
        ball_value(b, context, right) != Evaluated::kValue)
      return std::nullopt;
    if (arb_lt(left.re(), right.re())) return -1;
    if (arb_gt(left.re(), right.re())) return 1;
  }
  return 0;
}

}  // namespace tenon::math_answer
