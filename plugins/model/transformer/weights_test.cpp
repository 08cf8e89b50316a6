// Tests of weights: from scratch, from files, to files, and against transformers where it is installed.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include "safetensors/safetensors.h"
#include "test_support.h"

namespace tenon::transformer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Weights : public ::testing::Test {
 protected:
  Weights() {
    std::string name = (fs::temp_directory_path() / "tenon-weights-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
  }
  ~Weights() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // Options for weights at a path, with more of them.
  std::string from(const std::string& where, const std::string& more = "") const {
    return R"({"weights": ")" + where + "\"" + more + "}";
  }
  fs::path folder_;
};

std::string logits_error(const std::vector<float>& ours, const boost::json::array& theirs, double bound) {
  if (ours.size() != theirs.size())
    return std::to_string(ours.size()) + " logits, not " + std::to_string(theirs.size());
  double worst = 0;
  for (size_t i = 0; i < ours.size(); ++i)
    worst = std::max(worst, std::abs(ours[i] - theirs[i].to_number<double>()));
  ::testing::Test::RecordProperty("max_logit_difference", std::to_string(worst));
  return worst <= bound ? "" : "logits differ by " + std::to_string(worst);
}

// What transformers says of rows of ids, by peer.py.
boost::json::value ask_transformers(const std::string& weights, const std::vector<std::vector<int32_t>>& rows,
                                    const fs::path& folder) {
  const std::string ids = (folder / "ids.json").string(), out = (folder / "out.json").string();
  std::ofstream(ids) << boost::json::serialize(boost::json::value_from(rows));
  const std::string command = std::string(std::getenv("TENON_PEER_PYTHON")) + " peer.py " + weights + " " +
                              ids + " " + out + " > " + out + ".log 2>&1";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  std::ifstream in(out);
  return boost::json::parse(in);
}

TEST_F(Weights, FromScratchFollowTheSeedAndTheNameAlone) {
  TestModel a(kVocab, kLlama), b(kVocab, kLlama), other(kVocab, kLlama, 1, 8);
  expect_same_bits(a.values(), b.values());
  EXPECT_NE(a.values().at("model.embed_tokens.weight"), other.values().at("model.embed_tokens.weight"));
  // One layer more leaves the others as they are, but for the scale of what writes into the residual stream.
  TestModel deeper(
      kVocab,
      R"({"layers": 3, "width": 32, "heads": 4, "kv_heads": 2, "ffn": 40, "max_len": 64, "init_std": 0.2})");
  EXPECT_EQ(a.values().at("model.layers.1.mlp.up_proj.weight"),
            deeper.values().at("model.layers.1.mlp.up_proj.weight"));
}

TEST_F(Weights, FromScratchHaveTheStatedDeviation) {
  TestModel m(500, R"({"layers": 2, "width": 64, "heads": 4, "init_std": 0.05, "value_head": true})");
  auto deviation = [&](const char* name) {
    double sum = 0;
    const auto v = m.values().at(name);
    for (float x : v) sum += double{x} * x;
    return std::sqrt(sum / static_cast<double>(v.size()));
  };
  EXPECT_NEAR(deviation("model.embed_tokens.weight"), 0.05, 0.001);
  EXPECT_NEAR(deviation("model.layers.0.self_attn.q_proj.weight"), 0.05, 0.002);
  EXPECT_NEAR(deviation("model.layers.1.mlp.down_proj.weight"), 0.05 / 2, 0.001);
  EXPECT_EQ(deviation("value_head.weight"), 0);
  EXPECT_EQ(m.values().at("model.layers.0.mlp.gate_proj.weight").size(), 256u * 64u) << "ffn is 4 · width";
}

TEST_F(Weights, InfoCountsThem) {
  TestModel m(kVocab, kLlama);
  const tenon_model_info info = m.model().info();
  EXPECT_EQ(info.heads, 1u);
  EXPECT_EQ(info.vocab, kVocab);
  EXPECT_EQ(info.max_len, 64u);
  EXPECT_STREQ(info.arch, "llama");
  EXPECT_EQ(info.n_params, kVocab * 32 + 2 * (2 * 32 + 32 * 32 * 2 + 2 * 16 * 32 + 3 * 32 * 40) + 32);
  uint64_t n = 0;
  for (const auto& [name, value] : m.values()) n += value.size();
  EXPECT_EQ(n, info.n_params);
}

