// Pre-trained checkpoints: both formats give the same model; configs; errors.
// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gguf/testing/gguf_writer.h"
#include "safetensors/safetensors.h"

namespace tenon::checkpoint {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;
using ::testing::HasSubstr;

// Two layers, 4 heads and 2 KV heads of 6, width 10: nothing is square.
bj::object llama_config() {
  return bj::
      parse(R"({"model_type":"llama","num_hidden_layers":2,"hidden_size":10,"num_attention_heads":4,"num_key_value_heads":2,
    "head_dim":6,"intermediate_size":14,"vocab_size":20,"max_position_embeddings":64,"rms_norm_eps":1e-5,"rope_theta":500000.0,
    "tie_word_embeddings":false,"hidden_act":"silu","torch_dtype":"float32"})")
          .as_object();
}

std::vector<float> weights(const TensorInfo& info) {
  std::vector<float> values(info.elements());
  const double phase = static_cast<double>(std::hash<std::string>{}(info.name) % 1000);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(phase + static_cast<double>(i)));
  return values;
}

// llama.cpp's name of a Hugging Face tensor.
std::string gguf_name(std::string name) {
  const std::pair<const char*, const char*> rules[] = {{"model.layers.", "blk."},
                                                       {"self_attn.q_proj", "attn_q"},
                                                       {"self_attn.k_proj", "attn_k"},
                                                       {"self_attn.v_proj", "attn_v"},
                                                       {"self_attn.o_proj", "attn_output"},
                                                       {"self_attn.q_norm", "attn_q_norm"},
                                                       {"self_attn.k_norm", "attn_k_norm"},
                                                       {"mlp.gate_proj", "ffn_gate"},
                                                       {"mlp.up_proj", "ffn_up"},
                                                       {"mlp.down_proj", "ffn_down"},
                                                       {"post_attention_layernorm", "ffn_norm"},
                                                       {"input_layernorm", "attn_norm"},
                                                       {"model.embed_tokens", "token_embd"},
                                                       {"model.norm", "output_norm"},
                                                       {"lm_head", "output"}};
  for (const auto& [from, to] : rules) {
    if (const size_t at = name.find(from); at != std::string::npos)
      name.replace(at, std::string(from).size(), to);
  }
  return name;
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : folder_(fs::temp_directory_path() / ("tenon_checkpoint_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~CheckpointTest() override { fs::remove_all(folder_); }

  // Writes config.json and model.safetensors with the tensors this model should have; `leave_out` is not written.
  Config write_hf(const bj::object& json, const std::string& leave_out = "", const std::string& extra = "") {
    std::ofstream(folder_ / "config.json") << bj::serialize(json);
    Config shape;
    shape.architecture = json.at("model_type").as_string();
    shape.layers = number(json, "num_hidden_layers");
    shape.width = number(json, "hidden_size");
    shape.heads = number(json, "num_attention_heads");
    shape.kv_heads = number(json, "num_key_value_heads");
    shape.head_dim = number(json, "head_dim");
    shape.ffn = number(json, "intermediate_size");
    shape.vocab = number(json, "vocab_size");
    shape.tied = json.at("tie_word_embeddings").as_bool();
    shape.qkv_bias = shape.architecture == "qwen2";
    shape.qk_norm = shape.architecture == "qwen3";
    std::vector<TensorInfo> infos = expected_tensors(shape);
    if (!extra.empty()) infos.push_back({extra, {3}, ""});
    std::vector<std::vector<float>> data;
    std::vector<safetensors::Output> outputs;
    for (const TensorInfo& info : infos) {
      if (info.name == leave_out) continue;
      data.push_back(weights(info));
      outputs.push_back({info.name, safetensors::DType::kF32, info.shape, nullptr});
    }
    for (size_t i = 0; i < data.size(); ++i) outputs[i].data = data[i].data();
    safetensors::write((folder_ / "model.safetensors").string(), outputs);
    return shape;
  }
  static uint64_t number(const bj::object& json, const char* key) {
    return static_cast<uint64_t>(json.at(key).as_int64());
  }

  // The same model as a GGUF, with q and k of llama in llama.cpp's order.
  std::string write_gguf(const Config& c, double theta, const std::vector<float>& rope_factors = {}) {
    gguf::testing::Writer w;
    const std::string p = c.architecture + ".";
    w.string("general.architecture", c.architecture);
    w.u32(p + "block_count", static_cast<uint32_t>(c.layers));
    w.u32(p + "embedding_length", static_cast<uint32_t>(c.width));
    w.u32(p + "attention.head_count", static_cast<uint32_t>(c.heads));
    w.u32(p + "attention.head_count_kv", static_cast<uint32_t>(c.kv_heads));
    w.u32(p + "attention.key_length", static_cast<uint32_t>(c.head_dim));
    w.u32(p + "feed_forward_length", static_cast<uint32_t>(c.ffn));
    w.u32(p + "context_length", 64);
    w.f32(p + "attention.layer_norm_rms_epsilon", 1e-5f);
    w.f32(p + "rope.freq_base", static_cast<float>(theta));
    for (const TensorInfo& info : expected_tensors(c)) {
      std::vector<float> values = weights(info), stored = values;
      const bool q = info.name.find("q_proj") != std::string::npos,
                 k = info.name.find("k_proj") != std::string::npos;
      if ((q || k) && c.architecture == "llama") {
        const uint64_t half = c.head_dim / 2, heads = q ? c.heads : c.kv_heads,
                       columns = info.shape.size() > 1 ? c.width : 1;
        for (uint64_t row = 0; row < heads * c.head_dim; ++row) {
          const uint64_t h = row / c.head_dim, r = row % c.head_dim, j = r / half,
                         i = r % half;  // HF row h, j, i
          std::copy_n(values.begin() + static_cast<ptrdiff_t>(row * columns), columns,
                      stored.begin() + static_cast<ptrdiff_t>((h * c.head_dim + 2 * i + j) * columns));
        }
      }
      w.tensor_f32(gguf_name(info.name), {info.shape.rbegin(), info.shape.rend()}, stored);
    }
    if (!rope_factors.empty()) w.tensor_f32("rope_freqs.weight", {rope_factors.size()}, rope_factors);
    const std::string path = (folder_ / "model.gguf").string();
    std::ofstream(path, std::ios::binary) << w.bytes();
    return path;
  }

  std::string error_of(const std::string& path) {
    try {
      open_pretrained(path);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "(no error)";
  }
  std::string error_of() { return error_of(folder_.string()); }

  fs::path folder_;
};

TEST_F(CheckpointTest, BothFormatsAreOneModel) {
  for (const char* architecture : {"llama", "qwen2", "qwen3"}) {
    for (const bool tied : {false, true}) {
      bj::object json = llama_config();
      json["model_type"] = architecture;
      json["tie_word_embeddings"] = tied;
      const Config shape = write_hf(json);
      const Pretrained a = open_pretrained(folder_.string());
      const Pretrained b = open_pretrained(write_gguf(shape, 500000.0));
      EXPECT_EQ(b.config.architecture, architecture);
      EXPECT_EQ(a.config.head_dim, 6u);
      for (const Config* c : {&a.config, &b.config}) {
        EXPECT_EQ(c->layers, 2u);
        EXPECT_EQ(c->width, 10u);
        EXPECT_EQ(c->heads, 4u);
        EXPECT_EQ(c->kv_heads, 2u);
        EXPECT_EQ(c->ffn, 14u);
        EXPECT_EQ(c->vocab, 20u);
        EXPECT_EQ(c->context, 64u);
        EXPECT_EQ(c->rope_theta, 500000.0);
        EXPECT_EQ(c->norm_eps, 1e-5);
        EXPECT_EQ(c->tied, tied);
        EXPECT_EQ(c->qkv_bias, std::string(architecture) == "qwen2");
        EXPECT_EQ(c->qk_norm, std::string(architecture) == "qwen3");
      }
      for (const TensorInfo& info : expected_tensors(a.config)) {
        std::vector<float> x(info.elements()), y(info.elements());
        a.tensors->read_f32(info.name, x.data());
        b.tensors->read_f32(info.name, y.data());
        EXPECT_EQ(x, weights(info)) << info.name;
        EXPECT_EQ(y, weights(info)) << info.name;
        EXPECT_EQ(b.tensors->find(info.name)->shape, info.shape);
      }
      EXPECT_THROW(a.tensors->read_f32("nowhere", nullptr), FormatError);
      EXPECT_THROW(b.tensors->read_f32("nowhere", nullptr), FormatError);
      EXPECT_EQ(b.tokenizer, (folder_ / "model.gguf").string());
      EXPECT_EQ(a.tokenizer, "");
      EXPECT_EQ(open_pretrained((folder_ / "model.safetensors").string()).config.layers, 2u);
    }
  }
}

TEST_F(CheckpointTest, RopeFrequencies) {
  // Llama 3.1 8B; values computed with transformers' modeling_rope_utils.py.
  Config c;
  c.head_dim = 128;
  c.rope_theta = 500000.0;
  EXPECT_EQ(rope_inverse_frequencies(c).size(), 64u);
  EXPECT_EQ(rope_inverse_frequencies(c)[0], 1.0);
  EXPECT_NEAR(rope_inverse_frequencies(c)[63], std::pow(500000.0, -126.0 / 128.0), 1e-18);
  c.rope_scaling = RopeScaling::kLlama3;
  c.rope_factor = 8;
  const auto f = rope_inverse_frequencies(c);
  EXPECT_NEAR(f[28], 0.0032114460, 5e-11);
  EXPECT_NEAR(f[29], 0.0021665708, 5e-11);
  EXPECT_NEAR(f[35], 9.556212e-5, 5e-12);
  c.rope_scaling = RopeScaling::kLinear;
  c.rope_factor = 4;
  EXPECT_EQ(rope_inverse_frequencies(c)[0], 0.25);
}

TEST_F(CheckpointTest, RopeFactorsOfAGgufMatchTheConfig) {
  bj::object json = llama_config();
  json["rope_scaling"] = bj::parse(
      R"({"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":16})");
  const Config shape = write_hf(json);
  const Pretrained a = open_pretrained(folder_.string());
  EXPECT_EQ(a.config.rope_scaling, RopeScaling::kLlama3);
  Config plain = a.config;
  plain.rope_scaling = RopeScaling::kNone;
  const auto wanted = rope_inverse_frequencies(a.config), base = rope_inverse_frequencies(plain);
  std::vector<float> factors;  // what convert_hf_to_gguf.py stores
  for (size_t i = 0; i < wanted.size(); ++i) factors.push_back(static_cast<float>(base[i] / wanted[i]));
  const Pretrained b = open_pretrained(write_gguf(shape, 500000.0, factors));
  EXPECT_EQ(b.config.rope_scaling, RopeScaling::kFactors);
  const auto got = rope_inverse_frequencies(b.config);
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-7 * wanted[i]);
  EXPECT_THAT(error_of(write_gguf(shape, 500000.0, {1.0f})),
              HasSubstr("\"rope_freqs.weight\" must have 3 elements"));
}

TEST_F(CheckpointTest, NewerConfigsNameRopeParameters) {
  bj::object json = llama_config();
  json.erase("rope_theta");
  json["rope_parameters"] = bj::parse(R"({"rope_type":"linear","factor":2.0,"rope_theta":1234.5})");
  write_hf(json);
  const Config c = open_pretrained(folder_.string()).config;
  EXPECT_EQ(c.rope_theta, 1234.5);
  EXPECT_EQ(c.rope_scaling, RopeScaling::kLinear);
  EXPECT_EQ(c.rope_factor, 2.0);
}

TEST_F(CheckpointTest, UnsupportedConfigsAreNamed) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"model_type", R"("mamba")", "model_type: \"mamba\" is not supported; llama, qwen2 and qwen3 are"},
      {"hidden_act", R"("gelu")", "hidden_act: \"gelu\" is not supported"},
      {"mlp_bias", "true", "mlp_bias: true is not supported"},
      {"attention_bias", "true", "attention_bias: true is not supported"},
      {"use_sliding_window", "true", "use_sliding_window: true"},
      {"rope_scaling", R"({"type":"yarn","factor":4})", "rope_scaling: rope type \"yarn\" is not supported"},
      {"rope_scaling", R"({"type":"linear"})", "rope_scaling: member \"factor\" is missing"},
      {"quantization_config", "{}", "quantised safetensors are not supported"},
      {"num_hidden_layers", "0", "the number of layers is 0"},
      {"num_hidden_layers", "5000", "at most 4096"},
      {"num_hidden_layers", "-1", "num_hidden_layers: expected a non-negative integer"},
      {"num_key_value_heads", "3", "4 heads are not a multiple of 3 KV heads"},
      {"head_dim", "5", "head_dim 5 is odd"},
      {"rms_norm_eps", "0", "must be above 0"},
      {"hidden_size", R"("ten")", "hidden_size: expected a non-negative integer, found \"ten\""},
      {"vocab_size", "21", "tensor \"lm_head.weight\" has shape [20, 10]; the config calls for [21, 10]"},
  };
  write_hf(llama_config());
  for (const auto& [key, value, message] : cases) {
    bj::object json = llama_config();
    json[key] = bj::parse(value);
    std::ofstream(folder_ / "config.json") << bj::serialize(json);
    EXPECT_THAT(error_of(), HasSubstr(message));
  }
  bj::object json = llama_config();
  json.erase("hidden_size");
  std::ofstream(folder_ / "config.json") << bj::serialize(json);
  EXPECT_THAT(error_of(), HasSubstr("config.json: (root): member \"hidden_size\" is missing"));
  std::ofstream(folder_ / "config.json") << "{";
  EXPECT_THAT(error_of(), HasSubstr("config.json: byte 1: invalid JSON"));
  fs::remove(folder_ / "config.json");
  EXPECT_THAT(error_of(), HasSubstr("config.json: cannot be opened"));
}

