// Presets: published variants of a component as named sets of options.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/config.h"
#include "host/diagnostics.h"
#include "tenon/abi.h"

namespace tenon::host {

// A component's presets, in its order.
std::vector<const tenon_preset*> presets_of(const tenon_component& component);

// What is wrong with them, as the end of a sentence that begins with the component; empty: nothing. Every option
// of `options_json` must be one of the component's table and have a value that the table allows.
std::string check_presets(const tenon_component& component);

// Ends a message about an option's value that stands in no file.
inline constexpr char kFromPreset[] = " (this preset gives the option; state it to change it)";

// A preset that a configuration names.
struct PresetChoice {
  const tenon_preset* preset = nullptr;
  Mark mark;  // of the name
};

// Takes `preset` out of what is written of a component, unless `preset` is an option of the component itself.
// Nothing: there is none, or it is wrong, which is then in the diagnostics.
std::optional<PresetChoice> take_preset(const tenon_component& component, std::vector<Entry>& written,
                                        const std::string& path, Diagnostics& diagnostics);

// The options that options_json or stage_json gives, all standing at `mark`; nullptr: none.
std::vector<Entry> preset_entries(const char* json, const Mark& mark);
boost::json::object preset_object(const char* json);

// The preset written out as YAML, with comments: the component's options, then those of the stage that has it.
std::string preset_yaml(const tenon_component& component, const tenon_preset& preset);

}  // namespace tenon::host
