// The JSON helpers of the SDK: fields of rows' meta, strings there and back, and what malformed text gives.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/json.hpp"

#include <gtest/gtest.h>

namespace {

using tenon::Error;
using tenon::json::number_field;
using tenon::json::quote;
using tenon::json::raw_field;
using tenon::json::text_field;

TEST(Json, FieldsOfEveryType) {
  const char* row =
      R"( { "s" : "a b", "n":-1.5e2, "t":true, "z":null, "l":[1,{"s":"inner"}], "o":{"a":[]} } )";
  EXPECT_EQ(text_field(row, "s"), "a b");
  EXPECT_EQ(text_field(row, "n"), "-1.5e2");
  EXPECT_EQ(number_field(row, "n"), -150.0);
  EXPECT_EQ(text_field(row, "t"), "true");
  EXPECT_EQ(text_field(row, "l"), R"([1,{"s":"inner"}])");
  EXPECT_EQ(raw_field(row, "o"), R"({"a":[]})");
}

TEST(Json, AbsentAndNullAreNothing) {
  EXPECT_EQ(text_field("", "a"), std::nullopt);
  EXPECT_EQ(text_field("{}", "a"), std::nullopt);
  EXPECT_EQ(text_field(R"({"a":null})", "a"), std::nullopt);
  EXPECT_EQ(text_field(R"({"b":{"a":1}})", "a"), std::nullopt);
}

TEST(Json, ZeroAndEmptyAreValues) {
  EXPECT_EQ(number_field(R"({"a":0})", "a"), 0.0);
  EXPECT_EQ(text_field(R"({"a":""})", "a"), "");
}

TEST(Json, Escapes) {
  EXPECT_EQ(text_field(R"({"a":"\"\\\/\b\f\n\r\t"})", "a"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(text_field(R"({"a":"\u00e9\u20ac\ud83d\ude00"})", "a"), "é€😀");
  EXPECT_EQ(text_field(R"({"\u0061":1})", "a"), "1");
}

TEST(Json, QuoteIsReadBack) {
  std::string all;
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  all += "ä漢😀";
  EXPECT_EQ(text_field("{\"k\":" + quote(all) + "}", "k"), all);
}

TEST(Json, MalformedTextIsAnError) {
  for (const char* bad :
       {"[1]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\" 1}", "{\"a\":\"x", "{\"a\":\"\\q\"}",
        "{\"a\":\"\\u12g4\"}", "{\"a\":1 \"b\":2}", "{\"a\":]}", "{\"a\":,}"})
    EXPECT_THROW(text_field(bad, "zz"), Error) << bad;
  EXPECT_THROW(text_field(R"({"a":"\ud83d\u0041"})", "a"), Error);
  EXPECT_THROW(text_field(R"({"a":"\ud83d"})", "a"), Error) << "a lone surrogate is not UTF-8";
  EXPECT_THROW(text_field(R"({"a":"\ude00"})", "a"), Error);
  EXPECT_THROW(number_field(R"({"a":"five"})", "a"), Error);
}

TEST(Json, StringsThatAreNotReadAreCheckedAlike) {
  for (const char* text : {R"("\\")", R"("a\\\\")", R"("\"")", R"("\u005c\"]")", R"("😀\ud83d\ude00")"})
    EXPECT_EQ(text_field(std::string(R"({"a":)") + text + R"(,"b":1})", "b"), "1") << text;
  for (const char* text : {R"("\")", R"("\x")", R"("\u12")", R"("\ud83d")", R"("\ude00")", R"("\ud83d\n")"})
    EXPECT_THROW(text_field(std::string(R"({"a":)") + text + R"(,"b":1})", "b"), Error) << text;
}

TEST(Json, DeepNestingDoesNotRecurse) {
  std::string deep(100000, '[');
  deep += std::string(100000, ']');
  EXPECT_EQ(text_field("{\"d\":" + deep + ",\"a\":1}", "a"), "1");
}

}  // namespace
