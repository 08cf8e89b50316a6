// One call of generate: samples move through the slots of a decoding session.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tenon/model.hpp"

namespace tenon::native {

// Continuous batching (Yu et al., "Orca", OSDI 2022): a slot takes the next sample as soon as the one in it is finished. The prompt of a group is
// computed once, without its last token, and forked into the slots of the group's samples; the last token is then appended to each, and draws.
// What a sample becomes depends on its prompt and its sample id alone, not on the number of slots.
class Generation {
 public:
  // All arguments outlive the object. Throws TENON_E_INVALID if a prompt is empty, does not leave room for one token in the model's context, or
  // differs inside a group.
  Generation(const Host& host, const tenon_call* call, const Model& model, const tenon_generate_in& in,
             const tenon_generate_out& out);

  // Tokens a slot must have room for, and samples there are.
  uint64_t longest() const { return longest_; }
  uint64_t size() const { return in_.n; }

  // Completes all samples in slots [0, n_slots) of `session`; what is in them before does not matter. Asks between two tokens whether to end early.
  void run(uint64_t session, uint64_t n_slots);

 private:
  static constexpr uint64_t kNone = UINT64_MAX;
  // Tokens of prompts computed in one call of the model, so that a call with a deadline ends within a second or so of it; one prompt is never cut.
  static constexpr uint64_t kPrefillTokens = 1024;

  struct Slot {
    uint64_t sample = kNone;  // the one being completed; kNone: the slot is free
    uint64_t prompt =
        kNone;  // first sample of the group whose prompt, less its last token, opens the content; kNone: unknown content
    int32_t next = 0;  // the token to append
    std::vector<int32_t> ids;
    std::vector<float> logprobs;
  };
  // Samples of one group that enter slots at the same time.
  struct Entry {
    uint64_t prompt;
    std::vector<uint64_t> slots;
    uint64_t source;  // a slot that has the prompt already, or kNone
  };

  std::span<const int32_t> prompt(uint64_t i) const { return row<int32_t>(in_.prompt_ids, i); }
  uint64_t max_new(uint64_t i) const;  // of sample i: max_new_tokens, or what the context leaves
  void admit();
  std::vector<Entry> assign_free_slots();
  void fork(const Entry& entry);
  void prefill(std::span<const Entry* const> fresh);
  void decode_prompts(std::span<const Entry* const> some);
  void step();
  void finish(Slot& slot, int32_t how);
  tenon_tokens append(const Ragged<int32_t>& ids, const std::vector<uint64_t>& slots) const;

  Host host_;
  const tenon_call* call_;
  const Model& model_;
  const tenon_generate_in& in_;
  const tenon_generate_out& out_;
  uint64_t context_, longest_ = 0;
  std::vector<uint64_t> first_;  // [n] first sample of i's group

  uint64_t session_ = 0, next_sample_ = 0, finished_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tenon::native
