// A read-only memory map of a whole file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tenon::io {

// Movable owner of the map; views into it live as long as it does. Reading is safe from any thread.
// A file that another process truncates while it is mapped raises SIGBUS on access: checkpoints are written
// elsewhere and renamed into place (see atomic_file.h), so nobody need ever truncate one.
class MappedFile {
 public:
  // Throws FormatError when `path` cannot be opened, is not a regular file, or cannot be mapped. An empty file
  // is a valid map of zero bytes.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  std::string_view text() const { return {static_cast<const char*>(data_), size_}; }

 private:
  std::string path_;
  const void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tenon::io
