// Building and running programs in the box.
// SPDX-License-Identifier: Apache-2.0
#include "compiled.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>

#include "embedded.h"

namespace tenon::code {

namespace {

using sandbox::Fd;
using sandbox::Outcome;
using sandbox::Stream;

constexpr uint64_t kMostErrors = 64 << 10;
constexpr uint64_t kMostProgram = 64 << 20;  // bytes of an executable
constexpr size_t kMostTesters = 512;
constexpr int kPeerIsGone = 66;  // driver_cpp.h
// What HumanEval-X puts before every C++ program (codegeex/benchmark/utils.py, IMPORT_HELPER).
constexpr const char* kUsualIncludes =
    "#include <stdlib.h>\n#include <algorithm>\n#include <math.h>\n#include <stdio.h>\n#include "
    "<vector>\n#include <string>\n#include <climits>\n"
    "#include <cstring>\n#include <iostream>\n";
const std::vector<std::string> kEnvironment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                               "HOME=.", "TMPDIR=."};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string trimmed(std::string s) {
  while (!s.empty() && is_space(s.back())) s.pop_back();
  s.erase(0, static_cast<size_t>(std::find_if_not(s.begin(), s.end(), is_space) - s.begin()));
  return s;
}

bool includes(const std::string& source, std::string_view what) {
  for (size_t at = source.find("#include"); at != std::string::npos; at = source.find("#include", at + 1))
    if (source.substr(at, source.find('\n', at) - at).find(what) != std::string::npos) return true;
  return false;
}

// The program of which main() is another one's.
std::string with_main_renamed(const std::string& program) {
  return "#define main tenon_other_main_\n#line 1 \"solution.cpp\"\n" + program + "\n#undef main\n";
}

// Whether `code` defines the function, and not just calls it: its name with a parameter list and a body after it.
bool defines(const std::string& code, const std::string& name) {
  for (size_t at = code.find(name); at != std::string::npos; at = code.find(name, at + 1)) {
    if (at == 0 || is_word(code[at - 1])) continue;
    size_t k = at + name.size();
    while (k < code.size() && is_space(code[k])) ++k;
    if (k >= code.size() || code[k] != '(') continue;
    int depth = 0;
    for (; k < code.size(); ++k) {
      depth += code[k] == '(' ? 1 : code[k] == ')' ? -1 : 0;
      if (depth == 0) break;
    }
    for (++k; k < code.size() && is_space(code[k]);) ++k;
    if (k < code.size() && code[k] == '{') return true;
  }
  return false;
}

// The brace that opens the body of the function that `text` ends in: of those that are not closed the first that follows a parenthesis. Comments and
// literals do not count. npos: there is none.
size_t open_body(const std::string& text) {
  std::vector<size_t> open;
  for (size_t k = 0; k < text.size(); ++k) {
    const char c = text[k];
    if (text.compare(k, 2, "//") == 0) {
      k = std::min(text.find('\n', k), text.size());
    } else if (text.compare(k, 2, "/*") == 0) {
      k = std::min(text.find("*/", k + 2), text.size() - 1) + 1;
    } else if (c == '"' || c == '\'') {
      for (++k; k < text.size() && text[k] != c; ++k) k += text[k] == '\\';
    } else if (c == '{') {
      open.push_back(k);
    } else if (c == '}' && !open.empty()) {
      open.pop_back();
    }
  }
  for (size_t brace : open)
    if (trimmed(text.substr(0, brace)).ends_with(')')) return brace;
  return std::string::npos;
}

// The #include lines of a text.
std::string include_lines(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (const std::string line = trimmed(text.substr(at, end - at)); line.starts_with("#include"))
      out += line + "\n";
    at = end + 1;
  }
  return out;
}

// Names of the parameters of "a(b c, d e = f)": the last word of each, before a default or brackets.
bool parameter_names(const std::string& list, std::vector<std::string>& out) {
  int depth = 0;
  size_t begin = 0;
  for (size_t k = 0; k <= list.size(); ++k) {
    const char c = k < list.size() ? list[k] : ',';
    depth += c == '(' || c == '<' || c == '{' || c == '['   ? 1
             : c == ')' || c == '>' || c == '}' || c == ']' ? -1
                                                            : 0;
    if (c != ',' || depth > 0) continue;
    std::string one = trimmed(list.substr(begin, k - begin));
    begin = k + 1;
    one = trimmed(one.substr(0, one.find('=')));
    while (one.ends_with(']')) one = trimmed(one.substr(0, one.rfind('[')));
    size_t word = one.size();
    while (word > 0 && is_word(one[word - 1])) --word;
    if (one.empty() && list.find_first_not_of(" \t\n") == std::string::npos) return true;
    if (word == one.size() || word == 0) return false;
    out.push_back(one.substr(word));
  }
  return true;
}

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

}  // namespace

