// Sink `console`: a run as somebody at the terminal wants to see it.
// SPDX-License-Identifier: Apache-2.0
//
// The one component that writes to standard output, which the ABI otherwise keeps plugins from: showing the
// run there is its purpose. It writes whole lines with write(2), past stdio, so that it mixes with nothing
// buffered.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "chart.h"
#include "format.h"
#include "tenon/sink.hpp"

namespace {

using tenon::console::duration;
using tenon::console::number;
using Clock = std::chrono::steady_clock;

bool utf8_terminal() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string_view v = value;
    return v.find("UTF-8") != v.npos || v.find("utf8") != v.npos || v.find("UTF8") != v.npos ||
           v.find("utf-8") != v.npos;
  }
  return true;  // no locale at all, as in containers: their terminals show UTF-8
}

// What a step's line shows, in order: the metric's name, its label, and how long it stays where the line is too wide (tenon::console::Field).
struct Column {
  const char *metric, *label;
  int rank;
};
constexpr Column kColumns[] = {{"reward/mean", "reward", 3},
                               {"accuracy", "accuracy", 5},
                               {"completion/length_mean", "length", 4},
                               {"loss", "loss", 2}};
constexpr int kRateRank = 1;
constexpr size_t kAnyWidth = SIZE_MAX;

// A step's line, whatever the width.
struct Line {
  std::string head;
  std::vector<tenon::console::Field> fields;
  std::string tail;

  std::string fitted(size_t columns) const { return tenon::console::fitted(head, fields, tail, columns); }
};

class Console {
 public:
  static constexpr uint32_t kFlags = 0;

