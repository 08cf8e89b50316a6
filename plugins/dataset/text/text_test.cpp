// Tests of the data set text: documents by paragraph, file and line, cut where they are too long, nothing lost on the way.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Options = std::map<std::string, std::string>;

const tenon_component* component() {
  return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
}

class TextData : public testing::Test {
 protected:
  TextData() { fs::create_directories(folder / "sub/.hidden"); }
  ~TextData() override { fs::remove_all(folder); }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder / name, std::ios::binary) << content;
  }
  std::vector<tenon::Row> rows(const std::string& name, Options options = {}) const {
    options["path"] = tenon::json::quote((folder / name).string());
    tenon::testing::Instance<tenon_dataset_vt> data(component(), options);
    return tenon::Dataset(data.ref()).read(nullptr, 0, data.vt->count(data.self));
  }
  std::vector<std::string> texts(const std::string& name, Options options = {}) const {
    std::vector<std::string> out;
    for (const tenon::Row& row : rows(name, std::move(options))) out.push_back(row.prompt);
    return out;
  }
  std::string error(const std::string& name, Options options = {}) const {
    try {
      rows(name, std::move(options));
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  }
  const fs::path folder = fs::path(testing::TempDir()) / ("text_" + std::to_string(getpid()));
};

TEST_F(TextData, ParagraphsFilesAndLines) {
  write("a.txt", "\xEF\xBB\xBFone\ntwo\r\n\n \t\n\nthree\n  four\n");
  EXPECT_THAT(texts("a.txt"), ElementsAre("one\ntwo", "three\n  four"));
  EXPECT_THAT(texts("a.txt", {{"documents", "\"line\""}}), ElementsAre("one", "two", "three", "  four"));
  EXPECT_THAT(texts("a.txt", {{"documents", "\"file\""}}), ElementsAre("one\ntwo\r\n\n \t\n\nthree\n  four"));
}

TEST_F(TextData, RowsKnowFileAndLine) {
  write("a.txt", "\n\none\n\ntwo");
  const auto all = rows("a.txt");
  EXPECT_EQ(all[0].source, (folder / "a.txt").string() + ":3");
  EXPECT_EQ(all[1].meta_json, R"({"file":"a.txt","line":5,"part":0})");
  EXPECT_EQ(all[1].completion, "");
}

TEST_F(TextData, AFolderInTheOrderOfItsNames) {
  write("b.txt", "b");
  write("a.txt", "a");
  write("sub/c.txt", "c");
  write("note.md", "md");
  write(".d.txt", "d");
  write("sub/.hidden/e.txt", "e");
  EXPECT_THAT(texts(""), ElementsAre("a", "b", "c"));
  EXPECT_THAT(texts("", {{"include", "\"*\""}}), ElementsAre("a", "b", "md", "c"));
}

TEST_F(TextData, CutsLoseNothing) {
  std::mt19937 random(5);
  std::string content;
  for (int i = 0; i < 4000; ++i) {
    const unsigned kind = random() % 40;
    content += kind == 0   ? "\n\n"
               : kind < 3  ? "\n"
               : kind < 9  ? " "
               : kind < 12 ? "ä"
               : kind < 14 ? "多"
               : kind < 15 ? "😀"
                           : "x";
  }
  write("a.txt", content);
  auto letters = [](const std::string& text) {
    std::string out;
    for (char c : text)
      if (c != ' ' && c != '\n') out += c;
    return out;
  };
  for (const char* unit : {"\"paragraphs\"", "\"file\"", "\"line\""})
    for (const char* most : {"0", "4", "7", "50", "100000"}) {
      std::string all;
      for (const tenon::Row& row : rows("a.txt", {{"documents", unit}, {"max_bytes", most}})) {
        all += row.prompt;
        EXPECT_FALSE(row.prompt.empty());
        if (std::stoul(most) > 0) {
          EXPECT_LE(row.prompt.size(), std::stoul(most));
        }
        EXPECT_EQ(row.prompt.find('\xFF'), std::string::npos);
        EXPECT_NE(static_cast<unsigned char>(row.prompt[0]) & 0xC0, 0x80) << "a character was cut";
      }
      EXPECT_EQ(letters(all), letters(content)) << unit << " " << most;
    }
}

TEST_F(TextData, CutsAreAtLinesThenAtSpaces) {
  write("a.txt", "aa bb\ncc dd\nee ff gg hh");
  EXPECT_THAT(texts("a.txt", {{"max_bytes", "12"}}), ElementsAre("aa bb\ncc dd", "ee ff gg hh"));
  EXPECT_THAT(texts("a.txt", {{"max_bytes", "6"}}), ElementsAre("aa bb", "cc dd", "ee ff", "gg hh"));
  const auto parts = rows("a.txt", {{"max_bytes", "12"}});
  EXPECT_EQ(parts[1].meta("part"), "1");
  EXPECT_EQ(parts[1].meta("line"), "3");
}

TEST_F(TextData, TheSplitKeepsADocumentTogether) {
  std::string content;
  for (int i = 0; i < 300; ++i)
    content += "document " + std::to_string(i) + "\nmore " + std::to_string(i) + "\n\n";
  write("a.txt", content);
  const Options train{{"split", "\"train\""}, {"test_fraction", "0.3"}, {"max_bytes", "14"}};
  Options test = train;
  test["split"] = "\"test\"";
  const auto a = rows("a.txt", train), b = rows("a.txt", test);
  EXPECT_EQ(a.size() + b.size(), 600u);
  EXPECT_NEAR(static_cast<double>(b.size()) / 600, 0.3, 0.11);
  for (size_t i = 0; i + 1 < b.size(); i += 2)
    EXPECT_EQ(b[i].prompt.substr(9), b[i + 1].prompt.substr(5)) << "both parts";
}

TEST_F(TextData, WhatCannotBeReadIsNamed) {
  write("a.txt", "good\n\nb\xffm\n");
  EXPECT_THAT(error("a.txt"),
              AllOf(HasSubstr("a.txt:3: byte 2 of the line is not UTF-8"), HasSubstr("iconv")));
  EXPECT_THAT(error("none.txt"), HasSubstr("neither a file nor a folder"));
  EXPECT_THAT(error("sub"), HasSubstr("has no file that matches include: *.txt"));
  write("b.txt", " \n\n");
  EXPECT_THAT(error("b.txt"), HasSubstr("has no text"));
}

TEST(TextCheck, RulesBetweenOptions) {
  EXPECT_THAT(tenon::testing::findings_of(component(), Options{{"path", "\"x\""}}), IsEmpty());
  EXPECT_THAT(tenon::testing::findings_of(component(), Options{{"path", "\"x\""}, {"split", "\"test\""}}),
              ElementsAre(HasSubstr("needs test_fraction")));
}

}  // namespace
