// The numbers of a model.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/parameters.h"

namespace tenon::stages {

std::vector<Parameter> cpu_parameters(const Model& model, const std::string& what_for) {
  std::vector<Parameter> out(model.info().n_tensors);
  for (uint64_t i = 0; i < out.size(); ++i) {
    tenon_param param{};
    param.struct_size = sizeof param;
    ErrorBuffer err;
    err.check(model.vt().param(model.ref()->self, i, &param, err));
    const DLTensor& t = *param.value;
    if (t.device.device_type != kDLCPU || t.dtype.code != kDLFloat || t.dtype.bits != 32 ||
        t.dtype.lanes != 1)
      throw Error(TENON_E_UNSUPPORTED,
                  what_for + ": parameter " + param.name + " of model " + model.ref()->name +
                      " is not fp32 in the memory of the CPU, and only such are supported");
    out[i].name = param.name;
    out[i].shape.assign(t.shape, t.shape + t.ndim);
    uint64_t n = 1;
    for (const int64_t size : out[i].shape) n *= static_cast<uint64_t>(size);
    out[i].values = {reinterpret_cast<float*>(static_cast<char*>(t.data) + t.byte_offset), n};
  }
  return out;
}

}  // namespace tenon::stages
