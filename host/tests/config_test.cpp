// The configuration as a tree: places, aliases, merge keys, limits, --set, and the ways YAML can be broken.
// SPDX-License-Identifier: Apache-2.0
#include "host/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace tenon::host {
namespace {

using testing::HasSubstr;

Mark at(int line, int column) {
  return {"c.yaml", line, column};
}

// The message and place of the error that `text` gives.
std::pair<std::string, Mark> error_of(std::string_view text) {
  try {
    parse_yaml("c.yaml", text);
  } catch (const UserError& e) {
    return {e.what(), e.mark()};
  }
  return {"no error", {}};
}

TEST(Yaml, EveryValueKnowsItsPlace) {
  Value root = parse_yaml("c.yaml", "a: 1\nb:\n  - x\n  - {c: 'y'}\n");
  EXPECT_EQ(root.find("a")->mark, at(1, 4));
  const Value& list = *root.find("b");
  ASSERT_TRUE(list.is_list());
  EXPECT_EQ(list.items[0].mark, at(3, 5));
  EXPECT_EQ(list.items[1].find("c")->mark, at(4, 9));
  EXPECT_TRUE(list.items[1].find("c")->quoted);
  EXPECT_FALSE(list.items[0].quoted);
  EXPECT_EQ(root.entries[1].key_mark, at(2, 1));
}

TEST(Yaml, AnEmptyValueStandsAtItsKey) {
  Value root = parse_yaml("c.yaml", "a:\n  b:\n\n\n  c: 1\n");
  EXPECT_TRUE(root.find("a")->find("b")->is_null());
  EXPECT_EQ(root.find("a")->find("b")->mark, at(2, 3));
}

TEST(Yaml, AliasesAreCopiesWithTheirFirstPlace) {
  Value root = parse_yaml("c.yaml", "a: &x [1, 2]\nb: *x\n");
  ASSERT_EQ(root.find("b")->items.size(), 2u);
  EXPECT_EQ(root.find("b")->items[1].mark, at(1, 11));
}

TEST(Yaml, MergeKeysFillInWhatIsNotGiven) {
  Value root = parse_yaml(
      "c.yaml", "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\nd:\n  <<: *a\n  y: 7\n");
  const Value& c = *root.find("c");
  EXPECT_EQ(c.find("x")->text, "9");
  EXPECT_EQ(c.find("y")->text, "2");
  EXPECT_EQ(c.find("z")->text, "4");
  EXPECT_EQ(c.entries.size(), 3u);
  EXPECT_EQ(root.find("d")->find("y")->text, "7");
}

TEST(Yaml, BrokenTextIsAnErrorWithItsPlace) {
  EXPECT_EQ(error_of("a: [1, 2\nb: 3\n").second.line, 2);
  EXPECT_THAT(error_of("a: [1, 2\nb: 3\n").first, HasSubstr("broken YAML"));
  EXPECT_EQ(error_of("a: 1\n\tb: 2\n").second, at(2, 1));
  EXPECT_EQ(error_of("a: *nobody\n").second, at(1, 4));
  EXPECT_EQ(error_of("a: \"open\n").second, at(1, 4));
  EXPECT_EQ(error_of("a: 'it''s\nb: 2\n").second, at(1, 4));
}

TEST(Yaml, DuplicateKeysAreAnError) {
  auto [message, mark] = error_of("a: 1\nb: 2\na: 3\n");
  EXPECT_EQ(message, "\"a\" is given twice; the first is in line 1");
  EXPECT_EQ(mark, at(3, 1));
}

TEST(Yaml, KeysThatAreNotWordsAreAnError) {
  EXPECT_EQ(error_of("? [a, b]\n: 1\n").first, "a key must be a word, not a list");
  EXPECT_EQ(error_of("{: 1}").first, "a key must be a word, not nothing");
}

TEST(Yaml, ASecondDocumentIsAnError) {
  auto [message, mark] = error_of("a: 1\n---\nb: 2\n");
  EXPECT_THAT(message, HasSubstr("second YAML document"));
  EXPECT_EQ(mark, at(3, 1));
}

TEST(Yaml, BytesThatAreNotTextAreAnError) {
  EXPECT_EQ(error_of("a: 1\nb: \xff\n").second, at(2, 4));
  EXPECT_EQ(error_of(std::string_view("a: \0 1", 6)).second, at(1, 4));
  EXPECT_EQ(error_of("\x7f"
                     "ELF\x02\x01\x01")
                .first,
            "this byte is not UTF-8 text");
}

TEST(Yaml, UnknownTagsAreAnError) {
  EXPECT_THAT(error_of("a: !python/object:os.system x\n").first, HasSubstr("means nothing here"));
  EXPECT_TRUE(parse_yaml("c.yaml", "a: !!str 1\n").find("a")->quoted);
}

TEST(Yaml, NestingIsLimited) {
  std::string deep = std::string(65, '[') + std::string(65, ']');
  auto [message, mark] = error_of(deep);
  EXPECT_THAT(message, HasSubstr("nested deeper than 64 levels"));
  EXPECT_EQ(mark, at(1, 65));
  EXPECT_THAT(error_of(std::string(100'000, '[')).first, HasSubstr("nested deeper"));
  EXPECT_EQ(error_of(std::string(63, '[') + "'it''s'" + std::string(63, ']')).first, "no error");
}

TEST(Yaml, AliasesCannotExplode) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 1; k < 10; ++k) text += ", " + last;
    text += "]\n";
  }
  EXPECT_THAT(error_of(text).first, HasSubstr("more than 200000 values"));
}

TEST(Yaml, AnAliasInsideItsOwnAnchorIsAnError) {
  EXPECT_THAT(error_of("a: &a [1, *a]\n").first, HasSubstr("inside the value that it names"));
}

class Set : public testing::Test {
 protected:
  Value root = parse_yaml("c.yaml",
                          "components: {policy: {use: transformer, layers: 3}}\npipeline:\n  - {name: base, "
                          "steps: 10, rewards: [a, b]}\n  - {name: zero}\n");

  std::string error(const std::string& assignment) {
    try {
      apply_set(root, assignment, 1);
    } catch (const UserError& e) {
      EXPECT_EQ(e.mark().file, "--set");
      return e.what();
    }
    return "no error";
  }
};

TEST_F(Set, MayBuildAllOfAPathWhereNothingIsGiven) {
  root = parse_yaml("f", "{}");
  apply_set(root, "sandbox.minimum=namespaces", 1, 0);
  apply_set(root, "sandbox.cpus=2", 2, 0);
  ASSERT_NE(root.find("sandbox"), nullptr);
  EXPECT_EQ(root.find("sandbox")->find("minimum")->text, "namespaces");
  EXPECT_EQ(root.find("sandbox")->find("cpus")->text, "2");
}

TEST_F(Set, ReplacesAValueByPath) {
  apply_set(root, "components.policy.layers=5", 2);
  const Value& layers = *root.find("components")->find("policy")->find("layers");
  EXPECT_EQ(layers.text, "5");
  EXPECT_EQ(layers.mark, (Mark{"--set", 2, 26}));
  for (const Entry& entry : root.find("components")->find("policy")->entries)
    EXPECT_EQ(entry.key_mark.file == "--set", entry.key == "layers") << "a caret points at what is in force";
}

TEST_F(Set, FindsListElementsByNameAndByNumber) {
  apply_set(root, "pipeline.base.steps=20", 1);
  apply_set(root, "pipeline.1.steps=30", 2);
  EXPECT_EQ(root.find("pipeline")->items[0].find("steps")->text, "20");
  EXPECT_EQ(root.find("pipeline")->items[1].find("steps")->text, "30");
}

TEST_F(Set, TheValueIsYaml) {
  apply_set(root, "pipeline.zero.rewards=[{of: correct, weight: 0.5}]", 1);
  const Value& rewards = *root.find("pipeline")->items[1].find("rewards");
  ASSERT_TRUE(rewards.is_list());
  EXPECT_EQ(rewards.items[0].find("weight")->text, "0.5");
  apply_set(root, "pipeline.zero.prompt=a=b", 1);
  EXPECT_EQ(root.find("pipeline")->items[1].find("prompt")->text, "a=b");
}

TEST_F(Set, AddsWhatTheOptionTablesWillJudge) {
  apply_set(root, "run.seed=3", 1);
  EXPECT_EQ(root.find("run")->find("seed")->text, "3");
  apply_set(root, "components.policy.schedule.kind=cosine", 2);
  EXPECT_EQ(root.find("components")->find("policy")->find("schedule")->find("kind")->text, "cosine");
}

TEST_F(Set, UnknownPathsAreErrorsWithASuggestion) {
  EXPECT_EQ(error("component.policy.layers=5"),
            "the configuration has no key \"component\". Did you mean \"components\"?");
  EXPECT_EQ(error("components.polcy.layers=5"), "components has no key \"polcy\". Did you mean \"policy\"?");
  EXPECT_EQ(error("pipeline.bas.steps=5"),
            "pipeline has no stage \"bas\". Did you mean \"base\"? It has base (0) and zero (1).");
  EXPECT_EQ(error("pipeline.7.steps=5"), "pipeline has no stage \"7\". It has base (0) and zero (1).");
  EXPECT_EQ(error("pipeline.base.rewards.2.weight=5"),
            "pipeline.base.rewards has no element \"2\". It has 2 elements, 0 to 1.");
  EXPECT_EQ(error("components.policy.layers.x=5"),
            "components.policy.layers is \"3\", which has nothing called \"x\" in it");
}

TEST_F(Set, WhatIsNotAnAssignmentIsAnError) {
  EXPECT_THAT(error("run.seed"), HasSubstr("not of the form path=value"));
  EXPECT_THAT(error("=7"), HasSubstr("not of the form path=value"));
  EXPECT_THAT(error("run..seed=7"), HasSubstr("empty part"));
  EXPECT_THAT(error("run.seed=[1"), HasSubstr("broken YAML"));
}

TEST(LoadConfig, WhatIsNotAConfigurationIsAnError) {
  Diagnostics diagnostics;
  EXPECT_THROW(load_config("no-such-file.yaml", {}, diagnostics), UserError);
  EXPECT_THROW(load_config(".", {}, diagnostics), UserError);

  std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "tenon_config_test.yaml";
  std::ofstream(file) << "# only a comment\n";
  EXPECT_THROW(load_config(file, {}, diagnostics), UserError);
  std::ofstream(file) << "- a list\n";
  EXPECT_THROW(load_config(file, {}, diagnostics), UserError);
  std::ofstream(file) << std::string(kMaxConfigBytes + 1, '#');
  EXPECT_THROW(load_config(file, {}, diagnostics), UserError);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace tenon::host
