// Counting words by language.
// SPDX-License-Identifier: Apache-2.0
#include "language/consistency.h"

#include <unicode/uscript.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "language/prose.h"
#include "language/words.h"

namespace tenon::language {
namespace {

constexpr size_t kRepeatedRun = 5;     // words
constexpr size_t kMinSentence = 4;     // words of the target's script, for CLD2 to be asked
constexpr uint32_t kShortLatin = 3;    // letters of a lone Latin word that is neutral in another script
constexpr uint32_t kAbbreviation = 5;  // letters of capitals that are one
constexpr uint32_t kNameLetters = 4;   // letters of a name that might be prose
constexpr int kHintPercent = 40;       // of a sentence in the target language, for it to count as that
constexpr int kMixedPercent = 25;      // of a sentence in another language, for it to be shared out
constexpr size_t kMixedSentence = 12;  // words of the target's script, for that
constexpr size_t kGibberish = 15;      // words that are together in no language, for them to be foreign
constexpr uint32_t kLongWord = 20;     // letters; a longer one weighs as words of kMeanWord
constexpr uint32_t kMeanWord = 6;
constexpr double kFreeNames = 0.25;  // different names, of the words that are none, that say nothing
constexpr double kNameWords =
    2;  // words of prose for a name beyond them: its short and its repeated words are not seen
constexpr uint32_t kOwnLongWord = 40;  // letters; no word of any language
constexpr double kSpelt = 5;           // single letters that might be a word

// How a language is written.
struct Writing {
  std::vector<int32_t> scripts;
  bool is_shared;  // with other languages, so that the script alone does not decide
};

Writing writing_of(Language language) {
  static const std::map<std::string, Writing> kWritings = {
      {"zh", {{USCRIPT_HAN, USCRIPT_BOPOMOFO}, false}},
      {"ja", {{USCRIPT_HAN, USCRIPT_HIRAGANA, USCRIPT_KATAKANA}, false}},
      {"ko", {{USCRIPT_HANGUL}, false}},
      {"th", {{USCRIPT_THAI}, false}},
      {"lo", {{USCRIPT_LAO}, false}},
      {"km", {{USCRIPT_KHMER}, false}},
      {"my", {{USCRIPT_MYANMAR}, false}},
      {"ka", {{USCRIPT_GEORGIAN}, false}},
      {"hy", {{USCRIPT_ARMENIAN}, false}},
      {"el", {{USCRIPT_GREEK}, false}},
      {"he", {{USCRIPT_HEBREW}, true}},
      {"yi", {{USCRIPT_HEBREW}, true}},
      {"am", {{USCRIPT_ETHIOPIC}, true}},
      {"ti", {{USCRIPT_ETHIOPIC}, true}},
      {"bn", {{USCRIPT_BENGALI}, true}},
      {"as", {{USCRIPT_BENGALI}, true}},
      {"pa", {{USCRIPT_GURMUKHI}, false}},
      {"gu", {{USCRIPT_GUJARATI}, false}},
      {"or", {{USCRIPT_ORIYA}, false}},
      {"ta", {{USCRIPT_TAMIL}, false}},
      {"te", {{USCRIPT_TELUGU}, false}},
      {"kn", {{USCRIPT_KANNADA}, false}},
      {"ml", {{USCRIPT_MALAYALAM}, false}},
      {"si", {{USCRIPT_SINHALA}, false}},
      {"bo", {{USCRIPT_TIBETAN}, false}},
  };
  static const std::map<std::string, int32_t> kShared = {
      {"ru", USCRIPT_CYRILLIC},   {"uk", USCRIPT_CYRILLIC},   {"bg", USCRIPT_CYRILLIC},
      {"be", USCRIPT_CYRILLIC},   {"mk", USCRIPT_CYRILLIC},   {"sr", USCRIPT_CYRILLIC},
      {"kk", USCRIPT_CYRILLIC},   {"ky", USCRIPT_CYRILLIC},   {"tg", USCRIPT_CYRILLIC},
      {"mn", USCRIPT_CYRILLIC},   {"tt", USCRIPT_CYRILLIC},   {"ar", USCRIPT_ARABIC},
      {"fa", USCRIPT_ARABIC},     {"ur", USCRIPT_ARABIC},     {"ps", USCRIPT_ARABIC},
      {"sd", USCRIPT_ARABIC},     {"ug", USCRIPT_ARABIC},     {"hi", USCRIPT_DEVANAGARI},
      {"mr", USCRIPT_DEVANAGARI}, {"ne", USCRIPT_DEVANAGARI}, {"sa", USCRIPT_DEVANAGARI},
  };
  const std::string code = code_of(language);
  if (auto found = kWritings.find(code); found != kWritings.end()) return found->second;
  if (auto found = kShared.find(code); found != kShared.end()) {
    Writing writing{{found->second}, true};
    if (code == "sr") writing.scripts.push_back(USCRIPT_LATIN);
    return writing;
  }
  return {{USCRIPT_LATIN}, true};
}

bool is_function_name(const std::string& word) {
  static const std::unordered_set<std::string> kNames = {
      "sin",  "cos",  "tan",  "cot",  "sec", "csc",   "arcsin", "arccos", "arctan", "sinh",
      "cosh", "tanh", "log",  "ln",   "exp", "lim",   "max",    "min",    "gcd",    "lcm",
      "mod",  "det",  "sqrt", "frac", "sgn", "floor", "ceil",   "arg",    "inf",    "sup"};
  return kNames.contains(word);
}

class Counter {
 public:
  Counter(Language target, std::string_view prompt, const Rules& rules)
      : target_(target), writing_(writing_of(target)), rules_(rules), code_(code_of(target)) {
    if (!rules.quoted_terms_are_neutral) return;
    const std::string prose = prose_of(prompt).text;
    if (is_mostly_target(prose))
      for (std::string& word : folded_words(prompt)) quoted_.insert(std::move(word));
  }

