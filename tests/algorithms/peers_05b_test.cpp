// Correctness details that other frameworks got wrong and fixed, one test each, at the lowest level that shows the mistake. README.md has the list with the
// mistakes, and which of the 21 are not here.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "lab.h"
#include "tenon/conformance/algorithm.hpp"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;
using AlgorithmInstance = testing::Instance<tenon_algorithm_vt>;

// All that an algorithm makes of random rollouts: two that differ in nothing here are the same.
std::string digest(const Case& of) {
  const AlgorithmInstance instance(of.component, of.options);
  const conformance::detail::Subject s(instance.ref());
  std::string out;
  for (uint64_t seed : {31, 32}) {
    const Rollout r = s.rollout(seed, {.extreme = 3, .token_rewards = seed == 32});
    const Algorithm::Columns c = s.gradient(r).columns;
    auto add = [&](const auto& column) {
      out.append(reinterpret_cast<const char*>(column.data()), column.size() * sizeof column[0]);
    };
    add(r.advantage), add(r.value_target), add(r.weight), add(c.d_logprob), add(c.d_entropy), add(c.d_value);
    out += std::to_string(c.loss);
  }
  return out;
}

TEST(Peers05b, peers_05b_01_global_normaliser) {
  const tenon_component *rl = plugin("stage", "rl"), *grpo = find_algorithm("grpo");
  NEED_PLUGIN(rl);
  NEED_PLUGIN(grpo);
  for (const char* aggregation : {"\"token-mean\"", "\"sequence-mean\"", "\"constant-length\""}) {
    auto train = [&](const std::string& tokens) {
      std::map<std::string, std::string> options{{"aggregation", aggregation}, {"beta", "0.1"}};
      if (std::string(aggregation) == "\"constant-length\"") options["length"] = "10";
      const AlgorithmInstance algorithm(grpo, options);
      Lab lab(rl, R"("steps": 2, "prompts": 3, "group_size": 4, "mini_batches": 2, "micro_batch_tokens": )" +
                      tokens);
      lab.host.slot("algorithm", algorithm.ref());
      lab.run();
      return lab.model.weight;
    };
    const std::vector<float> whole = train("100000");
    for (const char* tokens : {"1", "30", "70"})
      EXPECT_EQ(train(tokens), whole) << aggregation << ' ' << tokens;
  }
}

TEST(Peers05b, peers_05b_02_denominator_has_the_mask_of_the_numerator) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  Lab lab(rl, std::string(kSmall) + R"(, "overlong": "mask")");
  lab.reward.f = [](const Sample& s) {
    if (s.id % 4 == 1) refuse("no gold answer");
    return odd_digits(s);
  };
  lab.run();
  ASSERT_EQ(lab.spy.seen.size(), 1u);
  const Spy::Seen& seen = lab.spy.seen[0];
  ASSERT_LT(seen.sample_id.size(), 9u) << "nothing was truncated";
  double sum = 0, tokens = 0;
  for (size_t t = 0; t < seen.mask.size(); ++t)
    if (seen.mask[t] != 0) sum += seen.weight[t], tokens += 1;
  EXPECT_NEAR(sum, 1, 1e-12) << "a mean over the " << tokens << " tokens that are trained on";
}

TEST(Peers05b, peers_05b_03_temperature_in_every_pass_but_for_values) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  Lab lab(rl, std::string(kSmall) + R"(, "temperature": 0.7)");
  RecordingModel critic(lab.host, 23, 48);
  PlainSgd critic_optimizer;
  lab.host.slot("critic", critic.ref("critic")),
      lab.host.slot("critic_optimizer", critic_optimizer.ref("critic"));
  lab.spy.needs |= TENON_NEEDS_VALUE;
  lab.run();
  EXPECT_EQ(lab.io.steps.at(0).metric("rollout/logprob_diff_max"), 0) << "sampling and training";
  for (const Spy::Seen& seen : lab.spy.seen)
    for (size_t t = 0; t < seen.mask.size(); ++t)
      EXPECT_TRUE(seen.mask[t] == 0 || seen.lp_ref[t] == seen.lp_sample[t])
          << "the reference has the same weights";
  ASSERT_FALSE(critic.value_temperatures.empty());
  for (float temperature : critic.value_temperatures) EXPECT_EQ(temperature, 1);
}

