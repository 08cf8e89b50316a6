// The rows of a run's data sets, shown to its rewards before anything is trained (`tenon check --data`).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/diagnostics.h"
#include "host/plan.h"

namespace tenon::host {

// A row that a reward cannot judge, whatever a completion says: its gold answer cannot be read, its tests do not compile.
struct UnjudgedRow {
  std::string stage, reward, dataset;
  uint64_t row = 0;     // index in its data set
  std::string place;    // "train.jsonl:17", or empty
  std::string outcome;  // "not applicable"
  std::string reason;   // the reward's own words
};

// A reward and a data set of one stage.
struct DataCheck {
  std::string stage, reward, dataset;
  uint64_t rows = 0, unjudged = 0;
  std::string skipped;  // why it was not asked; empty: it was
};

// Rows of a data set without an end that are tried, and the most of any other.
inline constexpr uint64_t kTriedOfEndless = 1000, kTriedRows = 1'000'000;

// Asks every reward of a stage for two completions of every row of the stage's data sets, an empty one and one with thought and answer; a row for which
// neither gets a reward is one of `unjudged`. Rewards that ask a server (an option `url`), rewards and data sets that earlier stages make are skipped.
// Mistakes in creating them go into `diagnostics`, and so does, as an error, a data set of which a larger share than run.max_reward_failures has no reward that
// judges it; what components warn of meanwhile are warnings. [not reentrant; writes nothing]
std::vector<DataCheck> check_data(const Plan& plan, Diagnostics& diagnostics,
                                  std::vector<UnjudgedRow>& unjudged);

inline constexpr uint64_t kFirstRows = 16;

// The part of that which a run does before its first step: a reward that refuses, for whatever completion, each of the first rows of a stage's data set that it
// applies to is an error (the field with the gold answer is not there, or is called otherwise). Asks quick rewards alone: none that may block
// (TENON_C_MAY_BLOCK), has a process of its own, holds a model, or has weight 0. Nothing is an error with run.max_reward_failures: 1. [not reentrant; writes nothing]
void check_first_rows(const Plan& plan, const StagePlan& stage, Diagnostics& diagnostics);

}  // namespace tenon::host