  Counts run(std::string_view text) {
    const Prose prose = prose_of(text);
    for (const Sentence& sentence : sentences_of(prose.text)) count(sentence);
    settle_undecided();
    add_names(prose.names);
    charge_names();
    for (const auto& [language, words] : foreign_)
      if (counts_.foreign_language.empty() || words > foreign_[counts_.foreign_language])
        counts_.foreign_language = language;
    return counts_;
  }

 private:
  bool is_own(const Word& word) const {
    return std::find(writing_.scripts.begin(), writing_.scripts.end(), word.script) != writing_.scripts.end();
  }
  // Whether a prompt is in the target language, as far as its script shows it.
  bool is_mostly_target(const std::string& prose) const {
    size_t own = 0, all = 0;
    for (const Sentence& sentence : sentences_of(prose))
      for (const Word& word : sentence.words) {
        ++all;
        own += is_own(word) ? 1 : 0;
      }
    if (all == 0 || 2 * own < all) return false;
    if (!writing_.is_shared) return true;
    const Detection detection = detect(prose, target_);
    return detection.top == target_;
  }

  void count(const Sentence& sentence) {
    size_t capitals = 0;
    for (const Word& word : sentence.words) capitals += word.is_capitals ? 1 : 0;
    const bool is_shouted = 2 * capitals > sentence.words.size();
    std::vector<const Word*> own;
    for (size_t i = 0; i < sentence.words.size(); ++i) {
      const Word& word = sentence.words[i];
      if (is_neutral(sentence, i, is_shouted)) {
        counts_.neutral += 1;
        if (word.letters == 1) ++single_letters_;
        if (word.letters >= kNameLetters && word.is_identifier) add_names(word.spaced);
        if (word.letters >= kNameLetters && word.is_capitals) names_.insert(word.text);
      } else if (word.letters > kOwnLongWord) {
        foreign("words of more than 40 letters", weight_of(word));
      } else if (is_own(word)) {
        own.push_back(&word);
      } else if (quoted_.contains(word.text)) {
        counts_.neutral += 1;
      } else {
        foreign(uscript_name(word.script), weight_of(word));
      }
    }
    if (!own.empty()) count_own(sentence, own);
  }
  bool is_neutral(const Sentence& sentence, size_t i, bool is_shouted) const {
    const Word& word = sentence.words[i];
    if (word.script == USCRIPT_INVALID_CODE) return false;
    if (word.script == USCRIPT_COMMON || is_function_name(word.text) || is_name(word)) return true;
    const bool is_abbreviation = word.is_capitals && word.letters <= kAbbreviation && !is_shouted;
    return !is_own(word) && (is_abbreviation || is_lone_short(sentence, i));
  }
  static std::string uscript_name(int32_t script) {
    return script == USCRIPT_INVALID_CODE ? "mixed scripts"
                                          : uscript_getName(static_cast<UScriptCode>(script));
  }
  // A single letter or an identifier, in a script where one letter is no word.
  static bool is_name(const Word& word) {
    const bool is_alphabet =
        word.script == USCRIPT_LATIN || word.script == USCRIPT_CYRILLIC || word.script == USCRIPT_GREEK;
    return is_alphabet && (word.letters == 1 || word.is_identifier);
  }
  // A short Latin word between words of the target's script, "x 和 ab 的".
  bool is_lone_short(const Sentence& sentence, size_t i) const {
    const Word& word = sentence.words[i];
    if (word.script != USCRIPT_LATIN || word.letters > kShortLatin) return false;
    const bool is_after = i > 0 && !is_own(sentence.words[i - 1]);
    const bool is_before = i + 1 < sentence.words.size() && !is_own(sentence.words[i + 1]);
    return !is_after && !is_before && sentence.words.size() > 1;
  }

