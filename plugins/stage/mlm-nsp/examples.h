// From documents to what BERT reads: pairs of segments, some of their tokens masked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "masked_lm/masked_lm.h"
#include "tenon/stage.hpp"

namespace tenon::mlm_nsp {

// Numbers of one stream of the host's generator: the same for the same host, stream and example, whoever asked before.
class Draws {
 public:
  Draws(const Host& host, uint64_t stream, uint64_t example)
      : host_(host), stream_(stream), block_(example << 32) {}
  // Below n > 0, evenly.
  uint64_t below(uint64_t n);
  // In [0, 1).
  double share();

 private:
  uint64_t next();

  static constexpr uint64_t kAtOnce = 64;
  Host host_;
  uint64_t stream_, block_;
  std::vector<uint64_t> numbers_;
  size_t used_ = 0;
};

// The sentences of a document, as ids.
using Document = std::vector<std::vector<int32_t>>;

// The texts between `separator` in the row's prompt, then those in its completion, without white space at their ends; empty ones are left out.
// Throws Error for a row with messages, and for one of fewer than two sentences.
Document read_document(const Row& row, const Tokenizer& tokenizer, const std::string& separator);

// `[CLS] a [SEP] b [SEP]`.
struct Example {
  std::vector<int32_t> ids, target;  // target: -1 where nothing is masked
  std::vector<uint8_t> segment;
  int32_t next = 0;  // 0: b follows a in its document; 1: it is of another one
};

struct ExampleRules {
  tenon_masked_lm_info model;     // ids of special tokens, vocabulary, length
  uint64_t segment_sentences;     // most sentences of a segment; 0: as many as there are
  double mask_rate;               // share of the tokens that are masked
  std::vector<int32_t> ordinary;  // ids that are not special, rising
};

// The ids below `model`'s vocabulary that `tokenizer` writes as text: without the model's special tokens and its own ([PAD], [UNK], an end).
std::vector<int32_t> ordinary_ids(const Tokenizer& tokenizer, const tenon_masked_lm_info& model);

// a: the sentences before a place drawn in documents[i]; b: with probability ½ those behind it, else those from a place drawn in another document on, which is
// none that is the same as documents[i]; where all are the same, b follows a. Where
// both are longer than the model reads, the longer one loses tokens, a at its beginning and b at its end, so that the two still meet.
// documents: at least two.
Example make_pair(std::span<const Document> documents, size_t i, const ExampleRules& rules, Draws& draws);

// Masks max(1, round(mask_rate · n)) of the n tokens that are not special: of these 80 % become [MASK], 10 % a token drawn evenly from those that are not
// special, and 10 % stay (Devlin et al. 2018, §3.1).
void mask_tokens(const ExampleRules& rules, Draws& draws, Example& example);

}  // namespace tenon::mlm_nsp
