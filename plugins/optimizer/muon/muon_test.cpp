// Tests of Muon: torch.optim's numbers over 100 steps, orthogonality, a resume that changes no bit, and what cannot be
// bound.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "optimizer_support/optimizer_fixture.h"
#include "orthogonalize.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::optimizer_support::Bound;
using tenon::optimizer_support::Problem;
using testing::ElementsAre;
using testing::HasSubstr;
using Options = std::map<std::string, std::string>;

const Problem::Shapes kShapes = {{5, 7}, {7}, {9, 4}, {3}};
const double kBend = 0.11;

void compare(const char* name, Options options, double tolerance = 2e-6, uint64_t steps = 100) {
  tenon::optimizer_support::compare(tenon_plugin_query_v1(nullptr), "muon_fixture.txt", name,
                                    std::move(options), kShapes, kBend, tolerance, steps);
}
const Options kOriginal = {{"learning_rate", "1e-2"},
                           {"clip", "0"},
                           {"adjust", "\"original\""},
                           {"weight_decay", "0.1"},
                           {"adamw.learning_rate", "3e-3"}};

// With torch's Newton-Schulz iteration in float64.
TEST(Muon, EqualsTorch) {
  compare("original", kOriginal);
  Options plain = kOriginal;
  plain["weight_decay"] = "0", plain["momentum"] = "0.9", plain["nesterov"] = "false",
  plain["ns_steps"] = "3";
  compare("plain", plain);
  compare("all", {{"learning_rate", "1e-2"},
                  {"weight_decay", "0.1"},
                  {"schedule", "\"cosine\""},
                  {"warmup", "10"},
                  {"final", "0.1"}});
}

// As torch has it: its iteration rounds to 8 bits five times, and an update is 0.01 times an orthogonal matrix.
TEST(Muon, IsAsNearToTorchAsBfloat16Allows) {
  compare("bfloat16", kOriginal, 3e-4, 1);
}

// float64, written from the definition.
using Matrix = std::vector<std::vector<double>>;
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.size(), std::vector<double>(b[0].size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t k = 0; k < b.size(); ++k)
      for (size_t j = 0; j < b[0].size(); ++j) out[i][j] += a[i][k] * b[k][j];
  return out;
}
Matrix transposed(const Matrix& a) {
  Matrix out(a[0].size(), std::vector<double>(a.size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[0].size(); ++j) out[j][i] = a[i][j];
  return out;
}
Matrix reference(Matrix x, int steps) {
  double squares = 0;
  for (const auto& row : x)
    for (double v : row) squares += v * v;
  for (auto& row : x)
    for (double& v : row) v /= std::sqrt(squares);
  for (int s = 0; s < steps; ++s) {
    const Matrix a = product(x, transposed(x)), square = product(a, a), ax = product(a, x),
                 a2x = product(square, x);
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = 0; j < x[0].size(); ++j)
        x[i][j] = 3.4445 * x[i][j] - 4.7750 * ax[i][j] + 2.0315 * a2x[i][j];
  }
  return x;
}

class Orthogonalize : public testing::TestWithParam<std::pair<uint64_t, uint64_t>> {
 protected:
  static const tenon_executor* executor() {
    static const tenon_executor one{
        sizeof one,
        0,
        nullptr,
        [](void*, uint64_t n, uint64_t, void (*fn)(void*, uint64_t, uint64_t), void* arg) { fn(arg, 0, n); },
        1,
        0};
    return &one;
  }
};

TEST_P(Orthogonalize, AgreesWithTheDefinition) {
  const auto [rows, cols] = GetParam();
  Matrix g(rows, std::vector<double>(cols));
  std::vector<float> x;
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < cols; ++j) {
      x.push_back(
          static_cast<float>(std::sin(1.0 + 0.7 * static_cast<double>(i * i) + 1.9 * static_cast<double>(j)) +
                             std::cos(0.3 * static_cast<double>(i * j))));
      g[i][j] = x.back();
    }
  tenon::muon::Orthogonalizer{}(executor(), 5, rows, cols, x.data());
  const Matrix want = reference(g, 5);
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < cols; ++j) EXPECT_NEAR(x[i * cols + j], want[i][j], 1e-4) << i << " " << j;
}
INSTANTIATE_TEST_SUITE_P(Shapes, Orthogonalize,
                         testing::Values(std::pair(1, 1), std::pair(1, 9), std::pair(9, 1), std::pair(16, 16),
                                         std::pair(70, 33), std::pair(33, 70)));

