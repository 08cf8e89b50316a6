// Messages: order, the caret, and guesses at what was meant.
// SPDX-License-Identifier: Apache-2.0
#include "host/diagnostics.h"

#include <gtest/gtest.h>

#include <sstream>

namespace tenon::host {
namespace {

std::string printed(const Diagnostics& diagnostics) {
  std::ostringstream out;
  diagnostics.print(out);
  return out.str();
}

TEST(EditDistance, CountsInsertionsDeletionsSubstitutionsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("form", "from"), 1u);
  EXPECT_EQ(edit_distance("steps", "steps"), 0u);
}

TEST(DidYouMean, SuggestsTheNearestAndNothingThatIsFar) {
  EXPECT_EQ(did_you_mean("learning_rat", {"steps", "learning_rate"}), " Did you mean \"learning_rate\"?");
  EXPECT_EQ(did_you_mean("stpes", {"steps", "stop"}), " Did you mean \"steps\"?");
  EXPECT_EQ(did_you_mean("banana", {"steps", "learning_rate"}), "");
  EXPECT_EQ(did_you_mean("number_of_steps", {"steps", "model"}), " Did you mean \"steps\"?");
  EXPECT_EQ(did_you_mean("steps", {"steps"}), "");
}

TEST(Diagnostics, PrintsInTheOrderOfTheFileWithACaret) {
  Diagnostics diagnostics;
  diagnostics.add_source("a.yaml", "one: 1\n\ttwo: 2\r\n");
  diagnostics.warning({"a.yaml", 2, 2}, "two", "second");
  diagnostics.error({"a.yaml", 1, 6}, "one", "first");
  EXPECT_EQ(printed(diagnostics),
            "a.yaml:1:6: error: one: first\n  one: 1\n       ^\n"
            "a.yaml:2:2: warning: two: second\n  \ttwo: 2\n  \t^\n");
  EXPECT_EQ(diagnostics.errors(), 1u);
  EXPECT_EQ(diagnostics.warnings(), 1u);
}

TEST(Diagnostics, TheCaretCountsCharactersNotBytes) {
  Diagnostics diagnostics;
  diagnostics.add_source("a.yaml", "né: x");
  diagnostics.error({"a.yaml", 1, 6}, "", "here");
  EXPECT_EQ(printed(diagnostics), "a.yaml:1:6: error: here\n  né: x\n      ^\n");
}

TEST(Diagnostics, TheSameMistakeIsReportedOnce) {
  Diagnostics diagnostics;
  diagnostics.error({"a.yaml", 1, 6}, "pipeline.base.model.layers", "too large");
  diagnostics.error({"a.yaml", 1, 6}, "pipeline.zero.model.layers", "too large");
  EXPECT_EQ(diagnostics.errors(), 1u);
}

}  // namespace
}  // namespace tenon::host
