// JSON with paths in its errors.
// SPDX-License-Identifier: Apache-2.0
#include "json/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "file/format_error.h"

namespace tenon::json {
namespace {

using testing::HasSubstr;

std::string parse_error(std::string_view text, uint64_t base = 0) {
  try {
    parse(text, "f", base);
  } catch (const io::FormatError& error) {
    return error.what();
  }
  return "(no error)";
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const io::FormatError& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Json, ParseErrorsHaveAByteOffset) {
  EXPECT_THAT(parse_error("{\"a\": 1,}"), HasSubstr("f: byte 8: invalid JSON"));
  EXPECT_THAT(parse_error("{\"a\": 1,}", 100), HasSubstr("f: byte 108: "));
  EXPECT_THAT(parse_error(""), HasSubstr("f: byte 0: invalid JSON"));
  EXPECT_THAT(parse_error("[1] 2"), HasSubstr("unexpected text after the JSON value"));
  EXPECT_EQ(parse_error(" [1] \n"), "(no error)");
  EXPECT_THAT(parse_error("\"\xff\""), HasSubstr("invalid JSON"));
  EXPECT_THAT(parse_error(std::string(100, '[') + std::string(100, ']')),
              HasSubstr("invalid JSON"));  // too deep
}

TEST(Json, RepeatedKeysAreErrors) {
  EXPECT_THAT(parse_error(R"({"a":1,"b":{"a":2},"a":3})"), HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(parse_error(R"({"x":[{"k":1,"\u006b":2}]})"), HasSubstr("duplicate key \"k\""));
  EXPECT_EQ(parse_error(R"([{"a":1},{"a":1}])"), "(no error)");
}

TEST(Json, AccessErrorsHaveAPath) {
  const Document document = Document::from_text(
      R"({"a":{"list":[1,"two",-3,true,null]},"n":null,"big":18446744073709551615})", "f.json");
  const Ref root = document.root(), list = root.at("a").at("list");
  EXPECT_EQ(list.size(), 5u);
  EXPECT_EQ(list[0].unsigned_integer(), 1u);
  EXPECT_EQ(list[1].string(), "two");
  EXPECT_EQ(list[2].number(), -3.0);
  EXPECT_TRUE(list[3].boolean());
  EXPECT_TRUE(list[4].is_null());
  EXPECT_EQ(root.at("big").unsigned_integer(), ~uint64_t{0});
  EXPECT_FALSE(root.find("n").has_value());
  EXPECT_FALSE(root.find("nowhere").has_value());
  EXPECT_EQ(root.string_or("n", "fallback"), "fallback");
  EXPECT_EQ(root.unsigned_or("nowhere", 7), 7u);

  EXPECT_EQ(error_of([&] { list[2].unsigned_integer(); }),
            "f.json: a.list[2]: expected a non-negative integer, found the number -3");
  EXPECT_EQ(error_of([&] { list[1].number(); }), "f.json: a.list[1]: expected a number, found \"two\"");
  EXPECT_EQ(error_of([&] { list.at("x"); }), "f.json: a.list: expected an object, found an array");
  EXPECT_EQ(error_of([&] { list[5]; }), "f.json: a.list: element 5 is missing");
  EXPECT_EQ(error_of([&] { root.at("x"); }), "f.json: (root): member \"x\" is missing");
  EXPECT_EQ(error_of([&] { root.boolean_or("a", true); }),
            "f.json: a: expected true or false, found an object");
}

}  // namespace
}  // namespace tenon::json
