// What the stage offers beside the plain loop: critics, references that move, dynamic sampling, importance weights, traces, and the ends of bad numbers.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <set>

#include "rl_lab.h"
#include "safetensors/safetensors.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string options(const std::string& more) {
  return R"({"steps": 1, "prompts": 4, "group_size": 4, "max_new_tokens": 10)" +
         (more.empty() ? "" : ", " + more) + "}";
}

// A column of a trace.
template <class T>
std::vector<T> column(const safetensors::File& file, const std::string& name) {
  const safetensors::View* view = file.find(name);
  if (view == nullptr) throw Error("the trace has no " + name);
  std::vector<T> out(view->elements);
  std::memcpy(out.data(), view->data.data(), view->data.size());
  return out;
}

TEST(RlImportance, OneEngineHasWeightOne) {
  Lab lab(options(R"("importance": "sequence-mask")")), usual(options(""));
  lab.run();
  usual.run();
  const FakeIo::Step& step = lab.io.steps.at(0);
  for (const char* name : {"importance/mean", "importance/min", "importance/max"})
    EXPECT_EQ(step.metric(name), 1.0) << name;
  EXPECT_EQ(step.metric("importance/bounded"), 0.0);
  EXPECT_EQ(lab.model.weight, usual.model.weight);
}

TEST(RlImportance, AnotherEngineIsCorrectedOnce) {
  Lab lab(options(R"("importance": "token-truncate", "importance_max": 1.5, "max_logprob_diff": 0.5)"));
  lab.model.logprob_error = 0.25f;  // of training; the sampler's is without
  lab.run();
  Lab plain(options(""));
  plain.run();
  const Rollout &got = lab.algorithm.seen.at(0), &base = plain.algorithm.seen.at(0);
  ASSERT_EQ(got.advantage.size(), base.advantage.size());
  for (size_t t = 0; t < got.advantage.size(); ++t) {
    if (got.mask[t] == 0) continue;
    EXPECT_NEAR(got.advantage[t], base.advantage[t] * std::exp(0.25), 1e-6);
    EXPECT_EQ(got.lp_new[t], got.lp_old[t]) << "the ratio is of the trained policy to itself";
  }
  EXPECT_NEAR(lab.io.steps[0].metric("importance/mean"), std::exp(0.25), 1e-6);
}

TEST(RlImportance, AWeightOtherThanOneStopsWhereSamplerAndTrainerMustBeOne) {
  Lab lab(options(R"("importance": "token-truncate")"));
  lab.model.logprob_error = 1e-3f;
  EXPECT_THAT(lab.run_and_fail(), HasSubstr("importance weights are between"));
}

TEST(RlReference, BecomesThePolicyEverySoManyUpdates) {
  Lab lab(
      R"({"steps": 3, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "mini_batches": 2, "reference_interval": 4})");
  HashModel reference(lab.host, 23, 48);
  lab.host.slot("reference", reference.ref("reference"));
  lab.algorithm.needs = TENON_NEEDS_REFERENCE;
  std::vector<std::vector<float>> policy, refs;
  lab.io.on_step = [&](uint64_t) { policy.push_back(lab.model.weight), refs.push_back(reference.weight); };
  const std::vector<float> first = reference.weight;
  lab.run();
  EXPECT_EQ(refs[0], first);
  EXPECT_EQ(refs[1], first) << "the fourth update ends step 1";
  EXPECT_EQ(refs[2], policy[1]);
  EXPECT_EQ(reference.version, 4u);
}

TEST(RlReference, MixesIn) {
  Lab lab(
      R"({"steps": 2, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "reference_interval": 1, "reference_mix": 0.25})");
  HashModel reference(lab.host, 23, 48, 3);
  lab.host.slot("reference", reference.ref("reference"));
  lab.algorithm.needs = TENON_NEEDS_REFERENCE;
  const std::vector<float> first = reference.weight;
  std::vector<float> policy;
  lab.io.on_step = [&](uint64_t step) {
    if (step == 0) policy = lab.model.weight;
  };
  lab.run();
  for (size_t k = 0; k < first.size(); ++k)
    EXPECT_EQ(reference.weight[k], static_cast<float>(0.25 * double{policy[k]} + 0.75 * double{first[k]}));
}

