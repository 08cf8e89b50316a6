// Tests of the data set jsonl: the forms of rows, fields by path, answers by regular expression, lines that are left out, files larger than a read.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::json::quote;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Options = std::map<std::string, std::string>;

const tenon_component* component() {
  return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
}

class JsonlForms : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path); }
  std::vector<tenon::Row> rows(const std::string& content, Options options) {
    std::ofstream(path, std::ios::binary) << content;
    for (auto& [name, value] : options)
      if (value.find_first_of("\"0123456789") != 0) value = quote(value);
    options["file"] = quote(path);
    tenon::testing::TestHost host(component(), options);
    const tenon::testing::Created data(component(), host.raw());
    const auto* vt = static_cast<const tenon_dataset_vt*>(component()->vt);
    const auto all = tenon::Dataset(data.ref()).read(nullptr, 0, vt->count(data.self));
    logs = host.logs;
    return all;
  }
  std::string error(const std::string& content, Options options) {
    try {
      rows(content, std::move(options));
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  }
  std::string path = testing::TempDir() + "jsonl_forms_" + std::to_string(getpid()) + ".jsonl";
  std::vector<std::pair<int32_t, std::string>> logs;
};

TEST_F(JsonlForms, FieldsByPath) {
  const std::string line =
      R"({"a.b": "dot", "a": {"b": "nested", "c": ["x", {"d": "deep"}]}, "m": [{"content": "first"}, {"content": "last"}]})";
  auto prompt = [&](const char* field) { return rows(line, {{"prompt", field}})[0].prompt; };
  EXPECT_EQ(prompt("a.b"), "dot") << "a field of that name comes first";
  EXPECT_EQ(prompt("a.c.1.d"), "deep");
  EXPECT_EQ(prompt("m.0.content"), "first");
  EXPECT_EQ(prompt("m.-1.content"), "last");
  EXPECT_EQ(rows(line, {{"template", "{a.c.0}: {m.1.content}"}})[0].prompt, "x: last");
  for (const char* absent : {"a.d", "a.c.2", "a.c.-3", "a.c.x", "m.0.content.x", "z"})
    EXPECT_THAT(
        error(line, {{"prompt", absent}}),
        AllOf(HasSubstr(path + ":1: there is no field \"" + std::string(absent)), HasSubstr("a.b, a, m")));
}

TEST_F(JsonlForms, TheAnswerOutOfASolution) {
  const std::string line = R"({"q": "?", "answer": "7 * 6 = <<7*6=42>>42\n#### 42 ", "n": 1.0})";
  auto row = rows(
      line,
      {{"prompt", "q"}, {"answer", "answer"}, {"answer_regex", "#### (.+)"}, {"completion", "answer"}})[0];
  EXPECT_EQ(row.meta("answer"), "42");
  EXPECT_EQ(row.meta("n"), "1.0");
  EXPECT_EQ(row.completion, "7 * 6 = <<7*6=42>>42\n#### 42 ");
  EXPECT_THAT(error(line, {{"prompt", "q"}, {"answer", "q"}, {"answer_regex", "#### (.+)"}}),
              HasSubstr(path + ":1: field \"q\" has nothing that answer_regex finds"));
}

TEST_F(JsonlForms, PreferencesInTheirThreeDresses) {
  const std::string plain = R"({"q": "?", "chosen": "good", "bad": "worse", "by": 1.50})";
  const std::string messages =
      R"({"q": "?", "chosen": {"from": "gpt", "value": "good"}, "bad": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "worse"}], "by": 1.50})";
  for (const std::string& line : {plain, messages}) {
    const auto row =
        rows(line, {{"prompt", "q"}, {"completion", "chosen"}, {"rejected", "bad"}, {"margin", "by"}})[0];
    EXPECT_EQ(row.completion, "good");
    EXPECT_EQ(row.meta("rejected"), "worse");
    EXPECT_EQ(row.meta("margin"), "1.50") << "as it is written";
  }
  EXPECT_THAT(
      error(R"({"q": "?", "a": "x", "b": "x"})", {{"prompt", "q"}, {"completion", "a"}, {"rejected", "b"}}),
      HasSubstr("field \"b\" is the same as \"a\""));
}

TEST_F(JsonlForms, RankingsAndLabels) {
  EXPECT_EQ(rows(R"({"q": "?", "best": ["a", {"role": "assistant", "content": "b"}]})",
                 {{"prompt", "q"}, {"ranked", "best"}})[0]
                .meta("ranked"),
            R"(["a","b"])");
  EXPECT_THAT(error(R"({"q": "?", "best": ["a"]})", {{"prompt", "q"}, {"ranked", "best"}}),
              HasSubstr("two completions"));
  const Options label{{"prompt", "q"}, {"completion", "a"}, {"label", "safe"}};
  EXPECT_EQ(rows(R"({"q": "?", "a": "x", "safe": false})", label)[0].meta("label"), "false");
  EXPECT_THAT(error(R"({"q": "?", "a": "x", "safe": "yes"})", label),
              HasSubstr("field \"safe\" is \"yes\"; expected true"));
}

