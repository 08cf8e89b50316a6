// Files of a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "host/run_error.h"

namespace tenon::host {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& doing, int error) {
  throw RunError(path.string() + ": cannot " + doing + ": " + std::strerror(error));
}

void sync_folder(const fs::path& path) {
  const int fd = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(path, "open the folder", errno);
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some network file systems cannot flush a folder, and say so.
  if (result != 0 && error != EINVAL) fail(path, "flush the folder", error);
}

}  // namespace

OutputFile::OutputFile(const fs::path& path, Mode mode) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (mode == Mode::kCreate ? O_TRUNC : O_APPEND),
               0644);
  if (fd_ < 0) fail(path, "open it for writing", errno);
  struct stat status {};
  if (::fstat(fd_, &status) == 0) size_ = static_cast<uint64_t>(status.st_size);
}
OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}
OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(std::exchange(other.size_, 0)) {}
OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

void OutputFile::write(const void* bytes, uint64_t n) {
  const char* at = static_cast<const char*>(bytes);
  while (n > 0) {
    const ssize_t done = ::write(
        fd_, at, static_cast<size_t>(std::min<uint64_t>(n, 1 << 30)));  // write(2) takes at most 2 GiB
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path_, "write it after " + std::to_string(size_) + " bytes", errno);
    at += done;
    n -= static_cast<uint64_t>(done);
    size_ += static_cast<uint64_t>(done);
  }
}
void OutputFile::sync() {
  if (::fsync(fd_) != 0) fail(path_, "flush it to the device", errno);
}
void OutputFile::close() {
  sync();
  if (::close(std::exchange(fd_, -1)) != 0) fail(path_, "close it", errno);
}

std::string read_file(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path, "open it", errno);
  std::string out;
  char buffer[1 << 16];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      fail(path, "read it", error);
    }
    out.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  return out;
}

void write_file(const fs::path& path, std::string_view text) {
  const fs::path temporary = path.string() + ".tmp";
  try {
    OutputFile out(temporary, OutputFile::Mode::kCreate);
    out.write(text);
    out.close();
  } catch (const RunError&) {
    ::unlink(temporary.c_str());
    throw;
  }
  rename_synced(temporary, path);
}

void truncate_file(const fs::path& path, uint64_t size) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT && size == 0) return;
    fail(path, "find it", errno);
  }
  if (static_cast<uint64_t>(status.st_size) < size)
    throw RunError(path.string() + ": has " + std::to_string(status.st_size) +
                   " bytes where the checkpoint saw " + std::to_string(size) +
                   "; it was changed from outside. Remove the stage's folder to run the stage again");
  if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0)
    fail(path, "cut it to " + std::to_string(size) + " bytes", errno);
}

void make_folder(const fs::path& path) {
  std::error_code error;
  std::vector<fs::path> missing;
  for (fs::path at = path; at.has_relative_path() && !fs::exists(at, error); at = at.parent_path())
    if (at.has_filename()) missing.push_back(at);
  fs::create_directories(path, error);
  if (error) fail(path, "make the folder", error.value());
  for (const fs::path& made : missing) sync_folder(made.parent_path());
}

fs::path nearest_existing(fs::path path) {
  std::error_code unreachable;
  while (!fs::exists(path, unreachable) && path.has_relative_path()) path = path.parent_path();
  return path;
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail(path, "remove it", error.value());
}

uint64_t tree_bytes(const fs::path& path) {
  uint64_t bytes = 0;
  std::error_code error;
  auto at = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code unreadable;
    if (!at->is_regular_file(unreadable)) continue;
    const uint64_t size = at->file_size(unreadable);
    if (!unreadable) bytes += size;
  }
  return bytes;
}

std::string size_text(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto size = static_cast<double>(bytes) / 1024;
  for (; size >= 1023.95 && unit + 1 < std::size(units); ++unit) size /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", size, units[unit]);
  return text;
}

void rename_synced(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename " + from.string() + " to it", errno);
  sync_folder(to.parent_path());
}

}  // namespace tenon::host
