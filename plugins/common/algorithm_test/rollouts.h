// Rollouts to try algorithms on, through the C ABI: uneven groups, masked tokens, empty completions, invalid
// samples. For tests only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tenon/stage.hpp"
#include "tenon/testing.hpp"

namespace tenon::testing {

// Groups of 1 to 6 sequences whose ids are interleaved; prompts of 1 to 3 tokens, completions of 0 to 7, some
// of whose tokens are masked out. One sample in eight is invalid, with NaN where its numbers would be. Masked
// positions hold NaN too: whoever multiplies by a mask instead of branching is found out.
inline Rollout random_rollout(uint64_t seed, double drift = 0.4) {
  std::mt19937_64 random(seed);
  auto below = [&](uint64_t n) { return random() % n; };
  auto uniform = [&](double low, double high) {
    return low + (high - low) * (static_cast<double>(random() >> 11) * 0x1p-53);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<uint64_t> groups;
  for (uint64_t g = 0; g < 7; ++g) groups.insert(groups.end(), 1 + below(6), 100 + g);
  std::shuffle(groups.begin(), groups.end(), random);
  Rollout r;
  for (uint64_t i = 0; i < groups.size(); ++i) {
    std::vector<int32_t> prompt(1 + below(3), 1), completion(below(8), 2);
    std::vector<float> logprobs(completion.size());
    for (float& lp : logprobs) lp = static_cast<float>(uniform(-3, -0.1));
    r.push(prompt, completion, logprobs, groups[i], 1000 + i, TENON_FINISH_STOP);
    r.valid.back() = below(8) != 0;
    r.reward.back() =
        r.valid.back() ? (groups[i] % 3 == 0 ? static_cast<double>(below(2)) : uniform(-2, 2)) : std::nan("");
  }
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      if (r.mask[t] != 0 && below(6) == 0) r.mask[t] = 0;
      if (r.mask[t] == 0 || r.valid[i] == 0) {
        r.lp_old[t] = r.lp_new[t] = r.lp_ref[t] = nan;
      } else {
        r.lp_new[t] += static_cast<float>(uniform(-drift, drift));
        r.lp_ref[t] += static_cast<float>(uniform(-drift, drift));
      }
    }
  return r;
}

inline bool counts(const Rollout& r, uint64_t i, uint64_t t) {
  return r.valid[i] != 0 && r.mask[t] != 0;
}

// The largest difference between the algorithm's d_logprob and the central difference of its loss by each
// lp_new, relative to the largest derivative, over tokens where `smooth(i, t)`. Columns are fp32: the step is
// a power of two that the column holds exactly.
template <class Smooth>
double finite_difference_error(const Algorithm& algorithm, Rollout r, Smooth&& smooth) {
  Algorithm::Metrics metrics;
  auto analytic = algorithm.gradient(nullptr, r, metrics).d_logprob;
  double worst = 0, largest = 1e-12;
  for (float d : analytic) largest = std::max(largest, std::abs(static_cast<double>(d)));
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      if (!counts(r, i, t) || !smooth(i, t)) continue;
      float at = r.lp_new[t];
      r.lp_new[t] = at + 0x1p-12f;
      double up = r.lp_new[t], loss_up = algorithm.gradient(nullptr, r, metrics).loss;
      r.lp_new[t] = at - 0x1p-12f;
      double down = r.lp_new[t], loss_down = algorithm.gradient(nullptr, r, metrics).loss;
      r.lp_new[t] = at;
      worst =
          std::max(worst, std::abs((loss_up - loss_down) / (up - down) - static_cast<double>(analytic[t])));
    }
  return worst / largest;
}

// The loss and derivatives of r cut into micro-batches of `n` sequences, put together again.
inline Algorithm::Columns in_micro_batches(const Algorithm& algorithm, const Rollout& r, uint64_t n,
                                           Algorithm::Metrics& metrics) {
  Algorithm::Columns all;
  for (uint64_t begin = 0; begin < r.size(); begin += n) {
    std::vector<uint64_t> rows;
    for (uint64_t i = begin; i < std::min(begin + n, r.size()); ++i) rows.push_back(i);
    auto part = algorithm.gradient(nullptr, r.select(rows), metrics);
    all.loss += part.loss;
    all.d_logprob.insert(all.d_logprob.end(), part.d_logprob.begin(), part.d_logprob.end());
  }
  return all;
}

