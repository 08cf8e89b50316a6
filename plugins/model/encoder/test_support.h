// For this plugin's tests: a model on a stand-in host, batches, and the encoder once more, naively and in double.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <thread>

#include "masked_lm/masked_lm.h"
#include "support/fake_host.h"
#include "tenon/sdk.hpp"

namespace tenon::encoder {

constexpr uint64_t kVocab = 13;
constexpr int32_t kCls = 0, kSep = 1, kMask = 2;

// Ids without text, of which three are special.
struct FakeTokenizer {
  std::vector<int32_t> encode(std::string_view, uint32_t) const { return {}; }
  std::string decode(std::span<const int32_t>, uint32_t) const { return ""; }
  uint64_t size() const { return kVocab; }
  int64_t special(std::string_view name) const {
    return name == "[CLS]" ? kCls : name == "[SEP]" ? kSep : name == "[MASK]" ? kMask : -1;
  }
  std::vector<int32_t> stop_ids() const { return {kSep}; }
};

// Two real threads, each taking half.
inline void parallel_for_on_two_threads(const tenon_host*, uint64_t n, uint64_t grain,
                                        void (*fn)(void*, uint64_t, uint64_t), void* arg) {
  if (n < 2 || n <= grain) return n > 0 ? fn(arg, 0, n) : void();
  std::thread other([&] { fn(arg, n / 2, n); });
  fn(arg, 0, n / 2);
  other.join();
}

using Columns = std::map<std::string, std::vector<float>>;

class TestModel {
 public:
  explicit TestModel(const std::string& options, uint32_t threads = 1)
      : fake_(test::plugin_component(), options), host_(*fake_.raw()) {
    fake_.slot("tokenizer", {sizeof(tenon_ref), 0, &tokenizer_, &TokenizerShim<FakeTokenizer>::kTable, "fake",
                             "tokenizer", nullptr});
    host_.threads = threads;
    if (threads > 1) host_.parallel_for = parallel_for_on_two_threads;
    made_.emplace(&test::plugin_component(), &host_);
  }
  tenon_ref ref() const {
    const tenon_component& c = test::plugin_component();
    return {sizeof(tenon_ref), 0, made_->self, c.vt, c.id, "reader", c.life};
  }
  Model model() const { return Model(ref()); }
  const tenon_masked_lm& masked() const {
    return *static_cast<const tenon_masked_lm*>(ref().life->extension(made_->self, TENON_EXT_MASKED_LM));
  }
  void* self() const { return made_->self; }

  tenon_param param(uint64_t i) const {
    tenon_param p{};
    p.struct_size = sizeof p;
    ErrorBuffer err;
    err.check(model().vt().param(made_->self, i, &p, err));
    return p;
  }
  Columns values() const {
    return all([](const tenon_param& p) { return p.value; });
  }
  Columns grads() const {
    return all([](const tenon_param& p) { return p.grad; });
  }
  // Every parameter anew, so that biases and norms are not at their start: N(0, 0.3²), factors of norms around 1.
  void shake(uint32_t seed) const {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal(0, 0.3f);
    for (uint64_t i = 0; i < model().info().n_tensors; ++i) {
      const tenon_param p = param(i);
      auto* data = static_cast<float*>(p.value->data);
      const float center = std::string_view(p.name).ends_with("LayerNorm.weight") ? 1.0f : 0.0f;
      for (uint64_t k = 0; k < count(*p.value); ++k) data[k] = center + normal(rng);
    }
    model().params_updated(nullptr, 1);
  }

 private:
  static uint64_t count(const DLTensor& t) {
    uint64_t n = 1;
    for (int32_t i = 0; i < t.ndim; ++i) n *= static_cast<uint64_t>(t.shape[i]);
    return n;
  }
  template <class Which>
  Columns all(const Which& which) const {
    Columns out;
    for (uint64_t i = 0; i < model().info().n_tensors; ++i) {
      const tenon_param p = param(i);
      const auto* data = static_cast<const float*>(which(p)->data);
      out[p.name].assign(data, data + count(*which(p)));
    }
    return out;
  }

  FakeTokenizer tokenizer_;
  test::FakeHost fake_;
  tenon_host host_;
  std::optional<testing::Created> made_;
};

// Pairs of segments with masked tokens, and derivatives for what is asked.
struct TestBatch {
  Ragged<int32_t> ids;
  std::vector<uint8_t> segment;
  std::vector<int32_t> target, next;
  std::vector<float> d_logprob, d_next;

