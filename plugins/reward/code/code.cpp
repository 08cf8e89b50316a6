// Reward `code`: does the program that the policy wrote pass the row's tests? Everything untrusted runs in a sandbox; expected results stay outside.
// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <mutex>
#include <thread>

#include "compiled.h"
#include "python.h"
#include "sandbox/sandbox.h"
#include "task.h"
#include "tenon/reward.hpp"

namespace {

using namespace tenon::code;
namespace sandbox = tenon::sandbox;

constexpr const char* kMinima[] = {"namespaces", "landlock", "seccomp", nullptr};
constexpr const char* kCompares[] = {"tokens", "lines", "exact", nullptr};
constexpr const char* kCredits[] = {"all", "share", nullptr};

constexpr tenon::OptionTable kSandbox{
    tenon::choice("minimum", kMinima, "\"landlock\"",
                  "The weakest sandbox to work with; below it the component is not created. namespaces: "
                  "user, pid, mount, net, ipc and uts namespaces. landlock: files and "
                  "system calls restricted, no namespaces. seccomp: system calls alone, so that programs can "
                  "read every world-readable file."),
    tenon::text("read_only", nullptr,
                "Further folders that programs may read, such as that of an interpreter.",
                {.flags = TENON_O_LIST}),
};
constexpr tenon::OptionTable kCommands{
    tenon::text("name", nullptr,
                "The language: what a row's field `language` and the tag of a code block say.",
                {.flags = TENON_O_REQUIRED}),
    tenon::text("file", nullptr, "The file that the solution is put into.", {.flags = TENON_O_REQUIRED}),
    tenon::text("build", "\"\"", "Shell text that builds it; empty: nothing is to be built."),
    tenon::text("keep", "\"\"", "The one file that the build makes and that the tests need."),
    tenon::text("run", nullptr, "Shell text that runs it, on standard input and output.",
                {.flags = TENON_O_REQUIRED}),
};

class Code {
 public:
  static constexpr uint32_t kFlags = TENON_C_BATCH_INVARIANT | TENON_C_MAY_BLOCK;
  static constexpr const char* kDoc =
      "A run of the same program gives the same verdict as long as its processor time is not near the limit.";

  explicit Code(tenon::Host host)
      : host_(host),
        language_(host.str("language")),
        share_(host.str("credit") == "share"),
        right_(host.f64("right")),
        wrong_(host.f64("wrong")) {
    Limits& l = settings_.limits;
    l.cpu_seconds = host.f64("time");
    l.wall_seconds = host.f64_if("wall_time").value_or(2 * l.cpu_seconds + 2);
    l.build_seconds = host.f64("build_time");
    l.memory = static_cast<uint64_t>(host.i64("memory"));
    l.output = static_cast<uint64_t>(host.i64("output"));
    l.stack = std::min<uint64_t>(l.stack, l.memory / 4);
    settings_.all_tests = share_;
    settings_.tolerance = host.f64("tolerance");
    const std::string compare = host.str("compare");
    settings_.compare = compare == "tokens"  ? Compare::kTokens
                        : compare == "lines" ? Compare::kLines
                                             : Compare::kExact;
    for (uint64_t k = 0; k < host.count("commands"); ++k) {
      auto field = [&](const char* name) {
        return host.str(("commands." + std::to_string(k) + "." + name).c_str());
      };
      commands_.push_back({field("name"), field("file"), field("build"), field("keep"), field("run")});
    }
    workers_ = host.i64("workers") > 0 ? static_cast<uint64_t>(host.i64("workers"))
                                       : std::max(1u, std::thread::hardware_concurrency());
    open();
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    for (uint64_t k = 0; k < host.count("commands"); ++k) {
      const std::string at = "commands." + std::to_string(k) + ".";
      const std::string name = host.str((at + "name").c_str());
      if (name == "python" || name == "cpp")
        findings.error((at + "name").c_str(), name + " is built in; choose another name");
      if (host.str((at + "file").c_str()).find('/') != std::string::npos)
        findings.error((at + "file").c_str(), "is a file name, without folders");
      if (!host.str((at + "build").c_str()).empty() && host.str((at + "keep").c_str()).empty())
        findings.error((at + "keep").c_str(), "is empty: name the file that build makes");
    }
    if (host.str("sandbox.minimum") == "seccomp")
      findings.warning(
          "sandbox.minimum",
          "with seccomp alone, programs that the policy wrote can read every file that this user can read");
  }

