// Tokenizer words: one token per word of a given vocabulary; words are parted by single spaces.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tenon/sdk.hpp"
#include "utf8/utf8.h"

namespace {

// What is wrong with the options: {option, text}, or {"", ""}.
std::pair<std::string, std::string> find_fault(std::vector<std::string> words, const std::string& eos) {
  if (words.empty()) return {"vocabulary", "the vocabulary is empty: give the words of the task"};
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string option = "vocabulary." + std::to_string(i);
    if (words[i].empty()) return {option, "a word has at least one character"};
    if (words[i].find(' ') != std::string::npos)
      return {option, tenon::json::quote(words[i]) + " has a space in it, which parts words"};
    for (size_t at = 0; at < words[i].size(); at += tenon::utf8::length(words[i], at))
      if (tenon::utf8::length(words[i], at) == 0) return {option, "is not UTF-8"};
  }
  if (std::find(words.begin(), words.end(), eos) != words.end())
    return {"eos", tenon::json::quote(eos) + " is also in the vocabulary; take a word that no text contains"};
  if (eos.find(' ') != std::string::npos) return {"eos", tenon::json::quote(eos) + " has a space in it"};
  std::sort(words.begin(), words.end());
  if (const auto twice = std::adjacent_find(words.begin(), words.end()); twice != words.end())
    return {"vocabulary", tenon::json::quote(*twice) + " is in the vocabulary twice"};
  return {"", ""};
}

class Words {
 public:
  static constexpr uint32_t kFlags = TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT | TENON_C_REENTRANT;

  explicit Words(tenon::Host host) : words_(host.strs("vocabulary")) {
    const std::string eos = host.str_if("eos").value_or("");
    if (const auto [option, fault] = find_fault(words_, eos); !fault.empty())
      throw tenon::Error(option + ": " + fault);
    if (!eos.empty()) {
      eos_ = static_cast<int32_t>(words_.size());
      words_.push_back(eos);
    }
    for (size_t i = 0; i < words_.size(); ++i) ids_[words_[i]] = static_cast<int32_t>(i);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const auto [option, fault] = find_fault(host.strs("vocabulary"), host.str_if("eos").value_or(""));
    if (!fault.empty()) findings.error(option.c_str(), fault);
  }

  std::vector<int32_t> encode(std::string_view text, uint32_t flags) const {
    std::vector<int32_t> ids;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(' ', at), text.size());
      const std::string_view word = text.substr(at, end - at);
      if (word.empty() || end + 1 == text.size()) fail_space(text, word.empty() ? at : end);
      const auto it = ids_.find(std::string(word));
      const bool plain_eos = it != ids_.end() && it->second == eos_ && (flags & TENON_ENCODE_SPECIAL) == 0;
      if (it == ids_.end() || plain_eos) fail_unknown(word, at, text, plain_eos);
      ids.push_back(it->second);
      at = end + 1;
    }
    return ids;
  }

  std::string decode(std::span<const int32_t> ids, uint32_t flags) const {
    std::string text;
    for (const int32_t id : ids) {
      if (id < 0 || static_cast<size_t>(id) >= words_.size())
        throw tenon::Error("token id " + std::to_string(id) + " is out of range; ids are 0 to " +
                           std::to_string(words_.size() - 1));
      if (id == eos_ && (flags & TENON_DECODE_SPECIAL) == 0) continue;
      if (!text.empty()) text += ' ';
      text += words_[static_cast<size_t>(id)];
    }
    return text;
  }

  uint64_t size() const { return words_.size(); }

  int64_t special(std::string_view name) const {
    if (name == "eos") return eos_;
    const auto it = ids_.find(std::string(name));
    return it == ids_.end() ? -1 : it->second;
  }

  std::vector<int32_t> stop_ids() const {
    return eos_ < 0 ? std::vector<int32_t>() : std::vector<int32_t>{eos_};
  }

 private:
  static std::string around(std::string_view text, size_t at, size_t size) {
    constexpr size_t kAround = 30;  // bytes
    const size_t begin = at > kAround ? at - kAround : 0;
    return tenon::utf8::excerpt(text, begin, at + size + kAround - begin);
  }
  [[noreturn]] static void fail_space(std::string_view text, size_t at) {
    throw tenon::Error("the space at byte " + std::to_string(at) + " of " + around(text, at, 1) +
                       " parts no two words: words are parted by one space each, none stands before the "
                       "first or after the last");
  }
  [[noreturn]] static void fail_unknown(std::string_view word, size_t at, std::string_view text, bool eos) {
    throw tenon::Error("word " + tenon::utf8::excerpt(word, 0, 60) + " at byte " + std::to_string(at) +
                       " of " + around(text, at, word.size()) + " is " +
                       (eos ? "the end token, which a text may not contain"
                            : "not in the vocabulary; add it at the end of the option vocabulary, or leave "
                              "such rows out"));
  }

  std::vector<std::string> words_;  // by id
  std::unordered_map<std::string, int32_t> ids_;
  int32_t eos_ = -1;
};

}  // namespace

TENON_TOKENIZER_PLUGIN(Words, "words", "1.0.0",
                       "One token per word of a given vocabulary; words are parted by single spaces.",
                       tenon::text("vocabulary", nullptr, "The words, in the order of their ids; each once.",
                                   {.flags = TENON_O_REQUIRED | TENON_O_LIST}),
                       tenon::text("eos", nullptr,
                                   "A word that ends a completion, not in the vocabulary; it gets the last "
                                   "id. Default: there is none."))
