// For this plugin's tests: a model on a stand-in host, and batches.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "part.h"
#include "shape.h"
#include "support/fake_host.h"
#include "tenon/sdk.hpp"

namespace tenon::transformer {

// Ids without text.
class FakeTokenizer {
 public:
  explicit FakeTokenizer(uint64_t size) : size_(size) {}
  std::vector<int32_t> encode(std::string_view, uint32_t) const { return {}; }
  std::string decode(std::span<const int32_t>, uint32_t) const { return ""; }
  uint64_t size() const { return size_; }
  int64_t special(std::string_view name) const { return name == "eos" ? 1 : -1; }
  std::vector<int32_t> stop_ids() const { return {1}; }
  tenon_ref ref() {
    return {sizeof(tenon_ref), 0, this, &TokenizerShim<FakeTokenizer>::kTable, "fake", "tokenizer", nullptr};
  }

 private:
  uint64_t size_;
};

// Two real threads, each taking half.
inline void parallel_for_on_two_threads(const tenon_host*, uint64_t n, uint64_t grain,
                                        void (*fn)(void*, uint64_t, uint64_t), void* arg) {
  if (n < 2 || n <= grain) return n > 0 ? fn(arg, 0, n) : void();
  std::thread other([&] { fn(arg, n / 2, n); });
  fn(arg, 0, n / 2);
  other.join();
}

// A model created through the tables of the LibTorch half.
class TestModel {
 public:
  TestModel(uint64_t vocab, std::string_view options, uint32_t threads = 1, uint64_t seed = 7)
      : tokenizer_(vocab), fake_(with_defaults(options)), host_(*fake_.raw()) {
    fake_.slot("tokenizer", tokenizer_.ref());
    host_.seed = seed;
    host_.threads = threads;
    if (threads > 1) host_.parallel_for = parallel_for_on_two_threads;
    ErrorBuffer err;
    err.check(part().life->create(&host_, &self_, err));
  }
  ~TestModel() {
    if (self_ != nullptr) part().life->destroy(self_);
  }
  TestModel(const TestModel&) = delete;

  static const tenon_transformer_part& part() { return *tenon_transformer_part_v1(); }
  tenon_ref ref() const {
    return {sizeof(tenon_ref), 0, self_, part().vt, "transformer", "policy", part().life};
  }
  Model model() const { return Model(ref()); }
  void* self() const { return self_; }

  tenon_param param(uint64_t i) const {
    tenon_param p{};
    p.struct_size = sizeof p;
    ErrorBuffer err;
    err.check(part().vt->param(self_, i, &p, err));
    return p;
  }
  static uint64_t count(const DLTensor& t) {
    uint64_t n = 1;
    for (int32_t i = 0; i < t.ndim; ++i) n *= static_cast<uint64_t>(t.shape[i]);
    return n;
  }
  using Columns = std::map<std::string, std::vector<float>>;
  Columns values() const {
    return all([](const tenon_param& p) { return p.value; });
  }
  Columns grads() const {
    return all([](const tenon_param& p) { return p.grad; });
  }
  void set(const std::string& name, const std::vector<float>& value) {
    for (uint64_t i = 0; i < model().info().n_tensors; ++i)
      if (const tenon_param p = param(i); name == p.name)
        std::copy(value.begin(), value.end(), static_cast<float*>(p.value->data));
  }
  std::vector<float> logits(const tenon_tokens& tokens) const {
    const auto* table = static_cast<const tenon_logits*>(part().life->extension(self_, TENON_EXT_LOGITS));
    std::vector<float> out(tokens.ids.offsets[tokens.ids.n] * model().info().vocab);
    ErrorBuffer err;
    err.check(table->logits(self_, nullptr, &tokens, out.data(), err));
    return out;
  }
  void write(const std::string& folder, const char* dtype) const {
    const auto* table = static_cast<const tenon_export*>(part().life->extension(self_, TENON_EXT_EXPORT));
    ErrorBuffer err;
    err.check(table->write(self_, nullptr, folder.c_str(), dtype, err));
  }

 private:
  static std::string with_defaults(std::string_view options) {
    boost::json::object o = boost::json::parse({options.data(), options.size()}).as_object();
    const boost::json::object defaults{{"init_std", 0.02}, {"value_head", false}, {"scalar_head", false},
                                       {"mtp_depth", 0},   {"device", "cpu"},     {"precision", "f32"}};
    for (const auto& [key, value] : defaults)
      if (!o.contains(key)) o[key] = value;
    return boost::json::serialize(o);
  }
  template <class Which>
  Columns all(const Which& which) const {
    Columns out;
    for (uint64_t i = 0; i < model().info().n_tensors; ++i) {
      const tenon_param p = param(i);
      const DLTensor& t = *which(p);
      const auto* data = static_cast<const float*>(t.data);
      out[p.name].assign(data, data + count(t));
    }
    return out;
  }

  FakeTokenizer tokenizer_;
  test::FakeHost fake_;
  tenon_host host_;
  void* self_ = nullptr;
};

// Sequences with all the columns that a pass may be given.
struct TestBatch {
  Ragged<int32_t> ids;
  std::vector<uint8_t> mask;
  std::vector<uint64_t> sample_id, group_id, prompt_len;
  std::vector<float> d_logprob, d_entropy, d_value;

