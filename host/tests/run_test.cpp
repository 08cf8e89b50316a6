// Whole runs with small plugins: caching, stopping, killing, resuming, and every way in which they fail.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>

#include <chrono>
#include <random>
#include <set>

#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(Run, WritesEverythingAndTheSecondRunDoesNothing) {
  const fs::path config_file = write_config(config()), folder = dir_ / "runs/toy";
  Outcome first = run(config_file);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("finished: "));

  const std::string metrics = read_file(folder / "metrics.jsonl");
  EXPECT_EQ(lines(metrics), 35u);
  EXPECT_EQ(lines(read_file(folder / "timings.jsonl")), 35u);
  EXPECT_EQ(lines(read_file(folder / "samples.jsonl")), 105u);
  const json::value line = json::parse(metrics.substr(0, metrics.find('\n')));
  EXPECT_EQ(line.at("stage"), "base");
  EXPECT_EQ(line.at("step"), 0);
  EXPECT_TRUE(line.at("nothing").is_null());
  EXPECT_THAT(metrics, HasSubstr("\"reward/length/mean\":"));
  EXPECT_THAT(read_file(folder / "samples.jsonl"),
              testing::StartsWith("{\"stage\":\"base\",\"step\":0,\"sample\":0,\"prompt\":\"row "));
  const json::value manifest = json::parse(read_file(folder / "manifest.json"));
  EXPECT_EQ(manifest.at("seed"), 7);
  EXPECT_EQ(manifest.at("plugins").at(0).at("sha256").as_string().size(), 64u);
  EXPECT_EQ(lines(read_file(stage_folder(folder, "table") / "artifacts/rows.txt")), 45u);
  const json::value eval = json::parse(read_file(folder / "eval.json"));
  EXPECT_NE(eval.at("table").at("model 0").at("weights").at("first"),
            eval.at("table").at("model 1").at("weights").at("first"));
  const std::string sink = read_file(dir_ / "sink.txt");
  EXPECT_THAT(sink, HasSubstr("event 1 base toy-train, 20 steps\nrecord base 0 20 "));
  EXPECT_THAT(sink, HasSubstr("event 5 table weights  first\nmodel 0"));

  const fs::file_time_type written = fs::last_write_time(folder / "metrics.jsonl");
  Outcome second = run(config_file);
  EXPECT_EQ(second.code, 0);
  EXPECT_THAT(second.out, HasSubstr("nothing to do: all 3 stages"));
  EXPECT_EQ(fs::last_write_time(folder / "metrics.jsonl"), written);
  EXPECT_EQ(read_file(dir_ / "sink.txt"), sink);

  EXPECT_EQ(resume(folder).code, 0);
  EXPECT_EQ(run(config_file, true).code, 0);
  EXPECT_EQ(results(dir_ / "runs/toy-2"), results(folder));
}

// The same version, another file: whoever writes a plugin builds it many times before they raise its version.
TEST_F(Run, APluginThatWasBuiltAgainIsToldEveryTime) {
  const fs::path plugin = dir_ / "toy.so";
  fs::copy_file(TENON_TEST_PLUGIN, plugin);
  std::string text = config();
  text.replace(text.find(TENON_TEST_PLUGIN), std::string(TENON_TEST_PLUGIN).size(), plugin.string());
  ASSERT_EQ(run(write_config(text)).code, 0);
  const fs::path done = stage_folder(dir_ / "runs/toy", "base") / "done.json";
  const std::string before = read_file(done);
  std::ofstream(plugin, std::ios::app) << "x";  // behind the end of what is loaded
  for (int i = 0; i < 2; ++i) {
    const Outcome again = run(write_config(text));
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_THAT(again.err + again.out,
                HasSubstr("stage base is finished and kept, but was made with another file of plugin"));
    EXPECT_THAT(again.out, testing::Not(HasSubstr("unchanged")));
    EXPECT_EQ(read_file(done), before);
  }
}

