// Tests of PPO: published numbers, an independent reference in float64, finite differences by all three columns, and
// everything a rollout may hold.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

const float kNan = std::numeric_limits<float>::quiet_NaN();

// The columns of a critic and of entropy, NaN where they mean nothing; with token rewards where `rewards`.
void add_columns(Rollout& r, uint64_t seed, bool rewards) {
  std::mt19937_64 random(seed + 77);
  std::uniform_real_distribution<double> uniform(-1, 1);
  r.value.assign(r.tokens(), kNan), r.value_old = r.entropy = r.value;
  if (rewards) r.token_reward.assign(r.tokens(), std::nan(""));
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      if (!helpers::counts(r, i, t)) continue;
      r.value_old[t] = static_cast<float>(uniform(random));
      r.value[t] = r.value_old[t] + static_cast<float>(uniform(random));
      r.entropy[t] = static_cast<float>(1 + uniform(random));
      if (rewards && uniform(random) < 0) r.token_reward[t] = uniform(random);
    }
}

class Ppo : public helpers::AlgorithmInstance {
 public:
  explicit Ppo(Options options = {})
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
  // As `gradient` is given it.
  Rollout batch(uint64_t seed, bool rewards = true) const {
    Rollout r = helpers::random_rollout(seed);
    add_columns(r, seed, rewards);
    estimate(r);
    weigh(r);
    return r;
  }
  Algorithm::Metrics estimate(Rollout& r) const {
    Algorithm::Metrics metrics;
    algorithm.advantages(nullptr, r, metrics);
    return metrics;
  }
};

// One completion with these values before the update, one token each.
Rollout completion(const std::vector<float>& values, const std::vector<uint8_t>& mask, double reward) {
  Rollout r;
  const std::vector<int32_t> ids(values.size(), 1);
  const std::vector<float> lp(values.size(), -1.0f);
  r.push(ids, {}, {}, 1, 1, TENON_FINISH_STOP);
  r.ids.values.clear(), r.ids.offsets = {0, values.size()};
  r.ids.values = ids;
  r.prompt_len = {0};
  r.mask = mask;
  r.lp_sample = r.lp_old = r.lp_new = r.lp_ref = lp;
  r.value = r.value_old = values;
  r.reward = {reward};
  return r;
}

// r = [0, 0, 1], V = [.5, .4, .7], gamma 1; worked by hand from arXiv 1506.02438, eq. 16.
TEST(PpoAdvantages, GoldenNumbers) {
  const auto near = [](double x) { return DoubleNear(x, 1e-7); };
  Rollout r = completion({.5f, .4f, .7f}, {1, 1, 1}, 1);
  Ppo(Options{{"whiten", "false"}}).estimate(r);
  EXPECT_THAT(r.advantage, ElementsAre(near(.5), near(.6), near(.3)));
  EXPECT_THAT(r.value_target, ElementsAre(near(1), near(1), near(1)));
  Ppo().estimate(r);
  EXPECT_THAT(r.advantage,
              ElementsAre(DoubleNear(.218218, 1e-6), DoubleNear(.872871, 1e-6), DoubleNear(-1.091089, 1e-6)));
  EXPECT_THAT(r.value_target, ElementsAre(near(1), near(1), near(1))) << "of advantages before whitening";
  Ppo({{"whiten", "false"}, {"lambda", "0.95"}}).estimate(r);
  EXPECT_THAT(r.advantage, ElementsAre(near(.45575), near(.585), near(.3)));
  EXPECT_THAT(r.value_target, ElementsAre(near(.95575), near(.985), near(1)));
}

