// Reward `reflection`: how often a completion reflects, in the words that DeepSeek-R1's authors counted. A metric: give it weight 0.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tenon/reward.hpp"

namespace {

constexpr const char* kPers[] = {"completion", "1000-words", nullptr};

// Reads a text word by word: runs of ASCII letters and of other characters beyond ASCII that are no punctuation, in lower
// case (ASCII).
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}
  // False at the end.
  bool next(std::string& word) {
    word.clear();
    while (at_ < text_.size() && letter_bytes() == 0) at_ += other_bytes();
    for (size_t n = letter_bytes(); n != 0; n = letter_bytes()) {
      word += text_[at_] >= 'A' && text_[at_] <= 'Z'
                  ? std::string(1, static_cast<char>(text_[at_] + ('a' - 'A')))
                  : std::string(text_.substr(at_, n));
      at_ += n;
    }
    return !word.empty();
  }

 private:
  // Of the punctuation or other character that is no letter at at_.
  size_t other_bytes() const {
    // U+0080-00BF; U+2000-207F; U+3000-303F; U+FF00-FF3F, each with the bytes of one character.
    constexpr std::pair<std::string_view, size_t> kPunctuation[] = {
        {"\xC2", 2}, {"\xE2\x80", 3}, {"\xE2\x81", 3}, {"\xE3\x80", 3}, {"\xEF\xBC", 3}};
    for (const auto& [prefix, bytes] : kPunctuation)
      if (text_.substr(at_).starts_with(prefix)) return bytes;
    return 1;
  }
  // Of the letter at at_; 0: there is none.
  size_t letter_bytes() const {
    if (at_ >= text_.size()) return 0;
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) >= 0x80) return other_bytes() > 1 ? 0 : 1;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? 1 : 0;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class Reflection {
 public:
  static constexpr const char* kDoc =
      "DeepSeek-R1 (arXiv 2501.12948v2) counts these words in completions over training; they rise five- to "
      "sevenfold. Rewarding "
      "them would teach the words, not the reflection.";

  explicit Reflection(tenon::Host host) : per_thousand_(host.str("per") == "1000-words") {
    for (std::string& word : host.strs("words")) {
      std::string read, more;
      Words words(word);
      if (!words.next(read) || words.next(more))
        throw tenon::Error("option words: \"" + word + "\" is not one word");
      if (std::find(words_.begin(), words_.end(), read) == words_.end()) words_.push_back(read);
    }
    if (words_.empty()) throw tenon::Error("option words: is empty: give words to count, or leave it out");
  }

  double operator()(const tenon::Sample& sample) const {
    std::vector<double> found(words_.size(), 0);
    double all = 0, total = 0;
    std::string word;
    for (Words words(sample.completion); words.next(word); ++all)
      for (size_t i = 0; i < words_.size(); ++i)
        if (word == words_[i]) ++found[i], ++total;
    const double scale = !per_thousand_ ? 1 : all == 0 ? 0 : 1000 / all;
    for (size_t i = 0; i < words_.size(); ++i) sample.note(words_[i].c_str(), found[i] * scale);
    return total * scale;
  }

 private:
  std::vector<std::string> words_;
  bool per_thousand_;
};

}  // namespace

TENON_REWARD_PLUGIN(Reflection, "reflection", "1.0.0",
                    "How often the completion has R1's reflective words; a metric, for weight 0.",
                    tenon::text("words",
                                "[\"wait\", \"mistake\", \"however\", \"but\", \"retry\", \"error\", "
                                "\"verify\", \"wrong\", \"evaluate\", "
                                "\"check\"]",
                                "The words, whole and in any case. Left out: DeepSeek-R1's.",
                                {.flags = TENON_O_LIST}),
                    tenon::choice("per", kPers, "\"completion\"",
                                  "What is counted: words in a completion, or in each 1,000 of its words."))