TEST(RlKlController, SteersTheAlgorithm) {
  Lab lab(
      R"({"steps": 3, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "kl_target": 0.001, "kl_horizon": 100})");
  HashModel reference(lab.host, 23, 48, 5);
  lab.host.slot("reference", reference.ref("reference"));
  lab.algorithm.needs = TENON_NEEDS_REFERENCE;
  lab.algorithm.beta = 0.1;
  lab.run();
  double scale = 1;
  for (size_t s = 0; s < 3; ++s) {
    EXPECT_DOUBLE_EQ(lab.algorithm.seen.at(s).kl_scale, scale) << "that of the rollout before";
    scale *= 1 + std::clamp(lab.io.steps[s].metric("reference_kl") / 0.001 - 1, -0.2, 0.2) * 16 / 100;
    EXPECT_DOUBLE_EQ(lab.io.steps[s].metric("kl_scale"), scale);
  }
  EXPECT_NE(scale, 1);
}

// Completions of all prompts but "1+2=" earn the same.
double only_first_prompt(const Sample& s) {
  return s.prompt == "1+2=" ? static_cast<double>(s.id % 2) : 1;
}

TEST(RlKlController, RefusesWhatItCannotSteer) {
  const auto found = [](const std::string& more) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options(more)));
  };
  EXPECT_THAT(found(R"("kl_target": 0.1, "kl_horizon": 15)"),
              ElementsAre(HasSubstr("kl_horizon: is shorter than one rollout")));
  EXPECT_THAT(found(R"("kl_target": 0.1, "kl_horizon": 16)"), ElementsAre());
  Lab pairs(options(R"("kl_target": 0.1)"));
  pairs.algorithm.needs = TENON_NEEDS_REFERENCE | TENON_FIXED_ADVANTAGE;
  HashModel reference(pairs.host, 23, 48);
  pairs.host.slot("reference", reference.ref("reference"));
  EXPECT_THAT(pairs.run_and_fail(), HasSubstr("kl_target: the algorithm's beta is no weight"));
}

std::vector<std::string> warnings(const Lab& lab) {
  std::vector<std::string> said;
  for (const auto& [level, text] : lab.host.logs)
    if (level == TENON_LOG_WARN) said.push_back(text);
  return said;
}

TEST(RlWarns, OfSecondUpdatesWithALossThatHasNoRatio) {
  const auto said = [](uint32_t needs, const std::string& more) {
    Lab lab(options(more));
    lab.algorithm.needs = needs;
    lab.run();
    return warnings(lab);
  };
  EXPECT_THAT(said(TENON_ON_POLICY, R"("mini_batches": 2, "epochs": 2)"),
              ElementsAre(HasSubstr("4 updates of each rollout")));
  EXPECT_THAT(said(TENON_ON_POLICY, ""), IsEmpty());
  EXPECT_THAT(said(0, R"("mini_batches": 2, "epochs": 2)"), IsEmpty());
}

TEST(RlWarns, OfProcessSupervisionWithoutRewardsOfTokens) {
  Lab lab(options(""));
  lab.algorithm.needs = TENON_NEEDS_TOKEN_REWARD;
  lab.run();
  EXPECT_THAT(warnings(lab), ElementsAre(HasSubstr("none of `rewards` gives any")));

  Lab given(options(""));
  given.algorithm.needs = TENON_NEEDS_TOKEN_REWARD;
  given.reward.f = [](const Sample& s) {
    s.token_reward(0, 0.5);
    return static_cast<double>(s.id % 2);
  };
  given.run();
  EXPECT_THAT(warnings(given), IsEmpty());
}

TEST(RlWarns, OfAReferenceThatIsThePolicyAtEveryRollout) {
  const auto said = [](const std::string& more) {
    Lab lab(options(more));
    lab.algorithm.needs = TENON_NEEDS_REFERENCE;
    HashModel reference(lab.host, 23, 48);
    lab.host.slot("reference", reference.ref("reference"));
    lab.run();
    return warnings(lab);
  };
  EXPECT_THAT(said(R"("reference_interval": 1, "kl_target": 0.1)"),
              ElementsAre(HasSubstr("kl_target is never reached")));
  EXPECT_THAT(said(R"("reference_interval": 1, "reference_mix": 0.6)"), IsEmpty());
  EXPECT_THAT(said(R"("reference_interval": 2)"), IsEmpty());
}

