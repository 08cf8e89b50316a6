// One scan over the text; each kind of non-prose says where it ends.
// SPDX-License-Identifier: Apache-2.0
#include "language/prose.h"

#include <algorithm>
#include <set>
#include <unordered_set>
#include <vector>

#include "reward_support/code_spans.h"

namespace tenon::language {
namespace {

using std::string_view;
constexpr size_t kNone = string_view::npos;

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_beyond_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

// The words of four ASCII letters or more, from `text` to `names`.
void add_names(string_view text, std::string& names) {
  constexpr size_t kMinLetters = 4;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && is_ascii_letter(text[end])) ++end;
    if (end - i >= kMinLetters) names.append(text.substr(i, end - i)).append(" ");
    i = std::max(end, i + 1);
  }
}

// What in a formula or in code is language: words with letters beyond ASCII, and runs of plain words of at least `min_run`.
class RunFilter {
 public:
  // `names`: takes what is left out; may be null.
  RunFilter(std::string& out, size_t min_run, std::string* names)
      : out_(out), min_run_(min_run), names_(names) {}
  ~RunFilter() { end_run(); }

  void text(string_view text) {
    for (size_t i = 0; i < text.size();) {
      if (is_space(text[i])) {
        ++i;
        continue;
      }
      size_t end = i;
      while (end < text.size() && !is_space(text[end])) ++end;
      token(text.substr(i, end - i));
      i = end;
    }
  }
  // Something that no run of words goes over.
  void break_run() { end_run(); }

 private:
  static string_view without_marks(string_view token) {
    while (!token.empty() && string_view(",.;:!?'\"()").find(token.back()) != kNone) token.remove_suffix(1);
    while (!token.empty() && string_view("'\"(").find(token.front()) != kNone) token.remove_prefix(1);
    return token;
  }
  void token(string_view token) {
    const string_view word = without_marks(token);
    const bool is_plain = word.size() >= 2 && std::all_of(word.begin(), word.end(), [](char c) {
                            return is_ascii_letter(c) || is_beyond_ascii(c) || c == '\'' || c == '-';
                          });
    if (!is_plain) {
      if (std::any_of(word.begin(), word.end(), is_beyond_ascii)) foreign_letters(word);
      if (names_ != nullptr) add_names(word, *names_);
      return end_run();
    }
    const bool is_foreign = std::any_of(word.begin(), word.end(), is_beyond_ascii);
    run_.push_back(word);
    if (is_foreign) keep_ = true;
  }
  // Of "v=速度" the letters beyond ASCII.
  void foreign_letters(string_view word) {
    for (char c : word) out_ += is_beyond_ascii(c) ? c : ' ';
    out_ += ' ';
  }
  void end_run() {
    const bool is_prose = keep_ || run_.size() >= min_run_;
    for (string_view word : run_) {
      if (is_prose) out_.append(word).append(" ");
      if (!is_prose && names_ != nullptr) add_names(word, *names_);
    }
    run_.clear();
    keep_ = false;
  }

  std::string& out_;
  size_t min_run_;
  std::string* names_;
  std::vector<string_view> run_;
  bool keep_ = false;
};

// One past the brace that closes the one at `open`, or the text's end.
size_t after_braces(string_view text, size_t open) {
  size_t depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return text.size();
}

// The name of the command at text[at] == '\\': letters, or one other character.
string_view command_at(string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && is_ascii_letter(text[end])) ++end;
  if (end == at + 1 && end < text.size()) ++end;
  return text.substr(at + 1, end - at - 1);
}

