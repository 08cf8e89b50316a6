// Published and hand-computed numbers (vectors/*.json, each with its source) against the plugins.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "cases.h"
#include "tenon/stage.hpp"
#include "tenon/testing.hpp"

namespace tenon::test {
namespace {

namespace js = boost::json;
using AlgorithmInstance = testing::Instance<tenon_algorithm_vt>;

js::array vectors(const std::string& name) {
  std::ifstream in(TENON_VECTORS "/" + name + ".json");
  return js::parse(std::string(std::istreambuf_iterator<char>(in), {})).as_array();
}
std::vector<double> numbers(const js::value& list) {
  std::vector<double> out;
  for (const js::value& x : list.as_array()) out.push_back(x.to_number<double>());
  return out;
}
void add_sequence(Rollout& r, uint64_t tokens) {
  const int32_t prompt = 1;
  const std::vector<int32_t> completion(tokens, 2);
  const std::vector<float> lp(tokens, -1.0f);
  r.push({&prompt, 1}, completion, lp, 5, r.size(), TENON_FINISH_STOP);
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
}

TEST(Vectors, Advantages) {
  for (const js::value& v : vectors("advantages")) {
    const tenon_component* component = find_algorithm(v.at("algorithm").as_string().c_str());
    if (component == nullptr) continue;
    std::map<std::string, std::string> options;
    for (const auto& option : v.at("options").as_object())
      options[option.key()] = option.value().as_string().c_str();
    const AlgorithmInstance instance(component, options);
    Rollout r;
    for (double reward : numbers(v.at("rewards"))) add_sequence(r, 1), r.reward.back() = reward;
    Algorithm::Metrics metrics;
    Algorithm(instance.ref()).advantages(nullptr, r, metrics);
    const std::vector<double> wanted = numbers(v.at("advantages"));
    for (size_t i = 0; i < wanted.size(); ++i)
      EXPECT_NEAR(r.advantage[2 * i + 1], wanted[i], v.at("tolerance").to_number<double>())
          << v.at("source").as_string();
  }
}

TEST(Vectors, GeneralisedAdvantages) {
  if (find_algorithm("ppo") == nullptr) GTEST_SKIP() << "ppo is not built";
  for (const js::value& v : vectors("gae")) {
    std::map<std::string, std::string> options;
    for (const char* name : {"gamma", "lambda", "whiten"}) options[name] = v.at(name).as_string().c_str();
    const AlgorithmInstance instance(find_algorithm("ppo"), options);
    const std::vector<double> rewards = numbers(v.at("rewards")), values = numbers(v.at("values")),
                              mask = numbers(v.at("mask"));
    Rollout r;
    add_sequence(r, rewards.size());
    r.value_old = {0}, r.token_reward = {std::nan("")};
    for (size_t k = 0; k < rewards.size(); ++k) {
      r.mask[k + 1] = static_cast<uint8_t>(mask[k]);
      r.value_old.push_back(static_cast<float>(values[k])), r.token_reward.push_back(rewards[k]);
    }
    r.value = r.value_old;
    Algorithm::Metrics metrics;
    Algorithm(instance.ref()).advantages(nullptr, r, metrics);
    const std::vector<double> advantages = numbers(v.at("advantages")), targets = numbers(v.at("targets"));
    for (size_t k = 0; k < rewards.size(); ++k) {
      EXPECT_NEAR(r.advantage[k + 1], advantages[k], 1e-6) << v.at("source").as_string();
      EXPECT_NEAR(r.value_target[k + 1], targets[k], 1e-6) << v.at("source").as_string();
    }
  }
}

TEST(Vectors, Divergences) {
  if (find_algorithm("grpo") == nullptr) GTEST_SKIP() << "grpo is not built";
  for (const js::value& v : vectors("kl")) {
    const AlgorithmInstance instance(find_algorithm("grpo"),
                                     {{"beta", "1"}, {"kl", js::serialize(v.at("kl"))}});
    Rollout r;
    add_sequence(r, 1);
    r.lp_new[1] = static_cast<float>(v.at("lp").to_number<double>());
    r.lp_old[1] = static_cast<float>(v.at("lp_old").to_number<double>());
    r.lp_ref[1] = static_cast<float>(v.at("lp_ref").to_number<double>());
    r.advantage = {0, 0}, r.weight = {0, 1};
    Algorithm::Metrics metrics;
    const Algorithm::Columns c = Algorithm(instance.ref()).gradient(nullptr, r, metrics);
    EXPECT_NEAR(c.loss, v.at("value").to_number<double>(), 1e-7) << v.at("source");
    EXPECT_NEAR(c.d_logprob[1], v.at("slope").to_number<double>(), 1e-7) << v.at("source");
  }
}

// One pair: the first sample is chosen, each side is [lp_new, lp_ref] of its one token.
TEST(Vectors, Preferences) {
  if (find_algorithm("dpo") == nullptr) GTEST_SKIP() << "dpo is not built";
  for (const js::value& v : vectors("preferences")) {
    std::map<std::string, std::string> options;
    for (const auto& option : v.at("options").as_object())
      options[option.key()] = option.value().as_string().c_str();
    const AlgorithmInstance instance(find_algorithm("dpo"), options);
    Rollout r;
    add_sequence(r, 1), add_sequence(r, 1);
    r.reward = {1, 0};
    for (uint64_t i = 0; i < 2; ++i) {
      const std::vector<double> lp = numbers(v.at(i == 0 ? "chosen" : "rejected"));
      r.lp_new[2 * i + 1] = static_cast<float>(lp[0]), r.lp_ref[2 * i + 1] = static_cast<float>(lp[1]);
    }
    r.advantage = {0, 1, 0, -1}, r.weight = {0, 0.5, 0, 0.5};  // two samples
    Algorithm::Metrics metrics;
    const Algorithm::Columns c = Algorithm(instance.ref()).gradient(nullptr, r, metrics);
    EXPECT_NEAR(c.loss, v.at("loss").to_number<double>(), 1e-7) << v.at("source");
    EXPECT_NEAR(c.d_logprob[1], v.at("d_chosen").to_number<double>(), 1e-7) << v.at("source");
    EXPECT_NEAR(c.d_logprob[3], v.at("d_rejected").to_number<double>(), 1e-7) << v.at("source");
  }
}

}  // namespace
}  // namespace tenon::test
