// Evaluation of a policy while it trains.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/held_out.h"

#include <algorithm>
#include <cmath>

namespace tenon::stages {
namespace {

// Sample ids of evaluations, apart from those of training. The same in every evaluation, so that all draw with the same random numbers.
constexpr uint64_t kFirstId = uint64_t{1} << 62;

uint64_t count(const Host& host, const char* option) {
  return static_cast<uint64_t>(host.i64(option));
}

}  // namespace

std::optional<HeldOut> HeldOut::of(const Host& host, const Model& model, const Tokenizer& tokenizer) {
  if (!has_held_out(host)) return std::nullopt;
  return HeldOut(host, model, tokenizer);
}

HeldOut::HeldOut(const Host& host, const Model& model, const Tokenizer& tokenizer)
    : host_(host),
      model_(model),
      tokenizer_(tokenizer),
      data_(host.get_component<Dataset>("held_out/data")),
      sampler_(host, "held_out.", CompletionSampler::Filters::kNone),
      problems_(count(host, "held_out.problems")),
      samples_(count(host, "held_out.samples")),
      rules_(host, model, "accuracy", EvaluationRules::Better::kHigher) {
  sampler_.check_prompts("held_out/data", model_, tokenizer_, "model.tokenizer", problems_);
}

void HeldOut::check(const Host& host, Findings& findings) {
  if (!has_held_out(host)) return;
  EvaluationRules::check(host, findings);
  if (host.f64_if("held_out.temperature") == 0.0 && host.i64("held_out.samples") > 1)
    findings.error("held_out.samples",
                   "with temperature: 0 all completions of a problem are the same: give 1");
}

void HeldOut::before(const tenon_call* call, uint64_t steps) {
  evaluate(call, 0, steps, !rules_.is_due(0, steps));
}

bool HeldOut::after(const tenon_call* call, uint64_t step, uint64_t steps) {
  if (!rules_.is_due(step, steps)) return false;
  evaluate(call, step + 1, steps, true);
  return rules_.has_ended();
}

void HeldOut::evaluate(const tenon_call* call, uint64_t done, uint64_t steps, bool is_recorded) {
  const Timed timed(host_, "held_out");
  const uint64_t n = std::min(problems_, data_.count());
  std::vector<Row> rows = data_.read(call, 0, n);
  for (uint64_t p = 0; p < n; ++p) rows[p].index = p;
  const Sampled batch = sampler_.sample(call, model_, tokenizer_, rows, samples_, kFirstId, 0);
  double right = 0, judged = 0, tokens = 0;
  for (uint64_t i = 0; i < batch.rollout.size(); ++i) {
    tokens += static_cast<double>(batch.rollout.completion_len(i));
    if (std::isfinite(batch.first[i])) right += batch.first[i], ++judged;
  }
  const double accuracy = judged > 0 ? right / judged : std::nan("");
  if (is_recorded) {
    host_.metric("held_out/accuracy", accuracy);
    host_.metric("held_out/length", tokens / static_cast<double>(batch.rollout.size()));
  }
  if (judged == 0)
    host_.warn(
        "held_out: no completion has a number of the first reward, so that nothing is known of this "
        "evaluation");
  rules_.judge(accuracy, done, steps);
}

}  // namespace tenon::stages
