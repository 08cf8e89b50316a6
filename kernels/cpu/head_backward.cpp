// The language head's gradients: from logits computed again, or in one visit while they are still there.
// SPDX-License-Identifier: Apache-2.0
#include "exp.h"
#include "head_rows.h"
#include "linear_ops.h"

namespace tenon::kernels::TENON_ISA {
namespace {

// One-pass blocks smaller than this would read and write dW too often to be worth the saved logits.
constexpr uint64_t kFewestRowsAtOnce = 96;

// What a row's dz needs.
struct RowGradient {
  float g, e, lse, entropy;
  uint64_t target;
};

// In place: du from u, for the columns [first, first + columns) of one row.
void logits_to_gradient(float* logits, uint64_t first, uint64_t columns, float inverse_temperature,
                        const RowGradient& row) {
  const F16 factor = set16(inverse_temperature), lse = set16(row.lse), entropy = set16(row.entropy);
  const F16 g = set16(-row.g), e = set16(-row.e);
  const bool hit = row.target >= first && row.target < first + columns;
  float target_p = 0.0f, target_rest = 0.0f;
  if (hit) {  // by the same vector operations as below
    const F16 z = set16(logits[row.target - first]) * factor - lse;
    const F16 p = exp16(z);
    float lanes[kLanes];
    store16(lanes, p);
    target_p = lanes[0];
    store16(lanes, e * p * (z + entropy));
    target_rest = lanes[0];
  }
  for (uint64_t j = 0; j < columns; j += kLanes) {
    const F16 z = load16(logits + j) * factor - lse;
    const F16 p = exp16(z);
    store16(logits + j, fma16(g, p, e * p * (z + entropy)) * factor, first_lanes(columns - j));
  }
  if (hit) logits[row.target - first] = fma1(row.g, 1.0f - target_p, target_rest) * inverse_temperature;
}

struct Backward {
  const tenon_executor* ex;
  const tenon_head& head;
  const int32_t* target;       // [r], by row number
  const float *g, *e;          // [r]
  const float *lse, *entropy;  // [r], or by place in the list:
  bool listed;

  // The i-th of `rows`.
  RowGradient row(const Rows& rows, uint64_t i) const {
    const uint64_t r = rows[i], place = listed ? rows.first + i : r;
    return {g[r], e == nullptr ? 0.0f : e[r], lse[place], e == nullptr ? 0.0f : entropy[place],
            static_cast<uint64_t>(target[r])};
  }
};

bool takes_part(uint64_t r, const float* g, const float* e) {
  return g[r] != 0.0f || (e != nullptr && e[r] != 0.0f);
}

// The listed rows that take part (or, with `taking` false, do not), in this thread's scratch.
Rows select_rows(uint64_t n, const uint64_t* rows, const float* g, const float* e, uint64_t* to,
                 bool taking) {
  uint64_t count = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t r = rows == nullptr ? i : rows[i];
    if (takes_part(r, g, e) == taking) to[count++] = r;
  }
  // Rows 0 … n − 1 need no gathering.
  if (rows == nullptr && count == n) return {nullptr, 0, n};
  return {to, 0, count};
}

void scatter_gradient(const Rows& rows, uint64_t d, const float* from, uint64_t stride, float* dh,
                      uint64_t lddh) {
  for (uint64_t i = 0; i < rows.count; ++i) memcpy(dh + rows[i] * lddh, from + i * stride, d * sizeof(float));
}

void zero_gradient(const Rows& rows, uint64_t d, float* dh, uint64_t lddh) {
  for (uint64_t i = 0; i < rows.count; ++i) memset(dh + rows[i] * lddh, 0, d * sizeof(float));
}

// dz of `columns` vocabulary entries from `first` on is in gradient[rows][stride]: adds to dh (or sets it,
// for first = 0) and to dW.
void spread(const tenon_executor* ex, const tenon_head& head, uint64_t rows, const Hidden& hidden,
            const float* gradient, uint64_t stride, uint64_t first, uint64_t columns, float* dh,
            uint64_t lddh, float* dw) {
  if (dh != nullptr) {
    linear_dx(ex, rows, columns, head.d, gradient, stride, head.w + first * head.d, head.d, first > 0 ? 1 : 0,
              dh, lddh);
  }
  if (dw != nullptr) {
    linear_dw(ex, rows, columns, head.d, gradient, stride, hidden.data, hidden.stride, dw + first * head.d,
              head.d);
  }
}

// dh of a block: in place where the rows follow each other, else in scratch until the end.
struct BlockGradient {
  BlockGradient(const Rows& rows_in, uint64_t d_in, float* dh_in, uint64_t lddh_in)
      : rows(rows_in), d(d_in), dh(dh_in), lddh(lddh_in) {
    if (dh == nullptr) return;
    if (rows.list == nullptr) {
      data = dh + rows.first * lddh;
      stride = lddh;
    } else {
      data = scratch(Scratch::kGradient, rows.count * d);
      stride = d;
    }
  }
  void finish() const {
    if (dh != nullptr && rows.list != nullptr) scatter_gradient(rows, d, data, stride, dh, lddh);
  }

