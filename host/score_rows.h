// The rows that `tenon score` reads.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "host/lone_reward.h"

namespace tenon::host {

struct ScoreRow {
  RewardRow sample;  // its id is the row's line
  std::optional<bool> label;
  bool has_token_count = false;  // how many tokens there are, and not which
};

// {"completion": text}, perhaps with `prompt`, `tokens` (ids of the completion), and `label` (true, false or a number, which is true above 0.5; empty: none).
// All but completion and tokens is the row's meta, with the fields of an object `meta`, as samples.jsonl has it, in front of others of the same name; its values as they are written. Tokens that are
// a number, as there, are none: ids are not made up. Throws UserError, beginning with file:line.
ScoreRow read_score_row(const std::string& text, const std::string& label, const std::string& file,
                        uint64_t line);

// Lines of a file, or of the standard input, until a signal asks for the end (StopSignals).
class LineReader {
 public:
  // Empty or "-": the standard input. Throws UserError.
  explicit LineReader(const std::filesystem::path& file);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  const std::string& name() const { return name_; }
  // The next line, without its end, or nothing behind the last one and when the end was asked for. Throws RunError.
  bool next(std::string& line);

 private:
  bool fill();  // false: nothing more comes

  std::string name_, buffer_;
  size_t begin_ = 0;  // of what has not been given, in buffer_
  int descriptor_ = -1;
  bool is_first_ = true;  // line
};

}  // namespace tenon::host
