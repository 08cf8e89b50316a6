// Filters, tests and methods of template values.
// SPDX-License-Identifier: Apache-2.0
#include "chat_template/builtins.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace tenon::chat {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw ValueError(what);
}

std::string typed(const Value& value) {
  return std::string(value.type_name());
}

// ---- arguments ----------------------------------------------------------------------------------------------------

// Takes the arguments of one call by position or name; what is left over is an error.
class Reader {
 public:
  Reader(std::string_view what, Arguments arguments) : what_(what), arguments_(std::move(arguments)) {}

  std::optional<Value> take(std::string_view name) {
    if (next_ < arguments_.positional.size()) return arguments_.positional[next_++];
    for (auto it = arguments_.named.begin(); it != arguments_.named.end(); ++it) {
      if (it->first != name) continue;
      Value value = std::move(it->second);
      arguments_.named.erase(it);
      return value;
    }
    return std::nullopt;
  }
  Value need(std::string_view name) {
    auto value = take(name);
    if (!value) fail(what_ + " needs the argument " + std::string(name));
    return *value;
  }
  std::string text(std::string_view name) {
    const Value value = need(name);
    if (value.string() == nullptr)
      fail(what_ + ": " + std::string(name) + " must be a string, not " + typed(value));
    return *value.string();
  }
  int64_t integer(std::string_view name, int64_t fallback) {
    const auto value = take(name);
    if (!value || value->none()) return fallback;
    if (!value->integer())
      fail(what_ + ": " + std::string(name) + " must be an integer, not " + typed(*value));
    return *value->integer();
  }
  bool flag(std::string_view name, bool fallback) {
    const auto value = take(name);
    return value ? value->truthy() : fallback;
  }
  void done() const {
    if (next_ < arguments_.positional.size()) fail(what_ + " was given too many arguments");
    if (!arguments_.named.empty()) fail(what_ + " has no argument " + arguments_.named.front().first);
  }

 private:
  std::string what_;
  Arguments arguments_;
  size_t next_ = 0;
};

// ---- strings ------------------------------------------------------------------------------------------------------

// str.strip: `characters` none means white space; sides are 1 (left) and 2 (right).
std::string strip(std::string_view text, const std::optional<std::string>& characters, int sides) {
  const auto set = characters ? code_points(*characters) : std::vector<std::string_view>();
  const auto drops = [&](std::string_view point) {
    return characters ? std::find(set.begin(), set.end(), point) != set.end() : is_space(point);
  };
  const auto points = code_points(text);
  size_t begin = 0, end = points.size();
  while ((sides & 1) != 0 && begin < end && drops(points[begin])) ++begin;
  while ((sides & 2) != 0 && begin < end && drops(points[end - 1])) --end;
  if (begin == end) return "";
  return std::string(points[begin].data(), points[end - 1].data() + points[end - 1].size());
}

std::string map_case(std::string_view text, utf8proc_int32_t (*change)(utf8proc_int32_t)) {
  std::string out;
  for (const std::string_view point : code_points(text)) {
    utf8proc_int32_t code = 0;
    utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(point.data()),
                     static_cast<utf8proc_ssize_t>(point.size()), &code);
    utf8proc_uint8_t bytes[4];
    const auto n = utf8proc_encode_char(change(code), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
  }
  return out;
}
std::string upper(std::string_view text) {
  return map_case(text, utf8proc_toupper);
}
std::string lower(std::string_view text) {
  return map_case(text, utf8proc_tolower);
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return "";
  const size_t first = code_points(text).front().size();
  return upper(text.substr(0, first)) + lower(text.substr(first));
}

