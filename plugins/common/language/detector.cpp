// CLD2's widest call.
// SPDX-License-Identifier: Apache-2.0
#include "language/detector.h"

#include <cstdio>  // before CLD2's header, which needs it and does not include it

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

namespace tenon::language {
namespace {

// Languages that CLD2 tells apart and the codes do not.
int merged(int language) {
  if (language == CLD2::CHINESE_T) return CLD2::CHINESE;
  if (language == CLD2::NORWEGIAN_N) return CLD2::NORWEGIAN;
  return language;
}

}  // namespace

std::optional<Language> language_of_code(std::string_view code) {
  std::string name(code.substr(0, code.find_first_of("-_")));
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  if (name.size() < 2 || name.size() > 3) return std::nullopt;
  if (name == "he") name = "iw";  // CLD2 has the older codes
  if (name == "nb") name = "no";
  if (name == "jv") name = "jw";
  const CLD2::Language language = CLD2::GetLanguageFromName(name.c_str());
  if (language == CLD2::UNKNOWN_LANGUAGE) return std::nullopt;
  return Language{merged(language)};
}

std::string code_of(Language language) {
  const std::string code = CLD2::LanguageCode(static_cast<CLD2::Language>(language.cld2));
  return code == "iw" ? "he" : code == "jw" ? "jv" : code;
}

Detection detect(std::string_view text, std::optional<Language> hint) {
  CLD2::Language top3[3];
  int percent[3], text_bytes = 0, valid_bytes = 0;
  double score[3];
  bool is_reliable = false;
  const CLD2::CLDHints hints{nullptr, nullptr, CLD2::UNKNOWN_ENCODING,
                             hint ? static_cast<CLD2::Language>(hint->cld2) : CLD2::UNKNOWN_LANGUAGE};
  const CLD2::Language top = CLD2::ExtDetectLanguageSummaryCheckUTF8(
      text.data(), static_cast<int>(text.size()), true, &hints, 0, top3, percent, score, nullptr, &text_bytes,
      &is_reliable, &valid_bytes);
  Detection out;
  if (top != CLD2::UNKNOWN_LANGUAGE) out.top = Language{merged(top)};
  out.is_reliable = is_reliable;
  for (int i = 0; hint && i < 3; ++i) {
    if (merged(top3[i]) == hint->cld2) {
      out.hint_percent += percent[i];
    } else if (top3[i] != CLD2::UNKNOWN_LANGUAGE && percent[i] > out.other_percent) {
      out.other = Language{merged(top3[i])};
      out.other_percent = percent[i];
    }
  }
  return out;
}

}  // namespace tenon::language
