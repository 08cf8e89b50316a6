// Loss, gradient and advantages against TRL's own, for the same log-probabilities and rewards. Needs TENON_PEER_PYTHON, a Python with trl 1.16; prints a table.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cases.h"
#include "tenon/conformance/algorithm.hpp"

namespace tenon::test {
namespace {

namespace fs = std::filesystem;
namespace js = boost::json;

// A variant of ours, and TRL's settings for the same.
struct Variant {
  const char *name, *algorithm;
  std::map<std::string, std::string> options;
  const char *trainer, *loss_type, *level, *scale_rewards;
  double epsilon_low, epsilon_high, beta;
  bool bias_correction;
  double delta;  // 0: none
};
constexpr double kLength = 12;  // max_completion_length of dr_grpo

std::vector<Variant> variants() {
  const std::string mean = "\"sequence-mean\"";
  return {
      {"grpo", "grpo", {{"aggregation", mean}}, "grpo", "grpo", "token", "group", 0.2, 0.2, 0, false, 0},
      {"grpo, beta",
       "grpo",
       {{"aggregation", mean}, {"beta", "0.04"}},
       "grpo",
       "grpo",
       "token",
       "group",
       0.2,
       0.2,
       0.04,
       false,
       0},
      {"grpo, unbiased KL",
       "grpo",
       {{"beta", "0.04"}, {"kl", "\"k3-ratio\""}},
       "grpo",
       "bnpo",
       "token",
       "group",
       0.2,
       0.2,
       0.04,
       true,
       0},
      {"grpo, delta",
       "grpo",
       {{"aggregation", mean}, {"delta", "1.5"}},
       "grpo",
       "grpo",
       "token",
       "group",
       0.2,
       0.2,
       0,
       false,
       1.5},
      {"dr_grpo",
       "grpo",
       {{"std", "\"none\""}, {"aggregation", "\"constant-length\""}, {"length", "12"}},
       "grpo",
       "dr_grpo",
       "token",
       "none",
       0.2,
       0.2,
       0,
       false,
       0},
      {"dapo", "grpo", {{"clip_high", "0.28"}}, "grpo", "dapo", "token", "group", 0.2, 0.28, 0, false, 0},
      {"gspo",
       "grpo",
       {{"ratio", "\"geometric-mean\""}, {"aggregation", mean}, {"clip_low", "0.03"}, {"clip_high", "0.04"}},
       "grpo",
       "grpo",
       "sequence",
       "group",
       0.03,
       0.04,
       0,
       false,
       0},
      // TRL's epsilon_high is the bound itself, ours what is added to 1; TRL has no lower bound.
      {"cispo",
       "grpo",
       {{"objective", "\"cispo\""}, {"clip_low", "10"}, {"clip_high", "1.5"}},
       "grpo",
       "cispo",
       "token",
       "group",
       0.2,
       2.5,
       0,
       false,
       0},
      {"rloo",
       "rloo",
       {{"ratio", "\"sequence\""}, {"aggregation", mean}},
       "rloo",
       "",
       "sequence",
       "none",
       0.2,
       0.2,
       0,
       false,
       0},
  };
}

// Groups of four that stand together, each completion with a token: one without counts in TRL's mean with a ratio of 1, which moves the loss and no gradient.
// interrupted: some tokens within completions are not scored (TRL's tool_mask).
Rollout rollout(uint32_t needs, bool interrupted) {
  Rollout r = conformance::random_rollout(needs | TENON_NEEDS_REFERENCE, 77,
                                          {.groups = 6, .group_size = 6, .tokens = 12, .extreme = 3});
  std::mt19937_64 random(7);
  std::vector<uint64_t> rows = conformance::detail::all_rows(r);
  std::erase_if(rows, [&](uint64_t i) { return r.completion_len(i) == 0; });
  rows.resize(rows.size() / 4 * 4);
  r = r.select(rows);
  for (uint64_t i = 0; i < r.size(); ++i) {
    r.valid[i] = 1, r.group_id[i] = i / 4, r.reward[i] = static_cast<double>(random() % 5) / 2;
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      const bool completion = t >= r.ids.offsets[i] + r.prompt_len[i];
      r.mask[t] = completion && (!interrupted || random() % 6 != 0) ? 1 : 0;
      auto around = [&](double middle, double spread) {
        return static_cast<float>(middle + spread * (static_cast<double>(random() >> 11) * 0x1p-52 - 1));
      };
      r.lp_old[t] = around(-1.5, 1), r.lp_new[t] = around(r.lp_old[t], random() % 3 == 0 ? 1.2 : 0.3),
      r.lp_ref[t] = around(r.lp_old[t], 0.5);
    }
  }
  return r;
}

js::array sequences(const Rollout& r) {
  js::array out;
  for (uint64_t i = 0; i < r.size(); ++i) {
    js::object row{{"reward", r.reward[i]}, {"group", r.group_id[i]}};
    auto column = [&](const char* name, const auto& values) {
      js::array a;
      for (uint64_t t = r.ids.offsets[i] + r.prompt_len[i]; t < r.ids.offsets[i + 1]; ++t)
        a.push_back(static_cast<double>(values[t]));
      row[name] = a;
    };
    column("mask", r.mask), column("lp_old", r.lp_old), column("lp_new", r.lp_new),
        column("lp_ref", r.lp_ref);
    out.push_back(row);
  }
  return out;
}

js::value ask(const js::array& cases) {
  const fs::path folder = fs::temp_directory_path() / ("tenon-trl-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "cases.json") << js::serialize(cases);
  const std::string command = std::string(std::getenv("TENON_PEER_PYTHON")) +
                              " " TENON_PEERS "/trl_losses.py '" + (folder / "cases.json").string() + "' '" +
                              (folder / "answers.json").string() + "' > '" + (folder / "log.txt").string() +
                              "' 2>&1";
  const int status = std::system(command.c_str());
  auto read = [&](const char* name) {
    std::ifstream in(folder / name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string text = read("answers.json"), log = read("log.txt");
  fs::remove_all(folder);
  if (status != 0) throw Error("trl_losses.py failed: " + log);
  return js::parse(text);
}

TEST(Trl, GivesTheSameLossAndGradient) {
  if (std::getenv("TENON_PEER_PYTHON") == nullptr) GTEST_SKIP() << "TENON_PEER_PYTHON is not set";
  js::array cases;
  for (const Variant& v : variants())
    cases.push_back(js::object{{"name", v.name},
                               {"trainer", v.trainer},
                               {"loss_type", v.loss_type},
                               {"level", v.level},
                               {"scale_rewards", v.scale_rewards},
                               {"epsilon_low", v.epsilon_low},
                               {"epsilon_high", v.epsilon_high},
                               {"beta", v.beta},
                               {"bias_correction", v.bias_correction},
                               {"delta", v.delta == 0 ? js::value() : js::value(v.delta)},
                               {"max_completion_length", kLength},
                               {"sequences", sequences(rollout(0, std::string_view(v.trainer) == "grpo"))}});
  const js::value answers = ask(cases);
  std::printf("%-18s %16s %16s %22s %22s\n", "", "loss", "TRL's", "max |Δ gradient| / max",
              "max |Δ advantage|");
  for (const Variant& v : variants()) {
    if (find_algorithm(v.algorithm) == nullptr) continue;
    const testing::Instance<tenon_algorithm_vt> instance(find_algorithm(v.algorithm), v.options);
    const conformance::detail::Subject s(instance.ref());
    Rollout r = rollout(0, std::string_view(v.trainer) == "grpo");
    s.advantages(r), s.weigh(r);
    const Algorithm::Columns ours = s.gradient(r).columns;
    const js::object& theirs = answers.at(v.name).as_object();
    double worst = 0, largest = 0, worst_advantage = 0;
    for (uint64_t i = 0; i < r.size(); ++i) {
      const js::array& gradient = theirs.at("gradient").at(i).as_array();
      for (uint64_t k = 0; k < gradient.size(); ++k) {
        const uint64_t t = r.ids.offsets[i] + r.prompt_len[i] + k;
        const double d = gradient[k].to_number<double>();
        worst = std::max(worst, std::abs(d - ours.d_logprob[t])), largest = std::max(largest, std::abs(d));
        if (r.mask[t] != 0)
          worst_advantage = std::max(
              worst_advantage, std::abs(r.advantage[t] - theirs.at("advantages").at(i).to_number<double>()));
      }
    }
    const double loss = theirs.at("loss").to_number<double>();
    std::printf("%-18s %16.10f %16.10f %22.2e %22.2e\n", v.name, ours.loss, loss, worst / largest,
                worst_advantage);
    EXPECT_NEAR(ours.loss, loss, 1e-9) << v.name;
    EXPECT_GT(largest, 1e-3) << v.name;
    EXPECT_LT(worst / largest, 1e-6) << v.name;
    EXPECT_LT(worst_advantage, 1e-9) << v.name;
  }
}

}  // namespace
}  // namespace tenon::test
