// A file that is complete or not there.
// SPDX-License-Identifier: Apache-2.0
#include "file/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "file/format_error.h"

namespace tenon::io {

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".tmp-" + std::to_string(::getpid())) {
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) throw FormatError(temporary_, std::string("cannot be created: ") + std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* doing) {
  throw FormatError(path_, std::string("cannot ") + doing + " after " + std::to_string(written_) +
                               " bytes: " + std::strerror(errno) + "; the file was not replaced");
}

void AtomicFile::write(const void* data, uint64_t size) {
  constexpr uint64_t kChunk = 1 << 30;  // write(2) takes at most 2 GiB at once
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(fd_, at, static_cast<size_t>(std::min(size, kChunk)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write");
    at += n;
    size -= static_cast<uint64_t>(n);
    written_ += static_cast<uint64_t>(n);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail("flush");
  const int closing = std::exchange(fd_, -1);
  if (::close(closing) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    errno = error;
    fail("rename");
  }
  std::string folder = std::filesystem::path(path_).parent_path().string();
  if (folder.empty()) folder = ".";
  const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) fail("open the folder to flush it");
  const int result = ::fsync(dir);
  const int error = errno;
  ::close(dir);
  errno = error;
  // Some network file systems cannot flush a directory and say EINVAL; the rename itself has happened.
  if (result != 0 && error != EINVAL) fail("flush the folder");
}

}  // namespace tenon::io
