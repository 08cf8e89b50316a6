// Boxes, phrases, spans and numbers in a completion.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/extract.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "math_answer/characters.h"
#include "math_answer/math_answer.hpp"
#include "math_answer/units.h"
#include "math_answer/vocabulary.h"

namespace tenon::math_answer {
namespace {

constexpr size_t npos = std::string_view::npos;

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

// The place of the brace that closes the one at `open`; npos: none does.
size_t closing(std::string_view s, size_t open) {
  size_t depth = 0;
  for (size_t i = open; i < s.size(); ++i) {
    if (s[i] == '\\') {
      ++i;
    } else if (s[i] == '{') {
      ++depth;
    } else if (s[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return npos;
}

std::string_view region_of(std::string_view s, const Policies& policies) {
  if (s.size() > kMaxCompletionBytes) s = s.substr(s.size() - kMaxCompletionBytes);
  if (s.find('<') == npos) return s;
  if (policies.region == 0) {
    const size_t close = s.rfind("</think>"), open = s.rfind("<think>");
    if (close != npos && (open == npos || open < close))
      s = s.substr(close + 8);
    else if (open != npos)
      return {};
  }
  if (policies.end_tokens) {
    size_t end = s.size();
    for (std::string_view token : {"<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "<|end_of_text|>",
                                   "</s>", "<eos>", "<end_of_turn>", "<｜end▁of▁sentence｜>"})
      end = std::min(end, s.find(token));
    s = s.substr(0, end);
  }
  const size_t close = s.rfind("</answer>");
  const size_t open = s.rfind("<answer>", close);
  if (open != npos) {
    const size_t from = open + 8;
    const std::string_view inside = trim(s.substr(from, close == npos || close < from ? npos : close - from));
    if (!inside.empty()) s = inside;
  }
  return s;
}

// --- boxes -----------------------------------------------------------------------------------------------------------

struct Box {
  size_t begin, end;  // of the whole command
  std::string_view content;
  bool is_closed = true;
};

std::vector<Box> boxes_in(std::string_view s) {
  std::vector<Box> all;
  for (size_t i = s.find('\\'); i != npos; i = s.find('\\', i)) {
    const std::string_view rest = s.substr(i);
    const size_t name = rest.starts_with("\\boxed") ? 6 : rest.starts_with("\\fbox") ? 5 : 0;
    if (name == 0 || (i + name < s.size() && is_letter(s[i + name]))) {
      i += i + 1 < s.size() && s[i + 1] == '\\' ? 2 : 1;
      continue;
    }
    size_t at = i + name;
    while (at < s.size() && (s[at] == ' ' || s[at] == '\n')) ++at;
    if (at < s.size() && s[at] == '{') {
      const size_t close = closing(s, at);
      const size_t end = close == npos ? s.size() : close;
      // One that never ends goes to the end of its line.
      const std::string_view content =
          s.substr(at + 1, close == npos ? s.substr(at + 1).find('\n') : end - at - 1);
      all.push_back({i, std::min(end + 1, s.size()), trim(content), close != npos});
      i = all.back().end;
    } else {
      size_t end = at;
      while (end < s.size() && !is_space(s[end]) && s[end] != '$' && s[end] != '}') ++end;
      all.push_back({i, end, s.substr(at, end - at), true});
      i = std::max(end, i + 1);
    }
  }
  std::erase_if(all, [](const Box& b) { return b.content.empty(); });
  return all;
}

// Whether what stands between two answers in a row makes guesses of them: "or"; where they differ, a condition or a mere comma or slash.
bool offers(std::string_view between, bool differ) {
  const std::string words = lower_case(between);
  for (const char* word : {" or ", "{or}", "\\lor", "\\vee"})
    if (words.find(word) != npos) return true;
  if (!differ) return false;
  const bool marks_only = words.find_first_not_of(" $,;/|\\") == npos;
  return words.find(" if ") != npos || (marks_only && words.find_first_of(",;/|") != npos);
}

bool joins(std::string_view between) {
  if (between.size() > 40 || between.find('\n') != npos) return false;
  const std::string words = lower_case(between);
  if (words.find("and") == npos && words.find("or") == npos && words.find(',') == npos &&
      words.find(';') == npos)
    return trim(between).size() < 4;
  for (const char* no : {"=", "+", "then", "so", "not"})
    if (words.find(no) != std::string::npos) return false;
  return true;
}

std::optional<std::string> boxed(std::string_view s, const Policies& policies, bool several) {
  const std::vector<Box> all = boxes_in(s);
  if (all.empty()) return std::nullopt;
  size_t last = all.size() - 1;
  auto between = [&](size_t i) { return s.substr(all[i - 1].end, all[i].begin - all[i - 1].end); };
  // An exact box before its approximation.
  if (last > 0 && between(last).size() < 40 &&
      (between(last).find("\\approx") != npos || between(last).find("≈") != npos))
    --last;
  std::string text(all[last].content);
  if (policies.boxes == 1) return text;
  // Where the gold is one value, boxes in a row that are guesses are no answer, nor is one of them.
  size_t first = last;
  bool guesses = false;
  for (; first > 0 && joins(between(first)); --first)
    guesses = guesses || offers(between(first), all[first].content != all[first - 1].content);
  if (!several && !guesses) return text;
  for (size_t i = last; i > first; --i) text = std::string(all[i - 1].content) + ", " + text;
  return text;
}

// --- spans -----------------------------------------------------------------------------------------------------------

struct Span {
  size_t begin, end;
  std::string_view content;
};

std::vector<Span> spans_in(std::string_view s) {
  std::vector<Span> all;
  for (size_t i = 0; i < s.size();) {
    std::string_view open, close;
    if (s[i] == '$')
      open = close = s.substr(i, 2) == "$$" ? "$$" : "$";
    else if (s.substr(i, 2) == "\\(")
      open = "\\(", close = "\\)";
    else if (s.substr(i, 2) == "\\[")
      open = "\\[", close = "\\]";
    if (open.empty()) {
      i += s[i] == '\\' ? 2 : 1;
      continue;
    }
    const size_t from = i + open.size();
    size_t end = s.find(close, from);
    while (end != npos && end > 0 && close[0] == '$' && s[end - 1] == '\\') end = s.find(close, end + 1);
    // A dollar of money opens nothing: its partner would be far away, or digits stand behind it and a blank before the partner.
    const bool money =
        open == "$" && from < s.size() && is_digit(s[from]) &&
        (end == npos || s.substr(from, end - from).find('\n') != npos || (end > 0 && s[end - 1] == ' '));
    if (end == npos || money) {
      i = from;
      continue;
    }
    all.push_back({i, end + close.size(), trim(s.substr(from, end - from))});
    i = end + close.size();
  }
  std::erase_if(all, [](const Span& span) { return span.content.empty(); });
  return all;
}

// --- numbers ---------------------------------------------------------------------------------------------------------

// The last number as it is written, with its sign, fraction and percent sign; [begin, end).
std::optional<std::pair<size_t, size_t>> last_number(std::string_view s) {
  size_t end = s.size();
  while (end > 0 && !is_digit(s[end - 1])) --end;
  if (end == 0) return std::nullopt;
  size_t begin = end;
  auto back = [&] {
    while (begin > 0 &&
           (is_digit(s[begin - 1]) || (begin > 1 && (s[begin - 1] == ',' || s[begin - 1] == '.') &&
                                       is_digit(s[begin - 2]) && begin < s.size() && is_digit(s[begin]))))
      --begin;
    if (begin > 0 && s[begin - 1] == '.') --begin;
  };
  back();
  if (begin > 1 && s[begin - 1] == '/' && is_digit(s[begin - 2])) {
    --begin;
    back();
  }
  if (begin > 0 && (s[begin - 1] == '$')) --begin;
  // A minus is a sign where nothing stands before it that it could be taken from.
  if (begin > 0 && s[begin - 1] == '-' &&
      (begin == 1 || is_space(s[begin - 2]) || s[begin - 2] == '(' || s[begin - 2] == '=' ||
       s[begin - 2] == '*' || s[begin - 2] == ':'))
    --begin;
  if (end < s.size() && s[end] == '%') ++end;
  return std::pair(begin, end);
}

// --- phrases ---------------------------------------------------------------------------------------------------------

// Whether words make of the number beside them another number, or none: "less than 42", "at most 42", "not 42", "42 squared".
bool changes_number(std::string_view words) {
  std::string word, last, before_last;
  for (size_t i = 0; i <= words.size(); ++i) {
    if (i < words.size() && (is_letter(words[i]) || words[i] == '\'')) {
      word += words[i];
      continue;
    }
    word = lower_case(word);
    for (std::string_view no :
         {"not",     "never",     "no",      "neither", "nor",     "isn't",  "cannot",  "can't", "less",
          "more",    "greater",   "fewer",   "smaller", "larger",  "above",  "below",   "over",  "under",
          "between", "either",    "or",      "than",    "half",    "third",  "quarter", "twice", "double",
          "triple",  "thrice",    "squared", "cubed",   "square",  "cube",   "root",    "times", "plus",
          "minus",   "factorial", "except",  "unless",  "without", "divided"})
      if (word == no) return true;
    if (last == "at" && (word == "most" || word == "least")) return true;
    // Right before the number, and not "adds up to 42".
    if (last == "up" && word == "to" && words.find_first_not_of(" $\\(*", i) == npos)
      for (std::string_view state : {"", "is", "it's", "be", "are", "was", "were", "of", "has", "have"})
        if (before_last == state) return true;
    if (!word.empty()) before_last = std::exchange(last, std::exchange(word, {}));
  }
  return false;
}

// Whether s goes on with the lower-case phrase at `at`, in letters of any case.
bool goes_on(std::string_view s, size_t at, std::string_view phrase) {
  if (s.size() - at < phrase.size()) return false;
  for (size_t i = 0; i < phrase.size(); ++i) {
    const char c = s[at + i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c) != phrase[i]) return false;
  }
  return true;
}

// How many numbers the text ends with on its line, with nothing but commas and blanks behind each.
size_t numbers_before(std::string_view s) {
  for (size_t n = 0;; ++n) {
    const size_t size = s.size();
    while (!s.empty() && (s.back() == ' ' || s.back() == ',')) s.remove_suffix(1);
    if (s.size() == size || s.empty() || !is_digit(s.back())) return n;
    while (!s.empty() && (is_digit(s.back()) || s.back() == '.' || s.back() == '-')) s.remove_suffix(1);
  }
}

// Whether the words right beside the number at [begin, end) make of it another number, or one of several: "is less than 42", "between 4 and 5", "3 or 4", "4 at most".
bool is_qualified(std::string_view s, size_t begin, size_t end) {
  const std::string_view behind = s.substr(end, s.find_first_of(".,;:=()?!\n", end) - end);
  for (std::string_view bound : {" at most", " at least"})
    if (goes_on(behind, 0, bound)) return true;
  std::string_view before = s.substr(0, begin);
  // Numbers that "and", "or" or "to" joins to this one.
  for (std::string_view joint : {" and ", " or ", " to "})
    while (before.ends_with(joint) && before.size() > joint.size() &&
           is_digit(before[before.size() - joint.size() - 1])) {
      if (joint != " and ") return true;
      before.remove_suffix(joint.size());
      while (!before.empty() && (is_digit(before.back()) || before.back() == '.' || before.back() == ','))
        before.remove_suffix(1);
    }
  // One of three numbers in a row: 40, 41, 42.
  if (numbers_before(before) >= 2) return true;
  const size_t clause = before.find_last_of(".,;:=()?!\n");
  if (clause != npos) before.remove_prefix(clause + 1);
  // The last three words.
  size_t words = 0, at = before.size();
  while (at > 0 && words < 3) {
    while (at > 0 && is_space(before[at - 1])) --at;
    while (at > 0 && !is_space(before[at - 1])) --at;
    ++words;
  }
  return changes_number(before.substr(at));
}

// Where the last phrase that announces the answer ends; npos: there is none.
size_t end_of_phrase(std::string_view s) {
  constexpr std::string_view kPhrases[] = {"answer is",
                                           "answers are",
                                           "answer:",
                                           "answer**:",
                                           "answer:**",
                                           "answer =",
                                           "answer=",
                                           "answer to the question is",
                                           "answer to the problem is",
                                           "final answer",
                                           "answer would be",
                                           "answer must be",
                                           "choice is",
                                           "option is",
                                           "####",
                                           "答案是",
                                           "答案为",
                                           "答案：",
                                           "答案:",
                                           "答案"};
  constexpr size_t kLongest = 25;
  size_t best = npos;
  // From the end back, until nothing that begins there can end later.
  for (size_t i = s.size(); i-- > 0 && (best == npos || i + kLongest > best);) {
    if (std::string_view("aAfFcCoO#\xe7").find(s[i]) == npos) continue;
    size_t end = 0;
    for (std::string_view phrase : kPhrases)
      if (goes_on(s, i, phrase)) end = std::max(end, i + phrase.size());
    if ((i == 0 || s[i - 1] == '\n') && goes_on(s, i, "a:")) end = std::max(end, i + 2);
    if (end != 0 && (best == npos || end > best)) best = end;
  }
  return best;
}

// Behind the last phrase that announces the answer.
std::optional<std::string_view> after_phrase(std::string_view s) {
  const size_t best = end_of_phrase(s);
  if (best == npos) return std::nullopt;
  std::string_view rest = s.substr(best);
  // "is", ":", "**" and blanks before the answer itself.
  for (;;) {
    const std::string_view before = rest;
    while (!rest.empty() && (is_space(rest.front()) || rest.front() == ':' || rest.front() == '='))
      rest.remove_prefix(1);
    if (rest.starts_with("：")) rest.remove_prefix(3);
    // The mark that ends "**Answer:**", not one that begins "**42** apples".
    if (rest.starts_with("**") && rest.substr(2, rest.find('\n') - 2).find("**") == npos)
      rest.remove_prefix(2);
    for (std::string_view word : {"is ", "is:", "are ", "equals ", "therefore ", "be "})
      if (lower_case(rest.substr(0, word.size())) == word) rest.remove_prefix(word.size());
    if (rest == before) break;
  }
  if (rest.empty()) return std::nullopt;
  // The line; a display may go over several.
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>("\\[", "\\]"), {"$$", "$$"}})
    if (rest.starts_with(open)) {
      const size_t end = rest.find(close, 2);
      if (end != npos) return rest.substr(2, end - 2);
    }
  return trim(rest.substr(0, rest.find('\n')));
}

// A sentence ends at a full stop before a blank that is no number's, and where its reason begins.
std::string_view sentence(std::string_view s) {
  for (std::string_view reason : {" because ", " since ", " as required", ", as "})
    if (const size_t at = s.find(reason); at != npos) s = s.substr(0, at);
  for (size_t i = 0; i + 1 < s.size(); ++i)
    if (s[i] == '.' && is_space(s[i + 1]) && (i < 2 || !(s[i - 2] == '.' && is_letter(s[i - 1]))))
      return s.substr(0, i);
  return s;
}

void candidates_of_phrase(std::string_view line, std::vector<std::string>& out) {
  const std::string_view first = without_aside(cleaned(sentence(line)));
  auto add = [&](std::string_view s) {
    const std::string_view clean = cleaned(s);
    if (!clean.empty() && std::find(out.begin(), out.end(), clean) == out.end()) out.emplace_back(clean);
  };
  add(line);
  add(first);
  if (const size_t bold = first.find("**"); bold != npos)
    if (const size_t end = first.find("**", bold + 2); end != npos)
      add(first.substr(bold + 2, end - bold - 2));
  const std::vector<Span> spans = spans_in(first);
  if (!spans.empty()) {
    // Several spans are one answer where only "and" or a comma stands between them.
    size_t last = 0;
    while (last + 1 < spans.size() &&
           joins(first.substr(spans[last].end, spans[last + 1].begin - spans[last].end)))
      ++last;
    add(first.substr(spans[0].begin, spans[last].end - spans[0].begin));
    return;
  }
  // Plain prose with one number in it; never a number out of a formula.
  if (first.find_first_of("\\^{}=+*<>") != npos) return;
  const auto number = last_number(first);
  if (!number) return;
  const bool only = first.substr(0, number->first).find_first_of("0123456789") == npos;
  if (changes_number(first.substr(0, number->first)) || changes_number(first.substr(number->second))) return;
  if (only || number->first == 0) add(first.substr(number->first, number->second - number->first));
}

// "Result: x = 42" without the words before the colon; a line without them is empty.
std::string_view without_label(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == npos || colon < 3) return {};
  const std::string_view label = line.substr(0, colon);
  const bool words = std::all_of(label.begin(), label.end(), [](char c) { return is_letter(c) || c == ' '; });
  return words ? line.substr(colon + 1) : std::string_view();
}

// --- formulas of a prompt --------------------------------------------------------------------------------------------

// The bytes at `i` that may be of a formula in plain text; 0: none. Words are letters by themselves, and names before a bracket.
size_t formula_bytes(std::string_view s, size_t i) {
  const char c = s[i];
  if (is_digit(c) || std::string_view("+-*/^()., {}_!").find(c) != npos) return 1;
  for (std::string_view sign : {"×", "÷", "−", "√", "π", "²", "³", "·"})
    if (s.substr(i).starts_with(sign)) return sign.size();
  size_t end = i + (c == '\\' ? 1 : 0);
  while (end < s.size() && is_letter(s[end])) ++end;
  const size_t letters = end - i;
  if (letters == 0) return 0;
  const bool is_name = letters <= 6 && end < s.size() && s[end] == '(';
  const bool is_article =
      letters == 1 && (c == 'a' || c == 'A' || c == 'I') && end < s.size() && s[end] == ' ';
  return c == '\\' || is_name || (letters == 1 && !is_article) ? letters : 0;
}

std::vector<std::string> formulas_in_text(std::string_view s) {
  std::vector<std::string> all;
  for (size_t i = 0; i < s.size();) {
    size_t end = i;
    for (size_t n = 1; end < s.size() && n > 0; end += n) n = formula_bytes(s, end);
    std::string_view run = s.substr(i, end - i);
    // A word whose rest is no formula begins none in its middle.
    i = std::max(end, i + 1);
    while (i < s.size() && is_letter(s[i])) ++i;
    while (!run.empty() && std::string_view(" .,+*/^_!-").find(run.back()) != npos && run.back() != '!')
      run.remove_suffix(1);
    while (!run.empty() && std::string_view(" .,+*/^_)").find(run.front()) != npos) run.remove_prefix(1);
    if (run.size() >= 2 && run.find_first_of("+-*/^!\\(\xc3\xe2") != npos &&
        std::any_of(run.begin(), run.end(), [](char c) { return is_digit(c) || is_letter(c); }))
      all.emplace_back(run);
  }
  return all;
}

}  // namespace

