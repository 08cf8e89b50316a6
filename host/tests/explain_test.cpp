// `tenon explain`: the chain of a token, and that what is computed again has the recorded bits.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "host/command_line.h"
#include "host/commands_explain.h"
#include "host/json_text.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// A trace, written by the tests' own few lines.
struct TraceFile {
  std::string header =
      R"("__metadata__":{"format":"tenon-trace/1","step":"4","updates":"2","rewards":"[\"length\",\"style\"]","weights":"[0.5,2]"})";
  std::map<std::string, std::pair<std::string, std::string>> columns;  // dtype and bytes

  template <class T>
  void put(const std::string& name, const char* dtype, const std::vector<T>& values) {
    columns[name] = {dtype,
                     std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
  }
  void f64(const std::string& name, const std::vector<double>& v) { put(name, "F64", v); }
  void f32(const std::string& name, const std::vector<float>& v) { put(name, "F32", v); }
  void u64(const std::string& name, const std::vector<uint64_t>& v) { put(name, "U64", v); }
  void u8(const std::string& name, const std::vector<uint8_t>& v) { put(name, "U8", v); }
  void i32(const std::string& name, const std::vector<int32_t>& v) { put(name, "I32", v); }

  void write(const fs::path& path) const {
    std::string text = "{" + header, data;
    for (const auto& [name, column] : columns) {
      const size_t width = column.first.ends_with("64") ? 8 : column.first == "U8" ? 1 : 4;
      text += ",\"" + name + "\":{\"dtype\":\"" + column.first + "\",\"shape\":[" +
              std::to_string(column.second.size() / width) + "],\"data_offsets\":[" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + column.second.size()) + "]}";
      data += column.second;
    }
    text += "}";
    const uint64_t length = text.size();
    fs::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), sizeof length) << text << data;
  }
};

// Two groups of two completions; a prompt has 1 token, a completion 2. Sample 13 has no valid reward, so that its group's mean is 12's reward.
// Update 0 has the samples 11 and 10, update 1 has 10 alone. toy-algorithm with scale 2: the mean of group 7 is 2, the advantages are 2 · (1 − 2) and
// 2 · (3 − 2); importance halves that of sample 11's last token.
TraceFile good_trace() {
  TraceFile f;
  f.u64("offsets", {0, 3, 6, 9, 12}), f.i32("ids", {80, 52, 50, 80, 49, 10, 81, 49, 49, 81, 49, 49});
  f.u64("prompt_len", {1, 1, 1, 1}), f.u64("group_id", {7, 7, 8, 8}), f.u64("sample_id", {10, 11, 12, 13});
  f.i32("finish", {1, 2, 1, 1}), f.u8("mask", {0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1});
  f.f64("reward", {1, 3, 5, 0}), f.u8("valid", {1, 1, 1, 0}), f.u8("trained", {1, 1, 0, 0});
  f.f64("terms", {2, 6, 10, kNone, 0, 0, 0, 1}), f.u64("version", std::vector<uint64_t>(12, 4));
  const std::vector<float> lp(12, -1);
  f.f32("lp_sample", lp), f.f32("lp_old", lp), f.f64("kl_scale", {1});
  f.f64("advantage", {0, -2, -2, 0, 2, 2, 0, 0, 0, 0, 0, 0});
  f.f64("importance", {1, 1, 1, 1, 1, 0.5, 1, 1, 1, 1, 1, 1});
  const auto half = static_cast<float>(-1 + std::log(0.5));
  const auto d = [&](double weight, double advantage, float lp_new) {
    return static_cast<float>(-weight * advantage * std::exp(double{lp_new} - -1.0));
  };
  f.u64("update/0/rows", {1, 0}), f.f32("update/0/lp_new", {-1, -1, -1, -1, -1, half});
  f.f64("update/0/weight", {0, 0.25, 0.25, 0, 0.25, 0.25});
  f.f32("update/0/d_logprob", {0, -0.5f, -0.25f, 0, 0.5f, d(0.25, -2, half)});
  f.u64("update/1/rows", {0}), f.f32("update/1/lp_new", {-1, half, -1}),
      f.f64("update/1/weight", {0, 0.5, 0.5});
  f.f32("update/1/d_logprob", {0, d(0.5, -2, half), 1});
  return f;
}