TEST(Peers05b, peers_05b_04_log_probabilities_of_the_distribution_that_is_trained) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  for (const char* filter : {"top_k", "top_p", "min_p"}) {
    const std::vector<std::string> findings =
        testing::findings_of(rl, {{"steps", "1"}, {filter, filter[4] == 'k' ? "5" : "0.9"}});
    EXPECT_THAT(findings, ::testing::Contains(HasSubstr("draw from another distribution"))) << filter;
  }
  Lab lab(rl, std::string(kSmall) + R"(, "temperature": 0.7)");
  const HashModel before(lab.host, 23, 48);
  lab.run();
  size_t scored = 0;
  for (size_t i = 0; i < lab.model.trained.size(); ++i) {
    const std::vector<int32_t>& ids = lab.model.trained[i];
    const Spy::Seen& seen = lab.spy.seen.at(0);
    for (size_t t = 0; t < ids.size(); ++t) {
      if (lab.model.trained_mask[i][t] == 0) continue;
      const std::vector<double> p = before.distribution(std::span(ids).first(t), static_cast<double>(0.7f));
      EXPECT_NEAR(seen.lp_sample.at(seen.offsets[i] + t), p[static_cast<size_t>(ids[t])], 1e-5);
      ++scored;
    }
  }
  EXPECT_GT(scored, 20u);
}

// Two ids for each letter: whoever decodes and encodes again, has others than were sampled.
struct TwofoldTokenizer : LetterTokenizer {
  std::string decode(std::span<const int32_t> ids, uint32_t flags) const {
    std::vector<int32_t> lower(ids.begin(), ids.end());
    for (int32_t& id : lower) id %= static_cast<int32_t>(alphabet.size());
    return LetterTokenizer::decode(lower, flags);
  }
  uint64_t size() const { return 2 * alphabet.size(); }
  tenon_ref ref(const char* name = "tokenizer") {
    return ref_to<TokenizerShim<TwofoldTokenizer>>(*this, "twofold", name);
  }
};

TEST(Peers05b, peers_05b_05_tokens_are_trained_as_they_were_sampled) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  TwofoldTokenizer tokenizer;
  Lab lab(rl, kSmall, tokenizer.size());
  lab.host.slot("model.tokenizer", tokenizer.ref());
  lab.run();
  const auto letters = static_cast<int32_t>(tokenizer.alphabet.size());
  size_t upper = 0;
  for (const auto& ids : lab.model.trained)
    upper +=
        static_cast<size_t>(std::count_if(ids.begin(), ids.end(), [&](int32_t id) { return id >= letters; }));
  EXPECT_GT(upper, 10u);
  EXPECT_EQ(lab.io.steps.at(0).metric("rollout/logprob_diff_max"), 0);
}

TEST(Peers05b, peers_05b_06_groups_by_id_and_short_ones) {
  for (const Case& c : all_cases()) {
    const AlgorithmInstance instance(c.component, c.options);
    EXPECT_EQ(conformance::group_ids_are_only_names(instance.ref()), "") << c.name;
    EXPECT_EQ(conformance::order_changes_nothing(instance.ref()), "") << c.name;
  }
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  Lab lab(rl, R"("steps": 1, "prompts": 4, "group_size": 4)");
  RowSet same({{"7=", "", "", "{}"}, {"7=", "", "", "{}"}});  // equal prompts are groups of their own
  lab.host.slot("data", same.ref());
  lab.reward.f = [](const Sample& s) {
    if (s.id < 2 || (s.id >= 4 && s.id < 7)) refuse("no gold answer");  // leaves 2, 1, 4 and 4
    return static_cast<double>(s.id);
  };
  lab.run();
  std::map<uint64_t, std::set<uint64_t>> groups;
  for (const Spy::Seen& seen : lab.spy.seen)
    for (size_t i = 0; i < seen.sample_id.size(); ++i) groups[seen.group_id[i]].insert(seen.sample_id[i]);
  EXPECT_THAT(groups, ::testing::ElementsAre(::testing::Pair(::testing::_, ::testing::ElementsAre(2, 3)),
                                             ::testing::Pair(::testing::_, ::testing::SizeIs(4)),
                                             ::testing::Pair(::testing::_, ::testing::SizeIs(4))));
  EXPECT_EQ(lab.spy.computed.at(2), -0.5);
}

