// The last samples that were scored.
// SPDX-License-Identifier: Apache-2.0
#include "host/failure_window.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <stdexcept>

namespace tenon::host {

namespace json = boost::json;

namespace {

constexpr char kOther[] = "other reasons";
constexpr char kOfOlder[] = "not known: it was before a resume, and the tenon of that time kept no reasons";

}  // namespace

uint32_t FailureWindow::index_of(const std::string& text) {
  const auto place = [&](const std::string& shape) {
    return static_cast<uint32_t>(
        std::find_if(reasons_.begin(), reasons_.end(), [&](const Reason& r) { return r.shape == shape; }) -
        reasons_.begin());
  };
  uint32_t at = place(reason_shape(text));
  if (at == reasons_.size() && at >= kMaxReasons) at = place(kOther);
  if (at == reasons_.size()) reasons_.emplace_back(at >= kMaxReasons ? kOther : text);
  return at;
}

// Keeps the last `kept` outcomes, and of the reasons those that occur there.
void FailureWindow::drop_old(size_t kept) {
  if (outcomes_.size() <= kept) return;
  outcomes_.erase(outcomes_.begin(), outcomes_.end() - static_cast<ptrdiff_t>(kept));
  std::vector<uint32_t> moved(reasons_.size(), kValid);
  std::vector<Reason> left;
  for (Outcome& outcome : outcomes_) {
    if (outcome.reason == kValid) continue;
    uint32_t& to = moved[outcome.reason];
    if (to == kValid) {
      to = static_cast<uint32_t>(left.size());
      left.push_back(std::move(reasons_[outcome.reason]));
    }
    outcome.reason = to;
  }
  reasons_ = std::move(left);
}

std::vector<std::pair<uint64_t, std::string>> FailureWindow::end_step() {
  std::stable_sort(step_.begin(), step_.end(),
                   [](const Arrived& a, const Arrived& b) { return a.id < b.id; });
  // What the step has pushed out makes room for its reasons.
  drop_old(std::max(kLength, step_.size()) - step_.size());
  struct Candidate {
    size_t first;  // of the step
    uint64_t times = 0;
  };
  std::map<uint32_t, Candidate> of_step;      // by reason
  std::map<uint64_t, uint64_t> first_failed;  // by group; a group's number may be another's in the next step
  for (size_t i = 0; i < step_.size(); ++i) {
    const uint32_t reason = step_[i].reason.empty() ? kValid : index_of(step_[i].reason);
    const auto group =
        reason != kValid ? first_failed.try_emplace(step_[i].group, step_[i].id).first->second : 0;
    outcomes_.push_back({step_[i].id, group, reason});
    if (reason != kValid) ++of_step.try_emplace(reason, Candidate{i}).first->second.times;
  }
  std::set<uint64_t> failed;
  for (const Outcome& outcome : outcomes_)
    if (outcome.reason != kValid) failed.insert(outcome.id);
  std::vector<std::pair<uint32_t, Candidate>> wanting;
  for (const auto& [reason, candidate] : of_step) {
    const std::optional<uint64_t>& named = reasons_[reason].sample;
    if (reasons_[reason].text != kOther && (!named || !failed.contains(*named)))
      wanting.emplace_back(reason, candidate);
  }
  std::stable_sort(wanting.begin(), wanting.end(),
                   [](const auto& a, const auto& b) { return a.second.times > b.second.times; });
  if (wanting.size() > kMaxSamples) wanting.resize(kMaxSamples);
  std::vector<std::pair<uint64_t, std::string>> records;
  for (const auto& [reason, candidate] : wanting) {
    Arrived& first = step_[candidate.first];
    reasons_[reason].sample = first.id;
    reasons_[reason].text = first.reason;
    records.emplace_back(first.id, std::move(first.record));
  }
  step_.clear();
  return records;
}

size_t FailureWindow::failed() const {
  return static_cast<size_t>(
      std::count_if(outcomes_.begin(), outcomes_.end(), [](const Outcome& o) { return o.reason != kValid; }));
}

size_t FailureWindow::failed_groups() const {
  std::set<uint64_t> groups;
  for (const Outcome& outcome : outcomes_)
    if (outcome.reason != kValid) groups.insert(outcome.group);
  return groups.size();
}

std::string FailureWindow::commonest_reasons() const {
  std::vector<std::pair<uint64_t, const Reason*>> commonest;
  for (const Reason& reason : reasons_) commonest.emplace_back(0, &reason);
  for (const Outcome& outcome : outcomes_)
    if (outcome.reason != kValid) ++commonest[outcome.reason].first;
  std::stable_sort(commonest.begin(), commonest.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string lines;
  for (size_t i = 0; i < std::min<size_t>(3, commonest.size()); ++i) {
    const auto& [times, reason] = commonest[i];
    lines += "\n  " + std::to_string(times) + " times: " + reason->text;
    if (reason->sample) lines += " (sample " + std::to_string(*reason->sample) + ")";
  }
  return lines;
}

json::object FailureWindow::to_json() const {
  std::string outcomes;
  json::array failed, reasons;
  for (const Outcome& outcome : outcomes_) {
    outcomes += outcome.reason == kValid ? '1' : '0';
    if (outcome.reason != kValid) failed.push_back(json::array{outcome.id, outcome.reason, outcome.group});
  }
  for (const Reason& reason : reasons_)
    reasons.push_back({{"text", reason.text},
                       {"sample", reason.sample ? json::value(*reason.sample) : json::value(nullptr)}});
  return {{"outcomes", outcomes}, {"failed", std::move(failed)}, {"reasons", std::move(reasons)}};
}

FailureWindow FailureWindow::of_json(const json::value& value) try {
  const bool is_old = value.is_string();
  const json::string& outcomes = (is_old ? value : value.at("outcomes")).as_string();
  FailureWindow window;
  if (is_old) window.reasons_.emplace_back(kOfOlder);
  if (!is_old)
    for (const json::value& reason : value.at("reasons").as_array()) {
      const json::value& sample = reason.at("sample");
      window.reasons_.emplace_back(std::string(reason.at("text").as_string()));
      if (!sample.is_null()) window.reasons_.back().sample = sample.to_number<uint64_t>();
    }
  size_t failed = 0;
  for (const char c : outcomes) {
    if (c != '0' && c != '1') throw std::invalid_argument("an outcome is neither 0 nor 1");
    Outcome outcome{0, 0, c == '1' ? kValid : 0};
    if (c == '0' && !is_old) {
      const json::array& of = value.at("failed").as_array().at(failed++).as_array();
      outcome = {of.at(0).to_number<uint64_t>(), of.size() > 2 ? of[2].to_number<uint64_t>() : 0,
                 of.at(1).to_number<uint32_t>()};
      if (outcome.reason >= window.reasons_.size()) throw std::invalid_argument("it names no reason");
    }
    window.outcomes_.push_back(outcome);
  }
  if (is_old && window.failed() == 0) window.reasons_.clear();
  return window;
} catch (const std::exception& e) {
  throw std::invalid_argument(std::string("is no window of outcomes: ") + e.what());
}

}  // namespace tenon::host
