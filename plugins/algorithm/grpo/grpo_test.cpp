// Tests of GRPO's loss and its derivatives: the papers' formulas in float64, finite differences, invariance, explanations.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

class Grpo : public helpers::AlgorithmInstance {
 public:
  explicit Grpo(Options options = {})
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
};
Grpo with(Options options) {
  return Grpo(std::move(options));
}

// How the loss is made, in the words of papers.
struct Loss {
  const char* name;
  Options options;
  enum Kind { kToken, kSequence, kGeometricMean, kGeometricMeanToken, kCispo, kGmpo } kind = kToken;
  double low = .2, high = .2, dual = 0, delta = 0, beta = 0;
  int kl = 3;  // 1, 2, 3; 4: k3-ratio
  double entropy = 0;
};
std::string json(const std::string& text) {
  return "\"" + text + "\"";
}
Options plus(Options a, const Options& b) {
  a.insert(b.begin(), b.end());
  return a;
}
Options preset(const char* name) {
  return helpers::preset_options(tenon_plugin_query_v1(nullptr), name).component;
}
const Options kSequenceMean{{"aggregation", json("sequence-mean")}};
Options ratio(const char* name) {
  return plus({{"ratio", json(name)}}, kSequenceMean);
}
std::vector<Loss> losses() {
  std::vector<Loss> all{
      {.name = "default", .options = {}},
      {.name = "clip", .options = {{"clip_low", "0.1"}, {"clip_high", "0.28"}}, .low = .1, .high = .28},
      {.name = "dual clip", .options = {{"dual_clip", "3"}}, .dual = 3},
      {.name = "dual clip inside",
       .options = {{"dual_clip", "1.1"}, {"beta", "0.5"}},
       .dual = 1.1,
       .beta = .5},
      {.name = "delta", .options = {{"delta", "1.5"}}, .delta = 1.5},
      {.name = "k1", .options = {{"beta", "0.5"}, {"kl", json("k1")}}, .beta = .5, .kl = 1},
      {.name = "k2", .options = {{"beta", "0.5"}, {"kl", json("k2")}}, .beta = .5, .kl = 2},
      {.name = "k3", .options = {{"beta", "0.5"}}, .beta = .5},
      {.name = "k3-ratio", .options = {{"beta", "0.5"}, {"kl", json("k3-ratio")}}, .beta = .5, .kl = 4},
      {.name = "entropy", .options = {{"entropy", "0.3"}}, .entropy = .3},
      {.name = "kl in reward", .options = {{"beta", "0.5"}, {"kl_in", json("reward")}}},
      {.name = "process", .options = {{"advantage", json("process")}}},
      {.name = "sequence", .options = ratio("sequence"), .kind = Loss::kSequence},
      {.name = "sequence, dual clip",
       .options = plus({{"dual_clip", "2"}}, ratio("sequence")),
       .kind = Loss::kSequence,
       .dual = 2},
      {.name = "R1 as printed",
       .options = plus({{"ratio", json("sequence")}}, preset("r1")),
       .kind = Loss::kSequence,
       .low = 10,
       .high = 10,
       .beta = .001},
      {.name = "geometric mean", .options = ratio("geometric-mean"), .kind = Loss::kGeometricMean},
      {.name = "geometric mean with a reference",
       .options = plus({{"beta", "0.2"}, {"kl", json("k3-ratio")}}, ratio("geometric-mean")),
       .kind = Loss::kGeometricMean,
       .beta = .2,
       .kl = 4},
      {.name = "geometric mean, token, process",
       .options = plus({{"advantage", json("process")}, {"beta", "0.1"}}, ratio("geometric-mean-token")),
       .kind = Loss::kGeometricMeanToken,
       .beta = .1},
      {.name = "cispo with a reference",
       .options = {{"objective", json("cispo")}, {"clip_low", "0.1"}, {"beta", "0.2"}, {"entropy", "0.1"}},
       .kind = Loss::kCispo,
       .low = .1,
       .beta = .2,
       .entropy = .1},
      {.name = "gmpo with a reference",
       .options =
           plus({{"objective", json("gmpo")}, {"beta", "0.2"}, {"kl", json("k2")}}, ratio("geometric-mean")),
       .kind = Loss::kGmpo,
       .beta = .2,
       .kl = 2},
      {.name = "deepseekmath", .options = preset("deepseekmath"), .beta = .04},
      {.name = "r1", .options = preset("r1"), .low = 10, .high = 10, .beta = .001},
      {.name = "dr-grpo", .options = preset("dr-grpo")},
      {.name = "dapo", .options = preset("dapo"), .high = .28},
      {.name = "gspo", .options = preset("gspo"), .kind = Loss::kGeometricMean, .low = 3e-4, .high = 4e-4},
      {.name = "gspo-token",
       .options = preset("gspo-token"),
       .kind = Loss::kGeometricMeanToken,
       .low = 3e-4,
       .high = 4e-4},
      {.name = "cispo", .options = preset("cispo"), .kind = Loss::kCispo, .low = 10, .high = 4},
      {.name = "gmpo", .options = preset("gmpo"), .kind = Loss::kGmpo, .low = .4, .high = .4},
  };
  for (int i = 1; i <= 3; ++i)
    all.push_back(
        {.name = "sequence, k1 to k3",
         .options = plus({{"beta", "0.1"}, {"kl", json("k" + std::to_string(i))}}, ratio("sequence")),
         .kind = Loss::kSequence,
         .beta = .1,
         .kl = i});
  all.push_back({.name = "sequence, k3-ratio",
                 .options = plus({{"beta", "0.1"}, {"kl", json("k3-ratio")}}, ratio("sequence")),
                 .kind = Loss::kSequence,
                 .beta = .1,
                 .kl = 4});
  return all;
}

