// The rows of a run's data sets, shown to its rewards.
// SPDX-License-Identifier: Apache-2.0
#include "host/data_check.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>

#include "host/json_text.h"
#include "host/lone_components.h"
#include "host/lone_reward.h"
#include "host/option_values.h"
#include "host/reward_outcome.h"
#include "host/reward_rules.h"
#include "host/run_error.h"
#include "host/watchdog.h"
#include "tenon/dataset.hpp"

namespace tenon::host {

namespace {

constexpr uint64_t kRowsAtOnce = 256;
constexpr const char* kTrials[] = {"",
                                   "<think>\nLet me see: it is 1.\n</think>\n\nThe answer is \\boxed{1}."};

// What a slot needs that only a run has; empty: nothing.
std::string needs_a_run(const Slot& slot) {
  if (!slot.stage.empty() || !slot.spec) return "stage " + slot.stage + " makes it";
  for (const Slot& below : slot.spec->slots)
    if (const std::string why = needs_a_run(below); !why.empty()) return why;
  return "";
}

bool holds_model(const Spec& spec) {
  return std::any_of(spec.slots.begin(), spec.slots.end(), [](const Slot& slot) {
    return slot.kind == "model" || (slot.spec != nullptr && holds_model(*slot.spec));
  });
}

std::string dotted(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

// Why a reward is not asked before the first step of a run; empty: it is.
std::string not_quick(const Spec& stage, const Slot& slot) {
  const Spec& reward = *slot.spec;
  if ((reward.component->flags & TENON_C_MAY_BLOCK) != 0 || reward.isolated || holds_model(reward))
    return "it may take long";
  const boost::json::value* weight = find_value(stage.options, dotted(slot.name) + ".weight");
  return weight != nullptr && weight->is_number() && weight->to_number<double>() == 0 ? "its weight is 0"
                                                                                      : "";
}

enum class Extent { kAllRows, kFirstRows };

// The first warnings and errors that components log.
class Warnings : public spdlog::sinks::base_sink<std::mutex> {
 public:
  const std::vector<std::string>& said() const { return said_; }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    constexpr size_t kMost = 20;
    if (message.level >= spdlog::level::warn && said_.size() < kMost)
      said_.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush_() override {}

  std::vector<std::string> said_;
};

struct Asked {
  const Slot* slot;
  RewardRules rules;
  std::optional<LoneReward> reward;
  std::string skipped;
};

class StageCheck {
 public:
  StageCheck(const Plan& plan, const StagePlan& stage, Diagnostics& diagnostics,
             std::vector<DataCheck>& checks, std::vector<UnjudgedRow>& unjudged,
             const std::shared_ptr<Warnings>& warnings, Extent extent)
      : extent_(extent),
        plan_(plan),
        stage_(stage),
        diagnostics_(diagnostics),
        checks_(checks),
        unjudged_(unjudged),
        components_(plan.seed, stage.name, plan.threads, std::make_shared<spdlog::logger>("tenon", warnings)),
        dog_([](const std::string& line) { std::cerr << "warning: " + line + "\n"; },
             "the rows of stage " + stage.name, Watchdog::kPatience,
             "Ctrl-C twice ends tenon; nothing has been written") {}

  void run() {
    std::vector<std::string> lists;  // what stands before "rewards/0": "", or "benchmarks/0/"
    for (const Slot& slot : stage_.spec.slots)
      if (slot.kind == "reward" && (slot.name == "rewards/0" || slot.name.ends_with("/rewards/0")))
        lists.push_back(slot.name.substr(0, slot.name.size() - std::string("rewards/0").size()));
    for (const std::string& list : lists) {
      rewards_.clear();
      const std::string rewards = list + "rewards";
      std::vector<RewardRules> rules = reward_rules(stage_.spec, rewards);
      for (const Slot& slot : stage_.spec.slots) {
        if (slot.kind != "reward" || !slot.name.starts_with(rewards + "/")) continue;
        rewards_.push_back({&slot, rules.at(rewards_.size()), std::nullopt, needs_a_run(slot)});
      }
      for (Asked& asked : rewards_) create(asked);
      if (std::none_of(rewards_.begin(), rewards_.end(),
                       [](const Asked& a) { return a.reward.has_value(); }) &&
          extent_ == Extent::kFirstRows)
        continue;
      for (const Slot& slot : stage_.spec.slots)
        if (slot.kind == "dataset" && list_of(slot, lists) == list) check(slot);
    }
  }

 private:
  // The list whose rewards judge a data set's rows: the one nearest to its slot.
  static std::string list_of(const Slot& data, const std::vector<std::string>& lists) {
    std::string nearest;
    for (const std::string& list : lists)
      if (data.name.starts_with(list) && list.size() > nearest.size()) nearest = list;
    return nearest;
  }

  void create(Asked& asked) {
    if (asked.skipped.empty() && extent_ == Extent::kFirstRows)
      asked.skipped = not_quick(stage_.spec, *asked.slot);
    if (!asked.skipped.empty()) return;
    // A call has that many rows, each of which may take what a call of a run may.
    const auto timeout = std::chrono::nanoseconds(
        static_cast<int64_t>(plan_.reward_timeout * 1e9 * static_cast<double>(rows_at_once())));
    if (find_option(asked.slot->spec->component->options, "url") != nullptr)
      asked.skipped = "it asks a server";
    else
      asked.reward.emplace(components_.create(*asked.slot->spec, asked.slot->name), timeout);
    if (asked.reward && extent_ == Extent::kFirstRows)
      asked.reward->set_watchdog(dog_, "run.reward_timeout", [](uint64_t id) {
        return "row " + std::to_string(id) + " of its data set";
      });
  }

  uint64_t rows_at_once() const { return extent_ == Extent::kFirstRows ? 1 : kRowsAtOnce; }

  // Whether each reward has given something, or anything but a refusal, of the rows so far.
  bool is_settled(size_t first) const {
    for (size_t k = first; k < checks_.size(); ++k)
      if (rewards_[k - first].reward && refusals(checks_[k]) == checks_[k].rows) return false;
    return true;
  }
  uint64_t refusals(const DataCheck& check) const {
    return static_cast<uint64_t>(std::count_if(
        unjudged_.begin(), unjudged_.end(), [&](const UnjudgedRow& row) { return is_refusal(row, check); }));
  }
  static bool is_refusal(const UnjudgedRow& row, const DataCheck& check) {
    return row.reward == check.reward && row.dataset == check.dataset &&
           row.outcome == reward_status_name(TENON_R_REFUSED);
  }

  void check(const Slot& slot) {
    const std::string name = slot.spec ? slot.spec->name : slot.stage + "." + slot.rows;
    const size_t first = checks_.size();
    for (const Asked& asked : rewards_)
      checks_.push_back(
          {stage_.name, asked.slot->spec ? asked.slot->spec->name : "", name, 0, 0, asked.skipped});
    if (const std::string why = needs_a_run(slot); !why.empty()) {
      for (size_t k = 0; k < rewards_.size(); ++k) checks_[first + k].skipped = why;
      return;
    }
    const Dataset data(components_.create(*slot.spec, slot.name).ref());
    uint64_t count =
        data.count() == TENON_COUNT_UNBOUNDED ? kTriedOfEndless : std::min(data.count(), kTriedRows);
    if (extent_ == Extent::kFirstRows) count = std::min(count, kFirstRows);
    const tenon_call call{sizeof call, kDLCPU, 0, 0, 0, 0, nullptr};
    uint64_t without = 0, rows_seen = 0;
    const bool all_asked =
        std::all_of(rewards_.begin(), rewards_.end(), [](const Asked& a) { return a.skipped.empty(); });
    for (uint64_t begin = 0; begin < count; begin += rows_at_once()) {
      if (extent_ == Extent::kFirstRows && begin > 0 && is_settled(first)) break;
      const std::vector<Row> rows = data.read(&call, begin, std::min(rows_at_once(), count - begin));
      std::vector<std::vector<uint8_t>> judged;  // by each reward
      for (size_t k = 0; k < rewards_.size(); ++k) {
        judged.emplace_back(rows.size(), 0);
        if (rewards_[k].reward) ask(rewards_[k], checks_[first + k], begin, rows, judged[k]);
      }
      rows_seen += rows.size();
      without += count_unjudged(judged, rows.size());
      if (rows.empty()) break;
    }
    if (extent_ == Extent::kFirstRows)
      refuse_if_all_refused(slot, first, rows_seen);
    else if (all_asked &&
             static_cast<double>(without) > plan_.max_reward_failures * static_cast<double>(rows_seen))
      diagnostics_.error(slot.mark, "pipeline." + stage_.name,
                         std::to_string(without) + " of " + std::to_string(rows_seen) + " rows of " + name +
                             " have no reward that judges them; run.max_reward_failures allows " +
                             json_number(100 * plan_.max_reward_failures) + " %");
  }

  void refuse_if_all_refused(const Slot& slot, size_t first, uint64_t rows_seen) const {
    for (size_t k = first; k < checks_.size(); ++k) {
      const DataCheck& check = checks_[k];
      if (check.rows == 0 || refusals(check) < check.rows) continue;
      const UnjudgedRow& row = *std::find_if(unjudged_.begin(), unjudged_.end(),
                                             [&](const UnjudgedRow& r) { return is_refusal(r, check); });
      diagnostics_.error(slot.mark, "pipeline." + stage_.name + "." + dotted(slot.name),
                         "reward " + check.reward + " refuses each of the first " +
                             std::to_string(rows_seen) + " rows of " + check.dataset +
                             " that it applies to: row " + std::to_string(row.row) +
                             (row.place.empty() ? "" : ", " + row.place) + ": " + row.reason +
                             ". `tenon check --data` lists all such rows");
    }
  }

  // What a reward gives counts where the one that it has as `only_if` gives something, too.
  uint64_t count_unjudged(std::vector<std::vector<uint8_t>>& judged, size_t n_rows) const {
    uint64_t count = 0;
    for (size_t i = 0; i < n_rows; ++i) {
      bool is_judged = false;
      for (size_t k = 0; k < judged.size(); ++k) {
        if (const std::optional<size_t> gate = rewards_[k].rules.only_if; gate && judged[*gate][i] == 0)
          judged[k][i] = 0;
        is_judged = is_judged || judged[k][i] != 0;
      }
      count += is_judged ? 0 : 1;
    }
    return count;
  }

  void ask(const Asked& asked, DataCheck& check, uint64_t begin, const std::vector<Row>& rows,
           std::vector<uint8_t>& is_judged) {
    std::vector<size_t> shown;
    for (size_t i = 0; i < rows.size(); ++i)
      if (why_left_out(asked.rules, rows[i].meta_json).empty()) shown.push_back(i);
    check.rows += shown.size();
    std::vector<size_t> left = shown;  // without a reward so far
    std::vector<RewardAnswer> answers;
    for (const char* trial : kTrials) {
      std::vector<RewardRow> samples;
      for (size_t i : left) {
        samples.push_back({begin + i, rows[i].prompt,
                           std::string(part_of(rows[i].prompt, trial, asked.rules.scope)),
                           rows[i].meta_json.empty() ? "{}" : rows[i].meta_json, std::nullopt});
        if (asked.rules.shows_tokens()) samples.back().tokens.emplace(1, 0);
      }
      const std::vector<RewardAnswer> given = asked.reward->score(samples);
      answers.clear();
      std::vector<size_t> still;
      for (size_t k = 0; k < left.size(); ++k) {
        if (given[k].status == TENON_R_OK) {
          is_judged[left[k]] = 1;
        } else {
          still.push_back(left[k]);
          answers.push_back(given[k]);
        }
      }
      left = std::move(still);
    }
    check.unjudged += left.size();
    for (size_t k = 0; k < left.size(); ++k)
      unjudged_.push_back({stage_.name, check.reward, check.dataset, begin + left[k], rows[left[k]].source,
                           reward_status_name(answers[k].status), answers[k].reason});
  }

  const Extent extent_;
  const Plan& plan_;
  const StagePlan& stage_;
  Diagnostics& diagnostics_;
  std::vector<DataCheck>& checks_;
  std::vector<UnjudgedRow>& unjudged_;
  LoneComponents components_;
  Watchdog dog_;
  std::vector<Asked> rewards_;
};

}  // namespace

std::vector<DataCheck> check_data(const Plan& plan, Diagnostics& diagnostics,
                                  std::vector<UnjudgedRow>& unjudged) {
  std::vector<DataCheck> checks;
  for (const StagePlan& stage : plan.stages) try {
      const auto warnings = std::make_shared<Warnings>();
      StageCheck(plan, stage, diagnostics, checks, unjudged, warnings, Extent::kAllRows).run();
      // Destroyed by now, each has had its last word.
      for (const std::string& text : warnings->said())
        diagnostics.warning(stage.mark, "pipeline." + stage.name, text);
    } catch (const UserError& e) {
      diagnostics.add(e);
    } catch (const Error& e) {
      diagnostics.error(stage.mark, "pipeline." + stage.name, e.what());
    }
  return checks;
}

void check_first_rows(const Plan& plan, const StagePlan& stage, Diagnostics& diagnostics) {
  if (plan.max_reward_failures >= 1) return;
  std::vector<DataCheck> checks;
  std::vector<UnjudgedRow> unjudged;
  try {
    StageCheck(plan, stage, diagnostics, checks, unjudged, std::make_shared<Warnings>(), Extent::kFirstRows)
        .run();
  } catch (const Error& e) {
    diagnostics.error(stage.mark, "pipeline." + stage.name, e.what());
  }
}

}  // namespace tenon::host
