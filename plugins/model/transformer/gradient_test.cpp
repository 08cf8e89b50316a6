// Tests of training: gradients against LibTorch's autograd and finite differences, and their bits.
// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include "naive.h"
#include "test_support.h"

namespace tenon::transformer {
namespace {

using ::testing::HasSubstr;

constexpr float kTemperature = 0.7f;

struct Scores {
  std::vector<float> logprob, entropy, value;
};
Scores score(const TestModel& m, const TestBatch& b, const tenon_tokens& tokens, uint64_t* tape = nullptr,
             bool value = true) {
  Scores s;
  s.logprob.assign(b.tokens(), -9), s.entropy.assign(b.tokens(), -9), s.value.assign(b.tokens(), -9);
  m.model().score(nullptr, tokens, s.logprob.data(), s.entropy.data(), value ? s.value.data() : nullptr,
                  tape);
  return s;
}

// ---- LibTorch's own autograd ------------------------------------------------------------------------------

using Tensors = std::map<std::string, at::Tensor>;

class PlainNetwork {
 public:
  PlainNetwork(const Shape& shape, const TestModel& m) : s_(shape) {
    for (const auto& [name, value] : m.values()) {
      at::Tensor t = at::tensor(at::ArrayRef<float>(value)).to(at::kDouble);
      const auto width =
          static_cast<int64_t>(name.find("o_proj") != std::string::npos      ? s_.heads * s_.head_dim
                               : name.find("down_proj") != std::string::npos ? s_.ffn
                                                                             : s_.width);
      const bool vector = name.find("norm") != std::string::npos || name.find("bias") != std::string::npos;
      p_[name] = (vector ? t : t.view({-1, width})).clone().requires_grad_(true);
    }
  }
  const Tensors& parameters() const { return p_; }

  // Σ d·output over the sequences of b, in double.
  at::Tensor loss(const TestBatch& b) const {
    at::Tensor total = at::zeros({}, at::kDouble);
    for (uint64_t i = 0; i < b.ids.size(); ++i) {
      const auto ids = b.ids[i];
      if (ids.size() < 2) continue;
      const auto n = static_cast<int64_t>(ids.size());
      const at::Tensor index = at::tensor(at::ArrayRef<int32_t>(ids.data(), ids.size())).to(at::kLong);
      const at::Tensor h = hidden(index).slice(0, 0, n - 1);
      const at::Tensor lp =
          (at::matmul(h, p_.at(s_.tied ? "model.embed_tokens.weight" : "lm_head.weight").t()) /
           double{kTemperature})
              .log_softmax(-1);
      const at::Tensor value =
          at::matmul(h, p_.at("value_head.weight").t()).squeeze(-1) + p_.at("value_head.bias");
      auto column = [&](const std::vector<float>& c) {
        return at::tensor(at::ArrayRef<float>(c.data() + b.ids.offsets[i] + 1, ids.size() - 1))
            .to(at::kDouble);
      };
      total =
          total + (lp.gather(-1, index.slice(0, 1).unsqueeze(-1)).squeeze(-1) * column(b.d_logprob)).sum();
      total =
          total - ((lp.exp() * lp).sum(-1) * column(b.d_entropy)).sum() + (value * column(b.d_value)).sum();
    }
    return total;
  }

