// Tests of the data set jsonl: rows as they were written, and every bad line named.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::json::quote;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Options = std::map<std::string, std::string>;

class JsonlData : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path); }
  std::vector<tenon::Row> rows(const std::string& content, Options options) {
    std::ofstream(path, std::ios::binary) << content;
    options["file"] = quote(path);
    tenon::testing::Instance<tenon_dataset_vt> data(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
    return tenon::Dataset(data.ref()).read(nullptr, 0, data.vt->count(data.self));
  }
  std::string error(const std::string& content, Options options) {
    try {
      rows(content, std::move(options));
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  }
  std::string path = testing::TempDir() + "jsonl_test_" + std::to_string(getpid()) + ".jsonl";
};

const Options kQuestion = {{"prompt", "\"question\""}};

TEST_F(JsonlData, FieldsAndMeta) {
  auto all = rows(
      "{\"question\": \"1+1?\", \"answer\": \"it is\\n#### 2\", \"final\": 2.50, \"deep\": {\"a\": [1, "
      "\"}\"]}}\n",
      {{"prompt", "\"question\""}, {"completion", "\"answer\""}});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].prompt, "1+1?");
  EXPECT_EQ(all[0].completion, "it is\n#### 2");
  EXPECT_EQ(all[0].meta("final"), "2.50") << "as it is written";
  EXPECT_EQ(all[0].meta("deep"), R"({"a": [1, "}"]})");
  EXPECT_EQ(all[0].meta("answer"), "it is\n#### 2");
}

TEST_F(JsonlData, RowsKnowTheirLine) {
  auto all = rows("{\"question\":\"a\"}\n\n{\"question\":\"b\"}\n", kQuestion);
  EXPECT_EQ(all.at(0).source, path + ":1");
  EXPECT_EQ(all.at(1).source, path + ":3");
}

TEST_F(JsonlData, MetaKeepsNumbersAndNamesAsTheyAreWritten) {
  const std::string line =
      R"({"question":"q", "a\"b": 1e400, "n": 0.10, "answer": "old", "f": 12345678901234567890123})";
  EXPECT_EQ(rows(" " + line + "\t", kQuestion)[0].meta("n"), "0.10");
  EXPECT_EQ(rows(line, kQuestion)[0].meta_json, line);
  EXPECT_EQ(
      rows(line, {{"prompt", "\"question\""}, {"answer", "\"f\""}})[0].meta_json,
      R"({"answer":12345678901234567890123,"question":"q","a\"b":1e400,"n":0.10,"f":12345678901234567890123})");
}

TEST_F(JsonlData, AnswerNamesTheGoldField) {
  auto row = rows(R"({"question":"q","answer":"long","final":"18"})",
                  {{"prompt", "\"question\""}, {"answer", "\"final\""}})[0];
  EXPECT_EQ(row.meta("answer"), "18");
  EXPECT_EQ(row.meta("final"), "18");
}

TEST_F(JsonlData, TemplateChatAndMessages) {
  std::string line = R"({"q":"1+1?","n":3,"chat":[{"role":"user","content":"hi"}]})";
  EXPECT_EQ(rows(line, {{"template", "\"Q{n}: {q} {{}}\""}})[0].prompt, "Q3: 1+1? {}");
  EXPECT_EQ(rows(line, {{"prompt", "\"q\""}, {"as", "\"messages\""}, {"system", "\"S\""}})[0].messages_json,
            R"([{"role":"system","content":"S"},{"role":"user","content":"1+1?"}])");
  EXPECT_EQ(rows(line, {{"messages", "\"chat\""}})[0].messages_json, R"([{"role":"user","content":"hi"}])");
}

TEST_F(JsonlData, LineEndsBlankLinesAndByteOrderMark) {
  auto all = rows("\xEF\xBB\xBF{\"question\":\"a\"}\r\n\r\n  \n{\"question\":\"b\"}", kQuestion);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].prompt, "a");
  EXPECT_EQ(all[1].prompt, "b");
  EXPECT_EQ(all[1].meta_json, R"({"question":"b"})");
}

TEST_F(JsonlData, UnicodeStays) {
  auto row = rows("{\"question\":\"wie groß? 多少 \\u00e4\\ud83d\\ude00\"}", kQuestion)[0];
  EXPECT_EQ(row.prompt, "wie groß? 多少 ä😀");
}

