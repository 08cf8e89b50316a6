// The stage against computations by hand, on a model of one table.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "rl_lab.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

// What the stage samples in its first step, sampled by the test.
struct Expected {
  Rollout rollout;
  std::vector<double> advantage;  // by sequence
};
Expected first_rollout(const std::string& options, uint64_t prompts, uint64_t group,
                       const std::function<double(const std::string&)>& reward) {
  Lab lab(options);
  Expected out;
  Ragged<int32_t> ids;
  std::vector<uint64_t> sample, groups;
  const char* texts[] = {"1+2=", "7=", "1+2-3=", "9-9="};
  for (uint64_t p = 0; p < prompts; ++p)
    for (uint64_t k = 0; k < group; ++k) {
      ids.push(lab.tokenizer.encode(texts[p % 4], 0));
      sample.push_back(p * group + k), groups.push_back(p * group);
    }
  tenon_sampling how{sizeof how,          static_cast<float>(lab.host.host().f64("temperature")), 0, 0, 0, 0,
                     lab.host.raw()->seed};
  int32_t stop = 0;
  tenon_generate_in in{sizeof in, 0, ids.size(), ids.raw(), sample.data(), groups.data(), &how, 10, &stop, 1};
  auto done = Sampler(lab.sampler.ref()).generate(nullptr, Model(lab.model.ref()), in, [](uint64_t, const tenon::Completion&) {});
  for (uint64_t i = 0; i < ids.size(); ++i) {
    out.rollout.push(ids[i], done[i].ids, done[i].logprobs, groups[i], sample[i], done[i].finish);
    out.rollout.reward[i] = reward(lab.tokenizer.decode(done[i].ids, 0));
  }
  for (uint64_t i = 0; i < ids.size(); ++i) {
    double mean = 0;
    for (uint64_t k = 0; k < group; ++k)
      mean += out.rollout.reward[i / group * group + k] / static_cast<double>(group);
    out.advantage.push_back(out.rollout.reward[i] - mean);
  }
  return out;
}
double odd_of(const std::string& text) {
  Sample s{0, 0, "", text, "{}", {}, 0, 0, nullptr, {}, nullptr};
  return odd_digits(s);
}

// W after one step of plain gradient descent on −Σ ρ A / T over the sequences `rows`, ρ being relative to lp_sample; T: tokens of the sequences in `counted`.
std::vector<float> descend(const HashModel& model, const Expected& e, std::span<const uint64_t> rows,
                           std::span<const uint64_t> counted, double rate, double temperature) {
  double tokens = 0;
  for (uint64_t i : counted) tokens += static_cast<double>(e.rollout.completion_len(i));
  uint64_t vocab = model.value_weight.size();
  std::vector<double> grad(model.weight.size(), 0);
  for (uint64_t i : rows) {
    std::span<const int32_t> ids = e.rollout.ids[i];
    for (uint64_t t = e.rollout.prompt_len[i]; t < ids.size(); ++t) {
      std::vector<double> lp = model.distribution(ids.first(t), temperature);
      double old = e.rollout.lp_sample[e.rollout.ids.offsets[i] + t];
      double d = -std::exp(lp[static_cast<uint64_t>(ids[t])] - old) * e.advantage[i] / tokens;
      for (uint64_t j = 0; j < vocab; ++j)
        grad[static_cast<uint64_t>(ids[t - 1]) * vocab + j] +=
            d * ((j == static_cast<uint64_t>(ids[t]) ? 1 : 0) - std::exp(lp[j])) / temperature;
    }
  }
  std::vector<float> w = model.weight;
  for (size_t k = 0; k < w.size(); ++k) w[k] = static_cast<float>(w[k] - rate * grad[k]);
  return w;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, double bound) {
  ASSERT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - b[i]));
  EXPECT_LT(worst, bound);
}

std::vector<uint64_t> range(uint64_t n) {
  std::vector<uint64_t> v(n);
  std::iota(v.begin(), v.end(), 0);
  return v;
}

