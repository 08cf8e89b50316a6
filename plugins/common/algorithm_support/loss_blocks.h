// What the .cpp files of this folder do with a block of at most kBlock tokens, in vector code.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "algorithm_support/policy_loss.h"

namespace tenon::algorithm_support {

// The objective's loss and its slope for n tokens. bounds: of_loss.
void policy_block(Objective objective, const Bounds& bounds, const double* ratio, const double* advantage,
                  const float* lp_new, uint64_t n, double* loss, double* slope);
// Both times the weight.
void weighted_policy_block(Objective objective, const Bounds& bounds, const double* ratio,
                           const double* advantage, const double* weight, const float* lp_new, uint64_t n,
                           double* loss, float* slope);

// kl_term of n tokens: value and slope. ratio: of the tokens, of k3-ratio alone.
void kl_block(Kl kind, const float* lp_new, const float* lp_ref, const double* ratio, uint64_t n,
              double* value, double* slope);

// to[k] += factor · x[k]
void add_scaled(double factor, const double* x, uint64_t n, double* to);
// to[k] *= by[k]
void multiply(const double* by, uint64_t n, double* to);
void narrow(const double* from, uint64_t n, float* to);
void add_block(const double* x, uint64_t n, Lanes* to);

// How many of n tokens have their ratio below and above the bounds (of_counts), as TokenLoss counts them.
void count_bounds(const Bounds& bounds, const double* ratio, const double* advantage, uint64_t n,
                  int64_t* below, int64_t* above);
// Adds the sums, the least and the most of the ratios and their logarithms; not the counts.
void add_ratios(const double* ratio, const float* lp_new, const float* lp_old, uint64_t n,
                PolicyLosses::Ratios* to);

// Whether all derivatives of the scored tokens of sequence i are finite.
bool derivatives_are_finite(const RolloutView& r, uint64_t i, const float* d);

}  // namespace tenon::algorithm_support
