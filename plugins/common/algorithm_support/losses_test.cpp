// Losses over whole columns in vector code, against loops over tokens that read like the equations.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "algorithm_support/completion_loss.h"

namespace tenon::algorithm_support {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using MetricValues = std::map<std::string, std::pair<double, double>>;

// Sequences of all lengths, one of which is not valid, one empty and one without a token that counts; masked tokens, which hold no numbers; advantages of
// both signs and 0, and in some sequences of one sign, or all 0.
struct Batch {
  std::vector<uint64_t> offsets{0}, sample_id;
  std::vector<uint8_t> mask, valid;
  std::vector<double> advantage, weight;
  std::vector<float> lp_new, lp_old, lp_ref, d_logprob;
  tenon_rollout raw{};
  MetricValues metrics;
  double loss = 0;

  // drift: how far lp_new and lp_ref are from lp_old at most.
  explicit Batch(uint64_t seed, double drift = 1) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    const auto uniform = [&](double from, double to) {
      return std::uniform_real_distribution<double>(from, to)(random);
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (uint64_t n : {700, 20, 580, 1, 0, 63, 64, 65, 9, 200}) {
      const uint64_t i = sample_id.size();
      sample_id.push_back(90 - i), valid.push_back(i != 1), offsets.push_back(offsets.back() + n);
      for (uint64_t t = 0; t < n; ++t) {
        mask.push_back(i == 8 || random() % 40 == 0 ? 0 : 1);
        const double a = i == 5 || random() % 7 == 0 ? 0 : uniform(-2, 2);
        advantage.push_back(i == 2   ? std::abs(a)
                            : i == 7 ? -std::abs(a)
                                     : a),
            weight.push_back(uniform(0, 1));
        lp_old.push_back(mask.back() ? static_cast<float>(uniform(-3, 0)) : nan);
        lp_new.push_back(lp_old.back() + static_cast<float>(uniform(-drift, drift)));
        lp_ref.push_back(lp_old.back() + static_cast<float>(uniform(-drift, drift)));
      }
    }
    d_logprob.assign(mask.size(), 0);
    raw.struct_size = sizeof raw;
    raw.n_seq = sample_id.size(), raw.n_tok = mask.size();
    raw.offsets = offsets.data(), raw.sample_id = sample_id.data(), raw.mask = mask.data();
    raw.valid = valid.data(), raw.advantage = advantage.data(), raw.weight = weight.data();
    raw.lp_new = lp_new.data(), raw.lp_old = lp_old.data(), raw.lp_ref = lp_ref.data();
  }
  Batch(const Batch&) = delete;

