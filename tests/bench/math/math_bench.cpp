// How much CPU time a math answer takes. Without an argument: the library's own pairs, a table. With a file of JSON Lines ({"gold", "answer"} or {"gold", "completion"}): one JSON
// line a row, {"verdict", "micros"}, reading the gold included; for side_by_side.py.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "math_answer/math_answer.hpp"

namespace {

using namespace tenon::math_answer;

struct Pair {
  const char *gold, *answer;
};
#include "math_answer/pairs.inc"

template <class F>
double micros(F f) {
  auto now = [] {  // of this thread's CPU
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
  };
  const double start = now();
  f();
  return now() - start;
}

int rows(const char* file) {
  const Policies policies;
  std::ifstream in(file);
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", file);
    return 1;
  }
  for (std::string line; std::getline(in, line);) {
    const auto row = boost::json::parse(line).as_object();
    const std::string gold(row.at("gold").as_string());
    const bool bare = row.contains("answer");
    const std::string text(row.at(bare ? "answer" : "completion").as_string());
    Result r;
    const double time = micros([&] {
      const Gold parsed(gold, policies);
      r = bare ? compare(parsed, text, policies) : judge(parsed, text, policies);
    });
    std::printf("{\"verdict\": \"%s\", \"micros\": %.2f}\n", verdict_name(r.verdict), time);
  }
  return 0;
}

int table() {
  const Policies policies;
  std::vector<double> times;
  for (int round = 0; round < 20; ++round)
    for (const auto* pairs : {&kSame, &kOther})
      for (const Pair& pair : *pairs)
        times.push_back(micros([&] { compare(Gold(pair.gold, policies), pair.answer, policies); }));
  double sum = 0;
  for (double t : times) sum += t;
  std::sort(times.begin(), times.end());
  std::printf(
      "%zu comparisons, each with reading the gold: mean %.1f us, median %.1f us, p99 %.1f us, longest %.1f "
      "us\n",
      times.size(), sum / static_cast<double>(times.size()), times[times.size() / 2],
      times[times.size() * 99 / 100], times.back());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return argc > 1 ? rows(argv[1]) : table();
}
