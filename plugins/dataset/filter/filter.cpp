// Data set `filter`: the rows of another data set that keep rules, each once.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>

#include "dataset_support/wrapped.h"
#include "near.h"
#include "normal_words/normal_words.h"
#include "rule.h"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::filter::Rule;

constexpr const char* kRepeated = "repeated";
constexpr const char* kNear = "near";

class Filter {
 public:
  explicit Filter(tenon::Host host) : rows_(support::Wrapped(host), "filter"), unique_(host.strs("unique")) {
    for (uint64_t i = 0; i < host.count("rules"); ++i) {
      rules_.emplace_back(host, "rules." + std::to_string(i));
      reasons_.push_back({rules_.back().name(), 0, ""});
    }
    reasons_.push_back({kNear, 0, ""});
    reasons_.push_back({kRepeated, 0, ""});
    near_parts_ = host.strs("near.parts");
    if (!near_parts_.empty()) {
      near_.emplace(host.f64("near.similarity"));
      words_ = static_cast<uint64_t>(host.i64("near.words"));
    }
    if (!rows_.data().rows()) return;
    rows_.data().each([&](uint64_t index, const tenon::Row& row) {
      if (Reason* const why = reason_against(index, row)) {
        if (why->rows++ == 0) why->first = support::place_of(row, index, rows_.data().name());
      } else {
        rows_.keep(index);
      }
    });
    report(host);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const uint64_t n = host.count("rules");
    if (n == 0 && host.count("unique") == 0 && host.count("near.parts") == 0)
      findings.error("rules", "there is nothing to filter by; give `rules`, `unique` or `near`");
    std::vector<std::string> names{kRepeated, kNear};
    for (uint64_t i = 0; i < n; ++i) {
      const std::string path = "rules." + std::to_string(i);
      Rule::check(host, path, findings);
      const std::string name = host.str_if((path + ".name").c_str()).value_or("");
      if (std::find(names.begin(), names.end(), name) != names.end())
        findings.error((path + ".name").c_str(),
                       name == kRepeated ? "is the reason of rows that `unique` leaves out"
                       : name == kNear   ? "is the reason of rows that `near` leaves out"
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
  Reason* reason_against(uint64_t index, const tenon::Row& row) {
    for (size_t i = 0; i < rules_.size(); ++i)
      if (!rules_[i].holds(row)) return &reasons_[i];
    const std::optional<uint64_t> words = words_of_unique(row);
    if (words && seen_.contains(*words)) return &reasons_.back();
    if (is_near(index, row)) return &reasons_[rules_.size()];
    if (words) seen_.insert(*words);
    return nullptr;
  }

  // The sets of a row's parts for `near`, as one: a run of words does not go from one part to the next.
  std::vector<uint64_t> shingles_of(const tenon::Row& row) const {
    std::vector<uint64_t> out;
    for (const std::string& part : near_parts_) {
      const auto of_part = tenon::filter::shingles_of(support::part_of(row, part).value_or(""), words_);
      out.insert(out.end(), of_part.begin(), of_part.end());
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  // Whether a row that stays is near this one; if none is, it is one that others may be near. A row without words is near none.
  bool is_near(uint64_t index, const tenon::Row& row) {
    if (!near_) return false;
    const std::vector<uint64_t> shingles = shingles_of(row);
    if (shingles.empty()) return false;
    if (near_->has(shingles, [&](uint64_t other) { return shingles_of(rows_.data().at(other)); }))
      return true;
    near_->add(shingles, index);
    return false;
  }

  // A hash of the words in all parts of `unique`; nothing without that option.
  std::optional<uint64_t> words_of_unique(const tenon::Row& row) const {
    if (unique_.empty()) return std::nullopt;
    std::vector<tenon::normal_words::Word> words;
    for (const std::string& part : unique_) {
      for (const auto& word : tenon::normal_words::words_of(support::part_of(row, part).value_or("")))
        words.push_back(word);
      words.push_back({1, 0, 0});  // where a part ends
    }
    return tenon::normal_words::hash_of(words);
  }

  void report(const tenon::Host& host) {
    seen_.clear();
    if (near_) near_->clear();
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
  std::vector<std::string> near_parts_;
  uint64_t words_ = 0;
  std::optional<tenon::filter::NearTexts> near_;
  std::vector<Reason> reasons_;  // of each rule, of rows that are near others, of rows that are repeated
  std::unordered_set<uint64_t> seen_;  // words_of_unique of the rows that stay
};

constexpr tenon::OptionTable kNearChildren{
    tenon::text("parts", nullptr,
                "Parts that are compared together (prompt, completion, fields of the meta).",
                {.flags = TENON_O_REQUIRED | TENON_O_LIST}),
    tenon::number("similarity", "0.8",
                  "Rows are near where their runs of words have at least this Jaccard similarity: those that "
                  "both have, of all that either has.",
                  {.min = "0.3", .max = "1"}),
    tenon::integer("words", "3", "In a run.", {.min = "1", .max = "100", .unit = "words"})};

}  // namespace

TENON_DATASET_PLUGIN(
    Filter, "filter", "1.1.0", "The rows of another data set that keep rules, each once.",
    tenon::reference("data", "dataset", nullptr, "The data set.", {.flags = TENON_O_REQUIRED}),
    support::kWrappedRows,
    tenon::object("rules", tenon::filter::kRuleChildren,
                  "What a row must be like; the first rule that it breaks is the reason it is left out for.",
                  {.flags = TENON_O_LIST}),
    tenon::text("unique", nullptr,
                "Parts (prompt, completion, fields of the meta): of rows with the same words in all of them "
                "the first "
                "stays. Absent: rows may be repeated.",
                {.flags = TENON_O_LIST}),
    tenon::object("near", kNearChildren,
                  "Of rows that nearly have the same words the first stays (MinHash). Absent: all stay."))
