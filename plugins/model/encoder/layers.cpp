// Layer norm, GELU and attention in both directions, forward and backward.
// SPDX-License-Identifier: Apache-2.0
#include "layers.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tenon::encoder {
namespace {

constexpr uint64_t kRowGrain = 16, kElementGrain = 4096;

}  // namespace

void layer_norm(const tenon_executor* ex, uint64_t rows, uint64_t d, const float* x, const float* weight,
                const float* bias, float eps, float* y, float* stats) {
  parallel(ex, rows, kRowGrain, [&](uint64_t begin, uint64_t end) {
    for (uint64_t r = begin; r < end; ++r) {
      const float* in = x + r * d;
      double sum = 0, squares = 0;
      for (uint64_t i = 0; i < d; ++i) sum += static_cast<double>(in[i]);
      const double mean = sum / static_cast<double>(d);
      for (uint64_t i = 0; i < d; ++i) {
        const double off = static_cast<double>(in[i]) - mean;
        squares += off * off;
      }
      const auto m = static_cast<float>(mean);
      const auto rstd =
          static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(d) + static_cast<double>(eps)));
      for (uint64_t i = 0; i < d; ++i) y[r * d + i] = (in[i] - m) * rstd * weight[i] + bias[i];
      stats[2 * r] = m, stats[2 * r + 1] = rstd;
    }
  });
}

void layer_norm_backward(const tenon_executor* ex, uint64_t rows, uint64_t d, const float* x,
                         const float* weight, const float* stats, const float* dy, bool accumulate, float* dx,
                         float* dweight, float* dbias) {
  // The columns first: dx may be dy.
  parallel(ex, d, 16, [&](uint64_t begin, uint64_t end) {
    for (uint64_t r = 0; r < rows; ++r)
      for (uint64_t i = begin; i < end; ++i) {
        dweight[i] += dy[r * d + i] * ((x[r * d + i] - stats[2 * r]) * stats[2 * r + 1]);
        dbias[i] += dy[r * d + i];
      }
  });
  parallel(ex, rows, kRowGrain, [&](uint64_t begin, uint64_t end) {
    for (uint64_t r = begin; r < end; ++r) {
      const float mean = stats[2 * r], rstd = stats[2 * r + 1];
      double sum = 0, product = 0;
      for (uint64_t i = 0; i < d; ++i) {
        const float g = dy[r * d + i] * weight[i];
        sum += static_cast<double>(g);
        product += static_cast<double>(g) * static_cast<double>((x[r * d + i] - mean) * rstd);
      }
      const auto a = static_cast<float>(sum / static_cast<double>(d)),
                 b = static_cast<float>(product / static_cast<double>(d));
      for (uint64_t i = 0; i < d; ++i) {
        const float hat = (x[r * d + i] - mean) * rstd;
        const float g = rstd * (dy[r * d + i] * weight[i] - a - hat * b);
        dx[r * d + i] = accumulate ? dx[r * d + i] + g : g;
      }
    }
  });
}

void gelu(const tenon_executor* ex, uint64_t n, const float* x, float* cdf, float* y) {
  constexpr float kRootHalf = std::numbers::sqrt2_v<float> / 2;
  parallel(ex, n, kElementGrain, [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) cdf[i] = 0.5f * (1.0f + std::erf(x[i] * kRootHalf));
  });
  gelu_output(ex, n, x, cdf, y);
}

void gelu_output(const tenon_executor* ex, uint64_t n, const float* x, const float* cdf, float* y) {
  parallel(ex, n, kElementGrain, [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) y[i] = x[i] * cdf[i];
  });
}

void gelu_backward(const tenon_executor* ex, uint64_t n, const float* x, const float* cdf, const float* dy,
                   float* dx) {
  const auto at_zero = static_cast<float>(1.0 / std::sqrt(2.0 * std::numbers::pi));
  parallel(ex, n, kElementGrain, [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i)
      dx[i] = dy[i] * (cdf[i] + x[i] * (at_zero * std::exp(-0.5f * x[i] * x[i])));
  });
}

uint64_t Attention::longest() const {
  uint64_t most = 0;
  for (uint64_t s = 0; s < sequences(); ++s) most = std::max(most, offsets[s + 1] - offsets[s]);
  return most;
}

uint64_t Attention::probabilities() const {
  uint64_t n = 0;
  for (uint64_t s = 0; s < sequences(); ++s)
    n += heads * (offsets[s + 1] - offsets[s]) * (offsets[s + 1] - offsets[s]);
  return n;
}