// A stage whose folder was deleted runs again; what later stages, which are kept, recorded stays in the run's files.
TEST_F(Run, AStageThatRunsAgainKeepsWhatLaterOnesRecorded) {
  const fs::path folder = dir_ / "runs/toy";
  ASSERT_EQ(run(write_config(config())).code, 0);
  const auto before = results(folder);
  fs::remove_all(stage_folder(folder, "base"));
  const Outcome again = run(write_config(config()));
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(results(folder), before);
}

TEST_F(Run, AChangedLaterStageRunsAgainAlone) {
  const fs::path folder = dir_ / "runs/toy";
  ASSERT_EQ(run(write_config(config())).code, 0);
  const auto before = results(folder);
  const auto base_written = fs::last_write_time(stage_folder(folder, "base") / "done.json");
  fs::remove(dir_ / "sink.txt");

  Outcome changed =
      run(write_config(config("", ", rewards: [{of: length, weight: 0.25}]").replace(0, 0, "")));
  EXPECT_EQ(changed.code, 2) << "the same key twice";
  std::string text = config();
  text.replace(text.find("weight: 0.5"), 11, "weight: 0.25");
  changed = run(write_config(text));
  ASSERT_EQ(changed.code, 0) << changed.err;
  EXPECT_EQ(fs::last_write_time(stage_folder(folder, "base") / "done.json"), base_written);
  EXPECT_THAT(read_file(dir_ / "sink.txt"), HasSubstr("event 3 base "));
  EXPECT_THAT(read_file(dir_ / "sink.txt"), testing::Not(HasSubstr("record base")));
  EXPECT_THAT(changed.out, HasSubstr("2 stage folders ("));
  const std::string metrics = read_file(folder / "metrics.jsonl");
  EXPECT_EQ(lines(metrics), 35u) << "records of the stage that was replaced are still there";
  EXPECT_NE(metrics, before.at("metrics.jsonl"));

  // The first configuration again: all of its stages are still there.
  Outcome back = run(write_config(config()));
  EXPECT_THAT(back.out, HasSubstr("nothing to do"));
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), before.at("metrics.jsonl"));
  EXPECT_EQ(read_file(folder / "eval.json"), before.at("eval.json"));
}

TEST_F(Run, DamagedResultsAreNamedBeforeAnyStageRunsAndWrittenAgainAsTold) {
  const fs::path folder = dir_ / "runs/toy";
  ASSERT_EQ(run(write_config(config())).code, 0);
  const fs::path results = stage_folder(folder, "table") / "eval.json",
                 done = stage_folder(folder, "table") / "done.json";
  const std::string whole = read_file(results), of_run = read_file(folder / "eval.json");
  const std::string more =
      config() + "- {name: more, use: toy-train, from: zero, data: {use: toy-data, rows: 10}, steps: 2}\n";
  for (const std::string& damaged : {whole.substr(0, whole.size() / 2), std::string(), std::string("[]"),
                                     std::string(R"({"model 0": {"weights": {"first": "x"}}})")}) {
    write_file(results, damaged);
    for (const std::string& text : {config(), more}) {
      const Outcome outcome = run(write_config(text));
      EXPECT_EQ(outcome.code, 1);
      EXPECT_THAT(outcome.err,
                  AllOf(HasSubstr(results.string() + " is damaged: "), HasSubstr("remove " + done.string())));
    }
  }
  EXPECT_THAT(read_file(dir_ / "sink.txt"), testing::Not(HasSubstr("more"))) << "found before it ran";
  fs::remove(done);
  const Outcome mended = run(write_config(config()));
  ASSERT_EQ(mended.code, 0) << mended.err;
  EXPECT_EQ(read_file(results), whole);
  EXPECT_EQ(read_file(folder / "eval.json"), of_run);
}