 private:
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    return x * (x.pow(2).mean(-1, true) + s_.norm_eps).rsqrt() * p_.at(name);
  }
  // x[n][heads][head_dim]
  at::Tensor rotate(const at::Tensor& x) const {
    const auto n = x.size(0), half = x.size(2) / 2;
    std::vector<double> f = checkpoint::rope_inverse_frequencies(s_);
    const at::Tensor angle =
        at::arange(n, at::kDouble).unsqueeze(-1) * at::tensor(at::ArrayRef<double>(f)).unsqueeze(0);
    const at::Tensor c = angle.cos().unsqueeze(1), s = angle.sin().unsqueeze(1), a = x.slice(2, 0, half),
                     b = x.slice(2, half);
    return at::cat({a * c - b * s, b * c + a * s}, 2);
  }
  at::Tensor project(const at::Tensor& x, const std::string& base, const char* which, uint64_t heads) const {
    at::Tensor y = at::matmul(x, p_.at(base + which + "_proj.weight").t());
    if (s_.qkv_bias) y = y + p_.at(base + which + "_proj.bias");
    y = y.view({x.size(0), static_cast<int64_t>(heads), static_cast<int64_t>(s_.head_dim)});
    if (s_.qk_norm && *which != 'v') y = norm(y, base + which + "_norm.weight");
    return y;
  }
  at::Tensor hidden(const at::Tensor& ids) const {
    at::Tensor x = p_.at("model.embed_tokens.weight").index_select(0, ids);
    const auto n = x.size(0);
    const at::Tensor later = at::ones({n, n}, at::kBool).triu(1);
    for (uint64_t i = 0; i < s_.layers; ++i) {
      const std::string layer = "model.layers." + std::to_string(i) + ".", base = layer + "self_attn.";
      const at::Tensor normed = norm(x, layer + "input_layernorm.weight");
      const auto group = static_cast<int64_t>(s_.heads / s_.kv_heads);
      const at::Tensor q = rotate(project(normed, base, "q", s_.heads)).transpose(0, 1);
      const at::Tensor k =
          rotate(project(normed, base, "k", s_.kv_heads)).transpose(0, 1).repeat_interleave(group, 0);
      const at::Tensor v =
          project(normed, base, "v", s_.kv_heads).transpose(0, 1).repeat_interleave(group, 0);
      const at::Tensor scores =
          at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(s_.head_dim));
      const at::Tensor mixed =
          at::matmul(scores.masked_fill(later, -std::numeric_limits<double>::infinity()).softmax(-1), v);
      x = x + at::matmul(mixed.transpose(0, 1).reshape({n, -1}), p_.at(base + "o_proj.weight").t());
      const at::Tensor inner = norm(x, layer + "post_attention_layernorm.weight");
      const at::Tensor gate = at::matmul(inner, p_.at(layer + "mlp.gate_proj.weight").t()),
                       up = at::matmul(inner, p_.at(layer + "mlp.up_proj.weight").t());
      x = x + at::matmul(at::silu(gate) * up, p_.at(layer + "mlp.down_proj.weight").t());
    }
    return norm(x, "model.norm.weight");
  }

  const Shape s_;
  Tensors p_;
};

class Gradient : public ::testing::TestWithParam<const char*> {};

TEST_P(Gradient, IsLibTorchsOwn) {
  const std::string options = with(GetParam(), R"("value_head": true)");
  TestModel m(kVocab, options);
  disturb(m);
  const TestBatch b = TestBatch::random(3, 2, 4, 20, kVocab);

  const PlainNetwork plain(shape_of(options), m);
  torch::autograd::backward({plain.loss(b)}, {});

  uint64_t tape = 0;
  score(m, b, b.raw(kTemperature), &tape);
  m.model().backward(nullptr, tape, b.d_logprob.data(), b.d_entropy.data(), b.d_value.data());
  m.model().finish_grad(nullptr);

  for (const auto& [name, ours] : m.grads()) {
    const at::Tensor truth = plain.parameters().at(name).grad();
    ASSERT_TRUE(truth.defined()) << name;
    const at::Tensor t = truth.contiguous().view({-1});
    const double scale = t.abs().max().item<double>();
    EXPECT_GT(scale, 0) << name;
    for (size_t i = 0; i < ours.size(); ++i)
      ASSERT_NEAR(ours[i], t.data_ptr<double>()[i], 2e-5 * scale) << name << "[" << i << "]";
  }
}

