// The language head: log-probabilities, chunk by chunk of the vocabulary.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/head.h"

#include <math.h>

#include "exp.h"
#include "head_rows.h"
#include "linear_ops.h"

namespace tenon::kernels::TENON_ISA {

Hidden gather_hidden(const tenon_head& head, const Rows& rows, const float* h, uint64_t ldh) {
  if (rows.list == nullptr && ldh % 1024 != 0) return {h + rows.first * ldh, ldh};
  const uint64_t stride = head.d + (head.d % 1024 == 0 ? 16 : 0);
  float* to = scratch(Scratch::kGather, rows.count * stride);
  for (uint64_t i = 0; i < rows.count; ++i)
    memcpy(to + i * stride, h + rows[i] * ldh, head.d * sizeof(float));
  return {to, stride};
}

ChunkSum sum_chunk(const float* logits, uint64_t columns, float inverse_temperature) {
  const F16 factor = set16(inverse_temperature), lowest = set16(-INFINITY);
  F16 most = lowest;
  for (uint64_t j = 0; j < columns; j += kLanes) {
    most = max16(select16(first_lanes(columns - j), load16(logits + j) * factor, lowest), most);
  }
  const float greatest = max_of_lanes(most);
  const F16 shift = set16(greatest);
  F16 sum = zero16(), product = zero16();
  for (uint64_t j = 0; j < columns; j += kLanes) {
    const Mask16 mask = first_lanes(columns - j);
    const F16 x = select16(mask, load16(logits + j) * factor - shift, zero16());
    const F16 e = select16(mask, exp16(x), zero16());
    sum = sum + e;
    product = fma16(x, e, product);
  }
  return {greatest, sum_of_lanes(sum), sum_of_lanes(product)};
}

RowSum merge_chunks(const ChunkSum* chunks, uint64_t count) {
  float greatest = chunks[0].greatest;
  for (uint64_t c = 1; c < count; ++c) {
    const float m = chunks[c].greatest;
    if (m > greatest) greatest = m;
  }
  double sum = 0, product = 0;
  for (uint64_t c = 0; c < count; ++c) {
    const ChunkSum& chunk = chunks[c];
    const double shift = static_cast<double>(chunk.greatest) - static_cast<double>(greatest);
    const double weight = shift == 0.0 ? 1.0 : exp(shift);
    const double s = static_cast<double>(chunk.sum);
    sum += weight * s;
    if (weight > 0.0) product += weight * (static_cast<double>(chunk.product) + shift * s);
  }
  const double log_sum = log(sum);
  return {sum, greatest, static_cast<float>(static_cast<double>(greatest) + log_sum),
          static_cast<float>(log_sum - product / sum)};
}

void chunk_logits(const tenon_head& head, const Hidden& hidden, uint64_t first, uint64_t count,
                  uint64_t chunk, float* logits, uint64_t stride) {
  linear(nullptr, count, chunk_size(head, chunk), head.d, hidden.data + first * hidden.stride, hidden.stride,
         head.w_packed + chunk * kChunk * head.d, nullptr, nullptr, 0, logits, stride);
}

Block block_logits(const tenon_executor* ex, const tenon_head& head, const Hidden& hidden, uint64_t rows) {
  const uint64_t chunks = chunk_count(head), stride = logits_stride(head.vocabulary);
  float* logits = scratch(Scratch::kLogits, rows * stride);
  ChunkSum* sums = reinterpret_cast<ChunkSum*>(scratch(Scratch::kStatistics, 3 * rows * chunks));
  const float factor = inverse_temperature(head);
  const uint64_t row_blocks = ceil_div(rows, kRowsPerTask);
  const uint64_t cost = rows * min_of(head.vocabulary, kChunk) * (head.d + 32) / row_blocks;
  parallel(ex, row_blocks * chunks, grain_for(cost / 16), [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t chunk = task / row_blocks, block = task % row_blocks;
      const uint64_t first = block * rows / row_blocks, last = (block + 1) * rows / row_blocks;
      chunk_logits(head, hidden, first, last - first, chunk, logits + first * stride + chunk * kChunk,
                   stride);
      for (uint64_t i = first; i < last; ++i) {
        sums[i * chunks + chunk] =
            sum_chunk(logits + i * stride + chunk * kChunk, chunk_size(head, chunk), factor);
      }
    }
  });
  return {logits, stride, sums};
}