TEST(Peers05b, peers_05b_07_masked_by_choice_not_by_product) {
  for (const Case& c : all_cases()) {
    const AlgorithmInstance instance(c.component, c.options);
    EXPECT_EQ(conformance::masked_tokens_have_no_part(instance.ref()), "") << c.name;
    EXPECT_EQ(conformance::nothing_gives_nothing(instance.ref()), "") << c.name;
  }
}

TEST(Peers05b, peers_05b_08_divergence_has_its_gradient_however_far) {
  const tenon_component* grpo = find_algorithm("grpo");
  NEED_PLUGIN(grpo);
  for (const std::string kl : {"k1", "k2", "k3"})
    for (double d : {-15.0, -12.0, -0.5, 0.5, 12.0,
                     15.0}) {  // lp_ref − lp; others cut it at 10 or 20, where the gradient ends
      const AlgorithmInstance instance(grpo, {{"beta", "0.5"}, {"kl", "\"" + kl + "\""}});
      const Algorithm algorithm(instance.ref());
      Rollout r;
      const int32_t token = 1;
      const float lp = -16;
      r.push({&token, 1}, {&token, 1}, {&lp, 1}, 1, 1, TENON_FINISH_STOP);
      r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
      r.lp_ref[1] += static_cast<float>(d);
      r.advantage.assign(2, 0.0), r.weight = {0, 1};
      Algorithm::Metrics metrics;
      const double slope = algorithm.gradient(nullptr, r, metrics).d_logprob[1];
      const double wanted = 0.5 * (kl == "k1" ? 1 : kl == "k2" ? -d : 1 - std::exp(d));
      EXPECT_NEAR(slope / wanted, 1, 1e-6) << kl << ' ' << d;
    }
}

// No value of a choice falls through to another's branch, no number is read and then not used.
TEST(Peers05b, peers_05b_09_every_option_acts) {
  struct Changed {
    const char *option, *to;
    std::map<std::string, std::string> with;
  };
  const std::vector<Changed> numbers = {{"beta", "0.2", {}},
                                        {"clip_low", "0.05", {}},
                                        {"clip_high", "0.05", {}},
                                        {"dual_clip", "1.1", {}},
                                        {"delta", "1.3", {}},
                                        {"std_epsilon", "0.5", {}},
                                        {"entropy", "0.01", {}},
                                        {"gamma", "0.8", {}},
                                        {"lambda", "0.8", {}},
                                        {"value_clip", "0.01", {}},
                                        {"value_coef", "0.7", {}},
                                        {"label_smoothing", "0.1", {}},
                                        {"length", "99", {{"aggregation", "\"constant-length\""}}},
                                        {"whiten", "false", {}}};
  // What a choice needs to show.
  auto base_of = [](const std::string& id, const std::string& option) -> std::map<std::string, std::string> {
    if (id == "grpo" && option == "ratio")
      return {{"advantage", "\"process\""}};  // with equal advantages GSPO-token is GSPO
    if (option == "kl" || option == "kl_in") return {{"beta", "0.1"}, {"kl", "\"k2\""}};
    return {};
  };
  for (const std::string id : {"dpo", "grpo", "ppo", "reinforce", "reinforce++", "rloo"}) {
    const tenon_component* component = find_algorithm(id);
    if (component == nullptr) continue;
    for (auto o = component->options; *o != nullptr; ++o) {
      const std::string option = (*o)->name;
      if ((*o)->enum_values != nullptr) {
        std::map<std::string, std::string> seen;
        for (auto value = (*o)->enum_values; *value != nullptr; ++value) {
          auto options = base_of(id, option);
          options[option] = json::quote(*value);
          if (std::string_view(*value) == "constant-length") options["length"] = "7";
          const auto [at, is_new] = seen.emplace(digest({id, component, options}), *value);
          EXPECT_TRUE(is_new) << id << ", " << option << ": " << *value << " does what " << at->second
                              << " does";
        }
        continue;
      }
      auto change =
          std::find_if(numbers.begin(), numbers.end(), [&](const Changed& c) { return option == c.option; });
      ASSERT_NE(change, numbers.end()) << id << " has an option that this test does not know: " << option;
      auto before = change->with, after = change->with;
      if (option == "length") before["length"] = "7";
      after[option] = change->to;
      EXPECT_NE(digest({id, component, before}), digest({id, component, after})) << id << ", " << option;
    }
  }
}

