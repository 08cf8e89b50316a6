// Loops in a pipeline: a group of stages that is repeated, written out as plain stages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "host/config.h"
#include "host/diagnostics.h"
#include "tenon/abi.h"

namespace tenon::host {

inline constexpr size_t kNoLoop = static_cast<size_t>(-1);

// A stage of the pipeline as it is written, or one round's of a stage in a loop.
struct StageEntry {
  Value
      value;  // with the name as it is written, and {first: …, then: …} replaced by what holds in this round
  std::string list;    // the list that it stands in: "pipeline", "pipeline.loop.stages"
  size_t number = 0;   // in that list, from 0
  std::string prefix;  // of its name: "loop.2." in a loop's second round, else empty
  size_t loop = kNoLoop;
  uint64_t round = 0;  // from 1; 0: not in a loop
};

// - repeat: 3
//   name: loop
//   stages: [{name: collect, …}, {name: rl, …}]
struct Loop {
  std::string name;
  Mark mark;  // of its name
  uint64_t rounds = 0;
  std::vector<std::string> stages;  // as they are written, in their order: "collect", "rl"
  std::vector<Mark> stage_marks;
  size_t number = 0;  // in the pipeline, from 0
  // By stage: where {first: …, then: …} stands, as keys and numbers from the stage on, and the map itself.
  std::vector<std::vector<std::pair<std::vector<std::string>, Value>>> rounds_differ;

  // "loop.2.": what names of the stages of a round (from 1) begin with.
  std::string prefix(uint64_t round) const { return name + "." + std::to_string(round) + "."; }
};

struct ExpandedPipeline {
  std::vector<StageEntry> stages;  // in the order in which they run
  std::vector<Loop> loops;
};

// Writes the loops of `pipeline`, the list of that name, out. In a loop, a map {first: a, then: b} stands for a in the first round and for b in those behind it;
// a `b` that names a stage of the loop (or rows of one: "collect.kept") means that of the round before. Mistakes in loops go into `diagnostics`; a loop that
// has one is left out.
ExpandedPipeline expand_pipeline(const Value& pipeline, Diagnostics& diagnostics);

// The options of a loop besides `stages`: repeat, name.
const tenon_option* const* repeat_options();

}  // namespace tenon::host
