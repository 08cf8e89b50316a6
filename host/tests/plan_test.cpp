// `tenon plan`, and --from, --only and --force of `tenon run`: what is kept, what runs, and the reason that is given.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "host/commands_plan.h"
#include "host/json_text.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class PlanOfARun : public Run {
 protected:
  Outcome plan(const fs::path& config, const StageChoice& choice = {}, bool as_graph = false) {
    return wait(start([&] {
      PlanArguments a;
      a.config = config;
      a.choice = choice;
      a.graph = as_graph;
      return plan_command(a);
    }));
  }
  json::array stages(const fs::path& config, const StageChoice& choice = {}) {
    const Outcome outcome = wait(start([&] {
      PlanArguments a;
      a.config = config;
      a.choice = choice;
      a.json = true;
      return plan_command(a);
    }));
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    return json::parse(outcome.out).at("stages").as_array();
  }
  Outcome run_with(const fs::path& config, const StageChoice& choice, bool fresh = false) {
    return wait(start([&] {
      RunArguments a;
      a.config = config;
      a.choice = choice;
      a.fresh = fresh;
      return run_command(a);
    }));
  }
  // "finished", "goes on", "runs" or "left out" of each.
  static std::vector<std::string> statuses(const json::array& stages) {
    std::vector<std::string> out;
    for (const json::value& stage : stages) out.emplace_back(stage.at("status").as_string());
    return out;
  }
  static std::string why(const json::array& stages, size_t i) {
    std::string text;
    for (const json::value& reason : stages.at(i).at("why").as_array())
      text +=
          std::string(reason.at("reason").as_string()) + ": " + reason.at("text").as_string().c_str() + "\n";
    return text;
  }
  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return text.replace(text.find(from), from.size(), to);
  }

  const fs::path folder_ = dir_ / "runs/toy";
};

using testing::ElementsAre;

TEST_F(PlanOfARun, SaysBeforehandWhatTheRunWillDoAndWritesNothing) {
  const fs::path file = write_config(config());
  const Outcome before = plan(file);
  EXPECT_EQ(before.code, 0) << before.err;
  EXPECT_THAT(before.out,
              AllOf(HasSubstr("3 stages, 3 run"), HasSubstr("base   toy-train          20 steps  runs\n"),
                    HasSubstr("data toy-data; model base; optimizer toy-optimizer; rewards length"),
                    HasSubstr("models base, zero; data zero.kept"), HasSubstr("why: it has not run yet")));
  EXPECT_FALSE(fs::exists(dir_ / "runs"));
  ASSERT_EQ(run(file).code, 0);
  const auto written = fs::last_write_time(folder_ / "manifest.json");
  const Outcome after = plan(file);
  EXPECT_THAT(after.out, AllOf(HasSubstr("3 stages, 3 finished"), Not(HasSubstr("why"))));
  EXPECT_EQ(fs::last_write_time(folder_ / "manifest.json"), written);
  EXPECT_THAT(statuses(stages(file)), ElementsAre("finished", "finished", "finished"));
}

TEST_F(PlanOfARun, NamesTheOptionThatChangedAndTheStagesBehindIt) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  const struct {
    std::string from, to, base, zero;
  } kCases[] = {
      {"weight: 0.5", "weight: 0.25", "", "option: rewards.0.weight: 0.5 → 0.25\n"},
      {"rows: 10", "rows: 11", "option: data.rows: 10 → 11\n", "stage: stage base runs again\n"},
      {"width: 5", "width: 6", "option: model.width: 5 → 6\n", "stage: stage base runs again\n"},
      {"seed: 7", "seed: 8", "seed: run.seed: 7 → 8\n",
       "seed: run.seed: 7 → 8\nstage: stage base runs again\n"},
      {"{use: toy-data, rows: -1}", "{use: toy-curriculum}", "",
       "component: data.use: toy-data → toy-curriculum\n"},
      {"{use: toy-data, rows: -1}", "base.kept", "", "component: data: toy-data → base.kept\n"},
      {"from: base", "model: policy", "", "component: model: stage base → policy\n"},
      {", rewards: [{of: length, weight: 0.5}]", "", "",
       "component: rewards.0 is no longer there: it was length\n"},
      {"rewards: [", "rewards: [{use: toy-reward}, ", "",
       "option: rewards.0.weight: 0.5 → 1\ncomponent: rewards.0: length → toy-reward\ncomponent: rewards.1 "
       "is new: length\n"},
  };
  for (const auto& c : kCases) {
    std::string text = replaced(config(), c.from, c.to);
    if (c.to.empty()) text = replaced(text, "  length: {use: toy-reward}\n", "");
    const json::array now = stages(write_config(text));
    EXPECT_EQ(why(now, 0), c.base) << c.to;
    EXPECT_EQ(why(now, 1), c.zero) << c.to;
  }
}

