// From two texts to a verdict.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/math_answer.hpp"

#include <flint/flint.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "math_answer/characters.h"
#include "math_answer/compare.h"
#include "math_answer/extract.h"
#include "math_answer/normal.h"
#include "math_answer/parser.h"
#include "math_answer/token.h"

namespace tenon::math_answer {
namespace {

// FLINT keeps caches (π, e …) for each thread; they go with it.
struct ThreadCaches {
  ~ThreadCaches() { flint_cleanup(); }
};
void own_thread_caches() {
  thread_local const ThreadCaches caches;
  (void)caches;
}

struct Parsed {
  Tree tree;
  NodeId root = kNone;
  std::string canonical;

  Ref ref() const { return {&tree, root}; }
};

struct Time {
  int minutes = 0;
  char meridiem = 0;  // 'a', 'p', 0
};

struct Choice {
  char letter = 0;
  std::string rest;
};

struct Prepared {
  std::string text, plain;  // plain: without commands of text and without dollars
  bool ambiguous = false;
  std::optional<Parsed> parsed;
  std::string error;
  bool limit = false;
  std::optional<Time> time;
  std::optional<Choice> choice;
};

// --- texts that are no formulas --------------------------------------------------------------------------------------

// "\textbf{(E)}\ 5" to "(E) 5".
std::string plain_text(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '$' || s[i] == '{' || s[i] == '}' || s[i] == '~') continue;
    if (s[i] != '\\') {
      out += s[i];
      continue;
    }
    size_t end = i + 1;
    while (end < s.size() && is_letter(s[end])) ++end;
    const std::string_view name = s.substr(i + 1, end - i - 1);
    const bool face = name.starts_with("text") || name.starts_with("math") || name == "mbox" ||
                      name == "operatorname" || name == "left" || name == "right" || name == "rm" ||
                      name == "bf" || name == "quad" || name == "qquad";
    if (name.empty()) {
      if (end < s.size() && (s[end] == ' ' || s[end] == ',' || s[end] == ';' || s[end] == '!')) {
        if (s[end] != '!') out += ' ';
        ++end;
      } else {
        out += '\\';
      }
    } else if (!face) {
      out += s.substr(i, end - i);
    }
    i = end - 1;
  }
  return std::string(cleaned(out));
}

std::optional<Time> time_of(std::string_view s) {
  size_t i = 0;
  auto number = [&](size_t most) -> int {
    int value = -1;
    for (size_t n = 0; n < most && i < s.size() && is_digit(s[i]); ++n, ++i)
      value = std::max(value, 0) * 10 + (s[i] - '0');
    return value;
  };
  const int hours = number(2);
  if (hours < 0 || hours > 24 || i >= s.size()) return std::nullopt;
  int minutes = 0;
  const bool has_minutes = s[i] == ':';
  if (has_minutes) {
    const size_t before = ++i;
    minutes = number(2);
    if (i - before != 2 || minutes > 59) return std::nullopt;
  }
  std::string rest = normal_words(s.substr(i), false);
  std::erase(rest, ' ');
  if (rest != "am" && rest != "pm" && !(has_minutes && rest.empty())) return std::nullopt;
  return Time{hours * 60 + minutes, rest.empty() ? '\0' : rest[0]};
}

// The minutes of a time, where `other` has an a.m. or a p.m. those on its clock: 16:30 is its 4:30 p.m., 0:30 its 12:30 a.m.
int of_day(const Time& time, const Time& other) {
  const bool is_plain = time.meridiem == 0 && other.meridiem != 0;
  if (is_plain && other.meridiem == 'p' && time.minutes >= 13 * 60) return time.minutes - 12 * 60;
  if (is_plain && other.meridiem == 'a' && time.minutes < 60) return time.minutes + 12 * 60;
  return time.minutes;
}

// "minus 30" and "negative 30" as -30; other texts as they are.
std::string with_sign(std::string_view s) {
  for (std::string_view word : {"minus ", "negative "})
    if (s.size() > word.size() && lower_case(s.substr(0, word.size())) == word &&
        (is_digit(s[word.size()]) || s[word.size()] == '\\' || s[word.size()] == '$'))
      return "-" + std::string(cleaned(s.substr(word.size())));
  return std::string(s);
}

