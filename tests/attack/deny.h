// A process that may make no namespace and no mount, as in a container with the usual profile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tenon::attack {

// From here on unshare, clone with namespace flags, mount, pivot_root and setns fail with EPERM in this process and its children. False: not possible.
bool deny_namespaces();

}  // namespace tenon::attack
