// The stage `evaluate`: models on the same problems, with intervals.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "evaluation_metrics/interval.h"
#include "pattern/pattern.h"
#include "stage_support/row_check.h"
#include "stage_support/sampled.h"
#include "stage_support/step.h"

namespace tenon::evaluate {
namespace {

using evaluation_metrics::clustered_mean;
using evaluation_metrics::Interval;

// The name in a reference, "base" or {"of": "base"}, as the configuration wrote it; else the component's own.
std::string written_name(const Host& host, const std::string& path, const std::string& fallback) {
  std::string json = host.json(path.c_str());
  if (!json.empty() && json.front() == '"') return *json::text_field("{\"of\":" + json + "}", "of");
  return json::text_field(json, "of").value_or(fallback);
}

// The index of the first of `names` that an earlier one equals; names.size() if there is none.
size_t first_repeated(const std::vector<std::string>& names) {
  for (size_t i = 1; i < names.size(); ++i)
    if (std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<ptrdiff_t>(i))
      return i;
  return names.size();
}

std::string repeated_model(const std::string& name) {
  return "two models are called " + name +
         ", and one's results would take the place of the other's: define them under `components`, each "
         "with a name of its own";
}

// Numbers that the stage itself reports, and what the host writes beside them.
constexpr std::string_view kReserved[] = {"accuracy",  "accuracy_low", "accuracy_high", "reward", "length",
                                          "truncated", "samples",      "not_judged",    "stage",  "step"};

// What is counted over the completions of one model.
struct Tally {
  Tally(size_t patterns, size_t rewards) : matches(patterns, 0), earned(rewards, 0), judged_by(rewards, 0) {}
  std::vector<std::vector<double>> accuracy, reward;  // by problem, of the samples that were judged
  double samples = 0, judged = 0, tokens = 0, truncated = 0;
  std::vector<double> matches;            // by pattern
  std::vector<double> earned, judged_by;  // by reward: sum, and number, of the samples for which it is OK
};

class Evaluate {
 public:
  explicit Evaluate(Host host) : host_(host), sampler_(host), data_(host.get_component<Dataset>("data")) {
    for (uint64_t i = 0; i < host.count("models"); ++i) {
      std::string slot = "models/" + std::to_string(i), option = "models." + std::to_string(i);
      Model model = host.get_component<Model>(slot);
      models_.push_back({written_name(host, option, model.ref()->name), model,
                         host.get_component<Tokenizer>(slot + ".tokenizer")});
    }
    if (models_.empty()) throw Error(TENON_E_INVALID, "models: the list is empty");
    std::vector<std::string> names;
    for (const Named& named : models_) names.push_back(named.name);
    if (size_t i = first_repeated(names); i < names.size())
      throw Error(TENON_E_INVALID, "models." + std::to_string(i) + ": " + repeated_model(names[i]));
    benchmark_ = host.str_if("benchmark").value_or(written_name(host, "data", "data"));
    samples_ = static_cast<uint64_t>(host.i64("samples"));
    problems_ = static_cast<uint64_t>(host.i64("problems"));
    samples_per_model_ = static_cast<uint64_t>(host.i64("samples_per_model"));
    patterns_ = pattern::read_patterns(host, "patterns");
    several_rewards_ = host.count("rewards") > 1;
    if (problems_ == 0 && stages::is_endless(data_))
      throw Error(TENON_E_INVALID,
                  "problems: 0 means all of them, and the data set has no end: give a number");
    for (size_t i = 0; i < models_.size(); ++i)
      sampler_.check_prompts("data", models_[i].model, models_[i].tokenizer,
                             "models/" + std::to_string(i) + ".tokenizer",
                             problems_ == 0 ? UINT64_MAX : problems_);
  }

  static void check(Host host, Findings& findings) {
    if (host.f64("temperature") == 0)
      for (const char* filter : {"top_k", "top_p", "min_p"})
        findings.no_effect(filter, "with temperature: 0 the most likely token is always taken");
    if (host.count("rewards") == 1)
      findings.no_effect("rewards.0.weight", "the sum is reported of several rewards only");

    std::vector<std::string> models;
    for (uint64_t i = 0; i < host.count("models"); ++i) {
      std::string option = "models." + std::to_string(i);
      const std::string json = host.json(option.c_str());
      const bool is_object = !json.empty() && json.front() == '{';
      models.push_back(
          written_name(host, option, is_object ? json::text_field(json, "use").value_or("") : std::string()));
    }
    if (size_t i = first_repeated(models); i < models.size())
      findings.error(("models." + std::to_string(i)).c_str(), repeated_model(models[i]));
    pattern::check_patterns(host, "patterns", kReserved, "the results have a number", findings);
  }

  void run(const tenon_call* call, const StageIo& io) {
    const uint64_t count = data_.count();
    if (count != TENON_COUNT_UNBOUNDED) problems_ = problems_ == 0 ? count : std::min(problems_, count);
    io.begin(models_.size());
    // The same sample ids for all models, which are so compared on the same random numbers; taken again after a resume they are the same.
    if (io.first_step() == 0) first_id_ = host_.raw()->sample_ids(host_.raw(), problems_ * samples_);
    for (uint64_t m = io.first_step(); m < models_.size(); ++m) {
      tenon_call now = stages::at_step(call, m);
      one_model(&now, io, models_[m]);
      io.step_end(m);
    }
  }

  void save(Writer& w) const { w.value(first_id_); }
  void load(Reader& r, uint32_t) { first_id_ = r.value<uint64_t>(); }

 private:
  struct Named {
    std::string name;
    Model model;
    Tokenizer tokenizer;
  };
  static constexpr uint64_t kSamplesAtOnce = 1024;

