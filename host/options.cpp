// One component's options: what the file says, held against the plugin's option table.
// SPDX-License-Identifier: Apache-2.0
#include "host/options.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <optional>
#include <set>

#include "host/option_values.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

constexpr int kMaxTableDepth = 8;

bool is_list(const tenon_option& option) {
  return option.flags & TENON_O_LIST;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> enum_names(const tenon_option& option) {
  std::vector<std::string> names;
  for (const char* const* name = option.enum_values; *name != nullptr; ++name) names.emplace_back(*name);
  return names;
}

// "between 0 and 1", "at least 1 tokens"; what the bounds of a number allow.
std::string allowed_range(const tenon_option& option) {
  const std::string unit = option.unit != nullptr ? std::string(" ") + option.unit : "";
  const char *min = option.min_json, *max = option.max_json;
  if (min != nullptr && max != nullptr)
    return "between " + plain_json(min) + " and " + plain_json(max) + unit;
  return (min != nullptr ? "at least " + plain_json(min) : "at most " + plain_json(max)) + unit;
}

// A whole number that an int64 cannot hold.
bool exceeds_int64(const std::string& text) {
  const std::optional<double> number = parse_float(text);
  return number && std::abs(*number) >= 0x1p63 && text.find('.') == std::string::npos;
}

// Checks values one by one; `out` collects them.
class Checker {
 public:
  Checker(const OptionContext& context, Diagnostics& diagnostics, CheckedOptions& out)
      : context_(context), diagnostics_(diagnostics), out_(out) {}

  // The options of one table: those that are given, then the defaults. `mark` is where the map stands.
  json::object check_map(const tenon_option* const* table, const std::vector<Entry>& entries,
                         const std::string& prefix, const Mark& mark, bool is_default) {
    for (const Entry& entry : entries)
      if (find_option(table, entry.key) == nullptr || entry.key.find('.') != std::string::npos)
        report_unknown(table, entry, prefix);

    json::object values;
    if (table == nullptr) return values;
    for (; *table != nullptr; ++table) {
      const tenon_option& option = **table;
      auto entry =
          std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == option.name; });
      std::optional<json::value> value = entry != entries.end()
                                             ? check_given(option, *entry, prefix + option.name, is_default)
                                             : check_absent(option, prefix + option.name, mark);
      if (value) values[option.name] = std::move(*value);
    }
    return values;
  }

 private:
  using Result = std::optional<json::value>;

  std::string full(const std::string& path) const {
    return context_.path.empty() ? path : context_.path + "." + path;
  }

  Result fail(const Mark& mark, const std::string& path, const std::string& message) {
    diagnostics_.error(mark, full(path), message);
    return std::nullopt;
  }

  void report_unknown(const tenon_option* const* table, const Entry& entry, const std::string& prefix) {
    if (entry.key.starts_with("x-")) return;
    std::vector<std::string> names = option_names(table);
    std::string hint = did_you_mean(entry.key, names);
    if (hint.empty()) hint = names.empty() ? " It has no options." : " Its options: " + join(names) + ".";
    diagnostics_.error(entry.key_mark, full(prefix + entry.key),
                       "unknown option of " + context_.owner + "." + hint);
  }

  Result check_given(const tenon_option& option, const Entry& entry, const std::string& path,
                     bool is_default) {
    bool has_children_of_its_own = option.type == TENON_T_OBJECT && !is_list(option);
    if (!is_default && !has_children_of_its_own) out_.marks[path] = entry.key_mark;
    if ((option.flags & TENON_O_DEPRECATED) && !is_default)
      diagnostics_.warning(entry.key_mark, full(path),
                           std::string("this option is deprecated: ") + option.doc);
    Result value = check_value(option, entry.value, path, is_default);
    if (context_.is_resolved && value && *value == default_of(option, path)) out_.marks.erase(path);
    return value;
  }

  // What presets give for the option at `path`; nullptr: nothing.
  const Value* preset_value(const std::string& path) const {
    const std::vector<Entry>* entries = &context_.defaults;
    for (size_t begin = 0;;) {
      const size_t dot = path.find('.', begin);
      const std::string key = path.substr(begin, dot - begin);
      const auto entry =
          std::find_if(entries->begin(), entries->end(), [&](const Entry& e) { return e.key == key; });
      if (entry == entries->end()) return nullptr;
      if (dot == std::string::npos) return &entry->value;
      entries = &entry->value.entries;
      begin = dot + 1;
    }
  }

  json::value default_of(const tenon_option& option, const std::string& path) const {
    const Value* preset = preset_value(path);
    if (preset == nullptr && option.default_json == nullptr) return nullptr;
    Diagnostics ignored;
    CheckedOptions aside;
    return Checker(context_, ignored, aside)
        .check_value(option, preset != nullptr ? *preset : parse_yaml("", option.default_json), "", true)
        .value_or(nullptr);
  }

  Result check_absent(const tenon_option& option, const std::string& path, const Mark& mark) {
    if (const Value* preset = preset_value(path)) {
      out_.preset_marks[path] = preset->mark;
      return check_value(option, *preset, path, true);
    }
    if (option.default_json != nullptr)
      return check_value(option, parse_yaml("", option.default_json), path, true);
    if (option.flags & TENON_O_REQUIRED)
      return fail(mark, path, "is missing: " + type_name(option) + ". " + option.doc);
    if (option.type == TENON_T_OBJECT && !is_list(option) && !needs_children(option))
      return check_map(option.children, {}, path + ".", mark, true);
    return std::nullopt;
  }

  static bool needs_children(const tenon_option& option) {
    for (const tenon_option* const* child = option.children; child != nullptr && *child != nullptr; ++child)
      if ((*child)->flags & TENON_O_REQUIRED) return true;
    return false;
  }

  Result check_value(const tenon_option& option, const Value& value, const std::string& path,
                     bool is_default) {
    if (value.is_null())
      return fail(value.mark, path,
                  "is empty: give " + with_article(type_name(option)) + ", or leave the line out");
    if (!is_list(option)) return check_element(option, value, path, is_default);
    if (!value.is_list())
      return fail(value.mark, path, "takes a list; put " + describe(value) + " in brackets: [ ]");
    json::array array;
    for (size_t i = 0; i < value.items.size(); ++i) {
      const Value& item = value.items[i];
      const std::string item_path = path + "." + std::to_string(i);
      Result element = item.is_null() ? fail(item.mark, item_path, "is empty")
                                      : check_element(option, item, item_path, is_default);
      array.push_back(element ? std::move(*element) : nullptr);
    }
    if (value.items.empty() && (option.flags & TENON_O_REQUIRED))
      return fail(value.mark, path, "is an empty list; give at least one");
    return array;
  }

  Result check_element(const tenon_option& option, const Value& value, const std::string& path,
                       bool is_default) {
    if (option.type == TENON_T_REF) return check_reference(option, value, path, is_default);
    if (option.type == TENON_T_OBJECT) {
      if (!value.is_map()) return fail(value.mark, path, "takes a map, not " + describe(value));
      return check_map(option.children, value.entries, path + ".", value.mark, is_default);
    }
    if (!value.is_scalar())
      return fail(value.mark, path, "takes " + with_article(type_name(option)) + ", not " + describe(value));
    return check_scalar(option, value, path);
  }

  Result check_scalar(const tenon_option& option, const Value& value, const std::string& path) {
    switch (option.type) {
      case TENON_T_STR:
        return json::string(value.text);
      case TENON_T_PATH:
        return check_path(value, path);
      case TENON_T_ENUM:
        return check_enum(option, value, path);
      case TENON_T_BOOL:
        if (!value.quoted && (value.text == "true" || value.text == "false")) return value.text == "true";
        return fail(value.mark, path, describe(value) + " is not a bool; write true or false");
      case TENON_T_DURATION:
        return check_number(option, value, path, parse_duration(value.text),
                            "a duration, for example 30s, 5m or 1h30m");
      case TENON_T_BYTES:
        return check_number(option, value, path, parse_bytes(value.text),
                            "a size, for example 4096, 64MiB or 2GB");
      case TENON_T_INT:
        return check_number(option, value, path, parse_int(value.text), "a whole number");
      default:
        return check_number(option, value, path, parse_float(value.text), "a number");
    }
  }

  template <class T>
  Result check_number(const tenon_option& option, const Value& value, const std::string& path,
                      std::optional<T> number, const char* expected) {
    bool is_text = value.quoted && (option.type == TENON_T_INT || option.type == TENON_T_FLOAT);
    if (is_text && number)
      return fail(value.mark, path, describe(value) + " is a text; write it without quotes");
    const bool is_bounded = option.min_json != nullptr || option.max_json != nullptr;
    if (!number && option.type == TENON_T_INT && exceeds_int64(value.text))
      return fail(value.mark, path,
                  value.text + " is out of range: allowed is between " +
                      (option.min_json != nullptr ? option.min_json : "-9223372036854775808") + " and " +
                      (option.max_json != nullptr ? option.max_json : "9223372036854775807"));
    if (!number)
      return fail(value.mark, path,
                  describe(value) + " is not " + expected +
                      (is_bounded ? "; allowed is " + allowed_range(option) : ""));
    auto min = parse_bound(option, option.min_json), max = parse_bound(option, option.max_json);
    auto n = static_cast<long double>(*number);
    if ((min && n < *min) || (max && n > *max))
      return fail(value.mark, path, value.text + " is out of range: allowed is " + allowed_range(option));
    return json::value(*number);
  }

  Result check_enum(const tenon_option& option, const Value& value, const std::string& path) {
    std::vector<std::string> names = enum_names(option);
    if (std::find(names.begin(), names.end(), value.text) != names.end()) return json::string(value.text);
    return fail(value.mark, path,
                describe(value) + " is not one of " + join(names) + "." + did_you_mean(value.text, names));
  }

  Result check_path(const Value& value, const std::string& path) {
    if (value.text.empty()) return fail(value.mark, path, "is an empty path");
    if (context_.folder.empty()) return json::string(value.text);
    std::filesystem::path absolute = (context_.folder / value.text).lexically_normal();
    const std::string file = file_of(absolute.string());
    std::error_code error;
    if (!std::filesystem::exists(file, error))
      return fail(value.mark, path,
                  "no such file or folder: " + file +
                      (absolute == std::filesystem::path(value.text)
                           ? ""
                           : " (paths start from the configuration's folder)"));
    return json::string(absolute.string());
  }

  // "name", {of: name, …} or {use: id, …}.
  Result check_reference(const tenon_option& option, const Value& value, const std::string& path,
                         bool is_default) {
    Reference reference;
    reference.option = &option;
    reference.path = path;
    reference.is_default = is_default;
    const Value* name = &value;
    std::vector<Entry> attributes;
    if (value.is_map()) {
      const Value *of = value.find("of"), *use = value.find("use");
      if ((of == nullptr) == (use == nullptr))
        return fail(value.mark, path,
                    std::string("takes a name, {of: name, …} or {use: plugin, …}") +
                        (of == nullptr ? "; it has neither `of` nor `use`" : "; it has both `of` and `use`"));
      name = use != nullptr ? use : of;
      reference.in_place = use != nullptr;
      for (const Entry& entry : value.entries) {
        if (&entry.value == name) continue;
        bool attribute = find_option(option.children, entry.key) != nullptr;
        (attribute ? attributes : reference.options).push_back(entry);
      }
    }
    if (!name->is_scalar() || name->text.empty())
      return fail(name->mark, path,
                  "takes the name of " + with_article(option.ref_kind) + ", not " + describe(*name));
    reference.name = name->text;
    reference.round_before = name->round_before;
    reference.mark = name->mark;

    json::value written = to_json(value);
    if (option.children != nullptr && option.children[0] != nullptr) {
      json::object object = value.is_map() ? written.as_object() : json::object{{"of", name->text}};
      for (auto& [key, attribute] :
           check_map(option.children, attributes, path + ".", value.mark, is_default))
        object[key] = attribute;
      written = std::move(object);
    } else if (!value.is_map()) {
      written = json::string(value.text);
    }
    out_.references.push_back(std::move(reference));
    return written;
  }

  const OptionContext& context_;
  Diagnostics& diagnostics_;
  CheckedOptions& out_;
};

