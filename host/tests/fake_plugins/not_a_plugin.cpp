// A shared library that is not a plugin.
// SPDX-License-Identifier: Apache-2.0
extern "C" __attribute__((visibility("default"))) int answer() {
  return 42;
}