class Explain : public Run {
 protected:
  // A run whose stage `zero` has the trace of step 4.
  void make_run(const std::string& algorithm = "{use: toy-algorithm, scale: 2}",
                const TraceFile& trace = good_trace()) {
    ASSERT_EQ(run(write_config(config("", ", algorithm: " + algorithm))).code, 0);
    trace.write(file());
  }
  fs::path folder() const { return dir_ / "runs/toy"; }
  fs::path file() const { return stage_folder(folder(), "zero") / "artifacts/trace/000004.safetensors"; }
  Outcome explain(std::optional<uint64_t> step, std::optional<uint64_t> sample,
                  std::optional<uint64_t> token = std::nullopt, const std::string& stage = "",
                  bool as_json = false) {
    const fs::path run = folder();
    return wait(start([=] {
      std::vector<std::string> words{"tenon", "explain", run.string()};
      auto add = [&](const char* name, const std::string& value) {
        words.insert(words.end(), {name, value});
      };
      if (step) add("--step", std::to_string(*step));
      if (sample) add("--sample", std::to_string(*sample));
      if (token) add("--token", std::to_string(*token));
      if (!stage.empty()) add("--stage", stage);
      if (as_json) words.emplace_back("--json");
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    }));
  }
};

TEST_F(Explain, ATableOfTheSamplesTokens) {
  make_run();
  const Outcome answer = explain(4, 10);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(answer.out,
            "zero, step 4, algorithm toy-algorithm\n"
            "sample 10 of group 7: prompt of 1 token, completion of 2 tokens, which ended\n"
            "  length  2  ×  0.5\n"
            "  style   0  ×    2\n"
            "  reward  1          the sum\n"
            "group 7\n"
            "→  sample 10  1\n"
            "   sample 11  3\n"
            "token  id  text  reward  advantage  lp_old  ratio  weight  d_logprob\n"
            "    0  52  \"4\"        -         -2      -1    0.5     0.5        0.5\n"
            "    1  50  \"2\"        -         -2      -1      1     0.5          1\n"
            "ratio, weight and d_logprob are those of update 1, the last of the 2 that it had a part in, of "
            "the step's 2 "
            "optimizer updates.\n"
            "Equal to what the optimizer saw, bit for bit: advantages of 4 completions and gradients of 2 "
            "updates.\n");
}

TEST_F(Explain, TheChainOfATokenForEveryUpdate) {
  make_run();
  const Outcome answer = explain(4, 10, 0);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("token 0: id 52 \"4\"\n"
                                    "update 0 of 2\n"
                                    "  group mean     2  the baseline\n"
                                    "  advantage     -2  scale · (reward − mean)\n"
                                    "  ratio          1  e^(lp_new − lp_old)\n"
                                    "  weight      0.25  the normaliser\n"
                                    "  gradient     0.5  −w A ratio\n"
                                    "  d_logprob    0.5  what the optimizer's update had\n"
                                    "update 1 of 2\n"
                                    "  group mean    2  the baseline\n"));
  EXPECT_THAT(answer.out, HasSubstr("  ratio       0.5  e^(lp_new − lp_old)\n"));
  EXPECT_THAT(
      explain(4, 11, 1).out,
      AllOf(
          HasSubstr("which was cut off"), HasSubstr("id 10 \"\\n\"\n"),
          HasSubstr(
              "  gradient    -0.25  −w A ratio\n  importance    0.5  the stage's factor of the advantage\n")))
      << "the importance weight is in the advantage that the gradient saw";
}

TEST_F(Explain, AnswersAsJsonWithAllBits) {
  make_run();
  const json::value answer = json::parse(explain(4, 11, 1, "zero", true).out);
  EXPECT_TRUE(answer.at("equal").as_bool());
  EXPECT_EQ(answer.at("step").as_int64(), 4);
  EXPECT_EQ(answer.at("algorithm").as_string(), "toy-algorithm");
  EXPECT_EQ(answer.at("rewards").at(0).at("value").to_number<double>(), 6);
  const json::value& token = answer.at("tokens").at(0);
  EXPECT_EQ(token.at("index").as_int64(), 1);
  EXPECT_EQ(token.at("importance").to_number<double>(), 0.5);
  EXPECT_EQ(token.at("updates").as_array().size(), 1u);
  EXPECT_EQ(token.at("updates").at(0).at("d_logprob").to_number<double>(), -0.25);
  EXPECT_EQ(answer.at("chain").at(0).at("links").at(0).at("quantity").as_string(), "group mean");
  EXPECT_EQ(json::parse(explain(4, 11, std::nullopt, "", true).out).at("tokens").as_array().size(), 2u);
}

TEST_F(Explain, NumbersThatAreNotTheRecordedOnesAreNamed) {
  make_run();
  TraceFile other = good_trace();
  auto flip = [&](const std::string& column, size_t byte) {
    other = good_trace();
    other.columns.at(column).second[byte] ^= 1;
    other.write(file());
  };
  flip("update/1/d_logprob", 4);
  Outcome answer = explain(4, 11);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(
      answer.err,
      HasSubstr(
          "error: computed again, the step is not what the optimizer saw: update 1: d_logprob of sample "
          "10, token 0: recorded 0.5000000"));
  EXPECT_THAT(answer.out, AllOf(HasSubstr("sample 11 of group 7"), Not(HasSubstr("Equal"))));
  flip("advantage", 8 * 5);
  EXPECT_THAT(
      explain(4, 10).err,
      HasSubstr("the advantage of sample 11, token 1: recorded 2.0000000000000004, computed again 2"));
  flip("advantage", 8 * 3);
  EXPECT_THAT(explain(4, 10).err, HasSubstr("the advantage of sample 11, token 0 of its prompt"));
  EXPECT_EQ(json::parse(explain(4, 10, 0, "", true).out).at("equal"), false);
}

