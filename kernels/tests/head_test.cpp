// The language head: against the naive one; forward, backward, visit and sampler agree bit for bit.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/head.h"

#include <algorithm>
#include <numeric>

#include "../cpu/head_reference.h"
#include "support.h"
#include "tenon/kernels/gemm.h"

namespace tenon::kernels {
namespace {

class HeadTest : public KernelTest {};

// Random weights, hidden states and targets.
struct Problem {
  size_t n, d, vocabulary;
  Floats w, packed, h;
  std::vector<int32_t> target;
  tenon_head head{};

  Problem(size_t rows, size_t width, size_t entries, float temperature)
      : n(rows), d(width), vocabulary(entries) {
    w = random_floats(vocabulary * d, 0.3f);
    packed.resize(tenon_linear_packed_size(vocabulary, d));
    tenon_linear_pack(nullptr, vocabulary, d, 0, vocabulary, w.data(), d, packed.data());
    h = random_floats(n * d);
    target.resize(n);
    for (int32_t& t : target) t = static_cast<int32_t>(random_below(vocabulary));
    head = {sizeof(tenon_head), temperature, d, vocabulary, packed.data(), w.data()};
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;
};

struct Forward {
  Floats logp, entropy, lse;
};

Forward forward(const tenon_executor* ex, const Problem& p) {
  Forward f{Floats(p.n), Floats(p.n), Floats(p.n)};
  tenon_head_forward(ex, &p.head, p.n, nullptr, p.h.data(), p.d, p.target.data(), f.logp.data(),
                     f.entropy.data(), f.lse.data());
  return f;
}

struct Shape {
  size_t n, d, vocabulary;
  float temperature;
};
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {1, 8, 1, 1.0f}, {37, 64, 19, 1.0f}, {20, 24, 513, 0.7f}, {210, 16, 1300, 1.3f}};
  return all;
}

TEST(HeadReferenceTest, Gradient) {
  const size_t n = 3, d = 4, vocabulary = 7;
  const Doubles h = widen(random_floats(n * d)), w = widen(random_floats(vocabulary * d)),
                g = widen(random_floats(n)), e = widen(random_floats(n));
  const std::vector<int32_t> target = {6, 0, 3};
  const auto loss = [&](const Doubles& a, const Doubles& b) {
    Doubles logp(n), entropy(n);
    reference::head_forward<double>(n, d, vocabulary, 0.8, a.data(), b.data(), target.data(), logp.data(),
                                    entropy.data());
    return dot(logp, g) + dot(entropy, e);
  };
  Doubles dh(n * d), dw(vocabulary * d, 0.0);
  reference::head_backward<double>(n, d, vocabulary, 0.8, h.data(), w.data(), target.data(), g.data(),
                                   e.data(), dh.data(), dw.data());
  EXPECT_LE(finite_difference_error([&](const Doubles& x) { return loss(x, w); }, h, dh), 1e-7);
  EXPECT_LE(finite_difference_error([&](const Doubles& x) { return loss(h, x); }, w, dw), 1e-7);
}

TEST_P(HeadTest, ForwardAndBackwardAgainstReference) {
  for (const Shape& s : shapes()) {
    const Problem p(s.n, s.d, s.vocabulary, s.temperature);
    const Floats g = random_floats(s.n), e = random_floats(s.n, 0.1f),
                 dw0 = random_floats(s.vocabulary * s.d);
    Doubles logp(s.n), entropy(s.n), dh(s.n * s.d), dw = widen(dw0);
    reference::head_forward<double>(s.n, s.d, s.vocabulary, s.temperature, widen(p.h).data(),
                                    widen(p.w).data(), p.target.data(), logp.data(), entropy.data());
    reference::head_backward<double>(s.n, s.d, s.vocabulary, s.temperature, widen(p.h).data(),
                                     widen(p.w).data(), p.target.data(), widen(g).data(), widen(e).data(),
                                     dh.data(), dw.data());
    const Forward f = forward(pool(), p);
    Floats fast_dh(s.n * s.d, NAN), fast_dw = dw0;
    tenon_head_backward(pool(), &p.head, s.n, nullptr, p.h.data(), s.d, p.target.data(), f.lse.data(),
                        f.entropy.data(), g.data(), e.data(), fast_dh.data(), s.d, fast_dw.data());
    EXPECT_LE(worst_error(f.logp, logp), 3e-6) << s.vocabulary;
    EXPECT_LE(worst_error(f.entropy, entropy), 3e-6);
    EXPECT_LE(worst_error(fast_dh, dh), 2e-5);
    EXPECT_LE(worst_error(fast_dw, dw), 2e-5);
  }
}

// Any cut of the rows, any number of threads, and the visit: one set of bits.
TEST_P(HeadTest, SplitsThreadsAndVisitKeepTheBits) {
  for (const Shape& s : shapes()) {
    const Problem p(s.n, s.d, s.vocabulary, s.temperature);
    Floats g = random_floats(s.n), e = random_floats(s.n, 0.1f);
    for (size_t i = 0; i < s.n; i += 3) g[i] = e[i] = 0.0f;
    for (const float* entropy_gradient :
         {static_cast<const float*>(nullptr), static_cast<const float*>(e.data())}) {
      const Forward f = forward(nullptr, p), f_pool = forward(pool(), p);
      EXPECT_TRUE(same_bits(f.logp, f_pool.logp) && same_bits(f.entropy, f_pool.entropy) &&
                  same_bits(f.lse, f_pool.lse));
      const Floats dw0 = random_floats(s.vocabulary * s.d);
      Floats dh(s.n * s.d, NAN), dw = dw0;
      tenon_head_backward(nullptr, &p.head, s.n, nullptr, p.h.data(), s.d, p.target.data(), f.lse.data(),
                          f.entropy.data(), g.data(), entropy_gradient, dh.data(), s.d, dw.data());
      for (size_t i = 0; i < s.n; i += 3) EXPECT_EQ(dh[i * s.d], 0.0f);
      for (int trial = 0; trial < 3; ++trial) {
        const tenon_executor* ex = trial == 0 ? nullptr : pool();
        Floats dh2(s.n * s.d, NAN), dw2 = dw0, dh3(s.n * s.d, NAN), dw3 = dw0, logp(s.n, NAN),
                                    entropy(s.n, NAN);
        std::vector<uint64_t> rows(s.n);
        std::iota(rows.begin(), rows.end(), 0);
        for (size_t t = 0; t < s.n;) {
          const size_t count = trial == 0 ? s.n : std::min(s.n - t, 1 + random_below(s.n));
          tenon_head_backward(ex, &p.head, count, &rows[t], p.h.data(), s.d, p.target.data(), f.lse.data(),
                              f.entropy.data(), g.data(), entropy_gradient, dh2.data(), s.d, dw2.data());
          tenon_head_visit(ex, &p.head, count, &rows[t], p.h.data(), s.d, p.target.data(), g.data(),
                           entropy_gradient, logp.data(), entropy.data(), dh3.data(), s.d, dw3.data());
          t += count;
        }
        EXPECT_TRUE(same_bits(dh, dh2));
        EXPECT_TRUE(same_bits(dw, dw2));
        EXPECT_TRUE(same_bits(dh, dh3));
        EXPECT_TRUE(same_bits(dw, dw3));
        EXPECT_TRUE(same_bits(f.logp, logp));
        EXPECT_TRUE(same_bits(f.entropy, entropy));
      }
    }
  }
}

// So large a vocabulary that the visit computes its logits twice: the same bits as the two passes.
TEST_P(HeadTest, VisitOfALargeVocabularyKeepsTheBits) {
  if (GetParam() == "scalar") GTEST_SKIP() << "the same source as the others, only slower";
  const size_t n = 100, d = 4, vocabulary = 90001;
  const Problem p(n, d, vocabulary, 1.0f);
  const Floats g = random_floats(n), e = random_floats(n);
  const Forward f = forward(pool(), p);
  Floats dh(n * d), dw(vocabulary * d), dh2(n * d), dw2(vocabulary * d), logp(n);
  tenon_head_backward(pool(), &p.head, n, nullptr, p.h.data(), d, p.target.data(), f.lse.data(),
                      f.entropy.data(), g.data(), e.data(), dh.data(), d, dw.data());
  tenon_head_visit(pool(), &p.head, n, nullptr, p.h.data(), d, p.target.data(), g.data(), e.data(),
                   logp.data(), nullptr, dh2.data(), d, dw2.data());
  EXPECT_TRUE(same_bits(dh, dh2) && same_bits(dw, dw2) && same_bits(logp, f.logp));
}

TEST_P(HeadTest, OnlyListedRowsAreTouched) {
  const Problem p(30, 16, 45, 1.0f);
  const Forward f = forward(nullptr, p);
  const std::vector<uint64_t> rows = {3, 4, 17, 29};
  const Floats g(30, 1.0f);
  Floats logp(30, 5.0f), dh(30 * 16, 5.0f);
  tenon_head_visit(pool(), &p.head, rows.size(), rows.data(), p.h.data(), 16, p.target.data(), g.data(),
                   nullptr, logp.data(), nullptr, dh.data(), 16, nullptr);
  for (uint64_t r = 0; r < 30; ++r) {
    const bool listed = std::find(rows.begin(), rows.end(), r) != rows.end();
    EXPECT_EQ(logp[r], listed ? f.logp[r] : 5.0f);
    EXPECT_EQ(dh[r * 16] == 5.0f, !listed);
  }
  Floats logits(4 * 50, 5.0f);
  tenon_head_logits(pool(), &p.head, rows.size(), rows.data(), p.h.data(), 16, logits.data(), 50);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(logits[i * 50 + static_cast<size_t>(p.target[rows[i]])] - f.lse[rows[i]], f.logp[rows[i]]);
    EXPECT_EQ(logits[i * 50 + 45], 5.0f);
  }
}

