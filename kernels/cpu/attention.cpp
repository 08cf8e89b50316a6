// Causal attention, forward: whole sequences and the key-value cache through one row function.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/attention.h"

#include <math.h>

#include "attention_rows.h"
#include "exp.h"
#include "tile.h"

namespace tenon::kernels::TENON_ISA {
namespace {

constexpr uint64_t kPanel = 32;
constexpr uint64_t kHeadsTogether = 8;  // key-value heads of a decoding step that one task does side by side
constexpr uint64_t kPrefetchTokens = 256;  // of the sequence after this one

// scores[0 … n) = e^(scale·scores − M), then zeros up to `width`. Returns their sum; *greatest = M.
float exponentials(float* scores, uint64_t n, uint64_t width, float scale, float* greatest) {
  const F16 factor = set16(scale), lowest = set16(-INFINITY);
  F16 most = lowest;
  for (uint64_t j = 0; j < n; j += kLanes) {
    most = max16(select16(first_lanes(n - j), load16(scores + j) * factor, lowest), most);
  }
  *greatest = max_of_lanes(most);
  const F16 shift = set16(*greatest);
  F16 sum = zero16();
  uint64_t j = 0;
  for (; j < n; j += kLanes) {
    const F16 e = select16(first_lanes(n - j), exp16(load16(scores + j) * factor - shift), zero16());
    store16(scores + j, e);
    sum = sum + e;
  }
  for (; j < width; j += kLanes) store16(scores + j, zero16());
  return sum_of_lanes(sum);
}

// One key-value head's keys (blocks of sixteen) and values (rows, in at most two segments), and the queries
// that look at them.
struct Head {
  uint64_t d;
  float scale;
  const float* key_blocks;  // [.][d][16]
  const float* values;
  uint64_t ldv;
  Segment segments[2];
  const float* q;
  uint64_t ldq;
  float* out;
  uint64_t ldo;
  float* lse;  // [group heads][tokens], or NULL
  uint64_t lse_stride;

  // A block's memory between the steps. `order`: which of several heads of one call this is, each of which
  // has a piece of the scratch.
  struct Space {
    float *rows, *scores, *greatest, *sums;
    uint64_t stride;  // of scores
  };
  static Space make_space(const QueryBlock& block, uint64_t d, uint64_t order, uint64_t heads) {
    const uint64_t rows = block.rows(), stride = score_stride(block.keys()), padded = round_up(rows, kLanes);
    float* statistics = scratch(Scratch::kStatistics, 2 * padded * heads) + 2 * padded * order;
    return {scratch(Scratch::kRows, 2 * rows * d * heads) + 2 * rows * d * order,
            scratch(Scratch::kScores, rows * stride * heads) + rows * stride * order, statistics,
            statistics + padded, stride};
  }

  void run(const QueryBlock& block) const {
    const Space space = make_space(block, d, 0, 1);
    score(block, space);
    soften(block, space);
    weigh(block, space);
  }

  // scores = q·kᵀ
  void score(const QueryBlock& block, const Space& space) const {
    const RowsView query = gather_rows(block, d, q, ldq, space.rows);
    Tile t{};
    t.rows = block.rows();
    t.cols = round_up(block.keys(), kLanes);
    t.steps = d;
    t.a = query.data;
    t.a_row = static_cast<int64_t>(query.stride);
    t.a_step = 1;
    t.b = key_blocks;
    t.b_step = kLanes;
    t.b_panel = static_cast<int64_t>(d * kLanes);
    t.c = space.scores;
    t.c_row = static_cast<int64_t>(space.stride);
    run_panels<kLanes>(t);
  }

  // Scores to exponentials, with each row's sum; writes lse.
  void soften(const QueryBlock& block, const Space& space) const {
    const uint64_t width = round_up(block.keys(), kLanes);
    uint64_t r = 0;
    for (uint64_t i = 0; i < block.positions; ++i) {
      for (uint64_t g = 0; g < block.group; ++g, ++r) {
        space.sums[r] = exponentials(space.scores + r * space.stride, block.first_position + i + 1, width,
                                     scale, space.greatest + r);
      }
    }
    if (lse != nullptr) write_lse(block, space.greatest, space.sums);
  }

