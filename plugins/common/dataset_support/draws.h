// The random numbers of one row of a procedural data set, and the hash that divides problems into parts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "tenon/host.hpp"

namespace tenon::dataset_support {

// Random numbers one after another, from the Philox stream `row` under `seed`: what they are depends on these
// two alone.
class Draws {
 public:
  Draws(const Host& host, uint64_t seed, uint64_t row) : host_(host), seed_(seed), row_(row) {}

  // Uniform in [0, n), n > 0; the bias is below n / 2^64.
  uint64_t below(uint64_t n) {
    if (used_ == 2) {
      host_.rng(seed_, row_, block_++, pair_, 2);
      used_ = 0;
    }
    return static_cast<uint64_t>((static_cast<unsigned __int128>(pair_[used_++]) * n) >> 64);
  }
  // Uniform in [low, high].
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(below(uint64_t{1} << 53)) * 0x1p-53; }

 private:
  const Host& host_;
  uint64_t seed_, row_, block_ = 0, pair_[2] = {};
  int used_ = 2;
};

// FNV-1a, mixed at the end so that the last characters reach all bits. Part of what a split is: it must never
// change.
inline uint64_t hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93;
  return h ^ h >> 32;
}

// Whether the problem with this text belongs to the held-out part that takes `fraction` of all.
inline bool held_out(std::string_view text, double fraction) {
  return static_cast<double>(hash(text) >> 11) * 0x1p-53 < fraction;
}

}  // namespace tenon::dataset_support
