// Losses of completions over whole columns.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/completion_loss.h"

#include "algorithm_support/loss_blocks.h"

namespace tenon::algorithm_support {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

[[noreturn]] void throw_completion_not_finite(const RolloutView& r, uint64_t i, const Completion& c,
                                              double log_ratio) {
  uint64_t first = r.begin(i);
  while (!r.scored(first)) ++first;
  throw_not_finite(r, i, first,
                   ", log-ratio of the completion " + number_text(log_ratio) + " over " +
                       number_text(c.tokens) + " tokens");
}

TENON_FOR_EACH_PROCESSOR
void fill_narrow(float x, uint64_t n, float* to) {
  for (uint64_t k = 0; k < n; ++k) to[k] = x;
}

TENON_FOR_EACH_PROCESSOR
void add_narrow(double x, const double* __restrict own, uint64_t n, float* __restrict to) {
  for (uint64_t k = 0; k < n; ++k) to[k] = static_cast<float>(x + own[k]);
}

TENON_FOR_EACH_PROCESSOR
void scale(double factor, uint64_t n, double* x) {
  for (uint64_t k = 0; k < n; ++k) x[k] *= factor;
}

// One completion, whose ratio is known.
class CompletionLosses {
 public:
  CompletionLosses(const RolloutView& r, uint64_t i, Whole whole, const PolicyLoss& policy, const KlLoss& kl)
      : r_(r),
        i_(i),
        whole_(whole),
        policy_(policy),
        kl_(kl),
        completion_(completion_of(r, i)),
        ratio_(completion_.ratio(whole)) {
    std::fill(ratios_, ratios_ + kBlock, ratio_);
    if (whole == Whole::kProduct && kl.is_there) whole_kl_ = kl_of_all();
  }

  // own: to be used again for the next completion, so that it is allocated once.
  void run(Gradient& out, RatioMetrics& metrics, KlMetric& kl_metric, std::vector<double>& own) {
    if (completion_.tokens == 0) return;
    own.clear();
    for_blocks(r_, i_, [&](uint64_t at, uint64_t n) { add(at, n, out.d_logprob() + at, own); });
    if (whole_ != Whole::kGeometricMeanToken) share(out.d_logprob(), own);
    const double loss = loss_.sum();
    if (!std::isfinite(loss) || !std::isfinite(completion_.log_ratio) ||
        !derivatives_are_finite(r_, i_, out.d_logprob()))
      throw_completion_not_finite(r_, i_, completion_, completion_.log_ratio);
    out.add_loss(loss);
    const double bounded = std::min(ratio_, kLargestRatio);
    metrics.add({completion_.tokens, bounded * completion_.tokens, completion_.log_ratio,
                 static_cast<double>(below_), static_cast<double>(above_), bounded, bounded});
    if (!kl_.is_there) return;
    if (whole_ == Whole::kProduct)
      kl_metric.add(whole_kl_.value, 1);
    else
      kl_metric.add(kl_sum_.sum(), completion_.tokens);
  }

 private:
  KlTerm kl_of_all() const {
    double d = 0;
    r_.for_runs(i_, [&](uint64_t begin, uint64_t end) {
      d += sum_of_differences(r_.raw().lp_ref + begin, r_.raw().lp_new + begin, end - begin);
    });
    return kl_term(kl_.kind, 0, d, ratio_);
  }

  // Tokens [at, at + n). What is a token's own goes to `slopes`, or to `own` where all tokens' share is still to come.
  void add(uint64_t at, uint64_t n, float* slopes, std::vector<double>& own) {
    const tenon_rollout& c = r_.raw();
    double loss[kBlock], slope[kBlock], pull[kBlock];
    policy_block(policy_.objective, Bounds::of_loss(policy_), ratios_, c.advantage + at, c.lp_new + at, n,
                 loss, slope);
    count_bounds(Bounds::of_counts(policy_), ratios_, c.advantage + at, n, &below_, &above_);
    const bool has_own_kl = kl_.is_there && whole_ != Whole::kProduct;
    if (has_own_kl) add_token_kl(at, n, loss, pull);
    if (kl_.is_there && whole_ == Whole::kProduct) {
      for (uint64_t k = 0; k < n; ++k) loss[k] += kl_.beta * whole_kl_.value;
      for (uint64_t k = 0; k < n; ++k) slope[k] += kl_.beta * whole_kl_.slope;
    }
    if (has_own_kl && whole_ == Whole::kGeometricMeanToken) add_scaled(1, pull, n, slope);
    multiply(c.weight + at, n, loss), multiply(c.weight + at, n, slope);
    add_block(loss, n, &loss_);
    if (whole_ == Whole::kGeometricMeanToken) return narrow(slope, n, slopes);
    add_block(slope, n, &shared_);
    if (has_own_kl) {
      multiply(c.weight + at, n, pull);
      own.insert(own.end(), pull, pull + n);
    }
  }