TEST(Peers05b, peers_05b_10_importance_is_of_the_sampler) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  auto factors = [&](const std::string& importance) {
    Lab lab(rl, std::string(kSmall) + R"(, "max_logprob_diff": 0.01, "importance": )" + importance);
    lab.model.logprob_error = 1e-3f;
    tenon_ref ref = lab.model.ref("policy");
    ref.flags = TENON_C_DETERMINISTIC;
    lab.host.slot("model", ref);
    lab.run();
    std::vector<double> out;
    for (const Spy::Seen& seen : lab.spy.seen)
      for (size_t i = 0; i < seen.sample_id.size(); ++i)
        for (size_t t = seen.offsets[i]; t < seen.offsets[i + 1]; ++t)
          if (const double a = lab.spy.computed.at(seen.sample_id[i]); seen.mask[t] != 0 && a != 0)
            out.push_back(seen.advantage[t] / a);
    return out;
  };
  const std::vector<double> corrected = factors("\"token-truncate\""), plain = factors("\"none\"");
  ASSERT_GT(corrected.size(), 20u);
  for (double factor : corrected)
    EXPECT_NEAR(factor, std::exp(1e-3), 1e-5);  // recomputed log-probabilities would give 1
  for (double factor : plain) EXPECT_EQ(factor, 1);
}

// verl's numbers for truncated and masked weights, through the stage: the sampler and the model are apart by log(ratio).
TEST(Vectors, ImportanceWeights) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  std::ifstream in(TENON_VECTORS "/importance.json");
  const boost::json::value vectors = boost::json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
  for (const boost::json::value& v : vectors.as_array()) {
    Lab lab(rl, std::string(kSmall) + R"(, "max_logprob_diff": 10, "importance": )" +
                    boost::json::serialize(v.at("importance")) + R"(, "importance_min": )" +
                    boost::json::serialize(v.at("min")) + R"(, "importance_max": )" +
                    boost::json::serialize(v.at("max")));
    lab.model.logprob_error = static_cast<float>(std::log(v.at("ratio").to_number<double>()));
    tenon_ref ref = lab.model.ref("policy");
    ref.flags = TENON_C_DETERMINISTIC;
    lab.host.slot("model", ref);
    lab.run();
    size_t tokens = 0;
    for (const Spy::Seen& seen : lab.spy.seen)
      for (size_t i = 0; i < seen.sample_id.size(); ++i)
        for (size_t t = seen.offsets[i]; t < seen.offsets[i + 1]; ++t)
          if (const double a = lab.spy.computed.at(seen.sample_id[i]); seen.mask[t] != 0 && a != 0) {
            EXPECT_NEAR(seen.advantage[t] / a, v.at("weight").to_number<double>(), 1e-5) << v.at("source");
            ++tokens;
          }
    EXPECT_GT(tokens, 20u);
  }
}

