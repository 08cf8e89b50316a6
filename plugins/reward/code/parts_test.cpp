// Tests of the parts that run outside the box: what is read of completions, rows and answers, and how results compare.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>

#include "completion.h"
#include "cpp_function.h"
#include "output.h"
#include "stdio_tests.h"
#include "value.h"
#include "verdict.h"

namespace tenon::code {
namespace {

std::string length(uint64_t n) {
  return std::string(reinterpret_cast<const char*>(&n), sizeof n);
}

TEST(Answers, RoundTrip) {
  Value number = Value::of(std::string("-ff"));
  number.kind = Value::Kind::kInt;
  const Value v = Value::dict({{"a", Value::list({Value::none(), Value::of(true), number})}});
  const auto back = decode(encode(v));
  ASSERT_TRUE(back);
  EXPECT_TRUE(equals(*back, v, 0));
  EXPECT_EQ(encode(*back), encode(v));
}

TEST(Answers, WhatIsNoValueIsNone) {
  for (const std::string& bytes :
       {std::string(), std::string("NN"), std::string("l"), "l" + length(1), "l" + length(~0ULL),
        "s" + length(5) + "four", "i" + length(0), "i" + length(2) + "0f", "i" + length(2) + "-g",
        "d" + length(1) + "N", std::string("f1234"), std::string("x")})
    EXPECT_FALSE(decode(bytes)) << bytes;
  std::string deep = "N";
  for (int k = 0; k < 200; ++k) deep = "l" + length(1) + deep;
  EXPECT_FALSE(decode(deep));
}

TEST(Answers, TakeAsManyValuesAsTheJudgeHasRoomFor) {
  constexpr uint64_t kMost = 1 << 20;
  EXPECT_TRUE(decode("l" + length(kMost - 1) + std::string(kMost - 1, 'N')));
  EXPECT_FALSE(decode("l" + length(kMost) + std::string(kMost, 'N')));
  std::string frames;
  for (uint64_t k = 0; k < 3; ++k) {
    const std::string body = "l" + length(kMost / 2 - 1) + std::string(kMost / 2 - 1, 'N');
    frames += length(body.size()) + body;
  }
  EXPECT_EQ(decode_frames(frames).size(), 2u) << "all frames together";
}

TEST(Answers, CompareAsPythonDoes) {
  const auto integer = [](const char* hex) {
    Value v = Value::of(std::string(hex));
    v.kind = Value::Kind::kInt;
    return v;
  };
  const auto real = [](double x) {
    Value v;
    v.kind = Value::Kind::kFloat;
    v.real = x;
    return v;
  };
  EXPECT_TRUE(equals(Value::of(true), integer("1"), 0));
  EXPECT_TRUE(equals(real(1), integer("1"), 0));
  EXPECT_FALSE(equals(real(1 + 1e-9), integer("1"), 1e-6)) << "an integer is exact";
  EXPECT_TRUE(equals(real(1 + 1e-9), real(1), 1e-6));
  EXPECT_FALSE(equals(real(NAN), real(NAN), 1e-6));
  EXPECT_FALSE(equals(real(INFINITY), real(1e308), 1e-6));
  Value tuple = Value::list({integer("1")});
  tuple.kind = Value::Kind::kTuple;
  EXPECT_FALSE(equals(tuple, Value::list({integer("1")}), 0));
  Value a = Value::list({real(1), real(2 + 1e-9)}), b = Value::list({real(2), real(1)});
  a.kind = b.kind = Value::Kind::kSet;
  EXPECT_TRUE(equals(a, b, 1e-6)) << "sets have no order, and are compared within the tolerance";
}

TEST(Output, ByTokensLinesAndBytes) {
  EXPECT_TRUE(same_output("1  2 \n\n", "1 2\n", Compare::kTokens, 0));
  EXPECT_FALSE(same_output("1\n2\n", "1 2\n", Compare::kTokens, 0));
  EXPECT_TRUE(same_output("0.3333333", "0.3333333333", Compare::kTokens, 1e-6));
  EXPECT_FALSE(same_output("2.9999999", "3", Compare::kTokens, 1e-6)) << "an integer is exact";
  EXPECT_FALSE(same_output("nan", "1.0", Compare::kTokens, 1e-6));
  EXPECT_FALSE(same_output("1  2\n", "1 2\n", Compare::kLines, 0));
  EXPECT_FALSE(same_output("1", "1\n", Compare::kExact, 0));
  EXPECT_FALSE(same_output("1", "1\n2\n", Compare::kTokens, 0)) << "a prefix is not enough";
}

TEST(Completion, WhereTheCodeIs) {
  const std::vector<std::string_view> python{"python", "py"};
  EXPECT_EQ(last_block("```python\na\n```\n```python\nb\n```\n", python)->code, "b\n");
  EXPECT_EQ(last_block("```python\na\n```\nprints\n```\nb\n```\n", python)->code, "a\n");
  EXPECT_EQ(last_block("```\na\n```\n```cpp\nb\n```\n", python)->code, "a\n");
  EXPECT_EQ(last_block("~~~py\na\n```\n~~~\n", python)->code, "a\n```\n");
  EXPECT_EQ(last_block("```python\na\n", python)->code, "a\n") << "one that is not closed";
  EXPECT_FALSE(last_block("```cpp\nb\n```\n", python));
  EXPECT_EQ(after_thought("<think>a</think>b</think>c"), "c");
  EXPECT_EQ(after_thought("\n<think>a"), "") << "a thought that does not end";
  EXPECT_EQ(after_thought("print('<think>')"), "print('<think>')");
}

TEST(CppFunction, HeadsOfPublishedForms) {
  FunctionHead head;
  std::string why;
  ASSERT_TRUE(read_head(
      "#include <vector>\nusing namespace std;\n// f(x) {\nvector<int> f(vector<int> a, int b = 3){\n", head,
      why))
      << why;
  EXPECT_EQ(head.name, "f");
  EXPECT_EQ(head.text, "vector<int> f(vector<int> a, int b = 3)");
  EXPECT_EQ(head.parameters, (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(
      read_head("int g(int x) { return x; }\nmap<int, int> f() {\n    map<int, int> out;\n", head, why))
      << why;
  EXPECT_EQ(head.name, "f");
  EXPECT_TRUE(head.parameters.empty());
  for (const char* none : {"", "{", "int x;", "int f(int x);", "int f(int) {", "int f(int ]) {"})
    EXPECT_FALSE(read_head(none, head, why)) << none;
}

TEST(CppFunction, CodeThatDefinesItIsTheProgram) {
  const CppTests tests{"#include <string>\nint f(int x){\n", "#include <string>\n", ""};
  EXPECT_EQ(join_cpp(tests, "int f(int x) { return x; }\n").find("int f(int x){\n"), std::string::npos);
  EXPECT_NE(join_cpp(tests, "  if (f(x - 1) == 2) { return 1; }\n}\n").find("int f(int x){\n"),
            std::string::npos);
}

TEST(CppFunction, ReadingIsLinear) {
  const CppTests tests{"int f(int x){\n", "", ""};
  std::string calls, includes_text;
  for (int k = 0; k < 200'000; ++k) calls += "f(", includes_text += "#include";
  EXPECT_FALSE(join_cpp(tests, calls).empty());
  EXPECT_FALSE(includes(includes_text, "openssl/"));
}

TEST(Verdicts, ReasonsAreOneLineOfText) {
  EXPECT_EQ(printable("a\nb\x1b\xff"), "a b \xef\xbf\xbd");
  EXPECT_EQ(last_line("x\ny\n\n"), "y");
}

TEST(Verdicts, OfEnds) {
  const Limits limits;
  sandbox::Outcome o;
  EXPECT_EQ(classify(o, "", limits).first, Verdict::kSandboxError) << "an end that nobody knows";
  o.timed_out = true;
  EXPECT_EQ(classify(o, "", limits).first, Verdict::kSandboxError) << "the box did not kill it";
  o.timed_out = false;
  o.reported = true;
  EXPECT_EQ(classify(o, "", limits).first, Verdict::kOk);
  o.report.error = EMFILE;
  EXPECT_EQ(classify(o, "", limits).first, Verdict::kSandboxError);
  o.report.error = 0;
  o.report.status = 1 << 8;
  EXPECT_EQ(classify(o, "SyntaxError: x", limits).first, Verdict::kCompileError);
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kRuntimeError);
  o.report.status = SIGKILL;
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kMemory);
  EXPECT_TRUE(deserves_another_try(o, limits)) << "it had taken nothing: the kernel was short of memory";
  o.stopped = true;
  EXPECT_FALSE(deserves_another_try(o, limits));
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kOk) << "killed because its tests had ended";
  o.stopped = false;
  o.report.cpu_us = 4'800'000;
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kTime) << "the kernel's clock ran ahead";
  EXPECT_FALSE(deserves_another_try(o, limits));
  o.report.peak_kib = 1 << 20;
  EXPECT_FALSE(deserves_another_try(o, limits));
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kMemory);
  o.report.cpu_us = 6'000'000;
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kTime);
  o.output_limit = true;
  EXPECT_EQ(classify(o, "x", limits).first, Verdict::kOutputLimit);
  o = {};
  o.reported = true;
  o.report.status = SIGXCPU;
  o.report.cpu_us = 100'000;
  EXPECT_EQ(classify(o, "", limits).first, Verdict::kTime) << "whatever the reported time";
  EXPECT_FALSE(deserves_another_try(o, limits)) << "it was the limit, and nobody's shortage";
}

