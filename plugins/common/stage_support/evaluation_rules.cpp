// What follows from evaluations while a model trains.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/evaluation_rules.h"

#include <algorithm>
#include <cmath>

#include "stage_support/parameters.h"

namespace tenon::stages {
namespace {

constexpr const char* kWhatFor = "held_out.keep: best";

std::string whose(uint64_t done) {
  return done == 0 ? "of the model before training" : "of step " + std::to_string(done);
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

bool has_held_out(const Host& host) {
  tenon_str written{};
  return host.raw()->get_json(host.raw(), "held_out", &written) == TENON_OK;
}

EvaluationRules::EvaluationRules(const Host& host, const Model& model, std::string what, Better better)
    : host_(host),
      model_(model),
      what_(std::move(what)),
      sign_(better == Better::kHigher ? 1 : -1),
      every_(static_cast<uint64_t>(host.i64("held_out.every"))),
      stop_after_(static_cast<uint64_t>(host.i64("held_out.stop_after"))),
      min_improvement_(host.f64("held_out.min_improvement")),
      keeps_best_(host.str("held_out.keep") == "best") {
  if (keeps_best_) cpu_parameters(model_, kWhatFor);  // what cannot be copied is said now
}

void EvaluationRules::check(const Host& host, Findings& findings) {
  if (has_held_out(host) && host.i64("held_out.stop_after") == 0)
    findings.no_effect("held_out.min_improvement", "with stop_after: 0 training never ends early");
}

bool EvaluationRules::is_due(uint64_t step, uint64_t steps) const {
  return step + 1 == steps || (step > 0 && (step + 1) % every_ == 0);
}

bool EvaluationRules::judge(double value, uint64_t done, uint64_t steps) {
  if (!std::isfinite(value)) {
    best_is_last_ = false;
    return false;
  }
  const double now = sign_ * value;
  best_is_last_ = evaluations_ == 0 || now > best_;
  if (best_is_last_) {
    best_ = now, best_done_ = done;
    if (keeps_best_ && done != steps) copy_.take(model_);
  }
  const bool is_better = evaluations_++ == 0 || now > bar_ + min_improvement_;
  if (is_better) bar_ = now;
  since_ = is_better ? 0 : since_ + 1;
  if (stop_after_ == 0 || since_ < stop_after_ || done == steps) return best_is_last_;
  has_ended_ = true;
  host_.info("training ends after step " + std::to_string(done) + " of " + std::to_string(steps) + ": the " +
             what_ + " on what is held out was not better for " + std::to_string(since_) +
             " evaluations; the best, " + std::to_string(sign_ * best_) + ", was that " + whose(best_done_));
  return best_is_last_;
}

void EvaluationRules::finish(const tenon_call* call, uint64_t& version) const {
  if (!ends_with_earlier()) return;
  copy_.restore(call, model_, ++version);
  host_.info("the parameters " + whose(best_done_) + " are kept, whose " + what_ + " of " +
             std::to_string(sign_ * best_) + " on what is held out was the best");
}

void EvaluationRules::save(Writer& w) const {
  w.value(best_), w.value(bar_), w.value(evaluations_), w.value(since_), w.value(best_done_);
  w.value(static_cast<uint8_t>(best_is_last_)), w.value(static_cast<uint8_t>(has_ended_));
  copy_.save(w);
}

void EvaluationRules::load(Reader& r) {
  best_ = r.value<double>(), bar_ = r.value<double>(), evaluations_ = r.value<uint64_t>();
  since_ = r.value<uint64_t>(), best_done_ = r.value<uint64_t>();
  best_is_last_ = r.value<uint8_t>() != 0, has_ended_ = r.value<uint8_t>() != 0;
  copy_.load(r);
}

}  // namespace tenon::stages
