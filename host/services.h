// The table of services that a component is given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/abi.h"

namespace tenon::host {

class Instance;

// A table whose functions speak for `instance`, which outlives it; `place` is its name in the run and must stay where it is.
tenon_host make_host_table(Instance* instance, const char* place, uint64_t seed, uint32_t threads);

}  // namespace tenon::host