TEST_F(PlanOfARun, NamesTheFileAndThePluginThatChanged) {
  std::ofstream(dir_ / "rows.txt") << "one";
  fs::create_directory(dir_ / "corpus");
  std::ofstream(dir_ / "corpus/a.txt") << "one";
  std::string text = replaced(config(), "rows: 10", "rows: 10, file: rows.txt");
  const fs::path file = write_config(replaced(text, "rows: -1", "rows: -1, file: corpus"));
  ASSERT_EQ(run(file).code, 0);
  std::ofstream(dir_ / "rows.txt") << "two";
  std::ofstream(dir_ / "corpus/b.txt") << "two";
  json::array now = stages(file);
  EXPECT_EQ(why(now, 0),
            "file: the file " + (dir_ / "rows.txt").string() + " (option data.file) has another content\n");
  EXPECT_EQ(why(now, 1), "file: the file " + (dir_ / "corpus/b.txt").string() +
                             " (option data.file) is new\nstage: stage base runs again\n");
  std::ofstream(dir_ / "rows.txt") << "one";
  fs::remove(dir_ / "corpus/b.txt");
  EXPECT_THAT(statuses(stages(file)), ElementsAre("finished", "finished", "finished"));

  // As one that a plugin of an earlier version had made.
  const fs::path base = stage_folder(folder_, "base");
  const std::string record = read_file(base / "depends_on.json");
  fs::rename(base, base.parent_path() / "base-0123456789ab");
  std::ofstream(base.parent_path() / "base-0123456789ab/depends_on.json")
      << replaced(record, "\"toy 1.0.0\"", "\"toy 0.9.0\"");
  EXPECT_EQ(why(stages(file), 0), "plugin: plugin toy: version 0.9.0 → 1.0.0\n");
}

TEST_F(PlanOfARun, AnInterruptedStageGoesOn) {
  const fs::path file = write_config(config(", interrupt_every: 10"));
  ASSERT_EQ(run(file).code, 130);
  const json::array now = stages(file);
  EXPECT_THAT(statuses(now), ElementsAre("goes on", "runs", "runs"));
  EXPECT_EQ(now.at(0).at("after_step"), 10);
  EXPECT_THAT(plan(file).out, HasSubstr("20 steps  goes on after step 10\n"));
}

TEST_F(PlanOfARun, IsAGraphForGraphviz) {
  const Outcome outcome = plan(write_config(config()), {}, true);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(testing::StartsWith("digraph \"toy\" {\n"),
                                 HasSubstr("\"base\" -> \"zero\" [label=\"model\"];"),
                                 HasSubstr("\"zero\" -> \"table\" [label=\"data: kept\"];")));
}

TEST_F(PlanOfARun, ReportsMistakesAsCheckDoes) {
  const Outcome outcome = plan(write_config(replaced(config(), "steps: 20", "stepz: 20")));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              testing::ContainsRegex("toy.yaml:8:[0-9]+: error: pipeline.base.stepz: unknown option"));
  const Outcome unknown = plan(write_config(config()), {"zer", "", false});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("--from zer: there is no such stage. Did you mean \"zero\"? "
                                     "The pipeline has base, zero, table"));
}

