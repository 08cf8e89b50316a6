// Comparing equations and inequalities, with each other and with values.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "math_answer/compare.h"
#include "math_answer/units.h"

namespace tenon::math_answer {
namespace {

using R = Relation;

R relation_of(Ref e) {
  return static_cast<R>(e.node().sub);
}

bool is_order(R r) {
  return r == R::kLess || r == R::kLessEqual || r == R::kGreater || r == R::kGreaterEqual;
}

bool is_scalar(Ref e) {
  switch (e.kind()) {
    case Kind::kTuple:
    case Kind::kBracketed:
    case Kind::kList:
    case Kind::kSet:
    case Kind::kInterval:
    case Kind::kUnion:
    case Kind::kIntersection:
    case Kind::kDifference:
    case Kind::kNamedSet:
    case Kind::kSetBuilder:
    case Kind::kMatrix:
    case Kind::kRelation:
    case Kind::kChain:
    case Kind::kText:
      return false;
    default:
      return true;
  }
}

size_t parts(Ref e) {
  size_t n = 1;
  for (uint32_t i = 0; i < e.size(); ++i) n += parts(e.child(i));
  return n;
}

bool divides_by_symbol(Ref e) {
  if (e.kind() == Kind::kDivide) {
    std::vector<std::string_view> names;
    collect_symbols(e.child(1), names);
    if (!names.empty()) return true;
  }
  for (uint32_t i = 0; i < e.size(); ++i)
    if (divides_by_symbol(e.child(i))) return true;
  return false;
}

// Of y, f(x) and f^{-1}(x) 0, of y', f'(x) and dy/dx 1; −1: it names no function.
int order_of_label(Ref e) {
  if (e.kind() == Kind::kOperator && e.node().sub == static_cast<uint8_t>(Operator::kDerivative) &&
      (e.child(0).kind() == Kind::kSymbol || e.child(0).kind() == Kind::kOpaque) &&
      order_of_label(e.child(0)) == 0)
    return static_cast<int>(e.tree->number(e.child(2).id).value.to_int());
  const bool call = e.kind() == Kind::kOpaque && e.node().sub == static_cast<uint8_t>(Opaque::kCall);
  if (e.kind() != Kind::kSymbol && !call) return -1;
  const std::string_view name = e.tree->name(e.id);
  const std::string_view mark = name.substr(0, call ? name.find('(') : name.size());
  return static_cast<int>(std::count(mark.begin(), mark.end(), '\''));
}

}  // namespace

// What may be named on the left of an assignment: a symbol, f(x), (x, y), words.
bool Comparer::is_label(Ref e) const {
  if (e.kind() == Kind::kTuple) {
    for (uint32_t i = 0; i < e.size(); ++i)
      if (e.child(i).kind() != Kind::kSymbol) return false;
    return true;
  }
  if (e.kind() == Kind::kRatio)
    return e.child(0).kind() == Kind::kSymbol && e.child(1).kind() == Kind::kSymbol;
  return e.kind() == Kind::kSymbol || e.kind() == Kind::kText ||
         (e.kind() == Kind::kOpaque && e.node().sub == static_cast<uint8_t>(Opaque::kCall));
}

// What may be the quantity of "… = 7" beside an answer 7: a + b, AB, |AB|, P(A), sin A. An equation in one unknown is none.
bool Comparer::is_measured(Ref e) const {
  const auto is_capital = [](Ref x) {
    const std::string_view name = x.kind() == Kind::kSymbol ? std::string_view(x.tree->name(x.id)) : "";
    return name.size() == 1 && name[0] >= 'A' && name[0] <= 'Z';
  };
  if (e.kind() == Kind::kFunction && e.size() == 1) {
    const auto f = static_cast<Function>(e.node().sub);
    if (f == Function::kAbs) return is_measured(e.child(0));
    return f <= Function::kCsc && e.child(0).kind() == Kind::kSymbol;
  }
  bool capitals = e.kind() == Kind::kMul;
  for (uint32_t i = 0; capitals && i < e.size(); ++i) capitals = is_capital(e.child(i));
  if (capitals) return true;
  std::vector<std::string_view> names;
  collect_symbols(e, names);
  const std::function<bool(Ref)> symbols_only = [&](Ref x) {
    if (x.kind() == Kind::kSymbol) return true;
    if (x.kind() != Kind::kAdd && x.kind() != Kind::kMul && x.kind() != Kind::kNegate) return false;
    for (uint32_t i = 0; i < x.size(); ++i)
      if (!symbols_only(x.child(i))) return false;
    return true;
  };
  return names.size() > 1 && symbols_only(e);
}

// Whether a link of two numbers is false: 2 = 10. One that is a rounding of the other is none; 6 ≈ 5 is false as well.
bool Comparer::contradicts(Ref relation) {
  const Ref left = relation.child(0), right = relation.child(1);
  if (!is_scalar(left) || !is_scalar(right) || !is_number(left) || !is_number(right)) return false;
  if (has_operator(left) || has_operator(right) || scalars(left, right).equal()) return false;
  // What is not worked out is not false: 12 = 8 + 4.
  if (policies_.worked_out && scalars(right, left).equal()) return false;
  for (const auto& [exact, rounded] : {std::pair(left, right), std::pair(right, left)}) {
    auto decimal = decimal_of(rounded);
    if (!decimal && relation_of(relation) == R::kApprox && rounded.kind() == Kind::kNumber)
      decimal = Decimal{rounded.tree->number(rounded.id).value, Rational(1), 0, false, 0};
    // An integer is no rounding of an integer.
    if (decimal && !(exact.kind() == Kind::kNumber && exact.tree->number(exact.id).value.is_integer()) &&
        rounds_to(exact, *decimal, false))
      return false;
  }
  return true;
}

// The value of x = value (or value = x), where x is not in it.
std::optional<Ref> Comparer::assigned(Ref relation) const {
  if (relation.kind() != Kind::kRelation ||
      (relation_of(relation) != R::kEqual && relation_of(relation) != R::kApprox))
    return std::nullopt;
  for (uint32_t side : {0u, 1u}) {
    const Ref label = relation.child(side), value = relation.child(1 - side);
    // dy/dx = 2x, ∫ … = 1/3, 2 lim … = 4: what is not worked out is a label.
    const bool unworked = is_operator(label) || (has_operator(label) && is_scalar(label) && is_number(label));
    if (unworked && policies_.assignment && !has_operator(value)) return value;
    if (!is_label(label)) continue;
    // "Those not shaded = 12" names a value, "12 is wrong" none.
    if (side == 1 && label.kind() == Kind::kText && has_judging_word(label.tree->name(label.id))) continue;
    if (label.kind() == Kind::kOpaque ? !policies_.function_names : !policies_.assignment) continue;
    const bool single = label.kind() != Kind::kTuple && label.kind() != Kind::kRatio;
    if (single && mentions(value, label.tree->name(label.id))) continue;
    return value;
  }
  return std::nullopt;
}

// Of a = b = c ≈ d the relation a = c; of chains of other signs nothing (an id of kNone).
Ref Comparer::chain_as_relation(Ref chain) {
  if (chain.kind() != Kind::kChain || policies_.chain == 1) return {};
  uint32_t last = chain.size();
  for (uint32_t i = 0; i < chain.size(); ++i) {
    const R r = relation_of(chain.child(i));
    if (r != R::kEqual && r != R::kApprox) return {};
    if (r == R::kApprox && last == chain.size()) last = i;
  }
  if (last == 0) last = 1;
  return made(Kind::kRelation, {chain.child(0).child(0), chain.child(last - 1).child(1)},
              static_cast<uint8_t>(R::kEqual));
}

// A relation against what is none.
Outcome Comparer::relation_with(Ref relation, Ref other, bool relation_is_gold) {
  auto against = [&](Ref value) { return relation_is_gold ? compare(value, other) : compare(other, value); };
  for (uint32_t i = 0; relation.kind() == Kind::kChain && i < relation.size(); ++i)
    if (const R r = relation_of(relation.child(i));
        (r == R::kEqual || r == R::kApprox) && contradicts(relation.child(i)))
      return {State::kDifferent, "a chain that contradicts itself"};
  if (relation.kind() == Kind::kChain) {
    const Ref single = chain_as_relation(relation);
    if (single.id != kNone) return relation_with(single, other, relation_is_gold);
    if (!policies_.relation_as_set) return {State::kDifferent, "a relation is no set"};
    return relation_is_gold ? real_sets(relation, other) : real_sets(other, relation);
  }
  const R r = relation_of(relation);
  if (r == R::kEqual || r == R::kApprox) {
    if (const auto value = assigned(relation)) return note(against(*value), "the value that is assigned");
    const Ref left = relation.child(0), right = relation.child(1);
    if (contradicts(relation)) return {State::kDifferent, "a relation that is false"};
    if (r == R::kApprox && is_scalar(left)) return note(against(left), "the exact side of an approximation");
    if (policies_.assignment && is_scalar(other) && is_number(other))
      for (const auto& [quantity, value] : {std::pair(left, right), std::pair(right, left)})
        if (!relation_is_gold && is_scalar(value) && is_number(value) && is_measured(quantity))
          return of_role(note(against(value), "the value of a quantity"));
    std::vector<std::string_view> names;
    collect_symbols(relation, names);
    // 2 + 3 = 5 is the value 5, if it is true.
    if (policies_.chain == 0 && is_scalar(left) && is_scalar(right) &&
        (names.empty() || values(left, right).equal()) && values(left, right).equal())
      return note(against(right), "the last side of a true equation");
  }
  if (r == R::kIn)
    return policies_.relation_as_set ? note(against(relation.child(1)), "the set of a membership")
                                     : Outcome{State::kDifferent, "a relation is no set"};
  // x ≡ 5 (mod 7) is 5 (mod 7), yet not 5: that is one of its solutions.
  if (r == R::kEquivalent && policies_.assignment && relation.child(0).kind() == Kind::kSymbol &&
      is_residue(relation.child(1)) && is_residue(other))
    return note(against(relation.child(1)), "the same residue class");
  const bool other_is_set = other.kind() == Kind::kInterval || other.kind() == Kind::kUnion ||
                            other.kind() == Kind::kSet || other.kind() == Kind::kTuple ||
                            other.kind() == Kind::kNamedSet || other.kind() == Kind::kDifference ||
                            other.kind() == Kind::kIntersection || other.kind() == Kind::kSetBuilder;
  if (other_is_set && policies_.relation_as_set)
    return relation_is_gold ? real_sets(relation, other) : real_sets(other, relation);
  return {State::kDifferent, "a relation and a value"};
}

Outcome Comparer::relations(Ref g, Ref p) {
  if (g.kind() == Kind::kChain && chain_as_relation(g).id != kNone) g = chain_as_relation(g);
  if (p.kind() == Kind::kChain && chain_as_relation(p).id != kNone) p = chain_as_relation(p);
  if (g.kind() == Kind::kChain || p.kind() == Kind::kChain) {
    if (g.kind() == Kind::kChain && p.kind() == Kind::kChain && g.size() == p.size()) {
      for (const bool reversed : {false, true}) {
        bool all = true;
        for (uint32_t i = 0; all && i < g.size(); ++i) {
          const Ref a = g.child(i), b = p.child(reversed ? p.size() - 1 - i : i);
          const R want = reversed ? flipped(relation_of(b)) : relation_of(b);
          all = relation_of(a) == want && compare(a.child(0), b.child(reversed ? 1 : 0)).equal() &&
                compare(a.child(1), b.child(reversed ? 0 : 1)).equal();
        }
        if (all) return {State::kEqual, "chains of the same relations"};
      }
    }
    return real_sets(g, p);
  }
  R a = relation_of(g), b = relation_of(p);
  if (a == R::kApprox) a = R::kEqual;
  if (b == R::kApprox) b = R::kEqual;
  Ref gl = g.child(0), gr = g.child(1), pl = p.child(0), pr = p.child(1);
  if (is_order(a) && is_order(b)) {
    // Both as left < right.
    if (a == R::kGreater || a == R::kGreaterEqual) std::swap(gl, gr), a = flipped(a);
    if (b == R::kGreater || b == R::kGreaterEqual) std::swap(pl, pr), b = flipped(b);
    if (a != b) return {State::kDifferent, "one inequality is strict"};
    if (compare(gl, pl).equal() && compare(gr, pr).equal()) return {State::kEqual, "the same sides"};
    const Outcome outcome = proportional(gl, gr, pl, pr, true);
    if (outcome.state != State::kUndecided) return outcome;
    return real_sets(g, p);
  }
  // x = 1 (mod 3) is another way to write x ≡ 1 (mod 3).
  if (is_residue(gr) && is_residue(pr) && (a == R::kEqual || a == R::kEquivalent) &&
      (b == R::kEqual || b == R::kEquivalent))
    a = b = R::kEquivalent;
  if (a != b) {
    const bool sets = (a == R::kIn || is_order(a) || a == R::kNotEqual) &&
                      (b == R::kIn || is_order(b) || b == R::kNotEqual);
    if (sets && policies_.relation_as_set) return real_sets(g, p);
    return {State::kDifferent, "different relations"};
  }
  if (compare(gl, pl).equal() && compare(gr, pr).equal()) return {State::kEqual, "the same sides"};
  const bool symmetric = a == R::kEqual || a == R::kNotEqual || a == R::kParallel || a == R::kPerpendicular;
  if (symmetric && compare(gl, pr).equal() && compare(gr, pl).equal())
    return {State::kEqual, "the same sides, exchanged"};
  if (a != R::kEqual && a != R::kNotEqual) return {State::kDifferent, "different sides"};
  // y = … against f(x) = …: the name on the left says nothing; nor does it in y' = … against dy/dx = …
  const int order = order_of_label(gl);
  if (policies_.function_names && order >= 0 && order == order_of_label(pl) && gl.kind() != pl.kind())
    return compare(gr, pr);
  // Two differential equations, or two values of one integral.
  if (has_operator(gl) && compare(gl, pl).equal()) return compare(gr, pr);
  if (gl.kind() == Kind::kText || pl.kind() == Kind::kText) {
    const auto x = assigned(g), y = assigned(p);
    if (x && y && gl.kind() != pl.kind())
      return note(compare(*x, *y), "the values, one of them labelled in words");
  }
  if (!is_scalar(gl) || !is_scalar(gr) || !is_scalar(pl) || !is_scalar(pr))
    return {State::kDifferent, "different sides"};
  return proportional(gl, gr, pl, pr, false);
}

// e as numerator and denominator, as far as sums, products and quotients go.
std::pair<Ref, Ref> Comparer::fraction_of(Ref e) {
  Tree& tree = scratch_.emplace_back();
  const Ref one{&tree, tree.add_integer(1)};
  switch (e.kind()) {
    case Kind::kNegate: {
      const auto [top, below] = fraction_of(e.child(0));
      return {made(Kind::kNegate, {top}), below};
    }
    case Kind::kDivide: {
      const auto a = fraction_of(e.child(0)), b = fraction_of(e.child(1));
      return {made(Kind::kMul, {a.first, b.second}), made(Kind::kMul, {a.second, b.first})};
    }
    case Kind::kMul:
    case Kind::kAdd: {
      auto all = fraction_of(e.child(0));
      for (uint32_t i = 1; i < e.size(); ++i) {
        const auto next = fraction_of(e.child(i));
        const Ref below = made(Kind::kMul, {all.second, next.second});
        all.first = e.kind() == Kind::kMul ? made(Kind::kMul, {all.first, next.first})
                                           : made(Kind::kAdd, {made(Kind::kMul, {all.first, next.second}),
                                                               made(Kind::kMul, {next.first, all.second})});
        all.second = below;
      }
      return all;
    }
    default:
      return {e, one};
  }
}

// Whether left − right of the one is a constant multiple (positive, for inequalities) of the other's.
Outcome Comparer::proportional(Ref g_left, Ref g_right, Ref p_left, Ref p_right, bool inequality) {
  if (!is_scalar(g_left) || !is_scalar(g_right) || !is_scalar(p_left) || !is_scalar(p_right))
    return {State::kUndecided, "sides that are no values"};
  Ref g = made(Kind::kAdd, {g_left, made(Kind::kNegate, {g_right})}),
      p = made(Kind::kAdd, {p_left, made(Kind::kNegate, {p_right})});
  // x y = 1 and y = 1 / x: equations say the same without their denominators.
  if (!inequality && (divides_by_symbol(g) || divides_by_symbol(p)) && parts(g) + parts(p) < 128)
    g = fraction_of(g).first, p = fraction_of(p).first;
  std::vector<std::string_view> g_names, p_names;
  collect_symbols(g, g_names);
  collect_symbols(p, p_names);
  if (g_names.empty() || p_names.empty()) return {State::kDifferent, "different sides"};
  std::sort(g_names.begin(), g_names.end());
  std::sort(p_names.begin(), p_names.end());
  if (g_names != p_names) return {State::kDifferent, "different unknowns"};
  // Two sets of values for the symbols, from two sets of names: D(x) E(y) = D(y) E(x) for all x, y.
  auto renamed = [&](Ref e) {
    Tree& tree = scratch_.emplace_back();
    struct Rename {
      Tree& to;
      const std::vector<std::string_view>& free;
      NodeId operator()(Ref from) {
        std::vector<NodeId> children;
        for (uint32_t i = 0; i < from.size(); ++i) children.push_back((*this)(from.child(i)));
        const Node& node = from.node();
        if (from.kind() == Kind::kNumber) return to.add_number(from.tree->number(from.id));
        const bool named =
            from.kind() == Kind::kSymbol || from.kind() == Kind::kOpaque || from.kind() == Kind::kQuantity;
        if (!named) return to.add(from.kind(), children, node.sub);
        const std::string& name = from.tree->name(from.id);
        const bool is_free = from.kind() != Kind::kQuantity &&
                             std::binary_search(free.begin(), free.end(), std::string_view(name));
        return to.add(from.kind(), children, node.sub, to.name_index(is_free ? name + "@2" : name));
      }
    };
    const NodeId root = Rename{tree, g_names}(e);
    budget_.spend(tree.size());
    return Ref{&tree, root};
  };
  const Ref left = made(Kind::kMul, {g, renamed(p)}), right = made(Kind::kMul, {p, renamed(g)});
  const Outcome outcome = values(left, right);
  if (!outcome.equal())
    return outcome.state == State::kDifferent ? Outcome{State::kDifferent, "not multiples of each other"}
                                              : outcome;
  // Both vanish everywhere: 0 = 0 says nothing.
  const Ref zero = made(Kind::kAdd, {g, made(Kind::kNegate, {g})});
  if (values(g, zero).equal() || values(p, zero).equal())
    return {State::kUndecided, "a relation that always holds"};
  if (!inequality) return {State::kEqual, "multiples of each other"};
  // The sign of the factor, at a point where the quotient is defined.
  const Ref quotient = made(Kind::kDivide, {g, p});
  for (int64_t k = 1; k <= 5; ++k) {
    Environment env;
    int64_t salt = 7;
    for (std::string_view name : g_names) env.push(name, Rational(k * 1009 + (salt += 13)) / Rational(997));
    Ball ball;
    BallContext context{128, true, env, budget_};
    if (ball_value(quotient, context, ball) != Evaluated::kValue || !ball.is_real()) continue;
    if (arb_is_positive(ball.re())) return {State::kEqual, "positive multiples of each other"};
    if (arb_is_negative(ball.re())) return {State::kDifferent, "the inequality points the other way"};
  }
  return {State::kUndecided, "the sign of the factor is not known"};
}

}  // namespace tenon::math_answer
