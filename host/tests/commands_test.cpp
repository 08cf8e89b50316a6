// The program as a user meets it: exit codes, streams, and nothing written after a mistake.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "host/child_process.h"

namespace tenon::host {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const fs::path kPlugins = TENON_FAKE_PLUGINS;

struct Answer {
  int code = -1;
  std::string out, err;
};

class Program : public testing::Test {
 protected:
  Program() {
    fs::remove_all(folder);
    fs::create_directories(work);
  }
  ~Program() override { fs::remove_all(folder); }

  // Runs tenon in the empty folder `work`.
  Answer tenon(const std::string& arguments) const {
    const std::string out = (folder / "out").string(), err = (folder / "err").string();
    int status = std::system(("cd '" + work.string() + "' && '" TENON_PROGRAM "' " + arguments + " > '" +
                              out + "' 2> '" + err + "'")
                                 .c_str());
    return {WEXITSTATUS(status), read(out), read(err)};
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << text;
    return folder / name;
  }

  fs::path folder =
      fs::path(testing::TempDir()) /
      ("tenon_commands_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  fs::path work = folder / "work";
};

TEST_F(Program, HelpNamesTheCommands) {
  Answer help = tenon("--help");
  EXPECT_EQ(help.code, 0);
  for (const char* command : {"run FILE", "plan FILE", "resume RUN", "check FILE", "plugins",
                              "describe [KIND/]ID  what", "explain RUN", "doctor"})
    EXPECT_THAT(help.out, HasSubstr(command));
  EXPECT_THAT(tenon("check --help").out, HasSubstr("--set PATH=VALUE"));
  for (const char* command : {"run --help", "resume --help"})
    EXPECT_THAT(tenon(command).out, HasSubstr("75 where a stage waits for people"));
  EXPECT_THAT(tenon("run --help").out,
              AllOf(HasSubstr("--from STAGE"), HasSubstr("renamed to <run>/set-aside/")));
  EXPECT_THAT(tenon("explain --help").out, AllOf(HasSubstr("--step N"), HasSubstr("--token T")));
  EXPECT_THAT(tenon("explain r --step -1").err, HasSubstr("--step -1: it is counted from 0"));
  EXPECT_THAT(tenon("--version").out, HasSubstr("tenon 0."));
  EXPECT_EQ(tenon("").code, 2);
}

TEST_F(Program, MistakesOnTheCommandLineAreExitCodeTwo) {
  Answer answer = tenon("chekc");
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err,
            "error: there is no command \"chekc\". Did you mean \"check\"? `tenon --help` lists them.\n");
  EXPECT_EQ(tenon("check").code, 2);
  EXPECT_EQ(tenon("check a.yaml b.yaml").err,
            "error: tenon check takes one FILE, \"a.yaml\", and \"b.yaml\" is one word too many. Usage: "
            "tenon check "
            "FILE [options]\n");
  EXPECT_THAT(tenon("run a.yaml run.seed=7").err, HasSubstr("Did you mean --set run.seed=7?"));
  EXPECT_EQ(tenon("doctor now").err,
            "error: tenon doctor takes options only, and \"now\" is one word too many. Usage: tenon doctor "
            "[options]\n");
  for (const char* words : {"check a.yaml b.yaml", "run a.yaml run.seed=7", "doctor now"})
    EXPECT_EQ(tenon(words).code, 2) << words;
  EXPECT_EQ(tenon("check --no-such-flag a.yaml").code, 2);
  EXPECT_THAT(tenon("check --sett run.seed=1 a.yaml").err,
              HasSubstr("tenon check has no option --sett. Did you mean \"--set\"?"));
  EXPECT_EQ(tenon("check --se run.seed=1 a.yaml").code, 2);
  for (const char* command :
       {"check a.yaml", "run a.yaml", "resume a-run", "plugins", "describe x", "doctor"}) {
    Answer no_folder = tenon(std::string(command) + " --plugin-path no/such/folder");
    EXPECT_EQ(no_folder.code, 2) << command;
    if (std::string(command) == "resume a-run") continue;  // there is no such run either
    EXPECT_THAT(no_folder.err,
                HasSubstr("--plugin-path no/such/folder: no such folder or file; give a folder that "
                          "holds plugins"))
        << command;
  }
  EXPECT_EQ(tenon("describe no-such-component").code, 2);
  EXPECT_EQ(tenon("describe x --kind rewrad").code, 2);
  EXPECT_EQ(tenon("run no-such-file.yaml").code, 2);
  EXPECT_TRUE(fs::is_empty(work));
}

TEST_F(Program, AWrongConfigurationWritesNothing) {
  fs::path file = write("c.yaml", "run: {sede: 7}\npipeline: []\n");
  for (const char* command : {"check ", "run "}) {
    Answer answer = tenon(command + file.string());
    EXPECT_EQ(answer.code, 2) << command;
    EXPECT_THAT(answer.err,
                AllOf(HasSubstr("c.yaml:1:7: error: run.sede: unknown option of run. Did you mean \"seed\"?"),
                      HasSubstr("\n        ^\n"), HasSubstr("c.yaml:2:11: error: pipeline: ")));
    EXPECT_EQ(answer.out, "") << command;
    EXPECT_TRUE(fs::is_empty(work)) << command;
  }
}

TEST_F(Program, CheckAnswersAsJson) {
  fs::path file = write("c.yaml", "pipeline: []\n");
  Answer answer = tenon("check --json " + file.string());
  EXPECT_EQ(answer.code, 2);
  boost::json::value json = boost::json::parse(answer.out);
  EXPECT_FALSE(json.at("ok").as_bool());
  EXPECT_EQ(json.at("diagnostics").at(0).at("line").as_int64(), 1);
  EXPECT_EQ(json.at("diagnostics").at(0).at("path").as_string(), "pipeline");
}

TEST_F(Program, ResumeKnowsWhereRunsLie) {
  fs::create_directories(work / "runs" / "a");
  EXPECT_THAT(tenon("resume a").err, Not(HasSubstr("Did you mean")));
  std::ofstream(work / "runs" / "a" / "config.yaml") << "x";
  Answer answer = tenon("resume a");
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("has no config.yaml. Did you mean runs/a?"));
}