TEST_F(Explain, OtherOptionsOfTheAlgorithmAreFoundOut) {
  make_run("{use: toy-algorithm, scale: 3}");
  const Outcome answer = explain(4, 10);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, HasSubstr("the advantage of sample 10, token 0: recorded -2, computed again -3"));
}

TEST_F(Explain, SamplesThatWereLeftOutSaySo) {
  make_run();
  EXPECT_THAT(explain(4, 13, 0).out,
              HasSubstr("  no valid reward, or its group was dropped: it is in no baseline and in no loss\n"
                        "  length  -  ×  0.5  not ok, or does not apply\n"));
  const Outcome untrained = explain(4, 12, 0);
  EXPECT_EQ(untrained.code, 0) << untrained.err;
  EXPECT_THAT(untrained.out,
              AllOf(HasSubstr("  the stage left it out of the loss; it counts in baselines\n"),
                    HasSubstr("   sample 13  0  not valid\n"), HasSubstr("→  sample 12  5  not trained\n"),
                    HasSubstr("no optimizer update of the step had this sample"),
                    HasSubstr("  group mean  5  the baseline\n  advantage   0  scale · (reward − mean)\n"),
                    Not(HasSubstr("weight")), Not(HasSubstr("gradient  "))));
  EXPECT_THAT(explain(4, 12).out, HasSubstr("It had no part in any of the step's 2 optimizer updates."));
}

// Where the loss is of groups, a sample that the stage left out after `advantages` (overlong: mask) is in no group of the loss: the mean of the others
// is 2, while that of the advantages was 3.
TEST_F(Explain, ALossOfGroupsIsExplainedWithoutWhatTheStageLeftOut) {
  TraceFile trace = good_trace();
  trace.u64("group_id", {7, 7, 7, 8});
  trace.f64("advantage", {0, -4, -4, 0, 0, 0, 0, 4, 4, 0, 0, 0});
  trace.f64("importance", std::vector<double>(12, 1));
  trace.f32("update/0/lp_new", std::vector<float>(6, -1));
  trace.f32("update/0/d_logprob", {0, -0.5f, -0.5f, 0, 0.5f, 0.5f});
  trace.header.replace(trace.header.find("\"updates\":\"2\""), 13, "\"updates\":\"1\"");
  for (const char* column : {"rows", "lp_new", "weight", "d_logprob"})
    trace.columns.erase(std::string("update/1/") + column);
  make_run("{use: toy-algorithm, scale: 2, whole: true}", trace);
  const Outcome answer = explain(4, 10, 0);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("  group mean     2  the baseline\n"),
                                HasSubstr("  gradient     0.5  −w A ratio\n"),
                                HasSubstr("advantages of 4 completions and gradients of 1 update.\n")));
  EXPECT_THAT(explain(4, 12, 0).out,
              AllOf(HasSubstr("the stage left it out of the loss"), Not(HasSubstr("group mean"))));
}

TEST_F(Explain, TokenRewardsAndNormalisedRewardsAreShown) {
  TraceFile trace = good_trace();
  std::vector<double> earned(12, kNone);
  earned[1] = 1;  // sample 10 has 0.5 + 1 in all, 11 has 2.5: the mean is 2 again
  trace.f64("token_reward", earned);
  trace.f64("reward", {0.5, 2.5, 5, 0});
  trace.f64("advantage", {0, -1, -1, 0, 1, 1, 0, 0, 0, 0, 0, 0});
  trace.header.replace(trace.header.find("\"updates\":\"2\""), 13, "\"updates\":\"0\"");
  make_run("{use: toy-algorithm, scale: 2}", trace);
  const Outcome answer = explain(4, 10, 0);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("as the algorithm saw it: not the sum, 1, but normalised by the stage"),
                    HasSubstr("→  sample 10  1.5\n"), HasSubstr("  it earned 1 by itself\n")));
}

TEST_F(Explain, AnAlgorithmThatDoesNotExplainItselfGivesItsNumbers) {
  make_run("{use: toy-algorithm, scale: 2, silent: true}");
  const Outcome answer = explain(4, 10, 0);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("the algorithm does not explain itself (it has no tenon.ext.explain/1)"),
                    HasSubstr("d_logprob\n"), HasSubstr("Equal to what the optimizer saw")));
}