// ---- The table itself -----------------------------------------------------------------------------------------------------------------

bool valid_json(const char* text) {
  json::error_code error;
  json::parse(text, error);
  return !error;
}

std::string check_default(const tenon_option& option) {
  if (option.default_json == nullptr) return "";
  if (option.flags & TENON_O_REQUIRED) return "is required and has a default";
  if (!valid_json(option.default_json))
    return std::string("has a default that is not JSON: ") + option.default_json;
  // Through the same gate as the user's values.
  tenon_option copy = option;
  copy.flags &= ~static_cast<uint32_t>(TENON_O_DEPRECATED);
  const tenon_option* table[] = {&copy, nullptr};
  Diagnostics diagnostics;
  OptionContext nowhere;
  CheckedOptions out;
  Checker(nowhere, diagnostics, out).check_map(table, {}, "", {}, true);
  return diagnostics.has_errors()
             ? std::string("has a default that its own rules refuse: ") + diagnostics.sorted().front().message
             : "";
}

std::string check_children(const tenon_option* const* table, int depth);

std::string check_option(const tenon_option& option, int depth) {
  if (option.doc == nullptr || *option.doc == '\0') return "has no doc text";
  if (option.type < TENON_T_BOOL || option.type > TENON_T_REF)
    return "has the unknown type " + std::to_string(option.type);
  if (option.type == TENON_T_ENUM && (option.enum_values == nullptr || option.enum_values[0] == nullptr))
    return "is a choice without choices";
  if (option.type == TENON_T_REF && option.ref_kind == nullptr) return "is a reference without a kind";
  if (option.type == TENON_T_OBJECT && option.children == nullptr) return "is a map without options";
  for (const char* bound : {option.min_json, option.max_json})
    if (bound != nullptr && !parse_bound(option, bound))
      return std::string("has a bound that is not a number: ") + bound;
  if (std::string why = check_children(option.children, depth + 1); !why.empty()) return why;
  return check_default(option);
}

