// Evaluation of a policy while it trains.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/held_out.h"

#include <algorithm>
#include <cmath>

#include "stage_support/parameters.h"

namespace tenon::stages {
namespace {

// Sample ids of evaluations, apart from those of training. The same in every evaluation, so that all draw with the same random numbers.
constexpr uint64_t kFirstId = uint64_t{1} << 62;

constexpr const char* kWhatFor = "held_out.keep: best";

bool is_given(const Host& host) {
  tenon_str written{};
  return host.raw()->get_json(host.raw(), "held_out", &written) == TENON_OK;
}

uint64_t count(const Host& host, const char* option) {
  return static_cast<uint64_t>(host.i64(option));
}

}  // namespace

void ParameterCopy::take(const Model& model) {
  tensors_.clear();
  for (const Parameter& from : cpu_parameters(model, kWhatFor))
    tensors_.emplace_back(from.values.begin(), from.values.end());
}

void ParameterCopy::restore(const tenon_call* call, const Model& model, uint64_t version) const {
  const std::vector<Parameter> to = cpu_parameters(model, kWhatFor);
  for (size_t i = 0; i < to.size(); ++i) {
    if (to.size() != tensors_.size() || to[i].values.size() != tensors_[i].size())
      throw Error(TENON_E_INTERNAL, "the copy of the best parameters is of another model");
    std::copy(tensors_[i].begin(), tensors_[i].end(), to[i].values.begin());
  }
  model.params_updated(call, version);
}

void ParameterCopy::save(Writer& w) const {
  w.value(uint64_t{tensors_.size()});
  for (const auto& tensor : tensors_) {
    w.value(uint64_t{tensor.size()});
    w.bytes(tensor.data(), tensor.size() * sizeof(float));
  }
}

void ParameterCopy::load(Reader& r) {
  tensors_.resize(r.value<uint64_t>());
  for (auto& tensor : tensors_) {
    tensor.resize(r.value<uint64_t>());
    r.bytes(tensor.data(), tensor.size() * sizeof(float));
  }
}

std::optional<HeldOut> HeldOut::of(const Host& host, const Model& model, const Tokenizer& tokenizer) {
  if (!is_given(host)) return std::nullopt;
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
      every_(count(host, "held_out.every")),
      stop_after_(count(host, "held_out.stop_after")),
      min_improvement_(host.f64("held_out.min_improvement")),
      keeps_best_(host.str("held_out.keep") == "best") {
  if (keeps_best_) cpu_parameters(model_, kWhatFor);  // what cannot be copied is said now
  sampler_.check_prompts("held_out/data", model_, tokenizer_, "model.tokenizer", problems_);
}

void HeldOut::check(const Host& host, Findings& findings) {
  if (!is_given(host)) return;
  if (host.i64("held_out.stop_after") == 0)
    findings.no_effect("held_out.min_improvement", "with stop_after: 0 training never ends early");
  if (host.f64_if("held_out.temperature") == 0.0 && host.i64("held_out.samples") > 1)
    findings.error("held_out.samples",
                   "with temperature: 0 all completions of a problem are the same: give 1");
}

bool HeldOut::after(const tenon_call* call, uint64_t step, uint64_t steps) {
  const bool is_last = step + 1 == steps;
  if ((step + 1) % every_ != 0 && !is_last) return false;
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
  host_.metric("held_out/accuracy", accuracy);
  host_.metric("held_out/length", tokens / static_cast<double>(batch.rollout.size()));
  if (judged == 0) {
    host_.warn(
        "held_out: no completion has a number of the first reward, so that nothing is known of this "
        "evaluation");
    best_is_last_ = false;
    return false;
  }
  best_is_last_ = evaluations_ == 0 || accuracy > best_;
  if (best_is_last_) {
    best_ = accuracy, best_step_ = step;
    if (keeps_best_ && !is_last) copy_.take(model_);
  }
  const bool has_risen = evaluations_++ == 0 || accuracy > bar_ + min_improvement_;
  if (has_risen) bar_ = accuracy;
  since_ = has_risen ? 0 : since_ + 1;
  if (stop_after_ == 0 || since_ < stop_after_ || is_last) return false;
  host_.info("training ends after step " + std::to_string(step + 1) + " of " + std::to_string(steps) +
             ": the accuracy on problems held out has not risen for " + std::to_string(since_) +
             " evaluations; the best was " + std::to_string(best_) + " after step " +
             std::to_string(best_step_ + 1));
  return has_ended_ = true;
}

void HeldOut::finish(const tenon_call* call, uint64_t& version) const {
  if (!keeps_best_ || best_is_last_ || copy_.empty()) return;
  copy_.restore(call, model_, ++version);
  host_.info("the parameters of step " + std::to_string(best_step_ + 1) + " are kept, whose accuracy of " +
             std::to_string(best_) + " on problems held out was the best");
}

void HeldOut::save(Writer& w) const {
  w.value(best_), w.value(bar_), w.value(evaluations_), w.value(since_), w.value(best_step_);
  w.value(static_cast<uint8_t>(best_is_last_)), w.value(static_cast<uint8_t>(has_ended_));
  copy_.save(w);
}

void HeldOut::load(Reader& r) {
  best_ = r.value<double>(), bar_ = r.value<double>(), evaluations_ = r.value<uint64_t>();
  since_ = r.value<uint64_t>(), best_step_ = r.value<uint64_t>();
  best_is_last_ = r.value<uint8_t>() != 0, has_ended_ = r.value<uint8_t>() != 0;
  copy_.load(r);
}

}  // namespace tenon::stages