TEST_F(Weights, StateTensorsAreTheParameters) {
  TestModel m(kVocab, R"({"layers": 1, "width": 32, "heads": 4, "max_len": 64, "scalar_head": true})");
  const auto* table = static_cast<const tenon_state_tensors*>(
      TestModel::part().life->extension(m.self(), TENON_EXT_STATE_TENSORS));
  ASSERT_EQ(table->count(m.self()), m.model().info().n_tensors);
  bool scalar = false;
  for (uint64_t i = 0; i < table->count(m.self()); ++i) {
    const char* name = nullptr;
    DLTensor view{};
    ErrorBuffer err;
    err.check(table->tensor(m.self(), i, &name, &view, err));
    EXPECT_EQ(view.data, m.param(i).value->data) << name;
    scalar = scalar || std::string(name) == "score.weight";
  }
  EXPECT_TRUE(scalar);
}

class Exported : public Weights, public ::testing::WithParamInterface<const char*> {};

TEST_P(Exported, OpensAgainWithTheSameLogits) {
  TestModel m(kVocab, GetParam());
  m.write(folder_.string(), "f32");
  const TestBatch b = TestBatch::random(2, 1, 4, 30, kVocab);
  for (const std::string& where : {folder_.string(), path("model.safetensors")}) {
    TestModel again(kVocab, from(where));
    EXPECT_EQ(again.logits(b.raw()), m.logits(b.raw()));
    EXPECT_EQ(again.model().info().max_len, 64u);
    expect_same_bits(again.values(), m.values());
  }
}