bool is_one_of(string_view name, std::initializer_list<string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool holds_text(string_view command) {
  return is_one_of(command, {"text", "textbf", "textit", "textrm", "textsf", "texttt", "textup", "textnormal",
                             "mbox", "hbox", "mathrm", "mathit", "mathbf", "mathsf", "operatorname", "tag",
                             "intertext", "underline", "emph"});
}
// Commands of four letters or more that mathematics is written with; others may be words.
bool is_known_command(string_view name) {
  static const std::unordered_set<string_view> kKnown = {
      "frac",         "dfrac",        "tfrac",          "cfrac",          "sqrt",           "times",
      "cdot",         "cdots",        "ldots",          "dots",           "vdots",          "ddots",
      "left",         "right",        "bigl",           "bigr",           "Bigl",           "Bigr",
      "bigg",         "Bigg",         "text",           "textbf",         "textit",         "textrm",
      "mathrm",       "mathbf",       "mathbb",         "mathcal",        "mathit",         "mathsf",
      "boxed",        "fbox",         "mbox",           "begin",          "quad",           "qquad",
      "alpha",        "beta",         "gamma",          "delta",          "epsilon",        "varepsilon",
      "zeta",         "theta",        "vartheta",       "iota",           "kappa",          "lambda",
      "sigma",        "upsilon",      "varphi",         "omega",          "Gamma",          "Delta",
      "Theta",        "Lambda",       "Sigma",          "Omega",          "Rightarrow",     "rightarrow",
      "Leftarrow",    "leftarrow",    "Leftrightarrow", "leftrightarrow", "longrightarrow", "implies",
      "therefore",    "because",      "approx",         "equiv",          "cong",           "simeq",
      "propto",       "subset",       "subseteq",       "supset",         "supseteq",       "notin",
      "forall",       "exists",       "infty",          "partial",        "nabla",          "prod",
      "iint",         "oint",         "limits",         "binom",          "dbinom",         "choose",
      "overline",     "underline",    "widehat",        "tilde",          "widetilde",      "overrightarrow",
      "angle",        "circ",         "triangle",       "perp",           "parallel",       "degree",
      "prime",        "nmid",         "pmod",           "bmod",           "setminus",       "emptyset",
      "varnothing",   "langle",       "rangle",         "lfloor",         "rfloor",         "lceil",
      "rceil",        "lvert",        "rvert",          "hline",          "item",           "label",
      "displaystyle", "operatorname", "phantom",        "hspace",         "vspace",         "stackrel",
      "underbrace",   "overbrace",    "mapsto",         "square",         "blacksquare",    "dotsb",
      "dotsc",        "substack",     "arcsin",         "arccos",         "arctan",         "sinh",
      "cosh",         "tanh",         "cancel",         "color",          "textcolor",      "section",
      "subsection",   "wedge",        "land",           "otimes",         "oplus",          "star"};
  return kKnown.contains(name);
}
bool is_formula_environment(string_view name) {
  if (name.ends_with('*')) name.remove_suffix(1);
  return name.ends_with("matrix") ||
         is_one_of(name, {"equation", "align", "aligned", "alignat", "gather", "gathered", "multline",
                          "array", "cases", "eqnarray", "split", "math", "displaymath", "dcases"});
}

// The prose of a formula's inside. Iterative: the content of \text{…} is put out as it stands, its commands left out.
void add_formula(string_view formula, Prose& prose) {
  std::string& out = prose.text;
  out += ' ';
  RunFilter words(out, 3, &prose.names);
  size_t begin = 0, text_end = 0;  // text_end: where the innermost \text that was entered ends
  auto flush = [&](size_t end) {
    if (end > begin && begin >= text_end) words.text(formula.substr(begin, end - begin));
    if (end > begin && begin < text_end) out.append(formula.substr(begin, end - begin)).append(" ");
  };
  for (size_t i = 0; i < formula.size();) {
    const char c = formula[i];
    if (c == '\\') {
      flush(i);
      const string_view command = command_at(formula, i);
      if (!is_known_command(command)) add_names(command, prose.names);
      size_t next = i + 1 + command.size();
      const bool is_gap = is_one_of(command, {" ", ",", ";", ":", "!", "quad", "qquad"});
      if (!is_gap && i >= text_end) words.break_run();
      if (holds_text(command) && i >= text_end) {
        while (next < formula.size() && formula[next] == ' ') ++next;
        if (next < formula.size() && formula[next] == '{') {
          text_end = after_braces(formula, next);
          ++next;
        }
      }
      i = begin = std::max(next, i + 1);
    } else if (string_view("{}~&^_$").find(c) != kNone) {
      flush(i);
      if (c != '~' && i >= text_end) words.break_run();
      begin = ++i;
    } else {
      ++i;
      if (i == text_end) flush(i), begin = i;
    }
  }
  flush(formula.size());
  out += ' ';
}

// Of code: comments, texts in quotes that are language, and runs of plain words.
void add_comments(string_view code, std::string& out) {
  RunFilter words(out, 5, nullptr);
  for (size_t at = 0; at < code.size();) {
    const size_t end = std::min(code.find('\n', at), code.size());
    const string_view line = code.substr(at, end - at);
    const size_t comment = std::min({line.find('#'), line.find("//"), line.find("/*"), line.find("--")});
    const string_view statement = line.substr(0, comment);
    const size_t quote = std::min(statement.find_first_of("\"'"), statement.size());
    words.text(statement.substr(0, quote));
    if (quote < statement.size()) {
      words.break_run();
      RunFilter(out, 3, nullptr).text(statement.substr(quote));
    }
    if (comment != kNone) {
      string_view rest = line.substr(comment);
      while (!rest.empty() && string_view("#/*-").find(rest.front()) != kNone) rest.remove_prefix(1);
      while (rest.ends_with('*') || rest.ends_with('/')) rest.remove_suffix(1);
      out.append(rest);
    }
    out += '\n';
    at = end + 1;
  }
}

// A formula or something else that is no prose at `at`: its inside and where it ends; end kNone: there is none.
struct Island {
  size_t inner_begin = 0, inner_end = 0, end = kNone;
};

Island until(string_view text, size_t at, size_t mark, string_view close) {
  const size_t found = text.find(close, at + mark);
  if (found == kNone) return {};
  return {at + mark, found, found + close.size()};
}

Island dollars(string_view text, size_t at) {
  if (text.substr(at).starts_with("$$")) return until(text, at, 2, "$$");
  if (at + 1 >= text.size() || is_space(text[at + 1])) return {};
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] == '\n') {
      return {};
    } else if (text[i] == '$') {
      const bool is_digit_behind = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
      if (is_space(text[i - 1]) || is_digit_behind) return {};
      return {at + 1, i, i + 1};
    }
  }
  return {};
}

