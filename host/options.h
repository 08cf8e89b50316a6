// One component's options: what the file says, held against the plugin's option table.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config.h"
#include "host/diagnostics.h"
#include "tenon/abi.h"

namespace tenon::host {

// The option at `path` ("schedule.kind", "rewards", "rewards.0", "rewards.0.weight") of a table; nullptr: there is none.
const tenon_option* find_option(const tenon_option* const* table, std::string_view path);

// The value at such a path of Spec::options; nullptr: absent.
const boost::json::value* find_value(const boost::json::object& options, std::string_view path);

// A reference as it was written, without the attributes of the option.
struct Reference {
  const tenon_option* option = nullptr;
  std::string path;                   // "rewards.0"
  bool in_place = false;              // `use:` a plugin, not `of:` a name
  std::string name;                   // the component, stage or plugin
  Mark mark;                          // of the name
  std::vector<Entry> options;         // of the component: the overrides of `of`, the options of `use`
  bool is_default = false;            // not written in the file
};

struct CheckedOptions {
  boost::json::object values;         // as Spec::options
  std::map<std::string, Mark> marks;  // as Spec::marks
  std::vector<Reference> references;  // in the order of the table
};

// Where a component's options stand, for messages and for what is missing.
struct OptionContext {
  std::string path;             // "pipeline.base", before the option's own path
  Mark mark;                    // of the component, for what is missing
  std::string owner;            // "grpo 1.0.0 (algorithm)"
  std::filesystem::path folder; // that relative paths start from
};

// Checks `entries` (keys that begin with "x-" are skipped) against `table` and fills in the defaults. Every mistake goes into `diagnostics`.
CheckedOptions check_options(const tenon_option* const* table, const std::vector<Entry>& entries, const OptionContext& context,
                             Diagnostics& diagnostics);

// What is wrong with the table itself: types, defaults, bounds. Empty: nothing.
std::string check_table(const tenon_option* const* table);

// "int", "float", "list of reward references"…
std::string type_name(const tenon_option& option);

// "10s", "1h30m", "2.5" (seconds) to seconds; "64MiB", "1e6" to bytes. Nothing if the text is not one.
std::optional<double> parse_duration(std::string_view text);
std::optional<int64_t> parse_bytes(std::string_view text);

}  // namespace tenon::host