TEST_F(Run, FoldersOfEarlierConfigurationsAreNamedAndCanBeDeletedAsToldWithoutLoss) {
  const fs::path folder = dir_ / "runs/toy";
  const Outcome first = run(write_config(config()));
  EXPECT_THAT(first.out, testing::Not(HasSubstr("stage folder")));
  std::string text = config();
  text.replace(text.find("weight: 0.5"), 11, "weight: 0.25");
  const Outcome second = run(write_config(text));
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.out,
              testing::ContainsRegex("2 stage folders \\([0-9.]+ [KM]iB\\) of earlier configurations: "
                                     ".*/log.txt says how to delete them"));
  const std::string log = read_file(folder / "log.txt");
  const size_t told = log.find("rm -r");
  ASSERT_NE(told, std::string::npos);
  ASSERT_EQ(std::system(log.substr(told, log.find('\n', told) - told).c_str()), 0);
  const Outcome third = run(write_config(text));
  EXPECT_THAT(third.out, HasSubstr("nothing to do: all 3 stages"));
  EXPECT_THAT(third.out, testing::Not(HasSubstr("stage folder")));
}

TEST_F(Run, WhatDoesNotChangeTheResultDoesNotRunAgain) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  std::string text = config();
  text.replace(text.find("threads: 2"), 10, "threads: 1");
  text.replace(text.find("checkpoint_every: 3"), 19, "checkpoint_every: 5");
  EXPECT_THAT(run(write_config(text, "another.yaml")).out, HasSubstr("nothing to do"));
  text.replace(text.find("seed: 7"), 7, "seed: 8");
  EXPECT_THAT(run(write_config(text)).out, HasSubstr("finished"));
}

TEST_F(Run, KilledAtAnyMomentItGoesOnByteForByte) {
  // All that can change in a stage: policy, critic, both optimizers, and a reference that follows.
  const std::string all = ", mix_every: 2, critic: base, critic_optimizer: {use: toy-optimizer, rate: 0.003}";
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run(write_config(config("", all))).code, 0);
  const auto whole =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  const auto want = results(dir_ / "runs/toy");

  const fs::path other = dir_ / "killed";
  const fs::path config_file =
      write_config(config(", sleep_us: 300", ", sleep_us: 300" + all, other.string()), "slow.yaml");
  std::mt19937 random(20);
  int kills = 0, resumed_inside = 0;
  Outcome outcome = {0, "", ""};
  for (int attempt = 0; attempt < 400 && (kills < 20 || resumed_inside == 0); ++attempt) {
    if (fs::exists(other / "toy") && fs::exists(stage_folder(other / "toy", "table") / "done.json"))
      fs::remove_all(other);
    const bool begun = fs::exists(other / "toy/config.yaml");
    const pid_t pid = begun ? start_resume(other / "toy") : start([&] {
      RunArguments a;
      a.config = config_file;
      return run_command(a);
    });
    ::usleep(random() % static_cast<unsigned>(2 * whole.count()));  // a busy machine is slower at times
    ::kill(pid, SIGKILL);
    outcome = wait(pid);
    if (outcome.code == 128 + SIGKILL) ++kills;
    if (fs::exists(other / "toy/log.txt") &&
        read_file(other / "toy/log.txt").find("goes on after step") != std::string::npos)
      ++resumed_inside;
    ASSERT_THAT(outcome.code, testing::AnyOf(0, 128 + SIGKILL)) << outcome.err;
  }
  EXPECT_GE(kills, 20);
  EXPECT_GT(resumed_inside, 0) << "no kill hit a stage after a checkpoint: nothing was tested";
  const Outcome last = fs::exists(other / "toy/config.yaml") ? resume(other / "toy") : run(config_file);
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(results(other / "toy").at("base weights"), want.at("base weights"));
  // sleep_us is an option of the stages: only their names and numbers are compared, which is all there is.
  EXPECT_EQ(results(other / "toy"), want);
}