  // out = exponentials·v / sum
  void weigh(const QueryBlock& block, const Space& space) const {
    // With one head to a group the result's rows are already where they belong, and only need their factor.
    const bool in_place = block.group == 1;
    float* result = in_place ? out + block.first_token * ldo : space.rows + block.rows() * d;
    const uint64_t stride = in_place ? ldo : d;
    weighted_sum(space.scores, space.stride, block.rows(), block.keys(), result, stride);
    uint64_t r = 0;
    for (uint64_t i = 0; i < block.positions; ++i) {
      for (uint64_t g = 0; g < block.group; ++g, ++r) {
        const F16 factor = set16(1.0f / space.sums[r]);
        const float* from = result + r * stride;
        float* to = out + (block.first_token + i) * ldo + g * d;
        for (uint64_t c = 0; c < d; c += kLanes) {
          const Mask16 mask = first_lanes(d - c);
          // Adding 0 turns −0 into 0: a row's zero must not tell how many masked keys its block had.
          store16(to + c, load16(from + c, mask) * factor + zero16(), mask);
        }
      }
    }
  }

 private:
  void write_lse(const QueryBlock& block, const float* greatest, const float* sums) const {
    float row_lse[kLanes];
    for (uint64_t r = 0; r < block.rows(); r += kLanes) {
      store16(row_lse, load16(greatest + r) + log16(load16(sums + r)));
      for (uint64_t i = r; i < min_of(r + kLanes, block.rows()); ++i) {
        lse[i % block.group * lse_stride + block.first_token + i / block.group] = row_lse[i - r];
      }
    }
  }

