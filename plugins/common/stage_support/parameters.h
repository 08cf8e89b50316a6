// The numbers of a model, for what works on them directly: copies, averages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tenon/model.hpp"

namespace tenon::stages {

struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  std::span<float> values;  // the model's own, while it lives; row-major
};

// All of a model, in its order. Throws TENON_E_UNSUPPORTED that begins with `what_for` where one is not fp32 in the memory of the CPU. After a change call
// Model::params_updated.
std::vector<Parameter> cpu_parameters(const Model& model, const std::string& what_for);

}  // namespace tenon::stages
