// Data set `decontaminate`: the rows of another data set that share no run of words with evaluation sets.
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 left out what shared ten words in a row with a question or a reference solution of an evaluation set
// (arXiv 2501.12948v2); what is done with shorter texts is from DeepSeekMath (arXiv 2402.03300, §2.1).
#include <algorithm>

#include "dataset_support/wrapped.h"
#include "overlap.h"
#include "utf8/utf8.h"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::decontaminate::Overlap;

constexpr size_t kShown = 5, kShownBytes = 120;

class Decontaminate {
 public:
  explicit Decontaminate(tenon::Host host)
      : host_(host),
        rows_(support::Wrapped(host), "decontaminate"),
        parts_(host.strs("parts")),
        against_parts_(host.strs("against_parts")),
        n_(host.i64("n")),
        overlap_(static_cast<size_t>(n_)) {
    std::vector<support::Wrapped> against;
    for (uint64_t i = 0; i < host.count("against"); ++i) {
      const std::string at = std::to_string(i);
      against.emplace_back(host, "against/" + at, "against." + at + ".rows");
    }
    auto is_there = [](const support::Wrapped& rows) { return rows.rows().has_value(); };
    if (!is_there(rows_.data()) || !std::all_of(against.begin(), against.end(), is_there)) return;
    read(against);
    is_read_ = true;
    select();
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    for (const char* list : {"against", "parts", "against_parts"})
      if (host.count(list) == 0) findings.error(list, "the list is empty, so that nothing would be compared");
  }

  uint64_t size() const { return is_read_ ? rows_.size() : TENON_COUNT_UNBOUNDED; }
  tenon::Row at(uint64_t index) const {
    if (!is_read_ && rows_.data().rows())
      throw Error(TENON_E_STATE,
                  "the rows to compare with do not exist before the stage that makes them has run");
    return rows_.at(index);
  }

 private:
  struct Evaluation {
    std::string name;
    uint64_t dropped = 0;
  };

  void read(const std::vector<support::Wrapped>& against) {
    uint64_t too_short = 0;
    for (const support::Wrapped& set : against) {
      const auto source = static_cast<uint32_t>(evaluations_.size());
      evaluations_.push_back({set.name()});
      uint64_t texts = 0, short_ones = 0;
      set.each([&](uint64_t, const tenon::Row& row) {
        for (const std::string& part : against_parts_)
          if (const auto text = support::part_of(row, part))
            ++texts, short_ones += !overlap_.add(*text, source);
      });
      if (texts == 0)
        throw Error("against." + std::to_string(source) + ": no row of " + set.name() +
                    " has any of against_parts" + list(against_parts_));
      if (texts == short_ones)
        throw Error(
            "against." + std::to_string(source) + ": all " + std::to_string(texts) + " texts of " +
            set.name() +
            " have fewer than three words, so that nothing can be compared with them: leave the set out");
      too_short += short_ones;
    }
    if (too_short > 0)
      host_.info(std::to_string(too_short) +
                 " texts of evaluation sets have fewer than three words and are not compared");
  }

  void select() {
    const std::string& name = rows_.data().name();
    uint64_t compared = 0, dropped = 0;
    std::string shown;
    rows_.data().each([&](uint64_t index, const tenon::Row& row) {
      for (const std::string& part : parts_) {
        const auto text = support::part_of(row, part);
        compared += text.has_value();
        const auto match = text ? overlap_.find(*text) : std::nullopt;
        if (!match) continue;
        Evaluation& from = evaluations_[match->source];
        ++from.dropped;
        if (++dropped <= kShown)
          shown += "\n  " + support::place_of(row, index, name) + ", " + from.name + ": " +
                   tenon::utf8::excerpt(*text, match->begin, std::min(match->size, kShownBytes));
        return;
      }
      rows_.keep(index);
    });
    if (compared == 0) throw Error("parts: no row of " + name + " has any of them" + list(parts_));
    report(dropped, shown);
  }

  void report(uint64_t dropped, std::string shown) const {
    const uint64_t all = *rows_.data().rows();
    const std::string which =
        std::to_string(dropped) + " of " + std::to_string(all) + " rows of " + rows_.data().name();
    std::string sets;
    for (const Evaluation& one : evaluations_)
      sets += (sets.empty() ? "" : ", ") + one.name + " " + std::to_string(one.dropped);
    if (dropped > kShown) shown += "\n  and " + std::to_string(dropped - kShown) + " more";
    if (dropped == all)
      throw Error("data: every row of " + rows_.data().name() +
                  " has words in common with an evaluation set (" + sets + "):" + shown);
    if (dropped == 0)
      return host_.info("no row of " + rows_.data().name() + " shares words with an evaluation set (" + sets +
                        ")");
    host_.warn(which + " are left out, which share " + std::to_string(n_) +
               " words in a row (or the whole of a shorter text) with an evaluation set (" + sets +
               "):" + shown);
  }

  static std::string list(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) out += (out.empty() ? " (" : ", ") + part;
    return out + ")";
  }

  tenon::Host host_;
  support::Selection rows_;
  std::vector<std::string> parts_, against_parts_;
  int64_t n_;
  Overlap overlap_;
  std::vector<Evaluation> evaluations_;
  bool is_read_ = false;  // the evaluation sets
};

constexpr tenon::OptionTable kAgainstChildren{
    tenon::integer("rows", nullptr, "Its first so many rows. Needed of a data set without end.",
                   {.min = "1", .max = "1000000000000", .unit = "rows"})};

}  // namespace

TENON_DATASET_PLUGIN(
    Decontaminate, "decontaminate", "1.0.0",
    "The rows of another data set that share no run of words with evaluation sets.",
    tenon::reference("data", "dataset", nullptr, "The data set to train on.", {.flags = TENON_O_REQUIRED}),
    support::kWrappedRows,
    tenon::reference("against", "dataset", nullptr, "The evaluation sets.",
                     {.flags = TENON_O_REQUIRED | TENON_O_LIST}, kAgainstChildren),
    tenon::integer(
        "n", "10",
        "So many words in a row are too many to share. A shorter text of an evaluation set, of three "
        "words at least, must not occur whole.",
        {.min = "3", .max = "1000", .unit = "words"}),
    tenon::text(
        "parts", "[\"prompt\", \"completion\"]",
        "What of the rows is compared: prompt (of a chat all messages), completion, fields of the meta.",
        {.flags = TENON_O_LIST}),
    tenon::text("against_parts", "[\"prompt\", \"completion\"]",
                "What of the evaluation sets' rows is compared.", {.flags = TENON_O_LIST}))