  static TestBatch random(uint64_t n, uint64_t longest, uint32_t seed) {
    TestBatch b;
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t length = 5 + rng() % (longest - 4), split = 2 + rng() % (length - 3);
      std::vector<int32_t> row;
      for (uint64_t t = 0; t < length; ++t) {
        const bool special = t == 0 || t == split || t + 1 == length;
        const bool masked = !special && rng() % 3 == 0;
        row.push_back(t == 0    ? kCls
                      : special ? kSep
                      : masked  ? kMask
                                : static_cast<int32_t>(3 + rng() % (kVocab - 3)));
        b.segment.push_back(t > split ? 1 : 0);
        b.target.push_back(masked ? static_cast<int32_t>(3 + rng() % (kVocab - 3)) : -1);
        b.d_logprob.push_back(masked ? normal(rng) : 0.0f);
      }
      b.ids.push(row);
      b.next.push_back(static_cast<int32_t>(i % 3) - (i % 3 == 2 ? 3 : 0));
      b.d_next.push_back(b.next.back() < 0 ? 0.0f : normal(rng));
    }
    return b;
  }
  uint64_t tokens() const { return ids.values.size(); }
  tenon_masked_batch raw() const {
    return {sizeof(tenon_masked_batch), 0, ids.raw(), segment.data(), target.data(), next.data()};
  }
  // The sequences [begin, end) alone.
  TestBatch slice(uint64_t begin, uint64_t end) const {
    TestBatch b;
    for (uint64_t i = begin; i < end; ++i) b.ids.push(ids[i]);
    auto cut = [](auto& out, const auto& in, uint64_t from, uint64_t to) {
      out.assign(in.begin() + static_cast<ptrdiff_t>(from), in.begin() + static_cast<ptrdiff_t>(to));
    };
    const uint64_t from = ids.offsets[begin], to = ids.offsets[end];
    cut(b.segment, segment, from, to), cut(b.target, target, from, to), cut(b.d_logprob, d_logprob, from, to);
    cut(b.next, next, begin, end), cut(b.d_next, d_next, begin, end);
    return b;
  }
};

struct Outputs {
  std::vector<float> logprob, next_logprob;
  std::vector<int32_t> most_likely;
};

inline Outputs pass(const TestModel& m, const TestBatch& b, bool backward) {
  Outputs o{std::vector<float>(b.tokens()), std::vector<float>(b.next.size()),
            std::vector<int32_t>(b.tokens())};
  tenon_masked_out out{sizeof out, 0, o.logprob.data(), o.most_likely.data(), o.next_logprob.data()};
  const tenon_masked_batch raw = b.raw();
  ErrorBuffer err;
  err.check(m.masked().pass(m.self(), nullptr, &raw, backward ? b.d_logprob.data() : nullptr,
                            backward ? b.d_next.data() : nullptr, &out, err));
  return o;
}

// The encoder in double, one sequence at a time, from parameters by name.
class Naive {
 public:
  using Row = std::vector<double>;
  using Rows = std::vector<Row>;

  Naive(const Columns& values, uint64_t layers, uint64_t width, uint64_t heads, bool pre, double eps)
      : layers_(layers), width_(width), heads_(heads), pre_(pre), eps_(eps) {
    for (const auto& [name, column] : values) p[name].assign(column.begin(), column.end());
  }
  std::map<std::string, Row> p;

  Rows hidden(std::span<const int32_t> ids, std::span<const uint8_t> segment) const {
    Rows x;
    for (uint64_t t = 0; t < ids.size(); ++t) {
      Row row(width_);
      for (uint64_t i = 0; i < width_; ++i)
        row[i] = p.at("bert.embeddings.word_embeddings.weight")[static_cast<uint64_t>(ids[t]) * width_ + i] +
                 p.at("bert.embeddings.position_embeddings.weight")[t * width_ + i] +
                 p.at("bert.embeddings.token_type_embeddings.weight")[segment[t] * width_ + i];
      x.push_back(normed("bert.embeddings.LayerNorm", row));
    }
    for (uint64_t l = 0; l < layers_; ++l) {
      const std::string base = "bert.encoder.layer." + std::to_string(l) + ".";
      const std::string norm1 = base + "attention.output.LayerNorm", norm2 = base + "output.LayerNorm";
      Rows read = x;
      if (pre_)
        for (Row& r : read) r = normed(norm1, r);
      const Rows mixed = attend(base, read);
      for (uint64_t t = 0; t < x.size(); ++t) {
        x[t] = sum(x[t], linear(base + "attention.output.dense", mixed[t]));
        if (!pre_) x[t] = normed(norm1, x[t]);
        const Row middle = pre_ ? normed(norm2, x[t]) : x[t];
        x[t] = sum(x[t], linear(base + "output.dense", gelu(linear(base + "intermediate.dense", middle))));
        if (!pre_) x[t] = normed(norm2, x[t]);
      }
    }
    if (pre_)
      for (Row& r : x) r = normed("bert.encoder.LayerNorm", r);
    return x;
  }
  // ln p of every id where the hidden state is h.
  Row masked(const Row& h) const {
    const Row z =
        normed("cls.predictions.transform.LayerNorm", gelu(linear("cls.predictions.transform.dense", h)));
    Row out = p.at("cls.predictions.bias");
    for (uint64_t v = 0; v < out.size(); ++v)
      for (uint64_t i = 0; i < width_; ++i)
        out[v] += z[i] * p.at("bert.embeddings.word_embeddings.weight")[v * width_ + i];
    return log_softmax(out);
  }
  Row next(const Row& first) const { return log_softmax(linear("cls.seq_relationship", pooled(first))); }
  double scalar(const Row& first) const {
    double out = 0;
    const Row at = pooled(first);
    for (uint64_t i = 0; i < width_; ++i) out += at[i] * p.at("score.weight")[i];
    return out;
  }
  // The loss whose derivatives the batch states.
  double loss(const TestBatch& b) const {
    double out = 0;
    for (uint64_t s = 0; s < b.next.size(); ++s) {
      const uint64_t from = b.ids.offsets[s];
      const Rows h = hidden(b.ids[s], std::span(b.segment).subspan(from, b.ids[s].size()));
      for (uint64_t t = 0; t < h.size(); ++t)
        if (b.target[from + t] >= 0)
          out += static_cast<double>(b.d_logprob[from + t]) *
                 masked(h[t])[static_cast<uint64_t>(b.target[from + t])];
      if (b.next[s] >= 0)
        out += static_cast<double>(b.d_next[s]) * next(h[0])[static_cast<uint64_t>(b.next[s])];
    }
    return out;
  }

