// What a text has in common with texts that it should not have seen.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tenon::decontaminate {

// The texts of evaluation sets as hashes of their runs of n words (64 bits: two different runs are taken for the same with a chance of 2^-64). A text of fewer
// than n words, but three at least, is one run as a whole; one of fewer is not compared (DeepSeekMath, arXiv 2402.03300, §2.1).
class Overlap {
 public:
  explicit Overlap(size_t n) : n_(n) {}

  // Adds a text of source `source`. False: it is too short to be compared.
  bool add(std::string_view text, uint32_t source);

  struct Match {
    uint32_t source;
    size_t begin, size;  // bytes of the text that was searched: the words in common
  };
  // The first run that the text shares with one of those added.
  std::optional<Match> find(std::string_view text) const;

  // Different runs.
  size_t size() const;

 private:
  static constexpr size_t kFewest = 3;
  size_t n_;
  std::vector<std::unordered_map<uint64_t, uint32_t>> runs_;  // by number of words: hash to source
};

}  // namespace tenon::decontaminate
