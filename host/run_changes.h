// In what a configuration differs from the one that made a run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tenon::host {

// The values that results depend on (all of `components` and `pipeline` but checkpoint_every, and run.seed) and that differ between two resolved
// configurations: "components.algorithm.use: grpo → rloo", "pipeline.zero is new". Where `use` differs, the options below are not named. Throws UserError
// where one is no YAML.
std::vector<std::string> config_changes(const std::string& before, const std::string& now);

// The first three, "; " between them, then how many more there are.
std::string changes_text(const std::vector<std::string>& changes);

// The configuration that made the run in `folder`, absolute; empty: none is recorded. Throws RunError if its manifest is damaged.
std::filesystem::path recorded_config(const std::filesystem::path& folder);

}  // namespace tenon::host
