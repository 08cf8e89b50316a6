// What an answer says, as a typed tree: nodes in one vector, children by index, numbers exact.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "math_answer/rational.h"

namespace tenon::math_answer {

// Limits of one answer. Beyond them it is not judged: verdict limit.
inline constexpr size_t kMaxAnswerBytes = 16 * 1024;  // of an answer, after extraction
inline constexpr size_t kMaxTokens = 4096;
inline constexpr size_t kMaxNodes = 4096;
inline constexpr int kMaxDepth = 256;          // of nested brackets, fractions, roots, exponents
inline constexpr uint64_t kMaxBits = 1 << 16;  // of an exact number

using NodeId = uint32_t;
inline constexpr NodeId kNone = 0xffffffff;

enum class Kind : uint8_t {
  kNumber,    // value: index of a Number
  kSymbol,    // value: index of a name
  kConstant,  // sub: Constant
  kAdd,       // n-ary
  kMul,       // n-ary; sub 1: a number and, after a blank, a letter that may be its unit: 5 m
  kNegate,
  kDivide,
  kPower,
  kRoot,      // radicand, degree
  kFunction,  // sub: Function; arguments
  kSum,       // body, symbol, from, to; sub: 0 sum, 1 product
  kPercent,
  kDegree,
  kQuantity,   // value; name: the unit as written, or kOrdinal
  kPlusMinus,  // 2 children: a ± b; sub: 1 for ∓
  kRatio,      // a : b
  kOpaque,     // sub: Opaque; cannot be evaluated; name: how it is written; equal only to itself
  kOperator,  // sub: Operator; a derivative, an integral or a limit that is not worked out: body, symbol, then order | from, to | point
  kTuple,     // ( , ): elements
  kBracketed,  // [a, b, …] of other than two elements
  kList,       // a, b and c without brackets; sub 1: with an "or", 2: with an "and" alone
  kSet,        // { , }
  kInterval,   // lo, hi; sub: bit 0 lo closed, bit 1 hi closed
  kUnion,
  kIntersection,
  kDifference,
  kNamedSet,    // sub: NamedSet
  kSetBuilder,  // sub 0: conditions on the one unknown; 1: the form of an element, then its conditions
  kMatrix,      // sub: columns; elements by row
  kRelation,    // sub: Relation; left, right
  kChain,       // a R b R c: relations whose neighbours share a side
  kText,        // name: the words
};

enum class Constant : uint8_t { kPi, kE, kI, kInfinity, kUndefined };
enum class Opaque : uint8_t { kCall = 1, kOperator, kDots };  // f(2); an operator that was not taken apart; …
enum class Operator : uint8_t { kDerivative, kPartial, kIntegral, kLimit, kLimitAbove, kLimitBelow };
enum class NamedSet : uint8_t { kReals, kIntegers, kNaturals, kRationals, kComplex, kEmpty };
enum class Relation : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kApprox,
  kIn,
  kNotIn,
  kSubset,
  kEquivalent,
  kParallel,
  kPerpendicular,
  kTo
};
// r with its sides exchanged.
constexpr Relation flipped(Relation r) {
  switch (r) {
    case Relation::kLess:
      return Relation::kGreater;
    case Relation::kLessEqual:
      return Relation::kGreaterEqual;
    case Relation::kGreater:
      return Relation::kLess;
    case Relation::kGreaterEqual:
      return Relation::kLessEqual;
    default:
      return r;
  }
}
enum class Function : uint8_t {
  kSin,
  kCos,
  kTan,
  kCot,
  kSec,
  kCsc,
  kArcsin,
  kArccos,
  kArctan,
  kArccot,
  kArcsec,
  kArccsc,
  kSinh,
  kCosh,
  kTanh,
  kCoth,
  kArsinh,
  kArcosh,
  kArtanh,
  kExp,
  kLog,  // kLog: argument, base if there is one
  kAbs,
  kFloor,
  kCeil,
  kSign,
  kFactorial,
  kDoubleFactorial,
  kBinomial,
  kPermutations,
  kGamma,
  kGcd,
  kLcm,
  kMax,
  kMin,
  kMod,
  kRe,
  kIm,
  kArg,
  kConjugate,
  kDet,
  kTranspose,
  kCis,  // e^{ix}
};

inline constexpr std::string_view kOrdinal = "ordinal";  // of 3rd

struct Number {
  Rational value;
  int decimals =
      -1;  // digits after the point as written (after an exponent: fewer, may be negative); -1 and !is_decimal: an integer
  int significant = 0;        // digits from the first that is not 0
  bool is_decimal = false;    // written with a point
  bool is_truncated = false;  // "0.333..."
  int base = 10;              // 52_8
};

