// Options of benchmarks.
// SPDX-License-Identifier: Apache-2.0
#include "benchmark.h"

#include <algorithm>

#include "evaluation_metrics/pass_at_k.h"
#include "stage_support/row_check.h"

namespace tenon::evaluate {
namespace {

// Numbers that the stage itself reports, and what the host writes beside them.
constexpr std::string_view kReserved[] = {
    "accuracy", "accuracy_low", "accuracy_high",  "reward", "length", "prompt_length", "truncated",
    "samples",  "not_judged",   "vote_conflicts", "cost",   "stage",  "step"};

std::string slashed(std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  return path;
}

std::vector<uint64_t> numbers(const Host& host, const std::string& list) {
  std::vector<uint64_t> out(host.count(list.c_str()));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint64_t>(host.i64((list + "." + std::to_string(i)).c_str()));
  return out;
}

// No k above the number of samples, none twice.
void check_ks(const Host& host, const std::string& list, uint64_t samples, bool counts_subsets,
              Findings& findings) {
  const std::vector<uint64_t> ks = numbers(host, list);
  for (size_t i = 0; i < ks.size(); ++i) {
    const std::string option = list + "." + std::to_string(i), k = std::to_string(ks[i]);
    if (ks[i] > samples)
      findings.error(option.c_str(), k + " completions of a problem are looked at, and there are samples: " +
                                         std::to_string(samples));
    else if (counts_subsets && ks[i] < samples && samples > evaluation_metrics::kMostSamples)
      findings.error(option.c_str(), "a vote of fewer than all samples needs samples: " +
                                         std::to_string(evaluation_metrics::kMostSamples) +
                                         " or fewer, not " + std::to_string(samples));
    if (std::find(ks.begin(), ks.begin() + static_cast<ptrdiff_t>(i), ks[i]) !=
        ks.begin() + static_cast<ptrdiff_t>(i))
      findings.error(option.c_str(), k + " is there twice");
  }
}

}  // namespace

std::string written_name(const Host& host, const std::string& path, const std::string& fallback) {
  std::string json = host.json(path.c_str());
  if (!json.empty() && json.front() == '"') return *json::text_field("{\"of\":" + json + "}", "of");
  return json::text_field(json, "of").value_or(fallback);
}

size_t first_repeated(const std::vector<std::string>& names) {
  for (size_t i = 1; i < names.size(); ++i)
    if (std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<ptrdiff_t>(i))
      return i;
  return names.size();
}

std::vector<std::string> elements_of(const Host& host) {
  std::vector<std::string> out;
  for (uint64_t i = 0; i < host.count("benchmarks"); ++i)
    out.push_back("benchmarks." + std::to_string(i) + ".");
  if (out.empty()) out.emplace_back();
  return out;
}

Benchmark::Benchmark(const Host& host, const std::string& at)
    : element(at),
      slot(slashed(at)),
      name(host.str_if(at.empty() ? "benchmark" : (at + "name").c_str())
               .value_or(written_name(host, at + "data", "data"))),
      data(host.get_component<Dataset>(slot + "data")),
      samples(static_cast<uint64_t>(stages::integer_of(host, at, "samples"))),
      problems(static_cast<uint64_t>(stages::integer_of(host, at, "problems"))),
      pass_at(numbers(host, at + "pass_at")),
      cons_at(numbers(host, at + "cons_at")),
      domain(host.str_if((at + "domain").c_str()).value_or("")),
      patterns(pattern::read_patterns(host, (at + "patterns").c_str())),
      several_rewards(host.count((at + "rewards").c_str()) > 1) {
  answer_votes::Voting votes(host, at + "vote");
  if (!cons_at.empty()) voting.emplace(std::move(votes));
  if (problems == 0 && stages::is_endless(data))
    throw Error(TENON_E_INVALID,
                at + "problems: 0 means all of them, and the data set has no end: give a number");
}

void Benchmark::fit() {
  const uint64_t count = data.count();
  if (count != TENON_COUNT_UNBOUNDED) problems = problems == 0 ? count : std::min(problems, count);
  if (problems == 0) throw Error(TENON_E_INVALID, "benchmark " + name + ": its data set has no rows");
}

void check_benchmark(const Host& host, const std::string& at, Findings& findings) {
  if (stages::number_of(host, at, "temperature") == 0)
    for (const char* filter : {"top_k", "top_p", "min_p"}) {
      if (!at.empty())
        findings.no_effect((at + filter).c_str(),
                           "with temperature: 0 the most likely token is always taken");
      if (elements_of(host).size() == 1)
        findings.no_effect(filter, "with temperature: 0 the most likely token is always taken");
    }
  if (host.count((at + "rewards").c_str()) == 1)
    findings.no_effect((at + "rewards.0.weight").c_str(), "the sum is reported of several rewards only");
  const auto samples = static_cast<uint64_t>(stages::integer_of(host, at, "samples"));
  check_ks(host, at + "pass_at", samples, false, findings);
  check_ks(host, at + "cons_at", samples, true, findings);
  if (host.count((at + "cons_at").c_str()) > 0)
    answer_votes::check_vote(host, at + "vote", findings);
  else
    for (const tenon_option& option : answer_votes::kVoteChildren.items)
      findings.no_effect((at + "vote." + option.name).c_str(), "only cons_at counts votes");
  std::vector<std::string> estimates;
  for (const char* kind : {"pass", "cons"})
    for (const uint64_t k : numbers(host, at + kind + "_at"))
      for (const char* end : {"", "_low", "_high", "_problems"})
        estimates.push_back(std::string(kind) + "@" + std::to_string(k) + end);
  std::vector<std::string_view> reserved(std::begin(kReserved), std::end(kReserved));
  reserved.insert(reserved.end(), estimates.begin(), estimates.end());
  pattern::check_patterns(host, (at + "patterns").c_str(), reserved, "the results have a number", findings);
  for (uint64_t i = 0; i < host.count((at + "patterns").c_str()); ++i) {
    const std::string option = at + "patterns." + std::to_string(i) + ".name",
                      name = host.str(option.c_str());
    for (const char* parts : {"accuracy/", "accuracy_low/", "accuracy_high/", "reward/"})
      if (name.starts_with(parts))
        findings.error(option.c_str(), "numbers of domains and rewards begin with " + std::string(parts) +
                                           ": give it another name");
  }
}

}  // namespace tenon::evaluate