TEST_F(Run, CtrlCFinishesTheStepSavesAndSaysHowToGoOn) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  const auto want = results(dir_ / "runs/toy");
  const fs::path other = dir_ / "stopped";
  const fs::path config_file = write_config(config(", sleep_us: 100000", "", other.string()), "slow.yaml");
  const pid_t pid = start([&] {
    RunArguments a;
    a.config = config_file;
    return run_command(a);
  });
  while (!fs::exists(other / "toy/metrics.jsonl") || fs::file_size(other / "toy/metrics.jsonl") == 0)
    ::usleep(1000);
  ::kill(pid, SIGINT);
  const Outcome stopped = wait(pid);
  EXPECT_EQ(stopped.code, 130);
  EXPECT_THAT(stopped.err,
              testing::ContainsRegex(
                  "stopped after step [0-9]+ of 20 of base; go on with: tenon resume .*stopped/toy"));
  const Outcome rest = resume(other / "toy");
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(results(other / "toy"), want);
}

TEST_F(Run, ASecondCtrlCEndsAtOnce) {
  const fs::path config_file = write_config(config(", sleep_us: 20000000"));
  const pid_t pid = start([&] {
    RunArguments a;
    a.config = config_file;
    return run_command(a);
  });
  while (!fs::exists(dir_ / "sink.txt") || read_file(dir_ / "sink.txt").empty()) ::usleep(1000);
  ::kill(pid, SIGINT);
  while (read_file(dir_ / "err.txt").find("once more") == std::string::npos) ::usleep(1000);
  ::kill(pid, SIGINT);
  EXPECT_EQ(wait(pid).code, 130);
}

TEST_F(Run, ADamagedCheckpointIsNamed) {
  const fs::path folder = dir_ / "runs/toy";
  ASSERT_EQ(run(write_config(config(", announce: true", ", announce: false"))).code,
            1);  // base is finished, zero is not
  const fs::path file = stage_folder(folder, "base") / "checkpoints/20/model.safetensors";
  std::string bytes = read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
  Outcome outcome = resume(folder);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err,
              HasSubstr("checkpoints/20/model.safetensors: its SHA-256 is not the one in its manifest"));
  std::ofstream(file, std::ios::binary) << bytes.substr(0, 50);
  EXPECT_THAT(resume(folder).err, HasSubstr("model.safetensors: has 50 bytes where its manifest says"));
}

// What each message tells the user to do works.
TEST_F(Run, ADamagedCheckpointHasAWayOut) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  const auto want = results(dir_ / "runs/toy");
  const fs::path runs = dir_ / "damaged", folder = runs / "toy";
  ASSERT_EQ(
      run(write_config(config(", interrupt_every: 7", ", interrupt_every: 10", runs.string()), "d.yaml"))
          .code,
      130);
  const fs::path base = stage_folder(folder, "base");

  // Of a stage that was interrupted: the one before it, then none.
  std::ofstream(base / "checkpoints/7/model.safetensors") << "damaged";
  EXPECT_THAT(resume(folder).err, HasSubstr("Remove " + (base / "checkpoints/7").string() +
                                            " to go on from the checkpoint before it"));
  fs::remove_all(base / "checkpoints/7");
  fs::remove_all(base / "checkpoints/3");
  std::ofstream(base / "checkpoints/6/manifest.json") << "damaged";
  EXPECT_THAT(resume(folder).err,
              testing::ContainsRegex("checkpoints/6/manifest.json: not a usable checkpoint.*"
                                     "checkpoints/6 to begin its stage again"));
  fs::remove_all(base / "checkpoints/6");
  EXPECT_EQ(resume(folder).code, 130);  // 7 once more
  EXPECT_EQ(resume(folder).code, 130);  // 14
  EXPECT_EQ(resume(folder).code, 130);  // 10 of zero

  // Of a finished stage, which the reference of zero needs: the stage runs again.
  for (const char* file : {"model.safetensors", "manifest.json"}) {
    std::ofstream(base / "checkpoints/20" / file) << "damaged";
    const Outcome refused = resume(folder);
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr((base / "checkpoints/20" / file).string() + ": "));
    EXPECT_THAT(refused.err, HasSubstr("remove " + base.string() + " and run the configuration again"));
  }
  fs::remove_all(base);
  for (int stop = 7; stop < 20; stop += 7) EXPECT_EQ(resume(folder).code, 130);
  const Outcome rest = resume(folder);
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(results(folder), want);
}