TEST(RlRefills, ReplaceGroupsThatTeachNothing) {
  Lab lab(
      R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 10, "samples_per_step": 8})");
  lab.algorithm.needs = TENON_NEEDS_GROUPS;
  lab.reward.f = only_first_prompt;
  lab.run();
  // Prompts come round every four rows: 1+2=, 7= | 1+2-3= | 9-9= | 1+2=.
  const FakeIo::Step& step = lab.io.steps.at(0);
  EXPECT_EQ(step.metric("refill/rounds"), 3);
  EXPECT_EQ(step.metric("refill/groups_thrown_away"), 3);
  EXPECT_EQ(lab.data.taken, 5u);
  EXPECT_EQ(step.metric("groups/no_signal"), 0);
  EXPECT_DOUBLE_EQ(step.metric("reward/mean"), (0.5 + 1 + 1 + 1 + 0.5) / 5) << "of all that was sampled";
  ASSERT_EQ(lab.algorithm.seen.at(0).sample_id.size(), 8u);
  EXPECT_EQ(lab.algorithm.seen[0].sample_id[4], 16u) << "ids are never used twice";
  EXPECT_EQ(step.samples.size(), 8u);
}

TEST(RlRefills, AreRefusedWhereFlatGroupsTeach) {
  Lab lab(options(R"("refills": 2)"));
  EXPECT_THAT(lab.run_and_fail(), HasSubstr("refills: with these options"));
}

TEST(RlRefills, AreBounded) {
  Lab lab(R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 2})");
  lab.algorithm.needs = TENON_NEEDS_GROUPS;
  lab.reward.f = only_first_prompt;
  lab.run();
  EXPECT_EQ(lab.io.steps[0].metric("refill/rounds"), 2);
  EXPECT_EQ(lab.algorithm.seen.at(0).sample_id.size(), 4u) << "goes on with the one group there is";

  Lab none(R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 2})");
  none.algorithm.needs = TENON_NEEDS_GROUPS;
  none.reward.f = [](const Sample&) { return 1.0; };
  none.run();
  EXPECT_EQ(none.io.steps[0].metric("updates"), 0);
  EXPECT_EQ(none.io.steps[0].metric("refill/groups_thrown_away"), 6);
}

// As of answers that are all right and of unequal length, which a second reward punishes.
TEST(RlRefills, ByAccuracyAGroupDoesNotStayForWhatItsOtherRewardsDifferIn) {
  const auto step = [](const std::string& by) {
    LambdaReward length{[](const Sample& s) { return -0.1 * static_cast<double>(s.id % 4); }};
    Lab lab(R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 10)" + by + "}");
    lab.algorithm.needs = TENON_NEEDS_GROUPS;
    lab.reward.f = only_first_prompt;
    lab.host.slot("rewards/1", length.ref("length"));
    lab.run();
    return lab.io.steps.at(0);
  };
  EXPECT_EQ(step("").metric("refill/groups_thrown_away"), 0);
  EXPECT_EQ(step(R"(, "refill_by": "accuracy")").metric("refill/groups_thrown_away"), 3);
  EXPECT_EQ(step(R"(, "refill_by": "accuracy")").metric("refill/rounds"), 3);
}

TEST(RlRefills, WithNothingToKeepMakeNoUpdate) {
  LambdaReward length{[](const Sample& s) { return -0.1 * static_cast<double>(s.id % 4); }};
  Lab lab(
      R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 1, "refill_by": "accuracy"})");
  lab.algorithm.needs = TENON_NEEDS_GROUPS;
  lab.reward.f = [](const Sample&) { return 1.0; };
  lab.host.slot("rewards/1", length.ref("length"));
  HashModel before(lab.host, 23, 48);
  lab.run();
  const FakeIo::Step& step = lab.io.steps[0];
  EXPECT_EQ(step.metric("updates"), 0);
  EXPECT_EQ(step.metric("updates/skipped"), 1);
  EXPECT_EQ(step.metric("groups/no_signal"), 1);
  EXPECT_EQ(step.metric("refill/groups_thrown_away"), 4);
  EXPECT_EQ(lab.model.weight, before.weight);
  EXPECT_THAT(step.samples.at(0), HasSubstr("\"reward\":1")) << "what it was stays to be seen";
}

