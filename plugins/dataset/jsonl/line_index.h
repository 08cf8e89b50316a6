// Where the lines of a JSON Lines file are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file/mapped_file.h"

namespace tenon::jsonl {

struct Line {
  uint64_t offset, size;  // bytes, without line end
  uint64_t number;        // from 1
};

// The non-blank lines of a file. A byte order mark of UTF-8 and carriage returns before line feeds are left
// out; a file in UTF-16 or UTF-32 is an error.
class LineIndex {
 public:
  // Throws io::FormatError or Error naming the file.
  explicit LineIndex(const std::string& path);
  const std::vector<Line>& lines() const { return lines_; }
  std::string_view text(const Line& line) const { return file_.text().substr(line.offset, line.size); }
  // "path:12", for messages.
  std::string place(const Line& line) const { return file_.path() + ":" + std::to_string(line.number); }

 private:
  io::MappedFile file_;
  std::vector<Line> lines_;
};

}  // namespace tenon::jsonl
