// GGUF's tensor types and their conversion to float.
// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>

#include "gguf/block_types.h"
#include "gguf/gguf.h"
#include "safetensors/safetensors.h"

namespace tenon::gguf {
namespace {

using safetensors::bf16_to_f32;
using safetensors::f16_to_f32;

// ggml.h, enum ggml_type, and the block structs of ggml-common.h. The quantised types beyond Q8_0 are listed so
// that an error can name them and a file that holds them beside readable tensors can be opened.
constexpr std::array<BlockType, 21> kBlockTypes{
    {{kF32, "F32", 1, 4},    {kF16, "F16", 1, 2},    {kQ4_0, "Q4_0", 32, 18},  {kQ4_1, "Q4_1", 32, 20},
     {6, "Q5_0", 32, 22},    {7, "Q5_1", 32, 24},    {kQ8_0, "Q8_0", 32, 34},  {9, "Q8_1", 32, 36},
     {10, "Q2_K", 256, 84},  {11, "Q3_K", 256, 110}, {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
     {14, "Q6_K", 256, 210}, {20, "IQ4_NL", 32, 18}, {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},
     {25, "I16", 1, 2},      {26, "I32", 1, 4},      {27, "I64", 1, 8},        {28, "F64", 1, 8},
     {kBF16, "BF16", 1, 2}}};

constexpr uint64_t kBlock = 32;  // elements in a block of Q4_0, Q4_1 and Q8_0

uint16_t load_u16(const std::byte* at) {
  uint16_t bits;
  std::memcpy(&bits, at, 2);
  return bits;
}

// Block: scale d (F16), 16 bytes; element i is the low nibble of byte i, element i + 16 its high one. d * (q - 8).
void dequantize_q4_0(const std::byte* at, uint64_t blocks, float* out) {
  for (uint64_t b = 0; b < blocks; ++b, at += 18, out += kBlock) {
    const float d = f16_to_f32(load_u16(at));
    for (uint64_t i = 0; i < 16; ++i) {
      const auto byte = static_cast<uint8_t>(at[2 + i]);
      out[i] = static_cast<float>((byte & 15) - 8) * d;
      out[i + 16] = static_cast<float>((byte >> 4) - 8) * d;
    }
  }
}

// Block: scale d, minimum m (F16 both), 16 bytes as in Q4_0. d * q + m, rounded after each operation.
void dequantize_q4_1(const std::byte* at, uint64_t blocks, float* out) {
  for (uint64_t b = 0; b < blocks; ++b, at += 20, out += kBlock) {
    const float d = f16_to_f32(load_u16(at));
    const float m = f16_to_f32(load_u16(at + 2));
    for (uint64_t i = 0; i < 16; ++i) {
      const auto byte = static_cast<uint8_t>(at[4 + i]);
      out[i] = static_cast<float>(byte & 15) * d + m;
      out[i + 16] = static_cast<float>(byte >> 4) * d + m;
    }
  }
}

// Block: scale d (F16), 32 signed bytes. d * q.
void dequantize_q8_0(const std::byte* at, uint64_t blocks, float* out) {
  for (uint64_t b = 0; b < blocks; ++b, at += 34, out += kBlock) {
    const float d = f16_to_f32(load_u16(at));
    for (uint64_t i = 0; i < kBlock; ++i) out[i] = static_cast<float>(static_cast<int8_t>(at[2 + i])) * d;
  }
}

}  // namespace

const BlockType* find_block_type(uint32_t type) {
  for (const BlockType& block : kBlockTypes) {
    if (block.type == type) return &block;
  }
  return nullptr;
}

std::string tensor_type_name(uint32_t type) {
  const BlockType* block = find_block_type(type);
  return block != nullptr ? std::string(block->name) : "type " + std::to_string(type);
}

void File::dequantize(const Tensor& tensor, uint64_t first_row, uint64_t n_rows, float* out) const {
  const uint64_t rows = tensor.rows();
  if (first_row > rows || n_rows > rows - first_row) {
    throw FormatError(path(), "tensor \"" + tensor.name + "\": rows " + std::to_string(first_row) + " to " +
                                  std::to_string(first_row + n_rows) + " of " + std::to_string(rows));
  }
  const BlockType* block = find_block_type(tensor.type);
  const uint64_t row_blocks = block == nullptr ? 0 : tensor.row_length() / block->elements;
  const std::byte* at =
      block == nullptr ? nullptr : tensor.data.data() + first_row * row_blocks * block->bytes;
  const uint64_t blocks = n_rows * row_blocks;
  switch (tensor.type) {
    case kF32:
      if (blocks > 0) std::memcpy(out, at, blocks * 4);
      return;
    case kF16:
      for (uint64_t i = 0; i < blocks; ++i) out[i] = f16_to_f32(load_u16(at + 2 * i));
      return;
    case kBF16:
      for (uint64_t i = 0; i < blocks; ++i) out[i] = bf16_to_f32(load_u16(at + 2 * i));
      return;
    case kQ4_0:
      return dequantize_q4_0(at, blocks, out);
    case kQ4_1:
      return dequantize_q4_1(at, blocks, out);
    case kQ8_0:
      return dequantize_q8_0(at, blocks, out);
    default:
      throw FormatError(path(), tensor.offset,
                        "tensor \"" + tensor.name + "\" is of type " + tensor_type_name(tensor.type) +
                            "; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 can be read");
  }
}

void unpermute_rope_rows(const float* in, uint64_t heads, uint64_t head_dim, uint64_t width, float* out) {
  const uint64_t half = head_dim / 2;
  for (uint64_t h = 0; h < heads; ++h) {
    for (uint64_t i = 0; i < half; ++i) {
      for (uint64_t j = 0; j < 2; ++j) {
        std::memcpy(out + (h * head_dim + j * half + i) * width, in + (h * head_dim + 2 * i + j) * width,
                    width * sizeof(float));
      }
    }
  }
}

}  // namespace tenon::gguf
