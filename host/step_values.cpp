// The values of one step.
// SPDX-License-Identifier: Apache-2.0
#include "host/step_values.h"

#include <algorithm>

namespace tenon::host {

std::string name_fault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) return "has more than " + std::to_string(kMaxNameBytes) + " bytes";
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
    return "has a control character";
  if (name == "stage" || name == "step") return "is \"" + std::string(name) + "\", a field of every line";
  return "";
}

}  // namespace tenon::host
