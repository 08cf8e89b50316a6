// Boxes of each layer and programs run in them, for tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/sandbox.h"

namespace tenon::sandbox::testing_boxes {

struct Ran {
  Outcome outcome;
  std::string out, err;
  int exit_code() const { return WIFEXITED(outcome.report.status) ? WEXITSTATUS(outcome.report.status) : -1; }
  int signal() const { return WIFSIGNALED(outcome.report.status) ? WTERMSIG(outcome.report.status) : 0; }
};

inline BoxJob job_of(std::vector<std::string> argv, Policy policy) {
  BoxJob job;
  job.policy = policy;
  job.argv = std::move(argv);
  job.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  job.limits = {1, uint64_t{1} << 30, 0, 64 << 20, 16 << 20, 0};
  return job;
}

// Starts a program whose output nobody reads; the result is its status socket.
inline Fd start(Sandbox& box, std::vector<std::string> argv, Policy policy) {
  const Fd nothing = sealed_file(""), out = memory_file();
  return box.launch(job_of(std::move(argv), policy), {nothing.get(), out.get(), out.get()});
}

inline Ran run(Sandbox& box, std::vector<std::string> argv, std::string_view input = "",
               Policy policy = Policy::kRun, double seconds = 5, uint64_t most = 1 << 20) {
  auto [out, their_out] = make_pipe();
  auto [err, their_err] = make_pipe();
  Fd in = sealed_file(input);
  Fd status = box.launch(job_of(std::move(argv), policy), {in.get(), their_out.get(), their_err.get()});
  their_out.reset();
  their_err.reset();
  Stream so{std::move(out), most, most, {}, 0}, se{std::move(err), most, most, {}, 0};
  Ran r;
  r.outcome = attend({&status}, {&so, &se}, seconds)[0];
  r.out = so.data;
  r.err = se.data;
  return r;
}

struct Process {
  pid_t pid = 0, parent = 0;
  std::string command_line;  // its words, each ended by a zero byte
};

inline std::string text_of(const std::filesystem::path& file) {
  // Of a process that goes meanwhile: what was read. (A stream's iterators would throw then; its read does not.)
  std::ifstream in(file);
  std::string text;
  char block[4096];
  while (in.read(block, sizeof block) || in.gcount() > 0)
    text.append(block, static_cast<size_t>(in.gcount()));
  return text;
}

inline std::vector<Process> processes() {
  std::vector<Process> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    Process p;
    p.pid = std::atoi(entry.path().filename().c_str());
    const std::string stat = p.pid > 0 ? text_of(entry.path() / "stat") : "";
    const size_t at = stat.rfind(')');
    if (at == std::string::npos) continue;
    p.parent = std::atoi(stat.c_str() + at + 4);
    p.command_line = text_of(entry.path() / "cmdline");
    all.push_back(std::move(p));
  }
  return all;
}

// Processes whose parent is this one.
inline int children() {
  int n = 0;
  for (const Process& p : processes()) n += p.parent == getpid();
  return n;
}

class EveryLayer : public testing::TestWithParam<Layer> {
 protected:
  void SetUp() override {
    BoxSetup setup;
    setup.strongest = setup.minimum = GetParam();
    try {
      box_ = Sandbox::start(setup);
    } catch (const Error& e) {
      GTEST_SKIP() << e.what();
    }
  }
  void TearDown() override {
    box_.reset();
    EXPECT_EQ(children(), 0);
  }
  bool has_namespaces() const { return GetParam() < Layer::kLandlock; }
  std::unique_ptr<Sandbox> box_;
};

inline auto every_layer() {
  return testing::Values(Layer::kUserNamespaces, Layer::kRootNamespaces, Layer::kLandlock, Layer::kSeccomp);
}
inline std::string short_name(const testing::TestParamInfo<Layer>& each) {
  return std::string(name_of(each.param)).substr(0, 4);
}

}  // namespace tenon::sandbox::testing_boxes