  // Judges all samples of a call, several at a time; operator() then hands the results out.
  void judge_all(const tenon_call* call, const tenon_reward_in& in) {
    results_.assign(in.n, {});
    std::atomic<uint64_t> next{0};
    auto work = [&] {
      for (uint64_t i = 0; (i = next.fetch_add(1)) < in.n;) results_[i] = judge(call, in, i);
    };
    std::vector<std::thread> threads;
    for (uint64_t k = 1; k < std::min(workers_, in.n); ++k) threads.emplace_back(work);
    work();
    for (std::thread& t : threads) t.join();
  }

  double operator()(const tenon::Sample& sample) {
    const Judged& judged = results_.at(sample.index);
    if (judged.refused) throw *judged.refused;
    const Result& r = judged.result;
    const std::string text = std::string(name_of(r.verdict)) + ": " + r.detail +
                             (r.detail.empty() ? "" : " ") + "[" + sandbox::name_of(box_->layer()) + "]";
    if (r.verdict == Verdict::kSandboxError) throw tenon::NoReward{TENON_R_CRASHED, text};
    if (r.verdict == Verdict::kUnjudged) tenon::refuse(text);
    const double share = r.total == 0 ? 0 : static_cast<double>(r.passed) / static_cast<double>(r.total);
    sample.note("passed", share);
    sample.note("cpu_seconds", r.cpu_seconds);
    sample.note("peak_mib", r.peak_mib);
    sample.note("sandbox_layer", static_cast<double>(static_cast<uint32_t>(box_->layer())));
    if (sample.out->reason != nullptr)
      sample.out->reason(sample.out->ctx, sample.index, text.data(), text.size());
    if (r.verdict == Verdict::kOk) return right_;
    return share_ ? wrong_ + share * (right_ - wrong_) : wrong_;
  }

 private:
  struct Judged {
    Result result;
    std::optional<tenon::NoReward> refused;
  };

  void open() {
    const Interpreter python = find_python(host_.str("python"));
    compiler_ = host_.str("compiler");
    if (compiler_.find('/') == std::string::npos)
      for (const char* folder : {"/usr/bin/", "/usr/local/bin/"})
        if (access((folder + compiler_).c_str(), X_OK) == 0) compiler_ = folder + compiler_;
    if (needs_cpp() && access(compiler_.c_str(), X_OK) != 0)
      throw tenon::Error(TENON_E_INVALID,
                         "no C++ compiler: \"" + compiler_ +
                             "\" is not there; install g++ or set option compiler to its path");
    sandbox::BoxSetup setup;
    const std::string minimum = host_.str("sandbox.minimum");
    setup.minimum = minimum == "namespaces" ? sandbox::Layer::kRootNamespaces
                    : minimum == "landlock" ? sandbox::Layer::kLandlock
                                            : sandbox::Layer::kSeccomp;
    for (const std::string& folder : python.folders) setup.read_only.push_back(folder);
    for (const std::string& folder : host_.strs("sandbox.read_only")) setup.read_only.push_back(folder);
    const uint64_t largest = std::max(settings_.limits.memory, settings_.limits.build_memory);
    setup.memory = workers_ * (largest + setup.work_bytes) + setup.shared_bytes;
    setup.processes = workers_ * 300 + 64;
    try {
      box_ = sandbox::Sandbox::start(setup);
      python_ = std::make_unique<Python>(*box_, python);
      python_->start();
    } catch (const sandbox::Error& e) {
      throw tenon::Error(TENON_E_UNSUPPORTED,
                         std::string(e.what()) + " (option sandbox.minimum is " + minimum + ")");
    }
    std::string text;
    for (const std::string& line : box_->description()) text += (text.empty() ? "" : ", ") + line;
    host_.info("sandbox: " + text + "; Python " + python.version);
    compiled_ = std::make_unique<Compiled>(*box_, compiler_, host_.strs("flags"));
  }
  bool needs_cpp() const { return language_ == "cpp" || language_ == "auto"; }

  Judged judge(const tenon_call* call, const tenon_reward_in& in, uint64_t i) {
    Judged out;
    try {
      if (tenon::RewardShim<Code>::is_past_deadline(call))
        throw tenon::NoReward{TENON_R_TIMED_OUT, "the deadline (run.reward_timeout) passed before its turn"};
      host_.throw_if_cancelled(call);
      const Task task = read_task(tenon::text_row(in.meta_json, i), tenon::text_row(in.prompt, i));
      std::string language;
      const std::string program = program_of(task, tenon::text_row(in.completion, i), language_, language);
      if (program.empty())
        out.result.fail(Verdict::kNoCode, "the completion is empty");
      else
        out.result = judge(task, program, language);
    } catch (const tenon::NoReward& e) {
      out.refused = e;
    } catch (const sandbox::Error& e) {
      out.result.fail(Verdict::kSandboxError, e.what());
    } catch (const tenon::Error& e) {
      out.refused = tenon::NoReward{
          e.code() == TENON_E_CANCELLED || e.code() == TENON_E_TIMEOUT ? TENON_R_TIMED_OUT : TENON_R_REFUSED,
          e.what()};
    } catch (const std::exception& e) {
      out.refused = tenon::NoReward{TENON_R_CRASHED, e.what()};
    }
    return out;
  }

