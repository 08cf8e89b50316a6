// A reward that another one asks: "is the answer right?" of a reward for the length.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/reward.hpp"

namespace tenon::reward_support {

// The component behind a reference option of kind reward; Host::get_component makes it.
class OtherReward {
 public:
  static constexpr const char* kKind = "reward";
  explicit OtherReward(const tenon_ref& ref) : ref_(ref) {}

  // Its reward of the sample, whose notes it leaves to itself. Throws NoReward with its outcome and its reason where that is
  // not OK, and Error where it fails as a whole.
  double operator()(const Sample& sample) const {
    std::string why;
    double reward = 0;
    int32_t status = TENON_R_UNSET;
    const tenon_ragged no_tokens{};
    const uint64_t token_offsets[] = {0, sample.tokens.size()};
    const tenon_ragged tokens{sample.tokens.data(), token_offsets, 1};
    const Text prompt(sample.prompt), completion(sample.completion), meta(sample.meta_json);
    const tenon_reward_in in{sizeof in,
                             0,
                             1,
                             &sample.id,
                             &sample.group,
                             prompt.raw(),
                             completion.raw(),
                             meta.raw(),
                             sample.tokens.empty() ? no_tokens : tokens,
                             &sample.finish};
    tenon_reward_out out{sizeof out, 0, &reward, &status, nullptr, &why, keep_reason, nullptr, nullptr};
    ErrorBuffer err;
    err.check(static_cast<const tenon_reward_vt*>(ref_.vt)->score(ref_.self, sample.call, &in, &out, err));
    if (status == TENON_R_OK) return reward;
    throw NoReward{status == TENON_R_UNSET ? TENON_R_CRASHED : status, std::string(ref_.name) + ": " + why};
  }

 private:
  struct Text {
    explicit Text(std::string_view t) : text(t), offsets{0, t.size()} {}
    tenon_ragged raw() const { return {text.data(), offsets, 1}; }
    std::string_view text;
    uint64_t offsets[2];
  };
  static void keep_reason(void* ctx, uint64_t, const char* text, uint64_t n) {
    static_cast<std::string*>(ctx)->assign(text, n);
  }

  tenon_ref ref_;
};

}  // namespace tenon::reward_support
