// RMSNorm, RoPE, SwiGLU, embedding, vectors: against the naive ones, and under splits of tokens and threads.
// SPDX-License-Identifier: Apache-2.0
#include "../cpu/rmsnorm_reference.h"
#include "../cpu/rope_reference.h"
#include "../cpu/swiglu_reference.h"
#include "support.h"
#include "tenon/kernels/embedding.h"
#include "tenon/kernels/rmsnorm.h"
#include "tenon/kernels/rope.h"
#include "tenon/kernels/swiglu.h"
#include "tenon/kernels/vector.h"

namespace tenon::kernels {
namespace {

class LayersTest : public KernelTest {};

TEST_P(LayersTest, RmsNormAgainstReference) {
  for (const size_t d : {1, 8, 64, 100, 576}) {
    const size_t tokens = 9, groups = 3, ld = groups * d + 5;
    const Floats x = random_floats(tokens * groups * d), weight = random_floats(d),
                 dy = random_floats(tokens * groups * d);
    Doubles y(x.size()), rstd(tokens * groups), dx(x.size()), dweight(d, 0.0);
    reference::rmsnorm<double>(tokens * groups, d, widen(x).data(), widen(weight).data(), 1e-5, y.data(),
                               rstd.data());
    reference::rmsnorm_backward<double>(tokens * groups, d, widen(x).data(), widen(weight).data(),
                                        rstd.data(), widen(dy).data(), dx.data(), dweight.data());
    Floats strided(tokens * ld, 7.0f), fast_rstd(tokens * groups), fast_dx(x.size()), fast_dweight(d, 0.0f);
    for (size_t t = 0; t < tokens; ++t) std::copy_n(&x[t * groups * d], groups * d, &strided[t * ld]);
    Floats fast(strided);
    tenon_rmsnorm(pool(), tokens, groups, d, strided.data(), ld, weight.data(), 1e-5f, fast.data(), ld,
                  fast_rstd.data());
    tenon_rmsnorm_backward(pool(), tokens, groups, d, strided.data(), ld, weight.data(), fast_rstd.data(),
                           dy.data(), groups * d, 0, fast_dx.data(), groups * d, fast_dweight.data());
    for (size_t t = 0; t < tokens; ++t) {
      for (size_t i = 0; i < ld; ++i) {
        if (i < groups * d) {
          EXPECT_NEAR(fast[t * ld + i], y[t * groups * d + i], 1e-5 * (1 + std::abs(y[t * groups * d + i])));
        } else {
          EXPECT_EQ(fast[t * ld + i], 7.0f);
        }
      }
    }
    EXPECT_LE(worst_error(fast_dx, dx), d == 1 ? 1e-3 : 2e-5);  // width 1: dx is nothing but rounding
    EXPECT_LE(worst_error(fast_dweight, dweight), 2e-5);
    Floats twice = fast_dx, in_place = dy;
    tenon_rmsnorm_backward(nullptr, tokens, groups, d, strided.data(), ld, weight.data(), fast_rstd.data(),
                           dy.data(), groups * d, 1, twice.data(), groups * d, nullptr);
    for (size_t i = 0; i < twice.size(); ++i) EXPECT_EQ(twice[i], 2 * fast_dx[i]);
    tenon_rmsnorm_backward(nullptr, tokens, groups, d, strided.data(), ld, weight.data(), fast_rstd.data(),
                           in_place.data(), groups * d, 0, in_place.data(), groups * d, nullptr);
    EXPECT_TRUE(same_bits(in_place, fast_dx));
  }
}

TEST(LayersReferenceTest, RmsNormGradient) {
  const size_t rows = 3, d = 7;
  const Doubles x = widen(random_floats(rows * d)), weight = widen(random_floats(d)),
                dy = widen(random_floats(rows * d));
  const auto loss = [&](const Doubles& at, const Doubles& w) {
    Doubles y(rows * d), rstd(rows);
    reference::rmsnorm<double>(rows, d, at.data(), w.data(), 1e-5, y.data(), rstd.data());
    return dot(y, dy);
  };
  Doubles y(rows * d), rstd(rows), dx(rows * d), dweight(d, 0.0);
  reference::rmsnorm<double>(rows, d, x.data(), weight.data(), 1e-5, y.data(), rstd.data());
  reference::rmsnorm_backward<double>(rows, d, x.data(), weight.data(), rstd.data(), dy.data(), dx.data(),
                                      dweight.data());
  EXPECT_LE(finite_difference_error([&](const Doubles& at) { return loss(at, weight); }, x, dx), 1e-7);
  EXPECT_LE(finite_difference_error([&](const Doubles& at) { return loss(x, at); }, weight, dweight), 1e-7);
}

TEST(LayersReferenceTest, SwigluGradient) {
  const size_t tokens = 3, ff = 5;
  const Doubles x = widen(random_floats(tokens * 2 * ff)), dy = widen(random_floats(tokens * ff));
  Doubles dx(x.size());
  reference::swiglu_backward<double>(tokens, ff, x.data(), dy.data(), dx.data());
  const auto loss = [&](const Doubles& at) {
    Doubles y(tokens * ff);
    reference::swiglu<double>(tokens, ff, at.data(), y.data());
    return dot(y, dy);
  };
  EXPECT_LE(finite_difference_error(loss, x, dx), 1e-7);
}

TEST_P(LayersTest, RmsNormSplitsKeepTheBits) {
  const size_t tokens = 300, d = 80;
  const Floats x = random_floats(tokens * d), weight = random_floats(d), dy = random_floats(tokens * d),
               start = random_floats(d);
  Floats y(x.size()), rstd(tokens), dx(x.size()), dweight = start;
  tenon_rmsnorm(nullptr, tokens, 1, d, x.data(), d, weight.data(), 1e-6f, y.data(), d, rstd.data());
  tenon_rmsnorm_backward(nullptr, tokens, 1, d, x.data(), d, weight.data(), rstd.data(), dy.data(), d, 0,
                         dx.data(), d, dweight.data());
  Floats y2(x.size()), rstd2(tokens), dx2(x.size()), dweight2 = start;
  for (size_t t = 0; t < tokens;) {
    const size_t n = std::min(tokens - t, 1 + random_below(200));
    tenon_rmsnorm(pool(), n, 1, d, &x[t * d], d, weight.data(), 1e-6f, &y2[t * d], d, &rstd2[t]);
    tenon_rmsnorm_backward(pool(), n, 1, d, &x[t * d], d, weight.data(), &rstd2[t], &dy[t * d], d, 0,
                           &dx2[t * d], d, dweight2.data());
    t += n;
  }
  EXPECT_TRUE(same_bits(y, y2));
  EXPECT_TRUE(same_bits(rstd, rstd2));
  EXPECT_TRUE(same_bits(dx, dx2));
  EXPECT_TRUE(same_bits(dweight, dweight2));
}

TEST_P(LayersTest, RopeAgainstReferenceAndBack) {
  for (const size_t d : {2, 8, 16, 64, 80}) {
    const size_t tokens = 11, heads = 3, positions = 500;
    Floats inv_freq(d / 2), table(positions * d);
    for (size_t i = 0; i < d / 2; ++i)
      inv_freq[i] =
          static_cast<float>(std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(d)));
    tenon_rope_table(pool(), positions, d, inv_freq.data(), 1.0f, table.data());
    std::vector<int32_t> position(tokens);
    for (int32_t& p : position) p = static_cast<int32_t>(random_below(positions));
    const Floats x = random_floats(tokens * heads * d);
    Doubles truth = widen(x);
    reference::rope<double>(tokens, heads, d, position.data(), inv_freq.data(), 1, truth.data());
    Floats y = x;
    tenon_rope(pool(), tokens, heads, d, position.data(), table.data(), 0, y.data(), heads * d);
    EXPECT_LE(worst_error(y, truth), 1e-6);
    reference::rope<double>(tokens, heads, d, position.data(), inv_freq.data(), -1, truth.data());
    EXPECT_LE(worst_error(truth, widen(x)),
              1e-12);  // the inverse rotation is the transpose, hence the gradient
    tenon_rope(nullptr, tokens, heads, d, position.data(), table.data(), 1, y.data(), heads * d);
    EXPECT_LE(worst_error(y, x), 1e-6);
  }
}

TEST_P(LayersTest, SwigluAgainstReference) {
  for (const size_t ff : {1, 16, 41, 256}) {
    const size_t tokens = 13;
    Floats x = random_floats(tokens * 2 * ff, 4.0f);
    x[0] = 200.0f;  // the logistic function's ends
    if (ff > 1) x[1] = -200.0f;
    const Floats dy = random_floats(tokens * ff);
    Doubles y(tokens * ff), dx(x.size());
    reference::swiglu<double>(tokens, ff, widen(x).data(), y.data());
    reference::swiglu_backward<double>(tokens, ff, widen(x).data(), widen(dy).data(), dx.data());
    Floats fast(tokens * ff), again(tokens * ff), fast_dx(x.size());
    tenon_swiglu(pool(), tokens, ff, x.data(), 2 * ff, fast.data(), ff);
    tenon_swiglu_backward(pool(), tokens, ff, x.data(), 2 * ff, dy.data(), ff, fast_dx.data(), 2 * ff,
                          again.data(), ff);
    EXPECT_LE(worst_error(fast, y), 1e-6);
    EXPECT_LE(worst_error(fast_dx, dx), 2e-6);
    EXPECT_TRUE(same_bits(fast, again));
    tenon_swiglu_backward(nullptr, tokens, ff, x.data(), 2 * ff, dy.data(), ff, x.data(), 2 * ff, nullptr, 0);
    EXPECT_TRUE(same_bits(x, fast_dx));
  }
}

TEST_P(LayersTest, EmbeddingGathersAndScatters) {
  const size_t tokens = 700, d = 84, vocabulary = 19;
  const Floats table = random_floats(vocabulary * d), dy = random_floats(tokens * d),
               start = random_floats(vocabulary * d);
  std::vector<int32_t> id(tokens);
  for (int32_t& i : id) i = static_cast<int32_t>(random_below(vocabulary));
  Floats y(tokens * d), dtable = start, expected = start, split = start;
  tenon_embedding(pool(), tokens, d, id.data(), table.data(), y.data(), d);
  tenon_embedding_backward(pool(), tokens, d, id.data(), dy.data(), d, dtable.data());
  tenon_embedding_backward(nullptr, 123, d, id.data(), dy.data(), d, split.data());
  tenon_embedding_backward(pool(), tokens - 123, d, &id[123], &dy[123 * d], d, split.data());
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t i = 0; i < d; ++i) {
      EXPECT_EQ(y[t * d + i], table[static_cast<size_t>(id[t]) * d + i]);
      expected[static_cast<size_t>(id[t]) * d + i] += dy[t * d + i];
    }
  }
  EXPECT_TRUE(same_bits(dtable, expected));
  EXPECT_TRUE(same_bits(split, expected));
}

