// Requests to the fork server, and verdicts from what its children say.
// SPDX-License-Identifier: Apache-2.0
#include "python.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdio>
#include <sstream>

#include "embedded.h"
#include "sandbox/seccomp.h"
#include "stdio_tests.h"

namespace tenon::code {

namespace {

using sandbox::Fd;
using sandbox::Outcome;
using sandbox::Stream;

constexpr int kStartMilliseconds = 20000;
constexpr uint64_t kMostErrors = 64 << 10;  // bytes kept of standard error
constexpr size_t kMostPlans = 4096;

// The output of a command line that the configuration gives, no stranger's text.
std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return out;
  char block[4096];
  for (size_t n = 0; (n = fread(block, 1, sizeof block, pipe)) > 0;) out.append(block, n);
  return pclose(pipe) == 0 ? out : "";
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string random_bytes() {
  std::string out(16, '\0');
  if (getrandom(out.data(), out.size(), 0) != static_cast<ssize_t>(out.size()))
    throw sandbox::Error("no random numbers");
  return out;
}

std::string hexadecimal(size_t k) {
  char text[20];
  snprintf(text, sizeof text, "%zx", k);
  return text;
}

Stream stream(Fd fd, uint64_t most, uint64_t fatal) {
  return Stream{std::move(fd), most, fatal, {}, 0};
}

std::string text_at(const Value& list, size_t k) {
  return k < list.items.size() && list.items[k].is(Value::Kind::kText) ? list.items[k].text : std::string();
}

// call: [text, how, expected], as the plan has it.
bool is_right(const Value& value, const Value& call, double tolerance) {
  const std::string how = text_at(call, 1);
  if (how == "true" || how == "false") return is_true(value) == (how == "true");
  const Value& expected = call.items.at(2);
  return (how != "same" || value.kind == expected.kind) && equals(value, expected, tolerance);
}

}  // namespace

Interpreter find_python(const std::string& name) {
  std::string path = name;
  if (name == "auto")
    for (const char* one : {"python3", "/usr/local/bin/python3", "/usr/bin/python3"})
      if (std::string(one).find('/') == std::string::npos || access(one, X_OK) == 0) path = one;
  const std::string ask =
      "import sys; print(sys.executable, sys.version.split()[0], sys.version_info >= (3, 9), "
      "sys.base_prefix, sys.prefix, sys.exec_prefix, sep='\\n')";
  std::istringstream lines(
      output_of(quoted(path) + " -s -S -B -c " + quoted(ask) + " 2>/dev/null </dev/null"));
  Interpreter found;
  std::string recent, folder;
  if (!std::getline(lines, found.path) || !std::getline(lines, found.version) || !std::getline(lines, recent))
    throw std::runtime_error("no Python interpreter: \"" + path +
                             "\" does not run; install python3 or set option python to its path");
  if (recent != "True")
    throw std::runtime_error(found.path + " is Python " + found.version +
                             "; 3.9 or later is needed (option python)");
  while (std::getline(lines, folder))
    if (!folder.empty() && folder != "/" && !folder.starts_with("/usr")) found.folders.push_back(folder);
  return found;
}

void Python::start() {
  std::lock_guard lock(mutex_);
  ensure_started();
}

void Python::ensure_started() {
  if (running_) {
    pollfd ended{status_.get(), POLLIN, 0};
    if (poll(&ended, 1, 0) != 1) return;
    running_ = false;
  }
  auto [server, theirs] = sandbox::make_socket();
  auto [errors, their_errors] = sandbox::make_pipe();
  Fd nothing = sandbox::sealed_file(""), filter = sandbox::sealed_file(sandbox::run_filter());
  sandbox::BoxJob job;
  job.policy = sandbox::Policy::kFork;
  job.standard = 5;
  job.limits.files = 4096;  // two each child
  job.argv = {interpreter_.path, "-s", "-S", "-B", "-c", std::string(python_driver())};
  job.environment = {"PYTHONHASHSEED=0", "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", "HOME=/",
                     "OPENBLAS_NUM_THREADS=1"};
  status_ =
      box_.launch(job, {nothing.get(), their_errors.get(), their_errors.get(), theirs.get(), filter.get()});
  theirs.reset();
  their_errors.reset();
  pollfd wait[] = {{server.get(), POLLIN, 0}, {status_.get(), POLLIN, 0}};
  char ready[64];
  poll(wait, 2, kStartMilliseconds);
  if (recv(server.get(), ready, sizeof ready, MSG_DONTWAIT) <= 0) {
    sandbox::JobReport report;
    const bool reported =
        recv(status_.get(), &report, sizeof report, MSG_DONTWAIT) == static_cast<ssize_t>(sizeof report);
    char text[2048];
    fcntl(errors.get(), F_SETFL, O_NONBLOCK);
    const ssize_t n = read(errors.get(), text, sizeof text);
    std::string why = n > 0                           ? last_line({text, static_cast<size_t>(n)})
                      : reported && report.error != 0 ? strerror(report.error)
                                                      : "it does not answer";
    throw sandbox::Error(
        interpreter_.path + " does not start in the sandbox (" + sandbox::name_of(box_.layer()) + "): " +
        why + "; set option python to an interpreter that every user can run, such as /usr/bin/python3");
  }
  server_ = std::move(server);
  errors_ = std::move(errors);
  running_ = true;
}

Fd Python::fork(const std::string& mode, const std::vector<int>& fds, const Limits& limits) {
  auto [ours, theirs] = sandbox::make_socket();
  std::vector<int> all{theirs.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  std::ostringstream request;
  request << "{\"mode\":\"" << mode << "\",\"cpu\":" << limits.cpu_ceiling()
          << ",\"memory\":" << limits.memory << ",\"stack\":" << limits.stack
          << ",\"processes\":256,\"alone\":"
          << (box_.layer() == sandbox::Layer::kUserNamespaces ? "true" : "false") << "}";
  std::lock_guard lock(mutex_);
  ensure_started();
  if (!sandbox::send_message(server_.get(), request.str(), all)) {
    ensure_started();
    if (!sandbox::send_message(server_.get(), request.str(), all))
      throw sandbox::Error("Python's fork server has ended");
  }
  return std::move(ours);
}

// The streams and files of one child. Descriptors of the child: standard input, output, error, then what is added.
struct Python::Child {
  explicit Child(std::string_view input, const Limits& limits) {
    auto [o, to] = sandbox::make_pipe();
    auto [e, te] = sandbox::make_pipe();
    out = stream(std::move(o), limits.output, limits.output);
    err = stream(std::move(e), kMostErrors, limits.output);
    add(sandbox::sealed_file(input));
    add(std::move(to));
    add(std::move(te));
  }
  void add(Fd fd) { theirs.push_back(std::move(fd)); }
  std::vector<int> numbers() const {
    std::vector<int> all;
    for (const Fd& fd : theirs) all.push_back(fd.get());
    return all;
  }
  void started(Fd with) {
    status = std::move(with);
    theirs.clear();
  }

  std::vector<Fd> theirs;
  Stream out, err;
  Fd status;
};

Result Python::run(const std::string& program, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs, const Settings& settings) {
  return judge_printed(inputs, outputs, settings, [&](const std::string& input, const Limits& limits) {
    Child child(input, limits);
    child.add(sandbox::sealed_file(program));
    child.started(fork("run", child.numbers(), limits));
    Printed printed;
    printed.outcome = sandbox::attend({&child.status}, {&child.out, &child.err}, limits.wall_seconds)[0];
    printed.out = std::move(child.out.data);
    printed.errors = std::move(child.err.data);
    return printed;
  });
}

Python::Plan Python::plan(const PythonTests& tests, const Limits& limits) {
  std::vector<Value> texts;
  for (const std::string& t : tests.tests) texts.push_back(Value::of(t));
  const std::string request = encode(Value::dict({{"entry", Value::of(tests.entry)},
                                                  {"setup", Value::of(tests.setup)},
                                                  {"check", Value::of(tests.check)},
                                                  {"tests", Value::list(std::move(texts))}}));
  {
    std::lock_guard lock(mutex_);
    if (auto found = plans_.find(request); found != plans_.end()) return found->second;
  }
  Child child("", limits);
  auto [answer, theirs] = sandbox::make_pipe();
  child.add(sandbox::sealed_file(request));
  child.add(std::move(theirs));
  child.started(fork("plan", child.numbers(), limits));
  Stream answers = stream(std::move(answer), limits.output, limits.output);
  const Outcome o =
      sandbox::attend({&child.status}, {&child.out, &child.err, &answers}, limits.patient().wall_seconds)[0];
  const auto frames = decode_frames(answers.data);
  Plan plan;
  if (frames.empty()) {
    const auto [verdict, why] = classify(o, child.err.data, limits);
    if (verdict == Verdict::kSandboxError || verdict == Verdict::kMemory || o.timed_out)
      throw sandbox::Error("reading the row's tests: " + why);
    plan.defect = why;
  } else if (const std::string how = text_at(frames[0], 0); how == "calls") {
    plan.plain = true;
    for (const Value& one : frames[0].items.at(1).items) plan.calls.push_back(one.items);
  } else if (how == "broken") {
    plan.defect = text_at(frames[0], 1);
  }
  std::lock_guard lock(mutex_);
  if (plans_.size() >= kMostPlans) plans_.clear();
  plans_.emplace(request, plan);
  return plan;
}

Result Python::check(const PythonTests& tests, const Limits& limits) {
  Result result;
  result.total = tests.tests.size();
  if (const Plan how = plan(tests, limits); !how.defect.empty())
    result.fail(Verdict::kUnjudged, "the row's tests cannot be used: " + how.defect);
  return result;
}

Result Python::test(const std::string& program, const PythonTests& tests, const Settings& settings) {
  const Plan how = plan(tests, settings.limits);
  if (!how.defect.empty()) return check(tests, settings.limits);
  return how.plain ? test_calls(program, tests, how, settings) : test_apart(program, tests, settings);
}

Result Python::test_calls(const std::string& program, const PythonTests& tests, const Plan& plan,
                          const Settings& settings) {
  Result result;
  result.total = plan.calls.size();
  std::vector<Value> texts;
  for (const auto& test : plan.calls)
    for (const Value& call : test) texts.push_back(call.items.at(0));
  const std::string nonce = random_bytes();
  Value bytes = Value::of(nonce);
  bytes.kind = Value::Kind::kBytes;
  const std::string request = encode(Value::list({bytes, Value::of(tests.setup), Value::list(texts)}));
  std::vector<Value> frames;
  std::pair<Verdict, std::string> end;
  for (Limits limits = settings.limits;; limits = limits.patient()) {
    Child child("", limits);
    auto [answer, theirs] = sandbox::make_pipe();
    child.add(sandbox::sealed_file(program));
    child.add(std::move(theirs));
    child.add(sandbox::sealed_file(request));
    child.started(fork("calls", child.numbers(), limits));
    Stream answers = stream(std::move(answer), 4 * limits.output, 4 * limits.output);
    const Outcome o =
        sandbox::attend({&child.status}, {&child.out, &child.err, &answers}, limits.wall_seconds)[0];
    end = classify(o, child.err.data, limits);
    if (deserves_another_try(o, limits)) continue;
    result.count(o, limits);
    frames = decode_frames(answers.data);
    break;
  }
  size_t at = 0;
  for (size_t t = 0; t < plan.calls.size(); ++t) {
    Verdict verdict = Verdict::kOk;
    std::string why;
    for (const Value& call : plan.calls[t]) {
      const size_t k = at++;
      if (verdict != Verdict::kOk) continue;
      // [nonce, index, what, value or text]
      const Value* frame = k < frames.size() ? &frames[k] : nullptr;
      if (frame == nullptr || frame->items.size() != 4 || frame->items[0].text != nonce ||
          frame->items[1].text != hexadecimal(k)) {
        verdict = end.first == Verdict::kOk ? Verdict::kRuntimeError : end.first;
        why = end.first == Verdict::kOk ? "it ended before it answered" : end.second;
        continue;
      }
      const std::string what = text_at(*frame, 2);
      const Value& value = frame->items[3];
      if (what == "value") {
        if (!is_right(value, call, settings.tolerance)) verdict = Verdict::kWrong;
      } else {
        verdict = what == "unsupported"                   ? Verdict::kWrong
                  : value.text.starts_with("MemoryError") ? Verdict::kMemory
                                                          : Verdict::kRuntimeError;
        why = (what == "unsupported" ? "the result is " : "") + value.text.substr(0, 160);
      }
    }
    if (verdict == Verdict::kOk) {
      ++result.passed;
      continue;
    }
    result.fail(verdict, "test " + std::to_string(t + 1) + " of " + std::to_string(plan.calls.size()) +
                             (why.empty() ? "" : ": " + why));
  }
  return result;
}

Python::Apart Python::run_apart(const std::string& program, const std::string& request,
                                const Limits& limits) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw sandbox::Error(std::string("socketpair: ") + strerror(errno));
  Fd tester_end(pair[0]), candidate_end(pair[1]);
  Child candidate("", limits), tester("", limits);
  candidate.add(sandbox::sealed_file(program));
  candidate.add(std::move(candidate_end));
  candidate.started(fork("serve", candidate.numbers(), limits));
  auto [answer, theirs] = sandbox::make_pipe();
  tester.add(sandbox::sealed_file(request));
  tester.add(std::move(theirs));
  tester.add(std::move(tester_end));
  tester.started(fork("test", tester.numbers(), limits));
  Stream answers = stream(std::move(answer), limits.output, limits.output);
  const auto ended = sandbox::attend({&tester.status, &candidate.status},
                                     {&tester.out, &tester.err, &candidate.out, &candidate.err, &answers},
                                     limits.wall_seconds);
  return {ended[0], ended[1], decode_frames(answers.data), candidate.err.data};
}

Result Python::test_apart(const std::string& program, const PythonTests& tests, const Settings& settings) {
  Result result;
  result.total = tests.tests.size();
  std::vector<Value> texts;
  for (const std::string& t : tests.tests)
    texts.push_back(Value::of(t + (tests.check ? "\ncheck(candidate)\n" : "")));
  const std::string request = encode(Value::dict({{"prelude", Value::of(tests.prelude)},
                                                  {"setup", Value::of(tests.setup)},
                                                  {"entry", Value::of(tests.entry)},
                                                  {"tests", Value::list(texts)},
                                                  {"all", Value::of(settings.all_tests)}}));
  Limits limits = settings.limits;
  Apart run = run_apart(program, request, limits);
  if (deserves_another_try(run.candidate, limits) ||
      (limits.may_try_again && was_killed_by_others(run.tester, limits))) {
    limits = limits.patient();
    run = run_apart(program, request, limits);
  }
  result.count(run.candidate, limits);
  result.starved |= was_killed_by_others(run.tester, limits);
  if (run.tester.reported && run.tester.report.error != 0) {
    result.fail(Verdict::kSandboxError, classify(run.tester, "", limits).second);
    return result;
  }
  auto end = classify(run.candidate, run.errors, limits);
  if (end.first == Verdict::kOk) end = {Verdict::kRuntimeError, "it ended before it answered"};
  for (size_t t = 0; t < tests.tests.size(); ++t) {
    const std::string what = t < run.frames.size() ? text_at(run.frames[t], 0) : "gone";
    const std::string text = t < run.frames.size() ? text_at(run.frames[t], 1).substr(0, 160) : "";
    const std::string where = "test " + std::to_string(t + 1) + " of " + std::to_string(tests.tests.size());
    if (what == "ok")
      ++result.passed;
    else if (what == "wrong")
      result.fail(Verdict::kWrong, where + (text.empty() ? "" : ": " + text));
    else if (what == "candidate")
      result.fail(Verdict::kRuntimeError, where + ": " + text);
    else if (what == "unjudged")
      result.fail(Verdict::kUnjudged, where + ": " + text);
    else
      result.fail(end.first, where + ": " + end.second);
  }
  return result;
}

}  // namespace tenon::code
