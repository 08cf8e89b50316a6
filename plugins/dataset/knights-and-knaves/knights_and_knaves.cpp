// Data set `knights-and-knaves`: who tells the truth? Every puzzle has exactly one solution.
// SPDX-License-Identifier: Apache-2.0
//
// Smullyan's puzzles: each person is a knight, who always tells the truth, or a knave, who always lies. A truth is
// drawn first, then for each person a statement that this person could make; puzzles with a second solution (found by
// trying all) are thrown away.
#include <bit>

#include "dataset_support/task.h"

namespace {

namespace support = tenon::dataset_support;

constexpr const char* kNames[] = {"Ada",  "Ben",  "Cleo", "Dan",  "Eva",  "Finn", "Gina", "Hugo",
                                  "Iris", "Jack", "Kara", "Liam", "Mona", "Nils", "Olga", "Paul"};

// Who are knights, as bits by person.
using World = uint32_t;

struct Atom {
  uint32_t person;
  bool knight;  // what is said of the person
  bool holds(World world) const { return ((world >> person & 1) != 0) == knight; }
};

enum class Form { kAtom, kAnd, kOr, kIf, kSame, kCount };

// What a person says.
struct Statement {
  Form form;
  Atom a{}, b{};       // of kSame the persons alone
  uint32_t count = 0;  // of kCount: exactly so many are knights

  bool holds(World world) const {
    switch (form) {
      case Form::kAtom:
        return a.holds(world);
      case Form::kAnd:
        return a.holds(world) && b.holds(world);
      case Form::kOr:
        return a.holds(world) || b.holds(world);
      case Form::kIf:
        return !a.holds(world) || b.holds(world);
      case Form::kSame:
        return a.holds(world) == b.holds(world);
      case Form::kCount:
        return static_cast<uint32_t>(std::popcount(world)) == count;
    }
    return false;
  }
};

struct Level {
  uint32_t people;
  std::vector<Form> forms;
};

// More people (twice the cases each), and statements about more than one.
Level level_of(int64_t level) {
  switch (level) {
    case 1:
      return {2, {Form::kAtom, Form::kAtom, Form::kSame}};
    case 2:
      return {3, {Form::kAtom, Form::kSame, Form::kCount}};
    case 3:
      return {4, {Form::kAtom, Form::kAnd, Form::kOr, Form::kCount}};
    case 4:
      return {5, {Form::kAnd, Form::kOr, Form::kIf, Form::kSame}};
    default:
      return {6, {Form::kAnd, Form::kOr, Form::kIf, Form::kSame, Form::kCount}};
  }
}

class Puzzle {
 public:
  Puzzle(support::Draws& draws, int64_t level) {
    const Level of = level_of(level);
    do {
      draw_truth(draws, of.people);
      statements_.clear();
      for (uint32_t person = 0; person < people(); ++person) statements_.push_back(draw(draws, of, person));
    } while (solutions() != 1);
    std::vector<const char*> all(std::begin(kNames), std::end(kNames));
    support::shuffle(all, draws);
    names_.assign(all.begin(), all.begin() + of.people);
  }

  support::Problem problem() const {
    std::string list, order, said;
    for (uint32_t i = 0; i < people(); ++i) {
      list += (i == 0 ? "" : i + 1 < people() ? ", " : " and ") + names_[i];
      order += (i == 0 ? "" : ", ") + names_[i];
      said += " " + names_[i] + " says: \"" + words(statements_[i], i) + ".\"";
    }
    support::Problem p;
    p.question =
        "On an island everyone is either a knight, who always tells the truth, or a knave, who always lies. "
        "You meet " +
        list + "." + said + " What is each of them? Answer with knight or knave for " + order +
        ", in this order, separated by commas, between <answer> and </answer>.";
    for (uint32_t i = 0; i < people(); ++i)
      p.answer += std::string(i == 0 ? "" : ", ") + ((truth_ >> i & 1) != 0 ? "knight" : "knave");
    p.more = "\"people\":" + std::to_string(people());
    return p;
  }

 private:
  uint32_t people() const { return people_; }

  void draw_truth(support::Draws& draws, uint32_t people) {
    people_ = people;
    truth_ = static_cast<World>(draws.below(World{1} << people));
  }

  // A statement that is true if the person is a knight, and false if not.
  Statement draw(support::Draws& draws, const Level& level, uint32_t person) const {
    while (true) {
      Statement s{support::pick(level.forms, draws)};
      if (s.form == Form::kCount) {
        s.count = static_cast<uint32_t>(draws.below(people() + 1));
      } else {
        s.a = {static_cast<uint32_t>(draws.below(people())), draws.below(2) == 1};
        s.b = {static_cast<uint32_t>(draws.below(people())), draws.below(2) == 1};
        const bool is_of_one = s.form == Form::kAtom;
        if (is_of_one ? s.a.person == person : s.a.person == s.b.person) continue;
        if (s.form == Form::kSame) s.a.knight = s.b.knight = true;
      }
      if (s.holds(truth_) == ((truth_ >> person & 1) != 0)) return s;
    }
  }

  uint32_t solutions() const {
    uint32_t n = 0;
    for (World world = 0; world < World{1} << people(); ++world) {
      bool fits = true;
      for (uint32_t i = 0; i < people() && fits; ++i)
        fits = statements_[i].holds(world) == ((world >> i & 1) != 0);
      n += fits;
    }
    return n;
  }

  std::string words(const Atom& atom, uint32_t speaker) const {
    return (atom.person == speaker ? "I am" : names_[atom.person] + " is") +
           std::string(atom.knight ? " a knight" : " a knave");
  }
  std::string words(const Statement& s, uint32_t speaker) const {
    auto name = [&](const Atom& atom) { return atom.person == speaker ? "I" : names_[atom.person]; };
    switch (s.form) {
      case Form::kAtom:
        return words(s.a, speaker);
      case Form::kAnd:
        return words(s.a, speaker) + " and " + words(s.b, speaker);
      case Form::kOr:
        return words(s.a, speaker) + " or " + words(s.b, speaker);
      case Form::kIf:
        return "If " + words(s.a, speaker) + ", then " + words(s.b, speaker);
      case Form::kSame:
        return name(s.a) + " and " + name(s.b) + " are of the same kind";
      case Form::kCount:
        return "Exactly " + std::to_string(s.count) + " of us are knights";
    }
    return "";
  }

  uint32_t people_ = 0;
  World truth_ = 0;
  std::vector<Statement> statements_;
  std::vector<std::string> names_;
};

class KnightsAndKnaves {
 public:
  explicit KnightsAndKnaves(tenon::Host host) : task_(host) {}
  static void check(tenon::Host host, tenon::Findings& findings) { support::Task::check(host, findings); }
  uint64_t size() const { return task_.size(); }
  tenon::Row at(uint64_t index) const {
    return task_.row(index,
                     [](support::Draws& draws, int64_t level) { return Puzzle(draws, level).problem(); });
  }

 private:
  support::Task task_;
};

}  // namespace

TENON_DATASET_PLUGIN(KnightsAndKnaves, "knights-and-knaves", "1.0.0",
                     "Logic: who tells the truth? Every puzzle has exactly one solution.", support::kMinLevel,
                     support::kMaxLevel, support::kTaskTemplate, support::kAs, support::kSystem,
                     support::kTaskSplit, support::kTaskRows, support::kTaskSeed)
