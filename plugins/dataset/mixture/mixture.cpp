// Data set `mixture`: rows of several data sets, in given shares or numbers.
// SPDX-License-Identifier: Apache-2.0
//
// By weight it has no end: of each kBlock rows every part has its share (by largest remainder, Hamilton's method), in an order drawn for that block. By count it has an
// end: so many rows of each part. Row k of a part that has an end is the k-th of a shuffled epoch, then of the next; of one without end, its row k.
// So a row depends on its index, the options and the parts alone.
#include <algorithm>
#include <list>
#include <map>
#include <numeric>
#include <optional>

#include "dataset_support/wrapped.h"
#include "tenon/dataset.hpp"

namespace {

constexpr uint64_t kBlock = 1000;
// Orders are drawn whole and kept, at most so many indices of them (128 MiB): readers that shuffle come back to each epoch of a part with every row.
constexpr uint64_t kKeptIndices = uint64_t{1} << 24;

// A permutation of [0, n), drawn from the Philox stream `stream` under `key` (Fisher and Yates; bias at most i / 2^64).
std::vector<uint64_t> permutation(const tenon::Host& host, uint64_t n, uint64_t key, uint64_t stream) {
  std::vector<uint64_t> order(n), draws(n);
  std::iota(order.begin(), order.end(), uint64_t{0});
  host.rng(key, stream, 0, draws.data(), n);
  for (uint64_t i = n; i > 1; --i)
    std::swap(order[i - 1],
              order[static_cast<uint64_t>(static_cast<unsigned __int128>(draws[i - 1]) * i >> 64)]);
  return order;
}

// n shared out by weight: floors, and one more for the largest remainders, the earlier part first where they are equal.
std::vector<uint64_t> shares(const std::vector<double>& weights, uint64_t n) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<uint64_t> out(weights.size());
  std::vector<double> rest(weights.size());
  uint64_t given = 0;
  for (size_t p = 0; p < weights.size(); ++p) {
    const double exact = weights[p] / total * static_cast<double>(n);
    out[p] = static_cast<uint64_t>(exact);
    rest[p] = exact - static_cast<double>(out[p]);
    given += out[p];
  }
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rest[a] > rest[b]; });
  for (size_t k = 0; given < n; ++k, ++given) ++out[order[k % order.size()]];
  return out;
}

// Permutations, drawn when they are asked for; those that were asked for last are kept.
class Orders {
 public:
  Orders(tenon::Host host, uint64_t seed) : host_(host), seed_(seed) {}

  // That of stream `stream` for `purpose`, of n. Valid until the next call.
  const std::vector<uint64_t>& of(uint64_t purpose, uint64_t stream, uint64_t n) {
    const auto found = at_.find({purpose, stream});
    if (found != at_.end()) {
      kept_.splice(kept_.begin(), kept_, found->second);
      return kept_.front().order;
    }
    kept_.push_front({{purpose, stream}, permutation(host_, n, seed_ ^ ((purpose + 1) << 32), stream)});
    at_[kept_.front().key] = kept_.begin();
    for (n_indices_ += n; n_indices_ > kKeptIndices && kept_.size() > 1; kept_.pop_back()) {
      n_indices_ -= kept_.back().order.size();
      at_.erase(kept_.back().key);
    }
    return kept_.front().order;
  }

 private:
  using Key = std::pair<uint64_t, uint64_t>;
  struct Kept {
    Key key;
    std::vector<uint64_t> order;
  };
  tenon::Host host_;
  uint64_t seed_, n_indices_ = 0;
  std::list<Kept> kept_;  // the latest first
  std::map<Key, std::list<Kept>::iterator> at_;
};

class Mixture {
 public:
  explicit Mixture(tenon::Host host)
      : field_(host.str("source_field")), orders_(host, static_cast<uint64_t>(host.i64("seed"))) {
    std::vector<double> weights;
    for (uint64_t p = 0; p < host.count("parts"); ++p) {
      const std::string path = "parts." + std::to_string(p) + ".";
      const std::string slot = "parts/" + std::to_string(p);
      parts_.push_back({host.get_component<tenon::Dataset>(slot), host.get_component<Name>(slot).text});
      if (!unmade_ && tenon::dataset_support::is_yet_to_be_made(parts_.back().data)) unmade_ = p;
      if (auto name = host.str_if((path + "name").c_str())) parts_.back().name = *name;
      if (auto count = host.i64_if((path + "count").c_str())) {
        parts_.back().rows = static_cast<uint64_t>(*count);
        total_ += parts_.back().rows;
      }
      weights.push_back(host.f64_if((path + "weight").c_str()).value_or(1));
    }
    if (total_ > 0) return;
    const std::vector<uint64_t> rows = shares(weights, kBlock);
    for (size_t p = 0; p < parts_.size(); ++p) parts_[p].rows = rows[p];
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const uint64_t n = host.count("parts");
    if (n == 0) findings.error("parts", "the list is empty");
    bool any_count = false;
    double total = 0;
    for (uint64_t p = 0; p < n; ++p) {
      any_count |= host.i64_if((option(p) + ".count").c_str()).has_value();
      total += host.f64_if((option(p) + ".weight").c_str()).value_or(1);
    }
    for (uint64_t p = 0; p < n; ++p) {
      const double weight = host.f64_if((option(p) + ".weight").c_str()).value_or(1);
      if (any_count && host.f64_if((option(p) + ".weight").c_str()))
        findings.error((option(p) + ".weight").c_str(),
                       "a mixture has weights or counts, and another part has a count");
      if (any_count && !host.i64_if((option(p) + ".count").c_str()))
        findings.error(option(p).c_str(), "give its `count`, as the other parts have one");
      if (!any_count && weight / total * static_cast<double>(kBlock) < 1)
        findings.error((option(p) + ".weight").c_str(),
                       "less than a thousandth of all weights: of 1,000 rows none would be its");
    }
  }

