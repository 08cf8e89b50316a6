// What the language head's forward, backward and sampler share: blocks of rows, chunks of the vocabulary.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_HEAD_ROWS_H_
#define TENON_KERNELS_CPU_HEAD_ROWS_H_

#include "support.h"
#include "tenon/kernels/head.h"

namespace tenon::kernels::TENON_ISA {

inline constexpr uint64_t kChunk = 512;        // vocabulary entries; part of the definition of lse's bits
inline constexpr uint64_t kRowsPerTask = 192;  // rows whose logits of one chunk stay in a core's cache
inline constexpr uint64_t kLogitsBudget = uint64_t{8} << 20;  // floats: 32 MiB
inline constexpr uint64_t kRowsBudget = uint64_t{1} << 20;    // floats of a block's gathered rows: 4 MiB

inline uint64_t chunk_count(const tenon_head& head) {
  return ceil_div(head.vocabulary, kChunk);
}
inline uint64_t chunk_size(const tenon_head& head, uint64_t chunk) {
  return min_of(kChunk, head.vocabulary - chunk * kChunk);
}
// Row stride of logits, odd in lines of the cache.
inline uint64_t logits_stride(uint64_t columns) {
  return round_up(columns, 32) + 16;
}

// Consecutive entries first … first + count − 1 of a list of rows; list NULL: the row numbers themselves.
struct Rows {
  const uint64_t* list;
  uint64_t first, count;
  uint64_t operator[](uint64_t i) const { return list == nullptr ? first + i : list[first + i]; }
};

// The rows' hidden states, one after another.
struct Hidden {
  const float* data;
  uint64_t stride;
};
// Where the rows are not already so, they are copied to this thread's scratch (kGather).
Hidden gather_hidden(const tenon_head& head, const Rows& rows, const float* h, uint64_t ldh);

// A row's part of one chunk: the greatest z, Σ e^{z−M} and Σ (z−M) e^{z−M}.
struct ChunkSum {
  float greatest, sum, product;
};
// logits: u of one row, `columns` of them, readable to a multiple of 16.
ChunkSum sum_chunk(const float* logits, uint64_t columns, float inverse_temperature);

// A row's chunks merged: ln Σ e^z, entropy, and what the sampler needs.
struct RowSum {
  double sum;  // Σ e^{z−M}
  float greatest, lse, entropy;
};
RowSum merge_chunks(const ChunkSum* chunks, uint64_t count);

// u of the rows in [first, first + count) of `hidden` for one chunk, into logits[count][stride], on this
// thread.
void chunk_logits(const tenon_head& head, const Hidden& hidden, uint64_t first, uint64_t count,
                  uint64_t chunk, float* logits, uint64_t stride);

inline float inverse_temperature(const tenon_head& head) {
  return head.temperature > 0.0f ? 1.0f / head.temperature : 1.0f;
}

// Outputs of a forward pass, each NULL when not wanted: by row number r, and by place i in the list.
struct RowOutputs {
  float *logp, *entropy, *lse;         // [r]
  float *listed_entropy, *listed_lse;  // [i]
};
void forward_rows(const tenon_executor* ex, const tenon_head& head, const Rows& rows, const float* h,
                  uint64_t ldh, const int32_t* target, const RowOutputs& out);

// All logits of a block of rows at once, and every row's sum.
struct Block {
  float* logits;  // [rows][stride]
  uint64_t stride;
  const ChunkSum* chunks;  // [rows][chunks]
};
Block block_logits(const tenon_executor* ex, const tenon_head& head, const Hidden& hidden, uint64_t rows);

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_HEAD_ROWS_H_