TEST_F(Explain, AnAlgorithmThatExplainsAnotherGradientIsFoundOut) {
  make_run("{use: toy-algorithm, scale: 2, boast: 1.5}");
  const Outcome answer = explain(4, 10, 0);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, HasSubstr("error: the explanation of update 0 ends in the gradient 0.75, and the "
                                    "optimizer's update had 0.5"));
  EXPECT_EQ(explain(4, 10).code, 0) << "no token, no explanation";
}

TEST_F(Explain, WhatIsNotThereIsSaidWithWhatIs) {
  make_run();
  struct Case {
    Outcome answer;
    const char* says;
  };
  for (const Case& c :
       {Case{explain(5, 10), "step 5 has no trace: stage zero has traces of the steps 4"},
        Case{explain(std::nullopt, 10),
             "say which step, with --step N: stage zero has traces of the steps 4"},
        Case{explain(4, 99), "there is no sample 99: step 4 has the samples 10, 11, 12, 13"},
        Case{explain(4, std::nullopt),
             "say which sample, with --sample K: step 4 has the samples 10, 11, 12, 13"},
        Case{explain(4, 10, 2),
             "there is no token 2: the completion of sample 10 has 2 tokens, the first being 0"},
        Case{explain(4, 10, 0, "zeor"), "there is no stage \"zeor\" in this run. Did you mean \"zero\"?"},
        Case{explain(4, 10, 0, "base"), "stage base has no trace"}}) {
    EXPECT_EQ(c.answer.code, 2) << c.says;
    EXPECT_THAT(c.answer.err, HasSubstr(c.says));
    EXPECT_EQ(c.answer.out, "");
  }
  fs::remove_all(file().parent_path());
  EXPECT_THAT(explain(4, 10).err, HasSubstr("no stage of this run has a trace"));
}

TEST_F(Explain, OfSeveralFoldersOfAStageThatOfTheConfigurationIsTaken) {
  make_run();
  good_trace().write(folder() / "stages/zero-0123456789ab/artifacts/trace/000009.safetensors");
  EXPECT_EQ(explain(4, 10).code, 0);
  const fs::path now = stage_folder(folder(), "base").parent_path();
  for (const auto& entry : fs::directory_iterator(now))
    if (const std::string name = entry.path().filename();
        name.starts_with("zero-") && name != "zero-0123456789ab")
      fs::rename(entry.path(), now / "zero-ba9876543210");
  EXPECT_THAT(explain(4, 10).err, HasSubstr("stage zero has traces of 2 earlier configurations"));
}

TEST_F(Explain, BrokenTracesAreErrorsThatNameTheFile) {
  make_run();
  auto refusal = [&](const std::function<void(TraceFile&)>& spoil) {
    TraceFile trace = good_trace();
    spoil(trace);
    trace.write(file());
    const Outcome answer = explain(4, 10);
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.err, HasSubstr("000004.safetensors: not a trace that can be used: "));
    return answer.err;
  };
  auto replace = [](const char* from, const char* to) {
    return [=](TraceFile& t) { t.header.replace(t.header.find(from), std::strlen(from), to); };
  };
  EXPECT_THAT(refusal(replace("trace/1", "trace/2")), HasSubstr("its format is \"tenon-trace/2\""));
  EXPECT_THAT(refusal(replace("\"step\":\"4\"", "\"step\":\"x\"")), HasSubstr("its step is not a number: x"));
  EXPECT_THAT(refusal(replace("[0.5,2]", "[0.5]")), HasSubstr("not as many weights as rewards"));
  EXPECT_THAT(refusal(replace("\"updates\":\"2\"", "\"updates\":\"3\"")),
              HasSubstr("has no column update/2/rows"));
  EXPECT_THAT(refusal([](TraceFile& t) { t.columns.erase("lp_old"); }), HasSubstr("it has no column lp_old"));
  EXPECT_THAT(refusal([](TraceFile& t) { t.f64("lp_old", {1}); }),
              HasSubstr("column lp_old is F64 where F32 is expected"));
  EXPECT_THAT(refusal([](TraceFile& t) { t.f64("reward", {1}); }),
              HasSubstr("column reward has 1 values where 4 are expected"));
  EXPECT_THAT(refusal([](TraceFile& t) {
                t.u64("offsets", {0, 9, 3, 12});
              }),
              HasSubstr("offsets are not those of its ids"));
  EXPECT_THAT(refusal([](TraceFile& t) { t.u64("update/1/rows", {4}); }),
              HasSubstr("a sequence that the rollout lacks"));
  EXPECT_THAT(refusal([](TraceFile& t) {
                t.u64("prompt_len", {1, 1, 4, 1});
              }),
              HasSubstr("a prompt is longer than its sequence"));
}

}  // namespace
}  // namespace tenon::host