  uint64_t size() const { return total_ > 0 && !unmade_ ? total_ : TENON_COUNT_UNBOUNDED; }

  tenon::Row at(uint64_t index) const {
    if (unmade_) return read(*unmade_, 0);  // says that the rows are yet to be made
    if (total_ > 0 && index >= total_)
      throw tenon::Error("row " + std::to_string(index) + " of " + std::to_string(total_) + " was asked for");
    const auto [part, rank] = total_ > 0 ? by_count(index) : by_weight(index);
    tenon::Row row = read(part, rank);
    if (!row.meta(field_)) row.meta_json = with_source(row.meta_json, parts_[part].name);
    return row;
  }

 private:
  struct Name {
    static constexpr const char* kKind = "dataset";
    explicit Name(const tenon_ref& ref) : text(ref.name) {}
    std::string text;
  };
  struct Part {
    tenon::Dataset data;
    std::string name;
    uint64_t rows = 0;  // of a block, or of all
  };
  static std::string option(uint64_t p) { return "parts." + std::to_string(p); }

  std::string with_source(const std::string& meta, const std::string& name) const {
    const size_t end = meta.find_last_of('}');
    const std::string own = tenon::json::quote(field_) + ":" + tenon::json::quote(name) + "}";
    if (end == std::string::npos) return "{" + own;
    return meta.substr(0, end) + (meta.find(':') == std::string::npos ? "" : ",") + own;
  }

  // The part of row `index`, and how many rows of that part stand before it.
  std::pair<size_t, uint64_t> by_count(uint64_t index) const {
    size_t part = 0;
    for (; index >= parts_[part].rows; ++part) index -= parts_[part].rows;
    return {part, index};
  }
  std::pair<size_t, uint64_t> by_weight(uint64_t index) const {
    const uint64_t block = index / kBlock;
    uint64_t slot = orders_.of(kParts, block, kBlock)[index % kBlock];
    size_t part = 0;
    for (; slot >= parts_[part].rows; ++part) slot -= parts_[part].rows;
    return {part, block * parts_[part].rows + slot};
  }

  tenon::Row read(size_t part, uint64_t rank) const {
    const tenon::Dataset& data = parts_[part].data;
    const uint64_t n = data.count();
    if (n == 0) throw tenon::Error(TENON_E_INVALID, option(part) + ": " + parts_[part].name + " has no rows");
    const uint64_t index = n == TENON_COUNT_UNBOUNDED ? rank : orders_.of(part, rank / n, n)[rank % n];
    const tenon_call call{sizeof call, kDLCPU, 0, 0, 0, 0, nullptr};
    return std::move(data.read(&call, index, 1).at(0));
  }

  static constexpr uint64_t kParts = 0xffff;  // the purpose of a block's order; parts have their index
  uint64_t total_ = 0;
  std::string field_;
  std::vector<Part> parts_;
  std::optional<uint64_t> unmade_;  // a part whose rows a stage is yet to make
  mutable Orders orders_;
};

constexpr tenon::OptionTable kPartChildren{
    tenon::number("weight", nullptr, "Its share, among the weights of all parts. Left out: 1.",
                  {.min = "1e-9", .max = "1e9"}),
    tenon::integer("count", nullptr, "How many rows of it, instead of a weight.",
                   {.min = "1", .max = "1000000000000", .unit = "rows"}),
    tenon::text("name", nullptr,
                "What its rows are called in their field `source`. Left out: the data set's name.")};

}  // namespace

TENON_DATASET_PLUGIN(
    Mixture, "mixture", "1.0.0", "Rows of several data sets, in given shares or numbers.",
    tenon::reference("parts", "dataset", nullptr, "The data sets, each with its weight or its count.",
                     {.flags = TENON_O_REQUIRED | TENON_O_LIST}, kPartChildren),
    tenon::text("source_field", "\"source\"",
                "Field of a row's meta that says which part it is from; a row that has it keeps its own."),
    tenon::integer("seed", "0", "Of the order; independent of the run's seed.", {.min = "0"}))
