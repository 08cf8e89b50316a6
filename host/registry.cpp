// Components by kind and id.
// SPDX-License-Identifier: Apache-2.0
#include "host/registry.h"

#include <algorithm>

#include "host/diagnostics.h"
#include "host/loader.h"

namespace tenon::host {

std::vector<std::string> Registry::add(const LoadedPlugin& plugin) {
  std::vector<std::string> left_out;
  for (const tenon_component* const* c = plugin.descriptor->components; *c != nullptr; ++c) {
    bool added =
        components_.emplace(std::pair((*c)->kind, (*c)->id), RegisteredComponent{*c, &plugin}).second;
    if (!added) left_out.emplace_back((*c)->id);
  }
  return left_out;
}

const RegisteredComponent* Registry::find(std::string_view kind, std::string_view id) const {
  auto found = components_.find(std::pair(std::string(kind), std::string(id)));
  return found == components_.end() ? nullptr : &found->second;
}

std::vector<RegisteredComponent> Registry::all() const {
  std::vector<RegisteredComponent> all;
  for (const auto& [key, component] : components_) all.push_back(component);
  return all;
}

bool is_kind(std::string_view kind) {
  return std::any_of(std::begin(kKinds), std::end(kKinds), [&](const char* known) { return kind == known; });
}

void check_kind(const std::string& kind) {
  if (is_kind(kind)) return;
  std::string all;
  for (const char* known : kKinds) all += (all.empty() ? "" : ", ") + std::string(known);
  throw UserError("there is no kind \"" + kind + "\"." +
                  did_you_mean(kind, {std::begin(kKinds), std::end(kKinds)}) + " The kinds are: " + all +
                  ".");
}

}  // namespace tenon::host
