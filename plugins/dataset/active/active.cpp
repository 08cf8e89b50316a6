// Data set `active`: the rows of another data set on whose answers a model's samples agree least.
// SPDX-License-Identifier: Apache-2.0
//
// Query by committee with the samples of one model as the committee: vote entropy (Dagan and Engelson 1995).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "dataset_support/wrapped.h"
#include "pattern/pattern.h"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::Row;

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

// Of the counts of each vote, in nats.
double entropy(const std::map<std::string, uint64_t>& votes) {
  double n = 0, sum = 0;
  for (const auto& vote : votes) n += static_cast<double>(vote.second);
  for (const auto& vote : votes) {
    const double p = static_cast<double>(vote.second) / n;
    sum -= p * std::log(p);
  }
  return sum;
}

class Active {
 public:
  explicit Active(tenon::Host host)
      : host_(host),
        data_(host),
        row_field_(host.str("row_field")),
        keep_(host.f64("keep")),
        min_votes_(static_cast<uint64_t>(host.i64("min_votes"))) {
    if (auto regex = host.str_if("vote_regex")) vote_.emplace(*regex);
    std::vector<support::Wrapped> samples;
    for (uint64_t i = 0; i < host.count("samples"); ++i)
      samples.emplace_back(host, "samples/" + std::to_string(i), "");
    auto is_there = [](const support::Wrapped& rows) { return rows.rows().has_value(); };
    if (!is_there(data_) || !std::all_of(samples.begin(), samples.end(), is_there)) return;
    for (const support::Wrapped& some : samples)
      some.each(
          [&](uint64_t index, const Row& row) { count(row, support::place_of(row, index, some.name())); });
    is_counted_ = true;
    select();
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.count("samples") == 0) findings.error("samples", "the list is empty");
    try {
      if (auto regex = host.str_if("vote_regex")) tenon::pattern::Pattern{*regex};
    } catch (const Error& e) {
      findings.error("vote_regex", e.what());
    }
  }

  uint64_t size() const { return is_counted_ ? kept_.size() : TENON_COUNT_UNBOUNDED; }
  Row at(uint64_t index) const {
    if (!is_counted_)
      throw Error(TENON_E_STATE, "the samples do not exist before the stage that makes them has run");
    const Kept& kept = kept_.at(index);
    Row row = data_.at(kept.row);
    char value[32];
    std::snprintf(value, sizeof value, "%.6g", kept.entropy);
    support::add_lineage(
        row, "active", kept.row,
        std::string("\"vote_entropy\":") + value + ",\"votes\":" + std::to_string(kept.votes));
    return row;
  }

 private:
  struct Kept {
    uint64_t row, votes;
    double entropy;
  };

  // The vote of a sample, for the row that it is of.
  void count(const Row& sample, const std::string& place) {
    const auto text = support::part_of(sample, row_field_);
    if (!text || text->empty() || text->find_first_not_of("0123456789") != std::string::npos)
      throw Error("samples: " + place + ": its meta does not say which row of " + data_.name() +
                  " it is of (" + row_field_ + ")");
    uint64_t row = 0;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), row);
    if (read.ec != std::errc() || row >= *data_.rows()) {  // of so many digits that it fits no 64 bits, too
      ++beyond_;
      return;
    }
    if (!votes_.contains(row) && support::question_of(data_.at(row)) != support::question_of(sample))
      throw Error("samples: " + place + " is of another question than row " + *text + " of " + data_.name() +
                  ": give as `data` the data set that was sampled");
    ++votes_[row][vote_of(sample.completion)];
  }

  std::string vote_of(const std::string& completion) const {
    if (vote_) return trimmed(vote_->last_capture(completion).value_or(""));
    const std::string text = trimmed(completion);
    return trimmed(text.substr(text.rfind('\n') + 1));
  }

  void select() {
    uint64_t too_few = 0;
    for (const auto& [row, votes] : votes_) {
      uint64_t n = 0;
      for (const auto& vote : votes) n += vote.second;
      if (n < min_votes_)
        ++too_few;
      else
        kept_.push_back({row, n, entropy(votes)});
    }
    std::stable_sort(kept_.begin(), kept_.end(),
                     [](const Kept& a, const Kept& b) { return a.entropy > b.entropy; });
    const size_t judged = kept_.size();
    kept_.resize(static_cast<size_t>(std::ceil(keep_ * static_cast<double>(judged) - 1e-9)));
    while (!kept_.empty() && kept_.back().entropy <= 0) kept_.pop_back();
    if (kept_.empty())
      throw Error("samples: no row is left: of " + std::to_string(judged) + " with " +
                  std::to_string(min_votes_) + " votes at least, none has votes that differ");
    host_.info(std::to_string(kept_.size()) + " of " + std::to_string(*data_.rows()) + " rows of " +
               data_.name() + " are kept; " + std::to_string(judged) + " had votes, " +
               std::to_string(too_few) + " too few of them; " + std::to_string(beyond_) +
               " samples were of rows beyond the end");
    votes_.clear();
  }

  tenon::Host host_;
  support::Wrapped data_;
  std::string row_field_;
  double keep_;
  uint64_t min_votes_;
  std::optional<tenon::pattern::Pattern> vote_;
  std::map<uint64_t, std::map<std::string, uint64_t>> votes_;  // by row
  std::vector<Kept> kept_;                                     // the least agreed first
  uint64_t beyond_ = 0;
  bool is_counted_ = false;
};

}  // namespace

TENON_DATASET_PLUGIN(
    Active, "active", "1.0.0", "The rows of another data set on whose answers a model's samples agree least.",
    tenon::reference("data", "dataset", nullptr, "The data set that was sampled.",
                     {.flags = TENON_O_REQUIRED}),
    support::kWrappedRows,
    tenon::reference(
        "samples", "dataset", nullptr,
        "Rows with the completions of its prompts: of a stage rejection-sample with record_rejected: true "
        "both `kept` and `rejected`.",
        {.flags = TENON_O_REQUIRED | TENON_O_LIST}),
    tenon::text(
        "vote_regex", nullptr,
        "PCRE2 regular expression for a completion's vote: its first group, at the last place where it "
        "occurs. "
        "Absent: the last line. A completion without one votes for nothing, as others without one do."),
    tenon::number("keep", "0.5",
                  "Share of the rows with votes that is kept: those with the greatest vote entropy.",
                  {.min = "0.0001", .max = "1"}),
    tenon::integer("min_votes", "2", "Rows with fewer are left out.",
                   {.min = "2", .max = "1000000", .unit = "votes"}),
    tenon::text("row_field", "\"provenance.row\"",
                "Field of a sample's meta with the index of its row in `data`."))