TEST(Rl, OneUpdateEqualsTheComputationByHand) {
  std::string options =
      R"({"steps": 1, "prompts": 3, "group_size": 4, "max_new_tokens": 10, "temperature": 0.8})";
  Expected e = first_rollout(options, 3, 4, odd_of);
  Lab lab(options);
  HashModel before(lab.host, 23, 48);
  lab.run();
  std::vector<uint64_t> all = range(12);
  expect_near(lab.model.weight,
              descend(before, e, all, all, lab.sgd.learning_rate, static_cast<double>(0.8f)), 1e-6);
  EXPECT_NE(lab.model.weight, before.weight);
  EXPECT_EQ(lab.model.version, 1u);
  EXPECT_EQ(lab.model.counts.score, 0u) << "the gradient was known before the forward pass";

  ASSERT_EQ(lab.io.steps.size(), 1u);
  const FakeIo::Step& step = lab.io.steps[0];
  double reward = 0, tokens = 0, longest = 0, cut = 0, loss = 0;
  for (uint64_t i : all) {
    double length = static_cast<double>(e.rollout.completion_len(i));
    reward += e.rollout.reward[i] / 12, tokens += length,
        longest = std::max(longest, length), cut += e.rollout.finish[i] == TENON_FINISH_LENGTH ? 1 : 0;
    loss -= e.advantage[i] * length;
  }
  EXPECT_DOUBLE_EQ(step.metric("accuracy"), reward);
  EXPECT_DOUBLE_EQ(step.metric("reward/mean"), reward);
  EXPECT_DOUBLE_EQ(step.metric("tokens"), tokens);
  EXPECT_DOUBLE_EQ(step.metric("completion/length_mean"), tokens / 12);
  EXPECT_DOUBLE_EQ(step.metric("completion/length_max"), longest);
  EXPECT_DOUBLE_EQ(step.metric("completion/truncated"), cut / 12);
  EXPECT_NEAR(step.metric("loss"), loss / tokens, 1e-12);
  EXPECT_EQ(step.metric("rollout/logprob_diff_max"), 0.0);
  EXPECT_EQ(step.metric("updates"), 1.0);
  EXPECT_EQ(step.metric("learning_rate"), 0.1);
  EXPECT_GT(step.metric("grad_norm"), 0.0);
  for (const char* phase : {"rollout", "reward", "update", "tokens_per_second"})
    EXPECT_EQ(step.timings.count(phase), 1u) << phase;
  EXPECT_EQ(step.samples.size(), 4u);
  boost::json::object sample = boost::json::parse(step.samples[1]).as_object();
  EXPECT_EQ(sample.at("sample").to_number<uint64_t>(), 3u);
  EXPECT_EQ(sample.at("prompt").as_string(), "1+2=");
  EXPECT_NEAR(sample.at("advantage").to_number<double>(), e.advantage[3], 1e-12);
}

