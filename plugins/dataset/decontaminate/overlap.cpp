// Runs of words by hash.
// SPDX-License-Identifier: Apache-2.0
#include "overlap.h"

#include <algorithm>
#include <span>

#include "normal_words/normal_words.h"

namespace tenon::decontaminate {

using normal_words::Word;

bool Overlap::add(std::string_view text, uint32_t source) {
  const std::vector<Word> words = normal_words::words_of(text);
  if (words.size() < std::min(kFewest, n_)) return false;
  const size_t n = std::min(n_, words.size());
  if (runs_.size() <= n) runs_.resize(n + 1);
  for (size_t i = 0; i + n <= words.size(); ++i)
    runs_[n].emplace(normal_words::hash_of(std::span(words).subspan(i, n)), source);
  return true;
}

std::optional<Overlap::Match> Overlap::find(std::string_view text) const {
  const std::vector<Word> words = normal_words::words_of(text);
  for (size_t i = 0; i < words.size(); ++i)
    for (size_t n = 1; n < runs_.size() && i + n <= words.size(); ++n) {
      if (runs_[n].empty()) continue;
      const auto found = runs_[n].find(normal_words::hash_of(std::span(words).subspan(i, n)));
      if (found == runs_[n].end()) continue;
      const Word& last = words[i + n - 1];
      return Match{found->second, words[i].begin, last.begin + last.size - words[i].begin};
    }
  return std::nullopt;
}

size_t Overlap::size() const {
  size_t n = 0;
  for (const auto& runs : runs_) n += runs.size();
  return n;
}

}  // namespace tenon::decontaminate
