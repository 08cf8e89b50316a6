// Causal grouped-query attention of one sequence, naively. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_ATTENTION_REFERENCE_H_
#define TENON_KERNELS_CPU_ATTENTION_REFERENCE_H_

#include <cmath>
#include <cstddef>
#include <vector>

namespace tenon::kernels::reference {

struct AttentionShape {
  size_t queries, keys;  // the queries are the last positions: query i sees keys 0 … keys − queries + i
  size_t heads, kv_heads, d;
  double scale;
};

// p[j], the probabilities of query i of head h; returns its log-sum-exp.
template <typename T>
T attention_row(const AttentionShape& s, size_t i, size_t h, const T* q, const T* k, std::vector<T>* p) {
  const size_t seen = s.keys - s.queries + i + 1, kv = h / (s.heads / s.kv_heads);
  p->assign(seen, T(0));
  T most = -INFINITY, sum = 0;
  for (size_t j = 0; j < seen; ++j) {
    for (size_t c = 0; c < s.d; ++c)
      (*p)[j] += q[(i * s.heads + h) * s.d + c] * k[(j * s.kv_heads + kv) * s.d + c];
    (*p)[j] *= T(s.scale);
    if ((*p)[j] > most) most = (*p)[j];
  }
  for (T& x : *p) sum += x = std::exp(x - most);
  for (T& x : *p) x /= sum;
  return most + std::log(sum);
}

// q, out: [queries][heads][d]; k, v: [keys][kv_heads][d]
template <typename T>
void attention(const AttentionShape& s, const T* q, const T* k, const T* v, T* out) {
  std::vector<T> p;
  for (size_t i = 0; i < s.queries; ++i) {
    for (size_t h = 0; h < s.heads; ++h) {
      attention_row(s, i, h, q, k, &p);
      for (size_t c = 0; c < s.d; ++c) {
        T sum = 0;
        for (size_t j = 0; j < p.size(); ++j)
          sum += p[j] * v[(j * s.kv_heads + h / (s.heads / s.kv_heads)) * s.d + c];
        out[(i * s.heads + h) * s.d + c] = sum;
      }
    }
  }
}

// dq =; dk, dv +=
template <typename T>
void attention_backward(const AttentionShape& s, const T* q, const T* k, const T* v, const T* dout, T* dq,
                        T* dk, T* dv) {
  std::vector<T> p, dp;
  for (size_t i = 0; i < s.queries; ++i) {
    for (size_t h = 0; h < s.heads; ++h) {
      const size_t row = (i * s.heads + h) * s.d;
      attention_row(s, i, h, q, k, &p);
      dp.assign(p.size(), T(0));
      T mean = 0;
      for (size_t j = 0; j < p.size(); ++j) {
        const size_t key = (j * s.kv_heads + h / (s.heads / s.kv_heads)) * s.d;
        for (size_t c = 0; c < s.d; ++c) {
          dp[j] += dout[row + c] * v[key + c];
          dv[key + c] += p[j] * dout[row + c];
        }
        mean += p[j] * dp[j];
      }
      for (size_t c = 0; c < s.d; ++c) dq[row + c] = 0;
      for (size_t j = 0; j < p.size(); ++j) {
        const size_t key = (j * s.kv_heads + h / (s.heads / s.kv_heads)) * s.d;
        const T ds = p[j] * (dp[j] - mean) * T(s.scale);
        for (size_t c = 0; c < s.d; ++c) {
          dq[row + c] += ds * k[key + c];
          dk[key + c] += ds * q[row + c];
        }
      }
    }
  }
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_ATTENTION_REFERENCE_H_