TEST(Rl, MiniBatchesAreLaterUpdatesOnAdvantagesOfWholeGroups) {
  std::string options =
      R"({"steps": 1, "prompts": 3, "group_size": 4, "max_new_tokens": 10, "mini_batches": 3, "epochs": 2})";
  Expected e = first_rollout(options, 3, 4, odd_of);
  Lab lab(options);
  HashModel mine(lab.host, 23, 48);
  lab.algorithm.needs = TENON_NEEDS_REFERENCE;  // with beta 0, so that the whole mini-batch is seen
  lab.sgd.learning_rate = 3;                    // far enough for ratios other than 1
  HashModel reference(lab.host, 23, 48);
  lab.host.slot("reference", reference.ref());
  lab.run();

  ASSERT_EQ(lab.algorithm.seen.size(), 6u);
  std::vector<std::set<uint64_t>> epochs(2);
  bool mixed = false;
  for (size_t b = 0; b < 6; ++b) {
    const Rollout& part = lab.algorithm.seen[b];
    ASSERT_EQ(part.sample_id.size(), 4u);
    std::set<uint64_t> groups;
    for (uint64_t id : part.sample_id) {
      EXPECT_TRUE(epochs[b / 3].insert(id).second);
      groups.insert(id / 4);
    }
    mixed = mixed || groups.size() > 1;
    // The test's own model goes the same way, with ratios to the sampler's log-probabilities and advantages of whole groups.
    mine.weight = descend(mine, e, part.sample_id, part.sample_id, 3, 1);
  }
  EXPECT_TRUE(mixed) << "the groups were not shuffled apart";
  EXPECT_NE(lab.algorithm.seen[0].sample_id, lab.algorithm.seen[3].sample_id);
  expect_near(lab.model.weight, mine.weight, 2e-5);
  EXPECT_EQ(lab.sgd.steps, 6u);
  EXPECT_EQ(lab.sgd.total_steps, 6u);
  EXPECT_EQ(lab.model.version, 6u);
  EXPECT_EQ(lab.model.counts.accumulate, 1u) << "only the first mini-batch is of the policy that sampled";
  EXPECT_EQ(lab.model.counts.backward, 5u);
  EXPECT_EQ(lab.model.open_tapes(), 0u);
  EXPECT_EQ(lab.io.steps[0].metric("rollout/logprob_diff_max"), 0.0);
}

TEST(Rl, MicroBatchesChangeNoBit) {
  auto train = [](const std::string& micro) {
    Lab lab(
        R"({"steps": 3, "prompts": 4, "group_size": 4, "max_new_tokens": 12, "mini_batches": 2, "micro_batch_tokens": )" +
        micro + "}");
    lab.run();
    EXPECT_LE(lab.model.counts.longest, std::max<uint64_t>(std::stoull(micro), 48));
    return lab.model.weight;
  };
  std::vector<float> whole = train("100000");
  EXPECT_EQ(train("1"), whole);
  EXPECT_EQ(train("37"), whole);
  EXPECT_EQ(train("90"), whole);
}

// The second prompt's completions all get the same reward.
double odd_but_for_seven(const Sample& s) {
  return s.prompt == "7=" ? 0.5 : odd_digits(s);
}

TEST(Rl, SequencesWithoutAdvantageCostNothingAndChangeNothing) {
  Lab skipped, all;
  skipped.reward.f = all.reward.f = odd_but_for_seven;
  skipped.run();
  HashModel reference(all.host, 23, 48);
  all.host.slot("reference", reference.ref());
  all.algorithm.needs = TENON_NEEDS_REFERENCE;  // with beta 0: nothing is skipped, and nothing is added
  all.run();
  EXPECT_EQ(skipped.model.weight, all.model.weight);
  EXPECT_LT(skipped.model.counts.trained_tokens, all.model.counts.trained_tokens);
  EXPECT_DOUBLE_EQ(skipped.io.steps[0].metric("groups/no_signal"), 1.0 / 3);
  EXPECT_EQ(skipped.algorithm.seen[0].sample_id.size(), 8u);
  EXPECT_EQ(all.algorithm.seen[0].sample_id.size(), 12u);
}

TEST(Rl, ARolloutWithoutAnySignalMakesNoUpdate) {
  Lab lab;
  lab.reward.f = [](const Sample&) { return 1.0; };
  HashModel before(lab.host, 23, 48);
  lab.run();
  EXPECT_EQ(lab.model.weight, before.weight);
  EXPECT_EQ(lab.sgd.steps, 0u);
  EXPECT_EQ(lab.model.version, 0u);
  const FakeIo::Step& step = lab.io.steps.at(0);
  EXPECT_EQ(step.metric("updates"), 0.0);
  EXPECT_EQ(step.metric("updates/skipped"), 1.0);
  EXPECT_EQ(step.metric("groups/no_signal"), 1.0);
  EXPECT_TRUE(std::isnan(step.metric("rollout/logprob_diff_max")))
      << "nothing was scored, so there is no difference";
  EXPECT_TRUE(std::isnan(step.metric("loss")));
}

