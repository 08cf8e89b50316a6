// Attention: against the naive one; the same bits in training, prefill, decode and with a shared prompt.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/attention.h"

#include <numeric>

#include "../cpu/attention_reference.h"
#include "support.h"

namespace tenon::kernels {
namespace {

class AttentionTest : public KernelTest {};

struct Heads {
  uint32_t heads, kv_heads, d;
  size_t q_width() const { return size_t{heads} * d; }
  size_t kv_width() const { return size_t{kv_heads} * d; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(d)); }
};

const std::vector<Heads>& head_shapes() {
  static const std::vector<Heads> all = {{4, 4, 16}, {9, 3, 64},  {2, 1, 8},
                                         {3, 3, 24}, {16, 1, 32}, {2, 2, 128}};
  return all;
}

// Random sequences of the given lengths.
struct Batch {
  Heads shape;
  std::vector<uint64_t> offsets{0};
  std::vector<int64_t> prefix;
  Floats q, k, v;

  Batch(const Heads& s, const std::vector<size_t>& lengths) : shape(s) {
    for (const size_t n : lengths) offsets.push_back(offsets.back() + n);
    q = random_floats(tokens() * s.q_width());
    k = random_floats(tokens() * s.kv_width());
    v = random_floats(tokens() * s.kv_width());
  }
  size_t tokens() const { return offsets.back(); }
  size_t sequences() const { return offsets.size() - 1; }
  tenon_attention_batch view() const {
    return {sizeof(tenon_attention_batch),
            shape.heads,
            shape.kv_heads,
            shape.d,
            shape.scale(),
            0,
            sequences(),
            offsets.data(),
            prefix.empty() ? nullptr : prefix.data()};
  }
  Floats forward(const tenon_executor* ex, Floats* lse = nullptr) const {
    Floats out(tokens() * shape.q_width(), NAN);
    if (lse != nullptr) lse->assign(tokens() * shape.heads, NAN);
    const tenon_attention_batch batch = view();
    tenon_attention(ex, &batch, q.data(), shape.q_width(), k.data(), shape.kv_width(), v.data(),
                    shape.kv_width(), out.data(), shape.q_width(), lse == nullptr ? nullptr : lse->data());
    return out;
  }
};

reference::AttentionShape reference_shape(const Heads& s, size_t n) {
  return {n, n, s.heads, s.kv_heads, s.d, s.scale()};
}

Floats rows_of(const Floats& x, size_t width, size_t from, size_t to) {
  return Floats(x.begin() + static_cast<int64_t>(from * width), x.begin() + static_cast<int64_t>(to * width));
}

TEST(AttentionReferenceTest, Gradient) {
  const reference::AttentionShape s{3, 5, 4, 2, 3, 0.6};
  const Doubles q = widen(random_floats(3 * 4 * 3)), k = widen(random_floats(5 * 2 * 3)),
                v = widen(random_floats(5 * 2 * 3));
  const Doubles dout = widen(random_floats(q.size()));
  const auto loss = [&](const Doubles& a, const Doubles& b, const Doubles& c) {
    Doubles out(q.size());
    reference::attention<double>(s, a.data(), b.data(), c.data(), out.data());
    return dot(out, dout);
  };
  Doubles dq(q.size()), dk(k.size(), 0.0), dv(v.size(), 0.0);
  reference::attention_backward<double>(s, q.data(), k.data(), v.data(), dout.data(), dq.data(), dk.data(),
                                        dv.data());
  EXPECT_LE(finite_difference_error([&](const Doubles& x) { return loss(x, k, v); }, q, dq), 1e-7);
  EXPECT_LE(finite_difference_error([&](const Doubles& x) { return loss(q, x, v); }, k, dk), 1e-7);
  EXPECT_LE(finite_difference_error([&](const Doubles& x) { return loss(q, k, x); }, v, dv), 1e-7);
}

TEST_P(AttentionTest, ForwardAndBackwardAgainstReference) {
  for (const Heads& s : head_shapes()) {
    const Batch b(s, {1, 37, 0, 16, 90});
    Floats lse;
    const Floats out = b.forward(pool(), &lse), dout = random_floats(out.size());
    Floats dq(out.size(), NAN), dk(b.k.size(), NAN), dv(b.v.size(), NAN);
    const tenon_attention_batch batch = b.view();
    tenon_attention_backward(pool(), &batch, b.q.data(), s.q_width(), b.k.data(), s.kv_width(), b.v.data(),
                             s.kv_width(), out.data(), s.q_width(), lse.data(), dout.data(), s.q_width(),
                             dq.data(), s.q_width(), dk.data(), s.kv_width(), dv.data(), s.kv_width());
    Doubles truth(out.size()), tq(out.size()), tk(b.k.size(), 0.0), tv(b.v.size(), 0.0);
    const Doubles q = widen(b.q), k = widen(b.k), v = widen(b.v), d_out = widen(dout);
    for (size_t i = 0; i < b.sequences(); ++i) {
      const size_t qo = b.offsets[i] * s.q_width(), ko = b.offsets[i] * s.kv_width();
      const reference::AttentionShape shape = reference_shape(s, b.offsets[i + 1] - b.offsets[i]);
      reference::attention<double>(shape, &q[0] + qo, &k[0] + ko, &v[0] + ko, &truth[0] + qo);
      reference::attention_backward<double>(shape, &q[0] + qo, &k[0] + ko, &v[0] + ko, &d_out[0] + qo,
                                            &tq[0] + qo, &tk[0] + ko, &tv[0] + ko);
    }
    EXPECT_LE(worst_error(out, truth), 4e-6) << s.heads << "/" << s.kv_heads << " x " << s.d;
    EXPECT_LE(worst_error(dq, tq), 1e-5);
    EXPECT_LE(worst_error(dk, tk), 1e-5);
    EXPECT_LE(worst_error(dv, tv), 1e-5);
  }
}

TEST_P(AttentionTest, CompanyAndThreadsKeepTheBits) {
  for (const Heads& s : head_shapes()) {
    const Batch b(s, {33, 150, 2, 65});
    Floats lse, lse_pool;
    const Floats out = b.forward(nullptr, &lse);
    EXPECT_TRUE(same_bits(out, b.forward(pool(), &lse_pool)));
    EXPECT_TRUE(same_bits(lse, lse_pool));
    const Floats dout = random_floats(out.size());
    const auto backward = [&](const tenon_executor* ex, const Batch& batch_in, const Floats& o,
                              const Floats& l, const Floats& g) {
      Floats all(o.size() + 2 * batch_in.k.size(), NAN);
      const tenon_attention_batch batch = batch_in.view();
      tenon_attention_backward(ex, &batch, batch_in.q.data(), s.q_width(), batch_in.k.data(), s.kv_width(),
                               batch_in.v.data(), s.kv_width(), o.data(), s.q_width(), l.data(), g.data(),
                               s.q_width(), all.data(), s.q_width(), &all[o.size()], s.kv_width(),
                               &all[o.size() + batch_in.k.size()], s.kv_width());
      return all;
    };
    const Floats gradients = backward(nullptr, b, out, lse, dout);
    EXPECT_TRUE(same_bits(gradients, backward(pool(), b, out, lse, dout)));
    for (size_t i = 0; i < b.sequences(); ++i) {
      Batch alone(s, {b.offsets[i + 1] - b.offsets[i]});
      alone.q = rows_of(b.q, s.q_width(), b.offsets[i], b.offsets[i + 1]);
      alone.k = rows_of(b.k, s.kv_width(), b.offsets[i], b.offsets[i + 1]);
      alone.v = rows_of(b.v, s.kv_width(), b.offsets[i], b.offsets[i + 1]);
      Floats lse_alone;
      const Floats out_alone = alone.forward(nullptr, &lse_alone);
      EXPECT_TRUE(same_bits(out_alone, rows_of(out, s.q_width(), b.offsets[i], b.offsets[i + 1])));
      const Floats g = backward(nullptr, alone, out_alone, lse_alone,
                                rows_of(dout, s.q_width(), b.offsets[i], b.offsets[i + 1]));
      EXPECT_TRUE(
          same_bits(rows_of(g, 1, 0, out_alone.size()),
                    rows_of(gradients, 1, b.offsets[i] * s.q_width(), b.offsets[i + 1] * s.q_width())));
      EXPECT_TRUE(same_bits(rows_of(g, 1, out_alone.size(), out_alone.size() + alone.k.size()),
                            rows_of(gradients, 1, out.size() + b.offsets[i] * s.kv_width(),
                                    out.size() + b.offsets[i + 1] * s.kv_width())));
    }
  }
}

// A cache of two slots: slot 0 filled in random pieces, slot 1 forked from it and decoded row by row.
TEST_P(AttentionTest, PrefillAndDecodeHaveTheBitsOfTraining) {
  for (const Heads& s : head_shapes()) {
    const size_t n = 75, prompt = 21;
    const Batch b(s, {n});
    const Floats out = b.forward(nullptr);
    tenon_kv_cache cache{sizeof(tenon_kv_cache), 2, s.kv_heads, s.d, 80, nullptr, nullptr};
    Floats ck(tenon_kv_cache_size(&cache), 0.0f), cv(tenon_kv_cache_size(&cache), NAN);
    cache.k = ck.data();
    cache.v = cv.data();
    Floats decoded(out.size(), NAN);
    const auto advance = [&](uint32_t slot, size_t from, size_t to) {
      std::vector<uint32_t> slots(to - from, slot);
      std::vector<int32_t> positions(to - from);
      std::iota(positions.begin(), positions.end(), static_cast<int32_t>(from));
      tenon_kv_cache_append(pool(), &cache, to - from, slots.data(), positions.data(),
                            &b.k[from * s.kv_width()], s.kv_width(), &b.v[from * s.kv_width()], s.kv_width());
      const uint64_t offsets[] = {0, to - from};
      const int32_t first = static_cast<int32_t>(from);
      tenon_attention_cached(pool(), &cache, s.heads, s.scale(), 1, offsets, &slot, &first,
                             &b.q[from * s.q_width()], s.q_width(), &decoded[from * s.q_width()],
                             s.q_width());
    };
    for (size_t t = 0; t < n;) {
      const size_t rows = std::min(n - t, t == 0 ? prompt : 1 + random_below(20));
      advance(0, t, t + rows);
      t += rows;
    }
    EXPECT_TRUE(same_bits(out, decoded));
    std::fill(decoded.begin() + static_cast<int64_t>(prompt * s.q_width()), decoded.end(), NAN);
    const uint32_t to = 1;
    tenon_kv_cache_fork(pool(), &cache, 0, prompt, &to, 1);
    for (size_t t = prompt; t < n; ++t) advance(1, t, t + 1);
    EXPECT_TRUE(same_bits(out, decoded));
  }
}

// Many slots in one call, each a few rows: the same as each alone.
TEST_P(AttentionTest, DecodingSlotsTogetherKeepsTheBits) {
  const Heads s{9, 3, 64};
  const size_t slots = 5, capacity = 48;
  tenon_kv_cache cache{sizeof(tenon_kv_cache), slots, s.kv_heads, s.d, capacity, nullptr, nullptr};
  Floats ck = random_floats(tenon_kv_cache_size(&cache)), cv = random_floats(tenon_kv_cache_size(&cache));
  cache.k = ck.data();
  cache.v = cv.data();
  const std::vector<uint64_t> offsets = {0, 1, 4, 5, 15, 16};
  const std::vector<uint32_t> slot = {4, 2, 0, 1, 3};
  const std::vector<int32_t> first = {40, 7, 0, 30, 15};
  const Floats q = random_floats(16 * s.q_width());
  Floats together(q.size()), alone(q.size());
  tenon_attention_cached(pool(), &cache, s.heads, s.scale(), 5, offsets.data(), slot.data(), first.data(),
                         q.data(), s.q_width(), together.data(), s.q_width());
  for (size_t i = 0; i < 5; ++i) {
    for (uint64_t row = offsets[i]; row < offsets[i + 1]; ++row) {
      const uint64_t one[] = {0, 1};
      const int32_t position = first[i] + static_cast<int32_t>(row - offsets[i]);
      tenon_attention_cached(nullptr, &cache, s.heads, s.scale(), 1, one, &slot[i], &position,
                             &q[row * s.q_width()], s.q_width(), &alone[row * s.q_width()], s.q_width());
    }
  }
  EXPECT_TRUE(same_bits(together, alone));
}

// One row in each of many slots, as in decoding: heads are then done side by side.
TEST_P(AttentionTest, ARowInEachOfManySlotsKeepsTheBits) {
  for (const Heads& s :
       {Heads{4, 4, 16}, Heads{5, 5, 32}, Heads{9, 9, 32}, Heads{3, 3, 24}, Heads{9, 3, 64}}) {
    const uint32_t slots = 21;
    tenon_kv_cache cache{sizeof(tenon_kv_cache), slots, s.kv_heads, s.d, 64, nullptr, nullptr};
    Floats ck = random_floats(tenon_kv_cache_size(&cache)), cv = random_floats(tenon_kv_cache_size(&cache));
    cache.k = ck.data();
    cache.v = cv.data();
    std::vector<uint64_t> offsets(slots + 1);
    std::iota(offsets.begin(), offsets.end(), uint64_t{0});
    std::vector<uint32_t> slot(slots);
    std::vector<int32_t> position(slots);
    for (uint32_t i = 0; i < slots; ++i) {
      slot[i] = slots - 1 - i;
      position[i] = static_cast<int32_t>(i * 3);
    }
    const Floats q = random_floats(slots * s.q_width());
    Floats together(q.size()), alone(q.size());
    tenon_attention_cached(pool(), &cache, s.heads, s.scale(), slots, offsets.data(), slot.data(),
                           position.data(), q.data(), s.q_width(), together.data(), s.q_width());
    for (uint32_t i = 0; i < slots; ++i)
      tenon_attention_cached(nullptr, &cache, s.heads, s.scale(), 1, offsets.data(), &slot[i], &position[i],
                             &q[i * s.q_width()], s.q_width(), &alone[i * s.q_width()], s.q_width());
    EXPECT_TRUE(same_bits(together, alone)) << s.heads << " heads of " << s.d;
  }
}

// Two prompts with two completions each, shared and not shared.
TEST_P(AttentionTest, SharedPromptsHaveTheBitsOfCopies) {
  for (const Heads& s : head_shapes()) {
    const std::vector<size_t> lengths = {19, 30, 7, 16, 40, 1};  // prompt, completion, completion, twice
    Batch shared(s, lengths);
    shared.prefix = {-1, 0, 0, -1, 3, 3};
    Floats lse;
    const Floats out = shared.forward(pool(), &lse), dout = random_floats(out.size());
    Floats dq(out.size(), NAN), dk(shared.k.size(), NAN), dv(shared.v.size(), NAN);
    const tenon_attention_batch batch = shared.view();
    tenon_attention_backward(pool(), &batch, shared.q.data(), s.q_width(), shared.k.data(), s.kv_width(),
                             shared.v.data(), s.kv_width(), out.data(), s.q_width(), lse.data(), dout.data(),
                             s.q_width(), dq.data(), s.q_width(), dk.data(), s.kv_width(), dv.data(),
                             s.kv_width());
    Doubles tq(out.size()), tk(dk.size(), 0.0), tv(dv.size(), 0.0);
    const Doubles d_out = widen(dout);
    for (size_t i = 0; i < shared.sequences(); ++i) {
      const int64_t p = shared.prefix[i];
      const size_t prompt = p < 0 ? 0 : lengths[static_cast<size_t>(p)], from = shared.offsets[i];
      Batch copy(s, {prompt + lengths[i]});
      const auto take = [&](const Floats& x, size_t width) {
        Floats y = p < 0 ? Floats()
                         : rows_of(x, width, shared.offsets[static_cast<size_t>(p)],
                                   shared.offsets[static_cast<size_t>(p)] + prompt);
        const Floats own = rows_of(x, width, from, from + lengths[i]);
        y.insert(y.end(), own.begin(), own.end());
        return y;
      };
      copy.q = take(shared.q, s.q_width());
      copy.k = take(shared.k, s.kv_width());
      copy.v = take(shared.v, s.kv_width());
      EXPECT_TRUE(same_bits(rows_of(out, s.q_width(), from, from + lengths[i]),
                            rows_of(copy.forward(nullptr), s.q_width(), prompt, prompt + lengths[i])));
      const reference::AttentionShape shape{lengths[i], prompt + lengths[i], s.heads, s.kv_heads, s.d,
                                            s.scale()};
      const Doubles q = widen(rows_of(shared.q, s.q_width(), from, from + lengths[i])), k = widen(copy.k),
                    v = widen(copy.v);
      Doubles dki(k.size(), 0.0), dvi(v.size(), 0.0);
      reference::attention_backward<double>(shape, q.data(), k.data(), v.data(),
                                            d_out.data() + from * s.q_width(), &tq[from * s.q_width()],
                                            dki.data(), dvi.data());
      for (size_t j = 0; j < k.size(); ++j) {
        const size_t width = s.kv_width(), row = j / width;
        const size_t at =
            (row < prompt ? shared.offsets[static_cast<size_t>(p)] + row : from + row - prompt) * width +
            j % width;
        tk[at] += dki[j];
        tv[at] += dvi[j];
      }
    }
    EXPECT_LE(worst_error(dq, tq), 1e-5);
    EXPECT_LE(worst_error(dk, tk), 2e-5);
    EXPECT_LE(worst_error(dv, tv), 2e-5);
    Floats dk1(dk.size()), dv1(dv.size()), dq1(dq.size());
    tenon_attention_backward(nullptr, &batch, shared.q.data(), s.q_width(), shared.k.data(), s.kv_width(),
                             shared.v.data(), s.kv_width(), out.data(), s.q_width(), lse.data(), dout.data(),
                             s.q_width(), dq1.data(), s.q_width(), dk1.data(), s.kv_width(), dv1.data(),
                             s.kv_width());
    EXPECT_TRUE(same_bits(dk, dk1) && same_bits(dv, dv1) && same_bits(dq, dq1));
  }
}

TEST_P(AttentionTest, EveryInstructionSetGivesTheSameBits) {
  const Batch b({6, 2, 40}, {50, 3});
  Floats lse, lse1;
  const Floats out = b.forward(nullptr, &lse);
  ASSERT_EQ(tenon_kernels_force_isa("scalar"), 0);
  EXPECT_TRUE(same_bits(out, b.forward(nullptr, &lse1)));
  EXPECT_TRUE(same_bits(lse, lse1));
}

TEST_P(AttentionTest, NonFiniteInputPropagates) {
  Batch b({2, 1, 16}, {30});
  b.k[2 * 16 + 3] = NAN;  // key 2
  const Floats out = b.forward(pool());
  for (size_t t = 2; t < 30; ++t) EXPECT_TRUE(std::isnan(out[t * 32])) << t;
  EXPECT_FALSE(std::isnan(out[0]));
}

TENON_EACH_ISA(AttentionTest);

}  // namespace
}  // namespace tenon::kernels
