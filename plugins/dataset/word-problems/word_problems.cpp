// Data set `word-problems`: stories of one to six steps of arithmetic, with what is beside the point in the hardest.
// SPDX-License-Identifier: Apache-2.0
#include "dataset_support/task.h"
#include "story.h"

namespace {

namespace support = tenon::dataset_support;
namespace problems = tenon::word_problems;

class WordProblems {
 public:
  explicit WordProblems(tenon::Host host) : task_(host, true) {}
  static void check(tenon::Host host, tenon::Findings& findings) { support::Task::check(host, findings); }
  uint64_t size() const { return task_.size(); }
  tenon::Row at(uint64_t index) const {
    return task_.row(index, [](support::Draws& draws, int64_t level) {
      const problems::Level of = problems::level_of(level);
      const problems::Story story(draws, of);
      return support::Problem{story.question(), std::to_string(story.answer()), story.mistakes(),
                              story.work(), "\"steps\":" + std::to_string(of.steps)};
    });
  }

 private:
  support::Task task_;
};

}  // namespace

TENON_DATASET_PLUGIN(WordProblems, "word-problems", "1.0.0",
                     "Stories of one to six steps of arithmetic, worked out, in five levels.",
                     support::kMinLevel, support::kMaxLevel, support::kTaskChoices, support::kTaskTemplate,
                     support::kAs, support::kSystem, support::kTaskSplit, support::kTaskRows,
                     support::kTaskSeed)
