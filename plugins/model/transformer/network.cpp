// Forward and backward of the blocks over the kernels: what training, prefill and decoding all call.
// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tenon/kernels/embedding.h"
#include "tenon/kernels/rmsnorm.h"
#include "tenon/kernels/rope.h"
#include "tenon/kernels/swiglu.h"

namespace tenon::transformer {

Network::Network(Parameters& parameters, Arena& arena, const tenon_executor* executor, uint64_t max_len)
    : p_(parameters),
      shape_(parameters.shape()),
      arena_(arena),
      executor_(executor),
      d_(shape_.width),
      q_(shape_.heads * shape_.head_dim),
      kv_(shape_.kv_heads * shape_.head_dim),
      ff_(shape_.ffn),
      scale_(static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape_.head_dim)))),
      eps_(static_cast<float>(shape_.norm_eps)),
      rope_(allocate_floats(max_len * shape_.head_dim)) {
  const std::vector<double> frequencies = checkpoint::rope_inverse_frequencies(shape_);
  const std::vector<float> rounded(frequencies.begin(), frequencies.end());
  tenon_rope_table(executor, max_len, shape_.head_dim, rounded.data(), 1.0f, rope_.get());
}

uint64_t Network::chunk_rows(uint64_t rows) const {
  constexpr uint64_t kWeightsInCache =
      uint64_t{3} << 17;  // floats of a block's weights that leave room for activations: 1.5 MiB
  const uint64_t weights = d_ * (q_ + 2 * kv_) + q_ * d_ + 3 * d_ * ff_;
  const uint64_t threads = executor_->threads;
  if (weights > kWeightsInCache) return 0;
  const uint64_t most = rows_in_cache();
  const uint64_t rounds = (rows + threads * most - 1) / (threads * most);
  return std::max<uint64_t>(1, (rows + threads * rounds - 1) / std::max<uint64_t>(1, threads * rounds));
}

// Rows whose activations of one block stay in a core's cache.
uint64_t Network::rows_in_cache() const {
  constexpr uint64_t kActivationsInCache = uint64_t{1} << 17;
  return std::max<uint64_t>(32, kActivationsInCache / (4 * d_ + 2 * q_ + 2 * kv_ + 3 * ff_));
}

// A chunk that one thread computes alone may be a whole group of sequences, far more than the cache holds: what
// is done row by row is then done for some rows at a time. body(first row, rows).
template <class Body>
void Network::for_pieces(const tenon_executor* ex, uint64_t rows, uint64_t most, const Body& body) const {
  const uint64_t pieces = ex != nullptr ? 1 : (rows + most - 1) / most;
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t begin = rows * i / pieces;
    body(begin, rows * (i + 1) / pieces - begin);
  }
}

template <class Body>
void Network::for_chunks(const Batch& batch, const Body& body) const {
  if (batch.chunks.size() == 1) return body(executor_, batch.chunks[0]);
  auto chunks = [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) body(nullptr, batch.chunks[i]);
  };
  GuardedBody<decltype(chunks)> guarded{chunks};
  executor_->parallel_for(executor_->ctx, batch.chunks.size(), 1, guarded.run, &guarded);
  guarded.rethrow();
}

// ---- Saved activations ------------------------------------------------------------------------------------

uint64_t Network::saved_floats(uint64_t rows) const {
  const uint64_t qk = shape_.qk_norm ? q_ + kv_ : 0;
  return rows * (2 * ff_ + (q_ + 2 * kv_) + qk + q_ + d_ + 2 * shape_.heads + shape_.kv_heads + 2);
}

BlockSaved Network::lay_out(float* memory, uint64_t rows) const {
  BlockSaved s;
  auto take = [&](uint64_t width) {
    float* at = memory;
    memory += rows * width;
    return at;
  };
  s.gate_up = take(2 * ff_);
  s.qkv = take(q_ + 2 * kv_);
  s.qk = shape_.qk_norm ? take(q_ + kv_) : nullptr;
  s.attention = take(q_);
  s.mid = take(d_);
  s.lse = take(shape_.heads);
  s.rstd1 = take(1);
  s.rstd2 = take(1);
  s.rstd_q = take(shape_.heads);
  s.rstd_k = take(shape_.kv_heads);
  return s;
}

BlockSaved Network::from_row(const BlockSaved& s, uint64_t row) const {
  BlockSaved out = s;
  out.gate_up += row * 2 * ff_;
  out.qkv += row * (q_ + 2 * kv_);
  if (s.qk != nullptr) out.qk += row * (q_ + kv_);
  out.attention += row * q_;
  out.mid += row * d_;
  out.lse += row * shape_.heads;
  out.rstd1 += row;
  out.rstd2 += row;
  out.rstd_q += row * shape_.heads;
  out.rstd_k += row * shape_.kv_heads;
  return out;
}