// The accuracy of sample `without` of each four does not apply; the group is judged by the others, and one without any by its reward.
TEST(RlRefills, ByAccuracyLeaveOutWhereItDoesNotApply) {
  const auto thrown_away = [](uint64_t without, bool all) {
    LambdaReward length{[](const Sample& s) { return -0.1 * static_cast<double>(s.id % 4); }};
    Lab lab(
        R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 1, "refill_by": "accuracy"})");
    lab.algorithm.needs = TENON_NEEDS_GROUPS;
    lab.reward.f = [&](const Sample& s) -> double {
      if (all || s.id % 4 == without) not_applicable("no answer to compare with");
      return 1;
    };
    lab.host.slot("rewards/1", length.ref("length"));
    lab.run();
    return lab.io.steps[0].metric("refill/groups_thrown_away");
  };
  for (uint64_t without = 0; without < 4; ++without) EXPECT_EQ(thrown_away(without, false), 4) << without;
  EXPECT_EQ(thrown_away(0, true), 0);
}

TEST(RlGroups, AGroupWithOneRewardLeftIsDroppedAndCounted) {
  Lab lab(options(""));
  lab.algorithm.needs = TENON_NEEDS_GROUPS;
  lab.reward.f = [](const Sample& s) -> double {
    if (s.group == 4 && s.id != 5) refuse("no gold answer");
    if (s.group == 8 && s.id < 10) refuse("no gold answer");
    return static_cast<double>(s.id % 2);
  };
  lab.run();
  EXPECT_EQ(lab.io.steps[0].metric("groups/dropped"), 1);
  const Rollout& seen = lab.algorithm.seen.at(0);
  EXPECT_THAT(seen.sample_id, ElementsAre(0, 1, 2, 3, 10, 11, 12, 13, 14, 15)) << "two of a group are enough";
}

TEST(RlGroups, AreWholeWhereTheLossIsOfGroups) {
  Lab lab(
      R"({"steps": 1, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "mini_batches": 2, "micro_batch_tokens": 1})");
  lab.algorithm.needs = TENON_NEEDS_GROUPS | TENON_WHOLE_GROUPS;
  lab.run();
  ASSERT_EQ(lab.algorithm.seen.size(), 4u) << "a micro-batch is a group";
  for (const Rollout& part : lab.algorithm.seen) {
    EXPECT_EQ(part.group_id.size(), 4u);
    EXPECT_EQ(std::set<uint64_t>(part.group_id.begin(), part.group_id.end()).size(), 1u);
  }
  Lab uneven(R"({"steps": 1, "prompts": 4, "group_size": 4, "mini_batches": 8})");
  uneven.algorithm.needs = TENON_WHOLE_GROUPS;
  EXPECT_THAT(uneven.run_and_fail(), HasSubstr("mini_batches: 8 do not divide prompts = 4"));
}

TEST(RlRewards, ATokensRewardReachesTheAlgorithm) {
  Lab lab(options(""));
  lab.reward.f = [](const Sample& s) {
    EXPECT_TRUE(s.token_reward(s.tokens.size() - 1, 0.25 * static_cast<double>(s.id % 3)));
    return static_cast<double>(s.id % 2);
  };
  lab.run();
  const Rollout& seen = lab.algorithm.seen.at(0);
  double earned = 0;
  for (double x : seen.token_reward) earned += std::isnan(x) ? 0 : x;
  EXPECT_DOUBLE_EQ(earned, 0.25 * 15) << "ids 0 to 15: 0, 1, 2, 0, 1, 2 …";
  EXPECT_DOUBLE_EQ(lab.io.steps[0].metric("reward/mean"), (8 + 0.25 * 15) / 16) << "it is part of the total";
}

