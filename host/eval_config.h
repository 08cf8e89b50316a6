// From what `tenon eval` is asked to a configuration.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/eval_benchmarks.h"

namespace tenon::host {

struct EvalArguments {
  std::string
      model;  // a GGUF file, a folder with safetensors and tokenizer, RUN:STAGE (of a loop RUN:loop.2.rl, or RUN:loop.rl for that of its last round), or with `server` the model's name there
  std::string server;                       // URL; empty: none
  std::string token_env;                    // of the server; empty: none
  std::vector<std::string> bench;           // names or files
  std::map<std::string, std::string> data;  // by benchmark; "": of the only one
  std::optional<int64_t> problems, samples, max_new_tokens, max_len, seed;
  std::optional<double> temperature, top_p;
  std::vector<int64_t> pass_at, cons_at;
  std::string interval;
  std::optional<std::pair<double, double>> price;  // of a million tokens, prompts and completions
  bool is_text = false;                            // prompts without the chat template
  std::string name;  // of the run; empty: made of the model's and the benchmarks'
  std::filesystem::path runs = "runs";
  std::vector<std::string> set;
  std::vector<std::filesystem::path> plugin_path;
  std::optional<uint32_t> threads;
  bool json = false, list = false;
};

// A stage of another run that the configuration takes up: its run's stages, finished, are those of the new one.
struct TakenRun {
  std::filesystem::path folder;
  std::vector<std::string> stages;  // up to the one that is evaluated
};

struct EvalConfig {
  std::string run;    // its name
  std::string model;  // its name in the results
  std::string stage;  // the name of the stage that evaluates
  boost::json::object yaml;
  std::optional<TakenRun> taken;
};

// Throws UserError: no such model, a run's stage that is not there or not finished, a benchmark's option that cannot be.
EvalConfig make_eval_config(const EvalArguments& arguments, const std::vector<BenchmarkFile>& benchmarks);

}  // namespace tenon::host