struct Node {
  Kind kind;
  uint8_t sub = 0;
  uint16_t depth = 1;             // of the tree below, this node included
  uint32_t first = 0, count = 0;  // children
  uint32_t value = 0;
};

// Thrown inside the library: the answer is more than the limits allow, or (ParseError) not an answer.
struct LimitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ParseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The nodes of one answer. Ids stay valid while it lives.
class Tree {
 public:
  NodeId add(Kind kind, std::span<const NodeId> children, uint8_t sub = 0, uint32_t value = 0) {
    if (nodes_.size() >= kMaxNodes) throw LimitError("more than 4,096 parts");
    Node node{kind, sub, 1, static_cast<uint32_t>(children_.size()), static_cast<uint32_t>(children.size()),
              value};
    for (NodeId child : children)
      if (nodes_[child].depth >= node.depth) node.depth = static_cast<uint16_t>(nodes_[child].depth + 1);
    if (node.depth > 4 * kMaxDepth) throw LimitError("nested too deep");
    // A copy first: `children` may be a span of children_ itself.
    const std::vector<NodeId> copy(children.begin(), children.end());
    // Of sums those to infinity, and what is written with dots.
    unworked_ = unworked_ || kind == Kind::kOperator ||
                (kind == Kind::kOpaque && sub >= static_cast<uint8_t>(Opaque::kOperator)) ||
                (kind == Kind::kConstant && sub == static_cast<uint8_t>(Constant::kInfinity));
    children_.insert(children_.end(), copy.begin(), copy.end());
    nodes_.push_back(node);
    return static_cast<NodeId>(nodes_.size() - 1);
  }
  NodeId add(Kind kind, std::initializer_list<NodeId> children, uint8_t sub = 0, uint32_t value = 0) {
    return add(kind, std::span<const NodeId>(children.begin(), children.size()), sub, value);
  }
  NodeId add_number(Number number) {
    numbers_.push_back(std::move(number));
    return add(Kind::kNumber, {}, 0, static_cast<uint32_t>(numbers_.size() - 1));
  }
  NodeId add_integer(int64_t n) { return add_number({.value = Rational(n)}); }
  NodeId add_named(Kind kind, std::string_view name, std::initializer_list<NodeId> children = {}) {
    return add(kind, children, 0, name_index(name));
  }
  NodeId add_constant(Constant c) { return add(Kind::kConstant, {}, static_cast<uint8_t>(c)); }

  const Node& operator[](NodeId id) const { return nodes_[id]; }
  std::span<const NodeId> children(NodeId id) const {
    return {children_.data() + nodes_[id].first, nodes_[id].count};
  }
  NodeId child(NodeId id, uint32_t i) const { return children_[nodes_[id].first + i]; }
  Kind kind(NodeId id) const { return nodes_[id].kind; }
  const Number& number(NodeId id) const { return numbers_[nodes_[id].value]; }
  const std::string& name(NodeId id) const { return names_[nodes_[id].value]; }
  Number& number(NodeId id) { return numbers_[nodes_[id].value]; }
  uint32_t name_index(std::string_view name) {
    for (size_t i = 0; i < names_.size(); ++i)
      if (names_[i] == name) return static_cast<uint32_t>(i);
    names_.emplace_back(name);
    return static_cast<uint32_t>(names_.size() - 1);
  }
  // The integer that a general solution runs over: k of "2k + 1, k ∈ ℤ"; empty: there is none.
  const std::string& parameter() const { return parameter_; }
  NamedSet parameter_set() const { return parameter_set_; }
  void set_parameter(std::string_view name, NamedSet set) {
    parameter_ = name;
    parameter_set_ = set;
  }
  // Gives the symbol `from` the name `to`, which the tree must not have yet.
  void rename(std::string_view from, std::string_view to) {
    for (std::string& name : names_)
      if (name == from) name = to;
  }
  bool has_name(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }
  // Whether something may be in it that has a value and is not evaluated: an operator, an infinite bound, dots.
  bool may_be_unworked() const { return unworked_; }
  size_t size() const { return nodes_.size(); }
  bool is(NodeId id, Kind kind) const { return nodes_[id].kind == kind; }
  bool is(NodeId id, Constant c) const {
    return nodes_[id].kind == Kind::kConstant && nodes_[id].sub == static_cast<uint8_t>(c);
  }

 private:
  std::vector<Node> nodes_;
  std::vector<NodeId> children_;
  std::deque<Number> numbers_;
  std::vector<std::string> names_;
  bool unworked_ = false;
  std::string parameter_;
  NamedSet parameter_set_ = NamedSet::kIntegers;
};

}  // namespace tenon::math_answer
