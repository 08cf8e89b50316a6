// Template source to tokens, with jinja2's white space control (trim_blocks and lstrip_blocks on).
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "chat_template/chat_template.h"
#include "chat_template/syntax.h"

namespace tenon::chat {
namespace {

// \r\n and \r become \n, and one newline at the very end goes away, as in jinja2.
std::string normalize(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text.push_back(source[i]);
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

size_t trimmed_length(std::string_view text) {
  const auto points = code_points(text);
  size_t length = text.size();
  for (auto p = points.rbegin(); p != points.rend() && is_space(*p); ++p) length -= p->size();
  return length;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name) : source_(normalize(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) text();
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw TemplateError(name_, position_.line, position_.column, what);
  }

  bool follows(std::string_view text) const {
    return std::string_view(source_).substr(at_).starts_with(text);
  }

  // Moves forward, keeping line and column.
  void advance(size_t n) {
    for (; n > 0 && at_ < source_.size(); --n, ++at_) {
      if (source_[at_] == '\n') {
        ++position_.line;
        position_.column = 1;
      } else {
        ++position_.column;
      }
    }
  }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), position_}); }

  // The text up to the next tag, then that tag.
  void text() {
    size_t tag = at_;
    while ((tag = source_.find('{', tag)) != std::string::npos) {
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
      if (next == '%' || next == '{' || next == '#') break;
      ++tag;
    }
    std::string_view text =
        std::string_view(source_).substr(at_, (tag == std::string::npos ? source_.size() : tag) - at_);
    if (tag == std::string::npos) {
      if (!text.empty()) add(TokenKind::kText, std::string(text));
      advance(text.size());
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    const size_t whole = text.size();
    if (sign == '-') {
      text = text.substr(0, trimmed_length(text));
    } else if (sign != '+' && kind != '{') {
      // lstrip_blocks: a tag that has only white space before it on its line takes that away.
      const size_t line = text.rfind('\n') + 1;  // npos + 1 == 0
      if ((line > 0 || line_starting_) && trimmed_length(text.substr(line)) == 0) text = text.substr(0, line);
    }
    if (!text.empty()) add(TokenKind::kText, std::string(text));
    advance(whole);
    const size_t opening = sign == '-' || sign == '+' ? 3 : 2;
    if (kind == '#') return comment(opening);
    add(kind == '%' ? TokenKind::kBlockBegin : TokenKind::kPrintBegin, "");
    advance(opening);
    inside(kind == '%');
  }

  void comment(size_t opening) {
    const size_t end = source_.find("#}", at_ + opening);
    if (end == std::string::npos) fail("the comment is not closed");
    const char sign = end > at_ + opening ? source_[end - 1] : '\0';
    advance(end + 2 - at_);
    after_tag(sign, true);
  }

  // White space behind a tag. `block`: trim_blocks takes one newline.
  void after_tag(char sign, bool block) {
    const size_t begin = at_;
    if (sign == '-') {
      const auto points = code_points(std::string_view(source_).substr(at_));
      size_t length = 0;
      for (size_t i = 0; i < points.size() && is_space(points[i]); ++i) length += points[i].size();
      advance(length);
    } else if (block && sign != '+' && follows("\n")) {
      advance(1);
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  // The tokens of a tag and its end.
  void inside(bool block) {
    const std::string_view close = block ? "%}" : "}}";
    int depth = 0;  // of brackets: "}}" may close two dictionaries
    while (true) {
      while (at_ < source_.size() && is_space(std::string_view(source_).substr(at_, 1))) advance(1);
      if (at_ >= source_.size()) fail(std::string("the tag is not closed by ") + std::string(close));
      for (const char sign : {'\0', '-', '+'}) {
        const std::string end = (sign == '\0' ? "" : std::string(1, sign)) + std::string(close);
        if (depth > 0 || !follows(end) || (sign == '+' && !block)) continue;
        add(block ? TokenKind::kBlockEnd : TokenKind::kPrintEnd, "");
        advance(end.size());
        return after_tag(sign, block);
      }
      const char c = source_[at_];
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
      if (is_name_start(c)) {
        word();
      } else if (is_digit(c)) {
        number();
      } else if (c == '"' || c == '\'') {
        string(c);
      } else {
        symbol();
      }
    }
  }

  void word() {
    size_t end = at_;
    while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
    add(TokenKind::kName, source_.substr(at_, end - at_));
    advance(end - at_);
  }

  void number() {
    size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    digits();
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      real = true;
      ++end;
      digits();
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '-' || source_[exponent] == '+')) ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        real = true;
        end = exponent;
        digits();
      }
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    add(real ? TokenKind::kFloat : TokenKind::kInteger, text);
    advance(end - at_);
  }

  void string(char quote) {
    std::string value;
    size_t end = at_ + 1;
    for (; end < source_.size() && source_[end] != quote; ++end) {
      if (source_[end] != '\\') {
        value.push_back(source_[end]);
        continue;
      }
      if (++end >= source_.size()) break;
      end += escape(end, value);
    }
    if (end >= source_.size()) fail("the string is not closed");
    add(TokenKind::kString, std::move(value));
    advance(end + 1 - at_);
  }

  // Resolves Python's escape whose character after the backslash is source_[at]; returns how many more it took.
  size_t escape(size_t at, std::string& value) const {
    constexpr std::string_view kFrom = "ntrabfv0\\'\"", kTo("\n\t\r\a\b\f\v\0\\'\"", 11);
    const char c = source_[at];
    if (c == '\n') return 0;  // a line continuation
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
      const size_t known = kFrom.find(c);
      if (known == std::string_view::npos)
        value.push_back('\\');  // Python keeps the backslash of an unknown escape
      value.push_back(known == std::string_view::npos ? c : kTo[known]);
      return 0;
    }
    const std::string hex = source_.substr(at + 1, digits);
    if (hex.size() < digits || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      fail(std::string("\\") + c + " needs " + std::to_string(digits) + " hexadecimal digits");
    }
    append_code_point(static_cast<uint32_t>(std::stoul(hex, nullptr, 16)), value);
    return digits;
  }

  void append_code_point(uint32_t c, std::string& out) const {
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) fail("the escape is not a character");
    const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3f))); };
    if (c < 0x80) {
      out.push_back(static_cast<char>(c));
    } else if (c < 0x800) {
      out.push_back(static_cast<char>(0xc0 | (c >> 6)));
      tail(0);
    } else if (c < 0x10000) {
      out.push_back(static_cast<char>(0xe0 | (c >> 12)));
      tail(6);
      tail(0);
    } else {
      out.push_back(static_cast<char>(0xf0 | (c >> 18)));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  void symbol() {
    constexpr std::array<std::string_view, 26> kSymbols{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                        "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                        "]",  "{",  "}",  ",",  ":",  ".",  "|", ";"};
    for (const std::string_view symbol : kSymbols) {
      if (!follows(symbol)) continue;
      add(TokenKind::kOperator, std::string(symbol));
      return advance(symbol.size());
    }
    fail("unexpected character \"" +
         std::string(code_points(std::string_view(source_).substr(at_, 4)).front()) + "\"");
  }

  std::string source_;
  const std::string& name_;
  size_t at_ = 0;
  Position position_;
  bool line_starting_ = true;  // the last tag took the newline behind it, or there was none yet
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace tenon::chat
