// Importance weights of a rollout.
// SPDX-License-Identifier: Apache-2.0
#include "importance.h"

#include <algorithm>
#include <cmath>

namespace tenon::rl {
namespace {

// log w of the sequence, summed over its scored tokens, and how many those are.
struct LogWeight {
  double sum = 0, tokens = 0;
};
LogWeight log_weight(const Rollout& r, uint64_t i) {
  LogWeight out;
  for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
    if (r.mask[t] != 0) out.sum += double{r.lp_old[t]} - double{r.lp_sample[t]}, out.tokens += 1;
  return out;
}

// Beyond e^700 a weight is as good as infinite, and its mean would be; NaN stays NaN.
double bounded_exp(double x) {
  return std::exp(x > 700 ? 700 : x);
}

}  // namespace

Importance read_importance(const std::string& name) {
  Importance out;
  if (name == "none") return out;
  out.mask = name.ends_with("-mask");
  out.level = name.starts_with("token")      ? ImportanceLevel::kToken
              : name.starts_with("sequence") ? ImportanceLevel::kSequence
                                             : ImportanceLevel::kGeometric;
  return out;
}

ImportanceWeights importance_weights(const Rollout& r, const Importance& how) {
  ImportanceWeights out;
  out.weight.assign(r.tokens(), 1);
  if (how.level == ImportanceLevel::kNone) return out;
  for (uint64_t i = 0; i < r.size(); ++i) {
    if (r.valid[i] == 0) continue;
    const LogWeight whole = log_weight(r, i);
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      if (r.mask[t] == 0) continue;
      const double w =
          bounded_exp(how.level == ImportanceLevel::kToken      ? double{r.lp_old[t]} - double{r.lp_sample[t]}
                      : how.level == ImportanceLevel::kSequence ? whole.sum
                                                                : whole.sum / whole.tokens);
      if (std::isnan(w))
        throw Error("the importance weight of token " +
                    std::to_string(t - r.ids.offsets[i] - r.prompt_len[i]) + " of sample " +
                    std::to_string(r.sample_id[i]) + " is not a number: lp_old " +
                    std::to_string(r.lp_old[t]) + ", lp_sample " + std::to_string(r.lp_sample[t]));
      const bool is_bounded = w > how.max || (how.mask && w < how.min);
      out.weight[t] = !is_bounded ? w : how.mask ? 0 : how.max;
      out.least = std::min(out.least, w), out.most = std::max(out.most, w);
      out.sum += w, out.count += 1, out.bounded += is_bounded ? 1 : 0;
    }
  }
  return out;
}

}  // namespace tenon::rl
