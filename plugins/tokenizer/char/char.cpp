// Tokenizer char: one token per character of a given alphabet.
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

// The characters of `text`. Throws for a byte that is not UTF-8.
std::vector<std::string> characters(std::string_view text, const std::string& what) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size(); at += out.back().size()) {
    const std::string_view c = text.substr(at, tenon::utf8::length(text, at));
    if (c.empty()) throw tenon::Error(what + ": byte " + std::to_string(at) + " is not UTF-8");
    out.emplace_back(c);
  }
  return out;
}

// What is wrong with the options: {option, text}, or {"", ""}.
std::pair<const char*, std::string> find_fault(const std::string& alphabet, const std::string& eos) {
  try {
    std::vector<std::string> chars = characters(alphabet, "alphabet");
    if (chars.empty()) return {"alphabet", "the alphabet is empty: give the characters of the task"};
    std::sort(chars.begin(), chars.end());
    const auto twice = std::adjacent_find(chars.begin(), chars.end());
    if (twice != chars.end()) return {"alphabet", tenon::json::quote(*twice) + " is in the alphabet twice"};
    if (eos.empty()) return {"", ""};
    if (characters(eos, "eos").size() != 1)
      return {"eos", tenon::json::quote(eos) + " must be one character"};
    if (std::binary_search(chars.begin(), chars.end(), eos)) {
      return {"eos",
              tenon::json::quote(eos) + " is also in the alphabet; take a character that no text contains"};
    }
  } catch (const tenon::Error& error) {
    return {"alphabet", error.what()};
  }
  return {"", ""};
}

class Char {
 public:
  static constexpr uint32_t kFlags = TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT | TENON_C_REENTRANT;

  explicit Char(tenon::Host host) : alphabet_(host.str("alphabet")) {
    const std::string eos = host.str_if("eos").value_or("");
    if (const auto [option, fault] = find_fault(alphabet_, eos); !fault.empty())
      throw tenon::Error(std::string(option) + ": " + fault);
    chars_ = characters(alphabet_, "alphabet");
    if (!eos.empty()) {
      eos_ = static_cast<int32_t>(chars_.size());
      chars_.push_back(eos);
    }
    for (size_t i = 0; i < chars_.size(); ++i) ids_[chars_[i]] = static_cast<int32_t>(i);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const auto [option, fault] = find_fault(host.str("alphabet"), host.str_if("eos").value_or(""));
    if (!fault.empty()) findings.error(option, fault);
  }

  std::vector<int32_t> encode(std::string_view text, uint32_t flags) const {
    std::vector<int32_t> ids;
    ids.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
      const std::string_view c = text.substr(at, tenon::utf8::length(text, at));
      if (c.empty()) throw tenon::Error("byte " + std::to_string(at) + " of the text is not UTF-8");
      const auto it = ids_.find(std::string(c));
      const bool plain_eos = it != ids_.end() && it->second == eos_ && (flags & TENON_ENCODE_SPECIAL) == 0;
      if (it == ids_.end() || plain_eos) fail_unknown(c, at, text, plain_eos);
      ids.push_back(it->second);
      at += c.size();
    }
    return ids;
  }

  std::string decode(std::span<const int32_t> ids, uint32_t flags) const {
    std::string text;
    for (const int32_t id : ids) {
      if (id < 0 || static_cast<size_t>(id) >= chars_.size()) {
        throw tenon::Error("token id " + std::to_string(id) + " is out of range; ids are 0 to " +
                           std::to_string(chars_.size() - 1));
      }
      if (id != eos_ || (flags & TENON_DECODE_SPECIAL) != 0) text += chars_[static_cast<size_t>(id)];
    }
    return text;
  }

  uint64_t size() const { return chars_.size(); }

  int64_t special(std::string_view name) const {
    if (name == "eos") return eos_;
    const auto it = ids_.find(std::string(name));
    return it == ids_.end() ? -1 : it->second;
  }

  std::vector<int32_t> stop_ids() const {
    return eos_ < 0 ? std::vector<int32_t>() : std::vector<int32_t>{eos_};
  }

 private:
  [[noreturn]] void fail_unknown(std::string_view c, size_t at, std::string_view text, bool eos) const {
    constexpr size_t kAround = 30, kAlphabet = 120;  // bytes
    const size_t begin = at > kAround ? at - kAround : 0;
    throw tenon::Error("character " + tenon::json::quote(c) + " at byte " + std::to_string(at) + " of " +
                       tenon::utf8::excerpt(text, begin, at + c.size() + kAround - begin) + " is " +
                       (eos ? "the end token, which a text may not contain"
                            : "not in the alphabet " + tenon::utf8::excerpt(alphabet_, 0, kAlphabet) +
                                  "; add it at the end of the option alphabet, or leave such rows out"));
  }

  std::string alphabet_;
  std::vector<std::string> chars_;  // by id
  std::unordered_map<std::string, int32_t> ids_;
  int32_t eos_ = -1;
};

// Newline, then U+0020 to U+007E, as JSON text.
constexpr const char* kDefaultAlphabet =
    R"("\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~")";

}  // namespace

TENON_TOKENIZER_PLUGIN(Char, "char", "1.0.0", "One token per character of a given alphabet.",
                       tenon::text("alphabet", kDefaultAlphabet,
                                   "The characters, in the order of their ids; each once."),
                       tenon::text("eos", nullptr,
                                   "One character that ends a completion, not in the alphabet; it gets the "
                                   "last id. Default: there is none."))
