// Pools and weights by pass rate.
// SPDX-License-Identifier: Apache-2.0
#include "pass_rates.h"

#include <algorithm>
#include <cmath>

namespace tenon::curriculum {
namespace {

constexpr double kUnit = 65536;  // a weight of 1 in the tree

struct PoolOption {
  std::string name;
  double up_to, weight;
};

std::vector<PoolOption> pool_options(const Host& host) {
  std::vector<PoolOption> out;
  for (uint64_t i = 0; i < host.count("pools"); ++i) {
    const std::string at = "pools." + std::to_string(i) + ".";
    out.push_back({host.str((at + "name").c_str()), host.f64((at + "up_to").c_str()),
                   host.f64((at + "weight").c_str())});
  }
  if (out.empty()) out = {{"hard", 0.25, 0.2}, {"normal", 0.75, 1}, {"easy", 1, 0.2}};
  return out;
}

}  // namespace

PassRates::PassRates(const Host& host, uint64_t rows)
    : by_pool_(host.str("choose") == "pools"),
      is_uncertain_(host.str("choose") == "uncertain"),
      floor_(host.f64("floor")),
      least_change_(1 / static_cast<double>(host.i64("recent"))),
      rates_(rows) {
  if (by_pool_)
    for (PoolOption& option : pool_options(host))
      pools_.push_back({std::move(option.name), option.up_to, option.weight, WeightTree(rows)});
  pools_.push_back({"unseen", 1, by_pool_ ? host.f64("unseen_weight") : 1, WeightTree(rows)});
  for (uint64_t row = 0; row < rows; ++row) place(row);
}

void PassRates::check(const Host& host, Findings& findings) {
  if (host.str("choose") != "pools")
    for (const char* option : {"pools", "unseen_weight"})
      findings.no_effect(option, "choose: " + host.str("choose") + " has no pools");
  else
    findings.no_effect("floor", "choose: pools draws evenly within a pool");
  double last = 0;
  double sum = host.f64("unseen_weight");
  std::vector<std::string> names{"unseen"};
  const std::vector<PoolOption> pools = pool_options(host);
  for (size_t i = 0; i < pools.size(); ++i) {
    const std::string at = "pools." + std::to_string(i) + ".";
    if (pools[i].up_to <= last && i > 0)
      findings.error((at + "up_to").c_str(), "pools stand in the order of their pass rates");
    if (std::find(names.begin(), names.end(), pools[i].name) != names.end())
      findings.error((at + "name").c_str(), pools[i].name == "unseen"
                                                ? "unseen rows are a pool already; see unseen_weight"
                                                : "two pools have this name");
    last = pools[i].up_to;
    sum += pools[i].weight;
    names.push_back(pools[i].name);
  }
  if (last < 1) findings.error("pools", "the last pool is up to 1, so that every row has one");
  if (sum <= 0) findings.error("pools", "all weights are 0, so that nothing could be drawn");
}

size_t PassRates::pool_of(uint64_t row) const {
  if (!by_pool_ || rates_[row].seen == 0) return pools_.size() - 1;
  size_t pool = 0;
  while (rates_[row].mean > pools_[pool].up_to) ++pool;
  return pool;
}

uint32_t PassRates::weight_of(uint64_t row) const {
  if (by_pool_) return 1;
  const Rate& rate = rates_[row];
  if (rate.seen == 0) return static_cast<uint32_t>(kUnit);
  const double wanted = is_uncertain_ ? 4 * rate.mean * (1 - rate.mean) : 1 - rate.mean;
  return static_cast<uint32_t>(std::lround(kUnit * std::max(wanted, floor_)));
}

// The row in the tree of its pool, with its weight.
void PassRates::place(uint64_t row) {
  pools_[pool_of(row)].rows.set(row, weight_of(row));
}

size_t PassRates::draw_pool(double unit) const {
  double sum = 0;
  auto weight = [](const Pool& pool) { return pool.rows.total() > 0 ? pool.weight : 0; };
  for (const Pool& pool : pools_) sum += weight(pool);
  // Where only pools of weight 0 have rows left, the first of them.
  size_t last = 0;
  while (pools_[last].rows.total() == 0) ++last;
  double at = unit * sum;
  for (size_t i = 0; i < pools_.size(); ++i) {
    if (weight(pools_[i]) == 0) continue;
    last = i;
    if ((at -= weight(pools_[i])) < 0) break;
  }
  return last;
}

void PassRates::choose(const Host& host, uint64_t t, uint64_t n, uint64_t* index) {
  std::vector<uint64_t> taken;
  auto put_back = [&] {
    for (const uint64_t row : taken) place(row);
    taken.clear();
  };
  for (uint64_t i = 0; i < n; ++i) {
    if (std::all_of(pools_.begin(), pools_.end(), [](const Pool& p) { return p.rows.total() == 0; }))
      put_back();
    dataset_support::Draws draws(host, host.seed(), t + i);
    WeightTree& rows = pools_[draw_pool(draws.unit())].rows;
    index[i] = rows.find(draws.below(rows.total()));
    rows.set(index[i], 0);
    taken.push_back(index[i]);
  }
  put_back();
}

void PassRates::tell(uint64_t row, double mean_reward) {
  const size_t before = pool_of(row);
  Rate& rate = rates_.at(row);
  const double value = std::clamp(mean_reward, 0.0, 1.0);
  ++rate.seen;
  rate.mean += (value - rate.mean) * std::max(1 / static_cast<double>(rate.seen), least_change_);
  pools_[before].rows.set(row, 0);
  place(row);
}

void PassRates::report(const Host& host) const {
  double sum = 0, seen = 0;
  for (const Rate& rate : rates_)
    if (rate.seen > 0) sum += rate.mean, ++seen;
  const auto n = static_cast<double>(rates_.size());
  host.metric("curriculum/seen", seen / n);
  if (seen > 0) host.metric("curriculum/pass_rate", sum / seen);
  if (by_pool_)
    for (const Pool& pool : pools_)
      host.metric(("curriculum/pool/" + pool.name).c_str(), static_cast<double>(pool.rows.total()) / n);
}

void PassRates::save(Writer& out) const {
  out.value<uint64_t>(static_cast<uint64_t>(
      std::count_if(rates_.begin(), rates_.end(), [](const Rate& r) { return r.seen > 0; })));
  for (uint64_t row = 0; row < rates_.size(); ++row) {
    if (rates_[row].seen == 0) continue;
    out.value<uint64_t>(row);
    out.value<uint64_t>(rates_[row].seen);
    out.value<double>(rates_[row].mean);
  }
}

void PassRates::load(Reader& in) {
  for (auto n = in.value<uint64_t>(); n > 0; --n) {
    const auto row = in.value<uint64_t>();
    if (row >= rates_.size()) throw Error("the state speaks of row " + std::to_string(row));
    const size_t before = pool_of(row);
    rates_[row].seen = static_cast<uint32_t>(in.value<uint64_t>());
    rates_[row].mean = in.value<double>();
    pools_[before].rows.set(row, 0);
    place(row);
  }
}

}  // namespace tenon::curriculum
