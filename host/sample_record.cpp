// What the host adds to a sample's line in samples.jsonl.
// SPDX-License-Identifier: Apache-2.0
#include "host/sample_record.h"

#include <algorithm>
#include <boost/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "host/json_text.h"
#include "tenon/json.hpp"

namespace tenon::host {

namespace {

struct Field {
  std::string name;  // as JSON
  std::string_view value;
  size_t bytes() const { return name.size() + value.size() + 2; }
};

constexpr size_t kMaxDepth = 1000;

bool is_object(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::monotonic_resource memory;  // what is parsed is dropped with it, not value by value
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error, &memory, options);
  return !error && value.is_object();
}

std::string object_of(const std::vector<Field>& fields, const std::vector<bool>& is_left_out) {
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i)
    if (!is_left_out[i])
      text += (text.empty() ? "{" : ",") + fields[i].name + ":" + std::string(fields[i].value);
  return text.empty() ? text : text + "}";
}

}  // namespace

BoundedMeta bounded_meta(std::string_view text, size_t most) {
  if (!is_object(text)) return {};
  std::vector<Field> fields;
  size_t bytes = 1;  // two brackets, and one comma less than fields
  json::each_field(text, [&](const std::string& name, std::string_view value) {
    fields.push_back({json_quote(name), value});
    bytes += fields.back().bytes();
    return true;
  });
  std::vector<size_t> longest(fields.size());
  std::iota(longest.begin(), longest.end(), size_t{0});
  std::stable_sort(longest.begin(), longest.end(),
                   [&](size_t a, size_t b) { return fields[a].value.size() > fields[b].value.size(); });
  BoundedMeta meta;
  std::vector<bool> is_left_out(fields.size());
  for (const size_t i : longest) {
    if (bytes <= most) break;
    bytes -= fields[i].bytes();
    is_left_out[i] = true;
    meta.left_out += (meta.left_out.empty() ? "[" : ",") + fields[i].name;
  }
  if (!meta.left_out.empty()) meta.left_out += "]";
  meta.object = object_of(fields, is_left_out);
  // Between tokens a line break is white space, inside strings it cannot occur.
  for (char& c : meta.object)
    if (c == '\n' || c == '\r') c = ' ';
  return meta;
}

std::string SampleRecord::fields(const std::function<bool(std::string_view name)>& has) const {
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty() && !has(name)) text += ",\"" + std::string(name) + "\":" + value;
  };
  add("outcomes", outcomes);
  add("failure", failure.empty() ? "" : json_quote(failure));
  if (meta) add("meta", meta->object), add("meta_left_out", meta->left_out);
  return text;
}

}  // namespace tenon::host
