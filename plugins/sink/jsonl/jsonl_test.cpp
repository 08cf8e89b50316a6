// Tests of the sink jsonl: what it writes reads back, and a file that cannot be written is an error.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tenon/json.hpp"
#include "tenon/sink.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::json::number_field;
using tenon::json::text_field;
using Sink = tenon::testing::Instance<tenon_sink_vt>;

class JsonlSink : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("jsonl_test_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    path = folder / "metrics.jsonl";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  static tenon_component const* component() {
    return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  }
  std::map<std::string, std::string> options(const std::string& file) {
    return {{"path", tenon::json::quote(file)}};
  }
  static int32_t record(Sink& sink, uint64_t step, double value, tenon_error* err) {
    const char* names[] = {"loss", "re\"ward"};
    double values[] = {value, 0.1};
    tenon_record r{sizeof r, 0, "my run", "zero", step, 10, 2, names, values, 1.5};
    return sink.vt->record(sink.self, nullptr, &r, err);
  }
  std::vector<std::string> lines() {
    std::ifstream in(path);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  std::filesystem::path folder, path;
};

TEST_F(JsonlSink, RecordsReadBack) {
  tenon::ErrorBuffer err;
  {
    Sink sink(component(), options(path));
    err.check(record(sink, 3, 1.0 / 3, err));
    err.check(record(sink, 4, std::nan(""), err));
    EXPECT_EQ(lines().size(), 2u) << "each line is there when record returns";
  }
  auto all = lines();
  EXPECT_EQ(text_field(all[0], "run"), "my run");
  EXPECT_EQ(text_field(all[0], "stage"), "zero");
  EXPECT_EQ(number_field(all[0], "step"), 3);
  EXPECT_EQ(number_field(all[0], "loss"), 1.0 / 3);
  EXPECT_EQ(number_field(all[0], "re\"ward"), 0.1);
  EXPECT_EQ(number_field(all[0], "seconds"), 1.5);
  EXPECT_EQ(tenon::json::raw_field(all[1], "loss"), "null");
}

TEST_F(JsonlSink, AppendsToWhatIsThere) {
  tenon::ErrorBuffer err;
  for (uint64_t run = 0; run < 2; ++run) {
    Sink sink(component(), options(path));
    err.check(record(sink, run, 1, err));
  }
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(JsonlSink, Events) {
  tenon::ErrorBuffer err;
  auto with = options(path);
  {
    Sink sink(component(), with);
    err.check(sink.vt->event(sink.self, nullptr, TENON_EVENT_TABLE, "table", "a\nb", err));
  }
  with["events"] = "false";
  {
    Sink sink(component(), with);
    err.check(sink.vt->event(sink.self, nullptr, TENON_EVENT_TABLE, "table", "a\nb", err));
  }
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0], R"({"event":"table","stage":"table","text":"a\nb"})");
}

TEST_F(JsonlSink, AFolderThatIsNotThereIsAnErrorThatNamesTheFile) {
  try {
    Sink sink(component(), options(folder / "no" / "x.jsonl"));
    FAIL();
  } catch (const tenon::Error& e) {
    EXPECT_NE(std::string(e.what()).find("x.jsonl"), std::string::npos);
  }
}

TEST_F(JsonlSink, AFullDiskStopsTheRun) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  Sink sink(component(), options("/dev/full"));
  tenon::ErrorBuffer err;
  EXPECT_EQ(record(sink, 0, 1, err), TENON_E_IO);
}

}  // namespace
