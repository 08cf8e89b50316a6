// `isolation: process`: what a reward does to its process costs the samples that did it, and no other.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <signal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/prctl.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include "host/command_line.h"
#include "host/loader.h"
#include "host/lone_components.h"
#include "host/scoring.h"
#include "host/spec_json.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Isolation : public Run {
 protected:
#if defined(__SANITIZE_ADDRESS__)
  // A crash is to end a worker as it does without the sanitizer.
  static void SetUpTestSuite() {
    const char* given = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", (std::string(given != nullptr ? given : "") + ":handle_segv=0").c_str(), 1);
  }
#endif
  Outcome tenon(std::vector<std::string> words) {
    words.insert(words.begin(), "tenon");
    return wait(start([words]() mutable {
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    }));
  }
  // The answers of `tenon score` for completions that are these words, in one call.
  std::vector<json::object> score(const std::vector<std::string>& completions,
                                  std::vector<std::string> more = {}, const std::string& reward = "wild") {
    {
      std::ofstream rows(dir_ / "rows.jsonl");
      for (const std::string& word : completions)
        rows << json::object{{"completion", word}, {"tokens", {1, 2}}, {"why", "is \"" + word + "\""}}
             << '\n';
    }
    std::vector<std::string> words{
        "score", "--reward",          reward,    "--plugin-path", TENON_WILD_PLUGIN,
        "--set", "isolation=process", "--batch", "1000"};
    words.insert(words.end(), more.begin(), more.end());
    words.push_back((dir_ / "rows.jsonl").string());
    last_ = tenon(words);
    std::vector<json::object> answers;
    std::istringstream in(last_.out);
    for (std::string line; std::getline(in, line);) answers.push_back(json::parse(line).as_object());
    const bool any_judged =
        std::any_of(answers.begin(), answers.end(), [](const json::object& a) { return status(a) == "ok"; });
    EXPECT_EQ(last_.code, any_judged ? 0 : kExitFailed) << last_.err;
    EXPECT_EQ(answers.size(), completions.size());
    answers.resize(completions.size());
    return answers;
  }
  static std::string status(const json::object& answer) {
    return std::string(answer.at("status").as_string());
  }
  static std::string reason(const json::object& answer) {
    return answer.at("reason").is_string() ? std::string(answer.at("reason").as_string()) : "";
  }
  static double reward(const json::object& answer) {
    return answer.at("reward").is_null() ? -1 : answer.at("reward").to_number<double>();
  }

  Outcome last_;
};

TEST_F(Isolation, GivesWhatTheRewardGivesInTenonsOwnProcess) {
  const std::vector<std::string> words{"one", "tokens", "threads", "nan", "é", ""};
  const auto apart = score(words, {"--set", "weight=0.1"});
  const auto inside = score(words, {"--set", "weight=0.1", "--set", "isolation=inproc"});
  for (size_t i = 0; i < words.size(); ++i)
    for (const char* key : {"reward", "status", "verdict", "reason"})
      EXPECT_EQ(apart[i].at(key), inside[i].at(key)) << words[i];
  EXPECT_EQ(apart[0].at("notes").at("bytes").to_number<double>(), 3);
  EXPECT_EQ(reason(apart[0]), "is \"one\"");
}

TEST_F(Isolation, RunsElsewhere) {
  const auto answers = score({"pid", "pid", "print"});
  EXPECT_EQ(reward(answers[0]), reward(answers[1])) << "one process for all";
  EXPECT_NE(::kill(static_cast<pid_t>(reward(answers[0])), 0), 0) << "it is gone when tenon is";
  EXPECT_EQ(reward(answers[2]), 5) << "what it prints is not tenon's answer";
  EXPECT_THAT(last_.err, HasSubstr("1000"));
}

