// Row groups to JSON lines.
// SPDX-License-Identifier: Apache-2.0
#include "records.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fcntl.h>
#include <parquet/arrow/reader.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "json_value.h"
#include "tenon/error.hpp"
#include "tenon/json.hpp"

namespace tenon::parquet_file {
namespace {

constexpr size_t kBlock = size_t{1} << 20;  // bytes of one write

template <class T>
T value_of(arrow::Result<T> result) {
  if (!result.ok()) throw Error(TENON_E_IO, result.status().ToString());
  return *std::move(result);
}

int temporary_file() {
  const char* const folder = std::getenv("TMPDIR");
  std::string name =
      std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/tenon-parquet-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0)
    throw Error(TENON_E_IO, "cannot make a temporary file " + name + ": " + std::strerror(errno) +
                                "; TMPDIR names another folder");
  ::unlink(name.c_str());
  return fd;
}

}  // namespace

Records::Records(const std::string& path) : fd_(temporary_file()) {
  try {
    convert(path);
  } catch (const Error& e) {
    ::close(fd_);
    throw Error(e.code(), "file: " + path + ": " + e.what());
  } catch (const std::exception& e) {  // of Arrow: a file that is damaged
    ::close(fd_);
    throw Error(TENON_E_IO, "file: " + path + ": " + e.what());
  }
}

Records::~Records() {
  ::close(fd_);
}

void Records::convert(const std::string& path) {
  const auto file = value_of(arrow::io::ReadableFile::Open(path));
  const auto reader = value_of(parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
  uint64_t end = 0;
  std::string block;
  for (int group = 0; group < reader->num_row_groups(); ++group) {
    const std::shared_ptr<arrow::Table> table = value_of(reader->ReadRowGroup(group));
    arrow::TableBatchReader batches(*table);
    for (auto batch = value_of(batches.Next()); batch != nullptr; batch = value_of(batches.Next()))
      for (int64_t i = 0; i < batch->num_rows(); ++i) {
        const size_t begin = block.size();
        for (int c = 0; c < batch->num_columns(); ++c) {
          block += (c == 0 ? "{" : ",") + json::quote(batch->column_name(c)) + ":";
          try {
            append_json(*batch->column(c), i, block);
          } catch (const Error& e) {
            throw Error(e.code(), "row " + std::to_string(ends_.size()) + ", column " +
                                      batch->column_name(c) + ": " + e.what());
          }
        }
        block += batch->num_columns() == 0 ? "{}" : "}";
        ends_.push_back(end += block.size() - begin);
        if (block.size() >= kBlock) write(block), block.clear();
      }
  }
  write(block);
}

void Records::write(const std::string& text) const {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw Error(TENON_E_IO, std::string("cannot write the temporary file with its rows: ") +
                                  std::strerror(errno) + "; TMPDIR names another folder");
    done += static_cast<size_t>(n);
  }
}

std::string Records::text(uint64_t record) const {
  const uint64_t begin = record == 0 ? 0 : ends_[record - 1];
  std::string out(ends_[record] - begin, '\0');
  for (size_t done = 0; done < out.size();) {
    const ssize_t n = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(begin + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw Error(TENON_E_IO,
                  std::string("cannot read the temporary file with the rows: ") + std::strerror(errno));
    done += static_cast<size_t>(n);
  }
  return out;
}

}  // namespace tenon::parquet_file