  // β kl of each token to its loss; β times its slope to `pull`.
  void add_token_kl(uint64_t at, uint64_t n, double* loss, double* pull) {
    const tenon_rollout& c = r_.raw();
    double token_ratio[kBlock], value[kBlock];
    if (kl_.kind == Kl::kK3Ratio) exp_of_differences(c.lp_new + at, c.lp_old + at, n, token_ratio);
    kl_block(kl_.kind, c.lp_new + at, c.lp_ref + at, token_ratio, n, value, pull);
    add_block(value, n, &kl_sum_);
    add_scaled(kl_.beta, value, n, loss);
    scale(kl_.beta, n, pull);
  }

  // The part of each token in the derivative by the ratio, and its own.
  void share(float* slopes, const std::vector<double>& own) const {
    const double all = completion_.share(whole_) * shared_.sum();
    const double* next = own.data();
    r_.for_runs(i_, [&](uint64_t begin, uint64_t end) {
      if (own.empty()) return fill_narrow(static_cast<float>(all), end - begin, slopes + begin);
      add_narrow(all, next, end - begin, slopes + begin);
      next += end - begin;
    });
  }

  const RolloutView& r_;
  uint64_t i_;
  Whole whole_;
  PolicyLoss policy_;
  KlLoss kl_;
  Completion completion_;
  double ratio_;
  double ratios_[kBlock];
  KlTerm whole_kl_{0, 0};
  Lanes loss_, shared_, kl_sum_;
  int64_t below_ = 0, above_ = 0;
};

TENON_FOR_EACH_PROCESSOR
void multiply_into(const double* __restrict a, const double* __restrict b, uint64_t n,
                   double* __restrict out) {
  for (uint64_t k = 0; k < n; ++k) out[k] = a[k] * b[k];
}

// lp_new − lp_old, held in [low, high].
TENON_FOR_EACH_PROCESSOR
void bound_log_ratios(const float* __restrict lp_new, const float* __restrict lp_old, uint64_t n, double low,
                      double high, double* __restrict bounded) {
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(lp_new[k]) - static_cast<double>(lp_old[k]);
    const double raised = x < low ? low : x;
    bounded[k] = raised > high ? high : raised;
  }
}

// `slope` where x = lp_new − lp_old is inside [low, high], else 0; how many are below and above.
TENON_FOR_EACH_PROCESSOR
void slope_inside(const float* __restrict lp_new, const float* __restrict lp_old, uint64_t n, double low,
                  double high, double slope, double* __restrict out, int64_t* __restrict below_out,
                  int64_t* __restrict above_out) {
  int64_t below = 0, above = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(lp_new[k]) - static_cast<double>(lp_old[k]);
    const double raised = x < low ? 0 : slope;
    out[k] = x > high ? 0 : raised;
  }
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(lp_new[k]) - static_cast<double>(lp_old[k]);
    below += x < low ? 1 : 0;
    above += x > high ? 1 : 0;
  }
  *below_out += below, *above_out += above;
}

// GMPO's, of one completion.
class GeometricLoss {
 public:
  // own: to be used again for the next completion, so that it is allocated once.
  GeometricLoss(const RolloutView& r, uint64_t i, const Clip& clip, const KlLoss& kl,
                std::vector<double>& own)
      : r_(r), i_(i), kl_(kl), own_(own) {
    own.clear();
    double side = 0;
    for (uint64_t t = r.begin(i); t < r.end(i) && side == 0; ++t)
      if (r.scored(t)) side = r.advantage(t);
    low_ = side < 0 ? -clip.low : -kInfinity, high_ = side > 0 ? clip.high : kInfinity;
  }

