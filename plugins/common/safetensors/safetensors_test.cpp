// Safetensors: round trips, every violation of the format, damaged files, failed writes, conversions.
// SPDX-License-Identifier: Apache-2.0
#include "safetensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

namespace tenon::safetensors {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SafetensorsTest : public testing::Test {
 protected:
  SafetensorsTest()
      : folder_(fs::temp_directory_path() / ("tenon_safetensors_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~SafetensorsTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name = "x.safetensors") const { return (folder_ / name).string(); }
  std::string put(const std::string& bytes, const std::string& name = "x.safetensors") const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  std::string read(const std::string& name = "x.safetensors") const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Opens a file of this header and a buffer of `size` bytes; returns the error.
  std::string error_of(const std::string& header, size_t size) const {
    uint64_t length = header.size();
    return error_of_bytes(std::string(reinterpret_cast<const char*>(&length), 8) + header +
                          std::string(size, '\x01'));
  }
  std::string error_of_bytes(const std::string& bytes) const {
    try {
      File file(put(bytes));
    } catch (const FormatError& error) {
      return error.what();
    }
    return "(no error)";
  }

  fs::path folder_;
};

TEST_F(SafetensorsTest, ReadsAFileWrittenByHand) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]},"none":{"dtype":"I64","shape":[0,3],"data_offsets":[4,4]}}  )";
  uint64_t length = header.size();
  const float values[] = {1.5f, -2.0f};
  const uint16_t halves[] = {0x3f80, 0xc000};
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(halves), 4);
  bytes.append(reinterpret_cast<const char*>(values), 8);
  const File file(put(bytes));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  ASSERT_EQ(file.tensors().size(), 3u);
  ASSERT_NE(file.find("b"), nullptr);
  EXPECT_EQ(file.find("b")->shape, std::vector<uint64_t>{2});
  EXPECT_EQ(file.find("nowhere"), nullptr);
  float out[2];
  read_f32(*file.find("b"), out, file.path());
  EXPECT_EQ(out[1], -2.0f);
  read_f32(*file.find("a"), out, file.path());
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], -2.0f);
  EXPECT_THROW(read_f32(*file.find("none"), out, file.path()), FormatError);  // I64 is not a weight
}

TEST_F(SafetensorsTest, RejectsEveryViolation) {
  const std::string t = R"("dtype":"F32","shape":[1],"data_offsets":)";
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,4]}}", 4), HasSubstr("(no error)"));
  EXPECT_THAT(error_of("{}", 0), HasSubstr("(no error)"));
  EXPECT_THAT(error_of_bytes("abc"),
              HasSubstr("byte 3: truncated: 8 bytes of header length expected, the file has 3 bytes"));
  EXPECT_THAT(error_of_bytes(std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8)),
              HasSubstr("above the limit"));
  EXPECT_THAT(error_of_bytes(std::string("\x09\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("header length 9, but only 2 bytes follow"));
  EXPECT_THAT(error_of("", 0), HasSubstr("byte 8: the header does not start with '{'"));
  EXPECT_THAT(error_of(" {}", 0), HasSubstr("does not start with '{'"));
  EXPECT_THAT(error_of("{\"a\":}", 0), HasSubstr("invalid JSON"));
  EXPECT_THAT(error_of("{} x", 0), HasSubstr("byte 11: unexpected text after the JSON value"));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,4]},\"a\":{" + t + "[4,8]}}", 8),
              HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(error_of("{\"a\":7}", 0), HasSubstr("a: expected an object, found the number 7"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4),
              HasSubstr("a.dtype: unknown dtype \"F31\""));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
              HasSubstr("a.shape[0]: expected a non-negative integer"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4),
              HasSubstr("member \"shape\" is missing"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4),
              HasSubstr("a: unknown member \"x\""));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0]}}", 4), HasSubstr("expected [begin, end], found 1 values"));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[4,0]}}", 4), HasSubstr("data_offsets [4, 0) are reversed"));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,4]}}", 3),
              HasSubstr("data ends at offset 4 of a buffer of 3 bytes"));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,8]}}", 8), HasSubstr("hold 8 bytes, but shape and dtype need 4"));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,4]},\"b\":{" + t + "[2,6]}}", 6),
              HasSubstr("\"b\" starts at offset 2 and overlaps \"a\""));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,4]},\"b\":{" + t + "[6,10]}}", 10),
              HasSubstr("offsets 4 to 6, before tensor \"b\""));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[2,6]}}", 6), HasSubstr("offsets 0 to 2"));
  EXPECT_THAT(error_of("{\"a\":{" + t + "[0,4]}}", 9),
              HasSubstr("the tensors end at offset 4 of a buffer of 9 bytes"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
              HasSubstr("overflows 64 bits"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0),
              HasSubstr("overflows 64 bits"));
  EXPECT_THAT(error_of(R"({"__metadata__":{"a":1}})", 0), HasSubstr("__metadata__.a: expected a string"));
  EXPECT_THROW(File{path("absent")}, FormatError);
  EXPECT_THROW(File{folder_.string()}, FormatError);
}

