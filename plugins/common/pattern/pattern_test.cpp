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

}  // namespace
}  // namespace tenon::pattern