TEST_F(PlanOfARun, FromRunsAStageAndItsReadersAgainAndSetsTheirFoldersAside) {
  const fs::path file = write_config(config());
  ASSERT_EQ(run(file).code, 0);
  const auto before = results(folder_);
  const auto base_written = fs::last_write_time(stage_folder(folder_, "base") / "done.json");
  const StageChoice choice{"zero", "", false};
  const json::array now = stages(file, choice);
  EXPECT_THAT(statuses(now), ElementsAre("finished", "runs", "runs"));
  EXPECT_EQ(why(now, 1) + why(now, 2),
            "forced: --from zero asks for it\nforced: it reads what --from zero runs again\n");

  std::ofstream(stage_folder(folder_, "zero") / "mine.txt") << "a note of the user's";
  const Outcome again = run_with(file, choice);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("the earlier folders of 2 stages ("));
  EXPECT_EQ(results(folder_), before);
  EXPECT_EQ(fs::last_write_time(stage_folder(folder_, "base") / "done.json"), base_written);
  const std::string name = stage_folder(folder_, "zero").filename();
  EXPECT_TRUE(fs::exists(folder_ / "set-aside" / (name + "-1") / "mine.txt"));
  EXPECT_TRUE(fs::exists(folder_ / "set-aside" / (name + "-1") / "done.json"));
  EXPECT_FALSE(fs::exists(stage_folder(folder_, "zero") / "mine.txt"));
  ASSERT_EQ(run_with(file, choice).code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "set-aside" / (name + "-2") / "done.json"));
  EXPECT_THAT(run(file).out, HasSubstr("nothing to do"));
}

TEST_F(PlanOfARun, AnInterruptedFromGoesOnWithoutIt) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  const auto want = results(folder_);
  const fs::path other = dir_ / "other";
  const fs::path file = write_config(config("", ", interrupt_every: 6", other.string()), "i.yaml");
  for (int i = 0; i < 2; ++i) ASSERT_EQ(run(file).code, 130);
  ASSERT_EQ(run(file).code, 0);
  ASSERT_EQ(run_with(file, {"base", "", false}).code, 130) << "zero is interrupted again";
  EXPECT_THAT(statuses(stages(file)), ElementsAre("finished", "goes on", "runs"));
  ASSERT_EQ(resume(other / "toy").code, 130);
  ASSERT_EQ(resume(other / "toy").code, 0);
  EXPECT_EQ(results(other / "toy"), want);
}

TEST_F(PlanOfARun, OnlyRunsOneStageIfItsInputsAreThere) {
  const fs::path file = write_config(config());
  const Outcome refused = run_with(file, {"", "table", false});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err,
              HasSubstr("--only table: it reads stages base, zero, which are not finished. First run them, "
                        "with --only base, or leave --only out"));
  EXPECT_FALSE(fs::exists(dir_ / "runs"));
  const Outcome first = run_with(file, {"", "base", false});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr(", of which 2 stages are left out\n"));
  EXPECT_THAT(statuses(stages(file)), ElementsAre("finished", "runs", "runs"));
  EXPECT_THAT(statuses(stages(file, {"", "zero", false})), ElementsAre("finished", "runs", "left out"));
  EXPECT_THAT(run_with(file, {"", "base", false}).out, HasSubstr("nothing to do: what was asked for"));
  ASSERT_EQ(resume(folder_).code, 0);
  const auto whole = results(folder_);

  const Outcome forced = run_with(file, {"", "base", true});
  ASSERT_EQ(forced.code, 0) << forced.err;
  EXPECT_THAT(forced.err,
              HasSubstr("base runs again alone; kept as they were, from its earlier result: zero, table. To "
                        "run them again: --from base"));
  EXPECT_EQ(results(folder_), whole) << "the records of what was kept are there, too";
}

