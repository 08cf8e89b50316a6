/* What every kernel shares: the executor that lends threads, the instruction set in use, the rules of use.
 * SPDX-License-Identifier: Apache-2.0
 *
 * RULES
 *  - Data. fp32, row-major, in host memory; 4-byte alignment suffices unless a function says more. `ld…` is
 *    the distance between the starts of two rows, in floats, at least the row's width. Shapes stand beside
 *    the pointers as [rows][columns].
 *  - Bits. Every output element is one sum of fixed order, stated at its function. It depends on that
 *    element's own inputs alone: not on how many rows a call has, which rows share it, the number of threads,
 *    or the instruction set. Products enter sums by fused multiply-add.
 *  - "Chain over i" means acc = fma(a_i, b_i, acc) in ascending i, from acc = 0, or from the value in memory
 *    where the function accumulates (+=). So a gradient summed by several calls over consecutive tokens has
 *    the same bits as by one call over all of them.
 *  - "Sum in 16 lanes" means lane l sums the elements with index ≡ l (mod 16) in ascending order, then lanes
 *    l and l + 8 are added for l < 8, then l and l + 4, l and l + 2, 0 and 1.
 *  - Aliasing. Outputs must not overlap inputs unless a function allows it. Accumulated outputs (+=) are read
 *    and written.
 *  - Threads. Every function may be called from any thread, and from several at once on disjoint outputs. It
 *    returns when its work is done.
 *  - Scratch. Some kernels keep scratch memory per thread, bounded as their header says; it is reused and
 *    freed when the thread ends. Where the system refuses that memory the process is ended with a message on
 *    stderr: there is no partial result.
 *  - Non-finite inputs propagate into the outputs that depend on them. Sizes may be 0. Pointers to nothing
 *    may then be NULL.
 */
#ifndef TENON_KERNELS_EXECUTOR_H_
#define TENON_KERNELS_EXECUTOR_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Threads to work on. Owned by the caller; kernels take a pointer, and NULL runs everything on the calling
 * thread. Grows at its tail only. */
typedef struct tenon_executor {
  uint32_t struct_size; /* sizeof(tenon_executor) */
  uint32_t _pad;
  void* ctx; /* passed to parallel_for */
  /* Calls fn(arg, begin, end) over disjoint pieces that cover [0, n), each of at least `grain` items except
   * the last, from any threads, and returns when all have returned. Kernels never nest it. fn does not throw.
   * */
  void (*parallel_for)(void* ctx, uint64_t n, uint64_t grain,
                       void (*fn)(void* arg, uint64_t begin, uint64_t end), void* arg);
  uint32_t threads; /* at least 1: how many pieces are worth making; no result depends on it */
  uint32_t _pad2;
} tenon_executor;

/* The instruction set in use: "avx512" (F, BW, DQ, VL), "avx2" (with FMA) or "scalar" (portable C++). By
 * default the best one that the processor and this build have, or the one named in the environment variable
 * TENON_KERNELS_ISA when it is one of these. The string is static. */
const char* tenon_kernels_isa_name(void);

/* Chooses an instruction set by that name for all later calls; NULL or "" returns to the default. 0: done;
 * -1: unknown here, nothing changed. For tests and benches: not while another thread is inside a kernel. */
int tenon_kernels_force_isa(const char* name);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_EXECUTOR_H_ */