TEST(Rl, WarnsOnceWhenMostUpdatesAreSkipped) {
  auto warnings = [](uint64_t steps, uint64_t without_signal) {
    Lab lab(R"({"prompts": 3, "group_size": 4, "max_new_tokens": 10, "steps": )" + std::to_string(steps) +
            "}");
    lab.reward.f = [&](const Sample& s) {
      return s.id / 12 < without_signal ? 1.0 : static_cast<double>(s.id % 2);
    };
    lab.run();
    std::vector<std::string> said;
    for (const auto& [level, text] : lab.host.logs)
      if (level == TENON_LOG_WARN) said.push_back(text);
    return said;
  };
  EXPECT_THAT(warnings(30, 30), ::testing::ElementsAre(HasSubstr("10 of the first 10 updates were skipped")));
  EXPECT_THAT(warnings(3, 2), ::testing::ElementsAre(HasSubstr("2 of the first 3 updates")));
  EXPECT_THAT(warnings(12, 6), ::testing::ElementsAre(HasSubstr("6 of the first 10 updates")));
  EXPECT_THAT(warnings(4, 2), ::testing::IsEmpty()) << "half is not more than half";

  Lab refused(R"({"prompts": 3, "group_size": 4, "max_new_tokens": 10, "steps": 3})");
  refused.reward.f = [](const Sample&) -> double { refuse("no gold answer"); };
  refused.run();
  for (const auto& [level, text] : refused.host.logs)
    EXPECT_THAT(text, ::testing::Not(HasSubstr("too hard"))) << "nothing is known of the problems";
}

TEST(Rl, StopsWhereSamplingAndTrainingDiffer) {
  Lab lab;
  lab.model.logprob_error = 1e-3f;
  HashModel before(lab.host, 23, 48);
  std::string text = lab.run_and_fail();
  EXPECT_THAT(text, HasSubstr("in training and"));
  EXPECT_THAT(text, HasSubstr("max_logprob_diff = 0"));
  EXPECT_EQ(lab.model.weight, before.weight);
  EXPECT_EQ(lab.sgd.steps, 0u);

  Lab tolerant(
      R"({"steps": 1, "prompts": 3, "group_size": 4, "max_new_tokens": 10, "max_logprob_diff": 0.01})");
  tolerant.model.logprob_error = 1e-3f;
  tolerant.run();
  EXPECT_NEAR(tolerant.io.steps[0].metric("rollout/logprob_diff_max"), 1e-3, 1e-6);

  Lab broken;
  broken.model.logprob_error = std::nanf("");
  EXPECT_THAT(broken.run_and_fail(), HasSubstr("in training and"));
}

TEST(Rl, AModelThatIsNotBatchInvariantIsScoredFirst) {
  Lab lab, usual;
  tenon_ref ref = lab.model.ref();
  ref.flags = TENON_C_DETERMINISTIC;
  lab.host.slot("model", ref);
  lab.run();
  usual.run();
  EXPECT_EQ(lab.model.counts.accumulate, 0u);
  EXPECT_EQ(lab.model.counts.backward, 1u);
  EXPECT_EQ(lab.model.weight, usual.model.weight);
}

TEST(Rl, TheReferenceIsTheFrozenModel) {
  Lab lab(R"({"steps": 2, "prompts": 2, "group_size": 3, "max_new_tokens": 8, "temperature": 1.3})");
  HashModel reference(lab.host, 23, 48, 5);
  std::vector<float> frozen = reference.weight;
  lab.host.slot("reference", reference.ref());
  lab.algorithm.needs = TENON_NEEDS_REFERENCE;
  lab.algorithm.beta = 0.1;
  lab.run();
  EXPECT_EQ(reference.weight, frozen);
  EXPECT_EQ(reference.counts.trained_tokens, 0u);
  EXPECT_EQ(reference.counts.score, 2u);
  const Rollout& first = lab.algorithm.seen.at(0);
  ASSERT_EQ(first.lp_ref.size(), first.lp_new.size());
  bool any = false;
  for (size_t t = 0; t < first.lp_ref.size(); ++t)
    any = any || (first.lp_new[t] != 0 && first.lp_ref[t] != first.lp_new[t]);
  EXPECT_TRUE(any);
}

