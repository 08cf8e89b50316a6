// The C++ wrapper: what leaves a plugin, and how a third party's reward and options look through the C table.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/sdk.hpp"
#include "tenon/testing.hpp"

namespace {

using tenon::Error;
using tenon::ErrorBuffer;

struct Picky {
  explicit Picky(tenon::Host host) : limit(host.f64("limit")), names(host.strs("names")) {}
  double operator()(const tenon::Sample& sample) const {
    if (sample.completion == "throw") throw std::runtime_error("as asked");
    if (sample.completion == "refuse") tenon::refuse("no gold");
    if (sample.completion == "nan") return std::nan("");
    return limit;
  }
  double limit;
  std::vector<std::string> names;
};
constexpr tenon::OptionTable kOptions{
    tenon::number("limit", "2.5", "A limit.", {.min = "0"}),
    tenon::text("names", "[\"a\", \"b\"]", "Names.", {.flags = TENON_O_LIST})};
constexpr tenon_component kPicky =
    tenon::component<Picky, tenon::RewardShim<Picky>>("picky", "1", "For tests.", kOptions);

TEST(Guard, TurnsExceptionsIntoCodesAndTexts) {
  ErrorBuffer err;
  EXPECT_EQ(tenon::guard(err, [] { throw Error(TENON_E_IO, "disk"); }), TENON_E_IO);
  try {
    err.check(TENON_E_IO);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), TENON_E_IO);
    EXPECT_STREQ(e.what(), "disk");
  }
  EXPECT_EQ(tenon::guard(err, [] { throw std::bad_alloc(); }), TENON_E_NOMEM);
  EXPECT_EQ(tenon::guard(err, [] { throw 3; }), TENON_E_INTERNAL);
  EXPECT_EQ(tenon::guard(nullptr, [] { throw Error("no buffer"); }), TENON_E_INVALID);
  EXPECT_EQ(tenon::guard(err, [] { return TENON_END; }), TENON_END);
}

TEST(Guard, CutsTextThatDoesNotFit) {
  char text[4] = {};
  tenon_error err{sizeof err, 0, text, sizeof text, 0};
  tenon::set_error(&err, TENON_E_INVALID, "longer than four");
  EXPECT_EQ(std::string(text, err.len), "long");
}

TEST(Reward, OneSampleNeverSpoilsAnother) {
  tenon::testing::Instance<tenon_reward_vt> reward(&kPicky, {{"limit", "4"}});
  tenon::Ragged<char> text;
  for (std::string_view s : {"good", "throw", "refuse", "nan", "good"}) text.push(s);
  std::vector<uint64_t> id(5, 0);
  std::vector<double> value(5, -1);
  std::vector<int32_t> status(5, TENON_R_UNSET);
  std::map<uint64_t, std::string> why;
  tenon_reward_in in{
      sizeof in, 0, 5, id.data(), id.data(), text.raw(), text.raw(), text.raw(), {nullptr, nullptr, 0},
      nullptr};
  tenon_reward_out out{sizeof out,
                       0,
                       value.data(),
                       status.data(),
                       nullptr,
                       &why,
                       [](void* ctx, uint64_t i, const char* s, uint64_t n) {
                         (*static_cast<std::map<uint64_t, std::string>*>(ctx))[i] = {s, n};
                       },
                       nullptr,
                       nullptr};
  ErrorBuffer err;
  err.check(reward.vt->score(reward.self, nullptr, &in, &out, err));
  EXPECT_EQ(status, (std::vector<int32_t>{TENON_R_OK, TENON_R_CRASHED, TENON_R_REFUSED, TENON_R_CRASHED,
                                          TENON_R_OK}));
  EXPECT_EQ(value.front(), 4);
  EXPECT_EQ(value.back(), 4);
  EXPECT_EQ(why[1], "as asked");
  EXPECT_EQ(why[2], "no gold");
}

// Judges a call as its first completion says.
struct Together {
  explicit Together(tenon::Host) {}
  std::vector<tenon::RewardOutcome> operator()(const std::vector<tenon::Sample>& samples,
                                               const tenon_call*) const {
    if (samples[0].completion == "throw") throw std::runtime_error("as asked");
    if (samples[0].completion == "late") throw Error(TENON_E_TIMEOUT, "no answer");
    std::vector<tenon::RewardOutcome> out(samples.size(), {TENON_R_OK, 0.5, "half"});
    if (samples[0].completion == "short") out.pop_back();
    if (samples[0].completion == "mixed") out.back() = {TENON_R_OK, std::nan(""), ""};
    return out;
  }
};
constexpr tenon::OptionTable kNoOptions{};
constexpr tenon_component kTogether =
    tenon::component<Together, tenon::BatchRewardShim<Together>>("together", "1", "For tests.", kNoOptions);