bool read_head(const std::string& declaration, FunctionHead& out, std::string& why) {
  const size_t brace = open_body(declaration);
  why = "no function is open at the end of the row's prompt";
  if (brace == std::string::npos) return false;
  const std::string head = trimmed(declaration.substr(0, brace));
  size_t close = head.rfind(')');
  if (close == std::string::npos) return false;
  size_t open = close;
  for (int depth = 0;; --open) {
    depth += head[open] == ')' ? 1 : head[open] == '(' ? -1 : 0;
    if (depth == 0) break;
    if (open == 0) return false;
  }
  size_t name_end = open;
  while (name_end > 0 && is_space(head[name_end - 1])) --name_end;
  size_t name_begin = name_end;
  while (name_begin > 0 && is_word(head[name_begin - 1])) --name_begin;
  if (name_begin == name_end) return false;
  // The head begins after the last thing that ends something else.
  size_t begin = 0;
  for (std::string_view end : {";", "}", "*/"})
    if (const size_t at = head.rfind(end, name_begin); at != std::string::npos)
      begin = std::max(begin, at + end.size());
  for (size_t line = head.rfind('\n', name_begin); line != std::string::npos && line > begin;
       line = line == 0 ? std::string::npos : head.rfind('\n', line - 1)) {
    const size_t previous = line == 0 ? std::string::npos : head.rfind('\n', line - 1);
    const std::string above = trimmed(head.substr(previous == std::string::npos ? 0 : previous + 1,
                                                  line - (previous == std::string::npos ? 0 : previous + 1)));
    if (above.starts_with('#') || above.starts_with("//")) {
      begin = std::max(begin, line);
      break;
    }
  }
  out.before = head.substr(0, begin) + "\n";
  while (begin < name_begin && is_space(head[begin])) ++begin;
  out.text = head.substr(begin, close + 1 - begin);
  out.name = head.substr(name_begin, name_end - name_begin);
  out.name_at = name_begin - begin;
  out.parameters.clear();
  if (!parameter_names(head.substr(open + 1, close - open - 1), out.parameters)) {
    why = "a parameter of " + out.name + " has no name";
    return false;
  }
  return true;
}

std::string join_cpp(const CppTests& tests, const std::string& code) {
  FunctionHead head;
  std::string why;
  const bool readable = read_head(tests.declaration, head, why);
  const std::string includes = kUsualIncludes + include_lines(tests.includes);
  if (readable && defines(code, head.name)) return includes + head.before + code;
  return includes + tests.declaration + code;
}

std::string Compiled::precompiled(const Limits& limits) {
  std::call_once(precompile_, [&] {
    sandbox::BoxJob job = build_job(limits);
    job.prepare = true;
    std::string command = "mkdir -p bits && exec " + compiler_;
    for (const std::string& f : flags_) command += " " + f;
    job.argv = {"/bin/sh", "-c", command + " -x c++-header all.h -o bits/stdc++.h.gch"};
    job.inputs = {"all.h"};
    const Fd nothing = sandbox::sealed_file(""), header = sandbox::sealed_file("#include <bits/stdc++.h>\n");
    Run run(kMostErrors, kMostErrors, uint64_t{1} << 24);
    run.started(box_.launch(job, {nothing.get(), run.their_out.get(), run.their_err.get(), header.get()}));
    const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, 60)[0];
    if (o.reported && o.report.error == 0 && o.report.status == 0) precompiled_ = "-I" + box_.shared_folder();
  });
  return precompiled_;
}

