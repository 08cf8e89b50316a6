// The components of all plugins that have been opened, by kind and id.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/abi.h"

namespace tenon::host {

struct LoadedPlugin;  // loader.h

// Pointers live as long as the process.
struct RegisteredComponent {
  const tenon_component* component = nullptr;
  const LoadedPlugin* plugin = nullptr;
};

class Registry {
 public:
  // Adds the components of a plugin. Of two with the same kind and id the first stays; returns the ids of
  // those that were left out.
  std::vector<std::string> add(const LoadedPlugin& plugin);
  // nullptr: not there.
  const RegisteredComponent* find(std::string_view kind, std::string_view id) const;
  // All, by kind and id.
  std::vector<RegisteredComponent> all() const;

 private:
  std::map<std::pair<std::string, std::string>, RegisteredComponent, std::less<>> components_;
};

// The kinds of components, in the order of the documentation.
inline constexpr const char* kKinds[] = {"dataset",   "tokenizer", "model", "sampler", "reward",
                                         "algorithm", "optimizer", "stage", "sink",    "communicator"};
bool is_kind(std::string_view kind);
// Throws UserError that lists the kinds if this is none.
void check_kind(const std::string& kind);

}  // namespace tenon::host
