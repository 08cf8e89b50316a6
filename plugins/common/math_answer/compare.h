// Whether two answers say the same.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "math_answer/evaluate.h"
#include "math_answer/policies.h"

namespace tenon::math_answer {

enum class State { kEqual, kDifferent, kUndecided };

// A judgement and how it was reached, in a few words that live for ever.
struct Outcome {
  State state;
  const char* reason;

  bool equal() const { return state == State::kEqual; }
};

// Compares the gold's trees with the prediction's, in this order wherever a policy tells them apart. One object a pair of answers; throws LimitError.
class Comparer {
 public:
  // `path`, if given, gets a line for each step.
  Comparer(const Policies& policies, Budget& budget, std::vector<std::string>* path)
      : policies_(policies), budget_(budget), path_(path) {}

  Outcome compare(Ref gold, Ref given);
  // Whether a rule was used that asks which of the two is the gold.
  bool by_role() const { return by_role_; }

 private:
  // One end of an interval; infinite: −1, 0, +1.
  struct End {
    Ref value;
    int infinite = 0;
    bool closed = false;
  };
  struct Piece {
    End lo, hi;
  };
  using Pieces = std::vector<Piece>;
  // A value without its unit, percent sign, degree sign.
  struct Peeled {
    Ref value;
    std::string unit;
    bool has_unit = false, percent = false, degree = false;
  };
  struct Decimal {
    Rational value, unit;  // unit: of the last digit
    int significant = 0;
    bool truncated = false;
    int decimals = 0;
  };

  // compare.cpp: kinds
  Outcome compare_kinds(Ref g, Ref p);
  Outcome in_order(Ref g, Ref p);
  Outcome in_order(const std::vector<Ref>& g, const std::vector<Ref>& p);
  bool is_alternatives(Ref e) const;
  bool is_no_interval(Ref pair);
  Outcome matched(const std::vector<Ref>& g, const std::vector<Ref>& p, bool repeats_count);
  bool placed_greedily(const std::vector<Ref>& g, const std::vector<Ref>& p);
  Outcome matrices(Ref g, Ref p);
  bool has_matrix(Ref e) const;
  std::optional<Ref> by_components(Ref e, size_t size);
  NodeId at_axis(Ref e, int axis, Tree& to) const;
  Ref expanded(Ref e);
  Ref set_in_words(Ref text);
  Outcome texts(Ref g, Ref p);
  Outcome lists(Ref g, Ref p);
  std::vector<Ref> items(Ref e) const;
  std::optional<std::vector<Ref>> values_of_assignments(Ref list) const;
  Ref by_element(Ref relation);
  Outcome note(Outcome outcome, const char* step);
  Outcome of_role(Outcome outcome) {
    by_role_ = true;
    return outcome;
  }

  // scalar.cpp: values
  Outcome scalars(Ref g, Ref p);
  Outcome values(Ref g, Ref p);
  Outcome constants(Ref g, Ref p);
  Outcome functions(Ref g, Ref p, const std::vector<std::string_view>& names);
  std::optional<Outcome> identity(Ref g, Ref p);
  Outcome decimals(Ref g, Ref p, Outcome otherwise);
  bool rounds_to(Ref value, const Decimal& decimal, bool half);
  std::optional<Decimal> decimal_of(Ref e) const;
  Peeled peel(Ref e);
  std::optional<Outcome> signs(const Peeled& g, const Peeled& p) const;
  std::optional<Outcome> units(Peeled& g, Peeled& p);
  bool are_unrelated(const Peeled& g, const Peeled& p) const;
  std::optional<Ref> without_unit_letters(Ref e, int power, std::string& name);
  bool is_number(Ref e) const;
  Outcome ratios(Ref g, Ref p);
  Ref scaled(Ref e, const Rational& factor);
  Ref made(Kind kind, std::initializer_list<Ref> children, uint8_t sub = 0);
  NodeId copied(Ref e, Tree& to);
  NodeId copied_node(Ref e, std::span<const NodeId> children, Tree& to) const;
  // The sign of a − b of two real constants; nothing if it cannot be told.
  std::optional<int> order(Ref a, Ref b);
  bool within_tolerance(Ref g, Ref p);

  // operators.cpp: what has a value that is not worked out
  Outcome with_operators(Ref g, Ref p);
  bool same_operator(Ref a, Ref b);
  bool same_tree(Ref a, Ref b) const;
  NodeId with_names(Ref e, Tree& to, std::vector<Ref>& operators, std::vector<std::string_view>& bound);

  // relation.cpp: equations and inequalities
  bool contradicts(Ref relation);
  std::pair<Ref, Ref> fraction_of(Ref e);
  bool is_measured(Ref e) const;
  Outcome relations(Ref g, Ref p);
  Outcome relation_with(Ref relation, Ref other, bool relation_is_gold);
  Outcome proportional(Ref g_left, Ref g_right, Ref p_left, Ref p_right, bool inequality);
  std::optional<Ref> assigned(Ref relation) const;
  Ref chain_as_relation(Ref chain);
  bool is_label(Ref e) const;

  // sets.cpp: subsets of the reals
  Outcome real_sets(Ref g, Ref p);
  std::optional<Pieces> pieces_of(Ref e, int depth = 0);
  std::optional<Pieces> pieces_of_relation(Ref relation);
  std::optional<Pieces> pieces_of_magnitude(Ref relation);
  std::optional<Pieces> pieces_of_list(Ref list, int depth);
  bool end_of(Ref e, bool closed, End& out) const;
  std::optional<int> order(const End& a, const End& b);
  std::optional<bool> is_void(const Piece& piece);
  bool has_void_pair(Ref e);
  std::optional<Pieces> united(Pieces all);
  std::optional<Pieces> intersected(const Pieces& a, const Pieces& b);
  std::optional<Pieces> complement(Pieces a);

  const Policies& policies_;
  Budget& budget_;
  std::vector<std::string>* path_;
  std::deque<Tree> scratch_;
  int depth_ = 0;
  bool by_role_ = false;
};

// Lower case (unless capitals matter), single spaces, no punctuation.
std::string normal_words(std::string_view text, bool keep_case);

}  // namespace tenon::math_answer
