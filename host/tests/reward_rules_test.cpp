// How rewards of a list take part: scopes, sources, and rewards that count only beside another.
// SPDX-License-Identifier: Apache-2.0
#include "host/reward_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "host/diagnostics.h"
#include "host/scoring.h"

namespace tenon::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string think(std::string_view prompt, std::string_view completion) {
  return std::string(part_of(prompt, completion, RewardScope::kThink));
}
std::string answer(std::string_view prompt, std::string_view completion) {
  return std::string(part_of(prompt, completion, RewardScope::kAnswer));
}

TEST(RewardScopes, ThinkAndAnswer) {
  EXPECT_EQ(think("q", "<think>a b</think> 4"), "a b");
  EXPECT_EQ(answer("q", "<think>a b</think> 4"), " 4");
  EXPECT_EQ(answer("q", "<think>a</think>\n<answer> 4 </answer>\n"), " 4 ");
  EXPECT_EQ(answer("q", "<think>a</think> <answer>4</answer> so"), " <answer>4</answer> so");
  EXPECT_EQ(answer("q", "<answer>4</answer>"), "4");
  EXPECT_EQ(part_of("q", "<think>a</think>4", RewardScope::kWhole), "<think>a</think>4");
  EXPECT_EQ(answer("q", "<think>a</think>4</think>5"), "5") << "after the last one";
  EXPECT_EQ(think("q", "<think>a</think>4</think>5"), "a</think>4");
}

TEST(RewardScopes, ThinkingThatDoesNotEndOrNeverBegan) {
  EXPECT_EQ(think("q", "<think>a b"), "a b");
  EXPECT_EQ(answer("q", "<think>a b"), "");
  EXPECT_EQ(answer("q", "</think>4<think>a"), "") << "the last block is open";
  EXPECT_EQ(think("q", "4"), "");
  EXPECT_EQ(answer("q", "4"), "4");
  EXPECT_EQ(think("q <think>\n", "a</think>4"), "a");
  EXPECT_EQ(answer("q <think>\n", "a</think>4"), "4");
  EXPECT_EQ(think("q <think>\n", "a"), "a");
  EXPECT_EQ(answer("q <think>\n", "a"), "");
  EXPECT_EQ(answer("q", ""), "");
}

TEST(RewardScopes, ATagInThePromptIsAsGoodAsOneInTheCompletion) {
  EXPECT_EQ(answer("q <think>", "a</think>the tag <think> is"), "the tag <think> is");
  EXPECT_EQ(think("q <think>", "a <think> b</think>4"), "a <think> b");
  EXPECT_EQ(think("q <think>", "\n<think>a</think>4"), "a") << "repeated";
}

// Samples of three data sources, with a token each.
struct Samples {
  Samples() {
    for (const char* text : {"<think>x</think>ab", "cde", "f"}) add(completion, text);
    for (const char* text : {"p", "p", "p"}) add(prompt, text);
    for (const char* text : {R"({"source":"gsm8k"})", R"({"source":"code"})", "{}"}) add(meta, text);
  }
  struct Texts {
    std::string bytes;
    std::vector<uint64_t> offsets{0};
    tenon_ragged raw() const { return {bytes.data(), offsets.data(), offsets.size() - 1}; }
  };
  static void add(Texts& to, const std::string& text) {
    to.bytes += text, to.offsets.push_back(to.bytes.size());
  }
  tenon_reward_in in() const {
    tenon_reward_in in{};
    in.struct_size = sizeof in, in.n = 3, in.sample_id = ids.data(), in.group_id = ids.data();
    in.prompt = prompt.raw(), in.completion = completion.raw(), in.meta_json = meta.raw();
    in.tokens = {tokens.data(), token_offsets.data(), 3};
    return in;
  }
  Texts prompt, completion, meta;
  std::vector<uint64_t> ids{70, 71, 72}, token_offsets{0, 1, 2, 3};
  std::vector<int32_t> tokens{5, 6, 7};
};

