// Texts that nearly say the same: MinHash finds them, and their words decide.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tenon::filter {

// The runs of n words in a text (of a shorter one: all of it) as a set: sorted hashes of normal_words. Empty: the text has no words.
std::vector<uint64_t> shingles_of(std::string_view text, uint64_t n);

// |a ∩ b| / |a ∪ b| of two such sets, not both empty.
double jaccard(std::span<const uint64_t> a, std::span<const uint64_t> b);

// Whether a text is near one that was kept before. Candidates are those that share a band of MinHash values (A. Broder, "On the resemblance and containment of documents", 1997; bands as in Leskovec, Rajaraman,
// Ullman, "Mining of massive datasets", §3.4); those whose values agree too seldom are passed over, and of the others the sets themselves decide: what is called near is near. A pair right at the bound is missed
// with a probability below 0.002, a nearer one less. 2 KB a text that is kept at a similarity of 0.8, 6 KB at 0.3.
class NearTexts {
 public:
  // similarity in (0, 1]: texts whose Jaccard similarity is at least that are near.
  explicit NearTexts(double similarity);

  // set_of(index) gives the set of a text that was kept, again.
  bool has(std::span<const uint64_t> shingles,
           const std::function<std::vector<uint64_t>(uint64_t)>& set_of) const;
  // Keeps a text.
  void add(std::span<const uint64_t> shingles, uint64_t index);
  void clear();

 private:
  using Signature = std::vector<uint32_t>;
  Signature signature_of(std::span<const uint64_t> shingles) const;
  uint64_t band(const Signature& signature, size_t b) const;

  double similarity_;
  size_t rows_, bands_;     // values of a band; bands
  double least_agreement_;  // of two signatures
  std::vector<Signature> signatures_;
  std::vector<uint64_t> index_;                          // of each signature
  std::unordered_multimap<uint64_t, uint32_t> buckets_;  // signatures by a band's hash
};

}  // namespace tenon::filter