struct Judged {
  std::vector<double> reward;
  std::vector<int32_t> status;
  std::map<uint64_t, std::string> why;
};
Judged judge_together(std::string_view first) {
  tenon::testing::Instance<tenon_reward_vt> reward(&kTogether);
  tenon::Ragged<char> text;
  for (std::string_view s : {first, std::string_view("second")}) text.push(s);
  const std::vector<uint64_t> id(2, 0);
  Judged got{{-1, -1}, {TENON_R_UNSET, TENON_R_UNSET}, {}};
  const tenon_reward_in in{sizeof in,  0,          2,          id.data(), id.data(),
                           text.raw(), text.raw(), text.raw(), {},        nullptr};
  tenon_reward_out out{sizeof out,
                       0,
                       got.reward.data(),
                       got.status.data(),
                       nullptr,
                       &got.why,
                       [](void* ctx, uint64_t i, const char* words, uint64_t n) {
                         (*static_cast<std::map<uint64_t, std::string>*>(ctx))[i] = std::string(words, n);
                       },
                       nullptr,
                       nullptr};
  ErrorBuffer err;
  err.check(reward.vt->score(reward.self, nullptr, &in, &out, err));
  return got;
}

TEST(BatchReward, OneOutcomeASampleOrTheSameOfAll) {
  using Status = std::vector<int32_t>;
  const Judged good = judge_together("good");
  EXPECT_EQ(good.status, Status(2, TENON_R_OK));
  EXPECT_EQ(good.reward, std::vector<double>(2, 0.5));
  EXPECT_EQ(good.why.at(1), "half");
  EXPECT_EQ(judge_together("throw").status, Status(2, TENON_R_CRASHED));
  EXPECT_EQ(judge_together("throw").why.at(1), "as asked");
  EXPECT_EQ(judge_together("late").status, Status(2, TENON_R_TIMED_OUT));
  EXPECT_EQ(judge_together("short").status, Status(2, TENON_R_CRASHED));
  EXPECT_EQ(judge_together("short").why.at(0), "1 outcomes for 2 samples");
  EXPECT_EQ(judge_together("mixed").status, (Status{TENON_R_OK, TENON_R_CRASHED}));
  EXPECT_EQ(judge_together("mixed").reward, (std::vector<double>{0.5, 0}));
}

TEST(Options, DefaultsListsAndWhatIsNotThere) {
  tenon::testing::TestHost host(&kPicky);
  EXPECT_EQ(tenon::Host(host.raw()).f64("limit"), 2.5);
  EXPECT_EQ(tenon::Host(host.raw()).strs("names"), (std::vector<std::string>{"a", "b"}));
  EXPECT_THROW(tenon::Host(host.raw()).f64("limti"), Error);
  EXPECT_THROW(tenon::testing::TestHost(&kPicky, {{"limti", "1"}}), Error);
}

TEST(Options, InsideListsAndMaps) {
  static constexpr tenon_option weight = tenon::number("weight", "1", "A weight.");
  static constexpr const tenon_option* children[] = {&weight, nullptr};
  static constexpr tenon::OptionTable table{
      tenon::reference("parts", "reward", nullptr, "Parts.", {.flags = TENON_O_LIST}, children),
      tenon::object("map", children, "A map.")};
  static constexpr tenon_component kNested =
      tenon::component<Picky, tenon::RewardShim<Picky>>("nested", "1", "For tests.", table);
  tenon::testing::TestHost test(&kNested, {{"parts", R"(["a", {"of": "b", "weight": 0.5}])"}});
  EXPECT_EQ(test.host().count("parts"), 2u);
  EXPECT_EQ(test.host().f64("parts.0.weight"), 1);
  EXPECT_EQ(test.host().f64("parts.1.weight"), 0.5);
  EXPECT_EQ(test.host().f64("map.weight"), 1);
  EXPECT_TRUE(test.gives("parts.1.weight"));
  EXPECT_FALSE(test.gives("parts.0.weight"));
  EXPECT_THROW(test.host().f64("map.height"), Error);
}

TEST(State, EndsEarlyIsAnError) {
  std::string bytes = "abc";
  std::string_view rest = bytes;
  tenon_reader r{sizeof r, 0, &rest, [](void* ctx, void* p, uint64_t n) -> int64_t {
                   auto* s = static_cast<std::string_view*>(ctx);
                   n = std::min<uint64_t>(n, s->size());
                   std::memcpy(p, s->data(), n);
                   s->remove_prefix(n);
                   return static_cast<int64_t>(n);
                 }};
  tenon::Reader reader(&r);
  EXPECT_THROW(reader.value<uint64_t>(), Error);
}

// ---- Functions that cannot answer with an error ----

struct Fragile {
  explicit Fragile(tenon::Host) {}
  static void check(tenon::Host, tenon::Findings&) { throw Error("the check broke"); }
  uint64_t size() const { throw Error("no size"); }
  tenon::Row at(uint64_t) const { return {}; }
  const void* extension(std::string_view) { throw Error("no extension"); }
};
constexpr tenon_component kFragile =
    tenon::component<Fragile, tenon::DatasetShim<Fragile>>("fragile", "1", "For tests.", kNoOptions);