TEST_F(Isolation, ADeathCostsTheSampleThatDidIt) {
  const auto answers = score({"a", "crash", "bb", "abort", "exit", "ccc", "pid"});
  for (const size_t dead : {1, 3, 4}) EXPECT_EQ(status(answers[dead]), "crashed");
  EXPECT_THAT(reason(answers[1]), HasSubstr("killed by signal 11"));
  EXPECT_THAT(reason(answers[4]), HasSubstr("exit code 3"));
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
  EXPECT_EQ(reward(answers[5]), 3);
  EXPECT_EQ(answers[0].at("notes").at("bytes").to_number<double>(), 1)
      << "judged before the death, and kept with all that was said of it";
}

TEST_F(Isolation, AHangCostsTheSampleThatHangs) {
  const auto answers = score({"a", "hang", "bb", "late", "ccc", "garbage", "dddd"}, {"--timeout", "300ms"});
  EXPECT_EQ(status(answers[1]), "timed out");
  EXPECT_THAT(reason(answers[1]), HasSubstr("its process was killed"));
  EXPECT_EQ(status(answers[3]), "timed out") << "it asked, and gave up by itself";
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, WhatItSendsInsteadOfAnAnswerEndsIt) {
  const auto answers = score({"a", "garbage", "bb"});
  EXPECT_EQ(status(answers[1]), "crashed");
  EXPECT_THAT(reason(answers[1]), HasSubstr("no answer of tenon-worker"));
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, ARewardThatSaysNothingOfWhatItIsAtIsAskedOneByOne) {
  const auto answers = score({"a", "crash", "bb", "crash", "ccc"}, {}, "wild-batch");
  EXPECT_EQ(status(answers[1]), "crashed");
  EXPECT_EQ(status(answers[3]), "crashed");
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
  EXPECT_EQ(reward(answers[4]), 3);
}

TEST_F(Isolation, EightHangsCostEightSamples) {
  std::vector<std::string> words(8, "hang");
  words.insert(words.end(), 24, "ab");
  const auto answers = score(words, {"--timeout", "50ms"});
  for (size_t i = 0; i < words.size(); ++i) EXPECT_EQ(status(answers[i]), i < 8 ? "timed out" : "ok") << i;
}

TEST_F(Isolation, WhatHangsWithoutAnAnswerBetweenIsGivenUp) {
  std::vector<std::string> words(11, "hang");
  words.insert(words.begin(), "a");
  const auto answers = score(words, {"--timeout", "50ms"});
  EXPECT_EQ(reward(answers[0]), 1);
  for (size_t i = 1; i < words.size(); ++i) EXPECT_EQ(status(answers[i]), "timed out");
  EXPECT_THAT(reason(answers[9]), HasSubstr("its process was killed"));
  for (const size_t i : {10, 11})
    EXPECT_THAT(reason(answers[i]), HasSubstr("not tried: more than 8 samples in a row had hung"));
}

TEST_F(Isolation, HalfAFrameIsAHang) {
  const auto answers = score({"a", "half", "bb"}, {"--timeout", "300ms"});
  EXPECT_EQ(status(answers[1]), "timed out");
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, TheMemoryCannotBeTakenAwayAndIsNotInherited) {
  const auto answers = score({"shrink", "inherit", "a"});
  EXPECT_EQ(reward(answers[0]), 6);
  EXPECT_EQ(reward(answers[1]), 7);
  EXPECT_EQ(reward(answers[2]), 1);
}

TEST_F(Isolation, OneThatDoesNotStartAgainKeepsWhatItHadJudged) {
  const auto answers =
      score({"a", "crash", "bb"}, {"--set", "at_start=once", "--set", "flag=" + (dir_ / "flag").string()});
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(status(answers[1]), "crashed");
  EXPECT_EQ(status(answers[2]), "crashed");
  EXPECT_THAT(reason(answers[2]), HasSubstr("it was being created"));
}

TEST_F(Isolation, AHangInABatchCostsTheSampleThatHangs) {
  const auto answers = score({"a", "hang", "bb"}, {"--timeout", "200ms"}, "wild-batch");
  EXPECT_EQ(status(answers[1]), "timed out");
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, CancelledAtItsDeadlineIsTimedOutInsideAndApart) {
  for (const std::string isolation : {"isolation=inproc", "isolation=process"}) {
    const auto answers = score({"a", "bb"}, {"--timeout", "50ms", "--set", isolation}, "gives-up");
    for (const auto& answer : answers) {
      EXPECT_EQ(status(answer), "timed out") << isolation;
      EXPECT_EQ(reason(answer), "it was told to stop") << isolation;
    }
  }
}

