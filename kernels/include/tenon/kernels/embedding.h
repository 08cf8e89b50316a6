/* Token embedding: gather, and its gradient by scatter-add.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TENON_KERNELS_EMBEDDING_H_
#define TENON_KERNELS_EMBEDDING_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[t][d] = table[id[t]][d]. table: [vocabulary][d]; each id in [0, vocabulary) (not checked). Threads:
 * tokens. */
void tenon_embedding(const tenon_executor* ex, uint64_t tokens, uint64_t d, const int32_t* id,
                     const float* table, float* y, uint64_t ldy);

/* dtable[id[t]][d] += dy[t][d]. Order: added in token order, from dtable. Threads: columns. */
void tenon_embedding_backward(const tenon_executor* ex, uint64_t tokens, uint64_t d, const int32_t* id,
                              const float* dy, uint64_t lddy, float* dtable);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_EMBEDDING_H_ */
