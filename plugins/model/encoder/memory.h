// A buffer of floats, aligned as the kernels like it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace tenon::encoder {

// n floats, 64-byte aligned, all 0.
class Floats {
 public:
  Floats() = default;
  explicit Floats(uint64_t n) : size_(n) {
    const uint64_t bytes = (std::max<uint64_t>(n, 1) * sizeof(float) + 63) / 64 * 64;
    data_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (data_ == nullptr) throw std::bad_alloc();
    clear();
  }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() { std::fill_n(data_.get(), size_, 0.0f); }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], Free> data_;
  uint64_t size_ = 0;
};

}  // namespace tenon::encoder
