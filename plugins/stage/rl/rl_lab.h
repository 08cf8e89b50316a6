// The stage `rl` among small components whose numbers can be recomputed by hand. For its tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "support/fake_components.h"

namespace tenon::test {

// Share of the digits of the completion that are odd; 0 for none.
inline double odd_digits(const Sample& s) {
  double odd = 0, all = 0;
  for (char c : s.completion)
    if (c >= '0' && c <= '9') ++all, odd += (c - '0') % 2;
  return all > 0 ? odd / all : 0;
}

inline constexpr const char* kSmall = R"({"steps": 1, "prompts": 3, "group_size": 4, "max_new_tokens": 10})";

struct Lab {
  explicit Lab(const std::string& options = kSmall)
      : host(plugin_component(), options), io(host, new_folder()) {
    host.slot("model", model.ref("policy"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref("sums"));
    host.slot("sampler", sampler.ref());
    host.slot("algorithm", algorithm.ref());
    host.slot("optimizer", sgd.ref());
    host.slot("rewards/0", reward.ref("odd"));
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

  static std::string new_folder() {
    static int count = 0;
    return ::testing::TempDir() + "rl_test_" + std::to_string(getpid()) + "_" + std::to_string(count++);
  }
  ~Lab() { std::filesystem::remove_all(io.folder); }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel model{host, 23, 48};
  NaiveSampler sampler;
  RowSet data{
      {{"1+2=", "", "", "{}"}, {"7=", "", "", "{}"}, {"1+2-3=", "", "", "{}"}, {"9-9=", "", "", "{}"}}};
  LambdaReward reward{odd_digits};
  PlainReinforce algorithm;
  PlainSgd sgd;
};

}  // namespace tenon::test
