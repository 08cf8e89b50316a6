// The stage `merge`: a model whose parameters are a weighted mean of those of several.
// SPDX-License-Identifier: Apache-2.0
//
// Model soups (Wortsman et al., arXiv 2203.05482): models that were fine-tuned from one start lie in one basin, so that the mean of their parameters is as good a model, or better, and
// costs no more to run. With a weight beyond [0, 1] it is task arithmetic (Ilharco et al., arXiv 2212.04089): start + λ (tuned − start) = (1 − λ) start + λ tuned.
#include <cmath>

#include "stage_support/parameters.h"
#include "tenon/stage.hpp"

namespace {

using tenon::Error;

class Merge {
 public:
  explicit Merge(tenon::Host host) : host_(host), model_(host.get_component<tenon::Model>("model")) {
    double sum = 0;
    for (uint64_t k = 0; k < host.count("models"); ++k) {
      models_.push_back(host.get_component<tenon::Model>("models/" + std::to_string(k)));
      weights_.push_back(host.f64(("models." + std::to_string(k) + ".weight").c_str()));
      sum += weights_.back();
    }
    for (double& weight : weights_) weight /= sum;
    for (const tenon::Model& one : models_) check_shape(one);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const uint64_t n = host.count("models");
    if (n < 2) findings.error("models", "a mean is of two models at least");
    double sum = 0;
    for (uint64_t k = 0; k < n; ++k) sum += host.f64(("models." + std::to_string(k) + ".weight").c_str());
    if (n >= 2 && !(std::abs(sum) > 1e-9))
      findings.error("models", "the weights add up to 0, and the mean is divided by their sum");
  }

  void run(const tenon_call* call, const tenon::StageIo& io) {
    io.begin(1);
    if (io.first_step() == 0) {
      const auto out = tenon::stages::cpu_parameters(model_, "merge");
      std::vector<std::vector<tenon::stages::Parameter>> in;
      for (const tenon::Model& one : models_) in.push_back(tenon::stages::cpu_parameters(one, "merge"));
      double square = 0, count = 0;
      for (size_t i = 0; i < out.size(); ++i)
        for (size_t j = 0; j < out[i].values.size(); ++j) {
          double mean = 0;
          for (size_t k = 0; k < in.size(); ++k) mean += weights_[k] * double{in[k][i].values[j]};
          for (const auto& one : in) square += (one[i].values[j] - mean) * (one[i].values[j] - mean), ++count;
          out[i].values[j] = static_cast<float>(mean);
        }
      model_.params_updated(call, 1);
      host_.metric("distance", std::sqrt(square / count));
      io.step_end(0);
    }
  }

 private:
  void check_shape(const tenon::Model& one) const {
    const auto own = tenon::stages::cpu_parameters(model_, "merge"),
               other = tenon::stages::cpu_parameters(one, "merge");
    const std::string name = one.ref()->name;
    if (own.size() != other.size())
      throw Error(TENON_E_INVALID, "models: " + name + " has " + std::to_string(other.size()) +
                                       " tensors, and " + model_.ref()->name + " " +
                                       std::to_string(own.size()) + ": models of one shape can be merged");
    for (size_t i = 0; i < own.size(); ++i)
      if (own[i].name != other[i].name || own[i].shape != other[i].shape)
        throw Error(TENON_E_INVALID, "models: " + other[i].name + " of " + name +
                                         " has another name or shape than " + own[i].name + " of " +
                                         model_.ref()->name + ": models of one shape can be merged");
  }

  tenon::Host host_;
  tenon::Model model_;
  std::vector<tenon::Model> models_;
  std::vector<double> weights_;  // their sum is 1
};

constexpr tenon::OptionTable kModelChildren{tenon::number(
    "weight", "1", "Share of this model in the mean; the mean is divided by the sum of the weights.",
    {.min = "-1000000", .max = "1000000"})};

}  // namespace

TENON_STAGE_PLUGIN(
    Merge, "merge", "0.1.0", "Makes a model whose parameters are a weighted mean of those of several.",
    tenon::reference(
        "model", "model", nullptr,
        "What becomes the mean; `from` fills it in. Its own parameters count only if it is one of `models`.",
        {.flags = TENON_O_REQUIRED}),
    tenon::reference("models", "model", nullptr,
                     "Models of one shape, most often stages that began with the same one.",
                     {.flags = TENON_O_REQUIRED | TENON_O_LIST}, kModelChildren))
