// Memory that a thread keeps for its next kernel.
// SPDX-License-Identifier: Apache-2.0
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace tenon::kernels {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;

struct Piece {
  float* memory = nullptr;
  uint64_t floats = 0;
};

struct Pieces {
  Piece of[static_cast<int>(Scratch::kCount)];
  ~Pieces() {
    for (Piece& piece : of) free(piece.memory);
  }
};

thread_local Pieces pieces;

}  // namespace

float* scratch(Scratch use, uint64_t floats) {
  Piece& piece = pieces.of[static_cast<int>(use)];
  if (piece.floats >= floats && piece.memory != nullptr) return piece.memory;
  uint64_t bytes = floats * sizeof(float) +
                   floats * sizeof(float) / 8;  // room, so that slow growth does not allocate each time
  const uint64_t alignment = bytes >= kHugePage ? kHugePage : 64;
  bytes = (bytes / alignment + 1) * alignment;
  free(piece.memory);
  piece.memory = static_cast<float*>(aligned_alloc(alignment, bytes));
  if (piece.memory == nullptr) {
    fprintf(stderr, "tenon kernels: the system refused %llu bytes of scratch memory\n",
            static_cast<unsigned long long>(bytes));
    abort();
  }
#if defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) madvise(piece.memory, bytes, MADV_HUGEPAGE);
#endif
  piece.floats = bytes / sizeof(float);
  return piece.memory;
}

}  // namespace tenon::kernels
