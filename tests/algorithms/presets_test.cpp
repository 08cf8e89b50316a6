// Each value of each preset beside the place where it is printed; read from the plugins' own descriptors. A value without a row here, and a row without a value, fail.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <set>
#include <variant>

#include "cases.h"

namespace tenon::test {
namespace {

namespace js = boost::json;

// Numbers that a source prints as others are computed from those.
using Printed = std::variant<double, bool, const char*>;
struct Row {
  const char *preset, *option;  // "stage.prompts": of the stage
  Printed value;
  const char* where;
};

const Row kRows[] = {
    // DeepSeekMath, arXiv 2402.03300.
    {"grpo/deepseekmath", "aggregation", "sequence-mean", "eq. 3: 1/G Σ 1/|o| Σ"},
    {"grpo/deepseekmath", "beta", 0.04, "4.2: KL coefficient"},
    {"grpo/deepseekmath", "kl", "k3", "eq. 4"},
    {"grpo/deepseekmath", "stage.prompts", 1024.0 / 64, "4.2: training batch 1024, 64 outputs a question"},
    {"grpo/deepseekmath", "stage.group_size", 64.0, "4.2: 64 outputs a question"},
    {"grpo/deepseekmath", "stage.mini_batches", 1.0, "4.2: a single update following each exploration"},
    {"grpo/deepseekmath", "stage.epochs", 1.0, "4.2: a single update following each exploration"},
    {"grpo/deepseekmath", "stage.max_new_tokens", 1024.0, "4.2: maximum length"},

    // DeepSeek-R1, arXiv 2501.12948v2; rollouts of 8,192 outputs, 16 a question, in 16 mini-batches.
    {"grpo/r1", "aggregation", "sequence-mean", "eq. 1: 1/G Σ"},
    {"grpo/r1", "clip_low", 10.0, "3.2.1: the clip ratio ε is 10"},
    {"grpo/r1", "clip_high", 10.0, "3.2.1: the clip ratio ε is 10"},
    {"grpo/r1", "beta", 0.001, "3.2.1: KL coefficient"},
    {"grpo/r1", "kl", "k3", "eq. 2"},
    {"grpo/r1", "stage.prompts", 8192.0 / 16, "2.1: 8,192 outputs a rollout, 16 a question"},
    {"grpo/r1", "stage.group_size", 16.0, "2.1: 16 outputs a question"},
    {"grpo/r1", "stage.mini_batches", 16.0, "2.1: 16 mini-batches"},
    {"grpo/r1", "stage.epochs", 1.0, "2.1: a single inner epoch"},
    {"grpo/r1", "stage.temperature", 1.0, "3.2.1: sampling temperature"},
    {"grpo/r1", "stage.max_new_tokens", 32768.0, "2.1: maximum length"},
    {"grpo/r1", "stage.reference_interval", 400.0, "2.1: the reference becomes the policy every 400 steps"},
    {"grpo/r1", "stage.reference_mix", 1.0, "2.1: replaced, not mixed"},

    // Dr. GRPO, arXiv 2503.20783.
    {"grpo/dr-grpo", "std", "none", "3.2: the deviation is removed"},
    {"grpo/dr-grpo", "aggregation", "constant-length", "3.2 and listing 1: masked_mean by a constant"},
    {"grpo/dr-grpo", "length", 3000.0, "not in the paper: generation length of the authors' scripts"},
    {"grpo/dr-grpo", "stage.group_size", 8.0, "not in the paper: samples a prompt of the authors' scripts"},
    {"grpo/dr-grpo", "stage.max_new_tokens", 3000.0, "not in the paper: the authors' scripts"},

    // DAPO, arXiv 2503.14476.
    {"grpo/dapo", "clip_low", 0.2, "4.1: ε_low"},
    {"grpo/dapo", "clip_high", 0.28, "4.1: ε_high"},
    {"grpo/dapo", "aggregation", "token-mean", "eq. 8: 1 / Σ|o|"},
    {"grpo/dapo", "stage.prompts", 512.0, "4.1: prompt batch size"},
    {"grpo/dapo", "stage.group_size", 16.0, "4.1: 16 responses a prompt"},
    {"grpo/dapo", "stage.mini_batches", 512.0 * 16 / 512, "4.1: mini-batch size 512, 16 updates a rollout"},
    {"grpo/dapo", "stage.epochs", 1.0, "4.1: 16 gradient updates for each rollout step"},
    {"grpo/dapo", "stage.refills", 10.0, "3.2 has no bound; max_num_gen_batches of verl's recipe"},
    {"grpo/dapo", "stage.refill_by", "accuracy", "eq. 11: more than 0 and fewer than G correct answers"},
    {"grpo/dapo", "stage.overlong", "mask", "3.4: overlong filtering"},
    {"grpo/dapo", "stage.max_new_tokens", 16384.0 + 4096, "4.1: expected length and soft punishment cache"},

    // GSPO, arXiv 2507.18071.
    {"grpo/gspo", "ratio", "geometric-mean", "eq. 7"},
    {"grpo/gspo", "clip_low", 3e-4, "5.1: left clipping range"},
    {"grpo/gspo", "clip_high", 4e-4, "5.1: right clipping range"},
    {"grpo/gspo", "aggregation", "sequence-mean", "eq. 5: 1/G Σ"},
    {"grpo/gspo", "stage.mini_batches", 4.0, "5.1: four mini-batches of a rollout batch"},
    {"grpo/gspo-token", "ratio", "geometric-mean-token", "eq. 14"},
    {"grpo/gspo-token", "clip_low", 3e-4, "5.1, of GSPO"},
    {"grpo/gspo-token", "clip_high", 4e-4, "5.1, of GSPO"},
    {"grpo/gspo-token", "aggregation", "sequence-mean", "eq. 13: 1/G Σ 1/|o| Σ"},
    {"grpo/gspo-token", "stage.mini_batches", 4.0, "5.1, of GSPO"},

    // CISPO, MiniMax-M1, arXiv 2506.13585; ScaleRL, arXiv 2510.13786, has the truncation at 5.
    {"grpo/cispo", "objective", "cispo", "eq. 4"},
    {"grpo/cispo", "clip_low", 10.0, "3.1: no lower bound, and a ratio is never below 1 − 10"},
    {"grpo/cispo", "clip_high", 5.0 - 1, "not in the paper; ScaleRL: ratios truncated at 5 = 1 + ε_high"},
    {"grpo/cispo", "aggregation", "token-mean", "eq. 4: 1 / Σ|o|"},

    // GMPO, arXiv 2507.20673: bounds (e^-0.4, e^0.4).
    {"grpo/gmpo", "objective", "gmpo", "eq. 4"},
    {"grpo/gmpo", "ratio", "geometric-mean", "eq. 4: the product to the power of 1/|o|"},
    {"grpo/gmpo", "clip_low", 0.4, "the clip is of the logarithm, from e^-0.4"},
    {"grpo/gmpo", "clip_high", 0.4, "to e^0.4"},
    {"grpo/gmpo", "aggregation", "sequence-mean", "eq. 4: 1/G Σ"},

    // RLOO: Back to Basics, arXiv 2402.14740; TRL 1.16, RLOOConfig.
    {"rloo/back-to-basics", "loss", "reinforce", "3.2 and eq. 6: no ratio, no clip"},
    {"rloo/back-to-basics", "aggregation", "constant-length", "the log-probability of a completion is a sum"},
    {"rloo/back-to-basics", "length", 1.0, "a sum, divided by nothing but the samples"},
    {"rloo/trl", "ratio", "sequence", "rloo_trainer.py: log ratios are summed over the completion"},
    {"rloo/trl", "clip_low", 0.2, "RLOOConfig.epsilon"},
    {"rloo/trl", "clip_high", 0.2, "RLOOConfig.epsilon"},
    {"rloo/trl", "beta", 0.05, "RLOOConfig.beta"},
    {"rloo/trl", "aggregation", "sequence-mean", "rloo_trainer.py: the mean of the completions' losses"},
    {"rloo/trl", "stage.group_size", 2.0, "RLOOConfig.num_generations"},

    // REINFORCE++, arXiv 2501.03262.
    {"reinforce++/general", "baseline", "none", "3.1"},
    {"reinforce++/general", "gamma", 1.0, "3.1: rewards to go are not discounted"},
    {"reinforce++/general", "beta", 0.01, "not in the paper: OpenRLHF's init_kl_coef"},
    {"reinforce++/general", "clip_low", 0.2, "PPO's ε, arXiv 1707.06347, table 3"},
    {"reinforce++/general", "clip_high", 0.2, "PPO's ε"},
    {"reinforce++/general", "stage.group_size", 1.0, "3.1: one response a prompt"},
    {"reinforce++/baseline", "baseline", "group", "3.2"},
    {"reinforce++/baseline", "beta", 0.001, "not in the paper: OpenRLHF's script of reinforce_baseline"},
    {"reinforce++/baseline", "clip_low", 0.2, "PPO's ε"},
    {"reinforce++/baseline", "clip_high", 0.2, "PPO's ε"},
    {"reinforce++/baseline", "stage.group_size", 4.0, "of no source: a choice of this preset"},

    // PPO: TRL's PPOConfig; verl's core_algos.py and ppo_trainer.yaml; OpenRLHF's train_ppo_ray.py.
    {"ppo/trl", "gamma", 1.0, "PPOConfig.gamma"},
    {"ppo/trl", "lambda", 0.95, "PPOConfig.lam"},
    {"ppo/trl", "beta", 0.05, "PPOConfig.kl_coef"},
    {"ppo/trl", "clip_low", 0.2, "PPOConfig.cliprange"},
    {"ppo/trl", "clip_high", 0.2, "PPOConfig.cliprange"},
    {"ppo/trl", "value_clip", 0.2, "PPOConfig.cliprange_value"},
    {"ppo/trl", "value_coef", 0.1, "PPOConfig.vf_coef"},
    {"ppo/trl", "whiten", true, "ppo_trainer.py: masked_whiten(advantages)"},
    {"ppo/trl", "stage.epochs", 4.0, "PPOConfig.num_ppo_epochs"},
    {"ppo/trl", "stage.temperature", 0.7, "PPOConfig.temperature"},
    {"ppo/verl", "gamma", 1.0, "algorithm.gamma"},
    {"ppo/verl", "lambda", 1.0, "algorithm.lam"},
    {"ppo/verl", "beta", 0.0, "algorithm.use_kl_in_reward is false"},
    {"ppo/verl", "clip_low", 0.2, "actor.clip_ratio"},
    {"ppo/verl", "clip_high", 0.2, "actor.clip_ratio"},
    {"ppo/verl", "dual_clip", 3.0, "actor.clip_ratio_c"},
    {"ppo/verl", "value_clip", 0.5, "critic.cliprange_value"},
    {"ppo/verl", "value_coef", 1.0, "a critic of its own: its loss has no factor"},
    {"ppo/verl", "whiten", true, "compute_gae_advantage_return: masked_whiten"},
    {"ppo/verl", "stage.epochs", 1.0, "actor.ppo_epochs"},
    {"ppo/openrlhf", "gamma", 1.0, "--gamma"},
    {"ppo/openrlhf", "lambda", 1.0, "--lambd"},
    {"ppo/openrlhf", "beta", 0.01, "--init_kl_coef"},
    {"ppo/openrlhf", "clip_low", 0.2, "--eps_clip"},
    {"ppo/openrlhf", "clip_high", 0.2, "--eps_clip"},
    {"ppo/openrlhf", "value_clip", 0.5, "--value_clip"},
    {"ppo/openrlhf", "value_coef", 1.0, "a critic of its own: its loss has no factor"},
    {"ppo/openrlhf", "whiten", true, "advantages are normalised over the batch"},
    {"ppo/openrlhf", "stage.epochs", 1.0, "--max_epochs"},
    {"ppo/r1-lambda-0.95", "lambda", 0.95, "arXiv 2501.12948v2, A.3, figure 4"},
    {"ppo/r1-lambda-1.0", "lambda", 1.0, "arXiv 2501.12948v2, A.3, figure 4"},

    // Preferences.
    {"dpo/ipo", "loss", "ipo", "arXiv 2310.12036, eq. 17"},
    {"dpo/ipo", "beta", 0.1, "not in the paper: TRL's DPOConfig.beta"},
    {"dpo/cdpo", "label_smoothing", 0.1, "of no source: an example of the share of wrong labels"},
};

bool equal(const js::value& is, const Printed& printed) {
  if (const auto* number = std::get_if<double>(&printed))
    return is.is_number() && is.to_number<double>() == *number;
  if (const auto* flag = std::get_if<bool>(&printed)) return is.is_bool() && is.as_bool() == *flag;
  return is.is_string() && is.as_string() == std::get<const char*>(printed);
}

TEST(Presets, HaveTheValuesOfTheirSources) {
  std::map<std::string, const Row*> rows;  // of presets that the build has, by "preset option"
  for (const Row& row : kRows)
    if (const std::string preset = row.preset; find_algorithm(preset.substr(0, preset.find('/'))) != nullptr)
      EXPECT_TRUE(rows.emplace(preset + " " + row.option, &row).second) << preset << ", " << row.option;
  for (const char* id : {"dpo", "grpo", "ppo", "reinforce", "reinforce++", "rloo"}) {
    const tenon_component* component = find_algorithm(id);
    for (auto p = component != nullptr ? component->presets : nullptr; p != nullptr && *p != nullptr; ++p)
      for (const auto& [prefix, text] :
           {std::pair{"", (*p)->options_json}, std::pair{"stage.", (*p)->stage_json}}) {
        if (text == nullptr) continue;
        const js::value options = js::parse(text);
        for (const auto& option : options.as_object()) {
          const std::string key =
              std::string(id) + "/" + (*p)->name + " " + prefix + std::string(option.key());
          const auto row = rows.find(key);
          if (row == rows.end()) {
            ADD_FAILURE() << "nothing says where " << key << ": " << js::serialize(option.value())
                          << " is from";
            continue;
          }
          EXPECT_TRUE(equal(option.value(), row->second->value))
              << key << " is " << js::serialize(option.value()) << ", not as in " << row->second->where;
          rows.erase(row);
        }
      }
  }
  for (const auto& [key, row] : rows) ADD_FAILURE() << key << " is in no preset: " << row->where;
}

}  // namespace
}  // namespace tenon::test
