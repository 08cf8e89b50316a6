// The values of a template: what Python's would be.
// SPDX-License-Identifier: Apache-2.0
#include "chat_template/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tenon::chat {
namespace {

// Python's repr(float): the shortest text that reads back, with ".0" for whole numbers, exponents from 1e16 and 1e-5.
std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const double magnitude = std::fabs(value);
  const bool exponent = magnitude != 0 && (magnitude >= 1e16 || magnitude < 1e-4);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 exponent ? std::chars_format::scientific : std::chars_format::fixed)
                       .ptr;
  std::string text(buffer, end);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

void escape_json(std::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          constexpr char kHex[] = "0123456789abcdef";
          out += "\\u00";
          out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
          out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

std::string string_repr(std::string_view text) {
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back(quote);
  return out;
}

void new_line(int indent, int depth, std::string& out) {
  if (indent < 0) return;
  out.push_back('\n');
  out.append(static_cast<size_t>(indent) * static_cast<size_t>(depth), ' ');
}

}  // namespace

std::optional<int64_t> Value::integer() const {
  if (const auto* i = get<int64_t>()) return *i;
  if (const auto* b = get<bool>()) return *b ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* d = get<double>()) return *d;
  if (const auto i = integer()) return static_cast<double>(*i);
  return std::nullopt;
}

bool Value::truthy() const {
  if (undefined() || none()) return false;
  if (const auto n = number()) return *n != 0;
  if (const auto* s = string()) return !s->empty();
  if (const auto* l = list()) return !l->empty();
  if (const auto* d = dict()) return !d->empty();
  return true;
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"undefined", "NoneType", "bool",      "int",  "float", "str",
                                         "list",      "dict",     "namespace", "loop", "macro", "function"};
  return kNames[data_.index()];
}

Value from_json(const boost::json::value& json) {
  switch (json.kind()) {
    case boost::json::kind::null:
      return None{};
    case boost::json::kind::bool_:
      return json.get_bool();
    case boost::json::kind::int64:
      return json.get_int64();
    case boost::json::kind::uint64:
      return static_cast<double>(json.get_uint64());  // beyond int64
    case boost::json::kind::double_:
      return json.get_double();
    case boost::json::kind::string:
      return std::string(json.get_string());
    case boost::json::kind::array: {
      List list;
      for (const auto& element : json.get_array()) list.push_back(from_json(element));
      return list;
    }
    case boost::json::kind::object: {
      Dict dict;
      for (const auto& member : json.get_object()) dict.emplace_back(member.key(), from_json(member.value()));
      return dict;
    }
  }
  return None{};
}

const Value* find(const Dict& dict, std::string_view key) {
  for (const auto& [name, value] : dict) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool equal(const Value& a, const Value& b) {
  if (const auto x = a.integer(), y = b.integer(); x && y) return *x == *y;
  if (const auto x = a.number(), y = b.number(); x && y) return *x == *y;
  if (a.data().index() != b.data().index()) return false;
  if (a.undefined() || a.none()) return true;
  if (const auto* s = a.string()) return *s == *b.string();
  if (const auto* l = a.list())
    return std::equal(l->begin(), l->end(), b.list()->begin(), b.list()->end(), equal);
  if (const auto* d = a.dict()) {
    if (d->size() != b.dict()->size()) return false;
    for (const auto& [key, value] : *d) {
      const Value* other = find(*b.dict(), key);
      if (other == nullptr || !equal(value, *other)) return false;
    }
    return true;
  }
  return false;
}

std::string to_str(const Value& value) {
  if (value.undefined()) return "";
  if (const auto* s = value.string()) return *s;
  return to_repr(value);
}

std::string to_repr(const Value& value) {
  if (value.undefined()) return "Undefined";
  if (value.none()) return "None";
  if (const auto* b = value.get<bool>()) return *b ? "True" : "False";
  if (const auto* i = value.get<int64_t>()) return std::to_string(*i);
  if (const auto* d = value.get<double>()) return float_repr(*d);
  if (const auto* s = value.string()) return string_repr(*s);
  if (const auto* l = value.list()) {
    std::string out = "[";
    for (const Value& element : *l) out += (out.size() > 1 ? ", " : "") + to_repr(element);
    return out + "]";
  }
  if (const auto* d = value.dict()) {
    std::string out = "{";
    for (const auto& [key, member] : *d)
      out += (out.size() > 1 ? ", " : "") + string_repr(key) + ": " + to_repr(member);
    return out + "}";
  }
  return "<" + std::string(value.type_name()) + ">";
}

bool to_json(const Value& value, int indent, bool sort_keys, std::string& out, int depth) {
  if (value.none()) return out += "null", true;
  if (const auto* b = value.get<bool>()) return out += *b ? "true" : "false", true;
  if (const auto* d = value.get<double>()) {
    out += std::isnan(*d) ? "NaN" : std::isinf(*d) ? (*d < 0 ? "-Infinity" : "Infinity") : float_repr(*d);
    return true;
  }
  if (value.get<int64_t>() != nullptr) return out += to_repr(value), true;
  if (const auto* s = value.string()) return escape_json(*s, out), true;
  const char* separator = indent < 0 ? ", " : ",";
  if (const auto* l = value.list()) {
    out.push_back('[');
    for (size_t i = 0; i < l->size(); ++i) {
      if (i > 0) out += separator;
      new_line(indent, depth + 1, out);
      if (!to_json((*l)[i], indent, sort_keys, out, depth + 1)) return false;
    }
    if (!l->empty()) new_line(indent, depth, out);
    out.push_back(']');
    return true;
  }
  if (const auto* d = value.dict()) {
    std::vector<const std::pair<std::string, Value>*> members;
    for (const auto& member : *d) members.push_back(&member);
    if (sort_keys)
      std::sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->first < b->first; });
    out.push_back('{');
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out += separator;
      new_line(indent, depth + 1, out);
      escape_json(members[i]->first, out);
      out += ": ";
      if (!to_json(members[i]->second, indent, sort_keys, out, depth + 1)) return false;
    }
    if (!members.empty()) new_line(indent, depth, out);
    out.push_back('}');
    return true;
  }
  return false;
}

size_t length_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::vector<std::string_view> code_points(std::string_view text) {
  std::vector<std::string_view> points;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    points.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return points;
}

// Python's str.isspace().
bool is_space(std::string_view point) {
  if (point.size() == 1)
    return (point[0] >= 0x09 && point[0] <= 0x0d) || (point[0] >= 0x1c && point[0] <= 0x20);
  constexpr std::string_view kSpaces[] = {
      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
      "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  return std::find(std::begin(kSpaces), std::end(kSpaces), point) != std::end(kSpaces);
}

}  // namespace tenon::chat
