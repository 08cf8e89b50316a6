// The final norm and the heads: language, value, scalar.
// SPDX-License-Identifier: Apache-2.0
#include "heads.h"

#include <algorithm>
#include <cstring>

#include "tenon/kernels/rmsnorm.h"
#include "tenon/kernels/vector.h"

namespace tenon::transformer {

tenon_head Heads::language(float temperature) const {
  return {sizeof(tenon_head),      temperature, d_, p_.usable_vocab(), p_.packed(p_.head.packed),
          p_.value(p_.head.weight)};
}

// Gathers the head rows and norms them.
HeadState Heads::begin(const Batch& batch, const float* x, float temperature, const Wanted& wanted) const {
  HeadState s;
  s.n = batch.heads.size();
  s.temperature = temperature;
  s.wanted = wanted;
  s.all_language = batch.scalar_rows == 0;
  s.x = net_.arena().lend(s.n * d_), s.hidden = net_.arena().lend(s.n * d_), s.rstd = net_.arena().lend(s.n);
  s.target.resize(s.n);
  for (uint64_t i = 0; i < s.n; ++i) {
    std::memcpy(s.x.data() + i * d_, x + batch.heads[i].row * d_, d_ * sizeof(float));
    s.target[i] = batch.heads[i].target;
    if (!s.all_language && s.target[i] >= 0) s.language.push_back(i);
  }
  tenon_rmsnorm(net_.executor(), s.n, 1, d_, s.x.data(), d_, p_.value(norm_),
                static_cast<float>(net_.shape().norm_eps), s.hidden.data(), d_, s.rstd.data());
  return s;
}

HeadState Heads::forward(const Batch& batch, const float* x, float temperature, const Wanted& wanted) const {
  HeadState s = begin(batch, x, temperature, wanted);
  if (wanted.logprob || wanted.entropy) {
    s.logprob.assign(s.n, 0.0f), s.lse.assign(s.n, 0.0f);
    if (wanted.entropy) s.entropy.assign(s.n, 0.0f);
    const tenon_head head = language(temperature);
    tenon_head_forward(net_.executor(), &head, s.language_count(), s.language_rows(), s.hidden.data(), d_,
                       s.target.data(), s.logprob.data(), wanted.entropy ? s.entropy.data() : nullptr,
                       s.lse.data());
  }
  if (wanted.value || batch.scalar_rows > 0) numbers(batch, s);
  return s;
}

// The value head where there is a target, the scalar head where there is none. Both are computed for all
// rows: they cost next to nothing.
void Heads::numbers(const Batch& batch, HeadState& s) const {
  s.value.assign(s.n, 0.0f);
  auto apply = [&](const Linear& l, float* out) {
    tenon_linear(net_.executor(), s.n, 1, d_, s.hidden.data(), d_, p_.packed(l.packed),
                 l.has_bias ? p_.value(l.bias) : nullptr, nullptr, 0, out, 1);
  };
  if (s.wanted.value) apply(p_.value_head, s.value.data());
  if (batch.scalar_rows == 0) return;
  std::vector<float> scalar(s.n);
  apply(p_.scalar_head, scalar.data());
  for (uint64_t i = 0; i < s.n; ++i)
    if (s.target[i] < 0) s.value[i] = scalar[i];
}

void Heads::backward(const Batch& batch, const HeadState& s, const HeadGradients& g, float* dx) const {
  const Arena::Block dhidden = net_.arena().lend(s.n * d_);
  tenon_zero(net_.executor(), s.n * d_, dhidden.data());
  if (!g.logprob.empty() || !g.entropy.empty()) {
    const std::vector<float> zeros(g.logprob.empty() ? s.n : 0, 0.0f);
    const tenon_head head = language(s.temperature);
    tenon_head_backward(net_.executor(), &head, s.language_count(), s.language_rows(), s.hidden.data(), d_,
                        s.target.data(), s.lse.data(), g.entropy.empty() ? nullptr : s.entropy.data(),
                        g.logprob.empty() ? zeros.data() : g.logprob.data(),
                        g.entropy.empty() ? nullptr : g.entropy.data(), dhidden.data(), d_,
                        p_.head_grad(module_));
  }
  if (!g.value.empty()) numbers_backward(batch, s, g.value, dhidden.data());
  norm_backward(batch, s, dhidden.data(), dx);
}

void Heads::numbers_backward(const Batch& batch, const HeadState& s, const std::vector<float>& d_value,
                             float* dhidden) const {
  auto apply = [&](const Linear& l, bool scalar) {
    std::vector<float> g(s.n);
    for (uint64_t i = 0; i < s.n; ++i) g[i] = (s.target[i] < 0) == scalar ? d_value[i] : 0.0f;
    tenon_linear_dx(net_.executor(), s.n, 1, d_, g.data(), 1, p_.value(l.weight), d_, 1, dhidden, d_);
    tenon_linear_dw(net_.executor(), s.n, 1, d_, g.data(), 1, s.hidden.data(), d_, p_.grad(l.weight), d_);
    if (l.has_bias) tenon_linear_dbias(net_.executor(), s.n, 1, g.data(), 1, p_.grad(l.bias));
  };
  if (s.wanted.value) apply(p_.value_head, false);
  if (batch.scalar_rows > 0) apply(p_.scalar_head, true);
}

HeadState Heads::visit(const Batch& batch, const float* x, float temperature,
                       const std::vector<float>& d_logprob, bool want_logprob, float* dx) const {
  HeadState s = begin(batch, x, temperature, Wanted{});
  const Arena::Block dhidden = net_.arena().lend(s.n * d_);
  if (want_logprob) s.logprob.assign(s.n, 0.0f);
  const tenon_head head = language(temperature);
  tenon_head_visit(net_.executor(), &head, s.n, nullptr, s.hidden.data(), d_, s.target.data(),
                   d_logprob.data(), nullptr, want_logprob ? s.logprob.data() : nullptr, nullptr,
                   dhidden.data(), d_, p_.head_grad(module_));
  norm_backward(batch, s, dhidden.data(), dx);
  return s;
}

void Heads::norm_backward(const Batch& batch, const HeadState& s, const float* dhidden, float* dx) const {
  const Arena::Block gathered = net_.arena().lend(s.n * d_);
  tenon_rmsnorm_backward(net_.executor(), s.n, 1, d_, s.x.data(), d_, p_.value(norm_), s.rstd.data(), dhidden,
                         d_, 0, gathered.data(), d_, p_.grad(norm_));
  tenon_zero(net_.executor(), batch.rows * d_, dx);
  for (uint64_t i = 0; i < s.n; ++i)
    std::memcpy(dx + batch.heads[i].row * d_, gathered.data() + i * d_, d_ * sizeof(float));
}

void Heads::logits(const Batch& batch, const float* x, float* out) const {
  const HeadState s = begin(batch, x, 1.0f, Wanted{});
  const tenon_head head = language(1.0f);
  tenon_head_logits(net_.executor(), &head, s.n, nullptr, s.hidden.data(), d_, out, p_.usable_vocab());
}

void Heads::sample(uint64_t n, float* x, const tenon_sampling& sampling, const float* u, int32_t* token,
                   float* logprob) const {
  tenon_rmsnorm(net_.executor(), n, 1, d_, x, d_, p_.value(norm_), static_cast<float>(net_.shape().norm_eps),
                x, d_, nullptr);
  const tenon_head head = language(sampling.temperature);
  const float top_p = sampling.top_p > 0 ? sampling.top_p : 1.0f;
  const tenon_head_filter filter{sizeof(tenon_head_filter), sampling.top_k, top_p, sampling.min_p};
  const bool filtered = sampling.top_k > 0 || top_p < 1.0f || sampling.min_p > 0;
  tenon_head_sample(net_.executor(), &head, n, nullptr, x, d_, u, filtered ? &filter : nullptr, token,
                    logprob);
}

}  // namespace tenon::transformer
