// How a row came to be, in its meta.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/provenance.h"

#include "tenon/json.hpp"

namespace tenon::stages {

std::string with_field(const std::string& meta, const std::string& name, const std::string& value) {
  const std::string own = json::quote(name) + ":" + value + "}";
  const size_t end = meta.find_last_of('}');
  if (end == std::string::npos) return "{" + own;
  const bool is_empty = meta.find(':') == std::string::npos;
  return meta.substr(0, end) + (is_empty ? "" : ",") + own;
}

std::string with_provenance(const std::string& meta, const std::string& fields) {
  const auto before = json::raw_field(meta, "provenance");
  if (!before) return with_field(meta, "provenance", "{" + fields + "}");
  const auto begin = static_cast<size_t>(before->data() - meta.data());
  return meta.substr(0, begin) + "{" + fields + ",\"before\":" + std::string(*before) + "}" +
         meta.substr(begin + before->size());
}

std::string written_name(const Host& host, const std::string& path, const std::string& fallback) {
  tenon_str written{};
  if (host.raw()->get_json(host.raw(), path.c_str(), &written) != TENON_OK) return fallback;
  const std::string json(view(written));
  if (!json.empty() && json.front() == '"') return *json::text_field("{\"of\":" + json + "}", "of");
  return json::text_field(json, "of").value_or(fallback);
}

}  // namespace tenon::stages