  // result[rows][d] = weights·values
  void weighted_sum(const float* weights, uint64_t stride, uint64_t rows, uint64_t count, float* result,
                    uint64_t result_stride) const {
    Tile t{};
    t.rows = rows;
    t.cols = d;
    t.a_row = static_cast<int64_t>(stride);
    t.a_step = 1;
    t.b_step = static_cast<int64_t>(ldv);
    t.b_panel = kPanel;
    t.b_exact = true;
    t.c = result;
    t.c_row = static_cast<int64_t>(result_stride);
    uint64_t done = 0;
    for (const Segment& segment : segments) {
      t.steps = min_of(segment.count, count - done);
      if (t.steps == 0) continue;
      t.a = weights + done;
      t.b = values + segment.row * ldv;
      t.init = done == 0 ? nullptr : result;
      run_panels<kPanel>(t);
      done += t.steps;
    }
  }
};

// Asks for the rows [begin, end) of x, `width` floats each, to be brought near: they lie too far apart for
// the hardware to guess.
void prefetch_rows(const float* x, uint64_t ldx, uint64_t width, uint64_t begin, uint64_t end) {
  for (uint64_t r = begin; r < end; ++r) {
    for (uint64_t i = 0; i < width; i += kLanes) __builtin_prefetch(x + r * ldx + i, 0, 2);
  }
}

// weigh() of heads with one query head each, kVectors·16 wide, whose values lie side by side: the sums of several heads
// go on together, for one head's alone are a few long chains. Returns how many of `count` heads were done.
template <uint64_t kVectors>
uint64_t weigh_side_by_side(const Head* heads, uint64_t count, const QueryBlock& block,
                            const Head::Space* space) {
  constexpr uint64_t kHeads = 4 * kTileVectors / kVectors;
  uint64_t done = 0;
  for (; done + kHeads <= count; done += kHeads) {
    const Head& first = heads[done];
    F16 acc[kHeads][kVectors];
    const float* weights[kHeads];
    for (uint64_t h = 0; h < kHeads; ++h) {
      weights[h] = space[done + h].scores;
      for (uint64_t c = 0; c < kVectors; ++c) acc[h][c] = zero16();
    }
    const float* values = first.values;
    for (uint64_t j = 0; j < block.keys(); ++j, values += first.ldv) {
      for (uint64_t h = 0; h < kHeads; ++h) {
        const F16 weight = set16(weights[h][j]);
        for (uint64_t c = 0; c < kVectors; ++c)
          acc[h][c] = fma16(weight, load16(values + (h * kVectors + c) * kLanes), acc[h][c]);
      }
    }
    for (uint64_t h = 0; h < kHeads; ++h) {
      const F16 factor = set16(1.0f / space[done + h].sums[0]);
      float* to = heads[done + h].out + block.first_token * first.ldo;
      for (uint64_t c = 0; c < kVectors; ++c) store16(to + c * kLanes, acc[h][c] * factor + zero16());
    }
  }
  return done;
}

// One query (of each head in the group) for several neighbouring key-value heads: step by step for all of
// them, for a single row is one long chain after another and only different heads' chains overlap.
void run_together(const Head* heads, uint64_t count, const QueryBlock& block) {
  Head::Space space[kHeadsTogether];
  for (uint64_t h = 0; h < count; ++h) space[h] = Head::make_space(block, heads[h].d, h, count);
  for (uint64_t h = 0; h < count; ++h) heads[h].score(block, space[h]);
  for (uint64_t h = 0; h < count; ++h) heads[h].soften(block, space[h]);
  uint64_t done = 0;
  if (block.group == 1 && heads[0].d == kLanes) done = weigh_side_by_side<1>(heads, count, block, space);
  if (block.group == 1 && heads[0].d == 2 * kLanes) done = weigh_side_by_side<2>(heads, count, block, space);
  for (uint64_t h = done; h < count; ++h) heads[h].weigh(block, space[h]);
}

// All queries at positions [begin, end) of a sequence; position `begin` is token `token`.
void run_queries(const Head& head, uint64_t group, uint64_t token, uint64_t begin, uint64_t end) {
  const uint64_t step = max_of(1, kQueryRows / group);
  for (uint64_t p = begin; p < end; p += step)
    head.run({p, min_of(step, end - p), group, token + (p - begin)});
}

}  // namespace

void attention(const tenon_executor* ex, const tenon_attention_batch* batch, const float* q, uint64_t ldq,
               const float* k, uint64_t ldk, const float* v, uint64_t ldv, float* out, uint64_t ldo,
               float* lse) {
  const uint64_t d = batch->head_dim, group = batch->heads / batch->kv_heads, kv_heads = batch->kv_heads;
  const uint64_t* offsets = batch->offsets;
  if (batch->sequences == 0) return;
  const uint64_t tokens = offsets[batch->sequences];
  const Families families = find_families(*batch);
  // Where sequences are few, their queries are split too.
  const uint64_t splits =
      max_of(1, min_of(4 * thread_count(ex) / (families.count * kv_heads), families.longest / 64));
  const uint64_t tasks = families.count * kv_heads * splits;
  const uint64_t cost = tokens * batch->heads * families.longest * d / tasks;
  parallel(ex, tasks, grain_for(cost / 8), [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t family = task / splits / kv_heads, h = task / splits % kv_heads, split = task % splits;
      float* keys = scratch(Scratch::kKeys, round_up(families.longest, kLanes) * d);
      uint64_t prefix = 0;  // keys of the family's first sequence, once it is done
      uint64_t prefix_row = 0;
      if (splits == 1 && family + 1 < families.count) {
        // Each head of this sequence brings a part of the next one's rows.
        const uint64_t next = families.member[families.first[family + 1]], next_row = offsets[next];
        const uint64_t next_count = min_of(kPrefetchTokens, offsets[next + 1] - next_row);
        const uint64_t from = next_row + h * next_count / kv_heads,
                       to = next_row + (h + 1) * next_count / kv_heads;
        prefetch_rows(q, ldq, batch->heads * d, from, to);
        prefetch_rows(k, ldk, kv_heads * d, from, to);
        prefetch_rows(v, ldv, kv_heads * d, from, to);
      }
      for (uint64_t i = families.first[family]; i < families.first[family + 1]; ++i) {
        const uint64_t sequence = families.member[i], row = offsets[sequence],
                       count = offsets[sequence + 1] - row;
        pack_keys(k + row * ldk + h * d, ldk, count, d, prefix, keys);
        Head head{};
        head.d = d;
        head.scale = batch->scale;
        head.key_blocks = keys;
        head.values = v + h * d;
        head.ldv = ldv;
        head.segments[0] = {prefix_row, prefix};
        head.segments[1] = {row, count};
        head.q = q + h * group * d;
        head.ldq = ldq;
        head.out = out + h * group * d;
        head.ldo = ldo;
        head.lse = lse == nullptr ? nullptr : lse + h * group * tokens;
        head.lse_stride = tokens;
        const uint64_t from = split * count / splits, to = (split + 1) * count / splits;
        run_queries(head, group, row + from, prefix + from, prefix + to);
        if (i == families.first[family]) {
          prefix = count;
          prefix_row = row;
        }
      }
    }
  });
}

