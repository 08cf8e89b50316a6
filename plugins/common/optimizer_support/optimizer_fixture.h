// The problem that optimizers are compared with torch.optim on, and the values it gave. For tests only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "tenon/optimizer.hpp"
#include "tenon/testing.hpp"

namespace tenon::optimizer_support {

// Two matrices and two vectors that start at cos(i + 3k) and get the gradients sin(0.7 i + bend i² + 1.3 k + 0.37 step)
// · (1 + k) at steps 1, 2, …, rounded to fp32 from double: what optimizer_fixture.py gives torch.optim.
class Problem {
 public:
  using Shapes = std::vector<std::vector<int64_t>>;
  static Shapes usual() { return {{5, 7}, {7}, {3, 4}, {1}}; }
  // bend: 0 gives matrices of rank 2.
  explicit Problem(const Shapes& shapes = usual(), double bend = 0) : bend_(bend) {
    for (size_t k = 0; k < shapes.size(); ++k) {
      int64_t n = 1;
      for (int64_t d : shapes[k]) n *= d;
      values.emplace_back(n), grads.emplace_back(n);
      for (int64_t i = 0; i < n; ++i) values[k][i] = static_cast<float>(std::cos(i + 3.0 * k));
      names.push_back("p" + std::to_string(k));
    }
    shapes_ = shapes;
    tensors_.reserve(8);
    for (size_t k = 0; k < shapes.size(); ++k) {
      for (auto* data : {&values[k], &grads[k]})
        tensors_.push_back({data->data(),
                            {kDLCPU, 0},
                            static_cast<int32_t>(shapes_[k].size()),
                            {kDLFloat, 32, 1},
                            shapes_[k].data(),
                            nullptr,
                            0});
      params_.push_back({sizeof(tenon_param), k % 2 == 0 ? uint32_t{TENON_P_MATRIX} : 0u, names[k].c_str(),
                         &tensors_[2 * k], &tensors_[2 * k + 1]});
    }
    for (auto& p : params_) pointers.push_back(&p);
  }
  void set_gradients(uint64_t step) {
    for (size_t k = 0; k < grads.size(); ++k)
      for (size_t i = 0; i < grads[k].size(); ++i)
        grads[k][i] =
            static_cast<float>(std::sin(0.7 * static_cast<double>(i) + bend_ * static_cast<double>(i * i) +
                                        1.3 * static_cast<double>(k) + 0.37 * static_cast<double>(step)) *
                               static_cast<double>(1 + k));
  }
  std::vector<std::vector<float>> values, grads;
  std::vector<std::string> names;
  std::vector<tenon_param> params_;
  std::vector<const tenon_param*> pointers;

 private:
  double bend_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<DLTensor> tensors_;
};

// A bound optimizer on a problem.
class Bound : public testing::Instance<tenon_optimizer_vt> {
 public:
  Bound(const tenon_plugin* plugin, std::map<std::string, std::string> options, uint64_t total,
        const Problem::Shapes& shapes = Problem::usual(), double bend = 0)
      : Instance(testing::component_of(plugin), std::move(options)), problem(shapes, bend) {
    ErrorBuffer err;
    err.check(vt->bind(self, problem.pointers.data(), problem.pointers.size(), total, err));
  }
  tenon_optimizer_stats step() {
    problem.set_gradients(++done);
    return Optimizer(ref()).step(nullptr);
  }
  // Copies of the state tensors by name; `fill` instead writes them.
  std::map<std::string, std::vector<float>> tensors(
      const std::map<std::string, std::vector<float>>* fill = nullptr) {
    auto table =
        static_cast<const tenon_state_tensors*>(component()->life->extension(self, TENON_EXT_STATE_TENSORS));
    std::map<std::string, std::vector<float>> out;
    for (uint64_t i = 0; i < table->count(self); ++i) {
      const char* name = nullptr;
      DLTensor view{};
      ErrorBuffer err;
      err.check(table->tensor(self, i, &name, &view, err));
      int64_t n = 1;
      for (int32_t d = 0; d < view.ndim; ++d) n *= view.shape[d];
      float* data = static_cast<float*>(view.data);
      if (fill != nullptr) std::copy(fill->at(name).begin(), fill->at(name).end(), data);
      out[name].assign(data, data + n);
    }
    return out;
  }
  Problem problem;
  uint64_t done = 0;
};

// Lines of the fixture: "<case> <step> <number>…", all values of all parameters in order.
inline std::vector<double> expected(const std::string& file, const std::string& wanted, uint64_t step) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string name;
    uint64_t at = 0;
    if (!(fields >> name >> at) || name != wanted || at != step) continue;
    std::vector<double> out;
    for (double x; fields >> x;) out.push_back(x);
    return out;
  }
  throw Error(file + " has no line \"" + wanted + " " + std::to_string(step) + "\"");
}

// Runs up to 100 steps and compares with the fixture where it has a line.
inline void compare(const tenon_plugin* plugin, const std::string& file, const std::string& name,
                    std::map<std::string, std::string> options,
                    const Problem::Shapes& shapes = Problem::usual(), double bend = 0,
                    double tolerance = 1e-6, uint64_t steps = 100) {
  Bound run(plugin, std::move(options), 100, shapes, bend);
  for (uint64_t step = 1; step <= steps; ++step) {
    run.step();
    if (step != 1 && step != 10 && step != 100) continue;
    auto want = expected(file, name, step);
    size_t at = 0;
    for (const auto& p : run.problem.values)
      for (float x : p) {
        ASSERT_LT(at, want.size());
        EXPECT_NEAR(x, want[at], tolerance) << name << " step " << step << " value " << at;
        ++at;
      }
    EXPECT_EQ(at, want.size());
  }
}

}  // namespace tenon::optimizer_support
