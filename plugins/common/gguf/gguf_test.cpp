// GGUF: metadata, dequantisation, every kind of damage.
// SPDX-License-Identifier: Apache-2.0
#include "gguf/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "gguf/testing/gguf_writer.h"
#include "safetensors/safetensors.h"

namespace tenon::gguf {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::Writer;

class GgufTest : public ::testing::Test {
 protected:
  GgufTest() : folder_(fs::temp_directory_path() / ("tenon_gguf_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~GgufTest() override { fs::remove_all(folder_); }

  std::string put(const std::string& bytes) const {
    const std::string path = (folder_ / "x.gguf").string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string error_of(const std::string& bytes) const {
    try {
      File file(put(bytes));
    } catch (const FormatError& error) {
      return error.what();
    }
    return "(no error)";
  }

  fs::path folder_;
};

std::string half(float value) {
  const uint16_t bits = safetensors::f32_to_f16(value);
  return std::string(reinterpret_cast<const char*>(&bits), 2);
}

TEST_F(GgufTest, ReadsEveryMetadataType) {
  Writer w;
  w.scalar("u8", ValueType::kUint8, uint8_t{200});
  w.scalar("i8", ValueType::kInt8, int8_t{-3});
  w.scalar("u16", ValueType::kUint16, uint16_t{60000});
  w.scalar("i16", ValueType::kInt16, int16_t{-300});
  w.scalar("u32", ValueType::kUint32, uint32_t{4000000000u});
  w.scalar("i32", ValueType::kInt32, int32_t{7});
  w.scalar("u64", ValueType::kUint64, uint64_t{1} << 40);
  w.scalar("i64", ValueType::kInt64, -(int64_t{1} << 40));
  w.f32("f32", 0.5f);
  w.scalar("f64", ValueType::kFloat64, 0.1);
  w.boolean("yes", true);
  w.string("s", "héllo");
  w.strings("list", {"a", "", "c"});
  w.array("floats", ValueType::kFloat32, std::vector<float>{1.5f, 2.5f});
  const File file(put(w.bytes()));
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.metadata().size(), 14u);
  EXPECT_EQ(file.unsigned_integer("u8"), 200u);
  EXPECT_EQ(file.unsigned_integer("u16"), 60000u);
  EXPECT_EQ(file.unsigned_integer("u32"), 4000000000u);
  EXPECT_EQ(file.unsigned_integer("i32"), 7u);
  EXPECT_EQ(file.unsigned_integer("u64"), uint64_t{1} << 40);
  EXPECT_EQ(file.number("i8"), -3.0);
  EXPECT_EQ(file.number("i16"), -300.0);
  EXPECT_EQ(file.number("i64"), -1099511627776.0);
  EXPECT_EQ(file.number("f32"), 0.5);
  EXPECT_EQ(file.number("f64"), 0.1);
  EXPECT_TRUE(file.boolean("yes"));
  EXPECT_EQ(file.string("s"), "héllo");
  ASSERT_EQ(file.array("list").size(), 3u);
  EXPECT_EQ(std::get<std::string_view>(file.array("list")[2].data), "c");
  EXPECT_EQ(std::get<double>(file.array("floats")[1].data), 2.5);

  EXPECT_THROW(file.string("u8"), FormatError);
  EXPECT_THROW(file.unsigned_integer("i8"), FormatError);
  EXPECT_THROW(file.unsigned_integer("f32"), FormatError);
  EXPECT_THROW(file.boolean("u8"), FormatError);
  EXPECT_THROW(file.number("s"), FormatError);
  EXPECT_THROW(file.array("s"), FormatError);
  try {
    file.string("nowhere");
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("metadata key \"nowhere\" is missing"));
  }
  w.version = 2;
  EXPECT_EQ(File(put(w.bytes())).version(), 2u);
}

// The blocks are built from the format's definition, one element at a time.
TEST_F(GgufTest, DequantisesEachType) {
  std::mt19937 random(2);
  constexpr size_t kRows = 3, kRow = 64;
  Writer w;
  std::vector<float> expected[6];
  std::string bytes[6];
  const uint32_t types[] = {kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_1};
  for (size_t t = 0; t < 3; ++t) {
    for (size_t i = 0; i < kRows * kRow; ++i) {
      const float exact =
          static_cast<float>(static_cast<int>(random() % 256) - 128) / 16;  // representable in all three
      expected[t].push_back(exact);
      const uint16_t brain = safetensors::f32_to_bf16(exact);
      bytes[t] += t == 0   ? std::string(reinterpret_cast<const char*>(&exact), 4)
                  : t == 1 ? half(exact)
                           : std::string(reinterpret_cast<const char*>(&brain), 2);
    }
  }
  for (size_t t = 3; t < 6; ++t) {
    for (size_t block = 0; block < kRows * kRow / 32; ++block) {
      const float scale = static_cast<float>(random() % 100) / 64,
                  least = static_cast<float>(random() % 100) / -32;
      bytes[t] += half(scale);
      if (t == 5) bytes[t] += half(least);
      if (t == 3) {
        for (int i = 0; i < 32; ++i) {
          const auto q = static_cast<int8_t>(random() % 256);
          bytes[t].push_back(static_cast<char>(q));
          expected[t].push_back(static_cast<float>(q) * scale);
        }
        continue;
      }
      uint8_t nibbles[32];
      for (uint8_t& q : nibbles) q = random() % 16;
      for (int i = 0; i < 16; ++i) bytes[t].push_back(static_cast<char>(nibbles[i] | nibbles[i + 16] << 4));
      for (const uint8_t q : nibbles) {
        const float product = static_cast<float>(t == 4 ? q - 8 : q) * scale;
        expected[t].push_back(t == 4 ? product : product + least);
      }
    }
  }
  for (size_t t = 0; t < 6; ++t) w.tensor("t" + std::to_string(t), {kRow, kRows}, types[t], bytes[t]);
  const File file(put(w.bytes()));
  for (size_t t = 0; t < 6; ++t) {
    const Tensor& tensor = *file.find_tensor("t" + std::to_string(t));
    EXPECT_EQ(tensor.rows(), kRows);
    std::vector<float> out(kRows * kRow);
    file.dequantize(tensor, 0, kRows, out.data());
    EXPECT_EQ(out, expected[t]) << tensor_type_name(types[t]);
    std::vector<float> row(kRow);
    file.dequantize(tensor, 1, 1, row.data());
    EXPECT_TRUE(std::equal(row.begin(), row.end(), expected[t].begin() + kRow));
    EXPECT_THROW(file.dequantize(tensor, 2, 2, out.data()), FormatError);
    EXPECT_THROW(file.dequantize(tensor, ~uint64_t{0}, 2, out.data()), FormatError);
  }
}

TEST_F(GgufTest, NamesATypeItCannotRead) {
  Writer w;
  w.tensor("blk.0.attn_q.weight", {256, 1}, 12, std::string(144, 'x'));
  w.tensor("odd", {256, 1}, 99, "");
  const File file(put(w.bytes()));
  float out[256];
  const auto error = [&](const char* name) -> std::string {
    try {
      file.dequantize(*file.find_tensor(name), 0, 1, out);
    } catch (const FormatError& e) {
      return e.what();
    }
    return "(no error)";
  };
  EXPECT_THAT(error("blk.0.attn_q.weight"),
              HasSubstr("tensor \"blk.0.attn_q.weight\" is of type Q4_K; F32, F16, BF16"));
  EXPECT_THAT(error("odd"), HasSubstr("type 99"));
}

TEST_F(GgufTest, RejectsEveryViolation) {
  const auto with = [&](auto change) {
    Writer w;
    w.string("general.architecture", "llama");
    change(w);
    return error_of(w.bytes());
  };
  EXPECT_EQ(with([](Writer&) {}), "(no error)");
  EXPECT_THAT(error_of(""), HasSubstr("byte 0: truncated in the magic number: 4 bytes expected, 0 left"));
  EXPECT_THAT(error_of("PK\3\4aaaaaaaaaaaaaaaaaaaaaaa"), HasSubstr("not a GGUF file"));
  EXPECT_THAT(with([](Writer& w) { w.version = 1; }),
              HasSubstr("byte 4: GGUF version 1; 2 and 3 can be read"));
  EXPECT_THAT(with([](Writer& w) { w.version = 0x03000000; }), HasSubstr("big-endian"));
  EXPECT_THAT(with([](Writer& w) { w.u32("a", 1), w.u32("a", 1); }),
              HasSubstr("metadata key \"a\" is repeated"));
  EXPECT_THAT(with([](Writer& w) { w.raw("a", static_cast<ValueType>(13), "x"); }),
              HasSubstr("unknown metadata value type 13"));
  EXPECT_THAT(with([](Writer& w) { w.raw("a", ValueType::kBool, "\2"); }),
              HasSubstr("a bool must be 0 or 1"));
  EXPECT_THAT(with([](Writer& w) { w.raw("a", ValueType::kString, std::string(8, '\x7f')); }),
              HasSubstr("a string of 9187201950435737471 bytes, but only"));
  EXPECT_THAT(with([](Writer& w) {
                w.raw("a", ValueType::kArray, std::string("\4\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12));
              }),
              HasSubstr("an array of 18446744073709551615 uint32 values, but only"));
  std::string nested;
  for (int i = 0; i < 50; ++i) nested += std::string("\x09\0\0\0\1\0\0\0\0\0\0\0", 12);
  EXPECT_THAT(with([&](Writer& w) { w.raw("a", ValueType::kArray, nested); }),
              HasSubstr("nested more than 4 deep"));
  EXPECT_THAT(with([](Writer& w) { w.u32("general.alignment", 24); }),
              HasSubstr("general.alignment is 24; it must be a power of two"));
  EXPECT_THAT(with([](Writer& w) { w.u32("general.alignment", 0); }), HasSubstr("general.alignment is 0"));
  EXPECT_THAT(with([](Writer& w) { w.tensor("t", {31}, kQ8_0, std::string(34, 'x')); }),
              HasSubstr("a row of 31 elements is not a whole number of Q8_0 blocks"));
  EXPECT_THAT(with([](Writer& w) { w.tensor("t", {4}, kF32, "short"); }),
              HasSubstr("tensor \"t\": 16 bytes at offset 0 of the data, but the file ends"));
  EXPECT_THAT(with([](Writer& w) {
                w.tensor("t", {1, 1, 1, 1, 1}, kF32, "0123");
              }),
              HasSubstr("5 dims; 1 to 4 are allowed"));
  EXPECT_THAT(with([](Writer& w) { w.tensor("t", {}, kF32, std::string(64, 'x')); }), HasSubstr("0 dims"));
  EXPECT_THAT(with([](Writer& w) {
                w.tensor("t", {uint64_t{1} << 40, uint64_t{1} << 40}, kF32, "");
              }),
              HasSubstr("overflows 64 bits"));
  EXPECT_THAT(with([](Writer& w) { w.tensor("t", {1}, kF32, "0123"), w.tensor("t", {1}, kF32, "0123"); }),
              HasSubstr("tensor name \"t\" is repeated"));
  EXPECT_THAT(with([](Writer& w) { w.tensor(std::string(65, 'n'), {1}, kF32, "0123"); }),
              HasSubstr("name of 65 bytes"));
  EXPECT_THAT(with([](Writer& w) {
                w.alignment = 4, w.tensor("t", {1}, kF32, "0123"),
                w.tensor("u", {100}, kF32, std::string(400, 'x'));
              }),
              HasSubstr("not a multiple of the alignment 32"));
  EXPECT_THAT(with([](Writer& w) {
                w.tensor("t", {64}, kF32, std::string(128, 'x')),
                    w.tensor("u", {32}, kF32, std::string(128, 'x'));
              }),
              HasSubstr("\"u\" overlaps \"t\""));
  std::string counts = "GGUF" + std::string("\3\0\0\0", 4) + std::string(8, '\0') + std::string(8, '\x7f');
  EXPECT_THAT(error_of(counts), HasSubstr("metadata entries cannot fit into 0 bytes"));
  counts = "GGUF" + std::string("\3\0\0\0", 4) + std::string(8, '\x7f') + std::string(8, '\0');
  EXPECT_THAT(error_of(counts), HasSubstr("tensors cannot fit into 0 bytes"));
}

TEST_F(GgufTest, DamagedFilesNeverCrash) {
  Writer w;
  w.string("general.architecture", "llama");
  w.strings("tokens", {"a", "b", "c"});
  w.array("scores", ValueType::kInt32, std::vector<int32_t>{1, 2, 3});
  w.f32("eps", 1e-5f);
  w.tensor_f32("a", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  w.tensor("b", {32, 2}, kQ4_0, std::string(36, 'q'));
  const std::string good = w.bytes();
  ASSERT_EQ(error_of(good), "(no error)");
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_THAT(error_of(good.substr(0, cut)), HasSubstr("x.gguf: byte ")) << cut;
  std::mt19937 random(9);
  size_t refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string bad = good;
    for (unsigned n = 1 + random() % 3; n > 0; --n)
      bad[random() % bad.size()] = static_cast<char>(random() % 256);
    try {
      const File file(put(bad));
      for (const Tensor& tensor : file.tensors()) {
        if (tensor.rows() > 64 || tensor.row_length() > 64) continue;
        std::vector<float> out(tensor.rows() * tensor.row_length());
        try {
          file.dequantize(tensor, 0, tensor.rows(), out.data());
        } catch (const FormatError&) {
        }
      }
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("x.gguf: "));
      ++refused;
    }
  }
  EXPECT_GT(refused, 250u);
}

TEST(Gguf, UnpermuteIsTheInverseOfLlamaCppsPermute) {
  constexpr uint64_t kHeads = 3, kDim = 8, kWidth = 2, kHalf = kDim / 2;
  std::vector<float> hf(kHeads * kDim * kWidth), stored(hf.size()), back(hf.size());
  std::iota(hf.begin(), hf.end(), 0.0f);
  // convert_hf_to_gguf.py: weights.reshape(n_head, 2, d / 2, width).swapaxes(1, 2)
  for (uint64_t h = 0; h < kHeads; ++h) {
    for (uint64_t j = 0; j < 2; ++j) {
      for (uint64_t i = 0; i < kHalf; ++i) {
        for (uint64_t c = 0; c < kWidth; ++c)
          stored[((h * kHalf + i) * 2 + j) * kWidth + c] = hf[((h * 2 + j) * kHalf + i) * kWidth + c];
      }
    }
  }
  unpermute_rope_rows(stored.data(), kHeads, kDim, kWidth, back.data());
  EXPECT_EQ(back, hf);
}

// Every tensor of a real file, bit for bit as gguf-py dequantises it. Needs TENON_PEER_PYTHON with gguf, and
// TENON_SMOLLM2_GGUF.
TEST_F(GgufTest, PeerDequantisesTheSame) {
  const char* python = std::getenv("TENON_PEER_PYTHON");
  const char* model = std::getenv("TENON_SMOLLM2_GGUF");
  if (python == nullptr || model == nullptr)
    GTEST_SKIP() << "TENON_PEER_PYTHON and TENON_SMOLLM2_GGUF are not set";
  std::ofstream(folder_ / "peer.py")
      << "import sys, gguf\n"
         "for t in gguf.GGUFReader(sys.argv[1]).tensors[::7]:\n"
         "    gguf.dequantize(t.data, t.tensor_type).tofile(sys.argv[2] + '/' + t.name)\n";
  ASSERT_EQ(std::system(("'" + std::string(python) + "' '" + (folder_ / "peer.py").string() + "' '" + model +
                         "' '" + folder_.string() + "'")
                            .c_str()),
            0);
  const File file(model);
  size_t compared = 0;
  for (size_t i = 0; i < file.tensors().size(); i += 7, ++compared) {
    const Tensor& tensor = file.tensors()[i];
    std::vector<float> ours(tensor.rows() * tensor.row_length()), theirs(ours.size());
    file.dequantize(tensor, 0, tensor.rows(), ours.data());
    std::ifstream in(folder_ / tensor.name, std::ios::binary);
    in.read(reinterpret_cast<char*>(theirs.data()), static_cast<std::streamsize>(theirs.size() * 4));
    ASSERT_TRUE(in) << tensor.name;
    EXPECT_EQ(std::memcmp(ours.data(), theirs.data(), ours.size() * 4), 0) << tensor.name;
  }
  EXPECT_GT(compared, 30u);
}

}  // namespace
}  // namespace tenon::gguf