TEST_F(Run, AFinishedStageWhoseRecordIsDamagedHasAWayOut) {
  const fs::path folder = dir_ / "runs/toy";
  ASSERT_EQ(run(write_config(config())).code, 0);
  const fs::path base = stage_folder(folder, "base");
  for (const char* text : {"{", "[]", "{\"steps\": 20}"}) {
    std::ofstream(base / "done.json") << text;
    const Outcome refused = resume(folder);
    EXPECT_NE(refused.code, 0);
    EXPECT_THAT(refused.err, HasSubstr("done.json: does not say how the stage ended"));
    EXPECT_THAT(refused.err, HasSubstr("Remove " + base.string() + " to run the stage again"));
  }
  fs::remove_all(base);
  EXPECT_EQ(resume(folder).code, 0);
}

// The weights came from a checkpoint and nothing changed them since: the next checkpoints hold them all the same.
TEST_F(Run, RestoredWeightsStayWhenNoUpdateFollows) {
  ASSERT_EQ(run(write_config(config(", updates: 5"))).code, 0);
  const auto want = results(dir_ / "runs/toy");
  const fs::path other = dir_ / "interrupted";
  ASSERT_EQ(run(write_config(config(", updates: 5, interrupt_every: 6", "", other.string()), "i.yaml")).code,
            130);
  EXPECT_EQ(resume(other / "toy").code, 130);  // 12
  EXPECT_EQ(resume(other / "toy").code, 130);  // 18
  const Outcome rest = resume(other / "toy");
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(results(other / "toy"), want);
}

TEST_F(Run, StaleWeightsAreAnError) {
  const Outcome outcome = run(write_config(config(", announce: false")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err,
              HasSubstr("base/model: score was called after an optimizer step and before params_updated"));
}

// Mistakes that only creating the components can find, in any stage: nothing has been written.
TEST_F(Run, MistakesOfAnyStageAppearBeforeAnythingIsWritten) {
  const struct {
    std::string from, to, says;
  } kCases[] = {
      {"width: 5}", "width: 5, broken: true}", "model policy (toy-model): this model is broken on request"},
      {"rows: 10}", "rows: 0}", "the data set is empty"},
      {"with_reference: true", "never_read: 3",
       "option never_read is given, but the component did not read it"},
  };
  for (const auto& c : kCases) {
    std::string text = config();
    text.replace(text.find(c.from), c.from.size(), c.to);
    const Outcome outcome = run(write_config(text));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.says));
    EXPECT_THAT(outcome.err, testing::ContainsRegex("toy\\.yaml:[0-9]+:[0-9]+"));
    EXPECT_FALSE(fs::exists(dir_ / "runs"));
  }
}

TEST_F(Run, TooManyFailedRewardsStopTheRunWithReasons) {
  std::string text = config("", ", steps: 100");
  text.replace(text.find("steps: 15, "), 11, "");
  text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward, crash_every: 1}");
  const Outcome outcome = run(write_config(text));
  EXPECT_EQ(outcome.code, 1);
  // Three samples a step: stopped as soon as there are enough of which none is valid, not after 200.
  EXPECT_THAT(outcome.err, HasSubstr("9 of the last 9 samples have no valid reward"));
  EXPECT_THAT(outcome.err, HasSubstr("times: length crashed: on request"));
}

