// Comparing derivatives, integrals, limits and sums to infinity that are not worked out: two are the same where their parts are.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "math_answer/compare.h"

namespace tenon::math_answer {
namespace {

constexpr size_t kMaxOperators = 16;

bool is_infinite(Ref e) {
  if (e.kind() == Kind::kNegate) return is_infinite(e.child(0));
  return e.tree->is(e.id, Constant::kInfinity);
}
bool is_opaque(Ref e, Opaque which) {
  return e.kind() == Kind::kOpaque && e.node().sub == static_cast<uint8_t>(which);
}
bool has_dots(Ref e) {
  if (is_opaque(e, Opaque::kDots)) return true;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (has_dots(e.child(i))) return true;
  return false;
}

}  // namespace

bool is_operator(Ref e) {
  return e.kind() == Kind::kOperator || is_opaque(e, Opaque::kOperator) ||
         (e.kind() == Kind::kSum && (is_infinite(e.child(2)) || is_infinite(e.child(3))));
}

bool has_operator(Ref e) {
  if (is_operator(e) || is_opaque(e, Opaque::kDots)) return true;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (has_operator(e.child(i))) return true;
  return false;
}

bool binds_symbol(Ref op) {
  if (op.kind() != Kind::kOperator) return op.kind() == Kind::kSum;
  const auto which = static_cast<Operator>(op.node().sub);
  if (which == Operator::kIntegral) return op.size() == 4;
  return which != Operator::kDerivative && which != Operator::kPartial;
}

// The same parts in the same order; numbers by their values.
bool Comparer::same_tree(Ref a, Ref b) const {
  if (a.kind() != b.kind() || a.node().sub != b.node().sub || a.size() != b.size()) return false;
  switch (a.kind()) {
    case Kind::kNumber:
      return a.tree->number(a.id).value == b.tree->number(b.id).value;
    case Kind::kSymbol:
    case Kind::kOpaque:
    case Kind::kQuantity:
    case Kind::kText:
      if (a.tree->name(a.id) != b.tree->name(b.id)) return false;
      break;
    default:
      break;
  }
  for (uint32_t i = 0; i < a.size(); ++i)
    if (!same_tree(a.child(i), b.child(i))) return false;
  return true;
}

// Of two sums too: the same terms over the same range. A bound symbol may have another name, if that is free.
bool Comparer::same_operator(Ref a, Ref b) {
  if (a.kind() != b.kind() || a.node().sub != b.node().sub || a.size() != b.size()) return false;
  if (a.kind() == Kind::kOpaque) return a.tree->name(a.id) == b.tree->name(b.id);
  const std::string &x = a.tree->name(a.child(1).id), &y = b.tree->name(b.child(1).id);
  Ref body = b.child(0);
  if (x != y) {
    if (!binds_symbol(a) || mentions(body, x)) return false;
    Tree& tree = scratch_.emplace_back();
    const NodeId id = copied(body, tree);
    tree.rename(y, x);
    budget_.spend(tree.size());
    body = {&tree, id};
  }
  for (uint32_t part = 2; part < a.size(); ++part)
    if (!values(a.child(part), b.child(part)).equal()) return false;
  return values(a.child(0), body).equal();
}

// A copy in which each operator is a name: one that was met before has the name it had. kNone: it depends on what a sum runs over.
NodeId Comparer::with_names(Ref e, Tree& to, std::vector<Ref>& operators,
                            std::vector<std::string_view>& bound) {
  if (is_operator(e)) {
    for (std::string_view name : bound)
      if (mentions(e, name)) return kNone;
    size_t k = 0;
    while (k < operators.size() && !same_operator(operators[k], e)) ++k;
    if (k == kMaxOperators) throw LimitError("more than 16 integrals, limits and endless sums");
    if (k == operators.size()) operators.push_back(e);
    return to.add_named(Kind::kOpaque, "@operator" + std::to_string(k));
  }
  const bool sum = e.kind() == Kind::kSum;
  if (sum) bound.push_back(e.tree->name(e.child(1).id));
  std::vector<NodeId> children;
  for (uint32_t i = 0; i < e.size(); ++i) {
    children.push_back(with_names(e.child(i), to, operators, bound));
    if (children.back() == kNone) return kNone;
  }
  if (sum) bound.pop_back();
  return copied_node(e, children, to);
}

// Each operator counts as a symbol of its own. What is equal then is equal; a difference proves nothing, for their values are not known.
Outcome Comparer::with_operators(Ref g, Ref p) {
  const Outcome open{State::kUndecided,
                     "a derivative, an integral, a limit or an endless sum that is not worked out"};
  if (has_dots(g) || has_dots(p)) {
    if (same_tree(g, p)) return {State::kEqual, "written alike, dots and all"};
    const bool mere = is_opaque(g, Opaque::kDots) || is_opaque(p, Opaque::kDots);
    return mere ? Outcome{State::kDifferent, "dots and something else"}
                : Outcome{State::kUndecided, "what the dots stand for is not known"};
  }
  if (same_tree(g, p)) return {State::kEqual, "written alike"};
  Tree& tree = scratch_.emplace_back();
  std::vector<Ref> operators;
  std::vector<std::string_view> bound;
  const NodeId a = with_names(g, tree, operators, bound);
  const NodeId b = a == kNone ? kNone : with_names(p, tree, operators, bound);
  if (b == kNone) return open;
  budget_.spend(tree.size());
  const Outcome outcome = values({&tree, a}, {&tree, b});
  return outcome.equal() ? outcome : open;
}

}  // namespace tenon::math_answer