// The papers' formulas, straight from their definitions.
double clip(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}
// min(rho A, clip(rho) A) of PPO; with dual clip, arXiv 1912.09729 eq. 5; with delta, INTELLECT-2: min(min(rho, delta) A, clip(rho) A).
double objective(const Loss& l, double rho, double a) {
  const double bounded = clip(rho, 1 - l.low, 1 + l.high) * a;
  if (l.delta != 0) return std::min(std::min(rho, l.delta) * a, bounded);
  const double pessimistic = std::min(rho * a, bounded);
  return l.dual != 0 && a < 0 ? std::max(pessimistic, l.dual * a) : pessimistic;
}
// 1 where the objective follows rho, else 0.
double gate(const Loss& l, double rho, double a) {
  if (a > 0) return rho > 1 + l.high ? 0 : 1;
  const double cap = l.dual != 0 ? l.dual : l.delta != 0 ? l.delta : std::numeric_limits<double>::infinity();
  return rho < 1 - l.low || rho > cap ? 0 : 1;
}
std::pair<double, double> divergence(int kl, double d, double rho) {  // value, and derivative by lp
  switch (kl) {
    case 1:
      return {-d, 1};
    case 2:
      return {d * d / 2, -d};
    case 3:
      return {std::exp(d) - d - 1, 1 - std::exp(d)};
    default:
      return {rho * (std::exp(d) - d - 1), -rho * d};
  }
}

struct Paper {
  double loss = 0, size = 0;  // size: Σ |terms|
  std::vector<double> d_logprob, d_entropy;
};
Paper paper(const Loss& l, const Rollout& r) {
  Paper p{0, 0, std::vector<double>(r.tokens()), std::vector<double>(r.tokens())};
  const auto add = [&](double x) { p.loss += x, p.size += std::abs(x); };
  for (uint64_t i = 0; i < r.size(); ++i) {
    std::vector<uint64_t> tokens;
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (helpers::counts(r, i, t)) tokens.push_back(t);
    const double n = static_cast<double>(tokens.size());
    const auto x = [&](uint64_t t) { return double{r.lp_new[t]} - double{r.lp_old[t]}; };
    const auto d = [&](uint64_t t) { return double{r.lp_ref[t]} - double{r.lp_new[t]}; };
    double sum = 0, bounded = 0, d_sum = 0, side = 0;
    for (uint64_t t : tokens) side += r.advantage[t];
    for (uint64_t t : tokens) {
      sum += x(t), bounded += side > 0 ? std::min(x(t), l.high) : std::max(x(t), -l.low);
      if (l.beta != 0) d_sum += d(t);
    }
    const double product = std::exp(sum), s = std::exp(sum / n), g = std::exp(bounded / n);
    for (uint64_t t : tokens) {
      const double w = r.weight[t], a = r.advantage[t], rho = std::exp(x(t));
      const auto for_all = [&](double slope) {
        for (uint64_t u : tokens) p.d_logprob[u] += w * slope;
      };
      switch (l.kind) {
        case Loss::kToken:
          add(-w * objective(l, rho, a)), p.d_logprob[t] -= w * gate(l, rho, a) * rho * a;
          break;
        case Loss::kSequence:
          add(-w * objective(l, product, a)), for_all(-gate(l, product, a) * product * a);
          break;
        case Loss::kGeometricMean:
          add(-w * objective(l, s, a)), for_all(-gate(l, s, a) * s * a / n);
          break;
        case Loss::kGeometricMeanToken:
          add(-w * objective(l, s, a)), p.d_logprob[t] -= w * gate(l, s, a) * s * a;
          break;
        case Loss::kCispo: {
          const double weight = clip(rho, 1 - l.low, 1 + l.high);
          add(-w * weight * a * double{r.lp_new[t]}), p.d_logprob[t] -= w * weight * a;
          break;
        }
        case Loss::kGmpo:
          add(-w * a * g);
          for (uint64_t u : tokens)
            if (!(a > 0 ? x(u) > l.high : x(u) < -l.low)) p.d_logprob[u] -= w * a * g / n;
          break;
      }
      if (l.beta != 0) {
        const bool whole = l.kind == Loss::kSequence;
        const auto [value, slope] = divergence(l.kl, whole ? d_sum : d(t), whole ? product : rho);
        add(w * l.beta * value);
        if (whole)
          for_all(l.beta * slope);
        else
          p.d_logprob[t] += w * l.beta * slope;
      }
      if (l.entropy != 0) add(-w * l.entropy * double{r.entropy[t]}), p.d_entropy[t] = -w * l.entropy;
    }
  }
  return p;
}

