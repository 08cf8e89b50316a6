// What the .cpp files of this folder do with a block of at most kBlock tokens, in vector code.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "algorithm_support/policy_loss.h"

namespace tenon::algorithm_support {

// policy(A, ρ, lp_new) of n tokens: the loss and its slope.
void policy_block(const PolicyLoss& policy, const double* ratio, const double* advantage, const float* lp_new,
                  uint64_t n, double* loss, double* slope);

// Σ_k weight_k (policy(A_k, ρ_k, lp_new_k) + beta more_loss_k) to `sum`, and of each its derivative, with more_slope, to `slopes`. more_*: both or neither.
struct TokenBlock {
  const double *ratio, *advantage, *weight;
  const float* lp_new;
  double beta = 0;
  const double *more_loss = nullptr, *more_slope = nullptr;
};
void add_token_block(const PolicyLoss& policy, const TokenBlock& in, uint64_t n, float* slopes, Lanes* sum);

// kl_term of n tokens: value and slope. ratio: of the tokens, of k3-ratio alone.
void kl_block(Kl kind, const float* lp_new, const float* lp_ref, const double* ratio, uint64_t n,
              double* value, double* slope);

// to[k] += factor · x[k]
void add_scaled(double factor, const double* x, uint64_t n, double* to);
// to[k] *= by[k]
void multiply(const double* by, uint64_t n, double* to);
void narrow(const double* from, uint64_t n, float* to);
void add_block(const double* x, uint64_t n, Lanes* to);

// How many of n tokens have their ratio below and above what `policy` allows, as TokenLoss counts them.
void count_bounds(const PolicyLoss& policy, const double* ratio, const double* advantage, uint64_t n,
                  int64_t* below, int64_t* above);
// Adds the sums, the least and the most of the ratios and their logarithms; not the counts.
void add_ratios(const double* ratio, const float* lp_new, const float* lp_old, uint64_t n,
                PolicyLosses::Ratios* to);

// Whether all derivatives of the scored tokens of sequence i are finite.
bool derivatives_are_finite(const RolloutView& r, uint64_t i, const float* d);

}  // namespace tenon::algorithm_support
