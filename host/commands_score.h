// `tenon score`: a reward on samples from a file, without any training.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tenon::host {

struct ScoreArguments {
  std::string reward;            // a reward plugin; with `config`, a reward of that configuration
  std::filesystem::path config;  // empty: none
  std::string stage;             // of that configuration; empty: the first that has the reward
  std::vector<std::string> set;  // options of the plugin, "path=value"; with `config`, of the configuration
  std::filesystem::path file;    // JSON Lines; empty or "-": standard input
  std::string label;             // a field of the rows that says what is right; empty: none
  uint64_t batch = 1;            // rows of one call
  std::chrono::nanoseconds timeout{0};  // of one call; 0: none
  std::optional<uint32_t> threads;      // that the reward may use; none: those there are
  std::vector<std::filesystem::path> plugin_path;
  bool explain = false;  // sets the reward's option `explain`
  bool summary = false;
};

// A row is an object with `completion` (text), perhaps `prompt`, `tokens` (the completion's ids, for rewards that look at them), and whatever else the reward
// asks for (`answer`…), which it gets as the row's meta. Prints for each row, in their order, one line
//   {"reward": number or null, "status": "ok", "verdict": word or null, "reason": text or null, "micros": time of the call / its rows}
// with "notes": {…} where the reward has some; null is the reward of a row whose status is not ok. A reason that begins with one word and a colon ("equal: …") is taken
// apart into verdict and reason. The lines of a call are written when it returns, before the next one; what the plugin prints goes to the standard error. With
// `summary` or `label`, a table follows on standard error; with `label`, it has how often reward > 0.5 and the label (true or a number > 0.5) agree. An entry of
// a configuration's list is asked with its `scope` and `sources`; `weight` and `only_if` do not count.
// SIGINT and SIGTERM end it after the call, with the table of what there is. Returns kExitOk, kExitStopped after a signal, or kExitFailed where no row got a reward;
// throws UserError with file:line for a row that is no such object, after the lines before it were printed.
int score_command(const ScoreArguments& arguments);

}  // namespace tenon::host
