// Conversions between the 16-bit floating-point formats and float.
// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cstring>

#include "safetensors/safetensors.h"

namespace tenon::safetensors {

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f;
  uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // subnormal, exact in float
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);   // NaN, quiet
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u) {
    // Below the smallest normal, 2^-14: adding 0.5 makes the float adder round to a multiple of 2^-24, to even.
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - (112u << 23) + 0xfffu + odd) >> 13));
}

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

void read_f32(const View& view, float* out, const std::string& file) {
  const std::byte* at = view.data.data();
  switch (view.dtype) {
    case DType::kF32:
      if (view.elements > 0) std::memcpy(out, at, view.data.size());
      return;
    case DType::kF16:
    case DType::kBF16:
      for (uint64_t i = 0; i < view.elements; ++i) {
        uint16_t bits;
        std::memcpy(&bits, at + 2 * i, 2);
        out[i] = view.dtype == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
      }
      return;
    case DType::kF64:
      for (uint64_t i = 0; i < view.elements; ++i) {
        double wide;
        std::memcpy(&wide, at + 8 * i, 8);
        out[i] = static_cast<float>(wide);
      }
      return;
    default:
      throw FormatError(file, "tensor \"" + view.name + "\" has dtype " +
                                  std::string(dtype_name(view.dtype)) +
                                  "; weights must be F32, F16, BF16 or F64");
  }
}

}  // namespace tenon::safetensors
