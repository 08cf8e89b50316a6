// Sums and products over a range, derivatives, integrals and limits.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "math_answer/parser_impl.h"

namespace tenon::math_answer {
namespace {

constexpr int kMaxOrder = 9;

bool opens(T kind) {
  return kind == T::kLBrace || kind == T::kLParen || kind == T::kLBracket || kind == T::kLSet;
}
bool closes(T kind) {
  return kind == T::kRBrace || kind == T::kRParen || kind == T::kRBracket || kind == T::kRSet;
}
// dx, dt: the letter is not e or i, which are numbers.
bool is_differential_word(const Token& t) {
  return (t.kind == T::kWord || t.kind == T::kText) && t.text.size() == 2 && t.text[0] == 'd' &&
         is_letter(t.text[1]);
}

}  // namespace

// --- sums and products -----------------------------------------------------------------------------------------------

NodeId Parser::sum(bool product) {
  Deeper deeper(*this);
  NodeId from = kNone, to = kNone, variable = kNone;
  for (int k = 0; k < 2; ++k) {
    if (at(T::kUnder)) {
      take();
      expect(T::kLBrace, "a sum without bounds");
      ++groups_;
      const NodeId condition = relation();
      --groups_;
      expect(T::kRBrace, "the sum's bounds are not closed");
      if (!tree_.is(condition, Kind::kRelation) ||
          tree_[condition].sub != static_cast<uint8_t>(Relation::kEqual))
        fail("a sum over something else than a range");
      variable = tree_.child(condition, 0);
      from = tree_.child(condition, 1);
    } else if (at(T::kCaret)) {
      take();
      to = exponent();
    }
  }
  if (variable != kNone && tree_.is(variable, Constant::kI)) variable = tree_.add_named(Kind::kSymbol, "i");
  if (from == kNone || to == kNone || !tree_.is(variable, Kind::kSymbol)) fail("a sum without bounds");
  // An index i is a name in the body, not the imaginary unit.
  const bool outer = std::exchange(i_is_index_, i_is_index_ || tree_.name(variable) == "i");
  const NodeId body = multiplicative();
  i_is_index_ = outer;
  return tree_.add(Kind::kSum, {body, variable, from, to}, product ? 1 : 0);
}

// --- derivatives -----------------------------------------------------------------------------------------------------

bool Parser::is_d(size_t ahead) const {
  const Token& t = peek(ahead);
  return (t.kind == T::kDifferential && t.value == 0) ||
         ((t.kind == T::kLetter || t.kind == T::kText) && t.text == "d");
}

// The exponent at `ahead`, which goes behind it: 1 where there is none, 0 where it is no number from 1 to 9.
int Parser::order_at(size_t& ahead) const {
  if (peek(ahead).kind == T::kSuperscript) {
    const std::string& digits = peek(ahead++).text;
    return digits.size() == 1 && all_digits(digits) ? digits[0] - '0' : 0;
  }
  if (peek(ahead).kind != T::kCaret) return 1;
  const bool braces = peek(++ahead).kind == T::kLBrace;
  ahead += braces ? 1 : 0;
  const Token& number = peek(ahead++);
  if (braces && peek(ahead++).kind != T::kRBrace) return 0;
  return number.kind == T::kNumber && number.text.size() == 1 && all_digits(number.text)
             ? number.text[0] - '0'
             : 0;
}

// dx or ∂x at `ahead`, which goes behind it.
bool Parser::differential_at(size_t& ahead, std::string& name) const {
  if (is_differential_word(peek(ahead))) {
    name = peek(ahead++).text.substr(1);
    return true;
  }
  if (!is_d(ahead) || peek(ahead + 1).kind != T::kLetter) return false;
  name = peek(ahead + 1).text;
  ahead += 2;
  return true;
}

// Whether \frac{d}{dx}, \frac{d^2y}{dx^2}, \frac{\partial f}{\partial x}, d/dx or dy/dx follows. Throws where it is one that cannot be read.
std::optional<Parser::DerivativeShape> Parser::derivative_ahead() const {
  DerivativeShape shape;
  shape.fraction = at(T::kFrac);
  if (shape.fraction && peek(1).kind != T::kLBrace) return std::nullopt;
  size_t k = shape.fraction ? 2 : 0;
  const bool word = is_differential_word(peek(k));
  if (!word && !is_d(k)) return std::nullopt;
  shape.partial = peek(k).kind == T::kDifferential;
  shape.body = word ? k : k + 1;  // of "dy" the y is made a token of its own
  size_t after = k + 1;
  int order = word ? 1 : order_at(after);
  if (!word) shape.body = after;
  if (shape.fraction) {
    size_t depth = 1;
    for (k = after; depth > 0; ++k) {
      if (peek(k).kind == T::kEnd) return std::nullopt;
      depth += opens(peek(k).kind) ? 1 : 0;
      depth -= closes(peek(k).kind) ? 1 : 0;
    }
    shape.has_body = word || k - 1 > after;
    if (peek(k).kind != T::kLBrace) return std::nullopt;
    shape.below = ++k;
  } else {
    k = after;
    const bool letter = !word && peek(k).kind == T::kLetter;
    shape.has_body = word || letter;
    k += letter ? 1 : 0;
    if (peek(k).kind != T::kSlash) return std::nullopt;
    shape.below = ++k;
  }
  int below = 0;
  bool odd = order == 0;
  for (std::string name; differential_at(k, name);) {
    const int n = order_at(k);
    odd = odd || n == 0;
    below += n;
    shape.by.emplace_back(name, n);
    if (!shape.fraction) break;
  }
  if (shape.by.empty() || (shape.fraction && !odd && peek(k).kind != T::kRBrace)) return std::nullopt;
  if (odd) fail("a derivative of an order that is no number");
  if (below != order || below > kMaxOrder) return std::nullopt;
  shape.end = shape.fraction ? k + 1 : k;
  return shape;
}

NodeId Parser::derivative(const DerivativeShape& shape) {
  Deeper deeper(*this);
  const size_t start = i_;
  NodeId body = kNone;
  bool alone = true;
  if (shape.has_body) {
    i_ = start + shape.body;
    if (Token& token = t_[i_]; is_differential_word(token)) {
      token.kind = T::kLetter;
      token.text.erase(0, 1);
    }
    if (shape.fraction) {
      const Inside inside(*this);
      body = additive();
      if (i_ + 2 != start + shape.below) fail("a derivative with something odd in it");
    } else {
      body = tree_.add_named(Kind::kSymbol, take().text);
    }
    i_ = start + shape.end;
  } else {
    i_ = start + shape.end;
    if (!starts_factor()) fail("a derivative of nothing");
    // Of (x + 1) x, what the derivative is of is anybody's guess: it is not worked out.
    const size_t from = i_;
    size_t close = i_, depth = 0;
    const bool group = opens(peek().kind);
    for (; group && t_[close].kind != T::kEnd; ++close) {
      depth += opens(t_[close].kind) ? 1 : 0;
      if (closes(t_[close].kind) && --depth == 0) break;
    }
    body = multiplicative();
    alone = !group || i_ == close + 1 || close == from;
  }
  for (auto by = shape.by.rbegin(); by != shape.by.rend(); ++by)
    body = derivative_of(body, by->first, by->second, shape.partial, alone);
  return body;
}

// Worked out where that is a few steps; else as it is. Beside d, unlike beside ∂, a letter may be a function: only those that seldom are count as constants.
NodeId Parser::derivative_of(NodeId body, const std::string& name, int order, bool partial, bool evaluate) {
  const NodeId symbol = tree_.add_named(Kind::kSymbol, name);
  const std::vector<NodeId> parts{body};
  bool constants = true;
  const auto look = [&](auto&& self, NodeId id) -> void {
    if (tree_.is(id, Kind::kSymbol) && tree_.name(id) != name)
      constants = constants && std::string_view("abckmn").find(tree_.name(id)) != std::string_view::npos;
    for (NodeId child : tree_.children(id)) self(self, child);
  };
  look(look, body);
  if (evaluate && order <= 3 && mentioned(symbol, parts) && (partial || constants)) {
    std::optional<NodeId> value = body;
    for (int k = 0; value && k < order; ++k) value = derived(tree_, *value, name);
    if (value) return *value;
  }
  return tree_.add(Kind::kOperator, {body, symbol, tree_.add_integer(order)},
                   static_cast<uint8_t>(partial ? Operator::kPartial : Operator::kDerivative));
}

// --- integrals -------------------------------------------------------------------------------------------------------

// Makes one token of each dx up to the one that ends the integral at hand; false: it has none.
bool Parser::mark_differentials() {
  size_t depth = 0, open = 1;
  for (size_t k = i_; k < t_.size(); ++k) {
    const T kind = t_[k].kind;
    if (closes(kind) && depth == 0) return false;
    depth += opens(kind) ? 1 : 0;
    depth -= closes(kind) ? 1 : 0;
    if (depth > 0 || closes(kind)) continue;
    if (kind == T::kEnd || kind == T::kComma || kind == T::kSemicolon || kind == T::kRelation ||
        kind == T::kAnd || kind == T::kOr)
      return false;
    open += kind == T::kOpaque && t_[k].text == "int" ? 1 : 0;
    const bool letters = kind == T::kLetter && t_[k].text == "d" && t_[k + 1].kind == T::kLetter;
    const std::string& text = t_[k].text;
    const bool glued =
        kind == T::kWord && (text.size() == 3 || text.size() == 4) && text[text.size() - 2] == 'd';
    if (letters) {
      t_[k].text = t_[k + 1].text;
      t_.erase(t_.begin() + static_cast<ptrdiff_t>(k) + 1);
    } else if (is_differential_word(t_[k])) {
      t_[k].text.erase(0, 1);
    } else if (glued) {  // xdx
      Token rest = t_[k];
      rest.text.erase(0, text.size() - 1);
      t_[k].text.resize(text.size() - 2);
      const bool constant = t_[k].text == "e" || t_[k].text == "i";
      if (t_[k].text.size() == 1) t_[k].kind = constant ? T::kConstant : T::kLetter;
      if (constant) t_[k].value = static_cast<uint8_t>(t_[k].text == "e" ? Constant::kE : Constant::kI);
      t_.insert(t_.begin() + static_cast<ptrdiff_t>(++k), rest);
    } else if (kind != T::kDifferential || t_[k].value != 1) {
      continue;
    }
    t_[k].kind = T::kDifferential;
    t_[k].value = 1;
    if (--open == 0) return true;
  }
  return false;
}

NodeId Parser::integral() {
  Deeper deeper(*this);
  const std::vector<Token> before = t_;
  const size_t start = i_;
  take();
  NodeId bounds[2] = {kNone, kNone};
  const bool marked = mark_differentials();
  for (int k = 0; marked && k < 2; ++k) {
    const bool below = at(T::kUnder);
    if (!below && !at(T::kCaret)) break;
    take();
    const bool negative = accept(T::kMinus);
    const NodeId bound = argument("an integral's bound");
    bounds[below ? 0 : 1] = negative ? tree_.add(Kind::kNegate, {bound}) : bound;
  }
  if (!marked || (bounds[0] == kNone) != (bounds[1] == kNone)) {
    t_ = before;
    i_ = start;
    return unread_operator();
  }
  const bool function = std::exchange(no_function_, false);
  const NodeId body = at(T::kDifferential) ? tree_.add_integer(1) : additive();
  no_function_ = function;
  if (!at(T::kDifferential) || peek().value != 1) fail("an integral that does not end");
  const NodeId symbol = tree_.add_named(Kind::kSymbol, take().text);
  constexpr auto kSub = static_cast<uint8_t>(Operator::kIntegral);
  return bounds[0] == kNone ? tree_.add(Kind::kOperator, {body, symbol}, kSub)
                            : tree_.add(Kind::kOperator, {body, symbol, bounds[0], bounds[1]}, kSub);
}

// --- limits ----------------------------------------------------------------------------------------------------------

// +1 and −1 of x \to 0^+ and 0^-, whose sign is taken out of the braces at hand; 0: there is none.
int Parser::side_of_limit() {
  size_t close = i_ + 1, depth = 1;
  for (; t_[close].kind != T::kEnd; ++close) {
    depth += opens(t_[close].kind) ? 1 : 0;
    if (closes(t_[close].kind) && --depth == 0) break;
  }
  const auto sign = [](const Token& t) {
    return t.kind == T::kPlus || t.text == "+" ? 1 : t.kind == T::kMinus || t.text == "-" ? -1 : 0;
  };
  size_t from = close - 1;
  int side = 0;
  if (t_[from].kind == T::kSuperscript || (t_[from - 1].kind == T::kCaret && t_[from].kind != T::kRBrace)) {
    side = sign(t_[from]);
    from -= t_[from].kind == T::kSuperscript ? 0 : 1;
  } else if (from > i_ + 3 && t_[from].kind == T::kRBrace && t_[from - 2].kind == T::kLBrace &&
             t_[from - 3].kind == T::kCaret) {
    side = sign(t_[from - 1]);
    from -= 3;
  }
  if (side != 0)
    t_.erase(t_.begin() + static_cast<ptrdiff_t>(from), t_.begin() + static_cast<ptrdiff_t>(close));
  return side;
}

// Up to where its group ends or a relation comes: what of \lim a + b stands under the limit is left open, alike for both answers.
NodeId Parser::limit() {
  Deeper deeper(*this);
  if (peek(1).kind != T::kUnder || peek(2).kind != T::kLBrace) return unread_operator();
  const std::vector<Token> before = t_;
  const size_t start = i_;
  take();
  take();
  const int side = side_of_limit();
  take();
  ++groups_;
  const NodeId to = relation();
  --groups_;
  const bool is_read = at(T::kRBrace) && tree_.is(to, Kind::kRelation) &&
                       tree_[to].sub == static_cast<uint8_t>(Relation::kTo) &&
                       tree_.is(tree_.child(to, 0), Kind::kSymbol);
  if (!is_read) {
    t_ = before;
    i_ = start;
    return unread_operator();
  }
  take();
  const bool function = std::exchange(no_function_, false);
  const NodeId body = additive();
  no_function_ = function;
  const Operator which = side == 0  ? Operator::kLimit
                         : side > 0 ? Operator::kLimitAbove
                                    : Operator::kLimitBelow;
  return tree_.add(Kind::kOperator, {body, tree_.child(to, 0), tree_.child(to, 1)},
                   static_cast<uint8_t>(which));
}

// One that is not taken apart: kept as it is written up to where its group ends.
NodeId Parser::unread_operator() {
  const size_t from = i_;
  take();
  size_t depth = 0;
  while (!at(T::kEnd)) {
    const T kind = peek().kind;
    if (opens(kind)) ++depth;
    if (closes(kind)) {
      if (depth == 0) break;
      --depth;
    }
    if (depth == 0 && (kind == T::kComma || kind == T::kRelation)) break;
    take();
  }
  if (i_ - from < 2) fail("an integral or a limit of nothing");
  // Braces around one sign say nothing, and dx is d and x.
  std::vector<Token> kept;
  for (size_t k = from; k < i_; ++k) {
    const bool brace_opens = t_[k].kind == T::kLBrace && k + 2 < i_ && t_[k + 2].kind == T::kRBrace;
    const bool brace_closes = t_[k].kind == T::kRBrace && k >= from + 2 && t_[k - 2].kind == T::kLBrace;
    if (brace_opens || brace_closes) continue;
    kept.push_back(t_[k]);
    if (t_[k].kind != T::kWord || t_[k].text.size() != 2 || t_[k].text[0] != 'd') continue;
    kept.back().kind = T::kLetter;
    kept.back().text = "d";
    kept.push_back(kept.back());
    kept.back().text = t_[k].text.substr(1);
  }
  return tree_.add(Kind::kOpaque, {}, static_cast<uint8_t>(Opaque::kOperator),
                   tree_.name_index(canonical(kept)));
}

// sympy's Sum, Integral, Derivative and Limit; nothing: it is another.
std::optional<NodeId> Parser::operator_call(std::string_view name, std::span<const NodeId> all) {
  const auto is_symbol = [&](NodeId id) { return tree_.is(id, Kind::kSymbol); };
  const auto range = [&](size_t size) {  // (k, 1, 3)
    return all.size() == 2 && tree_.is(all[1], Kind::kTuple) && tree_[all[1]].count == size &&
           is_symbol(tree_.child(all[1], 0));
  };
  if (name == "Sum" || name == "Product") {
    if (!range(3)) fail(std::string(name) + " without a range");
    const NodeId list = all[1];
    return tree_.add(Kind::kSum, {all[0], tree_.child(list, 0), tree_.child(list, 1), tree_.child(list, 2)},
                     name == "Product" ? 1 : 0);
  }
  constexpr auto kIntegral = static_cast<uint8_t>(Operator::kIntegral);
  if (name == "Integral") {
    if (all.size() == 2 && is_symbol(all[1])) return tree_.add(Kind::kOperator, {all[0], all[1]}, kIntegral);
    if (!range(3)) fail("an integral by nothing");
    const NodeId list = all[1];
    return tree_.add(Kind::kOperator,
                     {all[0], tree_.child(list, 0), tree_.child(list, 1), tree_.child(list, 2)}, kIntegral);
  }
  if (name == "Derivative") {
    const bool order = all.size() == 3 && is_integer(all[2]) && tree_.number(all[2]).value.fits_int();
    const int64_t n = order ? tree_.number(all[2]).value.to_int() : 1;
    if (all.size() < 2 || !is_symbol(all[1]) || (all.size() == 3 && !order) || all.size() > 3 || n < 1 ||
        n > kMaxOrder)
      fail("a derivative by nothing");
    return derivative_of(all[0], tree_.name(all[1]), static_cast<int>(n), false, true);
  }
  if (name != "Limit") return std::nullopt;
  if (all.size() != 3 || !is_symbol(all[1])) fail("a limit of nothing");
  return tree_.add(Kind::kOperator, all, static_cast<uint8_t>(Operator::kLimit));
}

}  // namespace tenon::math_answer
