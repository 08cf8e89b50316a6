// Tests of what algorithms share: absent columns and losses that are not finite are named.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/algorithm_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tenon::algorithm_support {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

// Two sequences of two tokens.
struct Columns {
  std::vector<uint64_t> offsets{0, 2, 4}, sample_id{70, 71};
  std::vector<double> advantage{0, 1, 2, 3}, weight{1, 1, 1, 1};
  std::vector<float> lp_new{0, -1, -2, -3}, lp_old{0, -4, -5, -6}, lp_ref{0, -7, -8, -9};
  tenon_rollout raw{};
  Columns() {
    raw.struct_size = sizeof raw;
    raw.n_seq = 2, raw.n_tok = 4;
    raw.offsets = offsets.data(), raw.sample_id = sample_id.data();
    raw.advantage = advantage.data(), raw.weight = weight.data();
    raw.lp_new = lp_new.data(), raw.lp_old = lp_old.data();
  }
};

TEST(AlgorithmSupport, EveryColumnOfAGradientMustBeThere) {
  Columns c;
  need_gradient_columns(RolloutView(&c.raw));
  c.raw.lp_old = nullptr;
  EXPECT_THAT(message_of([&] { need_gradient_columns(RolloutView(&c.raw)); }), HasSubstr("no column lp_old"));
  c.raw.lp_old = c.lp_old.data(), c.raw.weight = nullptr;
  EXPECT_THAT(message_of([&] { need_gradient_columns(RolloutView(&c.raw)); }), HasSubstr("no column weight"));
}

TEST(AlgorithmSupport, ALossThatIsNotFiniteNamesItsTokenAndNumbers) {
  Columns c;
  const auto said = [&] { return message_of([&] { throw_not_finite(RolloutView(&c.raw), 1, 3); }); };
  EXPECT_THAT(said(), AllOf(HasSubstr("token 1 of sample 71"), HasSubstr("advantage 3.0"),
                            HasSubstr("lp_new -3.0"), HasSubstr("lp_old -6.0")));
  EXPECT_THAT(said(), ::testing::Not(HasSubstr("lp_ref")));
  c.raw.lp_ref = c.lp_ref.data();
  EXPECT_THAT(said(), HasSubstr("lp_ref -9.0"));
}

}  // namespace
}  // namespace tenon::algorithm_support