TEST(Boundary, WhatCannotReportLogsAndGivesTheNeutralAnswer) {
  tenon::testing::Instance<tenon_dataset_vt> data(&kFragile);
  EXPECT_EQ(data.vt->count(data.self), 0u);
  EXPECT_EQ(data.component()->life->extension(data.self, "x"), nullptr);
  using Line = std::pair<int32_t, std::string>;
  EXPECT_EQ(data.host.logs, (std::vector<Line>{{TENON_LOG_ERROR, "size: no size"},
                                               {TENON_LOG_ERROR, "extension: no extension"}}));
}

TEST(Boundary, ACheckThatThrowsIsAFinding) {
  EXPECT_EQ(tenon::testing::findings_of(&kFragile, {}), (std::vector<std::string>{": the check broke"}));
}

struct Unsteady {
  explicit Unsteady(tenon::Host) {}
  std::vector<int32_t> encode(std::string_view, uint32_t) const { return {1, 2}; }
  std::string decode(std::span<const int32_t>, uint32_t) const { return ""; }
  uint64_t size() const { throw Error("no size"); }
  int64_t special(std::string_view) const { throw Error("no ids"); }
  std::vector<int32_t> stop_ids() const { throw Error("no stop ids"); }
};
constexpr tenon_component kUnsteady =
    tenon::component<Unsteady, tenon::TokenizerShim<Unsteady>>("unsteady", "1", "For tests.", kNoOptions);

TEST(BoundaryDeathTest, AnAnswerThatWouldBeWrongEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  tenon::testing::Instance<tenon_tokenizer_vt> t(&kUnsteady);
  EXPECT_DEATH(t.vt->size(t.self), "tenon: size threw");
  EXPECT_DEATH(t.vt->special(t.self, "eos"), "tenon: special threw");
  EXPECT_DEATH(t.vt->stop_ids(t.self, nullptr, 0), "tenon: stop_ids threw");
}

// ---- What a callback throws comes back with its text ----

template <class F>
std::string text_of(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing was thrown";
}

// Delivers one completion and hides what the callback answers.
struct Hasty {
  explicit Hasty(tenon::Host) {}
  void generate(const tenon_call*, const tenon::Model&, const tenon_generate_in&,
                const tenon_generate_out& out) {
    const int32_t id = 1;
    const float lp = -1;
    out.done(out.ctx, 0, &id, &lp, 1, TENON_FINISH_STOP);
  }
};
constexpr tenon_component kHasty =
    tenon::component<Hasty, tenon::SamplerShim<Hasty>>("hasty", "1", "For tests.", kNoOptions);

TEST(Callbacks, WhatDoneThrowsIsThrownByGenerate) {
  tenon::testing::Instance<tenon_sampler_vt> hasty(&kHasty);
  tenon_generate_in in{};
  in.struct_size = sizeof in;
  in.n = 1;
  EXPECT_EQ(text_of([&] {
              tenon::Sampler(hasty.ref())
                  .generate(nullptr, tenon::Model(tenon_ref{}), in, [](uint64_t, const tenon::Completion&) {
                    throw std::runtime_error("the reward is away");
                  });
            }),
            "the reward is away");
}

// A row that cannot be copied: its length is beyond all memory.
TEST(Callbacks, WhatTheCopyOfARowThrowsIsThrownByNext) {
  static constexpr tenon_dataset_vt table{
      sizeof table, 0, nullptr, nullptr,
      [](void*, const tenon_call*, uint64_t, const tenon_row_sink* out, tenon_error*) -> int32_t {
        tenon_row row{};
        row.struct_size = sizeof row;
        row.prompt = {"", UINT64_MAX};
        out->row(out->ctx, &row);
        return TENON_OK;
      }};
  tenon_ref ref{};
  ref.vt = &table;
  EXPECT_NE(text_of([&] { tenon::Dataset(ref).next(nullptr, 1); }), "nothing was thrown");
}

TEST(RolloutColumns, APartOfAnIncompleteColumnIsAnError) {
  tenon::Rollout r;
  const std::vector<int32_t> prompt{1}, completion{2, 3};
  const std::vector<float> logprobs{-0.5f, -0.25f};
  for (uint64_t i = 0; i < 3; ++i) r.push(prompt, completion, logprobs, 0, i, TENON_FINISH_STOP);
  const std::vector<uint64_t> rows{2, 0};
  EXPECT_EQ(r.select(rows).sample_id, rows);
  r.lp_ref.assign(3, -1.0f);  // of the first sequence alone
  try {
    r.select(rows);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "column lp_ref of the rollout has 3 values for 9 tokens");
  }
  r.lp_ref.assign(9, -1.0f);
  r.reward.resize(2);
  EXPECT_THROW(r.select(rows), Error);
}

}  // namespace
