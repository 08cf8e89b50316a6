// `tenon doctor`: what this machine has, and which plugins cannot be used here and why.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

namespace tenon::host {

struct DoctorArguments {
  std::vector<std::filesystem::path> plugin_path;
  bool json = false;
};

// Exit code 0, also if something is missing: the answer says what.
int doctor_command(const DoctorArguments& arguments);

}  // namespace tenon::host