TEST_F(Isolation, AFloodOfFramesIsAHang) {
  const auto answers = score({"a", "flood", "bb"}, {"--timeout", "300ms"});
  EXPECT_EQ(status(answers[1]), "timed out");
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, FramesOfAnotherCallAreNotTakenForOnesOfThis) {
  const auto answers = score({"a", "forge", "bb"});
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[1]), 5);
  EXPECT_EQ(reward(answers[2]), 2);
  for (const auto& answer : answers) EXPECT_FALSE(answer.at("notes").as_object().contains("fake"));
}

TEST_F(Isolation, NotesAreBoundedAsInside) {
  const auto apart = score({"notes"});
  EXPECT_THAT(last_.err, AllOf(HasSubstr("warning: reward wild: a sample has more than 100 notes"),
                               Not(HasSubstr("xxx"))));
  const auto inside = score({"notes"}, {"--set", "isolation=inproc"});
  EXPECT_EQ(apart[0].at("notes").as_object().size(), 100u);
  EXPECT_EQ(apart[0].at("notes"), inside[0].at("notes"));
}

// The program itself, with its worker beside it, in a folder of its own and with the deaths of children ignored.
TEST_F(Isolation, TheProgramMayBeReplacedAndStartedByWhoeverIgnoresItsChildren) {
  const fs::path bin = dir_ / "bin", worker = bin / "tenon-worker", program = bin / "tenon";
  fs::create_directory(bin);
  fs::copy(TENON_PROGRAM, program), fs::copy(TENON_WORKER, worker);
  {
    std::ofstream(dir_ / "rows.jsonl")
        << "{\"completion\": \"remove\"}\n{\"completion\": \"crash\"}\n{\"completion\": \"a\"}\n";
  }
  const Outcome outcome = wait(start([&] {
    ::signal(SIGCHLD, SIG_IGN);
    const std::string flag = "flag=" + worker.string(), rows = (dir_ / "rows.jsonl").string();
    ::execl(program.c_str(), "tenon", "score", "--reward", "wild", "--plugin-path", TENON_WILD_PLUGIN,
            "--set", "isolation=process", "--set", flag.c_str(), rows.c_str(), nullptr);
    return 127;
  }));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(fs::exists(worker));
  EXPECT_EQ(lines(outcome.out), 3u);
  EXPECT_THAT(outcome.out, HasSubstr("its process was killed by signal 11"));
  EXPECT_THAT(outcome.out, HasSubstr("{\"reward\":1,"));
}

// Gone, or dead and not yet waited for by whoever has to.
bool is_gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return true;
  const size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.substr(name_end, 4).find('Z') != std::string::npos;
}

