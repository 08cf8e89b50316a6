// Tests of mapped input and atomic output: content, replacement, what failures leave behind and say.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "file/atomic_file.h"
#include "file/format_error.h"
#include "file/mapped_file.h"

namespace tenon::io {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FileTest : public ::testing::Test {
 protected:
  FileTest() : folder_(fs::path(::testing::TempDir()) / ("tenon_file_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~FileTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  static std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  template <class F>
  static std::string error_of(F&& f) {
    try {
      f();
    } catch (const FormatError& e) {
      return e.what();
    }
    return "no error";
  }

  fs::path folder_;
};

TEST_F(FileTest, MapsTheWholeFile) {
  const std::string content("a\0b\xff\n", 5);
  MappedFile file(write("bytes", content));
  EXPECT_EQ(file.path(), path("bytes"));
  EXPECT_EQ(file.size(), 5u);
  EXPECT_EQ(file.text(), content);
  EXPECT_EQ(file.bytes()[3], std::byte{0xff});
}

TEST_F(FileTest, AnEmptyFileIsAMapOfNothing) {
  MappedFile file(write("empty", ""));
  EXPECT_EQ(file.size(), 0u);
  EXPECT_TRUE(file.text().empty());
}

TEST_F(FileTest, TheMapMovesWithItsOwner) {
  MappedFile first(write("first", "one")), second(write("second", "second"));
  const char* at = first.text().data();
  MappedFile moved(std::move(first));
  EXPECT_EQ(moved.text(), "one");
  EXPECT_EQ(moved.text().data(), at) << "views stay valid";
  moved = std::move(second);
  EXPECT_EQ(moved.text(), "second");
  EXPECT_EQ(moved.path(), path("second"));
}

TEST_F(FileTest, TheMapOutlivesTheName) {
  MappedFile file(write("replaced", "old"));
  AtomicFile next(path("replaced"));
  next.write("new", 3);
  next.commit();
  EXPECT_EQ(file.text(), "old") << "a commit replaces the name, not the bytes that somebody reads";
  EXPECT_EQ(MappedFile(path("replaced")).text(), "new");
}

TEST_F(FileTest, WhatCannotBeMappedIsNamed) {
  EXPECT_EQ(error_of([&] { MappedFile file(path("none")); }),
            path("none") + ": cannot be opened: No such file or directory");
  EXPECT_EQ(error_of([&] { MappedFile file(folder_.string()); }),
            folder_.string() + ": is not a regular file");
}

TEST_F(FileTest, AFileIsThereOnlyAfterCommit) {
  std::string large(3 << 20, 'x');
  large.back() = 'y';
  {
    AtomicFile file(path("weights"));
    file.write("head", 4);
    file.write(large.data(), large.size());
    EXPECT_FALSE(fs::exists(path("weights")));
    file.commit();
  }
  EXPECT_EQ(read(path("weights")), "head" + large);
  EXPECT_EQ(files(), 1u) << "and nothing beside it";
}

TEST_F(FileTest, WithoutCommitWhatWasThereStays) {
  write("weights", "old");
  {
    AtomicFile file(path("weights"));
    file.write("new", 3);
  }
  EXPECT_EQ(read(path("weights")), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, AFileThatCannotBeMadeIsNamed) {
  EXPECT_THAT(
      error_of([&] { AtomicFile file(path("no/folder")); }),
      AllOf(StartsWith(path("no/folder")), HasSubstr("cannot be created: No such file or directory")));
  AtomicFile first(path("weights"));
  EXPECT_THAT(error_of([&] { AtomicFile second(path("weights")); }), HasSubstr("File exists"));
}

TEST_F(FileTest, AFailedRenameLeavesNothing) {
  fs::create_directories(folder_ / "taken" / "inside");
  AtomicFile file(path("taken"));
  file.write("text", 4);
  EXPECT_THAT(error_of([&] { file.commit(); }),
              AllOf(StartsWith(path("taken")), HasSubstr("cannot rename after 4 bytes"),
                    HasSubstr("the file was not replaced")));
  EXPECT_TRUE(fs::is_directory(folder_ / "taken" / "inside"));
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, ALinkInTheTemporaryFilesPlaceIsNotFollowed) {
  write("other", "kept");
  fs::create_symlink(path("other"), path("weights") + ".tmp-" + std::to_string(::getpid()));
  EXPECT_THAT(error_of([&] { AtomicFile file(path("weights")); }), HasSubstr("File exists"));
  EXPECT_EQ(read(path("other")), "kept");
}

// A limit on the size of files stands in for a full disk.
TEST_F(FileTest, AFullDiskIsReportedAndReplacesNothing) {
  write("weights", "old");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text(10000, 'x'), message = error_of([&] {
                                        AtomicFile file(path("weights"));
                                        file.write(text.data(), text.size());
                                      });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, AllOf(StartsWith(path("weights")), HasSubstr("cannot write after 4096 bytes"),
                             HasSubstr("the file was not replaced")));
  EXPECT_EQ(read(path("weights")), "old");
  EXPECT_EQ(files(), 1u);
}

TEST(FormatErrorTest, SaysWhereInTheFile) {
  EXPECT_STREQ(FormatError("a.gguf", 17, "truncated").what(), "a.gguf: byte 17: truncated");
  EXPECT_STREQ(FormatError("a.gguf", "empty").what(), "a.gguf: empty");
}

}  // namespace
}  // namespace tenon::io
