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
using tenon::RewardOutcome;
using tenon::Sample;

nanoseconds seconds(double s) {
  return duration_cast<nanoseconds>(duration<double>(s));
}

constexpr const char* kFormats[] = {"text", "messages", nullptr};

class Python {
 public:
  static constexpr uint32_t kFlags = TENON_C_MAY_BLOCK;

  explicit Python(tenon::Host host)
      : host_(host), limit_(seconds(host.f64("timeout"))), batch_(static_cast<uint64_t>(host.i64("batch"))) {
    const auto [file, function] = split(host.str("file"));
    if (file.empty())
      throw tenon::Error(TENON_E_INVALID,
                         "file: " + host.str("file") + " names no function: write rewards.py:function");
    const Format format = host.str("format") == "text" ? Format::kText : Format::kMessages;
    worker_ = std::make_unique<tenon::python::Worker>(host.str("interpreter"), file, function, format);
    worker_->start();
  }

  std::vector<RewardOutcome> operator()(const std::vector<Sample>& samples, const tenon_call* call) const {
    const size_t batch = batch_ == 0 ? std::max<size_t>(samples.size(), 1) : batch_;
    std::vector<RewardOutcome> out;
    for (size_t begin = 0; begin < samples.size(); begin += batch) {
      const bool is_late = tenon::is_past_deadline(call);
      if (!is_late)
        host_.throw_if_cancelled(call);  // past the deadline it would throw too: what is judged stays
      const auto part = std::span(samples).subspan(begin, std::min(batch, samples.size() - begin));
      for (RewardOutcome& outcome : is_late ? late(part.size()) : judged(part, call))
        out.push_back(std::move(outcome));
    }
    return out;
  }

 private:
  using Format = tenon::python::Format;

  // "rewards.py" and "fn" of "rewards.py:fn".
  static std::pair<std::string, std::string> split(const std::string& text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() ||
        text.find('/', colon) != std::string::npos)
      return {};
    return {text.substr(0, colon), text.substr(colon + 1)};
  }
  static std::vector<RewardOutcome> late(size_t n) {
    return std::vector<RewardOutcome>(
        n, {TENON_R_TIMED_OUT, 0, "the deadline (run.reward_timeout) passed before its turn"});
  }
  // Outcomes of samples that one call of the function judges.
  std::vector<RewardOutcome> judged(std::span<const Sample> samples, const tenon_call* call) const {
    nanoseconds limit = limit_;
    if (call != nullptr && call->deadline_ns != 0)
      limit = std::min(limit,
                       nanoseconds(call->deadline_ns) - std::chrono::steady_clock::now().time_since_epoch());
    std::vector<tenon::python::SampleText> texts;
    for (const Sample& s : samples) texts.push_back({s.prompt, s.completion, s.meta_json, s.tokens});
    try {
      return worker_->score(texts, limit);
    } catch (const tenon::Error& e) {  // it was killed, and does not start again
      return std::vector<RewardOutcome>(samples.size(), {TENON_R_CRASHED, 0, e.what()});
    }
  }

  tenon::Host host_;
  nanoseconds limit_;
  uint64_t batch_;
  std::unique_ptr<tenon::python::Worker> worker_;
};

}  // namespace

TENON_BATCH_REWARD_PLUGIN(
    Python, "python", "1.0.0", "A function of a Python file with TRL's signature, in a process of its own.",
    tenon::path("file", "The file and its function: rewards.py:fn.", {.flags = TENON_O_REQUIRED}),
    tenon::text("interpreter", "\"python3\"",
                "The Python 3 to run it with, that of a virtual environment for example."),
    tenon::choice(
        "format", kFormats, "\"text\"",
        "How the function gets prompts and completions: text, or messages, TRL's conversational form: "
        "[{\"role\": \"assistant\", \"content\": …}]."),
    tenon::integer("batch", "0",
                   "Samples of one call of the function; 0: all that there are. A call that hangs costs the "
                   "samples of the call.",
                   {.min = "0", .max = "1000000", .unit = "samples"}),
    tenon::option(TENON_T_DURATION, "timeout", "\"60s\"",
                  "Of one call; after it the process is killed, and started again for the "
                  "next call.",
                  {.min = "0.001", .unit = "seconds"}))