std::vector<std::string> formulas_of(std::string_view prompt) {
  if (prompt.size() > kMaxCompletionBytes) prompt = prompt.substr(prompt.size() - kMaxCompletionBytes);
  std::vector<std::string> all;
  for (const Span& span : spans_in(prompt)) all.emplace_back(span.content);
  auto asks_for_box = [](const std::string& formula) { return formula.find("\\boxed") != npos; };
  std::erase_if(all, asks_for_box);
  if (all.empty()) all = formulas_in_text(prompt);
  std::erase_if(all, asks_for_box);
  constexpr size_t kMost = 8;
  if (all.size() > kMost) all.erase(all.begin(), all.end() - kMost);
  return all;
}

std::optional<std::string> find_gold(std::string_view field, GoldPlace place) {
  constexpr std::string_view kHash = "####";
  if (place == GoldPlace::kAuto || place == GoldPlace::kAfterHash) {
    const size_t last = field.rfind(kHash);
    const bool only = last != npos && field.find(kHash) == last;
    if (only || (last != npos && place == GoldPlace::kAfterHash)) {
      const std::string_view rest = field.substr(last + kHash.size());
      const std::string_view gold = trim(rest.substr(0, rest.find('\n')));
      if (!gold.empty()) return std::string(gold);
    }
    if (place == GoldPlace::kAfterHash) return std::nullopt;
  }
  if (place == GoldPlace::kAuto || place == GoldPlace::kBoxed) {
    std::vector<Box> boxes = boxes_in(field);
    std::erase_if(boxes, [](const Box& box) { return !box.is_closed; });
    if (boxes.size() == 1 || (!boxes.empty() && place == GoldPlace::kBoxed))
      return std::string(boxes.back().content);
    if (place == GoldPlace::kBoxed) return std::nullopt;
  }
  if (place != GoldPlace::kLastNumber) return std::string(field);
  const auto number = last_number(field);
  if (!number) return std::nullopt;
  return std::string(field.substr(number->first, number->second - number->first));
}

