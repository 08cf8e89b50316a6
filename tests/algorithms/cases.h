// What the matrix has rows for: every algorithm plugin of the build, by itself, with each of its presets, and with options that no preset has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "tenon/abi.h"

namespace tenon::test {

struct Case {
  std::string name;  // "grpo", "grpo/dapo", "grpo+population"
  const tenon_component* component;
  std::map<std::string, std::string> options;  // by path, JSON text
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

// Opens the plugins; throws Error for one that cannot be opened.
std::vector<Case> all_cases();

// The component that a plugin's file has; NULL if there is no such file. Throws Error if it cannot be opened.
const tenon_component* load_component(const std::string& file);
// The component of algorithm `id`; NULL if the build has none.
const tenon_component* find_algorithm(const std::string& id);
// With its defaults, a preset of its own, or options; throws Error if the build has no such algorithm or it has no such preset.
Case algorithm_case(const std::string& id, const std::string& preset = "",
                    std::map<std::string, std::string> options = {});

}  // namespace tenon::test
