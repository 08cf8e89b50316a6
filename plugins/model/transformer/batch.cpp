// Sequences of a call as rows to compute: no padding, nothing that is not needed, a group's prompt once.
// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "tenon/error.hpp"

namespace tenon::transformer {
namespace {

class Packer {
 public:
  Packer(const tenon_tokens& tokens, const BatchOptions& options)
      : in_(tokens),
        options_(options),
        ids_(static_cast<const int32_t*>(tokens.ids.values)),
        offsets_(tokens.ids.offsets) {}

  Batch run() {
    if (!(in_.temperature > 0) || !std::isfinite(in_.temperature))
      throw Error("temperature is " + std::to_string(in_.temperature) +
                  "; to score tokens it must be positive");
    const uint64_t n = in_.ids.n;
    out_.tokens = n == 0 ? 0 : offsets_[n] - offsets_[0];
    if (n > 0 && offsets_[0] != 0)
      throw Error("the offsets of a batch start at 0, not " + std::to_string(offsets_[0]));
    for (uint64_t i = 0; i < n; ++i) check(i);
    for (uint64_t i = 0, end = 0; i < n; i = end) {
      end = group_end(i);
      add_group(i, end);
    }
    close_chunk();
    return std::move(out_);
  }

 private:
  uint64_t length(uint64_t i) const { return offsets_[i + 1] - offsets_[i]; }
  const int32_t* ids(uint64_t i) const { return ids_ + offsets_[i]; }
  bool masked(uint64_t i, uint64_t t) const { return in_.mask != nullptr && in_.mask[offsets_[i] + t] != 0; }
  bool wants_scalar() const { return in_.head == TENON_HEAD_SCALAR; }

  void check(uint64_t i) const {
    if (length(i) > options_.max_len)
      throw Error("sequence " + std::to_string(i) + " has " + std::to_string(length(i)) +
                  " tokens; the model takes at most max_len = " + std::to_string(options_.max_len));
    for (uint64_t t = 0; t < length(i); ++t) {
      const int32_t id = ids(i)[t];
      if (id < 0 || static_cast<uint64_t>(id) >= options_.vocab) bad_id("token", i, t, id);
      if (masked(i, t) && in_.target != nullptr) {
        const int32_t target = in_.target[offsets_[i] + t];
        if (target < 0 || static_cast<uint64_t>(target) >= options_.vocab) bad_id("target", i, t, target);
      }
    }
    if (length(i) > 0 && masked(i, 0))
      throw Error("mask is 1 at the first token of sequence " + std::to_string(i) +
                  ": nothing stands before it to predict it from");
  }
  [[noreturn]] void bad_id(const char* what, uint64_t i, uint64_t t, int32_t id) const {
    throw Error(std::string(what) + " " + std::to_string(t) + " of sequence " + std::to_string(i) +
                " is id " + std::to_string(id) + "; the vocabulary is 0 to " +
                std::to_string(options_.vocab - 1));
  }

  // Rows of sequence i that something depends on: up to the one before its last scored token.
  uint64_t needed_rows(uint64_t i) const {
    if (options_.every_row || wants_scalar()) return length(i);
    for (uint64_t t = length(i); t-- > 1;)
      if (masked(i, t)) return t;
    return 0;
  }
  bool prompt_is_scored(uint64_t i, uint64_t prompt) const {
    for (uint64_t t = 1; t < prompt; ++t)
      if (masked(i, t)) return true;
    return false;
  }

  // The neighbours [i, end) that share a prompt which is worth computing once, or i alone.
  uint64_t group_end(uint64_t i) const {
    if (in_.group_id == nullptr || in_.prompt_len == nullptr || options_.every_row || wants_scalar())
      return i + 1;
    const uint64_t prompt = in_.prompt_len[i];
    if (prompt < 2 || prompt > length(i)) return i + 1;
    uint64_t end = i + 1;
    while (end < in_.ids.n && in_.group_id[end] == in_.group_id[i]) ++end;
    for (uint64_t k = i; k < end; ++k) {
      if (in_.prompt_len[k] != prompt || length(k) < prompt ||
          std::memcmp(ids(k), ids(i), prompt * sizeof(int32_t)) != 0)
        throw Error("sequences " + std::to_string(i) + " and " + std::to_string(k) + " are of group " +
                    std::to_string(in_.group_id[i]) + ", but their prompts differ");
      if (prompt_is_scored(k, prompt)) return i + 1;
    }
    return end;
  }

