// Near texts against all pairs compared one by one.
// SPDX-License-Identifier: Apache-2.0
#include "near.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support/fake_components.h"

namespace tenon::filter {
namespace {

using ::testing::ElementsAre;

TEST(Shingles, AreRunsOfWordsAsASet) {
  EXPECT_EQ(shingles_of("a b c d", 3).size(), 2u);
  EXPECT_EQ(shingles_of("A, b; c! D", 3), shingles_of("a b c d", 3));
  EXPECT_EQ(shingles_of("a b", 3).size(), 1u) << "a short text is one run";
  EXPECT_EQ(shingles_of("a a a a a", 2).size(), 1u);
  EXPECT_TRUE(shingles_of(" ?! ", 3).empty());
  EXPECT_TRUE(shingles_of("", 1).empty());
}

TEST(Jaccard, ByHand) {
  using Set = std::vector<uint64_t>;
  EXPECT_EQ(jaccard(Set{1, 2, 3}, Set{1, 2, 3}), 1);
  EXPECT_EQ(jaccard(Set{1, 2, 3}, Set{2, 3, 4}), 0.5);
  EXPECT_EQ(jaccard(Set{1}, Set{2}), 0);
  EXPECT_EQ(jaccard(Set{}, Set{2}), 0);
}

// Texts, of which many are others with some words changed.
std::vector<std::vector<uint64_t>> texts(uint64_t seed, size_t n) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<uint64_t>> words, out;
  for (size_t i = 0; i < n; ++i) {
    std::vector<uint64_t> text;
    if (i == 0 || random() % 3 == 0)
      for (uint64_t k = 0; k < 20 + random() % 60; ++k) text.push_back(random() % 5000);
    else
      text = words[random() % words.size()];
    for (uint64_t k = random() % 6; k > 0; --k) text[random() % text.size()] = random() % 5000;
    words.push_back(text);
    std::string written;
    for (const uint64_t w : text) written += "w" + std::to_string(w) + " ";
    out.push_back(shingles_of(written, 3));
  }
  return out;
}

TEST(NearTexts, AreThoseOfAllPairs) {
  for (const double similarity : {0.4, 0.6, 0.8, 0.95}) {
    const auto sets = texts(static_cast<uint64_t>(similarity * 100), 1500);
    NearTexts near(similarity);
    std::vector<size_t> kept;
    size_t left_out = 0, missed = 0;
    for (size_t i = 0; i < sets.size(); ++i) {
      const bool truth = std::any_of(kept.begin(), kept.end(),
                                     [&](size_t k) { return jaccard(sets[i], sets[k]) >= similarity; });
      const bool found = near.has(sets[i], [&](uint64_t k) { return sets[k]; });
      EXPECT_TRUE(truth || !found) << "what is called near is near";
      left_out += truth, missed += truth && !found;
      if (found) continue;
      near.add(sets[i], i), kept.push_back(i);
    }
    EXPECT_GT(left_out, 100u) << similarity;
    EXPECT_LE(missed, 3u) << similarity << " of " << left_out;
  }
}

TEST(NearTexts, OfTheFilterTheFirstStays) {
  const auto row = [](const std::string& prompt, const std::string& completion) {
    return Row{prompt, "", completion, "{}", ""};
  };
  const std::string words = "one two three four five six seven eight nine ten eleven twelve ";
  test::RowSet data({row(words + "apples", "x"), row("other", "x"), row(words + "pears", "x"),
                     row(words + "apples!", "x"), row("?", "x"), row("!", "x"), row(words + "pears", "y z")});
  test::FakeHost host(
      test::plugin_component(),
      R"({"data": "all", "unique": ["prompt", "completion"], "near": {"parts": ["prompt"], "similarity": 0.8}})");
  host.slot("data", data.ref("all"));
  const test::Instance instance(test::plugin_component(), host);
  const Dataset left(instance.ref());
  std::vector<std::string> kept;
  for (const Row& r : left.read(nullptr, 0, left.count())) kept.push_back(r.prompt);
  // Each has 11 runs, of which 10 are shared: 10 / 12 = 0.83. Of rows without words the second is repeated, not near.
  EXPECT_THAT(kept, ElementsAre(words + "apples", "other", "?"));
  EXPECT_THAT(host.logs[0].second, ::testing::HasSubstr("near 2 (the first is row 2 of all); repeated 2"));
}

// A row that is left out for one reason is no reason to leave out another.
TEST(NearTexts, OneThatIsLeftOutMakesNoOtherRepeated) {
  const std::string words = "one two three four five six seven eight nine ten eleven twelve ";
  test::RowSet data({Row{words + "apples", "", "x", "{}", ""}, Row{words + "pears", "", "other", "{}", ""},
                     Row{"new", "", "other", "{}", ""}});
  test::FakeHost host(
      test::plugin_component(),
      R"({"data": "all", "unique": ["completion"], "near": {"parts": ["prompt"], "similarity": 0.8}})");
  host.slot("data", data.ref("all"));
  const test::Instance instance(test::plugin_component(), host);
  const Dataset left(instance.ref());
  ASSERT_EQ(left.count(), 2u);
  EXPECT_EQ(left.read(nullptr, 1, 1)[0].prompt, "new");
}

}  // namespace
}  // namespace tenon::filter
