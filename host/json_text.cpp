// JSON as the run's files have it.
// SPDX-License-Identifier: Apache-2.0
#include "host/json_text.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <cmath>
#include <vector>

namespace tenon::host {

namespace json = boost::json;

namespace {

// The length of the UTF-8 sequence at s[i] (RFC 3629), or 0 if there is none.
size_t utf8_length(std::string_view s, size_t i) {
  auto at = [&](size_t k) { return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0u; };
  auto tail = [&](size_t k) { return (at(k) & 0xC0) == 0x80; };
  const unsigned c = at(0);
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF && tail(1)) return 2;
  if (c >= 0xE0 && c <= 0xEF && tail(1) && tail(2)) {
    const unsigned d = at(1);
    if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F)) return 0;
    return 3;
  }
  if (c >= 0xF0 && c <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    const unsigned d = at(1);
    if ((c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F)) return 0;
    return 4;
  }
  return 0;
}

class Printer {
 public:
  Printer(JsonOrder order, bool pretty) : order_(order), pretty_(pretty) {}
  std::string out;

  void print(const json::value& v, int depth) {
    switch (v.kind()) {
      case json::kind::null:
        out += "null";
        break;
      case json::kind::bool_:
        out += v.get_bool() ? "true" : "false";
        break;
      case json::kind::int64:
        out += std::to_string(v.get_int64());
        break;
      case json::kind::uint64:
        out += std::to_string(v.get_uint64());
        break;
      case json::kind::double_:
        out += json_number(v.get_double());
        break;
      case json::kind::string:
        out += json_quote(v.get_string());
        break;
      case json::kind::array:
        print_array(v.get_array(), depth);
        break;
      case json::kind::object:
        print_object(v.get_object(), depth);
        break;
    }
  }

 private:
  void line(int depth) {
    if (pretty_) out.append(1, '\n').append(static_cast<size_t>(2 * depth), ' ');
  }
  void print_array(const json::array& a, int depth) {
    out += '[';
    for (size_t i = 0; i < a.size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      print(a[i], depth + 1);
    }
    if (!a.empty()) line(depth);
    out += ']';
  }
  void print_object(const json::object& o, int depth) {
    std::vector<const json::key_value_pair*> pairs;
    for (const auto& pair : o) pairs.push_back(&pair);
    if (order_ == JsonOrder::kSorted)
      std::sort(pairs.begin(), pairs.end(), [](auto* a, auto* b) { return a->key() < b->key(); });
    out += '{';
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      out += json_quote(pairs[i]->key());
      out += pretty_ ? ": " : ":";
      print(pairs[i]->value(), depth + 1);
    }
    if (!pairs.empty()) line(depth);
    out += '}';
  }

  JsonOrder order_;
  bool pretty_;
};

}  // namespace

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  const std::to_chars_result result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

std::string json_quote(std::string_view s) {
  std::string out = "\"";
  for (size_t i = 0; i < s.size();) {
    const char c = s[i];
    const size_t length = utf8_length(s, i);
    if (length == 0) {
      out += "\xEF\xBF\xBD";  // U+FFFD
      ++i;
      continue;
    }
    if (length > 1) {
      out.append(s.substr(i, length));
    } else if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += "0123456789abcdef"[c >> 4];
      out += "0123456789abcdef"[c & 15];
    } else {
      out += c;
    }
    i += length;
  }
  return out + '"';
}

std::string json_text(const json::value& value, JsonOrder order) {
  Printer printer(order, false);
  printer.print(value, 0);
  return std::move(printer.out);
}

std::string json_pretty(const json::value& value) {
  Printer printer(JsonOrder::kAsIs, true);
  printer.print(value, 0);
  return std::move(printer.out) + '\n';
}

}  // namespace tenon::host
