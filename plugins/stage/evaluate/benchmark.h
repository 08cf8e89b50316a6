// What a model is measured on: problems, rewards, and which numbers are made of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "answer_votes/answer_votes.h"
#include "evaluation_metrics/bootstrap.h"
#include "pattern/pattern.h"
#include "stage_support/sampled.h"

namespace tenon::evaluate {

// One benchmark as configured: an element of `benchmarks`, or the stage's own options where it has no such list.
struct Benchmark {
  // element: "benchmarks.0.", or empty: the stage.
  Benchmark(const Host& host, const std::string& element);

  std::string element, slot;  // slot: element with slashes, "benchmarks/0/"
  std::string name;
  Dataset data;
  uint64_t samples;
  uint64_t problems;  // 0: all of the data set; until fit()
  std::vector<uint64_t> pass_at, cons_at;
  std::optional<answer_votes::Voting> voting;  // where cons_at has any
  std::string domain;                          // field of a row's meta; empty: none
  std::vector<pattern::NamedPattern> patterns;
  bool several_rewards;

  // The number of problems, once the data set has its rows. Throws Error if it has none.
  void fit();
};

// Options that a stage and an element of `benchmarks` have, but for those that an element takes from the stage.
void check_benchmark(const Host& host, const std::string& element, Findings& findings);

// Of each benchmark, "benchmarks.0."; one empty text where the stage itself is the benchmark.
std::vector<std::string> elements_of(const Host& host);

// The name in a reference, "base" or {"of": "base"}, as the configuration wrote it; else `fallback`.
std::string written_name(const Host& host, const std::string& path, const std::string& fallback);

// "models.1: two models are called base, …", for the first of `names` that an earlier one equals; its index, or names.size().
size_t first_repeated(const std::vector<std::string>& names);

// What both option tables have.
inline constexpr tenon_option kRewardsOption =
    reference("rewards", "reward", nullptr,
              "Rewards of a completion, added up with their weights; the first one is reported as accuracy.",
              {.flags = TENON_O_LIST}, stages::kRewardChildren);
inline constexpr tenon_option kPassAtOption = integer(
    "pass_at", nullptr,
    "The ks of pass@k: the chance that one of k completions at least is right (unbiased, Chen et al. 2021).",
    {.min = "1", .max = "65536", .flags = TENON_O_LIST});
inline constexpr tenon_option kConsAtOption =
    integer("cons_at", nullptr,
            "The ks of cons@k: the chance that the answer given most often by k completions is right.",
            {.min = "1", .max = "65536", .flags = TENON_O_LIST});
inline constexpr tenon_option kVoteOption =
    object("vote", answer_votes::kVoteChildren,
           "Of cons_at: what a completion's answer is, and which are the same.");
inline constexpr tenon_option kDomainOption =
    text("domain", nullptr,
         "Field of a row's meta, such as subject: the accuracy is reported for each of its values, too.");
inline constexpr tenon_option kPatternsOption =
    object("patterns", pattern::kPatternChildren, "Shares of completions that contain something.",
           {.flags = TENON_O_LIST});

inline constexpr OptionTable kBenchmarkChildren{
    text("name", nullptr, "Name in the results; by default that of the data set."),
    reference("data", "dataset", nullptr, "Problems; rows from the beginning, the same for each model.",
              {.flags = TENON_O_REQUIRED}),
    reference("rewards", "reward", nullptr,
              "Rewards of a completion, added up with their weights; the first one is reported as accuracy.",
              {.flags = TENON_O_REQUIRED | TENON_O_LIST}, stages::kRewardChildren),
    integer("problems", nullptr, "As the stage's, which is the default; and so on.",
            {.min = "0", .max = "1000000000", .unit = "problems"}),
    integer("samples", nullptr, "As the stage's.", {.min = "1", .max = "65536", .unit = "completions"}),
    number("temperature", nullptr, "As the stage's.", {.min = "0", .max = "100"}),
    integer("top_k", nullptr, "As the stage's.", {.min = "0", .max = "16777216", .unit = "tokens"}),
    number("top_p", nullptr, "As the stage's.", {.min = "0", .max = "1"}),
    number("min_p", nullptr, "As the stage's.", {.min = "0", .max = "1"}),
    integer("max_new_tokens", nullptr, "As the stage's.", {.min = "1", .max = "16777216", .unit = "tokens"}),
    kPassAtOption,
    kConsAtOption,
    kVoteOption,
    kDomainOption,
    kPatternsOption};

}  // namespace tenon::evaluate
