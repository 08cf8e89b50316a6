// The encoder's body: embeddings and blocks, forward and backward.
// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include "tenon/kernels/embedding.h"
#include "tenon/kernels/gemm.h"

namespace tenon::encoder {

Attention Network::attention_of(const Batch& batch) const {
  return {p_.shape().heads, p_.shape().head_dim(), batch.offsets};
}

// ---- Layers with their parameters -------------------------------------------------------------------------

void Network::linear(const Linear& l, uint64_t rows, const float* x, const float* add, float* y) const {
  tenon_linear(ex_, rows, l.out, l.in, x, l.in, p_.packed(l), l.has_bias ? p_.value(l.bias) : nullptr, add,
               l.out, y, l.out);
}

void Network::linear_backward(const Linear& l, uint64_t rows, const float* x, const float* dy,
                              bool accumulate, float* dx) const {
  tenon_linear_dw(ex_, rows, l.out, l.in, dy, l.out, x, l.in, p_.grad(l.weight), l.in);
  if (l.has_bias) tenon_linear_dbias(ex_, rows, l.out, dy, l.out, p_.grad(l.bias));
  tenon_linear_dx(ex_, rows, l.out, l.in, dy, l.out, p_.value(l.weight), l.in, accumulate ? 1 : 0, dx, l.in);
}

void Network::norm(const Norm& n, uint64_t rows, const float* x, float* y, float* stats) const {
  layer_norm(ex_, rows, p_.shape().width, x, p_.value(n.weight), p_.value(n.bias), p_.shape().eps, y, stats);
}

void Network::norm_backward(const Norm& n, uint64_t rows, const float* x, const float* stats, const float* dy,
                            bool accumulate, float* dx) const {
  layer_norm_backward(ex_, rows, p_.shape().width, x, p_.value(n.weight), stats, dy, accumulate, dx,
                      p_.grad(n.weight), p_.grad(n.bias));
}

// ---- Embeddings -------------------------------------------------------------------------------------------

void Network::embed(Activations& a) const {
  const uint64_t d = p_.shape().width, rows = a.batch.rows();
  a.embedded = Floats(rows * d);
  a.embedded_stats = Floats(rows * 2);
  a.x.push_back(Floats(rows * d));
  parallel(ex_, rows, 64, [&](uint64_t begin, uint64_t end) {
    for (uint64_t r = begin; r < end; ++r) {
      auto row_of = [&](uint64_t table, int32_t id) {
        return p_.value(table) + static_cast<uint64_t>(id) * d;
      };
      const float *word = row_of(p_.words, a.batch.ids[r]),
                  *position = row_of(p_.positions, a.batch.positions[r]),
                  *segment = row_of(p_.segments, a.batch.segments[r]);
      float* to = a.embedded.data() + r * d;
      for (uint64_t i = 0; i < d; ++i) to[i] = word[i] + position[i] + segment[i];
    }
  });
  norm(p_.embedding_norm, rows, a.embedded.data(), a.x[0].data(), a.embedded_stats.data());
}

void Network::embed_backward(const Activations& a, float* dx) const {
  const uint64_t d = p_.shape().width, rows = a.batch.rows();
  norm_backward(p_.embedding_norm, rows, a.embedded.data(), a.embedded_stats.data(), dx, false, dx);
  auto add = [&](const std::vector<int32_t>& ids, uint64_t table) {
    tenon_embedding_backward(ex_, rows, d, ids.data(), dx, d, p_.grad(table));
  };
  add(a.batch.ids, p_.words);
  add(a.batch.positions, p_.positions);
  add(a.batch.segments, p_.segments);
}

// ---- Blocks -----------------------------------------------------------------------------------------------

void Network::block(const Layer& layer, const Attention& heads, const Floats& x, BlockSaved& s,
                    Floats& y) const {
  const Shape& shape = p_.shape();
  const uint64_t rows = heads.offsets.back(), d = shape.width;
  const bool pre = shape.pre_norm;
  s.stats1 = Floats(rows * 2), s.stats2 = Floats(rows * 2);
  s.qkv = Floats(rows * 3 * d), s.p = Floats(heads.probabilities()), s.mixed = Floats(rows * d);
  s.residual1 = Floats(rows * d), s.middle = Floats(rows * d);
  s.up = Floats(rows * shape.ffn), s.cdf = Floats(rows * shape.ffn);
  Floats activated(rows * shape.ffn);

  const float* read = x.data();
  if (pre) {
    s.normed = Floats(rows * d);
    norm(layer.norm1, rows, read, s.normed.data(), s.stats1.data());
    read = s.normed.data();
  }
  linear(layer.qkv, rows, read, nullptr, s.qkv.data());
  attention(ex_, heads, s.qkv.data(), s.p.data(), s.mixed.data());
  linear(layer.o, rows, s.mixed.data(), x.data(), s.residual1.data());
  norm(pre ? layer.norm2 : layer.norm1, rows, s.residual1.data(), s.middle.data(),
       pre ? s.stats2.data() : s.stats1.data());
  linear(layer.up, rows, s.middle.data(), nullptr, s.up.data());
  gelu(ex_, rows * shape.ffn, s.up.data(), s.cdf.data(), activated.data());
  y = Floats(rows * d);
  if (pre) return linear(layer.down, rows, activated.data(), s.residual1.data(), y.data());
  s.residual2 = Floats(rows * d);
  linear(layer.down, rows, activated.data(), s.middle.data(), s.residual2.data());
  norm(layer.norm2, rows, s.residual2.data(), y.data(), s.stats2.data());
}

// dx: dL/d output of the block, which becomes dL/d input. Without pre_norm the residual branches off behind a norm, with it before: that is all
// the difference.
void Network::block_backward(const Layer& layer, const Attention& heads, const Floats& x, const BlockSaved& s,
                             Floats& dx) const {
  const Shape& shape = p_.shape();
  const uint64_t rows = heads.offsets.back(), d = shape.width, inner = rows * shape.ffn;
  const bool pre = shape.pre_norm;
  Floats d_inner(inner), activated(inner), d_normed(rows * d), d_mixed(rows * d), d_qkv(rows * 3 * d);

  if (!pre)
    norm_backward(layer.norm2, rows, s.residual2.data(), s.stats2.data(), dx.data(), false, dx.data());
  gelu_output(ex_, inner, s.up.data(), s.cdf.data(), activated.data());
  linear_backward(layer.down, rows, activated.data(), dx.data(), false, d_inner.data());
  gelu_backward(ex_, inner, s.up.data(), s.cdf.data(), d_inner.data(), d_inner.data());
  if (pre) {
    linear_backward(layer.up, rows, s.middle.data(), d_inner.data(), false, d_normed.data());
    norm_backward(layer.norm2, rows, s.residual1.data(), s.stats2.data(), d_normed.data(), true, dx.data());
  } else {
    linear_backward(layer.up, rows, s.middle.data(), d_inner.data(), true, dx.data());
    norm_backward(layer.norm1, rows, s.residual1.data(), s.stats1.data(), dx.data(), false, dx.data());
  }
  linear_backward(layer.o, rows, s.mixed.data(), dx.data(), false, d_mixed.data());
  attention_backward(ex_, heads, s.qkv.data(), s.p.data(), d_mixed.data(), d_qkv.data());
  if (pre) {
    linear_backward(layer.qkv, rows, s.normed.data(), d_qkv.data(), false, d_normed.data());
    norm_backward(layer.norm1, rows, x.data(), s.stats1.data(), d_normed.data(), true, dx.data());
  } else {
    linear_backward(layer.qkv, rows, x.data(), d_qkv.data(), true, dx.data());
  }
}

// ---- The whole --------------------------------------------------------------------------------------------

Activations Network::forward(Batch batch) const {
  Activations a;
  a.batch = std::move(batch);
  embed(a);
  const Attention heads = attention_of(a.batch);
  for (const Layer& layer : p_.layers) {
    BlockSaved saved;
    Floats y;
    block(layer, heads, a.x.back(), saved, y);
    a.blocks.push_back(std::move(saved));
    a.x.push_back(std::move(y));
  }
  if (!p_.shape().pre_norm) return a;
  const uint64_t rows = a.batch.rows();
  a.hidden = Floats(rows * p_.shape().width), a.final_stats = Floats(rows * 2);
  norm(p_.final_norm, rows, a.x.back().data(), a.hidden.data(), a.final_stats.data());
  return a;
}

void Network::backward(const Activations& a, Floats dx) const {
  if (p_.shape().pre_norm)
    norm_backward(p_.final_norm, a.batch.rows(), a.x.back().data(), a.final_stats.data(), dx.data(), false,
                  dx.data());
  const Attention heads = attention_of(a.batch);
  for (uint64_t i = p_.layers.size(); i-- > 0;) block_backward(p_.layers[i], heads, a.x[i], a.blocks[i], dx);
  embed_backward(a, dx.data());
}

}  // namespace tenon::encoder