TEST_F(PlanOfARun, ForceRunsAllAgain) {
  const fs::path file = write_config(config());
  ASSERT_EQ(run(file).code, 0);
  const auto before = results(folder_);
  EXPECT_THAT(statuses(stages(file, {"", "", true})), ElementsAre("runs", "runs", "runs"));
  EXPECT_THAT(run_with(file, {"", "", true}).out, HasSubstr("the earlier folders of 3 stages"));
  EXPECT_EQ(results(folder_), before);
}

TEST_F(PlanOfARun, ChoicesThatDoNotGoTogetherAreMistakes) {
  const fs::path file = write_config(config());
  const Outcome both = run_with(file, {"base", "zero", false});
  EXPECT_EQ(both.code, 2);
  EXPECT_THAT(both.err, HasSubstr("--from and --only: give one of them"));
  const Outcome fresh = run_with(file, {"base", "", false}, true);
  EXPECT_EQ(fresh.code, 2);
  EXPECT_THAT(fresh.err, HasSubstr("--new starts in a folder where nothing is finished"));
  EXPECT_FALSE(fs::exists(dir_ / "runs"));
}

// Going on with a run is not the moment to find that its data is another.
TEST_F(PlanOfARun, ResumeRefusesAChangedFileAndGoesOnWhenItIsBack) {
  std::ofstream(dir_ / "rows.txt") << "one";
  const auto with_file = [&](const std::string& options, const fs::path& runs) {
    return replaced(config(options, "", runs.string()), "rows: 10", "rows: 10, file: rows.txt");
  };
  ASSERT_EQ(run(write_config(with_file("", dir_ / "whole"))).code, 0);
  const auto want = results(dir_ / "whole/toy");
  const fs::path file = write_config(with_file(", interrupt_every: 12", dir_ / "runs"), "i.yaml");
  ASSERT_EQ(run(file).code, 130);
  std::ofstream(dir_ / "rows.txt") << "two";
  const Outcome refused = resume(folder_);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(
      refused.err,
      AllOf(HasSubstr(
                "cannot go on: what its stages were begun with has changed since:\n  stage base: the file "),
            HasSubstr("rows.txt (option data.file) has another content"),
            HasSubstr("tenon run " + file.string() + " --name toy")));
  std::ofstream(dir_ / "rows.txt") << "one";
  const Outcome rest = resume(folder_);
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(results(folder_), want);
  // As the message says: `run` begins again.
  std::ofstream(dir_ / "rows.txt") << "two";
  EXPECT_EQ(resume(folder_).code, 2) << "finished with another file";
  const Outcome again = run(file);
  EXPECT_EQ(again.code, 130) << again.err;
  EXPECT_THAT(again.err, HasSubstr("run again:\n  base: the file "));
}

TEST_F(PlanOfARun, AConfigurationThatIsGoneBackToIsTheOneThatResumeGoesOnWith) {
  const std::string other = replaced(config(), "weight: 0.5", "weight: 0.25");
  ASSERT_EQ(run(write_config(config())).code, 0);
  const std::string first = read_file(folder_ / "config.yaml");
  ASSERT_EQ(run(write_config(other)).code, 0);
  EXPECT_NE(read_file(folder_ / "config.yaml"), first);
  ASSERT_EQ(run(write_config(config())).code, 0);
  EXPECT_EQ(read_file(folder_ / "config.yaml"), first);
  EXPECT_THAT(resume(folder_).out, HasSubstr("nothing to do"));
}