TEST(Peers05b, peers_05b_11_advantages_stay_with_their_sample) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  Lab lab(
      rl,
      R"("steps": 2, "prompts": 3, "group_size": 4, "mini_batches": 3, "epochs": 2, "micro_batch_tokens": 40)");
  lab.reward.f = [](const Sample& s) { return std::sin(static_cast<double>(s.id)); };
  lab.run();
  std::map<uint64_t, int> visits;
  for (const Spy::Seen& seen : lab.spy.seen)
    for (size_t i = 0; i < seen.sample_id.size(); ++i) {
      ++visits[seen.sample_id[i]];
      for (size_t t = seen.offsets[i]; t < seen.offsets[i + 1]; ++t)
        EXPECT_TRUE(seen.mask[t] == 0 || seen.advantage[t] == lab.spy.computed.at(seen.sample_id[i]));
    }
  EXPECT_EQ(visits.size(), 24u);
  for (const auto& [sample, n] : visits) EXPECT_EQ(n, 2) << sample;
}

// Two ids end a completion.
struct TwoEndsTokenizer : LetterTokenizer {
  std::vector<int32_t> stop_ids() const { return {0, 14}; }
  tenon_ref ref(const char* name = "tokenizer") {
    return ref_to<TokenizerShim<TwoEndsTokenizer>>(*this, "two-ends", name);
  }
};

TEST(Peers05b, peers_05b_12_the_first_end_ends_and_is_in_the_loss) {
  const tenon_component *rl = plugin("stage", "rl"), *native = plugin("sampler", "native");
  NEED_PLUGIN(rl);
  NEED_PLUGIN(native);
  TwoEndsTokenizer tokenizer;
  Lab lab(rl, R"("steps": 1, "prompts": 4, "group_size": 16)");
  FakeHost sampler_host(*native);
  const Instance sampler(*native, sampler_host);
  lab.host.slot("model.tokenizer", tokenizer.ref()), lab.host.slot("sampler", sampler.ref("sampler"));
  lab.run();
  std::map<int32_t, int> ends;
  int truncated = 0;
  ASSERT_EQ(lab.model.trained.size(), 64u);
  for (size_t i = 0; i < lab.model.trained.size(); ++i) {
    const std::vector<int32_t>& ids = lab.model.trained[i];
    const std::vector<uint8_t>& mask = lab.model.trained_mask[i];
    EXPECT_EQ(mask.back(), 1);
    for (size_t t = 0; t + 1 < ids.size(); ++t)
      EXPECT_FALSE(mask[t] != 0 && (ids[t] == 0 || ids[t] == 14)) << "a token after the end";
    if (ids.back() == 0 || ids.back() == 14)
      ++ends[ids.back()];
    else
      ++truncated;
  }
  EXPECT_GT(ends[0], 0);
  EXPECT_GT(ends[14], 0);
  EXPECT_GT(truncated, 0) << "a completion that was cut has no end";
}

// One completion "a b [tool tool] c d" with outcome 1 and values a, b, c, d.
Rollout two_turns(const std::vector<float>& values) {
  Rollout r;
  const std::vector<int32_t> prompt(1, 1), completion(6, 2);
  const std::vector<float> lp(6, -1.0f);
  r.push(prompt, completion, lp, 1, 1, TENON_FINISH_STOP);
  r.reward = {1};
  r.mask = {0, 1, 1, 0, 0, 1, 1};
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
  const float nan = std::nanf("");
  if (!values.empty()) r.value_old = r.value = {nan, values[0], values[1], nan, nan, values[2], values[3]};
  return r;
}