// Words are runs of letters.
std::string title(std::string_view text) {
  std::string out;
  bool inside = false;
  for (const std::string_view point : code_points(text)) {
    const bool letter = upper(point) != lower(point);
    out += !letter ? std::string(point) : inside ? lower(point) : upper(point);
    inside = letter;
  }
  return out;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t count) {
  std::string out;
  size_t at = 0;
  if (from.empty()) {  // Python puts `to` before each character and at the end
    for (const std::string_view point : code_points(text)) {
      if (count != 0) out += to;
      if (count > 0) --count;
      out += point;
    }
    return count != 0 ? out + std::string(to) : out;
  }
  for (size_t next; count != 0 && (next = text.find(from, at)) != std::string_view::npos;
       at = next + from.size()) {
    out += text.substr(at, next - at);
    out += to;
    if (count > 0) --count;
  }
  return out + std::string(text.substr(at));
}

List split(std::string_view text, const Value& separator, int64_t limit, bool from_right) {
  std::vector<std::string> parts;
  if (separator.none()) {  // runs of white space separate, and are dropped at the ends
    if (limit >= 0) fail("split by white space with a limit is not supported");
    std::string part;
    for (const std::string_view point : code_points(text)) {
      if (!is_space(point)) {
        part += point;
      } else if (!part.empty()) {
        parts.push_back(std::exchange(part, ""));
      }
    }
    if (!part.empty()) parts.push_back(part);
  } else {
    if (separator.string() == nullptr) fail("split: the separator must be a string, not " + typed(separator));
    const std::string& mark = *separator.string();
    if (mark.empty()) fail("split: the separator is empty");
    while (limit != 0) {
      const size_t at = from_right ? text.rfind(mark) : text.find(mark);
      if (at == std::string_view::npos) break;
      parts.emplace_back(from_right ? text.substr(at + mark.size()) : text.substr(0, at));
      text = from_right ? text.substr(0, at) : text.substr(at + mark.size());
      if (limit > 0) --limit;
    }
    parts.emplace_back(text);
    if (from_right) std::reverse(parts.begin(), parts.end());
  }
  List list;
  for (std::string& part : parts) list.emplace_back(std::move(part));
  return list;
}

List split_lines(std::string_view text) {
  List lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find_first_of("\r\n", begin);
    if (end == std::string_view::npos) end = text.size();
    lines.emplace_back(std::string(text.substr(begin, end - begin)));
    begin = end + (text.substr(end).starts_with("\r\n") ? 2 : 1);
  }
  return lines;
}

// startswith and endswith take a string or several.
bool any_affix(const Value& affixes, const std::string& text, bool start) {
  if (const auto* affix = affixes.string()) return start ? text.starts_with(*affix) : text.ends_with(*affix);
  if (affixes.list() == nullptr) fail("startswith and endswith need a string, not " + typed(affixes));
  return std::any_of(affixes.list()->begin(), affixes.list()->end(),
                     [&](const Value& affix) { return any_affix(affix, text, start); });
}

int64_t find_text(std::string_view text, std::string_view wanted) {
  const size_t at = text.find(wanted);
  return at == std::string_view::npos ? -1 : static_cast<int64_t>(length_of(text.substr(0, at)));
}

int64_t count_text(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return static_cast<int64_t>(length_of(text)) + 1;
  int64_t n = 0;
  for (size_t at = 0; (at = text.find(wanted, at)) != std::string_view::npos; at += wanted.size()) ++n;
  return n;
}

Value string_method(const std::string& text, std::string_view name, Reader& in) {
  const auto characters = [&]() -> std::optional<std::string> {
    const auto value = in.take("chars");
    if (!value || value->none()) return std::nullopt;
    if (value->string() == nullptr) fail("strip: the characters must be a string, not " + typed(*value));
    return *value->string();
  };
  if (name == "strip") return strip(text, characters(), 3);
  if (name == "lstrip") return strip(text, characters(), 1);
  if (name == "rstrip") return strip(text, characters(), 2);
  if (name == "upper") return upper(text);
  if (name == "lower") return lower(text);
  if (name == "capitalize") return capitalize(text);
  if (name == "title") return title(text);
  if (name == "startswith") return any_affix(in.need("prefix"), text, true);
  if (name == "endswith") return any_affix(in.need("suffix"), text, false);
  if (name == "find") return find_text(text, in.text("sub"));
  if (name == "count") return count_text(text, in.text("sub"));
  if (name == "splitlines") return split_lines(text);
  if (name == "split" || name == "rsplit") {
    const Value separator = in.take("sep").value_or(None{});
    return split(text, separator, in.integer("maxsplit", -1), name == "rsplit");
  }
  const std::string from = in.text("old"), to = in.text("new");  // replace
  return replace(text, from, to, in.integer("count", -1));
}

