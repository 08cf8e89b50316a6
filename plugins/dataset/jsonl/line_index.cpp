// Lines by offset.
// SPDX-License-Identifier: Apache-2.0
#include "line_index.h"

#include "tenon/error.hpp"

namespace tenon::jsonl {

LineIndex::LineIndex(const std::string& path) : file_(path) {
  std::string_view text = file_.text();
  uint64_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ||
      text.starts_with(std::string_view("\0\0\xFE\xFF", 4)))
    throw Error(
        path +
        ":1: the file is in UTF-16 or UTF-32; JSON Lines are UTF-8. Convert it: iconv -f UTF-16 -t UTF-8");
  for (uint64_t number = 1; at < text.size(); ++number) {
    uint64_t end = std::min<uint64_t>(text.find('\n', at), text.size()), last = end;
    if (last > at && text[last - 1] == '\r') --last;
    if (text.substr(at, last - at).find_first_not_of(" \t\r") != std::string_view::npos)
      lines_.push_back({at, last - at, number});
    at = end + 1;
  }
}

}  // namespace tenon::jsonl
