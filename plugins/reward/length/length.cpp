// Reward `length`: what the length of a completion earns, in the published forms.
// SPDX-License-Identifier: Apache-2.0
//
// n is the number of sampled tokens, the end token included; L = limit.
//
// soft-overlong  Yu et al., DAPO, arXiv 2503.14476, eq. 13, added to the reward of the answer:
//                0 for n <= L − buffer;  ((L − buffer) − n) / buffer up to L;  −1 beyond.
// cosine         Yeo et al., arXiv 2502.03373, §4.2, instead of the reward of the answer:
//                r(n) = r_L + ½ (r_0 − r_L) (1 + cos(π n / L)), with (r_0, r_L) of right or of wrong answers;
//                `exceeded` for n >= L.
// target         Aggarwal & Welleck, LCPO-Exact, arXiv 2503.04697, eq. 1, its second term: −alpha |target − n|.
// at-most        the same, LCPO-Max, eq. 2: [right] · clip(alpha (target − n) + delta, 0, 1).
// none           DeepSeek-R1 (arXiv 2501.12948) rewards no length: 0; the note `tokens` alone.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "reward_support/other_reward.h"
#include "tenon/reward.hpp"

namespace {

using tenon::reward_support::OtherReward;
constexpr const char* kForms[] = {"soft-overlong", "cosine", "target", "at-most", "none", nullptr};

bool needs_limit(const std::string& form) {
  return form == "soft-overlong" || form == "cosine";
}
bool needs_target(const std::string& form) {
  return form == "target" || form == "at-most";
}
bool needs_correct(const std::string& form) {
  return form == "cosine" || form == "at-most";
}

// Whether a reference is in the configuration; during `check` there is no component yet.
bool is_given(tenon::Host host, const char* reference) {
  tenon_str text{};
  return host.raw()->get_json(host.raw(), reference, &text) == TENON_OK;
}

class Length {
 public:
  static constexpr const char* kDoc =
      "soft-overlong: DAPO (arXiv 2503.14476) eq. 13, beside the reward of the answer. cosine: arXiv "
      "2502.03373, in its "
      "stead. target and at-most: LCPO-Exact and LCPO-Max (arXiv 2503.04697). none: DeepSeek-R1's, a metric.";

  explicit Length(tenon::Host host)
      : form_(host.str("form")),
        limit_(static_cast<double>(host.i64_if("limit").value_or(0))),
        buffer_(static_cast<double>(host.i64_if("buffer").value_or(0))),
        target_(host.i64_if("target")),
        target_field_(host.str_if("target_field")),
        alpha_(host.f64("alpha")),
        delta_(host.f64("delta")),
        correct_(host.get_component_if<OtherReward>("correct")),
        correct_above_(host.f64("correct_above")),
        right_{host.f64("right_short"), host.f64("right_long")},
        wrong_{host.f64("wrong_short"), host.f64("wrong_long")},
        exceeded_(host.f64("exceeded")) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    const std::string form = host.str("form");
    const auto limit = host.i64_if("limit"), buffer = host.i64_if("buffer");
    auto needs = [&](const char* option, bool is_needed, bool is_there, const std::string& what) {
      if (is_needed && !is_there) findings.error(option, "is missing: form: " + form + " needs " + what);
      if (!is_needed) findings.no_effect(option, "form: " + form + " does not use it");
    };
    needs("limit", needs_limit(form), limit.has_value(), "the stage's max_new_tokens");
    needs("buffer", form == "soft-overlong", buffer.has_value(),
          "the tokens before the limit at which the penalty begins");
    needs("correct", needs_correct(form), is_given(host, "correct"),
          "the reward that says whether the answer is right");
    if (limit && buffer && *buffer > *limit && form == "soft-overlong")
      findings.error("buffer", "is longer than limit = " + std::to_string(*limit) +
                                   ": completions of every length would be punished");
    check_target(host, findings, form);
    for (const char* option : {"right_short", "right_long", "wrong_short", "wrong_long", "exceeded"})
      if (form != "cosine") findings.no_effect(option, "only form: cosine uses it");
    if (!needs_target(form)) findings.no_effect("alpha", "only form: target and at-most use it");
    if (form != "at-most") findings.no_effect("delta", "only form: at-most uses it");
    if (!needs_correct(form)) findings.no_effect("correct_above", "only form: cosine and at-most use it");
  }

