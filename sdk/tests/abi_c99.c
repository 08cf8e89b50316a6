/* abi.h as strict C99: frozen layouts hold, and a plugin can be written as static data without a cast. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tenon/abi.h"
#include "tenon/philox.h"

#define CHECK(name, condition) typedef char check_##name[(condition) ? 1 : -1]

CHECK(str_size, sizeof(tenon_str) == 16);
CHECK(ragged_size, sizeof(tenon_ragged) == 24);
CHECK(error_layout, offsetof(tenon_error, msg) == 8 && offsetof(tenon_error, len) == 24);
CHECK(option_type, offsetof(tenon_option, type) == 4 && offsetof(tenon_option, name) == 16);
CHECK(first_field, offsetof(tenon_host, struct_size) == 0 && offsetof(tenon_component, struct_size) == 0);
CHECK(reward_status, TENON_R_UNSET == 0 && TENON_R_OK == 1);

static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
                     tenon_error* err) {
  uint64_t i;
  (void)self, (void)call, (void)err;
  for (i = 0; i < in->n; ++i) out->status[i] = TENON_R_NOT_APPLICABLE;
  return TENON_OK;
}

uint64_t abi_c99_draw(uint64_t key);
uint64_t abi_c99_draw(uint64_t key) {
  uint64_t number;
  tenon_philox(key, 0, 0, &number, 1);
  return number;
}

extern const tenon_reward_vt abi_c99_reward;
const tenon_reward_vt abi_c99_reward = {sizeof(tenon_reward_vt), 0, score};