// In every second sequence, some tokens earn something by themselves.
inline void add_token_rewards(Rollout& r, uint64_t seed) {
  std::mt19937_64 random(seed + 77);
  r.token_reward.assign(r.tokens(), std::numeric_limits<double>::quiet_NaN());
  for (uint64_t i = 0; i < r.size(); i += 2)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (random() % 2 == 0) r.token_reward[t] = static_cast<double>(random() % 9) / 4 - 1;
}

// A random rollout, far from the policy that sampled it, with rewards of all sizes.
inline Rollout extreme_rollout(uint64_t seed) {
  Rollout r = random_rollout(seed, 2.5);
  for (uint64_t i = 0; i < r.size(); ++i)
    if (r.group_id[i] % 2 == 0) r.reward[i] *= r.group_id[i] % 4 == 0 ? 1e9 : 1e-9;
  return r;
}

// The options of a preset and those of its stage, as JSON text by name.
struct PresetOptions {
  std::map<std::string, std::string> component, stage;
};
inline PresetOptions preset_options(const tenon_plugin* plugin, std::string_view name) {
  for (auto preset = component_of(plugin)->presets; *preset != nullptr; ++preset) {
    if (name != (*preset)->name) continue;
    PresetOptions out;
    const auto read = [](const char* text, std::map<std::string, std::string>& to) {
      if (text != nullptr)
        json::each_field(text, [&](const std::string& key, std::string_view raw) {
          to[key] = std::string(raw);
          return true;
        });
    };
    read((*preset)->options_json, out.component), read((*preset)->stage_json, out.stage);
    return out;
  }
  throw Error("no preset " + std::string(name));
}

// One prompt token and one completion token per reward, all in one group.
inline Rollout one_group(const std::vector<double>& rewards) {
  Rollout r;
  const int32_t token = 1;
  const float lp = -1;
  for (uint64_t i = 0; i < rewards.size(); ++i) {
    r.push({&token, 1}, {&token, 1}, {&lp, 1}, 5, i, TENON_FINISH_STOP);
    r.reward.back() = rewards[i];
  }
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
  return r;
}
// The advantage of each sequence of a one_group.
inline std::vector<double> advantages_of(const Algorithm& algorithm, Rollout r) {
  Algorithm::Metrics metrics;
  algorithm.advantages(nullptr, r, metrics);
  std::vector<double> out;
  for (uint64_t i = 0; i < r.size(); ++i) out.push_back(r.advantage[r.ids.offsets[i + 1] - 1]);
  return out;
}

// An algorithm made from the plugin that is linked into the test.
class AlgorithmInstance : public Instance<tenon_algorithm_vt> {
 public:
  AlgorithmInstance(const tenon_plugin* plugin, std::map<std::string, std::string> options)
      : Instance(component_of(plugin), std::move(options)), algorithm(ref()) {}

