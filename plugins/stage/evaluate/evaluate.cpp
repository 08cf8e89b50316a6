// The stage `evaluate`: models on the same problems, with intervals.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "benchmark.h"
#include "chat_server/sampled.h"
#include "stage_support/step.h"
#include "tally.h"

namespace tenon::evaluate {
namespace {

constexpr const char* kIntervals[] = {"wilson", "bootstrap", nullptr};

std::string repeated_model(const std::string& name) {
  return "two models are called " + name +
         ", and one's results would take the place of the other's: define them under `components`, each "
         "with a name of its own";
}
std::string repeated_benchmark(const std::string& name) {
  return "two benchmarks are called " + name +
         ", and one's results would take the place of the other's: give each a `name` of its own";
}

// A line for samples.jsonl: what a sample is and what it was sampled from.
std::string sample_json(const stages::Sampled& batch, uint64_t i, const std::string& model,
                        const Benchmark& benchmark, const std::string& answer) {
  std::string json = batch.to_json(i);
  json.pop_back();
  json += ",\"model\":" + json::quote(model) + ",\"benchmark\":" + json::quote(benchmark.name);
  if (benchmark.voting) json += ",\"vote\":" + (answer.empty() ? "null" : json::quote(answer));
  return json + "}";
}

class Evaluate {
 public:
  explicit Evaluate(Host host) : host_(host), judging_(read_judging(host)) {
    if (host.str_if("server.url")) server_.emplace(host), unanswered_.emplace(host);
    for (uint64_t i = 0; i < host.count("models"); ++i) {
      std::string slot = "models/" + std::to_string(i), option = "models." + std::to_string(i);
      Model model = host.get_component<Model>(slot);
      models_.push_back({written_name(host, option, model.ref()->name), model,
                         host.get_component<Tokenizer>(slot + ".tokenizer")});
    }
    if (server_) models_.push_back({server_->model(), std::nullopt, std::nullopt});
    if (models_.empty()) throw Error(TENON_E_INVALID, "models: the list is empty");
    std::vector<std::string> names;
    for (const Named& named : models_) names.push_back(named.name);
    if (size_t i = first_repeated(names); i < names.size())
      throw Error(TENON_E_INVALID, "models." + std::to_string(i) + ": " + repeated_model(names[i]));

    samples_per_model_ = static_cast<uint64_t>(host.i64("samples_per_model"));
    completions_per_step_ = static_cast<uint64_t>(host.i64("completions_per_step"));
    all_samples_ = host.boolean("all_samples");
    for (const std::string& element : elements_of(host)) {
      benchmarks_.emplace_back(host, element);
      samplers_.emplace_back(host, element);
      rewards_.emplace_back(host, element);
    }
    names.clear();
    for (const Benchmark& benchmark : benchmarks_) names.push_back(benchmark.name);
    if (size_t i = first_repeated(names); i < names.size())
      throw Error(TENON_E_INVALID, "benchmarks." + std::to_string(i) + ": " + repeated_benchmark(names[i]));
    for (size_t b = 0; b < benchmarks_.size(); ++b)
      for (size_t i = 0; i < models_.size(); ++i)
        if (models_[i].model)
          samplers_[b].check_prompts(benchmarks_[b].slot + "data", *models_[i].model, *models_[i].tokenizer,
                                     "models/" + std::to_string(i) + ".tokenizer",
                                     benchmarks_[b].problems == 0 ? UINT64_MAX : benchmarks_[b].problems);
  }

  static void check(Host host, Findings& findings) {
    check_lists(host, findings);
    check_server(host, findings);
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
    if (host.str("interval") != "bootstrap")
      findings.no_effect("resamples", "only interval: bootstrap draws resamples");
    if (host.boolean("all_samples"))
      findings.no_effect("samples_per_model", "with all_samples: true all completions are written");
  }