std::optional<Choice> choice_of(std::string_view s) {
  for (std::string_view word : {"Option ", "option ", "Choice ", "choice ", "Answer "})
    if (s.starts_with(word)) s.remove_prefix(word.size());
  const bool open = s.starts_with("(") || s.starts_with("[");
  if (open) s.remove_prefix(1);
  if (s.empty() || s[0] < 'A' || s[0] > 'J') return std::nullopt;
  const char letter = s[0];
  s.remove_prefix(1);
  bool closed = false;
  if (!s.empty() && (s[0] == ')' || s[0] == ']')) {
    closed = true;
    s.remove_prefix(1);
  }
  if (open && !closed) return std::nullopt;
  const bool mark = !s.empty() && (s[0] == '.' || s[0] == ':');
  if (mark) s.remove_prefix(1);
  if (s.empty()) return Choice{letter, {}};
  if ((!closed && !mark) || (!is_space(s[0]) && !closed)) return std::nullopt;
  while (!s.empty() && is_space(s[0])) s.remove_prefix(1);
  // (A)(B) is a product, (A) + 1 a sum.
  if (s.empty() || std::string_view("+-*/^=<>([,&").find(s[0]) != std::string_view::npos) return std::nullopt;
  // More than one choice is none: (B) or (C); (B) 1 (C) 2.
  for (std::string_view word : {"or ", "and ", "or(", "and("})
    if (s.starts_with(word)) return std::nullopt;
  for (size_t i = 0; i + 2 < s.size(); ++i)
    if (s[i] == '(' && s[i + 1] >= 'A' && s[i + 1] <= 'J' && s[i + 2] == ')') return std::nullopt;
  return Choice{letter, std::string(s)};
}

// B of "b. Paris" and "(b) Paris": a small letter with its mark and words behind it. 0: it is something else.
char small_choice_of(std::string_view s) {
  const size_t at = s.starts_with('(') ? 1 : 0;
  if (s.size() < at + 5 || s[at] < 'a' || s[at] > 'j') return 0;
  const bool mark = at == 1 ? s[2] == ')' : s[1] == ')' || s[1] == '.' || s[1] == ':';
  if (!mark || s[at + 2] != ' ' || !is_letter(s[at + 3]) || !is_letter(s[at + 4])) return 0;
  const std::string big = static_cast<char>(s[at] - 'a' + 'A') + std::string(s.substr(at + 1));
  const auto choice = choice_of((at == 1 ? "(" : "") + big);
  return choice ? choice->letter : '\0';
}

// The letters of "A, C and F", "ACF", {A,C,F}; empty: it is something else.
std::string letters_of(std::string_view s) {
  std::string letters;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s.substr(i).starts_with(" and ")) i += 4;
    const char c = s[i];
    if (c >= 'A' && c <= 'Z')
      letters += c;
    else if (c != ',' && c != ' ' && c != '(' && c != ')' && c != ';' && c != '\\')
      return {};
  }
  std::sort(letters.begin(), letters.end());
  return std::adjacent_find(letters.begin(), letters.end()) == letters.end() ? letters : std::string();
}

// --- reading ---------------------------------------------------------------------------------------------------------

std::optional<Parsed> read(std::string_view text, const Reading& reading, const Policies& policies,
                           bool& ambiguous, std::string* error, bool* limit) {
  try {
    Parsed parsed;
    std::vector<Token> tokens = tokenize(text, reading, ambiguous);
    parsed.canonical = canonical(tokens);
    parsed.root = parse(std::move(tokens), policies, parsed.tree);
    parsed.root = normal_list(parsed.tree, parsed.root);
    return parsed;
  } catch (const LimitError& e) {
    if (error != nullptr) *error = e.what();
    if (limit != nullptr) *limit = true;
  } catch (const ParseError& e) {
    if (error != nullptr) *error = e.what();
  }
  return std::nullopt;
}

