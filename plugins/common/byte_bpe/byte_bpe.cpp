// Byte-level BPE: the pipeline from text to ids and back.
// SPDX-License-Identifier: Apache-2.0
#include "byte_bpe/byte_bpe.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <unordered_map>

#include "byte_bpe/added_tokens.h"
#include "byte_bpe/definition.h"
#include "byte_bpe/merges.h"
#include "byte_bpe/regex.h"
#include "byte_bpe/unicode.h"

namespace tenon::bpe {
namespace {

std::string normalize(std::string_view text, NormalForm form) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return std::string(text);
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* out = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &out, static_cast<utf8proc_option_t>(options));
  if (length < 0) throw EncodingError(std::string("normalising text: ") + utf8proc_errmsg(length));
  std::string result(reinterpret_cast<const char*>(out), static_cast<size_t>(length));
  std::free(out);
  return result;
}

std::string normalize(std::string_view text, const std::vector<NormalForm>& forms) {
  std::string result(text);
  for (const NormalForm form : forms) result = normalize(result, form);
  return result;
}

struct CompiledStep {
  bool prefix_space = false;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
  std::optional<Regex> regex;
};

struct TokenEntry {
  std::string bytes;
  bool known = false;
  bool special = false;
};

AddedTokens select(const Definition& definition, bool normalized) {
  std::vector<AddedToken> tokens;
  for (AddedToken token : definition.added) {
    if (token.normalized != normalized) continue;
    if (normalized) token.content = normalize(token.content, definition.normalizers);
    if (!token.content.empty()) tokens.push_back(std::move(token));
  }
  return AddedTokens(std::move(tokens));
}

}  // namespace

struct Tokenizer::State {
  Definition definition;
  MergeTable merges;
  AddedTokens raw_added;         // looked for in the text as it comes
  AddedTokens normalized_added;  // looked for after normalisation
  std::vector<CompiledStep> steps;
  std::vector<TokenEntry> tokens;  // by id
  std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>> added_by_content;

  explicit State(Definition d)
      : definition(std::move(d)),
        merges(definition),
        raw_added(select(definition, false)),
        normalized_added(select(definition, true)) {
    for (const PreTokenizerStep& step : definition.steps) {
      CompiledStep& compiled = steps.emplace_back();
      compiled.prefix_space = step.prefix_space;
      compiled.behavior = step.behavior;
      compiled.invert = step.invert;
      if (!step.prefix_space) compiled.regex.emplace(step.pattern, definition.file, step.where);
    }
    for (const auto& [text, id] : definition.vocab) set_token(id, unmap_bytes(text).value_or(text), false);
    for (const AddedToken& token : definition.added) {
      set_token(token.id, token.content, token.special);
      added_by_content.emplace(token.content, token.id);
    }
    // The compiled tables are all that encode() needs.
    definition.vocab = {};
    definition.merges = {};
  }

  void set_token(int32_t id, std::string bytes, bool special) {
    constexpr int32_t kMaxId = 1 << 24;  // bounds what a corrupt id can cost
    if (id < 0 || id > kMaxId) {
      throw FormatError(definition.file, "token id " + std::to_string(id) + " is out of range; 0 to " +
                                             std::to_string(kMaxId) + " are allowed");
    }
    if (static_cast<size_t>(id) >= tokens.size()) tokens.resize(static_cast<size_t>(id) + 1);
    tokens[static_cast<size_t>(id)] = {std::move(bytes), true, special};
  }

  // Valid UTF-8 without added tokens, already normalised.
  void encode_plain(std::string_view text, MissingByte missing, std::vector<int32_t>& ids) const {
    std::vector<std::string_view> pieces{text}, next;
    std::deque<std::string> storage;  // pieces that got a space in front
    for (const CompiledStep& step : steps) {
      next.clear();
      for (const std::string_view piece : pieces) {
        if (!step.prefix_space) {
          step.regex->split(piece, step.behavior, step.invert, next);
        } else if (piece.starts_with(' ')) {
          next.push_back(piece);
        } else {
          next.push_back(storage.emplace_back(" " + std::string(piece)));
        }
      }
      pieces.swap(next);
    }
    for (const std::string_view piece : pieces) encode_piece(piece, missing, ids);
  }