TEST_F(JsonlData, BadLinesAreNamed) {
  std::string good = "{\"question\":\"a\"}\n";
  EXPECT_THAT(error(good + good + "{\"question\": \"b\"", kQuestion), HasSubstr(path + ":3"));
  EXPECT_THAT(error(good + "[1]\n", kQuestion), AllOf(HasSubstr(path + ":2"), HasSubstr("a list")));
  EXPECT_THAT(error(good + "{\"question\":\"a\"} {\"question\":\"b\"}\n", kQuestion), HasSubstr(path + ":2"));
  EXPECT_THAT(error(good + "\n{\"q\":1,\"r\":2}\n", kQuestion),
              AllOf(HasSubstr(path + ":3"), HasSubstr("\"question\""), HasSubstr("q, r")));
  EXPECT_THAT(error(good + "{\"question\":5}\n", kQuestion),
              AllOf(HasSubstr(path + ":2"), HasSubstr("a number")));
  EXPECT_THAT(error(good + "{\"question\":\"\"}\n", kQuestion),
              AllOf(HasSubstr(path + ":2"), HasSubstr("empty")));
  EXPECT_THAT(error(good + "{\"question\":null}\n", kQuestion),
              HasSubstr(path + ":2: field \"question\" is null"));
  EXPECT_THAT(error(good + "{\"question\":\"\xff\xfe\"}\n", kQuestion), HasSubstr(path + ":2"));
  EXPECT_THAT(error(good, {{"prompt", "\"question\""}, {"answer", "\"final\""}}),
              AllOf(HasSubstr(path + ":1"), HasSubstr("\"final\"")));
  EXPECT_THAT(error(good, {{"template", "\"{question} {n}\""}}),
              AllOf(HasSubstr(path + ":1"), HasSubstr("\"n\"")));
  EXPECT_THAT(error(good, {{"messages", "\"question\""}}), HasSubstr(path + ":1"));
  EXPECT_THAT(error("{\"m\":[{\"role\":\"user\"}]}", {{"messages", "\"m\""}}),
              AllOf(HasSubstr(path + ":1"), HasSubstr("content")));
}

TEST_F(JsonlData, FilesWithoutRowsAreErrors) {
  EXPECT_THAT(error("", kQuestion), HasSubstr("no rows"));
  EXPECT_THAT(error("\n \n", kQuestion), HasSubstr("no rows"));
  EXPECT_THAT(error("{\"question\":\"a\"}", {{"prompt", "\"question\""}, {"offset", "1"}}),
              HasSubstr("no row is left of 1"));
  EXPECT_THAT(error(std::string("\xFF\xFE{\0", 4), kQuestion), HasSubstr("UTF-16"));
  std::filesystem::remove(path);
  try {
    tenon::testing::Instance<tenon_dataset_vt> data(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
        {{"prompt", "\"q\""}, {"file", quote(path)}});
    FAIL();
  } catch (const tenon::Error& e) {
    EXPECT_EQ(e.code(), TENON_E_IO);
    EXPECT_THAT(e.what(), StartsWith("file: " + path)) << "the option to blame";
  }
}

std::string many(int n) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out +=
        "{\"question\":\"number " + std::to_string(i % (n - 10)) + "\"}\n";  // the last ten repeat the first
  return out;
}

TEST_F(JsonlData, SplitsShareNoQuestionAndMakeUpTheWhole) {
  auto part = [&](const char* split) {
    return rows(many(500), {{"prompt", "\"question\""}, {"split", split}, {"test_fraction", "0.2"}});
  };
  auto train = part("\"train\""), test = part("\"test\"");
  EXPECT_EQ(train.size() + test.size(), 500u);
  EXPECT_NEAR(static_cast<double>(test.size()), 100, 45);
  std::set<std::string> seen;
  for (const auto& r : train) seen.insert(r.prompt);
  for (const auto& r : test) EXPECT_EQ(seen.count(r.prompt), 0u);
}

TEST_F(JsonlData, OffsetAndLimit) {
  auto part = rows(many(50), {{"prompt", "\"question\""}, {"offset", "5"}, {"limit", "3"}});
  ASSERT_EQ(part.size(), 3u);
  EXPECT_EQ(part[0].prompt, "number 5");
  EXPECT_EQ(part[2].prompt, "number 7");
}

TEST_F(JsonlData, ARowBeyondTheEndIsAnError) {
  std::ofstream(path) << "{\"question\":\"a\"}\n";
  tenon::testing::Instance<tenon_dataset_vt> data(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
      {{"prompt", "\"question\""}, {"file", quote(path)}});
  EXPECT_THROW(tenon::Dataset(data.ref()).read(nullptr, 1, 1), tenon::Error);
}

TEST(JsonlCheck, RulesBetweenOptions) {
  auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  auto findings = [&](Options options) {
    options["file"] = "\"x\"";
    return tenon::testing::findings_of(component, options).size();
  };
  EXPECT_EQ(findings(kQuestion), 0u);
  EXPECT_EQ(findings({}), 1u);
  EXPECT_EQ(findings({{"prompt", "\"q\""}, {"template", "\"{q}\""}}), 1u);
  EXPECT_EQ(findings({{"messages", "\"m\""}}), 0u);
  EXPECT_EQ(findings({{"messages", "\"m\""}, {"as", "\"prompt\""}, {"system", "\"s\""}}), 2u);
  EXPECT_EQ(findings({{"prompt", "\"q\""}, {"split", "\"test\""}}), 1u);
  EXPECT_EQ(findings({{"prompt", "\"q\""}, {"test_fraction", "0.1"}}), 1u);
  EXPECT_EQ(findings({{"prompt", "\"q\""}, {"split", "\"test\""}, {"test_fraction", "0.1"}}), 0u);
}

}  // namespace