// Words that the grammar does not take as a formula: "October 30". Empty: it looks like a formula.
std::string words_alone(std::string_view plain) {
  bool letters = false;
  for (size_t i = 0; i < plain.size(); ++i) {
    if (std::string_view("\\^_=+*/<>|{}[]#&@~").find(plain[i]) != std::string_view::npos) return {};
    letters = letters || (is_letter(plain[i]) && i + 1 < plain.size() && is_letter(plain[i + 1]));
  }
  return letters && plain.size() < 200 ? std::string(plain) : std::string();
}

// "There is no solution": of its words "is" is no sign of equality.
bool is_statement(std::string_view plain) {
  if (plain.size() < 9 || !is_letter(plain[0]) || !is_letter(plain[1])) return false;
  const std::string words = normal_words(plain.substr(0, 40), false);
  for (std::string_view lead : {"there is no ", "there are no ", "it has no ", "equation has no ",
                                "system has no ", "there are infinitely ", "there do not exist "})
    if (words.starts_with(lead)) return !words_alone(plain).empty();
  return false;
}

Prepared prepare(std::string_view text, const Policies& policies) {
  own_thread_caches();
  Prepared p;
  p.text = with_sign(without_aside(cleaned(text)));
  if (p.text.size() > kMaxAnswerBytes) {
    p.limit = true;
    p.error = "longer than 16 KiB";
    return p;
  }
  if (p.text.empty()) {
    p.error = "empty";
    return p;
  }
  p.plain = plain_text(p.text);
  p.time = time_of(p.plain);
  p.choice = choice_of(p.plain);
  const std::string place = policies.number_words ? ordinal_in_words(lower_case(p.plain)) : std::string();
  if (!place.empty() || is_statement(p.plain)) {
    Parsed parsed;
    parsed.root = parsed.tree.add_named(Kind::kText, place.empty() ? p.plain : place);
    parsed.canonical = "words " + normal_words(place.empty() ? p.plain : place, policies.text_case);
    p.parsed = std::move(parsed);
    return p;
  }
  p.parsed = read(p.text, {}, policies, p.ambiguous, &p.error, &p.limit);
  if (!p.parsed && !p.limit) {
    // A comma that separates thousands nowhere may still separate elements.
    bool again = false;
    if (p.ambiguous)
      p.parsed = read(p.text, {.thousands_comma = false, .thousands_space = policies.thousands_space},
                      policies, again, nullptr, nullptr);
    if (!p.parsed)
      if (const std::string words = words_alone(p.plain); !words.empty()) {
        Parsed parsed;
        parsed.root = parsed.tree.add_named(Kind::kText, words);
        parsed.canonical = "words " + normal_words(words, policies.text_case);
        p.parsed = std::move(parsed);
      }
  }
  return p;
}

// Other ways in which an ambiguous text can be read.
std::vector<Parsed> other_readings(const Prepared& p, const Policies& policies, bool is_gold) {
  std::vector<Parsed> all;
  if (!p.ambiguous) return all;
  std::vector<Reading> readings{{.thousands_comma = false}};
  if (policies.thousands_space) readings.push_back({.thousands_space = true});
  if (policies.decimal_comma == 1 || (policies.decimal_comma == 0 && !is_gold))
    readings.push_back({.thousands_comma = false, .decimal_comma = true});
  if (!is_gold && p.text.find_first_of("Ej") != std::string::npos)
    readings.push_back({.python_constants = true});
  for (const Reading& reading : readings) {
    bool ambiguous = false;
    auto parsed = read(p.text, reading, policies, ambiguous, nullptr, nullptr);
    if (parsed && (!p.parsed || parsed->canonical != p.parsed->canonical)) all.push_back(std::move(*parsed));
  }
  return all;
}

Verdict verdict_of(State state) {
  return state == State::kEqual       ? Verdict::kEqual
         : state == State::kDifferent ? Verdict::kDifferent
                                      : Verdict::kUndecided;
}

bool is_several(const Prepared& p) {
  if (!p.parsed) return false;
  const Kind kind = p.parsed->tree.kind(p.parsed->root);
  return kind == Kind::kList || kind == Kind::kSet;
}