std::string check_children(const tenon_option* const* table, int depth) {
  if (table == nullptr) return "";
  if (depth > kMaxTableDepth)
    return "has options nested deeper than " + std::to_string(kMaxTableDepth) + " levels";
  std::set<std::string> names;
  for (; *table != nullptr; ++table) {
    const tenon_option& option = **table;
    if (!TENON_HAS(&option, tenon_option, ref_kind) || option.name == nullptr || *option.name == '\0')
      return "has an option without a name";
    if (!names.insert(option.name).second) return std::string("has the option \"") + option.name + "\" twice";
    if (std::string why = check_option(option, depth); !why.empty())
      return std::string("option \"") + option.name + "\" " + why;
  }
  return "";
}

}  // namespace

CheckedOptions check_options(const tenon_option* const* table, const std::vector<Entry>& entries,
                             const OptionContext& context, Diagnostics& diagnostics) {
  CheckedOptions out;
  out.values = Checker(context, diagnostics, out).check_map(table, entries, "", context.mark, false);
  return out;
}

std::string check_table(const tenon_option* const* table) {
  return check_children(table, 0);
}

std::vector<std::string> option_names(const tenon_option* const* table) {
  std::vector<std::string> names;
  for (; table != nullptr && *table != nullptr; ++table) names.emplace_back((*table)->name);
  return names;
}

}  // namespace tenon::host
