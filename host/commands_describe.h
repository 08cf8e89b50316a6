// `tenon describe`: what a component is and which options it has; with --markdown, docs/configuration.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tenon::host {

struct DescribeArguments {
  std::string id;    // of the component, "jsonl" or "dataset/jsonl"; empty: all
  std::string kind;  // empty: every kind, or the one in `id`
  std::vector<std::filesystem::path> plugin_path;
  bool markdown = false;
  bool json = false;
};

int describe_command(const DescribeArguments& arguments);

}  // namespace tenon::host