constexpr std::array<std::string_view, 15> kStringMethods{
    "strip",    "lstrip", "rstrip", "upper",      "lower", "capitalize", "title",  "startswith",
    "endswith", "find",   "count",  "splitlines", "split", "rsplit",     "replace"};
constexpr std::array<std::string_view, 4> kDictMethods{"get", "items", "keys", "values"};

// ---- filters ------------------------------------------------------------------------------------------------------

List pairs(const Value& value) {
  if (value.undefined()) return {};
  if (value.dict() == nullptr) fail("items needs a mapping, not " + typed(value));
  List list;
  for (const auto& [key, member] : *value.dict()) list.push_back(List{key, member});
  return list;
}

// A dotted attribute of each element.
Value dotted(const Value& object, const std::string& path) {
  Value value = object;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    value = item(value, path.substr(begin, end - begin));
    begin = end + 1;
  }
  return value;
}

Value default_filter(const Value& input, Reader& in) {
  const Value fallback = in.take("default_value").value_or("");
  const bool falsy_too = in.flag("boolean", false);
  return input.undefined() || (falsy_too && !input.truthy()) ? fallback : input;
}

Value join(const Value& input, Reader& in) {
  const std::string separator = to_str(in.take("d").value_or(""));
  const auto path = in.take("attribute");
  std::string out;
  bool first = true;
  for (const Value& element : elements(input)) {
    if (!std::exchange(first, false)) out += separator;
    out += to_str(path ? dotted(element, to_str(*path)) : element);
  }
  return out;
}

Value length(const Value& input) {
  if (const auto* s = input.string()) return static_cast<int64_t>(length_of(*s));
  if (const auto* l = input.list()) return static_cast<int64_t>(l->size());
  if (const auto* d = input.dict()) return static_cast<int64_t>(d->size());
  if (input.undefined()) return int64_t{0};
  fail("an object of type " + typed(input) + " has no length");
}

Value tojson(const Value& input, Reader& in) {
  in.flag("ensure_ascii", false);
  const int64_t indent = in.integer("indent", -1);
  if (indent > 16) fail("tojson: an indent above 16");
  const bool sort = in.flag("sort_keys", false);
  std::string out;
  if (!to_json(input, static_cast<int>(indent), sort, out))
    fail("an object of type " + typed(input) + " has no JSON form");
  return out;
}

Value to_integer(const Value& input, Reader& in) {
  const int64_t fallback = in.integer("default", 0);
  if (const auto i = input.integer()) return *i;
  if (const auto d = input.number()) {
    if (!(std::fabs(*d) < 9e18)) return fallback;
    return static_cast<int64_t>(*d);
  }
  const std::string text = strip(to_str(input), std::nullopt, 3);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : fallback;
}

Value to_float(const Value& input, Reader& in) {
  const Value fallback = in.take("default").value_or(0.0);
  if (const auto d = input.number()) return *d;
  const std::string text = strip(to_str(input), std::nullopt, 3);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? Value(value) : fallback;
}

// select, reject, selectattr, rejectattr: the elements (or an attribute of them) that pass a test.
Value select(std::string_view name, const Value& input, Arguments arguments) {
  const bool keep = name.starts_with("select"), by_attribute = name.ends_with("attr");
  if (!arguments.named.empty()) fail(std::string(name) + " takes no named arguments");
  auto& list = arguments.positional;
  std::string path, test;
  for (std::string* text : {by_attribute ? &path : nullptr, &test}) {
    if (text == nullptr || list.empty()) continue;
    if (list.front().string() == nullptr) fail(std::string(name) + " needs names as strings");
    *text = *list.front().string();
    list.erase(list.begin());
  }
  if (by_attribute && path.empty()) fail(std::string(name) + " needs the name of an attribute");
  if (!test.empty() && !is_test(test)) fail("the test \"" + test + "\" is not supported");
  List out;
  for (const Value& element : elements(input)) {
    const Value subject = by_attribute ? dotted(element, path) : element;
    if ((test.empty() ? subject.truthy() : apply_test(test, subject, list)) == keep) out.push_back(element);
  }
  return out;
}

