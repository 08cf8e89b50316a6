// Memory for numbers: one large block per purpose, and a cache of blocks for activations.
// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace tenon::transformer {
namespace {

constexpr uint64_t kHugePage = uint64_t{1} << 21;

}  // namespace

void FreeFloats::operator()(float* p) const {
  std::free(p);
}

Floats allocate_floats(uint64_t n) {
  uint64_t bytes = std::max<uint64_t>(n, 1) * sizeof(float);
  const bool large = bytes >= kHugePage / 2;
  const uint64_t alignment = large ? kHugePage : 64;
  bytes = (bytes + alignment - 1) / alignment * alignment;
  void* p = std::aligned_alloc(alignment, bytes);
  if (p == nullptr) throw std::bad_alloc();
  if (large) madvise(p, bytes, MADV_HUGEPAGE);  // advice: a refusal changes nothing
  return Floats(static_cast<float*>(p));
}

Arena::Block::~Block() {
  if (arena_ != nullptr) arena_->give_back(data_, size_);
}

Arena::Block Arena::lend(uint64_t n) {
  n = std::max<uint64_t>(64, (n + 63) / 64 * 64);
  Block block;
  block.arena_ = this;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto fit = std::lower_bound(kept_.begin(), kept_.end(), n,
                                [](const Kept& k, uint64_t want) { return k.size < want; });
    if (fit != kept_.end() && fit->size <= n + n / 4) {
      block.size_ = fit->size;
      block.data_ = fit->data.release();
      kept_floats_ -= fit->size;
      kept_.erase(fit);
      lent_floats_ += block.size_;
      peak_ = std::max(peak_, lent_floats_);
      return block;
    }
  }
  Floats fresh = allocate_floats(n);
  block.size_ = n;
  block.data_ = fresh.release();
  std::lock_guard<std::mutex> lock(mutex_);
  lent_floats_ += n;
  peak_ = std::max(peak_, lent_floats_);
  return block;
}

void Arena::give_back(float* data, uint64_t size) {
  Floats owned(data);
  std::lock_guard<std::mutex> lock(mutex_);
  lent_floats_ -= size;
  auto at = std::lower_bound(kept_.begin(), kept_.end(), size,
                             [](const Kept& k, uint64_t want) { return k.size < want; });
  kept_.insert(at, Kept{std::move(owned), size});
  kept_floats_ += size;
  // Lengths vary from batch to batch: of the sizes that nobody asks for any more, the smallest go first.
  while (lent_floats_ + kept_floats_ > peak_ + peak_ / 4 && !kept_.empty()) {
    kept_floats_ -= kept_.front().size;
    kept_.erase(kept_.begin());
  }
}

uint64_t Arena::peak_floats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return peak_;
}

}  // namespace tenon::transformer
