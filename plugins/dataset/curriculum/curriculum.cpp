// Data set `curriculum`: the rows of another data set, in an order that difficulty or the policy's success decides.
// SPDX-License-Identifier: Apache-2.0
//
// Rows and their indices are those of the wrapped data set; which come next, the host's cursor asks through
// tenon.ext.curriculum/1. What that depends on (rows chosen so far, pass rates) is the state in checkpoints.
#include <cmath>
#include <variant>

#include "pass_rates.h"
#include "schedule.h"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::curriculum::PassRates;
using tenon::curriculum::Schedule;

class Curriculum {
 public:
  explicit Curriculum(tenon::Host host) : host_(host), data_(host) {
    if (host.str("by") == "pass_rate")
      pass_rates_.emplace(host, data_.rows().value_or(0));
    else
      schedule_.emplace(host, data_);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const std::string by = host.str("by");
    if (by == "pass_rate") {
      for (const char* option : {"full_after", "start", "pacing", "easy"})
        findings.no_effect(option, "by: pass_rate has no schedule");
      PassRates::check(host, findings);
    } else {
      for (const char* option : {"choose", "recent", "floor", "pools", "unseen_weight"})
        findings.no_effect(option, "by: " + by + " does not look at pass rates");
      if (!host.i64_if("full_after"))
        findings.error("by", "needs full_after, the number of rows after which all are open");
    }
    if (by != "field")
      for (const char* option : {"field", "levels"})
        findings.no_effect(option, "by: " + by + " reads no field");
    else if (!host.str_if("field"))
      findings.error("by", "needs `field`, the field of the meta that says how difficult a row is");
  }

  uint64_t size() const { return data_.rows().value_or(TENON_COUNT_UNBOUNDED); }
  tenon::Row at(uint64_t index) const { return data_.at(index); }

  const void* extension(std::string_view id) { return id == TENON_EXT_CURRICULUM ? &kTable : nullptr; }

  void save(tenon::Writer& out) const {
    out.value<uint64_t>(size());
    out.value<uint64_t>(chosen_);
    if (pass_rates_) pass_rates_->save(out);
  }
  void load(tenon::Reader& in, uint32_t) {
    if (const auto rows = in.value<uint64_t>(); rows != size())
      throw Error("the data set has " + std::to_string(size()) + " rows now, and had " +
                  std::to_string(rows) + " when the state was saved");
    chosen_ = in.value<uint64_t>();
    if (pass_rates_) pass_rates_->load(in);
  }

 private:
  void choose(uint64_t n, uint64_t* index) {
    if (!data_.rows()) data_.at(0);  // says that the rows are yet to be made
    if (pass_rates_)
      pass_rates_->choose(host_, chosen_, n, index);
    else
      schedule_->choose(host_, chosen_, n, index);
    chosen_ += n;
    if (schedule_)
      host_.metric("curriculum/open",
                   static_cast<double>(schedule_->open(chosen_ - 1)) / static_cast<double>(*data_.rows()));
  }
  void outcome(uint64_t n, const uint64_t* index, const double* mean, const uint64_t* n_valid) {
    if (!pass_rates_) return;
    for (uint64_t i = 0; i < n; ++i) {
      if (index[i] >= size()) throw Error("there is no row " + std::to_string(index[i]));
      if (n_valid[i] > 0 && !std::isnan(mean[i])) pass_rates_->tell(index[i], mean[i]);
    }
    pass_rates_->report(host_);
  }

  static constexpr tenon_curriculum kTable{
      sizeof(tenon_curriculum), 0,
      [](void* self, const tenon_call*, uint64_t n, uint64_t* index, tenon_error* err) -> int32_t {
        return tenon::guard(err, [&] { static_cast<Curriculum*>(self)->choose(n, index); });
      },
      [](void* self, const tenon_call*, uint64_t n, const uint64_t* index, const double* mean,
         const uint64_t* n_valid, tenon_error* err) -> int32_t {
        return tenon::guard(err, [&] { static_cast<Curriculum*>(self)->outcome(n, index, mean, n_valid); });
      }};

  tenon::Host host_;
  support::Wrapped data_;
  std::optional<Schedule> schedule_;
  std::optional<PassRates> pass_rates_;
  uint64_t chosen_ = 0;  // rows, since the stage began
};

constexpr const char* kBy[] = {"length", "field", "pass_rate", nullptr};
constexpr const char* kPacings[] = {"linear", "root", nullptr};
constexpr const char* kEasy[] = {"low", "high", nullptr};
constexpr const char* kChoices[] = {"prioritized", "uncertain", "pools", nullptr};
constexpr tenon::OptionTable kPoolChildren{
    tenon::text("name", nullptr, "Name of the pool in the metrics.", {.flags = TENON_O_REQUIRED}),
    tenon::number("up_to", nullptr, "Rows with a pass rate of at most this, and more than the pool before.",
                  {.min = "0", .max = "1", .flags = TENON_O_REQUIRED}),
    tenon::number("weight", "1",
                  "How often a row is of this pool, among the weights of all pools that have rows.",
                  {.min = "0", .max = "1e6"})};

}  // namespace

TENON_DATASET_PLUGIN(
    Curriculum, "curriculum", "1.0.1",
    "Rows of another data set from easy to hard, or by how often the policy solves them.",
    tenon::reference("data", "dataset", nullptr, "The data set whose rows are chosen.",
                     {.flags = TENON_O_REQUIRED}),
    support::kWrappedRows,
    tenon::choice("by", kBy, nullptr,
                  "What decides: the length of prompt and completion, a field of the meta, or the share of a "
                  "row's completions that the policy got right (stage rl tells it).",
                  {.flags = TENON_O_REQUIRED}),
    tenon::text("field", nullptr, "Of by: field. Name or path of the field with the row's difficulty."),
    tenon::text("levels", nullptr, "Of by: field. Its values, the easiest first; absent: they are numbers.",
                {.flags = TENON_O_LIST}),
    tenon::choice("easy", kEasy, "\"low\"", "Of by: length and field. Which values are easy."),
    tenon::number("start", "0.1",
                  "Of by: length and field. Share of the rows, the easiest, that is open at first.",
                  {.min = "0.000001", .max = "1"}),
    tenon::integer("full_after", nullptr,
                   "Of by: length and field. Rows of the stage after which all are open.",
                   {.min = "1", .max = "1000000000000", .unit = "rows"}),
    tenon::choice("pacing", kPacings, "\"linear\"",
                  "Of by: length and field. How the open share grows: linear, or fast at first (root)."),
    tenon::choice("choose", kChoices, "\"prioritized\"",
                  "Of by: pass_rate. prioritized: in proportion to 1 - pass rate; uncertain: to 4 p (1 - p); "
                  "pools: by pools of pass rates."),
    tenon::integer("recent", "4",
                   "Of by: pass_rate. A row's pass rate is about that of its latest so many rollouts.",
                   {.min = "1", .max = "1000000", .unit = "rollouts"}),
    tenon::number("floor", "0.05",
                  "Of choose: prioritized and uncertain. Least weight of a row; one not seen has 1.",
                  {.min = "0.0001", .max = "1"}),
    tenon::object(
        "pools", kPoolChildren,
        "Of choose: pools. By rising pass rate. Absent: hard up to 0.25 (weight 0.2), normal up to 0.75 "
        "(1), easy (0.2).",
        {.flags = TENON_O_LIST}),
    tenon::number("unseen_weight", "1", "Of choose: pools. Weight of the pool of rows not seen yet.",
                  {.min = "0", .max = "1e6"}))