  double operator()(const tenon::Sample& sample) const {
    if (sample.tokens.empty()) tenon::refuse("the stage gave no tokens to count");
    const double n = static_cast<double>(sample.tokens.size());
    sample.note("tokens", n);
    if (form_ == "soft-overlong") return soft_overlong(n);
    if (form_ == "cosine") return cosine(sample, n);
    if (form_ == "target") return -alpha_ * std::abs(target_of(sample) - n);
    if (form_ == "at-most")
      return is_right(sample) ? std::clamp(alpha_ * (target_of(sample) - n) + delta_, 0.0, 1.0) : 0;
    return 0;
  }

 private:
  struct Ends {
    double at_zero, at_limit;
  };

  static void check_target(tenon::Host host, tenon::Findings& findings, const std::string& form) {
    const bool has_target = host.i64_if("target").has_value(),
               has_field = host.str_if("target_field").has_value();
    if (needs_target(form) && has_target == has_field)
      findings.error("target", "form: " + form + " needs one of target and target_field");
    for (const char* option : {"target", "target_field"})
      if (!needs_target(form)) findings.no_effect(option, "only form: target and at-most use it");
  }

  double soft_overlong(double n) const {
    const double over = n - (limit_ - buffer_);
    return over <= 0 ? 0 : over >= buffer_ ? -1 : -over / buffer_;
  }
  double cosine(const tenon::Sample& sample, double n) const {
    const bool is_correct = is_right(sample);
    if (n >= limit_) return exceeded_;
    const Ends& ends = is_correct ? right_ : wrong_;
    return ends.at_limit +
           0.5 * (ends.at_zero - ends.at_limit) * (1 + std::cos(std::numbers::pi * n / limit_));
  }
  bool is_right(const tenon::Sample& sample) const {
    const double reward = (*correct_)(sample);
    sample.note("correct", reward > correct_above_ ? 1 : 0);
    return reward > correct_above_;
  }
  double target_of(const tenon::Sample& sample) const {
    if (target_) return static_cast<double>(*target_);
    const std::string written = sample.meta(*target_field_).value_or("");
    char* end = nullptr;
    const double target = std::strtod(written.c_str(), &end);
    if (written.empty() || *end != '\0' || !(target >= 1) || !std::isfinite(target))
      tenon::refuse("the row has no length to reach: field \"" + *target_field_ +
                    "\" is no number from 1 on");
    return target;
  }

  std::string form_;
  double limit_, buffer_;
  std::optional<int64_t> target_;
  std::optional<std::string> target_field_;
  double alpha_, delta_;
  std::optional<OtherReward> correct_;
  double correct_above_;
  Ends right_, wrong_;
  double exceeded_;
};

}  // namespace

TENON_REWARD_PLUGIN(
    Length, "length", "1.1.0",
    "What the length of a completion earns: DAPO's soft penalty, a cosine, a target, or nothing.",
    tenon::choice("form", kForms, "\"soft-overlong\"",
                  "soft-overlong: a penalty near the limit; cosine: right answers are to be short and wrong "
                  "ones long; target: a "
                  "length to hit; at-most: right answers within a length; none: 0, a metric alone."),
    tenon::integer("limit", nullptr,
                   "soft-overlong: the longest completion without the whole penalty; cosine: L_max. The "
                   "stage's max_new_tokens.",
                   {.min = "1", .max = "16777216", .unit = "tokens"}),
    tenon::integer("buffer", nullptr, "soft-overlong: so many tokens before the limit the penalty begins.",
                   {.min = "1", .max = "16777216", .unit = "tokens"}),
    tenon::integer("target", nullptr, "target, at-most: the length.",
                   {.min = "1", .max = "16777216", .unit = "tokens"}),
    tenon::text("target_field", nullptr,
                "target, at-most: field of the row's meta with the length, instead of `target`."),
    tenon::number("alpha", "3e-4", "target, at-most: reward for each token.", {.min = "0"}),
    tenon::number("delta", "0.5", "at-most: reward at the target."),
    tenon::reference(
        "correct", "reward", nullptr,
        "cosine, at-most: the reward that says whether the answer is right. It is asked once more here."),
    tenon::number("correct_above", "0.5", "The answer is right if that reward is greater."),
    tenon::number("right_short", "2", "cosine: r_0 of right answers."),
    tenon::number("right_long", "1", "cosine: r_L of right answers."),
    tenon::number("wrong_short", "-10", "cosine: r_0 of wrong answers."),
    tenon::number("wrong_long", "0", "cosine: r_L of wrong answers."),
    tenon::number("exceeded", "-10", "cosine: of completions that reach the limit."))