  // A sequence; the mask is 1 behind the prompt. Gradients are drawn from rng, some of them 0.
  void push(std::vector<int32_t> tokens, uint64_t prompt, uint64_t group, std::mt19937& rng) {
    std::normal_distribution<float> normal;
    sample_id.push_back(sample_id.size());
    group_id.push_back(group);
    prompt_len.push_back(prompt);
    for (uint64_t t = 0; t < tokens.size(); ++t) {
      const bool scored = t >= prompt && t > 0;
      mask.push_back(scored ? 1 : 0);
      for (auto* g : {&d_logprob, &d_entropy, &d_value})
        g->push_back(scored && rng() % 8 != 0 ? 0.1f * normal(rng) : 0.0f);
    }
    ids.push(tokens);
  }
  // groups · per_group random sequences with common prompts.
  static TestBatch random(uint64_t groups, uint64_t per_group, uint64_t prompt, uint64_t longest,
                          uint64_t vocab, uint32_t seed = 3) {
    TestBatch b;
    std::mt19937 rng(seed);
    for (uint64_t g = 0; g < groups; ++g) {
      std::vector<int32_t> start(prompt + g % 3);
      for (int32_t& id : start) id = static_cast<int32_t>(rng() % vocab);
      for (uint64_t k = 0; k < per_group; ++k) {
        std::vector<int32_t> tokens = start;
        for (uint64_t n = 1 + rng() % (longest - start.size()); n > 0; --n)
          tokens.push_back(static_cast<int32_t>(rng() % vocab));
        b.push(tokens, start.size(), g, rng);
      }
    }
    return b;
  }
  uint64_t tokens() const { return ids.values.size(); }
  // The sequences [begin, end) alone.
  TestBatch slice(uint64_t begin, uint64_t end) const {
    TestBatch b;
    const auto from = static_cast<ptrdiff_t>(ids.offsets[begin]),
               to = static_cast<ptrdiff_t>(ids.offsets[end]);
    auto cut = [](auto& out, const auto& in, auto first, auto last) {
      out.assign(in.begin() + static_cast<ptrdiff_t>(first), in.begin() + static_cast<ptrdiff_t>(last));
    };
    for (uint64_t i = begin; i < end; ++i) b.ids.push(ids[i]);
    cut(b.mask, mask, from, to), cut(b.d_logprob, d_logprob, from, to), cut(b.d_entropy, d_entropy, from, to),
        cut(b.d_value, d_value, from, to);
    cut(b.sample_id, sample_id, begin, end), cut(b.group_id, group_id, begin, end),
        cut(b.prompt_len, prompt_len, begin, end);
    return b;
  }
  tenon_tokens raw(float temperature = 1, int32_t head = TENON_HEAD_LANGUAGE, bool groups = false) const {
    return {sizeof(tenon_tokens),
            head,
            ids.raw(),
            mask.data(),
            sample_id.data(),
            groups ? group_id.data() : nullptr,
            groups ? prompt_len.data() : nullptr,
            nullptr,
            temperature,
            0};
  }
};

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

inline void expect_same_bits(const TestModel::Columns& a, const TestModel::Columns& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, column] : a) {
    ASSERT_EQ(column.size(), b.at(name).size()) << name;
    EXPECT_EQ(std::memcmp(column.data(), b.at(name).data(), column.size() * sizeof(float)), 0) << name;
  }
}

// The shapes that the tests use: each family with something of its own.
constexpr uint64_t kVocab = 37;
constexpr const char* kLlama =
    R"({"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "ffn": 40, "max_len": 64, "init_std": 0.2})";
constexpr const char* kQwen2 =
    R"({"family": "qwen2", "layers": 2, "width": 24, "heads": 3, "kv_heads": 1, "ffn": 40, "max_len": 64, "init_std": 0.2, "tie_embeddings": false})";
constexpr const char* kQwen3 =
    R"({"family": "qwen3", "layers": 2, "width": 24, "heads": 4, "kv_heads": 2, "head_dim": 16, "ffn": 40, "max_len": 64, "init_std": 0.2, "rope_theta": 1e6})";

// Options with more of them.
inline std::string with(const char* shape, const char* more) {
  std::string s = shape;
  return s.substr(0, s.size() - 1) + ", " + more + "}";
}

// The Shape behind options in JSON.
inline Shape shape_of(const std::string& options) {
  const boost::json::object o = boost::json::parse(options).as_object();
  ShapeOptions s;
  auto whole = [&](const char* name, std::optional<int64_t>& to) {
    if (o.contains(name)) to = o.at(name).as_int64();
  };
  whole("layers", s.layers), whole("width", s.width), whole("heads", s.heads), whole("kv_heads", s.kv_heads),
      whole("head_dim", s.head_dim);
  whole("ffn", s.ffn), whole("max_len", s.max_len);
  if (o.contains("family")) s.family = o.at("family").as_string().c_str();
  if (o.contains("tie_embeddings")) s.tie_embeddings = o.at("tie_embeddings").as_bool();
  if (o.contains("rope_theta")) s.rope_theta = o.at("rope_theta").to_number<double>();
  return shape_from_scratch(s, kVocab);
}

// Norms, biases and the value head start at 1 and 0, where mistakes hide.
inline void disturb(TestModel& m) {
  std::mt19937 rng(11);
  std::normal_distribution<float> normal;
  for (auto [name, value] : m.values()) {
    for (float& v : value) v += 0.2f * normal(rng);
    m.set(name, value);
  }
  m.model().params_updated(nullptr, 1);
}

}  // namespace tenon::transformer
