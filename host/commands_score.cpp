// `tenon score`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_score.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include "host/available_threads.h"
#include "host/check.h"
#include "host/command_line.h"
#include "host/config.h"
#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/lone_components.h"
#include "host/lone_reward.h"
#include "host/monotonic.h"
#include "host/resolve.h"
#include "host/reward_outcome.h"
#include "host/run_error.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

struct Row {
  RewardRow sample;  // its id is the row's line
  std::optional<bool> label;
};

// ---- the reward ----

const Slot* find_reward(const Plan& plan, const std::string& name, std::vector<std::string>& others) {
  for (const StagePlan& stage : plan.stages)
    for (const Slot& slot : stage.spec.slots) {
      if (slot.kind != "reward" || !slot.spec) continue;
      if (slot.spec->name == name) return &slot;
      others.push_back(slot.spec->name);
    }
  return nullptr;
}

std::shared_ptr<const Spec> spec_of_config(const ScoreArguments& a, Loader& loader, Diagnostics& diagnostics,
                                           uint64_t& seed) {
  const Plan plan = make_plan(a.config, a.set, loader, diagnostics);
  if (diagnostics.has_errors()) return nullptr;
  seed = plan.seed;
  std::vector<std::string> others;
  const Slot* slot = find_reward(plan, a.reward, others);
  if (slot == nullptr)
    throw UserError("no stage of " + a.config.string() + " has a reward \"" + a.reward + "\"." +
                    did_you_mean(a.reward, others));
  return slot->spec;
}

std::shared_ptr<const Spec> spec_of_plugin(const ScoreArguments& a, Loader& loader,
                                           Diagnostics& diagnostics) {
  Value root = parse_yaml("--reward", "{}");
  int number = 0;
  for (const std::string& assignment : a.set) apply_set(root, assignment, ++number);
  Resolver resolver(loader, diagnostics, fs::current_path());
  const Mark here{"--reward " + a.reward, 1, 1};
  return resolver.make_spec({"reward", a.reward, here, a.reward, a.reward, here, root.entries});
}

std::shared_ptr<const Spec> spec_of(ScoreArguments a, Loader& loader, Diagnostics& diagnostics,
                                    uint64_t& seed) {
  if (a.explain && a.config.empty()) a.set.emplace_back("explain=true");
  if (a.explain && !a.config.empty()) a.set.push_back("components." + a.reward + ".explain=true");
  return a.config.empty() ? spec_of_plugin(a, loader, diagnostics)
                          : spec_of_config(a, loader, diagnostics, seed);
}

// ---- rows ----

[[noreturn]] void bad_row(const std::string& file, uint64_t line, const std::string& what) {
  throw UserError(file + ":" + std::to_string(line) + ": " + what);
}

std::optional<bool> label_of(const json::object& object, const ScoreArguments& a, const std::string& file,
                             uint64_t line) {
  if (a.label.empty()) return std::nullopt;
  const json::value* value = object.if_contains(a.label);
  if (value != nullptr && value->is_bool()) return value->get_bool();
  if (value != nullptr && value->is_number()) return value->to_number<double>() > 0.5;
  bad_row(file, line, "the row has no true, false or number in `" + a.label + "`, which --label names");
}

// A list of ids, or their number, which is that many of id 0.
std::optional<std::vector<int32_t>> tokens_of(const json::object& object, const std::string& file,
                                              uint64_t line) {
  constexpr int64_t kMost = 1 << 24;
  const json::value* value = object.if_contains("tokens");
  if (value == nullptr) return std::nullopt;
  if (value->is_int64() && value->get_int64() >= 0 && value->get_int64() <= kMost)
    return std::vector<int32_t>(static_cast<size_t>(value->get_int64()), 0);
  std::vector<int32_t> ids;
  bool is_good = value->is_array();
  for (size_t k = 0; is_good && k < value->get_array().size(); ++k) {
    const json::value& id = value->get_array()[k];
    is_good = id.is_int64() && id.get_int64() >= 0 && id.get_int64() <= INT32_MAX;
    if (is_good) ids.push_back(static_cast<int32_t>(id.get_int64()));
  }
  if (!is_good) bad_row(file, line, "`tokens` must be a list of token ids, or how many there are");
  return ids;
}

Row read_row(const std::string& text, const ScoreArguments& a, const std::string& file, uint64_t line) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error) bad_row(file, line, "is not JSON (" + error.message() + ")");
  if (!value.is_object()) bad_row(file, line, "a row must be an object, {\"completion\": …}");
  json::object object = value.get_object();
  Row row;
  row.sample.id = line;
  const auto take = [&](const char* key, std::string& to, bool is_required) {
    const json::value* at = object.if_contains(key);
    if (at == nullptr && is_required) bad_row(file, line, std::string("the row has no `") + key + "`");
    if (at == nullptr) return;
    if (!at->is_string()) bad_row(file, line, std::string("`") + key + "` must be a text");
    to.assign(at->get_string().data(), at->get_string().size());
  };
  take("completion", row.sample.completion, true);
  take("prompt", row.sample.prompt, false);
  row.label = label_of(object, a, file, line);
  row.sample.tokens = tokens_of(object, file, line);
  for (const char* taken : {"completion", "tokens"}) object.erase(taken);
  row.sample.meta = json_text(object);
  return row;
}