void forward_rows(const tenon_executor* ex, const tenon_head& head, const Rows& rows, const float* h,
                  uint64_t ldh, const int32_t* target, const RowOutputs& out) {
  const uint64_t chunks = chunk_count(head);
  const float factor = inverse_temperature(head);
  // Rows at a time: a bound on the statistics (3 MiB) and on the gathered rows.
  const uint64_t most =
      max_of(kRowsPerTask, min_of((uint64_t{1} << 18) / chunks, kRowsBudget / max_of(1, head.d)));
  for (uint64_t done = 0; done < rows.count; done += most) {
    const Rows block{rows.list, rows.first + done, min_of(most, rows.count - done)};
    const Hidden hidden = gather_hidden(head, block, h, ldh);
    float* statistics = scratch(Scratch::kStatistics, (3 * chunks + 1) * block.count);
    ChunkSum* sums = reinterpret_cast<ChunkSum*>(statistics);  // [rows][chunks]
    float* target_z = statistics + 3 * chunks * block.count;   // [rows]
    const uint64_t row_blocks = ceil_div(block.count, kRowsPerTask);
    const uint64_t cost = block.count * min_of(head.vocabulary, kChunk) * (head.d + 32) / row_blocks;
    parallel(ex, row_blocks * chunks, grain_for(cost / 16), [&](uint64_t begin, uint64_t end) {
      for (uint64_t task = begin; task < end; ++task) {
        const uint64_t chunk = task / row_blocks, part = task % row_blocks, columns = chunk_size(head, chunk);
        const uint64_t first = part * block.count / row_blocks, last = (part + 1) * block.count / row_blocks;
        const uint64_t stride = logits_stride(columns);
        float* logits = scratch(Scratch::kScores, (last - first) * stride);
        chunk_logits(head, hidden, first, last - first, chunk, logits, stride);
        for (uint64_t i = first; i < last; ++i) {
          const float* row = logits + (i - first) * stride;
          sums[i * chunks + chunk] = sum_chunk(row, columns, factor);
          const uint64_t wanted = static_cast<uint64_t>(target[block[i]]);
          if (wanted / kChunk == chunk) target_z[i] = row[wanted % kChunk] * factor;
        }
      }
    });
    parallel(ex, block.count, grain_for(32 * chunks), [&](uint64_t begin, uint64_t end) {
      for (uint64_t i = begin; i < end; ++i) {
        const RowSum sum = merge_chunks(sums + i * chunks, chunks);
        const uint64_t r = block[i];
        if (out.logp != nullptr) out.logp[r] = target_z[i] - sum.lse;
        if (out.entropy != nullptr) out.entropy[r] = sum.entropy;
        if (out.lse != nullptr) out.lse[r] = sum.lse;
        if (out.listed_entropy != nullptr) out.listed_entropy[done + i] = sum.entropy;
        if (out.listed_lse != nullptr) out.listed_lse[done + i] = sum.lse;
      }
    });
  }
}

void head_forward(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                  const float* h, uint64_t ldh, const int32_t* target, float* logp, float* entropy,
                  float* lse) {
  forward_rows(ex, *head, {rows, 0, n}, h, ldh, target, {logp, entropy, lse, nullptr, nullptr});
}

void head_logits(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                 const float* h, uint64_t ldh, float* logits, uint64_t ldl) {
  const uint64_t most = max_of(kRowsPerTask, kRowsBudget / max_of(1, head->d));
  for (uint64_t done = 0; done < n; done += most) {
    const Rows block{rows, done, min_of(most, n - done)};
    const Hidden hidden = gather_hidden(*head, block, h, ldh);
    linear(ex, block.count, head->vocabulary, head->d, hidden.data, hidden.stride, head->w_packed, nullptr,
           nullptr, 0, logits + done * ldl, ldl);
  }
}

}  // namespace tenon::kernels::TENON_ISA
