// What stands alone: numbers, symbols, functions, brackets.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "math_answer/parser_impl.h"
#include "math_answer/units.h"
#include "math_answer/vocabulary.h"

namespace tenon::math_answer {

NodeId Parser::atom() {
  switch (peek().kind) {
    case T::kNumber:
      return number();
    case T::kLetter:
    case T::kWord:
      return letters();
    case T::kConstant: {
      const Token t = take();
      if (at(T::kUnder)) return symbol(t.text.empty() ? "e" : t.text);  // e_1 is a name
      if (t.value == static_cast<uint8_t>(Constant::kI)) return letter_i();
      return tree_.add(Kind::kConstant, {}, t.value);
    }
    case T::kText:
      return text();
    case T::kFunction:
      return function();
    case T::kFrac:
      if (auto shape = derivative_ahead()) return derivative(*shape);
      return fraction();
    case T::kFraction: {
      const std::string both = take().text;
      const size_t slash = both.find('/');
      return tree_.add(Kind::kDivide, {tree_.add_integer(std::stoi(both.substr(0, slash))),
                                       tree_.add_integer(std::stoi(both.substr(slash + 1)))});
    }
    case T::kSqrt:
    case T::kRoot:
      return root();
    case T::kBinom:
      return binomial();
    case T::kAccent:
      return accent();
    case T::kLParen:
      if (peek(1).kind == T::kNumber && peek(2).kind == T::kRParen && peek(3).kind == T::kUnder) {
        take();  // (1011)_2
        t_.erase(t_.begin() + static_cast<ptrdiff_t>(i_) + 1);
        return number();
      }
      return bracketed();
    case T::kLBracket:
    case T::kLAngle:
      return bracketed();
    case T::kUnder:
      if (auto chosen = selection()) return *chosen;
      fail("nothing above the line");
    case T::kLBrace:
      if (auto chosen = selection()) return *chosen;
      return brace_group();
    case T::kLSet:
      return set();
    case T::kBar:
    case T::kDoubleBar:
      return bars();
    case T::kLFloor:
    case T::kLCeil:
      return floor_or_ceiling();
    case T::kNamedSet:
      return tree_.add(Kind::kNamedSet, {}, take().value);
    case T::kBegin:
      return matrix();
    case T::kSum:
      take();
      return sum(false);
    case T::kProduct:
      take();
      return sum(true);
    case T::kOpaque:
      return peek().text == "int" ? integral() : peek().text == "lim" ? limit() : unread_operator();
    case T::kDots:
      take();
      return tree_.add(Kind::kOpaque, {}, static_cast<uint8_t>(Opaque::kDots), tree_.name_index("..."));
    case T::kCall:
      return call();
    case T::kCurrency: {
      const std::string unit = take().text;
      const bool negative = accept(T::kMinus);
      const NodeId value = negative ? tree_.add(Kind::kNegate, {multiplicative()}) : multiplicative();
      return tree_.add_named(Kind::kQuantity, unit, {value});
    }
    case T::kEnd:
      fail("the answer ends too early");
    default:
      fail(peek().text.empty() ? "a sign that does not belong there"
                               : "not known: " + peek().text.substr(0, 40));
  }
}

NodeId Parser::letter_i() {
  return i_is_index_ ? tree_.add_named(Kind::kSymbol, "i") : tree_.add_constant(Constant::kI);
}

NodeId Parser::letters() {
  if (auto chosen = selection()) return *chosen;
  if (auto shape = derivative_ahead()) return derivative(*shape);
  const Token token = take();
  if (policies_.number_words && (token.text == "a" || (token.text == "A" && i_ == 1)) &&
      token.kind == T::kLetter && at(T::kWord) && peek().space)
    if (auto value = number_of_words(token.text)) return tree_.add_number({.value = *value});
  if (token.kind == T::kLetter) {
    // f(x): a value of f, which nobody knows; a(x+1): a product.
    const bool named_function =
        token.text.size() == 1 && std::string_view("fghFGH").find(token.text) != std::string_view::npos;
    std::string mark = named_function ? function_mark() : std::string();
    const bool capital = token.text.size() == 1 && token.text[0] >= 'A' && token.text[0] <= 'Z';
    const bool definition = peek().kind == T::kLParen &&
                            (peek(1).kind == T::kLetter || (capital && peek(1).kind == T::kNumber)) &&
                            peek(2).kind == T::kRParen && peek(3).kind == T::kRelation;
    if (at(T::kLParen) && (named_function || definition)) {
      std::string name = token.text + mark;
      take();
      const Inside inside(*this);
      const size_t from = i_;
      const std::vector<NodeId> arguments = elements(T::kRParen, T::kRParen);
      expect(T::kRParen, "the function's bracket is not closed");
      name += "(" + canonical(std::vector<Token>(t_.begin() + static_cast<ptrdiff_t>(from),
                                                 t_.begin() + static_cast<ptrdiff_t>(i_)));
      return tree_.add(Kind::kOpaque, arguments, static_cast<uint8_t>(Opaque::kCall), tree_.name_index(name));
    }
    // C(10, 3) is a binomial, A(1, 2) a point with its name.
    if (capital && at_list_in_brackets()) {
      const NodeId inside = bracketed();
      return token.text == "C" && tree_[inside].count == 2
                 ? made(Function::kBinomial, {tree_.child(inside, 0), tree_.child(inside, 1)})
                 : inside;
    }
    return symbol(token.text);
  }
  if (policies_.number_words)
    if (auto value = number_of_words(token.text)) return tree_.add_number({.value = *value});
  // ab, abc: a product; longer words are words, and so are short ones of the language that no operator stands beside.
  if (token.text.size() <= 3 && (!is_plain_word(token.text) || between_operators())) {
    std::vector<NodeId> factors;
    for (size_t k = 0; k + 1 < token.text.size(); ++k) {
      const std::string letter(1, token.text[k]);
      factors.push_back(letter == "i"   ? letter_i()
                        : letter == "e" ? tree_.add_constant(Constant::kE)
                                        : tree_.add_named(Kind::kSymbol, letter));
    }
    const std::string last(1, token.text.back());
    const NodeId tail = last == "i"   ? letter_i()
                        : last == "e" ? tree_.add_constant(Constant::kE)
                                      : symbol(last);
    // The exponent that follows belongs to the last letter alone: ab^2 is a·b².
    factors.push_back(postfix(tail, false));
    return tree_.add(Kind::kMul, factors);
  }
  std::string words = token.text;
  while (at(T::kWord) || at(T::kText) || at(T::kLetter)) words += " " + take().text;
  return tree_.add_named(Kind::kText, words);
}

// The number that the word `first`, already taken, begins: with as many of the words behind it as belong to one.
std::optional<Rational> Parser::number_of_words(const std::string& first) {
  std::string words = lower_case(first);
  const bool lone = i_ == 1 && at(T::kEnd);
  if (lone && words == "once") return Rational(1);
  if (lone && (words == "twice" || words == "dozen")) return Rational(words == "twice" ? 2 : 12);
  std::optional<Rational> best = number_in_words(words);
  // "a" begins a number and is none.
  if (!best && words != "a" && words != "an") return best;
  size_t taken = 0;
  for (size_t k = 0; k < 24;) {
    const bool hyphen = peek(k).kind == T::kMinus && !peek(k).space && !peek(k + 1).space;
    const bool joint = hyphen || peek(k).kind == T::kAnd;
    const size_t word = joint ? k + 1 : k;
    const bool article = peek(word).kind == T::kLetter && peek(word).text == "a";
    if (peek(word).kind != T::kWord && !article) break;
    words += (hyphen ? "-" : joint ? " and " : " ") + lower_case(peek(word).text);
    k = word + 1;
    if (auto value = number_in_words(words)) {
      best = value;
      taken = k;
    }
  }
  for (; best && taken > 0; --taken) take();
  if (best && at(T::kNumber)) fail("two numbers side by side");
  return best;
}

// What makes another function of f: f^{-1}(x), f''(x). Taken; empty where no bracket follows it.
std::string Parser::function_mark() {
  size_t k = 0;
  std::string mark;
  for (; peek(k).kind == T::kPrime; ++k) mark += '\'';
  if (k == 0 && peek(0).kind == T::kCaret && peek(1).kind == T::kLBrace && peek(2).kind == T::kMinus &&
      peek(3).text == "1" && peek(4).kind == T::kRBrace) {
    k = 5;
    mark = "^-1";
  }
  if (k == 0 || peek(k).kind != T::kLParen) return {};
  for (; k > 0; --k) take();
  return mark;
}

// Whether (a, b …) follows without a blank.
bool Parser::at_list_in_brackets() const {
  if (!at(T::kLParen) || peek().space) return false;
  size_t depth = 0;
  bool comma = false;
  for (size_t k = i_; k < t_.size(); ++k) {
    const T kind = t_[k].kind;
    if (kind == T::kLParen || kind == T::kLBracket || kind == T::kLSet || kind == T::kLBrace) ++depth;
    if (kind == T::kRParen || kind == T::kRBracket || kind == T::kRSet || kind == T::kRBrace)
      if (--depth == 0) return comma && kind == T::kRParen;
    comma = comma || (depth == 1 && kind == T::kComma);
  }
  return false;
}

// Whether an operator stands beside the token that was taken last.
bool Parser::between_operators() const {
  auto is_operator = [](T kind) {
    return kind == T::kPlus || kind == T::kMinus || kind == T::kTimes || kind == T::kSlash ||
           kind == T::kCaret || kind == T::kUnder;
  };
  return is_operator(peek().kind) || (i_ > 1 && is_operator(t_[i_ - 2].kind));
}

NodeId Parser::symbol(std::string name) {
  if (at(T::kUnder)) name += subscript();
  while (at(T::kPrime)) {
    take();
    name += '\'';
  }
  return tree_.add_named(Kind::kSymbol, name);
}

// What follows an underscore, as part of a name.
std::string Parser::subscript() {
  take();
  if (!accept(T::kLBrace)) {
    const Token t = take();
    if (t.kind != T::kNumber && t.kind != T::kLetter && t.kind != T::kText && t.kind != T::kConstant &&
        t.kind != T::kWord && t.kind != T::kFunction)
      fail("nothing below the line");
    return "_" + (t.text.empty() ? std::to_string(t.value) : t.text);
  }
  std::string name = "_";
  for (size_t depth = 1;;) {
    if (at(T::kEnd)) fail("a subscript is not closed");
    const Token t = take();
    if (t.kind == T::kLBrace) ++depth;
    if (t.kind == T::kRBrace && --depth == 0) break;
    name += t.text.empty()
                ? std::string(1, static_cast<char>(' ' + static_cast<int>(t.kind))) + std::to_string(t.value)
                : t.text;
  }
  return name;
}

NodeId Parser::text() {
  const Token token = take();
  std::string words = token.text;
  if (auto based = based_number(words, 0); based && words.find(' ') == std::string::npos) return *based;
  if (all_digits(words)) return tree_.add_number(number_of(words));
  if (policies_.number_words)
    if (auto value = number_in_words(lower_case(words))) return tree_.add_number({.value = *value});
  if (words.size() == 1 && digit_value(words[0]) < 36) return symbol(words);
  while (at(T::kText) || at(T::kWord)) words += " " + take().text;
  return tree_.add_named(Kind::kText, words);
}

// One argument of \frac or \sqrt: a group, or one character.
NodeId Parser::argument(const char* of) {
  Deeper deeper(*this);
  if (at(T::kLBrace)) return brace_group();
  if (at(T::kLParen)) return bracketed();
  if (at(T::kNumber) && all_digits(peek().text)) {
    Token& token = t_[i_];
    const Number first = number_of(token.text.substr(0, 1));
    if (token.text.size() == 1) {
      take();
    } else {
      token.text.erase(0, 1);
      token.space = false;
    }
    return tree_.add_number(first);
  }
  if (at(T::kMinus) || at(T::kPlus) || at(T::kEnd)) fail(std::string("nothing in ") + of);
  return atom();
}

// What TeX takes as an argument of \frac: x of "x2", a of "ab".
NodeId Parser::part_of_fraction(bool command) {
  if (command && at(T::kLetter)) {
    Token& token = t_[i_];
    if (const size_t mark = token.text.find('_'); mark != std::string::npos) {
      const NodeId letter = tree_.add_named(Kind::kSymbol, token.text.substr(0, mark));
      token.kind = T::kNumber;
      token.text.erase(0, mark + 1);
      token.space = false;
      return letter;
    }
  }
  if (command && at(T::kWord) && peek().text.size() <= 3) return first_letter();
  return argument("a fraction");
}

NodeId Parser::fraction() {
  const Token command = take();
  if (!command.command && at(T::kLParen)) {  // frac(1, 2)
    const NodeId both = bracketed();
    if (tree_.is(both, Kind::kTuple) && tree_[both].count == 2)
      return tree_.add(Kind::kDivide, {tree_.child(both, 0), tree_.child(both, 1)});
    return tree_.add(Kind::kDivide, {both, argument("a fraction")});
  }
  const NodeId top = part_of_fraction(command.command);
  return tree_.add(Kind::kDivide, {top, part_of_fraction(command.command)});
}

NodeId Parser::root() {
  Deeper deeper(*this);
  const Token token = take();
  NodeId degree = tree_.add_integer(token.value == 0 ? 2 : token.value);
  if (token.kind == T::kRoot || (at(T::kLBracket) && token.command)) {
    if (token.kind == T::kRoot && at(T::kLParen)) {  // root(x, 3)
      const NodeId both = bracketed();
      if (!tree_.is(both, Kind::kTuple) || tree_[both].count != 2) fail("root takes two arguments");
      return tree_.add(Kind::kRoot, {tree_.child(both, 0), tree_.child(both, 1)});
    }
    if (token.kind == T::kRoot) {  // \root 3 \of x is not read
      fail("not known: root");
    }
    take();
    ++groups_;
    degree = additive();
    --groups_;
    expect(T::kRBracket, "the root's degree is not closed");
  }
  NodeId radicand;
  if (token.command && at(T::kNumber)) {
    radicand = number();  // \sqrt 12 is what its author means, not what TeX sets
  } else if (token.command) {
    radicand = argument("a root");
  } else {
    radicand = atom();
    if (tree_.is(radicand, Kind::kTuple) && tree_[radicand].count == 2) {
      degree = tree_.child(radicand, 1);
      radicand = tree_.child(radicand, 0);
    }
  }
  return tree_.add(Kind::kRoot, {radicand, degree});
}

NodeId Parser::binomial() {
  take();
  const NodeId n = argument("a binomial");
  const NodeId k = argument("a binomial");
  return made(Function::kBinomial, {n, k});
}

NodeId Parser::function() {
  Deeper deeper(*this);
  const Token token = take();
  auto f = static_cast<Function>(token.value);
  std::vector<NodeId> arguments;
  NodeId base = kNone, power = kNone;
  if (token.text == "10") base = tree_.add_integer(10);
  if (token.text == "e") base = tree_.add_constant(Constant::kE);
  for (int k = 0; k < 2; ++k) {
    if (at(T::kUnder) && f == Function::kLog) {
      take();
      base = argument("the base of log");
    } else if (at(T::kCaret)) {
      take();
      power = exponent();
    } else if (at(T::kSuperscript)) {
      const bool negative = peek().text.starts_with('-');
      power = tree_.add_number(number_of(take().text.substr(negative ? 1 : 0)));
      if (negative) power = tree_.add(Kind::kNegate, {power});
    }
  }
  std::vector<NodeId> more;
  const NodeId argument = function_argument(more);
  arguments.push_back(argument);
  arguments.insert(arguments.end(), more.begin(), more.end());
  if (f == Function::kLog && base == kNone && arguments.size() == 1 && policies_.log_base == 1)
    base = tree_.add_integer(10);
  if (base != kNone && !tree_.is(base, Constant::kE)) arguments.push_back(base);
  const bool inverse = power != kNone && tree_.is(power, Kind::kNegate) &&
                       is_integer(tree_.child(power, 0)) &&
                       tree_.number(tree_.child(power, 0)).value.is_one();
  if (inverse && f <= Function::kCsc) {
    f = static_cast<Function>(static_cast<int>(f) +
                              (static_cast<int>(Function::kArcsin) - static_cast<int>(Function::kSin)));
    power = kNone;
  }
  if (f == Function::kDet && tree_.is(argument, Kind::kMatrix)) {
    const size_t columns = tree_[argument].sub;
    const std::vector<NodeId> cells(tree_.children(argument).begin(), tree_.children(argument).end());
    if (columns <= 4 && cells.size() == columns * columns) {
      const NodeId value = determinant(cells, columns);
      return power == kNone ? value : tree_.add(Kind::kPower, {value, power});
    }
  }
  const NodeId value = made(f, arguments);
  return power == kNone ? value : tree_.add(Kind::kPower, {value, power});
}

NodeId Parser::function_argument(std::vector<NodeId>& more) {
  if (at(T::kLParen) || at(T::kLBrace) || at(T::kLSet)) {
    const bool round = at(T::kLParen);
    const NodeId inside = round ? bracketed() : at(T::kLSet) ? set() : brace_group();
    if (tree_.is(inside, Kind::kTuple) || tree_.is(inside, Kind::kSet)) {
      const auto all = tree_.children(inside);
      more.assign(all.begin() + 1, all.end());
      return all[0];
    }
    return inside;
  }
  return implicit_argument();
}

// sin 2x cos x: factors up to the next function, sign or slash.
NodeId Parser::implicit_argument() {
  const bool outer = no_function_;
  if (!starts_factor()) fail("a function without an argument");
  NodeId value;
  if (at(T::kFunction)) {
    value = function();  // log log x
    return value;
  }
  no_function_ = true;
  value = power();
  while (starts_factor() && !at(T::kSum) && !at(T::kProduct) && !at(T::kLParen)) {
    if (at(T::kNumber) && t_[i_ - 1].kind == T::kNumber) break;
    value = tree_.add(Kind::kMul, {value, power()});
  }
  no_function_ = outer;
  return value;
}

NodeId Parser::accent() {
  const Token token = take();
  std::string name = token.text + " ";
  if (token.value == 1) {  // \angle ABC, \triangle{ABC}
    const bool braces = accept(T::kLBrace);
    std::string points;
    while (at(T::kLetter) || at(T::kWord)) points += take().text;
    if (braces) expect(T::kRBrace, "an angle's or a triangle's braces are not closed");
    // The angle ABC is the angle CBA.
    if (token.text == "angle" && points.size() == 3 && points[2] < points[0]) std::swap(points[0], points[2]);
    return symbol(name + points);
  }
  // The segment AB is called AB as well.
  if (token.text == "overline" && at(T::kLBrace) && peek(1).kind == T::kWord && peek(2).kind == T::kRBrace &&
      std::all_of(peek(1).text.begin(), peek(1).text.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    return brace_group();
  // The conjugate of a number that is written out.
  if (token.text == "overline" && at(T::kLBrace)) {
    bool sum = false, imaginary = false;
    for (size_t k = 1; peek(k).kind != T::kRBrace && peek(k).kind != T::kEnd; ++k) {
      sum = sum || peek(k).kind == T::kPlus || peek(k).kind == T::kMinus;
      imaginary =
          imaginary || (peek(k).kind == T::kConstant && peek(k).value == static_cast<uint8_t>(Constant::kI));
    }
    if (sum && imaginary) return made(Function::kConjugate, {brace_group()});
  }
  if (!accept(T::kLBrace)) {
    const Token t = take();
    if (t.kind != T::kLetter && t.kind != T::kConstant && t.kind != T::kNumber)
      fail("an accent over nothing");
    return symbol(name + (t.text.empty() ? std::to_string(t.value) : t.text));
  }
  if (at(T::kRBrace)) fail("an accent over nothing");
  while (!at(T::kRBrace)) {
    if (at(T::kEnd)) fail("an accent is not closed");
    const Token t = take();
    name +=
        t.text.empty() ? std::to_string(static_cast<int>(t.kind)) + "," + std::to_string(t.value) : t.text;
  }
  take();
  return symbol(name);
}

// ( … ) and [ … ] and ⟨ … ⟩: a group, a tuple, an interval.
NodeId Parser::bracketed() {
  Deeper deeper(*this);
  const T open = take().kind;
  const bool angle = open == T::kLAngle;
  const T close1 = angle ? T::kRAngle : T::kRParen, close2 = angle ? T::kRAngle : T::kRBracket;
  std::vector<NodeId> all;
  {
    const Inside inside(*this);
    all = elements(close1, close2);
  }
  const T close = peek().kind;
  if (close != close1 && close != close2)
    fail(at(T::kEnd) ? "a bracket is not closed" : "a bracket does not fit");
  take();
  if (all.empty()) fail("empty brackets");
  if (open == T::kLAngle) return tree_.add(Kind::kTuple, all);
  const bool lo_closed = open == T::kLBracket;
  const bool hi_closed = close == T::kRBracket;
  if (all.size() == 1) {
    if (lo_closed != hi_closed) fail("brackets that do not fit");
    // A group of one; a list of lists keeps its brackets.
    return lo_closed && tree_.is(all[0], Kind::kBracketed) ? tree_.add(Kind::kBracketed, all) : all[0];
  }
  if (lo_closed != hi_closed) {
    if (all.size() != 2) fail("an interval of more than two ends");
    return tree_.add(Kind::kInterval, all, static_cast<uint8_t>((lo_closed ? 1 : 0) | (hi_closed ? 2 : 0)));
  }
  if (!lo_closed) return tree_.add(Kind::kTuple, all);
  const bool rows = std::all_of(all.begin(), all.end(), [&](NodeId id) {
    return tree_.is(id, Kind::kBracketed) || tree_.is(id, Kind::kInterval);
  });
  if (all.size() == 2 && !rows) return tree_.add(Kind::kInterval, all, 3);
  return tree_.add(Kind::kBracketed, all);
}

NodeId Parser::brace_group() {
  Deeper deeper(*this);
  take();
  const Inside inside(*this);
  std::vector<NodeId> all = elements(T::kRBrace, T::kRBrace);
  if (at(T::kBinom) && peek().value != 0 && all.size() == 1) {  // {n \choose k}, {a \over b}
    const bool over = take().value == 2;
    const NodeId below = additive();
    all[0] = over ? tree_.add(Kind::kDivide, {all[0], below}) : made(Function::kBinomial, {all[0], below});
  }
  expect(T::kRBrace, "a brace is not closed");
  if (all.empty()) fail("empty braces");
  return all.size() == 1 ? all[0] : tree_.add(Kind::kSet, all);
}

// \left\{ \begin{array} … \end{array} \right. is a system, not a set.
bool Parser::at_system() const {
  if (!at(T::kLSet) || peek(1).kind != T::kBegin || peek(1).text != "array") return false;
  size_t end = i_ + 2;
  while (end < t_.size() && t_[end].kind != T::kEnd_ && t_[end].kind != T::kBegin) ++end;
  if (end + 1 >= t_.size() || t_[end].kind != T::kEnd_) return false;
  const T next = t_[end + 1].kind;
  return next != T::kRSet && next != T::kRBrace && next != T::kComma;
}

NodeId Parser::set() {
  Deeper deeper(*this);
  if (at_system()) {
    take();
    t_[i_].text = "cases";
    for (size_t k = i_;; ++k)
      if (t_[k].kind == T::kEnd_) {
        t_[k].text = "cases";
        break;
      }
    return matrix();
  }
  take();
  const Inside inside(*this);
  no_colon_ = true;
  std::vector<NodeId> all = elements(T::kRSet, T::kRBrace);
  if (all.size() == 1 && (at(T::kBar) || at(T::kColon))) {
    take();
    all.assign(1, set_builder(all[0]));
  }
  if (!accept(T::kRSet)) expect(T::kRBrace, "a set is not closed");
  if (all.empty()) return tree_.add(Kind::kNamedSet, {}, static_cast<uint8_t>(NamedSet::kEmpty));
  if (all.size() == 1 && tree_.is(all[0], Kind::kSetBuilder)) return all[0];
  return tree_.add(Kind::kSet, all);
}

// What follows the bar of {x | x > 0}, {x ∈ ℝ | x > 0} and {2k + 1 | k ∈ ℤ}.
NodeId Parser::set_builder(NodeId head) {
  no_colon_ = false;
  const bool outer = std::exchange(alternatives_, false);
  std::vector<NodeId> conditions = elements(T::kRSet, T::kRBrace);
  const bool alternatives = std::exchange(alternatives_, outer);
  if (conditions.empty()) fail("a set without a condition");
  if (alternatives) conditions.assign(1, tree_.add(Kind::kList, conditions, 1));
  // Conditions alone are enough where the element is a mere name.
  const bool member = tree_.is(head, Kind::kRelation) &&
                      tree_[head].sub == static_cast<uint8_t>(Relation::kIn) &&
                      tree_.is(tree_.child(head, 0), Kind::kSymbol);
  const bool named = tree_.is(head, Kind::kSymbol) && mentioned(head, conditions);
  if (!named && !member && conditions.size() == 1 && note_parameter(conditions[0], {&head, 1})) return head;
  // {x | x = 2k, k ∈ ℤ}: the elements are 2k.
  if (named && conditions.size() == 2 && tree_.is(conditions[0], Kind::kRelation) &&
      tree_[conditions[0]].sub == static_cast<uint8_t>(Relation::kEqual) &&
      tree_.is(tree_.child(conditions[0], 0), Kind::kSymbol) &&
      tree_.name(tree_.child(conditions[0], 0)) == tree_.name(head) &&
      note_parameter(conditions[1], {&conditions[0], 1}))
    return tree_.child(conditions[0], 1);
  if (!named) conditions.insert(conditions.begin(), head);
  return tree_.add(Kind::kSetBuilder, conditions, member || named ? 0 : 1);
}

// Whether the symbol occurs in one of the parts.
bool Parser::mentioned(NodeId symbol, std::span<const NodeId> parts) const {
  return std::any_of(parts.begin(), parts.end(), [&](NodeId id) {
    if (tree_.is(id, Kind::kSymbol)) return tree_.name(id) == tree_.name(symbol);
    return mentioned(symbol, tree_.children(id));
  });
}

NodeId Parser::bars() {
  Deeper deeper(*this);
  const Token open = take();
  if (open.value == 2 || open.value == 3) fail("a bar that closes nothing");
  const int outer = std::exchange(bars_, 1);
  const bool function = std::exchange(no_function_, false);
  const NodeId inside = additive();
  bars_ = outer;
  no_function_ = function;
  if (open.kind == T::kBar && at(T::kDoubleBar)) {  // |x||y|
    t_[i_].kind = T::kBar;
    t_.insert(t_.begin() + static_cast<ptrdiff_t>(i_), t_[i_]);
  }
  if (peek().kind != open.kind || peek().value == 1) fail("an absolute value is not closed");
  take();
  return made(Function::kAbs, {inside});
}

NodeId Parser::floor_or_ceiling() {
  Deeper deeper(*this);
  const bool floor = take().kind == T::kLFloor;
  const int bars = std::exchange(bars_, 0);
  const bool function = std::exchange(no_function_, false);
  const NodeId inside = additive();
  bars_ = bars;
  no_function_ = function;
  expect(floor ? T::kRFloor : T::kRCeil, "a floor or a ceiling is not closed");
  return made(floor ? Function::kFloor : Function::kCeil, {inside});
}

}  // namespace tenon::math_answer
