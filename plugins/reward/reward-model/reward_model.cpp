// Reward `reward-model`: the scalar head of a model says how good a completion is.
// SPDX-License-Identifier: Apache-2.0
//
// Ouyang et al., InstructGPT, arXiv 2203.02155, §3.5: a language model whose last token has a scalar instead of a next one. DeepSeek-R1 (arXiv
// 2501.12948v2) has the helpful reward look at the final answer alone.

#include <algorithm>

#include "scalar_reading/scalar_reading.h"
#include "tenon/reward.hpp"

namespace {

using tenon::RewardOutcome;
using tenon::Sample;

class RewardModel {
 public:
  static constexpr const char* kDoc =
      "The scalar head at the last token of prompt and completion (InstructGPT, arXiv 2203.02155, §3.5). "
      "region: answer is DeepSeek-R1's: the thought is "
      "not shown to it.";

  explicit RewardModel(tenon::Host host)
      : host_(host), reader_(host), batch_(static_cast<size_t>(host.i64("batch"))) {}

  std::vector<RewardOutcome> operator()(const std::vector<Sample>& samples, const tenon_call* call) const {
    std::vector<RewardOutcome> out(samples.size());
    std::vector<std::vector<int32_t>> ids(samples.size());
    std::vector<size_t> pending;
    for (size_t i = 0; i < samples.size(); ++i) {
      out[i] = read(samples[i], ids[i]);
      if (out[i].status == TENON_R_OK) pending.push_back(i);
    }
    for (size_t begin = 0; begin < pending.size(); begin += batch_) {
      if (host_.raw()->cancelled(host_.raw(), call) != 0) {
        for (size_t k = begin; k < pending.size(); ++k)
          out[pending[k]] = {TENON_R_TIMED_OUT, 0, "the call's deadline passed before its turn"};
        break;
      }
      score(ids, std::span(pending).subspan(begin, std::min(batch_, pending.size() - begin)), call, out);
    }
    return out;
  }

 private:
  // The ids that the model reads, or why there are none.
  RewardOutcome read(const Sample& sample, std::vector<int32_t>& ids) const {
    try {
      ids = reader_.ids({sample.prompt, sample.completion, sample.meta_json});
      return {TENON_R_OK, 0, ""};
    } catch (const tenon::NoReward& e) {
      return {e.status, 0, e.why};
    } catch (const tenon::Error& e) {
      return {TENON_R_CRASHED, 0, e.what()};
    }
  }

  void score(const std::vector<std::vector<int32_t>>& ids, std::span<const size_t> which,
             const tenon_call* call, std::vector<RewardOutcome>& out) const {
    std::vector<std::vector<int32_t>> part;
    for (size_t i : which) part.push_back(ids[i]);
    const std::vector<float> scores = reader_.scores(call, part, nullptr);
    for (size_t k = 0; k < which.size(); ++k) out[which[k]].reward = static_cast<double>(scores[k]);
  }

  tenon::Host host_;
  tenon::scalar_reading::Reader reader_;
  size_t batch_;
};

}  // namespace

TENON_BATCH_REWARD_PLUGIN(
    RewardModel, "reward-model", "1.0.0", "The scalar head of a model judges.",
    tenon::reference("model", "model", nullptr,
                     "A model with a scalar head: a component with `scalar_head: true`, or "
                     "an earlier stage that trained one.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::scalar_reading::kFormatOption, tenon::scalar_reading::kRegionOption,
    tenon::scalar_reading::kQuestionOption,
    tenon::integer("batch", "16", "Completions that the model reads at a time.", {.min = "1", .max = "4096"}))
