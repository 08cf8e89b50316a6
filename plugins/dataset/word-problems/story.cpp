// Steps and their sentences. A change here changes every row: raise the plugin's version with it.
// SPDX-License-Identifier: Apache-2.0
#include "story.h"

#include <algorithm>

#include "dataset_support/prompt_form.h"
#include "dataset_support/task.h"

namespace tenon::word_problems {
namespace {

namespace support = dataset_support;

constexpr const char* kPeople[] = {"Amir",  "Bella", "Chen", "Dora",  "Emil", "Fatima",
                                   "Greta", "Hiro",  "Ines", "Jonas", "Kofi", "Lena"};
constexpr const char* kThings[] = {"marbles", "stickers", "pencils", "shells", "coins",
                                   "cards",   "beads",    "buttons", "stamps", "badges"};
constexpr const char* kOthers[] = {"books", "hats", "kites", "mugs", "chairs"};

// {n} the person, {o} the things, {k} the number.
constexpr const char* kMore[] = {"{n} buys {k} more.", "Then {n} finds {k} more {o}.",
                                 "A friend gives {n} {k} more {o}.", "{n} wins another {k}."};
constexpr const char* kFewer[] = {"{n} gives {k} of them to a neighbour.", "Then {n} loses {k} of them.",
                                  "{n} sells {k} {o}.", "On the way {k} of them get lost."};
constexpr const char* kTimes[] = {"{n} goes on collecting until there are {k} times as many.",
                                  "By the summer {n} has {k} times as many."};
constexpr const char* kShared[] = {"{n} divides them equally among {k} people and keeps one of the shares.",
                                   "{n} puts them into {k} equal heaps and takes only one heap along."};
constexpr const char* kPart[] = {"{n} gives {f} of them away.", "Then {f} of them are stolen."};
constexpr const char* kPercent[] = {"{n} sells {k} percent of them.",
                                    "{n} gives {k} percent of them to the school."};
constexpr const char* kAsides[] = {"{m} has {k} {p}.", "{n} also has {k} {p} at home, which nobody touches.",
                                   "{m} lives {k} kilometres away.", "{n} is {k} years old."};
constexpr const char* kParts[] = {"", "", "half", "a third", "a quarter", "a fifth"};
constexpr int64_t kPercents[] = {10, 20, 25, 40, 50, 60, 75, 80};
constexpr int64_t kMostTimes = 5;

std::string sentence(const char* text, const std::function<std::string(const std::string&)>& value) {
  return support::Template(text).fill(value);
}

// A step that can follow v, or nothing: k has no value that leaves 1 to `most` things.
std::optional<Step> draw_step(support::Draws& draws, Event event, int64_t v, int64_t most) {
  std::vector<int64_t> values;
  auto consider = [&](int64_t k) {
    const int64_t v_after = after(v, {event, k});
    if (v_after >= 1 && v_after <= most) values.push_back(k);
  };
  switch (event) {
    case Event::kMore:
    case Event::kFewer: {
      const int64_t limit = event == Event::kMore ? std::min(most - v, most / 2) : v - 1;
      if (limit < 1) return std::nullopt;
      return Step{event, draws.between(1, limit)};
    }
    case Event::kTimes:
      for (int64_t k = 2; k <= kMostTimes; ++k) consider(k);
      break;
    case Event::kShared:
      for (int64_t k = 2; k <= 9; ++k)
        if (v % k == 0) consider(k);
      break;
    case Event::kPart:
      for (int64_t k = 2; k <= 5; ++k)
        if (v % k == 0) consider(k);
      break;
    case Event::kPercent:
      for (const int64_t k : kPercents)
        if (v * k % 100 == 0) consider(k);
      break;
  }
  if (values.empty()) return std::nullopt;
  return Step{event, support::pick(values, draws)};
}

const char* told(Event event, support::Draws& draws) {
  switch (event) {
    case Event::kMore:
      return support::pick(kMore, draws);
    case Event::kFewer:
      return support::pick(kFewer, draws);
    case Event::kTimes:
      return support::pick(kTimes, draws);
    case Event::kShared:
      return support::pick(kShared, draws);
    case Event::kPart:
      return support::pick(kPart, draws);
    case Event::kPercent:
      return support::pick(kPercent, draws);
  }
  return "";
}

}  // namespace

int64_t after(int64_t v, const Step& step) {
  switch (step.event) {
    case Event::kMore:
      return v + step.k;
    case Event::kFewer:
      return v - step.k;
    case Event::kTimes:
      return v * step.k;
    case Event::kShared:
      return v / step.k;
    case Event::kPart:
      return v - v / step.k;
    case Event::kPercent:
      return v - v * step.k / 100;
  }
  return v;
}

Level level_of(int64_t level) {
  switch (level) {
    case 1:
      return {{Event::kMore, Event::kFewer}, 1, 0, 50};
    case 2:
      return {{Event::kMore, Event::kFewer, Event::kTimes}, 2, 0, 100};
    case 3:
      return {{Event::kMore, Event::kFewer, Event::kTimes, Event::kShared}, 3, 0, 200};
    case 4:
      return {{Event::kMore, Event::kFewer, Event::kTimes, Event::kShared, Event::kPart}, 4, 1, 400};
    default:
      return {{Event::kMore, Event::kFewer, Event::kTimes, Event::kShared, Event::kPart, Event::kPercent},
              6,
              2,
              800};
  }
}

Story::Story(support::Draws& draws, const Level& level) {
  draw_steps(draws, level);
  tell(draws, level.asides);
}

void Story::draw_steps(support::Draws& draws, const Level& level) {
  values_ = {draws.between(2, level.most / 2)};
  while (steps_.size() < level.steps) {
    const Event event = support::pick(level.events, draws);
    // Addition or subtraction is always possible; no two of the other kinds follow each other.
    if (!steps_.empty() && event == steps_.back().event && event != Event::kMore && event != Event::kFewer)
      continue;
    const auto step = draw_step(draws, event, values_.back(), level.most);
    if (!step) continue;
    steps_.push_back(*step);
    values_.push_back(after(values_.back(), *step));
  }
}

void Story::tell(support::Draws& draws, size_t asides) {
  std::vector<const char*> people(std::begin(kPeople), std::end(kPeople));
  support::shuffle(people, draws);
  const std::string n = people[0], m = people[1], o = support::pick(kThings, draws);
  std::vector<std::string> sentences{n + " has " + std::to_string(values_[0]) + " " + o + "."};
  for (const Step& step : steps_)
    sentences.push_back(sentence(told(step.event, draws), [&](const std::string& name) -> std::string {
      return name == "n" ? n : name == "o" ? o : name == "f" ? kParts[step.k] : std::to_string(step.k);
    }));
  std::vector<const char*> beside(std::begin(kAsides), std::end(kAsides));
  support::shuffle(beside, draws);
  for (size_t i = 0; i < asides; ++i) {
    const std::string p = support::pick(kOthers, draws), k = std::to_string(draws.between(5, 60));
    const std::string said = sentence(beside[i], [&](const std::string& name) {
      return name == "n" ? n : name == "m" ? m : name == "p" ? p : k;
    });
    // Right behind the first sentence or later, but not where "them" would mean something else.
    sentences.insert(i == 0 ? sentences.begin() : sentences.end(), said);
  }
  for (const std::string& one : sentences) question_ += one + " ";
  question_ += "How many " + o + " does " + n + " have in the end?";
}

std::string Story::work() const {
  std::string out;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const std::string v = std::to_string(values_[i]), k = std::to_string(steps_[i].k),
                      next = std::to_string(values_[i + 1]);
    const std::string part = std::to_string(values_[i] - values_[i + 1]);
    out += i == 0 ? "" : " ";
    switch (steps_[i].event) {
      case Event::kMore:
        out += v + " + " + k + " = " + next + ".";
        break;
      case Event::kFewer:
        out += v + " - " + k + " = " + next + ".";
        break;
      case Event::kTimes:
        out += v + " * " + k + " = " + next + ".";
        break;
      case Event::kShared:
        out += v + " / " + k + " = " + next + ".";
        break;
      case Event::kPart:
        out += v + " / " + k + " = " + part + ". " + v + " - " + part + " = " + next + ".";
        break;
      case Event::kPercent:
        out += v + " * " + k + " / 100 = " + part + ". " + v + " - " + part + " = " + next + ".";
        break;
    }
  }
  return out;
}

std::vector<std::string> Story::mistakes() const {
  std::vector<std::string> out;
  for (size_t left_out = steps_.size(); left_out-- > 0;) {
    int64_t v = values_[0];
    for (size_t i = 0; i < steps_.size(); ++i)
      if (i != left_out) v = after(v, steps_[i]);
    if (v >= 1) out.push_back(std::to_string(v));
  }
  const Step& last = steps_.back();
  if (last.event == Event::kMore || last.event == Event::kFewer) {
    const int64_t v = 2 * values_[values_.size() - 2] - answer();
    if (v >= 1) out.push_back(std::to_string(v));
  }
  for (const int64_t by : {1, 10, -1, 2, -2, 5, 20, 3, 4, 6})
    if (answer() + by >= 1) out.push_back(std::to_string(answer() + by));
  return out;
}

}  // namespace tenon::word_problems