// What is drawn has exactly the log-probability that the forward gives it.
TEST_P(HeadTest, SampledLogProbabilityHasTheForwardsBits) {
  for (const Shape& s : shapes()) {
    Problem p(s.n, s.d, s.vocabulary, s.temperature);
    Floats u(s.n);
    for (float& x : u) x = std::uniform_real_distribution<float>(0.0f, 0.999999f)(generator());
    const tenon_head_filter filter{sizeof(tenon_head_filter), 5, 0.9f, 0.01f};
    for (const tenon_head_filter* f : {static_cast<const tenon_head_filter*>(nullptr), &filter}) {
      std::vector<int32_t> token(s.n, -7), alone(s.n, -7);
      Floats logp(s.n, NAN), logp_alone(s.n, NAN);
      tenon_head_sample(pool(), &p.head, s.n, nullptr, p.h.data(), s.d, u.data(), f, token.data(),
                        logp.data());
      for (uint64_t r = 0; r < s.n; ++r) {
        tenon_head_sample(nullptr, &p.head, 1, &r, p.h.data(), s.d, &u[r], f, &alone[r], &logp_alone[r]);
      }
      EXPECT_EQ(token, alone);
      EXPECT_TRUE(same_bits(logp, logp_alone));
      p.target = token;
      EXPECT_TRUE(same_bits(logp, forward(pool(), p).logp));
    }
    p.head.temperature = 0.0f;  // greedy
    std::vector<int32_t> token(s.n);
    Floats logp(s.n), logits(s.n * s.vocabulary);
    tenon_head_sample(pool(), &p.head, s.n, nullptr, p.h.data(), s.d, nullptr, nullptr, token.data(),
                      logp.data());
    tenon_head_logits(nullptr, &p.head, s.n, nullptr, p.h.data(), s.d, logits.data(), s.vocabulary);
    for (size_t r = 0; r < s.n; ++r) {
      const auto row = logits.begin() + static_cast<int64_t>(r * s.vocabulary);
      EXPECT_EQ(token[r], std::max_element(row, row + static_cast<int64_t>(s.vocabulary)) - row);
    }
    p.target = token;
    p.head.temperature = 1.0f;
    EXPECT_TRUE(same_bits(logp, forward(nullptr, p).logp));
  }
}

