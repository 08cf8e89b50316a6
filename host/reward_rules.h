// How a reward of a list takes part: which samples and which part of a completion it sees, and when what it says counts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/plan.h"
#include "host/reward_scope.h"
#include "host/text_column.h"
#include "tenon/abi.h"

namespace tenon::host {

// The attributes of a reward in a stage's list beside `weight`; each may be absent from the stage's option table.
struct RewardRules {
  RewardScope scope = RewardScope::kWhole;
  // `sources`: it judges only rows whose meta field `source_field` has one of these values. Empty: all rows.
  std::vector<std::string> sources;
  std::string source_field = "source";
  // `only_if`: what it gives counts 0 unless the reward of this place in the list, an earlier one, gave more than `only_above`; where that one gave
  // no number, it does not apply.
  std::optional<size_t> only_if;
  double only_above = 0;

  bool is_plain() const { return scope == RewardScope::kWhole && sources.empty(); }
  // The tokens are those of the whole completion.
  bool shows_tokens() const { return scope == RewardScope::kWhole; }
};

// Those of a list of a stage, by place; `list` is its slot or its option: "rewards", "benchmarks/0/rewards", "benchmarks.0.rewards". Throws UserError, with the place in the file: `only_if` names no earlier reward of the list, or
// `only_above`, `source_field` stand without what they belong to.
std::vector<RewardRules> reward_rules(const Spec& stage, const std::string& list);

// What the rewards of a list are called where it has a name twice: the second is "name#2".
std::vector<std::string> distinct_names(std::vector<std::string> names);

// Why a reward with these rules does not judge a row of this meta ("its source is \"code\""); empty: it does.
std::string why_left_out(const RewardRules& rules, std::string_view meta_json);

// The samples as a reward with rules sees them: fewer, or with less text. What it is not shown of a sample with a scope are the tokens, which are those of
// the whole completion.
class RewardView {
 public:
  RewardView(const RewardRules& rules, const tenon_reward_in& in);
  RewardView(const RewardView&) = delete;
  const tenon_reward_in& in() const { return view_; }
  // The place among all samples of the view's i-th.
  uint64_t place(uint64_t i) const { return places_[i]; }
  // Why a sample is not in the view; empty: it is.
  const std::string& left_out(uint64_t place) const { return left_out_[place]; }

 private:
  tenon_reward_in view_{};
  std::vector<uint64_t> places_;
  std::vector<std::string> left_out_;
  std::vector<uint64_t> sample_id_, group_id_, token_offsets_{0};
  std::vector<int32_t> finish_, tokens_;
  TextColumn prompt_, completion_, meta_;
};

}  // namespace tenon::host
