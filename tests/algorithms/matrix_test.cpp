// The matrix as tests: each row green, and red with any of the faults.
// SPDX-License-Identifier: Apache-2.0
#include "matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

namespace tenon::test {
namespace {

std::string test_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name;
  if (size_t at = name.find("++"); at != std::string::npos) name.replace(at, 2, "pp");
  if (size_t at = name.find('+'); at != std::string::npos) name.replace(at, 1, "_with_");
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class Matrix : public ::testing::TestWithParam<Case> {};

TEST_P(Matrix, IsGreen) {
  const std::vector<std::string> names = columns();
  const std::vector<Verdict> verdicts = judge(GetParam());
  for (size_t k = 0; k < names.size(); ++k)
    EXPECT_EQ(verdicts[k].is, Verdict::kGreen) << names[k] << ": " << verdicts[k].text;
}

// The checks that need no reference find the faults that contradict the contract; which loss an algorithm has, only the reference knows.
TEST_P(Matrix, IsRedWithAnyFault) {
  const std::pair<Fault, const char*> found_by[] = {{Fault::kSign, "derivatives"},
                                                    {Fault::kMissingMask, "mask"},
                                                    {Fault::kMeanOfMeans, "micro"},
                                                    {Fault::kSwappedClip, "gradient"}};
  static_assert(std::size(found_by) == kFaults.size());
  const std::vector<std::string> names = columns();
  for (const auto& [fault, column] : found_by) {
    const auto at = static_cast<size_t>(std::find(names.begin(), names.end(), column) - names.begin());
    EXPECT_EQ(judge(GetParam(), fault).at(at).is, Verdict::kRed)
        << name_of(fault) << " is not found by " << column;
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Matrix, ::testing::ValuesIn(all_cases()), test_name);

}  // namespace
}  // namespace tenon::test
