// The plugin: the option table of model `encoder`.
// SPDX-License-Identifier: Apache-2.0
#include "encoder.h"

namespace tenon::encoder {
namespace {

constexpr const char* kNorms[] = {"post", "pre", nullptr};

constexpr OptionTable kOptions{
    reference("tokenizer", "tokenizer", nullptr, "The tokenizer; its size is the vocabulary.",
              {.flags = TENON_O_REQUIRED}),
    integer("layers", nullptr, "Encoder blocks.", {.min = "1", .max = "1000", .flags = TENON_O_REQUIRED}),
    integer("width", nullptr, "Width of the hidden state.",
            {.min = "1", .max = "65536", .flags = TENON_O_REQUIRED}),
    integer("heads", nullptr, "Attention heads; the width is a multiple of them.",
            {.min = "1", .max = "1024", .flags = TENON_O_REQUIRED}),
    integer("ffn", nullptr, "Inner width of the feed-forward layer. Absent: 4 · width.",
            {.min = "1", .max = "1048576"}),
    integer("max_len", "512", "The longest sequence, its special tokens included.",
            {.min = "3", .max = "1048576", .unit = "tokens"}),
    choice(
        "norm", kNorms, "\"post\"",
        "Where the layer norms are: post: behind each sub-layer, as in BERT; pre: before it, and one behind "
        "the last block, which trains more evenly when there are many layers."),
    number("norm_eps", "1e-12", "Epsilon of the layer norms.", {.min = "0", .max = "1"}),
    number("init_std", "0.02", "Standard deviation of random matrices and embeddings.",
           {.min = "0", .max = "1"}),
    boolean("scalar_head", "false",
            "A head that gives one number per sequence, from the pooled first token (a reward model)."),
    text("cls", "\"[CLS]\"", "The tokenizer's token that stands before every sequence."),
    text("sep", "\"[SEP]\"", "The tokenizer's token that ends a segment."),
    text("mask", "\"[MASK]\"", "The tokenizer's token that stands for a masked one."),
};

// State is in tensors, so it is not stateless.
constexpr tenon_component kComponent{
    sizeof(tenon_component),
    TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT,
    "model",
    "encoder",
    "0.1.0",
    "Bidirectional encoder (BERT): masked tokens, next sentences, reward models",
    Encoder::kDoc,
    kOptions,
    &Life<Encoder>::kTable,
    &ModelShim<Encoder>::kTable,
    1,
    0,
    nullptr};

}  // namespace
}  // namespace tenon::encoder

TENON_PLUGIN("encoder", "0.1.0", &tenon::encoder::kComponent)
