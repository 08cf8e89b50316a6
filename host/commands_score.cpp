// `tenon score`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_score.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iostream>
#include <set>
#include <utility>

#include "host/available_threads.h"
#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/last_words.h"
#include "host/lone_components.h"
#include "host/lone_reward.h"
#include "host/monotonic.h"
#include "host/reward_outcome.h"
#include "host/run_error.h"
#include "host/score_reward.h"
#include "host/score_rows.h"
#include "host/score_summary.h"
#include "host/signals.h"
#include "host/stdout_keeper.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace json = boost::json;

namespace {

// "equal: as rationals" to "equal" and "as rationals"; a text that begins otherwise is a reason alone.
std::pair<std::string, std::string> verdict_and_reason(const std::string& text) {
  const size_t word = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  if (word == 0 || text.empty()) return {"", text};
  if (word == std::string::npos) return {text, ""};
  if (text.compare(word, 2, ": ") != 0) return {"", text};
  return {text.substr(0, word), text.substr(word + 2)};
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

std::string line_of(const RewardAnswer& o, const std::string& verdict, const std::string& reason,
                    double micros) {
  json::object answer{{"reward", o.status == TENON_R_OK ? json::value(o.reward) : json::value(nullptr)},
                      {"status", reward_status_name(o.status)},
                      {"verdict", text_or_null(verdict)},
                      {"reason", text_or_null(reason)},
                      {"micros", std::round(micros * 10) / 10}};
  if (!o.notes.empty()) answer["notes"] = json::value_from(o.notes);
  return json_text(answer) + "\n";
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(descriptor, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw RunError(std::string("standard output: the answers could not be written: ") +
                     std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(n));
  }
}

// Rows in, lines out, a call at a time.
class Scorer {
 public:
  Scorer(const ScoreArguments& arguments, const Instance& reward, const ChosenReward& chosen,
         const std::string& file)
      : arguments_(arguments),
        title_(reward.title()),
        name_(chosen.name),
        file_(file),
        dog_([](const std::string& line) { std::cerr << "warning: " + line + "\n"; }, "score",
             Watchdog::kPatience, "Ctrl-C twice ends tenon; what was judged is written"),
        reward_(reward, arguments.timeout, chosen.rules) {
    reward_.set_watchdog(dog_, "--timeout", [this](uint64_t line) { return place(line); });
  }

  void add(ScoreRow row) {
    if (row.has_token_count && !std::exchange(told_of_tokens_, true))
      std::cerr << "note: " << place(row.sample.id)
                << ": `tokens` is a number, which says of no token which it is: the reward is shown none\n";
    rows_.push_back(std::move(row));
    if (rows_.size() >= arguments_.batch) call();
  }

  // Asks for the rows that are waiting, and writes what is said of them.
  void call() {
    if (rows_.empty()) return;
    std::vector<RewardRow> samples;
    for (const ScoreRow& row : rows_) samples.push_back(row.sample);
    const int64_t begin = monotonic_ns();
    const std::vector<RewardAnswer> answers = ask(samples);
    const double micros =
        static_cast<double>(monotonic_ns() - begin) * 1e-3 / static_cast<double>(rows_.size());
    std::string lines;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const auto [verdict, reason] = verdict_and_reason(answers[i].reason);
      lines += line_of(answers[i], verdict, reason, micros);
      summary_.add(rows_[i], answers[i], verdict, micros);
      if (const std::string& fault = answers[i].note_fault;
          !fault.empty() && note_faults_.insert(fault).second)
        std::cerr << "warning: " << title_ << ": " << fault << ": it is not recorded\n";
    }
    rows_.clear();
    write_all(stdout_.descriptor(), lines);
  }

  const ScoreSummary& summary() const { return summary_; }

 private:
  std::string place(uint64_t line) const { return file_ + ":" + std::to_string(line); }

  std::vector<RewardAnswer> ask(const std::vector<RewardRow>& samples) {
    const uint64_t first = samples.front().id, last = samples.back().id;
    const Doing doing("reward " + name_ + " at " + place(first) +
                      (last > first ? " to " + std::to_string(last) : ""));
    try {
      return reward_.score(samples);
    } catch (const Error& e) {
      throw RunError(title_ + ": " + e.what());
    }
  }

  const ScoreArguments& arguments_;
  const std::string title_, name_, file_;
  StdoutKeeper stdout_;
  Watchdog dog_;
  LoneReward reward_;
  std::vector<ScoreRow> rows_;
  ScoreSummary summary_;
  std::set<std::string> note_faults_;
  bool told_of_tokens_ = false;
};

void score_rows(LineReader& in, const ScoreArguments& a, Scorer& scorer) {
  std::string text;
  for (uint64_t line = 1; in.next(text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::optional<ScoreRow> row;
    try {
      row = read_score_row(text, a.label, in.name(), line);
    } catch (const UserError&) {
      scorer.call();
      throw;
    }
    scorer.add(std::move(*row));
  }
  if (!StopSignals::requested()) scorer.call();
}

}  // namespace

int score_command(const ScoreArguments& a) {
  Diagnostics diagnostics;
  Loader loader(plugin_search_path(a.plugin_path));
  const ChosenReward chosen = choose_reward(a, loader, diagnostics);
  diagnostics.print(std::cerr);
  if (!chosen.spec) return kExitUser;
  if (!chosen.origin.empty()) std::cerr << "note: " << chosen.origin << '\n';
  LoneComponents components(chosen.seed, "score", a.threads.value_or(available_threads()));
  const Instance& reward = components.create(*chosen.spec, "rewards/0");

  LineReader in(a.file);
  const StopSignals signals(StopSignals::Of::kScore);
  Scorer scorer(a, reward, chosen, in.name());
  score_rows(in, a, scorer);
  const bool is_stopped = StopSignals::requested();
  const ScoreSummary& summary = scorer.summary();
  if (summary.rows() == 0 && !is_stopped) throw UserError(in.name() + ": has no rows");
  if (a.summary || !a.label.empty()) summary.print(std::cerr);
  if (is_stopped) {
    std::cerr << "stopped after " << summary.rows() << (summary.rows() == 1 ? " row\n" : " rows\n");
    return kExitStopped;
  }
  if (summary.judged() > 0) return kExitOk;
  std::cerr << "error: reward " << chosen.name << " judged none of the " << summary.rows()
            << " rows. The commonest reasons:" << summary.commonest_reasons() << '\n';
  return kExitFailed;
}

}  // namespace tenon::host
