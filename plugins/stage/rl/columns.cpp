// The columns of a rollout, and its division into mini-batches.
// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "rl.h"

namespace tenon::rl {

stages::Sampled Rl::sample_and_score(const tenon_call* call) {
  uint64_t first_id = host_.raw()->sample_ids(host_.raw(), options_.prompts * options_.group_size);
  stages::Sampled batch = [&] {
    Timed timed(host_, "rollout");
    std::vector<Row> rows = data_.next(call, options_.prompts);
    if (rows.empty()) throw Error(TENON_E_INVALID, "the data set gave no rows");
    return sampler_.sample(call, model_, tokenizer_, rows, options_.group_size, first_id, version_);
  }();
  Timed timed(host_, "reward");
  sampler_.score(call, batch);
  return batch;
}

// Log-probabilities of the frozen model that the stage started from.
void Rl::score_reference(const tenon_call* call, Rollout& r) const {
  Timed timed(host_, "reference");
  std::vector<float> all;
  for (const auto& rows : r.micro_batches(options_.micro_batch_tokens)) {
    host_.throw_if_cancelled(call);
    Rollout part = r.select(rows);
    std::vector<float> logprob(part.tokens());
    reference_->score(call, part.tokens_for_model(sampler_.temperature()), logprob.data(), nullptr, nullptr,
                      nullptr);
    all.insert(all.end(), logprob.begin(), logprob.end());
  }
  r.lp_ref = std::move(all);
}

// [0, n) at random in `mini_batches` parts whose sizes differ by at most one; in each the order of the rollout is kept, so that a group's sequences stay
// neighbours. The split is a function of the stage's seed and `pass`.
std::vector<std::vector<uint64_t>> Rl::mini_batches(uint64_t n, uint64_t pass) const {
  std::vector<uint64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (options_.mini_batches > 1) {
    std::vector<uint64_t> bits(n);
    host_.rng(host_.seed() ^ 0x6d696e692d626174, pass, 0, bits.data(), n);  // a key of its own: "mini-bat"
    for (uint64_t i = n - 1; i > 0; --i) std::swap(order[i], order[bits[i] % (i + 1)]);
  }
  std::vector<std::vector<uint64_t>> parts;
  for (uint64_t b = 0; b < options_.mini_batches; ++b) {
    auto begin = order.begin() + static_cast<ptrdiff_t>(n * b / options_.mini_batches),
         end = order.begin() + static_cast<ptrdiff_t>(n * (b + 1) / options_.mini_batches);
    std::sort(begin, end);
    if (begin != end) parts.emplace_back(begin, end);
  }
  return parts;
}

// Whether sequence i has any part in the gradient.
bool Rl::has_signal(const Rollout& r, uint64_t i) const {
  if (r.valid[i] == 0) return false;
  if (needs(TENON_NEEDS_REFERENCE | TENON_NEEDS_ENTROPY)) return true;
  for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
    if (r.mask[t] != 0 && r.advantage[t] != 0) return true;
  return false;
}

}  // namespace tenon::rl
