// What the host adds to a sample's line: the row's meta as it is written, and bounded.
// SPDX-License-Identifier: Apache-2.0
#include "host/sample_record.h"

#include <gtest/gtest.h>

namespace tenon::host {
namespace {

TEST(BoundedMeta, IsAsItIsWritten) {
  EXPECT_EQ(bounded_meta("{\"a\": 1e400,\n \"b\":[2.50 , {}]}", 100).object,
            "{\"a\":1e400,\"b\":[2.50 , {}]}");
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_EQ(bounded_meta("{\"a\":" + deep + "}", 1000).object, "{\"a\":" + deep + "}");
  EXPECT_EQ(bounded_meta("{\"a\":[\n1]}", 100).object, "{\"a\":[ 1]}") << "on one line";
}

TEST(BoundedMeta, WhatIsNoObjectIsNone) {
  for (const char* text : {"", "{}", "3", "[{}]", "{\"a\":}", "{\"a\":1", "{\"a\":\"\xFF\"}"})
    EXPECT_EQ(bounded_meta(text, 100).object, "") << text;
}

TEST(BoundedMeta, TheLongestFieldsAreLeftOutFirst) {
  const std::string text = R"({"short":1,"long":"aaaaaaaaaa","longest":"aaaaaaaaaaaaaaa","id":2})";
  const BoundedMeta all = bounded_meta(text, text.size());
  EXPECT_EQ(all.object, text);
  EXPECT_EQ(all.left_out, "");
  const BoundedMeta less = bounded_meta(text, text.size() - 1);
  EXPECT_EQ(less.object, R"({"short":1,"long":"aaaaaaaaaa","id":2})");
  EXPECT_EQ(less.left_out, R"(["longest"])");
  const BoundedMeta least = bounded_meta(text, 20);
  EXPECT_EQ(least.object, R"({"short":1,"id":2})");
  EXPECT_EQ(least.left_out, R"(["longest","long"])");
  EXPECT_EQ(bounded_meta(text, 1).object, "") << "no field is short enough";
}

TEST(SampleRecord, AddsWhatALineDoesNotHave) {
  const SampleRecord record{R"({"m":"crashed"})", "m crashed: \"why\"",
                            std::make_shared<BoundedMeta>(BoundedMeta{"{\"a\":1}", ""})};
  EXPECT_EQ(record.fields([](std::string_view) { return false; }),
            R"(,"outcomes":{"m":"crashed"},"failure":"m crashed: \"why\"","meta":{"a":1})");
  EXPECT_EQ(record.fields([](std::string_view name) { return name != "meta"; }), R"(,"meta":{"a":1})");
  EXPECT_EQ(SampleRecord{}.fields([](std::string_view) { return false; }), "");
}

}  // namespace
}  // namespace tenon::host
