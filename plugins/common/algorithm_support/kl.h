// The divergence from the reference, per token: its estimators, and the options that every algorithm with a reference has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <string>

#include "algorithm_support/ratios.h"
#include "tenon/algorithm.hpp"

namespace tenon::algorithm_support {

// Schulman, "Approximating KL divergence" (2020), with d = lp_ref − lp; what each is as a loss, and of which divergence its gradient is on-policy:
//   k1 = −d            slope 1              none: its expectation is 0. Its place is the reward
//   k2 = d²/2          slope −d             KL(π‖ref)
//   k3 = e^d − d − 1   slope 1 − e^d        KL(ref‖π)
//   k3·ρ               slope −ρ d           KL(π‖ref), off-policy too (DeepSeek-V3.2, arXiv 2512.02556, 3.1)
enum class Kl { kK1, kK2, kK3, kK3Ratio };

struct KlTerm {
  double value, slope;  // slope: by lp
};

// ratio: exp(lp − lp_old), of kK3Ratio alone.
inline KlTerm kl_term(Kl kind, double lp, double lp_ref, double ratio) {
  const double d = lp_ref - lp;
  switch (kind) {
    case Kl::kK1:
      return {-d, 1};
    case Kl::kK2:
      return {d * d / 2, -d};
    case Kl::kK3:
      return {std::expm1(d) - d, -std::expm1(d)};
    case Kl::kK3Ratio:
      return {ratio * (std::expm1(d) - d), -ratio * d};
  }
  throw Error(TENON_E_INTERNAL, "no such estimator");
}

inline constexpr const char* kKlNames[] = {"k1", "k2", "k3", "k3-ratio", nullptr};
inline Kl read_kl(const std::string& name) {
  return name == "k1" ? Kl::kK1 : name == "k2" ? Kl::kK2 : name == "k3" ? Kl::kK3 : Kl::kK3Ratio;
}

// The divergence in a loss, β kl; by default there is none. β may be 0, where the stage's controller says so: then it is only measured.
struct KlLoss {
  KlLoss() = default;
  KlLoss(Kl estimator, double weight) : is_there(true), kind(estimator), beta(weight) {}

  bool is_there = false;
  Kl kind = Kl::kK3;
  double beta = 0;
};

// The metric `kl`: the mean of a divergence over what it was taken of.
class KlMetric {
 public:
  void add(double value, double count) { value_ += value, count_ += count; }
  void report(const Gradient& out) const { out.metric("kl", value_, count_); }

 private:
  double value_ = 0, count_ = 0;
};

// Σ_t (lp_old − lp_ref) over the scored tokens of sequence i: k1 of the whole completion.
inline double sequence_kl(const RolloutView& r, uint64_t i) {
  double sum = 0;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    sum += sum_of_differences(r.raw().lp_old + begin, r.raw().lp_ref + begin, end - begin);
  });
  return sum;
}

}  // namespace tenon::algorithm_support
