// Data set `list-puzzles`: what is left of a list of numbers, or of a word, after a few operations on it?
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataset_support/task.h"

namespace {

namespace support = tenon::dataset_support;
using Items = std::vector<std::string>;  // numbers, or letters

int64_t number(const std::string& item) {
  return std::stoll(item);
}
bool is_vowel(const std::string& item) {
  return std::string_view("aeiou").find(item[0]) != std::string_view::npos;
}

// What is done to the items; `k` where the words have {k}.
struct Operation {
  const char* words;
  int64_t least, most;  // of k; both 0: it has none
  void (*apply)(Items&, int64_t k);
};

void rotate_left(Items& items, int64_t k) {
  if (!items.empty())
    std::rotate(items.begin(), items.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(k) % items.size()),
                items.end());
}
void keep_first_of_each(Items& items, int64_t) {
  Items out;
  for (const std::string& item : items)
    if (std::find(out.begin(), out.end(), item) == out.end()) out.push_back(item);
  items = out;
}
void reverse(Items& items, int64_t) {
  std::reverse(items.begin(), items.end());
}
void drop_first(Items& items, int64_t k) {
  items.erase(items.begin(), items.begin() + std::min<ptrdiff_t>(k, std::ssize(items)));
}
void drop_last(Items& items, int64_t k) {
  items.resize(items.size() - std::min(items.size(), static_cast<size_t>(k)));
}

const Operation kOnNumbers[] = {
    {"sort it from the smallest to the largest number", 0, 0,
     [](Items& items, int64_t) {
       std::stable_sort(items.begin(), items.end(),
                        [](const auto& a, const auto& b) { return number(a) < number(b); });
     }},
    {"sort it from the largest to the smallest number", 0, 0,
     [](Items& items, int64_t) {
       std::stable_sort(items.begin(), items.end(),
                        [](const auto& a, const auto& b) { return number(a) > number(b); });
     }},
    {"reverse it", 0, 0, reverse},
    {"of equal numbers keep only the first", 0, 0, keep_first_of_each},
    {"remove every even number", 0, 0,
     [](Items& items, int64_t) { std::erase_if(items, [](const auto& i) { return number(i) % 2 == 0; }); }},
    {"remove every odd number", 0, 0,
     [](Items& items, int64_t) { std::erase_if(items, [](const auto& i) { return number(i) % 2 != 0; }); }},
    {"remove the first {k} numbers", 1, 3, drop_first},
    {"remove the last {k} numbers", 1, 3, drop_last},
    {"move the first {k} numbers to the end", 1, 3, rotate_left},
    {"add {k} to every number", 2, 20,
     [](Items& items, int64_t k) {
       for (auto& i : items) i = std::to_string(number(i) + k);
     }},
    {"multiply every number by {k}", 2, 5,
     [](Items& items, int64_t k) {
       for (auto& i : items) i = std::to_string(number(i) * k);
     }},
    {"remove every number greater than {k}", 20, 60,
     [](Items& items, int64_t k) { std::erase_if(items, [&](const auto& i) { return number(i) > k; }); }}};

const Operation kOnLetters[] = {
    {"sort its letters by the alphabet", 0, 0,
     [](Items& items, int64_t) { std::stable_sort(items.begin(), items.end()); }},
    {"reverse it", 0, 0, reverse},
    {"of equal letters keep only the first", 0, 0, keep_first_of_each},
    {"remove every vowel (a, e, i, o, u)", 0, 0,
     [](Items& items, int64_t) { std::erase_if(items, is_vowel); }},
    {"remove every letter that is no vowel (a, e, i, o, u)", 0, 0,
     [](Items& items, int64_t) { std::erase_if(items, [](const auto& i) { return !is_vowel(i); }); }},
    {"remove the first {k} letters", 1, 3, drop_first},
    {"remove the last {k} letters", 1, 3, drop_last},
    {"move the first {k} letters to the end", 1, 3, rotate_left},
    {"replace every letter by the one {k} later in the alphabet (after z comes a)", 1, 4,
     [](Items& items, int64_t k) {
       for (auto& i : items) i[0] = static_cast<char>('a' + (i[0] - 'a' + k) % 26);
     }},
    {"write every letter twice", 0, 0, [](Items& items, int64_t) {
       Items out;
       for (const auto& i : items) out.insert(out.end(), 2, i);
       items = out;
     }}};