// Half of the samples fail; the 200th comes in step 66.
TEST_F(Run, AStopAfterAResumeKnowsTheReasonsOfBefore) {
  std::string text = config("", ", steps: 100, interrupt_every: 60");
  text.replace(text.find("steps: 15, "), 11, "");
  text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward, crash_every: 2}");
  text.replace(text.find("max_reward_failures: 0.5"), 24, "max_reward_failures: 0.3");
  ASSERT_EQ(run(write_config(text)).code, 130);
  const fs::path folder = dir_ / "runs/toy", kept = dir_ / "kept";
  fs::copy(folder, kept, fs::copy_options::recursive);
  const Outcome stopped = resume(folder);
  EXPECT_EQ(stopped.code, 1);
  EXPECT_THAT(
      stopped.err,
      HasSubstr("100 of the last 200 samples have no valid reward; run.max_reward_failures allows 30 %. "
                "The commonest reasons:\n  100 times: length crashed: on request (sample "));
  const std::string name = stopped.err.substr(stopped.err.rfind("(sample ") + 8);
  const std::string samples = read_file(folder / "samples.jsonl"),
                    field = "\"sample\":" + name.substr(0, name.find(')')) + ",";
  EXPECT_THAT(samples, HasSubstr(field));
  EXPECT_EQ(samples.find(field), samples.rfind(field)) << "once, by the stage";

  // From a tenon that kept no reasons, and from nobody.
  const auto resumed_with = [&](int format, const std::function<json::value(const json::value&)>& windows) {
    fs::remove_all(folder);
    fs::copy(kept, folder, fs::copy_options::recursive);
    const fs::path file = stage_folder(folder, "zero") / "checkpoints/60/manifest.json";
    json::object manifest = json::parse(read_file(file)).as_object();
    manifest["format"] = format;
    manifest["windows"] = {{"rewards", windows(manifest.at("windows").at("rewards"))}};
    std::ofstream(file) << json::serialize(manifest);
    return resume(folder).err;
  };
  EXPECT_THAT(
      resumed_with(1, [](const json::value& window) { return window.at("outcomes"); }),
      AllOf(HasSubstr("100 of the last 200 samples"), HasSubstr("times: not known: it was before a resume")));
  EXPECT_THAT(
      resumed_with(2, [](const json::value&) { return json::value(3); }),
      AllOf(HasSubstr("manifest.json: not a usable checkpoint: windows.rewards is no window of outcomes"),
            HasSubstr("Remove ")));
  EXPECT_THAT(resumed_with(3, [](const json::value& window) { return window; }),
              HasSubstr("its format is newer than this program"));
}

TEST_F(Run, AStageWithoutAnyValidRewardFailsWithTheReasons) {
  std::string text = config();
  text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward, crash_every: 1}");
  text.replace(text.find("steps: 15"), 9, "steps: 2");
  const Outcome outcome = run(write_config(text));  // 6 samples: fewer than are looked at before the end
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("stage zero: no sample had a valid reward. The commonest reasons:\n"
                                     "  6 times: length crashed: on request (sample "));
  EXPECT_FALSE(fs::exists(stage_folder(dir_ / "runs/toy", "zero") / "done.json"));
}

TEST_F(Run, ARewardThatAsksEndsAtItsDeadlineAndIsCounted) {
  std::string text = config();
  text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward, hang_every: 9}");
  text.replace(text.find("seed: 7"), 7, "seed: 7, reward_timeout: 20ms");
  const Outcome outcome = run(write_config(text));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(read_file(dir_ / "runs/toy/metrics.jsonl"), HasSubstr("\"reward/length/timed_out\":1"));
}

TEST_F(Run, AValueThatCannotBeRecordedIsToldAndLeftOut) {
  std::string text = config();
  text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward, metric: step}");
  const Outcome outcome = run(write_config(text));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string warning =
      "reward length (toy-reward): a value's name is \"step\", a field of every line: it is not recorded";
  EXPECT_THAT(outcome.err, HasSubstr(warning));
  EXPECT_EQ(outcome.err.find(warning), outcome.err.rfind(warning)) << "said once";
}