TEST_F(SafetensorsTest, WritesWhatItReads) {
  const float a[] = {1.0f, 2.5f, -3.25f, 0.0f, 65504.0f, 1e-3f};
  const Output tensors[] = {{"half", DType::kF16, {3}, a},
                            {"z.full", DType::kF32, {2, 3}, a},
                            {"brain", DType::kBF16, {6}, a},
                            {"a.full", DType::kF32, {}, a}};
  write(path(), tensors, {{"format", "pt"}});
  const File file(path());
  EXPECT_EQ(file.metadata().at("format"), "pt");
  std::vector<std::string> order;
  for (const View& view : file.tensors()) order.push_back(view.name);
  EXPECT_THAT(order, testing::ElementsAre("a.full", "z.full", "brain",
                                          "half"));  // largest elements first, then by name
  EXPECT_EQ(file.find("z.full")->shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_TRUE(file.find("a.full")->shape.empty());
  float out[6];
  read_f32(*file.find("z.full"), out, "");
  EXPECT_EQ(std::memcmp(out, a, sizeof a), 0);
  read_f32(*file.find("half"), out, "");
  EXPECT_EQ(out[2], -3.25f);
  // The order of the arguments does not matter, and nothing but the file is left.
  const std::string bytes = read();
  EXPECT_EQ((8 + *reinterpret_cast<const uint64_t*>(bytes.data())) % 8, 0u);
  const Output reversed[] = {tensors[3], tensors[2], tensors[1], tensors[0]};
  write(path("y"), reversed, {{"format", "pt"}});
  EXPECT_EQ(read("y"), bytes);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 2);
}

TEST_F(SafetensorsTest, RefusesWhatItCannotWrite) {
  const float values[] = {1.0f, 70000.0f};
  put("before");
  const auto error = [&](std::vector<Output> tensors) -> std::string {
    try {
      write(path(), tensors);
    } catch (const FormatError& e) {
      return e.what();
    }
    return "(no error)";
  };
  EXPECT_THAT(error({{"a", DType::kF32, {1}, values}, {"a", DType::kF16, {1}, values}}),
              HasSubstr("two tensors are called \"a\""));
  EXPECT_THAT(error({{"a", DType::kF16, {2}, values}}),
              HasSubstr("value 70000.000000 at element 1 does not fit F16"));
  EXPECT_THAT(error({{"a", DType::kI64, {1}, values}}), HasSubstr("cannot write dtype I64"));
  EXPECT_THAT(error({{"__metadata__", DType::kF32, {1}, values}}), HasSubstr("may not be called"));
  EXPECT_EQ(read(), "before");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  EXPECT_THROW(write(path("no/such/folder/x"), {}), FormatError);
}

// A file-size limit stands in for a full disk: write(2) fails half-way in both.
TEST_F(SafetensorsTest, AFailedWriteLeavesTheOldFile) {
  put("before");
  const std::vector<float> values(1 << 16);
  const Output tensor{"a", DType::kF32, {values.size()}, values.data()};
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 16, 1 << 16};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      write(path(), {&tensor, 1});
    } catch (const FormatError& error) {
      const std::string what = error.what();
      code = what.find(path()) == 0 && what.find("cannot write after") != std::string::npos ? 0 : 2;
    }
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read(), "before");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(SafetensorsTest, DamagedFilesNeverCrash) {
  std::vector<float> values(64, 1.0f);
  const Output tensors[] = {{"a", DType::kF32, {4, 8}, values.data()},
                            {"b", DType::kBF16, {16}, values.data()},
                            {"c", DType::kF16, {3}, values.data()}};
  write(path("good"), tensors, {{"k", "v"}});
  const std::string good = read("good");
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_NE(error_of_bytes(good.substr(0, cut)), "(no error)") << cut;
  std::mt19937 random(5);
  size_t refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string bad = good;
    for (unsigned n = 1 + random() % 3; n > 0; --n)
      bad[random() % (good.size() - 200)] = static_cast<char>(random() % 256);
    try {
      const File file(put(bad));
      for (const View& view : file.tensors()) {
        std::vector<float> out(view.elements);
        try {
          read_f32(view, out.data(), "");
        } catch (const FormatError&) {
        }
      }
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith(path()));
      ++refused;
    }
  }
  EXPECT_GT(refused, 500u);
}

