// Tests of what data sets share: draws, splits, templates, forms of prompts.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "tenon/testing.hpp"

namespace {

using namespace tenon::dataset_support;

constexpr tenon::OptionTable kOptions{kAs, kSystem};
struct Nothing {
  explicit Nothing(tenon::Host) {}
  uint64_t size() const { return 0; }
  tenon::Row at(uint64_t) const { return {}; }
  static void check(tenon::Host host, tenon::Findings& findings) { PromptForm::check(host, findings); }
};
constexpr tenon_component kComponent =
    tenon::component<Nothing, tenon::DatasetShim<Nothing>>("nothing", "1", "For tests.", kOptions);

TEST(Draws, DependOnSeedAndRowAlone) {
  tenon::testing::TestHost raw(&kComponent);
  tenon::Host host(raw.raw());
  Draws a(host, 1, 2), b(host, 1, 2), c(host, 1, 3), d(host, 2, 2);
  uint64_t x = a.below(1u << 30);
  EXPECT_EQ(b.below(1u << 30), x);
  EXPECT_NE(c.below(1u << 30), x);
  EXPECT_NE(d.below(1u << 30), x);
  EXPECT_NE(a.below(1u << 30), x) << "the second draw is another";
}

TEST(Draws, AreUniform) {
  tenon::testing::TestHost raw(&kComponent);
  tenon::Host host(raw.raw());
  Draws draws(host, 5, 6);
  std::vector<double> count(10);
  double mean = 0;
  for (int i = 0; i < 100000; ++i)
    count[static_cast<size_t>(draws.between(-3, 6) + 3)] += 1, mean += draws.unit() / 100000;
  for (double c : count) EXPECT_NEAR(c, 10000, 5 * std::sqrt(100000 * .1 * .9));
  EXPECT_NEAR(mean, .5, 5 * std::sqrt(1. / 12 / 100000));
}

// These values are what splits are made of: a change would move held-out problems into training data.
TEST(Hash, NeverChanges) {
  EXPECT_EQ(hash(""), 0xfdbdf6ac4fc52e7f);
  EXPECT_EQ(hash("3+4-2="), 0xcab15f3d8aad07b);
  EXPECT_FALSE(held_out("anything", 0));
  EXPECT_TRUE(held_out("anything", 1));
  double held = 0;
  for (int i = 0; i < 100000; ++i) held += held_out("problem " + std::to_string(i), 0.1);
  EXPECT_NEAR(held / 100000, 0.1, 5 * std::sqrt(.1 * .9 / 100000));
}

TEST(Template, NamesAndBraces) {
  Template t("{a}+{b}={{{a}}}");
  EXPECT_EQ(t.names(), (std::vector<std::string>{"a", "b", "a"}));
  EXPECT_EQ(t.fill([](const std::string& n) { return n == "a" ? "1" : "{x}"; }), "1+{x}={1}");
  EXPECT_EQ(Template("").fill([](const std::string&) { return ""; }), "");
  for (const char* bad : {"{a", "{}", "a}", "{{a}"}) EXPECT_THROW(Template{bad}, tenon::Error) << bad;
  EXPECT_NO_THROW(require_names(t, {"a", "b"}));
  EXPECT_THROW(require_names(t, {"a"}), tenon::Error);
}

TEST(PromptForm, PromptOrChat) {
  auto row = [](std::map<std::string, std::string> options) {
    tenon::testing::TestHost host(&kComponent, std::move(options));
    tenon::Row r;
    PromptForm(tenon::Host(host.raw())).set(r, "1+\"1\"?");
    return r;
  };
  EXPECT_EQ(row({}).prompt, "1+\"1\"?");
  EXPECT_EQ(row({}).messages_json, "");
  EXPECT_EQ(row({{"as", "\"messages\""}}).messages_json, R"([{"role":"user","content":"1+\"1\"?"}])");
  EXPECT_EQ(row({{"as", "\"messages\""}, {"system", "\"Be brief.\""}}).messages_json,
            R"([{"role":"system","content":"Be brief."},{"role":"user","content":"1+\"1\"?"}])");
  EXPECT_EQ(tenon::testing::findings_of(&kComponent, {{"system", "\"x\""}}).size(), 1u);
  EXPECT_EQ(tenon::testing::findings_of(&kComponent, {{"as", "\"messages\""}, {"system", "\"x\""}}).size(),
            0u);
}

}  // namespace
