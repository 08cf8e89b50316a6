// Difficulty of rows, and competence over time.
// SPDX-License-Identifier: Apache-2.0
#include "schedule.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace tenon::curriculum {

namespace support = dataset_support;

Schedule::Schedule(const Host& host, const support::Wrapped& data)
    : field_(host.str("by") == "field" ? host.str("field") : ""),
      levels_(host.strs("levels")),
      start_(host.f64("start")),
      full_after_(static_cast<double>(host.i64("full_after"))),
      is_root_(host.str("pacing") == "root") {
  const double sign = host.str("easy") == "low" ? 1 : -1;
  std::vector<double> difficulties;
  data.each([&](uint64_t index, const Row& row) {
    try {
      difficulties.push_back(sign * difficulty(row));
    } catch (const Error& e) {
      throw Error("field: " + support::place_of(row, index, data.name()) + ": " + e.what());
    }
  });
  rows_.resize(difficulties.size());
  std::iota(rows_.begin(), rows_.end(), uint64_t{0});
  std::stable_sort(rows_.begin(), rows_.end(),
                   [&](uint64_t a, uint64_t b) { return difficulties[a] < difficulties[b]; });
}

double Schedule::difficulty(const Row& row) const {
  if (field_.empty()) return static_cast<double>(support::question_of(row).size() + row.completion.size());
  const auto value = support::part_of(row, field_);
  if (!value) throw Error("the row has no field \"" + field_ + "\" in its meta");
  if (!levels_.empty()) {
    const auto found = std::find(levels_.begin(), levels_.end(), *value);
    if (found == levels_.end())
      throw Error("field \"" + field_ + "\" is \"" + *value + "\", which is none of `levels`");
    return static_cast<double>(found - levels_.begin());
  }
  char* end = nullptr;
  const double number = std::strtod(value->c_str(), &end);
  if (value->empty() || *end != '\0' || std::isnan(number))
    throw Error("field \"" + field_ + "\" is \"" + *value +
                "\", and not a number; name its values in `levels`");
  return number;
}

uint64_t Schedule::open(uint64_t t) const {
  const double power = is_root_ ? 2 : 1;
  const double first = std::pow(start_, power);
  const double now = std::pow(static_cast<double>(t) * (1 - first) / full_after_ + first, 1 / power);
  const auto n = static_cast<double>(rows_.size());
  return static_cast<uint64_t>(std::clamp(std::ceil(now * n), 1.0, n));
}

void Schedule::choose(const Host& host, uint64_t t, uint64_t n, uint64_t* index) const {
  // Fisher and Yates from the front, of the places 0, 1, …: those in `moved` hold another row than their own.
  std::unordered_map<uint64_t, uint64_t> moved;
  const auto row_at = [&](uint64_t place) {
    const auto found = moved.find(place);
    return found == moved.end() ? place : found->second;
  };
  uint64_t taken = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t open_now = open(t + i);
    if (taken >= open_now) moved.clear(), taken = 0;
    support::Draws draws(host, host.seed(), t + i);
    const uint64_t place = taken + draws.below(open_now - taken);
    index[i] = rows_[row_at(place)];
    moved[place] = row_at(taken++);
  }
}

}  // namespace tenon::curriculum
