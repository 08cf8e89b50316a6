// A file that is complete or not there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace tenon::io {

// Writes to `<path>.tmp-<pid>` and renames it to `path` in commit(). Destroyed without commit(), it removes the
// temporary file and leaves whatever was at `path` untouched.
class AtomicFile {
 public:
  // Throws FormatError when the temporary file cannot be created (it must not exist).
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Appends `size` bytes. Throws FormatError naming the path, the number of bytes already written and the
  // system's reason (a full disk, a quota).
  void write(const void* data, uint64_t size);

  // Flushes to the device, renames, and flushes the directory. Throws FormatError; after a throw nothing at
  // `path` has changed unless only the last step, the directory's flush, failed.
  void commit();

 private:
  [[noreturn]] void fail(const char* doing);

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
  uint64_t written_ = 0;
};

}  // namespace tenon::io