// Words, or a value with words behind a comma: "x = 2, as desired".
bool is_prose(const Parsed& parsed) {
  const Tree& tree = parsed.tree;
  if (tree.is(parsed.root, Kind::kText)) return true;
  if (!tree.is(parsed.root, Kind::kList)) return false;
  const auto all = tree.children(parsed.root);
  return !tree.is(all.front(), Kind::kText) && tree.is(all.back(), Kind::kText);
}

class Judge {
 public:
  Judge(const Policies& policies, Budget& budget, std::vector<std::string>* path)
      : policies_(policies), budget_(budget), path_(path) {}

  bool by_role() const { return by_role_; }

  Result of(const Prepared& g, const Prepared& p) {
    if (auto result = choices(g, p)) return *result;
    if (auto result = times(g, p)) return *result;
    if (!p.parsed)
      return {p.limit ? Verdict::kLimit : Verdict::kUnparsedPrediction, p.error, p.text, {}, false, 0};
    if (!g.parsed) return {g.limit ? Verdict::kLimit : Verdict::kUnparsedGold, g.error, p.text, {}, true, 0};
    if (g.parsed->canonical == p.parsed->canonical)
      return {Verdict::kEqual, "the same tokens", p.text, {}, false, 0};
    if (same_words(g, p)) return {Verdict::kEqual, "the same words", p.text, {}, false, 0};
    const Outcome outcome = compare(*g.parsed, *p.parsed);
    if (outcome.equal() || !(g.ambiguous || p.ambiguous))
      return {verdict_of(outcome.state), outcome.reason, p.text, {}, false, 0};
    const std::vector<Parsed> more_gold = other_readings(g, policies_, true),
                              more_given = other_readings(p, policies_, false);
    auto any = [&](const Parsed& gold) {
      if (compare(gold, *p.parsed).equal()) return true;
      return std::any_of(more_given.begin(), more_given.end(),
                         [&](const Parsed& given) { return compare(gold, given).equal(); });
    };
    // A decimal comma and Python's constants are the answer's alone.
    by_role_ = by_role_ || more_given.size() != other_readings(p, policies_, true).size();
    if (any(*g.parsed) || std::any_of(more_gold.begin(), more_gold.end(), any))
      return {Verdict::kEqual, "equal with another reading of a comma or a space", p.text, {}, false, 0};
    return {verdict_of(outcome.state), outcome.reason, p.text, {}, false, 0};
  }

 private:
  Outcome compare(const Parsed& g, const Parsed& p) {
    const std::string &k = g.tree.parameter(), &n = p.tree.parameter();
    if (k.empty() != n.empty()) {
      // x ≡ 1 (mod 3) and x = 3k + 1.
      const Parsed& general = k.empty() ? p : g;
      Parsed other;
      other.root = class_as_solution(k.empty() ? g.tree : p.tree, k.empty() ? g.root : p.root, other.tree,
                                     general.tree.parameter());
      if (other.root != kNone && general.tree.parameter_set() == NamedSet::kIntegers) {
        other.tree.set_parameter(general.tree.parameter(), NamedSet::kIntegers);
        return k.empty() ? solutions(other, p) : solutions(g, other);
      }
    }
    if (k.empty() || n.empty()) return compare(g.ref(), p.ref());
    if (g.tree.parameter_set() != p.tree.parameter_set())
      return {State::kDifferent, "they run over different numbers"};
    // 2k + 1 and 2n + 1, where both say that it runs over the integers.
    if (k == n || p.tree.has_name(k)) return solutions(g, p);
    Parsed renamed = p;
    renamed.tree.rename(n, k);
    renamed.tree.set_parameter(k, p.tree.parameter_set());
    return solutions(g, renamed);
  }

  // Of general solutions with the same parameter: 3k + 1 is 3k − 2, and −3k + 1 too, where k is any integer.
  Outcome solutions(const Parsed& g, const Parsed& p) {
    const Outcome outcome = compare(g.ref(), p.ref());
    constexpr int kReach = 4;
    if (outcome.equal() || g.tree.parameter() != p.tree.parameter() ||
        p.tree.parameter_set() != NamedSet::kIntegers)
      return outcome;
    for (int shift = -kReach; shift <= kReach; ++shift)
      for (int sign : {1, -1}) {
        if (sign == 1 && shift == 0) continue;
        Tree tree;
        const NodeId root = reparametrized(p.tree, p.root, tree, p.tree.parameter(), sign, shift);
        budget_.spend(tree.size());
        if (compare(g.ref(), Ref{&tree, root}).equal()) return {State::kEqual, "the same general solution"};
      }
    return outcome;
  }