// ---- Forward ----------------------------------------------------------------------------------------------

void Network::embed(const tenon_executor* ex, uint64_t rows, const int32_t* ids, float* x) const {
  tenon_embedding(ex, rows, d_, ids, p_.value(p_.embedding), x, d_);
}

void Network::embed_backward(uint64_t rows, const int32_t* ids, const float* dx) const {
  tenon_embedding_backward(executor_, rows, d_, ids, dx, d_, p_.lookup_grad());
}

void Network::join(uint64_t module, uint64_t rows, const int32_t* ids, const float* h, const JoinSaved& s,
                   float* y) const {
  const Module& m = p_.modules[module - 1];
  const Arena::Block e = arena_.lend(rows * d_);
  embed(executor_, rows, ids, e.data());
  tenon_rmsnorm(executor_, rows, 1, d_, e.data(), d_, p_.value(m.embedding_norm), eps_, s.joined, 2 * d_,
                s.embedding_rstd);
  tenon_rmsnorm(executor_, rows, 1, d_, h, d_, p_.value(m.hidden_norm), eps_, s.joined + d_, 2 * d_,
                s.hidden_rstd);
  tenon_linear(executor_, rows, d_, 2 * d_, s.joined, 2 * d_, p_.packed(m.join.packed), nullptr, nullptr, 0,
               y, d_);
}

void Network::join_backward(uint64_t module, uint64_t rows, const int32_t* ids, const float* h,
                            const JoinSaved& s, const float* dy, float* dh) const {
  const Module& m = p_.modules[module - 1];
  const Arena::Block e = arena_.lend(rows * d_), djoined = arena_.lend(rows * 2 * d_);
  embed(executor_, rows, ids, e.data());
  tenon_linear_dx(executor_, rows, d_, 2 * d_, dy, d_, p_.value(m.join.weight), 2 * d_, 0, djoined.data(),
                  2 * d_);
  tenon_linear_dw(executor_, rows, d_, 2 * d_, dy, d_, s.joined, 2 * d_, p_.grad(m.join.weight), 2 * d_);
  tenon_rmsnorm_backward(executor_, rows, 1, d_, h, d_, p_.value(m.hidden_norm), s.hidden_rstd,
                         djoined.data() + d_, 2 * d_, 0, dh, d_, p_.grad(m.hidden_norm));
  const Arena::Block de = arena_.lend(rows * d_);
  tenon_rmsnorm_backward(executor_, rows, 1, d_, e.data(), d_, p_.value(m.embedding_norm), s.embedding_rstd,
                         djoined.data(), 2 * d_, 0, de.data(), d_, p_.grad(m.embedding_norm));
  tenon_embedding_backward(executor_, rows, d_, ids, de.data(), d_, p_.lookup_grad(module));
}

Network::Queries Network::queries(const BlockSaved& s) const {
  return shape_.qk_norm ? Queries{s.qk, s.qk + q_, q_ + kv_} : Queries{s.qkv, s.qkv + q_, q_ + 2 * kv_};
}

// From x[rows][d] to the rotated queries and keys, and the values.
void Network::project(const tenon_executor* ex, const Layer& layer, uint64_t rows, const int32_t* position,
                      const float* x, const BlockSaved& s, float* scratch) const {
  const uint64_t width = q_ + 2 * kv_, hd = shape_.head_dim;
  tenon_rmsnorm(ex, rows, 1, d_, x, d_, p_.value(layer.norm1), eps_, scratch, d_, s.rstd1);
  tenon_linear(ex, rows, width, d_, scratch, d_, p_.packed(layer.qkv.packed),
               layer.qkv.has_bias ? p_.value(layer.qkv.bias) : nullptr, nullptr, 0, s.qkv, width);
  const Queries to = queries(s);
  if (shape_.qk_norm) {
    tenon_rmsnorm(ex, rows, shape_.heads, hd, s.qkv, width, p_.value(layer.q_norm), eps_, to.q, to.ld,
                  s.rstd_q);
    tenon_rmsnorm(ex, rows, shape_.kv_heads, hd, s.qkv + q_, width, p_.value(layer.k_norm), eps_, to.k, to.ld,
                  s.rstd_k);
  }
  tenon_rope(ex, rows, shape_.heads + shape_.kv_heads, hd, position, rope_.get(), 0, to.q, to.ld);
}