TEST_F(SafetensorsTest, ReadsShards) {
  const float values[] = {1, 2, 3, 4};
  const Output one[] = {{"a", DType::kF32, {2}, values}};
  const Output two[] = {{"b", DType::kF32, {4}, values}};
  write(path("m-1.safetensors"), one);
  write(path("m-2.safetensors"), two);
  const auto index = [&](const std::string& map) {
    put("{\"metadata\":{\"total_size\":24},\"weight_map\":" + map + "}", "model.safetensors.index.json");
    try {
      const Checkpoint checkpoint = Checkpoint::open(folder_.string());
      return std::to_string(checkpoint.tensors().size());
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(index(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})"), "2");
  EXPECT_EQ(Checkpoint::open(path("model.safetensors.index.json")).find("b")->elements, 4u);
  EXPECT_EQ(Checkpoint::open(path("m-1.safetensors")).tensors().size(), 1u);
  EXPECT_THAT(index(R"({"a":"m-1.safetensors"})"), "1");
  EXPECT_THAT(index(R"({"a":"m-2.safetensors","b":"m-2.safetensors"})"),
              HasSubstr("weight_map.a: the tensor is not in"));
  EXPECT_THAT(index(R"({"a":"m-3.safetensors"})"), HasSubstr("m-3.safetensors: cannot be opened"));
  EXPECT_THAT(index(R"({"a":"../m-1.safetensors"})"),
              HasSubstr("is not the name of a file in the same folder"));
  EXPECT_THAT(index(R"([])"), HasSubstr("weight_map: expected an object"));
  const Output both[] = {one[0], two[0]};
  write(path("m-1.safetensors"), both);
  EXPECT_THAT(index(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})"),
              HasSubstr("holds tensor \"b\", which"));
  fs::remove(path("model.safetensors.index.json"));
  EXPECT_THROW(Checkpoint::open(folder_.string()), FormatError);
}

TEST(Convert, HalvesRoundTripAndRound) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float f16 = f16_to_f32(half), bf16 = bf16_to_f32(half);
    if (!std::isnan(f16)) {
      ASSERT_EQ(f32_to_f16(f16), half);
    }
    if (!std::isnan(bf16)) {
      ASSERT_EQ(f32_to_bf16(bf16), half);
    }
  }
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(NAN))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(NAN))));
  EXPECT_EQ(f32_to_bf16(1.00390625f), 0x3f80);  // half-way: to even
  EXPECT_EQ(f32_to_bf16(1.01171875f), 0x3f82);
  EXPECT_EQ(f16_to_f32(f32_to_f16(1e9f)), INFINITY);
#ifdef __FLT16_MANT_DIG__
  // The compiler's own conversion, over random bit patterns.
  std::mt19937 random(1);
  for (int i = 0; i < 1000000; ++i) {
    const uint32_t bits = random();
    float value;
    std::memcpy(&value, &bits, 4);
    if (i % 2 == 0)
      value = std::ldexp(1.0f + static_cast<float>(bits & 0xffffff) * 0x1p-24f,
                         static_cast<int>(bits >> 24) % 48 - 30);
    if (std::isnan(value)) continue;
    const auto expected = static_cast<_Float16>(value);
    uint16_t expected_bits;
    std::memcpy(&expected_bits, &expected, 2);
    ASSERT_EQ(f32_to_f16(value), expected_bits) << value;
  }
#endif
}

// The reference implementation reads what is written here, and the other way round. Needs TENON_PEER_PYTHON with
// safetensors and torch.
TEST_F(SafetensorsTest, PeerReadsAndWritesTheSame) {
  const char* python = std::getenv("TENON_PEER_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "TENON_PEER_PYTHON is not set";
  std::vector<float> values(600);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i)) * 3;
  const Output tensors[] = {{"w", DType::kF32, {20, 30}, values.data()},
                            {"h", DType::kF16, {600}, values.data()},
                            {"b", DType::kBF16, {2, 300}, values.data()}};
  write(path("ours"), tensors, {{"format", "pt"}});
  const std::string script =
      "from safetensors.torch import load_file, save_file\nt = load_file('" + path("ours") +
      "')\nassert t['w'].shape == (20, 30) and t['b'].shape == (2, 300)\nsave_file(t, '" + path("theirs") +
      "', {'format': 'pt'})\n";
  ASSERT_EQ(std::system(("'" + std::string(python) + "' '" + put(script, "peer.py") + "'").c_str()), 0);
  const File ours(path("ours")), theirs(path("theirs"));
  for (const View& view : ours.tensors()) {
    ASSERT_NE(theirs.find(view.name), nullptr);
    EXPECT_EQ(theirs.find(view.name)->shape, view.shape);
    EXPECT_TRUE(std::ranges::equal(theirs.find(view.name)->data, view.data)) << view.name;
  }
}

}  // namespace
}  // namespace tenon::safetensors
