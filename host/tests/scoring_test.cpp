// Rewards: statuses, weights, what leaves the sum, and when a run is stopped.
// SPDX-License-Identifier: Apache-2.0
#include "host/scoring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <tuple>

#include "host/json_text.h"
#include "host/monotonic.h"
#include "host/run_error.h"
#include "tenon/error.hpp"

namespace tenon::host {
namespace {

using testing::HasSubstr;

// Answers sample i with entry i % size of a list.
struct Canned {
  std::vector<std::pair<double, int32_t>> answers;
  std::string why;
  int32_t code = TENON_OK;

  static int32_t score(void* self, const tenon_call*, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error* err) {
    auto& canned = *static_cast<Canned*>(self);
    if (canned.code < 0) return set_error(err, canned.code, "the server is away");
    for (uint64_t i = 0; i < in->n; ++i) {
      EXPECT_EQ(out->status[i], TENON_R_UNSET);
      auto [reward, status] = canned.answers[i % canned.answers.size()];
      out->reward[i] = reward;
      out->status[i] = status;
      if (status != TENON_R_OK && !canned.why.empty())
        out->reason(out->ctx, i, canned.why.data(), canned.why.size());
      if (status == TENON_R_OK) out->note(out->ctx, i, "twice", 2 * reward);
    }
    return TENON_OK;
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
  Scoring::Term term(std::string name, double weight = 1) { return {std::move(name), weight, this, &kTable}; }
};

struct Scored {
  std::vector<double> total, first;
  std::vector<uint8_t> valid;
};

// Of n samples with the ids that follow, `group_size` of a group.
Scored score(Scoring& scoring, uint64_t n, uint64_t first_id = 0, uint64_t group_size = 1) {
  Scored s{std::vector<double>(n, -1), std::vector<double>(n, -1), std::vector<uint8_t>(n, 9)};
  std::vector<uint64_t> ids(n), groups;
  std::iota(ids.begin(), ids.end(), first_id);
  for (const uint64_t id : ids) groups.push_back(id - id % group_size);
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = n, in.sample_id = ids.data(), in.group_id = groups.data();
  tenon_scored out{sizeof out, 0, s.total.data(), s.valid.data(), s.first.data(), nullptr, nullptr};
  scoring.score(nullptr, in, out);
  return s;
}

// Ends the step.
std::string commonest_reasons(Scoring& scoring) {
  StepValues values;
  scoring.flush(values);
  return scoring.window().commonest_reasons();
}

TEST(Scoring, WeightedSumOfTheTermsThatApply) {
  Canned a{
      {{1, TENON_R_OK}, {2, TENON_R_OK}, {5, TENON_R_NOT_APPLICABLE}, {5, TENON_R_NOT_APPLICABLE}}, "", 0};
  Canned b{
      {{10, TENON_R_OK}, {7, TENON_R_NOT_APPLICABLE}, {30, TENON_R_OK}, {7, TENON_R_NOT_APPLICABLE}}, "", 0};
  Scoring scoring({a.term("a"), b.term("b", 0.5)}, 1.0);
  const Scored s = score(scoring, 4);
  EXPECT_EQ(s.total, (std::vector<double>{6, 2, 15, 0}));
  EXPECT_EQ(s.valid, (std::vector<uint8_t>{1, 1, 1, 0}));
  EXPECT_EQ(s.first[1], 2);
  EXPECT_TRUE(std::isnan(s.first[2]));
}

TEST(Scoring, WhateverIsNotOkMakesTheSampleInvalid) {
  const double nan = std::nan("");
  Canned good{{{1, TENON_R_OK}}, "", 0};
  Canned bad{{{1, TENON_R_UNSET},
              {1, TENON_R_TIMED_OUT},
              {1, TENON_R_CRASHED},
              {1, TENON_R_REFUSED},
              {1, 77},
              {nan, TENON_R_OK},
              {1, TENON_R_OK}},
             "",
             0};
  Scoring scoring({good.term("good"), bad.term("bad")}, 1.0);
  const Scored s = score(scoring, 7);
  EXPECT_EQ(s.valid, (std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(s.total, (std::vector<double>{0, 0, 0, 0, 0, 0, 2}));

  StepValues values;
  scoring.flush(values);
  const Values metrics = values.take().first;
  EXPECT_EQ(metrics.at("reward/good/mean"), 1);
  EXPECT_EQ(metrics.at("reward/good/std"), 0);
  EXPECT_EQ(metrics.at("reward/good/twice"), 2);
  EXPECT_EQ(metrics.at("reward/good/not_ok"), 0);
  EXPECT_NEAR(metrics.at("reward/bad/not_ok"), 6.0 / 7, 1e-15);
  EXPECT_NEAR(metrics.at("reward/bad/crashed"), 4.0 / 7, 1e-15);
  EXPECT_NEAR(metrics.at("reward/bad/timed_out"), 1.0 / 7, 1e-15);
}

TEST(Scoring, AListThatIsNotTheStagesOwnIsToldApart) {
  Canned a{{{1, TENON_R_OK}}, "", 0};
  Scoring scoring({a.term("a")}, 1.0);
  scoring.set_prefix("held_out/");
  score(scoring, 1);
  StepValues values;
  scoring.flush(values);
  const auto [metrics, timings] = values.take();
  EXPECT_EQ(metrics.at("held_out/reward/a/mean"), 1);
  EXPECT_TRUE(timings.contains("held_out/reward/a"));
  EXPECT_FALSE(metrics.contains("reward/a/mean"));
}

TEST(Scoring, MeanAndDeviationAreOverTheWholeStep) {
  Canned a{{{1, TENON_R_OK}, {3, TENON_R_OK}}, "", 0};
  Scoring scoring({a.term("a"), a.term("a")}, 1.0);
  score(scoring, 1);
  score(scoring, 2);
  StepValues values;
  scoring.flush(values);
  Values metrics = values.take().first;
  EXPECT_DOUBLE_EQ(metrics.at("reward/a/mean"), 5.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("reward/a/std"), std::sqrt(8.0 / 9));
  EXPECT_TRUE(metrics.contains("reward/a#2/mean"));
  scoring.flush(values);
  EXPECT_TRUE(values.take().first.empty());
}

TEST(Scoring, StopsWhenTooManyFailAndSaysWhy) {
  Canned a{{{1, TENON_R_OK}, {1, TENON_R_OK}, {1, TENON_R_OK}, {1, TENON_R_TIMED_OUT}}, "waited 10 s", 0};
  Scoring scoring({a.term("compiler")}, 0.2);
  StepValues values;
  score(scoring, 196);  // a quarter fails, but fewer than the window have been seen
  scoring.flush(values);
  EXPECT_NO_THROW(scoring.check_window());
  score(scoring, 4, 196);
  scoring.flush(values);
  try {
    scoring.check_window();
    FAIL() << "50 of 200 failed where 20 % are allowed";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("50 of the last 200"));
    EXPECT_THAT(e.what(), testing::HasSubstr("50 times: compiler timed out: waited 10 s (sample 3)"));
  }
}

// A term of weight 0 is looked at, and has no say.
TEST(Scoring, AMonitorTakesNoSampleOut) {
  Canned good{{{1, TENON_R_OK}}, ""}, down{{{0, TENON_R_CRASHED}, {7, TENON_R_OK}}, "status 401"};
  Scoring scoring({good.term("correct"), down.term("judge", 0)}, 0);
  std::vector<std::string> warnings;
  scoring.set_warn([&](const std::string& text) { warnings.push_back(text); });
  const Scored s = score(scoring, 4);
  EXPECT_EQ(s.valid, (std::vector<uint8_t>{1, 1, 1, 1}));
  EXPECT_EQ(s.total, (std::vector<double>{1, 1, 1, 1}));
  StepValues values;
  scoring.flush(values);
  EXPECT_NO_THROW(scoring.check_rate());
  EXPECT_EQ(values.take().first.at("reward/judge/not_ok"), 0.5) << "counted all the same";
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0],
              HasSubstr("reward judge, weight 0: 2 of 4 samples of a step got no number: crashed: "
                        "status 401 (sample 0)"));
  score(scoring, 4, 4);
  scoring.flush(values);
  EXPECT_EQ(warnings.size(), 1u) << "said once";