// Pearson's statistic of many draws at evenly spaced u against the probabilities; with a filter, against the
// filtered ones.
TEST_P(HeadTest, FrequenciesAreTheProbabilities) {
  const size_t draws = 4000, d = 8, vocabulary = 700;
  Problem p(1, d, vocabulary, 1.0f);
  for (float& x : p.h) x *= 3;
  Floats many(draws * d), u(draws);
  for (size_t i = 0; i < draws; ++i) {
    std::copy_n(p.h.data(), d, &many[i * d]);
    u[i] = std::uniform_real_distribution<float>(0.0f, 0.99999f)(generator());
  }
  Floats logits(vocabulary);
  tenon_head_logits(nullptr, &p.head, 1, nullptr, p.h.data(), d, logits.data(), vocabulary);
  std::vector<size_t> rank(vocabulary);
  std::iota(rank.begin(), rank.end(), 0);
  std::sort(rank.begin(), rank.end(),
            [&](size_t a, size_t b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); });
  for (const tenon_head_filter& filter : {tenon_head_filter{sizeof(tenon_head_filter), 0, 1.0f, 0.0f},
                                          tenon_head_filter{sizeof(tenon_head_filter), 20, 1.0f, 0.0f},
                                          tenon_head_filter{sizeof(tenon_head_filter), 0, 0.6f, 0.0f},
                                          tenon_head_filter{sizeof(tenon_head_filter), 200, 0.9f, 0.05f}}) {
    Doubles probability(vocabulary, 0.0);
    size_t kept = filter.top_k > 0 ? filter.top_k : vocabulary;
    double sum = 0, reached = 0;
    for (size_t i = 0; i < kept; ++i) sum += std::exp(static_cast<double>(logits[rank[i]]));
    for (size_t i = 0; i < kept; ++i) {
      probability[rank[i]] = std::exp(static_cast<double>(logits[rank[i]]));
      reached += probability[rank[i]];
      if (filter.top_p < 1.0f && reached >= static_cast<double>(filter.top_p) * sum) break;
    }
    for (double& x : probability) {
      if (x < static_cast<double>(filter.min_p) * probability[rank[0]]) x = 0;
    }
    const double total = std::accumulate(probability.begin(), probability.end(), 0.0);
    std::vector<int32_t> token(draws);
    tenon_head_sample(pool(), &p.head, draws, nullptr, many.data(), d, u.data(), &filter, token.data(),
                      nullptr);
    Doubles count(vocabulary, 0.0);
    for (const int32_t t : token) ++count[static_cast<size_t>(t)];
    double statistic = 0, rest_expected = 0, rest_count = 0;
    int cells = 0;
    for (size_t j = 0; j < vocabulary; ++j) {
      const double expected = probability[j] / total * static_cast<double>(draws);
      if (expected == 0) {
        EXPECT_EQ(count[j], 0.0) << "token " << j << " was left out";
      }
      if (expected < 5) {
        rest_expected += expected;
        rest_count += count[j];
        continue;
      }
      statistic += (count[j] - expected) * (count[j] - expected) / expected;
      ++cells;
    }
    if (rest_expected >= 5) {
      statistic += (rest_count - rest_expected) * (rest_count - rest_expected) / rest_expected;
      ++cells;
    }
    // χ² has mean `cells` and variance 2·cells: five standard deviations, and a little for the skew of few
    // cells.
    EXPECT_LE(statistic, cells + 5 * std::sqrt(2.0 * cells) + 10)
        << "top_k " << filter.top_k << " top_p " << filter.top_p;
  }
}