 private:
  static Row sum(Row a, const Row& b) {
    for (uint64_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }
  static Row gelu(Row x) {
    for (double& v : x) v = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    return x;
  }
  static Row log_softmax(Row x) {
    double most = x[0], total = 0;
    for (double v : x) most = std::max(most, v);
    for (double v : x) total += std::exp(v - most);
    for (double& v : x) v -= most + std::log(total);
    return x;
  }
  Row linear(const std::string& name, const Row& x) const {
    Row out = p.at(name + ".bias");
    const Row& w = p.at(name + ".weight");
    for (uint64_t o = 0; o < out.size(); ++o)
      for (uint64_t i = 0; i < x.size(); ++i) out[o] += w[o * x.size() + i] * x[i];
    return out;
  }
  Row normed(const std::string& name, Row x) const {
    double mean = 0, variance = 0;
    for (double v : x) mean += v / static_cast<double>(x.size());
    for (double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
    for (uint64_t i = 0; i < x.size(); ++i)
      x[i] = (x[i] - mean) / std::sqrt(variance + eps_) * p.at(name + ".weight")[i] + p.at(name + ".bias")[i];
    return x;
  }
  Row pooled(const Row& first) const {
    Row out = linear("bert.pooler.dense", first);
    for (double& v : out) v = std::tanh(v);
    return out;
  }
  Rows attend(const std::string& base, const Rows& x) const {
    Rows q, k, v, out;
    for (const Row& r : x) {
      q.push_back(linear(base + "attention.self.query", r));
      k.push_back(linear(base + "attention.self.key", r));
      v.push_back(linear(base + "attention.self.value", r));
    }
    const uint64_t hd = width_ / heads_;
    for (uint64_t t = 0; t < x.size(); ++t) {
      Row mixed(width_);
      for (uint64_t h = 0; h < heads_; ++h) {
        Row s(x.size());
        for (uint64_t j = 0; j < x.size(); ++j)
          for (uint64_t c = h * hd; c < (h + 1) * hd; ++c)
            s[j] += q[t][c] * k[j][c] / std::sqrt(static_cast<double>(hd));
        s = log_softmax(s);
        for (uint64_t j = 0; j < x.size(); ++j)
          for (uint64_t c = h * hd; c < (h + 1) * hd; ++c) mixed[c] += std::exp(s[j]) * v[j][c];
      }
      out.push_back(mixed);
    }
    return out;
  }

  uint64_t layers_, width_, heads_;
  bool pre_;
  double eps_;
};

constexpr const char* kPost =
    R"({"layers": 2, "width": 8, "heads": 2, "ffn": 12, "max_len": 16, "scalar_head": true})";
constexpr const char* kPre =
    R"({"layers": 2, "width": 8, "heads": 2, "ffn": 12, "max_len": 16, "scalar_head": true, "norm": "pre", "norm_eps": 1e-5})";

inline Naive naive_of(const TestModel& m, bool pre) {
  return Naive(m.values(), 2, 8, 2, pre, pre ? 1e-5 : 1e-12);
}

inline void expect_same_bits(const Columns& a, const Columns& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, column] : a)
    EXPECT_EQ(std::memcmp(column.data(), b.at(name).data(), column.size() * sizeof(float)), 0) << name;
}

// The message of the Error that `body` throws; fails the test if it throws none.
template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

}  // namespace tenon::encoder