  explicit Console(tenon::Host host)
      : chart_(host.boolean("chart")),
        table_(host.boolean("table")),
        interval_(host.f64("interval")),
        live_(wants_live(host.str("live"))),
        unicode_(utf8_terminal()) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.str("live") == "always")
      findings.no_effect("interval", "with live: always no lines are written");
  }

  ~Console() {
    if (open_line_) put("\n");
  }

  void record(const tenon_record& r) {
    std::lock_guard lock(mutex_);
    std::map<std::string_view, double> values;
    for (uint64_t i = 0; i < r.n; ++i) values[r.name[i]] = r.value[i];
    remember(r, values);
    Line line = describe(r, values);
    bool last = r.total_steps != 0 && r.step + 1 == r.total_steps;
    if (live_) {
      show(line.fitted(width() - 1));
      status_ = std::move(line);
      if (last) end_line();
    } else if (last || first_line_ || Clock::now() - printed_ >= interval()) {
      put(line.fitted(kAnyWidth) + "\n");
      printed_ = Clock::now();
      first_line_ = false;
    }
  }

  void event(int32_t event, std::string_view stage, std::string_view text) {
    std::lock_guard lock(mutex_);
    end_line();
    if (event == TENON_EVENT_STAGE_BEGIN) history_.reset(), status_ = {}, first_line_ = true;
    if (event == TENON_EVENT_TABLE) {
      if (table_) put(std::string(text) + (text.ends_with('\n') ? "" : "\n"));
      return;
    }
    // A checkpoint is worth a line in a log, not on a terminal where the step's line is to stay.
    if (event == TENON_EVENT_CHECKPOINT && live_) return;
    put(std::string(stage) + ": " + std::string(text) + "\n");
    if (event == TENON_EVENT_STAGE_END) draw_charts();
  }

  // Where a long step is; only where a line can be taken back.
  void progress(std::string_view stage, double done, double total, std::string_view text) {
    if (!live_) return;
    std::lock_guard lock(mutex_);
    if (Clock::now() - printed_ < std::chrono::milliseconds(100)) return;
    std::string part = std::string(text) + " " + number_of(done) + (total > 0 ? "/" + number_of(total) : "");
    Line line = status_;
    if (line.head.empty()) line.head = stage;
    line.tail += (line.tail.empty() ? "· " : "  · ") + part;
    show(line.fitted(width() - 1));
  }

 private:
  struct History {
    tenon::console::Curve score, length;
  };

  static bool wants_live(const std::string& live) {
    if (live != "auto") return live == "always";
    const char* term = std::getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (term == nullptr || std::string_view(term) != "dumb");
  }
  static std::string number_of(double count) { return std::to_string(static_cast<int64_t>(count)); }
  Clock::duration interval() const {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(interval_));
  }

  Line describe(const tenon_record& r, const std::map<std::string_view, double>& values) {
    Line line{std::string(r.stage) + "  " + std::to_string(r.step + 1), {}, ""};
    if (r.total_steps != 0) line.head += "/" + std::to_string(r.total_steps);
    for (const Column& c : kColumns) {
      auto it = values.find(c.metric);
      if (it == values.end() || (c.metric == std::string_view("reward/mean") && is_reward_accuracy(values)))
        continue;
      line.fields.push_back({std::string(c.label) + " " + number(it->second), c.rank});
    }
    auto rate = values.find("tokens_per_second");
    if (rate == values.end()) rate = values.find("time/tokens_per_second");
    if (rate != values.end())
      line.fields.push_back({tenon::console::rate(rate->second) + " tok/s", kRateRank});
    if (r.total_steps != 0) {
      double done = static_cast<double>(r.step + 1 - first_step_),
             left = static_cast<double>(r.total_steps - r.step - 1);
      line.tail = left == 0 ? "in " + duration(r.seconds) : "ETA " + duration(r.seconds / done * left);
    }
    return line;
  }

  // Whether the stage's one reward is the accuracy, so that both are the same number in every step so far.
  bool is_reward_accuracy(const std::map<std::string_view, double>& values) {
    auto reward = values.find("reward/mean"), accuracy = values.find("accuracy");
    if (reward == values.end() || accuracy == values.end()) return false;
    const double a = reward->second, b = accuracy->second;
    rewards_differ_ = rewards_differ_ || !((std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-9);
    return !rewards_differ_;
  }

  void remember(const tenon_record& r, const std::map<std::string_view, double>& values) {
    if (r.stage != stage_ || !history_) {
      stage_ = r.stage;
      first_step_ = r.step;
      rewards_differ_ = false;
      history_.emplace();
      history_->length.title = "completion length";
    }
    auto length = values.find("completion/length_mean");
    auto score = values.find("accuracy");
    std::string title = "accuracy";
    if (score == values.end() || std::isnan(score->second))
      score = values.find("reward/mean"), title = "reward";
    if (length == values.end() || score == values.end()) return;
    History& h = *history_;
    if (h.score.title.empty()) h.score.title = title;
    h.score.step.push_back(r.step), h.score.value.push_back(score->second);
    h.length.step.push_back(r.step), h.length.value.push_back(length->second);
  }

  void draw_charts() {
    if (!chart_ || !history_) return;
    tenon::console::ChartStyle style;
    style.unicode = unicode_;
    style.width = std::min<size_t>(60, width() > 14 ? width() - 14 : 1);
    for (const auto* curve : {&history_->score, &history_->length}) put(tenon::console::chart(*curve, style));
    history_.reset();
  }

  size_t width() const {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 100;
  }
  // Writes the line over the one before. One column stays free, or the cursor would wrap.
  void show(const std::string& line) {
    put("\r" + std::string(tenon::console::first_columns(line, width() - 1)) + "\x1b[K");
    open_line_ = true;
    printed_ = Clock::now();
  }
  void end_line() {
    if (open_line_) put("\n");
    open_line_ = false;
  }
  // A terminal that went away (EPIPE, EIO) is no reason to stop training: the run's files have everything.
  void put(std::string_view text) const {
    while (!text.empty()) {
      ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      text.remove_prefix(static_cast<size_t>(n));
    }
  }

  bool chart_, table_;
  double interval_;
  bool live_, unicode_;
  std::mutex mutex_;
  std::string stage_;
  Line status_;  // of the last step; its head is empty before the first
  uint64_t first_step_ = 0;
  std::optional<History> history_;  // of the stage that runs; nothing before its first record
  bool open_line_ = false, first_line_ = true, rewards_differ_ = false;
  Clock::time_point printed_{};
};

constexpr const char* kLive[] = {"auto", "always", "never", nullptr};

}  // namespace

TENON_SINK_PLUGIN(
    Console, "console", "1.0.0", "Shows the run on the terminal.",
    tenon::choice("live", kLive, "\"auto\"",
                  "Whether a step's line is written over the one before; auto: on a terminal."),
    tenon::option(
        TENON_T_DURATION, "interval", "\"2s\"",
        "Without live: the shortest time between two lines of steps. The first and last are always written.",
        {.unit = "seconds"}),
    tenon::boolean("chart", "true",
                   "Whether a stage that generates ends with a chart of accuracy (or reward) and length."),
    tenon::boolean("table", "true", "Whether the results of an evaluation are printed as a table."))
