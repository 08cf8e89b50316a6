// The records of a Parquet file as JSON objects.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::parquet_file {

// Every record is turned to JSON once, when this is made, row group by row group, into a file without a name in the folder for temporary files (TMPDIR, else
// /tmp), and read back from there: memory holds one row group at a time, and afterwards 8 bytes a record.
class Records {
 public:
  // Throws Error naming the file for one that cannot be read, or has a column of a type that JSON has no word for (naming it).
  explicit Records(const std::string& path);
  ~Records();
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  uint64_t size() const { return ends_.size(); }
  // The record as JSON text. Any thread. Throws Error if the temporary file cannot be read.
  std::string text(uint64_t record) const;

 private:
  void convert(const std::string& path);
  void write(const std::string& text) const;

  int fd_ = -1;
  std::vector<uint64_t> ends_;  // of each record's text, in bytes
};

}  // namespace tenon::parquet_file
