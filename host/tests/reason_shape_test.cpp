// Reasons that differ in their data alone are one.
// SPDX-License-Identifier: Apache-2.0
#include "host/reason_shape.h"

#include <gtest/gtest.h>

namespace tenon::host {
namespace {

TEST(ReasonShape, DataIsLeftOut) {
  EXPECT_EQ(reason_shape("bad.py:5: ValueError: no luck with 0+4+5="),
            reason_shape("bad.py:5: ValueError: no luck with 1 + 4-12 ="));
  EXPECT_EQ(reason_shape("the gold answer \"(((((\" cannot be read"),
            reason_shape("the gold answer \"\\frac{\" cannot be read"));
  EXPECT_EQ(reason_shape("KeyError: 'a'"), reason_shape("KeyError: 'another one'"));
  EXPECT_EQ(reason_shape("it is “a”"), reason_shape("it is “bc”"));
  EXPECT_EQ(reason_shape("at 0x7ffe01 after 31s"), reason_shape("at 0x55ae after 1.5s"));
  EXPECT_EQ(reason_shape("target -3 is negative"), reason_shape("target 12 is negative"));
  EXPECT_EQ(reason_shape("it says \"a text that was cu…"), reason_shape("it says \"another text…"));
}

TEST(ReasonShape, WhatHappenedStays) {
  const auto differ = [](const char* a, const char* b) { EXPECT_NE(reason_shape(a), reason_shape(b)) << a; };
  differ("bad.py:5: ValueError", "bad.py:6: ValueError");
  differ("math refused: x", "math#2 refused: x");
  differ("answered with status 401", "answered with status 500");
  differ("it ended with exit code 3", "it ended with exit code 4");
  differ("its process was killed by signal 11", "its process was killed by signal 6");
  differ("cannot make int32 of it", "cannot make int64 of it");
  differ("it can't be read", "it can't be written");
  differ("a crashed: 1 is odd", "a timed out: 1 is odd");
}

TEST(ReasonShape, OfOddTexts) {
  EXPECT_EQ(reason_shape(""), "");
  EXPECT_EQ(reason_shape("\""), "\"…\"");
  EXPECT_EQ(reason_shape("7"), "#");
  EXPECT_EQ(reason_shape("plain: words"), "plain: words");
  EXPECT_EQ(reason_shape("rows 3 of 9 are odd"), "rows # of # are odd");
}

}  // namespace
}  // namespace tenon::host
