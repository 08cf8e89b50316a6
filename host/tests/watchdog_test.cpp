// The watchdog: what it says of calls that are late and of stages that are quiet, and that it says it again.
// SPDX-License-Identifier: Apache-2.0
#include "host/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <vector>

#include "host/option_values.h"

namespace tenon::host {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::HasSubstr;

// Collects what is said.
class Lines {
 public:
  Watchdog::Say say() {
    return [this](const std::string& line) {
      std::lock_guard lock(mutex_);
      lines_.push_back(line);
      changed_.notify_all();
    };
  }
  // Waits until there are n with this text, and returns them.
  std::vector<std::string> wait(const std::string& text, size_t n) {
    std::unique_lock lock(mutex_);
    std::vector<std::string> found;
    changed_.wait(lock, [&] {
      found.clear();
      for (const std::string& line : lines_)
        if (line.find(text) != std::string::npos) found.push_back(line);
      return found.size() >= n;
    });
    return found;
  }
  size_t size() {
    std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

// The seconds in "… for 20ms …".
double seconds_in(const std::string& line) {
  std::smatch match;
  EXPECT_TRUE(std::regex_search(line, match, std::regex(" for ([0-9a-z]+)"))) << line;
  return parse_duration(match[1].str()).value_or(-1);
}

TEST(Watchdog, NamesACallThatIsLateAtGrowingIntervals) {
  Lines lines;
  Watchdog dog(lines.say(), "stage zero", hours(1));
  {
    const Watchdog::Call call(dog, "reward correct", "256 samples", "run.reward_timeout", milliseconds(5));
    const std::vector<std::string> said = lines.wait("has not returned", 4);
    EXPECT_THAT(said[0], HasSubstr("stage zero: reward correct has not returned for "));
    EXPECT_THAT(said[0], HasSubstr(" (256 samples); run.reward_timeout is 5ms. tenon waits. Ctrl-C"));
    EXPECT_THAT(said[0], HasSubstr("Ctrl-C twice ends the run"));
    for (int k = 0; k < 4; ++k) EXPECT_GE(seconds_in(said[static_cast<size_t>(k)]), 0.00499 * (1 << k));
  }
  EXPECT_EQ(lines.wait("stage zero: reward correct has returned, after ", 1).size(), 1u);
}

TEST(Watchdog, GivesTheAdviceOfTheCall) {
  Lines lines;
  Watchdog dog(lines.say(), "stage zero", hours(1));
  const Watchdog::Call call(
      dog, "reward a", "1 sample", "run.reward_timeout", milliseconds(5), [] { return " sample 7: 1s"; },
      "Ask somebody.");
  EXPECT_THAT(lines.wait("has not returned", 1)[0], HasSubstr("tenon waits. Ask somebody. Ctrl-C twice"));
}

TEST(Watchdog, SaysNothingOfCallsInTimeOrWithoutALimit) {
  Lines lines;
  {
    Watchdog dog(lines.say(), "stage zero", hours(1));
    const Watchdog::Call in_time(dog, "reward a", "1 sample", "run.reward_timeout", hours(1));
    const Watchdog::Call no_limit(dog, "reward b", "1 sample", "run.reward_timeout", {});
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_EQ(lines.size(), 0u);
}

TEST(Watchdog, NamesTheLastSignOfLifeOfAQuietStage) {
  Lines lines;
  Watchdog dog(lines.say(), "stage zero", milliseconds(5));
  const std::vector<std::string> first = lines.wait("no sign of life", 2);
  EXPECT_THAT(first[0], HasSubstr("stage zero: no sign of life for "));
  EXPECT_THAT(first[0], HasSubstr(", since it began. If it hangs: Ctrl-C twice"));
  EXPECT_GE(seconds_in(first[1]), 0.00999);
  dog.alive("step 3 ended");
  EXPECT_GE(lines.wait(", since step 3 ended", 2).size(), 2u);
}

TEST(Watchdog, ACallWithoutALimitIsAQuietStage) {
  Lines lines;
  Watchdog dog(lines.say(), "stage zero", milliseconds(5));
  const Watchdog::Call call(dog, "reward b", "9 samples", "run.reward_timeout", {},
                            [] { return " sample 7: 4s"; });
  EXPECT_GE(lines.wait(", since reward b was given 9 samples; reward b sample 7: 4s. If it hangs", 1).size(),
            1u);
}

TEST(DurationText, IsReadBackAsTheSame) {
  for (const char* text : {"0ms", "250ms", "1s", "59s", "1m", "1m30s", "1h", "2h5m", "48h"}) {
    const auto ms = static_cast<int64_t>(parse_duration(text).value_or(-1) * 1000 + 0.5);
    EXPECT_EQ(duration_text(milliseconds(ms)), text);
  }
}

}  // namespace
}  // namespace tenon::host