// From s.attention to y[rows][d]; y may be x.
void Network::finish(const tenon_executor* ex, const Layer& layer, uint64_t rows, const float* x,
                     const BlockSaved& s, float* scratch, float* y) const {
  float* norm = scratch;
  float* product = scratch + rows * d_;
  tenon_linear(ex, rows, d_, q_, s.attention, q_, p_.packed(layer.o.packed), nullptr, x, d_, s.mid, d_);
  tenon_rmsnorm(ex, rows, 1, d_, s.mid, d_, p_.value(layer.norm2), eps_, norm, d_, s.rstd2);
  tenon_linear(ex, rows, 2 * ff_, d_, norm, d_, p_.packed(layer.gate_up.packed), nullptr, nullptr, 0,
               s.gate_up, 2 * ff_);
  tenon_swiglu(ex, rows, ff_, s.gate_up, 2 * ff_, product, ff_);
  tenon_linear(ex, rows, d_, ff_, product, ff_, p_.packed(layer.down.packed), nullptr, s.mid, d_, y, d_);
}

void Network::block_chunk(const tenon_executor* ex, const Layer& layer, const Chunk& chunk,
                          const int32_t* position, const float* x, const BlockSaved& s, float* y) const {
  const uint64_t most = ex != nullptr ? chunk.rows : std::min(chunk.rows, rows_in_cache());
  const Arena::Block scratch = arena_.lend(scratch_floats(most));
  for_pieces(ex, chunk.rows, most, [&](uint64_t row, uint64_t rows) {
    project(ex, layer, rows, position + row, x + row * d_, from_row(s, row), scratch.data());
  });
  const Queries from = queries(s);
  const tenon_attention_batch batch = chunk.attention(shape_.heads, shape_.kv_heads, shape_.head_dim, scale_);
  tenon_attention(ex, &batch, from.q, from.ld, from.k, from.ld, s.qkv + q_ + kv_, q_ + 2 * kv_, s.attention,
                  q_, s.lse);
  for_pieces(ex, chunk.rows, most, [&](uint64_t row, uint64_t rows) {
    finish(ex, layer, rows, x + row * d_, from_row(s, row), scratch.data(), y + row * d_);
  });
}

void Network::block(uint64_t layer, const Batch& batch, const float* x, const BlockSaved& saved,
                    float* y) const {
  for_chunks(batch, [&](const tenon_executor* ex, const Chunk& chunk) {
    block_chunk(ex, p_.block(layer), chunk, batch.positions.data() + chunk.row, x + chunk.row * d_,
                from_row(saved, chunk.row), y + chunk.row * d_);
  });
}

void Network::forward(const Batch& batch, float* x) const {
  for_chunks(batch, [&](const tenon_executor* ex, const Chunk& chunk) {
    const Arena::Block memory = arena_.lend(saved_floats(chunk.rows));
    const BlockSaved reused = lay_out(memory.data(), chunk.rows);
    float* rows = x + chunk.row * d_;
    embed(ex, chunk.rows, batch.ids.data() + chunk.row, rows);
    for (const Layer& layer : p_.layers)
      block_chunk(ex, layer, chunk, batch.positions.data() + chunk.row, rows, reused, rows);
  });
}

void Network::step(const tenon_executor* ex, const Step& step, const int32_t* ids,
                   const tenon_kv_cache* caches, bool keys_only, float* x) const {
  const Arena::Block memory = arena_.lend(saved_floats(step.rows)),
                     scratch = arena_.lend(scratch_floats(step.rows));
  const BlockSaved s = lay_out(memory.data(), step.rows);
  const Queries from = queries(s);
  embed(ex, step.rows, ids, x);
  for (uint64_t i = 0; i < p_.layers.size(); ++i) {
    const Layer& layer = p_.layers[i];
    project(ex, layer, step.rows, step.position, x, s, scratch.data());
    tenon_kv_cache_append(ex, &caches[i], step.rows, step.row_slot, step.position, from.k, from.ld,
                          s.qkv + q_ + kv_, q_ + 2 * kv_);
    if (keys_only && i + 1 == p_.layers.size()) return;
    tenon_attention_cached(ex, &caches[i], static_cast<uint32_t>(shape_.heads), scale_, step.parts,
                           step.offsets, step.slot, step.first_position, from.q, from.ld, s.attention, q_);
    finish(ex, layer, step.rows, x, s, scratch.data(), x);
  }
}

// ---- Backward ---------------------------------------------------------------------------------------------