TEST_F(JsonlForms, ChatsOfFromAndValueBecomeRoles) {
  EXPECT_EQ(
      rows(
          R"({"c": [{"from": "system", "value": "S"}, {"from": "human", "value": "hi \"you\""}, {"from": "gpt", "value": "yes"}]})",
          {{"messages", "c"}})[0]
          .messages_json,
      R"([{"role":"system","content":"S"},{"role":"user","content":"hi \"you\""},{"role":"assistant","content":"yes"}])");
}

TEST_F(JsonlForms, BadLinesAreLeftOutAsFarAsAllowedAndNamed) {
  std::string content;
  for (int i = 0; i < 20; ++i)
    content += i % 4 == 3 ? "{\"q\": 5}\n\n" : "{\"q\": \"" + std::to_string(i) + "\"}\n";
  const std::string none = error(content, {{"prompt", "q"}});
  EXPECT_THAT(none, AllOf(HasSubstr("5 of 20 lines cannot be used, and max_skipped is 0"),
                          HasSubstr(path + ":4: field \"q\""), HasSubstr(path + ":9: ")));
  EXPECT_THAT(error(content, {{"prompt", "q"}, {"max_skipped", "4"}}), HasSubstr("max_skipped is 4"));
  const auto some = rows(content, {{"prompt", "q"}, {"max_skipped", "5"}});
  ASSERT_EQ(some.size(), 15u);
  EXPECT_EQ(some[3].prompt, "4");
  EXPECT_EQ(some[3].source, path + ":6");
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_EQ(logs[0].first, TENON_LOG_WARN);
  EXPECT_THAT(logs[0].second, AllOf(HasSubstr("5 of 20 lines are left out"),
                                    HasSubstr(path + ":4: field \"q\" is a number"), Not(HasSubstr("more"))));
}

TEST_F(JsonlForms, LinesThatReachAcrossReads) {
  std::string content;
  for (int i = 0; i < 40; ++i)
    content += "{\"q\": \"" + std::to_string(i) + std::string(static_cast<size_t>(i) * 9973, 'x') + "\"}\n" +
               (i % 7 == 0 ? " \n" : "");
  content.pop_back();
  const auto all = rows(content, {{"prompt", "q"}});
  ASSERT_EQ(all.size(), 40u);
  int line = 1;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(all[static_cast<size_t>(i)].prompt,
              std::to_string(i) + std::string(static_cast<size_t>(i) * 9973, 'x'));
    EXPECT_EQ(all[static_cast<size_t>(i)].source, path + ":" + std::to_string(line));
    line += 1 + (i % 7 == 0);
  }
  const std::string long_line = "{\"q\": \"" + std::string(3 << 20, 'y') + "\"}";
  EXPECT_EQ(rows(long_line + "\n" + long_line, {{"prompt", "q"}}).size(), 2u);
}

TEST_F(JsonlForms, AFileThatBecomesShorterIsAnError) {
  std::ofstream(path) << "{\"q\": \"a\"}\n{\"q\": \"b\"}\n";
  tenon::testing::Instance<tenon_dataset_vt> data(component(), {{"prompt", "\"q\""}, {"file", quote(path)}});
  std::filesystem::resize_file(path, 15);
  EXPECT_EQ(tenon::Dataset(data.ref()).read(nullptr, 0, 1)[0].prompt, "a");
  EXPECT_THROW(tenon::Dataset(data.ref()).read(nullptr, 1, 1), tenon::Error);
}

TEST(JsonlFormsCheck, RulesBetweenOptions) {
  auto findings = [](Options options) {
    options["file"] = "\"x\"";
    options["prompt"] = "\"q\"";
    return tenon::testing::findings_of(component(), options);
  };
  EXPECT_THAT(findings({{"answer_regex", "\"x\""}}), ElementsAre(HasSubstr("needs `answer`")));
  EXPECT_THAT(findings({{"answer", "\"a\""}, {"answer_regex", "\"(\""}}),
              ElementsAre(HasSubstr("answer_regex: regex \"(\"")));
  EXPECT_THAT(findings({{"rejected", "\"r\""}}), ElementsAre(HasSubstr("needs `completion`")));
  EXPECT_THAT(findings({{"margin", "\"r\""}}), ElementsAre(HasSubstr("give `rejected`")));
  EXPECT_THAT(findings({{"completion", "\"c\""}, {"label", "\"l\""}, {"ranked", "\"r\""}}),
              ElementsAre(HasSubstr("label: a row is a ranking")));
  EXPECT_THAT(findings({{"completion", "\"c\""}, {"rejected", "\"r\""}, {"margin", "\"m\""}}), IsEmpty());
}

}  // namespace
