// Causal attention, backward: the scores are computed again from q, k and the saved log-sum-exp.
// SPDX-License-Identifier: Apache-2.0
#include "attention_rows.h"
#include "exp.h"
#include "tile.h"

namespace tenon::kernels::TENON_ISA {
namespace {

constexpr uint64_t kPanel = 32;
constexpr uint64_t kScoresInCache = uint64_t{1} << 16;  // floats of one of the two score matrices of a block

float dot16(const float* a, const float* b, uint64_t n) {
  F16 sum = zero16();
  for (uint64_t i = 0; i < n; i += kLanes) {
    const Mask16 mask = first_lanes(n - i);
    sum = fma16(load16(a + i, mask), load16(b + i, mask), sum);
  }
  return sum_of_lanes(sum);
}

// c[rows][cols] (=|+=) a·b with row-major b of exactly `cols` columns.
void multiply(const Tile& shape, const float* a, const float* b, uint64_t ldb, float* c, uint64_t ldc,
              bool accumulate) {
  Tile t = shape;
  t.a = a;
  t.b = b;
  t.b_step = static_cast<int64_t>(ldb);
  t.b_panel = kPanel;
  t.b_exact = true;
  t.c = c;
  t.c_row = static_cast<int64_t>(ldc);
  t.init = accumulate ? c : nullptr;
  run_panels<kPanel>(t);
}

// One sequence and key-value head; the pointers point at this head's first column of token 0.
struct Head {
  uint64_t d;
  float scale;
  const float *key_blocks, *value_blocks;  // [.][d][16]
  const float* k;
  uint64_t ldk;
  Segment segments[2];
  const float *q, *out, *dout;
  uint64_t ldq, ldo, lddo;
  float *dq, *dk, *dv;
  uint64_t lddq, lddk, lddv;
  const float* lse;  // [group heads][tokens]
  uint64_t lse_stride;

  void run(const QueryBlock& block) const {
    const uint64_t rows = block.rows(), keys = block.keys(), stride = score_stride(keys);
    float* space = scratch(Scratch::kRows, 4 * rows * d);
    float* p = scratch(Scratch::kScores, rows * stride);
    float* ds = scratch(Scratch::kScores2, rows * stride);
    const RowsView query = gather_rows(block, d, q, ldq, space);
    const RowsView d_out = gather_rows(block, d, dout, lddo, space + rows * d);
    const RowsView output = gather_rows(block, d, out, ldo, space + 2 * rows * d);
    against_blocks(query, rows, keys, key_blocks, p, stride);
    against_blocks(d_out, rows, keys, value_blocks, ds, stride);
    const uint64_t width = round_up(keys, kLanes);
    uint64_t r = 0;
    for (uint64_t i = 0; i < block.positions; ++i) {
      for (uint64_t g = 0; g < block.group; ++g, ++r) {
        const float delta = dot16(d_out.data + r * d_out.stride, output.data + r * output.stride, d);
        weights(p + r * stride, ds + r * stride, block.first_position + i + 1, width,
                lse[g * lse_stride + block.first_token + i], delta);
      }
    }
    float* result = space + 3 * rows * d;  // dq may be dout, which is still needed
    Tile over_keys{};                      // dq = ds·k
    over_keys.rows = rows;
    over_keys.cols = d;
    over_keys.a_row = static_cast<int64_t>(stride);
    over_keys.a_step = 1;
    Tile over_queries{};  // dk += dsᵀ·q, dv += pᵀ·dout
    over_queries.cols = d;
    over_queries.steps = rows;
    over_queries.a_row = 1;
    over_queries.a_step = static_cast<int64_t>(stride);
    uint64_t done = 0;
    for (const Segment& segment : segments) {
      const uint64_t count = min_of(segment.count, keys - done);
      if (count == 0) continue;
      over_keys.steps = count;
      multiply(over_keys, ds + done, k + segment.row * ldk, ldk, result, d, done > 0);
      over_queries.rows = count;
      multiply(over_queries, ds + done, query.data, query.stride, dk + segment.row * lddk, lddk, true);
      multiply(over_queries, p + done, d_out.data, d_out.stride, dv + segment.row * lddv, lddv, true);
      done += count;
    }
    for (r = 0; r < rows; ++r) copy_floats(result + r * d, d, row_of(block, r, d, dq, lddq));
  }

