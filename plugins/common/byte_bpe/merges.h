// Vocabulary and merge table: from one piece of text to token ids.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "byte_bpe/definition.h"

namespace tenon::bpe {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

class MergeTable {
 public:
  static constexpr int32_t kNone = -1;

  // Throws FormatError when an id is repeated or negative, or a merge joins or makes a string that is no token.
  explicit MergeTable(const Definition& definition);

  // Appends the ids of one piece, or returns the offset of the first byte that has no token (and appends nothing).
  // Without an unk_token, `skip_missing` leaves such bytes out instead. Returns npos on success. Any thread.
  size_t encode(std::string_view piece, bool skip_missing, std::vector<int32_t>& ids) const;

  // The id of the token whose bytes are `bytes`, or kNone.
  int32_t find(std::string_view bytes) const;

 private:
  struct Slot {
    uint64_t pair = ~uint64_t{0};  // left << 32 | right
    uint32_t rank = 0;
    int32_t merged = kNone;
  };
  struct Symbol {
    int32_t id;
    int32_t previous, next;  // indices, -1 at the ends
  };

  const Slot* find_merge(int32_t left, int32_t right) const;
  void insert_merge(int32_t left, int32_t right, uint32_t rank, int32_t merged);
  size_t to_symbols(std::string_view piece, bool skip_missing, std::vector<int32_t>& symbols) const;
  void merge_short(std::vector<int32_t>& symbols) const;
  void merge_long(std::vector<int32_t>& symbols) const;

  std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>> by_bytes_;
  std::array<int32_t, 256> byte_ids_{};
  std::vector<Slot> slots_;  // open addressing, a power of two
  bool ignore_merges_ = false;
  int32_t unk_ = kNone;

  // Words that were merged before. A thread that finds the lock taken does without.
  mutable std::mutex cache_mutex_;
  mutable std::unordered_map<std::string, std::vector<int32_t>, StringHash, std::equal_to<>> cache_;
};

}  // namespace tenon::bpe