  void one_model(const tenon_call* call, const StageIo& io, const Named& named) const {
    Tally tally(patterns_.size(), host_.count("rewards"));
    std::vector<std::string> rewards;
    uint64_t at_once = std::max<uint64_t>(1, kSamplesAtOnce / samples_);
    for (uint64_t begin = 0; begin < problems_; begin += at_once) {
      uint64_t n = std::min(at_once, problems_ - begin);
      std::vector<Row> rows = data_.read(call, begin, n);
      const stages::Sampled batch = sampler_.sample(call, named.model, named.tokenizer, rows, samples_,
                                                    first_id_ + begin * samples_, 0);
      add(batch, tally);
      rewards = batch.reward_names;
      if (begin == 0)
        for (uint64_t k = 0; k < std::min(samples_per_model_, batch.rollout.size()); ++k)
          sample_out(host_, batch.to_json(k * batch.rollout.size() /
                                          std::min(samples_per_model_, batch.rollout.size())));
      host_.progress(static_cast<double>(begin + n), static_cast<double>(problems_), named.name.c_str());
    }
    report(io, named.name, tally, rewards);
  }

  void add(const stages::Sampled& batch, Tally& to) const {
    const Rollout& r = batch.rollout;
    for (uint64_t i = 0; i < r.size(); ++i) {
      if (i % samples_ == 0) to.accuracy.emplace_back(), to.reward.emplace_back();
      ++to.samples;
      to.tokens += static_cast<double>(r.completion_len(i));
      to.truncated += r.finish[i] == TENON_FINISH_LENGTH ? 1 : 0;
      if (std::isfinite(batch.first[i])) to.accuracy.back().push_back(batch.first[i]), ++to.judged;
      for (size_t k = 0; k < batch.terms.size(); ++k)
        if (std::isfinite(batch.terms[k][i])) to.earned[k] += batch.terms[k][i], ++to.judged_by[k];
      if (r.valid[i] != 0) to.reward.back().push_back(r.total_reward(i));
      std::string_view text(batch.completions[i].data(), batch.completions[i].size());
      for (size_t p = 0; p < patterns_.size(); ++p) to.matches[p] += patterns_[p].pattern.in(text) ? 1 : 0;
    }
  }

  void report(const StageIo& io, const std::string& model, const Tally& tally,
              const std::vector<std::string>& rewards) const {
    if (tally.judged == 0)
      throw Error(TENON_E_INVALID, "the first reward judged none of the " +
                                       std::to_string(static_cast<uint64_t>(tally.samples)) +
                                       " completions of " + model);
    auto put = [&](const std::string& metric, double value) {
      io.result(model, benchmark_, metric.c_str(), value);
      host_.metric(metric.c_str(), value);
    };
    Interval accuracy = clustered_mean(tally.accuracy);
    put("accuracy", accuracy.mean);
    put("accuracy_low", accuracy.low);
    put("accuracy_high", accuracy.high);
    if (several_rewards_) {
      bool any = false;
      for (const auto& problem : tally.reward) any = any || !problem.empty();
      put("reward", any ? clustered_mean(tally.reward).mean : std::nan(""));
      for (size_t k = 1; k < rewards.size(); ++k)
        put("reward/" + rewards[k],
            tally.judged_by[k] > 0 ? tally.earned[k] / tally.judged_by[k] : std::nan(""));
    }
    put("length", tally.tokens / tally.samples);
    for (size_t p = 0; p < patterns_.size(); ++p) put(patterns_[p].name, tally.matches[p] / tally.samples);
    put("truncated", tally.truncated / tally.samples);
    put("samples", tally.samples);
    if (tally.judged < tally.samples) put("not_judged", tally.samples - tally.judged);
  }

  Host host_;
  stages::CompletionSampler sampler_;
  Dataset data_;
  std::vector<Named> models_;
  std::vector<pattern::NamedPattern> patterns_;
  std::string benchmark_;
  uint64_t samples_, problems_, samples_per_model_, first_id_ = 0;
  bool several_rewards_;
};

}  // namespace
}  // namespace tenon::evaluate

TENON_STAGE_PLUGIN(
    tenon::evaluate::Evaluate, "evaluate", "0.1.0",
    "Compares models on held-out problems: accuracy with a 95 % interval, length, patterns.",
    tenon::reference("models", "model", nullptr, "Models to compare, most often earlier stages.",
                     {.flags = TENON_O_REQUIRED | TENON_O_LIST}),
    tenon::reference("data", "dataset", nullptr,
                     "Problems; rows from the beginning, the same for each model.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::text("benchmark", nullptr, "Name in the results; by default that of the data set."),
    tenon::stages::kRewardsOption, tenon::stages::kSamplerOption,
    tenon::integer("problems", "256", "How many problems; 0: all of the data set.",
                   {.min = "0", .max = "1000000000", .unit = "problems"}),
    tenon::integer("samples", "1",
                   "Completions of each problem; the accuracy is the mean over all of them (pass@1).",
                   {.min = "1", .max = "65536", .unit = "completions"}),
    tenon::number("temperature", "1", "Of sampling; 0: always the most likely token.",
                  {.min = "0", .max = "100"}),
    tenon::stages::kTopKOption, tenon::stages::kTopPOption, tenon::stages::kMinPOption,
    tenon::stages::kMaxNewTokensOption, tenon::stages::kOverlapRewardsOption,
    tenon::object("patterns", tenon::pattern::kPatternChildren,
                  "Shares of completions that contain something.", {.flags = TENON_O_LIST}),
    tenon::integer("samples_per_model", "4", "Completions of each model written to samples.jsonl; 0: none.",
                   {.min = "0", .max = "65536", .unit = "completions"}))