std::string_view without_aside(std::string_view s) {
  const size_t open = s.rfind('(');
  if (!s.ends_with(')') || open == npos || open < 2 || s[open - 1] != ' ') return s;
  const std::string_view inside = s.substr(open + 1, s.size() - open - 2);
  const char before = s[open - 2];
  const bool words =
      std::all_of(inside.begin(), inside.end(), [](char c) { return is_letter(c) || c == ' '; });
  if (!words || !may_be_unit(inside) || inside.size() < 4 ||
      !(is_digit(before) || before == '$' || before == '%'))
    return s;
  return meaning_of_word(inside) ? s : trim(s.substr(0, open));
}

std::string_view cleaned(std::string_view s) {
  for (;;) {
    const std::string_view before = s;
    s = trim(s);
    auto wrapped = [&](std::string_view open, std::string_view close) {
      if (s.size() < open.size() + close.size() || !s.starts_with(open) || !s.ends_with(close)) return false;
      const std::string_view inner = s.substr(open.size(), s.size() - open.size() - close.size());
      if (inner.find(open) != npos || inner.find(close) != npos) return false;
      s = inner;
      return true;
    };
    for (const auto& [open, close] : {std::pair<std::string_view, std::string_view>("$$", "$$"),
                                      {"$", "$"},
                                      {"\\(", "\\)"},
                                      {"\\[", "\\]"},
                                      {"**", "**"},
                                      {"`", "`"},
                                      {"__", "__"},
                                      {"\"", "\""}})
      if (wrapped(open, close)) break;
    if (s.starts_with("**") && s.find("**", 2) == npos) s.remove_prefix(2);
    if (s.ends_with("**") && s.size() > 2 && s.substr(0, s.size() - 2).find("**") == npos) s.remove_suffix(2);
    for (std::string_view box : {"\\boxed{", "\\fbox{"})
      if (s.starts_with(box) && closing(s, box.size() - 1) == s.size() - 1)
        s = s.substr(box.size(), s.size() - box.size() - 1);
    if (s.ends_with(".") && !s.ends_with("..")) s.remove_suffix(1);
    if (s.ends_with("。")) s.remove_suffix(3);
    while (!s.empty() && (s.back() == ',' || s.back() == ';') && !s.ends_with("\\,") && !s.ends_with("\\;"))
      s.remove_suffix(1);
    if (s.starts_with(":")) s.remove_prefix(1);
    if (s.starts_with("=") && !s.starts_with("==")) s.remove_prefix(1);
    if (s == before) return s;
  }
}

