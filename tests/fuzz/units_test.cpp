// The units that a fuzzer keeps, given to it one after another; the build without libFuzzer links it to every fuzzer.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// A fuzzer aborts at what it finds: the last unit named is the one.
TEST(Fuzz, UnitsThatAreKept) {
  int units = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TENON_FUZZ_CORPUS)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string unit{std::istreambuf_iterator<char>(in), {}};
    std::cout << entry.path().filename().string() << std::endl;
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(unit.data()), unit.size()), 0);
    ++units;
  }
  EXPECT_GT(units, 0) << TENON_FUZZ_CORPUS;
}

}  // namespace
