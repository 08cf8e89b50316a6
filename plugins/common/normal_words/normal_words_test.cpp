// Tests of normalised words.
// SPDX-License-Identifier: Apache-2.0
#include "normal_words/normal_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::normal_words {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> texts(std::string_view text) {
  std::vector<std::string> out;
  for (const Word& word : words_of(text)) out.emplace_back(text.substr(word.begin, word.size));
  return out;
}
std::vector<uint64_t> hashes(std::string_view text) {
  std::vector<uint64_t> out;
  for (const Word& word : words_of(text)) out.push_back(word.hash);
  return out;
}

TEST(NormalWords, AreRunsOfLettersAndDigits) {
  EXPECT_THAT(texts("  Janet's ducks lay 16 eggs/day. "),
              ElementsAre("Janet", "s", "ducks", "lay", "16", "eggs", "day"));
  EXPECT_THAT(texts("多少钱 3 ガス"), ElementsAre("多", "少", "钱", "3", "ガ", "ス"));
  EXPECT_THAT(texts("x²+ß\xff"
                    "y"),
              ElementsAre("x²", "ß", "y"));
  EXPECT_THAT(texts("co\xC2\xADop"), ElementsAre("co\xC2\xADop")) << "a soft hyphen parts no word";
  EXPECT_TRUE(texts("").empty());
  EXPECT_TRUE(texts(" …!? ").empty());
}

TEST(NormalWords, CaseAccentsAndWidthsDoNotMatter) {
  EXPECT_EQ(hashes("Zoë STRASSE ﬁne １２"), hashes("zoe straße fine 12"));
  EXPECT_EQ(hashes("e\xCC\x81t\xC3\xA9"), hashes("ete")) << "composed or not";
  EXPECT_EQ(hashes("a-b, c!"), hashes("A b\tc"));
  EXPECT_NE(hashes("ab"), hashes("a b"));
  EXPECT_NE(hashes("12"), hashes("21"));
}

TEST(NormalWords, TheHashOfSeveralKnowsTheirOrder) {
  const auto a = words_of("one two three"), b = words_of("two one three");
  EXPECT_NE(hash_of(a), hash_of(b));
  EXPECT_EQ(hash_of(std::span(a).subspan(2)), hash_of(std::span(b).subspan(2)));
}

}  // namespace
}  // namespace tenon::normal_words
