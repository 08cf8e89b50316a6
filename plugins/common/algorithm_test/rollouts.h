// For tests of algorithm plugins: rollouts small enough to work out by hand, the algorithm of the plugin that is linked in, and the SDK's checks on it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "tenon/conformance/algorithm.hpp"

namespace tenon::testing {

// Every check of the SDK on the algorithm with each of these options: derivatives by finite differences, any split and order, masks, numbers that are none,
// explanations. Whether it is the algorithm of the paper, tests/algorithms asks.
inline void expect_conformance(const tenon_plugin* plugin,
                               const std::vector<std::map<std::string, std::string>>& options) {
  for (const auto& given : options) {
    const Instance<tenon_algorithm_vt> algorithm(component_of(plugin), given);
    std::string with;
    for (const auto& [name, value] : given) with += " " + name + ": " + value;
    for (const auto& check : conformance::kAlgorithmChecks)
      EXPECT_EQ(check.run(algorithm.ref()), "") << check.name << with;
  }
}

// The options of a preset, as JSON text by name.
inline std::map<std::string, std::string> preset_options(const tenon_plugin* plugin, std::string_view name) {
  for (auto preset = component_of(plugin)->presets; *preset != nullptr; ++preset) {
    if (name != (*preset)->name) continue;
    std::map<std::string, std::string> out;
    if ((*preset)->options_json != nullptr)
      json::each_field((*preset)->options_json, [&](const std::string& key, std::string_view raw) {
        out[key] = std::string(raw);
        return true;
      });
    return out;
  }
  throw Error("no preset " + std::string(name));
}

// One prompt token and one completion token per reward, all in one group; the policy has not moved.
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
  // A random rollout of the SDK's, as `gradient` is given it.
  Rollout rollout(uint64_t seed, const conformance::Shape& shape = {}) const {
    return conformance::detail::Subject(ref()).rollout(seed, shape);
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
  // The links that `explain` gives of token t of sequence i.
  std::map<std::string, double> links_of(const Rollout& r, uint64_t i, uint64_t t) const {
    const auto* table =
        static_cast<const tenon_explain*>(component()->life->extension(self, TENON_EXT_EXPLAIN));
    if (table == nullptr) throw Error("the algorithm explains nothing");
    std::map<std::string, double> out;
    for (const auto& [quantity, value] : conformance::detail::chain_of(*table, self, r, i, t))
      out[quantity] = value;
    return out;
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

// What both options of the loss's aggregation and `beta` become, of an algorithm that needs groups.
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

}  // namespace tenon::testing
