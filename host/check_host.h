// Runs a component's own rules between options (tenon_life.check) without creating it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "host/diagnostics.h"
#include "host/plan.h"

namespace tenon::host {

// Calls life.check of the component, if it has one, with a table that answers nothing but options. Findings
// are reported at the place of the option they name, or at the component's; `path` goes before the option's
// ("pipeline.base"). Fills in spec.idle.
void run_life_check(Spec& spec, const std::string& path, uint32_t threads, Diagnostics& diagnostics);

}  // namespace tenon::host
