// Letters, marks around them, and words.
// SPDX-License-Identifier: Apache-2.0
#include "choice.h"

#include <algorithm>

#include "answer_text/extract.h"

namespace tenon::multiple_choice {
namespace {

using std::string_view;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}
std::string lowered(string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

// Marks that say nothing of which choice it is: Markdown, LaTeX and "option".
std::string plain(string_view text) {
  constexpr string_view kCommands[] = {"\\textbf", "\\mathbf", "\\mathrm", "\\text", "\\bf",
                                       "\\rm",     "\\left",   "\\right",  "\\boxed"};
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto command = std::find_if(std::begin(kCommands), std::end(kCommands),
                                      [&](string_view c) { return text.substr(i).starts_with(c); });
    if (command != std::end(kCommands)) {
      i += command->size();
      continue;
    }
    if (string_view("*_`${}").find(text[i]) == string_view::npos) out += text[i];
    ++i;
  }
  return std::string(answer_text::trim(out));
}

// Takes "option", "choice", "answer" and "the" off the front.
string_view without_lead(string_view text) {
  constexpr string_view kLeads[] = {"the ", "correct ", "option ", "choice ", "answer ", "is "};
  for (bool took = true; took;) {
    took = false;
    for (string_view lead : kLeads)
      if (text.size() > lead.size() && lowered(text.substr(0, lead.size())) == lead) {
        text = answer_text::trim(text.substr(lead.size()));
        took = true;
      }
  }
  return text;
}

struct Letter {
  char value;        // in lower case; 0: the text begins with none
  string_view rest;  // what follows it and its marks
};

// Whether a sentence goes on so behind the letter that it names: "B because …", "A is correct". Not "B is wrong" nor "A dog".
bool goes_on(string_view rest) {
  constexpr string_view kWays[] = {
      "because",        "since",    "as it ",       "as the ",     "due to",        "which",  "is correct",
      "is the correct", "is right", "is the right", "is the best", "is the answer", "\u2013", "\u2014"};
  const std::string low = lowered(rest.substr(0, 20));
  return std::any_of(std::begin(kWays), std::end(kWays),
                     [&](string_view way) { return low.starts_with(way); });
}

// A letter that stands alone, with a bracket around it or ". ) : ," behind it, with nothing behind it, or with a reason.
Letter leading_letter(string_view text) {
  const bool is_bracketed = text.starts_with('(') || text.starts_with('[');
  const string_view inside = is_bracketed ? answer_text::trim(text.substr(1)) : text;
  if (inside.empty() || lower(inside[0]) < 'a' || lower(inside[0]) > 'z') return {0, text};
  string_view rest = inside.substr(1);
  if (is_bracketed) {
    rest = answer_text::trim(rest);
    if (!rest.starts_with(')') && !rest.starts_with(']')) return {0, text};
    rest.remove_prefix(1);
    while (!rest.empty() && string_view(".:,").find(rest[0]) != string_view::npos) rest.remove_prefix(1);
    return {lower(inside[0]), answer_text::trim(rest)};
  }
  if (answer_text::trim(rest).empty()) return {lower(inside[0]), {}};
  if (rest[0] == ' ' && goes_on(answer_text::trim(rest))) return {lower(inside[0]), answer_text::trim(rest)};
  if (string_view(".):,;-").find(rest[0]) == string_view::npos && rest[0] != '\n') return {0, text};
  while (!rest.empty() && string_view(".):,;-").find(rest[0]) != string_view::npos) rest.remove_prefix(1);
  if (!rest.empty() && is_word(rest[0]) && text[1] != ')' && text[1] != ':')
    return {0, text};  // "e.g", "A-level"
  return {lower(inside[0]), answer_text::trim(rest)};
}

std::optional<size_t> index_of_text(const std::string& words, const std::vector<std::string>& texts) {
  std::optional<size_t> found;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (words.empty() || words_of(texts[i]) != words) continue;
    if (found) return std::nullopt;  // two choices with the same words
    found = i;
  }
  return found;
}

// Another letter as an answer behind the first: "B or C", "B, C", "(B) and (C)".
bool names_another(string_view rest, size_t index, size_t n_choices) {
  for (string_view joint : {"and ", "or ", "& ", "/"})
    if (lowered(rest.substr(0, joint.size())) == joint) rest = answer_text::trim(rest.substr(joint.size()));
  const Letter next = leading_letter(without_lead(rest));
  return next.value != 0 && static_cast<size_t>(next.value - 'a') < n_choices &&
         static_cast<size_t>(next.value - 'a') != index;
}

// "B or C" and "B and C", where the letter has no mark behind it.
bool is_bare_pair(string_view text) {
  if (text.size() < 4 || lower(text[0]) < 'a' || lower(text[0]) > 'z' || text[1] != ' ') return false;
  const string_view rest = answer_text::trim(text.substr(1));
  for (string_view joint : {"and ", "or ", "& "})
    if (lowered(rest.substr(0, joint.size())) == joint)
      return leading_letter(answer_text::trim(rest.substr(joint.size()))).value != 0;
  return false;
}

}  // namespace

