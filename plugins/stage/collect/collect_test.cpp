// Tests of the stage `collect`: rankings by rewards and by people, and the file that people rank.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "ranking.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using collect::from_line;
using collect::Item;
using collect::read_lines;
using collect::simulated_ranking;
using collect::write_lines;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class CollectStage : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tenon-collect-" + std::to_string(::getpid()) + "-" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string file() const { return folder_ / "kept/to-rank.jsonl"; }
  std::vector<Item> items() const {
    std::vector<Item> out;
    for (const collect::Line& line : read_lines(file())) out.push_back(line.item);
    return out;
  }
  void write(const std::vector<Item>& items) const {
    std::vector<std::string> lines;
    for (const Item& item : items) lines.push_back(to_line(item));
    write_lines(file(), lines);
  }
  fs::path folder_;
};

struct Lab {
  explicit Lab(const std::string& options, const fs::path& folder = "")
      : host(plugin_component(), options), io(host, folder.string()) {
    host.slot("model", model.ref("policy"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("sampler", sampler.ref());
    host.slot("data", data.ref("prompts"));
    if (options.find("rewards") != std::string::npos) host.slot("rewards/0", shorter.ref("shorter"));
  }
  std::string run() {
    try {
      run_stage(plugin_component(), host, io);
    } catch (const Error& e) {
      code = e.code();
      return e.what();
    }
    return "";
  }
  int32_t code = TENON_OK;
  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel model{host, 23, 32};
  NaiveSampler sampler;
  LambdaReward shorter{[](const Sample& s) { return -static_cast<double>(s.completion.size()); }};
  RowSet data{{{"1+2=", "", "", R"({"n":1})"}, {"7=", "", "", "{}"}, {"9-", "", "", "{}"}}};
};

std::vector<std::string> ranked(const Row& row) {
  std::vector<std::string> out;
  const std::string list(*json::raw_field(row.meta_json, "ranked"));
  for (const std::string_view one : json::elements(list)) out.push_back(json::detail::Scanner{one}.string());
  return out;
}

constexpr const char* kJudged =
    R"({"problems": 3, "prompts": 2, "samples": 12, "max_new_tokens": 20, "rewards": [{"of": "shorter"}]})";
constexpr const char* kPeople = R"({"problems": 3, "prompts": 2, "samples": 3, "max_new_tokens": 5})";

TEST_F(CollectStage, RewardsRankWithoutNoiseByWhatTheyGive) {
  Lab lab(kJudged);
  ASSERT_EQ(lab.run(), "");
  const auto& rows = lab.host.rows.at("ranked");
  ASSERT_EQ(rows.size(), 3u);
  for (const Row& row : rows) {
    const auto texts = ranked(row);
    ASSERT_GE(texts.size(), 2u);
    for (size_t k = 1; k < texts.size(); ++k) EXPECT_LT(texts[k - 1].size(), texts[k].size());
    EXPECT_THAT(row.meta_json, HasSubstr(R"("by":"rewards")"));
    EXPECT_EQ(row.completion, "");
  }
  EXPECT_EQ(rows[0].prompt, "1+2=");
  EXPECT_THAT(rows[0].meta_json, HasSubstr(R"({"n":1,"provenance":)"));
  EXPECT_EQ(lab.io.total_steps, 2u);
}

// P(a before b) = σ((r_a − r_b)/T), whatever the other completions are (Luce's axiom).
TEST(SimulatedRanking, IsBradleyTerryOfEveryTwo) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(1e-12, 1 - 1e-12);
  const std::vector<double> scores{1.0, 0.2, -0.5, 0.9};
  constexpr double kTemperature = 0.7;
  constexpr int kDraws = 40000;
  double before[4][4] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> u(4);
    for (double& x : u) x = uniform(random);
    const auto order = simulated_ranking(scores, kTemperature, u);
    for (size_t a = 0; a < 4; ++a)
      for (size_t b = a + 1; b < 4; ++b) before[order[a]][order[b]] += 1.0 / kDraws;
  }
  for (size_t a = 0; a < 4; ++a)
    for (size_t b = 0; b < 4; ++b)
      if (a != b) {
        EXPECT_NEAR(before[a][b], 1 / (1 + std::exp((scores[b] - scores[a]) / kTemperature)), 0.012);
      }
}

TEST_F(CollectStage, PeopleRankAFileAndTheStageGoesOn) {
  Lab first(kPeople, folder_);
  EXPECT_THAT(first.run(),
              HasSubstr("3 of 3 lists of completions are to be ranked, with: tenon rank " + file()));
  EXPECT_EQ(first.code, TENON_E_WAITS);
  EXPECT_EQ(first.io.steps.size(), 2u) << "what was sampled is a step's end behind it";
  std::vector<Item> items = this->items();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_FALSE(items[0].ranking);
  items[0].ranking.emplace();  // cannot say
  items[1].ranking.emplace();
  for (uint64_t k = items[1].completions.size(); k-- > 0;) items[1].ranking->push_back(k);
  write(items);

  Lab second(kPeople, folder_);
  EXPECT_THAT(second.run(), HasSubstr("1 of 3 lists"));
  EXPECT_EQ(this->items()[1].ranking, items[1].ranking) << "what is ranked is kept";

  items[2].ranking =
      items[1].ranking->size() == items[2].completions.size() ? items[1].ranking : items[0].ranking;
  write(items);
  Lab third(kPeople, folder_);
  ASSERT_EQ(third.run(), "");
  const auto& rows = third.host.rows.at("ranked");
  auto expected = items[1].completions;
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(ranked(rows[0]), expected);
  EXPECT_THAT(rows[0].meta_json, HasSubstr(R"("by":"people")"));
  EXPECT_GT(third.io.steps.back().metric("undecided"), 0.3);
}

