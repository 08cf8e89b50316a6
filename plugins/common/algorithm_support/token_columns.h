// The scored tokens of one completion as arrays, for algorithms whose advantages differ from token to token: element k is of the k-th scored token.
// Tokens that are not scored (those of a tool, say) are left out: they neither earn nor interrupt anything.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "algorithm_support/algorithm_support.h"

namespace tenon::algorithm_support {

// Where the scored tokens of a sequence are: found once, as reading the mask takes time.
class ScoredTokens {
 public:
  void find(const RolloutView& r, uint64_t i);
  uint64_t count() const { return count_; }
  // f(begin, end) for each longest run of neighbours, as RolloutView::for_runs.
  template <class F>
  void for_runs(F&& f) const {
    for (const auto& [begin, end] : runs_) f(begin, end);
  }
  // The first of the tokens if they are neighbours, all in one run.
  std::optional<uint64_t> first_of_one_run() const {
    return runs_.size() == 1 ? std::optional(runs_[0].first) : std::nullopt;
  }
  // Which of the scored tokens t is.
  uint64_t place_of(uint64_t t) const;

 private:
  std::vector<std::pair<uint64_t, uint64_t>> runs_;
  uint64_t count_ = 0;
};

// Why an advantage of sequence i is not finite, for messages: "lp_ref is nan at token 3", of the first scored token that has such a lp_old, lp_ref or
// value_old; `otherwise` if all are numbers.
std::string what_is_not_finite(const RolloutView& r, uint64_t i, const std::string& otherwise);

// A column at the tokens: in place where they are neighbours, else in `copy`.
const float* gather(const ScoredTokens& tokens, const float* column, std::vector<float>& copy);

// Writes columns past the caches where the processor can: a column is larger than they are, and would be read from memory before it is written. Other
// threads may read it once the writer is gone.
class ColumnWriter {
 public:
  ColumnWriter() = default;
  ~ColumnWriter();
  ColumnWriter(const ColumnWriter&) = delete;
  ColumnWriter& operator=(const ColumnWriter&) = delete;
  // values, one for each of the tokens, into a column.
  void put(const ScoredTokens& tokens, const std::vector<double>& values, double* column);
};

// What each of the scored tokens of sequence i earns: its token reward (if any), less kl_weight · (lp_old − lp_ref), which is k1 of the divergence;
// the last one also the reward of i. kl_weight other than 0 needs lp_old and lp_ref.
void token_rewards(const RolloutView& r, uint64_t i, const ScoredTokens& tokens, double kl_weight,
                   std::vector<double>& out);

// x[k] += decay · x[k + 1], from the last but one down to the first: discounted sums to come. Blocks of tokens are summed up by themselves first, so
// that one does not wait for the other; the bits depend on the numbers alone.
void discounted_sums(std::vector<double>& x, double decay);

// Generalised advantage estimation (Schulman et al., arXiv 1506.02438, eq. 16) of one completion:
//   delta_k = reward_k + gamma · value_{k+1} − value_k        advantage_k = delta_k + gamma · lambda · advantage_{k+1}
//   target_k = advantage_k + value_k
// with 0 after the last token.
struct Estimates {
  std::vector<double> advantage, target;
  // Fills both, from the column value_old, of which a part may be kept in place, and the rewards, which are in `advantage` before: fewer arrays stay
  // in the cache.
  void estimate(const ScoredTokens& tokens, const float* value_old, double gamma, double lambda);
  // Of the k-th token; 0 after the last.
  double value(uint64_t k) const { return k < advantage.size() ? static_cast<double>(value_[k]) : 0; }

 private:
  const float* value_ = nullptr;
  std::vector<float> gathered_;
};

}  // namespace tenon::algorithm_support
