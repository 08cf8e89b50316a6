// The window of outcomes: what it names is of it, and found again after a checkpoint.
// SPDX-License-Identifier: Apache-2.0
#include "host/failure_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <stdexcept>

#include "host/json_text.h"

namespace tenon::host {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

struct Steps {
  FailureWindow window;
  uint64_t next = 0;
  // A step of `failed` samples with this reason, then `valid` ones.
  std::vector<std::pair<uint64_t, std::string>> step(uint64_t failed, const std::string& reason,
                                                     uint64_t valid) {
    for (uint64_t i = 0; i < failed; ++i, ++next)
      window.add_failed(next, next / 16, reason, "record " + std::to_string(next));
    for (uint64_t i = 0; i < valid; ++i) window.add_valid(next++);
    return window.end_step();
  }
};

TEST(FailureWindow, CountsTheReasonsOfItsOwnSamplesAlone) {
  Steps s;
  s.step(100, "no compiler", 0);
  s.step(10, "too slow", 150);
  EXPECT_EQ(s.window.size(), 200u);
  EXPECT_EQ(s.window.failed(), 50u);
  EXPECT_EQ(s.window.commonest_reasons(),
            "\n  40 times: no compiler (sample 0)\n  10 times: too slow (sample 100)");
  s.step(3, "too slow", 40);
  EXPECT_EQ(s.window.failed(), 10u);
  EXPECT_EQ(s.window.commonest_reasons(), "\n  10 times: too slow (sample 260)")
      << "nothing of before, and a sample that is among them";
}

TEST(FailureWindow, ReasonsThatDifferInTheirDataAreOne) {
  Steps s;
  for (int i = 0; i < 44; ++i)
    s.step(1, "py crashed: bad.py:5: no luck with " + std::to_string(i) + "+4=", 0);
  s.step(4, "math refused: \"(((\" cannot be read", 0);
  s.step(5, "py crashed: bad.py:9: no luck with 1+4=", 0);
  EXPECT_EQ(s.window.commonest_reasons(),
            "\n  44 times: py crashed: bad.py:5: no luck with 0+4= (sample 0)"
            "\n  5 times: py crashed: bad.py:9: no luck with 1+4= (sample 48)"
            "\n  4 times: math refused: \"(((\" cannot be read (sample 44)");
  const FailureWindow again = FailureWindow::of_json(s.window.to_json());
  EXPECT_EQ(again.commonest_reasons(), s.window.commonest_reasons());
}

TEST(FailureWindow, GivesTheRecordOfEachSampleThatItNames) {
  Steps s;
  EXPECT_THAT(s.step(2, "a", 1), ElementsAre(Pair(0, "record 0")));
  EXPECT_THAT(s.step(2, "a", 1), SizeIs(0)) << "sample 0 still stands for it";
  EXPECT_THAT(s.step(1, "b", 199), ElementsAre(Pair(6, "record 6")));
  EXPECT_THAT(s.step(1, "a", 0), ElementsAre(Pair(206, "record 206"))) << "the others have left";
  EXPECT_EQ(s.window.commonest_reasons(), "\n  1 times: a (sample 206)");
}

TEST(FailureWindow, ReasonsOfOneSampleEachGiveFewRecords) {
  FailureWindow window;
  for (uint64_t i = 0; i < 1000; ++i) window.add_failed(i, i, "reason x" + std::to_string(i), "");
  EXPECT_THAT(window.end_step(), SizeIs(FailureWindow::kMaxSamples));
  EXPECT_EQ(window.size(), 1000u) << "all of a long step";
  EXPECT_THAT(window.commonest_reasons(),
              testing::StartsWith("\n  744 times: other reasons\n  1 times: reason x0"));
}

TEST(FailureWindow, TheOrderWithinAStepChangesNothing) {
  FailureWindow up, down;
  for (uint64_t i = 0; i < 600; ++i) {
    up.add_failed(i, i, "reason x" + std::to_string(i / 2), std::to_string(i));
    down.add_failed(599 - i, 599 - i, "reason x" + std::to_string((599 - i) / 2), std::to_string(599 - i));
  }
  EXPECT_EQ(up.end_step(), down.end_step());
  EXPECT_EQ(up.to_json(), down.to_json());
}

TEST(FailureWindow, IsTheSameAfterACheckpoint) {
  Steps s;
  s.step(100, "no compiler", 7);
  s.step(10, "too slow", 120);
  Steps again{FailureWindow::of_json(boost::json::parse(json_text(s.window.to_json()))), s.next};
  EXPECT_EQ(again.window.commonest_reasons(), s.window.commonest_reasons());
  EXPECT_EQ(again.window.failed_groups(), s.window.failed_groups());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(again.step(20, "too slow", 40), s.step(20, "too slow", 40));
    EXPECT_EQ(again.window.to_json(), s.window.to_json());
  }
}

TEST(FailureWindow, KnowsHowManyGroupsFailed) {
  Steps s;
  s.step(32, "no gold", 0);
  EXPECT_EQ(s.window.failed_groups(), 2u);
  s.step(3, "no gold", 197);
  EXPECT_EQ(s.window.failed_groups(), 1u) << "of the last samples alone";
  FailureWindow same;
  for (uint64_t step = 0; step < 3; ++step) {
    for (uint64_t i = 0; i < 4; ++i) same.add_failed(4 * step + i, i % 2, "no gold", "");
    same.end_step();
  }
  EXPECT_EQ(same.failed_groups(), 6u) << "a group of another step is another";
  const FailureWindow old = FailureWindow::of_json(boost::json::parse(
      R"({"outcomes":"00","failed":[[1,0],[9,0]],"reasons":[{"text":"a","sample":null}]})"));
  EXPECT_EQ(old.failed_groups(), 1u) << "written before groups were";
}

TEST(FailureWindow, UnderstandsWindowsWithoutReasons) {
  const FailureWindow old = FailureWindow::of_json("0110");
  EXPECT_EQ(old.size(), 4u);
  EXPECT_EQ(old.failed(), 2u);
  EXPECT_THAT(old.commonest_reasons(), testing::HasSubstr("2 times: not known: it was before a resume"));
  EXPECT_EQ(FailureWindow::of_json("11").commonest_reasons(), "");
}

TEST(FailureWindow, RefusesWhatItDidNotWrite) {
  for (const char* text : {"3", "{}", "\"012\"", R"({"outcomes":"0","failed":[],"reasons":[]})",
                           R"({"outcomes":"0","failed":[[1,0]],"reasons":[]})",
                           R"({"outcomes":"0","failed":[[1,-1]],"reasons":[{"text":"a","sample":null}]})",
                           R"({"outcomes":"0","failed":[[1,0]],"reasons":[{"text":"a","sample":"1"}]})"})
    EXPECT_THROW(FailureWindow::of_json(boost::json::parse(text)), std::invalid_argument) << text;
}

}  // namespace
}  // namespace tenon::host
