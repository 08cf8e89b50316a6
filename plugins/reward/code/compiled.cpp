// Building and running programs in the box.
// SPDX-License-Identifier: Apache-2.0
#include "compiled.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "embedded.h"

namespace tenon::code {

namespace {

using sandbox::Fd;
using sandbox::Outcome;
using sandbox::Stream;

constexpr uint64_t kMostErrors = 64 << 10;
constexpr uint64_t kMostProgram = 64 << 20;  // bytes of an executable
constexpr uint64_t kMostMessages = 16 << 20;
constexpr size_t kMostTesters = 512;
constexpr double kHeaderSeconds = 60;
constexpr int kPeerIsGone = 66;  // driver_cpp.h
// Wants a header and a symbol of the standard library.
constexpr const char* kOneLine =
    "#include <exception>\nint main(int n, char**) { if (n > 99) std::terminate(); }\n";
// What HumanEval-X puts before every C++ program (codegeex/benchmark/utils.py, IMPORT_HELPER).
constexpr const char* kUsualIncludes =
    "#include <stdlib.h>\n#include <algorithm>\n#include <math.h>\n#include <stdio.h>\n#include "
    "<vector>\n#include <string>\n#include <climits>\n"
    "#include <cstring>\n#include <iostream>\n";

std::string file_of(Header header) {
  constexpr const char* names[] = {"", "tenon_driver.h", "tenon_usual.h", "tenon_everything.h"};
  return names[static_cast<size_t>(header)];
}
std::string text_of(Header header) {
  const std::string driver = include_lines(std::string(cpp_driver()));
  switch (header) {
    case Header::kDriver:
      return driver;
    case Header::kUsual:
      return kUsualIncludes + driver;
    case Header::kEverything:
      return "#include <bits/stdc++.h>\n";
    default:
      return "";
  }
}

const std::vector<std::string> kEnvironment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                               "HOME=.", "TMPDIR=."};

// A program run by itself.
struct Run {
  Run(uint64_t most_out, uint64_t most_err, uint64_t fatal) {
    auto [o, to] = sandbox::make_pipe();
    auto [e, te] = sandbox::make_pipe();
    out = Stream{std::move(o), most_out, fatal, {}, 0};
    err = Stream{std::move(e), most_err, fatal, {}, 0};
    their_out = std::move(to);
    their_err = std::move(te);
  }
  void started(Fd with) {
    status = std::move(with);
    their_out.reset();
    their_err.reset();
  }
  Stream out, err;
  Fd their_out, their_err, status;
};

sandbox::BoxLimits run_limits(const Limits& limits) {
  return {limits.cpu_ceiling(), limits.memory, 0, std::min(limits.stack, limits.memory / 2), 0, 256};
}

sandbox::BoxJob run_job(const Limits& limits) {
  sandbox::BoxJob job;
  job.exec_fd = true;
  job.argv = {"solution"};
  job.environment = kEnvironment;
  job.limits = run_limits(limits);
  return job;
}

sandbox::BoxJob build_job(const Limits& limits) {
  sandbox::BoxJob job;
  job.policy = sandbox::Policy::kBuild;
  job.environment = kEnvironment;
  job.limits = {static_cast<uint64_t>(limits.build_seconds) + 1,
                limits.build_memory,
                0,
                uint64_t{64} << 20,
                uint64_t{512} << 20,
                256};
  job.output_bytes = kMostProgram;
  return job;
}

// The first line that names an error; of compilers.
std::string first_error(const std::string& text) {
  const size_t at = text.find("error: ");
  if (at == std::string::npos) return last_line(text);
  return text.substr(at, std::min<size_t>(text.find('\n', at) - at, 160));
}

// Whether a signal ended a process; a shell says it of its child by its own exit status.
bool ended_by(int status, int signal) {
  return WIFSIGNALED(status) ? WTERMSIG(status) == signal : WEXITSTATUS(status) == 128 + signal;
}

// Why a command line cannot work here, whatever the program; empty where its end may be the program's doing.
std::string fault_of(int status, const std::string& errors) {
  if (ended_by(status, SIGSYS))
    return "the sandbox's system-call filter ends it before it reads a program (`strace -f` shows its calls, "
           "the README of plugins/common/sandbox those that are "
           "allowed): this language cannot be judged";
  if (WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127))
    return "it does not start in the sandbox: " + last_line(errors) +
           "; what is not below /usr needs option sandbox.read_only";
  return "";
}

}  // namespace