  Scoring alone({down.term("judge", 0)}, 0);
  EXPECT_EQ(score(alone, 2).valid, (std::vector<uint8_t>{0, 1}))
      << "where nothing has a weight, none is a monitor";
  Scoring::Term gated = good.term("style");
  gated.rules.only_if = 0;
  Scoring gate({down.term("judge", 0), gated}, 0);
  EXPECT_EQ(score(gate, 2).valid, (std::vector<uint8_t>{0, 1})) << "who decides on another is none";
}

TEST(Scoring, TellsOfEachSampleWhatItsLineNeedsToBeScoredAgain) {
  Canned good{{{1, TENON_R_OK}}, ""}, half{{{1, TENON_R_OK}, {0, TENON_R_REFUSED}}, "no gold"};
  Scoring scoring({good.term("a"), half.term("b")}, 1);
  std::map<uint64_t, std::string> told;
  const auto none = [](std::string_view) { return false; };
  scoring.set_tell([&](uint64_t id, const SampleRecord& what) { told[id] = what.fields(none); });
  const std::string tests(Scoring::kMaxMetaBytes, 't'),
      meta = "{\"answer\": 28.500, \"tests\":\"" + tests + "\"}",
      small = "{\"answer\":12345678901234567890123}";
  const std::string all = small + meta;
  const uint64_t ids[] = {7, 8}, offsets[] = {0, small.size(), all.size()};
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = 2, in.sample_id = ids, in.group_id = ids;
  in.meta_json = {all.data(), offsets, 2};
  std::vector<double> total(2);
  std::vector<uint8_t> valid(2);
  tenon_scored out{};
  out.struct_size = sizeof out;
  out.total = total.data(), out.valid = valid.data();
  scoring.score(nullptr, in, out);
  EXPECT_EQ(told[7], R"(,"meta":{"answer":12345678901234567890123})") << "as it is written";
  EXPECT_EQ(told[8], R"(,"outcomes":{"b":"refused: no gold"},"failure":"b refused: no gold",)"
                     R"("meta":{"answer":28.500},"meta_left_out":["tests"])");
}

// Not one of the first samples has a reward: nothing is gained by more of them.
TEST(Scoring, StopsAtOnceWhereNoSampleHasAReward) {
  Canned bad{{{0, TENON_R_REFUSED}}, "no gold"};
  Scoring scoring({bad.term("r")}, 0.5), allowed({bad.term("r")}, 1);
  StepValues values;
  score(scoring, 7), scoring.flush(values);
  EXPECT_NO_THROW(scoring.check_window()) << "too few";
  const std::string warning = scoring.first_failures().value_or("");
  EXPECT_THAT(warning,
              HasSubstr("7 of the last 7 samples have no valid reward and count for nothing. The run stops "
                        "where it is more than 50 % (run.max_reward_failures) of the last 200 samples, "
                        "looked at when there are so many and at the end of the stage, and at once where"));
  score(scoring, 1, 7), scoring.flush(values);
  EXPECT_THROW(scoring.check_window(), RunError);
  score(allowed, 20), allowed.flush(values);
  EXPECT_NO_THROW(allowed.check_window()) << "as the user has it";
}

// All completions of a prompt fail where its row cannot be read.
TEST(Scoring, OneBadRowStopsNoRun) {
  Canned reward{{{0, TENON_R_REFUSED}}, "no gold"};
  Scoring scoring({reward.term("r")}, 0.05);
  StepValues values;
  score(scoring, 16, 0, 16), scoring.flush(values);
  EXPECT_NO_THROW(scoring.check_window()) << "the first step is one prompt";
  reward.answers = {{1, TENON_R_OK}};
  for (uint64_t step = 1; step < 20; ++step) {
    score(scoring, 16, 16 * step, 16), scoring.flush(values);
    EXPECT_NO_THROW(scoring.check_window()) << step;
  }

  Scoring all_bad({reward.term("r")}, 0.05);
  reward.answers = {{0, TENON_R_REFUSED}};
  for (uint64_t step = 0; step < 7; ++step) score(all_bad, 16, 16 * step, 16), all_bad.flush(values);
  EXPECT_NO_THROW(all_bad.check_window());
  score(all_bad, 16, 16 * 7, 16), all_bad.flush(values);
  EXPECT_THROW(all_bad.check_window(), RunError) << "eight prompts";
}

// The samples of a step in another order, and in other calls: nothing that is recorded is another.
TEST(Scoring, TheOrderOfAStepsSamplesChangesNothing) {
  struct ById {
    static int32_t score(void*, const tenon_call*, const tenon_reward_in* in, tenon_reward_out* out,
                         tenon_error*) {
      for (uint64_t i = 0; i < in->n; ++i) {
        const uint64_t id = in->sample_id[i];
        out->reward[i] = 0.1 * static_cast<double>(id);
        out->status[i] = id % 5 == 0 ? TENON_R_REFUSED : TENON_R_OK;
        if (id % 5 == 0) out->reason(out->ctx, i, "five", 4);
        out->note(out->ctx, i, "third", 1.0 / static_cast<double>(1 + id));
      }
      return TENON_OK;
    }
  };
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, ById::score};
  const auto recorded = [&](const std::vector<std::vector<uint64_t>>& calls) {
    Scoring scoring({{"a", 1, nullptr, &kTable}}, 1.0);
    for (const std::vector<uint64_t>& ids : calls) {
      tenon_reward_in in{};
      in.struct_size = sizeof in;
      in.n = ids.size(), in.sample_id = ids.data(), in.group_id = ids.data();
      std::vector<double> total(ids.size());
      std::vector<uint8_t> valid(ids.size());
      tenon_scored out{sizeof out, 0, total.data(), valid.data(), nullptr, nullptr, nullptr};
      scoring.score(nullptr, in, out);
    }
    StepValues values;
    const auto records = scoring.flush(values);
    return std::tuple(values.take().first, json_text(scoring.window().to_json()), records);
  };
  const auto once = recorded({{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}});
  EXPECT_EQ(recorded({{8, 9, 10, 11}, {4, 5, 6, 7}, {0, 1, 2, 3}}), once);
  EXPECT_EQ(recorded({{4, 5, 6, 7, 0, 1, 2, 3}, {8, 9, 10, 11}}), once);
  EXPECT_THAT(std::get<1>(once), testing::HasSubstr("\"outcomes\":\"011110111101\""));
  ASSERT_EQ(std::get<2>(once).size(), 1u);
  EXPECT_EQ(std::get<2>(once)[0].first, 0u);
}

// All of a long step count, not its last samples alone.
TEST(Scoring, AStepThatFailsAtItsBeginningHasFailed) {
  Canned bad{{{1, TENON_R_CRASHED}}, "", 0};
  Scoring scoring({bad.term("a")}, 0.5);
  StepValues values;
  score(scoring, 500);
  bad.answers = {{1, TENON_R_OK}};
  score(scoring, 300, 500);
  scoring.flush(values);
  EXPECT_THROW(scoring.check_window(), RunError);
  score(scoring, 200, 800);
  scoring.flush(values);
  EXPECT_NO_THROW(scoring.check_window());
  EXPECT_EQ(scoring.window().size(), 200u);
}

TEST(Scoring, TheWindowForgetsAndTravels) {
  Canned a{{{1, TENON_R_REFUSED}}, "", 0};
  Canned b{{{1, TENON_R_OK}}, "", 0};
  Scoring failing({a.term("a")}, 1.0), fine({b.term("b")}, 0.1);
  StepValues values;
  score(failing, 30);
  failing.flush(values);
  fine.set_window(failing.window());
  score(fine, 165);
  fine.flush(values);
  EXPECT_EQ(fine.window().size(), 195u);
  score(fine, 5);
  fine.flush(values);
  EXPECT_THROW(fine.check_window(), RunError);  // 30 of 200
  score(fine, 200);
  fine.flush(values);
  EXPECT_NO_THROW(fine.check_window());
  EXPECT_EQ(fine.window().size(), 200u);
  EXPECT_EQ(fine.window().failed(), 0u);
}

// That one of several rewards does not apply is no failure; that none does, is.
TEST(Scoring, WhatDoesNotApplyIsNoReasonUnlessNothingApplies) {
  Canned never{{{0, TENON_R_NOT_APPLICABLE}}, "not a sum", 0};
  Canned sometimes{{{1, TENON_R_OK}, {0, TENON_R_REFUSED}, {0, TENON_R_NOT_APPLICABLE}}, "no answer", 0};
  Scoring scoring({never.term("format"), sometimes.term("answer")}, 1.0);
  score(scoring, 9);
  EXPECT_EQ(commonest_reasons(scoring),
            "\n  3 times: answer refused: no answer (sample 1)"
            "\n  3 times: no reward applies: format: not a sum (sample 2)");
}

// Pays 1 for a sample and, where the ids say so, for its tokens: id / 10, nothing for id 0, infinity for id -1.
struct PaysTokens {
  double outcome = 1;
  int32_t status = TENON_R_OK;
  bool had_room = false;
  static int32_t score(void* self, const tenon_call*, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error*) {
    auto& p = *static_cast<PaysTokens*>(self);
    p.had_room = out->token_reward != nullptr;
    for (uint64_t i = 0; i < in->n; ++i) out->reward[i] = p.outcome, out->status[i] = p.status;
    if (!p.had_room) return TENON_OK;
    const auto* ids = static_cast<const int32_t*>(in->tokens.values);
    for (uint64_t t = 0; t < in->tokens.offsets[in->n]; ++t) {
      EXPECT_TRUE(std::isnan(out->token_reward[t])) << "not filled in as: none";
      if (ids[t] != 0) out->token_reward[t] = ids[t] < 0 ? HUGE_VAL : ids[t] / 10.0;
    }
    return TENON_OK;
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
  Scoring::Term term(std::string name, double weight = 1) { return {std::move(name), weight, this, &kTable}; }
};

struct ScoredTokens : Scored {
  std::vector<double> tokens, terms;
};

// Of two samples with 3 and 2 tokens.
ScoredTokens score_tokens(Scoring& scoring, const std::vector<int32_t>& ids, size_t n_terms,
                          bool with_tokens = true) {
  const uint64_t offsets[]{0, 3, 5};
  ScoredTokens s;
  s.total.resize(2), s.first.resize(2), s.valid.resize(2), s.tokens.assign(5, -7),
      s.terms.resize(2 * n_terms);
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  const uint64_t sample_ids[]{0, 1};
  in.n = 2, in.sample_id = in.group_id = sample_ids;
  in.tokens = {ids.data(), offsets, 2};
  tenon_scored out{sizeof out,     0,
                   s.total.data(), s.valid.data(),
                   s.first.data(), with_tokens ? s.tokens.data() : nullptr,
                   s.terms.data()};
  scoring.score(nullptr, in, out);
  return s;
}

TEST(Scoring, TokenRewardsAreWeightedAndSummedBesideTheOutcome) {
  PaysTokens a, b;
  Canned plain{{{3, TENON_R_OK}}, "", 0};
  Scoring scoring({a.term("a", 0.5), b.term("b", 2), plain.term("plain")}, 1.0);
  const ScoredTokens s = score_tokens(scoring, {4, 0, 8, 0, 0}, 3);
  EXPECT_EQ(s.total, (std::vector<double>{5.5, 5.5}));
  EXPECT_THAT(s.tokens, testing::ElementsAre(1.0, testing::IsNan(), 2.0, testing::IsNan(), testing::IsNan()));
}

// Where nobody takes them they are not lost: an outcome algorithm learns from their sum.
TEST(Scoring, TokenRewardsThatNobodyTakesAreInTheTotal) {
  PaysTokens a;
  Scoring scoring({a.term("a", 0.5)}, 1.0);
  EXPECT_EQ(score_tokens(scoring, {4, 0, 8, 0, 0}, 1, false).total,
            (std::vector<double>{0.5 + 0.2 + 0.4, 0.5}));

  // The struct of a stage that was built before there were token rewards.
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  const uint64_t sample_ids[]{0};
  in.n = 1, in.sample_id = in.group_id = sample_ids;
  const int32_t ids[]{10};
  const uint64_t offsets[]{0, 1};
  in.tokens = {ids, offsets, 1};
  double total = 0, first = 0, beyond = -7;
  uint8_t valid = 0;
  tenon_scored old{offsetof(tenon_scored, token_total), 0, &total, &valid, &first, &beyond, &beyond};
  scoring.score(nullptr, in, old);
  EXPECT_EQ(total, 0.5 + 0.5);
  EXPECT_EQ(beyond, -7);
}

TEST(Scoring, AnInfiniteTokenRewardIsACrashOfItsSample) {
  PaysTokens a;
  Scoring scoring({a.term("a")}, 1.0);
  const ScoredTokens s = score_tokens(scoring, {4, -1, 8, 2, 0}, 1);
  EXPECT_EQ(s.valid, (std::vector<uint8_t>{0, 1}));
  EXPECT_EQ(s.total[0], 0);
  EXPECT_THAT(s.tokens, testing::ElementsAre(testing::IsNan(), testing::IsNan(), testing::IsNan(), 0.2,
                                             testing::IsNan()));
  EXPECT_EQ(commonest_reasons(scoring),
            "\n  1 times: a crashed: the reward of a token is not a finite number (sample 0)");
}

// Of a term that does not apply nothing counts, nor of an invalid sample.
TEST(Scoring, TokenRewardsCountWhereTheirTermAndTheirSampleDo) {
  PaysTokens pays, silent{1, TENON_R_NOT_APPLICABLE, false};
  Canned half{{{1, TENON_R_OK}, {1, TENON_R_REFUSED}}, "", 0};
  Scoring scoring({silent.term("silent"), pays.term("pays"), half.term("half")}, 1.0);
  const ScoredTokens s = score_tokens(scoring, {1, 1, 1, 1, 1}, 3);
  EXPECT_EQ(s.valid, (std::vector<uint8_t>{1, 0}));
  EXPECT_THAT(s.tokens, testing::ElementsAre(0.1, 0.1, 0.1, testing::IsNan(), testing::IsNan()));
}

TEST(Scoring, EachTermAloneBeforeItsWeight) {
  Canned a{{{1, TENON_R_OK}, {2, TENON_R_TIMED_OUT}}, "", 0};
  Canned b{{{10, TENON_R_NOT_APPLICABLE}, {20, TENON_R_OK}}, "", 0};
  Scoring scoring({a.term("a", 0.5), b.term("b", 3)}, 1.0);
  EXPECT_THAT(score_tokens(scoring, {0, 0, 0, 0, 0}, 2).terms,
              testing::ElementsAre(1, testing::IsNan(), testing::IsNan(), 20));
}

// Without the completions' ids a reward has nowhere to put token rewards.
TEST(Scoring, WithoutTokensThereIsNoColumnForThem) {
  PaysTokens a;
  Scoring scoring({a.term("a")}, 1.0);
  score(scoring, 2);
  EXPECT_FALSE(a.had_room);
}

// Gives every sample a reason of its own.
struct Talkative {
  std::string tail;
  uint64_t said = 0;
  static int32_t score(void* self, const tenon_call*, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error*) {
    auto& t = *static_cast<Talkative*>(self);
    for (uint64_t i = 0; i < in->n; ++i) {
      const std::string why = "x" + std::to_string(t.said++) + t.tail;
      out->status[i] = TENON_R_CRASHED;
      out->reason(out->ctx, i, why.data(), why.size());
    }
    return TENON_OK;
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

TEST(Scoring, ReasonsAreBoundedInNumberAndLength) {
  Talkative talkative{"\nä" + std::string(1000, 'x'), 0};
  Scoring scoring({{"judge", 1, &talkative, &Talkative::kTable}}, 1.0);
  score(scoring, 1000);
  const std::string reasons = commonest_reasons(scoring);
  EXPECT_THAT(reasons,
              testing::StartsWith("\n  744 times: other reasons\n  1 times: judge crashed: x0 äxxx"));
  EXPECT_LT(reasons.size(), 3 * 300u);

  Talkative wide{std::string(100, ' '), 0};
  for (int i = 0; i < 100; ++i) wide.tail += "語";  // cut between characters, wherever that is
  Scoring cut({{"judge", 1, &wide, &Talkative::kTable}}, 1.0);
  score(cut, 1);
  EXPECT_THAT(commonest_reasons(cut), testing::EndsWith("語… (sample 0)"));
}

// Answers with the time it was given, in seconds.
struct Asked {
  int32_t code = TENON_OK;
  double seconds = 0;
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error* err) {
    auto& a = *static_cast<Asked*>(self);
    a.seconds = call->deadline_ns == 0 ? 0 : static_cast<double>(call->deadline_ns - monotonic_ns()) * 1e-9;
    if (a.code < 0) return set_error(err, a.code, "stopped");
    std::fill_n(out->status, in->n, TENON_R_OK);
    return TENON_OK;
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

TEST(Scoring, EveryCallHasADeadline) {
  Asked asked;
  Scoring scoring({{"judge", 1, &asked, &Asked::kTable}}, 1.0);
  score(scoring, 1);
  EXPECT_EQ(asked.seconds, 0);
  scoring.set_timeout(std::chrono::hours(1), nullptr);
  score(scoring, 1);
  EXPECT_GT(asked.seconds, 0);
  EXPECT_LE(asked.seconds, 3600);
}

// A reward that asks `cancelled` may take the one for the other.
TEST(Scoring, CancelledAfterTheDeadlineIsTimedOut) {
  Asked asked{TENON_E_CANCELLED, 0};
  Scoring scoring({{"judge", 1, &asked, &Asked::kTable}}, 1.0);
  EXPECT_THROW(score(scoring, 1), Error);
  scoring.set_timeout(std::chrono::nanoseconds(1), nullptr);
  EXPECT_EQ(score(scoring, 2).valid, (std::vector<uint8_t>{0, 0}));
  EXPECT_EQ(commonest_reasons(scoring), "\n  2 times: judge timed out: stopped (sample 0)");
}

// What is recorded of every reward cannot be noted over, nor can a note make a line that nobody can read.
TEST(Scoring, NotesThatCannotBeRecordedAreLeftOutAndTold) {
  struct Noting {
    static int32_t score(void*, const tenon_call*, const tenon_reward_in* in, tenon_reward_out* out,
                         tenon_error*) {
      const std::string longest(200, 'x'), longer(201, 'x');
      for (uint64_t i = 0; i < in->n; ++i) {
        out->reward[i] = 1, out->status[i] = TENON_R_OK;
        for (const char* name : {"mean", "timed_out", "", "a\nb", "stage", longer.c_str(), longest.c_str()})
          out->note(out->ctx, i, name, 7);
        for (int k = 0; k < 1000; ++k) out->note(out->ctx, i, ("n" + std::to_string(k)).c_str(), 1);
      }
      return TENON_OK;
    }
  };
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, Noting::score};
  Scoring scoring({{"judge", 1, nullptr, &kTable}}, 1.0);
  std::vector<std::string> warnings;
  scoring.set_warn([&](const std::string& text) { warnings.push_back(text); });
  score(scoring, 3);
  score(scoring, 3, 3);
  StepValues values;
  scoring.flush(values);
  const Values metrics = values.take().first;
  EXPECT_EQ(metrics.at("reward/judge/mean"), 1);
  EXPECT_EQ(metrics.at("reward/judge/" + std::string(200, 'x')), 7);
  EXPECT_EQ(metrics.size(), 3u + kMaxNotes) << "with mean, std and not_ok";
  EXPECT_THAT(
      warnings,
      testing::UnorderedElementsAre(
          "reward judge: a note is called \"mean\", as what is recorded of every reward: it is not recorded",
          "reward judge: a note is called \"timed_out\", as what is recorded of every reward: it is not "
          "recorded",
          "reward judge: a note's name is empty: it is not recorded",
          "reward judge: a note's name has a control character: it is not recorded",
          "reward judge: a note's name is \"stage\", a field of every line: it is not recorded",
          "reward judge: a note's name has more than 200 bytes: it is not recorded",
          "reward judge: a sample has more than 100 notes: it is not recorded"));
}

TEST(Scoring, ErrorsOfTheRewardItself) {
  Canned a{{{1, TENON_R_OK}}, "", TENON_E_TIMEOUT};
  Scoring slow({a.term("a")}, 1.0);
  EXPECT_EQ(score(slow, 2).valid, (std::vector<uint8_t>{0, 0}));
  a.code = TENON_E_INVALID;
  EXPECT_THROW(score(slow, 2), RunError);
  a.code = TENON_E_CANCELLED;
  EXPECT_THROW(score(slow, 2), Error);
}

}  // namespace
}  // namespace tenon::host