TEST_F(Program, PluginsListsWhatCannotBeUsedAndWhy) {
  std::ofstream(folder / "reward.text.so") << "not a library";
  Answer answer = tenon("plugins --plugin-path '" + (kPlugins / "good").string() + "' --plugin-path '" +
                        (kPlugins / "bad").string() + "' --plugin-path '" + folder.string() + "'");
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("good"), HasSubstr("Pays for length."), HasSubstr("Not usable:"),
                                HasSubstr("draft 99"),
                                HasSubstr("reward.crashes.so crashed while it was opened: Aborted"),
                                HasSubstr("reward.text.so is not a plugin")));
}

TEST_F(Program, PluginsAnswersAsJson) {
  Answer answer = tenon("plugins --json --plugin-path '" + (kPlugins / "good").string() + "'");
  boost::json::value file = boost::json::parse(answer.out).at("files").at(0);
  EXPECT_TRUE(file.at("usable").as_bool());
  EXPECT_EQ(file.at("plugin").at("components").at(0).at("options").at(0).at("name").as_string(), "target");
  EXPECT_EQ(file.at("plugin").at("sha256").as_string().size(), 64u);
}

TEST_F(Program, PluginsListsPresetsAndOneKindAlone) {
  const std::string path = " --plugin-path '" + (kPlugins / "twins").string() + "'";
  EXPECT_THAT(tenon("plugins" + path).out,
              testing::ContainsRegex("\n +preset long  Pays for long answers \\(a paper, 2026\\)\\.\n"));
  const Answer rewards = tenon("plugins --kind reward" + path);
  EXPECT_THAT("\n" + rewards.out,
              AllOf(HasSubstr("\nreward  twin"), Not(testing::ContainsRegex("\n(stage|model|sink) "))));
  const boost::json::value stages = boost::json::parse(tenon("plugins --kind stage --json" + path).out);
  bool has_twin = false;
  for (const boost::json::value& file : stages.at("files").as_array()) {
    if (!file.at("usable").as_bool()) continue;
    for (const boost::json::value& component : file.at("plugin").at("components").as_array()) {
      EXPECT_EQ(component.at("kind").as_string(), "stage");
      if (component.at("id").as_string() != "twin") continue;
      has_twin = true;
      EXPECT_EQ(component.at("presets").at(0).at("options").at("target").as_int64(), 512);
      EXPECT_EQ(component.at("presets").at(0).at("stage").at("max_new_tokens").as_int64(), 512);
    }
  }
  EXPECT_TRUE(has_twin);
  const Answer wrong = tenon("plugins --kind rewrad" + path);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("there is no kind \"rewrad\". Did you mean \"reward\"?"));
}

TEST_F(Program, DescribePrintsTheOptions) {
  const std::string path = " --plugin-path '" + (kPlugins / "good").string() + "'";
  EXPECT_THAT(tenon("describe good" + path).out,
              AllOf(HasSubstr("good 1.0.0, reward"),
                    HasSubstr("target  (int: 1 … 1e6, bytes)  = 256\n      Wanted length.")));
  EXPECT_THAT(tenon("describe good --markdown" + path).out,
              HasSubstr("| `target` | int | `256` | 1 … 1e6 bytes | Wanted length. |"));
  EXPECT_THAT(tenon("describe --markdown" + path).out,
              AllOf(HasSubstr("# Configuration"), HasSubstr("### good"), HasSubstr("| `seed` | int |")));
  const std::string preset =
      "# long: Pays for long answers (a paper, 2026).\n# The same as reward: {use: good, preset: long}\n"
      "reward:\n  use: good\n  target: 512\n# and, of the stage that has it:\nmax_new_tokens: 512\n";
  EXPECT_THAT(tenon("describe good" + path).out, HasSubstr("\nPresets:\n" + preset));
  EXPECT_THAT(tenon("describe good --markdown" + path).out, HasSubstr("```yaml\n" + preset + "```\n"));
  EXPECT_EQ(boost::json::parse(tenon("describe good --json" + path).out).at(0).at("kind").as_string(),
            "reward");
}