std::string find_compiler(const std::string& name, bool is_needed) {
  if (name.find('/') != std::string::npos) {
    if (access(name.c_str(), X_OK) == 0) return name;
  } else {
    const char* path = getenv("PATH");
    std::istringstream folders("/usr/bin:/usr/local/bin:" + std::string(path != nullptr ? path : ""));
    for (std::string folder; std::getline(folders, folder, ':');)
      if (const std::string file = folder + "/" + name; access(file.c_str(), X_OK) == 0) return file;
  }
  if (!is_needed) return "";
  throw std::runtime_error("no C++ compiler: \"" + name +
                           "\" is not there; install g++, set option compiler to its path, or set option "
                           "language to python if no row is in C++");
}

const std::string& Compiled::precompiled(Header header, const Limits& limits) {
  Precompiled& one = precompiled_[static_cast<size_t>(header)];
  std::call_once(one.once, [&] {
    const std::string name = file_of(header);
    sandbox::BoxJob job = build_job(limits);
    job.prepare = true;
    job.argv = {compiler_};
    job.argv.insert(job.argv.end(), flags_.begin(), flags_.end());
    for (const std::string& more : {std::string("-w"), std::string("-x"), std::string("c++-header"), name,
                                    std::string("-o"), name + ".gch"})
      job.argv.push_back(more);
    job.inputs = {name};
    const Fd nothing = sandbox::sealed_file(""), source = sandbox::sealed_file(text_of(header));
    Run run(kMostErrors, kMostErrors, kMostMessages);
    run.started(box_.launch(job, {nothing.get(), run.their_out.get(), run.their_err.get(), source.get()}));
    const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, kHeaderSeconds)[0];
    if (o.reported && o.report.error == 0 && o.report.status == 0) one.option = "-I" + box_.shared_folder();
  });
  return one.option;
}

sandbox::BoxJob Compiled::compile_job(const std::vector<std::string>& flags, const Limits& limits) const {
  sandbox::BoxJob job = build_job(limits);
  job.argv = {compiler_};
  job.argv.insert(job.argv.end(), flags.begin(), flags.end());
  job.inputs = {"solution.cpp"};
  job.outputs = {"solution"};
  return job;
}

std::string Compiled::defect(const Limits& limits) {
  std::lock_guard lock(defect_mutex_);
  if (!defect_) {
    std::string why = find_defect(flags_, limits), all = compiler_;
    if (!why.empty()) {
      const bool flags_are_to_blame = !flags_.empty() && find_defect({}, limits).empty();
      for (const std::string& flag : flags_) all += " " + flag;
      why = std::string(flags_are_to_blame ? "option flags: " : "option compiler: ") + all + ": " + why;
    }
    defect_ = why;
  }
  return *defect_;
}

std::string Compiled::find_defect(const std::vector<std::string>& flags, const Limits& limits) {
  sandbox::BoxJob job = compile_job(flags, limits);
  for (const char* more : {"-w", "solution.cpp", "-o", "solution"}) job.argv.push_back(more);
  const Built built = build(job, kOneLine, limits);
  if (built.verdict == Verdict::kSandboxError || built.starved)
    throw sandbox::Error("trying the C++ compiler: " + built.detail);
  if (built.late)
    throw sandbox::Error(
        "trying the C++ compiler: a program of one line took longer than option build_time allows, or the "
        "machine is too busy");
  if (built.verdict != Verdict::kOk) return "a program of one line does not compile: " + built.detail;
  const Fd program = sandbox::sealed_file(built.program);
  const Printed printed = run_once(run_job(limits), "", program.get(), limits.patient());
  const auto [verdict, why] = classify(printed.outcome, printed.errors, limits);
  if (verdict == Verdict::kSandboxError &&
      printed.outcome.report.step != static_cast<uint32_t>(sandbox::BoxStep::kExec))
    throw sandbox::Error("trying the C++ compiler: " + why);
  if (verdict == Verdict::kTime)
    throw sandbox::Error(
        "trying the C++ compiler: the program of one line that it built took longer than options time "
        "and wall_time allow, or the machine is too busy");
  return verdict == Verdict::kOk ? "" : "a program of one line does not run in the sandbox: " + why;
}