// verl, tests/trainer/ppo/test_core_algos_on_cpu.py, test_multi_turn_compute_gae_advantage_return: rewards, mask and values
// of its tokens; what the critic says of observation tokens must not matter. Also: the numbers are those of the
// completion with the observation cut out.
TEST(PpoAdvantages, ObservationTokensAreSkippedAsInVerl) {
  const std::vector<uint8_t> mask{0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0};
  const std::vector<double> rewards{0, 0, .1, .1, .1, 0, 0, .1, 1, 0, 0};
  for (auto [gamma, lambda] : {std::pair(1.0, 1.0), std::pair(.9, .7), std::pair(.31, .83)}) {
    const Ppo ppo(
        {{"gamma", std::to_string(gamma)}, {"lambda", std::to_string(lambda)}, {"whiten", "false"}});
    std::vector<Rollout> runs;
    for (float observed : {-73.0f, 12.0f}) {
      Rollout r = completion({observed, .5f, 4, 5, 6, -observed, .25f, 7, 9, 0, 0}, mask, 0);
      r.token_reward = rewards;
      ppo.estimate(r);
      runs.push_back(r);
    }
    EXPECT_EQ(runs[0].advantage, runs[1].advantage);
    const std::vector<double> value{4, 5, 6, 7, 9}, reward{.1, .1, .1, .1, 1};
    const std::vector<uint64_t> place{2, 3, 4, 7, 8};
    for (size_t k = 0; k < 5; ++k) {
      double a = 0;
      for (size_t l = k; l < 5; ++l)
        a += std::pow(gamma * lambda, static_cast<double>(l - k)) *
             (reward[l] + gamma * (l < 4 ? value[l + 1] : 0) - value[l]);
      EXPECT_NEAR(runs[0].advantage[place[k]], a, 1e-6 * std::abs(a));
      EXPECT_NEAR(runs[0].value_target[place[k]], a + value[k], 1e-6);
      EXPECT_EQ(runs[0].value_target[place[k]], runs[1].value_target[place[k]]);
    }
    for (size_t t : {0, 1, 5, 6, 9, 10}) EXPECT_EQ(runs[0].advantage[t], 0);
  }
}

// The whole of `advantages`, each A as the sum of its definition.
struct Reference {
  std::vector<double> advantage, whitened, target;
};
Reference reference(const Rollout& r, double gamma, double lambda, double beta) {
  Reference out;
  out.advantage.resize(r.tokens()), out.whitened = out.target = out.advantage;
  double n = 0, sum = 0, squares = 0;
  for (uint64_t i = 0; i < r.size(); ++i) {
    std::vector<uint64_t> at;
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (helpers::counts(r, i, t)) at.push_back(t);
    std::vector<double> delta;
    for (size_t k = 0; k < at.size(); ++k) {
      const uint64_t t = at[k];
      double reward = k + 1 == at.size() ? r.reward[i] : 0;
      if (!r.token_reward.empty() && !std::isnan(r.token_reward[t])) reward += r.token_reward[t];
      reward -= beta * (double{r.lp_old[t]} - double{r.lp_ref[t]});
      delta.push_back(reward + (k + 1 < at.size() ? gamma * double{r.value_old[at[k + 1]]} : 0) -
                      double{r.value_old[t]});
    }
    for (size_t k = 0; k < at.size(); ++k) {
      double a = 0;
      for (size_t l = k; l < at.size(); ++l)
        a += std::pow(gamma * lambda, static_cast<double>(l - k)) * delta[l];
      out.advantage[at[k]] = a, out.target[at[k]] = a + double{r.value_old[at[k]]};
      n += 1, sum += a;
    }
  }
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (helpers::counts(r, i, t)) squares += std::pow(out.advantage[t] - sum / n, 2);
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (helpers::counts(r, i, t))
        out.whitened[t] = (out.advantage[t] - sum / n) / std::sqrt(squares / (n - 1) + 1e-8);
  return out;
}