  Rows rows;
  uint64_t d;
  float* dh;
  uint64_t lddh;
  float* data = nullptr;
  uint64_t stride = 0;
};

void backward_rows(const Backward& b, const Rows& rows, const float* h, uint64_t ldh, float* dh,
                   uint64_t lddh, float* dw) {
  const tenon_head& head = b.head;
  const float factor = inverse_temperature(head);
  const uint64_t stride = logits_stride(min_of(head.vocabulary, kChunk));
  const uint64_t most =
      max_of(kRowsPerTask, min_of((uint64_t{1} << 19) / stride, kRowsBudget / max_of(1, head.d)));
  for (uint64_t done = 0; done < rows.count; done += most) {
    const Rows block{rows.list, rows.first + done, min_of(most, rows.count - done)};
    const Hidden hidden = gather_hidden(head, block, h, ldh);
    const BlockGradient out(block, head.d, dh, lddh);
    float* gradient = scratch(Scratch::kLogits, block.count * stride);
    for (uint64_t chunk = 0; chunk < chunk_count(head); ++chunk) {
      const uint64_t columns = chunk_size(head, chunk);
      const uint64_t grain = max_of(24, grain_for(columns * (head.d / 16 + 2)));
      parallel(b.ex, block.count, grain, [&](uint64_t begin, uint64_t end) {
        for (uint64_t first = begin; first < end; first += kRowsPerTask) {
          const uint64_t count = min_of(kRowsPerTask, end - first);
          chunk_logits(head, hidden, first, count, chunk, gradient + first * stride, stride);
          for (uint64_t i = first; i < first + count; ++i) {
            logits_to_gradient(gradient + i * stride, chunk * kChunk, columns, factor, b.row(block, i));
          }
        }
      });
      spread(b.ex, head, block.count, hidden, gradient, stride, chunk * kChunk, columns, out.data, out.stride,
             dw);
    }
    out.finish();
  }
}

// Blocks of `most` rows, whose logits are computed once.
void visit_at_once(const tenon_executor* ex, const tenon_head& head, const Rows& rows, uint64_t most,
                   const float* h, uint64_t ldh, const int32_t* target, const float* g, const float* e,
                   float* logp, float* entropy, float* dh, uint64_t lddh, float* dw) {
  const uint64_t chunks = chunk_count(head);
  const float factor = inverse_temperature(head);
  for (uint64_t done = 0; done < rows.count; done += most) {
    const Rows block{rows.list, rows.first + done, min_of(most, rows.count - done)};
    const Hidden hidden = gather_hidden(head, block, h, ldh);
    const BlockGradient out(block, head.d, dh, lddh);
    const Block all = block_logits(ex, head, hidden, block.count);
    parallel(ex, block.count, grain_for(4 * head.vocabulary), [&](uint64_t begin, uint64_t end) {
      for (uint64_t i = begin; i < end; ++i) {
        const uint64_t r = block[i];
        const RowSum sum = merge_chunks(all.chunks + i * chunks, chunks);
        float* row = all.logits + i * all.stride;
        if (logp != nullptr) logp[r] = row[target[r]] * factor - sum.lse;
        if (entropy != nullptr) entropy[r] = sum.entropy;
        logits_to_gradient(
            row, 0, head.vocabulary, factor,
            {g[r], e == nullptr ? 0.0f : e[r], sum.lse, sum.entropy, static_cast<uint64_t>(target[r])});
      }
    });
    spread(ex, head, block.count, hidden, all.logits, all.stride, 0, head.vocabulary, out.data, out.stride,
           dw);
    out.finish();
  }
}

}  // namespace

void head_backward(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                   const float* h, uint64_t ldh, const int32_t* target, const float* lse,
                   const float* entropy, const float* g, const float* e, float* dh, uint64_t lddh,
                   float* dw) {
  if (n == 0) return;
  uint64_t* list = reinterpret_cast<uint64_t*>(scratch(Scratch::kRowList, 2 * n));
  if (dh != nullptr) zero_gradient(select_rows(n, rows, g, e, list, false), head->d, dh, lddh);
  const Rows active = select_rows(n, rows, g, e, list, true);
  backward_rows({ex, *head, target, g, e, lse, entropy, false}, active, h, ldh, dh, lddh, dw);
}

void head_visit(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                const float* h, uint64_t ldh, const int32_t* target, const float* g, const float* e,
                float* logp, float* entropy, float* dh, uint64_t lddh, float* dw) {
  if (n == 0) return;
  uint64_t* list = reinterpret_cast<uint64_t*>(scratch(Scratch::kRowList, 4 * n));
  const Rows idle = select_rows(n, rows, g, e, list, false);
  if (dh != nullptr) zero_gradient(idle, head->d, dh, lddh);
  if (logp != nullptr || entropy != nullptr) {
    forward_rows(ex, *head, idle, h, ldh, target, {logp, entropy, nullptr, nullptr, nullptr});
  }
  const Rows active = select_rows(n, rows, g, e, list, true);
  const uint64_t fit =
      min_of(kLogitsBudget / logits_stride(head->vocabulary), kRowsBudget / max_of(1, head->d));
  if (fit >= min_of(kFewestRowsAtOnce, active.count)) {
    visit_at_once(ex, *head, active, max_of(1, fit), h, ldh, target, g, e, logp, entropy, dh, lddh, dw);
    return;
  }
  float* lse = reinterpret_cast<float*>(list + n);  // [i], then the entropy
  forward_rows(ex, *head, active, h, ldh, target, {logp, entropy, nullptr, lse + n, lse});
  backward_rows({ex, *head, target, g, e, lse, lse + n, true}, active, h, ldh, dh, lddh, dw);
}

}  // namespace tenon::kernels::TENON_ISA
