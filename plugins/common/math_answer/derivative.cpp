// Derivatives by the rules of calculus.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/parser_impl.h"

namespace tenon::math_answer {
namespace {

constexpr size_t kMostParts = kMaxNodes / 4;  // of the tree, beyond which nothing is worked out

class Derivative {
 public:
  Derivative(Tree& tree, std::string_view by) : tree_(tree), by_(by) {}

  // kNone: 0. Nothing: it cannot be worked out.
  std::optional<NodeId> of(NodeId id) {
    if (tree_.size() > kMostParts) return std::nullopt;
    const std::vector<NodeId> parts(tree_.children(id).begin(), tree_.children(id).end());
    switch (tree_.kind(id)) {
      case Kind::kNumber:
        return kNone;
      case Kind::kConstant:
        return tree_.is(id, Constant::kInfinity) || tree_.is(id, Constant::kUndefined) ? std::nullopt
                                                                                       : std::optional(kNone);
      case Kind::kSymbol:
        return tree_.name(id) == by_ ? tree_.add_integer(1) : kNone;
      case Kind::kNegate: {
        const auto inner = of(parts[0]);
        return !inner || *inner == kNone ? inner : std::optional(tree_.add(Kind::kNegate, {*inner}));
      }
      case Kind::kAdd:
        return sum(parts);
      case Kind::kMul:
        return product(parts);
      case Kind::kDivide:
        return quotient(parts[0], parts[1]);
      case Kind::kPower:
        return power(parts[0], parts[1]);
      case Kind::kRoot:
        return root(id, parts[0], parts[1]);
      case Kind::kFunction:
        return function(id, parts);
      default:
        return std::nullopt;
    }
  }

 private:
  using Maybe = std::optional<NodeId>;

  NodeId times(NodeId a, NodeId b) { return tree_.add(Kind::kMul, {a, b}); }
  NodeId over(NodeId a, NodeId b) { return tree_.add(Kind::kDivide, {a, b}); }
  NodeId square(NodeId a) { return tree_.add(Kind::kPower, {a, tree_.add_integer(2)}); }
  NodeId made(Function f, NodeId a) { return tree_.add(Kind::kFunction, {a}, static_cast<uint8_t>(f)); }
  NodeId minus(NodeId a) { return tree_.add(Kind::kNegate, {a}); }
  NodeId plus(NodeId a, NodeId b) { return tree_.add(Kind::kAdd, {a, b}); }
  NodeId one() { return tree_.add_integer(1); }

  Maybe sum(const std::vector<NodeId>& parts) {
    std::vector<NodeId> terms;
    for (NodeId part : parts) {
      const Maybe term = of(part);
      if (!term) return std::nullopt;
      if (*term != kNone) terms.push_back(*term);
    }
    return terms.empty() ? kNone : tree_.add(Kind::kAdd, terms);
  }
  Maybe product(const std::vector<NodeId>& parts) {
    std::vector<NodeId> terms;
    for (size_t i = 0; i < parts.size(); ++i) {
      const Maybe one = of(parts[i]);
      if (!one) return std::nullopt;
      if (*one == kNone) continue;
      std::vector<NodeId> factors = parts;
      factors[i] = *one;
      terms.push_back(tree_.add(Kind::kMul, factors));
    }
    return terms.empty() ? kNone : tree_.add(Kind::kAdd, terms);
  }
  // u'/v − u v'/v²
  Maybe quotient(NodeId u, NodeId v) {
    const Maybe du = of(u), dv = of(v);
    if (!du || !dv) return std::nullopt;
    const NodeId first = *du == kNone ? kNone : over(*du, v);
    if (*dv == kNone) return first;
    const NodeId second = minus(over(times(u, *dv), square(v)));
    return first == kNone ? second : plus(first, second);
  }
  // n u^(n−1) u', a^v ln a v', and of u^v the sum of both.
  Maybe power(NodeId u, NodeId v) {
    const Maybe du = of(u), dv = of(v);
    if (!du || !dv) return std::nullopt;
    NodeId first = kNone, second = kNone;
    if (*du != kNone) {
      const NodeId less = tree_.add(Kind::kPower, {u, plus(v, minus(one()))});
      first = times(times(v, less), *du);
    }
    if (*dv != kNone) {
      second = times(tree_.add(Kind::kPower, {u, v}), *dv);
      if (!tree_.is(u, Constant::kE)) second = times(second, made(Function::kLog, u));
    }
    return first == kNone ? second : second == kNone ? first : plus(first, second);
  }
  // u' / (n ⁿ√u^(n−1))
  Maybe root(NodeId whole, NodeId u, NodeId n) {
    const Maybe du = of(u), dn = of(n);
    if (!du || !dn || *dn != kNone) return std::nullopt;
    if (*du == kNone) return kNone;
    const NodeId below = tree_.add(Kind::kPower, {whole, plus(n, minus(one()))});
    return over(*du, times(n, below));
  }
  Maybe function(NodeId whole, const std::vector<NodeId>& parts) {
    const auto f = static_cast<Function>(tree_[whole].sub);
    std::vector<NodeId> inside;
    for (NodeId part : parts) {
      const Maybe one = of(part);
      if (!one || (*one != kNone && !inside.empty())) return std::nullopt;
      inside.push_back(*one);
    }
    const NodeId inner = inside[0], u = parts[0];
    if (inner == kNone) return kNone;
    const NodeId outer = parts.size() == 1                          ? derivative(f, whole, u)
                         : parts.size() == 2 && f == Function::kLog ? over(one(), times(u, made(f, parts[1])))
                                                                    : kNone;
    return outer == kNone ? std::nullopt : Maybe(times(outer, inner));
  }
  // Of the function itself at u; kNone: it is not in the table.
  NodeId derivative(Function f, NodeId whole, NodeId u) {
    switch (f) {
      case Function::kSin:
        return made(Function::kCos, u);
      case Function::kCos:
        return minus(made(Function::kSin, u));
      case Function::kTan:
        return square(made(Function::kSec, u));
      case Function::kCot:
        return minus(square(made(Function::kCsc, u)));
      case Function::kSec:
        return times(whole, made(Function::kTan, u));
      case Function::kCsc:
        return minus(times(whole, made(Function::kCot, u)));
      case Function::kArctan:
        return over(one(), plus(one(), square(u)));
      case Function::kArcsin:
      case Function::kArccos: {
        const NodeId inside = plus(one(), minus(square(u)));
        const NodeId value = over(one(), tree_.add(Kind::kRoot, {inside, tree_.add_integer(2)}));
        return f == Function::kArcsin ? value : minus(value);
      }
      case Function::kSinh:
        return made(Function::kCosh, u);
      case Function::kCosh:
        return made(Function::kSinh, u);
      case Function::kTanh:
        return over(one(), square(made(Function::kCosh, u)));
      case Function::kExp:
        return whole;
      case Function::kLog:
        return over(one(), u);
      default:
        return kNone;
    }
  }

  Tree& tree_;
  std::string_view by_;
};

}  // namespace

std::optional<NodeId> derived(Tree& tree, NodeId body, std::string_view by) {
  const std::string name(by);  // may be a name of the tree, which grows
  const auto value = Derivative(tree, name).of(body);
  if (!value) return std::nullopt;
  return *value == kNone ? tree.add_integer(0) : *value;
}

}  // namespace tenon::math_answer
