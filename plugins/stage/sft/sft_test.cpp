// What the loss is on, and how long it trains.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

struct Lab {
  Lab(const std::string& options, std::vector<Row> rows)
      : host(plugin_component(), options), io(host), data(std::move(rows)) {
    host.slot("model", model.ref());
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref());
    host.slot("optimizer", sgd.ref());
  }
  void run() { run_stage(plugin_component(), host, io); }
  std::string run_and_fail() {
    try {
      run();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel model{host, 23, 32};
  RowSet data;
  PlainSgd sgd;
};

const char* kChat = R"([{"role":"user","content":"1+2"},{"role":"assistant","content":"3"}])";
const char* kQuestion = R"([{"role":"user","content":"1+2"}])";

TEST(Sft, ChatsAndPromptsWithTheSameTextTrainTheSame) {
  std::vector<std::vector<float>> weights;
  std::vector<double> losses;
  for (const Row& row :
       {Row{"1+2=", "", "3", "{}"}, Row{"", kChat, "", "{}"}, Row{"", kQuestion, "3", "{}"}}) {
    Lab lab(R"({"steps": 2, "batch": 2})", {row});
    lab.run();
    weights.push_back(lab.model.weight);
    losses.push_back(lab.io.steps.at(0).metric("loss"));
    EXPECT_EQ(lab.io.steps.at(0).metric("tokens"), 4) << "3 and the end, twice";
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(weights[0], weights[2]);
  EXPECT_EQ(losses[0], losses[1]);
}

TEST(Sft, EpochsAreCounted) {
  std::vector<Row> rows(5, Row{"1+2=", "", "3", "{}"});
  Lab lab(R"({"epochs": 2, "batch": 3})", rows);
  lab.run();
  EXPECT_EQ(lab.io.steps.size(), 4u);  // 10 rows in batches of 3
  EXPECT_EQ(lab.data.taken, 12u);
}

TEST(Sft, AnEndlessDataSetHasNoEpochs) {
  Lab lab(R"({"epochs": 2})", {Row{"1+2=", "", "3", "{}"}});
  static const auto* bounded = static_cast<const tenon_dataset_vt*>(lab.data.ref().vt);
  static constexpr tenon_dataset_vt endless{sizeof endless, 0, [](void*) { return TENON_COUNT_UNBOUNDED; },
                                            [](void* self, const tenon_call* call, const uint64_t* index,
                                               uint64_t n, const tenon_row_sink* out, tenon_error* err) {
                                              std::vector<uint64_t> first(n, 0 * index[0]);
                                              return bounded->read(self, call, first.data(), n, out, err);
                                            },
                                            nullptr};
  tenon_ref ref = lab.data.ref();
  ref.vt = &endless;
  lab.host.slot("data", ref);
  try {
    Instance(plugin_component(), lab.host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("epochs: the data set has no end"));
  }
}

TEST(Sft, ARowWithoutAnAnswerIsAnError) {
  EXPECT_THAT(Lab(R"({"steps": 1})", {{"1+2=", "", "", "{}"}}).run_and_fail(),
              HasSubstr("\"1+2=\": there is no answer"));
  EXPECT_THAT(Lab(R"({"steps": 1})", {{"", kQuestion, "", "{}"}}).run_and_fail(),
              HasSubstr("there is no answer"));
  EXPECT_THAT(Lab(R"({"steps": 1})", {{"", "{}", "", "{}"}}).run_and_fail(),
              HasSubstr("must be a JSON list"));
}

TEST(Sft, StepsOrEpochs) {
  EXPECT_THAT(check_findings(plugin_component(), FakeHost(plugin_component(), "{}")).at(0),
              HasSubstr("steps: give"));
  EXPECT_THAT(
      check_findings(plugin_component(), FakeHost(plugin_component(), R"({"steps": 1, "epochs": 1})")).at(0),
      HasSubstr("give one of them"));
  EXPECT_TRUE(check_findings(plugin_component(), FakeHost(plugin_component(), R"({"epochs": 1})")).empty());
}

}  // namespace
}  // namespace tenon::test
