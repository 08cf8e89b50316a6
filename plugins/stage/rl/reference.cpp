// The reference policy.
// SPDX-License-Identifier: Apache-2.0
#include "reference.h"

#include "stage_support/parameters.h"

namespace tenon::rl {

void mix_reference(const Host& host, const tenon_call* call, const Model& policy, const Model& reference,
                   double alpha, uint64_t version) {
  const auto from = stages::cpu_parameters(policy, "reference_interval"),
             to = stages::cpu_parameters(reference, "reference_interval");
  if (from.size() != to.size())
    throw Error(TENON_E_INTERNAL, "the reference has another number of tensors than the policy");
  for (size_t i = 0; i < to.size(); ++i) {
    if (from[i].values.size() != to[i].values.size())
      throw Error(TENON_E_INTERNAL, "the reference's " + to[i].name + " has another shape");
    const float* source = from[i].values.data();
    float* target = to[i].values.data();
    host.parallel_for(to[i].values.size(), 1 << 16, [&](uint64_t begin, uint64_t end) {
      for (uint64_t k = begin; k < end; ++k)
        target[k] = static_cast<float>(alpha * double{source[k]} + (1 - alpha) * double{target[k]});
    });
  }
  reference.params_updated(call, version);
}

}  // namespace tenon::rl
