// Reward `python`: a function of a Python file, with the signature that TRL's reward functions have.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>

#include "tenon/reward.hpp"
#include "worker.h"

namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

nanoseconds seconds(double s) {
  return duration_cast<nanoseconds>(duration<double>(s));
}

class Python {
 public:
  explicit Python(tenon::Host host)
      : host_(host), limit_(seconds(host.f64("timeout"))), batch_(static_cast<uint64_t>(host.i64("batch"))) {
    const auto [file, function] = split(host.str("file"));
    if (file.empty())
      throw tenon::Error(TENON_E_INVALID,
                         "file: " + host.str("file") + " names no function: write rewards.py:function");
    worker_ = std::make_unique<tenon::python::Worker>(host.str("interpreter"), file, function);
    worker_->start();
  }

  void score(const tenon_call* call, const tenon_reward_in& in, tenon_reward_out& out) {
    for (uint64_t begin = 0; begin < in.n;) {
      const uint64_t end = batch_ == 0 ? in.n : std::min(in.n, begin + batch_);
      nanoseconds limit = limit_;
      if (call != nullptr && call->deadline_ns != 0)
        limit = std::min(
            limit, nanoseconds(call->deadline_ns) - std::chrono::steady_clock::now().time_since_epoch());
      if (limit <= nanoseconds(0)) {
        fill(out, begin, in.n, TENON_R_TIMED_OUT, "the deadline (run.reward_timeout) passed before its turn");
        return;
      }
      host_.throw_if_cancelled(call);
      one(in, out, begin, end, limit);
      begin = end;
    }
  }

 private:
  // "rewards.py" and "fn" of "rewards.py:fn".
  static std::pair<std::string, std::string> split(const std::string& text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() ||
        text.find('/', colon) != std::string::npos)
      return {};
    return {text.substr(0, colon), text.substr(colon + 1)};
  }
  static void say(tenon_reward_out& out, uint64_t i, const std::string& why) {
    if (!why.empty() && out.reason != nullptr) out.reason(out.ctx, i, why.data(), why.size());
  }
  static void fill(tenon_reward_out& out, uint64_t begin, uint64_t end, int32_t status,
                   const std::string& why) {
    for (uint64_t i = begin; i < end; ++i) out.reward[i] = 0, out.status[i] = status, say(out, i, why);
  }

  void one(const tenon_reward_in& in, tenon_reward_out& out, uint64_t begin, uint64_t end,
           nanoseconds limit) {
    std::vector<tenon::python::SampleText> samples;
    for (uint64_t i = begin; i < end; ++i)
      samples.push_back({tenon::text_row(in.prompt, i), tenon::text_row(in.completion, i),
                         tenon::text_row(in.meta_json, i),
                         in.tokens.n > i ? tenon::row<int32_t>(in.tokens, i) : std::span<const int32_t>()});
    std::vector<tenon::python::Outcome> outcomes;
    try {
      outcomes = worker_->score(samples, limit);
    } catch (const tenon::Error& e) {  // it was killed, and does not start again
      fill(out, begin, end, TENON_R_CRASHED, e.what());
      return;
    }
    for (uint64_t i = begin; i < end; ++i) {
      out.reward[i] = outcomes[i - begin].reward, out.status[i] = outcomes[i - begin].status;
      say(out, i, outcomes[i - begin].reason);
    }
  }

  tenon::Host host_;
  nanoseconds limit_;
  uint64_t batch_;
  std::unique_ptr<tenon::python::Worker> worker_;
};

struct PythonShim {
  static constexpr const char* kKind = "reward";
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error* err) {
    return tenon::guard(err, [&] { static_cast<Python*>(self)->score(call, *in, *out); });
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

constexpr tenon::OptionTable kOptions{
    tenon::path("file", "The file and its function: rewards.py:fn.", {.flags = TENON_O_REQUIRED}),
    tenon::text("interpreter", "\"python3\"",
                "The Python 3 to run it with, that of a virtual environment for example."),
    tenon::integer("batch", "0",
                   "Samples of one call of the function; 0: all that there are. A call that hangs costs the "
                   "samples of the call.",
                   {.min = "0", .max = "1000000", .unit = "samples"}),
    tenon::option(TENON_T_DURATION, "timeout", "\"60s\"",
                  "Of one call; after it the process is killed, and started again for the "
                  "next call.",
                  {.min = "0.001", .unit = "seconds"})};

constexpr tenon_component kPython = tenon::component<Python, PythonShim>(
    "python", "0.1.0", "A function of a Python file with TRL's signature, in a process of its own.",
    kOptions);

}  // namespace

TENON_PLUGIN("python", "0.1.0", &kPython)