// map("filter", ...) or map(attribute="a.b", default=x)
Value map(const Value& input, Arguments arguments) {
  List out;
  if (!arguments.positional.empty()) {
    const std::string* filter = arguments.positional.front().string();
    if (filter == nullptr || !is_filter(*filter)) fail("map needs the name of a filter");
    const std::string name = *filter;
    arguments.positional.erase(arguments.positional.begin());
    for (const Value& element : elements(input)) out.push_back(apply_filter(name, element, arguments));
    return out;
  }
  Reader in("map", std::move(arguments));
  const std::string path = in.text("attribute");
  const auto fallback = in.take("default");
  in.done();
  for (const Value& element : elements(input)) {
    Value value = dotted(element, path);
    out.push_back(value.undefined() && fallback ? *fallback : std::move(value));
  }
  return out;
}

Value dictsort(const Value& input, Reader& in) {
  const bool case_sensitive = in.flag("case_sensitive", false);
  if (input.dict() == nullptr) fail("dictsort needs a mapping, not " + typed(input));
  Dict sorted = *input.dict();
  std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
    return case_sensitive ? a.first < b.first : lower(a.first) < lower(b.first);
  });
  return pairs(sorted);
}

Value reverse(const Value& input) {
  if (const auto* s = input.string()) {
    auto points = code_points(*s);
    std::string out;
    for (auto p = points.rbegin(); p != points.rend(); ++p) out += *p;
    return out;
  }
  List list = elements(input);
  std::reverse(list.begin(), list.end());
  return list;
}

Value first_or_last(const Value& input, bool first) {
  const List list = elements(input);
  if (list.empty()) return Undefined{first ? "first of an empty sequence" : "last of an empty sequence"};
  return first ? list.front() : list.back();
}

Value absolute(const Value& input) {
  if (const auto i = input.integer()) return binary(*i < 0 ? "-" : "+", int64_t{0}, *i);
  if (const auto d = input.number()) return std::fabs(*d);
  fail("abs needs a number, not " + typed(input));
}

constexpr std::array<std::string_view, 30> kFilters{
    "abs",    "capitalize", "count",  "d",          "default", "dictsort", "first",
    "float",  "int",        "items",  "join",       "last",    "length",   "list",
    "lower",  "map",        "reject", "rejectattr", "replace", "reverse",  "safe",
    "select", "selectattr", "string", "title",      "tojson",  "trim",     "upper"};

constexpr std::array<std::string_view, 24> kTests{
    "boolean", "defined", "divisibleby", "eq",     "equalto", "even",      "false", "float",
    "in",      "integer", "iterable",    "lower",  "mapping", "ne",        "none",  "number",
    "odd",     "sameas",  "sequence",    "string", "true",    "undefined", "upper"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
}

bool iterable(const Value& value) {
  return value.string() != nullptr || value.list() != nullptr || value.dict() != nullptr || value.undefined();
}

}  // namespace

bool is_filter(std::string_view name) {
  return contains(kFilters, name);
}
bool is_test(std::string_view name) {
  return contains(kTests, name);
}

bool is_method(const Value& object, std::string_view name) {
  if (object.string() != nullptr) return contains(kStringMethods, name);
  return object.dict() != nullptr && contains(kDictMethods, name);
}

Value call_method(const Value& object, std::string_view name, Arguments arguments) {
  Reader in(name, std::move(arguments));
  Value result;
  if (object.string() != nullptr) {
    result = string_method(*object.string(), name, in);
  } else if (name == "get") {
    const std::string key = to_str(in.need("key"));
    const Value fallback = in.take("default").value_or(None{});
    const Value* member = find(*object.dict(), key);
    result = member != nullptr ? *member : fallback;
  } else if (name == "items") {
    result = pairs(object);
  } else {
    List list;
    for (const auto& [key, member] : *object.dict()) list.push_back(name == "keys" ? Value(key) : member);
    result = list;
  }
  in.done();
  return result;
}