std::string words_of(string_view text) {
  std::string out;
  bool gap = false;
  for (char c : text) {
    if (!is_word(c)) {
      gap = !out.empty();
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    out += lower(c);
  }
  return out;
}

Answer read_answer(string_view answer, const std::vector<std::string>& texts, size_t n_choices) {
  const std::string words = words_of(answer);
  const auto verbatim = index_of_text(words, texts);
  const std::string marks_off = plain(answer);
  const string_view text = without_lead(marks_off);
  const Letter letter = leading_letter(text);
  const size_t index = static_cast<size_t>(letter.value - 'a');
  const bool is_letter = letter.value != 0 && index < n_choices;
  // The words of a choice, "B. F. Skinner". Of a choice whose text is a letter ("C" under A) the label is meant.
  if (verbatim && words.size() > 1) return {verbatim, {}};
  if (is_letter) {
    const bool is_with_its_words = index < texts.size() && words_of(letter.rest) == words_of(texts[index]);
    if (is_with_its_words && !letter.rest.empty()) return {index, {}};  // "(D) A, B and C"
    if (names_another(letter.rest, index, n_choices)) return {std::nullopt, "more than one choice"};
    const auto other = index_of_text(words_of(letter.rest), texts);
    if (other && *other != index) return {std::nullopt, "the letter of one choice with the words of another"};
    return {index, {}};
  }
  if (const auto named = index_of_text(words_of(text), texts)) return {named, {}};
  if (is_bare_pair(text)) return {std::nullopt, "more than one choice"};
  if (letter.value != 0 && letter.rest.empty()) return {std::nullopt, "a letter that is no choice"};
  return {std::nullopt, "no choice is named"};
}

std::optional<size_t> index_of_label(string_view answer, const std::vector<std::string>& labels,
                                     const std::vector<std::string>& texts) {
  const auto is_number = [](const std::string& label) {
    return !label.empty() &&
           std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (labels.size() != texts.size() || !std::all_of(labels.begin(), labels.end(), is_number))
    return std::nullopt;
  const std::string marks_off = plain(answer);
  string_view text = without_lead(marks_off);
  const bool is_bracketed = text.starts_with('(') || text.starts_with('[');
  if (is_bracketed) text.remove_prefix(1);
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto at = std::find(labels.begin(), labels.end(), text.substr(0, end));
  if (at == labels.end()) return std::nullopt;
  const auto index = static_cast<size_t>(at - labels.begin());
  string_view rest = text.substr(end);
  const size_t marks = std::min(rest.find_first_not_of(is_bracketed ? ")].:," : ").:,"), rest.size());
  if ((is_bracketed && marks == 0) || (marks == 0 && !rest.empty())) return std::nullopt;
  rest = rest.substr(marks);
  if (!rest.empty() && is_word(rest[0])) return std::nullopt;  // 2.5
  rest = answer_text::trim(rest);
  if (!rest.empty() && words_of(rest) != words_of(texts[index])) return std::nullopt;
  return index;
}

namespace {

// Behind the last cue, up to the line's end.
std::optional<string_view> after_cue(string_view text) {
  const std::string low = lowered(text);
  size_t best = 0;
  for (string_view cue :
       {"answer is", "answer:", "answer**:", "choice is", "option is", "答案是", "答案：", "答案:"}) {
    const size_t at = low.rfind(cue);
    if (at != std::string::npos) best = std::max(best, at + cue.size());
  }
  if (best == 0) return std::nullopt;
  text.remove_prefix(best);
  while (!text.empty() && string_view(" :*\n\t").find(text[0]) != string_view::npos) text.remove_prefix(1);
  text = answer_text::trim(text.substr(0, text.find('\n')));
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

std::optional<string_view> find_answer(string_view part) {
  if (const auto tagged = answer_text::between_last(part, "<answer>", "</answer>")) {
    // Inside the tags there may be a sentence.
    if (const auto boxed = answer_text::last_boxed(*tagged)) return boxed;
    if (const auto said = after_cue(*tagged)) return said;
    return tagged;
  }
  if (const auto boxed = answer_text::last_boxed(part)) return boxed;
  if (const auto said = after_cue(part)) return said;
  const string_view text = answer_text::trim(part);
  if (text.empty()) return std::nullopt;
  if (text.find('\n') == string_view::npos) return text;
  for (string_view line : {text.substr(text.rfind('\n') + 1), text.substr(0, text.find('\n'))})
    if (leading_letter(without_lead(plain(line))).value != 0) return line;
  return std::nullopt;
}

}  // namespace tenon::multiple_choice