void attention_cached(const tenon_executor* ex, const tenon_kv_cache* cache, uint32_t heads, float scale,
                      uint64_t n, const uint64_t* offsets, const uint32_t* slot,
                      const int32_t* first_position, const float* q, uint64_t ldq, float* out, uint64_t ldo) {
  const uint64_t d = cache->head_dim, kv_heads = cache->kv_heads, group = heads / kv_heads;
  if (n == 0) return;
  uint64_t work = 0, most = 0;  // keys seen by all queries; rows of the longest part
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t rows = offsets[i + 1] - offsets[i];
    work += rows * (static_cast<uint64_t>(first_position[i]) + rows);
    most = max_of(most, rows);
  }
  // Single rows: heads side by side in a task, if there are parts enough for the threads. Long parts: their
  // queries are split.
  const uint64_t together = most > 1 || n < 4 * thread_count(ex) ? 1 : min_of(kv_heads, kHeadsTogether);
  const uint64_t head_blocks = ceil_div(kv_heads, together);
  const uint64_t splits = max_of(1, min_of(4 * thread_count(ex) / (n * kv_heads), most / 64));
  const uint64_t tasks = n * head_blocks * splits;
  parallel(ex, tasks, grain_for(work * group * d * kv_heads / tasks / 4), [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t part = task / splits / head_blocks, block = task / splits % head_blocks,
                     split = task % splits;
      const uint64_t rows = offsets[part + 1] - offsets[part];
      const uint64_t from = split * rows / splits, to = (split + 1) * rows / splits;
      const uint64_t first = static_cast<uint64_t>(first_position[part]);
      const uint64_t first_head = block * together, count = min_of(together, kv_heads - first_head);
      Head heads_of_task[kHeadsTogether];
      for (uint64_t i = 0; i < count; ++i) {
        const uint64_t h = first_head + i;
        Head& head = heads_of_task[i];
        head = {};
        head.d = d;
        head.scale = scale;
        head.key_blocks = cache->k + (slot[part] * kv_heads + h) * cache->capacity * d;
        head.values = cache->v + (slot[part] * cache->capacity * kv_heads + h) * d;
        head.ldv = kv_heads * d;
        head.segments[0] = {0, first + rows};
        head.q = q + h * group * d;
        head.ldq = ldq;
        head.out = out + h * group * d;
        head.ldo = ldo;
      }
      if (together > 1) {
        if (rows == 1) run_together(heads_of_task, count, {first, 1, group, offsets[part]});
      } else {
        run_queries(heads_of_task[0], group, offsets[part] + from, first + from, first + to);
      }
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
