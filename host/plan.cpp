// Whom a message about an option is for.
// SPDX-License-Identifier: Apache-2.0
#include "host/plan.h"

namespace tenon::host {

Blame Spec::blame(std::string path) const {
  while (true) {
    if (auto written = marks.find(path); written != marks.end()) return {written->second};
    if (auto given = preset_marks.find(path); given != preset_marks.end()) return {given->second, true};
    const size_t dot = path.rfind('.');
    if (dot == std::string::npos) return {mark};
    path.resize(dot);
  }
}

}  // namespace tenon::host
