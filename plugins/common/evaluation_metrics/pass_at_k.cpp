// Estimators over subsets: pass@k in closed form, cons@k by counting.
// SPDX-License-Identifier: Apache-2.0
#include "evaluation_metrics/pass_at_k.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace tenon::evaluation_metrics {
namespace {

void check_draw(uint64_t k, uint64_t n) {
  if (k < 1 || k > n)
    throw std::invalid_argument("k = " + std::to_string(k) + " of " + std::to_string(n) + " samples");
}

// C(n, 0) … C(n, most). Below 1.8e308 for n ≤ kMostSamples.
std::vector<double> binomials(uint64_t n, uint64_t most) {
  std::vector<double> out{1};
  for (uint64_t x = 1; x <= std::min(n, most); ++x)
    out.push_back(out.back() * static_cast<double>(n - x + 1) / static_cast<double>(x));
  return out;
}

// ways[d][s]: in how many ways d samples can be drawn of which s answers have exactly `votes` each, and no answer has more.
class Ways {
 public:
  Ways(uint64_t draws, uint64_t votes)
      : draws_(draws), votes_(votes), ties_(draws / votes), ways_((draws + 1) * (ties_ + 1), 0) {
    at(0, 0) = 1;
  }

  void add_answer(uint64_t count) {
    const std::vector<double> choose = binomials(count, std::min(votes_, draws_));
    // In place: draws from the highest down, each from what was there before this answer.
    for (uint64_t d = draws_ + 1; d-- > 0;)
      for (uint64_t s = ties_ + 1; s-- > 0;) {
        double sum = 0;
        for (uint64_t x = 0; x < choose.size() && x <= d; ++x) {
          const bool is_tie = x == votes_;
          if (is_tie && s == 0) continue;
          sum += choose[x] * at(d - x, is_tie ? s - 1 : s);
        }
        at(d, s) = sum;
      }
  }
  void add_silent(uint64_t count) {
    const std::vector<double> choose = binomials(count, draws_);
    for (uint64_t d = draws_ + 1; d-- > 0;)
      for (uint64_t s = 0; s <= ties_; ++s) {
        double sum = 0;
        for (uint64_t x = 0; x < choose.size() && x <= d; ++x) sum += choose[x] * at(d - x, s);
        at(d, s) = sum;
      }
  }
  // All draws taken: Σ ways / (ties + 1), an answer more being tied with them.
  double shared() const {
    double sum = 0;
    for (uint64_t s = 0; s <= ties_; ++s) sum += ways_[draws_ * (ties_ + 1) + s] / static_cast<double>(s + 1);
    return sum;
  }

 private:
  double& at(uint64_t d, uint64_t s) { return ways_[d * (ties_ + 1) + s]; }

  uint64_t draws_, votes_, ties_;
  std::vector<double> ways_;
};

double vote_of_all(std::span<const Votes> answers) {
  uint64_t most = 0;
  for (const Votes& a : answers) most = std::max(most, a.count);
  double right = 0, tied = 0;
  for (const Votes& a : answers)
    if (most > 0 && a.count == most) right += a.right, ++tied;
  return tied == 0 ? 0 : right / tied;
}

}  // namespace

double pass_at_k(uint64_t n, uint64_t right, uint64_t k) {
  check_draw(k, n);
  if (right > n)
    throw std::invalid_argument(std::to_string(right) + " right of " + std::to_string(n) + " samples");
  if (n - right < k) return 1;
  double none = 1;
  for (uint64_t i = n - right + 1; i <= n; ++i) none *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return 1 - none;
}

double cons_at_k(std::span<const Votes> answers, uint64_t silent, uint64_t k) {
  uint64_t n = silent;
  for (const Votes& a : answers) n += a.count;
  check_draw(k, n);
  if (k == n) return vote_of_all(answers);
  if (n > kMostSamples) throw std::invalid_argument(std::to_string(n) + " samples are more than are counted");
  double right = 0;
  for (size_t j = 0; j < answers.size(); ++j) {
    if (answers[j].right == 0) continue;
    const std::vector<double> choose = binomials(answers[j].count, k);
    for (uint64_t votes = 1; votes < choose.size(); ++votes) {
      if (votes == k) {  // all k are its own
        right += answers[j].right * choose[votes];
        continue;
      }
      Ways others(k - votes, votes);
      for (size_t i = 0; i < answers.size(); ++i)
        if (i != j) others.add_answer(answers[i].count);
      others.add_silent(silent);
      right += answers[j].right * choose[votes] * others.shared();
    }
  }
  return right / binomials(n, k).back();
}

}  // namespace tenon::evaluation_metrics
