// Row sets that stages make.
// SPDX-License-Identifier: Apache-2.0
#include "host/rows_dataset.h"

#include <boost/json.hpp>
#include <string_view>
#include <vector>

#include "host/files.h"
#include "host/json_text.h"
#include "host/run_error.h"
#include "tenon/dataset.hpp"

namespace tenon::host {

namespace {

class RowsDataset {
 public:
  explicit RowsDataset(Host host) : path_(host.str("path")) {
    if (path_.empty()) return;
    text_ = read_file(path_);
    for (size_t begin = 0; begin < text_.size();) {
      size_t end = text_.find('\n', begin);
      if (end == std::string::npos)
        throw Error(TENON_E_INVALID,
                    path_ + ":" + std::to_string(lines_.size() + 1) + ": the line is cut off");
      lines_.emplace_back(text_.data() + begin, end - begin);
      begin = end + 1;
    }
  }
  uint64_t size() const { return path_.empty() ? TENON_COUNT_UNBOUNDED : lines_.size(); }
  Row at(uint64_t index) const {
    if (path_.empty())
      throw Error(TENON_E_STATE, "these rows do not exist before the stage that makes them has run");
    if (index >= lines_.size())
      throw Error(TENON_E_INVALID, path_ + ": there is no row " + std::to_string(index));
    const std::string_view line = lines_[index];
    auto raw = [&](const char* key) { return std::string(json::raw_field(line, key).value_or("")); };
    return {json::text_field(line, "prompt").value_or(""), raw("messages"),
            json::text_field(line, "completion").value_or(""), raw("meta"),
            path_ + ":" + std::to_string(index + 1)};
  }

 private:
  std::string path_, text_;
  std::vector<std::string_view> lines_;
};

constexpr OptionTable kOptions{text("path", nullptr, "The file.", {.flags = TENON_O_REQUIRED})};
constexpr tenon_component kComponent = component<RowsDataset, DatasetShim<RowsDataset>>(
    "rows", "1", "Rows that an earlier stage made.", kOptions);

// JSON text without line breaks, which between tokens are white space and inside strings cannot occur.
std::string one_line(tenon_str text, const char* field) {
  std::string out(view(text));
  boost::system::error_code error;
  boost::json::parse(out, error);
  if (error) throw RunError(std::string("a row's ") + field + " is not JSON: " + out.substr(0, 200));
  for (char& c : out)
    if (c == '\n' || c == '\r') c = ' ';
  return out;
}

}  // namespace

std::string row_line(const tenon_row& row) {
  std::string line = "{";
  auto field = [&](const char* name, const std::string& value) {
    line += (line.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + value;
  };
  if (row.prompt.ptr != nullptr) field("prompt", json_quote(view(row.prompt)));
  if (row.messages_json.ptr != nullptr) field("messages", one_line(row.messages_json, "messages"));
  if (row.completion.ptr != nullptr) field("completion", json_quote(view(row.completion)));
  if (row.meta_json.ptr != nullptr && row.meta_json.len > 0) field("meta", one_line(row.meta_json, "meta"));
  return line + "}\n";
}

const tenon_component& rows_component() {
  return kComponent;
}

}  // namespace tenon::host