TEST(PpoAdvantages, AgreeWithTheDefinition) {
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (auto [gamma, lambda, beta] :
         {std::tuple(1.0, 1.0, 0.0), std::tuple(.95, .9, .05), std::tuple(1.0, 0.0, .5)}) {
      Rollout r = helpers::random_rollout(seed);
      add_columns(r, seed, seed % 2 == 0);
      r.kl_scale = .5;
      const Reference want = reference(r, gamma, lambda, beta * .5);
      const Options options{{"gamma", std::to_string(gamma)},
                            {"lambda", std::to_string(lambda)},
                            {"beta", std::to_string(beta)}};
      Options raw = options;
      raw["whiten"] = "false";
      Ppo(raw).estimate(r);
      for (uint64_t t = 0; t < r.tokens(); ++t)
        EXPECT_NEAR(r.advantage[t], want.advantage[t], 1e-12) << seed << " " << t;
      Ppo(options).estimate(r);
      for (uint64_t t = 0; t < r.tokens(); ++t) {
        EXPECT_NEAR(r.advantage[t], want.whitened[t], 1e-10) << seed << " " << t;
        EXPECT_NEAR(r.value_target[t], want.target[t], 1e-12);
      }
    }
}

TEST(PpoAdvantages, BitsDoNotDependOnTheOrderOfSequences) {
  const Ppo ppo({{"beta", "0.1"}, {"lambda", "0.9"}});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Rollout r = helpers::random_rollout(seed);
    add_columns(r, seed, true);
    ppo.estimate(r);
    std::vector<uint64_t> rows(r.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::shuffle(rows.begin(), rows.end(), std::mt19937_64(seed));
    const Rollout expected = r.select(rows);
    Rollout moved = expected;
    ppo.estimate(moved);
    EXPECT_EQ(moved.advantage, expected.advantage);
    EXPECT_EQ(moved.value_target, expected.value_target);
  }
}

TEST(PpoAdvantages, NothingToLearnIsExactlyZero) {
  Rollout r = helpers::one_group({.1, .1, .1});
  r.value = r.value_old = std::vector<float>(r.tokens(), .3f);
  Ppo().estimate(r);
  EXPECT_THAT(r.advantage, testing::Each(0.0));
}

TEST(PpoAdvantages, ExplainedVarianceIsOfTheRollout) {
  Rollout r = helpers::one_group({1, 0, 1, 0});
  r.value = r.value_old = std::vector<float>(r.tokens(), 0.0f);
  auto share = [&] {
    const auto [sum, count] = Ppo().estimate(r).sums.at("value/explained_variance");
    return sum / count;
  };
  EXPECT_NEAR(share(), 0, 1e-12) << "a constant explains nothing";
  for (uint64_t i = 0; i < 4; ++i) r.value_old[2 * i + 1] = i % 2 == 0 ? .75f : .25f;
  EXPECT_NEAR(share(), .75, 1e-12) << "1 − (.25² / .5²)";
  r.reward = {1, 1, 1, 1};
  r.value_old.assign(r.tokens(), .5f);
  EXPECT_TRUE(std::isnan(share())) << "there is nothing to explain";
}

