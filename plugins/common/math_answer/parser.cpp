// Lists, relations, sums, products and powers.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "math_answer/parser_impl.h"
#include "math_answer/units.h"
#include "math_answer/vocabulary.h"

namespace tenon::math_answer {
namespace {

bool is_word(const Token& t) {
  return t.kind == T::kWord || t.kind == T::kText;
}

bool starts_condition(std::string_view words) {
  for (std::string_view w : {"where", "for", "with", "when", "whenever", "such that", "if"})
    if (words == w || (words.starts_with(w) && words[w.size()] == ' ')) return true;
  return false;
}

}  // namespace

NodeId parse(std::vector<Token> tokens, const Policies& policies, Tree& tree) {
  return Parser(std::move(tokens), policies, tree).answer();
}

// ]2, 5[ is the open interval: where brackets do not fit otherwise, those that are square open and close in turn.
void Parser::mend_outward_brackets() {
  auto fits = [](const std::vector<Token>& tokens) {
    int depth = 0;
    for (const Token& t : tokens) {
      depth += t.kind == T::kLParen || t.kind == T::kLBracket ? 1 : 0;
      depth -= t.kind == T::kRParen || t.kind == T::kRBracket ? 1 : 0;
      if (depth < 0) return false;
    }
    return depth == 0;
  };
  if (fits(t_)) return;
  std::vector<Token> mended = t_;
  bool opens = true;
  for (Token& t : mended) {
    if (t.kind != T::kLBracket && t.kind != T::kRBracket) continue;
    const bool inward = (t.kind == T::kLBracket) == opens;
    t.kind = opens ? (inward ? T::kLBracket : T::kLParen) : (inward ? T::kRBracket : T::kRParen);
    opens = !opens;
  }
  if (fits(mended)) t_ = std::move(mended);
}

NodeId Parser::answer() {
  mend_outward_brackets();
  while (is_word(peek()) && is_lead_word(peek().text)) {
    take();
    if (at(T::kColon)) take();
  }
  if (at_relation(Relation::kApprox)) take();
  std::vector<NodeId> all = elements(T::kEnd, T::kEnd);
  if (!at(T::kEnd)) fail("something is left over: " + peek().text);
  if (all.empty()) fail("empty");
  if (!tree_.parameter().empty() && !mentioned(tree_.add_named(Kind::kSymbol, tree_.parameter()), all))
    fail("a condition on " + tree_.parameter() + ", which is not there");
  return all.size() == 1 ? all[0] : tree_.add(Kind::kList, all, alternatives_ ? 1 : conjunction_ ? 2 : 0);
}

bool Parser::at_separator() const {
  return at(T::kComma) || at(T::kSemicolon) || at(T::kAnd) || at(T::kOr) || at(T::kUnion);
}

// Elements up to `close` or `close2` or the end, none of which is taken.
std::vector<NodeId> Parser::elements(T close, T close2) {
  std::vector<NodeId> all;
  while (!at(close) && !at(close2) && !at(T::kEnd)) {
    if (groups_ == 0 && !all.empty() && is_word(peek()) && starts_condition(peek().text)) {
      drop_condition();
      break;
    }
    const NodeId next = element();
    if (groups_ == 0 && is_condition(next, all))
      note_parameter(next, all);
    else
      all.push_back(next);
    if (!at_separator()) break;
    while (at_separator()) {  // ", and"
      const T kind = take().kind;
      alternatives_ = kind == T::kOr || kind == T::kUnion || alternatives_;
      conjunction_ = kind == T::kAnd || conjunction_;
    }
  }
  return all;
}

// "…, where b is an integer": what the answer holds for is not compared. "5 if x > 0, 6 otherwise" is no single answer.
void Parser::drop_condition() {
  for (take(); !at(T::kEnd); take()) {
    const bool another = is_word(peek()) && (starts_condition(peek().text) || peek().text == "otherwise" ||
                                             peek().text == "else" || peek().text == "but");
    if (another || at(T::kOr)) fail("several answers, each with its condition");
  }
}

// 2k + 1, k ∈ ℤ; x + 1, x ≠ 0: the last part says of a symbol in the parts before it what it may be.
bool Parser::is_condition(NodeId id, std::span<const NodeId> before) const {
  if (before.empty() || !tree_.is(id, Kind::kRelation) || !tree_.is(tree_.child(id, 0), Kind::kSymbol))
    return false;
  const NodeId unknown = tree_.child(id, 0);
  const auto r = static_cast<Relation>(tree_[id].sub);
  const bool membership = r == Relation::kIn && tree_.is(tree_.child(id, 1), Kind::kNamedSet);
  const bool bound = r == Relation::kNotEqual || r == Relation::kLess || r == Relation::kLessEqual ||
                     r == Relation::kGreater || r == Relation::kGreaterEqual;
  if ((!membership && !bound) || !mentioned(unknown, before)) return false;
  return std::all_of(before.begin(), before.end(), [&](NodeId part) {
    if (tree_.is(part, Kind::kChain)) return false;
    if (!tree_.is(part, Kind::kRelation)) return true;
    const NodeId left = tree_.child(part, 0);
    const bool of_another = !tree_.is(left, Kind::kSymbol) || tree_.name(left) != tree_.name(unknown);
    return membership && of_another && tree_[part].sub == static_cast<uint8_t>(Relation::kEqual);
  });
}

// Remembers k of k ∈ ℤ and n of n ∈ ℕ, where the parts of the answer have it.
bool Parser::note_parameter(NodeId condition, std::span<const NodeId> parts) {
  if (!tree_.is(condition, Kind::kRelation) || tree_[condition].sub != static_cast<uint8_t>(Relation::kIn) ||
      !tree_.is(tree_.child(condition, 0), Kind::kSymbol) ||
      !tree_.is(tree_.child(condition, 1), Kind::kNamedSet) || !mentioned(tree_.child(condition, 0), parts))
    return false;
  const auto set = static_cast<NamedSet>(tree_[tree_.child(condition, 1)].sub);
  if (set != NamedSet::kIntegers && set != NamedSet::kNaturals) return false;
  tree_.set_parameter(tree_.name(tree_.child(condition, 0)), set);
  return true;
}

NodeId Parser::element() {
  Deeper deeper(*this);
  const NodeId value = relation();
  if (groups_ == 0 && is_word(peek()) && starts_condition(peek().text)) drop_condition();
  return value;
}

NodeId Parser::relation() {
  NodeId left = ratio();
  std::vector<NodeId> chain;
  while (at(T::kRelation)) {
    const uint8_t op = take().value;
    const auto r = static_cast<Relation>(op);
    const bool orders = r == Relation::kLess || r == Relation::kLessEqual || r == Relation::kGreater ||
                        r == Relation::kGreaterEqual || r == Relation::kNotEqual;
    const bool outer = std::exchange(no_union_, orders || no_union_);
    NodeId right = ratio();
    no_union_ = outer;
    if (r == Relation::kIn && tree_.is(right, Kind::kSymbol) && tree_.name(right).size() == 1) {  // k ∈ Z
      constexpr std::string_view kNames = "RZNQ";
      constexpr NamedSet kSets[] = {NamedSet::kReals, NamedSet::kIntegers, NamedSet::kNaturals,
                                    NamedSet::kRationals};
      if (const size_t k = kNames.find(tree_.name(right)); k != std::string_view::npos)
        right = tree_.add(Kind::kNamedSet, {}, static_cast<uint8_t>(kSets[k]));
    }
    chain.push_back(tree_.add(Kind::kRelation, {left, right}, op));
    left = right;
  }
  if (chain.empty()) return left;
  return chain.size() == 1 ? chain[0] : tree_.add(Kind::kChain, chain);
}

NodeId Parser::ratio() {
  NodeId left = set_expression();
  while ((at(T::kColon) && !no_colon_) || (is_word(peek()) && peek().text == "to")) {
    take();
    left = tree_.add(Kind::kRatio, {left, set_expression()});
  }
  return left;
}

// 5 \pmod 7, 5 (mod 7): the modulus belongs to all that stands before it.
NodeId Parser::with_modulus(NodeId value) {
  const bool paren = at(T::kLParen) && peek(1).kind == T::kMod;
  if (!paren && !at(T::kMod)) return value;
  if (paren) take();
  take();
  const NodeId modulus = signed_term();
  if (paren) expect(T::kRParen, "the modulus is not closed");
  return made(Function::kMod, {value, modulus});
}

NodeId Parser::set_expression() {
  NodeId left = with_modulus(with_unit(additive()));
  if (at(T::kUnion) && !no_union_) {
    std::vector<NodeId> parts{left};
    while (accept(T::kUnion)) parts.push_back(with_unit(additive()));
    left = tree_.add(Kind::kUnion, parts);
  }
  while ((at(T::kUnion) && !no_union_) || at(T::kIntersection) || at(T::kSetMinus)) {
    const T op = take().kind;
    const NodeId right = with_unit(additive());
    left = tree_.add(op == T::kUnion          ? Kind::kUnion
                     : op == T::kIntersection ? Kind::kIntersection
                                              : Kind::kDifference,
                     {left, right});
  }
  return left;
}

NodeId Parser::additive() {
  Deeper deeper(*this);
  std::vector<NodeId> terms;
  if (at(T::kPlusMinus) || at(T::kMinusPlus)) {
    const uint8_t swapped = take().kind == T::kMinusPlus ? 1 : 0;
    terms.push_back(tree_.add(Kind::kPlusMinus, {tree_.add_integer(0), multiplicative()}, swapped));
  } else {
    terms.push_back(signed_term());
  }
  auto sum = [&] { return terms.size() == 1 ? terms[0] : tree_.add(Kind::kAdd, terms); };
  for (;;) {
    if (at(T::kPlus) || at(T::kMinus)) {
      const bool minus = take().kind == T::kMinus;
      const NodeId term = signed_term();
      terms.push_back(minus ? tree_.add(Kind::kNegate, {term}) : term);
    } else if (at(T::kPlusMinus) || at(T::kMinusPlus)) {
      const uint8_t swapped = take().kind == T::kMinusPlus ? 1 : 0;
      const NodeId left = sum();
      terms.assign(1, tree_.add(Kind::kPlusMinus, {left, multiplicative()}, swapped));
    } else {
      return sum();
    }
  }
}

// A product with its signs: -2x, - -3.
NodeId Parser::signed_term() {
  bool negative = false;
  size_t signs = 0;
  while (at(T::kPlus) || at(T::kMinus)) {
    if (++signs > 4) fail("too many signs");
    negative ^= take().kind == T::kMinus;
  }
  const NodeId term = multiplicative();
  return negative ? tree_.add(Kind::kNegate, {term}) : term;
}

NodeId Parser::multiplicative() {
  bool left_is_integer = at(T::kNumber);
  NodeId left = power();
  left_is_integer = left_is_integer && is_integer(left);
  for (;;) {
    if (at(T::kTimes) || at(T::kSlash)) {
      const bool divide = take().kind == T::kSlash;
      if (at(T::kSlash)) fail("two slashes");
      const bool negative = at(T::kMinus);
      if (negative || at(T::kPlus)) take();
      NodeId right = power();
      if (negative) right = tree_.add(Kind::kNegate, {right});
      left = tree_.add(divide ? Kind::kDivide : Kind::kMul, {left, right});
    } else if (at(T::kMod) && peek().value == 0) {
      take();
      left = made(Function::kMod, {left, power()});
    } else if (starts_factor()) {
      left = mixed_or_product(left, left_is_integer);
    } else {
      return left;
    }
    left_is_integer = false;
  }
}

// 2 1/2, 2\frac{1}{2} and 2½ are mixed numbers; all else that stands side by side is a product.
NodeId Parser::mixed_or_product(NodeId left, bool left_is_integer) {
  if (left_is_integer && policies_.mixed_numbers) {
    if (at(T::kNumber) && peek().space && peek(1).kind == T::kSlash && peek(2).kind == T::kNumber) {
      const NodeId top = number();
      take();
      const NodeId bottom = number();
      if (!is_integer(top) || !is_integer(bottom)) fail("two numbers side by side");
      return postfix(tree_.add(Kind::kAdd, {left, tree_.add(Kind::kDivide, {top, bottom})}), false);
    }
    if (at(T::kFrac) || at(T::kFraction)) {
      NodeId part = power();
      // The sign behind 41\frac{2}{3}\% belongs to all of it.
      const Kind sign = tree_.kind(part);
      const bool has_sign = sign == Kind::kPercent || sign == Kind::kDegree;
      if (has_sign) part = tree_.child(part, 0);
      const bool proper = tree_.is(part, Kind::kDivide) && is_integer(tree_.child(part, 0)) &&
                          is_integer(tree_.child(part, 1)) &&
                          tree_.number(tree_.child(part, 0)).value < tree_.number(tree_.child(part, 1)).value;
      const NodeId value = tree_.add(proper ? Kind::kAdd : Kind::kMul, {left, part});
      return has_sign ? tree_.add(sign, {value}) : value;
    }
  }
  if (at(T::kNumber) && t_[i_ - 1].kind == T::kNumber) fail("two numbers side by side");
  if (tree_.is(left, Kind::kText)) fail("a value beside words");
  const bool unit_letter = at_unit_letter(left);
  const NodeId right = power();
  if (tree_.is(right, Kind::kText)) fail("words beside a value");
  if (groups_ == 0 && note_parameter(right, {&right, 1})) return left;  // kπ (k ∈ ℤ)
  if (tree_.is(right, Kind::kInterval) || tree_.is(right, Kind::kTuple))
    fail("a value beside a bracketed list");
  return tree_.add(Kind::kMul, {left, right}, unit_letter ? 1 : 0);
}

// 5 m, and nothing more: the letter may be a unit.
bool Parser::at_unit_letter(NodeId left) const {
  const bool plain = tree_.is(left, Kind::kNumber) || tree_.is(left, Kind::kDivide);
  const T next = peek(1).kind;
  return plain && at(T::kLetter) && peek().space && parse_unit(peek().text).has_value() &&
         (next == T::kEnd || next == T::kRelation || next == T::kComma || next == T::kAnd);
}

bool Parser::starts_factor() const {
  switch (peek().kind) {
    case T::kNumber:
    case T::kLetter:
    case T::kConstant:
    case T::kLBracket:
    case T::kLBrace:
    case T::kLFloor:
    case T::kLCeil:
    case T::kFrac:
    case T::kSqrt:
    case T::kRoot:
    case T::kSum:
    case T::kProduct:
    case T::kFraction:
    case T::kCall:
    case T::kBegin:
    case T::kOpaque:
    case T::kAccent:
      return true;
    case T::kLParen:
      return peek(1).kind != T::kMod;
    case T::kBinom:
      return peek().value == 0;
    case T::kFunction:
      return !no_function_;
    case T::kBar:
      return peek().value == 1 || (peek().value == 0 && bars_ == 0 && !no_colon_);
    case T::kWord:
      return !at_unit_word() && peek().text != "to";
    default:
      return false;
  }
}

NodeId Parser::power() {
  Deeper deeper(*this);
  const bool is_function = at(T::kFunction);
  return postfix(atom(), is_function);
}

NodeId Parser::postfix(NodeId base, bool) {
  for (;;) {
    if (at(T::kCaret)) {
      take();
      const bool braces = at(T::kLBrace);
      const Token& mark = peek(braces ? 1 : 0);
      const bool lone = !braces || peek(2).kind == T::kRBrace;
      if (lone && (mark.kind == T::kDegree || ((mark.text == "o" || mark.text == "0") && braces == false &&
                                               mark.kind == T::kLetter && tree_.is(base, Kind::kNumber)))) {
        for (size_t k = 0; k < (braces ? 3u : 1u); ++k) take();
        base = degrees(base);
      } else if (lone && mark.kind == T::kPrime && tree_.is(base, Kind::kSymbol)) {
        for (size_t k = 0; k < (braces ? 3u : 1u); ++k) take();
        base = tree_.add_named(Kind::kSymbol, tree_.name(base) + "'");
      } else if (lone && mark.kind == T::kText &&
                 (mark.text == "th" || mark.text == "st" || mark.text == "nd" || mark.text == "rd")) {
        for (size_t k = 0; k < (braces ? 3u : 1u); ++k) take();  // 5^{\text{th}}
        if (is_integer(base)) base = tree_.add_named(Kind::kQuantity, kOrdinal, {base});
      } else if (lone && tree_.is(base, Kind::kMatrix) && (mark.text == "T" || mark.text == "t")) {
        for (size_t k = 0; k < (braces ? 3u : 1u); ++k) take();
        base = transposed(base);
      } else if (!braces && tree_.is(base, Kind::kTuple) && mark.text == "T") {
        take();  // a vector, whichever way it stands
      } else {
        base = tree_.add(Kind::kPower, {base, exponent()});
      }
    } else if (at(T::kSuperscript)) {
      const bool negative = peek().text.starts_with('-'),
                 is_signed = negative || peek().text.starts_with('+');
      const std::string body = take().text.substr(is_signed ? 1 : 0);
      if (body.empty()) fail("a raised sign without a number");
      NodeId power = body == "n" ? tree_.add_named(Kind::kSymbol, "n") : kNone;
      if (power == kNone) {
        if (body.find_first_not_of("0123456789") != std::string::npos)
          fail("raised characters that are no number");
        power = tree_.add_number(number_of(body));
      }
      base = tree_.add(Kind::kPower, {base, negative ? tree_.add(Kind::kNegate, {power}) : power});
    } else if (at(T::kBang)) {
      take();
      const bool twice = at(T::kBang) && !peek().space;
      if (twice) take();
      base = made(twice ? Function::kDoubleFactorial : Function::kFactorial, {base});
    } else if (at(T::kPercent)) {
      take();
      base = tree_.add(Kind::kPercent, {base});
    } else if (is_ordinal_of(base)) {
      take();
      base = tree_.add_named(Kind::kQuantity, kOrdinal, {base});
    } else if (at(T::kDegree)) {
      take();
      base = degrees(base);
    } else if (at(T::kPrime) && tree_.is(base, Kind::kSymbol)) {
      take();
      base = tree_.add_named(Kind::kSymbol, tree_.name(base) + "'");
    } else {
      return base;
    }
  }
}

// 12th, 1\text{st}: the ending says nothing, where it is the number's own.
bool Parser::is_ordinal_of(NodeId base) const {
  if (!is_word(peek()) || peek().text.size() != 2 || (peek().kind == T::kWord && peek().space)) return false;
  const Token& before = t_[i_ > 0 ? i_ - 1 : 0];
  if (before.kind != T::kNumber || !is_integer(base) || !all_digits(before.text)) return false;
  const int64_t end =
      std::stoll(before.text.size() > 2 ? before.text.substr(before.text.size() - 2) : before.text);
  return ordinal_numeral(end).ends_with(peek().text);
}

// Of an angle, with its minutes and seconds, or of temperature: 30° 15′ 20″, 25°C.
NodeId Parser::degrees(NodeId base) {
  if (is_integer(base) && at(T::kNumber) && all_digits(peek().text) && peek(1).kind == T::kPrime &&
      peek(2).kind != T::kPrime) {
    std::vector<NodeId> parts{base, tree_.add(Kind::kDivide, {number(), tree_.add_integer(60)})};
    take();
    if (at(T::kNumber) && all_digits(peek().text) && peek(1).kind == T::kPrime && peek(2).kind == T::kPrime) {
      parts.push_back(tree_.add(Kind::kDivide, {number(), tree_.add_integer(3600)}));
      take();
      take();
    }
    return tree_.add(Kind::kDegree, {tree_.add(Kind::kAdd, parts)});
  }
  if (at(T::kLetter) && (peek().text == "C" || peek().text == "F"))
    return tree_.add_named(Kind::kQuantity, "degrees " + take().text, {base});
  return tree_.add(Kind::kDegree, {base});
}

// The first letter of the word that follows; the others stay.
NodeId Parser::first_letter() {
  const std::string first = peek().text.substr(0, 1), rest = peek().text.substr(1);
  Token& token = t_[i_];
  token.text = rest;
  token.space = false;
  if (rest.size() == 1) {
    const bool constant = rest == "e" || rest == "i";
    token.kind = constant ? T::kConstant : T::kLetter;
    token.value = static_cast<uint8_t>(rest == "e" ? Constant::kE : constant ? Constant::kI : Constant{});
  }
  return first == "e"   ? tree_.add_constant(Constant::kE)
         : first == "i" ? letter_i()
                        : tree_.add_named(Kind::kSymbol, first);
}

NodeId Parser::exponent() {
  Deeper deeper(*this);
  bool negative = false;
  if (at(T::kMinus) || at(T::kPlus)) negative = take().kind == T::kMinus;
  if (at(T::kWord) && peek().text.size() <= 3) {  // e^xe^y: one letter is above the line
    const NodeId letter = first_letter();
    return negative ? tree_.add(Kind::kNegate, {letter}) : letter;
  }
  NodeId value = atom();
  if (tree_.is(value, Kind::kText)) fail("words above the line");
  // 2^3^4 is 2^(3^4); the other suffixes belong to the power: 2^3! is (2^3)!.
  if (at(T::kCaret)) {
    take();
    value = tree_.add(Kind::kPower, {value, exponent()});
  }
  return negative ? tree_.add(Kind::kNegate, {value}) : value;
}

// --- units -----------------------------------------------------------------------------------------------------------

// Whether the word that follows a value is its unit and not a product of letters.
bool Parser::at_unit_word() const {
  const Token& t = peek();
  if (t.kind == T::kText) return true;
  if (t.kind != T::kWord) return false;
  if (is_unit_word(t.text)) return true;
  if (t.space && t.text.size() > 2) return true;
  return t.text.size() > 3;
}

NodeId Parser::with_unit(NodeId value) {
  while (is_word(peek())) {
    const int64_t factor = multiplier_word(peek().text);
    if (factor == 0 || tree_.is(value, Kind::kText)) break;
    take();
    value = tree_.add(Kind::kMul, {value, tree_.add_integer(factor)});
  }
  if (tree_.is(value, Kind::kText) || !(is_word(peek()) && at_unit_word())) return value;
  if (starts_condition(peek().text) || peek().text == "to") return value;
  const std::string name = unit();
  if (auto both = second_quantity(value, name)) return *both;
  return tree_.add_named(Kind::kQuantity, name, {value});
}

// 5 feet 6 inches, 2 hours and 30 minutes: the sum, in the first unit.
std::optional<NodeId> Parser::second_quantity(NodeId first, const std::string& name) {
  const size_t ahead = at(T::kAnd) ? 1 : 0;
  if (peek(ahead).kind != T::kNumber || !is_word(peek(ahead + 1))) return std::nullopt;
  const auto large = parse_unit(name), small = parse_unit(peek(ahead + 1).text);
  if (!large || !small || large->exponents != small->exponents || !(small->factor < large->factor))
    return std::nullopt;
  accept(T::kAnd);
  const NodeId count = number();
  take();
  const NodeId factor = tree_.add_number({.value = small->factor / large->factor});
  const NodeId sum = tree_.add(Kind::kAdd, {first, tree_.add(Kind::kMul, {count, factor})});
  return tree_.add_named(Kind::kQuantity, name, {sum});
}

// "square feet", "cm^2", "km/h" as they are written, with single spaces.
std::string Parser::unit() {
  std::string name;
  size_t words = 0;
  for (;;) {
    if (is_word(peek())) {
      if (groups_ == 0 && !name.empty() && starts_condition(peek().text)) break;
      const bool ends = peek().text == "times" && peek(1).kind == T::kEnd;  // "3 times"
      if (is_number_relation_word(peek().text) && !ends) fail("words that are no unit: " + peek().text);
      if (!may_be_unit(peek().text)) fail("words that are no unit: " + peek().text);
      if (++words > 6) fail("words that are no unit: " + name);
      if (!name.empty() && name.back() != '/') name += ' ';
      name += take().text;
    } else if (at(T::kCaret) || at(T::kSuperscript)) {
      const bool caret = take().kind == T::kCaret;
      name += '^';
      const bool braces = caret && accept(T::kLBrace);
      if (!caret) {
        name += t_[i_ - 1].text;
      } else if (at(T::kMinus)) {
        take();
        name += '-';
        name += at(T::kNumber) ? take().text : std::string();
      } else if (at(T::kNumber)) {
        name += take().text;
      } else {
        fail("a unit with an odd exponent");
      }
      if (braces) expect(T::kRBrace, "a unit's exponent is not closed");
    } else if (at(T::kSlash) && (is_word(peek(1)) || peek(1).kind == T::kLetter)) {
      take();
      name += '/';
      if (at(T::kLetter)) name += take().text;
    } else if (at(T::kLetter) && !name.empty() && peek().space &&
               (peek().text == "a" || peek().text == "A")) {
      take();  // "30 miles a day"
    } else if (at(T::kRelation) && peek().value == static_cast<uint8_t>(Relation::kIn) && !name.empty() &&
               is_word(peek(1))) {
      take();
    } else {
      break;
    }
  }
  return name;
}

}  // namespace tenon::math_answer
