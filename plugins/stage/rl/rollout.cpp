// A rollout: prompts, completions and rewards, and its division into mini-batches.
// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "algorithm_support/rewards.h"
#include "rl.h"

namespace tenon::rl {
namespace {

// Whether the valid sequences [begin, end) of a group teach nothing by what they earned; by_accuracy: by the first reward alone, of those that it applies
// to, unless it applies to none.
bool is_flat(const stages::Sampled& batch, uint64_t begin, uint64_t end, bool by_accuracy) {
  std::vector<double> earned, right;
  for (uint64_t i = begin; i < end; ++i) {
    if (batch.rollout.valid[i] == 0) continue;
    earned.push_back(batch.rollout.total_reward(i));
    if (!std::isnan(batch.first[i])) right.push_back(batch.first[i]);
  }
  return algorithm_support::is_flat(by_accuracy && !right.empty() ? right : earned);
}

// f(begin, end) for each group, whose sequences are neighbours.
template <class F>
void for_groups(const Rollout& r, F&& f) {
  for (uint64_t begin = 0; begin < r.size();) {
    uint64_t end = begin;
    while (end < r.size() && r.group_id[end] == r.group_id[begin]) ++end;
    f(begin, end);
    begin = end;
  }
}

}  // namespace

// domain: a field of the rows' meta; empty: none.
void Drawn::add(const stages::Sampled& batch, const std::string& domain) {
  const Rollout& r = batch.rollout;
  for (uint64_t i = 0; i < r.size(); ++i) {
    if (r.valid[i] != 0) rewards.push_back(r.total_reward(i));
    if (std::isfinite(batch.first[i])) accuracy.push_back(batch.first[i]);
    lengths.push_back(static_cast<double>(r.completion_len(i)));
    if (r.finish[i] == TENON_FINISH_STOP) terminated.push_back(lengths.back());
    if (domain.empty()) continue;
    const std::string of = stages::domain_of({batch.meta[i].data(), batch.meta[i].size()}, domain);
    if (r.valid[i] != 0) reward_by_domain.add(of, r.total_reward(i), 1);
    if (std::isfinite(batch.first[i])) accuracy_by_domain.add(of, batch.first[i], 1);
  }
  for (uint64_t t = 0; t < r.tokens(); ++t)
    if (r.mask[t] != 0) surprise -= double{r.lp_sample[t]};
}

stages::Sampled Rl::draw(const tenon_call* call, uint64_t prompts, Drawn& drawn) {
  uint64_t first_id = host_.raw()->sample_ids(host_.raw(), prompts * options_.group_size);
  const std::vector<Row> rows = data_.next(call, prompts);
  if (rows.empty()) throw Error(TENON_E_INVALID, "the data set gave no rows");
  stages::Sampled batch =
      sampler_.sample(call, model_, tokenizer_, rows, options_.group_size, first_id, version_);
  drawn.prompts += prompts;
  drawn.add(batch, options_.domain);
  if (options_.normalize_rewards) normalize_rewards(batch.rollout, batch.terms, sum_terms_);
  tell_curriculum(call, batch);
  return batch;
}

// With refills, groups that teach nothing are replaced by others while there are rounds left. If none teaches anything, the first ones stay:
// they make no update, and the step's samples show why.
stages::Sampled Rl::sample_and_score(const tenon_call* call, Drawn& drawn) {
  stages::Sampled batch = draw(call, options_.prompts, drawn);
  if (options_.refills > 0) {
    stages::Sampled kept;
    uint64_t groups = 0;
    auto keep = [&](const stages::Sampled& from) {
      for_groups(from.rollout, [&](uint64_t begin, uint64_t end) {
        if (is_flat(from, begin, end, options_.refill_by_accuracy)) return;
        ++groups;
        for (uint64_t i = begin; i < end; ++i) kept.push(from, i);
      });
    };
    keep(batch);
    while (groups < options_.prompts && drawn.rounds < options_.refills) {
      ++drawn.rounds;
      host_.progress(static_cast<double>(groups), static_cast<double>(options_.prompts),
                     "groups with signal");
      keep(draw(call, options_.prompts - groups, drawn));
    }
    drawn.thrown_away = drawn.prompts - groups;
    drawn.none_kept = groups == 0;
    if (groups > 0) batch = std::move(kept);
  }
  return batch;
}

// A group that failed rewards have left with fewer than two valid sequences has no baseline; returns how many such groups left the loss.
uint64_t Rl::drop_small_groups(Rollout& r) const {
  uint64_t dropped = 0;
  if (!needs(TENON_NEEDS_GROUPS)) return dropped;
  for_groups(r, [&](uint64_t begin, uint64_t end) {
    const auto from = r.valid.begin() + static_cast<ptrdiff_t>(begin),
               to = r.valid.begin() + static_cast<ptrdiff_t>(end);
    if (std::count(from, to, uint8_t{1}) >= 2) return;
    std::fill(from, to, uint8_t{0});
    ++dropped;
  });
  return dropped;
}

// The sequences at random in `mini_batches` parts whose sizes differ by at most one; in each the order of the rollout is kept, so that a group's
// sequences stay neighbours. Whole groups are dealt where the algorithm asks for them. The split is a function of the stage's seed and `pass`.
std::vector<std::vector<uint64_t>> Rl::mini_batches(const Rollout& r, uint64_t pass) const {
  std::vector<std::vector<uint64_t>> units;  // what is dealt
  if (needs(TENON_WHOLE_GROUPS)) {
    for_groups(r, [&](uint64_t begin, uint64_t end) {
      units.emplace_back(end - begin);
      std::iota(units.back().begin(), units.back().end(), begin);
    });
  } else {
    for (uint64_t i = 0; i < r.size(); ++i) units.push_back({i});
  }
  const uint64_t n = units.size();
  std::vector<uint64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (options_.mini_batches > 1) {
    std::vector<uint64_t> bits(n);
    host_.rng(host_.seed() ^ 0x6d696e692d626174, pass, 0, bits.data(), n);  // a key of its own: "mini-bat"
    for (uint64_t i = n - 1; i > 0; --i) std::swap(order[i], order[bits[i] % (i + 1)]);
  }
  std::vector<std::vector<uint64_t>> parts;
  for (uint64_t b = 0; b < options_.mini_batches; ++b) {
    std::vector<uint64_t> part;
    for (uint64_t k = n * b / options_.mini_batches; k < n * (b + 1) / options_.mini_batches; ++k)
      part.insert(part.end(), units[order[k]].begin(), units[order[k]].end());
    std::sort(part.begin(), part.end());
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace tenon::rl