TEST_P(Exported, OpensInTransformersWithTheSameLogits) {
  if (std::getenv("TENON_PEER_PYTHON") == nullptr) GTEST_SKIP() << "TENON_PEER_PYTHON is not set";
  TestModel m(kVocab, GetParam());
  m.write(folder_.string(), "f32");
  const TestBatch b = TestBatch::random(2, 1, 4, 30, kVocab);
  const boost::json::value theirs = ask_transformers(
      folder_.string(), {{b.ids[0].begin(), b.ids[0].end()}, {b.ids[1].begin(), b.ids[1].end()}}, folder_);
  for (uint64_t i = 0; i < 2; ++i) {
    const TestBatch one = b.slice(i, i + 1);
    EXPECT_EQ(logits_error(m.logits(one.raw()), theirs.as_array()[i].at("logits").as_array(), 1e-4), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Exported, ::testing::Values(kLlama, kQwen2, kQwen3));

TEST_F(Weights, AreRoundedWhenTheyAreExportedInHalf) {
  TestModel m(kVocab, kLlama);
  for (const char* dtype : {"bf16", "f16"}) {
    m.write(folder_.string(), dtype);
    TestModel again(kVocab, from(folder_.string()));
    const auto a = m.values(), b = again.values();
    for (const auto& [name, value] : a)
      for (size_t i = 0; i < value.size(); ++i)
        ASSERT_EQ(b.at(name)[i], std::string(dtype) == "bf16"
                                     ? safetensors::bf16_to_f32(safetensors::f32_to_bf16(value[i]))
                                     : safetensors::f16_to_f32(safetensors::f32_to_f16(value[i])));
  }
  EXPECT_THAT(message_of([&] { m.write(folder_.string(), "int8"); }),
              HasSubstr("\"int8\" is unknown; allowed are f32, bf16 and f16"));
}

TEST_F(Weights, BringTheirTokenizersFilesToTheExport) {
  TestModel m(kVocab, kLlama);
  m.write(folder_.string(), "f32");
  std::ofstream(path("tokenizer.json")) << "{}";
  const fs::path to = folder_ / "exported";
  fs::create_directory(to);
  TestModel(kVocab, from(folder_.string())).write(to.string(), "f32");
  EXPECT_TRUE(fs::exists(to / "tokenizer.json"));
  EXPECT_TRUE(fs::exists(to / "config.json"));
}

TEST_F(Weights, ThatContradictTheOptionsAreAnErrorWithBothValues) {
  TestModel m(kVocab, kLlama);
  m.write(folder_.string(), "f32");
  auto message = [&](const std::string& more, uint64_t vocab = kVocab) {
    return message_of([&] { TestModel bad(vocab, from(folder_.string(), more)); });
  };
  EXPECT_THAT(message(R"(, "layers": 3)"), HasSubstr("layers: 3, but " + folder_.string() + " has 2"));
  EXPECT_THAT(message(R"(, "family": "qwen3")"), HasSubstr("family: qwen3, but"));
  EXPECT_THAT(message(R"(, "tie_embeddings": false)"), HasSubstr("tie_embeddings: false, but"));
  EXPECT_THAT(message(R"(, "norm_eps": 1e-6)"), HasSubstr("norm_eps: 1e-06, but"));
  EXPECT_THAT(message(R"(, "max_len": 65)"), HasSubstr("max_len: 65 tokens, but"));
  EXPECT_THAT(message("", kVocab + 1), HasSubstr("tokenizer: it has 38 ids, but the embedding of " +
                                                 folder_.string() + " has 37 rows"));
  TestModel agrees(kVocab,
                   from(folder_.string(), R"(, "layers": 2, "width": 32, "norm_eps": 1e-5, "max_len": 32)"));
  EXPECT_EQ(agrees.model().info().max_len, 32u);
}

TEST_F(Weights, WithPaddingRowsNeverGiveThemAProbability) {
  TestModel m(kVocab, kLlama);
  m.write(folder_.string(), "f32");
  TestModel padded(kVocab - 5, from(folder_.string()));
  EXPECT_EQ(padded.model().info().vocab, kVocab - 5);
  const TestBatch b = TestBatch::random(1, 1, 4, 30, kVocab - 5);
  const std::vector<float> all = m.logits(b.raw()), usable = padded.logits(b.raw());
  for (uint64_t t = 0; t < b.tokens(); ++t)
    for (uint64_t j = 0; j < kVocab - 5; ++j) ASSERT_EQ(all[t * kVocab + j], usable[t * (kVocab - 5) + j]);
}

TEST_F(Weights, ThatCannotBeReadAreAnErrorThatNamesTheFile) {
  EXPECT_THAT(message_of([&] { TestModel bad(kVocab, from(path("none.gguf"))); }), HasSubstr("none.gguf"));
  TestModel m(kVocab, kLlama);
  m.write(folder_.string(), "f32");
  fs::resize_file(path("model.safetensors"), fs::file_size(path("model.safetensors")) - 100);
  EXPECT_THAT(message_of([&] { TestModel bad(kVocab, from(folder_.string())); }),
              HasSubstr("model.safetensors"));
}

// Prompts in SmolLM2's ids: "The capital of France is", "def fibonacci(n):\n    ", "Question: Tom has 3
// apples and buys 4 more. How many apples has he now?\nAnswer:", "Once upon a time, in a small village by the
// sea,", "Water boils at".
const std::vector<std::vector<int32_t>> kPrompts = {
    {504, 3575, 282, 4649, 314},
    {1604, 3987, 46477, 24, 94, 727, 2367},
    {17872, 42,   8581, 553,   216, 35,  13855, 284, 34680, 216,   36, 540,
     30,    1073, 800,  13855, 553, 384, 1209,  47,  198,   21350, 42},
    {6403, 1980, 253, 655, 28, 281, 253, 1165, 6560, 411, 260, 3426, 28},
    {12615, 36411, 418},
};

TEST_F(Weights, OfSmolLM2GiveTheLogitsAndTextOfTransformers) {
  const char* gguf = std::getenv("TENON_SMOLLM2_GGUF");
  if (gguf == nullptr || std::getenv("TENON_PEER_PYTHON") == nullptr)
    GTEST_SKIP() << "TENON_SMOLLM2_GGUF and TENON_PEER_PYTHON are not both set";
  TestModel m(49152, from(gguf, R"(, "max_len": 256)"), 2);
  EXPECT_EQ(m.model().info().n_params, 134515008u);
  const uint64_t session = m.model().session_open(nullptr, kPrompts.size(), 256);
  std::vector<std::vector<int32_t>> rows = kPrompts, next = kPrompts;
  const std::vector<uint64_t> slots{0, 1, 2, 3, 4};
  const tenon_sampling greedy{sizeof greedy, 0, 0, 0, 0, 0, 0};
  for (int step = 0; step < 64; ++step) {
    Ragged<int32_t> ids;
    for (const auto& row : next) ids.push(row);
    const tenon_tokens append{sizeof append, 0,       ids.raw(), nullptr, slots.data(),
                              nullptr,       nullptr, nullptr,   0,       0};
    std::vector<int32_t> token(rows.size());
    m.model().decode(nullptr, session, append, &greedy, slots.data(), token.data(), nullptr);
    for (uint64_t i = 0; i < rows.size(); ++i) rows[i].push_back(token[i]), next[i] = {token[i]};
  }
  // Given our text so far, transformers would go on as we did, token by token: so its greedy text is ours.
  const boost::json::value theirs = ask_transformers(gguf, rows, folder_);
  for (uint64_t i = 0; i < rows.size(); ++i) {
    std::vector<int32_t> wanted(rows[i].begin(),
                                rows[i].begin() + static_cast<ptrdiff_t>(kPrompts[i].size()));
    for (uint64_t t = kPrompts[i].size(); t < rows[i].size(); ++t)
      wanted.push_back(static_cast<int32_t>(theirs.as_array()[i].at("next").as_array()[t - 1].as_int64()));
    EXPECT_EQ(rows[i], wanted) << "prompt " << i;
  }
  TestBatch first;
  std::mt19937 rng(1);
  first.push(rows[0], 1, 0, rng);
  EXPECT_EQ(logits_error(m.logits(first.raw()), theirs.as_array()[0].at("logits").as_array(), 1e-3), "");
}

}  // namespace
}  // namespace tenon::transformer
