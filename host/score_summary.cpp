// What `tenon score` says of all its rows.
// SPDX-License-Identifier: Apache-2.0
#include "host/score_summary.h"

#include <algorithm>
#include <cstdio>
#include <ostream>

#include "host/json_text.h"
#include "host/reason_shape.h"
#include "host/reward_outcome.h"

namespace tenon::host {

namespace {

void line(std::ostream& out, const std::string& name, uint64_t count, uint64_t of) {
  char text[160];
  std::snprintf(text, sizeof text, "  %-32s %9llu  %7.3f %%\n", name.c_str(),
                static_cast<unsigned long long>(count),
                100 * static_cast<double>(count) / static_cast<double>(of));
  out << text;
}

}  // namespace

void ScoreSummary::add(const ScoreRow& row, const RewardAnswer& answer, const std::string& verdict,
                       double micros) {
  const bool is_ok = answer.status == TENON_R_OK;
  micros_.push_back(micros);
  ++statuses_[reward_status_name(answer.status)];
  if (!verdict.empty()) ++verdicts_[verdict];
  if (is_ok) sum_ += answer.reward, ++ok_;
  if (!is_ok) {
    const std::string text =
        reward_status_name(answer.status) + (answer.reason.empty() ? "" : ": " + answer.reason);
    ++reasons_.try_emplace(reason_shape(text), Reason{0, row.sample.id, text}).first->second.times;
  }
  if (!row.label) return;
  const bool said = is_ok && answer.reward > 0.5;
  ++(said ? (*row.label ? true_positives_ : false_positives_)
          : (*row.label ? false_negatives_ : true_negatives_));
}

std::string ScoreSummary::commonest_reasons() const {
  std::vector<const Reason*> commonest;
  for (const auto& [shape, reason] : reasons_) commonest.push_back(&reason);
  std::stable_sort(commonest.begin(), commonest.end(),
                   [](const Reason* a, const Reason* b) { return a->times > b->times; });
  std::string lines;
  for (size_t i = 0; i < std::min<size_t>(3, commonest.size()); ++i)
    lines += "\n  " + std::to_string(commonest[i]->times) + " times: " + commonest[i]->example + " (line " +
             std::to_string(commonest[i]->line) + ")";
  return lines;
}

void ScoreSummary::print(std::ostream& out) const {
  const uint64_t n = micros_.size();
  out << n << (n == 1 ? " row" : " rows") << '\n';
  if (n == 0) return;
  for (const auto& [name, count] : statuses_) line(out, name, count, n);
  for (const auto& [name, count] : verdicts_) line(out, "verdict " + name, count, n);
  if (ok_ > 0) out << "  mean reward of those ok: " << json_number(sum_ / static_cast<double>(ok_)) << '\n';
  const uint64_t right = true_positives_ + true_negatives_,
                 judged = right + false_positives_ + false_negatives_;
  if (judged > 0) {
    line(out, "agree with the label", right, judged);
    line(out, "false positives", false_positives_, judged);
    line(out, "false negatives", false_negatives_, judged);
    out << "  (a reward above 0.5, and a label that is true or above 0.5, say: right)\n";
  }
  std::vector<double> micros = micros_;
  std::sort(micros.begin(), micros.end());
  double total = 0;
  for (double m : micros) total += m;
  const auto at = [&](double share) {
    return micros[std::min<size_t>(n - 1, static_cast<size_t>(share * static_cast<double>(n)))];
  };
  char text[160];
  std::snprintf(text, sizeof text, "  micros a row: mean %.1f, median %.1f, 99 %% %.1f, most %.1f\n",
                total / static_cast<double>(n), at(0.5), at(0.99), micros.back());
  out << text;
}

}  // namespace tenon::host
