// MinHash: signatures, bands, and the sets behind them.
// SPDX-License-Identifier: Apache-2.0
#include "near.h"

#include <algorithm>
#include <cmath>

#include "normal_words/normal_words.h"

namespace tenon::filter {
namespace {

constexpr size_t kValues = 128;      // of a signature, at most
constexpr double kMissed = 1e-3;     // by the bands, of texts right at the bound
constexpr double kDeviations = 3.5;  // by which two signatures may agree less than their texts do

// SplitMix64's finaliser (S. Vigna): a permutation of 64 bits in which each bit of the input reaches each of the output.
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

std::vector<uint64_t> shingles_of(std::string_view text, uint64_t n) {
  const std::vector<normal_words::Word> words = normal_words::words_of(text);
  std::vector<uint64_t> out;
  if (words.empty()) return out;
  const size_t size = std::min<size_t>(n, words.size());
  for (size_t i = 0; i + size <= words.size(); ++i)
    out.push_back(normal_words::hash_of(std::span(words).subspan(i, size)));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

double jaccard(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  size_t i = 0, j = 0, both = 0;
  while (i < a.size() && j < b.size()) {
    if (a[i] == b[j]) ++both;
    const bool moves_i = a[i] <= b[j], moves_j = b[j] <= a[i];
    i += moves_i, j += moves_j;
  }
  return static_cast<double>(both) / static_cast<double>(a.size() + b.size() - both);
}

// Two signatures agree at a place with the probability s of their texts' similarity, in all of a band's r places with s^r: the longest bands that miss few.
NearTexts::NearTexts(double similarity) : similarity_(similarity), rows_(1), bands_(kValues) {
  for (size_t r = 2; r <= kValues / 2; ++r) {
    const size_t b = kValues / r;
    if (std::pow(1 - std::pow(similarity, static_cast<double>(r)), static_cast<double>(b)) > kMissed) break;
    rows_ = r, bands_ = b;
  }
  least_agreement_ = similarity - kDeviations * std::sqrt(similarity * (1 - similarity) /
                                                          static_cast<double>(rows_ * bands_));
}

NearTexts::Signature NearTexts::signature_of(std::span<const uint64_t> shingles) const {
  Signature out(rows_ * bands_, UINT32_MAX);
  for (const uint64_t shingle : shingles) {
    // Two values of a hash at a time.
    for (size_t k = 0; k < out.size(); k += 2) {
      const uint64_t h = mixed(shingle + (k + 1) * 0x9e3779b97f4a7c15);
      out[k] = std::min(out[k], static_cast<uint32_t>(h));
      if (k + 1 < out.size()) out[k + 1] = std::min(out[k + 1], static_cast<uint32_t>(h >> 32));
    }
  }
  return out;
}

uint64_t NearTexts::band(const Signature& signature, size_t b) const {
  uint64_t hash = mixed(b + 1);
  for (size_t k = b * rows_; k < (b + 1) * rows_; ++k) hash = mixed(hash + signature[k] + 1);
  return hash;
}

bool NearTexts::has(std::span<const uint64_t> shingles,
                    const std::function<std::vector<uint64_t>(uint64_t)>& set_of) const {
  const Signature mine = signature_of(shingles);
  std::vector<uint32_t> candidates;
  for (size_t b = 0; b < bands_; ++b)
    for (auto [at, end] = buckets_.equal_range(band(mine, b)); at != end; ++at)
      candidates.push_back(at->second);
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return std::any_of(candidates.begin(), candidates.end(), [&](uint32_t c) {
    const Signature& other = signatures_[c];
    double equal = 0;
    for (size_t k = 0; k < mine.size(); ++k) equal += mine[k] == other[k] ? 1 : 0;
    if (equal < least_agreement_ * static_cast<double>(mine.size())) return false;
    return jaccard(shingles, set_of(index_[c])) >= similarity_;
  });
}

void NearTexts::add(std::span<const uint64_t> shingles, uint64_t index) {
  const auto id = static_cast<uint32_t>(signatures_.size());
  signatures_.push_back(signature_of(shingles)), index_.push_back(index);
  for (size_t b = 0; b < bands_; ++b) buckets_.emplace(band(signatures_.back(), b), id);
}

void NearTexts::clear() {
  signatures_ = {}, index_ = {}, buckets_ = {};
}

}  // namespace tenon::filter