// What a later stage needs of a finished one is looked for before the stages between are trained.
TEST_F(PlanOfARun, WhatIsGoneOfAFinishedStageIsFoundBeforeTheFirstStep) {
  const std::string more = "- {name: more, use: toy-train, model: policy, data: {use: toy-data}, steps: 1}\n";
  ASSERT_EQ(run(write_config(config())).code, 0);
  const std::string rows =
      config() + more + "- {name: last, use: toy-train, from: base, data: base.kpet, steps: 1}\n";
  const Outcome misspelt = run(write_config(rows));
  EXPECT_EQ(misspelt.code, 2);
  EXPECT_THAT(misspelt.err,
              testing::ContainsRegex("toy.yaml:12:[0-9]+: error: stage base made no rows called "
                                     "\"kpet\"\\. Did you mean \"kept\"\\? It made kept"));
  EXPECT_EQ(stage_folder(folder_, "more"), "no such stage");

  const fs::path checkpoint = stage_folder(folder_, "base") / "checkpoints/20";
  write_file(checkpoint / "manifest.json", "spoilt");
  const Outcome gone =
      run(write_config(config() + more + "- {name: last, use: toy-evaluate, models: [zero, base]}\n"));
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.err, AllOf(HasSubstr((checkpoint / "manifest.json").string()),
                              HasSubstr("remove " + stage_folder(folder_, "base").string())));
  EXPECT_EQ(stage_folder(folder_, "more"), "no such stage");
}

// Deleted to make room, say. What reads the stage is as it was, and so is what the stage makes again.
TEST_F(PlanOfARun, AFinishedStageWithoutItsLastCheckpointRunsAgain) {
  const fs::path file = write_config(config());
  ASSERT_EQ(run(file).code, 0);
  const auto want = results(folder_);
  const fs::path checkpoints = stage_folder(folder_, "base") / "checkpoints";
  fs::remove_all(checkpoints);
  const json::array gone = stages(file);
  EXPECT_THAT(statuses(gone), ElementsAre("runs", "finished", "finished"));
  EXPECT_EQ(why(gone, 0), "interrupted: it was finished, but its final checkpoint is not there any more\n");
  EXPECT_THAT(plan(file).out, HasSubstr("why: it was finished, but its final checkpoint"));
  ASSERT_EQ(run(file).code, 0);
  EXPECT_EQ(results(folder_), want);

  fs::remove_all(checkpoints / "20");
  const json::array shorter = stages(file);
  EXPECT_THAT(statuses(shorter), ElementsAre("goes on", "finished", "finished"));
  EXPECT_EQ(why(shorter, 0), why(gone, 0));
  ASSERT_EQ(resume(folder_).code, 0);
  EXPECT_EQ(results(folder_), want);
}