// `unclosed`: the environments that nothing closes any more.
Island environment(string_view text, size_t at, std::set<string_view>& unclosed) {
  const size_t name_begin = at + string_view("\\begin{").size();
  const size_t name_end = text.find('}', name_begin);
  if (name_end == kNone || name_end - name_begin > 20) return {};
  const string_view name = text.substr(name_begin, name_end - name_begin);
  if (!is_formula_environment(name) || unclosed.contains(name)) return {};
  const Island island = until(text, at, name_end + 1 - at, "\\end{" + std::string(name) + "}");
  if (island.end == kNone) unclosed.insert(name);
  return island;
}

Island command(string_view text, size_t at, std::set<string_view>& unclosed) {
  const string_view rest = text.substr(at);
  if (rest.starts_with("\\(")) return until(text, at, 2, "\\)");
  if (rest.starts_with("\\[")) return until(text, at, 2, "\\]");
  if (rest.starts_with("\\begin{")) return environment(text, at, unclosed);
  for (string_view box : {"\\boxed{", "\\fbox{"})
    if (rest.starts_with(box)) {
      const size_t end = after_braces(text, at + box.size() - 1);
      return {at + box.size(), std::max(end - 1, at + box.size()), end};
    }
  return {};
}

// One past <name> or </name>; kNone: there is no tag.
size_t after_tag(string_view text, size_t at) {
  size_t i = at + 1;
  if (i < text.size() && text[i] == '/') ++i;
  const size_t name = i;
  while (i < text.size() &&
         (is_ascii_letter(text[i]) || (i > name && (text[i] == '_' || text[i] == '-' || text[i] == '|'))))
    ++i;
  return i > name && i - name <= 24 && i < text.size() && text[i] == '>' ? i + 1 : kNone;
}

bool starts_address(string_view rest) {
  return rest.starts_with("http://") || rest.starts_with("https://") || rest.starts_with("www.");
}

// The prose of a stretch without code.
void add_stretch(string_view text, Prose& prose) {
  std::string& out = prose.text;
  // Marks whose closing one the rest of the text does not have: looked for once.
  bool none_left[3] = {false, false, false};
  std::set<string_view> unclosed;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const string_view rest = text.substr(i);
    Island island;
    if (c == '$') {
      const bool is_double = rest.starts_with("$$");
      if (!is_double || !none_left[0]) island = dollars(text, i);
      if (is_double && island.end == kNone) none_left[0] = true;
      if (is_double && island.end == kNone) ++i;
    } else if (c == '\\') {
      const int kind = rest.starts_with("\\(") ? 1 : rest.starts_with("\\[") ? 2 : 0;
      if (kind == 0 || !none_left[kind]) island = command(text, i, unclosed);
      if (kind != 0 && island.end == kNone) none_left[kind] = true;
    }
    if (island.end != kNone) {
      add_formula(text.substr(island.inner_begin, island.inner_end - island.inner_begin), prose);
      i = island.end;
    } else if (c == '\\') {
      const string_view name = command_at(text, i);
      if (!is_known_command(name)) add_names(name, prose.names);
      i += 1 + name.size();
      out += ' ';
    } else if (size_t end = c == '<' ? after_tag(text, i) : kNone; end != kNone) {
      out += '\n';
      const string_view tag = text.substr(i, end - i);
      if (!tag.ends_with("think>") && !tag.ends_with("answer>")) add_names(tag, prose.names);
      i = end;
    } else if ((c == 'h' || c == 'w') && (i == 0 || !is_ascii_letter(text[i - 1])) && starts_address(rest)) {
      const size_t begin = i + rest.find_first_of(":.");
      while (i < text.size() && !is_space(text[i]) && !is_beyond_ascii(text[i])) ++i;
      add_names(text.substr(begin, i - begin), prose.names);
      out += ' ';
    } else {
      out += c == '{' || c == '}' || c == '*' || c == '#' ? ' ' : c;
      ++i;
    }
  }
}

}  // namespace

Prose prose_of(string_view text) {
  Prose prose;
  prose.text.reserve(text.size());
  size_t at = 0;
  for (const reward_support::CodeSpan& span : reward_support::code_spans(text)) {
    add_stretch(text.substr(at, span.begin - at), prose);
    const string_view code = text.substr(span.inner_begin, span.inner_end - span.inner_begin);
    prose.text += span.is_fenced ? '\n' : ' ';
    if (span.is_fenced) {
      add_comments(code, prose.text);
    } else {
      RunFilter(prose.text, 3, &prose.names).text(code);
    }
    at = span.end;
  }
  add_stretch(text.substr(at), prose);
  return prose;
}

}  // namespace tenon::language
