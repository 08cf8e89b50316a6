// A shunting-yard over exact fractions.
// SPDX-License-Identifier: Apache-2.0
#include "expression.h"

#include <algorithm>

#include "answer_text/extract.h"
#include "utf8/utf8.h"

namespace tenon::countdown {
namespace {

using std::string_view;

// A token: a number; an operator + - * / ( ) =; or 'f', the beginning of \frac.
struct Token {
  char kind;  // 'n' for a number
  Rational number;
};

struct Spelling {
  string_view text;
  char kind;  // ' ' says nothing
};
constexpr Spelling kSpellings[] = {
    {"\\times", '*'}, {"\\cdot", '*'}, {"\\div", '/'},  {"\\left", ' '}, {"\\right", ' '}, {"\\dfrac", 'f'},
    {"\\frac", 'f'},  {"\u00D7", '*'}, {"\u00F7", '/'}, {"\u2212", '-'}, {"\u00B7", '*'},  {"\u22C5", '*'},
    {"\u2217", '*'},  {"\u2215", '/'}, {"\uFF0B", '+'}, {"\u00A0", ' '}, {"\\tfrac", 'f'}, {"\\,", ' '},
    {"\\;", ' '},     {"\\ ", ' '},    {"\\(", ' '},    {"\\)", ' '},    {"\\[", ' '},     {"\\]", ' '},
    {"$", ' '},       {"[", '('},      {"]", ')'}};

// Fault: a text; empty if `text` was read to its end.
std::string tokenize(string_view text, std::vector<Token>& tokens) {
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      ++i;
    } else if ((c >= '0' && c <= '9') || c == '.') {
      size_t end = i;
      while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) ++end;
      const auto number = answer_text::parse_number(text.substr(i, end - i));
      if (!number || text[end - 1] == '.')
        return "\"" + std::string(text.substr(i, std::min<size_t>(end - i, 40))) + "\" is not a number";
      tokens.push_back({'n', *number});
      i = end;
    } else if (string_view("+-*/()={}").find(c) != string_view::npos) {
      tokens.push_back({c, {}});
      ++i;
    } else {
      const Spelling* found =
          std::find_if(std::begin(kSpellings), std::end(kSpellings),
                       [&](const Spelling& s) { return text.substr(i).starts_with(s.text); });
      if (found == std::end(kSpellings))
        return "something that is no number and no operator: " + utf8::excerpt(text, i, 12);
      if (found->kind != ' ') tokens.push_back({found->kind, {}});
      i += found->text.size();
    }
  }
  return {};
}

// \frac{a}{b} becomes ((a)/(b)). Braces elsewhere are a fault.
std::string expand_fractions(const std::vector<Token>& in, std::vector<Token>& out) {
  // What a closing brace means: 'a' it ends a numerator, 'b' a denominator.
  std::string open;
  bool wants_numerator = false;
  auto put = [&](string_view kinds) {
    for (char c : kinds) out.push_back({c, {}});
  };
  for (size_t i = 0; i < in.size(); ++i) {
    const char kind = in[i].kind;
    if (wants_numerator != (kind == '{')) return "braces without \\frac, or \\frac without braces";
    if (kind == 'f') {
      wants_numerator = true;
    } else if (kind == '{') {
      wants_numerator = false;
      open += 'a';
      put("((");
    } else if (kind == '}') {
      if (open.empty()) return "a brace that nothing opens";
      if (open.back() == 'a') {
        if (i + 1 >= in.size() || in[i + 1].kind != '{') return "\\frac without a denominator";
        open.back() = 'b';
        put(")/(");
        ++i;
      } else {
        open.pop_back();
        put("))");
      }
    } else {
      out.push_back(in[i]);
    }
  }
  return open.empty() && !wants_numerator ? std::string() : "\\frac that nothing closes";
}

int precedence(char op) {
  return op == '+' || op == '-' ? 1 : op == '*' || op == '/' ? 2 : op == 'm' ? 3 : 0;  // m: minus sign
}

class Evaluator {
 public:
  explicit Evaluator(Result& result) : result_(result) {}

