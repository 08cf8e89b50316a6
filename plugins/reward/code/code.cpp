// Reward `code`: does the program that the policy wrote pass the row's tests? Everything untrusted runs in a sandbox; expected results stay outside.
// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "judge.h"
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

constexpr const char* kDefaultCompiler = "g++";
constexpr const char* kDefaultFlags[] = {"-std=c++17", "-O2", "-pipe"};

// Whether rows may be judged in C++.
bool may_need_cpp(const std::string& language) {
  return language == "cpp" || language == "auto";
}

class Code {
 public:
  static constexpr uint32_t kFlags = TENON_C_BATCH_INVARIANT | TENON_C_MAY_BLOCK;
  static constexpr const char* kDoc =
      "A run of the same program gives the same verdict as long as its processor time is not near the limit.";

  explicit Code(tenon::Host host)
      : host_(host),
        language_(language_of(host.str("language"))),
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
      commands_.push_back(
          {language_of(field("name")), field("file"), field("build"), field("keep"), field("run")});
    }
    workers_ = host.i64("workers") > 0 ? static_cast<uint64_t>(host.i64("workers"))
                                       : std::max(1u, std::thread::hardware_concurrency());
    open();
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    try {
      find_python(host.str("python"));
    } catch (const std::runtime_error& e) {
      findings.error("python", e.what());
    }
    try {
      find_compiler(host.str("compiler"), may_need_cpp(language_of(host.str("language"))));
    } catch (const std::runtime_error& e) {
      findings.error("compiler", e.what());
    }
    const std::string language = language_of(host.str("language"));
    bool is_known = language == "python" || language == "cpp" || language == "auto";
    for (uint64_t k = 0; k < host.count("commands"); ++k) {
      const std::string at = "commands." + std::to_string(k) + ".";
      const std::string name = language_of(host.str((at + "name").c_str()));
      is_known |= name == language;
      if (name == "python" || name == "cpp" || name == "auto")
        findings.error((at + "name").c_str(), name + " is built in; choose another name");
      if (host.str((at + "file").c_str()).find('/') != std::string::npos)
        findings.error((at + "file").c_str(), "is a file name, without folders");
      if (!host.str((at + "build").c_str()).empty() && host.str((at + "keep").c_str()).empty())
        findings.error((at + "keep").c_str(), "is empty: name the file that build makes");
    }
    if (!is_known)
      findings.error("language", host.str("language") +
                                     " is neither python nor cpp nor auto nor a name of `commands`; add how "
                                     "it is run there");
    if (host.str("sandbox.minimum") == "seccomp")
      findings.warning(
          "sandbox.minimum",
          "with seccomp alone, programs that the policy wrote can read every file that this user can read");
  }

  // Judges all samples of a call, several at a time.
  std::vector<tenon::RewardOutcome> operator()(const std::vector<tenon::Sample>& samples,
                                               const tenon_call* call) {
    std::vector<Judged> judged(samples.size());
    std::atomic<size_t> next{0};
    auto work = [&] {
      for (size_t i = 0; (i = next.fetch_add(1)) < samples.size();) {
        Judged& one = judged[i];
        samples[i].judging(true);
        one.outcome = tenon::outcome_or_why([&]() -> tenon::RewardOutcome {
          one.result = judge(call, samples[i]);
          return {TENON_R_OK, 0, {}};
        });
        samples[i].judging(false);
      }
    };
    {
      std::vector<std::jthread> threads;
      try {
        for (size_t k = 1; k < std::min<size_t>(workers_, samples.size()); ++k) threads.emplace_back(work);
      } catch (const std::system_error&) {  // fewer threads take longer
      }
      work();
    }
    std::vector<tenon::RewardOutcome> outcomes;
    for (size_t i = 0; i < samples.size(); ++i)
      outcomes.push_back(judged[i].outcome.status == TENON_R_OK ? outcome(judged[i].result, samples[i])
                                                                : judged[i].outcome);
    return outcomes;
  }

 private:
  struct Judged {
    Result result;
    tenon::RewardOutcome outcome;  // not ok: there is no result
  };

  tenon::RewardOutcome outcome(const Result& r, const tenon::Sample& sample) const {
    const std::string text = printable(std::string(name_of(r.verdict)) + ": " + r.detail +
                                       (r.detail.empty() ? "" : " ") + "[" + sandbox::name_of(r.layer) + "]");
    if (r.verdict == Verdict::kSandboxError) return {TENON_R_CRASHED, 0, text};
    if (r.verdict == Verdict::kUnjudged) return {TENON_R_NOT_APPLICABLE, 0, text};
    const double share = r.total == 0 ? 0 : static_cast<double>(r.passed) / static_cast<double>(r.total);
    sample.note("passed", share);
    sample.note("cpu_seconds", r.cpu_seconds);
    sample.note("peak_mib", r.peak_mib);
    sample.note("sandbox_layer", static_cast<double>(static_cast<uint32_t>(r.layer)));
    if (r.verdict == Verdict::kOk) return {TENON_R_OK, right_, text};
    return {TENON_R_OK, share_ ? wrong_ + share * (right_ - wrong_) : wrong_, text};
  }

  void open() {
    JudgeSetup setup;
    setup.python = find_python(host_.str("python"));
    setup.flags = host_.strs("flags");
    setup.commands = commands_;
    const std::string minimum = host_.str("sandbox.minimum");
    setup.box.minimum = minimum == "namespaces" ? sandbox::Layer::kRootNamespaces
                        : minimum == "landlock" ? sandbox::Layer::kLandlock
                                                : sandbox::Layer::kSeccomp;
    for (const std::string& folder : setup.python.folders) setup.box.read_only.push_back(folder);
    for (const std::string& folder : host_.strs("sandbox.read_only")) setup.box.read_only.push_back(folder);
    setup.compiler = find_compiler(host_.str("compiler"), may_need_cpp(language_));
    const uint64_t largest = std::max(settings_.limits.memory, settings_.limits.build_memory);
    setup.box.memory = workers_ * (largest + setup.box.work_bytes) + setup.box.shared_bytes;
    setup.box.processes = workers_ * 300 + 64;
    const std::string version = setup.python.version;
    // With rows of Python alone it need not work, unless somebody has chosen it.
    const bool tries_cpp = !setup.compiler.empty() && (may_need_cpp(language_) || chose_a_compiler());
    try {
      judge_ = std::make_unique<Judge>(std::move(setup));
      judge_->try_out(tries_cpp, settings_.limits);
    } catch (const sandbox::Error& e) {
      throw tenon::Error(TENON_E_UNSUPPORTED,
                         std::string(e.what()) + " (option sandbox.minimum is " + minimum + ")");
    } catch (const std::runtime_error& e) {
      throw tenon::Error(TENON_E_INVALID, e.what());
    }
    std::string text;
    for (const std::string& line : judge_->description()) text += (text.empty() ? "" : ", ") + line;
    host_.info("sandbox: " + text + "; Python " + version);
  }

  bool chose_a_compiler() const {
    const auto flags = host_.strs("flags");
    return host_.str("compiler") != kDefaultCompiler ||
           !std::equal(flags.begin(), flags.end(), std::begin(kDefaultFlags), std::end(kDefaultFlags));
  }

  Result judge(const tenon_call* call, const tenon::Sample& sample) {
    if (tenon::is_past_deadline(call))
      throw tenon::NoReward{TENON_R_TIMED_OUT, "the deadline (run.reward_timeout) passed before its turn"};
    host_.throw_if_cancelled(call);
    const Task task = read_task(sample.meta_json, sample.prompt);
    std::string language;
    const std::string program = program_of(task, sample.completion, language_, language);
    if (!program.empty()) return judge_->judge(task, program, language, settings_);
    Result result =
        judge_->check(task, settings_);  // a row that can judge nothing is no row that this sample fails
    result.fail(Verdict::kNoCode, "the completion has no code");
    return result;
  }

  const tenon::Host host_;
  const std::string language_;
  Settings settings_;
  const bool share_;
  const double right_, wrong_;
  uint64_t workers_ = 1;
  std::vector<Command> commands_;
  std::unique_ptr<Judge> judge_;
};

constexpr tenon::OptionTable kOptions{
    tenon::text("language", "\"auto\"",
                "python, cpp, or a name of `commands`: of rows that do not say theirs. auto: what the code "
                "block says, python without."),
    tenon::option(TENON_T_DURATION, "time", "\"5s\"", "Processor time of one process.", {.min = "\"10ms\""}),
    tenon::option(TENON_T_DURATION, "wall_time", nullptr,
                  "Wall-clock time of one process; 2 * time + 2 s unless given.", {.min = "\"10ms\""}),
    tenon::option(TENON_T_DURATION, "build_time", "\"30s\"", "Wall-clock time of a compilation.",
                  {.min = "\"10ms\""}),
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
constexpr tenon_component kComponent = tenon::component<Code, tenon::BatchRewardShim<Code>>(
    "code", "1.0.0", "Whether a program passes the row's tests, run in a sandbox", kOptions);

}  // namespace

TENON_PLUGIN("code", "1.0.0", &kComponent)