// The loss of the naive decoder in double.
double naive_loss(const Shape& shape, const NaiveParameters<double>& p, const TestBatch& b) {
  const NaiveDecoder<double> naive(shape, p);
  double total = 0;
  for (uint64_t i = 0; i < b.ids.size(); ++i) {
    const std::vector<int32_t> ids(b.ids[i].begin(), b.ids[i].end());
    const auto hidden = naive.hidden(ids);
    for (size_t t = 1; t < ids.size(); ++t) {
      const uint64_t column = b.ids.offsets[i] + t;
      if (b.mask[column] == 0) continue;
      const auto [logprob, entropy] =
          NaiveDecoder<double>::score(naive.logits(hidden[t - 1]), ids[t], kTemperature);
      total += logprob * b.d_logprob[column] + entropy * b.d_entropy[column] +
               naive.value(hidden[t - 1]) * b.d_value[column];
    }
  }
  return total;
}

TEST_P(Gradient, IsTheFiniteDifferenceInDouble) {
  const std::string options = with(GetParam(), R"("value_head": true)");
  TestModel m(kVocab, options);
  disturb(m);
  const TestBatch b = TestBatch::random(2, 1, 3, 10, kVocab);
  uint64_t tape = 0;
  const Scores ours = score(m, b, b.raw(kTemperature), &tape);
  m.model().backward(nullptr, tape, b.d_logprob.data(), b.d_entropy.data(), b.d_value.data());
  m.model().finish_grad(nullptr);

  const Shape shape = shape_of(options);
  NaiveParameters<double> p;
  for (const auto& [name, value] : m.values()) p[name].assign(value.begin(), value.end());
  double total = 0;
  for (uint64_t t = 0; t < b.tokens(); ++t)
    total += double{ours.logprob[t]} * b.d_logprob[t] + double{ours.entropy[t]} * b.d_entropy[t] +
             double{ours.value[t]} * b.d_value[t];
  EXPECT_NEAR(total, naive_loss(shape, p, b), 1e-5);

  std::mt19937 rng(5);
  for (const auto& [name, gradient] : m.grads()) {
    const double scale = std::abs(*std::max_element(
        gradient.begin(), gradient.end(), [](float x, float y) { return std::abs(x) < std::abs(y); }));
    for (int sample = 0; sample < 3; ++sample) {
      const size_t i = rng() % gradient.size();
      const double at = p[name][i], step = 1e-5;
      p[name][i] = at + step;
      const double above = naive_loss(shape, p, b);
      p[name][i] = at - step;
      const double difference = (above - naive_loss(shape, p, b)) / (2 * step);
      p[name][i] = at;
      EXPECT_NEAR(gradient[i], difference, 3e-5 * scale + 1e-8) << name << "[" << i << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Gradient, ::testing::Values(kLlama, kQwen2, kQwen3));

// ---- Bits -------------------------------------------------------------------------------------------------

// Gradients of b by accumulate, in micro-batches that end at the given sequences.
TestModel::Columns accumulated(const TestModel& m, const TestBatch& b, const std::vector<uint64_t>& ends,
                               bool groups, std::vector<float>* logprob = nullptr) {
  m.model().zero_grad(nullptr);
  uint64_t begin = 0;
  for (uint64_t end : ends) {
    const TestBatch part = b.slice(begin, end);
    std::vector<float> lp(part.tokens(), -9);
    m.model().accumulate(nullptr, part.raw(kTemperature, TENON_HEAD_LANGUAGE, groups), part.d_logprob.data(),
                         lp.data());
    if (logprob != nullptr) logprob->insert(logprob->end(), lp.begin(), lp.end());
    begin = end;
  }
  m.model().finish_grad(nullptr);
  return m.grads();
}

class Bits : public ::testing::TestWithParam<const char*> {};

TEST_P(Bits, AccumulateIsScoreAndBackward) {
  TestModel m(kVocab, GetParam());
  const TestBatch b = TestBatch::random(3, 3, 4, 20, kVocab);
  for (bool groups : {false, true}) {
    std::vector<float> logprob;
    const auto visited = accumulated(m, b, {b.ids.size()}, groups, &logprob);
    m.model().zero_grad(nullptr);
    uint64_t tape = 0;
    const Scores s = score(m, b, b.raw(kTemperature, TENON_HEAD_LANGUAGE, groups), &tape, false);
    m.model().backward(nullptr, tape, b.d_logprob.data(), nullptr, nullptr);
    m.model().finish_grad(nullptr);
    expect_same_bits(visited, m.grads());
    EXPECT_EQ(logprob, s.logprob);
    EXPECT_EQ(score(m, b, b.raw(kTemperature, TENON_HEAD_LANGUAGE, groups), nullptr, false).logprob,
              s.logprob);
  }
}

TEST_P(Bits, NoMicroBatchSplitAndNoThreadChangesThem) {
  TestModel one(kVocab, GetParam(), 1), two(kVocab, GetParam(), 2);
  const TestBatch b = TestBatch::random(6, 4, 4, 24, kVocab);
  const uint64_t n = b.ids.size();
  std::vector<uint64_t> single, groups;
  for (uint64_t i = 1; i <= n; ++i) single.push_back(i);
  for (uint64_t i = 4; i <= n; i += 4) groups.push_back(i);
  std::vector<float> logprob, other;
  const auto whole = accumulated(one, b, {n}, false, &logprob);
  expect_same_bits(whole, accumulated(one, b, single, false, &other));
  EXPECT_EQ(logprob, other);
  expect_same_bits(whole, accumulated(one, b, {1, 7, n}, false));
  expect_same_bits(whole, accumulated(two, b, {n}, false));
  expect_same_bits(whole, accumulated(two, b, {5, n}, false));
  // With prompts computed once, groups stay whole.
  other.clear();
  const auto shared = accumulated(one, b, {n}, true, &other);
  EXPECT_EQ(logprob, other);
  expect_same_bits(shared, accumulated(one, b, groups, true));
  expect_same_bits(shared, accumulated(two, b, {8, n}, true));
}

TEST_P(Bits, ASharedPromptGivesTheSameGradientButForRounding) {
  TestModel m(kVocab, GetParam());
  const TestBatch b = TestBatch::random(3, 4, 6, 20, kVocab);
  const auto apart = accumulated(m, b, {b.ids.size()}, false),
             shared = accumulated(m, b, {b.ids.size()}, true);
  for (const auto& [name, a] : apart) {
    float scale = 0;
    for (float v : a) scale = std::max(scale, std::abs(v));
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], shared.at(name)[i], 1e-5f * scale) << name << "[" << i << "]";
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Bits, ::testing::Values(kLlama, kQwen2, kQwen3));

TEST(Bits, ATokenWithoutGradientChangesNothing) {
  TestModel m(kVocab, kLlama);
  TestBatch b = TestBatch::random(2, 2, 4, 12, kVocab);
  const auto before = accumulated(m, b, {b.ids.size()}, false);
  std::mt19937 rng(1);
  b.push({3, 4, 5, 6, 7}, 2, 9, rng);
  for (uint64_t t = b.tokens() - 5; t < b.tokens(); ++t) b.d_logprob[t] = 0;
  std::vector<float> logprob;
  expect_same_bits(before, accumulated(m, b, {b.ids.size()}, false, &logprob));
  EXPECT_EQ(logprob, score(m, b, b.raw(kTemperature), nullptr, false).logprob);
}

// ---- Heads and columns ------------------------------------------------------------------------------------

TEST(Score, IsZeroWhereTheMaskIs) {
  TestModel m(kVocab, with(kLlama, R"("value_head": true)"));
  disturb(m);
  const TestBatch b = TestBatch::random(2, 2, 4, 12, kVocab);
  const Scores s = score(m, b, b.raw());
  for (uint64_t t = 0; t < b.tokens(); ++t) {
    if (b.mask[t] == 0) {
      EXPECT_EQ(s.logprob[t], 0);
      EXPECT_EQ(s.entropy[t], 0);
      EXPECT_EQ(s.value[t], 0);
    } else {
      EXPECT_LT(s.logprob[t], 0);
      EXPECT_GT(s.entropy[t], 0);
      EXPECT_NE(s.value[t], 0);
    }
  }
}

TEST(Score, TakesTargetsThatAreNotTheNextToken) {
  TestModel m(kVocab, kLlama);
  const TestBatch b = TestBatch::random(1, 1, 4, 12, kVocab);
  std::vector<int32_t> target(b.tokens(), 5);
  tenon_tokens tokens = b.raw();
  tokens.target = target.data();
  const Scores s = score(m, b, tokens, nullptr, false);
  const std::vector<float> logits = m.logits(b.raw());
  for (uint64_t t = 1; t < b.tokens(); ++t) {
    if (b.mask[t] == 0) continue;
    const std::vector<float> row(logits.begin() + static_cast<ptrdiff_t>((t - 1) * kVocab),
                                 logits.begin() + static_cast<ptrdiff_t>(t * kVocab));
    EXPECT_NEAR(s.logprob[t], NaiveDecoder<float>::score(row, 5, 1.0f).first, 1e-5);
  }
}

TEST(Score, GivesTheScalarHeadAtTheLastToken) {
  const std::string options = with(kLlama, R"("scalar_head": true)");
  TestModel m(kVocab, options);
  disturb(m);
  const TestBatch b = TestBatch::random(3, 1, 4, 12, kVocab);
  uint64_t tape = 0;
  const Scores s = score(m, b, b.raw(1, TENON_HEAD_SCALAR), &tape);
  NaiveParameters<double> p;
  for (const auto& [name, value] : m.values()) p[name].assign(value.begin(), value.end());
  const Shape shape = shape_of(options);
  std::vector<float> d_value(b.tokens(), 0.0f);
  double loss = 0;
  auto scalars = [&] {
    const NaiveDecoder<double> naive(shape, p);
    loss = 0;
    for (uint64_t i = 0; i < b.ids.size(); ++i) {
      const auto hidden = naive.hidden({b.ids[i].begin(), b.ids[i].end()});
      const double v = naive.scalar(hidden.back());
      loss += v * static_cast<double>(i + 1);
      if (d_value[b.ids.offsets[i + 1] - 1] == 0) {
        EXPECT_NEAR(s.value[b.ids.offsets[i + 1] - 1], v, 1e-5);
      }
    }
  };
  scalars();
  for (uint64_t i = 0; i < b.ids.size(); ++i) d_value[b.ids.offsets[i + 1] - 1] = static_cast<float>(i + 1);
  m.model().backward(nullptr, tape, nullptr, nullptr, d_value.data());
  m.model().finish_grad(nullptr);
  const auto grads = m.grads();
  for (const char* name : {"score.weight", "model.layers.0.self_attn.k_proj.weight", "model.norm.weight"}) {
    p[name][3] += 1e-5;
    scalars();
    const double above = loss;
    p[name][3] -= 2e-5;
    scalars();
    EXPECT_NEAR(grads.at(name)[3], (above - loss) / 2e-5, 1e-4) << name;
    p[name][3] += 1e-5;
  }
}

TEST(Score, TheScalarHeadLeavesTheLogProbabilitiesAsTheyAre) {
  TestModel m(kVocab, with(kLlama, R"("scalar_head": true)"));
  disturb(m);
  const TestBatch b = TestBatch::random(3, 2, 4, 12, kVocab);
  const std::vector<float> scalar = score(m, b, b.raw(1, TENON_HEAD_SCALAR), nullptr).logprob;
  EXPECT_EQ(scalar, score(m, b, b.raw(), nullptr, false).logprob) << "bit for bit, prompts shared or not";
  for (uint64_t t = 0; t < b.tokens(); ++t) EXPECT_EQ(scalar[t] != 0, b.mask[t] != 0) << t;
}

TEST(Tape, IsUsedOnce) {
  TestModel m(kVocab, kLlama);
  const TestBatch b = TestBatch::random(1, 1, 4, 12, kVocab);
  uint64_t tape = 0;
  score(m, b, b.raw(), &tape, false);
  m.model().backward(nullptr, tape, b.d_logprob.data(), nullptr, nullptr);
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, tape, b.d_logprob.data(), nullptr, nullptr); }),
              HasSubstr("is not open"));
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, 99, b.d_logprob.data(), nullptr, nullptr); }),
              HasSubstr("tape 99"));
  score(m, b, b.raw(), &tape, false);
  TestModel::part().vt->drop_tape(m.self(), tape);
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, tape, b.d_logprob.data(), nullptr, nullptr); }),
              HasSubstr("dropped"));
}

