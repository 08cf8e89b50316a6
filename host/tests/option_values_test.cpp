// Text forms of values, paths into them, and option tables that are wrong themselves.
// SPDX-License-Identifier: Apache-2.0
#include "host/option_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "host/option_reader.h"
#include "host/options.h"
#include "host/resolved_yaml.h"
#include "tenon/options.hpp"

namespace tenon::host {
namespace {

using testing::HasSubstr;

TEST(ParseInt, TakesWholeNumbersThatFit) {
  EXPECT_EQ(parse_int("12"), 12);
  EXPECT_EQ(parse_int("-3"), -3);
  EXPECT_EQ(parse_int("+7"), 7);
  EXPECT_EQ(parse_int("0x1F"), 31);
  EXPECT_EQ(parse_int("0o17"), 15);
  EXPECT_EQ(parse_int("1e6"), 1000000);
  EXPECT_EQ(parse_int("2.0"), 2);
  EXPECT_EQ(parse_int("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_int("-9223372036854775808"), INT64_MIN);
  for (const char* text : {"", "-", "1.5", "9223372036854775808", "-9223372036854775809", "1e30", "12x", "0x",
                           " 1", "1 ", "--1", "+-1"})
    EXPECT_EQ(parse_int(text), std::nullopt) << text;
}

TEST(ParseFloat, TakesFiniteNumbers) {
  EXPECT_EQ(parse_float("1e-4"), 1e-4);
  EXPECT_EQ(parse_float(".5"), 0.5);
  EXPECT_EQ(parse_float("-2"), -2.0);
  for (const char* text : {"", "nan", ".nan", "inf", "-.inf", "1e999", "1.5x", "one"})
    EXPECT_EQ(parse_float(text), std::nullopt) << text;
}

TEST(ParseDuration, AddsUpItsParts) {
  EXPECT_EQ(parse_duration("10s"), 10.0);
  EXPECT_EQ(parse_duration("5m"), 300.0);
  EXPECT_EQ(parse_duration("1h30m"), 5400.0);
  EXPECT_EQ(parse_duration("250ms"), 0.25);
  EXPECT_EQ(parse_duration("1d"), 86400.0);
  EXPECT_EQ(parse_duration("2.5"), 2.5);
  for (const char* text : {"", "s", "-1s", "-3", "10 s", "10x", "10s5", "1h-5m"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(ParseBytes, KnowsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_bytes("64MiB"), 64 << 20);
  EXPECT_EQ(parse_bytes("1.5 GB"), 1500000000);
  EXPECT_EQ(parse_bytes("4096"), 4096);
  EXPECT_EQ(parse_bytes("1KiB"), 1024);
  EXPECT_EQ(parse_bytes("7B"), 7);
  for (const char* text : {"", "MiB", "-1", "-1KiB", "1 megabyte", "9999999TiB", "1.5"})
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
}

constexpr OptionTable kChild{number("weight", "1", "Factor."), text("label", nullptr, "Name.")};
constexpr OptionTable kTable{
    integer("steps", "3", "Steps."), object("schedule", kChild, "Over time."),
    reference("rewards", "reward", nullptr, "What pays.", {nullptr, nullptr, nullptr, TENON_O_LIST}, kChild),
    option(TENON_T_BYTES, "cache", nullptr, "Memory.")};

TEST(FindOption, FollowsListsAndChildren) {
  EXPECT_EQ(find_option(kTable, "steps"), &kTable.items[0]);
  EXPECT_EQ(find_option(kTable, "schedule.weight"), &kChild.items[0]);
  EXPECT_EQ(find_option(kTable, "rewards"), &kTable.items[2]);
  EXPECT_EQ(find_option(kTable, "rewards.0"), &kTable.items[2]);
  EXPECT_EQ(find_option(kTable, "rewards.12.weight"), &kChild.items[0]);
  for (const char* path : {"", "stepz", "steps.0", "schedule.0.weight", "rewards.x", "steps.steps"})
    EXPECT_EQ(find_option(kTable, path), nullptr) << path;
}

TEST(OptionReaderTest, AnswersByTypeAndSaysWhatIsAbsent) {
  tenon_component component{};
  component.struct_size = sizeof component;
  component.options = kTable;
  Spec spec;
  spec.component = &component;
  spec.options = boost::json::parse(
                     R"({"steps": 3, "schedule": {"weight": 0.5}, "rewards": [{"of": "a", "weight": 2.0}]})")
                     .as_object();
  OptionReader reader(spec);
  int64_t i = 0;
  double d = 0;
  tenon_str s{};
  uint64_t n = 0;
  EXPECT_EQ(reader.get_i64("steps", &i), TENON_OK);
  EXPECT_EQ(i, 3);
  EXPECT_EQ(reader.get_f64("steps", &d), TENON_OK);
  EXPECT_EQ(d, 3.0);
  EXPECT_EQ(reader.get_f64("rewards.0.weight", &d), TENON_OK);
  EXPECT_EQ(d, 2.0);
  EXPECT_EQ(reader.get_str("schedule.label", &s), TENON_END);
  EXPECT_EQ(reader.get_i64("cache", &i), TENON_END);
  EXPECT_EQ(reader.get_i64("schedule.weight", &i), TENON_E_INVALID);
  EXPECT_EQ(reader.get_i64("nothing", &i), TENON_E_INVALID);
  EXPECT_EQ(reader.get_json("schedule", &s), TENON_OK);
  EXPECT_EQ(std::string(s.ptr, s.len), R"({"weight":5E-1})");
  EXPECT_EQ(reader.slot_count("rewards", &n), TENON_OK);
  EXPECT_EQ(n, 1u);
  EXPECT_EQ(reader.slot_count("steps", &n), TENON_E_INVALID);
}

TEST(CheckTable, FindsWhatIsWrongWithATable) {
  EXPECT_EQ(check_table(kTable), "");
  EXPECT_EQ(check_table(nullptr), "");
  auto why = [](tenon_option option) {
    const tenon_option* table[] = {&option, nullptr};
    return check_table(table);
  };
  EXPECT_THAT(
      why(integer("n", "1.5", "N.")),
      HasSubstr("option \"n\" has a default that its own rules refuse: \"1.5\" is not a whole number"));
  EXPECT_THAT(why(integer("n", "{", "N.")), HasSubstr("default that is not JSON"));
  EXPECT_THAT(why(integer("n", "1", "")), HasSubstr("has no doc text"));
  EXPECT_THAT(why(integer("n", "1", "N.", {"zero", nullptr, nullptr, 0})),
              HasSubstr("a bound that is not a number"));
  EXPECT_THAT(why(integer("n", "1", "N.", {nullptr, nullptr, nullptr, TENON_O_REQUIRED})),
              HasSubstr("is required and has a default"));
  EXPECT_THAT(why(choice("c", nullptr, nullptr, "C.")), HasSubstr("choice without choices"));
  EXPECT_THAT(why(reference("r", nullptr, nullptr, "R.")), HasSubstr("reference without a kind"));
  EXPECT_THAT(why(option(99, "o", nullptr, "O.")), HasSubstr("unknown type 99"));
}

TEST(ToYaml, IsReadBackAsTheSameValues) {
  boost::json::object object =
      boost::json::parse(
          R"({"a": 1, "b": 1.5e-4, "c": "true", "d": "", "e": "it's: #1", "f": [], "g": {}, "h": [1, "x y", null],
                             "i": [{"name": "n", "list": [{"k": 1}], "map": {"x": {"y": false}}}, "word"], "j": "12", "k": "a/b.c", "l": "é\n\"q\""})")
          .as_object();
  EXPECT_EQ(to_json(parse_yaml("y", to_yaml(object))), object) << to_yaml(object);
}

}  // namespace
}  // namespace tenon::host
