// Linear layers: against the naive ones, and bit for bit under any split of tokens and threads.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/gemm.h"

#include "../cpu/gemm_reference.h"
#include "support.h"

namespace tenon::kernels {
namespace {

class GemmTest : public KernelTest {};

struct Shape {
  size_t m, n, k;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{1, 1, 1},     {1, 64, 64},     {3, 19, 64},  {5, 1, 33},
                                         {7, 130, 17},  {12, 32, 8},     {13, 33, 40}, {16, 256, 64},
                                         {25, 96, 100}, {31, 100, 1024}, {64, 64, 256}};
  return all;
}

Floats pack(const Floats& w, size_t n, size_t k) {
  Floats packed(tenon_linear_packed_size(n, k), NAN);
  tenon_linear_pack(nullptr, n, k, 0, n, w.data(), k, packed.data());
  return packed;
}

// An element's bound: (steps + 3) roundings of the sum of absolute products.
double excess(const Floats& y, const Doubles& truth, const Doubles& magnitude, size_t steps) {
  double worst = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double bound = (static_cast<double>(steps) + 3) * 0x1p-24 * magnitude[i] + 1e-30;
    worst = std::max(worst, std::abs(y[i] - truth[i]) / bound);
    if (std::isnan(y[i])) return INFINITY;
  }
  return worst;
}

Doubles absolute(const Floats& x) {
  Doubles y(x.begin(), x.end());
  for (double& v : y) v = std::abs(v);
  return y;
}

TEST_P(GemmTest, ForwardIsWithinItsRoundings) {
  for (const Shape& s : shapes()) {
    const Floats x = random_floats(s.m * s.k), w = random_floats(s.n * s.k), bias = random_floats(s.n),
                 add = random_floats(s.m * s.n);
    const Floats packed = pack(w, s.n, s.k);
    Doubles truth(s.m * s.n), magnitude(s.m * s.n);
    reference::linear<double>(s.m, s.n, s.k, widen(x).data(), widen(w).data(), widen(bias).data(),
                              widen(add).data(), truth.data());
    reference::linear<double>(s.m, s.n, s.k, absolute(x).data(), absolute(w).data(), absolute(bias).data(),
                              absolute(add).data(), magnitude.data());
    Floats y(s.m * s.n, NAN);
    tenon_linear(pool(), s.m, s.n, s.k, x.data(), s.k, packed.data(), bias.data(), add.data(), s.n, y.data(),
                 s.n);
    EXPECT_LE(excess(y, truth, magnitude, s.k), 1.0) << s.m << " x " << s.n << " x " << s.k;
    Floats in_place = add;  // y += …
    tenon_linear(nullptr, s.m, s.n, s.k, x.data(), s.k, packed.data(), bias.data(), in_place.data(), s.n,
                 in_place.data(), s.n);
    EXPECT_TRUE(same_bits(in_place, y));
  }
}

TEST_P(GemmTest, GradientsAreWithinTheirRoundings) {
  for (const Shape& s : shapes()) {
    const Floats x = random_floats(s.m * s.k), w = random_floats(s.n * s.k), dy = random_floats(s.m * s.n);
    const Floats dx0 = random_floats(s.m * s.k), dw0 = random_floats(s.n * s.k), db0 = random_floats(s.n);
    Doubles dx = widen(dx0), dw = widen(dw0), db = widen(db0), dx_size = absolute(dx0),
            dw_size = absolute(dw0), db_size = absolute(db0);
    reference::linear_dx<double>(s.m, s.n, s.k, widen(dy).data(), widen(w).data(), dx.data());
    reference::linear_dx<double>(s.m, s.n, s.k, absolute(dy).data(), absolute(w).data(), dx_size.data());
    reference::linear_dw<double>(s.m, s.n, s.k, widen(dy).data(), widen(x).data(), dw.data(), db.data());
    reference::linear_dw<double>(s.m, s.n, s.k, absolute(dy).data(), absolute(x).data(), dw_size.data(),
                                 db_size.data());
    Floats fast_dx = dx0, fast_dw = dw0, fast_db = db0;
    tenon_linear_dx(pool(), s.m, s.n, s.k, dy.data(), s.n, w.data(), s.k, 1, fast_dx.data(), s.k);
    tenon_linear_dw(pool(), s.m, s.n, s.k, dy.data(), s.n, x.data(), s.k, fast_dw.data(), s.k);
    tenon_linear_dbias(pool(), s.m, s.n, dy.data(), s.n, fast_db.data());
    EXPECT_LE(excess(fast_dx, dx, dx_size, s.n), 1.0) << s.m << " x " << s.n << " x " << s.k;
    EXPECT_LE(excess(fast_dw, dw, dw_size, s.m), 1.0) << s.m << " x " << s.n << " x " << s.k;
    EXPECT_LE(excess(fast_db, db, db_size, s.m), 1.0);
    Floats from_zero(s.m * s.k, 0.0f), overwritten(s.m * s.k, NAN);
    tenon_linear_dx(nullptr, s.m, s.n, s.k, dy.data(), s.n, w.data(), s.k, 1, from_zero.data(), s.k);
    tenon_linear_dx(nullptr, s.m, s.n, s.k, dy.data(), s.n, w.data(), s.k, 0, overwritten.data(), s.k);
    EXPECT_TRUE(same_bits(from_zero, overwritten));
  }
}

