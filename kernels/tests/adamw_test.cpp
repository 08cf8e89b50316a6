// The optimizers: against figures of torch.optim, against the naive ones, and under any split.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/adamw.h"

#include "../cpu/adamw_reference.h"
#include "support.h"

namespace tenon::kernels {
namespace {

class AdamwTest : public KernelTest {};

constexpr size_t kParams = 4;
constexpr float kStart[kParams] = {0.5f, -1.25f, 2.0f, 0.01f};

// The gradient of parameter i at step t of the runs below.
float gradient(uint64_t t, size_t i) {
  return static_cast<float>(std::sin(0.1 * static_cast<double>(t) + static_cast<double>(i)) *
                            (1 + static_cast<double>(i)));
}

void expect_near(const Floats& found, const float (&expected)[kParams]) {
  for (size_t i = 0; i < kParams; ++i) EXPECT_NEAR(found[i], expected[i], 1e-6 * (1 + std::abs(expected[i])));
}

Floats run_adamw(tenon_adamw_args args) {
  Floats p(kStart, kStart + kParams), m(kParams), v(kParams), g(kParams);
  for (args.step = 1; args.step <= 100; ++args.step) {
    for (size_t i = 0; i < kParams; ++i) g[i] = gradient(args.step, i);
    tenon_adamw(nullptr, &args, kParams, p.data(), g.data(), m.data(), v.data());
  }
  return p;
}

Floats run_sgd(tenon_sgd_args args) {
  Floats p(kStart, kStart + kParams), buffer(kParams), g(kParams);
  for (args.step = 1; args.step <= 100; ++args.step) {
    for (size_t i = 0; i < kParams; ++i) g[i] = gradient(args.step, i);
    tenon_sgd(nullptr, &args, kParams, p.data(), g.data(), args.momentum == 0 ? nullptr : buffer.data());
  }
  return p;
}

// Printed by torch 2.11: torch.optim.AdamW and SGD with foreach=False, fp32, 100 steps, these starts and
// gradients.
TEST_P(AdamwTest, HundredStepsAsTorch) {
  expect_near(run_adamw({sizeof(tenon_adamw_args), 0, 1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0, 0}),
              {0.14208947122097015f, -1.303525447845459f, 1.8460233211517334f, 0.29525572061538696f});
  expect_near(run_adamw({sizeof(tenon_adamw_args), 1, 3e-3, 0.9, 0.999, 1e-6, 0.0, 0.25, 0}),
              {0.3976576030254364f, -1.3049201965332031f, 2.0149924755096436f, 0.10561341047286987f});
  expect_near(run_sgd({sizeof(tenon_sgd_args), 0, 1e-2, 0, 0, 0.01, 1.0, 0, 0, 0}),
              {0.31503984332084656f, -1.3248746395111084f, 2.378525733947754f, 0.7585843801498413f});
  expect_near(run_sgd({sizeof(tenon_sgd_args), 0, 1e-2, 0.9, 0.1, 0.01, 1.0, 0, 0, 0}),
              {-1.0295188426971436f, -2.781848907470703f, 3.667452096939087f, 5.902043342590332f});
  expect_near(run_sgd({sizeof(tenon_sgd_args), 1, 1e-2, 0.9, 0, 0.01, 1.0, 0, 1, 0}),
              {-1.1978347301483154f, -2.8210642337799072f, 4.058335781097412f, 6.592749118804932f});
}

TEST_P(AdamwTest, LongVectorsAgainstReference) {
  const size_t n = 10007;
  Floats p = random_floats(n), m(n), v(n), buffer(n), sgd_p = p;
  Doubles tp = widen(p), tm(n), tv(n), tb(n), sgd_tp = tp;
  for (uint64_t step = 1; step <= 5; ++step) {
    const Floats g0 = random_floats(n);
    Floats g = g0, sgd_g = g0;
    const tenon_adamw_args adamw{sizeof(tenon_adamw_args), 1, 1e-3, 0.9, 0.99, 1e-8, 0.05, 0.5, step};
    const tenon_sgd_args sgd{sizeof(tenon_sgd_args), 1, 1e-3, 0.9, 0.0, 0.05, 0.5, step, 1, 0};
    tenon_adamw(pool(), &adamw, n, p.data(), g.data(), m.data(), v.data());
    tenon_sgd(pool(), &sgd, n, sgd_p.data(), sgd_g.data(), buffer.data());
    for (size_t i = 0; i < n; ++i) {
      reference::adamw<double>(adamw, &tp[i], g0[i], &tm[i], &tv[i]);
      reference::sgd<double>(sgd, &sgd_tp[i], g0[i], &tb[i]);
    }
    EXPECT_TRUE(same_bits(g, Floats(n, 0.0f)) && same_bits(sgd_g, g));
  }
  EXPECT_LE(worst_error(p, tp), 1e-6);
  EXPECT_LE(worst_error(v, tv), 1e-6);
  EXPECT_LE(worst_error(sgd_p, sgd_tp), 1e-6);
}

TEST_P(AdamwTest, SplitsKeepTheBits) {
  const size_t n = 9001;
  const Floats p0 = random_floats(n), g0 = random_floats(n);
  const tenon_adamw_args args{sizeof(tenon_adamw_args), 0, 1e-3, 0.9, 0.99, 1e-8, 0.05, 0.5, 1};
  Floats p = p0, g = g0, m(n), v(n), p2 = p0, m2(n), v2(n);
  tenon_adamw(pool(), &args, n, p.data(), g.data(), m.data(), v.data());
  tenon_adamw(nullptr, &args, 4097, p2.data(), g.data(), m2.data(), v2.data());
  tenon_adamw(nullptr, &args, n - 4097, &p2[4097], &g[4097], &m2[4097], &v2[4097]);
  EXPECT_TRUE(same_bits(p, p2) && same_bits(m, m2) && same_bits(v, v2) && same_bits(g, g0));
}

TENON_EACH_ISA(AdamwTest);

}  // namespace
}  // namespace tenon::kernels
