// Rows that ask the same, and pairs of their completions.
// SPDX-License-Identifier: Apache-2.0
#include "candidates.h"

#include <algorithm>
#include <unordered_map>

#include "stage_support/domains.h"
#include "stage_support/preferred.h"
#include "stage_support/provenance.h"
#include "stage_support/row_check.h"

namespace tenon::judge_pairs {
namespace {

constexpr uint64_t kRowsAtOnce = 1024;
constexpr uint64_t kPairKey = 0x6a756467652d7072;  // "judge-pr": pairs are drawn apart from everything else

std::string question_of(const Row& row) {
  return row.messages_json.empty() ? "p" + row.prompt : "m" + row.messages_json;
}

// None: a model that ended at once, or a row that is only a question.
std::vector<std::string> completions_of(const Row& row) {
  if (auto several = stages::best_first(row, "rejected", "ranked")) return *several;
  if (row.completion.empty()) return {};
  return {row.completion};
}

std::string model_in(const Row& row) {
  const auto provenance = json::raw_field(row.meta_json, "provenance");
  const std::string name =
      provenance && provenance->starts_with('{') ? json::text_field(*provenance, "model").value_or("") : "";
  return name.empty() ? name : stages::name_part(name);
}

}  // namespace

Candidates::Candidates(const Host& host)
    : host_(host),
      problems_(static_cast<uint64_t>(host.i64("problems"))),
      prompts_(static_cast<uint64_t>(host.i64("prompts"))),
      pairs_(static_cast<uint64_t>(host.i64("pairs"))),
      across_models_(host.boolean("across_models")) {
  for (uint64_t i = 0; i < host.count("data"); ++i) {
    const std::string at = "data." + std::to_string(i);
    sources_.push_back({host.get_component<Dataset>("data/" + std::to_string(i)),
                        stages::written_name(host, at, at),
                        host.str_if((at + ".model").c_str()).value_or("")});
    if (stages::is_endless(sources_.back().data))
      throw Error(TENON_E_INVALID,
                  at + ": the data set has no end, and all its rows are looked at: give one that has");
  }
  if (sources_.empty()) throw Error(TENON_E_INVALID, "data: the list is empty");
}

void Candidates::check(const Host& host, Findings& findings) {
  if (host.count("data") == 0) findings.error("data", "the list is empty: give rows with completions");
}

std::string Candidates::model_of(const Source& source, const Row& row) {
  std::string name = source.model.empty() ? model_in(row) : source.model;
  return name.empty() ? source.name : name;
}

void Candidates::settle(const tenon_call* call) {
  std::unordered_map<std::string, size_t> known;
  std::vector<size_t> completions;  // of each question
  for (uint32_t s = 0; s < sources_.size(); ++s) {
    const Source& source = sources_[s];
    const uint64_t count = source.data.count();
    uint64_t without = 0;
    for (uint64_t begin = 0; begin < count; begin += kRowsAtOnce) {
      const std::vector<Row> rows = source.data.read(call, begin, std::min(kRowsAtOnce, count - begin));
      for (uint64_t k = 0; k < rows.size(); ++k) {
        const size_t n = stages::about_row(rows[k], [&] { return completions_of(rows[k]).size(); });
        if (n == 0) {
          ++without;
          continue;
        }
        const auto [at, is_new] = known.try_emplace(question_of(rows[k]), asked_.size());
        if (is_new) asked_.emplace_back(), completions.push_back(0);
        completions[at->second] += n;
        asked_[at->second].push_back({s, begin + k});
        const std::string model = model_of(source, rows[k]);
        if (std::find(models_.begin(), models_.end(), model) == models_.end()) models_.push_back(model);
      }
    }
    tell_without(source.name, without, count);
  }
  leave_lone_ones_out(completions);
}

// Rows whose completion is empty: some are models that ended at once, all are another kind of rows.
void Candidates::tell_without(const std::string& name, uint64_t without, uint64_t count) const {
  if (without == 0) return;
  if (without == count)
    throw Error(TENON_E_INVALID, "data: no row of " + name +
                                     " has a completion, or a list of them in a field \"ranked\": there is "
                                     "nothing to compare");
  host_.warn(std::to_string(without) + " of " + std::to_string(count) + " rows of " + name +
             " have an empty completion, and are not compared");
}

void Candidates::leave_lone_ones_out(const std::vector<size_t>& completions) {
  const size_t all = asked_.size();
  size_t kept = 0;
  for (size_t q = 0; q < all; ++q)
    if (completions[q] > 1) std::swap(asked_[kept++], asked_[q]);
  if (kept < all)
    host_.info(std::to_string(all - kept) + " of " + std::to_string(all) +
               " questions have one completion, which nothing can be compared with: they are left out");
  asked_.resize(problems_ == 0 ? kept : std::min<size_t>(kept, problems_));
  if (asked_.empty())
    throw Error(TENON_E_INVALID, "none of " + std::to_string(all) +
                                     " questions has two completions: the rows of `data` must have the same "
                                     "prompts (or messages), byte for byte");
}

std::vector<Asked> Candidates::of_step(const tenon_call* call, uint64_t step) const {
  std::vector<Asked> out;
  const uint64_t begin = step * prompts_, end = std::min<uint64_t>(begin + prompts_, asked_.size());
  for (uint64_t q = begin; q < end; ++q) {
    out.push_back(read(call, q));
    draw(out.back());
  }
  return out;
}

Asked Candidates::read(const tenon_call* call, uint64_t index) const {
  Asked out{index, {}, {}};
  for (const Place& place : asked_[index]) {
    const Source& source = sources_[place.source];
    Row row = source.data.read(call, place.row, 1).at(0);
    row.index = place.row;
    const auto model = static_cast<uint32_t>(
        std::find(models_.begin(), models_.end(), model_of(source, row)) - models_.begin());
    for (std::string& text : completions_of(row)) {
      const bool is_there =
          std::any_of(out.candidates.begin(), out.candidates.end(),
                      [&](const Candidate& c) { return c.model == model && c.text == text; });
      if (!is_there) out.candidates.push_back({std::move(text), model, source.name, row});
    }
  }
  return out;
}

// All pairs, or so many of them, each as likely as another.
void Candidates::draw(Asked& asked) const {
  std::vector<std::pair<size_t, size_t>>& pairs = asked.pairs;
  for (size_t i = 0; i < asked.candidates.size(); ++i)
    for (size_t j = i + 1; j < asked.candidates.size(); ++j)
      if (!across_models_ || asked.candidates[i].model != asked.candidates[j].model) pairs.emplace_back(i, j);
  if (pairs_ == 0 || pairs.size() <= pairs_) return;
  std::vector<uint64_t> words(pairs_);
  host_.rng(host_.seed() ^ kPairKey, asked.index, 0, words.data(), words.size());
  for (uint64_t k = 0; k < pairs_; ++k)
    std::swap(pairs[k], pairs[k + ((words[k] >> 32) * (pairs.size() - k) >> 32)]);
  pairs.resize(pairs_);
}

}  // namespace tenon::judge_pairs
