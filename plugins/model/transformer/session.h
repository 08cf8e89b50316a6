// A decoding session: the keys and values of a fixed number of slots.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "heads.h"
#include "tenon/host.hpp"

namespace tenon::transformer {

class Session {
 public:
  // n_slots empty sequences of at most max_len tokens.
  Session(const Network& network, uint64_t n_slots, uint64_t max_len);

  // As tenon_model_vt.decode; `version` is that of the parameters. Throws Error and changes nothing for a bad
  // slot, id or length, and for a slot that holds tokens of other parameters.
  void decode(const Heads& heads, const Host& host, uint64_t version, const tenon_tokens& append,
              const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token, float* logprob);
  // As tenon_model_vt.session_fork.
  void fork(uint64_t source, uint64_t length, std::span<const uint64_t> to);

 private:
  struct Slot {
    uint64_t length = 0;
    uint64_t version = 0;  // of the parameters its tokens were computed with
  };
  // The rows of an append, in columns.
  struct Rows {
    std::vector<uint64_t> offsets{0};
    std::vector<uint32_t> slot, row_slot;
    std::vector<int32_t> first_position, position;
  };
  Rows check_and_plan(uint64_t version, const tenon_tokens& append) const;
  void compute(const Rows& rows, const int32_t* ids, bool keys_only, float* last) const;

  const Network& net_;
  uint64_t max_len_;
  std::vector<Slot> slots_;
  std::vector<tenon_kv_cache> caches_;  // [layers]
  Floats memory_;
};

}  // namespace tenon::transformer
