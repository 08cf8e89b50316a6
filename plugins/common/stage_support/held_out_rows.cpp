// Evaluation of a model on rows held out while it trains.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/held_out_rows.h"

#include <algorithm>
#include <cmath>

#include "stage_support/provenance.h"
#include "stage_support/row_check.h"

namespace tenon::stages {

double HeldOutNumbers::at(const std::string& name) const {
  for (const auto& [key, value] : values_)
    if (key == name) return value;
  return std::nan("");
}

void HeldOutNumbers::save(Writer& w) const {
  w.value(uint64_t{values_.size()});
  for (const auto& [name, value] : values_) w.string(name), w.value(value);
}

void HeldOutNumbers::load(Reader& r) {
  values_.resize(r.value<uint64_t>());
  for (auto& [name, value] : values_) name = r.string(), value = r.value<double>();
}

std::optional<HeldOutRows> HeldOutRows::of(const Host& host, const Model& model, By by,
                                           const std::function<void(const Row&)>& try_row, Judge judge) {
  if (!has_held_out(host)) return std::nullopt;
  HeldOutRows out(host, model, by == By::kLoss ? "loss" : host.str("held_out.by"), std::move(judge));
  check_rows(host, "held_out/data", "model.tokenizer", out.rows_, try_row);
  return out;
}

HeldOutRows::HeldOutRows(const Host& host, const Model& model, const std::string& by, Judge judge)
    : host_(host),
      model_(model),
      data_(host.get_component<Dataset>("held_out/data")),
      benchmark_("held-out " + written_name(host, "held_out.data", "rows")),
      rows_(static_cast<uint64_t>(host.i64("held_out.rows"))),
      by_(by),
      judge_(std::move(judge)),
      rules_(host, model, by,
             by == "loss" ? EvaluationRules::Better::kLower : EvaluationRules::Better::kHigher) {}

void HeldOutRows::before(const tenon_call* call, uint64_t steps) {
  evaluate(call, 0, steps, !rules_.is_due(0, steps));
}

bool HeldOutRows::after(const tenon_call* call, uint64_t step, uint64_t steps) {
  if (!rules_.is_due(step, steps)) return false;
  evaluate(call, step + 1, steps, true);
  return rules_.has_ended();
}

void HeldOutRows::evaluate(const tenon_call* call, uint64_t done, uint64_t steps, bool is_recorded) {
  const Timed timed(host_, "held_out");
  const uint64_t n = std::min(rows_, data_.count());
  if (n == 0) throw Error(TENON_E_INVALID, "held_out.data: the data set has no rows");
  last_ = judge_(call, data_, n);
  if (is_recorded)
    for (const auto& [name, value] : last_.values()) host_.metric(("held_out/" + name).c_str(), value);
  if (!std::isfinite(last_.at(by_)))
    host_.warn("held_out: the " + by_ +
               " of this evaluation is not a finite number, so that nothing is known");
  if (rules_.judge(last_.at(by_), done, steps)) best_ = last_;
}

void HeldOutRows::finish(const tenon_call* call, const StageIo& io, uint64_t& version) const {
  rules_.finish(call, version);
  const std::string model = model_.ref()->name;
  for (const auto& [name, value] : (rules_.ends_with_earlier() ? best_ : last_).values())
    if (!std::isnan(value)) io.result(model, benchmark_, name.c_str(), value);
  io.result(model, benchmark_, "rows", static_cast<double>(std::min(rows_, data_.count())));
}

void HeldOutRows::save(Writer& w) const {
  rules_.save(w), best_.save(w);
}

void HeldOutRows::load(Reader& r) {
  rules_.load(r), best_.load(r);
}

}  // namespace tenon::stages
