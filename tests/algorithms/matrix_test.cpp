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

// Which check finds a fault. Those that need no reference find what contradicts the contract; which advantages and which loss an algorithm has, only the reference
// knows.
const char* finder(Fault fault) {
  const bool is_derivative = fault.column < Fault::kAdvantage;
  switch (fault.kind) {
    case Fault::kSign:
      return is_derivative ? "derivatives" : "advantages";
    case Fault::kMissingMask:
      return "mask";
    case Fault::kMeanOfMeans:
      return is_derivative ? "micro" : "advantages";
    default:
      return "gradient";
  }
}

TEST_P(Matrix, IsRedWithAnyFault) {
  const std::vector<std::string> names = columns();
  int faults = 0;
  for (const Fault& fault : all_faults()) {
    if (!has_fault(GetParam(), fault)) continue;
    ++faults;
    const auto at = static_cast<size_t>(std::find(names.begin(), names.end(), finder(fault)) - names.begin());
    EXPECT_EQ(judge(GetParam(), fault, finder(fault)).at(at).is, Verdict::kRed)
        << name_of(fault) << " is not found by " << finder(fault);
  }
  EXPECT_GE(faults, 7) << "every algorithm writes d_logprob and advantages";
}

// Of each column, somebody has it.
TEST(Faults, AreOfEveryColumnThatTheBuildHas) {
  std::map<Fault::Column, int> rows;
  for (const Case& c : all_cases())
    for (const Fault& fault : all_faults())
      if (fault.kind == Fault::kSign && has_fault(c, fault)) ++rows[fault.column];
  EXPECT_EQ(rows[Fault::kLogprob], static_cast<int>(all_cases().size()));
  EXPECT_EQ(rows[Fault::kAdvantage], static_cast<int>(all_cases().size()));
  if (find_algorithm("ppo") == nullptr) GTEST_SKIP() << "ppo is not built";
  EXPECT_GE(rows[Fault::kEntropy], 1);
  EXPECT_GE(rows[Fault::kValue], 1);
  EXPECT_GE(rows[Fault::kTarget], 1);
}

// An algorithm that cannot be made, and a reference that does not fit, make the row red and end nothing.
TEST(Judge, AnErrorIsRed) {
  if (find_algorithm("grpo") == nullptr) GTEST_SKIP() << "grpo is not built";
  const std::vector<Verdict> no_instance = judge({"bad", find_algorithm("grpo"), {{"std", "\"sideways\""}}});
  ASSERT_EQ(no_instance.size(), columns().size());
  for (const Verdict& v : no_instance) EXPECT_EQ(v.is, Verdict::kRed);

  tenon_component renamed = *find_algorithm("grpo");
  renamed.id = "reinforce";  // whose reference asks for a baseline
  const std::vector<Verdict> no_reference = judge({"renamed", &renamed, {}});
  ASSERT_EQ(no_reference.size(), columns().size());
  EXPECT_EQ(no_reference.front().is, Verdict::kGreen) << no_reference.front().text;
  EXPECT_EQ(no_reference.back().is, Verdict::kRed);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Matrix, ::testing::ValuesIn(all_cases()), test_name);

}  // namespace
}  // namespace tenon::test