  void add_group(uint64_t begin, uint64_t end) {
    uint64_t live = 0;
    for (uint64_t i = begin; i < end; ++i) live += needed_rows(i) > 0 ? 1 : 0;
    if (live == 0) return;
    if (out_.chunks.empty() || (options_.chunk_rows != 0 && out_.rows - chunk().row >= options_.chunk_rows))
      start_chunk();
    if (end - begin == 1) {
      add_sequence(begin, 0, -1);
      return;
    }
    // The prompt but its last token, whose row every completion has for itself: it predicts their first
    // tokens.
    const uint64_t shared = in_.prompt_len[begin] - 1;
    const auto prefix = static_cast<int64_t>(chunk().offsets.size()) - 1;
    add_rows(begin, 0, shared, -1);
    for (uint64_t i = begin; i < end; ++i) add_sequence(i, shared, prefix);
  }

  void add_sequence(uint64_t i, uint64_t from, int64_t prefix) {
    const uint64_t needed = needed_rows(i);
    if (needed == 0) return;
    const uint64_t row = out_.rows;
    add_rows(i, from, needed, prefix);
    for (uint64_t t = from; t < needed; ++t) {
      const uint64_t behind = t + 1 + options_.ahead, next = offsets_[i] + behind;
      if (options_.every_row) {
        out_.heads.push_back({row + t - from, next - 1, 0});
      } else if (behind < length(i) && masked(i, behind)) {
        out_.heads.push_back(
            {row + t - from, next, in_.target != nullptr ? in_.target[next] : ids(i)[behind]});
      } else if (wants_scalar() && t + 1 == length(i)) {
        out_.heads.push_back({row + t - from, next - 1, -1});
        ++out_.scalar_rows;
      }
    }
  }

  void add_rows(uint64_t i, uint64_t from, uint64_t to, int64_t prefix) {
    for (uint64_t t = from; t < to; ++t) {
      out_.ids.push_back(t + options_.ahead < length(i) ? ids(i)[t + options_.ahead] : 0);
      out_.positions.push_back(static_cast<int32_t>(t));
    }
    out_.rows += to - from;
    chunk().offsets.push_back(out_.rows - chunk().row);
    chunk().prefix.push_back(prefix);
    has_prefix_ = has_prefix_ || prefix >= 0;
  }

  Chunk& chunk() { return out_.chunks.back(); }

  void start_chunk() {
    close_chunk();
    out_.chunks.emplace_back();
    chunk().row = out_.rows;
    chunk().offsets.push_back(0);
    has_prefix_ = false;
  }
  void close_chunk() {
    if (out_.chunks.empty()) return;
    chunk().rows = out_.rows - chunk().row;
    if (!has_prefix_) chunk().prefix.clear();
  }

  const tenon_tokens& in_;
  const BatchOptions& options_;
  const int32_t* ids_;
  const uint64_t* offsets_;
  Batch out_;
  bool has_prefix_ = false;  // in the last chunk
};

}  // namespace

tenon_attention_batch Chunk::attention(uint64_t heads, uint64_t kv_heads, uint64_t head_dim,
                                       float scale) const {
  return {sizeof(tenon_attention_batch),
          static_cast<uint32_t>(heads),
          static_cast<uint32_t>(kv_heads),
          static_cast<uint32_t>(head_dim),
          scale,
          0,
          offsets.size() - 1,
          offsets.data(),
          prefix.empty() ? nullptr : prefix.data()};
}

namespace {

// Whether each thread gets about the same number of rows when the chunks are dealt out in runs of equal
// length, as executors do.
bool shared_evenly(const Batch& batch, uint64_t threads) {
  const uint64_t n = batch.chunks.size(), pieces = std::min(n, threads);
  uint64_t longest = 0;
  for (uint64_t piece = 0, first = 0; piece < pieces; ++piece) {
    const uint64_t end = first + n / pieces + (piece < n % pieces ? 1 : 0);
    uint64_t rows = 0;
    for (uint64_t i = first; i < end; ++i) rows += batch.chunks[i].rows;
    longest = std::max(longest, rows);
    first = end;
  }
  return longest * threads <= batch.rows + batch.rows / 5;
}

}  // namespace

Batch make_batch(const tenon_tokens& tokens, const BatchOptions& options) {
  Batch batch = Packer(tokens, options).run();
  if (batch.chunks.size() <= 1 || shared_evenly(batch, options.threads)) return batch;
  BatchOptions whole = options;
  whole.chunk_rows = 0;
  return Packer(tokens, whole).run();
}

}  // namespace tenon::transformer