// Completions may come out otherwise: sampled by a plugin that was built again, or on another machine.
TEST_F(CollectStage, WhatSomebodyRankedStaysInTheFileThoughNothingWaitsForIt) {
  const std::string ranked_one =
      R"({"prompt":"1+2=","completions":["x","y"],"ranking":[1,0],"note":"by Ann"})";
  const std::string nobody = R"({"prompt":"1+2=","completions":["p","q"],"ranking":null})";
  fs::create_directories(folder_ / "kept");
  write_lines(file(), std::vector{ranked_one, nobody});
  Lab first(kPeople, folder_);
  EXPECT_THAT(first.run(), HasSubstr("3 of 3 lists"));
  EXPECT_THAT(first.host.logs, ::testing::Contains(::testing::Pair(
                                   TENON_LOG_WARN, HasSubstr("has 1 ranking of completions that are not"))));
  const std::vector<collect::Line> lines = read_lines(file());
  ASSERT_EQ(lines.size(), 4u) << "what nobody ranked and nothing waits for is left out";
  EXPECT_EQ(lines[0].text, ranked_one) << "with fields that others wrote";

  std::vector<std::string> answered;
  for (const collect::Line& line : lines) {
    Item item = line.item;
    if (!item.ranking) item.ranking.emplace();
    answered.push_back(to_line(item));
  }
  answered.back() = R"({"note":7,)" + to_line(lines[3].item).substr(1);
  write_lines(file(), answered);
  Lab second(kPeople, folder_);
  EXPECT_THAT(second.run(), HasSubstr("1 of 3 lists"));
  EXPECT_EQ(read_lines(file())[3].text, answered.back());
}

TEST_F(CollectStage, WhereNobodyCanSayItNamesTheFileAndWhatToDo) {
  Lab first(kPeople, folder_);
  first.run();
  std::vector<Item> undecided = items();
  for (Item& item : undecided) item.ranking.emplace();
  write(undecided);
  Lab second(kPeople, folder_);
  EXPECT_THAT(second.run(), ::testing::AllOf(HasSubstr("any of the 3 lists"), HasSubstr(file()),
                                             HasSubstr("Make it null")));
}

TEST_F(CollectStage, AFileThatIsDamagedIsNamedWithItsLine) {
  Lab first(kPeople, folder_);
  first.run();
  std::ofstream(file(), std::ios::app) << R"({"prompt":"x","completions":["a","b"],"ranking":[0,0]})"
                                       << "\n";
  Lab second(kPeople, folder_);
  EXPECT_THAT(second.run(),
              HasSubstr("to-rank.jsonl:4: \"ranking\" is [0,0]: allowed are null, [] and the places 0 to 1"));
}

TEST(RankingFile, LinesThatAreNone) {
  for (const char* line : {"{}", "[1]", R"({"prompt":"x","completions":"a","ranking":null})",
                           R"({"prompt":"x","completions":["a","b"],"ranking":[0]})",
                           R"({"prompt":"x","completions":["a","b"],"ranking":[0,2]})",
                           R"({"prompt":"x","completions":["a","b"],"ranking":[0,-1]})",
                           R"({"prompt":"x","completions":["a","b"],"ranking":"0,1"})",
                           R"({"prompt":"x","completions":["a",1],"ranking":null})"})
    EXPECT_ANY_THROW(from_line(line)) << line;
  const Item item = from_line(R"({"prompt":"a\nb","completions":["é","\u0000"],"ranking":[1,0]})");
  EXPECT_EQ(from_line(to_line(item)).completions, item.completions);
  EXPECT_THAT(*item.ranking, ElementsAre(1, 0));
}

void run(const Instance& instance, FakeIo& io) {
  tenon_call call{};
  call.struct_size = sizeof call;
  ErrorBuffer err;
  const auto* stage = static_cast<const tenon_stage_vt*>(plugin_component().vt);
  err.check(stage->run(instance.self(), &call, io.raw(), err));
}

// The state between the steps is all that a checkpoint has.
TEST_F(CollectStage, GoesOnFromACheckpointWithTheSameRows) {
  for (const char* options : {kJudged, kPeople}) {
    Lab whole(options, folder_), stopped(options, folder_);
    whole.run();
    const std::vector<Item> items = this->items();
    fs::remove(file());
    std::string state;
    {
      Instance instance(plugin_component(), stopped.host);
      stopped.io.stop_after = 0;
      EXPECT_THROW(run(instance, stopped.io), Error);
      state = instance.save();
    }
    stopped.io.stop_after.reset(), stopped.io.set_first_step(1);
    Instance again(plugin_component(), stopped.host);
    again.load(state);
    try {
      run(again, stopped.io);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), TENON_E_WAITS);
    }
    if (options == kPeople) {
      ASSERT_EQ(this->items().size(), items.size());
      for (size_t k = 0; k < items.size(); ++k) EXPECT_EQ(to_line(this->items()[k]), to_line(items[k]));
    } else {
      ASSERT_EQ(stopped.host.rows.at("ranked").size(), whole.host.rows.at("ranked").size());
      for (size_t k = 0; k < whole.host.rows.at("ranked").size(); ++k)
        EXPECT_EQ(stopped.host.rows.at("ranked")[k].meta_json, whole.host.rows.at("ranked")[k].meta_json);
    }
  }
}

TEST(CollectOptions, ThatContradictEachOther) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options));
  };
  EXPECT_THAT(findings(R"({"temperature": 0})"), ElementsAre(HasSubstr("temperature: ")));
  EXPECT_THAT(findings(R"({"judge_temperature": 1})"), ElementsAre(HasSubstr("judge_temperature: ")));
}

}  // namespace
}  // namespace tenon::test