TEST_F(CheckpointTest, TensorsMustFitTheConfig) {
  write_hf(llama_config(), "model.layers.1.mlp.up_proj.weight");
  EXPECT_THAT(error_of(),
              HasSubstr("tensor \"model.layers.1.mlp.up_proj.weight\" of shape [14, 10] is missing"));
  write_hf(llama_config(), "lm_head.weight");
  EXPECT_THAT(error_of(), HasSubstr("\"lm_head.weight\""));
  write_hf(llama_config(), "", "model.layers.0.self_attn.q_proj.bias");
  EXPECT_THAT(
      error_of(),
      HasSubstr("\"model.layers.0.self_attn.q_proj.bias\" of shape [3] is not part of a llama decoder"));
  write_hf(llama_config(), "", "model.layers.0.self_attn.rotary_emb.inv_freq");
  EXPECT_EQ(error_of(), "(no error)");
  EXPECT_THAT(error_of("/no/such/model"), HasSubstr("does not exist"));
  std::ofstream(folder_ / "x.bin") << "x";
  EXPECT_THAT(error_of((folder_ / "x.bin").string()), HasSubstr("is neither a .gguf file"));
}

TEST_F(CheckpointTest, UnsupportedGgufsAreNamed) {
  gguf::testing::Writer w;
  w.string("general.architecture", "gemma");
  const std::string path = (folder_ / "x.gguf").string();
  std::ofstream(path, std::ios::binary) << w.bytes();
  EXPECT_THAT(error_of(path), HasSubstr("general.architecture \"gemma\" is not supported"));
  gguf::testing::Writer bare;
  bare.string("general.architecture", "llama");
  std::ofstream(path, std::ios::binary) << bare.bytes();
  EXPECT_THAT(error_of(path), HasSubstr("metadata key \"llama.block_count\" is missing"));
}

// A real file. Needs TENON_SMOLLM2_GGUF.
TEST(CheckpointModel, SmolLM2HasItsPublishedNumberOfParameters) {
  const char* path = std::getenv("TENON_SMOLLM2_GGUF");
  if (path == nullptr) GTEST_SKIP() << "TENON_SMOLLM2_GGUF is not set";
  const Pretrained model = open_pretrained(path);
  uint64_t parameters = 0;
  for (const TensorInfo& info : model.tensors->tensors()) parameters += info.elements();
  EXPECT_EQ(parameters, 134515008u);
  EXPECT_TRUE(model.config.tied);
  EXPECT_EQ(model.config.rope_theta, 100000.0);
}

}  // namespace
}  // namespace tenon::checkpoint
