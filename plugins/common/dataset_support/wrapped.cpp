// Wrapped rows.
// SPDX-License-Identifier: Apache-2.0
#include "dataset_support/wrapped.h"

#include <algorithm>

#include "dataset_support/field_path.h"

namespace tenon::dataset_support {
namespace {

constexpr uint64_t kRowsAtOnce = 1024;
constexpr tenon_call kCall{sizeof(tenon_call), kDLCPU, 0, 0, 0, 0, nullptr};

struct Name {
  static constexpr const char* kKind = "dataset";
  explicit Name(const tenon_ref& ref) : text(ref.name) {}
  std::string text;
};

}  // namespace

bool is_yet_to_be_made(const Dataset& data) {
  if (data.count() != TENON_COUNT_UNBOUNDED) return false;
  try {
    data.read(&kCall, 0, 1);
  } catch (const Error& e) {
    if (e.code() == TENON_E_STATE) return true;
    throw;
  }
  return false;
}

Wrapped::Wrapped(const Host& host, const std::string& slot, const std::string& rows)
    : host_(host), data_(host.get_component<Dataset>(slot)), name_(host.get_component<Name>(slot).text) {
  const auto most = rows.empty() ? std::nullopt : host.i64_if(rows.c_str());
  const uint64_t count = data_.count();
  if (is_yet_to_be_made(data_)) return;
  if (count == TENON_COUNT_UNBOUNDED && !most)
    throw Error(slot + ": " + name_ + " has no end" +
                (rows.empty() ? "" : "; say how many of its rows are meant (rows: 10000)"));
  rows_ = std::min(count, most ? static_cast<uint64_t>(*most) : count);
}

void Wrapped::each(const std::function<void(uint64_t, const Row&)>& use) const {
  const uint64_t n = rows_.value_or(0);
  for (uint64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    host_.throw_if_cancelled(&kCall);
    uint64_t index = begin;
    for (const Row& row : data_.read(&kCall, begin, std::min(kRowsAtOnce, n - begin))) use(index++, row);
  }
}

Row Wrapped::at(uint64_t index) const {
  return std::move(data_.read(&kCall, index, 1).at(0));
}

Row Selection::at(uint64_t index) const {
  if (!data_.rows()) return data_.at(0);  // says that the rows are yet to be made
  if (index >= kept_.size())
    throw Error("row " + std::to_string(index) + " of " + std::to_string(kept_.size()) + " was asked for");
  Row row = data_.at(kept_[index]);
  add_lineage(row, by_, kept_[index]);
  return row;
}

void add_lineage(Row& row, std::string_view by, uint64_t index, std::string_view more) {
  std::string list = "[", rest;
  if (!row.meta_json.empty())
    json::each_field(row.meta_json, [&](const std::string& name, std::string_view value) {
      if (name != "lineage")
        rest += (rest.empty() ? "" : ",") + json::quote(name) + ":" + std::string(value);
      else if (!value.starts_with('['))
        list += std::string(value) + ",";
      else
        for (const std::string_view one : json::elements(value)) list += std::string(one) + ",";
      return true;
    });
  const bool is_first = list.size() == 1;
  list += "{\"by\":" + json::quote(by) + ",\"row\":" + std::to_string(index) +
          (is_first && !row.source.empty() ? ",\"place\":" + json::quote(row.source) : "") +
          (more.empty() ? "" : "," + std::string(more)) + "}]";
  row.meta_json = "{" + rest + (rest.empty() ? "" : ",") + "\"lineage\":" + list + "}";
}

std::string question_of(const Row& row) {
  if (row.messages_json.empty()) return row.prompt;
  std::string out;
  for (const std::string_view message : json::elements(row.messages_json))
    if (const auto content = json::text_field(message, "content"))
      out += (out.empty() ? "" : "\n") + *content;
  return out;
}

std::optional<std::string> part_of(const Row& row, std::string_view part) {
  if (part == "prompt") return question_of(row);
  if (part == "completion")
    return row.completion.empty() ? std::nullopt : std::optional<std::string>(row.completion);
  if (row.meta_json.empty()) return std::nullopt;
  const auto raw = value_at(row.meta_json, part);
  return !raw || *raw == "null" ? std::nullopt : std::optional<std::string>(text_of(*raw));
}

std::string place_of(const Row& row, uint64_t index, const std::string& name) {
  return row.source.empty() ? "row " + std::to_string(index) + " of " + name : row.source;
}

}  // namespace tenon::dataset_support
