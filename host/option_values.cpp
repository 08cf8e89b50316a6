// Option values: paths, text forms, type names.
// SPDX-License-Identifier: Apache-2.0
#include "host/option_values.h"

#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace tenon::host {

namespace {

// Takes the part before the first dot off a path.
std::string_view take_part(std::string_view& path) {
  size_t dot = path.find('.');
  std::string_view part = path.substr(0, dot);
  path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  return part;
}

std::optional<size_t> parse_index(std::string_view text) {
  size_t index = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return index;
}

const tenon_option* find_by_name(const tenon_option* const* table, std::string_view name) {
  if (table == nullptr) return nullptr;
  for (; *table != nullptr; ++table)
    if ((*table)->name == name) return *table;
  return nullptr;
}

// A number in front of a text; what follows it stays in `text`.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || number < 0 || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

template <size_t N>
std::optional<double> factor_of(std::string_view unit,
                                const std::pair<std::string_view, double> (&units)[N]) {
  for (const auto& [name, factor] : units)
    if (name == unit) return factor;
  return std::nullopt;
}

std::string_view take_letters(std::string_view& text) {
  size_t n = 0;
  while (n < text.size() && std::isalpha(static_cast<unsigned char>(text[n]))) ++n;
  std::string_view letters = text.substr(0, n);
  text.remove_prefix(n);
  return letters;
}

// 2^63 as a double: int64 ends just below.
constexpr double kInt64End = 9223372036854775808.0;

std::optional<int64_t> exact_int(double number) {
  if (!(number >= -kInt64End && number < kInt64End) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace

const tenon_option* find_option(const tenon_option* const* table, std::string_view path) {
  const tenon_option* option = nullptr;
  while (!path.empty()) {
    option = find_by_name(table, take_part(path));
    if (option == nullptr) return nullptr;
    std::string_view rest = path;
    if ((option->flags & TENON_O_LIST) && parse_index(take_part(rest))) path = rest;
    table = option->children;
  }
  return option;
}

const boost::json::value* find_value(const boost::json::object& options, std::string_view path) {
  const boost::json::value* here = options.if_contains(take_part(path));
  while (here != nullptr && !path.empty()) {
    std::string_view part = take_part(path);
    if (const auto* object = here->if_object()) {
      here = object->if_contains(part);
    } else if (const auto* array = here->if_array()) {
      auto index = parse_index(part);
      here = index && *index < array->size() ? &(*array)[*index] : nullptr;
    } else {
      here = nullptr;
    }
  }
  return here;
}

std::string type_name(const tenon_option& option) {
  std::string name;
  switch (option.type) {
    case TENON_T_BOOL:
      name = "bool";
      break;
    case TENON_T_INT:
      name = "int";
      break;
    case TENON_T_FLOAT:
      name = "float";
      break;
    case TENON_T_STR:
      name = "text";
      break;
    case TENON_T_ENUM:
      name = "choice";
      break;
    case TENON_T_PATH:
      name = "path";
      break;
    case TENON_T_DURATION:
      name = "duration";
      break;
    case TENON_T_BYTES:
      name = "size";
      break;
    case TENON_T_OBJECT:
      name = "map";
      break;
    case TENON_T_REF:
      name = option.ref_kind != nullptr ? option.ref_kind : "component";
      break;
    default:
      name = "unknown";
      break;
  }
  return option.flags & TENON_O_LIST ? "list of " + name : name;
}

std::string with_article(const std::string& noun) {
  return (std::string("aeiou").find(noun[0]) != std::string::npos ? "an " : "a ") + noun;
}

std::string plain_json(const char* json) {
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(json, error);
  return !error && value.is_string() ? std::string(value.get_string()) : std::string(json);
}

std::optional<int64_t> parse_int(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative ? 1 : 0);
  int base = digits.starts_with("0x") ? 16 : digits.starts_with("0o") ? 8 : 10;
  if (base != 10) digits.remove_prefix(2);
  uint64_t magnitude = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (!digits.empty() && error == std::errc() && end == digits.data() + digits.size()) {
    constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
    if (magnitude > kMax + (negative ? 1 : 0)) return std::nullopt;
    return negative ? static_cast<int64_t>(0 - magnitude) : static_cast<int64_t>(magnitude);
  }
  auto number = base == 10 ? parse_float(text) : std::nullopt;
  return number ? exact_int(*number) : std::nullopt;
}

std::optional<double> parse_float(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

std::optional<double> parse_duration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 1e-3}, {"s", 1},    {"m", 60},
                                                            {"min", 60},  {"h", 3600}, {"d", 86400}};
  if (auto seconds = parse_float(text)) return *seconds >= 0 ? seconds : std::nullopt;
  double sum = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    auto number = take_number(text);
    if (!number) return std::nullopt;
    auto factor = factor_of(take_letters(text), kUnits);
    if (!factor) return std::nullopt;
    sum += *number * *factor;
  }
  return sum;
}