  void run(const tenon_call* call, const StageIo& io) {
    const std::vector<Part> parts = plan();
    uint64_t steps = 0;
    for (const Part& part : parts) steps += part.steps;
    io.begin(steps);
    if (server_) {
      kept_.emplace(io.folder() + "/kept/answers.jsonl");
      uint64_t questions = 0;
      for (const Benchmark& benchmark : benchmarks_) questions += benchmark.problems * benchmark.samples;
      unanswered_->of(questions);
    }
    if (io.first_step() == 0) {
      uint64_t ids = 0;
      for (const Benchmark& benchmark : benchmarks_) ids += benchmark.problems * benchmark.samples;
      first_id_ = host_.raw()->sample_ids(host_.raw(), ids);
    }
    uint64_t first = 0;  // step of the part
    for (const Part& part : parts) {
      for (uint64_t step = std::max(first, io.first_step()); step < first + part.steps; ++step) {
        const tenon_call now = stages::at_step(call, step);
        batch(&now, io, part, step - first);
        io.step_end(step);
      }
      first += part.steps;
    }
  }

  void save(Writer& w) const {
    w.value(first_id_);
    if (unanswered_) unanswered_->save(w);
    w.value(uint8_t{tally_.has_value()});
    if (!tally_) return;
    w.value(uint64_t{tallied_});
    tally_->save(w);
  }
  void load(Reader& r, uint32_t) {
    first_id_ = r.value<uint64_t>();
    if (unanswered_) unanswered_->load(r);
    if (r.value<uint8_t>() == 0) return;
    begin_tally(r.value<uint64_t>());
    tally_->load(r);
  }

 private:
  static constexpr uint64_t kSpread = 1024;  // completions among which those that are written are chosen

  struct Named {
    std::string name;
    std::optional<Model> model;  // none: the server's
    std::optional<Tokenizer> tokenizer;
  };
  // A model on a benchmark, in steps of so many problems.
  struct Part {
    size_t model, benchmark;
    uint64_t first_id, at_once, steps;
  };

  // Either a list of benchmarks, or the stage's own data and rewards.
  static void check_lists(Host host, Findings& findings) {
    const bool has_list = host.count("benchmarks") > 0;
    if (has_list) {
      for (const char* option : {"benchmark", "data", "rewards", "pass_at", "cons_at", "domain", "patterns"})
        findings.no_effect(option, "with `benchmarks` each has its own");
      for (const tenon_option& option : answer_votes::kVoteChildren.items)
        findings.no_effect((std::string("vote.") + option.name).c_str(),
                           "with `benchmarks` each has its own");
    }
    if (!has_list)
      for (const char* option : {"data", "rewards"})
        if (!gives(host, option))
          findings.error(option,
                         "is missing: give `data` and `rewards`, or several `benchmarks`, each with its own");
    std::vector<std::string> names;
    for (const std::string& element : elements_of(host)) {
      check_benchmark(host, element, findings);
      if (has_list)
        names.push_back(
            host.str_if((element + "name").c_str()).value_or(written_name(host, element + "data", element)));
    }
    if (size_t i = first_repeated(names); i < names.size())
      findings.error(("benchmarks." + std::to_string(i)).c_str(), repeated_benchmark(names[i]));
  }
  static void check_server(const Host& host, Findings& findings) {
    const bool has_server = host.str_if("server.url").has_value();
    if (has_server == (host.count("models") > 0))
      findings.error("models", has_server ? "give `models` or `server`, not both"
                                          : "is missing: a list of models, or a `server`");
    if (!has_server) {
      findings.no_effect("max_unanswered", "no server is asked");
      return;
    }
    chat_server::ChatServer::check(host, findings);
    for (const char* option : {"sampler", "overlap_rewards", "top_k", "min_p"})
      findings.no_effect(option, "a server draws its completions itself");
    for (uint64_t b = 0; b < host.count("benchmarks"); ++b)
      for (const char* option : {".top_k", ".min_p"})
        findings.no_effect(("benchmarks." + std::to_string(b) + option).c_str(),
                           "a server draws its completions itself");
  }
  static bool gives(const Host& host, const char* option) {
    tenon_str text{};
    return host.raw()->get_json(host.raw(), option, &text) == TENON_OK;
  }

