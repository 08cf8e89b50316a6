// Segmentation by ICU.
// SPDX-License-Identifier: Apache-2.0
#include "language/words.h"

#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <memory>
#include <stdexcept>

namespace tenon::language {
namespace {

using icu::BreakIterator;
using icu::UnicodeString;

void require(UErrorCode code, const char* what) {
  if (U_FAILURE(code)) throw std::runtime_error(std::string("ICU: ") + what + ": " + u_errorName(code));
}

UnicodeString without_invisible(const UnicodeString& text) {
  UnicodeString out;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) continue;
    // Regional indicators, of which flags are made, are letters in a box.
    constexpr UChar32 kFlagA = 0x1F1E6, kFlagZ = 0x1F1FF;
    if (c >= kFlagA && c <= kFlagZ) {
      out.append(static_cast<UChar32>('a' + (c - kFlagA)));
      continue;
    }
    // Control characters, which CLD2 takes for broken text; U+0091 and U+0092 are Windows' quotation marks.
    const bool is_control = u_charType(c) == U_CONTROL_CHAR && c != '\n';
    out.append(is_control ? (c == 0x91 || c == 0x92 ? '\'' : ' ') : c);
  }
  return out;
}

UnicodeString normalised(std::string_view utf8) {
  const UnicodeString text =
      UnicodeString::fromUTF8(icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())));
  UErrorCode code = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(code);
  require(code, "NFKC");
  const UnicodeString out = nfkc->normalize(without_invisible(text), code);
  require(code, "normalise");
  return out;
}

std::string utf8_of(const UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

// The iterators of this thread: making one reads tables.
struct Iterators {
  Iterators() {
    UErrorCode code = U_ZERO_ERROR;
    words.reset(BreakIterator::createWordInstance(icu::Locale::getRoot(), code));
    sentences.reset(BreakIterator::createSentenceInstance(icu::Locale::getRoot(), code));
    require(code, "break iterators");
  }
  std::unique_ptr<BreakIterator> words, sentences;
};
Iterators& iterators() {
  thread_local Iterators of_thread;
  return of_thread;
}

// Han, kana and Hangul go together in a word; every other pair of scripts does not.
bool go_together(int32_t a, int32_t b) {
  auto is_east_asian = [](int32_t s) {
    return s == USCRIPT_HAN || s == USCRIPT_HIRAGANA || s == USCRIPT_KATAKANA || s == USCRIPT_HANGUL ||
           s == USCRIPT_BOPOMOFO;
  };
  return is_east_asian(a) && is_east_asian(b);
}

Word word_of(UnicodeString text) {
  Word word{{}, USCRIPT_COMMON, 0, false, false, false, {}};
  UnicodeString spaced;
  uint32_t capitals = 0;
  bool is_before_small = false;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    UErrorCode code = U_ZERO_ERROR;
    const int32_t script = uscript_getScript(c, &code);
    if (u_isdigit(c) || c == '_') word.is_identifier = true;
    if (!u_isalpha(c) || (is_before_small && u_isupper(c))) spaced.append(u' ');
    if (!u_isalpha(c)) continue;
    spaced.append(c);
    ++word.letters;
    if (u_isupper(c)) {
      ++capitals;
      if (is_before_small) word.is_identifier = true;
    }
    is_before_small = u_islower(c);
    if (script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA) word.has_kana = true;
    if (script == USCRIPT_COMMON || script == USCRIPT_INHERITED) continue;
    if (word.script == USCRIPT_COMMON) {
      word.script = script;
    } else if (word.script != script && !go_together(word.script, script)) {
      word.script = USCRIPT_INVALID_CODE;
    }
  }
  word.is_capitals = word.letters >= 2 && capitals == word.letters;
  if (word.is_identifier) word.spaced = utf8_of(spaced.foldCase());
  word.text = utf8_of(text.foldCase());
  return word;
}

void add_words(const UnicodeString& text, std::vector<Word>& words) {
  BreakIterator& breaks = *iterators().words;
  breaks.setText(text);
  for (int32_t begin = breaks.first(), end = breaks.next(); end != BreakIterator::DONE;
       begin = end, end = breaks.next()) {
    // Digits inside make it a number to ICU; whether there is a letter counts here.
    if (breaks.getRuleStatus() < UBRK_WORD_NUMBER) continue;
    Word word = word_of(text.tempSubStringBetween(begin, end));
    if (word.letters > 0) words.push_back(std::move(word));
  }
}

void add_sentence(const UnicodeString& text, std::vector<Sentence>& out) {
  Sentence sentence;
  add_words(text, sentence.words);
  if (sentence.words.empty()) return;
  sentence.text = utf8_of(text);
  out.push_back(std::move(sentence));
}

}  // namespace

std::vector<Sentence> sentences_of(std::string_view prose) {
  std::vector<Sentence> out;
  const UnicodeString text = normalised(prose);
  for (int32_t line = 0; line < text.length();) {
    int32_t line_end = text.indexOf(u'\n', line);
    if (line_end < 0) line_end = text.length();
    const UnicodeString piece = text.tempSubStringBetween(line, line_end);
    BreakIterator& breaks = *iterators().sentences;
    breaks.setText(piece);
    for (int32_t begin = breaks.first(), end = breaks.next(); end != BreakIterator::DONE;
         begin = end, end = breaks.next())
      add_sentence(piece.tempSubStringBetween(begin, end), out);
    line = line_end + 1;
  }
  return out;
}

std::vector<std::string> folded_words(std::string_view text) {
  std::vector<Word> words;
  add_words(normalised(text), words);
  std::vector<std::string> out;
  for (Word& word : words) out.push_back(std::move(word.text));
  return out;
}

}  // namespace tenon::language
