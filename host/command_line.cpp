// The command line: which commands there are and what they take.
// SPDX-License-Identifier: Apache-2.0
#include "host/command_line.h"

#include <iostream>

namespace tenon::host {

const char* version() { return TENON_VERSION; }

int command_line(int, char**) {
  std::cout << "tenon " << version() << '\n';
  return kExitOk;
}

}  // namespace tenon::host
