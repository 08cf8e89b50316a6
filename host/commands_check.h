// `tenon check`: everything that is wrong with a configuration, without writing anything.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tenon::host {

struct CheckArguments {
  std::filesystem::path config;
  std::vector<std::string> set;
  std::vector<std::filesystem::path> plugin_path;
  bool create = false;  // go on to creating every component, which opens files and LibTorch
  bool data = false;    // go on to showing every row of the data sets to the rewards
  bool json = false;
};

// Prints mistakes to stderr (with `json`, everything to stdout as one object); returns an exit code of
// command_line.h.
int check_command(const CheckArguments& arguments);

}  // namespace tenon::host
