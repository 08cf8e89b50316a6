// Comparing sets of real numbers as unions of intervals and points.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "math_answer/compare.h"

namespace tenon::math_answer {
namespace {

using R = Relation;

constexpr size_t kMaxPieces = 256;

}  // namespace

// −1, 0, +1 infinity, or a value. False: no end of an interval.
bool Comparer::end_of(Ref e, bool closed, End& out) const {
  bool negative = false;
  Ref inner = e;
  while (inner.kind() == Kind::kNegate) {
    negative = !negative;
    inner = inner.child(0);
  }
  if (inner.tree->is(inner.id, Constant::kInfinity)) {
    out = {e, negative ? -1 : 1, false};
    return true;
  }
  out = {e, 0, closed};
  return true;
}

std::optional<int> Comparer::order(const End& a, const End& b) {
  if (a.infinite != 0 || b.infinite != 0)
    return a.infinite == b.infinite ? 0 : a.infinite < b.infinite ? -1 : 1;
  return order(a.value, b.value);
}

// Whether a piece holds no number; nothing where the order of its ends is not known.
std::optional<bool> Comparer::is_void(const Piece& piece) {
  const auto width = order(piece.lo, piece.hi);
  if (!width) return std::nullopt;
  return *width > 0 || (*width == 0 && !(piece.lo.closed && piece.hi.closed));
}

// (5, 2), (3, 3) and [5, 2] are points and lists, and no way to write the empty set: whether such a pair is e or in it.
bool Comparer::has_void_pair(Ref e) {
  if (e.kind() == Kind::kUnion || e.kind() == Kind::kIntersection || e.kind() == Kind::kDifference ||
      e.kind() == Kind::kList || e.kind() == Kind::kRelation) {
    for (uint32_t i = 0; i < e.size(); ++i)
      if (has_void_pair(e.child(i))) return true;
    return false;
  }
  if ((e.kind() != Kind::kInterval && e.kind() != Kind::kTuple) || e.size() != 2) return false;
  const uint8_t closed = e.kind() == Kind::kTuple ? 0 : e.node().sub;
  Piece piece;
  end_of(e.child(0), (closed & 1) != 0, piece.lo);
  end_of(e.child(1), (closed & 2) != 0, piece.hi);
  return is_void(piece).value_or(false);
}

// Sorted, merged where they touch.
std::optional<Comparer::Pieces> Comparer::united(Pieces all) {
  if (all.size() > kMaxPieces) throw LimitError("more than 256 intervals");
  Pieces kept;
  for (const Piece& piece : all) {
    const auto nothing = is_void(piece);
    if (!nothing) return std::nullopt;
    if (!*nothing) kept.push_back(piece);
  }
  bool known = true;
  // An insertion sort: the order of two ends may be unknown, which no other sort survives.
  for (size_t i = 1; i < kept.size(); ++i)
    for (size_t k = i; k > 0; --k) {
      const auto o = order(kept[k - 1].lo, kept[k].lo);
      if (!o) known = false;
      if (!o || *o < 0 || (*o == 0 && (kept[k - 1].lo.closed || !kept[k].lo.closed))) break;
      std::swap(kept[k - 1], kept[k]);
    }
  if (!known) return std::nullopt;
  Pieces merged;
  for (const Piece& piece : kept) {
    if (!merged.empty()) {
      Piece& last = merged.back();
      const auto gap = order(last.hi, piece.lo);
      if (!gap) return std::nullopt;
      if (*gap > 0 || (*gap == 0 && (last.hi.closed || piece.lo.closed) && last.hi.infinite == 0)) {
        const auto reach = order(last.hi, piece.hi);
        if (!reach) return std::nullopt;
        if (*reach < 0)
          last.hi = piece.hi;
        else if (*reach == 0)
          last.hi.closed = last.hi.closed || piece.hi.closed;
        continue;
      }
    }
    merged.push_back(piece);
  }
  return merged;
}

std::optional<Comparer::Pieces> Comparer::complement(Pieces a) {
  auto sorted = united(std::move(a));
  if (!sorted) return std::nullopt;
  Pieces out;
  End from{{}, -1, false};
  for (const Piece& piece : *sorted) {
    End to = piece.lo;
    to.closed = to.infinite == 0 && !piece.lo.closed;
    if (piece.lo.infinite != -1) out.push_back({from, to});
    from = piece.hi;
    from.closed = from.infinite == 0 && !piece.hi.closed;
    if (piece.hi.infinite == 1) return out;
  }
  out.push_back({from, End{{}, 1, false}});
  return out;
}

std::optional<Comparer::Pieces> Comparer::intersected(const Pieces& a, const Pieces& b) {
  Pieces out;
  for (const Piece& x : a)
    for (const Piece& y : b) {
      const auto lo = order(x.lo, y.lo), hi = order(x.hi, y.hi);
      if (!lo || !hi) return std::nullopt;
      Piece piece{*lo < 0 ? y.lo : x.lo, *hi < 0 ? x.hi : y.hi};
      if (*lo == 0) piece.lo.closed = x.lo.closed && y.lo.closed;
      if (*hi == 0) piece.hi.closed = x.hi.closed && y.hi.closed;
      out.push_back(piece);
      if (out.size() > kMaxPieces) throw LimitError("more than 256 intervals");
    }
  return united(std::move(out));
}

// x < 3, 3 ≥ x, x ≠ 0, x ∈ S with x alone on one side, or linear in its one unknown.
std::optional<Comparer::Pieces> Comparer::pieces_of_relation(Ref relation) {
  R r = static_cast<R>(relation.node().sub);
  Ref left = relation.child(0), right = relation.child(1);
  if (r == R::kIn && left.kind() == Kind::kSymbol) return pieces_of(right, 1);
  if (r == R::kNotIn && left.kind() == Kind::kSymbol) {
    auto inside = pieces_of(right, 1);
    return inside ? complement(std::move(*inside)) : std::nullopt;
  }
  if (left.kind() != Kind::kSymbol || mentions(right, left.tree->name(left.id))) {
    std::swap(left, right);
    r = flipped(r);
  }
  if (auto pieces = pieces_of_magnitude(relation)) return pieces;
  if (left.kind() != Kind::kSymbol || mentions(right, left.tree->name(left.id))) {
    // a x + b R 0 with rational a, b.
    std::vector<std::string_view> names;
    collect_symbols(relation, names);
    if (names.size() != 1) return std::nullopt;
    const Ref difference = made(Kind::kAdd, {relation.child(0), made(Kind::kNegate, {relation.child(1)})});
    std::optional<Rational> at[4];
    for (int k = 0; k < 4; ++k) {
      Environment env;
      env.push(names[0], Rational(k == 3 ? 17 : k));
      at[k] = exact_value(difference, env, budget_);
      if (!at[k]) return std::nullopt;
    }
    const Rational slope = *at[1] - *at[0];
    if (slope.is_zero() || !(*at[2] == *at[0] + slope * Rational(2)) ||
        !(*at[3] == *at[0] + slope * Rational(17)))
      return std::nullopt;
    Tree& tree = scratch_.emplace_back();
    right = {&tree, tree.add_number({.value = at[0]->negated() / slope})};
    r = static_cast<R>(relation.node().sub);
    if (slope.sign() < 0) r = flipped(r);
  }
  End end;
  const bool closed = r == R::kLessEqual || r == R::kGreaterEqual || r == R::kEqual || r == R::kNotEqual;
  end_of(right, closed, end);
  const End low{{}, -1, false}, high{{}, 1, false};
  switch (r) {
    case R::kLess:
    case R::kLessEqual:
      return Pieces{{low, end}};
    case R::kGreater:
    case R::kGreaterEqual:
      return Pieces{{end, high}};
    case R::kEqual:
      if (end.infinite != 0) return std::nullopt;
      return Pieces{{end, end}};
    case R::kNotEqual:
      return complement({{end, end}});
    default:
      return std::nullopt;
  }
}

// |u| R c with a constant c > 0: −c R u R c, or one of the two.
std::optional<Comparer::Pieces> Comparer::pieces_of_magnitude(Ref relation) {
  R r = static_cast<R>(relation.node().sub);
  Ref left = relation.child(0), right = relation.child(1);
  auto is_magnitude = [](Ref e) {
    return e.kind() == Kind::kFunction && e.node().sub == static_cast<uint8_t>(Function::kAbs);
  };
  if (!is_magnitude(left)) std::swap(left, right), r = flipped(r);
  if (!is_magnitude(left) || !is_number(right) || r == R::kIn || r == R::kNotIn) return std::nullopt;
  Tree& tree = scratch_.emplace_back();
  const Ref zero{&tree, tree.add_integer(0)};
  const auto sign = order(zero, right);
  if (!sign || *sign >= 0) return std::nullopt;
  const auto high =
      pieces_of_relation(made(Kind::kRelation, {left.child(0), right}, static_cast<uint8_t>(r)));
  const auto low = pieces_of_relation(
      made(Kind::kRelation, {left.child(0), made(Kind::kNegate, {right})}, static_cast<uint8_t>(flipped(r))));
  if (!high || !low) return std::nullopt;
  if (r == R::kLess || r == R::kLessEqual || r == R::kNotEqual) return intersected(*high, *low);
  Pieces both = *high;
  both.insert(both.end(), low->begin(), low->end());
  return united(std::move(both));
}

// "x < 1 or x > 2" is a union; with "and" or a comma it is what holds together. Where nothing does, a comma may as well be an "or"; of
// "x = 1 and x = 2" both are meant to be solutions.
std::optional<Comparer::Pieces> Comparer::pieces_of_list(Ref list, int depth) {
  Pieces all, common;
  bool relations_only = true, equations_only = true;
  for (uint32_t i = 0; i < list.size(); ++i) {
    const Ref item = list.child(i);
    auto pieces = pieces_of(item, depth + 1);
    if (!pieces) return std::nullopt;
    relations_only = relations_only && (item.kind() == Kind::kRelation || item.kind() == Kind::kChain);
    equations_only =
        equations_only && item.kind() == Kind::kRelation && static_cast<R>(item.node().sub) == R::kEqual;
    if (i == 0) {
      common = *pieces;
    } else if (relations_only) {
      auto both = intersected(common, *pieces);
      if (!both) return std::nullopt;
      common = std::move(*both);
    }
    all.insert(all.end(), pieces->begin(), pieces->end());
  }
  const bool alternatives = list.node().sub == 1, both = list.node().sub == 2;
  if (relations_only && !equations_only && !alternatives && (both || !common.empty())) return common;
  return united(std::move(all));
}

std::optional<Comparer::Pieces> Comparer::pieces_of(Ref e, int depth) {
  if (depth > 32) return std::nullopt;
  budget_.spend(5);
  switch (e.kind()) {
    case Kind::kInterval:
    case Kind::kTuple: {
      if (e.size() != 2) return std::nullopt;
      Piece piece;
      const uint8_t closed = e.kind() == Kind::kTuple ? 0 : e.node().sub;
      end_of(e.child(0), (closed & 1) != 0, piece.lo);
      end_of(e.child(1), (closed & 2) != 0, piece.hi);
      if (is_void(piece).value_or(true)) return std::nullopt;
      return Pieces{piece};
    }
    case Kind::kSet: {
      Pieces all;
      for (uint32_t i = 0; i < e.size(); ++i) {
        End end;
        end_of(e.child(i), true, end);
        if (end.infinite != 0) return std::nullopt;
        all.push_back({end, end});
      }
      return united(std::move(all));
    }
    case Kind::kList:
      return pieces_of_list(e, depth);
    case Kind::kNamedSet:
      if (e.node().sub == static_cast<uint8_t>(NamedSet::kEmpty)) return Pieces{};
      if (e.node().sub == static_cast<uint8_t>(NamedSet::kReals))
        return Pieces{{End{{}, -1, false}, End{{}, 1, false}}};
      return std::nullopt;
    case Kind::kUnion: {
      Pieces all;
      for (uint32_t i = 0; i < e.size(); ++i) {
        auto pieces = pieces_of(e.child(i), depth + 1);
        if (!pieces) return std::nullopt;
        all.insert(all.end(), pieces->begin(), pieces->end());
      }
      return united(std::move(all));
    }
    case Kind::kIntersection:
    case Kind::kDifference: {
      auto a = pieces_of(e.child(0), depth + 1), b = pieces_of(e.child(1), depth + 1);
      if (!a || !b) return std::nullopt;
      if (e.kind() == Kind::kDifference) b = complement(std::move(*b));
      return b ? intersected(*a, *b) : std::nullopt;
    }
    case Kind::kRelation:
      return pieces_of_relation(e);
    case Kind::kChain:
    case Kind::kSetBuilder: {
      if (e.kind() == Kind::kSetBuilder && e.node().sub == 1) return std::nullopt;
      std::optional<Pieces> all;
      for (uint32_t i = 0; i < e.size(); ++i) {
        auto pieces = pieces_of(e.child(i), depth + 1);
        if (!pieces) return std::nullopt;
        all = all ? intersected(*all, *pieces) : std::move(pieces);
        if (!all) return std::nullopt;
      }
      return all;
    }
    default: {
      std::vector<std::string_view> names;
      collect_symbols(e, names);
      if (!names.empty()) return std::nullopt;
      End end;
      end_of(e, true, end);
      if (end.infinite != 0) return std::nullopt;
      return Pieces{{end, end}};
    }
  }
}

Outcome Comparer::real_sets(Ref g, Ref p) {
  auto ends = [](Ref e) {
    return (e.kind() == Kind::kInterval || e.kind() == Kind::kTuple) && e.size() == 2;
  };
  if (ends(g) && ends(p)) {
    // An infinite end is open whatever its bracket says.
    auto closed = [&](Ref e, uint32_t side) {
      End end;
      end_of(e.child(side), e.kind() == Kind::kInterval && (e.node().sub & (side + 1)) != 0, end);
      return end.closed;
    };
    if (closed(g, 0) != closed(p, 0) || closed(g, 1) != closed(p, 1))
      return {State::kDifferent, "one end is open, the other closed"};
    return in_order(g, p);
  }
  // Relations say something of their unknown: x < 1 is not y < 1, and x = 1, y = 2 are no set of numbers.
  auto is_relational = [](Ref e) {
    const Kind kind = e.kind() == Kind::kList && e.size() > 0 ? e.child(0).kind() : e.kind();
    return kind == Kind::kRelation || kind == Kind::kChain;
  };
  std::vector<std::string_view> g_names, p_names;
  if (is_relational(g)) collect_symbols(g, g_names);
  if (is_relational(p)) collect_symbols(p, p_names);
  const bool both = is_relational(g) && is_relational(p);
  if (both && g_names.size() == 1 && p_names.size() == 1 && g_names != p_names)
    return {State::kDifferent, "different unknowns"};
  if (both && (g_names.size() != 1 || p_names.size() != 1))
    return {State::kUndecided, "relations of several unknowns"};
  if ((g_names.size() > 1 && g.kind() != Kind::kRelation) ||
      (p_names.size() > 1 && p.kind() != Kind::kRelation))
    return {State::kUndecided, "relations of several unknowns"};
  const auto a = pieces_of(g), b = pieces_of(p);
  if (!a || !b) {
    if (g.kind() == p.kind() && g.kind() != Kind::kRelation && g.kind() != Kind::kChain &&
        g.size() == p.size() && g.size() > 0)
      return g.kind() == Kind::kUnion ? matched(items(g), items(p), true) : in_order(g, p);
    if (has_void_pair(g) || has_void_pair(p)) return {State::kDifferent, "a pair that is no interval"};
    return {State::kUndecided, "sets that could not be worked out"};
  }
  if (a->size() != b->size()) return {State::kDifferent, "sets of different pieces"};
  for (size_t i = 0; i < a->size(); ++i) {
    const Piece &x = (*a)[i], &y = (*b)[i];
    if (x.lo.closed != y.lo.closed || x.hi.closed != y.hi.closed)
      return {State::kDifferent, "one end is open, the other closed"};
    for (const auto& [u, v] : {std::pair(x.lo, y.lo), std::pair(x.hi, y.hi)}) {
      if (u.infinite != v.infinite) return {State::kDifferent, "one end is infinite"};
      if (u.infinite != 0) continue;
      const Outcome outcome = compare(u.value, v.value);
      if (!outcome.equal()) return outcome;
    }
  }
  return {State::kEqual, "the same set of numbers"};
}

}  // namespace tenon::math_answer
