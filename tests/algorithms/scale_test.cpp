// One optimizer step moves the weights as far as it should: stage, algorithm, normaliser and optimizer `sgd` together against numbers made anew from the texts'
// rewards, the float64 references and the papers' denominators. A loss of the wrong scale learns all the same under Adam; here it fails.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "lab.h"
#include "reference/reference.h"

namespace tenon::test {
namespace {

// Passes calls on to an algorithm and keeps what the stage gave it.
class Recorder {
 public:
  Recorder(const tenon_ref& real, const HashModel& model) : real_(real), model_(model) {}
  tenon_ref ref();
  struct Columns {  // of one sample's tokens
    std::vector<float> lp_old, lp_ref, value_old, lp_new, entropy, value;
  };
  struct Update {
    std::vector<float> weight, value_weight;  // of the model before it
    std::map<uint64_t, Columns> samples;      // given to `gradient`
  };
  std::map<uint64_t, Columns> rollout;  // given to `advantages`
  std::vector<Update> updates;

 private:
  static std::map<uint64_t, Columns> columns_of(const tenon_rollout& r) {
    std::map<uint64_t, Columns> out;
    for (uint64_t i = 0; i < r.n_seq; ++i) {
      Columns& c = out[r.sample_id[i]];
      for (const auto& [from, to] : {std::pair{r.lp_old, &c.lp_old},
                                     {r.lp_ref, &c.lp_ref},
                                     {r.value_old, &c.value_old},
                                     {r.lp_new, &c.lp_new},
                                     {r.entropy, &c.entropy},
                                     {r.value, &c.value}})
        if (from != nullptr) to->assign(from + r.offsets[i], from + r.offsets[i + 1]);
    }
    return out;
  }
  void keep(const tenon_rollout& r) {
    if (updates.empty() || updates.back().weight != model_.weight ||
        updates.back().value_weight != model_.value_weight)
      updates.push_back({model_.weight, model_.value_weight, {}});
    updates.back().samples.merge(columns_of(r));  // a micro-batch
  }
  friend struct RecorderTable;
  tenon_ref real_;
  const HashModel& model_;
};

struct RecorderTable {
  static Recorder& self(void* p) { return *static_cast<Recorder*>(p); }
  static const tenon_algorithm_vt& vt(void* p) {
    return *static_cast<const tenon_algorithm_vt*>(self(p).real_.vt);
  }
  static constexpr tenon_algorithm_vt kTable{
      sizeof(tenon_algorithm_vt), 0,
      [](void* p, tenon_algorithm_info* out, tenon_error* err) -> int32_t {
        return vt(p).info(self(p).real_.self, out, err);
      },
      [](void* p, const tenon_call* call, const tenon_rollout* in, tenon_advantages_out* out,
         tenon_error* err) -> int32_t {
        self(p).rollout = Recorder::columns_of(*in);
        return vt(p).advantages(self(p).real_.self, call, in, out, err);
      },
      [](void* p, const tenon_call* call, const tenon_rollout* in, tenon_gradient_out* out,
         tenon_error* err) -> int32_t {
        self(p).keep(*in);
        return vt(p).gradient(self(p).real_.self, call, in, out, err);
      }};
};
tenon_ref Recorder::ref() {
  tenon_ref out = real_;
  out.self = this, out.vt = &RecorderTable::kTable, out.life = nullptr;
  return out;
}

// What a sample was, from the reward's side.
struct Text {
  uint64_t group;
  std::vector<int32_t> prompt, completion;
  double reward;
};

// The weight of a token of a sequence of n tokens: 1 / all tokens, 1 / (sequences · n), 1 / (sequences · length).
double weight(const std::string& aggregation, double length, double sequences, double tokens, double n) {
  if (aggregation == "sequence-mean") return 1 / (sequences * n);
  if (aggregation == "constant-length") return 1 / (sequences * length);
  return 1 / tokens;
}

struct Trial {
  const char *name, *algorithm;
  std::map<std::string, std::string> options;
  std::string aggregation = "token-mean";
  double length = 0;
  uint64_t mini_batches = 1;
  double temperature = 1;
};
void PrintTo(const Trial& trial, std::ostream* out) {
  *out << trial.name;
}

class Scale : public ::testing::TestWithParam<Trial> {
 protected:
  static constexpr uint64_t kPrompts = 4, kGroup = 6, kVocab = 23;
  static constexpr double kLearningRate = 4;
};

// The rollout of `texts` with the given columns; without weights and advantages.
Rollout rollout_of(const std::map<uint64_t, Text>& texts,
                   const std::map<uint64_t, Recorder::Columns>& columns) {
  Rollout r;
  for (const auto& [id, c] : columns) {
    const Text& text = texts.at(id);
    r.push(text.prompt, text.completion, {}, text.group, id, TENON_FINISH_STOP);
    r.reward.back() = text.reward;
    for (const auto& [from, to] : {std::pair{&c.lp_old, &r.lp_old},
                                   {&c.lp_ref, &r.lp_ref},
                                   {&c.value_old, &r.value_old},
                                   {&c.lp_new, &r.lp_new},
                                   {&c.entropy, &r.entropy},
                                   {&c.value, &r.value}})
      to->insert(to->end(), from->begin(), from->end());
  }
  r.version.assign(r.tokens(), 0);
  return r;
}

// Σ_t of the derivatives times those of log p, H and V by the model's parameters: W, then V.
std::vector<double> parameter_gradient(HashModel model, const Recorder::Update& at, const Rollout& r,
                                       const reference::Loss& d, double temperature, uint64_t vocab) {
  model.weight = at.weight;
  std::vector<double> out(vocab * vocab + vocab);
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t k = r.prompt_len[i]; k < r.ids[i].size(); ++k) {
      const uint64_t t = r.ids.offsets[i] + k, row = static_cast<uint64_t>(r.ids[i][k - 1]);
      const std::vector<double> lp = model.distribution(r.ids[i].first(k), temperature);
      double entropy = 0;
      for (double l : lp) entropy -= std::exp(l) * l;
      for (uint64_t j = 0; j < vocab; ++j) {
        const double p = std::exp(lp[j]), hit = j == static_cast<uint64_t>(r.ids[i][k]) ? 1 : 0;
        out[row * vocab + j] += d.d_logprob[t] * (hit - p) / temperature;
        if (!d.d_entropy.empty())
          out[row * vocab + j] -= d.d_entropy[t] * p * (lp[j] + entropy) / temperature;
      }
      if (!d.d_value.empty()) out[vocab * vocab + row] += d.d_value[t];
    }
  return out;
}

TEST_P(Scale, AStepMovesTheWeightsAsFarAsItShould) {
  const Trial& trial = GetParam();
  const tenon_component *rl = plugin("stage", "rl"), *sgd = plugin("optimizer", "sgd"),
                        *component = find_algorithm(trial.algorithm);
  NEED_PLUGIN(rl);
  NEED_PLUGIN(sgd);
  NEED_PLUGIN(component);
  const testing::Instance<tenon_algorithm_vt> algorithm(component, trial.options);
  const testing::Instance<tenon_optimizer_vt> optimizer(sgd, {{"learning_rate", "4"}, {"clip", "0"}});
  Lab lab(rl,
          R"("steps": 1, "micro_batch_tokens": 90, "prompts": )" + std::to_string(kPrompts) +
              R"(, "group_size": )" + std::to_string(kGroup) + R"(, "mini_batches": )" +
              std::to_string(trial.mini_batches) + R"(, "temperature": )" + std::to_string(trial.temperature),
          kVocab);
  Recorder recorder(algorithm.ref(), lab.model);
  std::map<uint64_t, Text> texts;
  lab.reward.f = [&](const Sample& s) {
    const double reward = odd_digits(s);
    texts[s.id] = {s.group, lab.tokenizer.encode(s.prompt, 0), {s.tokens.begin(), s.tokens.end()}, reward};
    return reward;
  };
  lab.host.slot("algorithm", recorder.ref());
  lab.host.slot("optimizer", optimizer.ref());
  lab.run();
  ASSERT_EQ(texts.size(), kPrompts * kGroup);
  ASSERT_EQ(recorder.rollout.size(), texts.size());
  ASSERT_EQ(recorder.updates.size(), trial.mini_batches);
  recorder.updates.push_back({lab.model.weight, lab.model.value_weight, {}});  // the last weights

  reference::Given given(component, trial.options);
  const auto reference = reference::make_reference(trial.algorithm, given);
  const Rollout whole = rollout_of(texts, recorder.rollout);
  std::vector<double> advantage(whole.tokens()), target(whole.tokens());
  reference->advantages(whole, advantage, target);
  std::map<uint64_t, std::pair<std::vector<double>, std::vector<double>>> estimated;  // by sample
  for (uint64_t i = 0; i < whole.size(); ++i) {
    const auto from = static_cast<ptrdiff_t>(whole.ids.offsets[i]),
               to = static_cast<ptrdiff_t>(whole.ids.offsets[i + 1]);
    estimated[whole.sample_id[i]] = {{advantage.begin() + from, advantage.begin() + to},
                                     {target.begin() + from, target.begin() + to}};
  }

  for (uint64_t u = 0; u + 1 < recorder.updates.size(); ++u) {
    const Recorder::Update &at = recorder.updates[u], &next = recorder.updates[u + 1];
    Rollout r = rollout_of(texts, at.samples);
    // The stage leaves out samples that have no part in the gradient; in the denominators they are all the same. Which they are is known of a whole rollout.
    const double sequences = static_cast<double>(texts.size()) / static_cast<double>(trial.mini_batches);
    if (trial.mini_batches > 1) {
      ASSERT_EQ(static_cast<double>(r.size()), sequences);
    }
    double tokens = 0;
    for (const auto& [id, text] : texts)
      if (trial.mini_batches == 1 || at.samples.contains(id))
        tokens += static_cast<double>(text.completion.size());
    for (uint64_t i = 0; i < r.size(); ++i) {
      const auto& [a, v] = estimated.at(r.sample_id[i]);
      r.advantage.insert(r.advantage.end(), a.begin(), a.end());
      if (!r.value.empty()) r.value_target.insert(r.value_target.end(), v.begin(), v.end());
      r.weight.resize(r.advantage.size(), weight(trial.aggregation, trial.length, sequences, tokens,
                                                 static_cast<double>(r.completion_len(i))));
    }
    reference::Loss loss(r);
    reference->gradient(r, loss);
    const std::vector<double> g = parameter_gradient(lab.model, at, r, loss, trial.temperature, kVocab);

    double should = 0, is = 0, apart = 0;
    for (size_t k = 0; k < g.size(); ++k) {
      const size_t v = k - kVocab * kVocab;
      const double moved = k < kVocab * kVocab ? double{next.weight[k]} - double{at.weight[k]}
                                               : double{next.value_weight[v]} - double{at.value_weight[v]};
      should += std::pow(kLearningRate * g[k], 2), is += moved * moved;
      apart += std::pow(moved + kLearningRate * g[k], 2);
    }
    ASSERT_GT(should, 1e-4) << "nothing to learn";
    EXPECT_NEAR(std::sqrt(is / should), 1, 1e-4) << "update " << u;
    EXPECT_LE(std::sqrt(apart / should), 1e-4) << "update " << u;
  }
}

std::vector<Trial> trials() {
  const std::string sequences = "sequence-mean", constant = "constant-length";
  const std::map<std::string, std::string> by_sequences{{"aggregation", "\"sequence-mean\""}},
      by_length{{"aggregation", "\"constant-length\""}, {"length", "7"}};
  auto with = [](std::map<std::string, std::string> options, const char* name, const char* value) {
    return options[name] = value, options;
  };
  return {{"grpo", "grpo", {}},
          {"grpo_sequences", "grpo", by_sequences, sequences},
          {"grpo_length", "grpo", by_length, constant, 7},
          {"grpo_cold", "grpo", {}, "token-mean", 0, 1, 0.7},
          // With a divergence no sample is left out of an update.
          {"grpo_two_updates", "grpo", with({}, "beta", "0.1"), "token-mean", 0, 2},
          {"grpo_sequences_two_updates", "grpo", with(by_sequences, "beta", "0.1"), sequences, 0, 2},
          {"grpo_length_two_updates", "grpo", with(by_length, "beta", "0.1"), constant, 7, 2},
          {"grpo_entropy", "grpo", with({}, "entropy", "0.1"), "token-mean", 0, 2},
          {"gspo", "grpo", with(by_sequences, "ratio", "\"geometric-mean\""), sequences},
          {"rloo", "rloo", {}},
          {"reinforce", "reinforce", {}},
          {"reinforce_pp", "reinforce++", with({}, "beta", "0.1"), "token-mean", 0, 2},
          {"ppo", "ppo", with({}, "entropy", "0.01"), "token-mean", 0, 2},
          {"dpo", "dpo", with({}, "beta", "0.5"), constant, 1}};
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Scale, ::testing::ValuesIn(trials()),
                         [](const auto& trial) { return std::string(trial.param.name); });

}  // namespace
}  // namespace tenon::test