TEST_F(PlanOfARun, RowsThatAStageHasJustNotMadeAreNamedWithTheirPlace) {
  const Outcome outcome = run(write_config(replaced(config(), "data: zero.kept", "data: zero.kpet")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err,
              testing::ContainsRegex("toy.yaml:10:[0-9]+: stage zero made no rows called \"kpet\""));
}

// ---- Loops ------------------------------------------------------------------------------------------------------------------------------

// Rounds of two stages; the third, of the last round, looks at them.
std::string with_loop(std::string config, const std::string& options = "") {
  config.resize(config.find("- {name: zero"));
  return config +
         "- repeat: 3\n"
         "  name: loop\n"
         "  stages:\n"
         "  - {name: collect, use: toy-train, from: {first: base, then: zero}, data: {use: toy-data, rows: "
         "-1}, steps: 4}\n"
         "  - {name: zero, use: toy-train, from: collect, data: collect.kept, rewards: [{of: length}], "
         "steps: {first: 6, "
         "then: 3}" +
         options +
         "}\n"
         "- {name: table, use: toy-evaluate, models: [base, loop.zero, loop.1.zero], data: loop.zero.kept}\n";
}

TEST_F(PlanOfARun, ALoopRunsOnceAndWhenItGrowsOnlyWhatIsNew) {
  ASSERT_EQ(run(write_config(with_loop(config()))).code, 0);
  const json::array first = stages(write_config(with_loop(config())));
  EXPECT_THAT(statuses(first), testing::Each("finished"));
  EXPECT_EQ(first.at(6).at("name"), "loop.3.zero");
  EXPECT_EQ(first.at(3).at("inputs").at("model"), "loop.1.zero");
  EXPECT_THAT(resume(folder_).out, HasSubstr("nothing to do: all 8 stages"));
  const json::value eval = json::parse(read_file(folder_ / "eval.json"));
  EXPECT_NE(eval.at("table").at("model 1").at("weights"), eval.at("table").at("model 2").at("weights"));
  EXPECT_THAT(run(write_config(with_loop(config()))).out,
              testing::StartsWith("         weights, first\nmodel 0 "));

  const fs::path longer = write_config(replaced(with_loop(config()), "repeat: 3", "repeat: 4"));
  const json::array grown = stages(longer);
  EXPECT_THAT(statuses(grown), ElementsAre("finished", "finished", "finished", "finished", "finished",
                                           "finished", "finished", "runs", "runs", "runs"));
  EXPECT_EQ(why(grown, 9),
            "component: models.1: stage loop.3.zero → stage loop.4.zero\n"
            "component: data: loop.3.zero.kept → loop.4.zero.kept\n");
  EXPECT_EQ(run(longer).code, 0);
  EXPECT_THAT(statuses(stages(longer, {"loop.3.collect", "", false})),
              ElementsAre("finished", "finished", "finished", "finished", "finished", "runs", "runs", "runs",
                          "runs", "runs"));
}

TEST_F(PlanOfARun, NamesOfALoopMeanItsLastRoundARoundOrAll) {
  const fs::path file = write_config(with_loop(config()));
  ASSERT_EQ(run(file).code, 0);
  const auto from = [&](const std::string& name) {
    const json::array all = stages(file, {name, "", false});
    std::string runs;
    for (const json::value& stage : all)
      if (stage.at("status") == "runs") runs += std::string(stage.at("name").as_string()) + " ";
    return runs;
  };
  EXPECT_EQ(from("loop.zero"), "loop.3.zero table ");
  EXPECT_EQ(from("loop.collect"), "loop.3.collect loop.3.zero table ");
  EXPECT_EQ(from("loop.3"), from("loop.collect"));
  EXPECT_EQ(from("loop"), from("loop.1.collect"));
  EXPECT_EQ(from("loop"),
            "loop.1.collect loop.1.zero loop.2.collect loop.2.zero loop.3.collect loop.3.zero table ");
  EXPECT_EQ(why(stages(file, {"loop.zero", "", false}), 6), "forced: --from loop.zero asks for it\n");
  EXPECT_EQ(why(stages(file, {"loop.zero", "", false}), 7),
            "forced: it reads what --from loop.zero runs again\n");

  const Outcome last = run_with(file, {"", "loop.zero", true});
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_THAT(last.err,
              HasSubstr("loop.3.zero runs again alone; kept as they were, from its earlier result: table"));
  const Outcome several = plan(file, {"", "loop", false});
  EXPECT_EQ(several.code, 2);
  EXPECT_THAT(several.err,
              AllOf(HasSubstr("--only loop: it takes one stage, and these are 6: loop.1.collect, "),
                    HasSubstr("--from loop runs them")));
  for (const char* none : {"loop.", "loo", "loop.4", "loop.4.zero", "zero", "loop.zero.", "base.zero"})
    EXPECT_EQ(plan(file, {none, "", false}).code, 2) << none;
}

TEST_F(PlanOfARun, AnInterruptedLoopGoesOnByteForByte) {
  const auto recorded = [](const fs::path& run) {
    return read_file(run / "metrics.jsonl") + read_file(run / "samples.jsonl") + read_file(run / "eval.json");
  };
  ASSERT_EQ(run(write_config(with_loop(config()))).code, 0);
  const std::string want = recorded(folder_);
  const fs::path other = dir_ / "other/toy";
  const fs::path file =
      write_config(with_loop(config("", "", (dir_ / "other").string()), ", interrupt_every: 2"), "i.yaml");
  int interruptions = 0;
  Outcome outcome = run(file);
  for (; outcome.code == 130 && interruptions < 20; ++interruptions) outcome = resume(other);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(interruptions, 3 + 1 + 1);
  EXPECT_EQ(recorded(other), want);
}

}  // namespace
}  // namespace tenon::host
