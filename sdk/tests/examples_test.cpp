// The two example plugins, opened and called as the host does it.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "tenon/sdk.hpp"
#include "tenon/testing.hpp"

namespace {

const tenon_plugin* open(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw tenon::Error(dlerror());
  auto query = reinterpret_cast<tenon_plugin_query_fn>(dlsym(library, TENON_ENTRY));
  if (query == nullptr) throw tenon::Error(std::string(file) + " does not export " TENON_ENTRY);
  tenon_host_info info{sizeof info, TENON_ABI_LEVEL, TENON_ABI_DRAFT, 0, "tenon", "test"};
  return query(&info);
}

tenon::testing::Verdict score(const char* file, std::map<std::string, std::string> options,
                              std::string_view completion, std::string_view meta) {
  const tenon::testing::Instance<tenon_reward_vt> reward(tenon::testing::component_of(open(file)),
                                                         std::move(options));
  return tenon::testing::judge(reward, completion, meta);
}

TEST(Examples, InC) {
  EXPECT_EQ(score(PLUGIN_IN_C, {{"limit", "10"}}, "abcde", "{}").reward, 0.5);
  EXPECT_EQ(score(PLUGIN_IN_C, {{"limit", "10"}}, "abcdefghijkl", "{}").reward, 0);
  EXPECT_EQ(score(PLUGIN_IN_C, {}, "", "{}").reward, 1);
}

TEST(Examples, WhoMadeAPluginIsWhatItsAuthorSays) {
  const tenon_plugin* silent = open(PLUGIN_IN_CPP);
  EXPECT_STREQ(silent->vendor, "");
  EXPECT_STREQ(silent->license, "");
  EXPECT_STREQ(silent->url, "");
  EXPECT_EQ(silent->abi_min, static_cast<uint32_t>(TENON_ABI_MIN_OF_WRAPPERS));
  const tenon_plugin* signing = open(PLUGIN_OF_EXAMPLE_LTD);
  EXPECT_STREQ(signing->vendor, "Example Ltd");
  EXPECT_STREQ(signing->license, "MIT");
  EXPECT_STREQ(signing->url, "https://example.org");
}

TEST(Examples, InCpp) {
  EXPECT_EQ(score(PLUGIN_IN_CPP, {}, "a tenon joint", R"({"must_say":"tenon"})").reward, 1);
  EXPECT_EQ(score(PLUGIN_IN_CPP, {}, "a dowel", R"({"must_say":"tenon"})").reward, 0);
  EXPECT_EQ(score(PLUGIN_IN_CPP, {}, "a dowel", "{}").status, TENON_R_REFUSED);
}

}  // namespace