  void weigh(Rollout& r) const { tenon::loss_weights(host.host(), algorithm.info(), r); }
  // A random rollout with advantages and weights.
  Rollout rollout(uint64_t seed, double drift = 0.4) const {
    Rollout r = random_rollout(seed, drift);
    Algorithm::Metrics metrics;
    algorithm.advantages(nullptr, r, metrics);
    weigh(r);
    return r;
  }
  // r with advantages, weights, and entropies if they are needed.
  Rollout prepared(Rollout r) const {
    if ((algorithm.info().needs & TENON_NEEDS_ENTROPY) != 0)
      for (uint64_t t = 0; t < r.tokens(); ++t) r.entropy.push_back(0.25f + static_cast<float>(t % 7));
    Algorithm::Metrics metrics;
    algorithm.advantages(nullptr, r, metrics);
    weigh(r);
    return r;
  }
  // The loss as a function of the policy, with what the algorithm holds constant taken from `frozen`.
  double loss_of(const Rollout& at, const Rollout& frozen) const {
    const auto* table =
        static_cast<const tenon_surrogate*>(component()->life->extension(self, TENON_EXT_SURROGATE));
    Algorithm::Metrics metrics;
    if (table == nullptr) return algorithm.gradient(nullptr, at, metrics).loss;
    const tenon_rollout raw_at = at.raw(), raw_frozen = frozen.raw();
    double loss = 0;
    ErrorBuffer err;
    err.check(table->loss(self, nullptr, &raw_at, &raw_frozen, &loss, err));
    return loss;
  }
  // The links that `explain` gives of token t of sequence i.
  std::vector<std::pair<std::string, double>> links_of(const Rollout& r, uint64_t i, uint64_t t) const {
    const auto* table =
        static_cast<const tenon_explain*>(component()->life->extension(self, TENON_EXT_EXPLAIN));
    if (table == nullptr) throw Error("the algorithm explains nothing");
    std::vector<std::pair<std::string, double>> links;
    const tenon_explanation out{sizeof out, 0, &links,
                                [](void* ctx, const char* quantity, double value, const char* how) {
                                  if (how == nullptr) throw Error("a link without words");
                                  static_cast<decltype(links)*>(ctx)->emplace_back(quantity, value);
                                }};
    const tenon_rollout raw = r.raw();
    ErrorBuffer err;
    err.check(table->explain(self, nullptr, &raw, i, t, &out, err));
    return links;
  }
  // The text of the error that `gradient` gives.
  std::string error_of(const Rollout& r) const {
    Algorithm::Metrics metrics;
    try {
      algorithm.gradient(nullptr, r, metrics);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }

  Algorithm algorithm;
};

// Any split into micro-batches gives the same gradients to the bit, and the same loss and metrics but for
// their rounding.
inline void expect_any_split_gives_the_same(const Algorithm& algorithm, const Rollout& r) {
  Algorithm::Metrics whole_metrics;
  const auto whole = algorithm.gradient(nullptr, r, whole_metrics);
  for (uint64_t n : {1, 2, 3, 5, 1000}) {
    Algorithm::Metrics metrics;
    const auto parts = in_micro_batches(algorithm, r, n, metrics);
    EXPECT_EQ(parts.d_logprob, whole.d_logprob) << n;
    EXPECT_NEAR(parts.loss, whole.loss, 1e-14);
    for (const auto& [name, sum] : whole_metrics.sums) {
      EXPECT_NEAR(metrics.sums[name].first, sum.first, 1e-12) << name;
      EXPECT_EQ(metrics.sums[name].second, sum.second) << name;
    }
  }
}

// The derivative of the loss by finite differences, away from where the ratio meets its bounds 1 − low and
// 1 + high.
inline void expect_derivative_of_the_loss(const AlgorithmInstance& of, double low, double high) {
  for (uint64_t seed = 20; seed < 24; ++seed) {
    const Rollout r = of.rollout(seed);
    auto away_from_kinks = [&](uint64_t, uint64_t t) {
      const double rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
      return std::abs(rho - (1 - low)) > 1e-3 && std::abs(rho - (1 + high)) > 1e-3;
    };
    EXPECT_LT(finite_difference_error(of.algorithm, r, away_from_kinks), 1e-5);
  }
}

// What both options of the loss's aggregation and `beta` become.
inline void expect_info_follows_the_options(const tenon_plugin* plugin) {
  auto info = [&](std::map<std::string, std::string> options) {
    return AlgorithmInstance(plugin, std::move(options)).algorithm.info();
  };
  EXPECT_EQ(info({}).needs, uint32_t{TENON_NEEDS_GROUPS});
  EXPECT_EQ(info({}).aggregation, TENON_TOKEN_MEAN);
  EXPECT_EQ(info({{"beta", "0.1"}}).needs, uint32_t{TENON_NEEDS_GROUPS | TENON_NEEDS_REFERENCE});
  EXPECT_EQ(info({{"aggregation", "\"sequence-mean\""}}).aggregation, TENON_SEQUENCE_MEAN);
  const auto constant = info({{"aggregation", "\"constant-length\""}, {"length", "64"}});
  EXPECT_EQ(constant.aggregation, TENON_CONSTANT_LENGTH);
  EXPECT_EQ(constant.constant, 64);

  auto findings = [&](std::map<std::string, std::string> options) {
    return findings_of(component_of(plugin), std::move(options)).size();
  };
  EXPECT_EQ(findings({}), 0u);
  EXPECT_EQ(findings({{"aggregation", "\"constant-length\""}}), 1u);
  EXPECT_EQ(findings({{"length", "64"}}), 1u);
  EXPECT_EQ(findings({{"aggregation", "\"constant-length\""}, {"length", "64"}}), 0u);
}

// Every derivative equals the central difference of the loss (loss_of) by its column, to 1e-5 of the largest. Tokens at which the loss has a kink are left
// out: there a step to the left and one to the right, four times as wide, disagree. Most are not.
inline void expect_gradient_is_the_derivative(const AlgorithmInstance& of, const Rollout& r) {
  Algorithm::Metrics metrics;
  const auto analytic = of.algorithm.gradient(nullptr, r, metrics);
  const auto judge = [&](const char* name, std::vector<float> Rollout::*column,
                         const std::vector<float>& derivative) {
    double largest = 1e-12, tested = 0, smooth = 0;
    for (float d : derivative) largest = std::max(largest, std::abs(static_cast<double>(d)));
    Rollout moved = r;
    for (uint64_t i = 0; i < r.size(); ++i)
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
        if (!counts(r, i, t)) continue;
        float& x = (moved.*column)[t];
        const float at = x;
        const auto difference = [&](float up, float down) {
          x = at + up;
          const double above = x, loss_above = of.loss_of(moved, r);
          x = at - down;
          const double below = x, loss_below = of.loss_of(moved, r);
          x = at;
          return (loss_above - loss_below) / (above - below);
        };
        tested += 1;
        const double left = difference(0, 0x1p-10f), right = difference(0x1p-10f, 0);
        if (std::abs(left - right) > 5e-3 * std::max({std::abs(left), std::abs(right), 1e-3 * largest}))
          continue;
        smooth += 1;
        EXPECT_NEAR(difference(0x1p-13f, 0x1p-13f), static_cast<double>(derivative[t]), 1e-5 * largest)
            << name << " of token " << t << " of sequence " << i;
      }
    EXPECT_GE(smooth, 0.5 * tested) << name;
  };
  judge("lp_new", &Rollout::lp_new, analytic.d_logprob);
  if (!r.entropy.empty()) judge("entropy", &Rollout::entropy, analytic.d_entropy);
}