struct Level {
  int64_t items, operations;
};
Level level_of(int64_t level) {
  constexpr Level kAll[] = {{4, 1}, {6, 1}, {6, 2}, {8, 3}, {10, 4}};
  return kAll[level - 1];
}

std::string joined(const Items& items, bool are_numbers) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() || !are_numbers ? "" : ", ") + item;
  return out;
}

class ListPuzzles {
 public:
  explicit ListPuzzles(tenon::Host host) : task_(host, true), kind_(host.str("kind")) {}
  static void check(tenon::Host host, tenon::Findings& findings) { support::Task::check(host, findings); }
  uint64_t size() const { return task_.size(); }
  tenon::Row at(uint64_t index) const {
    return task_.row(index, [this](support::Draws& draws, int64_t level) {
      const bool numbers = kind_ == "numbers" || (kind_ == "both" && draws.below(2) == 0);
      while (true)
        if (auto problem = draw(draws, level_of(level), numbers)) return *std::move(problem);
    });
  }

 private:
  // Nothing: an operation leaves nothing, or what was there before, which would make the puzzle easier than its level.
  static std::optional<support::Problem> draw(support::Draws& draws, const Level& level, bool numbers) {
    Items items;
    for (int64_t i = 0; i < level.items; ++i)
      items.push_back(numbers ? std::to_string(draws.between(1, 50))
                              : std::string(1, static_cast<char>('a' + draws.below(26))));
    support::Problem p;
    p.question = (numbers ? "Take the list of numbers " : "Take the letters ") + joined(items, numbers) + ".";
    p.more = numbers ? "\"kind\":\"numbers\"" : "\"kind\":\"letters\"";
    std::vector<Items> stages{items};
    for (int64_t i = 0; i < level.operations; ++i) {
      const Operation& operation =
          numbers ? support::pick(kOnNumbers, draws) : support::pick(kOnLetters, draws);
      const int64_t k = draws.between(operation.least, operation.most);
      operation.apply(items, k);
      if (items.empty() || std::find(stages.begin(), stages.end(), items) != stages.end())
        return std::nullopt;
      stages.push_back(items);
      p.question +=
          (i == 0 ? " First " : " Then ") +
          support::Template(operation.words).fill([&](const std::string&) { return std::to_string(k); }) +
          ".";
      p.work += (p.work.empty() ? "" : " -> ") + joined(items, numbers);
    }
    p.question += numbers ? " What is the list now? Write the numbers with commas between."
                          : " What are the letters now? Write them without spaces.";
    p.work += ".";
    p.answer = joined(items, numbers);
    p.wrong = mistakes(stages, numbers, draws);
    return p;
  }

  // What was there before the last steps, and the right answer with two items exchanged, or one left out.
  static std::vector<std::string> mistakes(const std::vector<Items>& stages, bool numbers,
                                           support::Draws& draws) {
    std::vector<std::string> out;
    Items right = stages.back();
    Items reversed = right;
    std::reverse(reversed.begin(), reversed.end());
    out.push_back(joined(reversed, numbers));
    if (stages.size() > 2) out.push_back(joined(stages[stages.size() - 2], numbers));
    for (int i = 0; i < 40 && right.size() > 1; ++i) {
      Items changed = right;
      const size_t a = draws.below(right.size()), b = draws.below(right.size());
      if (i % 3 == 2)
        changed.erase(changed.begin() + static_cast<ptrdiff_t>(a));
      else
        std::swap(changed[a], changed[b]);
      out.push_back(joined(changed, numbers));
    }
    return out;
  }

  support::Task task_;
  std::string kind_;
};

constexpr const char* kKinds[] = {"both", "numbers", "letters", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(ListPuzzles, "list-puzzles", "1.0.0",
                     "What is left of a list of numbers, or of letters, after one to four operations on it.",
                     tenon::choice("kind", kKinds, "\"both\"",
                                   "Lists of numbers, or letters; both: with equal chance."),
                     support::kMinLevel, support::kMaxLevel, support::kTaskChoices, support::kTaskTemplate,
                     support::kAs, support::kSystem, support::kTaskSplit, support::kTaskRows,
                     support::kTaskSeed)
