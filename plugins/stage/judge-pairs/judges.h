// Who says which of two completions is better.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "candidates.h"
#include "chat_server/chat_server.h"
#include "stage_support/sampled.h"

namespace tenon::judge_pairs {

// Two completions of one question; they outlive it.
struct Contest {
  const Asked* asked;
  const Candidate *first, *second;
};

// What a judge says of a contest: verdicts, each the score of `first` less that of `second`, by the place that `first` had. A judge that has no order has one verdict.
struct Opinion {
  std::vector<double> first_as_a, first_as_b;
  std::string why;   // not empty: there is none, because of this
  std::string said;  // an answer of the judge, of whom there is one
  // The mean over all verdicts.
  double gap() const;
};

// [one thread]
class Judge {
 public:
  virtual ~Judge() = default;
  virtual const std::string& name() const = 0;
  // Whether the place of a completion may matter to it.
  virtual bool has_order() const { return true; }
  // Opinions in the order of the contests. folder: the stage's. Throws where no judge is to be had.
  virtual std::vector<Opinion> judge(const tenon_call* call, const std::vector<Contest>& contests,
                                     const std::string& folder) = 0;
};

// The judge of the options: `server`, `judge` (a model of this process) or `rewards`. The first two are asked which of two is better, `rounds` times in either order, so that a preference for a place cancels; they see
// what `region` says. The sum of `rewards` is a score of each completion alone.
std::unique_ptr<Judge> make_judge(const Host& host);
void check_judge(const Host& host, Findings& findings);

// What a judge that is asked is shown of a completion: of `region: answer` what follows </think>.
std::string_view shown(const Candidate& candidate, bool whole);

}  // namespace tenon::judge_pairs
