// Data set `filter`: the rows of another data set that keep rules, each once.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>

#include "dataset_support/wrapped.h"
#include "normal_words/normal_words.h"
#include "rule.h"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::filter::Rule;

constexpr const char* kRepeated = "repeated";

class Filter {
 public:
  explicit Filter(tenon::Host host) : rows_(support::Wrapped(host), "filter"), unique_(host.strs("unique")) {
    for (uint64_t i = 0; i < host.count("rules"); ++i) {
      rules_.emplace_back(host, "rules." + std::to_string(i));
      reasons_.push_back({rules_.back().name(), 0, ""});
    }
    reasons_.push_back({kRepeated, 0, ""});
    if (!rows_.data().rows()) return;
    rows_.data().each([&](uint64_t index, const tenon::Row& row) {
      if (Reason* const why = reason_against(row)) {
        if (why->rows++ == 0) why->first = support::place_of(row, index, rows_.data().name());
      } else {
        rows_.keep(index);
      }
    });
    report(host);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const uint64_t n = host.count("rules");
    if (n == 0 && host.count("unique") == 0)
      findings.error("rules", "there is nothing to filter by; give `rules`, or `unique`");
    std::vector<std::string> names{kRepeated};
    for (uint64_t i = 0; i < n; ++i) {
      const std::string path = "rules." + std::to_string(i);
      Rule::check(host, path, findings);
      const std::string name = host.str_if((path + ".name").c_str()).value_or("");
      if (std::find(names.begin(), names.end(), name) != names.end())
        findings.error((path + ".name").c_str(), name == kRepeated
                                                     ? "is the reason of rows that `unique` leaves out"
                                                     : "two rules are called " + name);
      names.push_back(name);
    }
  }

  uint64_t size() const { return rows_.size(); }
  tenon::Row at(uint64_t index) const { return rows_.at(index); }

 private:
  struct Reason {
    std::string name;
    uint64_t rows;
    std::string first;  // place
  };

  // The first rule that the row breaks; nullptr: it stays.
  Reason* reason_against(const tenon::Row& row) {
    for (size_t i = 0; i < rules_.size(); ++i)
      if (!rules_[i].holds(row)) return &reasons_[i];
    return is_new(row) ? nullptr : &reasons_.back();
  }

  // Whether no row before has the same words in all parts of `unique`. By a hash of 64 bits.
  bool is_new(const tenon::Row& row) {
    if (unique_.empty()) return true;
    std::vector<tenon::normal_words::Word> words;
    for (const std::string& part : unique_) {
      for (const auto& word : tenon::normal_words::words_of(support::part_of(row, part).value_or("")))
        words.push_back(word);
      words.push_back({1, 0, 0});  // where a part ends
    }
    return seen_.insert(tenon::normal_words::hash_of(words)).second;
  }

  void report(const tenon::Host& host) {
    seen_.clear();
    const uint64_t all = *rows_.data().rows(), kept = rows_.size();
    std::string reasons;
    for (const Reason& reason : reasons_)
      if (reason.rows > 0)
        reasons += (reasons.empty() ? "" : "; ") + reason.name + " " + std::to_string(reason.rows) +
                   " (the first is " + reason.first + ")";
    const std::string of = " of " + std::to_string(all) + " rows of " + rows_.data().name();
    if (kept == 0) throw Error("data: none" + of + " is left: " + reasons);
    host.info(std::to_string(all - kept) + of + " are left out" + (reasons.empty() ? "" : ": " + reasons));
  }

  support::Selection rows_;
  std::vector<Rule> rules_;
  std::vector<std::string> unique_;
  std::vector<Reason> reasons_;  // of each rule, and of rows that are repeated
  std::unordered_set<uint64_t> seen_;
};

}  // namespace

TENON_DATASET_PLUGIN(
    Filter, "filter", "1.0.0", "The rows of another data set that keep rules, each once.",
    tenon::reference("data", "dataset", nullptr, "The data set.", {.flags = TENON_O_REQUIRED}),
    support::kWrappedRows,
    tenon::object("rules", tenon::filter::kRuleChildren,
                  "What a row must be like; the first rule that it breaks is the reason it is left out for.",
                  {.flags = TENON_O_LIST}),
    tenon::text("unique", nullptr,
                "Parts (prompt, completion, fields of the meta): of rows with the same words in all of them "
                "the first "
                "stays. Absent: rows may be repeated.",
                {.flags = TENON_O_LIST}))
