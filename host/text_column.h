// Texts in one packed column, as rewards are given them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/abi.h"

namespace tenon::host {

class TextColumn {
 public:
  void add(std::string_view text) { bytes_ += text, offsets_.push_back(bytes_.size()); }
  // Points into this, until the next `add`.
  tenon_ragged raw() const { return {bytes_.data(), offsets_.data(), offsets_.size() - 1}; }

 private:
  std::vector<uint64_t> offsets_{0};
  std::string bytes_;
};

// Row i of such a column.
inline std::string_view text_of(const tenon_ragged& texts, uint64_t i) {
  return {static_cast<const char*>(texts.values) + texts.offsets[i],
          static_cast<size_t>(texts.offsets[i + 1] - texts.offsets[i])};
}

}  // namespace tenon::host
