// Counting.
// SPDX-License-Identifier: Apache-2.0
#include "tally.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluation_metrics/pass_at_k.h"
#include "stage_support/domains.h"

namespace tenon::evaluate {
namespace {

using evaluation_metrics::clustered_mean;
using evaluation_metrics::Interval;

std::string_view text_of(const Ragged<char>& texts, uint64_t i) {
  return {texts[i].data(), texts[i].size()};
}

bool any(const std::vector<std::vector<double>>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const auto& p) { return !p.empty(); });
}

// NaN: nobody knows.
double number_of_tokens(uint64_t n) {
  return n == stages::Sampled::kUnknownTokens ? std::nan("") : static_cast<double>(n);
}

void write(Writer& w, const std::vector<double>& numbers) {
  w.value(uint64_t{numbers.size()});
  w.bytes(numbers.data(), numbers.size() * sizeof(double));
}
void write(Writer& w, const std::vector<std::vector<double>>& lists) {
  w.value(uint64_t{lists.size()});
  for (const std::vector<double>& list : lists) write(w, list);
}

std::vector<double> numbers_of(Reader& r) {
  std::vector<double> numbers(r.value<uint64_t>());
  r.bytes(numbers.data(), numbers.size() * sizeof(double));
  return numbers;
}
std::vector<std::vector<double>> lists_of(Reader& r) {
  std::vector<std::vector<double>> lists(r.value<uint64_t>());
  for (std::vector<double>& list : lists) list = numbers_of(r);
  return lists;
}

}  // namespace

Tally::Tally(const Benchmark& benchmark, const Judging& judging)
    : benchmark_(benchmark),
      judging_(judging),
      pass_(benchmark.pass_at.size()),
      cons_(benchmark.cons_at.size()),
      matches_(benchmark.patterns.size(), 0) {}

std::vector<std::string> Tally::add(const stages::Sampled& batch) {
  const Rollout& r = batch.rollout;
  rewards_ = batch.reward_names;
  earned_.resize(rewards_.size(), 0), judged_by_.resize(rewards_.size(), 0);
  std::vector<std::string> answers(r.size());
  for (uint64_t begin = 0; begin < r.size(); begin += benchmark_.samples) {
    std::vector<double> accuracy, reward;
    for (uint64_t i = begin; i < begin + benchmark_.samples; ++i) {
      ++samples_;
      prompt_tokens_ += number_of_tokens(batch.prompt_len(i));
      tokens_ += number_of_tokens(batch.completion_len(i));
      truncated_ += r.finish[i] == TENON_FINISH_LENGTH ? 1 : 0;
      if (std::isfinite(batch.first[i])) accuracy.push_back(batch.first[i]), ++judged_;
      for (size_t k = 0; k < batch.terms.size(); ++k)
        if (std::isfinite(batch.terms[k][i])) earned_[k] += batch.terms[k][i], ++judged_by_[k];
      if (r.valid[i] != 0) reward.push_back(r.total_reward(i));
      for (size_t p = 0; p < matches_.size(); ++p)
        matches_[p] += benchmark_.patterns[p].pattern.in(text_of(batch.completions, i)) ? 1 : 0;
    }
    const auto right = static_cast<uint64_t>(std::count_if(
        accuracy.begin(), accuracy.end(), [&](double v) { return v > judging_.correct_above; }));
    for (size_t k = 0; k < pass_.size(); ++k)
      if (accuracy.size() >= benchmark_.pass_at[k])
        pass_[k].push_back(evaluation_metrics::pass_at_k(accuracy.size(), right, benchmark_.pass_at[k]));
    if (benchmark_.voting) vote(batch, begin, answers);
    if (!benchmark_.domain.empty())
      domains_[json::text_field(text_of(batch.meta, begin), benchmark_.domain)].push_back(accuracy);
    accuracy_.push_back(std::move(accuracy));
    reward_.push_back(std::move(reward));
  }
  return answers;
}

void Tally::vote(const stages::Sampled& batch, uint64_t begin, std::vector<std::string>& answers) {
  std::vector<std::string_view> texts;
  std::vector<uint64_t> judged;
  for (uint64_t i = begin; i < begin + benchmark_.samples; ++i)
    if (std::isfinite(batch.first[i])) judged.push_back(i), texts.push_back(text_of(batch.completions, i));
  const answer_votes::Ballot ballot = benchmark_.voting->count(text_of(batch.prompts, begin), texts);
  std::vector<evaluation_metrics::Votes> votes(ballot.answers.size());
  uint64_t silent = 0, right_answers = 0;
  bool conflict = false;
  for (size_t k = 0; k < judged.size(); ++k) {
    const bool is_right = batch.first[judged[k]] > judging_.correct_above;
    if (!ballot.votes[k]) {
      ++silent, conflict = conflict || is_right;
      continue;
    }
    answers[judged[k]] = ballot.answers[*ballot.votes[k]];
    evaluation_metrics::Votes& of = votes[*ballot.votes[k]];
    ++of.count, of.right += is_right ? 1 : 0;
  }
  for (evaluation_metrics::Votes& of : votes) {
    of.right /= static_cast<double>(of.count);
    right_answers += of.right > 0 ? 1 : 0;
    conflict = conflict || (of.right > 0 && of.right < 1);
  }
  conflicts_ += conflict || right_answers > 1 ? 1 : 0;
  for (size_t k = 0; k < cons_.size(); ++k)
    if (judged.size() >= benchmark_.cons_at[k])
      cons_[k].push_back(evaluation_metrics::cons_at_k(votes, silent, benchmark_.cons_at[k]));
}