bool goes_within_ten_seconds(pid_t pid) {
  for (int i = 0; i < 1000 && !is_gone(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return is_gone(pid);
}

// With init as the heir of orphans, and with a process that is nearer, as in a session of systemd or a container.
TEST_F(Isolation, NothingIsLeftBehind) {
  for (const int is_heir : {0, 1}) {
    ::prctl(PR_SET_CHILD_SUBREAPER, is_heir);
    const auto answers = score({"pid", "fork", "hang", "pid"}, {"--timeout", "200ms"});
    for (const size_t i : {0, 3})
      EXPECT_TRUE(goes_within_ten_seconds(static_cast<pid_t>(reward(answers[i]))));
    const auto child = static_cast<pid_t>(answers[1].at("notes").at("child").to_number<double>());
    EXPECT_GT(child, 0);
    EXPECT_TRUE(goes_within_ten_seconds(child)) << "a child that the reward has forked";
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

// Ids of the processes of tenon-worker below `parent`.
std::vector<pid_t> workers_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code error;
    if (fs::read_symlink(entry.path() / "exe", error).filename() != "tenon-worker" || error) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    std::istringstream rest(stat.substr(std::min(stat.size(), stat.rfind(')') + 2)));
    char state = 0;
    pid_t of = 0;
    if (rest >> state >> of && of == parent) out.push_back(std::stoi(entry.path().filename()));
  }
  return out;
}

TEST_F(Isolation, AWorkerGoesWithTenonWhateverItIsAt) {
  for (const std::string at : {"at_start=hang", "at_start=nothing"}) {
    { std::ofstream(dir_ / "rows.jsonl") << "{\"completion\": \"hang\"}\n"; }
    const pid_t tenon = start([&] {
      std::vector<std::string> words{"tenon",
                                     "score",
                                     "--reward",
                                     "wild",
                                     "--plugin-path",
                                     TENON_WILD_PLUGIN,
                                     "--timeout",
                                     "10m",
                                     "--set",
                                     "isolation=process",
                                     "--set",
                                     at,
                                     (dir_ / "rows.jsonl").string()};
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    });
    std::vector<pid_t> workers;
    for (int i = 0; i < 1000 && workers.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      workers = workers_of(tenon);
    }
    ASSERT_EQ(workers.size(), 1u) << at;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // it is at what it hangs at
    ::kill(tenon, SIGKILL);
    ::waitpid(tenon, nullptr, 0);
    EXPECT_TRUE(goes_within_ten_seconds(workers[0])) << at;
  }
}

TEST_F(Isolation, MistakesAreToldAsOfARewardInside) {
  const auto failed = [&](const std::string& assignment, const std::string& isolation = "process") {
    { std::ofstream(dir_ / "rows.jsonl") << "{\"completion\": \"a\"}\n"; }
    return tenon({"score", "--reward", "wild", "--plugin-path", TENON_WILD_PLUGIN, "--set", assignment,
                  "--set", "isolation=" + isolation, (dir_ / "rows.jsonl").string()});
  };
  const Outcome thrown = failed("at_start=throw");
  EXPECT_EQ(thrown.code, 2);
  EXPECT_THAT(thrown.err, HasSubstr("--set:1:1: error: reward wild: at_start: as asked"));
  EXPECT_EQ(thrown.err, failed("at_start=throw", "inproc").err) << "text and place";
  const Outcome crashed = failed("at_start=crash");
  EXPECT_NE(crashed.code, 0);
  EXPECT_THAT(crashed.err, AllOf(HasSubstr("killed by signal 11"), Not(HasSubstr("tenon was"))));
}

TEST_F(Isolation, ARunIsTheSameWithIt) {
  const std::string text = config();
  std::string apart = text;
  apart.replace(apart.find("{use: toy-reward}"), 17, "{use: toy-reward, isolation: process}");
  const auto metrics = [&](const std::string& yaml, const std::string& name) {
    const Outcome outcome =
        tenon({"run", write_config(yaml, name + ".yaml").string(), "--set", "run.name=" + name});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(dir_ / "runs" / name / "metrics.jsonl");
  };
  const std::string inside = metrics(text, "inside"), outside = metrics(apart, "outside");
  EXPECT_EQ(inside, outside);
  EXPECT_THAT(read_file(dir_ / "runs" / "outside" / "config.yaml"), HasSubstr("isolation: process"));
  EXPECT_EQ(tenon({"resume", (dir_ / "runs" / "outside").string()}).code, 0);
}

TEST_F(Isolation, OfWhatCannotHaveItIsAMistakeAtItsPlace) {
  std::string model = config();
  model.replace(model.find("{use: toy-model"), 15, "{use: toy-model, isolation: process");
  const Outcome of_model = tenon({"check", write_config(model).string()});
  EXPECT_EQ(of_model.code, 2);
  EXPECT_THAT(of_model.err, AllOf(HasSubstr("components.policy.isolation"), HasSubstr("a model cannot")));
  { std::ofstream(dir_ / "rows.jsonl") << "{\"completion\": \"a\"}\n"; }
  const Outcome of_state = tenon({"score", "--reward", "mindful", "--plugin-path", TENON_WILD_PLUGIN, "--set",
                                  "isolation=process", (dir_ / "rows.jsonl").string()});
  EXPECT_EQ(of_state.code, 2);
  EXPECT_THAT(of_state.err, HasSubstr("keeps state from step to step"));
}

// What was said of a sample by a process that died before it was through with it does not count.
TEST_F(Isolation, NotesOfASampleThatIsJudgedAgainCountOnce) {
  const LoadedPlugin& plugin = open_plugin(TENON_WILD_PLUGIN);
  Spec spec;
  spec.plugin = &plugin, spec.component = plugin.descriptor->components[1];
  spec.name = "wild-batch", spec.isolated = true;
  LoneComponents components(0, "zero");
  const tenon_ref ref = components.create(spec, "rewards/0").ref();
  Scoring scoring({{"wild-batch", 1, ref.self, static_cast<const tenon_reward_vt*>(ref.vt)}}, 1.0);
  const std::string text = "acrashbb";
  const std::vector<uint64_t> ids{0, 1, 2}, offsets{0, 1, 6, 8}, empty(4, 0);
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = 3, in.sample_id = ids.data(), in.group_id = ids.data();
  in.completion = {text.data(), offsets.data(), 3};
  in.prompt = in.meta_json = {text.data(), empty.data(), 3};
  std::vector<double> total(3);
  std::vector<uint8_t> valid(3);
  tenon_scored out{sizeof out, 0, total.data(), valid.data(), nullptr, nullptr, nullptr};
  scoring.score(nullptr, in, out);
  EXPECT_EQ(valid, (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_EQ(total, (std::vector<double>{1, 0, 2}));
  StepValues values;
  scoring.flush(values);
  EXPECT_EQ(values.take().first.at("reward/wild-batch/asked"), 1);
}

// A scoring over a reward that does what its one sample says.
struct OneSample {
  explicit OneSample(const std::string& word, std::shared_ptr<spdlog::logger> log = nullptr)
      : text(word), offsets{0, word.size()}, components(0, "zero", 1, std::move(log)) {
    const LoadedPlugin& plugin = open_plugin(TENON_WILD_PLUGIN);
    spec.plugin = &plugin, spec.component = plugin.descriptor->components[0];
    spec.name = "wild", spec.isolated = true;
    spec.options = {{"weight", 1.0}, {"count", 1}, {"at_start", "nothing"}, {"flag", ""}};
    const tenon_ref ref = components.create(spec, "rewards/0").ref();
    scoring.emplace(
        std::vector<Scoring::Term>{
            {"wild", 1, ref.self, static_cast<const tenon_reward_vt*>(ref.vt), {}, true}},
        1.0);
  }
  uint8_t score() {
    tenon_reward_in in{};
    in.struct_size = sizeof in;
    in.n = 1, in.sample_id = in.group_id = &id;
    in.completion = {text.data(), offsets, 1};
    in.prompt = in.meta_json = {text.data(), empty, 1};
    double total = 0;
    uint8_t valid = 9;
    tenon_scored out{sizeof out, 0, &total, &valid, nullptr, nullptr, nullptr};
    scoring->score(nullptr, in, out);
    return valid;
  }
  const std::string text;
  const uint64_t offsets[2], empty[2]{0, 0}, id = 4711;
  Spec spec;
  LoneComponents components;
  std::optional<Scoring> scoring;
};

TEST_F(Isolation, WhoCrashesAtEverySampleDoesNotFillTheLog) {
  std::ostringstream out;
  {
    OneSample one("crash", std::make_shared<spdlog::logger>(
                               "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out)));
    for (int i = 0; i < 9; ++i) EXPECT_EQ(one.score(), 0);
  }
  const std::string log = out.str(), warning = "sample 4711: its process was killed by signal 11";
  size_t told = 0;
  for (size_t at = log.find(warning); at != std::string::npos; at = log.find(warning, at + 1)) ++told;
  EXPECT_EQ(told, 4u) << "the first, second, fourth and eighth\n" << log;
  EXPECT_THAT(log, HasSubstr("this reward has cost 8 processes so far"));
}

// run.reward_timeout: 0. Nothing ends it but whoever looks; so it has a name.
TEST_F(Isolation, AHangWithoutALimitHasANameInTheLog) {
  OneSample one("hang");
  std::mutex mutex;
  std::condition_variable changed;
  std::string said;
  Watchdog dog(
      [&](const std::string& line) {
        std::lock_guard lock(mutex);
        said += line + "\n";
        changed.notify_all();
      },
      "stage zero", std::chrono::milliseconds(20));
  one.scoring->set_timeout(std::chrono::nanoseconds(0), &dog);
  uint8_t valid = 9;
  std::thread judge([&] { valid = one.score(); });
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::minutes(1), [&] {
      return said.find("since reward 'wild' was given 1 sample; reward 'wild' sample 4711: ") !=
             std::string::npos;
    })) << said;
  }
  for (const pid_t worker : workers_of(::getpid())) ::kill(worker, SIGKILL);
  judge.join();
  EXPECT_EQ(valid, 0);
}

// Stage zero of the toy, whose reward hangs at each third sample and does not ask whether it may.
class IsolatedRun : public Isolation {
 protected:
  pid_t start_hanging(const std::string& limit) {
    std::string text = config();
    text.replace(
        text.find("{use: toy-reward}"), 17,
        "{use: toy-reward, isolation: process, hang_every: 3, warnings: " + (dir_ / "none").string() + "}");
    text.replace(text.find("seed: 7"), 7, "seed: 7, reward_timeout: " + limit);
    const fs::path file = write_config(text);
    const pid_t tenon = start([file] {
      RunArguments a;
      a.config = file;
      return run_command(a);
    });
    // The worker is there before; the stage's first step begins with its first call.
    await(dir_ / "runs/toy/log.txt", "stage zero begins");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return tenon;
  }
  static void await(const fs::path& file, const std::string& text) {
    for (int i = 0; i < 3000; ++i) {
      if (fs::exists(file) && read_file(file).find(text) != std::string::npos) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << file << " never says " << text;
  }
};

TEST_F(IsolatedRun, CtrlCWaitsForTheLimitOfWhatHangs) {
  const pid_t tenon = start_hanging("300ms");
  ::kill(tenon, SIGINT);
  const Outcome outcome = wait(tenon);
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("of zero; go on with: tenon resume"));
  EXPECT_THAT(read_file(dir_ / "runs/toy/metrics.jsonl"), HasSubstr("\"reward/length/timed_out\":"));
}

TEST_F(IsolatedRun, CtrlCTwiceEndsItWithItsProcesses) {
  const pid_t tenon = start_hanging("0s");
  const std::vector<pid_t> workers = workers_of(tenon);
  EXPECT_FALSE(workers.empty());
  ::kill(tenon, SIGINT);
  await(dir_ / "err.txt", "once more");
  ::kill(tenon, SIGINT);
  EXPECT_EQ(wait(tenon).code, 130);
  for (const pid_t worker : workers) EXPECT_TRUE(goes_within_ten_seconds(worker));
}

TEST(SpecText, IsReadBackBitForBit) {
  Spec spec;
  const LoadedPlugin& plugin = open_plugin(TENON_WILD_PLUGIN);
  spec.plugin = &plugin, spec.component = plugin.descriptor->components[0];
  spec.name = "mine";
  spec.options = {
      {"weight", 0.1 + 0.2}, {"count", int64_t{1} << 62}, {"list", {1e-310, "\x01 f64", nullptr, true}}};
  const std::shared_ptr<Spec> again = spec_of_text(spec_text(spec));
  EXPECT_EQ(again->options, spec.options);
  EXPECT_EQ(again->options.at("weight").as_double(), 0.1 + 0.2);
  EXPECT_EQ(again->component, spec.component);
  EXPECT_EQ(again->name, "mine");
  spec.plugin = nullptr;
  EXPECT_THROW(spec_text(spec), std::invalid_argument);
  EXPECT_THROW(spec_of_text("{}"), std::invalid_argument);
  EXPECT_THROW(spec_of_text("["), std::invalid_argument);
}

}  // namespace
}  // namespace tenon::host
