// Which copy of the kernels runs.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_ISA_H_
#define TENON_KERNELS_CPU_ISA_H_

namespace tenon::kernels {

enum class Isa { kScalar, kAvx2, kAvx512 };

// The instruction set in use (tenon_kernels_isa_name()).
Isa isa();

}  // namespace tenon::kernels

#endif  // TENON_KERNELS_CPU_ISA_H_
