// The program `tenon-worker`: a plugin in a process of its own. Started by tenon, of no use by hand.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <cstdio>
#include <exception>

#include "host/worker.h"
#include "host/worker_protocol.h"

int main() {
  if (::fcntl(tenon::host::kWorkerSocket, F_GETFD) < 0 || ::fcntl(tenon::host::kWorkerMemory, F_GETFD) < 0) {
    std::fputs("tenon-worker is started by tenon, for components with `isolation: process`\n", stderr);
    return 2;
  }
  try {
    return tenon::host::serve_as_worker();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tenon-worker: %s\n", e.what());
    return 1;
  }
}