Value apply_filter(std::string_view name, const Value& input, Arguments arguments) {
  if (name == "map") return map(input, std::move(arguments));
  if (name.starts_with("select") || name.starts_with("reject"))
    return select(name, input, std::move(arguments));
  Reader in(name, std::move(arguments));
  Value result;
  if (name == "trim") {
    const auto characters = in.take("chars");
    result = strip(to_str(input),
                   characters && !characters->none() ? std::optional(to_str(*characters)) : std::nullopt, 3);
  } else if (name == "tojson") {
    result = tojson(input, in);
  } else if (name == "length" || name == "count") {
    result = length(input);
  } else if (name == "default" || name == "d") {
    result = default_filter(input, in);
  } else if (name == "join") {
    result = join(input, in);
  } else if (name == "replace") {
    const std::string from = to_str(in.need("old")), to = to_str(in.need("new"));
    result = replace(to_str(input), from, to, in.integer("count", -1));
  } else if (name == "int") {
    result = to_integer(input, in);
  } else if (name == "float") {
    result = to_float(input, in);
  } else if (name == "dictsort") {
    result = dictsort(input, in);
  } else if (name == "upper" || name == "lower") {
    result = name == "upper" ? upper(to_str(input)) : lower(to_str(input));
  } else if (name == "capitalize" || name == "title") {
    result = name == "title" ? title(to_str(input)) : capitalize(to_str(input));
  } else if (name == "first" || name == "last") {
    result = first_or_last(input, name == "first");
  } else if (name == "string" || name == "safe") {
    result = to_str(input);
  } else if (name == "list") {
    result = elements(input);
  } else if (name == "items") {
    result = pairs(input);
  } else if (name == "reverse") {
    result = reverse(input);
  } else {
    result = absolute(input);
  }
  in.done();
  return result;
}

bool apply_test(std::string_view name, const Value& input, const std::vector<Value>& arguments) {
  const auto argument = [&]() -> const Value& {
    if (arguments.size() != 1) fail("the test " + std::string(name) + " needs one argument");
    return arguments.front();
  };
  const auto integer = [&](const Value& value) {
    if (!value.integer()) fail("the test " + std::string(name) + " needs an integer, not " + typed(value));
    return *value.integer();
  };
  if (name == "eq" || name == "equalto") return equal(input, argument());
  if (name == "ne") return !equal(input, argument());
  if (name == "sameas") return input.data().index() == argument().data().index() && equal(input, argument());
  if (name == "in") return compare("in", input, argument());
  if (name == "divisibleby") {
    if (integer(argument()) == 0) fail("division by zero");
    return integer(input) % integer(argument()) == 0;
  }
  if (!arguments.empty()) fail("the test " + std::string(name) + " takes no argument");
  if (name == "defined") return !input.undefined();
  if (name == "undefined") return input.undefined();
  if (name == "none") return input.none();
  if (name == "string") return input.string() != nullptr;
  if (name == "mapping") return input.dict() != nullptr;
  if (name == "sequence" || name == "iterable") return iterable(input);
  if (name == "boolean") return input.get<bool>() != nullptr;
  if (name == "true" || name == "false")
    return input.get<bool>() != nullptr && *input.get<bool>() == (name == "true");
  if (name == "integer") return input.get<int64_t>() != nullptr;
  if (name == "float") return input.get<double>() != nullptr;
  if (name == "number") return input.number().has_value();
  if (name == "odd") return integer(input) % 2 != 0;
  if (name == "even") return integer(input) % 2 == 0;
  const std::string text = to_str(input);  // lower, upper: at least one letter, and all of that case
  return upper(text) != lower(text) && text == (name == "upper" ? upper(text) : lower(text));
}

}  // namespace tenon::chat