  // add(view, out, ratios, divergence) fills d_logprob, loss and metrics.
  template <class Add>
  void run(Add&& add) {
    tenon_gradient_out to{};
    to.struct_size = sizeof to, to.d_logprob = d_logprob.data(), to.ctx = &metrics;
    to.metric = [](void* ctx, const char* name, int32_t, double value, double count) {
      (*static_cast<MetricValues*>(ctx))[name] = {value, count};
    };
    Gradient out(&to);
    RatioMetrics ratios;
    KlMetric divergence;
    add(RolloutView(&raw), out, ratios, divergence);
    ratios.report(out), divergence.report(out);
    loss = to.loss;
  }
  template <class Add>
  std::string error_of(Add&& add) {
    try {
      run(add);
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was thrown";
  }
};

template <class F>
void for_scored(const RolloutView& r, uint64_t i, F&& f) {
  for (uint64_t t = r.begin(i); t < r.end(i); ++t)
    if (r.scored(t)) f(t);
}
template <class F>
void for_valid(const RolloutView& r, F&& f) {
  for (uint64_t i = 0; i < r.sequences(); ++i)
    if (r.valid(i)) f(i);
}
void add_ratio(RatioMetrics& to, double ratio, double log_ratio, const TokenLoss& loss) {
  const double x = std::min(ratio, kLargestRatio);
  to.add({1, x, log_ratio, loss.below, loss.above, x, x});
}
double log_ratio_of(const RolloutView& r, uint64_t t) {
  return r.lp_new(t) - r.lp_old(t);
}
// β kl of a token; to the metric before β.
KlTerm token_kl(const RolloutView& r, uint64_t t, const KlLoss& kl, KlMetric& metric) {
  if (!kl.is_there) return {0, 0};
  const KlTerm term = kl_term(kl.kind, r.lp_new(t), r.lp_ref(t), std::exp(log_ratio_of(r, t)));
  metric.add(term.value, 1);
  return {kl.beta * term.value, kl.beta * term.slope};
}

void token_loop(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const PolicyLoss& policy,
                const KlLoss& kl, KlMetric& divergence) {
  for_valid(r, [&](uint64_t i) {
    for_scored(r, i, [&](uint64_t t) {
      const double x = log_ratio_of(r, t), w = r.weight(t);
      const TokenLoss token = policy(r.advantage(t), std::exp(x), r.lp_new(t));
      const KlTerm pull = token_kl(r, t, kl, divergence);
      out.add(t, w * (token.loss + pull.value), w * (token.slope + pull.slope));
      add_ratio(metrics, std::exp(x), x, token);
    });
  });
}

void completion_loop(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Whole whole,
                     const PolicyLoss& policy, const KlLoss& kl, KlMetric& divergence) {
  for_valid(r, [&](uint64_t i) {
    double tokens = 0, x = 0, d = 0, shared = 0;
    for_scored(r, i,
               [&](uint64_t t) { tokens += 1, x += log_ratio_of(r, t), d += r.lp_ref(t) - r.lp_new(t); });
    if (tokens == 0) return;
    const double share = whole == Whole::kProduct ? 1 : 1 / tokens, ratio = std::exp(x * share);
    KlTerm all{0, 0};
    if (kl.is_there && whole == Whole::kProduct) {
      all = kl_term(kl.kind, 0, d, ratio);
      divergence.add(all.value, 1);
    }
    std::vector<double> own;
    for_scored(r, i, [&](uint64_t t) {
      const double w = r.weight(t);
      const TokenLoss token = policy(r.advantage(t), ratio, r.lp_new(t));
      const KlTerm pull = whole == Whole::kProduct ? KlTerm{0, 0} : token_kl(r, t, kl, divergence);
      const bool is_own = whole == Whole::kGeometricMeanToken;
      shared += is_own ? 0 : w * (token.slope + kl.beta * all.slope);
      own.push_back(w * (pull.slope + (is_own ? token.slope : 0)));
      out.add_loss(w * (token.loss + pull.value + kl.beta * all.value));
      add_ratio(metrics, ratio, log_ratio_of(r, t), token);
    });
    const double* next = own.data();
    for_scored(r, i, [&](uint64_t t) { out.d_logprob()[t] = static_cast<float>(share * shared + *next++); });
  });
}

void geometric_loop(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const Clip& clip,
                    const KlLoss& kl, KlMetric& divergence) {
  for_valid(r, [&](uint64_t i) {
    double side = 0, tokens = 0, log_mean = 0, weighted = 0;
    for_scored(r, i, [&](uint64_t t) { tokens += 1, side = side == 0 ? r.advantage(t) : side; });
    const auto below = [&](double x) { return side < 0 && x < -clip.low; };
    const auto above = [&](double x) { return side > 0 && x > clip.high; };
    for_scored(r, i, [&](uint64_t t) {
      const double x = log_ratio_of(r, t);
      log_mean += (below(x) ? -clip.low : above(x) ? clip.high : x) / tokens;
      weighted += r.weight(t) * r.advantage(t);
    });
    const double policy = weighted == 0 ? 0 : -weighted * std::exp(log_mean);
    if (tokens > 0) out.add_loss(policy);
    for_scored(r, i, [&](uint64_t t) {
      const double x = log_ratio_of(r, t);
      const KlTerm pull = token_kl(r, t, kl, divergence);
      out.add(t, r.weight(t) * pull.value,
              (below(x) || above(x) ? 0 : policy / tokens) + r.weight(t) * pull.slope);
      add_ratio(metrics, std::exp(x), x, {0, 0, below(x) ? 1.0 : 0.0, above(x) ? 1.0 : 0.0});
    });
  });
}

void expect_equal(const Batch& fast, const Batch& naive) {
  double size = 0;
  for (float d : naive.d_logprob) size = std::max(size, std::abs(static_cast<double>(d)));
  EXPECT_GT(size, 0);
  for (size_t t = 0; t < naive.d_logprob.size(); ++t)
    EXPECT_NEAR(fast.d_logprob[t], naive.d_logprob[t],
                2e-7 * std::abs(static_cast<double>(naive.d_logprob[t])) + 1e-12 * size)
        << t;
  EXPECT_NEAR(fast.loss, naive.loss, 1e-12 * (1 + std::abs(naive.loss)));
  EXPECT_EQ(fast.metrics.size(), naive.metrics.size());
  for (const auto& [name, value] : naive.metrics) {
    EXPECT_NEAR(fast.metrics.at(name).first, value.first, 1e-12 * (1000 + std::abs(value.first))) << name;
    EXPECT_EQ(fast.metrics.at(name).second, value.second) << name;
  }
}

std::vector<KlLoss> divergences() {
  return {KlLoss(),           KlLoss(Kl::kK1, .3),     KlLoss(Kl::kK2, .3), KlLoss(Kl::kK3, .3),
          KlLoss(Kl::kK3, 0), KlLoss(Kl::kK3Ratio, .3)};
}
std::vector<PolicyLoss> policies() {
  return {
      {{.2, .3}}, {{.2, .3, 1.5}}, {{10, 10}}, {{.2, .3}, Objective::kCispo}, {{10, .01}, Objective::kCispo},
      kReinforce};
}
std::string name_of(const PolicyLoss& p, const KlLoss& kl) {
  return std::string(p.objective == Objective::kClip ? "clip" : "cispo") + " " + number_text(p.clip.low) +
         " " + number_text(p.clip.cap) +
         (kl.is_there ? std::string(", ") + kKlNames[static_cast<int>(kl.kind)] + " " + number_text(kl.beta)
                      : "");
}

TEST(PolicyLosses, AreTheLoopOfTheEquation) {
  for (const PolicyLoss& policy : policies())
    for (const KlLoss& kl : divergences())
      for (uint64_t seed : {1, 2})
        for (double drift : {1.0, 30.0}) {
          SCOPED_TRACE(name_of(policy, kl));
          Batch fast(seed, drift), naive(seed, drift);
          fast.run([&](const RolloutView& r, Gradient& out, RatioMetrics& ratios, KlMetric& divergence) {
            add_policy_losses(r, out, ratios, policy, kl, divergence);
          });
          naive.run([&](const RolloutView& r, Gradient& out, RatioMetrics& ratios, KlMetric& divergence) {
            token_loop(r, out, ratios, policy, kl, divergence);
          });
          expect_equal(fast, naive);
          if (policy.clip.low == .2) {
            EXPECT_GT(naive.metrics["clip_ratio/low"].first, 0);
            EXPECT_GT(naive.metrics["clip_ratio/high"].first, 0);
          }
        }
}

TEST(CompletionLosses, AreTheLoopOfTheEquation) {
  for (Whole whole : {Whole::kProduct, Whole::kGeometricMean, Whole::kGeometricMeanToken})
    for (const PolicyLoss& policy :
         {PolicyLoss{{.02, .03}}, PolicyLoss{{.2, .3, 1.02}}, PolicyLoss{{10, 10}}})
      for (const KlLoss& kl : divergences())
        for (uint64_t seed : {1, 2}) {
          SCOPED_TRACE(name_of(policy, kl) + " " + std::to_string(static_cast<int>(whole)));
          // The product of 700 ratios has to stay a number.
          Batch fast(seed, .3), naive(seed, .3);
          fast.run([&](const RolloutView& r, Gradient& out, RatioMetrics& ratios, KlMetric& divergence) {
            add_completion_losses(r, out, ratios, whole, policy, kl, divergence);
          });
          naive.run([&](const RolloutView& r, Gradient& out, RatioMetrics& ratios, KlMetric& divergence) {
            completion_loop(r, out, ratios, whole, policy, kl, divergence);
          });
          expect_equal(fast, naive);
        }
}

TEST(GeometricLosses, AreTheLoopOfTheEquation) {
  for (const Clip& clip : {Clip{.4, .4}, Clip{.1, .9}})
    for (const KlLoss& kl : divergences())
      for (uint64_t seed : {1, 2}) {
        SCOPED_TRACE(name_of({clip}, kl));
        Batch fast(seed), naive(seed);
        fast.run([&](const RolloutView& r, Gradient& out, RatioMetrics& ratios, KlMetric& divergence) {
          add_geometric_losses(r, out, ratios, clip, kl, divergence);
        });
        naive.run([&](const RolloutView& r, Gradient& out, RatioMetrics& ratios, KlMetric& divergence) {
          geometric_loop(r, out, ratios, clip, kl, divergence);
        });
        expect_equal(fast, naive);
        EXPECT_GT(naive.metrics["clip_ratio/low"].first, 0);
        EXPECT_GT(naive.metrics["clip_ratio/high"].first, 0);
      }
}

// All losses there are, as run's argument.
using Add = std::function<void(const RolloutView&, Gradient&, RatioMetrics&, KlMetric&)>;
std::map<std::string, Add> all_losses(const KlLoss& kl = {}) {
  std::map<std::string, Add> all;
  for (Objective objective : {Objective::kClip, Objective::kCispo})
    all[objective == Objective::kClip ? "clip" : "cispo"] = [=](auto& r, auto& out, auto& ratios,
                                                                auto& metric) {
      add_policy_losses(r, out, ratios, {{.2, .2}, objective}, kl, metric);
    };
  for (Whole whole : {Whole::kProduct, Whole::kGeometricMean, Whole::kGeometricMeanToken})
    all["completion " + std::to_string(static_cast<int>(whole))] = [=](auto& r, auto& out, auto& ratios,
                                                                       auto& metric) {
      add_completion_losses(r, out, ratios, whole, {{.2, .2}}, kl, metric);
    };
  all["gmpo"] = [=](auto& r, auto& out, auto& ratios, auto& metric) {
    add_geometric_losses(r, out, ratios, {.4, .4}, kl, metric);
  };
  return all;
}

constexpr uint64_t kAt = 720 + 530;  // in the second run of blocks of the third sequence
std::string error_after(const Add& add, const std::function<void(Batch&)>& change) {
  Batch b(2);
  std::fill(b.mask.begin(), b.mask.end(), uint8_t{1});
  for (auto* column : {&b.lp_old, &b.lp_new, &b.lp_ref}) std::fill(column->begin(), column->end(), -1.0f);
  b.advantage[kAt] = 1;
  change(b);
  return b.error_of(add);
}

// The token whose number it is, and the column: not the first token of its completion, and no advice about the learning rate alone.
TEST(Losses, NameTheTokenAndTheColumnThatIsNoNumber) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const auto& [name, add] : all_losses(KlLoss(Kl::kK3, .1))) {
    SCOPED_TRACE(name);
    EXPECT_EQ(error_after(add, [](Batch&) {}), "nothing was thrown");
    for (float bad : {nan, inf, -inf}) {
      const std::string value = number_text(bad);
      for (auto [column, pointer] : std::map<std::string, std::vector<float> Batch::*>{
               {"lp_new", &Batch::lp_new}, {"lp_old", &Batch::lp_old}, {"lp_ref", &Batch::lp_ref}})
        for (double a : {0.0, 1.0, -1.0})
          EXPECT_THAT(
              error_after(add, [&](Batch& b) { (b.*pointer)[kAt] = bad, b.advantage[kAt] = a; }),
              HasSubstr(column + " is " + value + " at token 530 of sample 88, but a log-probability"));
      for (auto [column, pointer] : std::map<std::string, std::vector<double> Batch::*>{
               {"advantage", &Batch::advantage}, {"weight", &Batch::weight}})
        EXPECT_THAT(error_after(add, [&](Batch& b) { (b.*pointer)[kAt] = bad; }),
                    HasSubstr(column + " is " + value + " at token 530 of sample 88"));
    }
    EXPECT_EQ(error_after(add, [&](Batch& b) { b.lp_new[705] = nan; }), "nothing was thrown")
        << "not valid: not looked at";
  }
}