TEST(Peers05b, peers_05b_13_returns_go_through_observations) {
  const tenon_component *ppo = find_algorithm("ppo"), *plus = find_algorithm("reinforce++");
  NEED_PLUGIN(ppo);
  NEED_PLUGIN(plus);
  const AlgorithmInstance with_critic(ppo, {{"whiten", "false"}, {"gamma", "1"}, {"lambda", "1"}});
  Rollout r = two_turns({0.25f, 0.5f, 0.125f, 0.75f});
  Algorithm::Metrics metrics;
  Algorithm(with_critic.ref()).advantages(nullptr, r, metrics);
  EXPECT_EQ(r.advantage, (std::vector<double>{0, 0.75, 0.5, 0, 0, 0.875, 0.25}));  // 1 − V
  EXPECT_EQ(r.value_target[1], 1);

  // Rewards to go of γ = 0.5 are 1/8, 1/4, 1/2, 1: whitened, they keep their distances. Observations do not discount, either.
  const AlgorithmInstance without(plus, {{"gamma", "0.5"}});
  Rollout q = two_turns({});
  Algorithm(without.ref()).advantages(nullptr, q, metrics);
  EXPECT_NEAR((q.advantage[2] - q.advantage[1]) / (q.advantage[6] - q.advantage[5]), 0.25, 1e-9);
  EXPECT_NEAR((q.advantage[5] - q.advantage[2]) / (q.advantage[6] - q.advantage[5]), 0.5, 1e-9);
}

Rollout one_group(const std::vector<double>& rewards) {
  Rollout r;
  const int32_t token = 1;
  const float lp = -1;
  for (uint64_t i = 0; i < rewards.size(); ++i) {
    r.push({&token, 1}, {&token, 1}, {&lp, 1}, 5, i, TENON_FINISH_STOP);
    r.reward.back() = rewards[i];
  }
  r.lp_old = r.lp_new = r.lp_sample;
  return r;
}

TEST(Peers05b, peers_05b_14_statistics_are_centred_and_of_what_counts) {
  const tenon_component* grpo = find_algorithm("grpo");
  NEED_PLUGIN(grpo);
  const AlgorithmInstance instance(grpo, {{"std_epsilon", "0"}});
  auto advantages = [&](Rollout r) {
    Algorithm::Metrics metrics;
    Algorithm(instance.ref()).advantages(nullptr, r, metrics);
    std::vector<double> out;
    for (uint64_t i = 0; i < r.size(); ++i) out.push_back(r.advantage[r.ids.offsets[i + 1] - 1]);
    return out;
  };
  const double half = std::sqrt(0.5);
  for (double offset : {0.0, 1.0, 1e6, 1e8}) {  // E[x²] − E[x]² would be all rounding
    const std::vector<double> a = advantages(one_group({offset, offset + 1.0 / 1024}));
    EXPECT_NEAR(a[0], -half, 1e-9) << offset;
    EXPECT_NEAR(a[1], half, 1e-9) << offset;
  }
  Rollout r = one_group({0, 1, std::nan(""), 1e9});
  r.valid = {1, 1, 0, 0};
  const std::vector<double> a = advantages(r);
  EXPECT_NEAR(a[0], -half, 1e-12);
  EXPECT_NEAR(a[1], half, 1e-12);

  // The same parts added up in another order: no signal, and exactly none, as its deviation would be one like any other.
  const std::pair<const char*, std::map<std::string, std::string>> kWithBaseline[] = {
      {"grpo", {}},
      {"grpo", {{"std_epsilon", "0"}}},
      {"grpo", {{"std", "\"population\""}, {"std_epsilon", "0"}}},
      {"grpo", {{"std", "\"none\""}}},
      {"grpo", {{"scale", "\"batch\""}, {"std_epsilon", "0"}}},
      {"grpo", {{"advantage", "\"process\""}, {"std_epsilon", "0"}}},
      {"rloo", {}},
      {"reinforce", {{"baseline", "\"group\""}}},
      {"reinforce++", {{"baseline", "\"group\""}}},
      {"dpo", {}}};
  for (const auto& [id, options] : kWithBaseline) {
    if (find_algorithm(id) == nullptr) continue;
    const AlgorithmInstance of(find_algorithm(id), options);
    for (const std::vector<double>& rewards :
         {std::vector<double>{0.1 + 0.2, 0.3}, {1.1 + 2.2, 3.3, 3.3}, {3.3, 3.3, 1.1 + 2.2}}) {
      ASSERT_NE(*std::max_element(rewards.begin(), rewards.end()),
                *std::min_element(rewards.begin(), rewards.end()));
      Rollout flat = one_group(rewards);
      Algorithm::Metrics metrics;
      Algorithm(of.ref()).advantages(nullptr, flat, metrics);
      for (uint64_t t = 0; t < flat.tokens(); ++t)
        EXPECT_EQ(flat.advantage[t], 0) << id << ", " << rewards.size() << " rewards, token " << t;
    }
  }
}