// Random rollouts; some with rewards of tokens, some far from the policy that sampled them and with rewards from 1e-9 to 1e9.
Rollout some_rollout(const Grpo& grpo, uint64_t seed) {
  Rollout r = seed % 3 == 2 ? helpers::extreme_rollout(seed) : helpers::random_rollout(seed);
  if (seed % 2 == 1) helpers::add_token_rewards(r, seed);
  return grpo.prepared(std::move(r));
}
// The stage's importance weights differ from token to token.
void weigh_by_importance(Rollout& r) {
  for (uint64_t t = 0; t < r.tokens(); ++t) r.advantage[t] *= 0.5 + static_cast<double>(t % 3);
}

TEST(GrpoGradient, AgreesWithThePapers) {
  for (const Loss& l : losses()) {
    SCOPED_TRACE(l.name);
    Grpo grpo(l.options);
    for (uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE(seed);
      Rollout r = some_rollout(grpo, seed);
      if (seed > 8) weigh_by_importance(r);
      Algorithm::Metrics metrics;
      const auto got = grpo.algorithm.gradient(nullptr, r, metrics);
      const Paper expected = paper(l, r);
      EXPECT_NEAR(got.loss, expected.loss, 1e-6 * std::abs(expected.loss) + 1e-14 * expected.size);
      double largest = 0;
      for (double x : expected.d_logprob) largest = std::max(largest, std::abs(x));
      EXPECT_GT(largest, 0);
      for (uint64_t t = 0; t < r.tokens(); ++t) {
        EXPECT_NEAR(got.d_logprob[t], expected.d_logprob[t],
                    1e-6 * std::abs(expected.d_logprob[t]) + 1e-13 * largest)
            << "token " << t;
        if (l.entropy != 0) {
          EXPECT_NEAR(got.d_entropy[t], expected.d_entropy[t], 1e-6 * std::abs(expected.d_entropy[t]))
              << "token " << t;
        }
      }
    }
  }
}

TEST(GrpoGradient, IsTheDerivativeOfTheLoss) {
  for (const Loss& l : losses()) {
    SCOPED_TRACE(l.name);
    Grpo grpo(l.options);
    for (uint64_t seed : {20, 22, 23})
      helpers::expect_gradient_is_the_derivative(grpo, some_rollout(grpo, seed));
  }
}

// At the policy that is differentiated, what the surrogate holds constant changes nothing: it is the loss.
TEST(GrpoGradient, TheSurrogateIsTheLoss) {
  for (const Loss& l : losses()) {
    SCOPED_TRACE(l.name);
    Grpo grpo(l.options);
    Algorithm::Metrics metrics;
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const Rollout r = some_rollout(grpo, seed);
      const Paper scale = paper(l, r);
      EXPECT_NEAR(grpo.loss_of(r, r), grpo.algorithm.gradient(nullptr, r, metrics).loss,
                  1e-12 * scale.size + 1e-15);
    }
  }
}