// ---- answers ----

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

// ---- the table ----

class Summary {
 public:
  void add(const Row& row, const RewardAnswer& o, const std::string& verdict, double micros) {
    micros_.push_back(micros);
    ++statuses_[reward_status_name(o.status)];
    if (!verdict.empty()) ++verdicts_[verdict];
    if (o.status == TENON_R_OK) sum_ += o.reward, ++ok_;
    if (!row.label) return;
    const bool said = o.status == TENON_R_OK && o.reward > 0.5;
    ++(said ? (*row.label ? true_positives_ : false_positives_)
            : (*row.label ? false_negatives_ : true_negatives_));
  }

  uint64_t rows() const { return micros_.size(); }

  void print(std::ostream& out) {
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
    }
    std::sort(micros_.begin(), micros_.end());
    double total = 0;
    for (double m : micros_) total += m;
    const auto at = [&](double share) {
      return micros_[std::min<size_t>(n - 1, static_cast<size_t>(share * static_cast<double>(n)))];
    };
    char text[160];
    std::snprintf(text, sizeof text, "  micros a row: mean %.1f, median %.1f, 99 %% %.1f, most %.1f\n",
                  total / static_cast<double>(n), at(0.5), at(0.99), micros_.back());
    out << text;
  }

 private:
  static void line(std::ostream& out, const std::string& name, uint64_t count, uint64_t of) {
    char text[160];
    std::snprintf(text, sizeof text, "  %-32s %9llu  %7.3f %%\n", name.c_str(),
                  static_cast<unsigned long long>(count),
                  100 * static_cast<double>(count) / static_cast<double>(of));
    out << text;
  }

  std::vector<double> micros_;
  std::map<std::string, uint64_t> statuses_, verdicts_;
  double sum_ = 0;
  uint64_t ok_ = 0, true_positives_ = 0, true_negatives_ = 0, false_positives_ = 0, false_negatives_ = 0;
};

std::string line_of(const RewardAnswer& o, const std::string& verdict, const std::string& reason,
                    double micros) {
  json::object answer{{"reward", o.status == TENON_R_OK ? json::value(o.reward) : json::value(nullptr)},
                      {"status", reward_status_name(o.status)},
                      {"verdict", text_or_null(verdict)},
                      {"reason", text_or_null(reason)},
                      {"micros", std::round(micros * 10) / 10}};
  if (!o.notes.empty()) answer["notes"] = json::value_from(o.notes);
  return json_text(answer);
}

}  // namespace

int score_command(const ScoreArguments& a) {
  Diagnostics diagnostics;
  Loader loader(plugin_search_path(a.plugin_path));
  uint64_t seed = 0;
  const std::shared_ptr<const Spec> spec = spec_of(a, loader, diagnostics, seed);
  diagnostics.print(std::cerr);
  if (!spec || diagnostics.has_errors()) return kExitUser;
  LoneComponents components(seed, "score", a.threads.value_or(available_threads()));
  const Instance& reward = components.create(*spec, "rewards/0");

  const bool is_stdin = a.file.empty() || a.file == "-";
  const std::string name = is_stdin ? "standard input" : a.file.string();
  std::ifstream file;
  if (!is_stdin) {
    file.open(a.file, std::ios::binary);
    if (!file || fs::is_directory(a.file))
      throw UserError(name + ": cannot be read: give a file of JSON Lines");
  }
  std::istream& in = is_stdin ? std::cin : file;

  const LoneReward asked(reward, a.timeout);
  Summary summary;
  std::vector<Row> rows;
  std::set<std::string> note_faults;
  const auto flush = [&] {
    if (rows.empty()) return;
    const int64_t begin = monotonic_ns();
    std::vector<RewardRow> samples;
    for (const Row& row : rows) samples.push_back(row.sample);
    std::vector<RewardAnswer> outcomes;
    try {
      outcomes = asked.score(samples);
    } catch (const Error& e) {
      throw RunError(reward.title() + ": " + e.what());
    }
    const double micros =
        static_cast<double>(monotonic_ns() - begin) * 1e-3 / static_cast<double>(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto [verdict, reason] = verdict_and_reason(outcomes[i].reason);
      std::cout << line_of(outcomes[i], verdict, reason, micros) << '\n';
      summary.add(rows[i], outcomes[i], verdict, micros);
      if (const std::string& fault = outcomes[i].note_fault;
          !fault.empty() && note_faults.insert(fault).second)
        std::cerr << "warning: " << reward.title() << ": " << fault << ": it is not recorded\n";
    }
    rows.clear();
  };
  std::string text;
  for (uint64_t line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      rows.push_back(read_row(text, a, name, line));
    } catch (const UserError&) {
      flush();
      std::cout.flush();
      throw;
    }
    if (rows.size() >= a.batch) flush();
  }
  flush();
  if (!std::cout.flush()) throw RunError("standard output: the answers could not be written");
  if (summary.rows() == 0) throw UserError(name + ": has no rows");
  if (a.summary) summary.print(std::cerr);
  return kExitOk;
}

}  // namespace tenon::host
