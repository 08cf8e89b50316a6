// Tests of named regular expressions.
// SPDX-License-Identifier: Apache-2.0
#include "pattern/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::pattern {
namespace {

using ::testing::HasSubstr;

TEST(PatternTest, FindsAndRefuses) {
  EXPECT_TRUE(Pattern("=\\d.*=").in("<3+4=7,\n7-2=5>5"));
  EXPECT_FALSE(Pattern("=\\d.*=").in("<>5"));
  EXPECT_FALSE(Pattern(".").in("\xff\xfe"));
  try {
    Pattern("a(b");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("regex \"a(b\", character 3"));
  }
  EXPECT_THROW(Pattern("(a+)+$").in(std::string(5000, 'a') + "b"), Error);
}

TEST(PatternTest, TakesTheLastPlace) {
  EXPECT_EQ(Pattern("#### (\\S+)").last_capture("#### 1\nno,\n#### 42\n"), "42");
  EXPECT_EQ(Pattern("\\d+").last_capture("7 and 80"), "80") << "without a group, all of it";
  EXPECT_EQ(Pattern("x(a)?").last_capture("xa x"), std::nullopt) << "the last x has no a";
  EXPECT_EQ(Pattern("(\\d*)").last_capture("12 äß"), "") << "empty matches end, too";
  EXPECT_EQ(Pattern("(.)").last_capture("äß"), "ß");
  EXPECT_EQ(Pattern("z").last_capture("äß"), std::nullopt);
  EXPECT_EQ(Pattern("(\\d)").last_capture("1\xff"), std::nullopt) << "not UTF-8";
  EXPECT_EQ(Pattern("^$").last_capture(""), "");
}

}  // namespace
}  // namespace tenon::pattern