  static Judging read_judging(const Host& host) {
    Judging out{host.f64("correct_above"),
                host.str("interval") == "bootstrap",
                {.resamples = static_cast<uint64_t>(host.i64("resamples")), .seed = host.seed()},
                false,
                0,
                0};
    const auto in = host.f64_if("price.input"), completion = host.f64_if("price.output");
    out.has_price = in || completion;
    out.price_in = in.value_or(0), out.price_out = completion.value_or(0);
    return out;
  }

  stages::Sampled sample(const tenon_call* call, const Named& named, size_t b, const std::vector<Row>& rows,
                         uint64_t first_id) {
    const Benchmark& benchmark = benchmarks_[b];
    if (named.model)
      return samplers_[b].sample(call, *named.model, *named.tokenizer, rows, benchmark.samples, first_id, 0);
    const chat_server::Asking asking{stages::number_of(host_, benchmark.element, "temperature"),
                                     stages::number_of(host_, benchmark.element, "top_p"),
                                     stages::integer_of(host_, benchmark.element, "max_new_tokens")};
    return chat_server::sample(host_, call, *server_, rows, benchmark.samples, first_id, asking, rewards_[b],
                               *unanswered_, &*kept_);
  }

  // All parts in their order, once the data sets have their rows. The same sample ids for all models, which are so compared on the same random numbers.
  std::vector<Part> plan() {
    for (Benchmark& benchmark : benchmarks_) benchmark.fit();
    std::vector<Part> parts;
    for (size_t m = 0; m < models_.size(); ++m) {
      uint64_t first_id = 0;
      for (size_t b = 0; b < benchmarks_.size(); ++b) {
        const Benchmark& benchmark = benchmarks_[b];
        const uint64_t at_once = std::max<uint64_t>(1, completions_per_step_ / benchmark.samples);
        parts.push_back({m, b, first_id, at_once, (benchmark.problems + at_once - 1) / at_once});
        first_id += benchmark.problems * benchmark.samples;
      }
    }
    return parts;
  }

  void begin_tally(size_t benchmark) {
    tally_.emplace(benchmarks_.at(benchmark), judging_);
    tallied_ = benchmark;
  }

  // The completions of some problems; with the last of them the results.
  void batch(const tenon_call* call, const StageIo& io, const Part& part, uint64_t number) {
    const Named& named = models_[part.model];
    const Benchmark& benchmark = benchmarks_[part.benchmark];
    const uint64_t begin = number * part.at_once, n = std::min(part.at_once, benchmark.problems - begin);
    const std::string what = benchmarks_.size() == 1 ? named.name : named.name + " on " + benchmark.name;
    host_.progress(static_cast<double>(begin), static_cast<double>(benchmark.problems), what.c_str());
    if (number == 0) begin_tally(part.benchmark);
    const std::vector<Row> rows = benchmark.data.read(call, begin, n);
    const stages::Sampled samples =
        sample(call, named, part.benchmark, rows, first_id_ + part.first_id + begin * benchmark.samples);
    record(samples, tally_->add(samples), begin * benchmark.samples, named.name, benchmark);
    if (number + 1 < part.steps) return;
    tally_->report(named.name, [&](const std::string& metric, double value) {
      io.result(named.name, benchmark.name, metric.c_str(), value);
      host_.metric(metric.c_str(), value);
    });
    tally_.reset();
  }

  // Into samples.jsonl: all of them, or some, evenly spread over the first of the benchmark. `begin`: the number of the first of these in the benchmark.
  void record(const stages::Sampled& samples, const std::vector<std::string>& answers, uint64_t begin,
              const std::string& model, const Benchmark& benchmark) const {
    const uint64_t first =
        std::min(std::max<uint64_t>(1, kSpread / benchmark.samples), benchmark.problems) * benchmark.samples;
    const uint64_t written = all_samples_ ? samples.rollout.size() : std::min(samples_per_model_, first);
    for (uint64_t k = 0; k < written; ++k) {
      const uint64_t i = all_samples_ ? begin + k : k * first / written;
      if (i >= begin && i < begin + samples.rollout.size())
        sample_out(host_, sample_json(samples, i - begin, model, benchmark, answers[i - begin]));
    }
  }

