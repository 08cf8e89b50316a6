// What attention's forward, backward and cache share: blocks of query rows, and keys in blocks of sixteen.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_ATTENTION_ROWS_H_
#define TENON_KERNELS_CPU_ATTENTION_ROWS_H_

#include "support.h"
#include "tenon/kernels/attention.h"

namespace tenon::kernels::TENON_ISA {

// Rows of one key-value head (keys, values, or their gradients) that stand one after another in a sequence's
// positions.
struct Segment {
  uint64_t row, count;  // tokens of the batch
};

// A block of queries of one key-value head: `positions` consecutive positions by `group` heads; row r is
// position r / group, head r % group.
struct QueryBlock {
  uint64_t first_position, positions, group;
  uint64_t first_token;  // where position first_position lies in q, out, …
  uint64_t rows() const { return positions * group; }
  uint64_t keys() const { return first_position + positions; }  // of its last row
};

// The block's rows one after another: as they lie in x where there is one head to a group, else copied to
// `to`[rows][d]. The heads of this group start at x, token rows have stride ldx.
struct RowsView {
  const float* data;
  uint64_t stride;
};
inline void copy_floats(const float* from, uint64_t n, float* to) {
  for (uint64_t i = 0; i < n; i += kLanes)
    store16(to + i, load16(from + i, first_lanes(n - i)), first_lanes(n - i));
}
inline RowsView gather_rows(const QueryBlock& block, uint64_t d, const float* x, uint64_t ldx, float* to) {
  if (block.group == 1) return {x + block.first_token * ldx, ldx};
  for (uint64_t i = 0; i < block.positions; ++i) {
    copy_floats(x + (block.first_token + i) * ldx, block.group * d, to + i * block.group * d);
  }
  return {to, d};
}
// Row r of the block in x.
inline float* row_of(const QueryBlock& block, uint64_t r, uint64_t d, float* x, uint64_t ldx) {
  return x + (block.first_token + r / block.group) * ldx + r % block.group * d;
}

// Writes rows x[count][d] (stride ldx) to positions first … of keys in blocks [.][d][16].
void pack_keys(const float* x, uint64_t ldx, uint64_t count, uint64_t d, uint64_t first, float* blocks);

inline constexpr uint64_t kQueryRows = 12;
// Room for the scores of keys 0 … keys − 1, and odd in lines so that rows do not collide in the cache.
inline uint64_t score_stride(uint64_t keys) {
  return round_up(keys, 32) + 16;
}

// Sequences grouped so that a prefix is followed by those that share it: family f is member[first[f]] …
// member[first[f + 1] − 1].
struct Families {
  uint64_t count;
  const uint64_t* first;
  const uint64_t* member;
  uint64_t longest;  // keys of the longest sequence, its prefix included
};
Families find_families(const tenon_attention_batch& batch);

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_ATTENTION_ROWS_H_
