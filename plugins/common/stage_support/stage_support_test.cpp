// Rows to ids, and sampled batches with their texts.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <thread>

#include "stage_support/domains.h"
#include "stage_support/background.h"
#include "stage_support/row_check.h"
#include "stage_support/sampled.h"
#include "stage_support/step.h"
#include "support/fake_components.h"

namespace tenon::stages {
namespace {

using test::FakeHost;
using test::LetterTokenizer;
using ::testing::HasSubstr;

TEST(RowText, PromptAndCompletionAreEncodedApart) {
  LetterTokenizer letters;
  Tokenizer tokenizer(letters.ref());
  PromptAndCompletion text = encode_row({"1+2=", "", "3", ""}, tokenizer);
  EXPECT_EQ(letters.decode(text.prompt, TENON_DECODE_SPECIAL), "1+2=");
  EXPECT_EQ(letters.decode(text.completion, TENON_DECODE_SPECIAL), "3$");
  EXPECT_TRUE(encode_row({"1+2=", "", "", ""}, tokenizer).completion.empty());
}

TEST(RowText, ChatsAreCutAfterTheLastStopId) {
  struct Closing : LetterTokenizer {  // a template that goes on after the end of the turn
    std::string chat(std::string_view m, uint32_t flags) const {
      std::string text = LetterTokenizer::chat(m, flags);
      return (flags & TENON_CHAT_GENERATE) != 0 ? text : text + "$<";
    }
  } closing;
  Tokenizer tokenizer(test::ref_to<TokenizerShim<Closing>>(closing, "closing"));
  PromptAndCompletion text = encode_row(
      {"", R"([{"role":"user","content":"1+2"},{"role":"assistant","content":"3"}])", "", ""}, tokenizer);
  EXPECT_EQ(closing.decode(text.prompt, TENON_DECODE_SPECIAL), "1+2=");
  EXPECT_EQ(closing.decode(text.completion, TENON_DECODE_SPECIAL), "3$");
}

TEST(RowText, ATemplateThatRewritesTheConversationIsAnError) {
  struct Rewriting : LetterTokenizer {
    std::string chat(std::string_view m, uint32_t flags) const {
      return ((flags & TENON_CHAT_GENERATE) != 0 ? "a" : "b") + LetterTokenizer::chat(m, flags);
    }
  } rewriting;
  Tokenizer tokenizer(test::ref_to<TokenizerShim<Rewriting>>(rewriting, "rewriting"));
  try {
    encode_row({"", R"([{"role":"user","content":"1"},{"role":"assistant","content":"3"}])", "", ""},
               tokenizer);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("chat template"));
  }
}

TEST(RowText, TheBeginningOfARowIsWholeCharacters) {
  EXPECT_EQ(place_of({"1+2=", "", "", ""}), "\"1+2=\"");
  EXPECT_EQ(place_of({"1\n2=", "", "", "", "sums.jsonl:7"}), "sums.jsonl:7 (\"1\\n2=\")");
  EXPECT_EQ(place_of({std::string(59, 'a') + "é" + "b", "", "", ""}), "\"" + std::string(59, 'a') + "\"…");
}

TEST(RowText, ErrorsInAStepNameTheRow) {
  auto message = [](auto error) -> std::string {
    try {
      about_row({"1+2=", "", "", "", "sums.jsonl:7"}, [&] { throw error; });
    } catch (const Error& e) {
      return std::to_string(e.code()) + " " + e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message(Error(TENON_E_IO, "bad")), "-5 the row sums.jsonl:7 (\"1+2=\"): bad");
  EXPECT_EQ(message(TokenizerError(TENON_E_INVALID, "bad")), "-1 bad") << "not the row's fault";
}

// A data set of `n` rows "0=", "1=", …; UINT64_MAX: without end. It counts what is read.
struct Numbers {
  uint64_t n, read = 0;
  int32_t refuses = 0;  // the code that reading answers
  static uint64_t count(void* self) { return static_cast<Numbers*>(self)->n; }
  static int32_t rows(void* self, const tenon_call* call, const uint64_t* index, uint64_t n,
                      const tenon_row_sink* out, tenon_error* err) {
    return guard(err, [&] {
      auto& numbers = *static_cast<Numbers*>(self);
      EXPECT_NE(call, nullptr);
      if (numbers.refuses != 0) throw Error(numbers.refuses, "no rows here");
      for (uint64_t i = 0; i < n; ++i) {
        EXPECT_EQ(index[i], numbers.read++) << "in order, each once";
        Row row{std::to_string(index[i]) + "=", "", "", "", "n.jsonl:" + std::to_string(index[i] + 1)};
        tenon_row raw = row.raw();
        out->row(out->ctx, &raw);
      }
    });
  }
  tenon_ref ref() {
    static constexpr tenon_dataset_vt table{sizeof table, 0, count, rows, nullptr};
    static constexpr tenon_life life{sizeof life, 0, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
    return {sizeof(tenon_ref), 0, this, &table, "numbers", "numbers", &life};
  }
};

struct Checked {
  explicit Checked(uint64_t n) : numbers{n} {
    host.slot("data", numbers.ref());
    host.slot("model.tokenizer", letters.ref());
  }
  // What check_rows throws, if rows for which `bad` holds cannot be used.
  std::string run(uint64_t most, const std::function<bool(uint64_t)>& bad) {
    try {
      check_rows(host.host(), "data", "model.tokenizer", most, [&](const Row& row) {
        ++tried;
        if (bad(std::stoull(row.prompt))) throw Error(TENON_E_INVALID, "it is bad");
      });
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  FakeHost host;
  LetterTokenizer letters;
  Numbers numbers;
  uint64_t tried = 0;
};

const auto kNone = [](uint64_t) { return false; };

TEST(RowCheck, TriesEveryRowOfABoundedSetOnce) {
  Checked all(3000);
  EXPECT_EQ(all.run(UINT64_MAX, kNone), "");
  EXPECT_EQ(all.tried, 3000u);
  EXPECT_TRUE(all.host.logs.empty());
  Checked some(3000);
  EXPECT_EQ(some.run(40, kNone), "");
  EXPECT_EQ(some.tried, 40u);
  EXPECT_TRUE(some.host.logs.empty());
}

TEST(RowCheck, ReportsTheFirstBadRowsTogether) {
  Checked check(3000);
  EXPECT_EQ(check.run(UINT64_MAX, [](uint64_t i) { return i % 400 == 17; }),
            "data: 8 of the 3000 rows of numbers cannot be used (rows are counted from 0); no step was "
            "taken:\n"
            "  row 17, n.jsonl:18 (\"17=\"): it is bad\n  row 417, n.jsonl:418 (\"417=\"): it is bad\n"
            "  row 817, n.jsonl:818 (\"817=\"): it is bad\n  row 1217, n.jsonl:1218 (\"1217=\"): it is bad\n"
            "  row 1617, n.jsonl:1618 (\"1617=\"): it is bad\n  and 3 more");
  EXPECT_EQ(check.tried, 3000u);
}

TEST(RowCheck, SetsWithoutEndAndVeryLongOnesAreTriedInPart) {
  Checked unbounded(TENON_COUNT_UNBOUNDED);
  EXPECT_THAT(unbounded.run(UINT64_MAX, [](uint64_t i) { return i == 5; }),
              HasSubstr("1 of the first 64 rows of numbers"));
  Checked asked(TENON_COUNT_UNBOUNDED);
  EXPECT_EQ(asked.run(300, kNone), "");
  EXPECT_EQ(asked.tried, 300u) << "an evaluation takes just these";
  Checked many(kCheckedRows + 1);
  EXPECT_EQ(many.run(UINT64_MAX, [](uint64_t i) { return i == kCheckedRows; }), "");
  EXPECT_EQ(many.tried, kCheckedRows);
  ASSERT_EQ(many.host.logs.size(), 1u);
  EXPECT_THAT(many.host.logs[0].second, HasSubstr("the first 100000 rows of numbers of 100001"));
}

TEST(RowCheck, WhatHasNoRowsYetIsLeftAlone) {
  for (int32_t code : {TENON_E_UNSUPPORTED, TENON_E_STATE}) {
    Checked check(TENON_COUNT_UNBOUNDED);
    check.numbers.refuses = code;
    EXPECT_EQ(check.run(UINT64_MAX, kNone), "");
  }
  Checked broken(5);
  broken.numbers.refuses = TENON_E_IO;
  EXPECT_EQ(broken.run(UINT64_MAX, kNone), "data: numbers: no rows here");
}

TEST(RowCheck, ATokenizerWithoutAnEndIsNotTheRowsFault) {
  Checked check(5);
  try {
    check_rows(check.host.host(), "data", "model.tokenizer", 5,
               [](const Row&) { throw TokenizerError(TENON_E_INVALID, "it has no end"); });
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "model.tokenizer: it has no end");
  }
}

TEST(Step, TheStepIsSetAndTheRestKept) {
  tenon_call call = test::cpu_call(3);
  call.deadline_ns = 77;
  tenon_call later = at_step(&call, 9);
  EXPECT_EQ(later.step, 9u);
  EXPECT_EQ(later.deadline_ns, 77);
}

TEST(Sampled, GroupsIdsTextsAndRewards) {
  FakeHost host(
      R"({"temperature": 1, "top_k": 0, "top_p": 0, "min_p": 0, "max_new_tokens": 6, "overlap_rewards": true, "rewards": ["a"]})");
  test::HashModel model(host, 23, 32);
  test::NaiveSampler naive;
  LetterTokenizer letters;
  test::LambdaReward reward{[](const Sample& s) {
    if (s.id == 41) refuse("not this one");
    return static_cast<double>(s.completion.size()) + static_cast<double>(s.prompt.size()) +
           (s.meta("k") == "v" ? 100 : 0);
  }};
  host.slot("sampler", naive.ref());
  host.slot("rewards/0", reward.ref());
  CompletionSampler sampler(host.host());
  std::vector<Row> rows = {{"1+2=", "", "", R"({"k":"v"})"}, {"7=", "", "", "{}"}};
  Sampled batch = sampler.sample(nullptr, Model(model.ref()), Tokenizer(letters.ref()), rows, 3, 40, 8);
  const Rollout& r = batch.rollout;
  EXPECT_EQ(r.sample_id, (std::vector<uint64_t>{40, 41, 42, 43, 44, 45}));
  EXPECT_EQ(r.group_id, (std::vector<uint64_t>{40, 40, 40, 43, 43, 43}));
  EXPECT_EQ(r.version, std::vector<uint64_t>(r.tokens(), 8)) << "per token";
  EXPECT_EQ(r.valid, (std::vector<uint8_t>{1, 0, 1, 1, 1, 1}));
  for (uint64_t i = 0; i < 6; ++i) {
    if (i == 1) continue;
    std::string text = letters.decode(r.ids[i].subspan(r.prompt_len[i]), 0);
    EXPECT_EQ(r.reward[i], static_cast<double>(text.size()) + (i < 3 ? 104 : 2)) << i;
    EXPECT_EQ(batch.first[i], r.reward[i]);
  }
  EXPECT_TRUE(std::isnan(batch.first[1]));
  boost::json::object sample = boost::json::parse(batch.to_json(1)).as_object();
  EXPECT_TRUE(sample.at("reward").is_null());
  EXPECT_EQ(boost::json::serialize(sample.at("rewards")), R"({"reward":null})");
  EXPECT_EQ(boost::json::parse(batch.to_json(0)).at("rewards").at("reward").to_number<double>(), r.reward[0]);
  EXPECT_EQ(sample.at("prompt").as_string(), "1+2=");
  EXPECT_FALSE(sample.contains("advantage"));
}

// Gives group after group, the last first, and waits between them for what it is told to wait for.
struct Backwards {
  void generate(const tenon_call*, const Model&, const tenon_generate_in& in, const tenon_generate_out& out) {
    for (uint64_t i = in.n; i-- > 0;) {
      const std::vector<int32_t> ids(1 + i % 3, 4);
      const std::vector<float> logprobs(ids.size(), -1);
      if (out.done(out.ctx, i, ids.data(), logprobs.data(), ids.size(), TENON_FINISH_LENGTH) < 0)
        throw Error("refused");
      if (i == wait_after) wait();
    }
  }
  uint64_t wait_after = UINT64_MAX;
  std::function<void()> wait;
};

class Overlap : public ::testing::Test {
 protected:
  Sampled sample(bool overlaps, uint64_t n_rows, const std::function<double(const Sample&)>& judge) {
    FakeHost host(
        std::string(
            R"({"temperature": 1, "top_k": 0, "top_p": 0, "min_p": 0, "max_new_tokens": 6, "rewards": ["a"], "overlap_rewards": )") +
        (overlaps ? "true}" : "false}"));
    test::HashModel model(host, 23, 32);
    LetterTokenizer letters;
    test::LambdaReward reward{judge};
    host.slot("sampler", test::ref_to<SamplerShim<Backwards>>(backwards_, "backwards"));
    host.slot("rewards/0", reward.ref());
    const std::vector<Row> rows(n_rows, {"1+2=", "", "", "{}"});
    return CompletionSampler(host.host())
        .sample(nullptr, Model(model.ref()), Tokenizer(letters.ref()), rows, 2, 10, 0);
  }
  Backwards backwards_;
};

TEST_F(Overlap, ARewardJudgesWhileOthersAreGeneratedAndTheResultIsTheSame) {
  std::atomic<uint64_t> judged{0};
  const auto judge = [&](const Sample& s) {
    ++judged;
    if (s.id == 13) refuse("not this one");
    return static_cast<double>(s.id) + static_cast<double>(s.completion.size()) / 8;
  };
  const Sampled apart = sample(false, 4, judge);
  judged = 0;
  backwards_.wait_after = 4;  // two of the four groups are there
  backwards_.wait = [&] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (judged < 4 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(judged, 4u) << "the rewards of the groups that are there do not wait for the others";
  };
  const Sampled overlapped = sample(true, 4, judge);
  ASSERT_EQ(overlapped.rollout.size(), apart.rollout.size());
  EXPECT_EQ(overlapped.rollout.sample_id, apart.rollout.sample_id);
  EXPECT_EQ(overlapped.rollout.ids.values, apart.rollout.ids.values);
  EXPECT_EQ(overlapped.rollout.reward, apart.rollout.reward);
  EXPECT_EQ(overlapped.rollout.valid, apart.rollout.valid);
  EXPECT_EQ(overlapped.rollout.version, apart.rollout.version);
  EXPECT_EQ(overlapped.earned, apart.earned);
  EXPECT_EQ(overlapped.row_index, apart.row_index);
  for (uint64_t i = 0; i < apart.rollout.size(); ++i) EXPECT_EQ(overlapped.to_json(i), apart.to_json(i));
}

TEST(Background, DoesAllThatIsWaitingAndThrowsWhatWasThrown) {
  for (const bool at_once : {false, true}) {
    std::vector<uint64_t> seen;
    {
      Background work(
          [&](std::vector<uint64_t> items) { seen.insert(seen.end(), items.begin(), items.end()); }, at_once);
      for (uint64_t i = 0; i < 100; ++i) work.add(i);
      work.finish();
      work.finish();
    }
    ASSERT_EQ(seen.size(), 100u);
    for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(seen[i], i);

    Background failing([](std::vector<uint64_t>) { throw Error("it cannot"); }, at_once);
    failing.add(1);
    EXPECT_THROW(failing.finish(), Error);
    if (!at_once) continue;
    EXPECT_THROW(failing.add(2), Error);
  }
}

TEST(Background, LeavesWhatHasNotBegun) {
  std::atomic<int> begun{0};
  {
    Background work(
        [&](std::vector<uint64_t>) {
          ++begun;
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        },
        true);
    work.add(1);
    while (begun == 0) std::this_thread::yield();
    work.add(2);
  }
  EXPECT_EQ(begun, 1);
}

TEST(Sampled, PromptsAreTriedAndABoundThatIsNeverReachedIsAWarning) {
  auto lab = [](const char* max_new_tokens, uint64_t max_len) {
    FakeHost host(
        std::string(
            R"({"temperature": 1, "top_k": 0, "top_p": 0, "min_p": 0, "overlap_rewards": true, "max_new_tokens": )") +
        max_new_tokens + "}");
    test::HashModel model(host, 23, max_len);
    test::NaiveSampler naive;
    LetterTokenizer letters;
    test::RowSet rows{{{"1+2=", "", "", "", "a.jsonl:1"}, {"1+2+3=", "", "", "", "a.jsonl:2"}}};
    host.slot("sampler", naive.ref());
    host.slot("data", rows.ref("sums"));
    host.slot("model.tokenizer", letters.ref());
    try {
      CompletionSampler(host.host())
          .check_prompts("data", Model(model.ref("policy")), Tokenizer(letters.ref()), "model.tokenizer",
                         UINT64_MAX);
    } catch (const Error& e) {
      return std::vector<std::string>{e.what()};
    }
    std::vector<std::string> said;
    for (const auto& [level, text] : host.logs) said.push_back(text);
    return said;
  };
  EXPECT_THAT(lab("6", 7), ::testing::IsEmpty());
  EXPECT_THAT(lab("7", 7), ::testing::ElementsAre(HasSubstr("max_new_tokens = 7 is never reached")));
  EXPECT_THAT(lab("3", 6), ::testing::ElementsAre(::testing::AllOf(
                               HasSubstr("data: 1 of the 2 rows of sums"),
                               HasSubstr("row 1, a.jsonl:2 (\"1+2+3=\"): the prompt has 6 tokens"),
                               HasSubstr("max_len = 6"))));
}

TEST(Sampled, ACharacterCutByTheTokenLimitReachesRewardsAsUtf8) {
  struct Cutting : LetterTokenizer {  // each text ends with the first two bytes of "€"
    std::string decode(std::span<const int32_t> ids, uint32_t flags) const {
      return LetterTokenizer::decode(ids, flags) + "\xE2\x82";
    }
  } cutting;
  FakeHost host(
      R"({"temperature": 1, "top_k": 0, "top_p": 0, "min_p": 0, "max_new_tokens": 6, "overlap_rewards": true, "rewards": ["a"]})");
  test::HashModel model(host, 23, 32);
  test::NaiveSampler naive;
  std::vector<std::string> seen;
  test::LambdaReward reward{[&](const Sample& s) {
    seen.insert(seen.end(), {std::string(s.prompt), std::string(s.completion)});
    return 1.0;
  }};
  host.slot("sampler", naive.ref());
  host.slot("rewards/0", reward.ref());
  CompletionSampler sampler(host.host());
  const std::vector<Row> rows = {{"1+2=", "", "", "{}"}};
  Sampled batch =
      sampler.sample(nullptr, Model(model.ref()),
                     Tokenizer(test::ref_to<TokenizerShim<Cutting>>(cutting, "cutting")), rows, 1, 0, 0);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0], "1+2=\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_THAT(seen[1], ::testing::EndsWith("\xEF\xBF\xBD\xEF\xBF\xBD"));
  EXPECT_EQ(boost::json::parse(batch.to_json(0)).as_object().at("completion").as_string(), seen[1]);
}

TEST(Sampled, ACompletionWithoutATokenIsRefused) {
  struct Silent {
    void generate(const tenon_call*, const Model&, const tenon_generate_in&, const tenon_generate_out& out) {
      if (out.done(out.ctx, 0, nullptr, nullptr, 0, TENON_FINISH_STOP) < 0)
        throw Error(TENON_E_INTERNAL, "refused");
    }
  } silent;
  FakeHost host(
      R"({"temperature": 1, "top_k": 0, "top_p": 0, "min_p": 0, "max_new_tokens": 6, "overlap_rewards": true})");
  test::HashModel model(host, 23, 32);
  LetterTokenizer letters;
  host.slot("sampler", test::ref_to<SamplerShim<Silent>>(silent, "silent"));
  std::vector<Row> rows = {{"1+2=", "", "", "{}"}};
  EXPECT_THROW(CompletionSampler(host.host())
                   .sample(nullptr, Model(model.ref()), Tokenizer(letters.ref()), rows, 1, 0, 0),
               Error);
}

TEST(Sampled, TextsThatAreNotUtf8BecomeJsonAllTheSame) {
  Sampled batch;
  batch.rollout.push(std::vector<int32_t>{1}, std::vector<int32_t>{2}, std::vector<float>{-1}, 0, 0,
                     TENON_FINISH_LENGTH);
  batch.prompts.push(std::string_view("caf\xC3\xA9 \xE6\xB0\xB4 \xF0\x9F\x99\x82"));
  batch.completions.push(std::string_view("\xE6\xB0 \xC0\x80 \xED\xA0\x80 \xFF"));
  boost::json::object sample = boost::json::parse(batch.to_json(0)).as_object();
  EXPECT_EQ(sample.at("prompt").as_string(), "café 水 🙂");
  EXPECT_EQ(sample.at("completion").as_string(), "\uFFFD\uFFFD \uFFFD\uFFFD \uFFFD\uFFFD\uFFFD \uFFFD");
  EXPECT_EQ(sample.at("finish").as_string(), "length");
}

// What stands in data becomes a part of a name that the host takes, and different texts stay apart.
TEST(Domains, NamesAreWithoutControlCharactersAndBounded) {
  EXPECT_EQ(domain_name(std::nullopt), "(none)");
  EXPECT_EQ(domain_name("algebra"), "algebra");
  EXPECT_EQ(domain_name("(none)"), "\"(none)\"");
  EXPECT_EQ(domain_name(""), "\"\"");
  EXPECT_EQ(domain_name("a\x1b\x7f"), "\"a\\u001b\\u007f\"");
  EXPECT_EQ(domain_name("\"a\\u001b\""), R"("\"a\\u001b\"")");
  const std::string one = name_part(std::string(500, 'x') + "1"), other = name_part(std::string(500, 'x') + "2");
  EXPECT_NE(one, other);
  EXPECT_LT(one.size(), 110u);
  EXPECT_EQ(name_part(std::string(100, 'x')), std::string(100, 'x'));
}

}  // namespace
}  // namespace tenon::stages