// A rollout in another order has the same bits: of each sample's advantages, and of its derivatives.
inline void expect_any_order_gives_the_same(const AlgorithmInstance& of, const Rollout& r) {
  Algorithm::Metrics metrics;
  const auto whole = of.algorithm.gradient(nullptr, r, metrics);
  std::vector<uint64_t> order(r.size());
  std::iota(order.begin(), order.end(), uint64_t{0});
  std::mt19937_64 random(5);
  for (int round = 0; round < 3; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    Rollout moved = r.select(order);
    of.algorithm.advantages(nullptr, moved, metrics);
    const auto got = of.algorithm.gradient(nullptr, moved, metrics);
    for (uint64_t k = 0; k < order.size(); ++k)
      for (uint64_t t = 0; t < r.ids[order[k]].size(); ++t) {
        const uint64_t from = r.ids.offsets[order[k]] + t, to = moved.ids.offsets[k] + t;
        ASSERT_EQ(moved.advantage[to], r.advantage[from]) << "sample " << r.sample_id[order[k]];
        ASSERT_EQ(got.d_logprob[to], whole.d_logprob[from]) << "sample " << r.sample_id[order[k]];
      }
  }
}

// `explain` ends with the derivative that `gradient` gives, and has the advantage that is in the rollout.
inline void expect_explanations_agree(const AlgorithmInstance& of, const Rollout& r) {
  Algorithm::Metrics metrics;
  const auto columns = of.algorithm.gradient(nullptr, r, metrics);
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      if (!counts(r, i, t)) continue;
      const auto links = of.links_of(r, i, t);
      ASSERT_GE(links.size(), 5u);
      EXPECT_EQ(links.back().first, "gradient");
      EXPECT_EQ(links.back().second, static_cast<double>(columns.d_logprob[t]));
      const std::map<std::string, double> by_name(links.begin(), links.end());
      ASSERT_EQ(by_name.count("advantage"), 1u);
      EXPECT_NEAR(by_name.at("advantage"), r.advantage[t], 1e-12 * (1 + std::abs(r.advantage[t])));
      EXPECT_EQ(by_name.at("weight"), r.weight[t]);
    }
}

}  // namespace tenon::testing
