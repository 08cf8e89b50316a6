// Prints the matrix algorithm × test, and what is red in it.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "matrix.h"
#include "tenon/error.hpp"

namespace {

using namespace tenon::test;

constexpr const char* kUsage =
    "algorithm_matrix [--fault FAULT] [ROW...]\n"
    "Checks every algorithm plugin of the build, or the rows named (grpo, grpo/dapo), and prints the table; "
    "exit code 1 if anything is red.\n"
    "--fault puts that mistake into each algorithm first; then every row should be red whose algorithm "
    "writes "
    "the column. FAULT is sign, missing-mask or mean-of-means, of a column (sign:d_value; d_logprob, "
    "d_entropy, "
    "d_value, advantage, value_target; d_logprob if none is named), or swapped-clip.\n";

std::string cell(const Verdict& v, size_t width) {
  static const bool in_colour = isatty(STDOUT_FILENO) != 0;
  const char* const text = v.is == Verdict::kGreen ? "ok" : v.is == Verdict::kRed ? "RED" : "-";
  const char* const colour = v.is == Verdict::kGreen ? "\033[32m" : v.is == Verdict::kRed ? "\033[1;31m" : "";
  const std::string padding(width - std::string(text).size() + 2, ' ');
  return padding + (in_colour ? colour + std::string(text) + "\033[0m" : text);
}

int run(const std::vector<std::string>& rows, Fault fault) {
  std::vector<Case> cases = all_cases();
  if (!rows.empty())
    std::erase_if(cases,
                  [&](const Case& c) { return std::find(rows.begin(), rows.end(), c.name) == rows.end(); });
  if (cases.empty()) throw tenon::Error("no such row; run algorithm_matrix without arguments to see them");
  size_t name_width = 0;
  if (fault != Fault{}) name_width = name_of(fault).size();
  for (const Case& c : cases) name_width = std::max(name_width, c.name.size());
  std::printf("%-*s", static_cast<int>(name_width), fault == Fault{} ? "" : name_of(fault).c_str());
  for (const std::string& column : columns()) std::printf("  %s", column.c_str());
  std::printf("\n");
  std::string said;
  size_t red_rows = 0;
  for (const Case& c : cases) {
    if (fault != Fault{} && !has_fault(c, fault)) {
      std::printf("%-*s  does not write it\n", static_cast<int>(name_width), c.name.c_str());
      continue;
    }
    const std::vector<Verdict> verdicts = judge(c, fault);
    std::printf("%-*s", static_cast<int>(name_width), c.name.c_str());
    bool red = false;
    for (size_t k = 0; k < verdicts.size(); ++k) {
      std::printf("%s", cell(verdicts[k], columns()[k].size()).c_str());
      if (verdicts[k].is != Verdict::kRed) continue;
      red = true;
      if (fault == Fault{}) said += c.name + ", " + columns()[k] + ": " + verdicts[k].text + "\n";
    }
    std::printf("\n");
    red_rows += red ? 1 : 0;
  }
  std::printf("%s%zu of %zu rows are red.\n", said.empty() ? "" : ("\n" + said + "\n").c_str(), red_rows,
              cases.size());
  return red_rows == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> rows;
  Fault fault;
  for (int k = 1; k < argc; ++k) {
    const std::string argument = argv[k];
    if (argument == "--fault" && k + 1 < argc && fault_of(argv[k + 1]) != Fault{}) {
      fault = fault_of(argv[++k]);
    } else if (argument.starts_with("-")) {
      std::fputs(kUsage, argument == "--help" ? stdout : stderr);
      return argument == "--help" ? 0 : 2;
    } else {
      rows.push_back(argument);
    }
  }
  try {
    return run(rows, fault);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
