// The parser's inside, shared by its files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "math_answer/characters.h"
#include "math_answer/parser.h"

namespace tenon::math_answer {

bool all_digits(std::string_view s);
// "one hundred and twenty-three", "two thirds", "two and a half", in small letters; nothing of all else.
std::optional<Rational> number_in_words(std::string_view words);
// The derivative by the symbol `by`, where it can be worked out in few steps: of what is made of symbols, powers, roots, exponentials, logarithms
// and trigonometric functions, other symbols being constant.
std::optional<NodeId> derived(Tree& tree, NodeId body, std::string_view by);
// Of 0–9, A–Z and a–z in a base up to 36; 99 of other characters.
int digit_value(char c);

class Parser {
 public:
  Parser(std::vector<Token> tokens, const Policies& policies, Tree& tree)
      : t_(std::move(tokens)), policies_(policies), tree_(tree) {}
  NodeId answer();

 private:
  struct Deeper {
    explicit Deeper(Parser& p) : parser(p) {
      if (++parser.depth_ > kMaxDepth) throw LimitError("nested deeper than 256");
    }
    ~Deeper() { --parser.depth_; }
    Parser& parser;
  };

  // A group in brackets: what the text around it forbids is allowed again.
  struct Inside {
    explicit Inside(Parser& p)
        : parser(p),
          bars(std::exchange(p.bars_, 0)),
          no_colon(std::exchange(p.no_colon_, false)),
          no_function(std::exchange(p.no_function_, false)),
          no_union(std::exchange(p.no_union_, false)) {
      ++p.groups_;
    }
    ~Inside() {
      --parser.groups_;
      parser.bars_ = bars;
      parser.no_colon_ = no_colon;
      parser.no_function_ = no_function;
      parser.no_union_ = no_union;
    }
    Parser& parser;
    int bars;
    bool no_colon, no_function, no_union;
  };

  // tokens
  const Token& peek(size_t ahead = 0) const { return t_[std::min(i_ + ahead, t_.size() - 1)]; }
  bool at(T kind) const { return peek().kind == kind; }
  bool at_relation(Relation r) const { return at(T::kRelation) && peek().value == static_cast<uint8_t>(r); }
  Token take() {
    Token token = peek();
    if (i_ + 1 < t_.size()) ++i_;
    return token;
  }
  bool accept(T kind) {
    if (!at(kind)) return false;
    take();
    return true;
  }
  void expect(T kind, const char* what) {
    if (!accept(kind)) fail(what);
  }
  [[noreturn]] void fail(const std::string& what) const { throw ParseError(what); }

  // parser.cpp: from lists down to factors
  std::vector<NodeId> elements(T close, T close2);
  bool at_separator() const;
  NodeId element();
  NodeId relation();
  NodeId ratio();
  NodeId set_expression();
  NodeId with_modulus(NodeId value);
  NodeId additive();
  NodeId signed_term();
  NodeId multiplicative();
  NodeId mixed_or_product(NodeId left, bool left_is_integer);
  bool starts_factor() const;
  NodeId power();
  NodeId postfix(NodeId base, bool after_operator);
  NodeId exponent();
  NodeId first_letter();
  NodeId degrees(NodeId base);
  bool is_ordinal_of(NodeId base) const;
  NodeId with_unit(NodeId value);
  std::string unit();
  std::optional<NodeId> second_quantity(NodeId first, const std::string& name);
  bool at_unit_word() const;
  bool at_unit_letter(NodeId left) const;
  void drop_condition();
  bool is_condition(NodeId id, std::span<const NodeId> before) const;
  bool note_parameter(NodeId condition, std::span<const NodeId> parts);
  void mend_outward_brackets();

  // parser_numbers.cpp
  NodeId number();
  std::optional<NodeId> based_number(std::string digits, size_t ahead);
  NodeId repeating(const Token& digits);
  std::optional<Rational> script(size_t& ahead) const;
  std::optional<NodeId> selection();

  // parser_atoms.cpp, parser_matrices.cpp: what stands alone
  NodeId atom();
  NodeId letters();
  NodeId letter_i();
  bool between_operators() const;
  bool at_list_in_brackets() const;
  std::string function_mark();
  std::optional<Rational> number_of_words(const std::string& first);
  NodeId symbol(std::string name);
  std::string subscript();
  NodeId text();
  NodeId fraction();
  NodeId argument(const char* of);
  NodeId part_of_fraction(bool command);
  NodeId root();
  NodeId binomial();
  NodeId function();
  NodeId function_argument(std::vector<NodeId>& more);
  NodeId implicit_argument();
  NodeId accent();
  NodeId bracketed();
  NodeId brace_group();
  NodeId set();
  bool at_system() const;
  NodeId set_builder(NodeId head);
  bool mentioned(NodeId symbol, std::span<const NodeId> parts) const;
  NodeId bars();
  NodeId floor_or_ceiling();
  NodeId matrix();
  NodeId determinant(std::span<const NodeId> cells, size_t n);
  NodeId transposed(NodeId matrix);
  NodeId call();
  NodeId set_of(std::span<const NodeId> arguments);

  // parser_calculus.cpp: sums, derivatives, integrals, limits
  struct DerivativeShape {
    bool fraction = false, partial = false, has_body = false;  // \frac{d}{dx} or d/dx; ∂; \frac{dy}{dx}
    size_t body = 0, below = 0,
           end = 0;  // tokens ahead: the body's first, the denominator's, the first behind
    std::vector<std::pair<std::string, int>> by;
  };
  bool is_d(size_t ahead) const;
  int order_at(size_t& ahead) const;
  bool differential_at(size_t& ahead, std::string& name) const;
  std::optional<DerivativeShape> derivative_ahead() const;
  NodeId derivative(const DerivativeShape& shape);
  NodeId derivative_of(NodeId body, const std::string& name, int order, bool partial, bool evaluate);
  NodeId sum(bool product);
  NodeId integral();
  NodeId limit();
  NodeId unread_operator();
  bool mark_differentials();
  int side_of_limit();
  std::optional<NodeId> operator_call(std::string_view name, std::span<const NodeId> all);
  NodeId matrix_of_lists(NodeId list);
  NodeId made(Function f, std::span<const NodeId> arguments) {
    return tree_.add(Kind::kFunction, arguments, static_cast<uint8_t>(f));
  }
  NodeId made(Function f, std::initializer_list<NodeId> arguments) {
    return tree_.add(Kind::kFunction, arguments, static_cast<uint8_t>(f));
  }
  bool is_integer(NodeId id) const {
    return tree_.is(id, Kind::kNumber) && !tree_.number(id).is_decimal && tree_.number(id).value.is_integer();
  }

  std::vector<Token> t_;
  const Policies& policies_;
  Tree& tree_;
  size_t i_ = 0;
  int depth_ = 0;
  int bars_ = 0;               // absolute values that are open in this group
  int groups_ = 0;             // brackets that are open
  bool alternatives_ = false;  // an "or" separates elements
  bool conjunction_ = false;   // an "and" does
  bool i_is_index_ = false;    // inside of a sum over i
  bool no_colon_ = false;      // a colon ends the expression: inside of {x : …}
  bool no_function_ = false;   // inside of sin 2x: another function ends the argument
  bool no_union_ = false;      // after <: ∪ ends the relation, x < 1 ∪ x > 2
};

}  // namespace tenon::math_answer
