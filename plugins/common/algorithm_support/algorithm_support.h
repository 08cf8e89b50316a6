// What policy-gradient algorithms share beside their equations: how the loss is aggregated, columns that must
// be there, metrics of advantages, and what is said of a loss that is not finite.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "algorithm_support/text.h"
#include "tenon/algorithm.hpp"

namespace tenon::algorithm_support {

inline constexpr const char* kAggregations[] = {"token-mean", "sequence-mean", "constant-length", nullptr};
inline constexpr tenon_option kAggregation = choice(
    "aggregation", kAggregations, "\"token-mean\"",
    "What the loss is a mean over: all tokens; sequences of means over their tokens; sequences of sums "
    "over their tokens divided by `length`.");
inline constexpr tenon_option kLength =
    number("length", nullptr, "Of aggregation: constant-length.", {.min = "1", .unit = "tokens"});

// The rule between kAggregation and kLength. usual: what `length` is in the algorithm's paper.
inline void check_aggregation(const Host& host, Findings& findings, const std::string& usual) {
  if (host.str("aggregation") != "constant-length")
    findings.no_effect("length", "only aggregation: constant-length divides by it");
  else if (!host.f64_if("length"))
    findings.error("length", "aggregation: constant-length divides by `length`; give it (" + usual + ")");
}

// What the two options and `beta`, the weight of the divergence from the reference, say of an algorithm. needs: TENON_NEEDS_… that it has with any
// options.
inline tenon_algorithm_info read_info(const Host& host, uint32_t needs) {
  tenon_algorithm_info info{};
  info.needs = needs;
  if (host.f64("beta") != 0) info.needs |= TENON_NEEDS_REFERENCE;
  const std::string aggregation = host.str("aggregation");
  info.aggregation = aggregation == "token-mean"      ? TENON_TOKEN_MEAN
                     : aggregation == "sequence-mean" ? TENON_SEQUENCE_MEAN
                                                      : TENON_CONSTANT_LENGTH;
  if (info.aggregation == TENON_CONSTANT_LENGTH) info.constant = host.f64("length");
  return info;
}

// Throws if the stage left a column out.
inline void need(const void* column, const char* name) {
  if (column == nullptr) throw Error(TENON_E_STATE, std::string("the stage gave no column ") + name);
}
inline void need_gradient_columns(const RolloutView& r) {
  need(r.raw().lp_new, "lp_new"), need(r.raw().lp_old, "lp_old");
  need(r.raw().advantage, "advantage"), need(r.raw().weight, "weight");
}

// advantage/mean, /std, /min and /max, over what it is given: sequences, or tokens where they differ in a sequence.
class AdvantageMetrics {
 public:
  void add(double a) {
    if (n_ == 0) origin_ = a;
    const double from = a - origin_;
    n_ += 1, sum_ += from, squares_ += from * from;
    least_ = std::min(least_, a), most_ = std::max(most_, a);
  }
  double count() const { return n_; }
  void report(const Advantages& out) const {
    if (n_ == 0) return;
    const double mean = sum_ / n_;
    out.metric("advantage/mean", origin_ + mean);
    out.metric("advantage/std", std::sqrt(std::max(0.0, squares_ / n_ - mean * mean)));
    out.metric_min("advantage/min", least_), out.metric_max("advantage/max", most_);
  }

 private:
  // Sums are of differences from the first value: a deviation that is small beside the mean is not lost.
  double n_ = 0, origin_ = 0, sum_ = 0, squares_ = 0;
  double least_ = std::numeric_limits<double>::infinity(), most_ = -std::numeric_limits<double>::infinity();
};

// An option whose range leaves 0 out.
inline void check_above_zero(const Host& host, Findings& findings, const char* option,
                             const char* else_what) {
  if (host.f64(option) == 0)
    findings.error(option, std::string(option) + " is 0, but must be above 0: " + else_what);
}

// What is done with the scored tokens of sequence i in vector code, is done by blocks of at most kBlock: few enough that the processor reads the
// columns of the next block while it computes with those of this one. f(at, n) for tokens [at, at + n).
inline constexpr uint64_t kBlock = 64;
template <class F>
void for_blocks(const RolloutView& r, uint64_t i, F&& f) {
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    for (uint64_t at = begin; at < end; at += kBlock) f(at, std::min(kBlock, end - at));
  });
}

// Throws if a column that a loss is made of is not finite at a scored token of sequence i: of the first such token.
inline void check_loss_columns(const RolloutView& r, uint64_t i) {
  constexpr const char* kModels =
      ", but a log-probability must be a finite number: weights or activations of the model are not finite "
      "any "
      "more. Go on from the last checkpoint with a lower learning rate";
  for (uint64_t t = r.begin(i); t < r.end(i); ++t) {
    if (!r.scored(t)) continue;
    const auto check = [&](const char* name, double value, const char* then) {
      if (!std::isfinite(value))
        throw Error(std::string(name) + " is " + number_text(value) + " at token " +
                    std::to_string(t - r.begin(i)) + " of sample " + std::to_string(r.sample_id(i)) + then);
    };
    check("lp_new", r.lp_new(t), kModels), check("lp_old", r.lp_old(t), kModels);
    if (r.raw().lp_ref != nullptr) check("lp_ref", r.lp_ref(t), kModels);
    check("advantage", r.advantage(t), ", but must be a finite number: see the rewards of its group");
    check("weight", r.weight(t), ", but must be a finite number");
  }
}

// Of the loss of sequence i, which is not finite: names the first token that has a column which is not, or else token t, whose numbers are too large.
// of_completion: what its loss goes by beside its own columns.
[[noreturn]] inline void throw_not_finite(const RolloutView& r, uint64_t i, uint64_t t,
                                          const std::string& of_completion = "") {
  check_loss_columns(r, i);
  std::string text = "the loss is not finite at token " + std::to_string(t - r.begin(i)) + " of sample " +
                     std::to_string(r.sample_id(i)) + ": advantage " + number_text(r.advantage(t)) +
                     ", lp_new " + number_text(r.lp_new(t)) + ", lp_old " + number_text(r.lp_old(t));
  if (r.raw().lp_ref != nullptr) text += ", lp_ref " + number_text(r.lp_ref(t));
  throw Error(text + of_completion + ". The policy has moved too far in one step; lower the learning rate");
}

// Adds −coefficient Σ w_t H_t to the loss, over the scored tokens of the valid sequences: a bonus for entropy, with the loss's own weights.
inline void add_entropy_bonus(const RolloutView& r, Gradient& out, double coefficient) {
  need(r.raw().entropy, "entropy");
  if (!out.has_entropy()) throw Error(TENON_E_STATE, "the stage wants no derivative by entropy");
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    double sum = 0;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t t = begin; t < end; ++t) {
        const double slope = -coefficient * r.weight(t),
                     loss = slope * static_cast<double>(r.raw().entropy[t]);
        if (!std::isfinite(loss) || !std::isfinite(static_cast<float>(slope)))
          throw Error("the bonus for entropy is not finite at token " + std::to_string(t - r.begin(i)) +
                      " of sample " + std::to_string(r.sample_id(i)) + ": entropy " +
                      number_text(r.raw().entropy[t]) + ", coefficient " + number_text(coefficient));
        sum += loss;
        out.d_entropy()[t] += static_cast<float>(slope);
      }
    });
    out.add_loss(sum);
  }
}

}  // namespace tenon::algorithm_support
