// Rules of the data set filter.
// SPDX-License-Identifier: Apache-2.0
#include "rule.h"

#include <algorithm>
#include <cstdlib>

#include "dataset_support/wrapped.h"
#include "language/consistency.h"
#include "normal_words/normal_words.h"

namespace tenon::filter {
namespace {

std::optional<pattern::Pattern> regex(const Host& host, const std::string& path) {
  const auto text = host.str_if(path.c_str());
  return text ? std::optional<pattern::Pattern>(*text) : std::nullopt;
}

}  // namespace

Rule::Rule(const Host& host, const std::string& path)
    : name_(host.str((path + ".name").c_str())),
      part_(host.str_if((path + ".part").c_str()).value_or("prompt")),
      matches_(regex(host, path + ".matches")),
      lacks_(regex(host, path + ".lacks")),
      min_words_(host.i64_if((path + ".min_words").c_str())),
      max_words_(host.i64_if((path + ".max_words").c_str())),
      min_(host.f64_if((path + ".min").c_str())),
      max_(host.f64_if((path + ".max").c_str())) {
  for (const std::string& code : host.strs((path + ".languages").c_str()))
    languages_.push_back(language::language_of_code(code).value());
}

void Rule::check(const Host& host, const std::string& path, Findings& findings) {
  bool says_something = host.count((path + ".languages").c_str()) > 0;
  for (const char* option : {".matches", ".lacks"}) try {
      says_something |= regex(host, path + option).has_value();
    } catch (const Error& e) {
      says_something = true;
      findings.error((path + option).c_str(), e.what());
    }
  for (const char* option : {".min_words", ".max_words"})
    says_something |= host.i64_if((path + option).c_str()).has_value();
  for (const char* option : {".min", ".max"})
    says_something |= host.f64_if((path + option).c_str()).has_value();
  if (!says_something)
    findings.error(path.c_str(),
                   "says nothing: give matches, lacks, min_words, max_words, min, max or languages");
  if (host.i64_if((path + ".min_words").c_str()).value_or(0) >
      host.i64_if((path + ".max_words").c_str()).value_or(INT64_MAX))
    findings.error((path + ".min_words").c_str(), "is greater than max_words");
  const auto least = host.f64_if((path + ".min").c_str()), most = host.f64_if((path + ".max").c_str());
  if (least && most && *least > *most) findings.error((path + ".min").c_str(), "is greater than max");
  for (uint64_t i = 0; i < host.count((path + ".languages").c_str()); ++i) {
    const std::string at = path + ".languages." + std::to_string(i);
    const std::string code = host.str(at.c_str());
    if (!language::language_of_code(code))
      findings.error(
          at.c_str(),
          "\"" + code + "\" is no language that can be told; give a code of ISO 639-1, `en` or `zh`");
  }
}

bool Rule::holds(const Row& row) const {
  const auto text = dataset_support::part_of(row, part_);
  return text && (!matches_ || matches_->in(*text)) && (!lacks_ || !lacks_->in(*text)) &&
         words_are_as_many(*text) && is_in_range(*text) && is_in_a_language(*text);
}

bool Rule::words_are_as_many(const std::string& text) const {
  if (!min_words_ && !max_words_) return true;
  const auto n = static_cast<int64_t>(normal_words::words_of(text).size());
  return n >= min_words_.value_or(0) && n <= max_words_.value_or(INT64_MAX);
}

bool Rule::is_in_range(const std::string& text) const {
  if (!min_ && !max_) return true;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return false;
  return (!min_ || value >= *min_) && (!max_ || value <= *max_);
}

bool Rule::is_in_a_language(const std::string& text) const {
  if (languages_.empty()) return true;
  const auto found = language::language_of(text);
  return found && std::find(languages_.begin(), languages_.end(), *found) != languages_.end();
}

}  // namespace tenon::filter
