// What the host adds to a sample's line in samples.jsonl.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tenon::host {

// A row's meta as it is written there, numbers included, in bounded length.
struct BoundedMeta {
  std::string object;    // JSON; empty: the row has none
  std::string left_out;  // a JSON list of the names of its longest fields, which it is without; empty: none
};

// Of at most `most` bytes, on one line. Text that is no JSON object gives nothing.
BoundedMeta bounded_meta(std::string_view text, size_t most);

// What was found of a sample when it was scored.
struct SampleRecord {
  std::string
      outcomes;  // a JSON object of the rewards that are not ok, {"math":"refused: no gold answer"}; empty: all are
  std::string failure;                      // why it has no valid reward; empty: it has
  std::shared_ptr<const BoundedMeta> meta;  // shared by the samples of a row

  // `,"outcomes":{…},"failure":"…","meta":{…},"meta_left_out":[…]`, less what is empty and what the line has.
  std::string fields(const std::function<bool(std::string_view name)>& has) const;
};

}  // namespace tenon::host
