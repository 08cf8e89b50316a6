// The table of units and their grammar.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/units.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "math_answer/characters.h"

namespace tenon::math_answer {
namespace {

struct Entry {
  Dimension dimension;
  int64_t num, den;
  int8_t power = 1;
};

const std::unordered_map<std::string_view, Entry>& table() {
  using D = Dimension;
  static const std::unordered_map<std::string_view, Entry> t = {
      {"m", {D::kLength, 1, 1}},
      {"meter", {D::kLength, 1, 1}},
      {"metre", {D::kLength, 1, 1}},
      {"km", {D::kLength, 1000, 1}},
      {"kilometer", {D::kLength, 1000, 1}},
      {"kilometre", {D::kLength, 1000, 1}},
      {"cm", {D::kLength, 1, 100}},
      {"centimeter", {D::kLength, 1, 100}},
      {"centimetre", {D::kLength, 1, 100}},
      {"mm", {D::kLength, 1, 1000}},
      {"millimeter", {D::kLength, 1, 1000}},
      {"millimetre", {D::kLength, 1, 1000}},
      {"dm", {D::kLength, 1, 10}},
      {"in", {D::kLength, 254, 10000}},
      {"inch", {D::kLength, 254, 10000}},
      {"inches", {D::kLength, 254, 10000}},
      {"ft", {D::kLength, 3048, 10000}},
      {"foot", {D::kLength, 3048, 10000}},
      {"feet", {D::kLength, 3048, 10000}},
      {"yd", {D::kLength, 9144, 10000}},
      {"yard", {D::kLength, 9144, 10000}},
      {"mi", {D::kLength, 1609344, 1000}},
      {"mile", {D::kLength, 1609344, 1000}},
      {"s", {D::kTime, 1, 1}},
      {"sec", {D::kTime, 1, 1}},
      {"second", {D::kTime, 1, 1}},
      {"min", {D::kTime, 60, 1}},
      {"minute", {D::kTime, 60, 1}},
      {"h", {D::kTime, 3600, 1}},
      {"hr", {D::kTime, 3600, 1}},
      {"hour", {D::kTime, 3600, 1}},
      {"day", {D::kTime, 86400, 1}},
      {"week", {D::kTime, 604800, 1}},
      {"kg", {D::kMass, 1, 1}},
      {"kilogram", {D::kMass, 1, 1}},
      {"g", {D::kMass, 1, 1000}},
      {"gm", {D::kMass, 1, 1000}},
      {"gram", {D::kMass, 1, 1000}},
      {"mg", {D::kMass, 1, 1000000}},
      {"lb", {D::kMass, 45359237, 100000000}},
      {"pound", {D::kMass, 45359237, 100000000}},
      {"oz", {D::kMass, 45359237, 1600000000}},
      {"ounce", {D::kMass, 45359237, 1600000000}},
      {"l", {D::kLength, 1, 1000, 3}},
      {"L", {D::kLength, 1, 1000, 3}},
      {"liter", {D::kLength, 1, 1000, 3}},
      {"litre", {D::kLength, 1, 1000, 3}},
      {"ml", {D::kLength, 1, 1000000, 3}},
      {"mL", {D::kLength, 1, 1000000, 3}},
      {"milliliter", {D::kLength, 1, 1000000, 3}},
      {"cc", {D::kLength, 1, 1000000, 3}},
      {"gallon", {D::kLength, 3785411784, 1000000000000, 3}},
      {"gal", {D::kLength, 3785411784, 1000000000000, 3}},
      {"degree", {D::kAngle, 1, 1}},
      {"deg", {D::kAngle, 1, 1}},
      {"dollar", {D::kDollar, 1, 1}},
      {"usd", {D::kDollar, 1, 1}},
      {"buck", {D::kDollar, 1, 1}},
      {"cent", {D::kDollar, 1, 100}},
      {"euro", {D::kEuro, 1, 1}},
      {"pounds sterling", {D::kSterling, 1, 1}},
      {"yen", {D::kYen, 1, 1}},
      {"acre", {D::kLength, 40468564224, 10000000, 2}},
      {"hectare", {D::kLength, 10000, 1, 2}}};
  return t;
}

const Entry* find(std::string_view word) {
  const auto& t = table();
  if (auto found = t.find(word); found != t.end()) return &found->second;
  const std::string lower = lower_case(word);
  if (lower.size() > 2)
    if (auto found = t.find(lower); found != t.end()) return &found->second;
  if (lower.size() > 3 && lower.ends_with('s'))
    if (auto found = t.find(std::string_view(lower).substr(0, lower.size() - 1)); found != t.end())
      return &found->second;
  if (word == "hrs") return find("hour");
  if (word == "mins") return find("minute");
  if (word == "lbs") return find("pound");
  return nullptr;
}

void apply(Unit& unit, const Entry& entry, int power) {
  const int total = entry.power * power;
  auto& exponent = unit.exponents[static_cast<size_t>(entry.dimension)];
  exponent = static_cast<int8_t>(std::clamp(exponent + total, -100, 100));
  Rational one = Rational(entry.num) / Rational(entry.den);
  unit.factor = unit.factor * one.power(power);
}

std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (char c : name) {
    const bool hyphen = c == '-' && !words.back().ends_with('^');
    if (c == ' ' || c == '\n' || c == '\t' || hyphen) {
      if (!words.back().empty()) words.emplace_back();
    } else if (c == '/') {
      if (!words.back().empty()) words.emplace_back();
      words.back() = "per";
      words.emplace_back();
    } else if (c != '.' && c != ',') {
      words.back() += c;
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// "cm^2" to "cm" and 2; 1 without a power; 0: an odd one.
int split_power(std::string& word) {
  const size_t caret = word.find('^');
  if (caret == std::string::npos) return 1;
  const std::string power = word.substr(caret + 1);
  word.resize(caret);
  if (power == "2" || power == "3" || power == "1") return power[0] - '0';
  if (power == "-1") return -1;
  if (power == "-2") return -2;
  return 0;
}

}  // namespace

std::optional<Unit> parse_unit(std::string_view name) {
  if (name == "pounds sterling") {
    Unit unit;
    apply(unit, *find(name), 1);
    return unit;
  }
  Unit unit;
  int sign = 1, pending = 1;
  size_t found = 0;
  for (std::string& word : words_of(name)) {
    if (word == "per" || word == "a" || word == "an") {
      sign = -1;
      continue;
    }
    if (word == "square" || word == "sq") {
      pending = 2;
      continue;
    }
    if (word == "cubic" || word == "cu") {
      pending = 3;
      continue;
    }
    if (word == "mph") {
      apply(unit, *find("mile"), 1);
      apply(unit, *find("hour"), -1);
      ++found;
      continue;
    }
    const int power = split_power(word);
    const Entry* entry = find(word);
    if (entry == nullptr || power == 0) return std::nullopt;
    apply(unit, *entry, sign * pending * power);
    pending = 1;
    ++found;
  }
  if (found == 0 || pending != 1) return std::nullopt;
  return unit;
}

bool is_unit_word(std::string_view word) {
  static const std::unordered_set<std::string_view> more = {"square", "sq",    "cubic",  "cu",    "mph",
                                                            "units",  "unit",  "per",    "years", "year",
                                                            "months", "month", "people", "ways"};
  return word.size() > 1 && (find(word) != nullptr || more.contains(word));
}

int64_t multiplier_word(std::string_view word) {
  static const std::unordered_map<std::string_view, int64_t> words = {{"hundred", 100},
                                                                      {"thousand", 1000},
                                                                      {"million", 1000000},
                                                                      {"billion", 1000000000},
                                                                      {"trillion", 1000000000000},
                                                                      {"dozen", 12},
                                                                      {"hundreds", 100},
                                                                      {"thousands", 1000},
                                                                      {"millions", 1000000},
                                                                      {"billions", 1000000000},
                                                                      {"dozens", 12}};
  auto found = words.find(word);
  return found == words.end() ? 0 : found->second;
}

bool is_lead_word(std::string_view word) {
  static const std::unordered_set<std::string_view> words = {
      "approximately", "about",         "approx", "exactly", "roughly", "Answer",
      "answer",        "Approximately", "About",  "Exactly", "approx."};
  static const std::unordered_set<std::string_view> phrases = {
      "the answer is", "answer is", "the final answer is", "the value is", "the result is", "so",
      "thus",          "hence",     "therefore",           "the answer",   "final answer"};
  if (words.contains(word)) return true;
  if (word.size() > 24) return false;
  std::string phrase = lower_case(word);
  while (!phrase.empty() && (phrase.back() == ':' || phrase.back() == ',' || phrase.back() == ' '))
    phrase.pop_back();
  return phrases.contains(phrase);
}

bool is_plain_word(std::string_view word) {
  static const std::unordered_set<std::string_view> words = {
      "it",  "so",  "we",  "to",  "of",  "be",  "an",  "as",  "at",  "if",  "no",  "on",  "by",  "my",  "the",
      "she", "her", "his", "was", "has", "had", "you", "for", "not", "but", "all", "he",  "its", "do",  "can",
      "get", "any", "new", "who", "how", "our", "out", "up",  "us",  "me",  "now", "see", "yes", "odd", "red",
      "May", "It",  "So",  "We",  "The", "She", "He",  "Her", "His", "No",  "Yes", "If",  "To"};
  return words.contains(word);
}

bool is_number_relation_word(std::string_view word) {
  static const std::unordered_set<std::string_view> words = {
      "more",    "less",    "times",      "plus",        "minus",  "than",   "not",      "divided",
      "over",    "but",     "is",         "are",         "was",    "equals", "half",     "quarter",
      "because", "since",   "squared",    "cubed",       "fewer",  "base",   "so",       "to",
      "greater", "smaller", "from",       "then",        "maybe",  "either", "choose",   "factorial",
      "halves",  "thirds",  "fourths",    "quarters",    "fifths", "sixths", "sevenths", "eighths",
      "ninths",  "tenths",  "hundredths", "thousandths", "mod",    "modulo", "root",     "th",
      "and",     "or",      "nor",        "per cent"};
  const size_t space = word.find(' ');
  return words.contains(word.substr(0, space));
}

bool is_judging_word(std::string_view word) {
  static const std::unordered_set<std::string_view> words = {
      "wrong", "incorrect", "false",    "not",      "no",       "never",     "nope",     "cannot",
      "maybe", "perhaps",   "possibly", "probably", "guess",    "guessing",  "unsure",   "or",
      "nor",   "neither",   "either",   "except",   "mistaken", "erroneous", "doubtful", "invalid",
      "isn't", "isnt",      "aren't",   "can't",    "unlikely"};
  return words.contains(lower_case(word));
}

bool has_judging_word(std::string_view words) {
  std::string word;
  for (size_t i = 0; i <= words.size(); ++i) {
    if (i < words.size() && (is_letter(words[i]) || words[i] == '\'')) {
      word += words[i];
      continue;
    }
    if (is_judging_word(word)) return true;
    word.clear();
  }
  return false;
}

bool may_be_unit(std::string_view words) {
  while (!words.empty() && words.front() == ' ') words.remove_prefix(1);
  while (!words.empty() && words.back() == ' ') words.remove_suffix(1);
  if (words.size() > 1 && words.front() == '(' && words.back() == ')') {
    words = words.substr(1, words.size() - 2);
    return parse_unit(words).has_value() || is_unit_word(words);
  }
  std::string word;
  for (size_t i = 0; i <= words.size(); ++i) {
    const char c = i < words.size() ? words[i] : ' ';
    const bool other = static_cast<unsigned char>(c) >= 0x80;
    if (is_letter(c) || other || c == '\'' || c == '^' || (!word.empty() && (is_digit(c) || c == '-'))) {
      word += c;
    } else if (c == ' ' || c == '\n' || c == '\t' || c == '.' || c == '-' || c == '/') {
      if (is_judging_word(word)) return false;
      word.clear();
    } else {
      return false;
    }
  }
  return true;
}

namespace {

std::string singular(std::string word) {
  for (const auto& [many, one] : {std::pair<std::string_view, std::string_view>("people", "person"),
                                  {"children", "child"},
                                  {"men", "man"},
                                  {"women", "woman"},
                                  {"feet", "foot"}})
    if (word == many) return std::string(one);
  auto ends = [&](std::string_view tail) { return word.size() > tail.size() + 1 && word.ends_with(tail); };
  if (ends("ies")) return word.substr(0, word.size() - 3) + "y";
  if (ends("xes") || ends("ches") || ends("shes") || ends("sses")) return word.substr(0, word.size() - 2);
  if (ends("s") && !ends("ss")) word.pop_back();
  return word;
}

// The words of a unit that name what is counted, sorted.
std::vector<std::string> things_of(std::string_view name) {
  static const std::unordered_set<std::string_view> empty = {
      "total", "altogether", "overall", "in", "all", "exactly", "the", "of", "a", "an", "unit"};
  std::vector<std::string> things;
  for (const std::string& word : words_of(name)) {
    std::string one = singular(lower_case(word));
    if (!empty.contains(one)) things.push_back(std::move(one));
  }
  std::sort(things.begin(), things.end());
  return things;
}

}  // namespace

bool is_same_thing(std::string_view a, std::string_view b) {
  std::vector<std::string> few = things_of(a), many = things_of(b);
  if (few.size() > many.size()) std::swap(few, many);
  // Of "square units" and "cm^2" the first says nothing of the measure.
  auto is_power = [](const std::vector<std::string>& all) {
    return all.size() == 1 && (all[0] == "square" || all[0] == "sq" || all[0] == "cubic");
  };
  if (few.empty() || is_power(few) || is_power(many)) return true;
  auto rates = [](const std::vector<std::string>& all) { return std::count(all.begin(), all.end(), "per"); };
  return rates(few) == rates(many) && std::includes(many.begin(), many.end(), few.begin(), few.end());
}

int plain_power(std::string_view name) {
  int power = 1;
  bool has_units = false;
  for (const std::string& word : words_of(name)) {
    const std::string one = lower_case(word);
    if (one == "units" || one == "unit")
      has_units = true;
    else if (one == "square" || one == "sq")
      power = 2;
    else if (one == "cubic" || one == "cu")
      power = 3;
    else
      return 0;
  }
  return has_units ? power : 0;
}

bool is_length(const Unit& unit, int power) {
  for (size_t k = 0; k < unit.exponents.size(); ++k)
    if (unit.exponents[k] != (k == static_cast<size_t>(Dimension::kLength) ? power : 0)) return false;
  return true;
}

bool names_a_sign(std::string_view name) {
  const std::string lower = lower_case(name);
  return lower.find("degree") != std::string::npos || lower.find("percent") != std::string::npos;
}

}  // namespace tenon::math_answer