 private:
  // c[rows][keys] = a[rows][d]·blocksᵀ
  void against_blocks(const RowsView& a, uint64_t rows, uint64_t keys, const float* blocks, float* c,
                      uint64_t stride) const {
    Tile t{};
    t.rows = rows;
    t.cols = round_up(keys, kLanes);
    t.steps = d;
    t.a = a.data;
    t.a_row = static_cast<int64_t>(a.stride);
    t.a_step = 1;
    t.b = blocks;
    t.b_step = kLanes;
    t.b_panel = static_cast<int64_t>(d * kLanes);
    t.c = c;
    t.c_row = static_cast<int64_t>(stride);
    run_panels<kLanes>(t);
  }

  // In place: p from the scores, ds from dP; zeros from n to width.
  void weights(float* p, float* ds, uint64_t n, uint64_t width, float row_lse, float delta) const {
    const F16 factor = set16(scale), shift = set16(row_lse), subtract = set16(delta);
    uint64_t j = 0;
    for (; j < n; j += kLanes) {
      const Mask16 mask = first_lanes(n - j);
      const F16 weight = exp16(load16(p + j) * factor - shift);
      const F16 gradient = weight * (load16(ds + j) - subtract) * factor;
      store16(p + j, select16(mask, weight, zero16()));
      store16(ds + j, select16(mask, gradient, zero16()));
    }
    for (; j < width; j += kLanes) {
      store16(p + j, zero16());
      store16(ds + j, zero16());
    }
  }
};

// Rows of queries to a block: more of them use a key's gradient better while it is in registers, but waste
// more of the triangle.
uint64_t positions_per_block(uint64_t keys, uint64_t group) {
  const uint64_t rows = keys >= 512 ? 48 : keys >= 128 ? 24 : 12;
  return max_of(1, min_of(rows, max_of(12, kScoresInCache / score_stride(keys))) / group);
}

void zero_rows(float* x, uint64_t ldx, uint64_t rows, uint64_t d) {
  for (uint64_t r = 0; r < rows; ++r) memset(x + r * ldx, 0, d * sizeof(float));
}

}  // namespace

void attention_backward(const tenon_executor* ex, const tenon_attention_batch* batch, const float* q,
                        uint64_t ldq, const float* k, uint64_t ldk, const float* v, uint64_t ldv,
                        const float* out, uint64_t ldo, const float* lse, const float* dout, uint64_t lddo,
                        float* dq, uint64_t lddq, float* dk, uint64_t lddk, float* dv, uint64_t lddv) {
  const uint64_t d = batch->head_dim, group = batch->heads / batch->kv_heads, kv_heads = batch->kv_heads;
  const uint64_t* offsets = batch->offsets;
  if (batch->sequences == 0) return;
  const uint64_t tokens = offsets[batch->sequences];
  const Families families = find_families(*batch);
  const uint64_t tasks = families.count * kv_heads;
  const uint64_t cost = tokens * batch->heads * families.longest * d / tasks;
  parallel(ex, tasks, grain_for(cost / 4), [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t family = task / kv_heads, h = task % kv_heads;
      const uint64_t room = round_up(families.longest, kLanes) * d;
      float* key_blocks = scratch(Scratch::kKeys, room);
      float* value_blocks = scratch(Scratch::kValues, room);
      uint64_t prefix = 0, prefix_row = 0;
      for (uint64_t i = families.first[family]; i < families.first[family + 1]; ++i) {
        const uint64_t sequence = families.member[i], row = offsets[sequence],
                       count = offsets[sequence + 1] - row;
        pack_keys(k + row * ldk + h * d, ldk, count, d, prefix, key_blocks);
        pack_keys(v + row * ldv + h * d, ldv, count, d, prefix, value_blocks);
        Head head{};
        head.d = d;
        head.scale = batch->scale;
        head.key_blocks = key_blocks;
        head.value_blocks = value_blocks;
        head.k = k + h * d;
        head.ldk = ldk;
        head.segments[0] = {prefix_row, prefix};
        head.segments[1] = {row, count};
        head.q = q + h * group * d;
        head.out = out + h * group * d;
        head.dout = dout + h * group * d;
        head.ldq = ldq;
        head.ldo = ldo;
        head.lddo = lddo;
        head.dq = dq + h * group * d;
        head.dk = dk + h * d;
        head.dv = dv + h * d;
        head.lddq = lddq;
        head.lddk = lddk;
        head.lddv = lddv;
        head.lse = lse + h * group * tokens;
        head.lse_stride = tokens;
        zero_rows(head.dk + row * lddk, lddk, count, d);
        zero_rows(head.dv + row * lddv, lddv, count, d);
        const uint64_t step = positions_per_block(prefix + count, group);
        for (uint64_t p = 0; p < count; p += step)
          head.run({prefix + p, min_of(step, count - p), group, row + p});
        if (i == families.first[family]) {
          prefix = count;
          prefix_row = row;
        }
      }
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