Compiled::Built Compiled::compile(Header header, const std::string& source, const Limits& limits) {
  sandbox::BoxJob job = compile_job(flags_, limits);
  std::string text = source;
  if (header != Header::kNone) {
    const std::string& option = precompiled(header, limits);
    if (!option.empty()) job.argv.push_back(option);
    text = (option.empty() ? text_of(header) : "#include <" + file_of(header) + ">\n") + source;
  }
  for (const char* more : {"-w", "solution.cpp", "-o", "solution"}) job.argv.push_back(more);
  if (includes(source, "openssl/")) job.argv.push_back("-lcrypto");
  return build(job, text, limits);
}

Compiled::Built Compiled::build(sandbox::BoxJob& job, const std::string& source, const Limits& limits) {
  Built built = build_once(job, source, limits);
  if (!limits.may_try_again || (!built.starved && !built.late_on_a_busy_machine)) return built;
  const Limits patient = limits.patient();
  job.limits.cpu_seconds = build_job(patient).limits.cpu_seconds;
  return build_once(job, source, patient);
}

Compiled::Built Compiled::build_once(const sandbox::BoxJob& job, const std::string& source,
                                     const Limits& limits) {
  const Fd nothing = sandbox::sealed_file(""), file = sandbox::sealed_file(source),
           program = sandbox::memory_file();
  Run run(kMostErrors, kMostErrors, kMostMessages);
  run.started(
      box_.launch(job, {nothing.get(), run.their_out.get(), run.their_err.get(), file.get(), program.get()}));
  const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, limits.build_seconds)[0];
  Built built = built_of(o, run.err.data, limits);
  if (built.verdict == Verdict::kOk) built.program = sandbox::contents(program.get());
  built.late = o.timed_out;
  built.late_on_a_busy_machine = o.timed_out && machine_is_busy();
  built.status = o.report.status;
  return built;
}

Compiled::Built Compiled::built_of(const Outcome& o, const std::string& errors, const Limits& limits) {
  if (o.timed_out || o.output_limit)
    return {Verdict::kCompileError,
            o.timed_out ? "the compiler took too long" : "too many messages of the compiler", ""};
  if (o.reported && o.report.error != 0 && o.report.step == static_cast<uint32_t>(sandbox::BoxStep::kOutput))
    return {Verdict::kCompileError,
            o.report.error == EFBIG ? "what was built is too large" : "nothing was built", ""};
  if (!o.reported || o.report.error != 0)
    return {Verdict::kSandboxError, classify(o, errors, limits).second, ""};
  if (o.report.status == 0) return {};
  Built built{Verdict::kCompileError, first_error(errors), ""};
  // No limit of the box's kills so: the machine was out of memory. GCC's driver says it in words.
  built.starved =
      !o.stopped && (ended_by(o.report.status, SIGKILL) || errors.find("Killed signal") != std::string::npos);
  if (built.starved && built.detail.empty()) built.detail = "killed by the kernel";
  return built;
}

Result Compiled::failed(const Built& built, size_t tests) {
  Result result;
  result.total = tests;
  result.starved = built.starved;
  if (built.verdict != Verdict::kOk) result.fail(built.verdict, built.detail);
  return result;
}

Result Compiled::run(const std::string& program, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const Settings& settings) {
  const Header header = includes(program, "bits/stdc++.h") ? Header::kEverything : Header::kNone;
  const Built built = compile(header, program, settings.limits);
  if (built.verdict != Verdict::kOk) return failed(built, inputs.size());
  const Fd executable = sandbox::sealed_file(built.program);
  return judge_printed(inputs, outputs, settings, [&](const std::string& input, const Limits& limits) {
    return run_once(run_job(limits), input, executable.get(), limits);
  });
}

