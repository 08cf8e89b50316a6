// The shape of a decoder, from the options or from a checkpoint that these must agree with.
// SPDX-License-Identifier: Apache-2.0
#include "shape.h"

#include <cmath>
#include <functional>
#include <sstream>

namespace tenon::transformer {
namespace {

std::optional<bool> boolean_if(const Host& host, const char* path) {
  int32_t value = 0;
  const int32_t rc = host.raw()->get_bool(host.raw(), path, &value);
  if (rc == TENON_END) return std::nullopt;
  if (rc < 0)
    throw Error(rc, std::string("option ") + path + ": not in the option table, or read as another type");
  return value != 0;
}

using Report = std::function<void(const char* path, const std::string& text)>;

// The rules between the options of a model from scratch.
void check_scratch(const ShapeOptions& o, const Report& report) {
  auto require = [&](const char* name, const std::optional<int64_t>& value) {
    if (!value) report(name, std::string("is required where no `weights` are given"));
  };
  require("layers", o.layers), require("width", o.width), require("heads", o.heads);
  if (!o.heads || !o.width) return;

  if (!o.head_dim && *o.width % *o.heads != 0)
    report("heads", "width " + std::to_string(*o.width) + " is not a multiple of heads " +
                        std::to_string(*o.heads) + ": change one of them, or give head_dim");
  const int64_t head_dim = o.head_dim.value_or(*o.width / *o.heads);
  if (head_dim % 8 != 0 || head_dim < 8 || head_dim > 256)
    report(o.head_dim ? "head_dim" : "heads", "a head is " + std::to_string(head_dim) +
                                                  " wide; it must be a multiple of 8 from 8 to 256" +
                                                  (o.head_dim ? "" : " (width / heads, or give head_dim)"));
  const int64_t kv_heads = o.kv_heads.value_or(*o.heads);
  if (*o.heads % kv_heads != 0)
    report("kv_heads", "heads " + std::to_string(*o.heads) + " is not a multiple of kv_heads " +
                           std::to_string(kv_heads));
}

}  // namespace

ShapeOptions read_shape_options(const Host& host) {
  ShapeOptions o;
  o.family = host.str_if("family");
  o.weights = host.str_if("weights");
  o.layers = host.i64_if("layers");
  o.width = host.i64_if("width");
  o.heads = host.i64_if("heads");
  o.kv_heads = host.i64_if("kv_heads");
  o.head_dim = host.i64_if("head_dim");
  o.ffn = host.i64_if("ffn");
  o.max_len = host.i64_if("max_len");
  o.rope_theta = host.f64_if("rope_theta");
  o.norm_eps = host.f64_if("norm_eps");
  o.tie_embeddings = boolean_if(host, "tie_embeddings");
  o.value_head = host.boolean("value_head");
  o.scalar_head = host.boolean("scalar_head");
  o.mtp_depth = host.i64("mtp_depth");
  return o;
}

void check_shape_options(const ShapeOptions& options, Findings& findings) {
  if (options.weights) return;  // their shape is known when they are opened
  check_scratch(options, [&](const char* path, const std::string& text) { findings.error(path, text); });
}

Shape shape_from_scratch(const ShapeOptions& o, uint64_t vocab) {
  check_scratch(
      o, [](const char* path, const std::string& text) { throw Error(std::string(path) + ": " + text); });
  if (vocab == 0) throw Error("tokenizer: it has no ids");
  Shape s;
  s.architecture = o.family.value_or("llama");
  s.layers = static_cast<uint64_t>(*o.layers);
  s.width = static_cast<uint64_t>(*o.width);
  s.heads = static_cast<uint64_t>(*o.heads);
  s.kv_heads = static_cast<uint64_t>(o.kv_heads.value_or(*o.heads));
  s.head_dim = static_cast<uint64_t>(o.head_dim.value_or(*o.width / *o.heads));
  s.ffn = static_cast<uint64_t>(o.ffn.value_or(4 * *o.width));
  s.vocab = vocab;
  s.context = static_cast<uint64_t>(o.max_len.value_or(1024));
  s.rope_theta = o.rope_theta.value_or(10000.0);
  s.norm_eps = o.norm_eps.value_or(1e-5);
  s.tied = o.tie_embeddings.value_or(true);
  s.qkv_bias = s.architecture == "qwen2";
  s.qk_norm = s.architecture == "qwen3";
  return s;
}

void check_agreement(const ShapeOptions& o, const Shape& s, const std::string& weights) {
  auto differ = [&](const char* name, const auto& written, const auto& there) {
    std::ostringstream text;
    text << std::boolalpha << name << ": " << written << ", but " << weights << " has " << there
         << ": remove the option, or name other weights";
    throw Error(text.str());
  };
  auto agree = [&](const char* name, const auto& written, auto there) {
    if (written && static_cast<decltype(there)>(*written) != there) differ(name, *written, there);
  };
  // GGUF stores these in fp32.
  auto agree_real = [&](const char* name, const std::optional<double>& written, double there) {
    if (written && std::fabs(*written - there) > 1e-6 * std::fabs(there)) differ(name, *written, there);
  };
  agree("family", o.family, s.architecture);
  agree("layers", o.layers, s.layers);
  agree("width", o.width, s.width);
  agree("heads", o.heads, s.heads);
  agree("kv_heads", o.kv_heads, s.kv_heads);
  agree("head_dim", o.head_dim, s.head_dim);
  agree("ffn", o.ffn, s.ffn);
  agree_real("rope_theta", o.rope_theta, s.rope_theta);
  agree_real("norm_eps", o.norm_eps, s.norm_eps);
  agree("tie_embeddings", o.tie_embeddings, s.tied);
  if (o.max_len && static_cast<uint64_t>(*o.max_len) > s.context)
    throw Error("max_len: " + std::to_string(*o.max_len) + " tokens, but " + weights + " was trained for " +
                std::to_string(s.context) + ": give at most that");
  if (s.head_dim % 8 != 0 || s.head_dim > 256)
    throw Error(TENON_E_UNSUPPORTED, "weights: " + weights + ": its heads are " + std::to_string(s.head_dim) +
                                         " wide; supported are multiples of 8 up to 256");
}

void check_tokenizer_size(uint64_t tokenizer, uint64_t vocab, const std::string& weights) {
  if (tokenizer <= vocab && vocab - tokenizer <= kMostPaddingIds) return;
  throw Error("tokenizer: it has " + std::to_string(tokenizer) + " ids, but the embedding of " + weights +
              " has " + std::to_string(vocab) + " rows: give the tokenizer that belongs to these weights");
}

}  // namespace tenon::transformer
