// What a Python reward costs besides its function: the start of its process, and 512 completions of 4 KiB there and back.
// SPDX-License-Identifier: Apache-2.0
//
// python_worker_bench [INTERPRETER]    (default: python3)

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "worker.h"

namespace {

using Clock = std::chrono::steady_clock;
using tenon::python::SampleText;
using tenon::python::Worker;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void print(const char* what, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  std::printf("%-48s least %7.2f ms, median %7.2f ms, most %7.2f ms of %zu\n", what, times.front(),
              times[times.size() / 2], times.back(), times.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string interpreter = argc > 1 ? argv[1] : "python3";
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("tenon_bench_" + std::to_string(::getpid()) + ".py");
  std::ofstream(file) << "def reward(completions, **columns):\n    return [0.0] * len(completions)\n";

  std::vector<double> starts;
  for (int i = 0; i < 20; ++i) {
    Worker worker(interpreter, file, "reward");
    const auto begin = Clock::now();
    worker.start();
    starts.push_back(milliseconds_since(begin));
  }
  print("start, with the import of an empty file", starts);

  for (const bool has_tokens : {false, true}) {
    Worker worker(interpreter, file, "reward");
    std::vector<std::string> completions;
    for (size_t i = 0; i < 512; ++i) completions.emplace_back(4096, static_cast<char>('a' + i % 26));
    const std::vector<int32_t> tokens(1024, 7);
    std::vector<SampleText> samples;
    for (const std::string& c : completions)
      samples.push_back({"a prompt of some words", c, R"({"answer":"18","source":"bench"})",
                         has_tokens ? std::span<const int32_t>(tokens) : std::span<const int32_t>()});
    worker.score(samples, std::chrono::seconds(60));
    std::vector<double> calls;
    for (int i = 0; i < 100; ++i) {
      const auto begin = Clock::now();
      const auto out = worker.score(samples, std::chrono::seconds(60));
      calls.push_back(milliseconds_since(begin));
      if (out[511].status != TENON_R_OK) return std::fprintf(stderr, "%s\n", out[511].why.c_str()), 1;
    }
    print(has_tokens ? "512 x 4 KiB and 1,024 token ids, there and back" : "512 x 4 KiB, there and back",
          calls);
  }
  std::filesystem::remove(file);
}
