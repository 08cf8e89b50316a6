// Vocabulary and merge table: from one piece of text to token ids.
// SPDX-License-Identifier: Apache-2.0
#include "byte_bpe/merges.h"

#include <bit>
#include <queue>
#include <unordered_set>

#include "byte_bpe/unicode.h"

namespace tenon::bpe {
namespace {

constexpr size_t kMaxCachedWord = 64;  // bytes
constexpr size_t kMaxCachedWords = 1 << 16;
constexpr size_t kLongPiece = 64;  // symbols; above it a heap beats scanning

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t hash_pair(uint64_t key) {
  key *= 0x9e3779b97f4a7c15u;  // Fibonacci hashing; the high bits are the good ones
  return static_cast<size_t>(key >> 32);
}

}  // namespace

MergeTable::MergeTable(const Definition& definition)
    : ignore_merges_(definition.ignore_merges), unk_(definition.model_unk.value_or(kNone)) {
  std::unordered_map<std::string_view, int32_t> by_text;
  std::unordered_set<int32_t> ids;
  by_text.reserve(definition.vocab.size());
  by_bytes_.reserve(definition.vocab.size());
  for (const auto& [text, id] : definition.vocab) {
    if (id < 0 || !ids.insert(id).second) {
      throw FormatError(definition.file, "the vocabulary gives token \"" + text + "\" the id " +
                                             std::to_string(id) + ", which is " +
                                             (id < 0 ? "negative" : "taken"));
    }
    by_text.emplace(text, id);
    if (auto bytes = unmap_bytes(text)) by_bytes_.emplace(std::move(*bytes), id);
  }
  for (size_t b = 0; b < 256; ++b) byte_ids_[b] = find(std::string(1, static_cast<char>(b)));

  slots_.resize(std::bit_ceil(2 * definition.merges.size() + 1));
  for (size_t rank = 0; rank < definition.merges.size(); ++rank) {
    const auto& [left, right] = definition.merges[rank];
    const auto id_of = [&](const std::string& text) {
      const auto it = by_text.find(text);
      if (it == by_text.end()) {
        throw FormatError(definition.file, definition.merges_where + "[" + std::to_string(rank) + "]: \"" +
                                               text + "\" is not in the vocabulary");
      }
      return it->second;
    };
    const int32_t left_id = id_of(left), right_id = id_of(right);
    insert_merge(left_id, right_id, static_cast<uint32_t>(rank), id_of(left + right));
  }
}

void MergeTable::insert_merge(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
  const uint64_t key = pair_key(left, right);
  size_t at = hash_pair(key) & (slots_.size() - 1);
  while (slots_[at].merged != kNone && slots_[at].pair != key) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, rank, merged};  // of two equal merges the last counts, as in tokenizers
}

const MergeTable::Slot* MergeTable::find_merge(int32_t left, int32_t right) const {
  const uint64_t key = pair_key(left, right);
  size_t at = hash_pair(key) & (slots_.size() - 1);
  while (slots_[at].merged != kNone) {
    if (slots_[at].pair == key) return &slots_[at];
    at = (at + 1) & (slots_.size() - 1);
  }
  return nullptr;
}

int32_t MergeTable::find(std::string_view bytes) const {
  const auto it = by_bytes_.find(bytes);
  return it == by_bytes_.end() ? kNone : it->second;
}

size_t MergeTable::to_symbols(std::string_view piece, bool skip_missing,
                              std::vector<int32_t>& symbols) const {
  symbols.clear();
  for (size_t i = 0; i < piece.size(); ++i) {
    int32_t id = byte_ids_[static_cast<uint8_t>(piece[i])];
    if (id == kNone) id = unk_;
    if (id != kNone) {
      symbols.push_back(id);
    } else if (!skip_missing) {
      return i;
    }
  }
  return std::string_view::npos;
}

// Scans for the lowest rank, leftmost first, until no pair merges.
void MergeTable::merge_short(std::vector<int32_t>& symbols) const {
  constexpr uint32_t kNever = ~uint32_t{0};
  const auto rank_at = [&](size_t i) {
    const Slot* slot = i + 1 < symbols.size() ? find_merge(symbols[i], symbols[i + 1]) : nullptr;
    return slot == nullptr ? kNever : slot->rank;
  };
  std::array<uint32_t, kLongPiece> ranks;
  for (size_t i = 0; i < symbols.size(); ++i) ranks[i] = rank_at(i);
  while (symbols.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < symbols.size(); ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNever) return;
    symbols[best] = find_merge(symbols[best], symbols[best + 1])->merged;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    for (size_t i = best + 1; i < symbols.size(); ++i) ranks[i] = ranks[i + 1];
    ranks[best] = rank_at(best);
    if (best > 0) ranks[best - 1] = rank_at(best - 1);
  }
}

// The same with a heap over a linked list: n log n.
void MergeTable::merge_long(std::vector<int32_t>& ids) const {
  struct Candidate {
    uint32_t rank;
    int32_t left;   // index
    uint64_t pair;  // what it was when queued
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::vector<Symbol> symbols(ids.size());
  const auto n = static_cast<int32_t>(ids.size());
  for (int32_t i = 0; i < n; ++i)
    symbols[static_cast<size_t>(i)] = {ids[static_cast<size_t>(i)], i - 1, i + 1 < n ? i + 1 : -1};
  const auto at = [&](int32_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](int32_t left) {
    if (left < 0 || at(left).next < 0) return;
    if (const Slot* slot = find_merge(at(left).id, at(at(left).next).id))
      queue.push({slot->rank, left, slot->pair});
  };
  for (int32_t i = 0; i < n; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = at(top.left);
    if (left.id == kNone || left.next < 0 || pair_key(left.id, at(left.next).id) != top.pair)
      continue;  // outdated
    Symbol& right = at(left.next);
    left.id = find_merge(left.id, right.id)->merged;
    left.next = right.next;
    right.id = kNone;
    if (left.next >= 0) at(left.next).previous = top.left;
    consider(left.previous);
    consider(top.left);
  }
  ids.clear();
  for (int32_t i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
}

size_t MergeTable::encode(std::string_view piece, bool skip_missing, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    if (const int32_t whole = find(piece); whole != kNone) {
      ids.push_back(whole);
      return std::string_view::npos;
    }
  }
  const bool cacheable = piece.size() > 1 && piece.size() <= kMaxCachedWord;
  if (cacheable) {
    const std::unique_lock lock(cache_mutex_, std::try_to_lock);
    if (lock.owns_lock()) {
      if (const auto it = cache_.find(piece); it != cache_.end()) {
        ids.insert(ids.end(), it->second.begin(), it->second.end());
        return std::string_view::npos;
      }
    }
  }
  std::vector<int32_t> symbols;
  const size_t missing = to_symbols(piece, skip_missing, symbols);
  if (missing != std::string_view::npos) return missing;
  const bool whole_piece = symbols.size() == piece.size();
  if (symbols.size() > kLongPiece) {
    merge_long(symbols);
  } else if (symbols.size() > 1) {
    merge_short(symbols);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  if (cacheable && whole_piece) {  // with a byte left out, the answer depends on skip_missing
    const std::unique_lock lock(cache_mutex_, std::try_to_lock);
    if (lock.owns_lock() && cache_.size() < kMaxCachedWords) cache_.emplace(piece, std::move(symbols));
  }
  return std::string_view::npos;
}

}  // namespace tenon::bpe
