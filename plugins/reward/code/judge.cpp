// Which runner judges a task; what is done when the box fails.
// SPDX-License-Identifier: Apache-2.0
#include "judge.h"

#include <chrono>
#include <exception>
#include <thread>

namespace tenon::code {

namespace {

constexpr std::chrono::milliseconds kPause{200};  // before the second try: what was short may be there again

Result unjudged(const std::string& why) {
  Result result;
  result.fail(Verdict::kUnjudged, why);
  return result;
}

Result unknown(const std::string& language) {
  return unjudged("language \"" + language + "\" is neither python nor cpp nor in the option commands");
}

// Whether a program may have failed for the threads that others had: where they are not counted for each (a user namespace does it).
bool lacked_threads(const Result& r) {
  if (r.verdict != Verdict::kRuntimeError || r.layer == sandbox::Layer::kUserNamespaces) return false;
  for (const char* text : {"can't start new thread", "Resource temporarily unavailable"})
    if (r.detail.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

struct Judge::Engine {
  explicit Engine(const JudgeSetup& setup)
      : box(sandbox::Sandbox::start(setup.box)),
        python(*box, setup.python),
        compiled(*box, setup.compiler, setup.flags) {
    python.start();
  }
  std::unique_ptr<sandbox::Sandbox> box;  // outlives what follows
  Python python;
  Compiled compiled;
};

Judge::Judge(JudgeSetup setup) : setup_(std::move(setup)), engine_(std::make_shared<Engine>(setup_)) {
  description_ = engine_->box->description();
}

// The engine to work with, not `broken` if its box is gone. Throws sandbox::Error.
std::shared_ptr<Judge::Engine> Judge::current(const std::shared_ptr<Engine>& broken) {
  std::lock_guard lock(mutex_);
  if (broken != nullptr && engine_ == broken && !engine_->box->is_there())
    engine_ = std::make_shared<Engine>(setup_);
  return engine_;
}

template <class Work>
Result Judge::in_box(const Settings& settings, Work&& work) {
  Settings with = settings;
  std::shared_ptr<Engine> engine;
  bool must_be_alone = false;
  for (bool is_first = true;; is_first = false) {
    Result result;
    try {
      std::shared_lock shared(running_, std::defer_lock);
      std::unique_lock alone(running_, std::defer_lock);
      if (must_be_alone)
        alone.lock();
      else
        shared.lock();
      engine = current(engine);
      result = work(*engine, with);
    } catch (const std::exception& e) {
      result = {};
      result.fail(Verdict::kSandboxError, e.what());
    }
    if (engine != nullptr) result.layer = engine->box->layer();
    must_be_alone = result.starved || lacked_threads(result);
    if ((result.verdict != Verdict::kSandboxError && !must_be_alone) || !is_first) return result;
    with.limits.may_try_again = false;
    std::this_thread::sleep_for(kPause);
  }
}

// Why no row in C++ can be judged; empty where it can.
std::string Judge::cpp_defect(Engine& engine, const Limits& limits) const {
  return setup_.compiler.empty() ? "a row in C++, and there is no compiler (option compiler)"
                                 : engine.compiled.defect(limits);
}

void Judge::try_out(bool cpp, const Limits& limits) {
  const std::shared_ptr<Engine> engine = current(nullptr);
  std::string why = cpp ? engine->compiled.defect(limits) : "";
  for (size_t k = 0; k < setup_.commands.size() && why.empty(); ++k)
    why = engine->compiled.defect(setup_.commands[k], "commands." + std::to_string(k), limits);
  if (!why.empty()) throw std::runtime_error(why);
}

Result Judge::judge(const Task& task, const std::string& program, const std::string& language,
                    const Settings& given) {
  return in_box(given, [&](Engine& engine, const Settings& settings) {
    if (task.form == Task::Form::kPythonTests) return engine.python.test(program, task.python, settings);
    if (task.form == Task::Form::kCppTests || language == "cpp")
      if (const std::string why = cpp_defect(engine, settings.limits); !why.empty()) return unjudged(why);
    if (task.form == Task::Form::kCppTests) return engine.compiled.test(program, task.cpp, settings);
    if (language == "python") return engine.python.run(program, task.inputs, task.outputs, settings);
    if (language == "cpp") return engine.compiled.run(program, task.inputs, task.outputs, settings);
    for (const Command& c : setup_.commands)
      if (c.name == language)
        return engine.compiled.run_command(c, program, task.inputs, task.outputs, settings);
    return unknown(language);
  });
}

Result Judge::check(const Task& task, const Settings& given) {
  return in_box(given, [&](Engine& engine, const Settings& settings) {
    if (task.form == Task::Form::kPythonTests) return engine.python.check(task.python, settings.limits);
    if (task.form == Task::Form::kCppTests || task.language == "cpp")
      if (const std::string why = cpp_defect(engine, settings.limits); !why.empty()) return unjudged(why);
    if (task.form == Task::Form::kCppTests) return engine.compiled.check(task.cpp, settings.limits);
    const std::string& language = task.language;  // empty: what the code block says, python or cpp
    bool is_known = language.empty() || language == "python" || language == "cpp";
    for (const Command& c : setup_.commands) is_known |= c.name == language;
    return is_known ? Result() : unknown(language);
  });
}

}  // namespace tenon::code
