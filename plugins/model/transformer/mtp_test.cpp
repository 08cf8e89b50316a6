// Tests of multi-token prediction: log-probabilities and gradients against the decoder written plainly in double, and their bits.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <iterator>

#include "multi_token/multi_token.h"
#include "naive.h"
#include "test_support.h"

namespace tenon::transformer {
namespace {

constexpr float kTemperature = 0.7f;
constexpr uint64_t kDepth = 2;

std::string with_modules(const char* shape) {
  return with(shape, R"("mtp_depth": 2)");
}

const tenon_multi_token& table_of(const TestModel& m) {
  return *static_cast<const tenon_multi_token*>(
      TestModel::part().life->extension(m.self(), TENON_EXT_MULTI_TOKEN));
}

// Gradients for all columns of b, [depth + 1][tokens]; also at tokens that a module does not reach, where they are not read.
std::vector<float> random_gradient(const TestBatch& b, uint64_t depth) {
  std::mt19937 rng(17);
  std::normal_distribution<float> normal;
  std::vector<float> d = b.d_logprob;
  for (uint64_t i = b.tokens(); i < (depth + 1) * b.tokens(); ++i) d.push_back(0.1f * normal(rng));
  return d;
}

// Part [begin, end) of the tokens in every column.
std::vector<float> cut(const std::vector<float>& columns, uint64_t tokens, uint64_t begin, uint64_t end) {
  std::vector<float> out;
  for (uint64_t at = 0; at < columns.size(); at += tokens)
    out.insert(out.end(), columns.begin() + static_cast<ptrdiff_t>(at + begin),
               columns.begin() + static_cast<ptrdiff_t>(at + end));
  return out;
}

// Gradients and log-probabilities [depth + 1][tokens] of b in micro-batches that end at the given sequences.
struct Result {
  TestModel::Columns grads;
  std::vector<float> logprob;
};
Result accumulated(const TestModel& m, const TestBatch& b, const std::vector<float>& d,
                   const std::vector<uint64_t>& ends) {
  m.model().zero_grad(nullptr);
  const tenon_multi_token& table = table_of(m);
  const uint64_t n = b.tokens(), columns = table.depth(m.self()) + 1;
  Result out{{}, std::vector<float>(columns * n, -9)};
  uint64_t begin = 0;
  for (uint64_t end : ends) {
    const TestBatch part = b.slice(begin, end);
    const uint64_t first = b.ids.offsets[begin], last = b.ids.offsets[end];
    const std::vector<float> mine = cut(d, n, first, last);
    std::vector<float> lp(columns * (last - first), -9);
    const tenon_tokens tokens = part.raw(kTemperature, TENON_HEAD_LANGUAGE, true);
    ErrorBuffer err;
    err.check(table.accumulate(m.self(), nullptr, &tokens, mine.data(), lp.data(), err));
    for (uint64_t k = 0; k < columns; ++k)
      std::copy_n(lp.begin() + static_cast<ptrdiff_t>(k * (last - first)), last - first,
                  out.logprob.begin() + static_cast<ptrdiff_t>(k * n + first));
    begin = end;
  }
  m.model().finish_grad(nullptr);
  out.grads = m.grads();
  return out;
}

// Log-probabilities [depth + 1][tokens] of the naive decoder.
std::vector<double> naive_logprobs(const Shape& shape, const NaiveParameters<double>& p, const TestBatch& b,
                                   uint64_t depth) {
  const NaiveDecoder<double> naive(shape, p);
  std::vector<double> out((depth + 1) * b.tokens(), 0.0);
  for (uint64_t i = 0; i < b.ids.size(); ++i) {
    const std::vector<int32_t> ids(b.ids[i].begin(), b.ids[i].end());
    auto hidden = naive.hidden_ahead(ids, depth);
    hidden.insert(hidden.begin(), naive.hidden(ids));
    for (uint64_t k = 0; k <= depth; ++k)
      for (size_t t = k + 1; t < ids.size(); ++t)
        if (const uint64_t column = b.ids.offsets[i] + t; b.mask[column] != 0)
          out[k * b.tokens() + column] =
              NaiveDecoder<double>::score(naive.logits(hidden[k][t - k - 1]), ids[t], kTemperature).first;
  }
  return out;
}

double dot(const std::vector<double>& logprob, const std::vector<float>& d) {
  double sum = 0;
  for (size_t i = 0; i < d.size(); ++i) sum += logprob[i] * d[i];
  return sum;
}

class MultiToken : public ::testing::TestWithParam<const char*> {};

TEST_P(MultiToken, LogProbabilitiesAndGradientsAreThoseOfThePlainDecoderInDouble) {
  const std::string options = with_modules(GetParam());
  TestModel m(kVocab, options);
  disturb(m);
  const TestBatch b = TestBatch::random(2, 2, 3, 9, kVocab);
  const std::vector<float> d = random_gradient(b, kDepth);
  const Result ours = accumulated(m, b, d, {b.ids.size()});

  const Shape shape = shape_of(options);
  NaiveParameters<double> p;
  for (const auto& [name, value] : m.values()) p[name].assign(value.begin(), value.end());
  const std::vector<double> truth = naive_logprobs(shape, p, b, kDepth);
  for (size_t i = 0; i < truth.size(); ++i) EXPECT_NEAR(ours.logprob[i], truth[i], 2e-5) << i;

  std::mt19937 rng(5);
  uint64_t of_modules = 0;
  for (const auto& [name, gradient] : ours.grads) {
    of_modules += name.starts_with("model.mtp.1.") ? 1 : 0;
    const double scale = std::abs(*std::max_element(
        gradient.begin(), gradient.end(), [](float x, float y) { return std::abs(x) < std::abs(y); }));
    EXPECT_GT(scale, 0) << name;
    for (int sample = 0; sample < 3; ++sample) {
      const size_t i = rng() % gradient.size();
      const double at = p[name][i], step = 1e-5;
      p[name][i] = at + step;
      const double above = dot(naive_logprobs(shape, p, b, kDepth), d);
      p[name][i] = at - step;
      const double difference = (above - dot(naive_logprobs(shape, p, b, kDepth), d)) / (2 * step);
      p[name][i] = at;
      EXPECT_NEAR(gradient[i], difference, 3e-5 * scale + 1e-8) << name << "[" << i << "]";
    }
  }
  EXPECT_GE(of_modules, 12u);
}

TEST_P(MultiToken, NoMicroBatchSplitAndNoThreadChangesABit) {
  TestModel one(kVocab, with_modules(GetParam()), 1), two(kVocab, with_modules(GetParam()), 2);
  const TestBatch b = TestBatch::random(4, 3, 3, 20, kVocab);
  const std::vector<float> d = random_gradient(b, kDepth);
  const uint64_t n = b.ids.size();
  std::vector<uint64_t> single;
  for (uint64_t i = 1; i <= n; ++i) single.push_back(i);
  const Result whole = accumulated(one, b, d, {n});
  for (const Result& other : {accumulated(one, b, d, single), accumulated(one, b, d, {1, 5, n}),
                              accumulated(two, b, d, {n}), accumulated(two, b, d, {3, n})}) {
    expect_same_bits(whole.grads, other.grads);
    EXPECT_EQ(whole.logprob, other.logprob);
  }
}

TEST_P(MultiToken, WithoutTheirGradientTheModelIsOneWithoutModules) {
  TestModel with_them(kVocab, with_modules(GetParam())), without(kVocab, GetParam());
  for (const auto& [name, value] : without.values()) EXPECT_EQ(with_them.values().at(name), value) << name;

  const TestBatch b = TestBatch::random(3, 2, 4, 20, kVocab);
  std::vector<float> d = b.d_logprob;
  d.resize(3 * b.tokens(), 0.0f);
  const Result zero = accumulated(with_them, b, d, {2, b.ids.size()});
  without.model().zero_grad(nullptr);
  std::vector<float> logprob(b.tokens());
  without.model().accumulate(nullptr, b.raw(kTemperature), b.d_logprob.data(), logprob.data());
  without.model().finish_grad(nullptr);
  TestModel::Columns common;
  for (const auto& [name, grad] : zero.grads) {
    if (name.starts_with("model.mtp."))
      EXPECT_EQ(std::count(grad.begin(), grad.end(), 0.0f), static_cast<ptrdiff_t>(grad.size())) << name;
    else
      common[name] = grad;
  }
  expect_same_bits(common, without.grads());
  EXPECT_EQ(
      std::vector<float>(zero.logprob.begin(), zero.logprob.begin() + static_cast<ptrdiff_t>(b.tokens())),
      logprob);
  // What the modules say does not depend on whether they are trained.
  const Result trained = accumulated(with_them, b, random_gradient(b, kDepth), {b.ids.size()});
  EXPECT_EQ(trained.logprob, zero.logprob);
}

INSTANTIATE_TEST_SUITE_P(Families, MultiToken, ::testing::Values(kLlama, kQwen2, kQwen3));

TEST(MultiTokenColumns, AreZeroWhereTheMaskIsOrNothingIsPredicted) {
  TestModel m(kVocab, with_modules(kLlama));
  TestBatch b;
  std::mt19937 rng(1);
  b.push({}, 0, 0, rng), b.push({4}, 1, 1, rng), b.push({4, 5}, 1, 2, rng), b.push({4, 5, 6}, 1, 3, rng),
      b.push({7, 8, 9, 10, 11}, 3, 4, rng);
  const std::vector<float> d(3 * b.tokens(), 0.5f);
  const Result r = accumulated(m, b, d, {b.ids.size()});
  const std::vector<std::vector<int>> expected{{0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1},
                                               {0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1},
                                               {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}};
  for (uint64_t k = 0; k < 3; ++k)
    for (uint64_t t = 0; t < b.tokens(); ++t)
      EXPECT_EQ(r.logprob[k * b.tokens() + t] < 0, expected[k][t] != 0) << k << " " << t;
  const TestBatch nothing = b.slice(0, 2);
  const Result none = accumulated(m, nothing, std::vector<float>(3 * nothing.tokens(), 1.0f), {2});
  EXPECT_EQ(none.logprob, std::vector<float>(3 * nothing.tokens(), 0.0f));
}

TEST(MultiTokenColumns, AModelWithoutModulesHasItsOwnAlone) {
  TestModel m(kVocab, kLlama);
  EXPECT_EQ(table_of(m).depth(m.self()), 0u);
  const TestBatch b = TestBatch::random(2, 1, 3, 9, kVocab);
  const Result r = accumulated(m, b, b.d_logprob, {b.ids.size()});
  std::vector<float> logprob(b.tokens());
  m.model().score(nullptr, b.raw(kTemperature), logprob.data(), nullptr, nullptr, nullptr);
  EXPECT_EQ(r.logprob, logprob);
}

TEST(MultiTokenWeights, AreLeftOutOfExportsAndBeginAtRandomWithWeights) {
  namespace fs = std::filesystem;
  std::string name = (fs::temp_directory_path() / "tenon-mtp-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  TestModel m(kVocab, with_modules(kLlama));
  m.write(name, "f32");
  std::ifstream file(name + "/model.safetensors", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(bytes.find("model.layers.1.mlp.up_proj.weight"), std::string::npos);
  EXPECT_EQ(bytes.find("mtp"), std::string::npos);

  TestModel again(kVocab, R"({"weights": ")" + name + R"(", "mtp_depth": 1})");
  const auto values = again.values();
  EXPECT_EQ(values.at("model.norm.weight"), m.values().at("model.norm.weight"));
  const auto joined = values.at("model.mtp.0.eh_proj.weight");
  double squares = 0;
  for (float v : joined) squares += double{v} * v;
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(joined.size())), 0.02, 0.002);
  EXPECT_EQ(values.at("model.mtp.0.enorm.weight"), std::vector<float>(32, 1.0f));
  fs::remove_all(name);
}

}  // namespace
}  // namespace tenon::transformer