Compiled::Built Compiled::compile(const std::string& source, const Limits& limits) {
  sandbox::BoxJob job = build_job(limits);
  job.argv = {compiler_};
  job.argv.insert(job.argv.end(), flags_.begin(), flags_.end());
  if (includes(source, "bits/stdc++.h"))
    if (std::string option = precompiled(limits); !option.empty()) job.argv.push_back(option);
  for (const char* more : {"-w", "solution.cpp", "-o", "solution"}) job.argv.push_back(more);
  if (includes(source, "openssl/")) job.argv.push_back("-lcrypto");
  job.inputs = {"solution.cpp"};
  job.outputs = {"solution"};
  const Fd nothing = sandbox::sealed_file(""), text = sandbox::sealed_file(source),
           program = sandbox::memory_file();
  Run run(kMostErrors, kMostErrors, uint64_t{1} << 24);
  run.started(
      box_.launch(job, {nothing.get(), run.their_out.get(), run.their_err.get(), text.get(), program.get()}));
  const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, limits.build_seconds)[0];
  Built built;
  if (o.timed_out || o.output_limit)
    built = {Verdict::kCompileError,
             o.timed_out ? "the compiler took too long" : "too many messages of the compiler", ""};
  else if (!o.reported ||
           (o.report.error != 0 && o.report.step != static_cast<uint32_t>(sandbox::BoxStep::kOutput)))
    built = {Verdict::kSandboxError, classify(o, run.err.data, limits).second, ""};
  else if (o.report.status != 0 || o.report.error != 0)
    built = {Verdict::kCompileError,
             o.report.error != 0 ? "the executable is too large" : first_error(run.err.data), ""};
  else
    built.program = sandbox::contents(program.get());
  return built;
}

Result Compiled::run(const std::string& program, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const Settings& settings) {
  const Limits& limits = settings.limits;
  Result result;
  result.total = inputs.size();
  const Built built = compile(program, limits);
  if (built.verdict != Verdict::kOk) {
    result.fail(built.verdict, built.detail);
    return result;
  }
  const Fd executable = sandbox::sealed_file(built.program);
  for (size_t k = 0; k < inputs.size(); ++k) {
    Verdict verdict = Verdict::kOk;
    std::string why;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Fd input = sandbox::sealed_file(inputs[k]);
      Run run(limits.output, kMostErrors, limits.output);
      run.started(box_.launch(run_job(limits),
                              {input.get(), run.their_out.get(), run.their_err.get(), executable.get()}));
      const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, limits.wall_seconds)[0];
      std::tie(verdict, why) = classify(o, run.err.data, limits);
      if (attempt == 0 && deserves_another_try(o, limits)) continue;
      result.count(o);
      if (verdict == Verdict::kOk &&
          !same_output(run.out.data, outputs[k], settings.compare, settings.tolerance))
        verdict = Verdict::kWrong;
      break;
    }
    if (verdict == Verdict::kOk) {
      ++result.passed;
      continue;
    }
    result.fail(verdict, "test " + std::to_string(k + 1) + " of " + std::to_string(inputs.size()) +
                             (why.empty() ? "" : ": " + why));
    if (verdict == Verdict::kSandboxError || !settings.all_tests) break;
  }
  return result;
}

