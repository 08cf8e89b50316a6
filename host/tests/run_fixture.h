// Runs tenon in children of the test, which have a life to lose.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "host/commands_run.h"
#include "host/files.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Outcome {
  int code = -1;  // 128 + signal if a signal ended it
  std::string out, err;
};

class Run : public testing::Test {
 protected:
  Run() {
    // In memory where that is possible: a run flushes each of its files, and killing it does not test the disk.
    const fs::path memory = "/dev/shm";
    std::string name =
        ((::access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path()) / "tenon-run-XXXXXX")
            .string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Run() override { fs::remove_all(dir_); }

  // What each stage's options begin with; the pipeline trains twice, then looks at both.
  std::string config(const std::string& base_options = "", const std::string& zero_options = "",
                     const std::string& runs = "") const {
    return "run: {name: toy, seed: 7, threads: 2, runs: " + (runs.empty() ? (dir_ / "runs").string() : runs) +
           ", max_reward_failures: 0.5}\n"
           "plugins: [" TENON_TEST_PLUGIN
           "]\n"
           "sinks: [{use: toy-sink, file: " +
           (dir_ / "sink.txt").string() +
           "}]\n"
           "components:\n"
           "  policy: {use: toy-model, width: 5}\n"
           "  length: {use: toy-reward}\n"
           "pipeline:\n"
           "- {name: base, use: toy-train, model: policy, data: {use: toy-data, rows: 10}, checkpoint_every: "
           "3, steps: 20" +
           base_options +
           "}\n"
           "- {name: zero, use: toy-train, from: base, data: {use: toy-data, rows: -1}, rewards: [{of: "
           "length, weight: 0.5}], checkpoint_every: 4, "
           "steps: 15, with_reference: true" +
           zero_options +
           "}\n"
           "- {name: table, use: toy-evaluate, models: [base, zero], data: zero.kept}\n";
  }
  fs::path write_config(const std::string& text, const std::string& name = "toy.yaml") const {
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }

  // Runs in a child, which is what has a life to lose.
  pid_t start(const std::function<int()>& body) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    auto redirect = [&](const char* name, int to) {
      ::dup2(::open((dir_ / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), to);
    };
    redirect("out.txt", STDOUT_FILENO);
    redirect("err.txt", STDERR_FILENO);
    const int code = body();
    std::fflush(nullptr);
    ::_exit(code);
  }
  Outcome wait(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(dir_ / "out.txt"),
            read_file(dir_ / "err.txt")};
  }
  Outcome run(const fs::path& config, bool fresh = false) {
    return wait(start([&] {
      RunArguments a;
      a.config = config;
      a.fresh = fresh;
      return run_command(a);
    }));
  }
  pid_t start_resume(const fs::path& folder) {
    return start([&] {
      ResumeArguments a;
      a.run = folder;
      return resume_command(a);
    });
  }
  Outcome resume(const fs::path& folder) { return wait(start_resume(folder)); }

  static fs::path stage_folder(const fs::path& run, const std::string& stage) {
    std::error_code not_there;
    for (const auto& e : fs::directory_iterator(run / "stages", not_there))
      if (e.path().filename().string().starts_with(stage + "-")) return e.path();
    return "no such stage";
  }
  // What must be equal to the byte however often a run was interrupted.
  static std::map<std::string, std::string> results(const fs::path& run) {
    std::map<std::string, std::string> out;
    for (const char* name : {"metrics.jsonl", "samples.jsonl", "eval.json"})
      out[name] = read_file(run / name);
    for (const char* stage : {"base", "zero"}) {
      const fs::path folder = stage_folder(run, stage);
      const json::value done = json::parse(read_file(folder / "done.json"));
      out[std::string(stage) + " weights"] =
          read_file(folder / "checkpoints" / done.at("checkpoint").as_string().c_str() / "model.safetensors");
      out[std::string(stage) + " rows"] = read_file(folder / "rows/kept.jsonl");
    }
    out["artifact"] = read_file(stage_folder(run, "table") / "artifacts/rows.txt");
    return out;
  }
  static size_t lines(const std::string& text) {
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  fs::path dir_;
};

}  // namespace tenon::host
