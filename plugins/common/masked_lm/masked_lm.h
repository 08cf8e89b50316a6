/* Extension of models: masked tokens and pairs of segments (BERT, Devlin et al. 2018, arXiv 1810.04805, §3.1). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENON_COMMON_MASKED_LM_H_
#define TENON_COMMON_MASKED_LM_H_

#include "tenon/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TENON_EXT_MASKED_LM "tenon.ext.masked-lm/1"

/* What such a model is. */
typedef struct tenon_masked_lm_info {
  uint32_t struct_size;
  int32_t cls, sep, mask; /* ids of the special tokens */
  uint64_t vocab;         /* ids are below it */
  uint64_t max_len;       /* tokens of a sequence, the special ones included */
} tenon_masked_lm_info;

/* Whole sequences, packed, each as `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, its masked tokens already replaced. */
typedef struct tenon_masked_batch {
  uint32_t struct_size, _pad;
  tenon_ragged ids;       /* int32 */
  const uint8_t *segment; /* [tokens] 0 or 1 */
  const int32_t *target;  /* [tokens] the id that is to be found there; -1: nothing is */
  const int32_t *next;    /* [n] 0: segment 1 follows segment 0 in its document; 1: it does not; -1: not asked */
} tenon_masked_batch;

/* Caller's arrays; each may be NULL: not wanted. Entries of what is not asked are 0. */
typedef struct tenon_masked_out {
  uint32_t struct_size, _pad;
  float *logprob;       /* [tokens] log p(target), natural */
  int32_t *most_likely; /* [tokens] the id with the greatest probability, lowest id on ties */
  float *next_logprob;  /* [n] log p(next), natural */
} tenon_masked_out;

typedef struct tenon_masked_lm {
  uint32_t struct_size, _pad;
  int32_t(TENON_CALL *info)(void *self, tenon_masked_lm_info *, tenon_error *); /* [call] */
  /* [call] The forward; and, where d_logprob [tokens] or d_next [n] is given, the backward of the loss whose derivatives they are with respect to
   * `logprob` and `next_logprob` (NULL: 0): it adds dL/dparameter to the gradients. Batches that follow one another give the bits of one batch. */
  int32_t(TENON_CALL *pass)(void *self, const tenon_call *, const tenon_masked_batch *, const float *d_logprob, const float *d_next,
                            tenon_masked_out *, tenon_error *);
} tenon_masked_lm;

#ifdef __cplusplus
}
#endif
#endif /* TENON_COMMON_MASKED_LM_H_ */