TEST_F(Orthogonalize, NothingStaysNothing) {
  std::vector<float> x(12, 0.0f);
  tenon::muon::Orthogonalizer{}(executor(), 5, 3, 4, x.data());
  EXPECT_THAT(x, testing::Each(0.0f));
}

TEST(Muon, ResumeContinuesToTheBit) {
  const Options options = {{"learning_rate", "3e-3"}, {"schedule", "\"cosine\""}, {"warmup", "5"}};
  Bound whole(tenon_plugin_query_v1(nullptr), options, 40, kShapes, kBend);
  for (int i = 0; i < 20; ++i) whole.step();
  const std::string blob = whole.save();
  const auto tensors = whole.tensors();
  const auto values = whole.problem.values;

  Bound resumed(tenon_plugin_query_v1(nullptr), options, 40, kShapes, kBend);
  for (size_t k = 0; k < values.size(); ++k)
    std::copy(values[k].begin(), values[k].end(), resumed.problem.values[k].begin());
  resumed.done = 20;
  resumed.load(blob);
  resumed.tensors(&tensors);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(whole.step().learning_rate, resumed.step().learning_rate);
  EXPECT_EQ(whole.problem.values, resumed.problem.values);
}

// A parameter has the state of its own optimizer, and no other.
TEST(Muon, StateTensorsAreNamedAfterParameters) {
  Bound run(tenon_plugin_query_v1(nullptr), {{"learning_rate", "1e-3"}}, 10, kShapes, kBend);
  std::map<std::string, size_t> sizes;
  for (const auto& [name, values] : run.tensors()) sizes[name] = values.size();
  EXPECT_THAT(sizes,
              ElementsAre(std::pair("m/p1", 7u), std::pair("m/p3", 3u), std::pair("momentum/p0", 35u),
                          std::pair("momentum/p2", 36u), std::pair("v/p1", 7u), std::pair("v/p3", 3u)));
}

TEST(Muon, OnlyMatricesOfTwoDimensionsCanBeBound) {
  const tenon::testing::Instance<tenon_optimizer_vt> muon(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), {{"learning_rate", "1e-3"}});
  Problem problem({{2, 3, 4}, {7}, {9, 4}, {3}});
  tenon::ErrorBuffer err;
  EXPECT_EQ(muon.vt->bind(muon.self, problem.pointers.data(), 4, 10, err), TENON_E_UNSUPPORTED);
  EXPECT_THAT(err.text(), HasSubstr("parameter p0"));
}

TEST(Muon, ANonFiniteGradientNamesItsParameterAndChangesNothing) {
  Bound run(tenon_plugin_query_v1(nullptr), {{"learning_rate", "1e-3"}}, 10, kShapes, kBend);
  run.step();
  const auto before = run.problem.values;
  const auto state = run.tensors();
  run.problem.grads[2][5] = std::numeric_limits<float>::quiet_NaN();
  try {
    tenon::Optimizer(run.ref()).step(nullptr);
    FAIL();
  } catch (const tenon::Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("p2"));
  }
  EXPECT_EQ(run.problem.values, before);
  EXPECT_EQ(run.tensors(), state);
}

TEST(Muon, MistakesAreFound) {
  const auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_THAT(tenon::testing::findings_of(component, Options{{"learning_rate", "1"}}), ElementsAre());
  EXPECT_THAT(tenon::testing::findings_of(component, {{"learning_rate", "1"}, {"adjust", "\"original\""}}),
              ElementsAre(HasSubstr("adamw.learning_rate: adjust: original")));
  EXPECT_THAT(tenon::testing::findings_of(component,
                                          {{"learning_rate", "1"}, {"momentum", "0"}, {"nesterov", "true"}}),
              ElementsAre(HasSubstr("nesterov: with momentum: 0")));
}

}  // namespace