TEST(Peers05b, peers_05b_15_a_resumed_stage_goes_on_as_if_never_stopped) {
  const tenon_component *rl = plugin("stage", "rl"), *grpo = find_algorithm("grpo");
  NEED_PLUGIN(rl);
  NEED_PLUGIN(grpo);
  const AlgorithmInstance algorithm(grpo, {{"beta", "0.1"}});
  const std::string options =
      R"("steps": 6, "prompts": 2, "group_size": 4, "mini_batches": 2, "kl_target": 0.05, "kl_horizon": 20, "reference_interval": 5)";
  Lab whole(rl, options), cut(rl, options);
  for (Lab* lab : {&whole, &cut}) lab->sgd.learning_rate = 2, lab->host.slot("algorithm", algorithm.ref());
  whole.run();
  std::string state;
  const tenon_call call = cpu_call();
  auto run = [&](const Instance& stage) {
    ErrorBuffer err;
    return static_cast<const tenon_stage_vt*>(rl->vt)->run(stage.self(), &call, cut.io.raw(), err);
  };
  {
    const Instance stage(*rl, cut.host);
    cut.io.on_step = [&](uint64_t) { state = stage.save(); };
    cut.io.stop_after = 2;
    EXPECT_EQ(run(stage), TENON_E_CANCELLED);
  }
  const Instance stage(*rl, cut.host);
  stage.load(state);
  cut.io.on_step = nullptr, cut.io.stop_after.reset();
  cut.io.set_first_step(3);
  cut.sgd.params.clear();  // bound again
  EXPECT_EQ(run(stage), TENON_OK);
  EXPECT_EQ(cut.model.weight, whole.model.weight);
  EXPECT_EQ(cut.reference.weight, whole.reference.weight);
  ASSERT_EQ(cut.io.steps.size(), whole.io.steps.size());
  for (size_t k = 0; k < 6; ++k)
    for (const auto& [name, value] : whole.io.steps[k].metrics)
      EXPECT_TRUE(conformance::detail::same(cut.io.steps[k].metric(name), value)) << k << ' ' << name;
  EXPECT_NE(whole.reference.weight, HashModel(whole.host, 23, 48).weight)
      << "the reference has moved, and that is part of the state";
}

// Samples from weights that nobody tells it are old.
struct StaleSampler {
  Model old;
  NaiveSampler sampler;
  void generate(const tenon_call* call, const Model&, const tenon_generate_in& in,
                const tenon_generate_out& out) {
    sampler.generate(call, old, in, out);
  }
  tenon_ref ref() { return ref_to<SamplerShim<StaleSampler>>(*this, "stale", "sampler"); }
};

TEST(Peers05b, peers_05b_16_stale_weights_in_the_sampler_stop_the_run) {
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  Lab lab(rl, R"("steps": 3, "prompts": 3, "group_size": 4)");
  HashModel copy(lab.host, 23, 48);
  StaleSampler stale{Model(copy.ref()), {}};
  lab.host.slot("sampler", stale.ref());
  EXPECT_THAT(lab.error(), HasSubstr("weights that were not updated"));
  EXPECT_EQ(lab.io.steps.size(), 1u) << "the first rollout was of the policy";
}