TEST(PpoAdvantages, NumbersThatAreNotFiniteAreErrorsThatNameTheSample) {
  auto error_of = [](const std::function<void(Rollout&)>& spoil) -> std::string {
    Rollout r = helpers::one_group({1, 0});
    r.value = r.value_old = std::vector<float>(r.tokens(), 0.0f);
    spoil(r);
    try {
      Ppo().estimate(r);
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of([](Rollout& r) { r.value_old[3] = kNan; }),
              HasSubstr("sample 1, value_old is nan at token 1"));
  EXPECT_THAT(error_of([](Rollout& r) { r.reward[1] = std::nan(""); }),
              HasSubstr("column reward of sample 1 is nan"));
  EXPECT_THAT(error_of([](Rollout& r) { r.reward[0] = 1e300; }), HasSubstr("sample 0"));
  EXPECT_THAT(error_of([](Rollout& r) { r.value_old.clear(); }), HasSubstr("value_old"));
  EXPECT_EQ(error_of([](Rollout&) {}), "no error");
}

struct Case {
  Options options;
  double low = .2, high = .2, cap = 1e300, value_clip = 1e300, value_coef = .1, entropy = 0;
};
const Case kCases[] = {{{}},
                       {.options = {{"clip_low", "0.1"},
                                    {"clip_high", "0.3"},
                                    {"dual_clip", "1.4"},
                                    {"value_clip", "0.3"},
                                    {"value_coef", "1"},
                                    {"entropy", "0.02"},
                                    {"aggregation", "\"sequence-mean\""}},
                        .low = .1,
                        .high = .3,
                        .cap = 1.4,
                        .value_clip = .3,
                        .value_coef = 1,
                        .entropy = .02},
                       {.options = {{"value_clip", "0.5"},
                                    {"lambda", "0.95"},
                                    {"beta", "0.1"},
                                    {"aggregation", "\"constant-length\""},
                                    {"length", "9"}},
                        .value_clip = .5}};

double clipped_square(const Case& c, double v, double old, double target) {
  const double bounded = std::min(std::max(v, old - c.value_clip), old + c.value_clip);
  return std::max(std::pow(v - target, 2), std::pow(bounded - target, 2)) / 2;
}

TEST(PpoGradient, AgreesWithThePaper) {
  for (const Case& c : kCases)
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Ppo ppo(c.options);
      const Rollout r = ppo.batch(seed);
      Algorithm::Metrics metrics;
      const auto got = ppo.algorithm.gradient(nullptr, r, metrics);
      double loss = 0, square = 0, clipped = 0, tokens = 0;
      const auto expect_near = [&](double x, double expected) {
        EXPECT_NEAR(x, expected, 1e-6 * std::abs(expected) + 1e-12) << seed;
      };
      for (uint64_t i = 0; i < r.size(); ++i)
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
          if (!helpers::counts(r, i, t)) {
            EXPECT_EQ(got.d_logprob[t], 0);
            EXPECT_EQ(got.d_value[t], 0);
            EXPECT_EQ(got.d_entropy[t], 0);
            continue;
          }
          const double a = r.advantage[t], w = r.weight[t],
                       rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
          const double free = rho * a, bounded = std::min(std::max(rho, 1 - c.low), 1 + c.high) * a;
          double gain = std::min(free, bounded), slope = free <= bounded ? -rho * a : 0;
          if (a < 0 && c.cap * a > gain) gain = c.cap * a, slope = 0;
          const double v = r.value[t], old = r.value_old[t], target = r.value_target[t];
          const double one = clipped_square(c, v, old, target);
          const bool removed = one > std::pow(v - target, 2) / 2;
          loss += w * (-gain + c.value_coef * one - c.entropy * double{r.entropy[t]});
          square += one, clipped += removed ? 1 : 0, tokens += 1;
          expect_near(got.d_logprob[t], w * slope);
          expect_near(got.d_value[t], removed ? 0 : w * c.value_coef * (v - target));
          expect_near(got.d_entropy[t], -w * c.entropy);
        }
      EXPECT_NEAR(got.loss, loss, 1e-12);
      EXPECT_NEAR(metrics.sums.at("value/loss").first, square, 1e-9);
      EXPECT_EQ(metrics.sums.at("value/loss").second, tokens);
      if (c.value_clip < 1e300) {
        EXPECT_EQ(metrics.sums.at("value/clip_ratio"), std::pair(clipped, tokens));
      }
    }
}

