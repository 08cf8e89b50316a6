// Reward `code` on published suites: do the reference solutions pass, do empty and wrong ones fail, how fast is it. TENON_DATA names the folder with
// humaneval/ and mbpp/ (JSON Lines as published). Arguments: parts of suite names; without any, all.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>

#include "testing/rows.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Reward = tenon::testing::Instance<tenon_reward_vt>;
using tenon::json::quote;

struct Row {
  std::string name, meta, solution;
};
using Outcome = tenon::testing::Verdict;

std::vector<Outcome> score(const Reward& reward, const std::vector<Row>& rows,
                           const std::function<std::string(const Row&)>& completion) {
  std::vector<tenon::code::testing::Row> all;
  for (const Row& row : rows) all.push_back({completion(row), row.meta, ""});
  return tenon::code::testing::judge_rows(reward, all);
}

std::vector<Row> read(const std::string& file,
                      const std::function<std::string(const std::string&)>& solution) {
  std::vector<Row> rows;
  std::ifstream in(file);
  if (!in) std::printf("%s: not there\n", file.c_str());
  for (std::string line; std::getline(in, line);) {
    const std::string id = tenon::json::text_field(line, "task_id").value_or("?");
    rows.push_back({id, line, solution(line)});
  }
  return rows;
}

void report(const char* suite, const char* what, const std::vector<Row>& rows,
            const std::vector<Outcome>& all, bool pass, double seconds) {
  size_t ok = 0, judged = 0;
  for (const Outcome& o : all)
    ok += o.status == TENON_R_OK && o.reward == 1, judged += o.status == TENON_R_OK;
  std::printf("%-18s %-10s %4zu rows %4zu ok %4zu not judged  %7.2f s  %7.1f rows/s\n", suite, what,
              rows.size(), ok, rows.size() - judged, seconds, static_cast<double>(rows.size()) / seconds);
  for (size_t i = 0; i < rows.size(); ++i)
    if (all[i].status != TENON_R_OK || (all[i].reward == 1) != pass)
      std::printf("    %s: %s\n", rows[i].name.c_str(), all[i].why.c_str());
  std::fflush(stdout);
}

void suite(const Reward& reward, const char* name, const std::vector<Row>& rows, const std::string& wrong) {
  std::vector<Row> with;
  for (const Row& r : rows)
    if (!r.solution.empty()) with.push_back(r);
  std::printf("%s: %zu rows, %zu without a reference solution\n", name, rows.size(),
              rows.size() - with.size());
  const std::pair<const char*, std::function<std::string(const Row&)>> kinds[] = {
      {"reference", [](const Row& r) { return r.solution; }},
      {"empty", [](const Row&) { return std::string(); }},
      {"wrong", [&](const Row&) { return wrong; }}};
  for (const auto& [what, completion] : kinds) {
    const auto begin = std::chrono::steady_clock::now();
    const auto all = score(reward, with, completion);
    report(name, what, with, all, std::string(what) == "reference",
           std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
}

std::string numbers(size_t n, bool input) {
  std::string list;
  for (size_t k = 0; k < n; ++k)
    list += (k == 0 ? "" : ",") + quote(std::to_string(input ? k : 2 * k) + "\n");
  return "[" + list + "]";
}

// Many tests of one small program: what a test costs.
void speed(const Reward& reward, const char* language, const std::string& program) {
  constexpr size_t kTests = 500, kRows = 2;
  const auto meta = [&](size_t n) {
    return "{\"tests\":{\"inputs\":" + numbers(n, true) + ",\"outputs\":" + numbers(n, false) + "}}";
  };
  const auto completion = [&](const Row&) {
    return std::string("```") + language + "\n" + program + "```\n";
  };
  const auto seconds = [&](size_t tests) {
    const std::vector<Row> rows(kRows, Row{language, meta(tests), ""});
    const auto begin = std::chrono::steady_clock::now();
    for (const Outcome& o : score(reward, rows, completion))
      if (o.reward != 1) std::printf("    %s\n", o.why.c_str());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  seconds(1);
  const double few = seconds(1), many = seconds(kTests + 1);
  const double each = (many - few) / static_cast<double>(kRows * kTests);
  std::printf("%-7s one test in %.2f ms of two side by side: %.0f tests/s, %.2f ms a test on one processor\n",
              language, each * 1e3, 1 / each, each * 1e3 * 2);
}

}  // namespace

int main(int argc, char** argv) {
  const Reward reward(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                      {{"time", "\"10s\""}, {"workers", "2"}});
  const auto wanted = [&](const std::string& name) {
    for (int k = 1; k < argc; ++k)
      if (name.find(argv[k]) != std::string::npos) return true;
    return argc == 1;
  };
  if (wanted("speed-python")) speed(reward, "python", "print(2 * int(input()))\n");
  if (wanted("speed-cpp"))
    speed(reward, "cpp",
          "#include <cstdio>\nint main() { int a; if (scanf(\"%d\", &a) == 1) printf(\"%d\\n\", 2 * a); }\n");
  const char* data = std::getenv("TENON_DATA");
  if (data == nullptr) {
    std::printf("TENON_DATA is not set: no suites\n");
    return 0;
  }
  const auto field = [](const char* name) {
    return [name](const std::string& line) { return tenon::json::text_field(line, name).value_or(""); };
  };
  const auto fenced = [](const std::string& line) {
    return "```python\n" + tenon::json::text_field(line, "code").value_or("") + "\n```\n";
  };
  const std::string folder = data;
  if (wanted("HumanEval-Python"))
    suite(reward, "HumanEval-Python", read(folder + "/humaneval/python.jsonl", field("canonical_solution")),
          "    return 'wrong'\n");
  if (wanted("MBPP"))
    suite(reward, "MBPP", read(folder + "/mbpp/mbpp.jsonl", fenced), "```python\ndef wrong(): pass\n```\n");
  if (wanted("HumanEval-X-C++"))
    suite(reward, "HumanEval-X-C++", read(folder + "/humaneval/cpp.jsonl", field("canonical_solution")),
          "    throw 1;\n}\n");
  if (wanted("MBXP-C++"))
    suite(reward, "MBXP-C++", read(folder + "/mbpp/mbcpp.jsonl", field("canonical_solution")),
          "    throw 1;\n}\n");
  return 0;
}