std::optional<int64_t> parse_bytes(std::string_view text) {
  constexpr double kKi = 1024;
  constexpr std::pair<std::string_view, double> kUnits[] = {{"B", 1},
                                                            {"KiB", kKi},
                                                            {"MiB", kKi * kKi},
                                                            {"GiB", kKi * kKi * kKi},
                                                            {"TiB", kKi * kKi * kKi * kKi},
                                                            {"kB", 1e3},
                                                            {"KB", 1e3},
                                                            {"MB", 1e6},
                                                            {"GB", 1e9},
                                                            {"TB", 1e12}};
  if (auto bytes = parse_int(text)) return *bytes >= 0 ? bytes : std::nullopt;
  auto number = take_number(text);
  while (text.starts_with(' ')) text.remove_prefix(1);
  auto factor = factor_of(text, kUnits);
  if (!number || !factor) return std::nullopt;
  return exact_int(std::floor(*number * *factor));
}

std::string file_of(const std::string& path) {
  constexpr std::string_view kPython = ".py:";
  const size_t at = path.rfind(kPython);
  if (at == std::string::npos || path.find('/', at) != std::string::npos) return path;
  return path.substr(0, at + kPython.size() - 1);
}

std::optional<long double> parse_bound(const tenon_option& option, const char* json) {
  if (json == nullptr) return std::nullopt;
  boost::json::error_code error;
  boost::json::value bound = boost::json::parse(json, error);
  if (error) return std::nullopt;
  if (const auto* text = bound.if_string()) {
    std::string_view view(text->data(), text->size());
    if (option.type == TENON_T_DURATION) return parse_duration(view);
    if (option.type == TENON_T_BYTES) return parse_bytes(view);
    return std::nullopt;
  }
  if (bound.is_int64()) return static_cast<long double>(bound.get_int64());
  if (bound.is_uint64()) return static_cast<long double>(bound.get_uint64());
  if (bound.is_double()) return static_cast<long double>(bound.get_double());
  return std::nullopt;
}

boost::json::value to_json(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return nullptr;
    case Value::Kind::kList: {
      boost::json::array array;
      for (const Value& item : value.items) array.push_back(to_json(item));
      return array;
    }
    case Value::Kind::kMap: {
      boost::json::object object;
      for (const Entry& entry : value.entries) object[entry.key] = to_json(entry.value);
      return object;
    }
    case Value::Kind::kScalar:
      break;
  }
  if (!value.quoted) {
    if (value.text == "true") return true;
    if (value.text == "false") return false;
    if (value.text.find_first_of(".eE") == std::string::npos || value.text.starts_with("0x"))
      if (auto number = parse_int(value.text)) return *number;
    if (auto number = parse_float(value.text)) return *number;
  }
  return boost::json::string(value.text);
}

}  // namespace tenon::host