// By lp_new, value and entropy, away from the kinks of the two clips.
TEST(PpoGradient, IsTheDerivativeOfTheLoss) {
  for (const Case& c : kCases)
    for (uint64_t seed = 30; seed < 34; ++seed) {
      const Ppo ppo(c.options);
      Rollout r = ppo.batch(seed);
      Algorithm::Metrics metrics;
      const auto analytic = ppo.algorithm.gradient(nullptr, r, metrics);
      auto check = [&](std::vector<float>& column, const std::vector<float>& d,
                       const std::function<bool(uint64_t)>& smooth) {
        double largest = 1e-12, worst = 0;
        for (float x : d) largest = std::max(largest, std::abs(double{x}));
        for (uint64_t i = 0; i < r.size(); ++i)
          for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
            if (!helpers::counts(r, i, t) || !smooth(t)) continue;
            const float at = column[t];
            column[t] = at + 0x1p-12f;
            const double up = column[t], loss_up = ppo.algorithm.gradient(nullptr, r, metrics).loss;
            column[t] = at - 0x1p-12f;
            const double down = column[t], loss_down = ppo.algorithm.gradient(nullptr, r, metrics).loss;
            column[t] = at;
            worst = std::max(worst, std::abs((loss_up - loss_down) / (up - down) - double{d[t]}));
          }
        EXPECT_LT(worst / largest, 1e-5);
      };
      check(r.lp_new, analytic.d_logprob, [&](uint64_t t) {
        const double rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
        return std::abs(rho - (1 - c.low)) > 1e-3 && std::abs(rho - (1 + c.high)) > 1e-3 &&
               std::abs(rho - c.cap) > 1e-3;
      });
      check(r.value, analytic.d_value, [&](uint64_t t) {
        const double v = r.value[t], old = r.value_old[t], target = r.value_target[t];
        const double bounded = std::min(std::max(v, old - c.value_clip), old + c.value_clip);
        return bounded == v ? std::abs(std::abs(v - old) - c.value_clip) > 1e-3
                            : std::abs(std::abs(v - target) - std::abs(bounded - target)) > 1e-3;
      });
      check(r.entropy, analytic.d_entropy, [](uint64_t) { return true; });
    }
}

// verl, tests/trainer/ppo/test_standard_ppo_on_cpu.py: ratio 10, advantage −1.
TEST(PpoGradient, DualClipAsInVerl) {
  auto loss = [](Options options) {
    options["value_coef"] = "0";
    const Ppo ppo(options);
    Rollout r = helpers::one_group({1});
    r.value = r.value_old = std::vector<float>(r.tokens(), 0.0f);
    r.value_target.assign(r.tokens(), 0.0), r.advantage.assign(r.tokens(), -1.0);
    r.lp_old.assign(r.tokens(), 0.0f), r.lp_new.assign(r.tokens(), std::log(10.0f));
    ppo.weigh(r);
    Algorithm::Metrics metrics;
    return ppo.algorithm.gradient(nullptr, r, metrics).loss;
  };
  EXPECT_NEAR(loss({}), 10, 1e-6);
  EXPECT_NEAR(loss({{"dual_clip", "3"}}), 3, 1e-12);
}

TEST(PpoGradient, AnySplitIntoMicroBatchesGivesTheSame) {
  const Ppo ppo(kCases[1].options);
  const Rollout r = ppo.batch(3);
  Algorithm::Metrics metrics;
  const auto whole = ppo.algorithm.gradient(nullptr, r, metrics);
  for (uint64_t n : {1, 2, 5}) {
    Algorithm::Columns parts;
    for (uint64_t begin = 0; begin < r.size(); begin += n) {
      std::vector<uint64_t> rows;
      for (uint64_t i = begin; i < std::min(begin + n, r.size()); ++i) rows.push_back(i);
      const auto part = ppo.algorithm.gradient(nullptr, r.select(rows), metrics);
      parts.loss += part.loss;
      parts.d_logprob.insert(parts.d_logprob.end(), part.d_logprob.begin(), part.d_logprob.end());
      parts.d_value.insert(parts.d_value.end(), part.d_value.begin(), part.d_value.end());
      parts.d_entropy.insert(parts.d_entropy.end(), part.d_entropy.begin(), part.d_entropy.end());
    }
    EXPECT_EQ(parts.d_logprob, whole.d_logprob);
    EXPECT_EQ(parts.d_value, whole.d_value);
    EXPECT_EQ(parts.d_entropy, whole.d_entropy);
    EXPECT_NEAR(parts.loss, whole.loss, 1e-13);
  }
}