  Outcome compare(Ref g, Ref p) {
    Comparer comparer(policies_, budget_, path_);
    const Outcome outcome = comparer.compare(g, p);
    by_role_ = by_role_ || comparer.by_role();
    return outcome;
  }

  // "6 p.m." and "6 pm": one of them is words as a whole, so both are read as words.
  bool same_words(const Prepared& g, const Prepared& p) const {
    auto is_words = [](const Prepared& x) { return x.parsed->tree.is(x.parsed->root, Kind::kText); };
    if (!is_words(g) && !is_words(p)) return false;
    for (const std::string* text : {&g.plain, &p.plain})
      if (text->find_first_of("+-*/^=<>\\_") != std::string::npos) return false;
    const std::string words = normal_words(g.plain, policies_.text_case);
    return !words.empty() && words == normal_words(p.plain, policies_.text_case);
  }

  std::optional<Result> choices(const Prepared& g, const Prepared& p) {
    auto said = [&](bool equal) {
      return Result{equal ? Verdict::kEqual : Verdict::kDifferent,
                    equal ? "the same choice" : "another choice",
                    p.text,
                    {},
                    false,
                    0};
    };
    if (g.choice && g.choice->rest.empty() && !p.choice)
      if (const char letter = small_choice_of(p.plain); letter != 0 && policies_.choice_text)
        return said(g.choice->letter == letter);
    if (g.choice && p.choice) {
      if (!policies_.choice_text && (g.choice->rest.empty() != p.choice->rest.empty())) return std::nullopt;
      return said(g.choice->letter == p.choice->letter);
    }
    if (g.choice && !g.choice->rest.empty() && !p.choice && policies_.choice_text) {
      // The content of the right choice, without its letter.
      const Prepared content = prepare(g.choice->rest, policies_);
      if (content.parsed && p.parsed) return of(content, p);
    }
    if (p.choice && !p.choice->rest.empty() && !g.choice && policies_.choice_text) {
      const Prepared content = prepare(p.choice->rest, policies_);
      if (content.parsed && g.parsed) return of(g, content);
    }
    const std::string a = letters_of(g.plain), b = letters_of(p.plain);
    auto has = [](const Prepared& x, std::string_view what) {
      return x.plain.find(what) != std::string::npos;
    };
    const bool one_is_a_list = has(g, ",") != has(p, ",") || has(g, " and ") != has(p, " and ");
    if (a.size() > 1 && b.size() > 1 && one_is_a_list) return said(a == b);
    return std::nullopt;
  }

  std::optional<Result> times(const Prepared& g, const Prepared& p) {
    if (!g.time || !p.time) return std::nullopt;
    const bool meridiem = g.time->meridiem == p.time->meridiem ||
                          (policies_.times && (g.time->meridiem == 0 || p.time->meridiem == 0));
    // Without any a.m. or p.m. it may as well be a ratio.
    if (g.time->meridiem == 0 && p.time->meridiem == 0) return std::nullopt;
    const bool equal = of_day(*g.time, *p.time) == of_day(*p.time, *g.time) && meridiem;
    return Result{equal ? Verdict::kEqual : Verdict::kDifferent,
                  equal ? "the same time of day" : "another time of day",
                  p.text,
                  {},
                  false,
                  0};
  }

  const Policies& policies_;
  Budget& budget_;
  std::vector<std::string>* path_;
  bool by_role_ = false;
};

}  // namespace

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kEqual:
      return "equal";
    case Verdict::kDifferent:
      return "different";
    case Verdict::kUndecided:
      return "undecided";
    case Verdict::kUnparsedGold:
      return "unparsed_gold";
    case Verdict::kUnparsedPrediction:
      return "unparsed_prediction";
    case Verdict::kLimit:
      return "limit";
  }
  return "undecided";
}

struct Gold::Inside {
  Prepared prepared;
  Result parsed;
};

