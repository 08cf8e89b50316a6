// Means of a step told apart by a field of the rows' meta: the parts of a mixture, the tasks of multi-task learning.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tenon/json.hpp"
#include "tenon/options.hpp"
#include "tenon/stage.hpp"

namespace tenon::stages {

// A text out of data as a part of a metric's name or a result's, which have no control characters and not any length: it stands in quotes where it has some,
// and one of more than 100 bytes is its beginning and a hash of the whole. Different texts have different names.
std::string name_part(std::string_view text);

// The row's domain, as metrics call it: the text of its field; "(none)" without the field. A text that has "(none)" in it is written in quotes.
std::string domain_name(const std::optional<std::string>& value);
inline std::string domain_of(std::string_view meta_json, const std::string& field) {
  return domain_name(json::text_field(meta_json, field));
}

class DomainMeans {
 public:
  void add(const std::string& domain, double sum, double count) {
    auto& [total, n] = sums_[domain];
    total += sum, n += count;
  }
  // `<name>/<domain>` of each that has anything.
  void record(const Host& host, const std::string& name) const {
    for (const auto& [domain, sum] : sums_)
      if (sum.second > 0) host.metric((name + "/" + domain).c_str(), sum.first / sum.second);
  }

 private:
  std::map<std::string, std::pair<double, double>> sums_;
};

inline constexpr tenon_option kDomainOption =
    text("domain", nullptr,
         "Field of a row's meta: metrics are also reported for each of its values that a step has, such as "
         "`source` for the parts of a mixture. Left out: not.");

}  // namespace tenon::stages
