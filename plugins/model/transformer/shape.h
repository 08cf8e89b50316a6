// The shape of a decoder, from the options or from a checkpoint that these must agree with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "checkpoint/checkpoint.h"
#include "tenon/host.hpp"

namespace tenon::transformer {

using Shape = checkpoint::Config;

// Padding rows of an embedding beyond the tokenizer's ids that are taken for what they are (Qwen has up to
// 421); more means the wrong tokenizer.
constexpr uint64_t kMostPaddingIds = 1024;

// What was written in the configuration; absent where it was not.
struct ShapeOptions {
  std::optional<std::string> family, weights;
  std::optional<int64_t> layers, width, heads, kv_heads, head_dim, ffn, max_len;
  std::optional<double> rope_theta, norm_eps;
  std::optional<bool> tie_embeddings;
  bool value_head = false, scalar_head = false;
  int64_t mtp_depth = 0;
};

ShapeOptions read_shape_options(const Host& host);

// Reports to `findings` what is missing or contradicts itself. Opens nothing.
void check_shape_options(const ShapeOptions& options, Findings& findings);

// The shape of a model from scratch; throws Error where check_shape_options would report one. vocab: the
// tokenizer's size.
Shape shape_from_scratch(const ShapeOptions& options, uint64_t vocab);

// Throws Error naming both values where an option contradicts the checkpoint.
void check_agreement(const ShapeOptions& options, const Shape& shape, const std::string& weights);

// Throws Error naming both sizes where a tokenizer does not fit the model's embedding.
void check_tokenizer_size(uint64_t tokenizer, uint64_t vocab, const std::string& weights);

}  // namespace tenon::transformer