TEST_F(Run, ARewardThatHangsIsNeverSilent) {
  std::string text = config();
  text.replace(text.find("{use: toy-reward}"), 17,
               "{use: toy-reward, hang_every: 45, warnings: " + (dir_ / "err.txt").string() + "}");
  text.replace(text.find("seed: 7"), 7, "seed: 7, reward_timeout: 20ms");
  text.replace(text.find("max_reward_failures: 0.5"), 24,
               "max_reward_failures: 1");  // no rows are tried before
  const Outcome outcome = run(write_config(text));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              testing::ContainsRegex("warning: stage zero: reward 'length' sample [0-9]+: [0-9]+ms; it has "
                                     "not returned for [0-9]+"));
  EXPECT_THAT(outcome.err, HasSubstr("(3 samples); run.reward_timeout is 20ms"));
  EXPECT_THAT(outcome.err, HasSubstr("tenon waits. With `isolation: process` it would have a process of its "
                                     "own, which could be ended. Ctrl-C twice ends the run"));
  EXPECT_THAT(read_file(dir_ / "runs/toy/log.txt"), HasSubstr("reward 'length' has returned, after"));
}

TEST_F(Run, WhereRunsCannotBeMadeIsAMistakeWithItsPlace) {
  std::ofstream(dir_ / "a-file") << "text";
  for (const std::string& runs :
       {(dir_ / "a-file").string(), (dir_ / "a-file/below").string(), std::string("/proc/no-runs-here")}) {
    const Outcome outcome = run(write_config(config("", "", runs)));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, testing::ContainsRegex("toy.yaml:1:[0-9]+: error: run.runs: .*(a-file|/proc)"));
  }
}

TEST_F(Run, TwoProcessesDoNotWriteOneRun) {
  const fs::path config_file = write_config(config(", sleep_us: 200000"));
  const pid_t pid = start([&] {
    RunArguments a;
    a.config = config_file;
    return run_command(a);
  });
  while (!fs::exists(dir_ / "sink.txt") || read_file(dir_ / "sink.txt").empty()) ::usleep(1000);
  const Outcome second = run(config_file);
  EXPECT_EQ(second.code, 2);
  EXPECT_THAT(second.err, HasSubstr("process " + std::to_string(pid) + " is writing this run"));
  ::kill(pid, SIGKILL);
  wait(pid);
}

TEST_F(Run, TheReferenceIsTheModelAsTheStageReceivedIt) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  std::istringstream in(read_file(dir_ / "runs/toy/metrics.jsonl"));
  double last_of_base = 0;
  for (std::string line; std::getline(in, line);) {
    const json::value v = json::parse(line);
    if (v.at("stage") == "base") {
      last_of_base = v.at("loss").to_number<double>();
    } else {
      EXPECT_EQ(v.at("reference").to_number<double>(), last_of_base);
      EXPECT_NE(v.at("loss").to_number<double>(), last_of_base);
    }
  }
}

TEST_F(Run, OnlyTheLastCheckpointsStay) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  std::set<std::string> names;
  for (const auto& e : fs::directory_iterator(stage_folder(dir_ / "runs/toy", "base") / "checkpoints"))
    names.insert(e.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"15", "18", "20"}));
}

TEST_F(Run, AFullDiskIsNamedAndLeavesTheLastCheckpointWhole) {
  const fs::path disk = dir_ / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=192k") != 0)
    GTEST_SKIP() << "needs the right to mount";
  std::string text = config("", "", disk.string());
  text.replace(text.find("width: 5}"), 9, "width: 2000}");  // a checkpoint is 16 KiB
  text.replace(text.find("steps: 20"), 9, "steps: 100000");
  const Outcome outcome = run(write_config(text));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("No space left on device; free space on that disk\n  It was in step "));
  EXPECT_THAT(outcome.err, HasSubstr("is kept, and goes on with: tenon resume " + (disk / "toy").string()));
  EXPECT_THAT(outcome.err, HasSubstr(disk.string()));
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  text.replace(text.find("steps: 100000"), 13, "steps: 20");
  const Outcome rest = run(write_config(text));
  EXPECT_EQ(rest.code, 0) << rest.err;
  ::umount(disk.c_str());
}

