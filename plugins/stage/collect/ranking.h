// Completions to be ranked: the file that people rank, and the judge that is simulated.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tenon::collect {

// Completions of one prompt. In the file, a line each:
//   {"prompt":"…","completions":["…","…","…"],"ranking":[2,0,1]}
// ranking: places in `completions`, best first; null: nobody has ranked them yet; []: somebody has looked and cannot say. Further fields are ignored.
struct Item {
  std::string prompt;
  std::vector<std::string> completions;
  std::optional<std::vector<uint64_t>> ranking;
};

std::string to_line(const Item& item);
// Throws Error with the reason alone: no such object, or a ranking that does not name each completion once.
Item from_line(const std::string& line);

struct Line {
  Item item;
  std::string text;  // the line as it is written, further fields included, less its end
};

// The lines of a file. Throws Error naming file and line. No file: none.
std::vector<Line> read_lines(const std::string& file);
// Complete or not there, also after a power cut.
void write_lines(const std::string& file, std::span<const std::string> lines);

// The file of completions that wait for people, brought up to what waits now.
struct Rankings {
  uint64_t lists = 0;  // different ones that wait
  uint64_t open = 0;   // of these, those that nobody has ranked
  uint64_t others =
      0;  // rankings in the file of completions that do not wait: they stay in it and are not used
};
// Gives each of `waiting` the ranking that `file` has of it, and adds to the file what is not in it. Nothing that somebody ranked leaves the file. The file is
// written where that changes it only. Throws Error.
Rankings look_up(const std::string& file, std::span<Item* const> waiting);

// The places of `scores`, best first. temperature 0: by the scores; of equal ones the earlier first. Else a draw from Plackett and Luce's model with scores / temperature, which for two is
// Bradley and Terry's: the order of score / temperature + Gumbel noise. `uniform`: numbers in (0, 1), one a score.
std::vector<uint64_t> simulated_ranking(std::span<const double> scores, double temperature,
                                        std::span<const double> uniform);

}  // namespace tenon::collect