TEST(RlRewards, AreNormalisedApart) {
  LambdaReward size{[](const Sample& s) { return static_cast<double>(1000 * (s.id % 4)); }};
  Lab lab(options(R"("reward_normalization": "group")"));
  lab.reward.f = [](const Sample& s) { return static_cast<double>(s.id % 2); };
  lab.host.slot("rewards/1", size.ref("size"));
  lab.run();
  const Rollout& seen = lab.algorithm.seen.at(0);
  const double a = 0.5 / (std::sqrt(1.0 / 3) + 1e-4), b = 500 / (std::sqrt(5e6 / 3) + 1e-4);
  uint64_t t = 0;
  while (seen.mask[t] == 0) ++t;
  EXPECT_NEAR(seen.advantage[t], -a - 3 * b, 1e-12);
  EXPECT_DOUBLE_EQ(lab.io.steps[0].metric("reward/mean"), 1500.5) << "what was earned";
  EXPECT_THAT(lab.io.steps[0].samples.at(1), HasSubstr("\"reward\":0,")) << "and so in samples: id 4";
}

// The reward of the format is nothing without a right answer, normalised or not; what it gave is recorded.
TEST(RlRewards, OneThatDoesNotCountIsNotNormalisedBack) {
  const auto most_advantage = [](double odd, bool* is_recorded) {
    LambdaReward format{[](const Sample& s) { return 1 + static_cast<double>(s.id % 2); }};
    Lab lab(options(
        R"("reward_normalization": "group", "rewards": [{"weight": 0}, {"only_if": "odd", "only_above": 0.5}])"));
    lab.reward.f = [=](const Sample&) { return odd; };
    lab.host.slot("rewards/1", format.ref("format"));
    lab.run();
    *is_recorded = lab.io.steps[0].samples.at(0).find("\"format\":1}") != std::string::npos;
    double most = 0;  // of an update that was made
    for (const Rollout& seen : lab.algorithm.seen)
      for (double x : seen.advantage) most = std::max(most, std::abs(x));
    return most;
  };
  bool is_recorded = false;
  EXPECT_EQ(most_advantage(0.5, &is_recorded), 0);
  EXPECT_TRUE(is_recorded);
  EXPECT_GT(most_advantage(1, &is_recorded), 0.5);
}

// Three rewards of which each completion earns one, so that their sum is 1 everywhere; normalised apart, the one that two of four earn is worth less.
TEST(RlRewards, DynamicSamplingSeesWhatTheAlgorithmSees) {
  const auto thrown_away = [](const std::string& more) {
    LambdaReward second{[](const Sample& s) { return s.id % 4 == 1 ? 1.0 : 0.0; }};
    LambdaReward third{[](const Sample& s) { return s.id % 4 == 2 ? 1.0 : 0.0; }};
    Lab lab(options(more));
    lab.algorithm.needs = TENON_NEEDS_GROUPS;
    lab.reward.f = [](const Sample& s) { return s.id % 4 == 0 || s.id % 4 == 3 ? 1.0 : 0.0; };
    lab.host.slot("rewards/1", second.ref("second"));
    lab.host.slot("rewards/2", third.ref("third"));
    lab.run();
    return lab.io.steps[0].metric("refill/groups_thrown_away");
  };
  EXPECT_EQ(thrown_away(R"("refills": 2)"), 12);
  EXPECT_EQ(thrown_away(R"("refills": 2, "reward_normalization": "group")"), 0);
}

TEST(RlCurriculum, IsToldHowItsRowsWent) {
  Lab lab(R"({"steps": 1, "prompts": 2, "group_size": 4, "max_new_tokens": 10, "refills": 1})");
  lab.algorithm.needs = TENON_NEEDS_GROUPS;
  lab.data.is_curriculum = true;
  lab.host.slot("data", lab.data.ref("sums"));
  lab.reward.f = [](const Sample& s) -> double {
    if (s.prompt == "7=" && s.id % 2 == 0) refuse("no");
    return s.prompt == "7=" ? 1 : static_cast<double>(s.id % 4 == 0);
  };
  lab.run();
  ASSERT_EQ(lab.data.outcomes.size(), 3u) << "of rows whose groups were thrown away, too";
  EXPECT_EQ(lab.data.outcomes[0].index, 0u);
  EXPECT_EQ(lab.data.outcomes[0].n_valid, 4u);
  EXPECT_DOUBLE_EQ(lab.data.outcomes[0].mean, 0.25);
  EXPECT_EQ(lab.data.outcomes[1].n_valid, 2u);
  EXPECT_DOUBLE_EQ(lab.data.outcomes[1].mean, 1);
  EXPECT_EQ(lab.data.outcomes[2].index, 2u);
}

// ---- critics ----

