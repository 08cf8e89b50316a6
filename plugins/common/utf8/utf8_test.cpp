// Tests of UTF-8 against RFC 3629's own table, and of excerpts.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

#include "utf8/utf8.h"

namespace tenon::utf8 {
namespace {

// RFC 3629, section 4: the ABNF, byte range by byte range.
size_t by_the_grammar(const std::string& s) {
  struct Row {
    uint8_t lead[2], second[2];
    size_t length;
  };
  constexpr Row kRows[] = {
      {{0x00, 0x7f}, {}, 1},           {{0xc2, 0xdf}, {0x80, 0xbf}, 2}, {{0xe0, 0xe0}, {0xa0, 0xbf}, 3},
      {{0xe1, 0xec}, {0x80, 0xbf}, 3}, {{0xed, 0xed}, {0x80, 0x9f}, 3}, {{0xee, 0xef}, {0x80, 0xbf}, 3},
      {{0xf0, 0xf0}, {0x90, 0xbf}, 4}, {{0xf1, 0xf3}, {0x80, 0xbf}, 4}, {{0xf4, 0xf4}, {0x80, 0x8f}, 4}};
  const auto in = [&](size_t i, const uint8_t* range) {
    const auto b = static_cast<uint8_t>(s[i]);
    return b >= range[0] && b <= range[1];
  };
  constexpr uint8_t kTail[] = {0x80, 0xbf};
  for (const Row& row : kRows) {
    if (!in(0, row.lead)) continue;
    if (s.size() < row.length || (row.length > 1 && !in(1, row.second))) return 0;
    for (size_t i = 2; i < row.length; ++i)
      if (!in(i, kTail)) return 0;
    return row.length;
  }
  return 0;
}

TEST(Utf8, LengthIsThatOfTheGrammar) {
  // Every pair of first bytes, with tails that are right, wrong in either place, or cut off.
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b)
      for (const char* tail : {"", "\x80", "\x80\x80", "\xbf\xbf", "\x80z", "z\x80"}) {
        const std::string text = {static_cast<char>(a), static_cast<char>(b)};
        ASSERT_EQ(length(text + tail, 0), by_the_grammar(text + tail)) << a << " " << b << " " << tail;
      }
  for (int a = 0; a < 256; ++a) {
    const std::string text = {static_cast<char>(a)};
    ASSERT_EQ(length(text, 0), by_the_grammar(text)) << a;
    ASSERT_EQ(length("é" + text, 2), by_the_grammar(text)) << a;
  }
}

TEST(Utf8, RepairReplacesBytesThatAreInNoSequence) {
  EXPECT_EQ(repaired("caf\xC3\xA9 \xE6\xB0\xB4 \xF0\x9F\x99\x82"), "café 水 🙂");
  EXPECT_EQ(repaired("\xE6\xB0 \xC0\x80 \xED\xA0\x80 \xFF"),
            "\uFFFD\uFFFD \uFFFD\uFFFD \uFFFD\uFFFD\uFFFD \uFFFD");
  EXPECT_EQ(repaired(""), "");
}

TEST(Utf8, ExcerptsAreWholeCharactersOnOneLine) {
  EXPECT_EQ(excerpt("abc", 0, 10), "\"abc\"");
  EXPECT_EQ(excerpt("a\n\"b", 0, 4), R"("a\n\"b")");
  EXPECT_EQ(excerpt("abcdef", 2, 2), "…\"cd\"…");
  EXPECT_EQ(excerpt("éééé", 1, 4), "…\"é\"…") << "bytes 1 to 4: the end of one, one, the beginning of one";
  EXPECT_EQ(excerpt("abc", 7, 2), "…\"\"");
  EXPECT_EQ(excerpt("a\xff"
                    "b",
                    0, SIZE_MAX),
            "\"a\uFFFDb\"");
}

}  // namespace
}  // namespace tenon::utf8
