// Checkpoint tensors: the bytes of the format, the round trip, and every way in which a file does not fit.
// SPDX-License-Identifier: Apache-2.0
#include "host/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "host/run_error.h"
#include "host/sha256.h"

namespace tenon::host {
namespace {

using testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  Safetensors()
      : path_(std::filesystem::temp_directory_path() /
              ("tenon-" + std::to_string(::getpid()) + ".safetensors")) {}
  ~Safetensors() override { std::filesystem::remove(path_); }

  std::vector<TensorView> views() {
    return {{"a", "F32", {2, 3}, a_.data(), 24}, {"b", "I64", {}, &b_, 8}, {"none", "F32", {0}, nullptr, 0}};
  }
  std::string failure(const std::vector<TensorView>& tensors) {
    try {
      read_safetensors(path_, tensors);
    } catch (const RunError& e) {
      return e.what();
    }
    return "";
  }

  std::filesystem::path path_;
  std::vector<float> a_{1, 2, 3, 4, 5, 6};
  int64_t b_ = -7;
};

TEST_F(Safetensors, WritesTheFormatAndReadsItBack) {
  const FileDigest digest = write_safetensors(path_, views());
  const std::string bytes = read_file(path_);
  EXPECT_EQ(digest.bytes, bytes.size());
  EXPECT_EQ(digest.sha256, sha256_of(bytes));
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + length + 32);
  EXPECT_THAT(
      bytes.substr(8, length),
      testing::StartsWith(
          R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[],)"));

  a_.assign(6, 0.0f);
  b_ = 0;
  read_safetensors(path_, views());
  EXPECT_EQ(a_, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(b_, -7);
}

TEST_F(Safetensors, ReadsAFileWhole) {
  const std::string header =
      R"({"__metadata__":{"made":"by hand"},"x":{"dtype":"U8","shape":[3],"data_offsets":[1,4]},"y":{"dtype":"I8","shape":[],"data_offsets":[0,1]}})";
  const uint64_t length = header.size();
  std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(&length), 8) << header << "zabc";
  const StoredTensors all = read_safetensors(path_);
  EXPECT_EQ(all.metadata, (std::map<std::string, std::string>{{"made", "by hand"}}));
  EXPECT_EQ(all.tensors.at("x").bytes, "abc");
  EXPECT_EQ(all.tensors.at("x").shape, std::vector<int64_t>{3});
  EXPECT_EQ(all.tensors.at("y").dtype, "I8");
  EXPECT_EQ(all.tensors.at("y").bytes, "z");
}

TEST_F(Safetensors, NamesWhatDoesNotFitAndFillsNothing) {
  write_safetensors(path_, views());
  std::vector<TensorView> other = views();
  a_.assign(6, 0.0f);
  other[1].shape = {1};
  EXPECT_THAT(failure(other), HasSubstr("tensor b is I64[] where I64[1] is expected"));
  other = views();
  other[1].name = "c";
  EXPECT_THAT(failure(other), HasSubstr("has no tensor c"));
  other.pop_back();
  EXPECT_THAT(failure(other), HasSubstr("has 3 tensors where 2 are expected"));
  EXPECT_EQ(a_, std::vector<float>(6, 0.0f));
}

TEST_F(Safetensors, BrokenFilesAreErrors) {
  write_safetensors(path_, views());
  const std::string bytes = read_file(path_);
  for (const std::string& broken :
       {std::string(), bytes.substr(0, 5), bytes.substr(0, 40), bytes.substr(0, bytes.size() - 20),
        "\xff\xff\xff\xff" + bytes.substr(4)}) {
    std::ofstream(path_, std::ios::binary) << broken;
    EXPECT_THAT(failure(views()), HasSubstr(path_.string()));
  }
}

TEST(TensorView, FromDlpack) {
  float data[6];
  int64_t shape[]{2, 3}, strides[]{1, 2};
  DLTensor t{data, {kDLCPU, 0}, 2, {kDLBfloat, 16, 1}, shape, nullptr, 4};
  const TensorView view = tensor_view("w", t, "zero/model");
  EXPECT_EQ(view.dtype, "BF16");
  EXPECT_EQ(view.bytes, 12u);
  EXPECT_EQ(view.data, reinterpret_cast<char*>(data) + 4);
  t.strides = strides;
  EXPECT_THROW(tensor_view("w", t, "zero/model"), RunError);
  t.strides = nullptr;
  t.dtype.bits = 4;
  EXPECT_THROW(tensor_view("w", t, "zero/model"), RunError);
}

}  // namespace
}  // namespace tenon::host