namespace {

// One head of one sequence: where its rows and its probabilities are.
struct Part {
  uint64_t first, length, head;
  uint64_t p;  // offset
};

std::vector<Part> parts_of(const Attention& a) {
  std::vector<Part> parts;
  uint64_t p = 0;
  for (uint64_t s = 0; s < a.sequences(); ++s) {
    const uint64_t n = a.offsets[s + 1] - a.offsets[s];
    for (uint64_t h = 0; h < a.heads; ++h, p += n * n) parts.push_back({a.offsets[s], n, h, p});
  }
  return parts;
}

// rows[length][hd], with a stride, as columns[hd][length].
void transpose(uint64_t length, uint64_t hd, const float* rows, uint64_t stride, float* columns) {
  for (uint64_t j = 0; j < length; ++j)
    for (uint64_t c = 0; c < hd; ++c) columns[c * length + j] = rows[j * stride + c];
}

// out[length] = x[hd]·columns, a chain over hd.
void times_columns(uint64_t length, uint64_t hd, const float* x, const float* columns, float* out) {
  std::fill_n(out, length, 0.0f);
  for (uint64_t c = 0; c < hd; ++c)
    for (uint64_t j = 0; j < length; ++j) out[j] += x[c] * columns[c * length + j];
}

void softmax(uint64_t n, float scale, float* s) {
  float most = s[0];
  for (uint64_t j = 1; j < n; ++j) most = std::max(most, s[j]);
  float sum = 0;
  for (uint64_t j = 0; j < n; ++j) s[j] = std::exp((s[j] - most) * scale);
  for (uint64_t j = 0; j < n; ++j) sum += s[j];
  const float inverse = 1.0f / sum;
  for (uint64_t j = 0; j < n; ++j) s[j] *= inverse;
}

}  // namespace

void attention(const tenon_executor* ex, const Attention& a, const float* qkv, float* p, float* out) {
  const std::vector<Part> parts = parts_of(a);
  const uint64_t hd = a.head_dim, d = a.heads * hd, most = a.longest();
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(hd)));
  parallel(ex, parts.size(), 1, [&](uint64_t begin, uint64_t end) {
    std::vector<float> keys(hd * most);
    for (uint64_t k = begin; k < end; ++k) {
      const Part& part = parts[k];
      const uint64_t n = part.length;
      const float* q = qkv + part.first * 3 * d + part.head * hd;
      transpose(n, hd, q + d, 3 * d, keys.data());
      for (uint64_t i = 0; i < n; ++i) {
        float* row = p + part.p + i * n;
        times_columns(n, hd, q + i * 3 * d, keys.data(), row);
        softmax(n, scale, row);
        float* to = out + (part.first + i) * d + part.head * hd;
        std::fill_n(to, hd, 0.0f);
        for (uint64_t j = 0; j < n; ++j) {
          const float* v = q + 2 * d + j * 3 * d;
          for (uint64_t c = 0; c < hd; ++c) to[c] += row[j] * v[c];
        }
      }
    }
  });
}

void attention_backward(const tenon_executor* ex, const Attention& a, const float* qkv, const float* p,
                        const float* dout, float* dqkv) {
  const std::vector<Part> parts = parts_of(a);
  const uint64_t hd = a.head_dim, d = a.heads * hd, most = a.longest();
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(hd)));
  parallel(ex, parts.size(), 1, [&](uint64_t begin, uint64_t end) {
    std::vector<float> values(hd * most), slope(most);
    for (uint64_t k = begin; k < end; ++k) {
      const Part& part = parts[k];
      const uint64_t n = part.length;
      const float* q = qkv + part.first * 3 * d + part.head * hd;
      float* dq = dqkv + part.first * 3 * d + part.head * hd;
      for (uint64_t i = 0; i < n; ++i)
        for (uint64_t which = 0; which < 3; ++which) std::fill_n(dq + i * 3 * d + which * d, hd, 0.0f);
      transpose(n, hd, q + 2 * d, 3 * d, values.data());
      for (uint64_t i = 0; i < n; ++i) {
        const float* row = p + part.p + i * n;
        const float* g = dout + (part.first + i) * d + part.head * hd;
        times_columns(n, hd, g, values.data(), slope.data());
        float mean = 0;
        for (uint64_t j = 0; j < n; ++j) mean += row[j] * slope[j];
        for (uint64_t j = 0; j < n; ++j) slope[j] = row[j] * (slope[j] - mean) * scale;
        for (uint64_t j = 0; j < n; ++j) {
          const float *key = q + d + j * 3 * d, *query = q + i * 3 * d;
          float *dkey = dq + d + j * 3 * d, *dvalue = dq + 2 * d + j * 3 * d, *dquery = dq + i * 3 * d;
          for (uint64_t c = 0; c < hd; ++c) {
            dquery[c] += slope[j] * key[c];
            dkey[c] += slope[j] * query[c];
            dvalue[c] += row[j] * g[c];
          }
        }
      }
    }
  });
}

}  // namespace tenon::encoder
