// Comparing by kind: which rule two answers fall under.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/compare.h"

#include <algorithm>
#include <functional>

#include "math_answer/characters.h"
#include "math_answer/parser.h"

namespace tenon::math_answer {
namespace {

constexpr size_t kMaxElements = 256;

bool is_set(Kind k) {
  return k == Kind::kInterval || k == Kind::kUnion || k == Kind::kIntersection || k == Kind::kDifference ||
         k == Kind::kNamedSet || k == Kind::kSetBuilder;
}
bool is_collection(Kind k) {
  return k == Kind::kList || k == Kind::kSet || k == Kind::kTuple || k == Kind::kBracketed;
}
bool is_relation(Kind k) {
  return k == Kind::kRelation || k == Kind::kChain;
}

Outcome worst(Outcome a, Outcome b) {
  if (a.state == State::kDifferent) return a;
  if (b.state == State::kDifferent) return b;
  return a.state == State::kUndecided ? a : b;
}

// 0, 1 and 2 of the unit vectors i, j and k, bold, with a hat or bare; −1: it is something else.
int axis_of(Ref e) {
  if (e.tree->is(e.id, Constant::kI)) return 0;
  if (e.kind() != Kind::kSymbol) return -1;
  std::string_view name = e.tree->name(e.id);
  for (std::string_view accent : {"hat ", "vec "})
    if (name.starts_with(accent)) name.remove_prefix(accent.size());
  return name == "i" ? 0 : name == "j" ? 1 : name == "k" ? 2 : -1;
}
bool has_axis(Ref e, int axis) {
  if (const int own = axis_of(e); own >= 0) return axis < 0 || own == axis;
  for (uint32_t i = 0; i < e.size(); ++i)
    if (has_axis(e.child(i), axis)) return true;
  return false;
}
// Whether each of its terms has one unit vector as a factor.
bool is_combination(Ref e) {
  if (axis_of(e) >= 0) return true;
  switch (e.kind()) {
    case Kind::kNegate:
      return is_combination(e.child(0));
    case Kind::kAdd:
      for (uint32_t i = 0; i < e.size(); ++i)
        if (!is_combination(e.child(i))) return false;
      return true;
    case Kind::kDivide:
      return is_combination(e.child(0)) && !has_axis(e.child(1), -1);
    case Kind::kMul: {
      int vectors = 0;
      for (uint32_t i = 0; i < e.size(); ++i) {
        const bool vector = is_combination(e.child(i));
        if (!vector && has_axis(e.child(i), -1)) return false;
        vectors += vector ? 1 : 0;
      }
      return vectors == 1;
    }
    default:
      return false;
  }
}

}  // namespace

namespace {

// One of the ways to say the same: "none", "undefined", "all real numbers"; other words as they are.
std::string meaning_of_words(std::string text) {
  for (std::string_view lead :
       {"there is ", "there are ", "there exists ", "there exist ", "it has ", "equation has ", "system has ",
        "this equation has ", "this system has ", "it is ", "answer is "})
    if (text.starts_with(lead)) text.erase(0, lead.size());
  for (std::string_view none : {"no solution", "none", "empty", "empty set", "no real solution", "no such",
                                "no root", "no real root"})
    if (text == none || text == std::string(none) + "s") return "none";
  for (std::string_view undefined : {"does not exist", "dne"})
    if (text == undefined) return "undefined";
  for (std::string_view infinite : {"positive infinity", "plus infinity"})
    if (text == infinite) return "infinity";
  if (text == "negative infinity") return "minus infinity";
  for (std::string_view many : {"infinitely many", "infinite number of", "infinite"})
    if (text == many || text == std::string(many) + " solutions") return "infinitely many";
  for (std::string_view diverges : {"divergent", "diverges", "does not converge"})
    if (text == diverges) return "diverges";
  for (std::string_view converges : {"convergent", "converges"})
    if (text == converges) return "converges";
  if (text == "true") return "yes";
  if (text == "false") return "no";
  if (text.starts_with("all real ") && text.size() >= 10 && text[text.size() - 2] == ' ' &&
      text.back() >= 'a' && text.back() <= 'z') {
    text.resize(text.size() - 2);  // all real x, all real values of x
    if (text.ends_with(" of")) text.resize(text.size() - 3);
    if (text.ends_with(" values")) text.resize(text.size() - 7);
  }
  for (std::string_view all :
       {"all reals", "all real numbers", "any real number", "all real", "real numbers"})
    if (text == all) return "all real numbers";
  return text;
}

}  // namespace

std::string normal_words(std::string_view text, bool keep_case) {
  std::string out;
  bool space = false;
  for (char c : text) {
    const bool keep = static_cast<unsigned char>(c) >= 0x80 || is_digit(c) || is_letter(c);
    if (!keep) {
      // "p.m." is pm; other signs separate words.
      space = space || (c != '.' && c != '\'');
      continue;
    }
    if (space && !out.empty()) out += ' ';
    space = false;
    out += !keep_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  for (std::string_view article : {"the ", "a ", "an "})
    if (out.starts_with(article)) {
      out.erase(0, article.size());
      break;
    }
  return out;
}

Outcome Comparer::note(Outcome outcome, const char* step) {
  if (path_ != nullptr) path_->push_back(std::string(step) + ": " + outcome.reason);
  return outcome;
}

std::vector<Ref> Comparer::items(Ref e) const {
  std::vector<Ref> all;
  for (uint32_t i = 0; i < e.size(); ++i) all.push_back(e.child(i));
  return all;
}

Outcome Comparer::compare(Ref g, Ref p) {
  budget_.spend(3);
  struct Depth {
    explicit Depth(int& d) : depth(d) { ++depth; }
    ~Depth() { --depth; }
    int& depth;
  };
  const Depth depth(depth_);
  if (depth_ > 64) throw LimitError("nested too deep");
  return compare_kinds(g, p);
}

Outcome Comparer::compare_kinds(Ref g, Ref p) {
  const Kind a = g.kind(), b = p.kind();
  if (is_relation(a) && is_relation(b)) return note(relations(g, p), "two relations");
  if (is_relation(a) && b != Kind::kText && b != Kind::kList)
    return note(relation_with(g, p, true), "the gold is a relation");
  if (is_relation(b) && a != Kind::kText && a != Kind::kList)
    return note(relation_with(p, g, false), "the answer is a relation");
  if (a == Kind::kText || b == Kind::kText) {
    // "all real numbers", "no solution" beside a set.
    if (const Ref set = a == Kind::kText ? set_in_words(g) : set_in_words(p);
        set.tree != nullptr && (is_set(a) || is_set(b) || a == Kind::kTuple || b == Kind::kTuple))
      return note(a == Kind::kText ? real_sets(set, p) : real_sets(g, set), "a set in words");
    return note(texts(g, p), "words");
  }
  // 2i − 3j + k is ⟨2, −3, 1⟩.
  if ((a == Kind::kTuple || a == Kind::kMatrix) && is_combination(p))
    if (const auto tuple = by_components(p, g.size()))
      return note(compare(g, *tuple), "a vector by its components");
  if ((b == Kind::kTuple || b == Kind::kMatrix) && is_combination(g))
    if (const auto tuple = by_components(g, p.size()))
      return note(compare(*tuple, p), "a vector by its components");
  if (has_matrix(g) || has_matrix(p)) return note(matrices(expanded(g), expanded(p)), "matrices");
  if (is_collection(a) || is_collection(b)) return note(lists(g, p), "collections");
  if (is_set(a) || is_set(b)) {
    if (!is_set(a) && !is_set(b)) return {State::kDifferent, "a set and a value"};
    // A value is no set; an empty set is no value.
    if (!is_set(a) || !is_set(b)) return {State::kDifferent, "a set of numbers and a value"};
    return note(real_sets(g, p), "sets of numbers");
  }
  return note(scalars(g, p), "values");
}

Outcome Comparer::in_order(const std::vector<Ref>& g, const std::vector<Ref>& p) {
  if (g.size() != p.size()) return {State::kDifferent, "different numbers of elements"};
  Outcome all{State::kEqual, "all elements are equal"};
  for (size_t i = 0; i < g.size() && all.state != State::kDifferent; ++i) {
    const Outcome one = compare(g[i], p[i]);
    if (!one.equal()) all = worst(all, one);
  }
  return all;
}
Outcome Comparer::in_order(Ref g, Ref p) {
  return in_order(items(g), items(p));
}

// Each element of the one on the first free equal of the other: almost always enough, and then no further pair is compared.
bool Comparer::placed_greedily(const std::vector<Ref>& g, const std::vector<Ref>& p) {
  std::vector<char> taken(p.size(), 0);
  for (size_t i = 0; i < g.size(); ++i) {
    bool placed = false;
    for (size_t k = 0; !placed && k < p.size(); ++k) {
      const size_t j = (i + k) % p.size();
      placed = taken[j] == 0 && compare(g[i], p[j]).equal();
      if (placed) taken[j] = 1;
    }
    if (!placed) return false;
  }
  return true;
}

// Bipartite matching: each element of the one has its own in the other. Without repeats_count each needs only some equal one.
Outcome Comparer::matched(const std::vector<Ref>& g, const std::vector<Ref>& p, bool repeats_count) {
  if (g.size() > kMaxElements || p.size() > kMaxElements) throw LimitError("more than 256 elements");
  if (repeats_count && g.size() != p.size()) return {State::kDifferent, "different numbers of elements"};
  if (repeats_count && placed_greedily(g, p)) return {State::kEqual, "the same elements"};
  bool undecided = false;
  std::vector<std::vector<char>> equal(g.size(), std::vector<char>(p.size(), 0));
  for (size_t i = 0; i < g.size(); ++i) {
    bool some = false, open = false;
    // From the same place on: answers in the gold's order cost one comparison an element.
    for (size_t k = 0; k < p.size(); ++k) {
      const size_t j = (i + k) % p.size();
      const State state = compare(g[i], p[j]).state;
      equal[i][j] = state == State::kEqual ? 1 : 0;
      some = some || state == State::kEqual;
      open = open || state == State::kUndecided;
    }
    undecided = undecided || open;
    if (!some && !open) return {State::kDifferent, "an element of the gold is missing"};
    if (!some) return {State::kUndecided, "an element could not be compared"};
  }
  if (!repeats_count) {
    for (size_t j = 0; j < p.size(); ++j) {
      bool some = false;
      for (size_t i = 0; i < g.size(); ++i) some = some || equal[i][j] != 0;
      if (!some) return {undecided ? State::kUndecided : State::kDifferent, "an element too many"};
    }
    return {State::kEqual, "the same set"};
  }
  std::vector<int> owner(p.size(), -1);
  for (size_t i = 0; i < g.size(); ++i) {
    std::vector<char> seen(p.size(), 0);
    const std::function<bool(size_t)> place = [&](size_t from) {
      for (size_t j = 0; j < p.size(); ++j) {
        if (equal[from][j] == 0 || seen[j] != 0) continue;
        seen[j] = 1;
        if (owner[j] < 0 || place(static_cast<size_t>(owner[j]))) {
          owner[j] = static_cast<int>(from);
          return true;
        }
      }
      return false;
    };
    if (!place(i))
      return {undecided ? State::kUndecided : State::kDifferent, "an element of the gold is missing"};
  }
  return {State::kEqual, "the same elements"};
}

// The values of "x = 1, x = 2" or "x = 1, y = 2" (in the order of the names).
std::optional<std::vector<Ref>> Comparer::values_of_assignments(Ref list) const {
  if (list.kind() != Kind::kList) return std::nullopt;
  std::vector<std::pair<std::string, Ref>> named;
  for (const Ref item : items(list)) {
    const auto value = assigned(item);
    if (!value || !is_label(item.child(0)) || item.child(0).kind() == Kind::kTuple ||
        item.child(0).kind() == Kind::kRatio)
      return std::nullopt;
    named.emplace_back(item.tree->name(item.child(0).id), *value);
  }
  std::stable_sort(named.begin(), named.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Ref> values;
  for (const auto& [name, value] : named) values.push_back(value);
  return values;
}

// A list with an "or", or values of one name: x = 1, x = 2.
bool Comparer::is_alternatives(Ref e) const {
  if (e.kind() != Kind::kList) return false;
  if (e.node().sub == 1) return true;
  const std::vector<Ref> all = items(e);
  const auto is_named = [](Ref one) {
    return one.kind() == Kind::kRelation && one.child(0).kind() == Kind::kSymbol;
  };
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t k = 0; is_named(all[i]) && k < i; ++k)
      if (is_named(all[k]) && same_tree(all[i].child(0), all[k].child(0))) return true;
  return false;
}

// Whether the ends of a pair surely bound no interval: they stand the wrong way round, or one is no real number.
bool Comparer::is_no_interval(Ref pair) {
  for (const Ref end : items(pair))
    if (is_collection(end.kind()) || is_set(end.kind()) || is_relation(end.kind()) ||
        end.kind() == Kind::kText || end.kind() == Kind::kMatrix || has_imaginary_unit(end))
      return true;
  return order(pair.child(0), pair.child(1)).value_or(-1) > 0;
}

// a = 1, b = 2 for (a, b) = (1, 2); no tree: it is something else.
Ref Comparer::by_element(Ref relation) {
  if (relation.kind() != Kind::kRelation || relation.node().sub != static_cast<uint8_t>(Relation::kEqual))
    return {};
  const Ref left = relation.child(0), right = relation.child(1);
  if (left.kind() != Kind::kTuple || right.kind() != Kind::kTuple || left.size() != right.size()) return {};
  Tree& tree = scratch_.emplace_back();
  std::vector<NodeId> all;
  for (uint32_t i = 0; i < left.size(); ++i)
    all.push_back(tree.add(Kind::kRelation, {copied(left.child(i), tree), copied(right.child(i), tree)},
                           static_cast<uint8_t>(Relation::kEqual)));
  budget_.spend(tree.size());
  return {&tree, tree.add(Kind::kList, all)};
}

Outcome Comparer::lists(Ref g, Ref p) {
  const Kind a = g.kind(), b = p.kind();
  auto ordered = [](Kind k) { return k == Kind::kTuple || k == Kind::kBracketed; };
  auto closed_interval = [](Ref e) { return e.kind() == Kind::kInterval && e.node().sub == 3; };
  // 1 or 2 is two values; so is x = 1, x = 2.
  if ((a == Kind::kTuple && is_alternatives(p)) || (b == Kind::kTuple && is_alternatives(g))) {
    const Outcome sets = real_sets(g, p);
    return sets.equal() ? sets : Outcome{State::kDifferent, "a point and several values"};
  }
  // x = 1, x = 2 against 1, 2 and {1, 2}; x = 1, y = 2 against (1, 2) too.
  if (a == Kind::kList && b != Kind::kList)
    if (const auto values = values_of_assignments(g); values && is_collection(b))
      return b == Kind::kTuple ? in_order(*values, items(p)) : matched(*values, items(p), b != Kind::kSet);
  if (b == Kind::kList && a != Kind::kList)
    if (const auto values = values_of_assignments(p); values && is_collection(a))
      return a == Kind::kTuple ? in_order(items(g), *values) : matched(items(g), *values, a != Kind::kSet);
  if (a == Kind::kList && b == Kind::kList) {
    const auto x = values_of_assignments(g), y = values_of_assignments(p);
    if (x && !y) return matched(*x, items(p), true);
    if (y && !x) {
      return matched(items(g), *y, true);
    }
    const auto only_relations = [&](Ref list) {
      const auto all = list.tree->children(list.id);
      return std::all_of(all.begin(), all.end(), [&](NodeId id) { return is_relation(list.tree->kind(id)); });
    };
    const bool relations = only_relations(g) && only_relations(p);
    const auto one_unknown = [&](Ref list) {
      const std::vector<Ref> all = items(list);
      return std::all_of(all.begin(), all.end(), [&](Ref one) {
        return one.child(0).kind() == all[0].child(0).kind() &&
               compare(one.child(0), all[0].child(0)).equal();
      });
    };
    if (relations && g.node().sub + p.node().sub == 3 && !(x && y && one_unknown(g))) {
      // x > 2 and x < 3 is not x > 2 or x < 3; of x = 1 "and" x = 2 both are meant to be solutions.
      const Outcome sets = real_sets(g, p);
      return sets.equal() ? sets : Outcome{State::kDifferent, "the one says and, the other or"};
    }
    if (policies_.list_order == 1) return in_order(g, p);
    const Outcome outcome = matched(items(g), items(p), true);
    if (outcome.equal() || !relations) return outcome;
    const Outcome sets = real_sets(g, p);
    return sets.equal() ? sets : outcome;
  }
  if ((a == Kind::kList && is_relation(b)) || (b == Kind::kList && is_relation(a))) {
    const Ref one = a == Kind::kList ? p : g;
    if (const Ref each = by_element(one); each.tree != nullptr)
      return a == Kind::kList ? lists(g, each) : lists(each, p);
    const Outcome sets = real_sets(g, p);
    return sets.equal() ? sets : Outcome{State::kDifferent, "a list and one relation"};
  }
  // x > 2 and x < 3 is (2, 3).
  const Ref list = a == Kind::kList ? g : p, other = a == Kind::kList ? p : g;
  if (list.kind() == Kind::kList && other.kind() == Kind::kTuple && other.size() == 2 &&
      is_relation(list.child(0).kind())) {
    const Outcome sets = real_sets(g, p);
    if (sets.equal()) return sets;
  }
  // (1, 2) is a point or an open interval.
  if (is_set(a) || is_set(b)) {
    if (a == Kind::kList || b == Kind::kList) {
      // [1, 3] is the interval; [3, 1] and [1 + i, 1 - i] can be none and are lists in Python's brackets.
      const bool values = !is_relation(list.child(0).kind());
      if (closed_interval(other) && values && is_no_interval(other))
        return policies_.list_order == 1 ? in_order(g, p) : matched(items(g), items(p), true);
      if (closed_interval(other) && values) return {State::kDifferent, "an interval and a list"};
      return real_sets(g, p);
    }
    if (ordered(a) && g.size() != 2) return {State::kDifferent, "a tuple and a set of numbers"};
    if (ordered(b) && p.size() != 2) return {State::kDifferent, "a tuple and a set of numbers"};
    return real_sets(g, p);
  }
  if (!is_collection(a) || !is_collection(b)) {
    const Ref single = is_collection(a) ? g : p;
    if (single.kind() == Kind::kSet && single.size() == 1)
      return is_collection(a) ? compare(g.child(0), p) : compare(g, p.child(0));
    // 5/8 or 0.625: no guess where all of them are right.
    if (b == Kind::kList && p.node().sub == 1) {
      const std::vector<Ref> all = items(p);
      if (std::all_of(all.begin(), all.end(), [&](Ref one) { return compare(g, one).equal(); }))
        return of_role({State::kEqual, "alternatives that are all equal"});
    }
    return {State::kDifferent, "one element and several"};
  }
  // {(1, 2)} is the one point (1, 2).
  if (a == Kind::kSet && g.size() == 1 && ordered(b) && ordered(g.child(0).kind()))
    return compare(g.child(0), p);
  if (b == Kind::kSet && p.size() == 1 && ordered(a) && ordered(p.child(0).kind()))
    return compare(g, p.child(0));
  if (a == Kind::kSet || b == Kind::kSet) {
    if (ordered(a) || ordered(b)) {
      const bool list_like = a == Kind::kBracketed || b == Kind::kBracketed;
      if (!policies_.tuple_as_set && !list_like) return {State::kDifferent, "a tuple and a set"};
    }
    return matched(items(g), items(p), !policies_.set_repeats);
  }
  if (ordered(a) && ordered(b)) return in_order(g, p);
  // One of them is a list without brackets.
  if (a == Kind::kBracketed || b == Kind::kBracketed)
    return policies_.list_order == 1 ? in_order(g, p) : matched(items(g), items(p), true);
  return policies_.tuple_brackets ? in_order(g, p) : Outcome{State::kDifferent, "a list and a tuple"};
}

Outcome Comparer::matrices(Ref g, Ref p) {
  auto rows = [](Ref e) { return e.size() / e.node().sub; };
  auto is_vector = [&](Ref e) { return e.kind() == Kind::kMatrix && (e.node().sub == 1 || rows(e) == 1); };
  auto flat = [](Ref e) {
    return e.kind() == Kind::kTuple || e.kind() == Kind::kBracketed ||
           (e.kind() == Kind::kInterval && e.node().sub == 3);
  };
  if (g.kind() == Kind::kMatrix && p.kind() == Kind::kMatrix) {
    if (g.node().sub != p.node().sub || g.size() != p.size())
      return {State::kDifferent, "matrices of different shapes"};
    return in_order(g, p);
  }
  const Ref matrix = g.kind() == Kind::kMatrix ? g : p, other = g.kind() == Kind::kMatrix ? p : g;
  if (flat(other) && other.size() > 0 && other.size() == rows(matrix)) {
    // A list of rows.
    std::vector<Ref> cells;
    bool nested = true;
    for (const Ref row : items(other)) {
      nested = nested && (flat(row) || (row.kind() == Kind::kInterval)) && row.size() == matrix.node().sub;
      for (const Ref cell : items(row)) cells.push_back(cell);
    }
    if (nested) return g.kind() == Kind::kMatrix ? in_order(items(g), cells) : in_order(cells, items(p));
  }
  if (is_vector(matrix) && flat(other) && policies_.vector_as_tuple) return in_order(g, p);
  if (matrix.size() == 1) return g.kind() == Kind::kMatrix ? compare(g.child(0), p) : compare(g, p.child(0));
  return {State::kDifferent, "a matrix and something else"};
}

// A copy in which the unit vector of that axis is 1 and the others are 0.
NodeId Comparer::at_axis(Ref e, int axis, Tree& to) const {
  if (const int own = axis_of(e); own >= 0) return to.add_integer(own == axis ? 1 : 0);
  std::vector<NodeId> children;
  for (uint32_t i = 0; i < e.size(); ++i) children.push_back(at_axis(e.child(i), axis, to));
  return copied_node(e, children, to);
}

// The tuple of a combination of i, j and k with so many components; nothing where it has more.
std::optional<Ref> Comparer::by_components(Ref e, size_t size) {
  if (size != 2 && size != 3) return std::nullopt;
  if (has_axis(e, 0) + has_axis(e, 1) + has_axis(e, 2) < 2)
    return std::nullopt;  // i alone is a number, k a name
  if (size == 2 && has_axis(e, 2)) return std::nullopt;
  Tree& tree = scratch_.emplace_back();
  std::vector<NodeId> all;
  for (int axis = 0; axis < static_cast<int>(size); ++axis) all.push_back(at_axis(e, axis, tree));
  budget_.spend(tree.size());
  return Ref{&tree, tree.add(Kind::kTuple, all)};
}

// A matrix, or one with a factor or a sign before it.
bool Comparer::has_matrix(Ref e) const {
  if (e.kind() == Kind::kMatrix) return true;
  if (e.kind() == Kind::kNegate) return has_matrix(e.child(0));
  if (e.kind() == Kind::kDivide) return e.child(0).kind() == Kind::kMatrix;
  return e.kind() == Kind::kMul && e.size() == 2 &&
         (e.child(0).kind() == Kind::kMatrix) != (e.child(1).kind() == Kind::kMatrix);
}

// The matrix with its factor in its elements.
Ref Comparer::expanded(Ref e) {
  if (e.kind() == Kind::kMatrix || !has_matrix(e)) return e;
  const bool second = e.kind() == Kind::kMul && e.child(1).kind() == Kind::kMatrix;
  const Ref matrix = expanded(e.child(second ? 1 : 0));
  Tree& tree = scratch_.emplace_back();
  std::vector<NodeId> cells;
  for (const Ref cell : items(matrix)) {
    const NodeId value = copied(cell, tree);
    if (e.kind() == Kind::kNegate)
      cells.push_back(tree.add(Kind::kNegate, {value}));
    else
      cells.push_back(tree.add(e.kind(), {value, copied(e.child(second ? 0 : 1), tree)}));
  }
  budget_.spend(tree.size());
  return {&tree, tree.add(Kind::kMatrix, cells, matrix.node().sub)};
}

// What "all real numbers" and "no solution" stand for; no tree: other words.
Ref Comparer::set_in_words(Ref text) {
  const std::string words = meaning_of_words(normal_words(text.tree->name(text.id), false));
  if (words != "none" && words != "all real numbers") return {};
  Tree& tree = scratch_.emplace_back();
  const NamedSet set = words == "none" ? NamedSet::kEmpty : NamedSet::kReals;
  return {&tree, tree.add(Kind::kNamedSet, {}, static_cast<uint8_t>(set))};
}

Outcome Comparer::texts(Ref g, Ref p) {
  auto words = [&](Ref e) -> std::string {
    if (e.kind() == Kind::kQuantity && e.tree->name(e.id) == kOrdinal) {
      const Number& n = e.tree->number(e.child(0).id);
      return n.value.fits_int() ? ordinal_numeral(n.value.to_int()) : "";
    }
    if (e.kind() == Kind::kText || e.kind() == Kind::kSymbol)
      return normal_words(e.tree->name(e.id), policies_.text_case);
    // A product of letters may be a word: ACF.
    if (e.kind() != Kind::kMul) return "";
    std::string all;
    for (const Ref factor : items(e)) {
      if (factor.kind() == Kind::kConstant && factor.node().sub == static_cast<uint8_t>(Constant::kI))
        all += 'i';
      else if (factor.kind() == Kind::kConstant && factor.node().sub == static_cast<uint8_t>(Constant::kE))
        all += 'e';
      else if (factor.kind() == Kind::kSymbol && factor.tree->name(factor.id).size() == 1)
        all += factor.tree->name(factor.id);
      else
        return "";
    }
    return normal_words(all, policies_.text_case);
  };
  auto meaning = [&](Ref e) -> std::string {
    if (e.kind() == Kind::kNamedSet && e.node().sub == static_cast<uint8_t>(NamedSet::kEmpty)) return "none";
    if (e.kind() == Kind::kNamedSet && e.node().sub == static_cast<uint8_t>(NamedSet::kReals))
      return "all real numbers";
    if (e.tree->is(e.id, Constant::kUndefined)) return "undefined";
    if (e.tree->is(e.id, Constant::kInfinity)) return "infinity";
    if (e.kind() == Kind::kNegate && e.tree->is(e.tree->child(e.id, 0), Constant::kInfinity))
      return "minus infinity";
    return meaning_of_words(words(e));
  };
  const std::string a = meaning(g), b = meaning(p);
  if (a.empty() || b.empty()) return {State::kDifferent, "words and something else"};
  return a == b ? Outcome{State::kEqual, "the same words"} : Outcome{State::kDifferent, "different words"};
}

}  // namespace tenon::math_answer
