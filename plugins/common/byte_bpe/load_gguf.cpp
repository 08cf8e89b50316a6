// Reading the tokenizer in a GGUF's metadata.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "byte_bpe/definition.h"
#include "byte_bpe/unicode.h"
#include "gguf/gguf.h"

namespace tenon::bpe {
namespace {

// llama.cpp's llama_token_type.
enum TokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

constexpr char kDigit[] = R"(\p{N})";
constexpr char kLlama3[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kQwen2[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kDeepSeekNumbers[] = R"(\p{N}{1,3})";
constexpr char kDeepSeekCjk[] = "[一-龥぀-ゟ゠-ヿ]+";
constexpr char kDeepSeekWords[] =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// One value of tokenizer.ggml.pre: what the original tokenizer.json did.
struct PreTokenizer {
  std::string_view name;
  std::array<const char*, 3> patterns;  // splits in order; nullptr after the last
  bool nfc = false;                     // llama.cpp itself does not normalise; Hugging Face does
  bool ignore_merges = false;
  bool add_bos = false;  // where tokenizer.ggml.add_bos_token is missing
};
constexpr std::array<PreTokenizer, 9> kPreTokenizers{{
    {"gpt-2", {kGpt2Pattern}},
    {"smollm", {kDigit, kGpt2Pattern}},
    {"starcoder", {kDigit, kGpt2Pattern}},
    {"llama-bpe", {kLlama3}, false, true, true},
    {"llama3", {kLlama3}, false, true, true},
    {"llama-v3", {kLlama3}, false, true, true},
    {"qwen2", {kQwen2}, true},
    {"deepseek-r1-qwen", {kQwen2}, true},
    {"deepseek-v3", {kDeepSeekNumbers, kDeepSeekCjk, kDeepSeekWords}},
}};

[[noreturn]] void fail(const gguf::File& file, const std::string& key, const std::string& what) {
  throw FormatError(file.path(), "metadata key \"" + key + "\": " + what);
}

const PreTokenizer& find_pre_tokenizer(const gguf::File& file) {
  const std::string key = "tokenizer.ggml.pre";
  const std::string_view name = file.string(key);
  std::string known;
  for (const PreTokenizer& pre : kPreTokenizers) {
    if (pre.name == name) return pre;
    known += (known.empty() ? "" : ", ") + std::string(pre.name);
  }
  fail(file, key,
       "pre-tokenizer \"" + std::string(name) + "\" is not known (" + known +
           " are); use the model's tokenizer.json instead");
}

std::string_view string_element(const gguf::File& file, const std::string& key,
                                std::span<const gguf::Value> array, size_t i) {
  if (array[i].type != gguf::ValueType::kString)
    fail(file, key, "element " + std::to_string(i) + " is not a string");
  return std::get<std::string_view>(array[i].data);
}

int64_t integer_element(const gguf::File& file, const std::string& key, std::span<const gguf::Value> array,
                        size_t i) {
  if (const auto* value = std::get_if<int64_t>(&array[i].data)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&array[i].data)) return static_cast<int64_t>(*value);
  fail(file, key, "element " + std::to_string(i) + " is not an integer");
}

void read_tokens(const gguf::File& file, Definition& d) {
  const std::string tokens_key = "tokenizer.ggml.tokens", types_key = "tokenizer.ggml.token_type";
  const auto tokens = file.array(tokens_key);
  const auto types = file.array(types_key);
  if (types.size() != tokens.size()) {
    fail(file, types_key,
         "has " + std::to_string(types.size()) + " elements, " + tokens_key + " has " +
             std::to_string(tokens.size()));
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view text = string_element(file, tokens_key, tokens, i);
    const auto id = static_cast<int32_t>(i);
    switch (integer_element(file, types_key, types, i)) {
      case kControl:
      case kUserDefined:
        if (text.empty())
          fail(file, tokens_key, "element " + std::to_string(i) + " is an empty control token");
        d.added.push_back({.id = id,
                           .content = std::string(text),
                           .special = integer_element(file, types_key, types, i) == kControl});
        [[fallthrough]];
      case kNormal:
      case kUnknown:
      case kUnused:
        d.vocab.emplace_back(text, id);
        break;
      default:
        fail(file, types_key,
             "element " + std::to_string(i) + " is " +
                 std::to_string(integer_element(file, types_key, types, i)) + "; 1 to 5 are supported");
    }
  }
}

void read_merges(const gguf::File& file, Definition& d) {
  d.merges_where = "tokenizer.ggml.merges";
  const auto merges = file.array(d.merges_where);
  d.merges.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const std::string_view pair = string_element(file, d.merges_where, merges, i);
    const size_t space = pair.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == pair.size()) {
      fail(file, d.merges_where,
           "element " + std::to_string(i) + ", \"" + std::string(pair) +
               "\", is not two tokens with a space between");
    }
    d.merges.emplace_back(pair.substr(0, space), pair.substr(space + 1));
  }
}

std::optional<int32_t> named_token(const gguf::File& file, const std::string& key, const Definition& d) {
  if (!file.has(key)) return std::nullopt;
  const uint64_t id = file.unsigned_integer(key);
  if (id >= d.vocab.size())
    fail(file, key, std::to_string(id) + " is not below the vocabulary of " + std::to_string(d.vocab.size()));
  return static_cast<int32_t>(id);
}

}  // namespace

Definition read_gguf_tokenizer(const std::string& path) {
  const gguf::File file(path);
  const std::string model_key = "tokenizer.ggml.model";
  if (!file.has(model_key))
    throw FormatError(path, "has no tokenizer (metadata key \"" + model_key + "\" is missing)");
  if (file.string(model_key) != "gpt2") {
    fail(file, model_key,
         "\"" + std::string(file.string(model_key)) + "\" is not supported; gpt2 (byte-level BPE) is");
  }
  const PreTokenizer& pre = find_pre_tokenizer(file);
  Definition d;
  d.file = path;
  d.ignore_merges = pre.ignore_merges;
  if (pre.nfc) d.normalizers.push_back(NormalForm::kNfc);
  for (const char* pattern : pre.patterns) {
    if (pattern != nullptr) d.steps.push_back({.pattern = pattern, .where = "tokenizer.ggml.pre"});
  }
  read_tokens(file, d);
  read_merges(file, d);
  d.bos = named_token(file, "tokenizer.ggml.bos_token_id", d);
  d.eos = named_token(file, "tokenizer.ggml.eos_token_id", d);
  d.pad = named_token(file, "tokenizer.ggml.padding_token_id", d);
  d.unk = named_token(file, "tokenizer.ggml.unknown_token_id", d);
  const std::string bos_key = "tokenizer.ggml.add_bos_token", eos_key = "tokenizer.ggml.add_eos_token";
  if (file.has(bos_key) ? file.boolean(bos_key) : pre.add_bos) {
    if (!d.bos) fail(file, bos_key, "a BOS is to be added, but tokenizer.ggml.bos_token_id is missing");
    d.prefix.push_back(*d.bos);
  }
  if (file.has(eos_key) && file.boolean(eos_key)) {
    if (!d.eos) fail(file, eos_key, "an EOS is to be added, but tokenizer.ggml.eos_token_id is missing");
    d.suffix.push_back(*d.eos);
  }
  if (file.has("tokenizer.chat_template")) d.chat_template = file.string("tokenizer.chat_template");
  return d;
}

}  // namespace tenon::bpe