TEST(GrpoGradient, AnySplitAndAnyOrderGiveTheSame) {
  for (const Loss& l : losses()) {
    SCOPED_TRACE(l.name);
    Grpo grpo(l.options);
    const Rollout r = grpo.prepared(helpers::random_rollout(3));
    helpers::expect_any_split_gives_the_same(grpo.algorithm, r);
    helpers::expect_any_order_gives_the_same(grpo, r);
  }
}

TEST(GrpoGradient, ExplanationsAgree) {
  for (const Loss& l : losses()) {
    SCOPED_TRACE(l.name);
    Grpo grpo(l.options);
    for (uint64_t seed : {6, 7}) helpers::expect_explanations_agree(grpo, some_rollout(grpo, seed));
  }
}

// The chain by hand: reward 1 of [1, 0, 0, 0], ratio e^0.5, clipped at 1.2.
TEST(GrpoGradient, AnExplanationByHand) {
  const Grpo grpo = with({{"clip_high", "10"}});
  Rollout r = helpers::one_group({1, 0, 0, 0});
  r.lp_new[1] = -0.5f;
  r = grpo.prepared(std::move(r));
  std::map<std::string, double> links;
  for (const auto& [name, value] : grpo.links_of(r, 0, 1)) links[name] = value;
  EXPECT_EQ(links["reward"], 1);
  EXPECT_EQ(links["group size"], 4);
  EXPECT_EQ(links["group mean"], 0.25);
  EXPECT_NEAR(links["scale"], 0.5001, 1e-15);
  EXPECT_NEAR(links["advantage"], 0.75 / 0.5001, 1e-15);
  EXPECT_NEAR(links["ratio"], std::exp(0.5), 1e-15);
  EXPECT_EQ(links["clip"], links["ratio"]);
  EXPECT_EQ(links["weight"], 0.25);
  EXPECT_NEAR(links["gradient"], -0.25 * std::exp(0.5) * 0.75 / 0.5001, 1e-7);
}

// All variants agree where the policy is the one that sampled: the gradient is that of REINFORCE.
TEST(GrpoGradient, OnPolicyTheFormsOfTheRatioAgree) {
  const Grpo token(kSequenceMean), geometric(ratio("geometric-mean")), own(ratio("geometric-mean-token")),
      gmpo(preset("gmpo"));
  const Rollout r = token.rollout(5, 0);
  Algorithm::Metrics metrics;
  const auto expected = token.algorithm.gradient(nullptr, r, metrics).d_logprob;
  for (const Grpo* other : {&geometric, &own, &gmpo}) {
    const auto got = other->algorithm.gradient(nullptr, r, metrics).d_logprob;
    for (uint64_t t = 0; t < r.tokens(); ++t) EXPECT_NEAR(got[t], expected[t], 1e-7 * std::abs(expected[t]));
  }
}

// DeepSeekMath eq. 4 at lp = −1, lp_ref = −1.2.
TEST(GrpoGradient, EstimatorsOfTheDivergence) {
  struct {
    const char* kl;
    double value, slope;
  } expected[] = {{"\"k1\"", .2, 1}, {"\"k2\"", .02, .2}, {"\"k3\"", .0187307531, .1812692469}};
  for (auto [kl, value, slope] : expected) {
    Grpo grpo = with({{"beta", "1"}, {"kl", kl}});
    Rollout r = helpers::one_group({1, 1});
    r.lp_ref.assign(r.tokens(), -1.2f);
    r.advantage.assign(r.tokens(), 0);
    grpo.weigh(r);
    Algorithm::Metrics metrics;
    auto got = grpo.algorithm.gradient(nullptr, r, metrics);
    EXPECT_NEAR(got.loss, value, 5e-8) << kl;
    EXPECT_NEAR(got.d_logprob[1], slope / 2, 5e-8) << kl;
    EXPECT_NEAR(metrics.sums["kl"].first / metrics.sums["kl"].second, value, 5e-8) << kl;
  }
}

