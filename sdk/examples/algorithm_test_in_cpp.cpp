// The checks that any algorithm should pass, run on the example algorithm.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/conformance/algorithm.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);  // of the plugin, linked in

TEST(Reinforce, IsRight) {
  const tenon_component* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  const tenon::testing::Instance<tenon_algorithm_vt> reinforce(component);  // and options: {{"beta", "0.1"}}
  for (const auto& check : tenon::conformance::kAlgorithmChecks)
    EXPECT_EQ(check.run(reinforce.ref()), "") << check.name;
}
