// The encoder's numbers against a naive one in double: forwards, and gradients by finite differences; and that splits and threads change no bit.
// SPDX-License-Identifier: Apache-2.0
#include "test_support.h"

namespace tenon::encoder {
namespace {

class Numbers : public ::testing::TestWithParam<bool> {
 protected:
  static const char* options() { return GetParam() ? kPre : kPost; }
  static bool pre() { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Norms, Numbers, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Pre" : "Post"; });

// dL/dp of `loss` at every parameter, by central differences in double, against `found`.
template <class Loss>
void expect_gradient(Naive naive, const Columns& found, const Loss& loss) {
  constexpr double kStep = 1e-5;
  for (const auto& [name, gradient] : found) {
    std::vector<double>& values = naive.p.at(name);
    for (uint64_t i = 0; i < values.size(); ++i) {
      const double at = values[i];
      values[i] = at + kStep;
      const double up = loss(naive);
      values[i] = at - kStep;
      const double down = loss(naive);
      values[i] = at;
      const double slope = (up - down) / (2 * kStep);
      ASSERT_NEAR(static_cast<double>(gradient[i]), slope, 1e-4 * std::max(1.0, std::abs(slope)))
          << name << " " << i;
    }
  }
}

TEST_P(Numbers, LogProbabilitiesAreThoseOfTheNaiveEncoder) {
  const TestModel m(options());
  m.shake(1);
  const TestBatch b = TestBatch::random(6, 14, 2);
  const Outputs found = pass(m, b, false);
  const Naive naive = naive_of(m, pre());
  int asked = 0;
  for (uint64_t s = 0; s < b.next.size(); ++s) {
    const uint64_t from = b.ids.offsets[s];
    const auto h = naive.hidden(b.ids[s], std::span(b.segment).subspan(from, b.ids[s].size()));
    for (uint64_t t = 0; t < h.size(); ++t) {
      const int32_t target = b.target[from + t];
      if (target < 0) {
        EXPECT_EQ(found.logprob[from + t], 0.0f);
        continue;
      }
      const auto lp = naive.masked(h[t]);
      EXPECT_NEAR(static_cast<double>(found.logprob[from + t]), lp[static_cast<uint64_t>(target)], 1e-4);
      EXPECT_NEAR(lp[static_cast<uint64_t>(found.most_likely[from + t])],
                  *std::max_element(lp.begin(), lp.end()), 1e-5);
      ++asked;
    }
    const double next = b.next[s] < 0 ? 0 : naive.next(h[0])[static_cast<uint64_t>(b.next[s])];
    EXPECT_NEAR(static_cast<double>(found.next_logprob[s]), next, 1e-4);
  }
  EXPECT_GT(asked, 10);
}

TEST_P(Numbers, GradientOfMaskedTokensAndNextSentences) {
  const TestModel m(options());
  m.shake(3);
  m.model().zero_grad(nullptr);
  const TestBatch b = TestBatch::random(2, 8, 4);
  pass(m, b, true);
  m.model().finish_grad(nullptr);
  Columns found = m.grads();
  for (float g : found.at("score.weight")) EXPECT_EQ(g, 0.0f);
  expect_gradient(naive_of(m, pre()), found, [&](const Naive& n) { return n.loss(b); });
}

tenon_tokens scored(const Ragged<int32_t>& ids) {
  tenon_tokens t{};
  t.struct_size = sizeof t;
  t.head = TENON_HEAD_SCALAR;
  t.ids = ids.raw();
  t.temperature = 1;
  return t;
}

// What `score` makes of a sequence: the segment changes behind the first separator.
double naive_scalar(const Naive& n, std::span<const int32_t> ids) {
  std::vector<int32_t> all{kCls};
  std::vector<uint8_t> segment{0};
  bool second = false;
  for (int32_t id : ids) {
    all.push_back(id);
    segment.push_back(second ? 1 : 0);
    second = second || id == kSep;
  }
  return n.scalar(n.hidden(all, segment)[0]);
}

TEST_P(Numbers, ScalarAndItsGradient) {
  const TestModel m(options());
  m.shake(5);
  Ragged<int32_t> ids;
  ids.push(std::vector<int32_t>{5, 6, kSep, 7, kSep, 8});
  ids.push(std::vector<int32_t>{9});
  ids.push(std::vector<int32_t>{4, 4, 10, 11});
  std::vector<float> value(11), d_value(11);
  uint64_t tape = 0;
  m.model().score(nullptr, scored(ids), nullptr, nullptr, value.data(), &tape);
  const Naive naive = naive_of(m, pre());
  for (uint64_t s = 0; s < 3; ++s) {
    const uint64_t last = ids.offsets[s + 1] - 1;
    EXPECT_NEAR(static_cast<double>(value[last]), naive_scalar(naive, ids[s]), 1e-5);
    d_value[last] = 0.5f - static_cast<float>(s);
    value[last] = 0;
  }
  for (float v : value) EXPECT_EQ(v, 0.0f) << "elsewhere than at a last token";

  m.model().zero_grad(nullptr);
  m.model().backward(nullptr, tape, nullptr, nullptr, d_value.data());
  m.model().finish_grad(nullptr);
  expect_gradient(naive, m.grads(), [&](const Naive& n) {
    double out = 0;
    for (uint64_t s = 0; s < 3; ++s)
      out += static_cast<double>(d_value[ids.offsets[s + 1] - 1]) * naive_scalar(n, ids[s]);
    return out;
  });
}

Columns gradient_of(const TestModel& m, const TestBatch& b, const std::vector<uint64_t>& cuts) {
  m.model().zero_grad(nullptr);
  for (size_t i = 0; i + 1 < cuts.size(); ++i) pass(m, b.slice(cuts[i], cuts[i + 1]), true);
  m.model().finish_grad(nullptr);
  return m.grads();
}

TEST_P(Numbers, MicroBatchesChangeNoBit) {
  const TestModel m(options());
  m.shake(6);
  const TestBatch b = TestBatch::random(12, 14, 7);
  const Columns whole = gradient_of(m, b, {0, 12});
  expect_same_bits(gradient_of(m, b, {0, 1, 5, 12}), whole);
  expect_same_bits(gradient_of(m, b, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), whole);
  const Outputs together = pass(m, b, false);
  const TestBatch last = b.slice(11, 12);
  const Outputs alone = pass(m, last, false);
  EXPECT_TRUE(std::equal(alone.logprob.begin(), alone.logprob.end(),
                         together.logprob.end() - static_cast<ptrdiff_t>(last.tokens())));
}

TEST_P(Numbers, ThreadsChangeNoBit) {
  const TestModel one(options()), two(options(), 2);
  one.shake(8), two.shake(8);
  const TestBatch b = TestBatch::random(12, 14, 9);
  EXPECT_EQ(pass(one, b, false).logprob, pass(two, b, false).logprob);
  expect_same_bits(gradient_of(one, b, {0, 12}), gradient_of(two, b, {0, 12}));
}

TEST_P(Numbers, EveryTokenSeesThoseBehindIt) {
  const TestModel m(options());
  m.shake(10);
  TestBatch b = TestBatch::random(1, 14, 11);
  const auto before = pass(m, b, false).logprob;
  b.ids.values[b.tokens() - 2] = b.ids.values[b.tokens() - 2] == 5 ? 6 : 5;
  const auto after = pass(m, b, false).logprob;
  for (uint64_t t = 0; t + 2 < b.tokens(); ++t)
    if (b.target[t] >= 0) {
      EXPECT_NE(before[t], after[t]) << t;
    }
}

}  // namespace
}  // namespace tenon::encoder
