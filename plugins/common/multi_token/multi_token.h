/* Extension of models that predict several tokens ahead (multi-token prediction: DeepSeek-V3, arXiv 2412.19437, §2.2). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENON_COMMON_MULTI_TOKEN_H_
#define TENON_COMMON_MULTI_TOKEN_H_

#include "tenon/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TENON_EXT_MULTI_TOKEN "tenon.ext.multi-token/1"

typedef struct tenon_multi_token {
  uint32_t struct_size, _pad;
  /* [call] How many modules the model has besides itself; 0: none. Module k (1 … depth) gives log p(x_t | x_<t) by a way of its own: from the
   * model's hidden states up to that after x_(t-k-1), and the embeddings of the tokens that follow these. */
  uint64_t(TENON_CALL *depth)(void *self);
  /* [call] tenon_model_vt.accumulate for the model and all of its modules in one visit. Both arrays are [depth + 1][tokens], the model's own column first;
   * entries where the mask is 0 are not read and given as 0, and so are those of module k at the first k + 1 tokens of a sequence. logprob may be NULL. A
   * d_logprob that is 0 in the modules' columns gives the gradients of `accumulate` to the bit; groups do not share their prompts. */
  int32_t(TENON_CALL *accumulate)(void *self, const tenon_call *, const tenon_tokens *, const float *d_logprob, float *logprob, tenon_error *);
} tenon_multi_token;

#ifdef __cplusplus
}
#endif
#endif /* TENON_COMMON_MULTI_TOKEN_H_ */