struct CriticLab : Lab {
  explicit CriticLab(const std::string& options) : Lab(options) {
    algorithm.needs = TENON_NEEDS_VALUE;
    host.slot("critic", critic.ref("critic"));
    host.slot("critic_optimizer", critic_sgd.ref("critic_sgd"));
  }
  HashModel critic{host, 23, 48, 9};
  PlainSgd critic_sgd;
};

TEST(RlCritic, AModelOfItsOwnLearnsTheValues) {
  CriticLab lab(options(R"("mini_batches": 2)"));
  const HashModel before = lab.critic;
  std::vector<float> policy_values = lab.model.value_weight;
  lab.run();
  EXPECT_EQ(lab.critic.weight, before.weight) << "nothing flows into its language head";
  EXPECT_NE(lab.critic.value_weight, before.value_weight);
  EXPECT_EQ(lab.model.value_weight, policy_values);
  EXPECT_EQ(lab.critic_sgd.steps, 2u);
  EXPECT_EQ(lab.critic_sgd.total_steps, 2u);
  EXPECT_EQ(lab.critic.version, 2u);
  EXPECT_EQ(lab.model.version, 2u);
  EXPECT_GT(lab.io.steps[0].metric("critic/grad_norm"), 0);
  EXPECT_EQ(lab.critic.open_tapes() + lab.model.open_tapes(), 0u);
  EXPECT_EQ(lab.model.counts.accumulate, 1u) << "the policy's first mini-batch is still one visit";

  // The first update by hand: V[x] -= rate · Σ_t w (V − R).
  CriticLab one(options(""));
  std::vector<float> values = one.critic.value_weight;
  one.run();
  const Rollout& seen = one.algorithm.seen.at(0);
  const auto ids = column<int32_t>(safetensors::File(one.io.folder + "/trace/000000.safetensors"), "ids");
  std::vector<double> expected(values.begin(), values.end());
  for (size_t t = 1; t < seen.mask.size(); ++t)
    if (seen.mask[t] != 0)
      expected[static_cast<size_t>(ids.at(t - 1))] -=
          one.critic_sgd.learning_rate * seen.weight[t] *
          (double{values[static_cast<size_t>(ids.at(t - 1))]} - seen.value_target[t]);
  for (size_t k = 0; k < values.size(); ++k) EXPECT_NEAR(one.critic.value_weight[k], expected[k], 1e-6) << k;
  EXPECT_EQ(seen.sample_id.size(), 16u) << "completions without an advantage still teach values";
}

TEST(RlCritic, WarmsUpAlone) {
  CriticLab lab(R"({"steps": 3, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "critic_warmup": 2})");
  const std::vector<float> policy = lab.model.weight;
  std::vector<std::vector<float>> weights, values;
  lab.io.on_step = [&](uint64_t) {
    weights.push_back(lab.model.weight), values.push_back(lab.critic.value_weight);
  };
  lab.run();
  EXPECT_EQ(weights[0], policy);
  EXPECT_EQ(weights[1], policy);
  EXPECT_NE(weights[2], policy);
  EXPECT_NE(values[0], values[1]);
  EXPECT_EQ(lab.sgd.total_steps, 1u) << "the policy's schedule begins after it";
  EXPECT_EQ(lab.critic_sgd.total_steps, 3u);
  EXPECT_EQ(lab.io.steps[0].metric("updates"), 0);
  EXPECT_TRUE(std::isnan(lab.io.steps[0].metric("grad_norm")));
}

TEST(RlCritic, WarmingUpLeavesTheKlControllerAlone) {
  CriticLab lab(
      R"({"steps": 2, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "critic_warmup": 1, "kl_target": 5})");
  HashModel reference(lab.host, 23, 48);
  lab.host.slot("reference", reference.ref("reference"));
  lab.algorithm.needs |= TENON_NEEDS_REFERENCE;
  lab.run();
  EXPECT_EQ(lab.io.steps[0].metric("kl_scale"), 1.0) << "the policy cannot answer yet";
  EXPECT_LT(lab.io.steps[1].metric("kl_scale"), 1.0);
}

