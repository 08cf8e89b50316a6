// Which completions of a problem give the same answer: for majority votes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/host.hpp"
#include "tenon/options.hpp"

namespace tenon::answer_votes {

// The votes on one problem.
struct Ballot {
  std::vector<std::string>
      answers;  // different ones, as the first completion of each wrote it, in the order of the completions
  std::vector<std::optional<size_t>> votes;  // by completion: the index of its answer; nothing: it gives none
};

// Finds a completion's answer and tells whether two are the same, in the same ways as the rewards `answer` and `math` do.
class Voting {
 public:
  // Reads the option object at path `at` ("vote"), a table of kVoteChildren. Throws Error for a policy that is not there.
  Voting(const Host& host, const std::string& at);
  ~Voting();
  Voting(Voting&&) noexcept;

  // `completions` of one `prompt`. An answer goes to the first answer of the ballot that it is the same as. [any thread]
  Ballot count(std::string_view prompt, const std::vector<std::string_view>& completions) const;

 private:
  struct Method;
  std::unique_ptr<const Method> method_;
};

// For a component's `check`: rules between the options at `at`.
void check_vote(const Host& host, const std::string& at, Findings& findings);

inline constexpr const char* kWays[] = {"number", "text", "math", nullptr};
inline constexpr const char* kExtractors[] = {"after-tag", "between-tags", "after-hash", "last-number",
                                              "boxed",     "whole",        nullptr};
inline constexpr const char* kRegions[] = {"answer", "whole", nullptr};
inline constexpr OptionTable kVoteChildren{
    choice("by", kWays, "\"math\"",
           "When two answers are the same: as exact numbers (1,000 = $1000.00), as text, or mathematically, "
           "where the reward `math` calls them equal."),
    choice("extract", kExtractors, "\"last-number\"",
           "by number, text: where the answer is, as in the reward `answer`. By math: where the reward "
           "`math` looks."),
    choice("region", kRegions, "\"answer\"",
           "answer: behind the last </think>, nowhere as long as thinking does not end; whole: everywhere."),
    text("tag", "\">\"", "Of extract: after-tag."),
    text("open", "\"<answer>\"", "Of extract: between-tags."),
    text("close", "\"</answer>\"", "Of extract: between-tags."),
    boolean("ignore_case", "false", "By text: whether a = A (ASCII letters)."),
    text("policies", nullptr,
         "By math: options of the reward `math` that are not its defaults, \"extract=boxed\".",
         {.flags = TENON_O_LIST})};

}  // namespace tenon::answer_votes