TEST(Rl, TheReferenceIsTheSameInAnyMicroBatches) {
  auto train = [](const std::string& micro) {
    Lab lab(R"({"steps": 2, "prompts": 3, "group_size": 3, "max_new_tokens": 8, "micro_batch_tokens": )" +
            micro + "}");
    HashModel reference(lab.host, 23, 48, 5);
    lab.host.slot("reference", reference.ref());
    lab.algorithm.needs = TENON_NEEDS_REFERENCE;
    lab.algorithm.beta = 0.1;
    lab.run();
    std::vector<float> lp_ref;
    for (const Rollout& part : lab.algorithm.seen) {
      EXPECT_EQ(part.lp_ref.size(), part.lp_new.size());
      lp_ref.insert(lp_ref.end(), part.lp_ref.begin(), part.lp_ref.end());
    }
    return std::tuple(lp_ref, lab.model.weight, reference.counts.score);
  };
  auto [lp_ref, weight, scores] = train("100000");
  EXPECT_EQ(scores, 2u);
  for (const char* micro : {"1", "40"}) {
    auto [other_lp_ref, other_weight, other_scores] = train(micro);
    EXPECT_EQ(other_lp_ref, lp_ref) << micro;
    EXPECT_EQ(other_weight, weight) << micro;
    EXPECT_GT(other_scores, 2u) << micro;
  }
}

TEST(Rl, EntropyTermsGoThroughScoreAndBackward) {
  Lab lab, plain;
  lab.algorithm.needs = TENON_NEEDS_ENTROPY;
  lab.algorithm.entropy_bonus = 0.05;
  lab.run();
  plain.run();
  EXPECT_EQ(lab.model.counts.accumulate, 0u);
  EXPECT_NE(lab.model.weight, plain.model.weight);
  EXPECT_EQ(lab.io.steps[0].metric("rollout/logprob_diff_max"), 0.0);
}

TEST(Rl, OverlongCompletionsAreMaskedFromTheLossAndNotFromTheBaseline) {
  std::string options =
      R"({"steps": 1, "prompts": 3, "group_size": 4, "max_new_tokens": 10, "overlong": "mask"})";
  Expected e = first_rollout(options, 3, 4, odd_of);
  std::vector<uint64_t> kept;
  for (uint64_t i = 0; i < 12; ++i)
    if (e.rollout.finish[i] == TENON_FINISH_STOP) kept.push_back(i);
  ASSERT_GT(kept.size(), 0u);
  ASSERT_LT(kept.size(), 12u);
  Lab lab(options);
  HashModel before(lab.host, 23, 48);
  lab.run();
  expect_near(lab.model.weight, descend(before, e, kept, kept, 0.1, 1), 1e-6);
}

TEST(Rl, SamplesWithoutARewardLeaveBaselineAndDenominator) {
  Lab lab;
  lab.reward.f = [](const Sample& s) {
    if (s.id % 4 == 1) refuse("no gold answer");
    return odd_digits(s);
  };
  lab.run();
  for (const Rollout& part : lab.algorithm.seen)
    for (uint64_t id : part.sample_id) EXPECT_NE(id % 4, 1u);
  Expected e = first_rollout(kSmall, 3, 4, odd_of);
  std::vector<uint64_t> kept;
  for (uint64_t i = 0; i < 12; ++i)
    if (i % 4 != 1) kept.push_back(i);
  for (uint64_t g = 0; g < 12; g += 4) {
    double mean = (e.rollout.reward[g] + e.rollout.reward[g + 2] + e.rollout.reward[g + 3]) / 3;
    for (uint64_t i = g; i < g + 4; ++i) e.advantage[i] = e.rollout.reward[i] - mean;
  }
  HashModel before(lab.host, 23, 48);
  expect_near(lab.model.weight, descend(before, e, kept, kept, 0.1, 1), 1e-6);
}