Result Compiled::test(const std::string& program, const CppTests& tests, const Settings& settings) {
  const Limits& limits = settings.limits;
  Result result;
  result.total = 1;
  FunctionHead head;
  std::string why;
  if (!read_head(tests.declaration, head, why)) {
    result.fail(Verdict::kUnjudged, why);
    return result;
  }
  std::string arguments;
  for (const std::string& p : head.parameters) arguments += (arguments.empty() ? "" : ", ") + p;
  const std::string driver(cpp_driver());
  const std::string tester_source = include_lines(tests.includes) + head.before + driver + "\n" + head.text +
                                    " { return ::tenon_box_::call<decltype(" + head.name + "(" + arguments +
                                    "))>(" + arguments + "); }\n" + tests.test;
  Built tester;
  bool known = false;
  {
    std::lock_guard lock(mutex_);
    if (auto found = testers_.find(tester_source); found != testers_.end())
      tester = found->second, known = true;
  }
  if (!known) {
    // Without the usual includes where the row's own do: a function named as one of the C library's would be that one to the tests.
    tester = compile(tester_source, limits);
    if (tester.verdict == Verdict::kCompileError) tester = compile(kUsualIncludes + tester_source, limits);
    std::lock_guard lock(mutex_);
    if (testers_.size() >= kMostTesters) testers_.clear();
    if (tester.verdict != Verdict::kSandboxError) testers_.emplace(tester_source, tester);
  }
  if (tester.verdict != Verdict::kOk) {
    result.fail(tester.verdict == Verdict::kSandboxError ? tester.verdict : Verdict::kUnjudged,
                "the row's tests do not compile: " + tester.detail);
    return result;
  }
  // The same head under another name, so that overloads of the solution do not matter.
  std::string entry = head.text;
  entry.replace(head.name_at, head.name.size(), "tenon_entry_");
  const std::string main = "\n" + entry + " { return " + head.name + "(" + arguments +
                           "); }\nint main() { return ::tenon_box_::serve(&tenon_entry_); }\n";
  const Built solution = compile(with_main_renamed(program) + driver + main, limits);
  if (solution.verdict != Verdict::kOk) {
    result.fail(solution.verdict, solution.detail);
    return result;
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw sandbox::Error("socketpair failed");
  Fd tester_end(pair[0]), solution_end(pair[1]);
  const Fd nothing = sandbox::sealed_file(""), tester_file = sandbox::sealed_file(tester.program),
           solution_file = sandbox::sealed_file(solution.program);
  Run tests_run(kMostErrors, kMostErrors, limits.output),
      solution_run(kMostErrors, kMostErrors, limits.output);
  sandbox::BoxJob job = run_job(limits);
  job.standard = 4;
  solution_run.started(
      box_.launch(job, {nothing.get(), solution_run.their_out.get(), solution_run.their_err.get(),
                        solution_end.get(), solution_file.get()}));
  solution_end.reset();
  tests_run.started(box_.launch(job, {nothing.get(), tests_run.their_out.get(), tests_run.their_err.get(),
                                      tester_end.get(), tester_file.get()}));
  tester_end.reset();
  const auto ended = sandbox::attend({&tests_run.status, &solution_run.status},
                                     {&tests_run.out, &tests_run.err, &solution_run.out, &solution_run.err},
                                     limits.wall_seconds);
  result.count(ended[1]);
  const auto [verdict, text] = classify(ended[1], solution_run.err.data, limits);
  const int status = ended[0].report.status;
  const bool gone = !ended[0].reported || ended[0].timed_out || ended[0].output_limit ||
                    (WIFEXITED(status) && WEXITSTATUS(status) == kPeerIsGone) ||
                    (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  if (ended[0].reported && ended[0].report.error != 0)
    result.fail(Verdict::kSandboxError, classify(ended[0], "", limits).second);
  else if (!gone && status == 0)
    result.passed = 1;
  else if (!gone)
    result.fail(Verdict::kWrong, last_line(tests_run.err.data));
  else if (verdict == Verdict::kOk)
    result.fail(Verdict::kRuntimeError, "it ended before it answered");
  else
    result.fail(verdict, text);
  return result;
}

Result Compiled::run_command(const Command& command, const std::string& program,
                             const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                             const Settings& settings) {
  const Limits& limits = settings.limits;
  Result result;
  result.total = inputs.size();
  std::string kept = program, kept_name = command.file;
  if (!command.build.empty()) {
    sandbox::BoxJob job = build_job(limits);
    job.argv = {"/bin/sh", "-c", command.build};
    job.inputs = {command.file};
    job.outputs = {command.keep};
    const Fd nothing = sandbox::sealed_file(""), text = sandbox::sealed_file(program),
             made = sandbox::memory_file();
    Run run(kMostErrors, kMostErrors, uint64_t{1} << 24);
    run.started(
        box_.launch(job, {nothing.get(), run.their_out.get(), run.their_err.get(), text.get(), made.get()}));
    const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, limits.build_seconds)[0];
    if (!o.reported || o.timed_out || o.report.status != 0 || o.report.error != 0) {
      const bool broken = !o.timed_out && !o.reported;
      result.fail(broken ? Verdict::kSandboxError : Verdict::kCompileError, first_error(run.err.data));
      return result;
    }
    kept = sandbox::contents(made.get());
    kept_name = command.keep;
  }
  for (size_t k = 0; k < inputs.size(); ++k) {
    sandbox::BoxJob job = build_job(limits);
    job.argv = {"/bin/sh", "-c", command.run};
    job.limits = {limits.cpu_ceiling(), 0, limits.memory, limits.stack, uint64_t{64} << 20, 256};
    job.inputs = {kept_name};
    const Fd input = sandbox::sealed_file(inputs[k]), file = sandbox::sealed_file(kept);
    Run run(limits.output, kMostErrors, limits.output);
    run.started(box_.launch(job, {input.get(), run.their_out.get(), run.their_err.get(), file.get()}));
    const Outcome o = sandbox::attend({&run.status}, {&run.out, &run.err}, limits.wall_seconds)[0];
    result.count(o);
    auto [verdict, why] = classify(o, run.err.data, limits);
    if (verdict == Verdict::kOk &&
        !same_output(run.out.data, outputs[k], settings.compare, settings.tolerance))
      verdict = Verdict::kWrong;
    if (verdict == Verdict::kOk) {
      ++result.passed;
      continue;
    }
    result.fail(verdict, "test " + std::to_string(k + 1) + " of " + std::to_string(inputs.size()) +
                             (why.empty() ? "" : ": " + why));
    if (verdict == Verdict::kSandboxError || !settings.all_tests) break;
  }
  return result;
}

}  // namespace tenon::code