// Gradients of a block's activations and the activations that are computed again, for all rows: the weights'
// gradients are sums over them.
struct Network::Gradients {
  float* product;  // [rows][ff] silu(gate)∘up
  float* norm2;    // [rows][d]
  float* dnorm2;   // [rows][d]
  float* dmid;     // [rows][d]
  float* dqkv;     // [rows][q|k|v]
  float* dqk;      // [rows][q|k] of the normed queries and keys; null without such norms
  float* norm1;    // [rows][d]
  float* dnorm1;   // [rows][d]
};

Network::Gradients Network::from_row(const Gradients& g, uint64_t row) const {
  return {g.product + row * ff_,
          g.norm2 + row * d_,
          g.dnorm2 + row * d_,
          g.dmid + row * d_,
          g.dqkv + row * (q_ + 2 * kv_),
          g.dqk == nullptr ? nullptr : g.dqk + row * (q_ + kv_),
          g.norm1 + row * d_,
          g.dnorm1 + row * d_};
}

// From dy to the gradient of the attention's output, and of the residual beside it.
void Network::finish_backward(const tenon_executor* ex, const Layer& layer, uint64_t rows,
                              const BlockSaved& s, const Gradients& g, const float* dy, float* dproduct,
                              float* dattention) const {
  tenon_linear_dx(ex, rows, d_, ff_, dy, d_, p_.value(layer.down.weight), ff_, 0, dproduct, ff_);
  tenon_swiglu_backward(ex, rows, ff_, s.gate_up, 2 * ff_, dproduct, ff_, s.gate_up, 2 * ff_, g.product, ff_);
  tenon_rmsnorm(ex, rows, 1, d_, s.mid, d_, p_.value(layer.norm2), eps_, g.norm2, d_, nullptr);
  tenon_linear_dx(ex, rows, 2 * ff_, d_, s.gate_up, 2 * ff_, p_.value(layer.gate_up.weight), d_, 0, g.dnorm2,
                  d_);
  std::memcpy(g.dmid, dy, rows * d_ * sizeof(float));
  tenon_rmsnorm_backward(ex, rows, 1, d_, s.mid, d_, p_.value(layer.norm2), s.rstd2, g.dnorm2, d_, 1, g.dmid,
                         d_, nullptr);
  tenon_linear_dx(ex, rows, d_, q_, g.dmid, d_, p_.value(layer.o.weight), q_, 0, dattention, q_);
}

// From the gradients of queries, keys and values, and of the residual, to dx.
void Network::project_backward(const tenon_executor* ex, const Layer& layer, uint64_t rows,
                               const int32_t* position, const float* x, const BlockSaved& s,
                               const Gradients& g, float* dx) const {
  const uint64_t width = q_ + 2 * kv_, hd = shape_.head_dim;
  float* dq = shape_.qk_norm ? g.dqk : g.dqkv;
  const uint64_t lddq = shape_.qk_norm ? q_ + kv_ : width;
  tenon_rope(ex, rows, shape_.heads + shape_.kv_heads, hd, position, rope_.get(), 1, dq, lddq);
  if (shape_.qk_norm) {
    tenon_rmsnorm_backward(ex, rows, shape_.heads, hd, s.qkv, width, p_.value(layer.q_norm), s.rstd_q, g.dqk,
                           lddq, 0, g.dqkv, width, nullptr);
    tenon_rmsnorm_backward(ex, rows, shape_.kv_heads, hd, s.qkv + q_, width, p_.value(layer.k_norm), s.rstd_k,
                           g.dqk + q_, lddq, 0, g.dqkv + q_, width, nullptr);
  }
  tenon_rmsnorm(ex, rows, 1, d_, x, d_, p_.value(layer.norm1), eps_, g.norm1, d_, nullptr);
  tenon_linear_dx(ex, rows, width, d_, g.dqkv, width, p_.value(layer.qkv.weight), d_, 0, g.dnorm1, d_);
  std::memcpy(dx, g.dmid, rows * d_ * sizeof(float));
  tenon_rmsnorm_backward(ex, rows, 1, d_, x, d_, p_.value(layer.norm1), s.rstd1, g.dnorm1, d_, 1, dx, d_,
                         nullptr);
}

