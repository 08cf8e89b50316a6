// Multi-token prediction: the losses of a model's modules beside its own.
// SPDX-License-Identifier: Apache-2.0
#include "mtp.h"

#include <algorithm>

namespace tenon::pretrain {
namespace {

bool is_given(const Host& host, const char* option) {
  tenon_str written{};
  return host.raw()->get_json(host.raw(), option, &written) != TENON_END;
}

}  // namespace

std::optional<MultiToken> MultiToken::of(const Host& host, const Model& model) {
  const tenon_ref& ref = *model.ref();
  const auto* table =
      TENON_FN(ref.life, tenon_life, extension)
          ? static_cast<const tenon_multi_token*>(ref.life->extension(ref.self, TENON_EXT_MULTI_TOKEN))
          : nullptr;
  const bool able =
      TENON_FN(table, tenon_multi_token, depth) && TENON_FN(table, tenon_multi_token, accumulate);
  const uint64_t depth = able ? table->depth(ref.self) : 0;
  const std::string name = std::string(ref.name) + " (" + ref.id + ")";
  if (!is_given(host, "mtp")) {
    if (depth > 0)
      host.warn("model: " + name +
                " has modules for multi-token prediction that this stage does not train: give it "
                "`mtp: {weight: 0.3}`, or the model no mtp_depth");
    return std::nullopt;
  }
  if (depth == 0)
    throw Error(TENON_E_INVALID,
                "mtp: the model " + name +
                    " has no modules for multi-token prediction: give it `mtp_depth: 1` (model "
                    "transformer), or leave `mtp` out");
  return MultiToken(host, model, table, depth);
}

MultiToken::MultiToken(const Host& host, const Model& model, const tenon_multi_token* table, uint64_t depth)
    : host_(host),
      model_(model),
      table_(table),
      depth_(depth),
      later_from_(static_cast<uint64_t>(host.i64_if("mtp.later_from").value_or(INT64_MAX))),
      weight_(host.f64("mtp.weight")),
      later_weight_(host.f64_if("mtp.later_weight").value_or(weight_)) {}

void MultiToken::check(const Host& host, Findings& findings) {
  const auto from = host.i64_if("mtp.later_from");
  if (from.has_value() != host.f64_if("mtp.later_weight").has_value())
    findings.error("mtp", "`later_weight` and `later_from` belong together: give both or none");
  if (from && *from >= host.i64("steps"))
    findings.error("mtp.later_from", "is " + std::to_string(*from) + ", but the stage ends after " +
                                         std::to_string(host.i64("steps")) +
                                         " steps: give a step before, or leave it and later_weight out");
}

void MultiToken::accumulate(const tenon_call* call, const Rollout& part, const float* d_logprob,
                            float* logprob) {
  const uint64_t n = part.tokens();
  const double share = weight(call->step) / static_cast<double>(depth_);
  std::vector<float> d(d_logprob, d_logprob + n), found((depth_ + 1) * n);
  for (uint64_t i = n; i < found.size(); ++i)
    d.push_back(static_cast<float>(share * static_cast<double>(d_logprob[i % n])));
  const tenon_tokens tokens = part.tokens_for_model(1.0f);
  ErrorBuffer err;
  err.check(table_->accumulate(model_.ref()->self, call, &tokens, d.data(), found.data(), err));
  std::copy_n(found.begin(), n, logprob);

  if (step_ != call->step) step_ = call->step, loss_ = 0, tokens_ = 0;
  for (uint64_t k = 1; k <= depth_; ++k)
    for (uint64_t i = 0; i < part.size(); ++i)
      for (uint64_t t = part.ids.offsets[i] + k + 1; t < part.ids.offsets[i + 1]; ++t)
        if (part.mask[t] != 0) loss_ -= static_cast<double>(found[k * n + t]), ++tokens_;
  host_.metric("mtp/loss", loss_ / tokens_);
  host_.metric("mtp/weight", weight(call->step));
}

}  // namespace tenon::pretrain
