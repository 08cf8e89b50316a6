// Tests of `tenon rank`: what is asked, what is kept, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <sstream>

#include "host/command_line.h"
#include "host/commands_rank.h"
#include "host/diagnostics.h"
#include "host/files.h"

namespace tenon::host {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Rank : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::temp_directory_path() / ("tenon-rank-" + std::to_string(::getpid()) + ".jsonl");
    write_file(file_, R"({"prompt":"Why?","completions":["because","so"],"ranking":null,"note":[1.5]})"
                      "\n"
                      R"({"prompt":"Who?","completions":["me","you","they"],"ranking":null})"
                      "\n");
  }
  void TearDown() override { std::filesystem::remove(file_); }
  int rank(const std::string& answers) {
    std::istringstream in(answers);
    std::ostringstream out;
    const int code = rank_command(file_, in, out);
    said_ = out.str();
    return code;
  }
  // The ranking of an item, as texts.
  std::vector<std::string> ranked(size_t item) const {
    std::istringstream lines(read_file(file_));
    std::string line;
    for (size_t i = 0; i <= item; ++i) std::getline(lines, line);
    const auto value = boost::json::parse(line);
    std::vector<std::string> out;
    for (const auto& place : value.at("ranking").as_array())
      out.emplace_back(value.at("completions").at(static_cast<size_t>(place.as_int64())).as_string());
    return out;
  }
  // The letter under which a completion was shown last.
  char letter(const std::string& completion) const {
    return said_[said_.rfind("\n  " + completion + "\n") - 1];
  }

  std::filesystem::path file_;
  std::string said_;
};

TEST_F(Rank, KeepsTheOrderOfTheLettersAsTheyWereShown) {
  EXPECT_EQ(rank(""), kExitStopped);
  EXPECT_THAT(said_, HasSubstr("0 of 2 are ranked"));
  const std::string first = {letter("so"), letter("because"), '\n'};
  EXPECT_EQ(rank(first + "q\n"), kExitStopped);
  EXPECT_THAT(ranked(0), ::testing::ElementsAre("so", "because"));
  EXPECT_THAT(read_file(file_), HasSubstr(R"("note":[1.5])")) << "other fields stay";

  EXPECT_EQ(rank(""), kExitStopped);
  EXPECT_THAT(said_, Not(HasSubstr("Why?"))) << "what is ranked is not asked again";
  const std::string second = {letter("they"), ' ', '>', letter("me"), ',', letter("you"), '\n'};
  EXPECT_EQ(rank(second), kExitOk);
  EXPECT_THAT(ranked(1), ::testing::ElementsAre("they", "me", "you"));
  EXPECT_THAT(said_, HasSubstr("All 2 are ranked"));
  EXPECT_EQ(rank(""), kExitOk);
}

TEST_F(Rank, AsksAgainWhereAnAnswerIsNone) {
  EXPECT_EQ(rank("AC\nA\nAA\nABC\n\n1\n"), kExitStopped);
  EXPECT_THAT(said_, HasSubstr("\"ABC\" does not name each of A to B once"));
  EXPECT_THAT(read_file(file_), HasSubstr(R"("ranking":null,"note")"));
}

TEST_F(Rank, CannotSayAndTheOneBeforeAgain) {
  EXPECT_EQ(rank("<\n-\n<\nab\n-\n"), kExitOk);
  EXPECT_EQ(ranked(0).size(), 2u);
  EXPECT_EQ(ranked(1).size(), 0u);
}

