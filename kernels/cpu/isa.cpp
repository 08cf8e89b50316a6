// Chooses the instruction set once, from the processor and the environment.
// SPDX-License-Identifier: Apache-2.0
#include "isa.h"

#include <stdlib.h>
#include <string.h>

#include <atomic>

#include "tenon/kernels/executor.h"

namespace tenon::kernels {
namespace {

constexpr const char* kNames[] = {"scalar", "avx2", "avx512"};

bool available(Isa isa) {
#if defined(TENON_KERNELS_X86)
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("fma");
  }
  return false;
#else
  return isa == Isa::kScalar;
#endif
}

// The index in kNames of an available instruction set, or -1.
int find(const char* name) {
  for (int i = 0; i < 3; ++i) {
    if (strcmp(name, kNames[i]) == 0) return available(static_cast<Isa>(i)) ? i : -1;
  }
  return -1;
}

int default_isa() {
  const char* wanted = getenv("TENON_KERNELS_ISA");
  const int named = wanted == nullptr ? -1 : find(wanted);
  if (named >= 0) return named;
  for (int i = 2; i > 0; --i) {
    if (available(static_cast<Isa>(i))) return i;
  }
  return 0;
}

std::atomic<int>& current() {
  static std::atomic<int> value{default_isa()};
  return value;
}

}  // namespace

Isa isa() {
  return static_cast<Isa>(current().load(std::memory_order_relaxed));
}

}  // namespace tenon::kernels

extern "C" const char* tenon_kernels_isa_name(void) {
  return tenon::kernels::kNames[static_cast<int>(tenon::kernels::isa())];
}

extern "C" int tenon_kernels_force_isa(const char* name) {
  using namespace tenon::kernels;
  const int wanted = name == nullptr || *name == '\0' ? default_isa() : find(name);
  if (wanted < 0) return -1;
  current().store(wanted, std::memory_order_relaxed);
  return 0;
}
