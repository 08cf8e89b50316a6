// Memory for numbers: one large block per purpose, and a cache of blocks for activations.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace tenon::transformer {

struct FreeFloats {
  void operator()(float* p) const;
};
using Floats = std::unique_ptr<float[], FreeFloats>;

// n floats, 64-byte aligned; from 1 MiB on aligned to 2 MiB and marked for huge pages. Not initialised.
// Throws std::bad_alloc.
Floats allocate_floats(uint64_t n);

// Lends blocks of floats and keeps those that come back, since the same sizes recur and fresh pages are slow.
// It keeps at most what was lent at once at the peak. Any thread.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;

  // A lent block; comes back when it is destroyed. The arena outlives it.
  class Block {
   public:
    Block() = default;
    Block(Block&& other) noexcept { swap(other); }
    Block& operator=(Block&& other) noexcept {
      Block(std::move(other)).swap(*this);
      return *this;
    }
    ~Block();
    float* data() const { return data_; }
    uint64_t size() const { return size_; }  // at least what was asked for

   private:
    friend class Arena;
    void swap(Block& other) noexcept {
      std::swap(arena_, other.arena_), std::swap(data_, other.data_), std::swap(size_, other.size_);
    }
    Arena* arena_ = nullptr;
    float* data_ = nullptr;
    uint64_t size_ = 0;
  };

  Block lend(uint64_t n);
  uint64_t peak_floats() const;

 private:
  struct Kept {
    Floats data;
    uint64_t size;
  };
  void give_back(float* data, uint64_t size);

  mutable std::mutex mutex_;
  std::vector<Kept> kept_;  // ascending in size
  uint64_t kept_floats_ = 0, lent_floats_ = 0, peak_ = 0;
};

}  // namespace tenon::transformer
