// Where the lines of a JSON Lines file are, and their text, read when it is asked for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::jsonl {

// The non-blank lines of a file, counted from 0. A byte order mark of UTF-8 and carriage returns before line feeds are left out; a file in UTF-16 or UTF-32 is
// an error. Costs 8 bytes a line, whatever the file's size: text is read from the file each time. The functions that read are safe from any thread.
class LineIndex {
 public:
  // Reads the whole file once. Throws io::FormatError or Error naming the file.
  explicit LineIndex(const std::string& path);
  ~LineIndex();
  LineIndex(const LineIndex&) = delete;
  LineIndex& operator=(const LineIndex&) = delete;

  uint64_t size() const { return offsets_.size(); }
  uint64_t bytes() const { return end_; }
  // A line without its end. Throws io::FormatError if the file has become shorter.
  std::string text(uint64_t line) const;
  // use(line, text) for the lines [begin, end), in order, with large reads.
  void each(uint64_t begin, uint64_t end, const std::function<void(uint64_t, std::string_view)>& use) const;
  // "path:12", for messages; blank lines count.
  std::string place(uint64_t line) const;

 private:
  void scan();
  void read(uint64_t offset, char* to, uint64_t n) const;
  // Where what follows the line begins; blank lines may stand between.
  uint64_t after(uint64_t line) const { return line + 1 < offsets_.size() ? offsets_[line + 1] : end_; }

  std::string path_;
  int fd_ = -1;
  uint64_t end_ = 0;               // bytes of the file
  std::vector<uint64_t> offsets_;  // of each line's beginning
  // Line, and how many blank ones stand before it: where that number changes.
  std::vector<std::pair<uint64_t, uint64_t>> blank_before_;
};

}  // namespace tenon::jsonl
