// Tests of `tenon plot`: points where the numbers say, scales that hold them, errors that name what there is.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <sstream>

#include "host/command_line.h"
#include "host/commands_plot.h"
#include "host/diagnostics.h"
#include "host/files.h"
#include "host/line_chart.h"

namespace tenon::host {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Ticks, AreRoundAndHoldWhatTheyMeasure) {
  EXPECT_THAT(ticks(0, 100), ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(ticks(0, 119), ElementsAre(0, 20, 40, 60, 80, 100, 120)) << "little is left empty";
  EXPECT_THAT(ticks(-3, 3), ElementsAre(-3, -2, -1, 0, 1, 2, 3));
  EXPECT_THAT(ticks(5, 5), ::testing::SizeIs(::testing::Ge(2u))) << "a constant has a scale, too";
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0.031, 0.0391}, {-1e-7, 2e-7}, {0, 0}, {-2.5, -2.4}, {1, 12345678}, {0.1, 0.3}, {119, 120}}) {
    const std::vector<double> t = ticks(low, high);
    EXPECT_LE(t.front(), low);
    EXPECT_GE(t.back(), high);
    EXPECT_GE(t.size(), 4u);
    EXPECT_LE(t.size(), 10u);
    for (size_t k = 2; k < t.size(); ++k) EXPECT_NEAR((t[k] - t[k - 1]) / (t[1] - t[0]), 1, 1e-6);
  }
}

// Steps that a double cannot tell apart, or that are no numbers, would be added for ever.
TEST(Ticks, OfNumbersThatAreNearlyTheSameOrVeryLarge) {
  const double most = std::numeric_limits<double>::max(), least = std::numeric_limits<double>::denorm_min();
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{0.7, std::nextafter(0.7, 1)},
                                                                        {1e17, 1e17 + 16},
                                                                        {1, 1 + 1e-9},
                                                                        {-most, most},
                                                                        {most, most},
                                                                        {0, least},
                                                                        {-least, 0}}) {
    const std::vector<double> t = ticks(low, high);
    EXPECT_GE(t.size(), 2u) << low;
    EXPECT_LE(t.size(), 12u) << low;
    for (size_t k = 1; k < t.size(); ++k) EXPECT_LT(t[k - 1], t[k]) << low;
  }
}

TEST(Chart, APointStandsWhereItsNumbersSay) {
  const LineChart chart{
      "a & b", "step", {{"x<y", {{0, 0}, {50, 100}, {100, 50}}, false}, {"r", {{0, -1}, {100, 1}}, true}}};
  const std::string text = svg(chart);
  EXPECT_THAT(text, HasSubstr("points=\"80.00,390.00 410.00,40.00 740.00,215.00\""));
  EXPECT_THAT(text, HasSubstr("stroke-dasharray=\"7 4\" points=\"80.00,390.00 740.00,40.00\""));
  EXPECT_THAT(text,
              AllOf(HasSubstr("<title>a &amp; b</title>"), HasSubstr("x&lt;y"), HasSubstr("r (right)")));
  EXPECT_EQ(count(text, "<polyline"), 2u);
  EXPECT_EQ(count(text, "<circle"), 5u);
  EXPECT_EQ(svg(chart), text);
}

class Plot : public ::testing::Test {
 protected:
  void SetUp() override {
    run_ = std::filesystem::temp_directory_path() / ("tenon-plot-" + std::to_string(::getpid()));
    std::filesystem::create_directory(run_);
    write_file(run_ / "config.yaml", "run: {name: some}\n");
    write_file(run_ / "metrics.jsonl", R"({"stage":"base","step":0,"loss":3.5}
{"stage":"ppo","step":0,"loss":0.1,"held_out/accuracy":0.94,"held_out/reward/score/mean":0.3}
{"stage":"ppo","step":1,"loss":null}
{"stage":"ppo","step":2,"loss":0.2,"held_out/accuracy":0.85,"held_out/reward/score/mean":0.9}
{"stage":"ppo","step":3,"loss":0.)");
  }
  void TearDown() override { std::filesystem::remove_all(run_); }
  std::string plot(std::vector<std::string> metrics, std::vector<std::string> right = {},
                   const std::string& stage = "") {
    std::ostringstream out;
    EXPECT_EQ(plot_command({run_, std::move(metrics), std::move(right), stage, {}, false}, out), kExitOk);
    return out.str();
  }
  std::string error(std::vector<std::string> metrics, const std::string& stage = "") {
    try {
      std::ostringstream out;
      plot_command({run_, std::move(metrics), {}, stage, {}, false}, out);
    } catch (const UserError& e) {
      return e.what();
    }
    return "no error";
  }
  std::filesystem::path run_;
};

TEST_F(Plot, ScoreAndTruthEachByItsScale) {
  const std::string text = plot({"held_out/accuracy"}, {"held_out/reward/score/mean"});
  EXPECT_THAT(text, AllOf(HasSubstr("held_out/accuracy<"), HasSubstr("held_out/reward/score/mean (right)"),
                          HasSubstr(": ppo<")));
  EXPECT_EQ(count(text, "<circle"), 4u) << "two points each";
}

TEST_F(Plot, NullAndALineThatIsBeingWrittenAreNoPoints) {
  EXPECT_EQ(count(plot({"loss"}, {}, "ppo"), "<circle"), 2u);
}

TEST_F(Plot, TheFileHoldsWhatIsOtherwisePrinted) {
  const std::filesystem::path file = run_ / "a.svg";
  std::ostringstream out;
  EXPECT_EQ(plot_command({run_, {"held_out/accuracy"}, {}, "", file, false}, out), kExitOk);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(read_file(file), plot({"held_out/accuracy"}));
}

TEST_F(Plot, TheSameNumbersAsJson) {
  std::ostringstream out;
  EXPECT_EQ(plot_command({run_, {"loss"}, {"held_out/accuracy"}, "ppo", {}, true}, out), kExitOk);
  EXPECT_EQ(out.str(),
            "{\"stage\":\"ppo\",\"metrics\":{\"loss\":[[0,0.1],[2,0.2]],\"held_out/"
            "accuracy\":[[0,0.94],[2,0.85]]}}\n");
}

TEST_F(Plot, ErrorsNameWhatThereIs) {
  EXPECT_THAT(error({}), AllOf(HasSubstr("--metrics NAME,NAME is missing"), HasSubstr("base: loss"),
                               HasSubstr("ppo: held_out/accuracy, ")));
  EXPECT_THAT(error({"loss"}), HasSubstr("several stages have these metrics: base, ppo"));
  EXPECT_THAT(error({"loss"}, "pop"), HasSubstr("Did you mean \"ppo\"? It has: base, ppo"));
  EXPECT_THAT(error({"held_out/acuracy"}, "ppo"), HasSubstr("Did you mean \"held_out/accuracy\"?"));
  EXPECT_THAT(error({"loss", "no"}),
              AllOf(HasSubstr("no stage of this run has loss, no"), HasSubstr("base: loss")));
  write_file(run_ / "metrics.jsonl", "nothing\n");
  EXPECT_THAT(error({"loss"}), HasSubstr("metrics.jsonl:1: "));
}

}  // namespace
}  // namespace tenon::host
