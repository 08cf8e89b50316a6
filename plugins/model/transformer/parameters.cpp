// The parameters of the model, their gradients, and the packed copies that the forward reads.
// SPDX-License-Identifier: Apache-2.0
#include "parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "tenon/kernels/vector.h"

namespace tenon::transformer {
namespace {

uint64_t fnv1a(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return h;
}

// n numbers of N(0, std²) by Box and Muller, from stream `name` of the host's generator.
void fill_normal(const Host& host, std::string_view name, double std, float* out, uint64_t n) {
  constexpr uint64_t kBlock = 4096;
  const uint64_t stream = fnv1a(name);
  std::vector<uint64_t> bits(kBlock);
  for (uint64_t begin = 0; begin < n; begin += kBlock) {
    host.rng(host.seed(), stream, begin / 2, bits.data(), kBlock);
    for (uint64_t i = 0; i < std::min(kBlock, n - begin); i += 2) {
      const double u1 = (static_cast<double>(bits[i] >> 11) + 0.5) * 0x1p-53;
      const double u2 = static_cast<double>(bits[i + 1] >> 11) * 0x1p-53;
      const double radius = std * std::sqrt(-2.0 * std::log(u1)), angle = 2.0 * std::numbers::pi * u2;
      out[begin + i] = static_cast<float>(radius * std::cos(angle));
      if (begin + i + 1 < n) out[begin + i + 1] = static_cast<float>(radius * std::sin(angle));
    }
  }
}

constexpr const char* kModulePrefix = "model.mtp.";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

DLTensor view(float* data, Parameter& p) {
  return {data, {kDLCPU, 0}, static_cast<int32_t>(p.shape.size()), {kDLFloat, 32, 1}, p.shape.data(), nullptr,
          0};
}

}  // namespace

Parameters::Parameters(const Shape& s, uint64_t usable_vocab, bool with_value_head, bool with_scalar_head,
                       uint64_t mtp_depth)
    : shape_(s), usable_vocab_(usable_vocab) {
  const auto d = static_cast<int64_t>(s.width), vocab = static_cast<int64_t>(s.vocab);
  embedding = add("model.embed_tokens.weight", {vocab, d}, 0);
  for (uint64_t i = 0; i < s.layers; ++i)
    layers.push_back(add_layer("model.layers." + std::to_string(i) + "."));
  final_norm = add("model.norm.weight", {d}, 0);
  const auto usable = static_cast<int64_t>(usable_vocab);
  head = linear(s.tied ? embedding : add("lm_head.weight", {vocab, d}, 0), usable, d);
  if (with_value_head) {
    value_head = linear(add("value_head.weight", {1, d}, 0), 1, d);
    value_head.has_bias = true;
    value_head.bias = add("value_head.bias", {1}, 0);
  }
  if (with_scalar_head) scalar_head = linear(add("score.weight", {1, d}, 0), 1, d);
  for (uint64_t k = 0; k < mtp_depth; ++k) add_module(k);

  values_ = allocate_floats(extent_);
  std::fill_n(values_.get(), extent_, 0.0f);
  for (auto& p : all_) p->value = view(values_.get() + p->offset, *p);
}

Linear Parameters::linear(uint64_t weight, int64_t out, int64_t in) {
  Linear l;
  l.in = static_cast<uint64_t>(in), l.out = static_cast<uint64_t>(out), l.weight = weight;
  l.packed = packed_extent_;
  packed_extent_ += (tenon_linear_packed_size(l.out, l.in) + 15) / 16 * 16;
  return l;
}

Layer Parameters::add_layer(const std::string& base) {
  const Shape& s = shape_;
  const auto d = static_cast<int64_t>(s.width), ff = static_cast<int64_t>(s.ffn),
             hd = static_cast<int64_t>(s.head_dim);
  const auto q_out = static_cast<int64_t>(s.heads) * hd, kv_out = static_cast<int64_t>(s.kv_heads) * hd;
  Layer l;
  l.norm1 = add(base + "input_layernorm.weight", {d}, 0);
  const uint64_t q = add(base + "self_attn.q_proj.weight", {q_out, d}, TENON_P_MATRIX);
  add(base + "self_attn.k_proj.weight", {kv_out, d}, TENON_P_MATRIX);
  add(base + "self_attn.v_proj.weight", {kv_out, d}, TENON_P_MATRIX);
  l.qkv = linear(q, q_out + 2 * kv_out, d);
  if (s.qkv_bias) {
    l.qkv.has_bias = true;
    l.qkv.bias = add(base + "self_attn.q_proj.bias", {q_out}, 0);
    add(base + "self_attn.k_proj.bias", {kv_out}, 0);
    add(base + "self_attn.v_proj.bias", {kv_out}, 0);
  }
  if (s.qk_norm) {
    l.q_norm = add(base + "self_attn.q_norm.weight", {hd}, 0);
    l.k_norm = add(base + "self_attn.k_norm.weight", {hd}, 0);
  }
  l.o = linear(add(base + "self_attn.o_proj.weight", {d, q_out}, TENON_P_MATRIX), d, q_out);
  l.norm2 = add(base + "post_attention_layernorm.weight", {d}, 0);
  const uint64_t gate = add(base + "mlp.gate_proj.weight", {ff, d}, TENON_P_MATRIX);
  add(base + "mlp.up_proj.weight", {ff, d}, TENON_P_MATRIX);
  l.gate_up = linear(gate, 2 * ff, d);
  l.down = linear(add(base + "mlp.down_proj.weight", {d, ff}, TENON_P_MATRIX), d, ff);
  return l;
}

// Names of its own parts as in DeepSeek-V3's weights.
void Parameters::add_module(uint64_t k) {
  const auto d = static_cast<int64_t>(shape_.width);
  const std::string base = kModulePrefix + std::to_string(k) + ".";
  Module m;
  m.hidden_norm = add(base + "hnorm.weight", {d}, 0);
  m.embedding_norm = add(base + "enorm.weight", {d}, 0);
  m.join = linear(add(base + "eh_proj.weight", {d, 2 * d}, TENON_P_MATRIX), d, 2 * d);
  m.block = add_layer(base);
  m.final_norm = add(base + "norm.weight", {d}, 0);
  modules.push_back(m);
}

uint64_t Parameters::add(std::string name, std::vector<int64_t> shape, uint32_t flags) {
  auto p = std::make_unique<Parameter>();
  p->name = std::move(name);
  p->shape = std::move(shape);
  p->flags = flags;
  p->offset = extent_;
  p->count = 1;
  for (int64_t n : p->shape) p->count *= static_cast<uint64_t>(n);
  // One after another without gaps, so that query, key and value are one matrix.
  extent_ += p->count;
  numbers_ += p->count;
  all_.push_back(std::move(p));
  return all_.back()->offset;
}

const Parameter* Parameters::find(std::string_view name) const {
  for (const auto& p : all_)
    if (p->name == name) return p.get();
  return nullptr;
}

void Parameters::initialise(const Host& host, double std, bool pretrained) {
  const double into_residual = std / std::sqrt(2.0 * static_cast<double>(shape_.layers));
  for (const auto& p : all_) {
    float* out = values_.get() + p->offset;
    if (p->name == "value_head.weight" || p->name == "value_head.bias") {
      std::fill_n(out, p->count, 0.0f);
    } else if (p->name == "score.weight") {
      fill_normal(host, p->name, 1.0 / std::sqrt(static_cast<double>(shape_.width + 1)), out, p->count);
    } else if (pretrained && !p->name.starts_with(kModulePrefix)) {
      continue;
    } else if (p->shape.size() == 2) {
      const bool residual = ends_with(p->name, "o_proj.weight") || ends_with(p->name, "down_proj.weight");
      fill_normal(host, p->name, residual ? into_residual : std, out, p->count);
    } else {
      std::fill_n(out, p->count, ends_with(p->name, ".bias") ? 0.0f : 1.0f);
    }
  }
  changed();
}

void Parameters::need_gradients() {
  if (grads_ != nullptr) return;
  grads_ = allocate_floats(extent_);
  std::memset(grads_.get(), 0, extent_ * sizeof(float));
  auto zeros = [](uint64_t n) {
    Floats out = allocate_floats(n);
    std::memset(out.get(), 0, n * sizeof(float));
    return out;
  };
  if (shape_.tied) lookup_grads_ = zeros(embedding_numbers());
  if (!modules.empty()) module_grads_ = zeros(modules.size() * 2 * embedding_numbers());
  for (auto& p : all_) p->grad = view(grads_.get() + p->offset, *p);
}

void Parameters::zero_gradients(const tenon_executor* ex) {
  if (grads_ == nullptr) return;
  tenon_zero(ex, extent_, grads_.get());
  if (lookup_grads_ != nullptr) tenon_zero(ex, embedding_numbers(), lookup_grads_.get());
  if (modules_given_) tenon_zero(ex, modules.size() * 2 * embedding_numbers(), module_grads_.get());
  modules_given_ = false;
}

void Parameters::finish_gradients(const tenon_executor* ex) {
  const uint64_t n = embedding_numbers();
  auto move = [&](float* from, uint64_t to) {
    tenon_add(ex, n, grad(to), from, grad(to));
    tenon_zero(ex, n, from);
  };
  if (lookup_grads_ != nullptr) move(lookup_grads_.get(), embedding);
  if (!modules_given_) return;
  for (uint64_t k = 1; k <= modules.size(); ++k)
    move(head_grad(k), head.weight), move(lookup_grad(k), embedding);
  modules_given_ = false;
}

float* Parameters::module_grad(uint64_t module, uint64_t which) {
  modules_given_ = true;
  return module_grads_.get() + (2 * (module - 1) + which) * embedding_numbers();
}

float* Parameters::lookup_grad(uint64_t module) {
  if (module > 0) return module_grad(module, 0);
  return lookup_grads_ != nullptr ? lookup_grads_.get() : grad(embedding);
}

float* Parameters::head_grad(uint64_t module) {
  return module > 0 ? module_grad(module, 1) : grad(head.weight);
}

void Parameters::pack(const tenon_executor* ex) {
  if (packed_valid_) return;
  if (packed_ == nullptr) packed_ = allocate_floats(packed_extent_);
  auto pack_one = [&](const Linear& l) {
    if (l.in != 0)
      tenon_linear_pack(ex, l.out, l.in, 0, l.out, value(l.weight), l.in, packed_.get() + l.packed);
  };
  for (uint64_t i = 0; i < layers.size() + modules.size(); ++i) {
    const Layer& l = block(i);
    pack_one(l.qkv), pack_one(l.o), pack_one(l.gate_up), pack_one(l.down);
  }
  for (const Module& m : modules) pack_one(m.join);
  pack_one(head), pack_one(value_head), pack_one(scalar_head);
  packed_valid_ = true;
}

}  // namespace tenon::transformer