TEST(Tape, EndsWithTheParametersItWasRecordedWith) {
  TestModel m(kVocab, kLlama);
  const TestBatch b = TestBatch::random(1, 1, 4, 12, kVocab);
  uint64_t tape = 0;
  score(m, b, b.raw(), &tape, false);
  m.model().params_updated(nullptr, 1);
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, tape, b.d_logprob.data(), nullptr, nullptr); }),
              HasSubstr("before the parameters were changed"));
}

TEST(Tape, KnowsWhatItWasNotAskedFor) {
  TestModel m(kVocab, kLlama);
  const TestBatch b = TestBatch::random(1, 1, 4, 12, kVocab);
  std::vector<float> lp(b.tokens());
  uint64_t tape = 0;
  m.model().score(nullptr, b.raw(), lp.data(), nullptr, nullptr, &tape);
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, tape, nullptr, b.d_entropy.data(), nullptr); }),
              HasSubstr("gradient of entropy"));
}

TEST(BadInput, IsNamed) {
  TestModel m(kVocab, kLlama);
  std::mt19937 rng(1);
  auto message = [&](const TestBatch& b, float temperature = 1, int32_t head = TENON_HEAD_LANGUAGE,
                     bool groups = false) {
    return message_of([&] { score(m, b, b.raw(temperature, head, groups), nullptr, false); });
  };
  TestBatch b;
  b.push({1, 2, 37}, 1, 0, rng);
  EXPECT_THAT(message(b), HasSubstr("token 2 of sequence 0 is id 37; the vocabulary is 0 to 36"));
  b = TestBatch();
  b.push(std::vector<int32_t>(65, 1), 1, 0, rng);
  EXPECT_THAT(message(b), HasSubstr("sequence 0 has 65 tokens; the model takes at most max_len = 64"));
  b = TestBatch();
  b.push({1, 2, 3}, 1, 0, rng);
  EXPECT_THAT(message(b, 0), HasSubstr("temperature"));
  EXPECT_THAT(message(b, 1, TENON_HEAD_SCALAR), HasSubstr("scalar_head: true"));
  EXPECT_THAT(message_of([&] { score(m, b, b.raw()); }), HasSubstr("value_head: true"));
  b.mask[0] = 1;
  EXPECT_THAT(message(b), HasSubstr("mask is 1 at the first token of sequence 0"));
  b = TestBatch();
  b.push({1, 2, 3}, 2, 5, rng), b.push({1, 4, 3}, 2, 5, rng);
  EXPECT_THAT(message(b, 1, TENON_HEAD_LANGUAGE, true),
              HasSubstr("sequences 0 and 1 are of group 5, but their prompts differ"));
}

TEST(Batch, MayBeEmptyOrHaveNothingToScore) {
  TestModel m(kVocab, kLlama);
  TestBatch b;
  score(m, b, b.raw(), nullptr, false);
  m.model().accumulate(nullptr, b.raw(), nullptr, nullptr);
  std::mt19937 rng(1);
  b.push({1, 2, 3}, 3, 0, rng), b.push({}, 0, 1, rng), b.push({4}, 1, 2, rng);
  uint64_t tape = 0;
  const Scores s = score(m, b, b.raw(), &tape, false);
  EXPECT_EQ(s.logprob, std::vector<float>(4, 0.0f));
  m.model().backward(nullptr, tape, b.d_logprob.data(), nullptr, nullptr);
}

}  // namespace
}  // namespace tenon::transformer
