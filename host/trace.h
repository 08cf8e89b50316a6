// The trace of a step of reinforcement learning: what its updates were made of, read back and computed again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tenon/rollout.hpp"

namespace tenon::host {

// A file `tenon-trace/1`, which stage `rl` writes: the rollout's columns, and those of each optimizer update.
struct Trace {
  // One optimizer update: the sequences that had a part in it, and over their tokens, one sequence after the other:
  struct Update {
    std::vector<uint64_t> rows;
    std::vector<uint64_t>
        offsets;  // where each row's tokens begin in the columns below; one more for the end
    std::vector<float> lp_new, value, entropy, d_logprob, d_value, d_entropy;  // all but lp_new and d_logprob may be empty
    std::vector<double> weight;
    // Where the tokens of sequence i begin; nothing: it had no part.
    std::optional<uint64_t> place(uint64_t i) const;
  };

  // Throws RunError that names the file and what is wrong with it.
  static Trace read(const std::filesystem::path& path);

  uint64_t step = 0;
  Rollout rollout;  // `advantage` and `value_target` as the algorithm gave them; `valid`: in baselines
  std::vector<uint8_t> trained;    // [n] in the loss
  std::vector<double> importance;  // [T] factor of the advantage; empty: 1
  std::vector<std::string> rewards;
  std::vector<double> weights;  // of the rewards
  std::vector<double> terms;    // [rewards · n] each reward before its weight; NaN: not OK
  std::vector<Update> updates;

  // The sequence with this sample id.
  std::optional<uint64_t> find(uint64_t sample_id) const;
  uint64_t completion_begin(uint64_t i) const { return rollout.ids.offsets[i] + rollout.prompt_len[i]; }

  // What `gradient` was given in update u.
  Rollout of_update(const Update& u) const;
  // The whole rollout with the columns of both functions, for explanations: those of update u where a sequence had a part in it;
  // elsewhere, and everywhere without an update, the policy before the first update, and weight 0.
  // in_loss: samples that are not in the loss count as not valid, as `gradient` sees them.
  Rollout whole(const Update* u, bool in_loss) const;
};

// Calls the algorithm with the trace's inputs. The first number whose bits are not the recorded ones, as a sentence; nothing: all are equal.
// Throws tenon::Error if the algorithm does.
std::optional<std::string> first_difference(const Trace& trace, const Algorithm& algorithm);

}  // namespace tenon::host