TEST(Losses, NameTheTokenWhoseDerivativeIsTooLarge) {
  const Add clip = all_losses().at("clip");
  EXPECT_THAT(
      error_after(clip, [](Batch& b) { b.lp_old[kAt] = -1000, b.advantage[kAt] = -1; }),
      AllOf(HasSubstr("the loss is not finite at token 530 of sample 88: advantage -1, lp_new -1, lp_old "
                      "-1000"),
            HasSubstr("lower the learning rate")));
  EXPECT_THAT(error_after(clip, [](Batch& b) { b.advantage[kAt] = 1e60, b.weight[kAt] = 1; }),
              HasSubstr("at token 530 of sample 88"));
  EXPECT_THAT(error_after(all_losses().at("completion 0"),
                          [](Batch& b) {
                            b.lp_old[kAt] = -1000;
                            std::fill(b.advantage.begin(), b.advantage.end(), -1);
                          }),
              AllOf(HasSubstr("at token 0 of sample 88"),
                    HasSubstr("log-ratio of the completion 999 over 580 tokens")));
}

// A ratio that overflows does no harm where a bound removes it or the advantage is 0, and the metrics stay numbers.
TEST(Losses, ABoundedRatioThatOverflowsKeepsMetricsFinite) {
  for (const auto& [name, add] : all_losses()) {
    SCOPED_TRACE(name);
    for (double a : {0.0, 1.0}) {
      Batch b(2);
      std::fill(b.advantage.begin(), b.advantage.end(), a);
      std::fill(b.lp_new.begin(), b.lp_new.end(), -1.0f), std::fill(b.lp_old.begin(), b.lp_old.end(), -1e30f);
      EXPECT_EQ(b.error_of(add), "nothing was thrown");
      for (const auto& [metric, value] : b.metrics) EXPECT_TRUE(std::isfinite(value.first)) << metric;
      EXPECT_EQ(b.metrics["ratio/max"].first, kLargestRatio);
      EXPECT_NEAR(b.metrics["ratio/mean"].first / b.metrics["ratio/mean"].second, kLargestRatio, 1e24);
    }
  }
}

}  // namespace
}  // namespace tenon::algorithm_support
