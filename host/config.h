// The configuration file as a tree of values that remember where they were written.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/diagnostics.h"
#include "host/mark.h"

namespace tenon::host {

struct Entry;

struct Value {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;     // of a scalar
  bool quoted = false;  // the scalar was quoted (or tagged !!str): text, whatever it looks like
  std::string
      round_before;  // of a scalar in a loop's `then`: "loop.1.", where a stage that it names is looked for first
  std::vector<Value> items;    // of a list
  std::vector<Entry> entries;  // of a map, in the order of the file; keys are unique

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  // The value of a key of a map, or nullptr.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
};

struct Entry {
  std::string key;
  Mark key_mark;
  Value value;
};

// What a file may have at most; beyond it is a mistake, not a configuration.
inline constexpr size_t kMaxConfigBytes = 4 << 20;
inline constexpr size_t kMaxConfigDepth = 64;
inline constexpr size_t kMaxConfigValues = 200'000;  // after aliases are expanded

// Parses one YAML document. Anchors, aliases and merge keys (`<<`) are resolved; marks are of where a value
// was first written. A broken text, a key given twice, a second document or a text beyond the limits throws
// UserError with the place. `file` is the name for the marks.
Value parse_yaml(const std::string& file, std::string_view text);

// Reads and parses `file`, registers its text with `diagnostics`, then applies the overrides in order. An
// override is "a.b.c=value": keys by name, list elements by their number or their `name`, the value parsed as
// YAML. All but the last part of the path must be there already. Throws UserError.
Value load_config(const std::filesystem::path& file, const std::vector<std::string>& set,
                  Diagnostics& diagnostics);

// One override; `number` is its line in the marks (1 for the first --set). free_from: the part of a path, from 0, from which on the parts between need not be
// there already.
void apply_set(Value& root, const std::string& assignment, int number, size_t free_from = 2);

// "a list", "a map", "\"text\"", "nothing": the value in an error message.
std::string describe(const Value& value);

}  // namespace tenon::host