Printed Compiled::run_once(const sandbox::BoxJob& job, const std::string& input, int program,
                           const Limits& limits) {
  const Fd in = sandbox::sealed_file(input);
  Run run(limits.output, kMostErrors, limits.output);
  run.started(box_.launch(job, {in.get(), run.their_out.get(), run.their_err.get(), program}));
  Printed printed;
  printed.outcome = sandbox::attend({&run.status}, {&run.out, &run.err}, limits.wall_seconds)[0];
  printed.out = std::move(run.out.data);
  printed.errors = std::move(run.err.data);
  return printed;
}

Result Compiled::test(const std::string& program, const CppTests& tests, const Settings& settings) {
  const Limits& limits = settings.limits;
  const Built tester = tests_program(tests, limits);
  if (tester.verdict != Verdict::kOk) return failed(tester, 1);
  FunctionHead head;
  std::string why;
  read_head(tests.declaration, head, why);
  const std::string source = solution_source(program, head, cpp_driver());
  const Header header = includes(program, "bits/stdc++.h") ? Header::kEverything : Header::kUsual;
  Built solution = compile(header, source, limits);
  // Names of headers that the solution did not ask for, beside its own.
  if (solution.detail.find("ambiguous") != std::string::npos)
    solution = compile(Header::kNone, kUsualIncludes + source, limits);
  if (solution.verdict != Verdict::kOk) return failed(solution, 1);
  const Fd tester_file = sandbox::sealed_file(tester.program),
           solution_file = sandbox::sealed_file(solution.program);
  Limits used = limits;
  Pair run = run_pair(tester_file.get(), solution_file.get(), used);
  if (deserves_another_try(run.solution, used) ||
      (used.may_try_again && was_killed_by_others(run.tests, used))) {
    used = limits.patient();
    run = run_pair(tester_file.get(), solution_file.get(), used);
  }
  Result result;
  result.total = 1;
  result.count(run.solution, limits);
  result.starved |= was_killed_by_others(run.tests, limits);
  const auto [verdict, text] = classify(run.solution, run.solution_errors, used);
  const sandbox::Outcome& judged = run.tests;
  const int status = judged.report.status;
  const bool gone = !judged.reported || judged.timed_out || judged.output_limit ||
                    (WIFEXITED(status) && WEXITSTATUS(status) == kPeerIsGone) ||
                    (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGPIPE));
  if (judged.reported && judged.report.error != 0)
    result.fail(Verdict::kSandboxError, classify(judged, "", limits).second);
  else if (!gone && status == 0)
    result.passed = 1;
  else if (!gone)
    result.fail(Verdict::kWrong, last_line(run.tests_errors));
  else if (verdict == Verdict::kOk)
    result.fail(Verdict::kRuntimeError, "it ended before it answered");
  else
    result.fail(verdict, text);
  return result;
}

Compiled::Pair Compiled::run_pair(int tests, int solution, const Limits& limits) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw sandbox::Error(std::string("socketpair: ") + strerror(errno));
  Fd tests_end(pair[0]), solution_end(pair[1]);
  const Fd nothing = sandbox::sealed_file("");
  Run tests_run(kMostErrors, kMostErrors, limits.output),
      solution_run(kMostErrors, kMostErrors, limits.output);
  sandbox::BoxJob job = run_job(limits);
  job.standard = 4;
  solution_run.started(box_.launch(job, {nothing.get(), solution_run.their_out.get(),
                                         solution_run.their_err.get(), solution_end.get(), solution}));
  solution_end.reset();
  tests_run.started(box_.launch(
      job, {nothing.get(), tests_run.their_out.get(), tests_run.their_err.get(), tests_end.get(), tests}));
  tests_end.reset();
  const auto ended = sandbox::attend({&tests_run.status, &solution_run.status},
                                     {&tests_run.out, &tests_run.err, &solution_run.out, &solution_run.err},
                                     limits.wall_seconds);
  return {ended[0], ended[1], tests_run.err.data, solution_run.err.data};
}

