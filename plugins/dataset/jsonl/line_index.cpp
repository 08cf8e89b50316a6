// Lines by offset.
// SPDX-License-Identifier: Apache-2.0
#include "line_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "file/format_error.h"
#include "tenon/error.hpp"

namespace tenon::jsonl {
namespace {

constexpr uint64_t kBlock = uint64_t{1} << 20;  // bytes of one read

// The first line of `text`, without its end.
std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

LineIndex::LineIndex(const std::string& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (fd_ < 0) throw io::FormatError(path, std::string("cannot be opened: ") + std::strerror(errno));
  try {
    struct stat st {};
    if (::fstat(fd_, &st) != 0 || !S_ISREG(st.st_mode)) throw io::FormatError(path, "is not a regular file");
    end_ = static_cast<uint64_t>(st.st_size);
    scan();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

LineIndex::~LineIndex() {
  ::close(fd_);
}

void LineIndex::read(uint64_t offset, char* to, uint64_t n) const {
  for (uint64_t done = 0; done < n;) {
    const ssize_t got = ::pread(fd_, to + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw io::FormatError(path_, offset + done, std::strerror(errno));
    if (got == 0)
      throw io::FormatError(path_, offset + done, "the file has become shorter since it was opened");
    done += static_cast<uint64_t>(got);
  }
}

void LineIndex::scan() {
  std::string block;
  char first[4] = {};
  const uint64_t head = std::min<uint64_t>(end_, 4);
  read(0, first, head);
  const std::string_view mark(first, head);
  if (mark.starts_with("\xFF\xFE") || mark.starts_with("\xFE\xFF") ||
      mark == std::string_view("\0\0\xFE\xFF", 4))
    throw Error(
        path_ +
        ":1: the file is in UTF-16 or UTF-32; JSON Lines are UTF-8. Convert it: iconv -f UTF-16 -t UTF-8");
  uint64_t line_begin = mark.starts_with("\xEF\xBB\xBF") ? 3 : 0, blanks = 0;
  bool blank = true;  // what has been seen of the line that begins there
  auto end_line = [&](uint64_t next) {
    if (blank) {
      ++blanks;
    } else {
      if (blanks > (blank_before_.empty() ? 0 : blank_before_.back().second))
        blank_before_.emplace_back(offsets_.size(), blanks);
      offsets_.push_back(line_begin);
    }
    line_begin = next;
    blank = true;
  };
  for (uint64_t at = line_begin; at < end_; at += block.size()) {
    block.resize(std::min(kBlock, end_ - at));
    read(at, block.data(), block.size());
    for (size_t i = 0; i < block.size();) {
      const size_t end = std::min(block.find('\n', i), block.size());
      if (blank) blank = is_blank(std::string_view(block).substr(i, end - i));
      i = end + 1;
      if (end < block.size()) end_line(at + i);
    }
  }
  if (line_begin < end_) end_line(end_);
  offsets_.shrink_to_fit();
}

std::string LineIndex::text(uint64_t line) const {
  std::string all(after(line) - offsets_[line], '\0');
  read(offsets_[line], all.data(), all.size());
  all.resize(first_line(all).size());
  return all;
}

void LineIndex::each(uint64_t begin, uint64_t end,
                     const std::function<void(uint64_t, std::string_view)>& use) const {
  std::string block;
  while (begin < end) {
    uint64_t last = begin + 1;  // of the block: as many lines as fit, one at least
    while (last < end && after(last) - offsets_[begin] <= kBlock) ++last;
    block.resize(after(last - 1) - offsets_[begin]);
    read(offsets_[begin], block.data(), block.size());
    for (uint64_t line = begin; line < last; ++line)
      use(line, first_line(std::string_view(block).substr(offsets_[line] - offsets_[begin])));
    begin = last;
  }
}

std::string LineIndex::place(uint64_t line) const {
  const auto next = std::upper_bound(blank_before_.begin(), blank_before_.end(), line,
                                     [](uint64_t l, const auto& entry) { return l < entry.first; });
  const uint64_t blanks = next == blank_before_.begin() ? 0 : std::prev(next)->second;
  return path_ + ":" + std::to_string(line + blanks + 1);
}

}  // namespace tenon::jsonl