// The length of what it sees; and 0.5 for each token that it sees.
struct Length {
  std::vector<uint64_t> seen;
  static int32_t score(void* self, const tenon_call*, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error*) {
    for (uint64_t i = 0; i < in->n; ++i) {
      static_cast<Length*>(self)->seen.push_back(in->sample_id[i]);
      out->reward[i] = static_cast<double>(in->completion.offsets[i + 1] - in->completion.offsets[i]);
      out->status[i] = TENON_R_OK;
      if (in->tokens.n > i) out->token_reward[in->tokens.offsets[i]] = 0.5;
    }
    return TENON_OK;
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
  Scoring::Term term(std::string name, RewardRules rules) {
    return {std::move(name), 1, this, &kTable, std::move(rules)};
  }
};

struct Scored {
  std::vector<double> total = std::vector<double>(3), first = total, tokens = total, terms;
  std::vector<uint8_t> valid = std::vector<uint8_t>(3);
};
Scored score(std::vector<Scoring::Term> terms) {
  Scored s;
  s.terms.resize(3 * terms.size());
  Scoring scoring(std::move(terms), 1.0);
  const Samples samples;
  const tenon_reward_in in = samples.in();
  tenon_scored out{sizeof out,    0, s.total.data(), s.valid.data(), s.first.data(), s.tokens.data(),
                   s.terms.data()};
  scoring.score(nullptr, in, out);
  return s;
}

TEST(RewardRules, ASourceIsJudgedByItsOwnRewardAlone) {
  Length math, code;
  RewardRules of_math, of_code;
  of_math.sources = {"gsm8k", "aime"}, of_code.sources = {"code"};
  const Scored s = score({math.term("math", of_math), code.term("code", of_code)});
  EXPECT_THAT(math.seen, ElementsAre(70));
  EXPECT_THAT(code.seen, ElementsAre(71));
  EXPECT_THAT(s.valid, ElementsAre(1, 1, 0)) << "nobody judges a row without a source";
  EXPECT_THAT(s.total, ElementsAre(18, 3, 0));
  EXPECT_EQ(s.tokens[1], 0.5) << "the token reward is the sample's own";
  EXPECT_TRUE(std::isnan(s.tokens[2]));
  EXPECT_TRUE(std::isnan(s.first[1]));
}

TEST(RewardRules, AScopeShowsAPartAndNoTokens) {
  Length thinking, answering;
  RewardRules think, answer;
  think.scope = RewardScope::kThink, answer.scope = RewardScope::kAnswer;
  const Scored s = score({thinking.term("t", think), answering.term("a", answer)});
  EXPECT_THAT(s.terms, ElementsAre(1, 0, 0, 2, 3, 1));
  for (double token : s.tokens) EXPECT_TRUE(std::isnan(token));
}

TEST(RewardRules, AReasonNamesItsFirstSample) {
  Length math;
  RewardRules of_math;
  of_math.sources = {"aime"};
  Scoring scoring({math.term("math", of_math)}, 1.0);
  std::vector<double> total(3);
  std::vector<uint8_t> valid(3);
  const Samples samples;
  const tenon_reward_in in = samples.in();
  tenon_scored out{sizeof out, 0, total.data(), valid.data(), nullptr, nullptr, nullptr};
  scoring.score(nullptr, in, out);
  StepValues values;
  scoring.flush(values);
  EXPECT_THAT(scoring.window().commonest_reasons(),
              HasSubstr("\n  3 times: no reward applies: math: its source is \"gsm8k\" (sample 70)"))
      << "as the first of those has it that differ in what is quoted";
}

TEST(RewardRules, OnlyIfCountsNothingWhereTheOtherIsNotAboveItsBound) {
  Length first, second;
  RewardRules gated;
  gated.only_if = 0, gated.only_above = 2;
  RewardRules answer;
  answer.scope = RewardScope::kAnswer;  // 2, 3, 1
  const Scored s = score({first.term("first", answer), second.term("second", gated)});
  EXPECT_THAT(s.total, ElementsAre(2, 3 + 3, 1));
  EXPECT_THAT(s.valid, ElementsAre(1, 1, 1));
  EXPECT_THAT(s.terms, ElementsAre(2, 3, 1, 18, 3, 1)) << "what it gave stays recorded";
  EXPECT_TRUE(std::isnan(s.tokens[0]));
  EXPECT_EQ(s.tokens[1], 0.5);
}

// What nobody could judge is no 0 that counts.
TEST(RewardRules, OnlyIfDoesNotApplyWhereTheOtherGaveNoNumber) {
  Length first, second, third;
  RewardRules of_math, gated, gated_twice;
  of_math.sources = {"gsm8k"}, gated.only_if = 0, gated_twice.only_if = 1;
  std::vector<Scoring::Term> terms{first.term("math", of_math), second.term("format", gated),
                                   third.term("style", gated_twice)};
  const Scored s = score(terms);
  EXPECT_THAT(s.valid, ElementsAre(1, 0, 0)) << "a gate without a number judges nothing";
  EXPECT_THAT(s.total, ElementsAre(3 * 18, 0, 0));
  EXPECT_TRUE(std::isnan(s.terms[3 + 1]) && std::isnan(s.terms[6 + 1]));
  EXPECT_TRUE(std::isnan(s.tokens[1]));

  Scoring scoring(terms, 1.0);
  std::map<uint64_t, std::string> told;
  scoring.set_tell([&](uint64_t id, const SampleRecord& what) { told[id] = what.outcomes; });
  std::vector<double> total(3);
  std::vector<uint8_t> valid(3);
  const Samples samples;
  const tenon_reward_in in = samples.in();
  tenon_scored out{sizeof out, 0, total.data(), valid.data(), nullptr, nullptr, nullptr};
  scoring.score(nullptr, in, out);
  EXPECT_EQ(told[71], R"({"math":"not applicable: its source is \"code\"",)"
                      R"("format":"not applicable: its only_if, math, gave no number",)"
                      R"("style":"not applicable: its only_if, format, gave no number"})");
  StepValues values;
  scoring.flush(values);
  const Values metrics = values.take().first;
  EXPECT_EQ(metrics.at("reward/format/mean"), 18);
  EXPECT_NEAR(metrics.at("reward/format/not_applicable"), 2.0 / 3, 1e-15);
  EXPECT_EQ(scoring.window().failed(), 2u);
}