// Whether a later stage needs a model is not known when the stage that has it ends: the stage may be appended after.
TEST_F(Run, AStageAppendedToOneThatTrainedNothingStartsFromTheModelThatOneHad) {
  const fs::path folder = dir_ / "runs/toy";
  for (const std::string base_updates : {"-1", "0"}) {
    fs::remove_all(dir_ / "runs");
    std::string text = config(", updates: " + base_updates, ", updates: 0");
    ASSERT_EQ(run(write_config(text)).code, 0);
    text +=
        "- {name: more, use: toy-train, from: zero, data: {use: toy-data}, steps: 1, updates: 0}\n"
        "- {name: other, use: toy-train, from: base, data: {use: toy-data}, steps: 1, updates: 0}\n";
    const Outcome appended = run(write_config(text));
    ASSERT_EQ(appended.code, 0) << appended.err;
    std::istringstream in(read_file(folder / "metrics.jsonl"));
    std::map<std::string, double> last;
    for (std::string line; std::getline(in, line);) {
      const json::value v = json::parse(line);
      last[v.at("stage").as_string().c_str()] = v.at("loss").to_number<double>();
    }
    ASSERT_EQ(last.size(), 4u);
    for (const auto& [stage, weight] : last) EXPECT_EQ(weight, last.at("base")) << stage;
  }
  EXPECT_FALSE(fs::exists(stage_folder(folder, "zero") / "checkpoints/15/model.safetensors"))
      << "a copy of what stage base has";
}

// The state between the two renames that put a checkpoint in the place of one of the same step.
TEST_F(Run, ACheckpointThatWasAboutToBeReplacedIsNotLost) {
  ASSERT_EQ(run(write_config(config())).code, 0);
  const auto want = results(dir_ / "runs/toy");
  const fs::path other = dir_ / "interrupted";
  const fs::path config_file = write_config(config(", interrupt_every: 20", "", other.string()), "i.yaml");
  ASSERT_EQ(run(config_file).code, 130);
  const fs::path checkpoints = stage_folder(other / "toy", "base") / "checkpoints";
  ASSERT_FALSE(fs::exists(checkpoints.parent_path() / "done.json"));
  fs::rename(checkpoints / "20", checkpoints / ".tmp-replaced-20");
  fs::create_directory(checkpoints / ".tmp-20");
  const Outcome rest = resume(other / "toy");
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_THAT(read_file(other / "toy/log.txt"), HasSubstr("stage base: goes on after step 20"));
  EXPECT_EQ(results(other / "toy"), want);
  for (const auto& e : fs::directory_iterator(checkpoints))
    EXPECT_THAT(e.path().filename().string(), testing::Not(testing::StartsWith(".tmp")));
}

TEST_F(Run, AnErrorInAStepSaysWhichCheckpointIsKeptAndIsNotHiddenByADamagedOne) {
  Outcome outcome = run(write_config(config(", fail_at: 4")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("this step fails on request"));
  EXPECT_THAT(outcome.err, HasSubstr("The checkpoint after step 3 is kept"));
  fs::remove_all(dir_ / "runs");
  outcome = run(write_config(config(", fail_at: 4, spoil: 3")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("this step fails on request"));
  EXPECT_THAT(outcome.err, HasSubstr("checkpoints/3/manifest.json: not a usable checkpoint"));
}

TEST_F(Run, NotARunFolder) {
  const Outcome outcome = resume(dir_);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("has no config.yaml"));
}

}  // namespace
}  // namespace tenon::host
