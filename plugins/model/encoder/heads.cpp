// What is read off the encoder's output: masked tokens, whether one segment follows the other, a scalar.
// SPDX-License-Identifier: Apache-2.0
#include "heads.h"

#include <cmath>

#include "tenon/kernels/head.h"

namespace tenon::encoder {
namespace {

tenon_head decoder_of(const Parameters& p) {
  return {sizeof(tenon_head), 1.0f, p.shape().width + 1, p.shape().vocab, p.decoder_packed(), p.decoder()};
}

}  // namespace

Floats Heads::gather(const Activations& a, const std::vector<uint64_t>& rows) const {
  const uint64_t d = p_.shape().width;
  Floats out(rows.size() * d);
  for (uint64_t i = 0; i < rows.size(); ++i) std::copy_n(a.output() + rows[i] * d, d, out.data() + i * d);
  return out;
}

void Heads::scatter(const std::vector<uint64_t>& rows, const float* dx, float* d_output) const {
  const uint64_t d = p_.shape().width;
  for (uint64_t i = 0; i < rows.size(); ++i)
    for (uint64_t c = 0; c < d; ++c) d_output[rows[i] * d + c] += dx[i * d + c];
}

MaskedRows Heads::masked(const Activations& a, std::vector<uint64_t> rows,
                         std::vector<int32_t> target) const {
  const uint64_t n = rows.size(), d = p_.shape().width;
  MaskedRows s;
  s.rows = std::move(rows), s.target = std::move(target);
  s.x = gather(a, s.rows);
  s.dense = Floats(n * d), s.cdf = Floats(n * d), s.active = Floats(n * d), s.stats = Floats(n * 2);
  s.hidden = Floats(n * (d + 1));
  net_.linear(p_.transform, n, s.x.data(), nullptr, s.dense.data());
  gelu(net_.ex_, n * d, s.dense.data(), s.cdf.data(), s.active.data());
  Floats normed(n * d);
  net_.norm(p_.transform_norm, n, s.active.data(), normed.data(), s.stats.data());
  for (uint64_t i = 0; i < n; ++i) {
    float* to = s.hidden.data() + i * (d + 1);
    std::copy_n(normed.data() + i * d, d, to);
    to[d] = 1.0f;
  }
  s.logprob.assign(n, 0.0f), s.lse.assign(n, 0.0f);
  const tenon_head head = decoder_of(p_);
  tenon_head_forward(net_.ex_, &head, n, nullptr, s.hidden.data(), d + 1, s.target.data(), s.logprob.data(),
                     nullptr, s.lse.data());
  return s;
}

std::vector<int32_t> Heads::most_likely(const MaskedRows& s) const {
  tenon_head head = decoder_of(p_);
  head.temperature = 0;
  std::vector<int32_t> token(s.rows.size());
  tenon_head_sample(net_.ex_, &head, token.size(), nullptr, s.hidden.data(), head.d, nullptr, nullptr,
                    token.data(), nullptr);
  return token;
}

void Heads::masked_backward(const MaskedRows& s, const std::vector<float>& d_logprob, float* d_output) const {
  const uint64_t n = s.rows.size(), d = p_.shape().width;
  Floats d_hidden(n * (d + 1)), dx(n * d);
  const tenon_head head = decoder_of(p_);
  tenon_head_backward(net_.ex_, &head, n, nullptr, s.hidden.data(), d + 1, s.target.data(), s.lse.data(),
                      nullptr, d_logprob.data(), nullptr, d_hidden.data(), d + 1, p_.decoder_grad());
  for (uint64_t i = 0; i < n; ++i) std::copy_n(d_hidden.data() + i * (d + 1), d, dx.data() + i * d);
  net_.norm_backward(p_.transform_norm, n, s.active.data(), s.stats.data(), dx.data(), false, dx.data());
  gelu_backward(net_.ex_, n * d, s.dense.data(), s.cdf.data(), dx.data(), dx.data());
  Floats d_rows(n * d);
  net_.linear_backward(p_.transform, n, s.x.data(), dx.data(), false, d_rows.data());
  scatter(s.rows, d_rows.data(), d_output);
}

PooledRows Heads::pooled(const Activations& a, const Linear& last, std::vector<uint64_t> rows) const {
  const uint64_t n = rows.size(), d = p_.shape().width;
  PooledRows s;
  s.rows = std::move(rows);
  s.x = gather(a, s.rows);
  s.pooled = Floats(n * d), s.out = Floats(n * last.out);
  net_.linear(p_.pooler, n, s.x.data(), nullptr, s.pooled.data());
  for (uint64_t i = 0; i < n * d; ++i) s.pooled.data()[i] = std::tanh(s.pooled.data()[i]);
  net_.linear(last, n, s.pooled.data(), nullptr, s.out.data());
  return s;
}

void Heads::pooled_backward(const PooledRows& s, const Linear& last, const std::vector<float>& d_out,
                            float* d_output) const {
  const uint64_t n = s.rows.size(), d = p_.shape().width;
  Floats d_pooled(n * d), dx(n * d);
  net_.linear_backward(last, n, s.pooled.data(), d_out.data(), false, d_pooled.data());
  for (uint64_t i = 0; i < n * d; ++i) d_pooled.data()[i] *= 1.0f - s.pooled.data()[i] * s.pooled.data()[i];
  net_.linear_backward(p_.pooler, n, s.x.data(), d_pooled.data(), false, dx.data());
  scatter(s.rows, dx.data(), d_output);
}

}  // namespace tenon::encoder
