// The scanner: one pass over the text, no backtracking.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/token.h"

#include <algorithm>

#include "math_answer/characters.h"
#include "math_answer/units.h"
#include "math_answer/utf8_scan.h"
#include "math_answer/vocabulary.h"

namespace tenon::math_answer {
namespace {

// Without the blanks around it, of which ~ is one.
std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (is_space(s.front()) || s.front() == '~')) s.remove_prefix(1);
  while (!s.empty() && (is_space(s.back()) || s.back() == '~')) s.remove_suffix(1);
  return s;
}

// Full-width and mathematical letters and digits as ASCII; all else as it is.
std::string with_ascii(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (const char ascii = c.length > 2 ? ascii_of(c.code) : '\0'; ascii != 0)
      out += ascii;
    else
      out.append(text, i, c.length);
    i += c.length;
  }
  return out;
}

class Scanner {
 public:
  Scanner(std::string_view text, const Reading& reading, bool& ambiguous)
      : s_(text), reading_(reading), ambiguous_(ambiguous) {
    const size_t dollars = std::count(text.begin(), text.end(), '$') - escaped_dollars();
    odd_dollar_ = dollars % 2 == 1;
  }

  std::vector<Token> run() {
    while (i_ < s_.size()) step();
    push(T::kEnd);
    return std::move(out_);
  }

 private:
  size_t escaped_dollars() const {
    size_t n = 0;
    for (size_t i = 0; i + 1 < s_.size(); ++i)
      if (s_[i] == '\\') {
        if (s_[i + 1] == '$') ++n;
        ++i;
      }
    return n;
  }

  char peek(size_t ahead = 0) const { return i_ + ahead < s_.size() ? s_[i_ + ahead] : '\0'; }
  bool starts(std::string_view what) const { return s_.substr(i_, what.size()) == what; }
  const Token* last() const { return out_.empty() ? nullptr : &out_.back(); }
  bool last_is(T kind) const { return !out_.empty() && out_.back().kind == kind; }

  void push(T kind, std::string_view text = {}, uint8_t value = 0) {
    if (out_.size() >= kMaxTokens) throw LimitError("more than 4,096 tokens");
    Token& t = out_.emplace_back();
    t.kind = kind;
    t.text = text;
    t.value = value;
    t.space = space_;
    t.command = in_command_;
    t.at = static_cast<uint32_t>(start_);
    space_ = false;
    const bool opens = kind == T::kLParen || kind == T::kLBracket || kind == T::kLSet || kind == T::kLBrace;
    const bool closes = kind == T::kRParen || kind == T::kRBracket || kind == T::kRSet || kind == T::kRBrace;
    nested_ += opens ? 1 : closes && nested_ > 0 ? -1 : 0;
    if (nested_ > kMaxDepth) throw LimitError("nested deeper than 256");
    switch (kind) {
      case T::kLParen:
      case T::kLBracket:
      case T::kLSet:
      case T::kLAngle:
        ++depth_;
        break;
      case T::kRParen:
      case T::kRBracket:
      case T::kRSet:
      case T::kRAngle:
        if (depth_ > 0) --depth_;
        break;
      case T::kBegin:
        ++environments_;
        break;
      case T::kEnd_:
        if (environments_ > 0) --environments_;
        break;
      default:
        break;
    }
  }
  void push(const Meaning& m) { push(m.kind, m.text, m.value); }

