// The policy's term of a token's loss and the divergence from the reference, as the papers print them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>

#include "reference/reference.h"

namespace tenon::test::reference {

// A token's loss before its weight, and the derivative by what the ratio is made of.
struct Term {
  double loss = 0, slope = 0;
};

struct Clip {
  double low, high;
  double dual = std::numeric_limits<double>::infinity();   // c of dual clip (arXiv 1912.09729, eq. 5)
  double delta = std::numeric_limits<double>::infinity();  // two-sided cap (INTELLECT-2, arXiv 2505.07291)
};

// Schulman et al., arXiv 1707.06347, eq. 7: −min(ρA, clip(ρ, 1 − ε_l, 1 + ε_h) A), by log ρ. With a dual clip, the objective of A < 0 is max(that min, cA); with
// a cap, the ρ that is not clipped is min(ρ, δ).
inline Term clipped(double a, double rho, const Clip& clip) {
  const double free = std::min(rho, clip.delta) * a,
               bounded = std::clamp(rho, 1 - clip.low, 1 + clip.high) * a;
  const double least = std::min(free, bounded);
  Term out{-least, least == free && rho <= clip.delta ? -rho * a : 0};
  if (a < 0 && clip.dual * a > least) out = {-clip.dual * a, 0};
  if (a == 0) out = {0, 0};
  return out;
}

// Schulman's estimators (2020) of a divergence, d = lp_ref − lp: value and derivative by lp. "k3-ratio" is DeepSeek-V3.2's, ρ k3 with ρ of the policy.
inline Term divergence(const std::string& estimator, double lp, double lp_ref, double lp_old) {
  const double d = lp_ref - lp;
  if (estimator == "k1") return {-d, 1};
  if (estimator == "k2") return {d * d / 2, -d};
  const double k3 = std::exp(d) - d - 1, slope = 1 - std::exp(d);
  if (estimator == "k3") return {k3, slope};
  if (estimator != "k3-ratio") throw Error("the reference knows no estimator " + estimator);
  const double rho = std::exp(lp - lp_old);
  return {rho * k3, rho * k3 + rho * slope};
}

}  // namespace tenon::test::reference