TEST(RewardRules, OfAListAreReadAndChecked) {
  Spec stage;
  for (const char* name : {"correct", "format"}) {
    Slot slot;
    slot.name = "rewards/" + std::to_string(stage.slots.size()), slot.kind = "reward";
    auto spec = std::make_shared<Spec>();
    spec->name = name;
    slot.spec = spec;
    stage.slots.push_back(slot);
  }
  const auto rules = [&](const std::string& second) {
    stage.options = boost::json::parse(R"({"rewards": [{"of": "correct"}, )" + second + "]}").as_object();
    return reward_rules(stage, "rewards");
  };
  const std::vector<RewardRules> read = rules(
      R"({"of": "format", "scope": "think", "sources": ["a"], "source_field": "kind", "only_if": "correct", "only_above": 0.5})");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_TRUE(read[0].is_plain());
  EXPECT_EQ(read[1].scope, RewardScope::kThink);
  EXPECT_THAT(read[1].sources, ElementsAre("a"));
  EXPECT_EQ(read[1].source_field, "kind");
  EXPECT_EQ(read[1].only_if, 0u);
  EXPECT_EQ(read[1].only_above, 0.5);
  const auto error = [&](const std::string& second) -> std::string {
    try {
      rules(second);
    } catch (const UserError& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(
      error(R"({"of": "format", "only_if": "corect"})"),
      HasSubstr("rewards.1.only_if: no reward before this one in the list is called \"corect\". Did you "
                "mean \"correct\"?"));
  EXPECT_THAT(error(R"({"of": "format", "only_if": "format"})"), HasSubstr("put it before the one"));
  stage.marks["rewards.1.only_above"] = {"c.yaml", 3, 4};
  EXPECT_THAT(error(R"({"of": "format", "only_above": 1})"), HasSubstr("has no effect without `only_if`"));
}

}  // namespace
}  // namespace tenon::host