Compiled::Built Compiled::tests_program(const CppTests& tests, const Limits& limits) {
  FunctionHead head;
  std::string why;
  if (!read_head(tests.declaration, head, why)) return {Verdict::kUnjudged, why, ""};
  const std::string source = tests_source(tests, head, cpp_driver());
  std::shared_ptr<Tester> tester;
  {
    std::lock_guard lock(mutex_);
    if (testers_.size() >= kMostTesters) testers_.clear();
    std::shared_ptr<Tester>& known = testers_[source];
    if (known == nullptr) known = std::make_shared<Tester>();
    tester = known;
  }
  std::lock_guard lock(tester->mutex);  // a group's other completions wait, for they want the same
  if (tester->built) return *tester->built;
  // Without the usual includes where the row's own do: a function named as one of the C library's would be that one to the tests.
  Built built = compile(Header::kDriver, source, limits);
  if (built.verdict == Verdict::kCompileError)
    built = compile(Header::kNone, kUsualIncludes + source, limits);
  if (built.verdict == Verdict::kCompileError)
    built.verdict = Verdict::kUnjudged, built.detail = "the row's tests do not compile: " + built.detail;
  const bool is_the_machines = built.starved || built.late_on_a_busy_machine;
  if (built.verdict != Verdict::kSandboxError && !is_the_machines) tester->built = built;
  return built;
}

Result Compiled::check(const CppTests& tests, const Limits& limits) {
  return failed(tests_program(tests, limits), 1);
}

Result Compiled::run_command(const Command& command, const std::string& program,
                             const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                             const Settings& settings) {
  const Built built = build_command(command, program, settings.limits);
  if (built.verdict != Verdict::kOk) return failed(built, inputs.size());
  const Fd kept = sandbox::sealed_file(built.program);
  bool is_forbidden = false;
  Result result =
      judge_printed(inputs, outputs, settings, [&](const std::string& input, const Limits& limits) {
        Printed printed = run_command_once(command, input, kept.get(), limits);
        const Outcome& o = printed.outcome;
        is_forbidden = o.reported && !o.timed_out && o.report.error == 0 && o.report.status == SIGSYS;
        if (o.reported && !o.timed_out && o.report.error == 0 && !is_forbidden) note_that_it_works(command);
        return printed;
      });
  if (!is_forbidden || is_known_to_work(command)) return result;
  result = {};
  result.fail(Verdict::kSandboxError, "a forbidden system call ended the program, and none in " +
                                          command.name + " has worked here yet (option commands)");
  return result;
}

Compiled::Built Compiled::build_command(const Command& command, const std::string& program,
                                        const Limits& limits) {
  if (command.build.empty()) {
    Built as_it_is;
    as_it_is.program = program;
    return as_it_is;
  }
  sandbox::BoxJob job = build_job(limits);
  job.argv = {"/bin/sh", "-c", command.build};
  job.inputs = {command.file};
  job.outputs = {command.keep};
  return build(job, program, limits);
}

Printed Compiled::run_command_once(const Command& command, const std::string& input, int program,
                                   const Limits& limits) {
  sandbox::BoxJob job = build_job(limits);
  job.argv = {"/bin/sh", "-c", command.run};
  job.limits = {limits.cpu_ceiling(), 0, limits.memory, limits.stack, uint64_t{64} << 20, 256};
  job.inputs = {command.build.empty() ? command.file : command.keep};
  Printed printed = run_once(job, input, program, limits);
  int& status = printed.outcome.report.status;
  for (int signal : {SIGKILL, SIGXCPU, SIGSYS})
    if (ended_by(status, signal)) status = signal;
  return printed;
}

std::string Compiled::defect(const Command& command, const std::string& at, const Limits& limits) {
  const Built built = build_command(command, "", limits);
  if (const std::string why = fault_of(built.status, built.detail); !why.empty())
    return "option " + at + ".build: " + why;
  if (built.verdict != Verdict::kOk) return "";
  const Fd kept = sandbox::sealed_file(built.program);
  const Printed printed = run_command_once(command, "", kept.get(), limits);
  const Outcome& o = printed.outcome;
  if (!o.reported || o.timed_out || o.report.error != 0) return "";
  const std::string why = fault_of(o.report.status, printed.errors);
  if (!why.empty()) return "option " + at + ".run: " + why;
  note_that_it_works(command);
  return "";
}

void Compiled::note_that_it_works(const Command& command) {
  std::lock_guard lock(mutex_);
  working_.insert(command.name);
}
bool Compiled::is_known_to_work(const Command& command) {
  std::lock_guard lock(mutex_);
  return working_.contains(command.name);
}

}  // namespace tenon::code
