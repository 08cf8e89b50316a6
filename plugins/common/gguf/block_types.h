// The sizes of GGUF's tensor types.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace tenon::gguf {

// Values of ggml_type that can be read.
enum : uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8, kBF16 = 30 };

struct BlockType {
  uint32_t type;
  std::string_view name;
  uint64_t elements;  // per block
  uint64_t bytes;     // per block
};

// nullptr for a type whose size this reader does not know.
const BlockType* find_block_type(uint32_t type);

}  // namespace tenon::gguf
