// The decoder written down plainly, for any number type: what the fast one is judged by.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "shape.h"

namespace tenon::transformer {

// Parameters under their Hugging Face names, row-major.
template <class T>
using NaiveParameters = std::map<std::string, std::vector<T>>;

template <class T>
class NaiveDecoder {
 public:
  NaiveDecoder(const Shape& shape, const NaiveParameters<T>& parameters) : s_(shape), p_(parameters) {
    for (double f : checkpoint::rope_inverse_frequencies(shape)) frequencies_.push_back(static_cast<T>(f));
  }

  using Rows = std::vector<std::vector<T>>;

  // hidden[t][width] after the final norm, of one sequence.
  Rows hidden(const std::vector<int32_t>& ids) const { return normed(blocks(ids), "model.norm.weight"); }

  // The same of modules 1 … depth (DeepSeek-V3, arXiv 2412.19437, eq. 21 to 24): of module k for the first n − k
  // tokens, the last of which it combines with the embedding of the last token.
  std::vector<Rows> hidden_ahead(const std::vector<int32_t>& ids, uint64_t depth) const {
    std::vector<Rows> out;
    Rows h = blocks(ids);
    for (uint64_t k = 1; k <= depth; ++k) {
      const std::string base = "model.mtp." + std::to_string(k - 1) + ".";
      Rows joined(ids.size() - std::min(ids.size(), k));
      for (uint64_t t = 0; t < joined.size(); ++t) {
        std::vector<T> both = norm(embedding(ids[t + k]), p_.at(base + "enorm.weight"), 0, s_.width);
        const std::vector<T> hidden = norm(h[t], p_.at(base + "hnorm.weight"), 0, s_.width);
        both.insert(both.end(), hidden.begin(), hidden.end());
        joined[t] = linear(both, base + "eh_proj.weight", "");
      }
      h = std::move(joined);
      block(base, h);
      out.push_back(normed(h, base + "norm.weight"));
    }
    return out;
  }

  // Logits after a hidden state.
  std::vector<T> logits(const std::vector<T>& hidden) const {
    return linear(hidden, s_.tied ? "model.embed_tokens.weight" : "lm_head.weight", "");
  }
  T value(const std::vector<T>& hidden) const {
    return linear(hidden, "value_head.weight", "value_head.bias")[0];
  }
  T scalar(const std::vector<T>& hidden) const { return linear(hidden, "score.weight", "")[0]; }

  // log p(target) and the entropy of softmax(logits / temperature).
  static std::pair<T, T> score(const std::vector<T>& logits, int32_t target, T temperature) {
    T greatest = logits[0] / temperature, sum = 0, mean = 0;
    for (T u : logits) greatest = std::max(greatest, u / temperature);
    for (T u : logits) sum += std::exp(u / temperature - greatest);
    const T lse = greatest + std::log(sum);
    for (T u : logits) mean += std::exp(u / temperature - lse) * (u / temperature);
    return {logits[static_cast<size_t>(target)] / temperature - lse, lse - mean};
  }

 private:
  std::vector<T> embedding(int32_t id) const {
    const auto& table = p_.at("model.embed_tokens.weight");
    return {table.begin() + at(id), table.begin() + at(id + 1)};
  }
  Rows blocks(const std::vector<int32_t>& ids) const {
    Rows x;
    for (int32_t id : ids) x.push_back(embedding(id));
    for (uint64_t i = 0; i < s_.layers; ++i) block("model.layers." + std::to_string(i) + ".", x);
    return x;
  }
  Rows normed(Rows x, const std::string& weight) const {
    for (auto& row : x) row = norm(row, p_.at(weight), 0, s_.width);
    return x;
  }

  ptrdiff_t at(int32_t id) const { return static_cast<ptrdiff_t>(id) * static_cast<ptrdiff_t>(s_.width); }

  std::vector<T> linear(const std::vector<T>& x, const std::string& weight, const std::string& bias) const {
    const auto& w = p_.at(weight);
    std::vector<T> y(w.size() / x.size());
    for (size_t j = 0; j < y.size(); ++j) {
      for (size_t i = 0; i < x.size(); ++i) y[j] += x[i] * w[j * x.size() + i];
      if (!bias.empty()) y[j] += p_.at(bias)[j];
    }
    return y;
  }

