// Reward `repetition`: a penalty for n-grams that a completion has already had.
// SPDX-License-Identifier: Apache-2.0
//
// Yeo et al., arXiv 2502.03373, §4.5 and its appendix: each token of an n-gram that has occurred before in the completion earns
// `penalty` (N = 40, −0.05). `per: completion` is the form that open-r1 made of it: penalty · (1 − distinct / all n-grams).

#include <unordered_map>
#include <unordered_set>

#include "tenon/reward.hpp"

namespace {

constexpr const char* kPers[] = {"token", "completion", nullptr};
constexpr const char* kUnits[] = {"tokens", "words", "plain-words", "characters", nullptr};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Lower-case words between white space, plain words, or characters of UTF-8, each as a number: equal ones have equal numbers.
class Numbering {
 public:
  // Runs of letters: what only parts or counts them ("1. wait, 2. wait;") makes no other n-gram. Beyond ASCII all but invisible characters and
  // the punctuation of U+2000 to U+206F and U+3000 to U+303F are letters.
  std::vector<int32_t> plain_words(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
      const std::string_view rest = text.substr(i);
      if (rest.starts_with("\u200B") || rest.starts_with("\u200C") || rest.starts_with("\u200D") ||
          rest.starts_with("\uFEFF")) {
        i += 2;
      } else if (rest.starts_with("\xE2\x80") || rest.starts_with("\xE2\x81") ||
                 rest.starts_with("\xE3\x80")) {
        plain += ' ';
        i += 2;
      } else {
        plain += !is_ascii || (lower(c) >= 'a' && lower(c) <= 'z') ? c : ' ';
      }
    }
    return words(plain);
  }
  std::vector<int32_t> words(std::string_view text) {
    std::vector<int32_t> out;
    std::string word;
    for (size_t i = 0; i <= text.size(); ++i) {
      const bool is_space = i == text.size() || text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r');
      if (!is_space) word += lower(text[i]);
      if (!is_space || word.empty()) continue;
      out.push_back(number(word));
      word.clear();
    }
    return out;
  }
  std::vector<int32_t> characters(std::string_view text) {
    std::vector<int32_t> out;
    for (size_t i = 0; i < text.size();) {
      size_t end = i + 1;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
      out.push_back(number(std::string(text.substr(i, end - i))));
      i = end;
    }
    return out;
  }

 private:
  int32_t number(const std::string& unit) {
    return numbers_.try_emplace(unit, static_cast<int32_t>(numbers_.size())).first->second;
  }
  std::unordered_map<std::string, int32_t> numbers_;
};

// Where the n-grams begin that have occurred before, in order.
std::vector<size_t> repeats(std::span<const int32_t> units, size_t n) {
  std::vector<size_t> out;
  if (units.size() < n) return out;
  std::unordered_set<std::string_view> seen;
  seen.reserve(units.size());
  for (size_t i = 0; i + n <= units.size(); ++i) {
    const std::string_view ngram(reinterpret_cast<const char*>(units.data() + i), n * sizeof(int32_t));
    if (!seen.insert(ngram).second) out.push_back(i);
  }
  return out;
}

class Repetition {
 public:
  static constexpr const char* kDoc =
      "arXiv 2502.03373: N = 40 tokens, −0.05 on each token of a repeated n-gram. per: completion, with "
      "unit: words, n: 3 and "
      "penalty: −1, is open-r1's form.";

  explicit Repetition(tenon::Host host)
      : n_(static_cast<size_t>(host.i64("n"))),
        unit_(host.str("unit")),
        is_per_token_(host.str("per") == "token"),
        penalty_(host.f64("penalty")) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.str("per") == "token" && host.str("unit") != "tokens")
      findings.error(
          "unit", "per: token gives a penalty to tokens, so the unit is tokens; per: completion takes any");
  }

  double operator()(const tenon::Sample& sample) const {
    Numbering numbering;
    std::vector<int32_t> own;
    if (unit_ == "words") own = numbering.words(sample.completion);
    if (unit_ == "plain-words") own = numbering.plain_words(sample.completion);
    if (unit_ == "characters") own = numbering.characters(sample.completion);
    if (unit_ == "tokens" && sample.tokens.empty()) tenon::refuse("the stage gave no tokens to compare");
    const std::span<const int32_t> units = unit_ == "tokens" ? sample.tokens : std::span<const int32_t>(own);
    const std::vector<size_t> starts = repeats(units, n_);
    const size_t ngrams = units.size() < n_ ? 0 : units.size() - n_ + 1;
    const double share = ngrams == 0 ? 0 : static_cast<double>(starts.size()) / static_cast<double>(ngrams);
    sample.note("repeated", share);
    if (starts.empty()) return 0;
    return is_per_token_ ? token_penalties(sample, starts) : penalty_ * share;
  }

 private:
  // On the tokens where they are taken, else as their sum: the total is the same.
  double token_penalties(const tenon::Sample& sample, const std::vector<size_t>& starts) const {
    double sum = 0;
    size_t done = 0;  // tokens before this have theirs
    for (size_t start : starts) {
      for (size_t k = std::max(done, start); k < start + n_; ++k)
        if (!sample.token_reward(k, penalty_)) sum += penalty_;
      done = start + n_;
    }
    return sum;
  }

  size_t n_;
  std::string unit_;
  bool is_per_token_;
  double penalty_;
};

}  // namespace

TENON_REWARD_PLUGIN(Repetition, "repetition", "1.0.0",
                    "A penalty for n-grams that the completion has already had.",
                    tenon::integer("n", "40", "Units in an n-gram.", {.min = "1", .max = "4096"}),
                    tenon::choice("unit", kUnits, "\"tokens\"",
                                  "What an n-gram is made of: sampled tokens; words between white space, "
                                  "ASCII letters in lower case; plain-words: runs of letters, whatever "
                                  "parts them; characters."),
                    tenon::choice("per", kPers, "\"token\"",
                                  "token: `penalty` on each token of a repeated n-gram; completion: "
                                  "`penalty` times the share of n-grams that are "
                                  "repeats."),
                    tenon::number("penalty", "-0.05", "The reward of it.", {.max = "0"}))