  // Words written as one count as some.
  static double weight_of(const Word& word) {
    return word.letters > kLongWord ? static_cast<double>(word.letters) / kMeanWord : 1;
  }
  static double weight_of(const std::vector<const Word*>& words) {
    double sum = 0;
    for (const Word* word : words) sum += weight_of(*word);
    return sum;
  }
  void add_names(std::string_view spaced) {
    for (size_t i = 0; i < spaced.size();) {
      const size_t end = std::min(spaced.find(' ', i), spaced.size());
      std::string name(spaced.substr(i, end - i));
      for (char& c : name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
      if (name.size() > kLongWord) long_names_ += static_cast<double>(name.size()) / kMeanWord;
      if (name.size() > 1 && !is_function_name(name) && !quoted_.contains(name))
        names_.insert(std::move(name));
      i = end + 1;
    }
  }

  void foreign(const std::string& language, double words) {
    counts_.foreign += words;
    foreign_[language] += words;
  }
  // Words of the target's language; those that repeat a run of words that stood before are not counted.
  void target(const std::vector<const Word*>& words) {
    for (const Word* word : words) {
      run_ += word->text + '\n';
      run_ends_.push_back(run_.size());
      const bool has_run = run_ends_.size() >= kRepeatedRun;
      const size_t begin =
          run_ends_.size() > kRepeatedRun ? run_ends_[run_ends_.size() - kRepeatedRun - 1] : 0;
      const bool is_repeated = has_run && !runs_.insert(run_.substr(begin)).second;
      (is_repeated && !rules_.repeats_count ? counts_.repeated : counts_.target) += 1;
    }
  }

  void count_own(const Sentence& sentence, const std::vector<const Word*>& own) {
    if (code_ == "zh" || code_ == "ja") return count_chinese_or_japanese(sentence, own);
    if (!writing_.is_shared) return target(own);
    if (own.size() < kMinSentence) return undecided(sentence, own);
    const Detection detection = detect(sentence.text, target_);
    if (detection.top == target_ || detection.hint_percent >= kHintPercent) return share_out(detection, own);
    if (detection.top && detection.is_reliable) {
      double quoted = 0;
      for (const Word* word : own) quoted += quoted_.contains(word->text) ? 1 : 0;
      counts_.neutral += quoted;
      return foreign(code_of(*detection.top), weight_of(own) - quoted);
    }
    undecided(sentence, own);
  }
  // A sentence of the target language; where a good part of a long one is in another that is written alike ("he says: …"), that part is foreign.
  void share_out(const Detection& detection, const std::vector<const Word*>& own) {
    const bool is_mixed = own.size() >= kMixedSentence && detection.other_percent >= kMixedPercent &&
                          writing_of(*detection.other).scripts[0] == writing_.scripts[0];
    if (!is_mixed) return target(own);
    const int sum = detection.hint_percent + detection.other_percent;
    const size_t n_foreign =
        own.size() * static_cast<size_t>(detection.other_percent) / static_cast<size_t>(sum);
    target({own.begin(), own.end() - static_cast<ptrdiff_t>(n_foreign)});
    foreign(code_of(*detection.other), static_cast<double>(n_foreign));
  }
  // Japanese prose has kana in every sentence of some length; Chinese has none.
  void count_chinese_or_japanese(const Sentence& sentence, const std::vector<const Word*>& own) {
    constexpr uint32_t kLongHan = 8;  // letters
    bool has_kana = false;
    uint32_t letters = 0;
    for (const Word& word : sentence.words) has_kana = has_kana || word.has_kana;
    for (const Word* word : own) letters += word->letters;
    const bool is_japanese = has_kana || (code_ == "ja" && letters < kLongHan);
    if (is_japanese == (code_ == "ja")) return target(own);
    foreign(code_ == "ja" ? "zh" : "ja", static_cast<double>(own.size()));
  }

  void undecided(const Sentence& sentence, const std::vector<const Word*>& own) {
    undecided_text_ += sentence.text + "\n";
    for (const Word* word : own) undecided_words_.push_back(*word);
  }
  // Prose in the dress of names ("we_add_the_numbers", `we` `add`, "w e a d d"): there are no more different names than a part of the words that are none.
  void charge_names() {
    const double names = static_cast<double>(names_.size()) + single_letters_ / kSpelt + long_names_;
    const double excess =
        kNameWords * (names - kFreeNames * (counts_.target + counts_.repeated + counts_.foreign));
    if (excess < 1 || (writing_.is_shared && are_in_target())) return;
    counts_.neutral = std::max(0.0, counts_.neutral - excess);
    foreign("names", excess);
  }
  // Names are mostly English; where they are words of the target language, nothing is hidden in them.
  bool are_in_target() const {
    std::string text;
    for (const std::string& name : std::set<std::string>(names_.begin(), names_.end())) text += name + " ";
    return writing_.scripts[0] == USCRIPT_LATIN && detect(text, target_).top == target_;
  }
  // All of them together are in one language, or stay undecided.
  void settle_undecided() {
    if (undecided_words_.empty()) return;
    std::vector<const Word*> words;
    for (const Word& word : undecided_words_) words.push_back(&word);
    const Detection detection = detect(undecided_text_, target_);
    const bool is_latin = writing_.scripts[0] == USCRIPT_LATIN;
    if (detection.top == target_ || detection.hint_percent >= kHintPercent) {
      target(words);
    } else if (detection.top && (detection.is_reliable || is_latin)) {
      foreign(code_of(*detection.top), weight_of(words));
    } else if (detection.hint_percent == 0 && words.size() >= kGibberish) {
      foreign("no known language", weight_of(words));
    } else if (!is_latin) {
      target(words);
    } else {
      counts_.undecided += static_cast<double>(words.size());
    }
  }

  Language target_;
  Writing writing_;
  Rules rules_;
  std::string code_;
  std::unordered_set<std::string> quoted_, runs_;
  std::string run_;
  std::vector<size_t> run_ends_;
  std::string undecided_text_;
  std::vector<Word> undecided_words_;
  std::map<std::string, double> foreign_;
  std::unordered_set<std::string>
      names_;  // parts of identifiers, abbreviations of some length, words in formulas and code; folded
  double single_letters_ = 0, long_names_ = 0;
  Counts counts_;
};

}  // namespace

Counts count_words(std::string_view text, std::string_view prompt, Language target, const Rules& rules) {
  return Counter(target, prompt, rules).run(text);
}

std::optional<Language> language_of(std::string_view text) {
  std::string prose;
  for (const Sentence& sentence : sentences_of(prose_of(text).text)) prose += sentence.text + "\n";
  return detect(prose, std::nullopt).top;
}

}  // namespace tenon::language
