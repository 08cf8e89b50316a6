// What k samples of a problem would have given: estimators over all subsets of the n samples that there are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace tenon::evaluation_metrics {

// pass@k: the probability that of k samples, drawn without replacement from n of which `right` are right, one at least is: 1 − C(n−right, k) / C(n, k), the unbiased
// estimate of Chen et al. 2021 (arXiv 2107.03374, eq. 1), as a product that neither overflows nor cancels. 1 ≤ k ≤ n, right ≤ n; else std::invalid_argument.
double pass_at_k(uint64_t n, uint64_t right, uint64_t k);

// Samples of a problem that give the same answer.
struct Votes {
  uint64_t count = 0;  // of samples
  double right =
      0;  // share of them that are right: 0 or 1 where the votes and the reward mean the same by "same"
};

// cons@k: the probability that the majority of k samples is right (DeepSeek-R1's cons@64, arXiv 2501.12948 §3; self-consistency, Wang et al. 2022, arXiv 2203.11171), the k drawn
// without replacement from all samples: those of `answers`, and `silent` ones that give no answer and have no vote. The answer with the most votes wins; where several
// have the most, each of them wins with the same probability, so a tie of one right and one wrong answer counts 1/2, whatever the order of samples. Without a vote
// nothing is right. Exact, by counting the subsets; with k equal to the number of samples there is one, at any size. 1 ≤ k ≤ samples, and samples ≤ kMostSamples where k is less; else
// std::invalid_argument.
inline constexpr uint64_t kMostSamples = 1024;
double cons_at_k(std::span<const Votes> answers, uint64_t silent, uint64_t k);

}  // namespace tenon::evaluation_metrics
