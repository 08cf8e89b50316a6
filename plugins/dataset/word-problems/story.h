// A story in which the number of someone's things changes, step by step.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "dataset_support/draws.h"

namespace tenon::word_problems {

// What happens to the number v of things.
enum class Event {
  kMore,    // v + k
  kFewer,   // v - k
  kTimes,   // v * k
  kShared,  // v / k, without remainder
  kPart,    // v - v / k, without remainder: a half, a third …
  kPercent  // v - v * k / 100, without remainder
};

struct Step {
  Event event;
  int64_t k;
};

// v after the step.
int64_t after(int64_t v, const Step& step);

// What steps a level has, and what is beside the point.
struct Level {
  std::vector<Event> events;
  size_t steps, asides;
  int64_t most;  // every number of things on the way is from 1 to this
};
Level level_of(int64_t level);

class Story {
 public:
  Story(dataset_support::Draws& draws, const Level& level);

  int64_t answer() const { return values_.back(); }
  // The question in sentences.
  std::string question() const { return question_; }
  // "12 + 5 = 17. 17 - 3 = 14."
  std::string work() const;
  // What one gets who leaves a step out, or does the last one the other way round, or miscounts by a little.
  std::vector<std::string> mistakes() const;

 private:
  void draw_steps(dataset_support::Draws& draws, const Level& level);
  void tell(dataset_support::Draws& draws, size_t asides);

  std::vector<Step> steps_;
  std::vector<int64_t> values_;  // at first, and after each step
  std::string question_;
};

}  // namespace tenon::word_problems
