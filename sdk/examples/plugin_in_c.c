/* A reward in plain C99, with everything that tenon/sdk.hpp otherwise writes for you. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tenon/abi.h"

typedef struct brief {
  double limit; /* bytes at which nothing is left */
} brief;

static int32_t fail(tenon_error* err, int32_t code, const char* text) {
  if (err != NULL) {
    err->code = code;
    err->len = strlen(text) < err->cap ? strlen(text) : err->cap;
    memcpy(err->msg, text, err->len);
  }
  return code;
}

static int32_t create(const tenon_host* host, void** self, tenon_error* err) {
  brief* b = (brief*)malloc(sizeof *b);
  if (b == NULL) return fail(err, TENON_E_NOMEM, "out of memory");
  if (host->get_f64(host, "limit", &b->limit) != TENON_OK) {
    free(b);
    return fail(err, TENON_E_INVALID, "option limit cannot be read");
  }
  *self = b;
  return TENON_OK;
}

static void destroy(void* self) {
  free(self);
}

static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
                     tenon_error* err) {
  const brief* b = (const brief*)self;
  uint64_t i;
  (void)call, (void)err;
  for (i = 0; i < in->n; ++i) {
    double length = (double)(in->completion.offsets[i + 1] - in->completion.offsets[i]);
    out->reward[i] = length < b->limit ? 1 - length / b->limit : 0;
    out->status[i] = TENON_R_OK; /* a sample that cannot be judged gets TENON_R_REFUSED, never a silent 0 */
  }
  return TENON_OK;
}

static const tenon_option limit = {sizeof(tenon_option),
                                   TENON_T_FLOAT,
                                   0,
                                   0,
                                   "limit",
                                   "Length at which nothing is left.",
                                   "bytes",
                                   "400",
                                   "1",
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL};
static const tenon_option* const options[] = {&limit, NULL};
static const tenon_life life = {sizeof(tenon_life), 0, create, destroy, NULL, NULL, NULL, NULL};
static const tenon_reward_vt reward = {sizeof(tenon_reward_vt), 0, score};
static const tenon_component component = {
    sizeof(tenon_component),
    TENON_C_REENTRANT | TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT | TENON_C_STATELESS,
    "reward",
    "example.brief",
    "1.0.0",
    "Prefers short completions.",
    "",
    options,
    &life,
    &reward,
    1,
    0,
    NULL};
static const tenon_component* const components[] = {&component, NULL};
static const tenon_plugin plugin = {sizeof(tenon_plugin),
                                    TENON_ABI_LEVEL,
                                    TENON_ABI_LEVEL,
                                    TENON_ABI_DRAFT,
                                    "example.brief",
                                    "1.0.0",
                                    "Example",
                                    "Apache-2.0",
                                    "",
                                    "c",
                                    NULL,
                                    components};

TENON_EXPORT const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info* host);
TENON_EXPORT const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info* host) {
  (void)host;
  return &plugin;
}
