// Lists, ±, dots and general solutions in one form.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/normal.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "math_answer/evaluate.h"

namespace tenon::math_answer {
namespace {

bool has_plus_minus(const Tree& tree, NodeId id) {
  if (tree.is(id, Kind::kPlusMinus)) return true;
  for (NodeId child : tree.children(id))
    if (has_plus_minus(tree, child)) return true;
  return false;
}

NodeId with_sign(Tree& tree, NodeId id, bool plus) {
  const Node node = tree[id];
  std::vector<NodeId> children;
  for (uint32_t i = 0; i < node.count; ++i) children.push_back(with_sign(tree, tree.child(id, i), plus));
  if (node.kind != Kind::kPlusMinus)
    return children.empty() ? id : tree.add(node.kind, children, node.sub, node.value);
  const bool positive = plus == (node.sub == 0);
  if (tree.is(children[1], Kind::kTuple)) {  // ±(2, 1)
    std::vector<NodeId> elements(tree.children(children[1]).begin(), tree.children(children[1]).end());
    if (!positive)
      for (NodeId& element : elements) element = tree.add(Kind::kNegate, {element});
    return tree.add(Kind::kTuple, elements);
  }
  const NodeId right = positive ? children[1] : tree.add(Kind::kNegate, {children[1]});
  return tree.add(Kind::kAdd, {children[0], right});
}

bool is_dots(const Tree& tree, NodeId id) {
  return tree.is(id, Kind::kOpaque) && tree[id].sub == static_cast<uint8_t>(Opaque::kDots);
}
// The integer that is written; nothing: it is something else.
std::optional<Rational> integer_value(const Tree& tree, NodeId id) {
  const bool negative = tree.is(id, Kind::kNegate);
  const NodeId number = negative ? tree.child(id, 0) : id;
  if (!tree.is(number, Kind::kNumber) || !tree.number(number).value.is_integer()) return std::nullopt;
  return negative ? tree.number(number).value.negated() : tree.number(number).value;
}

// 1, 2, …, 5 is 1, 2, 3, 4, 5: integers in equal steps; all else stays.
std::vector<NodeId> without_dots(Tree& tree, std::vector<NodeId> all) {
  const auto dots = std::find_if(all.begin(), all.end(), [&](NodeId id) { return is_dots(tree, id); });
  const size_t at = static_cast<size_t>(dots - all.begin());
  if (dots == all.end() || at == 0 || at + 2 != all.size()) return all;
  std::vector<Rational> before;
  for (size_t i = 0; i < at; ++i) {
    const auto one = integer_value(tree, all[i]);
    if (!one) return all;
    before.push_back(*one);
  }
  const auto last = integer_value(tree, all.back());
  if (!last) return all;
  const Rational step = at > 1 ? before[1] - before[0] : Rational(1);
  for (size_t i = 1; i < at; ++i)
    if (!(before[i] - before[i - 1] == step)) return all;
  std::vector<Rational> between;
  for (Rational next = before.back() + step; !(next == *last); next = next + step) {
    if (between.size() >= 256 || step.is_zero()) return all;
    between.push_back(next);
  }
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
  for (size_t i = 0; i < between.size(); ++i)
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(at + i), tree.add_number({.value = between[i]}));
  return all;
}

// The value of a linear function of one symbol at 0, where its slope is `step`: n − 1 of 2 + 3 + … + (n − 1) and 1. Nothing: it is none.
std::optional<Rational> constant_of_line(Ref e, const Rational& step) {
  std::vector<std::string_view> names;
  collect_symbols(e, names);
  if (names.size() != 1) return std::nullopt;
  Budget budget(20000);
  std::optional<Rational> at[3];
  for (int k = 0; k < 3; ++k) {
    Environment env;
    env.push(names[0], Rational(k * k));  // 0, 1, 4
    if (!(at[k] = exact_value(e, env, budget))) return std::nullopt;
  }
  const bool line = *at[1] - *at[0] == step && *at[2] - *at[0] == step * Rational(4);
  return line ? at[0] : std::nullopt;
}

// 1 + 2 + … + 100 is 5050 and 1 + 3 + … + (2n − 1) is n²: a sum of integers in equal steps that is no geometric one as well; all else stays.
NodeId without_dots(Tree& tree, NodeId id) {
  if (!tree.is(id, Kind::kAdd)) return id;
  const std::vector<NodeId> all(tree.children(id).begin(), tree.children(id).end());
  if (all.size() < 4 || !is_dots(tree, all[all.size() - 2])) return id;
  std::vector<Rational> terms;
  for (size_t i = 0; i + 2 < all.size(); ++i) {
    const auto value = integer_value(tree, all[i]);
    if (!value) return id;
    terms.push_back(*value);
  }
  const Rational step = terms[1] - terms[0];
  for (size_t i = 1; i < terms.size(); ++i)
    if (!(terms[i] - terms[i - 1] == step)) return id;
  if (step.is_zero() || terms[0].is_zero()) return id;
  const auto last = integer_value(tree, all.back());
  const auto at_zero = last ? last : constant_of_line({&tree, all.back()}, step);
  if (!at_zero || !((*at_zero - terms[0]) / step).is_integer()) return id;
  if (last && (*last - terms[0]) / step < Rational(static_cast<int64_t>(terms.size()))) return id;
  if (last && terms.size() == 2) {  // 1 + 2 + … + 64
    const Rational ratio = terms[1] / terms[0];
    Rational power = terms[1];
    for (int k = 0; k < 256 && power.abs() < last->abs(); ++k) power = power * ratio;
    if (power == *last) return id;
  }
  // (first + last) ((last − first) / step + 1) / 2
  const auto number = [&](const Rational& value) { return tree.add_number({.value = value}); };
  const NodeId ends = tree.add(Kind::kAdd, {all.back(), number(terms[0])});
  const NodeId reach = tree.add(Kind::kAdd, {all.back(), number(step - terms[0])});
  return tree.add(Kind::kDivide, {tree.add(Kind::kMul, {ends, reach}), number(step + step)});
}

// The same within the sides of relations.
NodeId without_dots_inside(Tree& tree, NodeId id) {
  if (!tree.may_be_unworked() || (!tree.is(id, Kind::kRelation) && !tree.is(id, Kind::kChain)))
    return without_dots(tree, id);
  const Node node = tree[id];
  std::vector<NodeId> sides(tree.children(id).begin(), tree.children(id).end());
  for (NodeId& side : sides) side = without_dots_inside(tree, side);
  return tree.add(node.kind, sides, node.sub);
}

// One node of another tree with children of this one.
NodeId copied_node(const Tree& from, NodeId id, const std::vector<NodeId>& children, Tree& to) {
  const Node& node = from[id];
  const bool named = node.kind == Kind::kSymbol || node.kind == Kind::kOpaque ||
                     node.kind == Kind::kQuantity || node.kind == Kind::kText;
  if (node.kind == Kind::kNumber) return to.add_number(from.number(id));
  return to.add(node.kind, children, node.sub, named ? to.name_index(from.name(id)) : 0);
}

uint64_t mixed(uint64_t hash, uint64_t with) {
  hash = (hash ^ with) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

uint64_t hash_of(const fmpz* n) {
  uint64_t hash = fmpz_sgn(n) < 0 ? 1 : 0;
  for (ulong prime : {0xffffffffffffffc5ull, 0xffffffffffffffadull})
    hash = mixed(hash, fmpz_fdiv_ui(n, prime));
  return hash;
}

bool is_named(Kind kind) {
  return kind == Kind::kSymbol || kind == Kind::kQuantity || kind == Kind::kOpaque || kind == Kind::kText;
}

// The terms of a + (b + c), the factors of a·(b·c).
void gather_parts(const Tree& tree, NodeId id, Kind kind, std::vector<uint64_t>& parts) {
  for (NodeId child : tree.children(id)) {
    if (tree.is(child, kind))
      gather_parts(tree, child, kind, parts);
    else
      parts.push_back(written_form(tree, child));
  }
}

}  // namespace

uint64_t written_form(const Tree& tree, NodeId id) {
  const Node& node = tree[id];
  uint64_t hash = mixed(0, static_cast<uint64_t>(node.kind) + 1);
  if (node.kind == Kind::kNumber) {
    const Number& number = tree.number(id);
    return mixed(mixed(mixed(hash, hash_of(number.value.num())), hash_of(number.value.den())),
                 static_cast<uint64_t>(number.base));
  }
  if (node.kind == Kind::kAdd || node.kind == Kind::kMul) {
    std::vector<uint64_t> parts;
    gather_parts(tree, id, node.kind, parts);
    std::sort(parts.begin(), parts.end());
    for (uint64_t part : parts) hash = mixed(hash, part);
    return hash;
  }
  hash = mixed(hash, node.sub);
  if (is_named(node.kind)) hash = mixed(hash, std::hash<std::string>()(tree.name(id)));
  for (NodeId child : tree.children(id)) hash = mixed(hash, written_form(tree, child));
  return hash;
}

NodeId normal_list(Tree& tree, NodeId root) {
  std::vector<NodeId> all;
  const bool list = tree.is(root, Kind::kList) || tree.is(root, Kind::kSet);
  const auto children = list ? std::vector<NodeId>(tree.children(root).begin(), tree.children(root).end())
                             : std::vector<NodeId>{root};
  for (NodeId child : children) {
    if (const NodeId sum = tree.may_be_unworked() ? without_dots_inside(tree, child) : child; sum != child) {
      all.push_back(sum);
    } else if (has_plus_minus(tree, child)) {
      all.push_back(with_sign(tree, child, true));
      all.push_back(with_sign(tree, child, false));
    } else {
      all.push_back(child);
    }
  }
  auto is_equation = [&](NodeId id) {
    return tree.is(id, Kind::kRelation) && tree[id].sub == static_cast<uint8_t>(Relation::kEqual) &&
           tree.is(tree.child(id, 0), Kind::kSymbol);
  };
  if (all.size() > 1 && is_equation(all[0]) && std::none_of(all.begin() + 1, all.end(), [&](NodeId id) {
        return tree.is(id, Kind::kRelation) || tree.is(id, Kind::kChain);
      }))
    all[0] = tree.child(all[0], 1);
  if (all.size() > 2) all = without_dots(tree, std::move(all));
  if (all == children) return root;
  if (!list && all.size() == 1) return all[0];
  return tree.add(list ? tree[root].kind : Kind::kList, all, list ? tree[root].sub : 1);
}

NodeId reparametrized(const Tree& from, NodeId id, Tree& to, std::string_view name, int sign, int shift) {
  std::vector<NodeId> children;
  for (NodeId child : from.children(id))
    children.push_back(reparametrized(from, child, to, name, sign, shift));
  const NodeId copy = copied_node(from, id, children, to);
  if (!from.is(id, Kind::kSymbol) || from.name(id) != name) return copy;
  const NodeId turned = sign < 0 ? to.add(Kind::kNegate, {copy}) : copy;
  return shift == 0 ? turned : to.add(Kind::kAdd, {turned, to.add_number({.value = Rational(shift)})});
}

NodeId class_as_solution(const Tree& from, NodeId root, Tree& to, std::string_view name) {
  if (!from.is(root, Kind::kRelation) || from[root].sub != static_cast<uint8_t>(Relation::kEquivalent))
    return kNone;
  const NodeId right = from.child(root, 1);
  if (!from.is(from.child(root, 0), Kind::kSymbol) || !is_residue({&from, right})) return kNone;
  const NodeId left = reparametrized(from, from.child(root, 0), to, {}, 1, 0);
  const NodeId residue = reparametrized(from, from.child(right, 0), to, {}, 1, 0);
  const NodeId modulus = reparametrized(from, from.child(right, 1), to, {}, 1, 0);
  const NodeId multiple = to.add(Kind::kMul, {modulus, to.add_named(Kind::kSymbol, name)});
  return to.add(Kind::kRelation, {left, to.add(Kind::kAdd, {multiple, residue})},
                static_cast<uint8_t>(Relation::kEqual));
}

}  // namespace tenon::math_answer