TEST(RlCritic, OrIsThePolicysOwnHead) {
  Lab lab(options(""));
  lab.algorithm.needs = TENON_NEEDS_VALUE;
  const std::vector<float> values = lab.model.value_weight, weights = lab.model.weight;
  lab.run();
  EXPECT_NE(lab.model.value_weight, values);
  EXPECT_NE(lab.model.weight, weights);
  EXPECT_EQ(lab.model.counts.accumulate, 0u);
  EXPECT_EQ(lab.model.open_tapes(), 0u);
}

TEST(RlCritic, WhatCannotWorkIsRefused) {
  Lab unused(options(""));
  HashModel critic(unused.host, 23, 48);
  unused.host.slot("critic", critic.ref("critic"));
  EXPECT_THAT(unused.run_and_fail(), HasSubstr("critic: the algorithm uses no values"));

  Lab without(options(""));
  without.algorithm.needs = TENON_NEEDS_VALUE;
  without.host.slot("critic", critic.ref("critic"));
  EXPECT_THAT(without.run_and_fail(), HasSubstr("give critic_optimizer"));

  Lab shared(R"({"steps": 2, "prompts": 4, "group_size": 4, "critic_warmup": 1})");
  shared.algorithm.needs = TENON_NEEDS_VALUE;
  EXPECT_THAT(shared.run_and_fail(), HasSubstr("critic_warmup: the policy's value head shares"));

  CriticLab small(options(""));
  HashModel narrow(small.host, 11, 48);
  small.host.slot("critic", narrow.ref("critic"));
  EXPECT_THAT(small.run_and_fail(), HasSubstr("it takes 11 token ids"));
}

// ---- bad numbers ----

TEST(RlNumbers, ThatAreNotFiniteStopTheStepAndNameTheirToken) {
  const auto fails = [](const std::function<void(CriticLab&)>& spoil) {
    CriticLab lab(options(""));
    spoil(lab);
    const std::vector<float> weight = lab.model.weight, values = lab.critic.value_weight;
    const std::string text = lab.run_and_fail();
    EXPECT_EQ(lab.model.weight, weight);
    EXPECT_EQ(lab.critic.value_weight, values);
    EXPECT_EQ(lab.sgd.steps + lab.critic_sgd.steps, 0u);
    return text;
  };
  EXPECT_THAT(fails([](CriticLab& l) { l.critic.value_error = std::nanf(""); }),
              HasSubstr("value_old of token 0 of the completion of sample 0 is nan"));
  EXPECT_THAT(fails([](CriticLab& l) { l.algorithm.slope_error = std::numeric_limits<double>::infinity(); }),
              HasSubstr("d_logprob of token 0 of the completion of sample 0 is inf, from the algorithm"));
  Lab later(options(R"("mini_batches": 2)"));
  later.algorithm.needs = TENON_NEEDS_ENTROPY;
  later.algorithm.entropy_bonus = std::nan("");
  EXPECT_THAT(later.run_and_fail(), HasSubstr("d_entropy of token 0"));
}

// ---- metrics ----

TEST(RlMetrics, OfLengthsAndEntropy) {
  Lab lab(options(""));
  HashModel reference(lab.host, 23, 48);
  lab.host.slot("reference", reference.ref("reference"));
  lab.algorithm.needs = TENON_NEEDS_REFERENCE;  // so that completions without an advantage are seen, too
  lab.run();
  const FakeIo::Step& step = lab.io.steps.at(0);
  const Rollout& seen = lab.algorithm.seen.at(0);
  double surprise = 0, tokens = 0;
  for (size_t t = 0; t < seen.mask.size(); ++t)
    if (seen.mask[t] != 0) surprise -= seen.lp_old[t], tokens += 1;
  ASSERT_EQ(seen.sample_id.size(), 16u)
      << "all are in the gradient, so nothing was sampled that is not seen here";
  EXPECT_NEAR(step.metric("entropy"), surprise / tokens, 1e-12);
  EXPECT_GT(step.metric("entropy"), 0);
  EXPECT_LE(step.metric("completion/length_min"), step.metric("completion/terminated_length_min"));
  EXPECT_LE(step.metric("completion/terminated_length_mean"),
            step.metric("completion/terminated_length_max"));
}

// ---- traces ----