  Host host_;
  Judging judging_;
  std::optional<chat_server::ChatServer> server_;
  std::optional<chat_server::Unanswered> unanswered_;  // by the server
  std::vector<Named> models_;
  std::vector<Benchmark> benchmarks_;
  std::vector<stages::CompletionSampler> samplers_;  // by benchmark
  std::vector<stages::RewardList> rewards_;
  uint64_t samples_per_model_ = 0, completions_per_step_ = 0, first_id_ = 0;
  bool all_samples_ = false;
  std::optional<chat_server::KeptAnswers> kept_;  // of the server: not paid for again
  std::optional<Tally> tally_;                    // in the middle of a benchmark
  size_t tallied_ = 0;                            // which one
};

constexpr OptionTable kPriceChildren{
    number("input", nullptr, "Of a million tokens of prompts.", {.min = "0"}),
    number("output", nullptr, "Of a million tokens of completions.", {.min = "0"})};

}  // namespace
}  // namespace tenon::evaluate

TENON_STAGE_PLUGIN(
    tenon::evaluate::Evaluate, "evaluate", "0.4.0",
    "Compares models on held-out problems: accuracy, pass@k and cons@k with 95 % intervals, length, "
    "patterns.",
    tenon::reference("models", "model", nullptr, "Models to compare, most often earlier stages.",
                     {.flags = TENON_O_LIST}),
    tenon::object("server", tenon::chat_server::kServerChildren,
                  "A model behind an OpenAI-compatible server, in place of `models`: a baseline that the "
                  "same code judges."),
    tenon::reference("data", "dataset", nullptr,
                     "Problems; rows from the beginning, the same for each model."),
    tenon::text("benchmark", nullptr, "Name in the results; by default that of the data set."),
    tenon::evaluate::kRewardsOption, tenon::stages::kSamplerOption,
    tenon::object("benchmarks", tenon::evaluate::kBenchmarkChildren,
                  "Several benchmarks, in place of `data` and `rewards`.", {.flags = TENON_O_LIST}),
    tenon::integer("problems", "256", "How many problems; 0: all of the data set.",
                   {.min = "0", .max = "1000000000", .unit = "problems"}),
    tenon::integer("samples", "1",
                   "Completions of each problem; the accuracy is the mean over all of them (pass@1).",
                   {.min = "1", .max = "65536", .unit = "completions"}),
    tenon::evaluate::kPassAtOption, tenon::evaluate::kConsAtOption, tenon::evaluate::kVoteOption,
    tenon::evaluate::kDomainOption,
    tenon::number("correct_above", "0.5",
                  "Of pass@k and cons@k: a completion is right where the first reward is above this."),
    tenon::choice("interval", tenon::evaluate::kIntervals, "\"wilson\"",
                  "Of accuracy, pass@k and cons@k, 95 %, by problem: Wilson's with clustered errors, or the "
                  "bootstrap's (BCa)."),
    tenon::integer("resamples", "10000", "Of interval: bootstrap.", {.min = "100", .max = "10000000"}),
    tenon::object(
        "price", tenon::evaluate::kPriceChildren,
        "What a million tokens cost, in any currency: the results have the `cost` of the evaluation."),
    tenon::number("temperature", "1", "Of sampling; 0: always the most likely token.",
                  {.min = "0", .max = "100"}),
    tenon::stages::kTopKOption, tenon::stages::kTopPOption, tenon::stages::kMinPOption,
    tenon::stages::kMaxNewTokensOption, tenon::stages::kOverlapRewardsOption,
    tenon::evaluate::kPatternsOption, tenon::chat_server::kMaxUnansweredOption,
    tenon::integer(
        "completions_per_step", "64",
        "Completions of a step, whole problems: what Ctrl-C waits for and a resume begins again. More keep "
        "a large `slots` of the sampler busy; no number depends on it.",
        {.min = "1", .max = "1000000", .unit = "completions"}),
    tenon::integer("samples_per_model", "4",
                   "Completions of each model and benchmark written to samples.jsonl; 0: none.",
                   {.min = "0", .max = "65536", .unit = "completions"}),
    tenon::boolean("all_samples", "false", "Whether all completions are written to samples.jsonl."))
