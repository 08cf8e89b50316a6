// One component's options: what the file says, held against the plugin's option table.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/config.h"
#include "host/diagnostics.h"
#include "tenon/abi.h"

namespace tenon::host {

// A reference as it was written, without the attributes of the option.
struct Reference {
  const tenon_option* option = nullptr;
  std::string path;            // "rewards.0"
  bool in_place = false;       // `use:` a plugin, not `of:` a name
  std::string name;            // the component, stage or plugin
  std::string round_before;    // as Value::round_before
  Mark mark;                   // of the name
  std::vector<Entry> options;  // of the component: the overrides of `of`, the options of `use`
  bool is_default = false;     // not written in the file
};

struct CheckedOptions {
  boost::json::object values;                // as Spec::options
  std::map<std::string, Mark> marks;         // as Spec::marks
  std::map<std::string, Mark> preset_marks;  // as Spec::preset_marks
  std::vector<Reference> references;         // in the order of the table
};

// Where a component's options stand, for messages and for what is missing.
struct OptionContext {
  std::string path;              // "pipeline.base", before the option's own path
  Mark mark;                     // of the component, for what is missing
  std::string owner;             // "grpo 1.0.0 (algorithm)"
  std::filesystem::path folder;  // that relative paths start from
  // The file was written by this program with all defaults filled in: an option that has its default's value
  // counts as not stated.
  bool is_resolved = false;
  // What presets give: defaults that go before those of the table.
  std::vector<Entry> defaults{};
};

// Checks `entries` (keys that begin with "x-" are skipped) against `table` and fills in the defaults. Every
// mistake goes into `diagnostics`.
CheckedOptions check_options(const tenon_option* const* table, const std::vector<Entry>& entries,
                             const OptionContext& context, Diagnostics& diagnostics);

// What is wrong with the table itself: types, defaults, bounds, as the end of a sentence; empty: nothing.
std::string check_table(const tenon_option* const* table);

// The names of a table's options.
std::vector<std::string> option_names(const tenon_option* const* table);

}  // namespace tenon::host
