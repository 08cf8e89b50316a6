// Memory that a thread keeps for its next kernel.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_SCRATCH_H_
#define TENON_KERNELS_CPU_SCRATCH_H_

#include <stdint.h>

namespace tenon::kernels {

// What a piece of scratch is for. A thread has one of each; functions that are at work together use different
// ones.
enum class Scratch {
  kPackA,
  kPackB,
  kRows,
  kScores,
  kScores2,
  kKeys,
  kValues,
  kGather,
  kLogits,
  kGradient,
  kStatistics,
  kRowList,
  kFamilies,
  kCount
};

// At least `floats` floats of this thread, 64-byte aligned, valid until this thread asks again for the same
// use. The content is what was left there. Ends the process, with a message, when the system refuses the
// memory.
float* scratch(Scratch use, uint64_t floats);

}  // namespace tenon::kernels

#endif  // TENON_KERNELS_CPU_SCRATCH_H_