TEST(Peers05b, peers_05b_19_zero_is_a_reward_and_an_answer) {
  const tenon_component *rl = plugin("stage", "rl"), *answer = plugin("reward", "answer");
  NEED_PLUGIN(rl);
  NEED_PLUGIN(answer);
  const testing::Instance<tenon_reward_vt> judge(answer, {{"extract", "\"whole\""}});
  EXPECT_EQ(testing::judge(judge, "0", R"({"answer": "0"})").reward, 1);
  EXPECT_EQ(testing::judge(judge, "0", R"({"answer": 0})").reward, 1);
  EXPECT_EQ(testing::judge(judge, "1", R"({"answer": "0"})").reward, 0);
  EXPECT_EQ(testing::judge(judge, "1", R"({"answer": "0"})").status, TENON_R_OK);

  Lab lab(rl, kSmall);
  lab.reward.f = [](const Sample& s) { return s.id % 2 == 0 ? 0.0 : 1.0; };
  lab.run();
  EXPECT_EQ(lab.io.steps.at(0).metric("reward/mean"), 0.5);
  ASSERT_EQ(lab.spy.computed.size(), 12u);
  for (const auto& [sample, a] : lab.spy.computed) EXPECT_EQ(a, sample % 2 == 0 ? -0.5 : 0.5);
}

TEST(Peers05b, peers_05b_20_metrics_are_what_they_say) {
  for (const Case& c : all_cases()) {
    const AlgorithmInstance instance(c.component, c.options);
    EXPECT_EQ(conformance::metrics_are_what_they_say(instance.ref()), "") << c.name;
    EXPECT_EQ(conformance::ranks_change_nothing(instance.ref()), "") << c.name;  // totals, not means of means
  }
  const tenon_component* rl = plugin("stage", "rl");
  NEED_PLUGIN(rl);
  Lab lab(rl, std::string(kSmall) + R"(, "rewards": [{"weight": 2}, {"weight": 0.5}])");
  LambdaReward longer{[](const Sample& s) { return static_cast<double>(s.id % 3); }};
  lab.reward.f = [](const Sample& s) { return static_cast<double>(s.id % 2); };
  lab.host.slot("rewards/1", longer.ref("third"));
  lab.run();
  EXPECT_NEAR(lab.io.steps.at(0).metric("reward/mean"), 2 * 0.5 + 0.5 * 1, 1e-12)
      << "weights are in the reward that is reported";
  EXPECT_EQ(lab.io.steps.at(0).metric("accuracy"), 0.5) << "the first reward alone";
  // No pass of the policy differs from another by chance (dropout).
  EXPECT_EQ(lab.io.steps.at(0).metric("rollout/logprob_diff_max"), 0);
}

TEST(Peers05b, peers_05b_21_text_of_a_model_is_never_run) {
  const tenon_component* answer = plugin("reward", "answer");
  NEED_PLUGIN(answer);
  const testing::Instance<tenon_reward_vt> judge(answer, {{"extract", "\"whole\""}});
  for (const char* text :
       {"9**9**9**9", "__import__('os').system('touch owned')", "$(touch owned)", "(1+1)", "2; exit"})
    EXPECT_EQ(testing::judge(judge, text, R"({"answer": "2"})").reward, 0) << text;
  std::ifstream owned("owned");
  EXPECT_FALSE(owned.good());
  // What can start a program or an interpreter is not even linked.
  std::ifstream in(TENON_PLUGINS "/reward.answer.so", std::ios::binary);
  const std::string library{std::istreambuf_iterator<char>(in), {}};
  ASSERT_GT(library.size(), 1000u);
  for (const char* symbol : {"system", "popen", "fork", "vfork", "execv", "execve", "execvp", "posix_spawn",
                             "posix_spawnp", "dlopen", "Py_Initialize"}) {
    std::string word("\0", 1);
    word.append(symbol).push_back('\0');
    EXPECT_EQ(library.find(word), std::string::npos) << symbol;
  }
}

}  // namespace
}  // namespace tenon::test
