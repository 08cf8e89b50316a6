// Byte-level BPE tokenizers, from tokenizer.json or from a GGUF's own metadata.
// SPDX-License-Identifier: Apache-2.0
//
// The pipeline of Hugging Face's `tokenizers`: added tokens are cut out of the text, the rest is normalised (NFC),
// split by regular expressions, and every piece's bytes are merged by rank (Sennrich et al. 2016, over bytes).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "file/format_error.h"

namespace tenon::bpe {

using io::FormatError;

// What encode() does with a byte that has no token of its own (SmolLM2's vocabulary lacks 21 of the 256, all of them
// control characters or bytes of rare or invalid UTF-8) when the tokenizer has no unk_token.
enum class MissingByte {
  kError,  // throw: no text is lost in silence
  kSkip,   // leave the byte out, as Hugging Face's tokenizers does
};

struct EncodeOptions {
  bool parse_special = true;  // "<|im_end|>" in the text becomes the control token; false: it is plain text
  bool add_prefix = false;    // put first what the post-processor puts first (Llama-3's and DeepSeek's BOS)
  bool add_suffix = false;    // put last what it puts last
  MissingByte missing_byte = MissingByte::kError;
};

// Thrown by encode() and decode() for text or ids that this vocabulary cannot represent.
class EncodingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Immutable after open: any thread may call any method.
class Tokenizer {
 public:
  // `path`: a tokenizer.json, a folder that holds one, or a .gguf file. tokenizer_config.json, generation_config.json
  // and chat_template.jinja in the same folder are read where they exist. Throws FormatError naming the file and the JSON path, byte offset or
  // metadata key: unreadable, malformed, or a feature that would change the ids and is not supported. The truncation
  // and padding members are not applied, as in transformers.
  static Tokenizer open(const std::string& path);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Appends the ids of `text`. Valid UTF-8 gives the ids that Hugging Face's tokenizers gives. Each run of bytes that
  // is not UTF-8 is a piece of its own, whose bytes are merged like any other's, so decode() returns the exact input
  // (where Python would have replaced the bytes by U+FFFD). Throws EncodingError naming byte and offset, see
  // MissingByte.
  void encode(std::string_view text, const EncodeOptions& options, std::vector<int32_t>& ids) const;
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  // The concatenated bytes of the tokens: decode(encode(x)) == x, apart from what NFC changes. A prefix of the ids may
  // end inside a character. `skip_special` leaves control tokens out. Throws EncodingError for an id that has no token.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // Highest id + 1. A model's embedding may have more rows.
  size_t vocab_size() const;
  // The bytes of a token; empty for an id without one. An added token's bytes are its content.
  std::string_view token_bytes(int32_t id) const;
  bool is_special(int32_t id) const;  // a control token
  // The token whose text is exactly `text` (added tokens first), if there is one.
  std::optional<int32_t> find_token(std::string_view text) const;

  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  std::optional<int32_t> pad() const;
  std::optional<int32_t> unk() const;
  // eos_token_id of a generation_config.json beside the tokenizer: ids that end a completion, eos() among them or not. Empty: none.
  const std::vector<int32_t>& generation_eos() const;

  const std::string& chat_template() const;  // Jinja source, "" when there is none
  const std::string& path() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tenon::bpe