  void step() {
    start_ = i_;
    in_command_ = false;
    const char c = peek();
    if (is_space(c)) {
      space_ = true;
      ++i_;
    } else if (c == '\\') {
      in_command_ = true;
      command();
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (is_letter(c)) {
      word();
    } else if (static_cast<unsigned char>(c) < 0x80) {
      symbol(c);
    } else {
      character();
    }
  }

  // --- after a backslash -------------------------------------------------------------------------------------------
  void command() {
    const char c = peek(1);
    if (!is_letter(c)) return escape(c);
    size_t end = i_ + 1;
    while (end < s_.size() && is_letter(s_[end])) ++end;
    const std::string_view name = s_.substr(i_ + 1, end - i_ - 1);
    i_ = end;
    if (name == "begin" || name == "end") {
      const std::string_view environment = argument();
      return environment_mark(name == "begin", environment);
    }
    if (name == "left" || name == "right") return side(name == "left");
    if (is_ignored_command(name)) {
      space_ = true;
      return;
    }
    if (is_ignored_with_argument(name)) {
      argument();
      space_ = true;
      return;
    }
    if (is_text_command(name)) return text(argument());
    if (is_face_command(name)) return face(name == "mathrm");
    if (name == "mathbb" || name == "Bbb") return blackboard(argument());
    if (name == "textdegree") return push(T::kDegree);
    if (name == "textdollar") return push(T::kCurrency, "dollars");
    if (name == "not") return negated();
    if (auto m = meaning_of_command(name)) return push(*m);
    push(T::kUnknown, name);
  }
  void negated() {
    while (is_space(peek())) ++i_;
    if (peek() == '=') {
      ++i_;
      return push(T::kRelation, {}, static_cast<uint8_t>(Relation::kNotEqual));
    }
    if (starts("\\in") && !is_letter(peek(3))) {
      i_ += 3;
      return push(T::kRelation, {}, static_cast<uint8_t>(Relation::kNotIn));
    }
    push(T::kUnknown, "not");
  }
  void escape(char c) {
    i_ += c == '\0' ? 1 : 2;
    switch (c) {
      case '\0':  // of "\ " at the end
        return;
      case '{':
        return push(T::kLSet);
      case '}':
        return push(T::kRSet);
      case '$':
        return push(T::kCurrency, "dollars");
      case '%':
        return push(T::kPercent);
      case '|':
        return push(T::kDoubleBar);
      case ',':
      case ';':
      case ':':
      case ' ':
      case '>':
      case '(':
      case ')':
      case '[':
      case ']':
      case '\n':
      case '/':
        space_ = true;
        return;
      case '!':
        return;
      case '\\':
        if (environments_ > 0) {
          if (peek() == '[') {  // \\[2pt]
            const size_t close = s_.find(']', i_);
            if (close != std::string_view::npos && close - i_ < 12 && close > i_ + 1 &&
                is_letter(s_[close - 1]))
              i_ = close + 1;
          }
          return push(T::kRow);
        }
        if (is_letter(peek())) --i_;  // a command whose backslash was escaped twice
        space_ = true;
        return;
      default:
        push(T::kUnknown, std::string_view(&c, 1));
    }
  }
  // The content of the braces that follow, or one character; i_ goes behind it.
  std::string_view argument() {
    while (is_space(peek())) ++i_;
    if (peek() != '{') {
      const size_t at = i_;
      if (i_ < s_.size()) i_ += character_at(s_, i_).length;
      return s_.substr(at, i_ - at);
    }
    size_t depth = 0;
    for (size_t k = i_; k < s_.size(); ++k) {
      if (s_[k] == '\\') {
        ++k;
      } else if (s_[k] == '{') {
        ++depth;
      } else if (s_[k] == '}' && --depth == 0) {
        const std::string_view content = s_.substr(i_ + 1, k - i_ - 1);
        i_ = k + 1;
        return content;
      }
    }
    const std::string_view rest = s_.substr(i_ + 1);
    i_ = s_.size();
    return rest;
  }
  void environment_mark(bool begin, std::string_view name) {
    if (name.ends_with('*')) name.remove_suffix(1);
    if (name == "array" && begin && peek() == '{') argument();  // its columns
    if (name == "equation" || name == "align" || name == "aligned" || name == "gather" || name == "center" ||
        name == "split" || name == "math" || name == "displaymath" || name == "smallarray") {
      space_ = true;
      return;
    }
    push(begin ? T::kBegin : T::kEnd_, name);
  }
  void side(bool left) {
    while (is_space(peek())) ++i_;
    if (peek() == '.') {
      ++i_;
    } else if (peek() == '|') {
      ++i_;
      push(T::kBar, {}, left ? 1 : 2);
    }
  }
  void text(std::string_view content) {
    const std::string_view words = trimmed(content);
    if (words.empty()) {
      space_ = true;
      return;
    }
    if (words == "and" || words == ", and" || words == "&")
      return push(words.front() == ',' ? T::kComma : T::kAnd);
    if (words == "or" || words == ", or") return push(T::kOr);
    if (words == "," || words == ";") return push(T::kComma);
    // Mathematics inside of words, and lists: \text{$x$ and $y$}, \textbf{\frac12}, \text{A, B}, \text{1 and 2}.
    if (words.find_first_of("$\\,%") != std::string_view::npos || is_list_of_numbers(words))
      return nested(words);
    std::string plain(words);
    std::replace(plain.begin(), plain.end(), '~', ' ');
    const bool goes_on = plain.ends_with(" and");  // 3\text{ hours and }20\text{ minutes}
    push(T::kText, goes_on ? std::string_view(plain).substr(0, plain.size() - 4) : std::string_view(plain));
    if (goes_on) push(T::kAnd);
  }
  static bool is_list_of_numbers(std::string_view words) {
    const size_t joint = std::min(words.find(" and "), words.find(" or "));
    if (joint == std::string_view::npos) return false;
    auto is_number = [](std::string_view s) {
      return !s.empty() &&
             std::all_of(s.begin(), s.end(), [](char c) { return is_digit(c) || c == '.' || c == '-'; });
    };
    return is_number(words.substr(0, joint)) && is_number(words.substr(words.rfind(' ') + 1));
  }
  // Scans `inner` as if it stood in the text in its place.
  void nested(std::string_view inner) {
    if (nesting_ >= 4) return push(T::kUnknown, "text");
    const std::string_view outer = s_;
    const size_t at = i_;
    ++nesting_;
    s_ = inner;
    i_ = 0;
    while (i_ < s_.size()) step();
    s_ = outer;
    i_ = at;
    --nesting_;
  }
  // Upright letters behind a number are its unit: 9.8\mathrm{~m/s^2}.
  bool is_upright_unit(std::string_view content) const {
    const bool value_before = last_is(T::kNumber) || last_is(T::kRBrace) || last_is(T::kRParen) ||
                              last_is(T::kConstant) || last_is(T::kFraction);
    return value_before && content != "e" && content != "i" && parse_unit(content).has_value();
  }
  void face(bool upright) {
    if (peek() == '*') ++i_;
    const size_t at = i_;
    const std::string_view content = trimmed(argument());
    const bool is_word = !content.empty() && std::all_of(content.begin(), content.end(), is_letter);
    if (upright && is_upright_unit(content)) return push(T::kText, content);
    if (is_word && content.size() == 1) return letter(content);
    if (is_word) {
      if (auto m = meaning_of_word(content)) return push(*m);
      return push(T::kText, content);
    }
    if (std::all_of(content.begin(), content.end(),
                    [](char c) { return is_letter(c) || is_space(c) || c == '.' || c == '~'; }))
      return text(content);
    i_ = at;  // the braces are read as any group
  }
  void blackboard(std::string_view content) {
    constexpr std::string_view kNames = "RZNQC";
    constexpr NamedSet kSets[] = {NamedSet::kReals, NamedSet::kIntegers, NamedSet::kNaturals,
                                  NamedSet::kRationals, NamedSet::kComplex};
    const size_t k = content.size() == 1 ? kNames.find(content[0]) : std::string_view::npos;
    if (k == std::string_view::npos) return push(T::kUnknown, "mathbb");
    push(T::kNamedSet, {}, static_cast<uint8_t>(kSets[k]));
  }

  // --- numbers -----------------------------------------------------------------------------------------------------
  size_t digits_at(size_t at) const {
    size_t n = 0;
    while (at + n < s_.size() && is_digit(s_[at + n])) ++n;
    return n;
  }
  // The length of a separator of thousands at `at`, 0: there is none.
  size_t separator_at(size_t at) {
    const std::string_view rest = s_.substr(at);
    for (std::string_view sure : {"{,}", ",\\!", "\\!,", "\\!,\\!", "\\!", "\\,", ",\\,", "{,\\!}", ", \\!",
                                  ",\\! ", ", \\! ", "\u202f", "\u2009", "\u00a0"})
      if (rest.starts_with(sure) && digits_at(at + sure.size()) == 3) return sure.size();
    if (rest.starts_with(",") && digits_at(at + 1) == 3) {
      if (rest[1] == '0') return 1;  // no element of a list begins with zeros
      ambiguous_ = true;
      return depth_ == 0 && reading_.thousands_comma ? 1 : 0;
    }
    if (rest.starts_with(" ") && digits_at(at + 1) == 3) {
      ambiguous_ = true;
      return reading_.thousands_space ? 1 : 0;
    }
    return 0;
  }
  void number() {
    std::string text(s_.substr(i_, digits_at(i_)));
    i_ += text.size();
    if (!text.empty() && text.size() <= 3 && text[0] != '0') {
      for (size_t n = separator_at(i_); n != 0; n = separator_at(i_)) {
        text += s_.substr(i_ + n, 3);
        i_ += n + 3;
      }
    }
    // 2{,}5: braces make a decimal sign of the comma, where it separates no thousands.
    if (starts("{,}") && is_digit(peek(3)) && text.find('.') == std::string::npos) {
      const size_t n = digits_at(i_ + 3);
      text += '.';
      text += s_.substr(i_ + 3, n);
      i_ += 3 + n;
      return push(T::kNumber, text);
    }
    if (peek() == ',' && is_digit(peek(1)) && depth_ == 0) {
      ambiguous_ = true;
      const size_t n = digits_at(i_ + 1);
      const bool thousands = n == 3 && text.size() <= 3 && text[0] != '0';
      if (reading_.decimal_comma && !thousands && s_.substr(i_ + 1 + n, 1) != ",") {
        text += '.';
        text += s_.substr(i_ + 1, n);
        i_ += 1 + n;
        return push(T::kNumber, text);
      }
    }
    const bool repeats = starts(".\\overline") || starts(".\\bar") || starts(".\\dot");
    if (peek() == '.' && (is_digit(peek(1)) || repeats)) {
      ++i_;
      text += '.';
      const size_t n = digits_at(i_);
      text += s_.substr(i_, n);
      i_ += n;
      while (starts("\\!") && is_digit(peek(2))) {  // 0.000\!001
        const size_t more = digits_at(i_ + 2);
        text += s_.substr(i_ + 2, more);
        i_ += 2 + more;
      }
    }
    if ((peek() == 'e' || peek() == 'E') && !starts("exp")) {
      const size_t sign = peek(1) == '-' || peek(1) == '+' ? 1 : 0;
      const size_t n = digits_at(i_ + 1 + sign);
      if (n > 0 && n < 7 && !is_letter(peek(1 + sign + n))) {
        text += s_.substr(i_, 1 + sign + n);
        i_ += 1 + sign + n;
      }
    }
    push(T::kNumber, text);
  }

  // --- letters -----------------------------------------------------------------------------------------------------
  void letter(std::string_view name) {
    if (name == "e") return push(T::kConstant, {}, static_cast<uint8_t>(Constant::kE));
    if (name == "i" || name == "I") return push(T::kConstant, name, static_cast<uint8_t>(Constant::kI));
    push(T::kLetter, name);
  }
  void word() {
    size_t end = i_;
    while (end < s_.size() && is_letter(s_[end])) ++end;
    const std::string_view run = s_.substr(i_, end - i_);
    const size_t begin = i_;
    i_ = end;
    if (run.size() == 1) {
      if (run == "x" && space_ && last_is(T::kNumber) && s_.substr(end).starts_with(" 10^"))
        return push(T::kTimes);
      if (run == "U" && is_between_sets(end)) return push(T::kUnion);
      if (is_python_constant(run[0], begin)) {
        ambiguous_ = true;
        if (reading_.python_constants) return letter(run == "E" ? "e" : "i");
      }
      if (is_digit(peek()) && !(last_is(T::kNumber) && !space_)) {  // sympy's x1
        const size_t n = digits_at(i_);
        std::string name = std::string(run) + "_" + std::string(s_.substr(i_, n));
        i_ += n;
        return push(T::kLetter, name);
      }
      return letter(run);
    }
    // sum_{k=1}^3, lim_{x->0} and int_0^1 without their backslashes.
    if (peek() == '_' && (run == "sum" || run == "prod" || run == "lim" || run == "int"))
      return push(*meaning_of_command(run));
    if (auto m = meaning_of_word(run); m && (m->kind != T::kCall || peek() == '(' || peek() == '.'))
      return push(*m);
    if (split(run, begin)) return;
    push(T::kWord, run);
  }
  bool is_python_constant(char c, size_t at) const {
    const char before = at > 0 ? s_[at - 1] : '\0';
    return (c == 'E' && (before == '*' || peek() == '*')) || (c == 'j' && is_digit(before));
  }
  bool is_between_sets(size_t end) const {
    if (!last_is(T::kRParen) && !last_is(T::kRBracket) && !last_is(T::kRSet) && !last_is(T::kRBrace))
      return false;
    while (end < s_.size() && is_space(s_[end])) ++end;
    return end < s_.size() && (s_[end] == '(' || s_[end] == '[' || s_[end] == '{' || s_[end] == '\\');
  }
  // xsin, xpi, pix: letters beside a name that is written without a space. True: pushed.
  bool split(std::string_view run, size_t begin) {
    for (std::string_view name :
         {"arcsin", "arccos", "arctan", "sqrt", "sin", "cos", "tan", "log", "exp", "pi", "ln"}) {
      const size_t at = run.find(name);
      const bool called = at != std::string_view::npos &&
                          (name == "pi" || s_.substr(begin + at + name.size()).starts_with("(") ||
                           s_.substr(begin + at + name.size()).starts_with("^"));
      if (!called || at + (run.size() - at - name.size()) > 2) continue;
      for (char c : run.substr(0, at)) letter(std::string_view(&c, 1));
      push(*meaning_of_word(name));
      for (char c : run.substr(at + name.size())) letter(std::string_view(&c, 1));
      return true;
    }
    return false;
  }

  // --- other characters --------------------------------------------------------------------------------------------
  void relation(Relation r, size_t length) {
    i_ += length;
    push(T::kRelation, {}, static_cast<uint8_t>(r));
  }
  void symbol(char c) {
    if (starts("**")) {
      i_ += 2;
      return push(T::kCaret);
    }
    if (starts("...")) {
      i_ += 3;
      while (peek() == '.') ++i_;
      return push(T::kDots);
    }
    if (starts("!=")) return relation(Relation::kNotEqual, 2);
    if (starts("<=")) return relation(Relation::kLessEqual, 2);
    if (starts("=<")) return relation(Relation::kLessEqual, 2);
    if (starts(">=")) return relation(Relation::kGreaterEqual, 2);
    if (starts("==")) return relation(Relation::kEqual, 2);
    if (starts(":=")) return relation(Relation::kEqual, 2);
    if (starts("->")) return relation(Relation::kTo, 2);
    if (starts("+-") || starts("+/-")) {
      i_ += starts("+-") ? 2 : 3;
      return push(T::kPlusMinus);
    }
    if (starts("||")) {
      ++i_;
      ++i_;
      return push(T::kDoubleBar);
    }
    ++i_;
    switch (c) {
      case '+':
        return push(T::kPlus);
      case '-':
        return push(T::kMinus);
      case '*':
        return push(T::kTimes);
      case '/':
        return push(T::kSlash);
      case '^':
        return push(T::kCaret);
      case '_':
        return push(T::kUnder);
      case '!':
        return push(T::kBang);
      case '%':
        return push(T::kPercent);
      case '\'':
        return push(T::kPrime);
      case ',':
        return push(T::kComma);
      case ';':
        return push(T::kSemicolon);
      case ':':
        return push(T::kColon);
      case '(':
        return push(T::kLParen);
      case ')':
        return push(T::kRParen);
      case '[':
        return push(T::kLBracket);
      case ']':
        return push(T::kRBracket);
      case '{':
        return push(T::kLBrace);
      case '}':
        return push(T::kRBrace);
      case '|':
        return push(T::kBar);
      case '&':
        return push(T::kAmpersand);
      case '=':
        return push(T::kRelation, {}, static_cast<uint8_t>(Relation::kEqual));
      case '<':
        return push(T::kRelation, {}, static_cast<uint8_t>(Relation::kLess));
      case '>':
        return push(T::kRelation, {}, static_cast<uint8_t>(Relation::kGreater));
      case '~':
        space_ = true;
        return;
      case '$':
        if (odd_dollar_ && is_digit(peek())) return push(T::kCurrency, "dollars");
        space_ = true;
        return;
      case '.':
        // The full stop of a sentence says nothing; one inside of an answer would.
        if (trimmed(s_.substr(i_)).find_first_not_of("$*\")") == std::string_view::npos) return;
        if (environments_ > 0 &&
            (trimmed(s_.substr(i_)).starts_with("\\\\") || trimmed(s_.substr(i_)).starts_with("\\end")))
          return;
        return push(T::kUnknown, ".");
      case '"':
        space_ = true;
        return;
      default:
        return push(T::kUnknown, std::string_view(&c, 1));
    }
  }
  void character() {
    const Character c = character_at(s_, i_);
    const std::string_view bytes = s_.substr(i_, c.length);
    i_ += c.length;
    const auto m = meaning_of_character(c.code);
    if (!m) {
      if (c.code == U'。' && trimmed(s_.substr(i_)).empty()) return;
      return push(T::kUnknown, bytes);
    }
    if (m->kind == T::kEnd) {
      space_ = true;
    } else if (m->kind == T::kText && m->text.empty()) {
      return;
    } else if (m->kind == T::kSuperscript && last_is(T::kSuperscript)) {
      out_.back().text += m->text;
    } else if (m->kind == T::kUnder && last() != nullptr && last()->kind == T::kNumber && out_.size() >= 2 &&
               out_[out_.size() - 2].value == 2) {
      out_.back().text += m->text;
    } else if (m->kind == T::kUnder) {
      push(T::kUnder, {}, 2);  // 2: from the character, so that further subscripts join the number
      push(T::kNumber, m->text);
    } else {
      push(*m);
    }
  }

  std::string_view s_;
  const Reading& reading_;
  bool& ambiguous_;
  size_t i_ = 0, start_ = 0;
  bool space_ = false, in_command_ = false, odd_dollar_ = false;
  int depth_ = 0, nested_ = 0, environments_ = 0, nesting_ = 0;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text, const Reading& reading, bool& ambiguous) {
  if (text.size() > kMaxAnswerBytes) throw LimitError("longer than 16 KiB");
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return Scanner(text, reading, ambiguous).run();
  const std::string plain = with_ascii(text);
  return Scanner(plain, reading, ambiguous).run();
}

std::string canonical(const std::vector<Token>& tokens) {
  std::string out;
  out.reserve(tokens.size() * 4);
  for (const Token& t : tokens) {
    // Of a superscript's minus and a subscript's origin nothing is lost: kind, value and text are all there is.
    out += static_cast<char>(static_cast<int>(t.kind) + 1);
    out += static_cast<char>(t.value + 1);
    out += t.text;
    out += '\0';
  }
  return out;
}

}  // namespace tenon::math_answer