Interval Tally::interval(const Problems& problems) const {
  return judging_.bootstraps ? evaluation_metrics::bootstrap_mean(problems, judging_.bootstrap)
                             : clustered_mean(problems);
}

void Tally::put_interval(const std::string& metric, const std::string& part, const Problems& problems,
                         const Put& put) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Interval i = any(problems) ? interval(problems) : Interval{none, none, none};
  put(metric + part, i.mean);
  put(metric + "_low" + part, i.low);
  put(metric + "_high" + part, i.high);
}

void Tally::put_estimate(const std::string& metric, const Numbers& estimates, const Put& put) const {
  // Once for each of the samples that it is made of: an interval counts as many trials as the accuracy's may.
  Problems problems;
  for (const double estimate : estimates) problems.emplace_back(benchmark_.samples, estimate);
  put_interval(metric, "", problems, put);
  if (estimates.size() < accuracy_.size()) put(metric + "_problems", static_cast<double>(estimates.size()));
}

void Tally::report(const std::string& model, const Put& put) const {
  if (judged_ == 0)
    throw Error(TENON_E_INVALID, "the first reward judged none of the " +
                                     std::to_string(static_cast<uint64_t>(samples_)) + " completions of " +
                                     model + " on " + benchmark_.name);
  const Interval accuracy = interval(accuracy_);
  put("accuracy", accuracy.mean);
  put("accuracy_low", accuracy.low);
  put("accuracy_high", accuracy.high);
  for (size_t k = 0; k < pass_.size(); ++k)
    put_estimate("pass@" + std::to_string(benchmark_.pass_at[k]), pass_[k], put);
  for (size_t k = 0; k < cons_.size(); ++k)
    put_estimate("cons@" + std::to_string(benchmark_.cons_at[k]), cons_[k], put);
  if (benchmark_.several_rewards) {
    put("reward", any(reward_) ? clustered_mean(reward_).mean : std::nan(""));
    for (size_t k = 1; k < rewards_.size(); ++k)
      put("reward/" + rewards_[k], judged_by_[k] > 0 ? earned_[k] / judged_by_[k] : std::nan(""));
  }
  put("length", tokens_ / samples_);
  for (size_t p = 0; p < matches_.size(); ++p) put(benchmark_.patterns[p].name, matches_[p] / samples_);
  put("truncated", truncated_ / samples_);
  put("samples", samples_);
  if (judged_ < samples_) put("not_judged", samples_ - judged_);
  if (conflicts_ > 0) put("vote_conflicts", conflicts_);
  if (judging_.has_price) {
    put("prompt_length", prompt_tokens_ / samples_);
    put("cost", (prompt_tokens_ * judging_.price_in + tokens_ * judging_.price_out) / 1e6);
  }
  for (const auto& [domain, problems] : domains_)
    put_interval("accuracy", "/" + stages::domain_name(domain), problems, put);
}

void Tally::save(Writer& w) const {
  write(w, accuracy_), write(w, reward_), write(w, pass_), write(w, cons_);
  w.value(uint64_t{domains_.size()});
  for (const auto& [domain, problems] : domains_) {
    w.value(uint8_t{domain.has_value()});
    w.string(domain.value_or(""));
    write(w, problems);
  }
  for (const double count : {samples_, judged_, prompt_tokens_, tokens_, truncated_, conflicts_})
    w.value(count);
  write(w, matches_), write(w, earned_), write(w, judged_by_);
}

void Tally::load(Reader& r) {
  accuracy_ = lists_of(r), reward_ = lists_of(r), pass_ = lists_of(r), cons_ = lists_of(r);
  domains_.clear();
  for (auto n = r.value<uint64_t>(); n > 0; --n) {
    const bool has_value = r.value<uint8_t>() != 0;
    std::string text = r.string();
    domains_[has_value ? std::optional(std::move(text)) : std::nullopt] = lists_of(r);
  }
  for (double* count : {&samples_, &judged_, &prompt_tokens_, &tokens_, &truncated_, &conflicts_})
    *count = r.value<double>();
  matches_ = numbers_of(r), earned_ = numbers_of(r), judged_by_ = numbers_of(r);
}

}  // namespace tenon::evaluate
