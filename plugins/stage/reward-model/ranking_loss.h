// Losses of a reward model, as functions of its scores.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::reward_model {

// What is known of the completions of one row, by their places in it.
struct Judgement {
  struct Pair {
    size_t better, worse;
    double margin;  // by how much better should lie above worse
  };
  std::vector<Pair> pairs;
  std::vector<double> labels;  // of rows without pairs: 1 good, 0 bad, one each completion
};

// Of a list ordered best first: every pair of it, without margins.
Judgement all_pairs(size_t n);

struct Loss {
  double value = 0;
  std::vector<double> slope;  // dL/d score
};

// Of one row with these scores r.
// Pairs (Bradley-Terry): mean over the pairs of -ln sigma(r_better - r_worse - margin), which for a ranked list of K is InstructGPT's loss (arXiv 2203.02155, eq. 1:
// divided by K choose 2); margins as in Llama 2 (arXiv 2307.09288, eq. 2). `center` times the mean over the pairs of (r_better + r_worse)^2 is added
// (Eisenstein et al., arXiv 2312.09244, eq. 3, which keeps scores near 0).
// Labels: mean of the binary cross-entropy of sigma(r).
Loss loss_of(const Judgement& judgement, std::span<const float> scores, double center);

}  // namespace tenon::reward_model
