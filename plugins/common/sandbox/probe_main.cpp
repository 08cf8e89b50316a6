// tenon-sandbox-probe: which ways to wall in untrusted programs work on this machine, one line each. Exit status 1 where only system-call filtering or nothing does.
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "sandbox/sandbox.h"

int main() {
  bool files = false;
  for (const std::string& line : tenon::sandbox::probe()) {
    std::printf("%s\n", line.c_str());
    files |= !line.starts_with(tenon::sandbox::name_of(tenon::sandbox::Layer::kSeccomp)) &&
             line.find(": works") != std::string::npos;
  }
  return files ? 0 : 1;
}