Gold::Gold(std::string_view text, const Policies& policies) : inside_(std::make_unique<Inside>()) {
  Prepared& p = inside_->prepared;
  p = prepare(text, policies);
  Result& r = inside_->parsed;
  const bool readable = p.parsed || p.choice || p.time;
  r.verdict = readable ? Verdict::kEqual : p.limit ? Verdict::kLimit : Verdict::kUnparsedGold;
  r.reason = readable ? "read" : p.error;
  r.is_of_gold = !readable;
}
Gold::~Gold() = default;
Gold::Gold(Gold&&) noexcept = default;
const Result& Gold::parsed() const {
  return inside_->parsed;
}

namespace {

Result guarded(const Policies& policies, bool explain, uint64_t work,
               const std::function<Result(Judge&)>& run) {
  own_thread_caches();
  Budget budget(work);
  std::vector<std::string> path;
  Judge judge(policies, budget, explain ? &path : nullptr);
  Result result;
  try {
    result = run(judge);
  } catch (const LimitError& e) {
    result = {Verdict::kLimit, e.what(), {}, {}, false, 0};
  } catch (const ParseError& e) {
    result = {Verdict::kUnparsedPrediction, e.what(), {}, {}, false, 0};
  }
  result.path = std::move(path);
  result.work = budget.spent();
  result.by_role = judge.by_role();
  return result;
}

}  // namespace

Result compare(const Gold& gold, std::string_view answer, const Policies& policies, bool explain,
               uint64_t work) {
  if (gold.parsed().verdict != Verdict::kEqual) return gold.parsed();
  return guarded(policies, explain, work,
                 [&](Judge& judge) { return judge.of(gold.inside_->prepared, prepare(answer, policies)); });
}

Result judge(const Gold& gold, std::string_view completion, const Policies& policies, bool explain,
             uint64_t work) {
  if (gold.parsed().verdict != Verdict::kEqual) return gold.parsed();
  constexpr const char* kSigns[] = {"in the last box", "after a phrase", "in the last math span",
                                    "at the end", "nowhere"};
  const Found found = find_answer(completion, policies, is_several(gold.inside_->prepared));
  if (found.candidates.empty())
    return {Verdict::kUnparsedPrediction, "no answer was found", {}, {}, false, 0};
  Result result = guarded(policies, explain, work, [&](Judge& judge) {
    std::optional<Prepared> best;
    for (const std::string& candidate : found.candidates) {
      Prepared p = prepare(candidate, policies);
      const bool prose = p.parsed && is_prose(*p.parsed);
      const bool readable = p.parsed || p.choice || p.time;
      // Prose is an answer only where nothing better follows.
      if (readable && !prose) {
        best = std::move(p);
        break;
      }
      if (!best || (readable && !(best->parsed || best->choice))) best = std::move(p);
    }
    return judge.of(gold.inside_->prepared, *best);
  });
  if (explain)
    result.path.push_back("the answer stands " + std::string(kSigns[static_cast<size_t>(found.sign)]));
  return result;
}

Question::Question(std::string_view prompt, const Gold& gold, const Policies& policies) {
  const std::optional<Parsed>& of_gold = gold.inside_->prepared.parsed;
  if (!of_gold) return;
  const uint64_t gold_form = written_form(of_gold->tree, of_gold->root);
  const std::vector<std::string> formulas = formulas_of(prompt);
  for (const std::string& formula : formulas) {
    const Prepared p = prepare(formula, policies);
    if (!p.parsed || is_prose(*p.parsed)) continue;
    const uint64_t form = written_form(p.parsed->tree, p.parsed->root);
    if (form == gold_form) continue;
    forms_.push_back(form);
    if (&formula == &formulas.back()) pays_ = compare(gold, formula, policies).verdict == Verdict::kEqual;
  }
}

bool Question::is_copied(std::string_view answer, const Policies& policies) const {
  if (forms_.empty()) return false;
  const Prepared p = prepare(answer, policies);
  return p.parsed && std::find(forms_.begin(), forms_.end(), written_form(p.parsed->tree, p.parsed->root)) !=
                         forms_.end();
}

}  // namespace tenon::math_answer
