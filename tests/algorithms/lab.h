// The stage `rl` among small components, driven by the files of the plugins as a host does.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "cases.h"
#include "support/fake_components.h"

namespace tenon::test {

// The component of another kind of plugin; a test whose plugin is not built is skipped.
inline const tenon_component* plugin(const std::string& kind, const std::string& id) {
  return load_component(TENON_PLUGINS "/" + kind + "." + id + ".so");
}
#define NEED_PLUGIN(component) \
  if ((component) == nullptr) GTEST_SKIP() << "a plugin that this test drives is not built"

// An algorithm that keeps what it was given: A = r − mean of the group, L = −Σ w ρ A.
struct Spy {
  uint32_t needs = TENON_NEEDS_GROUPS |
                   TENON_NEEDS_REFERENCE;  // with a reference no sequence is left out for lack of a signal
  struct Seen {
    std::vector<uint64_t> offsets, sample_id, group_id;
    std::vector<uint8_t> mask;
    std::vector<double> advantage, weight;
    std::vector<float> lp_sample, lp_old, lp_new, lp_ref;
  };
  std::vector<Seen> seen;               // by gradient
  std::map<uint64_t, double> computed;  // by advantages: of a sample

  tenon_algorithm_info info() const { return {sizeof(tenon_algorithm_info), needs, TENON_TOKEN_MEAN, 0, 0}; }
  void advantages(const RolloutView& r, Advantages& out) {
    for (const auto& group : r.groups()) {
      double mean = 0;
      for (uint64_t i : group) mean += r.total_reward(i) / static_cast<double>(group.size());
      for (uint64_t i : group)
        out.set(i, r.total_reward(i) - mean), computed[r.sample_id(i)] = r.total_reward(i) - mean;
    }
  }
  void gradient(const RolloutView& r, Gradient& out) {
    auto copy = [](const auto* from, uint64_t n, auto& to) {
      if (from != nullptr) to.assign(from, from + n);
    };
    const tenon_rollout& raw = r.raw();
    Seen s;
    copy(raw.offsets, raw.n_seq + 1, s.offsets), copy(raw.sample_id, raw.n_seq, s.sample_id),
        copy(raw.group_id, raw.n_seq, s.group_id);
    copy(raw.mask, raw.n_tok, s.mask), copy(raw.advantage, raw.n_tok, s.advantage),
        copy(raw.weight, raw.n_tok, s.weight);
    copy(raw.lp_sample, raw.n_tok, s.lp_sample), copy(raw.lp_old, raw.n_tok, s.lp_old),
        copy(raw.lp_new, raw.n_tok, s.lp_new);
    copy(raw.lp_ref, raw.n_tok, s.lp_ref);
    seen.push_back(std::move(s));
    for (uint64_t i = 0; i < r.sequences(); ++i)
      for (uint64_t t = r.begin(i); t < r.end(i); ++t) {
        const double d =
            r.scored(t) ? -r.weight(t) * r.advantage(t) * std::exp(r.lp_new(t) - r.lp_old(t)) : 0;
        if (d != 0) out.add(t, d, d);
      }
  }
  tenon_ref ref() { return ref_to<AlgorithmShim<Spy>>(*this, "spy", "algorithm"); }
};

// A model that keeps the tokens it was trained on, and how values were asked for.
struct RecordingModel : HashModel {
  using HashModel::HashModel;
  std::vector<std::vector<int32_t>> trained;  // sequences
  std::vector<std::vector<uint8_t>> trained_mask;
  std::vector<float> value_temperatures;
  void keep(const tenon_tokens& in) {
    const auto* ids = static_cast<const int32_t*>(in.ids.values);
    for (uint64_t i = 0; i < in.ids.n; ++i) {
      trained.emplace_back(ids + in.ids.offsets[i], ids + in.ids.offsets[i + 1]);
      trained_mask.emplace_back(in.mask + in.ids.offsets[i], in.mask + in.ids.offsets[i + 1]);
    }
  }
  void accumulate(const tenon_call* call, const tenon_tokens& in, const float* d, float* out) {
    keep(in), HashModel::accumulate(call, in, d, out);
  }
  void score(const tenon_call* call, const tenon_tokens& in, tenon_score_out& out) {
    if (out.value != nullptr) value_temperatures.push_back(in.temperature);
    HashModel::score(call, in, out);
  }
  tenon_ref ref(const char* name = "model") {
    return ref_to<ModelShim<RecordingModel>>(*this, "recording", name);
  }
};

inline double odd_digits(const Sample& s) {
  double odd = 0, all = 0;
  for (char c : s.completion)
    if (c >= '0' && c <= '9') ++all, odd += (c - '0') % 2;
  return all > 0 ? odd / all : 0;
}

// The stage `rl` on small components.
struct Lab {
  explicit Lab(const tenon_component* rl, const std::string& options, uint64_t vocab = 23)
      : component(rl),
        host(*rl, R"({"max_new_tokens": 10, "trace_interval": 0, )" + options + "}"),
        io(host),
        model(host, vocab, 48),
        reference(host, vocab, 48) {
    host.slot("model", model.ref("policy"));
    host.slot("reference", reference.ref("reference"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref("sums"));
    host.slot("sampler", sampler.ref());
    host.slot("algorithm", spy.ref());
    host.slot("optimizer", sgd.ref());
    host.slot("rewards/0", reward.ref("odd"));
  }
  void run() { run_stage(*component, host, io); }
  std::string error() {
    try {
      run();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
  const tenon_component* component;
  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  RecordingModel model;
  HashModel reference;
  NaiveSampler sampler;
  RowSet data{
      {{"1+2=", "", "", "{}"}, {"7=", "", "", "{}"}, {"1+2-3=", "", "", "{}"}, {"9-9=", "", "", "{}"}}};
  LambdaReward reward{odd_digits};
  Spy spy;
  PlainSgd sgd;
};
inline constexpr const char* kSmall = R"("steps": 1, "prompts": 3, "group_size": 4)";

}  // namespace tenon::test
