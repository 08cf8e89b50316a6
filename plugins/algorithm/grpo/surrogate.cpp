// The loss of `grpo` as the papers print it, token by token in float64: what `gradient` is the derivative of.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "grpo.h"

namespace tenon::grpo {
namespace {

namespace support = algorithm_support;

template <class F>
void for_scored(const RolloutView& r, uint64_t i, F&& f) {
  for (uint64_t t = r.begin(i); t < r.end(i); ++t)
    if (r.scored(t)) f(t);
}

double clip(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

}  // namespace

double Grpo::surrogate(const RolloutView& at, const RolloutView& frozen) const {
  const double low = 1 - o_.clip.low, high = 1 + o_.clip.high, beta = o_.beta * at.kl_scale();
  double loss = 0;
  for (uint64_t i = 0; i < at.sequences(); ++i) {
    if (!at.valid(i)) continue;
    double tokens = 0, x = 0, x_frozen = 0, bounded = 0, d = 0, side = 0;
    for_scored(at, i, [&](uint64_t t) { side = side == 0 ? at.advantage(t) : side; });
    for_scored(at, i, [&](uint64_t t) {
      const double x_t = at.lp_new(t) - at.lp_old(t);
      tokens += 1, x += x_t, x_frozen += frozen.lp_new(t) - at.lp_old(t);
      bounded += side > 0 ? std::min(x_t, o_.clip.high) : side < 0 ? std::max(x_t, -o_.clip.low) : x_t;
      if (o_.has_kl_loss()) d += at.lp_ref(t) - at.lp_new(t);
    });
    for_scored(at, i, [&](uint64_t t) {
      const double a = at.advantage(t), token_ratio = std::exp(at.lp_new(t) - at.lp_old(t));
      const double ratio = o_.objective == Objective::kGmpo ? std::exp(bounded / tokens)
                           : o_.ratio == Ratio::kToken      ? token_ratio
                           : o_.ratio == Ratio::kSequence   ? std::exp(x)
                           : o_.ratio == Ratio::kGeometricMean
                               ? std::exp(x / tokens)
                               : std::exp(x_frozen / tokens) * std::exp(at.lp_new(t) - frozen.lp_new(t));
      double term = 0;
      if (o_.objective == Objective::kClip)
        term = -std::min(ratio * a, clip(ratio, low, high) * a),
        term = a < 0 ? std::min(term, -a * o_.clip.cap) : term;
      else if (o_.objective == Objective::kCispo)
        term = -clip(std::exp(frozen.lp_new(t) - at.lp_old(t)), low, high) * a * at.lp_new(t);
      else
        term = -ratio * a;
      if (o_.has_kl_loss())
        term += beta * (o_.ratio == Ratio::kSequence
                            ? support::kl_term(o_.kl, 0, d, ratio).value
                            : support::kl_term(o_.kl, at.lp_new(t), at.lp_ref(t), token_ratio).value);
      if (o_.entropy != 0) term -= o_.entropy * static_cast<double>(at.raw().entropy[t]);
      loss += at.weight(t) * term;
    });
  }
  return loss;
}

}  // namespace tenon::grpo