TEST_P(HeadTest, EndsOfTheUniformNumber) {
  Problem p(2, 8, 1100, 1.0f);
  const Floats u = {0.0f, 0x1.fffffep-1f};
  std::vector<int32_t> token(2);
  tenon_head_sample(pool(), &p.head, 2, nullptr, p.h.data(), 8, u.data(), nullptr, token.data(), nullptr);
  EXPECT_EQ(token[0], 0);
  EXPECT_GE(token[1], 1000);
}

TEST_P(HeadTest, EveryInstructionSetGivesTheSameBits) {
  const Problem p(9, 20, 600, 0.9f);
  const Floats g = random_floats(9), e = random_floats(9);
  const auto run = [&] {
    Floats all(9 + 9 + 9 * 20 + 600 * 20, 0.0f);
    tenon_head_visit(nullptr, &p.head, 9, nullptr, p.h.data(), 20, p.target.data(), g.data(), e.data(),
                     &all[0], &all[9], &all[18], 20, &all[18 + 180]);
    return all;
  };
  const Floats here = run();
  ASSERT_EQ(tenon_kernels_force_isa("scalar"), 0);
  EXPECT_TRUE(same_bits(here, run()));
}

TEST_P(HeadTest, NonFiniteInputIsSaid) {
  Problem p(3, 8, 70, 1.0f);
  p.h[8 + 2] = NAN;  // row 1
  const Floats u(3, 0.5f);
  const Forward f = forward(pool(), p);
  std::vector<int32_t> token(3);
  Floats logp(3);
  const tenon_head_filter filter{sizeof(tenon_head_filter), 3, 1.0f, 0.0f};
  for (const tenon_head_filter* x : {static_cast<const tenon_head_filter*>(nullptr), &filter}) {
    tenon_head_sample(pool(), &p.head, 3, nullptr, p.h.data(), 8, u.data(), x, token.data(), logp.data());
    for (size_t r = 0; r < 3; ++r) {
      EXPECT_EQ(std::isnan(f.logp[r]), r == 1);
      EXPECT_EQ(std::isnan(logp[r]), r == 1);
      EXPECT_EQ(token[r] == -1, r == 1);
    }
  }
}

TENON_EACH_ISA(HeadTest);

}  // namespace
}  // namespace tenon::kernels
