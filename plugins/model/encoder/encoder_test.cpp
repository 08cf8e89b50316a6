// What the model says of itself, what it refuses, its start, and its numbers beside those of `transformers`.
// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "test_support.h"

namespace tenon::encoder {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> findings(const std::string& options) {
  test::FakeHost host(test::plugin_component(), options);
  return test::check_findings(test::plugin_component(), host);
}

TEST(EncoderPlugin, ChecksItsOptions) {
  EXPECT_THAT(findings(R"({"layers": 2, "width": 64, "heads": 4})"), IsEmpty());
  EXPECT_THAT(findings(R"({"layers": 2, "width": 64, "heads": 5})"),
              ElementsAre(HasSubstr("heads: width 64 is not a multiple of heads 5")));
  EXPECT_THAT(findings(R"({"layers": 2, "width": 64, "heads": 4, "sep": "[CLS]"})"),
              ElementsAre(HasSubstr("sep: is the token that `cls` is")));
  EXPECT_THAT(findings(R"({"layers": 2, "width": 64, "heads": 4, "mask": "[SEP]"})"),
              ElementsAre(HasSubstr("mask: is the token that `cls` or `sep` is")));
}

TEST(EncoderPlugin, NamesASpecialTokenThatTheTokenizerHasNot) {
  EXPECT_THAT(message_of([] { TestModel(R"({"layers": 1, "width": 8, "heads": 2, "mask": "<mask>"})"); }),
              HasSubstr("mask: the tokenizer has no token \"<mask>\": add it to the tokenizer's vocabulary"));
}

TEST(Encoder, SaysWhatItIs) {
  const TestModel m(kPost);
  const tenon_model_info info = m.model().info();
  EXPECT_STREQ(info.arch, "bert");
  EXPECT_EQ(info.heads, 1u << TENON_HEAD_SCALAR);
  EXPECT_EQ(info.vocab, kVocab);
  EXPECT_EQ(info.max_len, 15u) << "[CLS] is put before";
  uint64_t numbers = 0;
  for (const auto& [name, column] : m.values()) numbers += column.size();
  EXPECT_EQ(info.n_params, numbers);
  tenon_masked_lm_info masked{};
  masked.struct_size = sizeof masked;
  ErrorBuffer err;
  err.check(m.masked().info(m.self(), &masked, err));
  EXPECT_THAT((std::vector<int32_t>{masked.cls, masked.sep, masked.mask}), ElementsAre(kCls, kSep, kMask));
  EXPECT_EQ(masked.max_len, 16u);
  EXPECT_EQ(TestModel(R"({"layers": 1, "width": 8, "heads": 2})").model().info().heads, 0u);
}

TEST(Encoder, StartsAsBertDoes) {
  const TestModel m(R"({"layers": 1, "width": 64, "heads": 4, "max_len": 64})");
  for (const auto& [name, column] : m.values()) {
    if (name.ends_with("LayerNorm.weight")) {
      EXPECT_THAT(column, ::testing::Each(1.0f)) << name;
    } else if (name.ends_with("bias")) {
      EXPECT_THAT(column, ::testing::Each(0.0f)) << name;
    } else {
      double squares = 0;
      for (float v : column) squares += static_cast<double>(v) * static_cast<double>(v);
      const auto n = static_cast<double>(column.size());
      EXPECT_NEAR(std::sqrt(squares / n), 0.02, 0.02 * 4 / std::sqrt(2 * n)) << name;
    }
  }
  expect_same_bits(m.values(),
                   TestModel(R"({"layers": 1, "width": 64, "heads": 4, "max_len": 64})").values());
}

TEST(Encoder, MatricesAreMarkedForTheOptimizer) {
  const TestModel m(kPost);
  uint64_t matrices = 0;
  for (uint64_t i = 0; i < m.model().info().n_tensors; ++i) {
    if ((m.param(i).flags & TENON_P_MATRIX) == 0) continue;
    EXPECT_EQ(m.param(i).value->ndim, 2);
    ++matrices;
  }
  EXPECT_EQ(matrices, 2u * 6 + 2) << "six a block, the pooler and the transform before the decoder";
}

TEST(Encoder, HasNoNextToken) {
  const TestModel m(kPost);
  const std::vector<int32_t> row{5, 6};
  Ragged<int32_t> ids;
  ids.push(row);
  const std::vector<uint8_t> mask{0, 1};
  tenon_tokens tokens{};
  tokens.struct_size = sizeof tokens;
  tokens.ids = ids.raw();
  tokens.mask = mask.data();
  tokens.temperature = 1;
  std::vector<float> column(2);
  const auto refused = HasSubstr("reads in both directions and has no next token");
  EXPECT_THAT(message_of([&] { m.model().session_open(nullptr, 1, 8); }), refused);
  EXPECT_THAT(message_of([&] { m.model().accumulate(nullptr, tokens, column.data(), nullptr); }), refused);
  EXPECT_THAT(message_of([&] { m.model().score(nullptr, tokens, column.data(), nullptr, nullptr, nullptr); }),
              refused);
  tokens.mask = nullptr;
  tokens.head = TENON_HEAD_SCALAR;
  const TestModel bare(R"({"layers": 1, "width": 8, "heads": 2})");
  EXPECT_THAT(
      message_of([&] { bare.model().score(nullptr, tokens, nullptr, nullptr, column.data(), nullptr); }),
      HasSubstr("no scalar head: give it `scalar_head: true`"));
}

TEST(Encoder, RefusesWhatDoesNotFit) {
  const TestModel m(kPost);
  auto with = [&](std::vector<int32_t> row, uint8_t segment, int32_t target, int32_t next) {
    TestBatch b;
    b.ids.push(row);
    b.segment.assign(row.size(), segment), b.target.assign(row.size(), target), b.next = {next};
    return message_of([&] { pass(m, b, false); });
  };
  EXPECT_THAT(with({0, 13}, 0, -1, -1), HasSubstr("token id 13 is outside the vocabulary of 13"));
  EXPECT_THAT(with(std::vector<int32_t>(17, 4), 0, -1, -1),
              HasSubstr("longer than the model's max_len = 16"));
  EXPECT_THAT(with({0, 4}, 2, -1, -1), HasSubstr("segment 2"));
  EXPECT_THAT(with({0, 4}, 0, 13, -1), HasSubstr("target 13"));
  EXPECT_THAT(with({0, 4}, 0, -1, 2), HasSubstr("class 2"));
  EXPECT_THAT(with({}, 0, -1, 2), HasSubstr("has no token"));
}

TEST(Encoder, ATapeIsUsedOnceAndNotAfterAnUpdate) {
  const TestModel m(kPost);
  Ragged<int32_t> ids;
  ids.push(std::vector<int32_t>{5, 6});
  tenon_tokens tokens{};
  tokens.struct_size = sizeof tokens;
  tokens.head = TENON_HEAD_SCALAR;
  tokens.ids = ids.raw();
  std::vector<float> value(2);
  uint64_t tape = 0;
  m.model().score(nullptr, tokens, nullptr, nullptr, value.data(), &tape);
  m.model().backward(nullptr, tape, nullptr, nullptr, value.data());
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, tape, nullptr, nullptr, value.data()); }),
              HasSubstr("is not open"));
  m.model().score(nullptr, tokens, nullptr, nullptr, value.data(), &tape);
  m.model().params_updated(nullptr, 2);
  EXPECT_THAT(message_of([&] { m.model().backward(nullptr, tape, nullptr, nullptr, value.data()); }),
              HasSubstr("score again"));
}

