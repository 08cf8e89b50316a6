// The reference policy.
// SPDX-License-Identifier: Apache-2.0
#include "reference.h"

namespace tenon::rl {
namespace {

tenon_param param_of(const Model& model, uint64_t i) {
  tenon_param param{};
  param.struct_size = sizeof param;
  ErrorBuffer err;
  err.check(model.vt().param(model.ref()->self, i, &param, err));
  return param;
}

uint64_t elements(const DLTensor& tensor) {
  uint64_t n = 1;
  for (int32_t d = 0; d < tensor.ndim; ++d) n *= static_cast<uint64_t>(tensor.shape[d]);
  return n;
}

float* data(const DLTensor& tensor) {
  return reinterpret_cast<float*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
}

}  // namespace

void mix_reference(const Host& host, const tenon_call* call, const Model& policy, const Model& reference,
                   double alpha, uint64_t version) {
  const uint64_t n_tensors = policy.info().n_tensors;
  if (reference.info().n_tensors != n_tensors)
    throw Error(TENON_E_INTERNAL, "the reference has another number of tensors than the policy");
  for (uint64_t i = 0; i < n_tensors; ++i) {
    const tenon_param from = param_of(policy, i), to = param_of(reference, i);
    const uint64_t n = elements(*from.value);
    if (from.value->device.device_type != kDLCPU || to.value->device.device_type != kDLCPU)
      throw Error(TENON_E_UNSUPPORTED,
                  "reference_interval: parameters are on a device, and only those of a CPU can be mixed");
    if (n != elements(*to.value))
      throw Error(TENON_E_INTERNAL, std::string("the reference's ") + to.name + " has another shape");
    const float* source = data(*from.value);
    float* target = data(*to.value);
    host.parallel_for(n, 1 << 16, [&](uint64_t begin, uint64_t end) {
      for (uint64_t k = begin; k < end; ++k)
        target[k] = static_cast<float>(alpha * double{source[k]} + (1 - alpha) * double{target[k]});
    });
  }
  reference.params_updated(call, version);
}

}  // namespace tenon::rl
