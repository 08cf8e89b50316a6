// Drawing tokens from the language head.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "exp.h"
#include "head_filter.h"
#include "head_rows.h"

namespace tenon::kernels::TENON_ISA {
namespace {

// One row's logits with what is known of them.
struct Row {
  const float* logits;
  uint64_t vocabulary;
  const ChunkSum* chunks;
  RowSum sum;
  float inverse_temperature;

  uint64_t columns(uint64_t chunk) const { return min_of(kChunk, vocabulary - chunk * kChunk); }

  bool finite() const { return sum.sum > 0.0 && __builtin_isfinite(sum.lse); }

  int32_t most_likely() const {
    const float* best = logits;
    for (const float* p = logits; p < logits + vocabulary; ++p) {
      if (*p > *best) best = p;
    }
    return static_cast<int32_t>(best - logits);
  }

  // The first token at which the cumulative distribution exceeds u.
  int32_t draw(float u) const {
    const uint64_t count = ceil_div(vocabulary, kChunk);
    double left = static_cast<double>(u) * sum.sum;
    uint64_t chosen = 0;
    for (uint64_t c = 0; c < count; ++c) {
      const double weight = exp(static_cast<double>(chunks[c].greatest) - static_cast<double>(sum.greatest)) *
                            static_cast<double>(chunks[c].sum);
      if (weight > 0.0) chosen = c;  // the last possible one, should rounding leave something over
      if (left < weight) return draw_in_chunk(c, left / weight);
      left -= weight;
    }
    return draw_in_chunk(chosen, 1.0);
  }

 private:
  int32_t draw_in_chunk(uint64_t chunk, double fraction) const {
    const uint64_t n = columns(chunk);
    const float* z = logits + chunk * kChunk;
    float e[kChunk];
    for (uint64_t j = 0; j < n; j += kLanes) {
      store16(e + j, exp16(load16(z + j) * set16(inverse_temperature) - set16(chunks[chunk].greatest)));
    }
    double total = 0;
    for (uint64_t j = 0; j < n; ++j) total += static_cast<double>(e[j]);
    const double wanted = fraction * total;
    double reached = 0;
    uint64_t last = 0;
    for (uint64_t j = 0; j < n; ++j) {
      reached += static_cast<double>(e[j]);
      if (e[j] > 0.0f) last = j;
      if (reached > wanted) break;
    }
    return static_cast<int32_t>(chunk * kChunk + last);
  }
};

}  // namespace

void head_sample(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                 const float* h, uint64_t ldh, const float* u, const tenon_head_filter* filter,
                 int32_t* token, float* logp) {
  const uint64_t chunks = chunk_count(*head);
  const float factor = inverse_temperature(*head);
  const bool greedy = !(head->temperature > 0.0f), filtered = filters(filter);
  const uint64_t most =
      max_of(1, min_of(kLogitsBudget / logits_stride(head->vocabulary), kRowsBudget / max_of(1, head->d)));
  for (uint64_t done = 0; done < n; done += most) {
    const Rows block{rows, done, min_of(most, n - done)};
    const Hidden hidden = gather_hidden(*head, block, h, ldh);
    const Block all = block_logits(ex, *head, hidden, block.count);
    parallel(ex, block.count, filtered ? 1 : grain_for(32 * chunks + 4 * kChunk),
             [&](uint64_t begin, uint64_t end) {
               for (uint64_t i = begin; i < end; ++i) {
                 const ChunkSum* sums = all.chunks + i * chunks;
                 const Row row{all.logits + i * all.stride, head->vocabulary, sums,
                               merge_chunks(sums, chunks), factor};
                 int32_t& chosen = token[done + i];
                 if (!row.finite()) {
                   chosen = -1;
                 } else if (greedy) {
                   chosen = row.most_likely();
                 } else if (filtered) {
                   chosen = draw_filtered(row.logits, row.vocabulary, factor, *filter, u[done + i]);
                 } else {
                   chosen = row.draw(u[done + i]);
                 }
                 if (logp != nullptr)
                   logp[done + i] = chosen < 0 ? NAN : row.logits[chosen] * factor - row.sum.lse;
               }
             });
  }
}

}  // namespace tenon::kernels::TENON_ISA
