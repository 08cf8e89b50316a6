// What the program tenon-worker does: makes one reward, and judges samples until the other side is gone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tenon::host {

// Serves at the descriptors of worker_protocol.h. Returns the program's exit code; ends the process at once, from a thread of its own, when the other side is gone.
int serve_as_worker();

}  // namespace tenon::host
