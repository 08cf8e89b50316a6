// Losses of tokens over whole columns.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/policy_loss.h"

#include "algorithm_support/loss_blocks.h"

namespace tenon::algorithm_support {
namespace {

// Of the first token whose loss or slope is not finite; of the first one if only their sum is not.
[[noreturn]] void throw_first_not_finite(const RolloutView& r, uint64_t i, const PolicyLoss& policy,
                                         const KlLoss& kl) {
  uint64_t first = r.end(i);
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    first = std::min(first, begin);
    for (uint64_t t = begin; t < end; ++t) {
      double ratio = 0;
      exp_of_differences(r.raw().lp_new + t, r.raw().lp_old + t, 1, &ratio);
      TokenLoss token = policy(r.advantage(t), ratio, r.lp_new(t));
      if (kl.is_there) {
        const KlTerm term = kl_term(kl.kind, r.lp_new(t), r.lp_ref(t), ratio);
        token.loss += kl.beta * term.value, token.slope += kl.beta * term.slope;
      }
      const double w = r.weight(t);
      if (!is_usable(w * token.loss, w * token.slope, r.lp_new(t) - r.lp_old(t))) throw_not_finite(r, i, t);
    }
  });
  throw_not_finite(r, i, first);
}

}  // namespace

void PolicyLosses::add(const RolloutView& r, uint64_t at, uint64_t n, Gradient& out) {
  double ratio[kBlock], loss[kBlock];
  const tenon_rollout& c = r.raw();
  exp_of_differences(c.lp_new + at, c.lp_old + at, n, ratio);
  if (kl_.is_there)
    add_with_kl(c, at, n, ratio, loss, out.d_logprob() + at);
  else
    weighted_policy_block(policy_.objective, bounds_, ratio, c.advantage + at, c.weight + at, c.lp_new + at,
                          n, loss, out.d_logprob() + at);
  add_block(loss, n, &loss_);
  count_bounds(counted_, ratio, c.advantage + at, n, &ratios_.below, &ratios_.above);
  add_ratios(ratio, c.lp_new + at, c.lp_old + at, n, &ratios_);
}

void PolicyLosses::add_with_kl(const tenon_rollout& c, uint64_t at, uint64_t n, const double* ratio,
                               double* loss, float* slopes) {
  double slope[kBlock], value[kBlock], pull[kBlock];
  policy_block(policy_.objective, bounds_, ratio, c.advantage + at, c.lp_new + at, n, loss, slope);
  kl_block(kl_.kind, c.lp_new + at, c.lp_ref + at, ratio, n, value, pull);
  add_block(value, n, &kl_sum_);
  add_scaled(kl_.beta, value, n, loss), add_scaled(kl_.beta, pull, n, slope);
  multiply(c.weight + at, n, loss), multiply(c.weight + at, n, slope);
  narrow(slope, n, slopes);
}

void PolicyLosses::end(const RolloutView& r, uint64_t i, Gradient& out, RatioMetrics& metrics) const {
  const double loss = loss_.sum();
  const RatioSums ratios = ratios_.sums();
  if (!std::isfinite(loss) || !std::isfinite(ratios.log_ratio) ||
      !derivatives_are_finite(r, i, out.d_logprob()))
    throw_first_not_finite(r, i, policy_, kl_);
  out.add_loss(loss);
  metrics.add(ratios);
}

RatioSums PolicyLosses::Ratios::sums() const {
  if (tokens == 0) return {};
  return {static_cast<double>(tokens),
          ratio.sum(),
          log_ratio.sum(),
          static_cast<double>(below),
          static_cast<double>(above),
          std::bit_cast<double>(least),
          std::bit_cast<double>(most)};
}

void add_policy_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const PolicyLoss& policy,
                       const KlLoss& kl, KlMetric& kl_metric) {
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    PolicyLosses losses(policy, kl);
    for_blocks(r, i, [&](uint64_t at, uint64_t n) { losses.add(r, at, n, out); });
    losses.end(r, i, out, metrics);
    losses.add_kl(kl_metric);
  }
}

void add_policy_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const PolicyLoss& policy) {
  KlMetric none;
  add_policy_losses(r, out, metrics, policy, KlLoss{}, none);
}

}  // namespace tenon::algorithm_support