TEST(Rl, GoesOnWhereItStopped) {
  std::string options =
      R"({"steps": 5, "prompts": 2, "group_size": 4, "max_new_tokens": 8, "mini_batches": 2})";
  Lab whole(options);
  whole.run();

  Lab lab(options);
  std::string state;
  tenon_call call = cpu_call();
  {
    Instance stage(plugin_component(), lab.host);
    lab.io.on_step = [&](uint64_t) { state = stage.save(); };
    lab.io.stop_after = 1;
    ErrorBuffer err;
    EXPECT_EQ(static_cast<const tenon_stage_vt*>(plugin_component().vt)
                  ->run(stage.self(), &call, lab.io.raw(), err),
              TENON_E_CANCELLED);
  }
  Instance stage(plugin_component(), lab.host);
  stage.load(state);
  lab.io.on_step = nullptr;
  lab.io.stop_after.reset();
  lab.io.set_first_step(2);
  lab.sgd.params.clear();  // bound again
  ErrorBuffer err;
  ASSERT_EQ(
      static_cast<const tenon_stage_vt*>(plugin_component().vt)->run(stage.self(), &call, lab.io.raw(), err),
      TENON_OK);
  EXPECT_EQ(lab.model.weight, whole.model.weight);
  EXPECT_EQ(lab.model.version, whole.model.version);
  ASSERT_EQ(lab.io.steps.size(), 5u);
  for (size_t s = 0; s < 5; ++s) EXPECT_EQ(lab.io.steps[s].samples, whole.io.steps[s].samples) << s;
}

TEST(Rl, ChecksItsOptions) {
  FakeHost truncated(plugin_component(), R"({"steps": 1, "top_p": 0.9, "top_k": 5})");
  std::vector<std::string> found = check_findings(plugin_component(), truncated);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0], HasSubstr("top_k: "));
  EXPECT_THAT(found[1], HasSubstr("allow_truncation: true"));
  EXPECT_TRUE(
      check_findings(plugin_component(),
                     FakeHost(plugin_component(), R"({"steps": 1, "top_p": 0.9, "allow_truncation": true})"))
          .empty());
  EXPECT_THAT(check_findings(plugin_component(),
                             FakeHost(plugin_component(), R"({"steps": 1, "allow_truncation": true})")),
              ::testing::ElementsAre("allow_truncation: none of top_k, top_p and min_p is set"));
  EXPECT_THAT(check_findings(plugin_component(),
                             FakeHost(plugin_component(),
                                      R"({"steps": 1, "prompts": 2, "group_size": 2, "mini_batches": 5})"))
                  .at(0),
              HasSubstr("prompts * group_size = 4"));
  EXPECT_THAT(check_findings(
                  plugin_component(),
                  FakeHost(plugin_component(), R"({"steps": 1, "prompts": 1000000, "group_size": 65536})")),
              ::testing::ElementsAre(HasSubstr(
                  "prompts: prompts * group_size = 65536000000 sequences in one rollout; at most 1048576")));
}

TEST(Rl, RefusesWhatCannotWork) {
  Lab alone(R"({"steps": 1, "prompts": 3, "group_size": 1})");
  alone.algorithm.needs = TENON_NEEDS_GROUPS;
  EXPECT_THAT(alone.run_and_fail(), HasSubstr("group_size: 1"));

  Lab critic;
  critic.model.has_value_head = false;
  critic.algorithm.needs = TENON_NEEDS_VALUE;
  EXPECT_THAT(critic.run_and_fail(), HasSubstr("critic"));

  Lab narrow;
  HashModel small(narrow.host, 23, 5);
  narrow.host.slot("model", small.ref());
  std::string text = narrow.run_and_fail();
  EXPECT_THAT(text, HasSubstr("row 2, \"1+2-3=\": the prompt has 6 tokens"));
  EXPECT_EQ(narrow.data.taken, 0u) << "before the first step";
  EXPECT_THAT(text, HasSubstr("max_len = 5"));
}

}  // namespace
}  // namespace tenon::test
