// Paths into JSON text.
// SPDX-License-Identifier: Apache-2.0
#include "dataset_support/field_path.h"

#include <charconv>

#include "tenon/json.hpp"

namespace tenon::dataset_support {
namespace {

// The element that `part` counts to, from the end if it is negative.
std::optional<std::string_view> element(std::string_view list, std::string_view part) {
  int64_t i = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), i);
  if (error != std::errc() || end != part.data() + part.size()) return std::nullopt;
  const std::vector<std::string_view> all = json::elements(list);
  if (i < 0) i += static_cast<int64_t>(all.size());
  if (i < 0 || i >= static_cast<int64_t>(all.size())) return std::nullopt;
  return all[static_cast<size_t>(i)];
}

}  // namespace

std::optional<std::string_view> value_at(std::string_view value, std::string_view path) {
  const size_t begin = value.find_first_not_of(" \t\r\n");
  const char opening = begin == std::string_view::npos ? '\0' : value[begin];
  if (opening == '[') {
    const size_t dot = path.find('.');
    const auto found = element(value, path.substr(0, dot));
    return !found || dot == std::string_view::npos ? found : value_at(*found, path.substr(dot + 1));
  }
  if (opening != '{') return std::nullopt;
  if (const auto whole = json::raw_field(value, path)) return whole;
  for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1))
    if (const auto head = json::raw_field(value, path.substr(0, dot)))
      return value_at(*head, path.substr(dot + 1));
  return std::nullopt;
}

std::string text_of(std::string_view raw) {
  if (!raw.starts_with('"')) return std::string(raw);
  json::detail::Scanner in{raw};
  return in.string();
}

const char* kind_of(std::string_view raw) {
  switch (raw.empty() ? '\0' : raw.front()) {
    case '{':
      return "an object";
    case '[':
      return "a list";
    case '"':
      return "a string";
    case 'n':
      return "null";
    case 't':
    case 'f':
      return "a boolean";
    default:
      return "a number";
  }
}

}  // namespace tenon::dataset_support