TEST(GrpoGradient, CountsWhatItClips) {
  Grpo grpo;
  Rollout r = helpers::one_group({1, 1, 1, 1});
  r.advantage = {0, 1, 0, 1, 0, -1, 0, -1};
  r.lp_new = {0, -0.5f, 0, -1,
              0, -1.5f, 0, -0.5f};  // ratios 1.65 (clipped above), 1, 0.61 (clipped below), 1.65 (not: A < 0)
  grpo.weigh(r);
  Algorithm::Metrics metrics;
  auto got = grpo.algorithm.gradient(nullptr, r, metrics);
  EXPECT_EQ(metrics.sums["clip_ratio/high"], std::pair(1.0, 4.0));
  EXPECT_EQ(metrics.sums["clip_ratio/low"], std::pair(1.0, 4.0));
  EXPECT_EQ(got.d_logprob[1], 0);
  EXPECT_EQ(got.d_logprob[5], 0);
  EXPECT_NEAR(got.d_logprob[7], std::exp(.5) / 4, 1e-7);
}

TEST(GrpoGradient, OverflowIsAnErrorThatNamesTheSample) {
  Grpo grpo;
  Rollout r = helpers::one_group({1, 0});
  grpo.weigh(r);
  r.lp_old.assign(r.tokens(), -1000);
  r.lp_new.assign(r.tokens(), 0);
  Algorithm::Metrics metrics;
  r.advantage = {0, 1, 0, 0};
  EXPECT_EQ(grpo.algorithm.gradient(nullptr, r, metrics).loss, -0.6)
      << "clipped at 1.2, and 0 where there is no advantage";
  r.advantage = {0, 1, 0, -1};
  EXPECT_THAT(grpo.error_of(r), testing::HasSubstr("sample 1"));
}

TEST(GrpoGradient, MissingColumnsAreAnError) {
  Grpo grpo = with({{"beta", "0.1"}});
  Rollout r = grpo.rollout(1);
  r.lp_ref.clear();
  Algorithm::Metrics metrics;
  EXPECT_THROW(grpo.algorithm.gradient(nullptr, r, metrics), tenon::Error);
}

// Every bound on the ratio is counted, over all tokens that are trained on.
TEST(GrpoGradient, EveryObjectiveCountsWhatItBounds) {
  struct {
    Options options;
    double low, high;
  } expected[] = {{{{"dual_clip", "1.5"}}, 1, 2},
                  {{{"objective", json("cispo")}}, 1, 2},
                  {plus({{"objective", json("gmpo")}, {"clip_low", "0.3"}, {"clip_high", "0.3"}},
                        ratio("geometric-mean")),
                   1, 1},
                  {ratio("geometric-mean"), 1, 1}};
  for (const auto& [options, low, high] : expected) {
    const Grpo grpo(options);
    Rollout r = helpers::one_group({1, 1, 1, 1});
    r.advantage = {0, 1, 0, 1, 0, -1, 0, -1};
    r.lp_new = {0, -0.5f, 0, -1, 0, -1.5f, 0, -0.5f};  // ratios 1.65, 1, 0.61, 1.65
    grpo.weigh(r);
    Algorithm::Metrics metrics;
    grpo.algorithm.gradient(nullptr, r, metrics);
    EXPECT_EQ(metrics.sums["clip_ratio/low"], std::pair(low, 4.0));
    EXPECT_EQ(metrics.sums["clip_ratio/high"], std::pair(high, 4.0));
    EXPECT_NEAR(metrics.most["ratio/max"], std::exp(0.5), 1e-15);
    EXPECT_NEAR(metrics.least["ratio/min"], std::exp(-0.5), 1e-15);
    EXPECT_NEAR(metrics.sums["policy_kl"].first, -0.5, 1e-15);
  }
}

TEST(GrpoGradient, ARatioOfAWholeCompletionThatOverflowsIsAnError) {
  const Grpo grpo(ratio("sequence"));
  Rollout r = helpers::one_group({1, 0});
  grpo.weigh(r);
  r.lp_old.assign(r.tokens(), -1000);
  r.lp_new.assign(r.tokens(), 0);
  r.advantage = {0, 1, 0, -1};
  EXPECT_THAT(grpo.error_of(r), testing::HasSubstr("sample 1"));
}

// Who has no number for a token must not have one in the gradient.
TEST(GrpoGradient, ANumberThatIsNoneIsAnErrorInEveryVariant) {
  for (const Loss& l : losses()) {
    SCOPED_TRACE(l.name);
    const Grpo grpo(l.options);
    Rollout r = grpo.prepared(helpers::one_group({1, 0}));
    r.lp_new[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(grpo.error_of(r), testing::HasSubstr("sample 1"));
  }
}

}  // namespace
