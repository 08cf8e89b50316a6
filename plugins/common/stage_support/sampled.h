// Prompts to scored completions: what reinforcement learning and evaluation share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "stage_support/row_text.h"

namespace tenon::stages {

// A rollout with its texts and rewards.
struct Sampled {
  Rollout rollout;
  Ragged<char> prompts, completions, meta;  // one per sequence, special tokens left out
  std::vector<uint64_t> row_index;          // of the sequence's row in its data set
  std::vector<double> earned;  // the sum of all rewards; rollout.reward may later be made something else of
  std::vector<double> first;   // the first reward alone; NaN where it is not OK
  std::vector<std::vector<double>> terms;  // each reward alone, before its weight; NaN where it is not OK
  std::vector<std::string> reward_names;   // of terms
  // Tokens of prompts and completions that came as texts, of which no ids are known; empty: those of `rollout`. kUnknownTokens: nobody counted them.
  static constexpr uint64_t kUnknownTokens = UINT64_MAX;
  std::vector<uint64_t> prompt_tokens, completion_tokens;

  uint64_t prompt_len(uint64_t i) const {
    return prompt_tokens.empty() ? rollout.prompt_len[i] : prompt_tokens[i];
  }
  uint64_t completion_len(uint64_t i) const {
    return completion_tokens.empty() ? rollout.completion_len(i) : completion_tokens[i];
  }

  // Puts sequence i of another batch behind these.
  void push(const Sampled& from, uint64_t i);

  // One object for samples.jsonl: prompt, completion, reward (null: not valid), each reward by its name (null: not OK), advantage of its first token (left
  // out: none computed), finish.
  std::string to_json(uint64_t i) const;
  // One object: each reward of sequence i by its name (null: not OK).
  std::string rewards_json(uint64_t i) const;
};

// The option `name` of an element of a list of objects, where it has it, else the stage's own. element: "benchmarks.0.", or empty: the stage.
double number_of(const Host& host, const std::string& element, const char* name);
int64_t integer_of(const Host& host, const std::string& element, const char* name);

// The list `rewards` of `element`, looked up when it is made.
class RewardList {
 public:
  explicit RewardList(const Host& host, const std::string& element = "");
  // Fills the columns of `batch` that rewards give.
  void score(const tenon_call* call, Sampled& batch) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  Host host_;
  std::string list_;
  std::vector<std::string> names_;
};

// How completions are drawn and judged. Reads the options temperature, top_k, top_p, min_p, max_new_tokens and overlap_rewards, and the slots sampler and
// rewards; all but overlap_rewards and sampler of `element` first, as number_of does. A list of rewards that is empty judges nothing: all samples are valid then, and earn 0.
class CompletionSampler {
 public:
  enum class Filters { kOptions, kNone };
  // kNone: the stage has no options top_k, top_p and min_p, and draws among all tokens.
  explicit CompletionSampler(const Host& host, const std::string& element = "",
                             Filters filters = Filters::kOptions);

  float temperature() const { return sampling_.temperature; }
  const std::vector<std::string>& reward_names() const { return rewards_.names(); }
  // Before the first step: tries the rows [0, most) of slot `data` as prompts for `model` (row_check.h), and warns if completions can only end where the
  // model's context does. `tokenizer_slot`: the slot of `tokenizer`. `asked`: a row as it will be sampled from; empty: as it is.
  void check_prompts(const std::string& data, const Model& model, const Tokenizer& tokenizer,
                     const std::string& tokenizer_slot, uint64_t most,
                     const std::function<Row(const Row&)>& asked = {}) const;
  // per_row completions of each row, neighbours in one group, with their rewards; sample i has the id first_id + i. Rewards judge whole groups: with
  // overlap_rewards while other groups are still generated, without it all of them in one call. Records the timings `rollout` and `reward`, the wait for
  // rewards behind it. Throws Error naming a row that cannot be used.
  Sampled sample(const tenon_call* call, const Model& model, const Tokenizer& tokenizer,
                 std::span<const Row> rows, uint64_t per_row, uint64_t first_id, uint64_t version) const;

 private:
  Host host_;
  RewardList rewards_;
  Sampler sampler_;
  tenon_sampling sampling_;
  uint64_t max_new_tokens_;
  bool overlap_;
};

// The options that CompletionSampler reads, and those of a reward in the list, which the host does (host/reward_rules.h).
inline constexpr const char* kRewardScopes[] = {"whole", "think", "answer", nullptr};
inline constexpr OptionTable kRewardChildren{
    number("weight", "1", "Factor of this reward in the sum."),
    choice("scope", kRewardScopes, "\"whole\"",
           "What it sees of a completion: all; think: what stands before the last </think>; answer: what "
           "follows it, nothing "
           "where thinking does not end. With a scope it is not shown the tokens."),
    text("sources", nullptr,
         "It judges only rows whose meta field `source_field` has one of these values; on others it does not "
         "apply. So each "
         "row of a mixed stream names its verifier.",
         {.flags = TENON_O_LIST}),
    text("source_field", "\"source\"", "Field of the row's meta that `sources` looks at."),
    text(
        "only_if", nullptr,
        "An earlier reward of the list: this one counts 0 where that one gave no more than `only_above`, and "
        "does not apply where that one gave no number."),
    number("only_above", "0", "Bound of `only_if`.")};
inline constexpr tenon_option kRewardsOption =
    reference("rewards", "reward", nullptr,
              "Rewards of a completion, added up with their weights; the first one is reported as accuracy.",
              {.flags = TENON_O_REQUIRED | TENON_O_LIST}, kRewardChildren);
inline constexpr tenon_option kSamplerOption =
    reference("sampler", "sampler", "{\"use\": \"native\"}", "Completes the prompts.");
inline constexpr tenon_option kOverlapRewardsOption =
    boolean("overlap_rewards", "true",
            "Whether rewards judge the completions of a prompt as soon as all of them are there, while those "
            "of others are "
            "still being generated; false: all together afterwards, for a reward that compares prompts with "
            "each other.",
            {.flags = TENON_O_ADVANCED});
inline constexpr tenon_option kMaxNewTokensOption =
    integer("max_new_tokens", "256", "Most tokens of a completion; one that reaches it is cut there.",
            {.min = "1", .max = "16777216", .unit = "tokens"});
inline constexpr tenon_option kTopKOption =
    integer("top_k", "0", "Draws among the k most likely tokens only; 0: among all.",
            {.min = "0", .max = "16777216", .unit = "tokens", .flags = TENON_O_ADVANCED});
inline constexpr tenon_option kTopPOption = number(
    "top_p", "0", "Draws among the most likely tokens that together have this probability; 0: among all.",
    {.min = "0", .max = "1", .flags = TENON_O_ADVANCED});
inline constexpr tenon_option kMinPOption = number(
    "min_p", "0", "Draws among tokens at least this fraction as likely as the most likely one; 0: among all.",
    {.min = "0", .max = "1", .flags = TENON_O_ADVANCED});

}  // namespace tenon::stages