  std::string run(const Token* at, const Token* end) {
    bool wants_operand = true;
    for (; at != end; ++at) {
      const char kind = at->kind;
      if (wants_operand) {
        if (kind == 'n') {
          values_.push_back(at->number);
          wants_operand = false;
        } else if (kind == '(') {
          operators_.push_back('(');
        } else if (kind == '-' && (operators_.empty() || operators_.back() != 'm')) {
          operators_.push_back('m');
        } else {
          return "an operator without a number before it";
        }
      } else if (kind == ')') {
        while (!operators_.empty() && operators_.back() != '(') apply();
        if (operators_.empty()) return "a parenthesis that nothing opens";
        operators_.pop_back();
      } else if (kind == 'n' || kind == '(') {
        return "two numbers without an operator between them";
      } else {
        while (!operators_.empty() && precedence(operators_.back()) >= precedence(kind)) apply();
        operators_.push_back(kind);
        wants_operand = true;
      }
    }
    if (wants_operand) return values_.empty() ? "no expression" : "it ends in an operator";
    while (!operators_.empty()) {
      if (operators_.back() == '(') return "a parenthesis that nothing closes";
      apply();
    }
    result_.value = values_.back();
    return {};
  }

 private:
  void apply() {
    const char op = operators_.back();
    operators_.pop_back();
    if (op == 'm') {
      values_.back() = -values_.back();
      return;
    }
    const Rational b = values_.back();
    values_.pop_back();
    Rational& a = values_.back();
    if (op == '+') a += b;
    if (op == '-') a -= b;
    if (op == '*') a *= b;
    if (op == '/' && b == 0) result_.divides_by_zero = true;
    if (op == '/' && b != 0) a /= b;
  }

  Result& result_;
  std::vector<Rational> values_;
  std::string operators_;
};

// "= number" off the end of the tokens.
std::string take_claim(std::vector<Token>& tokens, std::optional<Rational>& claimed) {
  const auto equals =
      std::find_if(tokens.begin(), tokens.end(), [](const Token& t) { return t.kind == '='; });
  if (equals == tokens.end()) return {};
  const size_t n = static_cast<size_t>(tokens.end() - equals);
  const bool is_negative = n == 3 && equals[1].kind == '-';
  if ((n != 2 && !is_negative) || equals[n - 1].kind != 'n')
    return "more than one number behind the equals sign";
  claimed = is_negative ? -equals[2].number : equals[1].number;
  tokens.erase(equals, tokens.end());
  return {};
}

// Each number that is written must be among the allowed ones, as often as it is written.
std::string check_numbers(const std::vector<Rational>& written, std::vector<Rational> allowed) {
  for (const Rational& number : written) {
    const auto found = std::find(allowed.begin(), allowed.end(), number);
    if (found == allowed.end()) return number.str().substr(0, 40) + " is not given, or used once too often";
    *found = allowed.back();
    allowed.pop_back();
  }
  return {};
}

// Of "\boxed{8+3}" what is in it.
string_view without_box(string_view text) {
  constexpr string_view kBox = "\\boxed{";
  text = answer_text::trim(text);
  while (text.starts_with('$') && text.ends_with('$') && text.size() > 1)
    text = answer_text::trim(text.substr(1, text.size() - 2));
  return text.starts_with(kBox) && text.ends_with('}')
             ? text.substr(kBox.size(), text.size() - kBox.size() - 1)
             : text;
}

}  // namespace

Result evaluate(string_view text, const std::vector<Rational>& allowed) {
  Result result;
  if (text.size() > kMaxBytes) {
    result.fault = "longer than " + std::to_string(kMaxBytes) + " bytes";
    return result;
  }
  std::vector<Token> raw, tokens;
  result.fault = tokenize(without_box(text), raw);
  if (result.fault.empty()) result.fault = take_claim(raw, result.claimed);
  if (result.fault.empty()) result.fault = expand_fractions(raw, tokens);
  if (!result.fault.empty()) return result;
  for (const Token& token : tokens)
    if (token.kind == 'n') result.numbers.push_back(token.number);
  result.fault = check_numbers(result.numbers, allowed);
  if (result.fault.empty())
    result.fault = Evaluator(result).run(tokens.data(), tokens.data() + tokens.size());
  return result;
}

}  // namespace tenon::countdown