  void encode_piece(std::string_view piece, MissingByte missing, std::vector<int32_t>& ids) const {
    const size_t bad = merges.encode(piece, missing == MissingByte::kSkip, ids);
    if (bad == std::string_view::npos) return;
    char hex[8];
    std::snprintf(hex, sizeof hex, "0x%02X", static_cast<uint8_t>(piece[bad]));
    throw EncodingError("byte " + std::string(hex) + " in \"" + std::string(piece.substr(0, 40)) +
                        "\" has no token in the vocabulary of " + definition.file);
  }

  void encode_utf8(std::string_view text, const EncodeOptions& options, std::vector<int32_t>& ids) const {
    std::vector<Segment> outer, inner;
    raw_added.split(text, options.parse_special, outer);
    for (const Segment& segment : outer) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
        continue;
      }
      std::string normalized;
      std::string_view rest = segment.text;
      if (!definition.normalizers.empty()) {
        normalized = normalize(rest, definition.normalizers);
        rest = normalized;
      }
      inner.clear();
      normalized_added.split(rest, options.parse_special, inner);
      for (const Segment& part : inner) {
        if (part.id >= 0) {
          ids.push_back(part.id);
        } else {
          encode_plain(part.text, options.missing_byte, ids);
        }
      }
    }
  }
};

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::open(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::exists(path)) throw FormatError(path, "does not exist");
  const fs::path file = fs::is_directory(path) ? fs::path(path) / "tokenizer.json" : fs::path(path);
  if (!fs::exists(file)) throw FormatError(path, "the folder holds no tokenizer.json");
  const bool gguf = file.extension() == ".gguf";
  return Tokenizer(std::make_unique<State>(gguf ? read_gguf_tokenizer(file.string())
                                                : read_tokenizer_json(file.string())));
}

void Tokenizer::encode(std::string_view text, const EncodeOptions& options, std::vector<int32_t>& ids) const {
  const Definition& d = state_->definition;
  if (options.add_prefix) ids.insert(ids.end(), d.prefix.begin(), d.prefix.end());
  for (size_t at = 0; at < text.size();) {
    // A maximal run of valid characters, then a maximal run of bytes that start none.
    size_t end = at, length = 0;
    while (end < text.size() && (length = utf8::length(text, end)) > 0) end += length;
    if (end > at) state_->encode_utf8(text.substr(at, end - at), options, ids);
    at = end;
    while (end < text.size() && utf8::length(text, end) == 0) ++end;
    if (end > at) state_->encode_piece(text.substr(at, end - at), options.missing_byte, ids);
    at = end;
  }
  if (options.add_suffix) ids.insert(ids.end(), d.suffix.begin(), d.suffix.end());
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  encode(text, options, ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= state_->tokens.size() ||
        !state_->tokens[static_cast<size_t>(id)].known) {
      throw EncodingError("token id " + std::to_string(id) + " is not in the vocabulary of " +
                          state_->definition.file + " (0 to " + std::to_string(vocab_size() - 1) + ")");
    }
    const TokenEntry& token = state_->tokens[static_cast<size_t>(id)];
    if (!skip_special || !token.special) text += token.bytes;
  }
  return text;
}

size_t Tokenizer::vocab_size() const {
  return state_->tokens.size();
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= state_->tokens.size()) return {};
  return state_->tokens[static_cast<size_t>(id)].bytes;
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < state_->tokens.size() &&
         state_->tokens[static_cast<size_t>(id)].special;
}

std::optional<int32_t> Tokenizer::find_token(std::string_view text) const {
  if (const auto it = state_->added_by_content.find(text); it != state_->added_by_content.end())
    return it->second;
  const int32_t id = state_->merges.find(text);
  return id == MergeTable::kNone ? std::nullopt : std::optional(id);
}

std::optional<int32_t> Tokenizer::bos() const {
  return state_->definition.bos;
}
std::optional<int32_t> Tokenizer::eos() const {
  return state_->definition.eos;
}
std::optional<int32_t> Tokenizer::pad() const {
  return state_->definition.pad;
}
std::optional<int32_t> Tokenizer::unk() const {
  return state_->definition.unk;
}
const std::vector<int32_t>& Tokenizer::generation_eos() const {
  return state_->definition.generation_eos;
}
const std::string& Tokenizer::chat_template() const {
  return state_->definition.chat_template;
}
const std::string& Tokenizer::path() const {
  return state_->definition.file;
}

}  // namespace tenon::bpe