// The same parameters in transformers' BertForPreTraining; skipped where TENON_PEER_PYTHON names no Python that has it.
TEST(Encoder, AgreesWithTransformers) {
  const char* python = std::getenv("TENON_PEER_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "TENON_PEER_PYTHON is not set";
  const TestModel m(kPost);
  m.shake(12);
  const TestBatch b = TestBatch::random(6, 14, 13);
  namespace json = boost::json;
  json::object values, all;
  for (const auto& [name, column] : m.values()) values[name] = json::array(column.begin(), column.end());
  all["values"] = values;
  json::array rows;
  for (uint64_t s = 0; s < b.next.size(); ++s) {
    json::array ids, segment;
    for (uint64_t t = b.ids.offsets[s]; t < b.ids.offsets[s + 1]; ++t)
      ids.push_back(b.ids.values[t]), segment.push_back(b.segment[t]);
    rows.push_back(json::object{{"ids", ids}, {"segment", segment}});
  }
  all["rows"] = rows;
  std::string folder = (std::filesystem::temp_directory_path() / "tenon-encoder-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/in.json") << json::serialize(all);
  const std::string run = std::string(python) + " peer.py " + folder + "/in.json " + folder + "/out.json";
  const int status = std::system(run.c_str());
  std::ifstream in(folder + "/out.json");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::filesystem::remove_all(folder);
  ASSERT_EQ(status, 0);
  const json::value peer = json::parse(text);
  const Outputs found = pass(m, b, false);
  for (uint64_t s = 0; s < b.next.size(); ++s) {
    const json::value& row = peer.at("rows").at(s);
    for (uint64_t t = b.ids.offsets[s]; t < b.ids.offsets[s + 1]; ++t)
      if (b.target[t] >= 0) {
        const json::value& lp =
            row.at("logprob").at(t - b.ids.offsets[s]).at(static_cast<uint64_t>(b.target[t]));
        EXPECT_NEAR(static_cast<double>(found.logprob[t]), lp.to_number<double>(), 1e-4);
      }
    if (b.next[s] >= 0) {
      const json::value& lp = row.at("next").at(static_cast<uint64_t>(b.next[s]));
      EXPECT_NEAR(static_cast<double>(found.next_logprob[s]), lp.to_number<double>(), 1e-4);
    }
  }
}

}  // namespace
}  // namespace tenon::encoder
