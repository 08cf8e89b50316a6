// One field out of a JSON object, and strings into JSON: what a reward or data set needs of JSON without a library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "tenon/error.hpp"

namespace tenon::json {

namespace detail {
struct Scanner {
  std::string_view s;
  size_t i = 0;

  [[noreturn]] void fail(const char* what) const { throw Error(TENON_E_INVALID, std::string("JSON: ") + what + " at byte " + std::to_string(i)); }
  void space() {
    while (i < s.size() && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r')) ++i;
  }
  char peek() {
    space();
    if (i >= s.size()) fail("the text ends too early");
    return s[i];
  }
  void expect(char c) {
    if (peek() != c) fail("unexpected character");
    ++i;
  }
  uint32_t hex4() {
    if (i + 4 > s.size()) fail("bad \\u escape");
    uint32_t v = 0;
    for (int k = 0; k < 4; ++k, ++i) {
      char c = s[i];
      v = v * 16 + static_cast<uint32_t>(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : (fail("bad \\u escape"), 0));
    }
    return v;
  }
  static void utf8(uint32_t c, std::string& out) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xC0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xE0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
      out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  std::string string() {
    std::string out;
    read_string(&out);
    return out;
  }
  // Reads one string, and checks it; its text goes to `out`, which may be null.
  void read_string(std::string* out) {
    expect('"');
    while (true) {
      size_t end = i;
      while (end < s.size() && s[end] != '"' && s[end] != '\\') ++end;
      if (out) out->append(s, i, end - i);
      i = end;
      if (i >= s.size()) fail("the string is not closed");
      if (s[i++] == '"') return;
      if (i >= s.size()) fail("the string is not closed");
      if (s[i] == 'u') {
        ++i;
        uint32_t v = escaped_unit();
        if (out) utf8(v, *out);
      } else {
        char c = escaped_char();
        if (out) *out += c;
      }
    }
  }
  // The character of a two-character escape, behind its backslash.
  char escaped_char() {
    switch (char c = s[i++]) {
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'b': return '\b';
      case 'f': return '\f';
      case '"': case '\\': case '/': return c;
      default: fail("bad escape");
    }
  }
  // The code point of a \u escape, or of two that are a surrogate pair, behind the first u.
  uint32_t escaped_unit() {
    uint32_t v = hex4();
    if (v < 0xD800 || v > 0xDFFF) return v;
    if (v > 0xDBFF || i + 1 >= s.size() || s[i] != '\\' || s[i + 1] != 'u') fail("bad surrogate pair");
    i += 2;
    uint32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail("bad surrogate pair");
    return 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
  }
  // Skips one value of any type. Nesting is counted, not recursed into.
  void skip() {
    int depth = 0;
    do {
      char c = peek();
      if (c == '"') {
        read_string(nullptr);
      } else if (c == '{' || c == '[') {
        ++depth, ++i;
      } else if (c == '}' || c == ']') {
        --depth, ++i;
        if (depth < 0) fail("unexpected bracket");
      } else if (c == ',' || c == ':') {
        if (depth == 0) fail("a value is missing");
        ++i;
      } else {
        while (i < s.size() && std::string_view(",:{}[]\" \n\t\r").find(s[i]) == std::string_view::npos) ++i;
      }
    } while (depth > 0);
  }
};
}  // namespace detail

// f(name, raw text of the value) for each field of the object, in order, until f returns false. Throws on malformed JSON, up to where it has read.
template <class F>
void each_field(std::string_view object, F&& f) {
  detail::Scanner in{object};
  in.expect('{');
  if (in.peek() == '}') return;
  while (true) {
    in.space();
    std::string name = in.string();
    in.expect(':');
    in.space();
    size_t begin = in.i;
    in.skip();
    if (!f(std::move(name), object.substr(begin, in.i - begin)) || in.peek() == '}') return;
    in.expect(',');
  }
}

// The raw texts of a list's elements. Throws on malformed JSON.
inline std::vector<std::string_view> elements(std::string_view list) {
  std::vector<std::string_view> out;
  detail::Scanner in{list};
  in.expect('[');
  while (in.peek() != ']') {
    if (!out.empty()) in.expect(',');
    in.space();
    size_t begin = in.i;
    in.skip();
    out.push_back(list.substr(begin, in.i - begin));
  }
  return out;
}

// The raw text of field `key` of the object, or nothing if it is absent (or the object is empty text). Throws on malformed JSON.
inline std::optional<std::string_view> raw_field(std::string_view object, std::string_view key) {
  std::optional<std::string_view> found;
  if (object.empty()) return found;
  each_field(object, [&](const std::string& name, std::string_view value) {
    if (name == key) found = value;
    return !found;
  });
  return found;
}

// Field `key` as text: a string's content, or the JSON text of a number, boolean, list or object; nothing if absent or null.
inline std::optional<std::string> text_field(std::string_view object, std::string_view key) {
  auto raw = raw_field(object, key);
  if (!raw || *raw == "null") return std::nullopt;
  if (raw->front() != '"') return std::string(*raw);
  detail::Scanner in{*raw};
  return in.string();
}

// Field `key` as a number; nothing if absent or null; throws if it is something else.
inline std::optional<double> number_field(std::string_view object, std::string_view key) {
  auto text = text_field(object, key);
  if (!text) return std::nullopt;
  char* end = nullptr;
  double v = std::strtod(text->c_str(), &end);
  if (text->empty() || *end != '\0') throw Error(TENON_E_INVALID, "field " + std::string(key) + ": \"" + *text + "\" is not a number");
  return v;
}

// The text as a JSON string, quotes included.
inline std::string quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char code[8];
          std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
          out += code;
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

}  // namespace tenon::json
