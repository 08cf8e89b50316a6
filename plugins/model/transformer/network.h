// Forward and backward of the blocks over the kernels: what training, prefill and decoding all call.
// SPDX-License-Identifier: Apache-2.0
//
// Shapes: rows = tokens that are computed, d = width, q = heads·head_dim, kv = kv_heads·head_dim, ff = inner
// width of the feed-forward layer.
#pragma once

#include "batch.h"
#include "memory.h"
#include "parameters.h"

namespace tenon::transformer {

// What the backward of a block needs, for all rows of a batch. Row-major; lse is [heads][rows] of each chunk,
// chunk after chunk.
struct BlockSaved {
  float* qkv =
      nullptr;  // [rows][q|k|v]: rotated, or, in a model with norms of q and k, as the linear layer gave them
  float* qk = nullptr;         // [rows][q|k] normed and rotated; null without such norms
  float* attention = nullptr;  // [rows][q]
  float* lse = nullptr;        // [heads][rows]
  float* mid = nullptr;        // [rows][d] after attention and its residual
  float* gate_up = nullptr;    // [rows][gate|up]
  float* rstd1 = nullptr;      // [rows]
  float* rstd2 = nullptr;      // [rows]
  float* rstd_q = nullptr;     // [rows][heads]
  float* rstd_k = nullptr;     // [rows][kv_heads]
};

// Rows that a decoding step appends to slots of a key-value cache: part i is rows offsets[i] … offsets[i+1] −
// 1, of one slot.
struct Step {
  uint64_t rows = 0, parts = 0;
  const uint64_t* offsets = nullptr;        // [parts + 1], from 0
  const uint32_t* slot = nullptr;           // [parts]
  const int32_t* first_position = nullptr;  // [parts]
  const uint32_t* row_slot = nullptr;       // [rows]
  const int32_t* position = nullptr;        // [rows]
};

class Network {
 public:
  Network(Parameters& parameters, Arena& arena, const tenon_executor* executor, uint64_t max_len);

  const Shape& shape() const { return shape_; }
  const tenon_executor* executor() const { return executor_; }
  Parameters& parameters() const { return p_; }
  Arena& arena() const { return arena_; }

  // Rows to a chunk for a batch of that many: few enough that a small model's activations stay in a core's
  // cache, and as many chunks as threads or a multiple. 0: one chunk, each operation split over the threads
  // instead.
  uint64_t chunk_rows(uint64_t rows) const;

  // Floats that BlockSaved takes for so many rows, and its parts in such a block of memory.
  uint64_t saved_floats(uint64_t rows) const;
  BlockSaved lay_out(float* memory, uint64_t rows) const;

  // x[rows][d] = rows of the embedding.
  void embed(const tenon_executor* ex, uint64_t rows, const int32_t* ids, float* x) const;
  void embed_backward(uint64_t rows, const int32_t* ids, const float* dx) const;

  // What the backward of a module's entrance needs: 2·d + 2 floats a row.
  struct JoinSaved {
    float* joined;       // [rows][embedding|hidden], both normed
    float* hidden_rstd;  // [rows]
    float* embedding_rstd;
  };
  uint64_t join_floats(uint64_t rows) const { return rows * (2 * d_ + 2); }
  JoinSaved lay_out_join(float* memory, uint64_t rows) const {
    return {memory, memory + rows * 2 * d_, memory + rows * (2 * d_ + 1)};
  }
  // Module `module` (from 1): y[rows][d] = M·[norm(embedding of ids[rows]); norm(h[rows][d])]: eq. 21 with M's halves
  // the other way round, as DeepSeek-V3's released weights have them.
  void join(uint64_t module, uint64_t rows, const int32_t* ids, const float* h, const JoinSaved& saved,
            float* y) const;
  // dh[rows][d] from dy[rows][d]; gradients of the module's parameters and of its lookup are added up.
  void join_backward(uint64_t module, uint64_t rows, const int32_t* ids, const float* h,
                     const JoinSaved& saved, const float* dy, float* dh) const;

  // y[rows][d] = block(x[rows][d]). y must not be x. Blocks behind shape().layers are those of modules.
  void block(uint64_t layer, const Batch& batch, const float* x, const BlockSaved& saved, float* y) const;
  // The embedding and all blocks, keeping nothing for a backward: x[rows][d].
  void forward(const Batch& batch, float* x) const;
  // dx[rows][d] from dy[rows][d], another buffer; gradients of the block's parameters are added up.
  // Overwrites saved.gate_up.
  void block_backward(uint64_t layer, const Batch& batch, const float* x, const BlockSaved& saved,
                      const float* dy, float* dx) const;

  // A step of decoding: embeds ids[rows], appends keys and values of every layer to caches[layers], and
  // leaves the last block's output in x[rows][d]; with `keys_only` it stops when the caches are filled and x
  // is of no use.
  void step(const tenon_executor* ex, const Step& step, const int32_t* ids, const tenon_kv_cache* caches,
            bool keys_only, float* x) const;

 private:
  struct Queries {  // where q and k are for attention
    float* q;
    float* k;
    uint64_t ld;
  };
  Queries queries(const BlockSaved& saved) const;
  void project(const tenon_executor* ex, const Layer& layer, uint64_t rows, const int32_t* position,
               const float* x, const BlockSaved& saved, float* scratch) const;
  void finish(const tenon_executor* ex, const Layer& layer, uint64_t rows, const float* x,
              const BlockSaved& saved, float* scratch, float* y) const;
  void block_chunk(const tenon_executor* ex, const Layer& layer, const Chunk& chunk, const int32_t* position,
                   const float* x, const BlockSaved& saved, float* y) const;
  struct Gradients;  // of a block's activations, for all rows
  void backward_chunk(const tenon_executor* ex, const Layer& layer, const Chunk& chunk,
                      const int32_t* position, const float* x, const BlockSaved& saved, const Gradients& g,
                      const float* dy, float* dx) const;
  void finish_backward(const tenon_executor* ex, const Layer& layer, uint64_t rows, const BlockSaved& saved,
                       const Gradients& g, const float* dy, float* dproduct, float* dattention) const;
  void project_backward(const tenon_executor* ex, const Layer& layer, uint64_t rows, const int32_t* position,
                        const float* x, const BlockSaved& saved, const Gradients& g, float* dx) const;
  void backward_weights(const Layer& layer, uint64_t rows, const float* x, const BlockSaved& saved,
                        const Gradients& g, const float* dy) const;
  template <class Body>
  void for_chunks(const Batch& batch, const Body& body) const;
  template <class Body>
  void for_pieces(const tenon_executor* ex, uint64_t rows, uint64_t most, const Body& body) const;
  uint64_t rows_in_cache() const;
  uint64_t scratch_floats(uint64_t rows) const { return rows * (d_ + ff_); }
  BlockSaved from_row(const BlockSaved& saved, uint64_t row) const;
  Gradients from_row(const Gradients& gradients, uint64_t row) const;

  Parameters& p_;
  const Shape shape_;
  Arena& arena_;
  const tenon_executor* executor_;
  const uint64_t d_, q_, kv_, ff_;
  const float scale_, eps_;
  Floats rope_;  // [max_len][head_dim]
};

}  // namespace tenon::transformer