TEST(RlTrace, HoldsWhatTheOptimizerSaw) {
  Lab lab(
      R"({"steps": 4, "prompts": 4, "group_size": 4, "max_new_tokens": 10, "mini_batches": 2, "trace_interval": 2, "micro_batch_tokens": 30})");
  lab.run();
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(lab.io.folder + "/trace"))
    files.insert(entry.path().filename());
  EXPECT_THAT(files, ElementsAre("000000.safetensors", "000002.safetensors", "000003.safetensors"));

  safetensors::File file(lab.io.folder + "/trace/000000.safetensors");
  EXPECT_EQ(file.metadata().at("format"), "tenon-trace/1");
  EXPECT_EQ(file.metadata().at("rewards"), "[\"odd\"]");
  EXPECT_EQ(file.metadata().at("updates"), "2");
  const auto sample = column<uint64_t>(file, "sample_id"), offsets = column<uint64_t>(file, "offsets");
  const auto advantage = column<double>(file, "advantage");
  EXPECT_EQ(column<double>(file, "reward"), column<double>(file, "terms"));
  size_t part = 0;
  for (int u = 0; u < 2; ++u) {
    const std::string prefix = "update/" + std::to_string(u) + "/";
    const auto rows = column<uint64_t>(file, prefix + "rows");
    const auto lp_new = column<float>(file, prefix + "lp_new"),
               slope = column<float>(file, prefix + "d_logprob");
    const auto weight = column<double>(file, prefix + "weight");
    uint64_t at = 0;
    for (size_t k = 0; k < rows.size();) {
      const Rollout& seen = lab.algorithm.seen.at(part++);
      for (size_t i = 0; i < seen.sample_id.size(); ++i, ++k)
        EXPECT_EQ(sample.at(rows[k]), seen.sample_id[i]);
      for (size_t t = 0; t < seen.mask.size(); ++t, ++at) {
        EXPECT_EQ(weight.at(at), seen.weight[t]);
        EXPECT_EQ(lp_new.at(at), seen.lp_new[t]);
        const double ratio = std::exp(double{seen.lp_new[t]} - double{seen.lp_old[t]});
        if (seen.mask[t] == 0) continue;
        EXPECT_EQ(slope.at(at), static_cast<float>(-seen.weight[t] * ratio * seen.advantage[t]));
      }
    }
    EXPECT_EQ(at, lp_new.size());
  }
}

TEST(RlTrace, IsLeftOutWhereItWouldBeTooLarge) {
  Lab lab(options(R"("trace_limit": "1KiB")"));
  lab.run();
  EXPECT_FALSE(std::filesystem::exists(lab.io.folder + "/trace"));
  ASSERT_FALSE(lab.host.logs.empty());
  EXPECT_THAT(lab.host.logs.back().second, HasSubstr("step 0 is not traced"));
}

TEST(Rl, RewardsOfEachPartOfAMixture) {
  const std::vector<Row> rows = {{"1+2=", "", "", R"({"source":"sums"})"},
                                 {"7=", "", "", R"({"source":"names"})"},
                                 {"1+2-3=", "", "", R"({"source":"sums"})"},
                                 {"9-9=", "", "", "{}"}};
  Lab with(
      R"({"steps": 1, "prompts": 3, "group_size": 4, "max_new_tokens": 10, "domain": "source", "samples_per_step": 12})"),
      plain;
  RowSet data(rows), same(rows);
  with.host.slot("data", data.ref("mix"));
  plain.host.slot("data", same.ref("mix"));
  with.run(), plain.run();
  const FakeIo::Step& step = with.io.steps.at(0);
  double sums = 0, names = 0;
  for (const std::string& sample : step.samples) {
    const double reward = *json::number_field(sample, "reward");
    (*json::text_field(sample, "prompt") == "7=" ? names : sums) += reward;
  }
  ASSERT_EQ(step.samples.size(), 12u);
  EXPECT_NEAR(step.metric("reward/mean/sums"), sums / 8, 1e-9);
  EXPECT_NEAR(step.metric("reward/mean/names"), names / 4, 1e-9);
  EXPECT_EQ(step.metric("accuracy/names"), step.metric("reward/mean/names")) << "there is one reward";
  EXPECT_EQ(step.metrics.count("accuracy/(none)"), 0u) << "nothing of rows that the step has not";
  EXPECT_EQ(with.model.weight, plain.model.weight);
  EXPECT_EQ(plain.io.steps[0].metrics.count("accuracy/sums"), 0u);
}

}  // namespace
}  // namespace tenon::test