TEST_F(Rank, WhatAModelWroteDoesNotCommandTheTerminal) {
  write_file(file_, R"({"prompt":"\u001b[2J","completions":["a\u0007","b\r"],"ranking":null})");
  rank("");
  EXPECT_THAT(said_, HasSubstr("\\x1b[2J"));
  EXPECT_EQ(said_.find_first_of("\x1b\x07\r"), std::string::npos);
  // C1's CSI is one character to many terminals; an override shows "abc" as "cba".
  write_file(
      file_,
      R"({"prompt":"\u009b2J\u0080","completions":["a\u202ecba\u2069\u200f","é一😀\u00a0\u061c"],"ranking":null})");
  rank("");
  EXPECT_THAT(said_, HasSubstr("\\u009b2J\\u0080\n"));
  EXPECT_THAT(said_, HasSubstr("a\\u202ecba\\u2069\\u200f\n"));
  EXPECT_THAT(said_, HasSubstr("é一😀\u00a0\\u061c\n")) << "other characters are as they were";
}

class RankInARun : public Rank {
 protected:
  void SetUp() override {
    Rank::SetUp();
    run_ = file_.parent_path() / ("tenon-rank-run-" + std::to_string(::getpid()));
    write("config.yaml", "run: {name: x}\n");
    write("manifest.json",
          R"({"stages":{"first":"aaaaaaaaaaaaaaaa","second":"bbbbbbbbbbbbbbbb","train":"c"}})");
  }
  void TearDown() override {
    std::filesystem::remove_all(run_);
    Rank::TearDown();
  }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((run_ / name).parent_path());
    write_file(run_ / name, text);
  }
  int rank_run(const std::string& answers) {
    const auto file = file_;
    file_ = run_;
    const int code = rank(answers);
    file_ = file;
    return code;
  }
  std::string refused() {
    try {
      rank_run("");
    } catch (const UserError& e) {
      return e.what();
    }
    return "";
  }
  std::filesystem::path run_;
};

constexpr const char* kFirst = "stages/first-aaaaaaaaaaaa/artifacts/kept/to-rank.jsonl";
constexpr const char* kSecond = "stages/second-bbbbbbbbbbbb/artifacts/kept/to-rank.jsonl";
constexpr const char* kOpen = R"({"prompt":"x","completions":["a","b"],"ranking":null})";
constexpr const char* kRanked = R"({"prompt":"y","completions":["a","b"],"ranking":[1,0]})";

TEST_F(RankInARun, FindsTheFileThatWaits) {
  EXPECT_THAT(refused(), HasSubstr("none of its stages has completions"));
  write("stages/first-0123456789ab/artifacts/kept/to-rank.jsonl", kOpen);  // of another configuration
  EXPECT_THAT(refused(), HasSubstr("none of its stages has completions"));
  write(kFirst, kRanked);
  EXPECT_EQ(rank_run(""), kExitOk);
  EXPECT_THAT(said_, HasSubstr("All 1 are ranked. Go on with: tenon resume " + run_.string() + "\n"));
  write(kSecond, kOpen);
  EXPECT_EQ(rank_run("q\n"), kExitStopped);
  EXPECT_THAT(said_, HasSubstr("Go on with: tenon rank " + (run_ / kSecond).string() + "\n"));
  write(kFirst, kOpen);
  EXPECT_THAT(refused(),
              ::testing::AllOf(HasSubstr("several files"), HasSubstr(std::string(kFirst) + " (1 to rank)"),
                               HasSubstr(std::string(kSecond) + " (1 to rank)")));
  std::filesystem::remove(run_ / "config.yaml");
  EXPECT_THAT(refused(), HasSubstr("not the folder of a run"));
}

TEST_F(Rank, AFileOutsideOfARunNamesNone) {
  EXPECT_EQ(rank("-\n-\n"), kExitOk);
  EXPECT_THAT(said_, HasSubstr("All 2 are ranked. `tenon resume` of the run that has the file goes on."));
}

TEST_F(Rank, FilesThatAreNone) {
  for (const char* line : {"{}", "nonsense", R"({"prompt":"x","completions":["a"],"ranking":null})",
                           R"({"prompt":"x","completions":["a","b"],"ranking":[0]})",
                           R"({"prompt":"x","completions":["a","b"],"ranking":[0,2]})",
                           R"({"prompt":"x","completions":["a","b"]})"}) {
    write_file(file_,
               std::string(R"({"prompt":"x","completions":["a","b"],"ranking":[]})") + "\n" + line + "\n");
    try {
      rank("");
      FAIL() << line;
    } catch (const UserError& e) {
      EXPECT_THAT(e.what(), HasSubstr(".jsonl:2: ")) << line;
    }
  }
  write_file(file_, "\n");
  EXPECT_THROW(rank(""), UserError);
  std::filesystem::remove(file_);
  EXPECT_THROW(rank(""), UserError);
}

}  // namespace
}  // namespace tenon::host