  void run(Gradient& out, RatioMetrics& metrics, KlMetric& kl_metric) {
    for_blocks(r_, i_, [&](uint64_t at, uint64_t n) { measure(at, n); });
    if (ratios_.tokens == 0) return;
    Completion c;
    c.tokens = static_cast<double>(ratios_.tokens), c.log_ratio = bounded_.sum();
    const double weighted = weighted_.sum();
    const double policy =
        weighted == 0 ? 0 : -weighted * c.ratio(Whole::kGeometricMean);  // also its derivative by log g
    for_blocks(r_, i_, [&](uint64_t at, uint64_t n) { differentiate(at, n, policy / c.tokens, out); });
    const double loss = policy + kl_loss_.sum();
    const RatioSums ratios = ratios_.sums();
    if (!std::isfinite(loss) || !std::isfinite(ratios.log_ratio) ||
        !derivatives_are_finite(r_, i_, out.d_logprob()))
      throw_completion_not_finite(r_, i_, c, ratios.log_ratio);
    out.add_loss(loss);
    metrics.add(ratios);
    if (kl_.is_there) kl_metric.add(kl_sum_.sum(), c.tokens);
  }

 private:
  void measure(uint64_t at, uint64_t n) {
    const tenon_rollout& c = r_.raw();
    double of_each[kBlock];
    own_.resize(own_.size() + n);
    double* ratio = own_.data() + own_.size() - n;
    exp_of_differences(c.lp_new + at, c.lp_old + at, n, ratio);
    add_ratios(ratio, c.lp_new + at, c.lp_old + at, n, &ratios_);
    bound_log_ratios(c.lp_new + at, c.lp_old + at, n, low_, high_, of_each);
    add_block(of_each, n, &bounded_);
    multiply_into(c.weight + at, c.advantage + at, n, of_each);
    add_block(of_each, n, &weighted_);
  }

  void differentiate(uint64_t at, uint64_t n, double share, Gradient& out) {
    const tenon_rollout& c = r_.raw();
    double slope[kBlock];
    slope_inside(c.lp_new + at, c.lp_old + at, n, low_, high_, share, slope, &ratios_.below, &ratios_.above);
    if (kl_.is_there) {
      double value[kBlock], pull[kBlock];
      kl_block(kl_.kind, c.lp_new + at, c.lp_ref + at, own_.data() + done_, n, value, pull);
      done_ += n;
      add_block(value, n, &kl_sum_);
      scale(kl_.beta, n, value), scale(kl_.beta, n, pull);
      multiply(c.weight + at, n, value), multiply(c.weight + at, n, pull);
      add_block(value, n, &kl_loss_);
      add_scaled(1, pull, n, slope);
    }
    narrow(slope, n, out.d_logprob() + at);
  }

  const RolloutView& r_;
  uint64_t i_;
  KlLoss kl_;
  std::vector<double>& own_;  // the ratios of its tokens
  uint64_t done_ = 0;         // how many of them `differentiate` has used
  double low_, high_;         // of log-ratios
  PolicyLosses::Ratios ratios_;
  Lanes bounded_, weighted_, kl_loss_, kl_sum_;
};

}  // namespace

void add_completion_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Whole whole,
                           const PolicyLoss& policy, const KlLoss& kl, KlMetric& kl_metric) {
  std::vector<double> own;
  for (uint64_t i = 0; i < r.sequences(); ++i)
    if (r.valid(i)) CompletionLosses(r, i, whole, policy, kl).run(out, metrics, kl_metric, own);
}

void add_geometric_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const Clip& clip,
                          const KlLoss& kl, KlMetric& kl_metric) {
  std::vector<double> own;
  for (uint64_t i = 0; i < r.sequences(); ++i)
    if (r.valid(i)) GeometricLoss(r, i, clip, kl, own).run(out, metrics, kl_metric);
}

}  // namespace tenon::algorithm_support
