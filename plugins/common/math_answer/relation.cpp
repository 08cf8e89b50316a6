// Comparing equations and inequalities, with each other and with values.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "math_answer/compare.h"

namespace tenon::math_answer {
namespace {

using R = Relation;

R relation_of(Ref e) {
  return static_cast<R>(e.node().sub);
}

bool is_order(R r) {
  return r == R::kLess || r == R::kLessEqual || r == R::kGreater || r == R::kGreaterEqual;
}

R flipped(R r) {
  switch (r) {
    case R::kLess:
      return R::kGreater;
    case R::kLessEqual:
      return R::kGreaterEqual;
    case R::kGreater:
      return R::kLess;
    case R::kGreaterEqual:
      return R::kLessEqual;
    default:
      return r;
  }
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

bool mentions(Ref e, std::string_view name) {
  if ((e.kind() == Kind::kSymbol || e.kind() == Kind::kOpaque) && e.tree->name(e.id) == name) return true;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (mentions(e.child(i), name)) return true;
  return false;
}

}  // namespace

// What may be named on the left of an assignment: a symbol, f(x), (x, y), words.
bool Comparer::is_label(Ref e) const {
  if (e.kind() == Kind::kTuple) {
    for (uint32_t i = 0; i < e.size(); ++i)
      if (e.child(i).kind() != Kind::kSymbol) return false;
    return true;
  }
  return e.kind() == Kind::kSymbol || e.kind() == Kind::kText ||
         (e.kind() == Kind::kOpaque && e.node().sub == 1);
}

// The value of x = value (or value = x), where x is not in it.
std::optional<Ref> Comparer::assigned(Ref relation) const {
  if (relation.kind() != Kind::kRelation ||
      (relation_of(relation) != R::kEqual && relation_of(relation) != R::kApprox))
    return std::nullopt;
  for (uint32_t side : {0u, 1u}) {
    const Ref label = relation.child(side), value = relation.child(1 - side);
    if (!is_label(label)) continue;
    if (label.kind() == Kind::kOpaque ? !policies_.function_names : !policies_.assignment) continue;
    if (label.kind() != Kind::kTuple && mentions(value, label.tree->name(label.id))) continue;
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
    if (r == R::kApprox && is_scalar(left)) return note(against(left), "the exact side of an approximation");
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
  if (a != b) {
    const bool sets = (a == R::kIn || is_order(a) || a == R::kNotEqual) &&
                      (b == R::kIn || is_order(b) || b == R::kNotEqual);
    if (sets && policies_.relation_as_set) return real_sets(g, p);
    return {State::kDifferent, "different relations"};
  }
  if (a == R::kEquivalent && gr.kind() == Kind::kFunction && pr.kind() == Kind::kFunction && gr.size() == 2 &&
      pr.size() == 2 && !compare(gr.child(1), pr.child(1)).equal())
    return {State::kDifferent, "different moduli"};
  if (compare(gl, pl).equal() && compare(gr, pr).equal()) return {State::kEqual, "the same sides"};
  const bool symmetric = a == R::kEqual || a == R::kNotEqual || a == R::kParallel || a == R::kPerpendicular;
  if (symmetric && compare(gl, pr).equal() && compare(gr, pl).equal())
    return {State::kEqual, "the same sides, exchanged"};
  if (a != R::kEqual && a != R::kNotEqual) return {State::kDifferent, "different sides"};
  // y = … against f(x) = …: the name on the left says nothing.
  if (policies_.function_names && is_label(gl) && is_label(pl) &&
      (gl.kind() == Kind::kOpaque || pl.kind() == Kind::kOpaque) && gl.kind() != pl.kind())
    return compare(gr, pr);
  if (gl.kind() == Kind::kText || pl.kind() == Kind::kText) {
    const auto x = assigned(g), y = assigned(p);
    if (x && y && gl.kind() != pl.kind())
      return note(compare(*x, *y), "the values, one of them labelled in words");
  }
  if (!is_scalar(gl) || !is_scalar(gr) || !is_scalar(pl) || !is_scalar(pr))
    return {State::kDifferent, "different sides"};
  return proportional(gl, gr, pl, pr, false);
}

// Whether left − right of the one is a constant multiple (positive, for inequalities) of the other's.
Outcome Comparer::proportional(Ref g_left, Ref g_right, Ref p_left, Ref p_right, bool inequality) {
  if (!is_scalar(g_left) || !is_scalar(g_right) || !is_scalar(p_left) || !is_scalar(p_right))
    return {State::kUndecided, "sides that are no values"};
  const Ref g = made(Kind::kAdd, {g_left, made(Kind::kNegate, {g_right})}),
            p = made(Kind::kAdd, {p_left, made(Kind::kNegate, {p_right})});
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
