// What the kernels' tests share: random numbers, every instruction set in turn, comparison by bits and by
// bounds.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_TESTS_SUPPORT_H_
#define TENON_KERNELS_TESTS_SUPPORT_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "pool.h"
#include "tenon/kernels/executor.h"

namespace tenon::kernels {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline std::mt19937_64& generator() {
  static std::mt19937_64 g(20251);
  return g;
}

inline Floats random_floats(size_t n, float spread = 1.0f) {
  std::normal_distribution<float> normal(0.0f, spread);
  Floats x(n);
  for (float& v : x) v = normal(generator());
  return x;
}

inline size_t random_below(size_t n) {
  return std::uniform_int_distribution<size_t>(0, n - 1)(generator());
}

inline Doubles widen(const Floats& x) {
  return Doubles(x.begin(), x.end());
}

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// max |a − b| / (1 + |b|)
template <typename A, typename B>
double worst_error(const std::vector<A>& a, const std::vector<B>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) /
                         (1 + std::abs(static_cast<double>(b[i])));
    if (!(error <= worst)) worst = error;  // NaN counts as the worst
  }
  return worst;
}

// max |(L(x + εv) − L(x − εv)) / 2ε − Σ v·gradient| / (1 + |…|) over some directions v, in double.
inline double finite_difference_error(const std::function<double(const Doubles&)>& loss, const Doubles& x,
                                      const Doubles& gradient) {
  std::normal_distribution<double> normal;
  double worst = 0;
  for (int direction = 0; direction < 4; ++direction) {
    Doubles plus = x, minus = x;
    double expected = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double v = normal(generator());
      plus[i] += 1e-5 * v;
      minus[i] -= 1e-5 * v;
      expected += v * gradient[i];
    }
    const double found = (loss(plus) - loss(minus)) / 2e-5;
    worst = std::max(worst, std::abs(found - expected) / (1 + std::abs(expected)));
  }
  return worst;
}

inline double dot(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const char* name : {"scalar", "avx2", "avx512"}) {
    if (tenon_kernels_force_isa(name) == 0) names.emplace_back(name);
  }
  tenon_kernels_force_isa(nullptr);
  return names;
}

// Runs each test under every instruction set of this machine.
class KernelTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_EQ(tenon_kernels_force_isa(GetParam().c_str()), 0); }
  void TearDown() override { tenon_kernels_force_isa(nullptr); }

  static const tenon_executor* pool() {
    static Pool threads(3);
    return threads.executor();
  }
};

#define TENON_EACH_ISA(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(instruction_sets()), \
                           [](const testing::TestParamInfo<std::string>& i) { return i.param; })

}  // namespace tenon::kernels

#endif  // TENON_KERNELS_TESTS_SUPPORT_H_