Found find_answer(std::string_view completion, const Policies& policies, bool several) {
  const std::string_view s = region_of(completion, policies);
  if (auto box = boxed(s, policies, several)) {
    const std::string_view clean = cleaned(*box);
    return {Sign::kBoxed, {std::string(clean)}};
  }
  if (policies.extract == 0) return {};
  if (const auto line = after_phrase(s)) {
    Found found{Sign::kPhrase, {}};
    candidates_of_phrase(*line, found.candidates);
    if (!found.candidates.empty()) return found;
  }
  if (policies.extract == 1) return {};
  const std::string_view whole = trim(s);
  Found found;
  const std::vector<Span> spans = spans_in(whole);
  const std::optional<std::pair<size_t, size_t>> number = last_number(whole);
  const bool number_is_later =
      policies.extract == 3 && number && (spans.empty() || number->first >= spans.back().end);
  if (!spans.empty() && !number_is_later) {
    // Spans that only "and" or a comma joins are one answer.
    auto between = [&](size_t i) {
      return whole.substr(spans[i - 1].end, spans[i].begin - spans[i - 1].end);
    };
    // "where $n = 2$, $m = 3$" are no guesses.
    auto is_statement = [&](size_t i) { return spans[i].content.find('=') != npos; };
    size_t first = spans.size() - 1;
    bool guesses = false;
    for (; first > 0 && joins(between(first)); --first)
      guesses = guesses || offers(between(first), spans[first].content != spans[first - 1].content &&
                                                      !is_statement(first) && !is_statement(first - 1));
    found.sign = Sign::kSpan;
    if ((several || guesses) && first + 1 < spans.size())
      found.candidates.emplace_back(
          cleaned(whole.substr(spans[first].begin, spans.back().end - spans[first].begin)));
    if (several || !guesses) found.candidates.emplace_back(cleaned(spans.back().content));
    return found;
  }
  if (policies.extract == 2) return found;
  // A completion, or its last line, that is an answer and nothing else.
  found.sign = Sign::kNumber;
  const std::string_view line = whole.substr(whole.rfind('\n') == npos ? 0 : whole.rfind('\n') + 1);
  if (line.size() < 300) {
    found.candidates.emplace_back(cleaned(without_label(line)));
    found.candidates.emplace_back(cleaned(line));
  }
  if (number) {
    // Not a number out of a formula that could not be read as a whole.
    const size_t begin = whole.rfind('\n', number->first) == npos ? 0 : whole.rfind('\n', number->first) + 1;
    const size_t end = std::min(whole.find('\n', number->second), whole.size());
    const std::string_view around = whole.substr(begin, end - begin);
    if (around.find_first_of("\\^{}") == npos && !is_qualified(whole, number->first, number->second))
      found.candidates.emplace_back(whole.substr(number->first, number->second - number->first));
  }
  std::erase(found.candidates, std::string());
  return found;
}

}  // namespace tenon::math_answer