TEST_P(LayersTest, Vectors) {
  for (const size_t n : {0, 1, 15, 4096, 10007}) {
    const Floats a = random_floats(n), b = random_floats(n);
    Floats sum(n), scaled = a, moved = b, none = a;
    tenon_add(pool(), n, a.data(), b.data(), sum.data());
    tenon_scale(pool(), n, 0.3f, scaled.data());
    tenon_axpy(pool(), n, 0.3f, a.data(), moved.data());
    tenon_zero(pool(), n, none.data());
    double squares = 0;
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(sum[i], a[i] + b[i]);
      EXPECT_EQ(scaled[i], a[i] * 0.3f);
      EXPECT_EQ(moved[i], std::fma(0.3f, a[i], b[i]));
      EXPECT_EQ(none[i], 0.0f);
      squares += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    }
    const double found = tenon_sum_of_squares(pool(), n, a.data());
    EXPECT_NEAR(found, squares, 1e-12 * (1 + squares));
    EXPECT_EQ(found, tenon_sum_of_squares(nullptr, n, a.data()));
  }
}

TEST_P(LayersTest, EveryInstructionSetGivesTheSameBits) {
  const size_t tokens = 5, d = 75;
  const Floats x = random_floats(tokens * 2 * d, 3.0f), weight = random_floats(2 * d);
  Floats y(tokens * d), norm(tokens * 2 * d), y1(tokens * d), norm1(tokens * 2 * d);
  tenon_swiglu(nullptr, tokens, d, x.data(), 2 * d, y.data(), d);
  tenon_rmsnorm(nullptr, tokens, 1, 2 * d, x.data(), 2 * d, weight.data(), 1e-5f, norm.data(), 2 * d,
                nullptr);
  ASSERT_EQ(tenon_kernels_force_isa("scalar"), 0);
  tenon_swiglu(nullptr, tokens, d, x.data(), 2 * d, y1.data(), d);
  tenon_rmsnorm(nullptr, tokens, 1, 2 * d, x.data(), 2 * d, weight.data(), 1e-5f, norm1.data(), 2 * d,
                nullptr);
  EXPECT_TRUE(same_bits(y, y1));
  EXPECT_TRUE(same_bits(norm, norm1));
}

TEST(IsaTest, NamesAndRefusals) {
  EXPECT_EQ(tenon_kernels_force_isa("no-such-set"), -1);
  ASSERT_EQ(tenon_kernels_force_isa("scalar"), 0);
  EXPECT_STREQ(tenon_kernels_isa_name(), "scalar");
  ASSERT_EQ(tenon_kernels_force_isa(nullptr), 0);
}

TENON_EACH_ISA(LayersTest);

}  // namespace
}  // namespace tenon::kernels