// A row's bits do not depend on which rows share the call; a weight gradient's not on how the tokens are cut;
// nothing on threads.
TEST_P(GemmTest, SplitsAndThreadsKeepTheBits) {
  const bool slow = GetParam() == "scalar";
  for (const Shape& s : {Shape{67, 100, 48}, Shape{slow ? size_t{61} : size_t{611}, 96, 160}}) {
    const Floats x = random_floats(s.m * s.k), w = random_floats(s.n * s.k), dy = random_floats(s.m * s.n);
    const Floats packed = pack(w, s.n, s.k), dw0 = random_floats(s.n * s.k), db0 = random_floats(s.n);
    Floats y(s.m * s.n), dx(s.m * s.k), dw = dw0, db = db0;
    tenon_linear(nullptr, s.m, s.n, s.k, x.data(), s.k, packed.data(), nullptr, nullptr, 0, y.data(), s.n);
    tenon_linear_dx(nullptr, s.m, s.n, s.k, dy.data(), s.n, w.data(), s.k, 0, dx.data(), s.k);
    tenon_linear_dw(nullptr, s.m, s.n, s.k, dy.data(), s.n, x.data(), s.k, dw.data(), s.k);
    tenon_linear_dbias(nullptr, s.m, s.n, dy.data(), s.n, db.data());
    for (int trial = 0; trial < 6; ++trial) {
      const tenon_executor* ex = trial % 2 == 0 ? pool() : nullptr;
      Floats y2(s.m * s.n, NAN), dx2(s.m * s.k, NAN), dw2 = dw0, db2 = db0;
      for (size_t t = 0; t < s.m;) {
        const size_t rows = trial == 0 ? s.m : std::min(s.m - t, 1 + random_below(trial == 1 ? 3 : s.m));
        tenon_linear(ex, rows, s.n, s.k, &x[t * s.k], s.k, packed.data(), nullptr, nullptr, 0, &y2[t * s.n],
                     s.n);
        tenon_linear_dx(ex, rows, s.n, s.k, &dy[t * s.n], s.n, w.data(), s.k, 0, &dx2[t * s.k], s.k);
        tenon_linear_dw(ex, rows, s.n, s.k, &dy[t * s.n], s.n, &x[t * s.k], s.k, dw2.data(), s.k);
        tenon_linear_dbias(ex, rows, s.n, &dy[t * s.n], s.n, db2.data());
        t += rows;
      }
      EXPECT_TRUE(same_bits(y, y2));
      EXPECT_TRUE(same_bits(dx, dx2));
      EXPECT_TRUE(same_bits(dw, dw2));
      EXPECT_TRUE(same_bits(db, db2));
    }
  }
}

TEST_P(GemmTest, StridesAndPackedParts) {
  const size_t m = 17, n = 70, k = 36, ldx = 1024, ldy = 81;
  const Floats x = random_floats(m * ldx), w = random_floats(n * k);
  const Floats packed = pack(w, n, k);
  Floats parts(packed.size(), NAN);
  for (const auto& [row, rows] : {std::pair<size_t, size_t>{0, 10}, {10, 40}, {50, 20}}) {
    tenon_linear_pack(pool(), n, k, row, rows, &w[row * k], k, parts.data());
  }
  EXPECT_TRUE(same_bits(packed, parts));
  Floats dense(m * k), y(m * ldy, -1.0f), y_dense(m * n);
  for (size_t t = 0; t < m; ++t) std::copy_n(&x[t * ldx], k, &dense[t * k]);
  tenon_linear(nullptr, m, n, k, x.data(), ldx, packed.data(), nullptr, nullptr, 0, y.data(), ldy);
  tenon_linear(nullptr, m, n, k, dense.data(), k, packed.data(), nullptr, nullptr, 0, y_dense.data(), n);
  for (size_t t = 0; t < m; ++t) {
    for (size_t j = 0; j < ldy; ++j) EXPECT_EQ(y[t * ldy + j], j < n ? y_dense[t * n + j] : -1.0f);
  }
}

TEST_P(GemmTest, EveryInstructionSetGivesTheSameBits) {
  const size_t m = 29, n = 45, k = 77;
  const Floats x = random_floats(m * k), w = random_floats(n * k), dy = random_floats(m * n),
               packed = pack(w, n, k);
  Floats y(m * n), dx(m * k), dw(n * k), y1(m * n), dx1(m * k), dw1(n * k);
  tenon_linear(nullptr, m, n, k, x.data(), k, packed.data(), nullptr, nullptr, 0, y.data(), n);
  tenon_linear_dx(nullptr, m, n, k, dy.data(), n, w.data(), k, 0, dx.data(), k);
  tenon_linear_dw(nullptr, m, n, k, dy.data(), n, x.data(), k, dw.data(), k);
  ASSERT_EQ(tenon_kernels_force_isa("scalar"), 0);
  tenon_linear(nullptr, m, n, k, x.data(), k, packed.data(), nullptr, nullptr, 0, y1.data(), n);
  tenon_linear_dx(nullptr, m, n, k, dy.data(), n, w.data(), k, 0, dx1.data(), k);
  tenon_linear_dw(nullptr, m, n, k, dy.data(), n, x.data(), k, dw1.data(), k);
  EXPECT_TRUE(same_bits(y, y1));
  EXPECT_TRUE(same_bits(dx, dx1));
  EXPECT_TRUE(same_bits(dw, dw1));
}

TEST_P(GemmTest, NotANumberReachesItsRowOnly) {
  const size_t m = 14, n = 40, k = 20;
  Floats x = random_floats(m * k);
  x[3 * k + 7] = NAN;
  const Floats packed = pack(random_floats(n * k), n, k);
  Floats y(m * n);
  tenon_linear(nullptr, m, n, k, x.data(), k, packed.data(), nullptr, nullptr, 0, y.data(), n);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / n == 3);
}

TENON_EACH_ISA(GemmTest);

}  // namespace
}  // namespace tenon::kernels
