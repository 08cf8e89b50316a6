// Tests of the sink console: what it prints to a file, what to a terminal, and its numbers and charts.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "chart.h"
#include "format.h"
#include "tenon/sink.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using testing::HasSubstr;
using testing::Not;
using Options = std::map<std::string, std::string>;

// What `body` makes the sink write to standard output.
template <class Body>
std::string printed(Options options, Body&& body) {
  std::string name = testing::TempDir() + "console_test_XXXXXX";
  int file = mkstemp(name.data());
  unlink(name.c_str());
  int saved = dup(STDOUT_FILENO);
  dup2(file, STDOUT_FILENO);
  {
    tenon::testing::Instance<tenon_sink_vt> sink(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                                 std::move(options));
    body(sink);
  }
  dup2(saved, STDOUT_FILENO);
  close(saved);
  std::string out(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(file, out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
  close(file);
  return out;
}

using Sink = tenon::testing::Instance<tenon_sink_vt>;

void record(Sink& sink, const char* stage, uint64_t step, uint64_t total,
            const std::vector<std::pair<const char*, double>>& values, double seconds) {
  std::vector<const char*> names;
  std::vector<double> numbers;
  for (auto [name, value] : values) names.push_back(name), numbers.push_back(value);
  tenon_record r{sizeof r, 0, "run", stage, step, total, names.size(), names.data(), numbers.data(), seconds};
  tenon::ErrorBuffer err;
  err.check(sink.vt->record(sink.self, nullptr, &r, err));
}
void event(Sink& sink, int32_t kind, const char* stage, const char* text) {
  tenon::ErrorBuffer err;
  err.check(sink.vt->event(sink.self, nullptr, kind, stage, text, err));
}

const Options kPlain = {{"live", "\"never\""}, {"interval", "\"0s\""}}, kLive = {{"live", "\"always\""}};

TEST(Console, PlainLines) {
  std::string out = printed(kPlain, [](Sink& sink) {
    record(sink, "zero", 36, 150,
           {{"accuracy", .8125},
            {"reward/mean", .9},
            {"completion/length_mean", 41.23},
            {"loss", -1.2e-5},
            {"other", 7},
            {"time/tokens_per_second", 12345}},
           10);
    record(sink, "zero", 37, 150, {{"loss", std::nan("")}}, 20);
  });
  EXPECT_EQ(out,
            "zero  37/150  reward 0.900  accuracy 0.812  length 41.2  loss -1.2e-05  12.3k tok/s  ETA 18:50\n"
            "zero  38/150  loss -  ETA 18:40\n");
}

TEST(Console, ARewardThatIsTheAccuracyIsShownOnce) {
  std::string out = printed(kPlain, [](Sink& sink) {
    record(sink, "zero", 0, 3, {{"reward/mean", .5}, {"accuracy", .5}}, 1);
    record(sink, "zero", 1, 3, {{"reward/mean", .75}, {"accuracy", .5}}, 2);
    record(sink, "zero", 2, 3, {{"reward/mean", .5}, {"accuracy", .5}}, 3);
  });
  EXPECT_EQ(out,
            "zero  1/3  accuracy 0.500  ETA 0:02\nzero  2/3  reward 0.750  accuracy 0.500  ETA 0:01\n"
            "zero  3/3  reward 0.500  accuracy 0.500  in 0:03\n");
}

TEST(Console, TheEtaCountsTheStepsOfThisProcessAlone) {
  std::string out = printed(kPlain, [](Sink& sink) { record(sink, "zero", 139, 150, {}, 5); });
  EXPECT_EQ(out, "zero  140/150  ETA 0:50\n") << "resumed at step 140: 5 s a step, 10 to go";
}

TEST(Console, BetweenFirstAndLastLineTheIntervalIsKept) {
  std::string out = printed({{"live", "\"never\""}, {"interval", "\"1h\""}}, [](Sink& sink) {
    for (uint64_t s = 0; s < 100; ++s) record(sink, "base", s, 100, {{"loss", 1.5}}, static_cast<double>(s));
  });
  EXPECT_EQ(out, "base  1/100  loss 1.500  ETA 0:00\nbase  100/100  loss 1.500  in 1:39\n");
}

TEST(Console, UnknownLengthHasNoEta) {
  EXPECT_EQ(printed(kPlain,
                    [](Sink& sink) {
                      record(sink, "x", 0, 0, {{"loss", 2}}, 1);
                    }),
            "x  1  loss 2.000\n");
}

TEST(Console, LiveLineIsRewrittenAndEnded) {
  std::string out = printed(kLive, [](Sink& sink) {
    record(sink, "zero", 0, 2, {{"loss", 2}}, 1);
    record(sink, "zero", 1, 2, {{"loss", 1}}, 2);
    event(sink, TENON_EVENT_STAGE_END, "zero", "done");
  });
  EXPECT_EQ(out,
            "\rzero  1/2  loss 2.000  ETA 0:01\x1b[K\rzero  2/2  loss 1.000  in 0:02\x1b[K\nzero: done\n");
}

TEST(Console, ProgressShowsOnATerminalOnly) {
  auto body = [](Sink& sink) { sink.vt->progress(sink.self, "zero", 3, 8, "rollout"); };
  EXPECT_EQ(printed(kPlain, body), "");
  EXPECT_EQ(printed(kLive, body), "\rzero  · rollout 3/8\x1b[K\n");
}

TEST(Console, EventsAndTables) {
  std::string out = printed(kPlain, [](Sink& sink) {
    event(sink, TENON_EVENT_STAGE_BEGIN, "base", "pretrain, 2000 steps");
    event(sink, TENON_EVENT_STAGE_CACHED, "base", "finished before");
    event(sink, TENON_EVENT_CHECKPOINT, "base", "checkpoint at step 100");
    event(sink, TENON_EVENT_TABLE, "table", "model  accuracy\nbase   0.65");
  });
  EXPECT_EQ(out,
            "base: pretrain, 2000 steps\nbase: finished before\nbase: checkpoint at step 100\nmodel  "
            "accuracy\nbase   0.65\n");
  Options off = kPlain;
  off["table"] = "false";
  EXPECT_EQ(printed(off, [](Sink& sink) { event(sink, TENON_EVENT_TABLE, "table", "model  accuracy"); }), "");
}

TEST(Console, AStageThatGeneratesEndsWithTwoCharts) {
  auto run = [](bool lengths) {
    return [lengths](Sink& sink) {
      event(sink, TENON_EVENT_STAGE_BEGIN, "zero", "begin");
      for (uint64_t s = 0; s < 20; ++s) {
        double x = static_cast<double>(s);
        if (lengths)
          record(sink, "zero", s, 20, {{"accuracy", .5 + .02 * x}, {"completion/length_mean", 20 + x}}, x);
        else
          record(sink, "zero", s, 20, {{"accuracy", .5}}, x);
      }
      event(sink, TENON_EVENT_STAGE_END, "zero", "done");
    };
  };
  std::string out = printed(kPlain, run(true));
  EXPECT_THAT(out, HasSubstr("accuracy  0.510"));
  EXPECT_THAT(out, HasSubstr("completion length  20.5"));
  EXPECT_THAT(printed(kPlain, run(false)), Not(HasSubstr("completion length")));
  Options off = kPlain;
  off["chart"] = "false";
  EXPECT_THAT(printed(off, run(true)), Not(HasSubstr("completion length")));
}

TEST(Console, AClosedOutputDoesNotStopTheRun) {
  int saved = dup(STDOUT_FILENO);
  close(STDOUT_FILENO);
  {
    Sink sink(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), kPlain);
    record(sink, "zero", 0, 2, {{"loss", 2}}, 1);
  }
  dup2(saved, STDOUT_FILENO);
  close(saved);
}

TEST(Format, Numbers) {
  using namespace tenon::console;
  EXPECT_EQ(number(0), "0.000");
  EXPECT_EQ(number(-0.0005), "-5.0e-04");
  EXPECT_EQ(number(999.94), "999.9");
  EXPECT_EQ(number(123456), "123456");
  EXPECT_EQ(number(1e9), "1.00e+09");
  EXPECT_EQ(rate(999), "999");
  EXPECT_EQ(rate(4.5e6), "4.5M");
  EXPECT_EQ(duration(59.6), "1:00");
  EXPECT_EQ(duration(11045), "3:04:05");
  EXPECT_EQ(duration(-1), "-");
  EXPECT_EQ(duration(std::nan("")), "-");
  EXPECT_EQ(first_columns("a·b·c", 3), "a·b");
  EXPECT_EQ(first_columns("ab", 9), "ab");
}

TEST(Format, ANarrowLineKeepsItsEndsAndWhatMattersMost) {
  using tenon::console::fitted;
  const std::vector<tenon::console::Field> fields = {{"accuracy 0.5", 3}, {"length 41", 2}, {"9k tok/s", 1}};
  EXPECT_EQ(fitted("zero  1/9", fields, "ETA 0:07", 54),
            "zero  1/9  accuracy 0.5  length 41  9k tok/s  ETA 0:07");
  EXPECT_EQ(fitted("zero  1/9", fields, "ETA 0:07", 53), "zero  1/9  accuracy 0.5  length 41  ETA 0:07");
  EXPECT_EQ(fitted("zero  1/9", fields, "ETA 0:07", 44), "zero  1/9  accuracy 0.5  length 41  ETA 0:07");
  EXPECT_EQ(fitted("zero  1/9", fields, "ETA 0:07", 43), "zero  1/9  accuracy 0.5  ETA 0:07");
  EXPECT_EQ(fitted("zero  1/9", fields, "ETA 0:07", 1), "zero  1/9  ETA 0:07");
  EXPECT_EQ(fitted("zero · 1", fields, "", 8), "zero · 1");
}

TEST(Chart, RisesFromLeftToRight) {
  tenon::console::Curve curve{"accuracy", {0, 1, 2, 3}, {0, 1, 2, 3}};
  EXPECT_EQ(tenon::console::chart(curve, {.width = 10, .height = 3, .unicode = false}),
            "  accuracy  0.000 -> 3.000\n"
            "     3.000 |   #\n"
            "           |  ##\n"
            "     0.000 | ###\n"
            "            1  4\n");
}

TEST(Chart, LeavesOutWhatIsNotFinite) {
  const double nan = std::nan("");
  EXPECT_EQ(tenon::console::chart({"x", {0, 1, 2}, {nan, 1, nan}}, {}), "");
  EXPECT_NE(tenon::console::chart({"x", {0, 1, 2}, {1, nan, 1}}, {}), "") << "a flat curve is drawn";
}

TEST(Console, AnOptionWithoutEffectIsFound) {
  auto findings = [](std::map<std::string, std::string> options) {
    return tenon::testing::findings_of(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                       std::move(options));
  };
  EXPECT_EQ(findings({{"interval", "\"5s\""}}).size(), 0u);
  EXPECT_EQ(findings({{"interval", "\"5s\""}, {"live", "\"always\""}}),
            std::vector<std::string>{"interval: with live: always no lines are written"});
}

}  // namespace
