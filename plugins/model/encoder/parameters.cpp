// The parameters of the encoder, their gradients, and the packed copies that the forward reads.
// SPDX-License-Identifier: Apache-2.0
#include "parameters.h"

#include <cmath>
#include <numbers>

#include "tenon/kernels/gemm.h"

namespace tenon::encoder {
namespace {

uint64_t fnv1a(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return h;
}

// n numbers of N(0, std²) by Box and Muller, from stream `name` of the host's generator.
void fill_normal(const Host& host, std::string_view name, double std, float* out, uint64_t n) {
  constexpr uint64_t kBlock = 4096;
  std::vector<uint64_t> bits(kBlock);
  for (uint64_t begin = 0; begin < n; begin += kBlock) {
    host.rng(host.seed(), fnv1a(name), begin / 2, bits.data(), kBlock);
    for (uint64_t i = 0; i < std::min(kBlock, n - begin); i += 2) {
      const double u1 = (static_cast<double>(bits[i] >> 11) + 0.5) * 0x1p-53;
      const double u2 = static_cast<double>(bits[i + 1] >> 11) * 0x1p-53;
      const double radius = std * std::sqrt(-2.0 * std::log(u1)), angle = 2.0 * std::numbers::pi * u2;
      out[begin + i] = static_cast<float>(radius * std::cos(angle));
      if (begin + i + 1 < n) out[begin + i + 1] = static_cast<float>(radius * std::sin(angle));
    }
  }
}

DLTensor view(float* data, Parameter& p) {
  return {data, {kDLCPU, 0}, static_cast<int32_t>(p.shape.size()), {kDLFloat, 32, 1}, p.shape.data(), nullptr,
          0};
}

}  // namespace

Parameters::Parameters(const Shape& s) : layers(s.layers), shape_(s) {
  const uint64_t d = s.width;
  words = add("bert.embeddings.word_embeddings.weight", {s.vocab, d}, 0);
  positions = add("bert.embeddings.position_embeddings.weight", {s.positions, d}, 0);
  segments = add("bert.embeddings.token_type_embeddings.weight", {2, d}, 0);
  embedding_norm = norm("bert.embeddings.LayerNorm");
  for (uint64_t i = 0; i < s.layers; ++i) {
    const std::string base = "bert.encoder.layer." + std::to_string(i) + ".";
    Layer& l = layers[i];
    l.qkv = query_key_value(base + "attention.self.");
    l.o = linear(base + "attention.output.dense", d, d, TENON_P_MATRIX);
    l.norm1 = norm(base + "attention.output.LayerNorm");
    l.up = linear(base + "intermediate.dense", s.ffn, d, TENON_P_MATRIX);
    l.down = linear(base + "output.dense", d, s.ffn, TENON_P_MATRIX);
    l.norm2 = norm(base + "output.LayerNorm");
  }
  if (s.pre_norm) final_norm = norm("bert.encoder.LayerNorm");
  pooler = linear("bert.pooler.dense", d, d, TENON_P_MATRIX);
  transform = linear("cls.predictions.transform.dense", d, d, TENON_P_MATRIX);
  transform_norm = norm("cls.predictions.transform.LayerNorm");
  decoder_bias = add("cls.predictions.bias", {s.vocab}, 0);
  next = linear("cls.seq_relationship", 2, d, 0);
  if (s.scalar_head) {
    scalar.in = d, scalar.out = 1, scalar.has_bias = false;
    scalar.weight = add("score.weight", {1, d}, 0);
    take_panels(scalar);
  }
  values_ = Floats(extent_);
  for (Parameter& p : all_) p.value = view(values_.data() + p.offset, p);
}

uint64_t Parameters::add(std::string name, std::vector<uint64_t> shape, uint32_t flags) {
  Parameter p;
  p.name = std::move(name);
  p.flags = flags;
  p.offset = extent_;
  p.count = 1;
  for (uint64_t n : shape) p.count *= n, p.shape.push_back(static_cast<int64_t>(n));
  extent_ += p.count;
  all_.push_back(std::move(p));
  return all_.back().offset;
}

void Parameters::take_panels(Linear& l) {
  l.packed = packed_extent_;
  packed_extent_ += (tenon_linear_packed_size(l.out, l.in) + 15) / 16 * 16;
}

Linear Parameters::linear(const std::string& name, uint64_t out, uint64_t in, uint32_t flags) {
  Linear l;
  l.in = in, l.out = out;
  l.weight = add(name + ".weight", {out, in}, flags);
  l.bias = add(name + ".bias", {out}, 0);
  take_panels(l);
  return l;
}

// One layer, whose three matrices, and whose three biases, follow one another.
Linear Parameters::query_key_value(const std::string& base) {
  const uint64_t d = shape_.width;
  Linear l;
  l.in = d, l.out = 3 * d;
  l.weight = extent_;
  for (const char* name : {"query", "key", "value"}) add(base + name + ".weight", {d, d}, TENON_P_MATRIX);
  l.bias = extent_;
  for (const char* name : {"query", "key", "value"}) add(base + name + ".bias", {d}, 0);
  take_panels(l);
  return l;
}

Norm Parameters::norm(const std::string& name) {
  const uint64_t weight = add(name + ".weight", {shape_.width}, 0);
  return {weight, add(name + ".bias", {shape_.width}, 0)};
}

void Parameters::initialise(const Host& host, double std) {
  for (const Parameter& p : all_) {
    float* out = values_.data() + p.offset;
    if (p.name == "score.weight")
      fill_normal(host, p.name, 1.0 / std::sqrt(static_cast<double>(shape_.width + 1)), out, p.count);
    else if (p.shape.size() == 2)
      fill_normal(host, p.name, std, out, p.count);
    else
      std::fill_n(out, p.count, p.name.ends_with("LayerNorm.weight") ? 1.0f : 0.0f);
  }
  changed();
}

void Parameters::need_gradients() {
  if (!grads_.empty()) return;
  grads_ = Floats(extent_);
  decoder_grad_ = Floats(shape_.vocab * (shape_.width + 1));
  for (Parameter& p : all_) p.grad = view(grads_.data() + p.offset, p);
}

void Parameters::zero_gradients() {
  if (grads_.empty()) return;
  grads_.clear();
  decoder_grad_.clear();
}

void Parameters::finish_gradients() {
  const uint64_t d = shape_.width;
  for (uint64_t v = 0; v < shape_.vocab; ++v) {
    const float* from = decoder_grad_.data() + v * (d + 1);
    float* to = grad(words) + v * d;
    for (uint64_t i = 0; i < d; ++i) to[i] += from[i];
    grad(decoder_bias)[v] += from[d];
  }
  decoder_grad_.clear();
}

std::vector<Linear> Parameters::all_linear() const {
  std::vector<Linear> out{pooler, transform, next};
  if (shape_.scalar_head) out.push_back(scalar);
  for (const Layer& l : layers) out.insert(out.end(), {l.qkv, l.o, l.up, l.down});
  return out;
}

void Parameters::pack(const tenon_executor* ex) {
  if (packed_valid_) return;
  const uint64_t d = shape_.width;
  if (packed_.empty()) {
    packed_ = Floats(packed_extent_);
    decoder_ = Floats(shape_.vocab * (d + 1));
    decoder_packed_ = Floats(tenon_linear_packed_size(shape_.vocab, d + 1));
  }
  for (const Linear& l : all_linear())
    tenon_linear_pack(ex, l.out, l.in, 0, l.out, value(l.weight), l.in, packed_.data() + l.packed);
  for (uint64_t v = 0; v < shape_.vocab; ++v) {
    float* to = decoder_.data() + v * (d + 1);
    std::copy_n(value(words) + v * d, d, to);
    to[d] = value(decoder_bias)[v];
  }
  tenon_linear_pack(ex, shape_.vocab, d + 1, 0, shape_.vocab, decoder_.data(), d + 1, decoder_packed_.data());
  packed_valid_ = true;
}

}  // namespace tenon::encoder
