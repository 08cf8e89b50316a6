// `tenon explain`: how the tokens of one sample came to their gradients, from what a run recorded.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tenon::host {

struct ExplainArguments {
  std::filesystem::path run;  // the run's folder
  std::string stage;          // empty: the only one that has traces
  std::optional<uint64_t> step, sample;
  std::optional<uint64_t> token;  // of the completion; without it all of them, in a table
  std::vector<std::filesystem::path> plugin_path;
  bool json = false;
};

// Reads the trace of the step, has the run's algorithm compute advantages and gradients again, and prints the sample's. kExitOk: all numbers
// of the step have the recorded bits; kExitFailed: the first that has not is named. Throws UserError for what is not there, with what there is.
int explain_command(const ExplainArguments& arguments);

}  // namespace tenon::host