// Killed at the wall-clock limit.
Printed late(uint64_t cpu_us, uint64_t preempted, double wall_seconds) {
  Printed p;
  p.outcome.reported = p.outcome.timed_out = true;
  p.outcome.wall_seconds = wall_seconds;
  p.outcome.report.status = SIGKILL;
  p.outcome.report.cpu_us = cpu_us;
  p.outcome.report.preempted = preempted;
  return p;
}

TEST(Verdicts, WhoSleptIsNotTriedAgain) {
  const Limits limits;
  EXPECT_FALSE(deserves_another_try(late(20'000, 8, 12).outcome, limits)) << "asleep";
  EXPECT_FALSE(deserves_another_try(late(2'000'000, 20, 12).outcome, limits)) << "asleep after computing";
  EXPECT_TRUE(deserves_another_try(late(2'000'000, 500, 12).outcome, limits)) << "it waited for a processor";
  EXPECT_FALSE(deserves_another_try(late(5'000'000, 500, 12).outcome, limits)) << "it has had its time";
  EXPECT_FALSE(deserves_another_try(late(2'000'000, 500, 36).outcome, limits.patient()));
}

TEST(Verdicts, WhomABusyMachineStarvedIsNotJudged) {
  const Limits limits, last = limits.patient();
  const auto verdict = [](const Printed& p, const Limits& with, bool is_busy) {
    return classify(p.outcome, "", with, is_busy).first;
  };
  for (const double cpu : {0.1, 1.5, 4.9}) {
    const auto used = static_cast<uint64_t>(cpu * 1e6);
    const Printed waited = late(used, 500, 36), slept = late(used, 8, 36);
    EXPECT_EQ(verdict(waited, last, true), Verdict::kSandboxError) << cpu;
    EXPECT_EQ(verdict(waited, last, false), Verdict::kTime) << "its own threads took turns";
    EXPECT_EQ(verdict(slept, last, true), Verdict::kTime) << "it slept";
    EXPECT_EQ(verdict(late(used, 500, 12), limits, true), Verdict::kTime) << "there is a further try";
    Printed unmeasured = waited;
    unmeasured.outcome.report.is_unmeasured = 1;
    EXPECT_EQ(verdict(unmeasured, last, true), Verdict::kTime) << "nobody knows what it used";
  }
  EXPECT_EQ(verdict(late(5'000'000, 500, 36), last, true), Verdict::kTime) << "it has had its time";
  EXPECT_NE(classify(late(1'500'000, 500, 36).outcome, "", last, true).second.find("1.5 s of its 5 s"),
            std::string::npos);
}

TEST(Verdicts, ASampleHasOneFurtherTry) {
  Settings settings;
  settings.all_tests = true;
  const std::vector<std::string> tests(10, "1");
  std::vector<double> walls;
  const Result r = judge_printed(tests, tests, settings, [&](const std::string&, const Limits& limits) {
    walls.push_back(limits.wall_seconds);
    return late(2'000'000, walls.size() == 1 ? 2000 : 8, limits.wall_seconds);  // only at first did it wait
  });
  EXPECT_EQ(walls, (std::vector<double>{12, 36, 12, 12})) << "the third time-out is the last";
  EXPECT_EQ(r.verdict, Verdict::kTime);
  EXPECT_NE(r.detail.find("36 s, in a second try"), std::string::npos) << r.detail;
}

}  // namespace
}  // namespace tenon::code
