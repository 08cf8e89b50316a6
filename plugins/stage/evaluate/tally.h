// From the completions of one model on one benchmark to its numbers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "benchmark.h"

namespace tenon::evaluate {

// How numbers are made that no benchmark has of its own.
struct Judging {
  double correct_above;  // a completion is right for pass@k and cons@k where the first reward is above this
  bool bootstraps;       // intervals by bootstrap, else Wilson's with clustered errors
  evaluation_metrics::BootstrapSettings bootstrap;
  bool has_price;
  double price_in, price_out;  // of a million tokens
};

class Tally {
 public:
  Tally(const Benchmark& benchmark, const Judging& judging);

  // The completions of some problems, benchmark.samples neighbours each. Returns the answer that each one voted for, empty where it has none or nobody votes.
  std::vector<std::string> add(const stages::Sampled& batch);

  // Calls put(metric, value) for each number, in the order of the results. Throws Error if the first reward judged nothing.
  void report(const std::string& model, const std::function<void(const std::string&, double)>& put) const;

  // All that was counted; `load` of a tally made with the same benchmark and judging counts on from there, to the same bits.
  void save(Writer& w) const;
  void load(Reader& r);

 private:
  using Numbers = std::vector<double>;
  using Problems = std::vector<Numbers>;  // by problem, of the samples that count
  using Put = std::function<void(const std::string&, double)>;
  void vote(const stages::Sampled& batch, uint64_t begin, std::vector<std::string>& answers);
  evaluation_metrics::Interval interval(const Problems& problems) const;
  void put_interval(const std::string& metric, const std::string& part, const Problems& problems,
                    const Put& put) const;
  // The mean and interval of an estimate over those problems that have one, and where these are not all, how many.
  void put_estimate(const std::string& metric, const Numbers& estimates, const Put& put) const;

  const Benchmark& benchmark_;
  const Judging& judging_;
  Problems accuracy_, reward_;
  std::vector<Numbers> pass_, cons_;  // by k: of the problems with so many judged samples
  std::map<std::optional<std::string>, Problems> domains_;  // nothing: rows without the field
  double samples_ = 0, judged_ = 0, prompt_tokens_ = 0, tokens_ = 0, truncated_ = 0, conflicts_ = 0;
  Numbers matches_;                   // by pattern
  Numbers earned_, judged_by_;        // by reward: sum, and number, of the samples for which it is OK
  std::vector<std::string> rewards_;  // as the last batch names them
};

}  // namespace tenon::evaluate