TEST(PpoGradient, NumbersThatAreNotFiniteAreErrorsThatNameTheToken) {
  auto error_of = [](const std::function<void(Rollout&)>& spoil) {
    const Ppo ppo(Options{{"entropy", "0.1"}});
    Rollout r = helpers::one_group({1, 0});
    r.value = r.value_old = r.entropy = std::vector<float>(r.tokens(), 0.0f);
    ppo.estimate(r), ppo.weigh(r);
    spoil(r);
    return ppo.error_of(r);
  };
  EXPECT_THAT(error_of([](Rollout& r) { r.value[3] = kNan; }),
              testing::AllOf(HasSubstr("token 1 of sample 1"), HasSubstr("value nan")));
  EXPECT_THAT(error_of([](Rollout& r) { r.value_target[1] = 1e200; }), HasSubstr("token 1 of sample 0"));
  EXPECT_THAT(error_of([](Rollout& r) { r.lp_new[3] = kNan; }), HasSubstr("token 1 of sample 1"));
  EXPECT_THAT(error_of([](Rollout& r) { r.entropy[3] = kNan; }), HasSubstr("sample 1"));
  EXPECT_THAT(error_of([](Rollout& r) { r.value_target.clear(); }), HasSubstr("value_target"));
  EXPECT_EQ(error_of([](Rollout&) {}), "no error");
}

TEST(PpoExplain, EndsInTheGradient) {
  const Ppo ppo({{"lambda", "0.9"}, {"beta", "0.1"}, {"value_clip", "0.4"}, {"entropy", "0.01"}});
  const Rollout r = ppo.batch(4);
  helpers::expect_explanations_agree(ppo, r);
  Algorithm::Metrics metrics;
  const auto gradient = ppo.algorithm.gradient(nullptr, r, metrics);
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      if (!helpers::counts(r, i, t)) continue;
      const auto links = ppo.links_of(r, i, t);
      const std::map<std::string, double> link(links.begin(), links.end());
      EXPECT_NEAR(link.at("delta"), link.at("r") + link.at("next value") - link.at("value"), 1e-12);
      EXPECT_EQ(link.at("value target"), r.value_target[t]);
      EXPECT_NEAR(link.at("gradient by value"), gradient.d_value[t], 1e-6 * std::abs(gradient.d_value[t]));
      EXPECT_EQ(static_cast<float>(link.at("gradient by entropy")), gradient.d_entropy[t]);
    }
}

TEST(PpoInfo, FollowsTheOptions) {
  EXPECT_EQ(Ppo().algorithm.info().needs, uint32_t{TENON_NEEDS_VALUE});
  EXPECT_EQ(Ppo({{"beta", "0.1"}, {"entropy", "0.1"}}).algorithm.info().needs,
            uint32_t{TENON_NEEDS_VALUE | TENON_NEEDS_REFERENCE | TENON_NEEDS_ENTROPY});
  EXPECT_EQ(Ppo().algorithm.info().aggregation, TENON_TOKEN_MEAN);
}

TEST(PpoCheck, FindsMistakes) {
  auto findings = [](Options options) {
    return helpers::findings_of(helpers::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  };
  EXPECT_THAT(findings({}), ElementsAre());
  EXPECT_THAT(findings({{"dual_clip", "1"}}),
              ElementsAre(HasSubstr("dual_clip: dual_clip is 1, but must be above 1")));
  EXPECT_THAT(findings({{"value_coef", "0"}}), ElementsAre(HasSubstr("value_coef: value_coef is 0")));
  EXPECT_THAT(findings({{"value_clip", "0"}}), ElementsAre(HasSubstr("value_clip: value_clip is 0")));
  for (const char* bound : {"clip_low", "clip_high"})
    EXPECT_THAT(findings({{bound, "0"}}), ElementsAre(HasSubstr("must be above 0")));
  EXPECT_THAT(findings({{"aggregation", "\"constant-length\""}}), ElementsAre(HasSubstr("length")));
}

TEST(PpoPresets, AreOptionsWithoutMistakes) {
  const tenon_component* component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  for (const char* name : {"trl", "verl", "openrlhf", "r1-lambda-0.95", "r1-lambda-1.0"}) {
    const Options options = helpers::preset_options(tenon_plugin_query_v1(nullptr), name).component;
    EXPECT_THAT(helpers::findings_of(component, options), ElementsAre()) << name;
    Ppo{options};
  }
  EXPECT_EQ(helpers::preset_options(tenon_plugin_query_v1(nullptr), "verl").component.at("value_clip"),
            "0.5");
}

}  // namespace
