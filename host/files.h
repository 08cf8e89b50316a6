// Files of a run: written so that a crash or a full disk leaves each of them complete, or absent, or cut at a known length.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tenon::host {

// Everything here throws RunError that names the file, what was being done and the system's reason ("No space left on device").

// A file that is written from the beginning or at its end, without a buffer of its own: what `write` returned from is with the system.
class OutputFile {
 public:
  enum class Mode { kCreate, kAppend };  // kCreate empties it
  OutputFile() = default;
  OutputFile(const std::filesystem::path& path, Mode mode);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;

  void write(const void* bytes, uint64_t n);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // To the device.
  void sync();
  // Flushes to the device and closes; without it the destructor closes silently.
  void close();
  uint64_t size() const { return size_; }
  bool is_open() const { return fd_ >= 0; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

std::string read_file(const std::filesystem::path& path);
// Complete or as it was before: writes beside it, flushes, renames, flushes the folder.
void write_file(const std::filesystem::path& path, std::string_view text);
// Cuts an existing file to `size` bytes; it is an error if it is shorter. A file that is not there counts as empty.
void truncate_file(const std::filesystem::path& path, uint64_t size);
void make_folder(const std::filesystem::path& path);
// The path itself or the first above it that is there: where make_folder would begin.
std::filesystem::path nearest_existing(std::filesystem::path path);
void remove_tree(const std::filesystem::path& path);
// Bytes in the files below a folder; what cannot be read counts nothing.
uint64_t tree_bytes(const std::filesystem::path& path);
// "812 bytes", "1.5 MiB".
std::string size_text(uint64_t bytes);
// Renames and flushes the folder that holds `to`. `to` must not exist, or be a file.
void rename_synced(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace tenon::host