  Result judge(const Task& task, const std::string& program, const std::string& language) {
    if (task.form == Task::Form::kPythonTests) return python_->test(program, task.python, settings_);
    if (task.form == Task::Form::kCppTests) return compiled_->test(program, task.cpp, settings_);
    if (language == "python") return python_->run(program, task.inputs, task.outputs, settings_);
    if (language == "cpp") return compiled_->run(program, task.inputs, task.outputs, settings_);
    for (const Command& c : commands_)
      if (c.name == language) return compiled_->run_command(c, program, task.inputs, task.outputs, settings_);
    tenon::refuse("language \"" + language + "\" is neither python nor cpp nor in the option commands");
  }

  const tenon::Host host_;
  const std::string language_;
  Settings settings_;
  const bool share_;
  const double right_, wrong_;
  uint64_t workers_ = 1;
  std::string compiler_;
  std::vector<Command> commands_;
  std::unique_ptr<sandbox::Sandbox> box_;  // outlives what follows
  std::unique_ptr<Python> python_;
  std::unique_ptr<Compiled> compiled_;
  std::vector<Judged> results_;
};

// As RewardShim, with all samples of a call judged side by side first.
struct CodeShim : tenon::RewardShim<Code> {
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error* err) {
    return tenon::guard(err, [&] {
      Code& code = *static_cast<Code*>(self);
      code.judge_all(call, *in);
      for (uint64_t i = 0; i < in->n; ++i) one(code, nullptr, *in, *out, i);
    });
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

constexpr tenon::OptionTable kOptions{
    tenon::text("language", "\"auto\"",
                "python, cpp, or a name of `commands`: of rows that do not say theirs. auto: what the code "
                "block says, python without."),
    tenon::option(TENON_T_DURATION, "time", "\"5s\"", "Processor time of one process."),
    tenon::option(TENON_T_DURATION, "wall_time", nullptr,
                  "Wall-clock time of one process; 2 * time + 2 s unless given."),
    tenon::option(TENON_T_DURATION, "build_time", "\"30s\"", "Wall-clock time of a compilation."),
    tenon::option(TENON_T_BYTES, "memory", "\"1GiB\"", "Address space of one process.", {.min = "67108864"}),
    tenon::option(TENON_T_BYTES, "output", "\"16MiB\"", "What a process may print.", {.min = "1024"}),
    tenon::choice("credit", kCredits, "\"all\"",
                  "all: `right` when every test passes. share: in between, by the share of tests that pass."),
    tenon::choice("compare", kCompares, "\"tokens\"",
                  "Printed output. tokens: line by line the same words, numbers with a point within "
                  "`tolerance`; lines: blanks at line ends aside; exact: the same bytes."),
    tenon::number(
        "tolerance", "1e-6",
        "Where the expected number is a floating-point one: largest |difference| / max(1, |expected|).",
        {.min = "0"}),
    tenon::number("right", "1", "The reward of a program that passes."),
    tenon::number("wrong", "0", "The reward of one that does not."),
    tenon::text("python", "\"auto\"",
                "The interpreter, 3.9 or later, by name or path. auto: /usr/bin/python3, else the first of "
                "the path."),
    tenon::text("compiler", "\"g++\"", "The C++ compiler, by name or path."),
    tenon::text("flags", "[\"-std=c++17\", \"-O2\", \"-pipe\"]", "Options of the compiler.",
                {.flags = TENON_O_LIST}),
    tenon::object("commands", kCommands, "Further languages, for tests on standard input and output.",
                  {.flags = TENON_O_LIST}),
    tenon::integer("workers", "0", "Programs judged at the same time; 0: one each processor.",
                   {.min = "0", .max = "1024"}),
    tenon::object("sandbox", kSandbox, "Where programs run."),
};
constexpr tenon_component kComponent = tenon::component<Code, CodeShim>(
    "code", "1.0.0", "Whether a program passes the row's tests, run in a sandbox", kOptions);

}  // namespace

TENON_PLUGIN("code", "1.0.0", &kComponent)
