// The example plugins, opened and called as the host does it.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

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

TEST(Examples, ADatasetInCpp) {
  const tenon_component* component = tenon::testing::component_of(open(DATASET_IN_CPP));
  const tenon::testing::Instance<tenon_dataset_vt> words(component, {{"words", R"(["peg", "\"q\""])"}});
  const std::vector<tenon::Row> rows = tenon::Dataset(words.ref()).read(nullptr, 0, 2);
  EXPECT_EQ(rows[0].prompt, "Write peg backwards: ");
  EXPECT_EQ(rows[0].completion, "gep");
  EXPECT_EQ(rows[1].meta("answer"), "\"q\"");
  EXPECT_THROW(tenon::Dataset(words.ref()).read(nullptr, 2, 1), tenon::Error);
}

TEST(Examples, AnAlgorithmInCpp) {
  const tenon::testing::Instance<tenon_algorithm_vt> instance(
      tenon::testing::component_of(open(ALGORITHM_IN_CPP)));
  const tenon::Algorithm algorithm(instance.ref());
  EXPECT_EQ(algorithm.info().aggregation, TENON_TOKEN_MEAN);
  tenon::Rollout r;
  const int32_t token[] = {1};
  const float logprob[] = {-0.5f};
  for (uint64_t i = 0; i < 4; ++i) r.push(token, token, logprob, i < 3 ? 0 : 1, i, TENON_FINISH_STOP);
  r.reward = {1, 0, 100, 5};
  r.valid = {1, 1, 0, 1};
  r.lp_new = r.lp_sample;
  r.weight = std::vector<double>(r.tokens(), 0.25);
  tenon::Algorithm::Metrics metrics;
  algorithm.advantages(nullptr, r, metrics);
  EXPECT_EQ(r.advantage, (std::vector<double>{0, 0.5, 0, -0.5, 0, 0, 0, 0}));
  const auto gradient = algorithm.gradient(nullptr, r, metrics);
  EXPECT_EQ(gradient.d_logprob, (std::vector<float>{0, -0.125f, 0, 0.125f, 0, 0, 0, 0}));
  EXPECT_EQ(gradient.loss, 0.25 * 0.5 * 0.5 - 0.25 * 0.5 * 0.5);
}

// The stage, on a data set, up to its end or to the step after which it is stopped.
struct StageTest {
  uint64_t total = 0, steps = 0, stop_after = UINT64_MAX;
  std::map<std::string, double> results;

  tenon_stage_io io(uint64_t first_step) {
    tenon_stage_io io{};
    io.struct_size = sizeof io;
    io.ctx = this;
    io.first_step = first_step;
    io.begin = [](void* ctx, uint64_t n) { static_cast<StageTest*>(ctx)->total = n; };
    io.step_end = [](void* ctx, uint64_t step, tenon_error*) -> int32_t {
      auto& to = *static_cast<StageTest*>(ctx);
      ++to.steps;
      return step == to.stop_after ? TENON_E_CANCELLED : TENON_OK;
    };
    io.result = [](void* ctx, const char*, const char*, const char* metric, double value,
                   tenon_error*) -> int32_t {
      static_cast<StageTest*>(ctx)->results[metric] = value;
      return TENON_OK;
    };
    return io;
  }
};

TEST(Examples, AStageInCppGoesOnWhereItStopped) {
  const tenon::testing::Instance<tenon_dataset_vt> words(tenon::testing::component_of(open(DATASET_IN_CPP)),
                                                         {{"words", R"(["a", "bb", "cccc"])"}});
  const tenon_component* component = tenon::testing::component_of(open(STAGE_IN_CPP));
  tenon::testing::TestHost host(component, {{"rows", "3"}, {"batch", "2"}});
  host.slot("data", words.ref());
  StageTest test;
  auto run = [&](const tenon::testing::Created& stage, uint64_t first_step) {
    tenon_stage_io io = test.io(first_step);
    tenon::ErrorBuffer err;
    err.check(static_cast<const tenon_stage_vt*>(component->vt)->run(stage.self, nullptr, &io, err));
  };
  test.stop_after = 0;
  const tenon::testing::Created first(component, host.raw());
  EXPECT_THROW(run(first, 0), tenon::Error);
  const tenon::testing::Created second(component, host.raw());
  second.load(first.save());
  run(second, 1);
  EXPECT_EQ(test.total, 2u);
  EXPECT_EQ(test.steps, 2u);
  EXPECT_EQ(host.metrics.at("prompt/longest"), 22);
  EXPECT_DOUBLE_EQ(test.results.at("mean_bytes"), 18 + 7.0 / 3);

  tenon::testing::TestHost greedy(component, {{"rows", "4"}});
  greedy.slot("data", words.ref());
  EXPECT_THROW(tenon::testing::Created(component, greedy.raw()), tenon::Error);
}

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Examples, TheReadmeShowsThemAsTheyAre) {
  const std::string sdk = SDK_FOLDER, readme = text_of(sdk + "/README.md");
  for (const char* name :
       {"plugin_in_cpp", "dataset_in_cpp", "algorithm_in_cpp", "stage_in_cpp", "algorithm_test_in_cpp"}) {
    const std::string source = text_of(sdk + "/examples/" + name + ".cpp");
    const std::string shown = source.substr(source.find("#include"));
    EXPECT_NE(readme.find("```cpp\n" + shown + "```"), std::string::npos) << name;
  }
}

}  // namespace