TEST_F(Program, DescribeShowsAllKindsOfANameOrTheOneAskedFor) {
  const std::string path = " --plugin-path '" + (kPlugins / "twins").string() + "'";
  EXPECT_THAT(tenon("describe twin" + path).out,
              AllOf(HasSubstr("2 kinds have a component \"twin\"; `tenon describe reward/twin` shows one."),
                    HasSubstr("twin 1.0.0, reward\n"), HasSubstr("twin 1.0.0, stage\n")));
  for (const char* one :
       {"describe stage/twin", "describe twin --kind stage", "describe stage/twin --kind stage"})
    EXPECT_THAT(tenon(one + path).out,
                AllOf(testing::StartsWith("twin 1.0.0, stage\n"), Not(HasSubstr("reward"))))
        << one;
  EXPECT_THAT(tenon("describe stage/twin --kind reward" + path).err, HasSubstr("leave one of the two out"));
  EXPECT_THAT(tenon("describe sink/twin" + path).err,
              HasSubstr("there is no sink \"twin\". \"twin\" is a reward."));
  EXPECT_THAT(tenon("describe sink/twin" + path).err,
              HasSubstr("Looked in " + (kPlugins / "twins").string() + ", "));
  EXPECT_THAT(tenon("describe stag/twin" + path).err,
              HasSubstr("there is no kind \"stag\". Did you mean \"stage\"? The kinds are: dataset, "));
}

TEST_F(Program, DoctorNamesProblems) {
  Answer answer = tenon("doctor --plugin-path '" + (kPlugins / "bad").string() + "'");
  EXPECT_EQ(answer.code, 1) << "a plugin that cannot be used is not in order";
  EXPECT_THAT(answer.out, AllOf(HasSubstr("CPU"), HasSubstr("memory"), HasSubstr("problem   plugin"),
                                HasSubstr("draft 99")));
  boost::json::value json = boost::json::parse(tenon("doctor --json").out);
  EXPECT_GT(json.at("memory").at("total").to_number<uint64_t>(), 0u);
}

TEST_F(Program, DoctorAsksTheProbes) {
  const fs::path probe =
      write("tenon-weather-probe", "#!/bin/sh\necho 'sun: works'\necho 'rain: denied'\nexit 1\n");
  fs::permissions(probe, fs::perms::owner_all);
  write("tenon-other-probe", "not to be run\n");
  const std::string path = " --plugin-path '" + probe.parent_path().string() + "'";
  Answer answer = tenon("doctor" + path);
  EXPECT_EQ(answer.code, 0) << "what a probe finds is no problem by itself";
  EXPECT_THAT(answer.out, HasSubstr("\nweather   sun: works\n          rain: denied\n"));
  EXPECT_THAT(answer.out, Not(HasSubstr("not to be run")));
  EXPECT_THAT(tenon("doctor --json" + path).out,
              HasSubstr(R"("name":"weather","program":")" + probe.string() +
                        R"(","lines":["sun: works","rain: denied"])"));
}

TEST_F(Program, AnAnswerThatCannotBeWrittenIsNotASuccess) {
  int status = std::system("'" TENON_PROGRAM "' --help > /dev/full 2> /dev/null");
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST_F(Program, NeedsNoLibTorchAndNoCuda) {
  if (std::system("readelf --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "readelf is not installed";
  ASSERT_EQ(std::system(("readelf -d '" TENON_PROGRAM "' > '" + (folder / "needed").string() + "'").c_str()),
            0);
  EXPECT_THAT(read(folder / "needed"), AllOf(HasSubstr("NEEDED"), Not(HasSubstr("torch")),
                                             Not(HasSubstr("c10")), Not(HasSubstr("cuda"))));
}

TEST(RunChild, ReturnsOutputExitCodeAndSignal) {
  using std::chrono::seconds;
  ChildResult result = run_child("/bin/sh", {"-c", "echo hello; echo lost >&2; exit 3"}, seconds(60));
  EXPECT_EQ(result.output, "hello\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(run_child("/bin/sh", {"-c", "kill -SEGV $$"}, seconds(60)).signal, SIGSEGV);
  EXPECT_EQ(run_child("/bin/sh", {"-c", "head -c 300000 /dev/zero"}, seconds(60)).output.size(), 300000u);
  EXPECT_THROW(run_child("/no/such/program", {}, seconds(60)), std::runtime_error);
}

TEST(RunChild, KillsAtTheLimitWhoeverHoldsThePipe) {
  ChildResult result = run_child("/bin/sh", {"-c", "echo begun; sleep 1000 & exec sleep 1000"},
                                 std::chrono::milliseconds(300));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.output, "begun\n");
}

}  // namespace
}  // namespace tenon::host