  // x with its part of `width` from `begin` on normed.
  std::vector<T> norm(std::vector<T> x, const std::vector<T>& weight, uint64_t begin, uint64_t width) const {
    T squares = 0;
    for (uint64_t i = begin; i < begin + width; ++i) squares += x[i] * x[i];
    const T rstd = 1 / std::sqrt(squares / static_cast<T>(width) + static_cast<T>(s_.norm_eps));
    for (uint64_t i = 0; i < width; ++i) x[begin + i] *= rstd * weight[i];
    return x;
  }

  std::vector<T> rotate(std::vector<T> x, uint64_t position) const {
    const uint64_t hd = s_.head_dim, half = hd / 2;
    for (uint64_t h = 0; h < x.size(); h += hd)
      for (uint64_t i = 0; i < half; ++i) {
        const T angle = static_cast<T>(position) * frequencies_[i], c = std::cos(angle), s = std::sin(angle),
                a = x[h + i], b = x[h + half + i];
        x[h + i] = a * c - b * s;
        x[h + half + i] = b * c + a * s;
      }
    return x;
  }

  std::vector<T> project(const std::vector<T>& x, const std::string& base, const std::string& which,
                         bool biased) const {
    return linear(x, base + "self_attn." + which + "_proj.weight",
                  biased ? base + "self_attn." + which + "_proj.bias" : "");
  }

  void block(const std::string& base, std::vector<std::vector<T>>& x) const {
    const uint64_t n = x.size(), hd = s_.head_dim, group = s_.heads / s_.kv_heads;
    std::vector<std::vector<T>> q(n), k(n), v(n);
    for (uint64_t t = 0; t < n; ++t) {
      const std::vector<T> normed = norm(x[t], p_.at(base + "input_layernorm.weight"), 0, s_.width);
      q[t] = project(normed, base, "q", s_.qkv_bias), k[t] = project(normed, base, "k", s_.qkv_bias),
      v[t] = project(normed, base, "v", s_.qkv_bias);
      if (s_.qk_norm) {
        for (uint64_t h = 0; h < s_.heads; ++h)
          q[t] = norm(q[t], p_.at(base + "self_attn.q_norm.weight"), h * hd, hd);
        for (uint64_t h = 0; h < s_.kv_heads; ++h)
          k[t] = norm(k[t], p_.at(base + "self_attn.k_norm.weight"), h * hd, hd);
      }
      q[t] = rotate(q[t], t), k[t] = rotate(k[t], t);
    }
    for (uint64_t t = 0; t < n; ++t) {
      std::vector<T> mixed(s_.heads * hd);
      for (uint64_t h = 0; h < s_.heads; ++h)
        attend(q[t].data() + h * hd, k, v, t, h / group * hd, mixed.data() + h * hd);
      add(x[t], project(mixed, base, "o", false));
    }
    for (uint64_t t = 0; t < n; ++t) {
      const std::vector<T> normed = norm(x[t], p_.at(base + "post_attention_layernorm.weight"), 0, s_.width);
      std::vector<T> gate = linear(normed, base + "mlp.gate_proj.weight", "");
      const std::vector<T> up = linear(normed, base + "mlp.up_proj.weight", "");
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      add(x[t], linear(gate, base + "mlp.down_proj.weight", ""));
    }
  }

  // out[head_dim] = attention of one query over the keys and values 0 … t, of the head that starts at column
  // `begin`.
  void attend(const T* q, const std::vector<std::vector<T>>& k, const std::vector<std::vector<T>>& v,
              uint64_t t, uint64_t begin, T* out) const {
    std::vector<T> weight(t + 1);
    T greatest = -std::numeric_limits<T>::infinity(), sum = 0;
    for (uint64_t j = 0; j <= t; ++j) {
      for (uint64_t i = 0; i < s_.head_dim; ++i) weight[j] += q[i] * k[j][begin + i];
      weight[j] /= std::sqrt(static_cast<T>(s_.head_dim));
      greatest = std::max(greatest, weight[j]);
    }
    for (T& w : weight) sum += w = std::exp(w - greatest);
    for (uint64_t j = 0; j <= t; ++j)
      for (uint64_t i = 0; i < s_.head_dim; ++i) out[i] += weight[j] / sum * v[j][begin + i];
  }

  static void add(std::vector<T>& x, const std::vector<T>& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  const Shape& s_;
  const NaiveParameters<T>& p_;
  std::vector<T> frequencies_;
};

}  // namespace tenon::transformer