void Network::backward_chunk(const tenon_executor* ex, const Layer& layer, const Chunk& chunk,
                             const int32_t* position, const float* x, const BlockSaved& s, const Gradients& g,
                             const float* dy, float* dx) const {
  const uint64_t width = q_ + 2 * kv_;
  // More rows than forward: each piece lays out the weights anew.
  const uint64_t most = ex != nullptr ? chunk.rows : std::min(chunk.rows, 2 * rows_in_cache());
  const Arena::Block dattention = arena_.lend(chunk.rows * q_), scratch = arena_.lend(most * ff_);
  for_pieces(ex, chunk.rows, most, [&](uint64_t row, uint64_t rows) {
    finish_backward(ex, layer, rows, from_row(s, row), from_row(g, row), dy + row * d_, scratch.data(),
                    dattention.data() + row * q_);
  });
  const Queries from = queries(s);
  float* dq = shape_.qk_norm ? g.dqk : g.dqkv;
  const uint64_t lddq = shape_.qk_norm ? q_ + kv_ : width;
  const tenon_attention_batch batch = chunk.attention(shape_.heads, shape_.kv_heads, shape_.head_dim, scale_);
  tenon_attention_backward(ex, &batch, from.q, from.ld, from.k, from.ld, s.qkv + q_ + kv_, width, s.attention,
                           q_, s.lse, dattention.data(), q_, dq, lddq, dq + q_, lddq, g.dqkv + q_ + kv_,
                           width);
  for_pieces(ex, chunk.rows, most, [&](uint64_t row, uint64_t rows) {
    project_backward(ex, layer, rows, position + row, x + row * d_, from_row(s, row), from_row(g, row),
                     dx + row * d_);
  });
}

void Network::backward_weights(const Layer& layer, uint64_t rows, const float* x, const BlockSaved& s,
                               const Gradients& g, const float* dy) const {
  const tenon_executor* ex = executor_;
  const uint64_t width = q_ + 2 * kv_, hd = shape_.head_dim;
  tenon_linear_dw(ex, rows, d_, ff_, dy, d_, g.product, ff_, p_.grad(layer.down.weight), ff_);
  tenon_linear_dw(ex, rows, 2 * ff_, d_, s.gate_up, 2 * ff_, g.norm2, d_, p_.grad(layer.gate_up.weight), d_);
  tenon_linear_dw(ex, rows, d_, q_, g.dmid, d_, s.attention, q_, p_.grad(layer.o.weight), q_);
  tenon_linear_dw(ex, rows, width, d_, g.dqkv, width, g.norm1, d_, p_.grad(layer.qkv.weight), d_);
  if (layer.qkv.has_bias) tenon_linear_dbias(ex, rows, width, g.dqkv, width, p_.grad(layer.qkv.bias));
  tenon_rmsnorm_backward(ex, rows, 1, d_, s.mid, d_, p_.value(layer.norm2), s.rstd2, g.dnorm2, d_, 0, nullptr,
                         0, p_.grad(layer.norm2));
  tenon_rmsnorm_backward(ex, rows, 1, d_, x, d_, p_.value(layer.norm1), s.rstd1, g.dnorm1, d_, 0, nullptr, 0,
                         p_.grad(layer.norm1));
  if (!shape_.qk_norm) return;
  tenon_rmsnorm_backward(ex, rows, shape_.heads, hd, s.qkv, width, p_.value(layer.q_norm), s.rstd_q, g.dqk,
                         q_ + kv_, 0, nullptr, 0, p_.grad(layer.q_norm));
  tenon_rmsnorm_backward(ex, rows, shape_.kv_heads, hd, s.qkv + q_, width, p_.value(layer.k_norm), s.rstd_k,
                         g.dqk + q_, q_ + kv_, 0, nullptr, 0, p_.grad(layer.k_norm));
}

void Network::block_backward(uint64_t index, const Batch& batch, const float* x, const BlockSaved& saved,
                             const float* dy, float* dx) const {
  const Layer& layer = p_.block(index);
  const uint64_t rows = batch.rows, width = q_ + 2 * kv_;
  const Arena::Block memory = arena_.lend(rows * (ff_ + 5 * d_ + width + (shape_.qk_norm ? q_ + kv_ : 0)));
  float* at = memory.data();
  auto take = [&](uint64_t columns) {
    float* here = at;
    at += rows * columns;
    return here;
  };
  Gradients g{};
  g.product = take(ff_), g.norm2 = take(d_), g.dnorm2 = take(d_), g.dmid = take(d_), g.dqkv = take(width),
  g.norm1 = take(d_), g.dnorm1 = take(d_);
  g.dqk = shape_.qk_norm ? take(q_ + kv_) : nullptr;

  for_chunks(batch, [&](const tenon_executor* ex, const Chunk& chunk) {
    const uint64_t r = chunk.row;
    backward_chunk(ex, layer, chunk, batch.positions.data() + r, x + r * d_, from_row(saved, r),
                   from_row(g, r), dy + r * d_, dx + r * d_);
  });
  backward_weights(layer, rows, x, saved, g, dy);
}

}  // namespace tenon::transformer
