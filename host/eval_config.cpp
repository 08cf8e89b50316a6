// A model and benchmarks as a configuration.
// SPDX-License-Identifier: Apache-2.0
#include "host/eval_config.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "host/config.h"
#include "host/files.h"
#include "host/option_values.h"
#include "host/repeat.h"
#include "host/run_folder.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr int64_t kPromptRoom =
    1024;  // tokens of a context beyond max_new_tokens, unless --max-len says otherwise
constexpr int64_t kMaxNewTokens = 512;

// What may name a component and a run's folder.
std::string as_name(std::string text) {
  for (char& c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') c = '-';
  while (!text.empty() && text.front() == '-') text.erase(0, 1);
  return text.empty() ? "model" : text;
}

// A name that the components do not have yet.
std::string unused(const json::object& components, std::string name) {
  while (components.contains(name)) name += "-bench";
  return name;
}

std::string model_name(const std::string& model) {
  fs::path path = model;
  if (path.filename().empty()) path = path.parent_path();
  const std::string file = path.filename().string();
  return as_name(file.ends_with(".gguf") ? file.substr(0, file.size() - 5) : file);
}

int64_t most_new_tokens(const EvalArguments& a, const std::vector<BenchmarkFile>& benchmarks) {
  if (a.max_new_tokens) return *a.max_new_tokens;
  int64_t most = 0;
  for (const BenchmarkFile& b : benchmarks) {
    const json::value* own = b.evaluate.if_contains("max_new_tokens");
    most = std::max(most, own != nullptr && own->is_int64() ? own->as_int64() : kMaxNewTokens);
  }
  return most;
}

void add_file_model(const EvalArguments& a, const std::vector<BenchmarkFile>& benchmarks, EvalConfig& out) {
  std::error_code error;
  if (!fs::exists(a.model, error))
    throw UserError(
        a.model +
        ": no such file or folder. MODEL is a GGUF file, a folder with safetensors and tokenizer.json, or "
        "RUN:STAGE; a server is given as --server URL --model NAME");
  const std::string file = fs::absolute(a.model).lexically_normal().string();
  out.model = model_name(a.model);
  json::object& components = out.yaml["components"].emplace_object();
  components["tokens"] = {{"use", "byte-bpe"}, {"file", file}};
  if (out.model == "tokens") out.model = "tokens-model";
  components[out.model] = {{"use", "transformer"},
                           {"weights", file},
                           {"tokenizer", "tokens"},
                           {"max_len", a.max_len.value_or(kPromptRoom + most_new_tokens(a, benchmarks))}};
  out.yaml["pipeline"].emplace_array();
}

void add_server_model(const EvalArguments& a, EvalConfig& out) {
  if (a.max_len) throw UserError("--max-len: the server knows the context of its model");
  if (a.is_text) throw UserError("--text: a server is asked for chat completions, and renders them itself");
  out.model = a.model;
  out.yaml["components"].emplace_object();
  out.yaml["pipeline"].emplace_array();
}

bool is_run(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "config.yaml", error) && fs::is_directory(folder / "stages", error);
}

// A checkpoint before the stage's last is another model than the one that the stage left.
void check_last(const fs::path& stage, const std::string& model) {
  const fs::path below = fs::absolute(model).lexically_normal().lexically_relative(stage);
  auto part = below.begin();
  if (part == below.end() || *part != "checkpoints" || ++part == below.end() || part->empty()) return;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(stage / "checkpoints", error)) {
    const auto other = parse_int(entry.path().filename().string()), own = parse_int(part->string());
    if (other && own && *other > *own)
      throw UserError(
          model +
          " is a checkpoint in the middle of its stage; what can be evaluated is the model that the "
          "stage left, RUN:STAGE");
  }
}

// RUN:STAGE, or a path inside of <run>/stages/<stage>-<12 digits>, such as a checkpoint; nothing: it is neither.
std::optional<std::pair<fs::path, std::string>> run_and_stage(const std::string& model) {
  const size_t colon = model.rfind(':');
  if (!fs::exists(model)) {
    if (colon == std::string::npos || !is_run(model.substr(0, colon))) return std::nullopt;
    return std::pair(fs::path(model.substr(0, colon)), model.substr(colon + 1));
  }
  if (is_run(model))
    throw UserError(model + " is the folder of a run: name one of its stages, " + model + ":STAGE");
  constexpr size_t kHash = 13;  // with its hyphen
  for (fs::path at = fs::absolute(model).lexically_normal(); at.has_relative_path(); at = at.parent_path()) {
    const std::string name = at.filename().string();
    const fs::path run = at.parent_path().parent_path();
    if (at.parent_path().filename() == "stages" && name.size() > kHash && is_run(run)) {
      check_last(at, model);
      return std::pair(run, name.substr(0, name.size() - kHash));
    }
  }
  return std::nullopt;
}

void collect_texts(const json::value& value, std::set<std::string>& texts) {
  if (const auto* text = value.if_string()) texts.emplace(text->data(), text->size());
  if (const auto* list = value.if_array())
    for (const json::value& item : *list) collect_texts(item, texts);
  if (const auto* object = value.if_object())
    for (const auto& [key, item] : *object) collect_texts(item, texts);
}

// Components that nothing in the pipeline leads to any more go.
void drop_unused(json::object& yaml) {
  json::object& all = yaml.at("components").as_object();
  std::set<std::string> texts, used;
  collect_texts(yaml.at("pipeline"), texts);
  for (size_t before = 1; before != texts.size();) {
    before = texts.size();
    for (const auto& [name, component] : all)
      if (texts.contains(name) && used.insert(name).second) collect_texts(component, texts);
  }
  json::object kept;
  for (const auto& [name, component] : all)
    if (used.contains(name)) kept[name] = component;
  all = std::move(kept);
}

std::string name_of(const StageEntry& entry) {
  const Value* name = entry.value.find("name");
  return entry.prefix + (name != nullptr ? name->text : "");
}

// The stage that is called so, or, as "loop.rl", that of the last round of a loop; all.size(): there is none.
size_t find_stage(const std::vector<StageEntry>& all, const std::string& given) {
  size_t of_last_round = all.size();
  const size_t point = given.find('.');
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string name = name_of(all[i]);
    if (name == given) return i;
    const bool is_of_loop = point != std::string::npos && all[i].loop != kNoLoop &&
                            all[i].prefix.starts_with(given.substr(0, point + 1)) &&
                            name == all[i].prefix + given.substr(point + 1);
    if (is_of_loop) of_last_round = i;
  }
  return of_last_round;
}

// The run's configuration up to the stage; of a loop, up to the end of its round.
void add_run_model(const EvalArguments& a, const fs::path& run, const std::string& stage, EvalConfig& out) {
  if (a.max_len) throw UserError("--max-len: the model of " + a.model + " has its context from its run");
  const fs::path file = run / "config.yaml";
  const Value root = parse_yaml(file.string(), read_file(file));
  const Value* pipeline = root.find("pipeline");
  Diagnostics diagnostics;
  const ExpandedPipeline expanded =
      pipeline != nullptr ? expand_pipeline(*pipeline, diagnostics) : ExpandedPipeline();
  if (diagnostics.has_errors()) {
    const Diagnostic first = diagnostics.sorted().front();
    throw UserError(first.mark, first.path + ": " + first.message);
  }
  const std::vector<StageEntry>& all = expanded.stages;
  const size_t found = find_stage(all, stage);
  if (found == all.size()) {
    std::vector<std::string> names;
    std::string text;
    for (const StageEntry& entry : all) {
      names.push_back(name_of(entry));
      text += (text.empty() ? "" : ", ") + names.back();
    }
    throw UserError(a.model + ": " + run.string() + " has no such stage." + did_you_mean(stage, names) +
                    " It has: " + text);
  }
  const StageEntry& entry = all[found];
  out.model = name_of(entry);
  out.taken = TakenRun{fs::absolute(run).lexically_normal(), {}};
  const bool is_in_loop = entry.loop != kNoLoop;
  for (size_t i = 0; i < all.size(); ++i)
    if (i <= found || (is_in_loop && all[i].prefix == entry.prefix))
      out.taken->stages.push_back(name_of(all[i]));

  out.yaml = to_json(root).as_object();
  json::array& kept = out.yaml.at("pipeline").as_array();
  kept.resize((is_in_loop ? expanded.loops[entry.loop].number : entry.number) + 1);
  if (is_in_loop) kept.back().as_object()["repeat"] = entry.round;
  drop_unused(out.yaml);
}

// A name that no stage, loop or component has.
std::string unused_stage(const json::object& yaml, std::string name) {
  std::set<std::string> texts;
  collect_texts(yaml.at("pipeline"), texts);
  while (texts.contains(name) || yaml.at("components").as_object().contains(name)) name += "-bench";
  return name;
}

json::object reward_of(const json::value& reward) {
  return reward.is_object() ? reward.as_object() : json::object{{"of", reward}};
}

// A benchmark as an element of the stage's list; its data set becomes a component.
json::object element_of(const EvalArguments& a, const BenchmarkFile& file, size_t n_benchmarks,
                        json::object& components) {
  json::object data = file.data;
  const auto given = a.data.find(n_benchmarks == 1 && a.data.contains("") ? "" : file.name);
  if (given == a.data.end() && data.at("use") == "jsonl" && !data.contains("file"))
    throw UserError("no rows ship with the benchmark " + file.name + ": give --data FILE, " + file.source);
  if (given != a.data.end() && data.at("use") != "jsonl")
    throw UserError("--data: the rows of " + file.name + " are made by the data set " +
                    std::string(data.at("use").as_string()) + ", and come from no file");
  if (given != a.data.end() && !fs::is_regular_file(given->second))
    throw UserError("--data " + given->second + ": no such file");
  if (given != a.data.end()) data["file"] = fs::absolute(given->second).lexically_normal().string();
  if (a.is_text) data.erase("as"), data.erase("system");
  const std::string component = unused(components, as_name(file.name));
  components[component] = std::move(data);
  json::array rewards;
  for (const json::value& reward : file.rewards.as_array()) rewards.push_back(reward_of(reward));
  json::object out{{"name", file.name},
                   {"data", component},
                   {"rewards", std::move(rewards)},
                   {"problems", 0},
                   {"max_new_tokens", kMaxNewTokens}};
  for (const auto& [key, value] : file.evaluate) out[key] = value;
  const auto override_with = [&](const char* key, const auto& value) {
    if (value) out[key] = *value;
  };
  override_with("problems", a.problems), override_with("samples", a.samples),
      override_with("temperature", a.temperature);
  override_with("top_p", a.top_p), override_with("max_new_tokens", a.max_new_tokens);
  if (!a.pass_at.empty()) out["pass_at"] = json::value_from(a.pass_at);
  if (!a.cons_at.empty()) out["cons_at"] = json::value_from(a.cons_at);
  if (a.cons_at.empty() && !file.evaluate.contains("cons_at")) out.erase("vote");
  if (const json::value* t = out.if_contains("temperature");
      t != nullptr && t->is_number() && t->to_number<double>() == 0)
    out.erase("top_p");
  return out;
}

}  // namespace

EvalConfig make_eval_config(const EvalArguments& a, const std::vector<BenchmarkFile>& benchmarks) {
  for (const auto& [name, file] : a.data) {
    if (name.empty() && benchmarks.size() > 1)
      throw UserError("--data " + file + ": which benchmark? With several, give --data NAME=FILE");
    const bool is_there = name.empty() || std::any_of(benchmarks.begin(), benchmarks.end(),
                                                      [&](const BenchmarkFile& b) { return b.name == name; });
    if (!is_there) throw UserError("--data " + name + "=" + file + ": " + name + " is not among --bench");
  }
  EvalConfig out;
  const auto of_run = a.server.empty() ? run_and_stage(a.model) : std::nullopt;
  if (!a.server.empty())
    add_server_model(a, out);
  else if (of_run)
    add_run_model(a, of_run->first, of_run->second, out);
  else
    add_file_model(a, benchmarks, out);
  std::string names;
  for (const BenchmarkFile& b : benchmarks) names += "-" + as_name(b.name);
  const std::string of =
      of_run ? model_name(of_run->first.string()) + "-" + as_name(out.model) : as_name(out.model);
  out.run = a.name.empty() ? "eval-" + of + names : a.name;

  json::object& components = out.yaml["components"].as_object();
  json::array elements;
  for (const BenchmarkFile& b : benchmarks)
    elements.push_back(element_of(a, b, benchmarks.size(), components));
  json::object run;
  if (const json::value* before = out.yaml.if_contains("run")) run = before->as_object();
  run["name"] = out.run, run["runs"] = fs::absolute(a.runs).lexically_normal().string();
  if (!of_run) run["seed"] = a.seed.value_or(1);
  if (of_run && a.seed) throw UserError("--seed: the seed of " + a.model + " is that of its run");
  out.stage = unused_stage(out.yaml, "eval");
  json::object stage{{"name", out.stage},
                     {"use", "evaluate"},
                     {"models", json::array{out.model}},
                     {"all_samples", true},
                     {"benchmarks", std::move(elements)}};
  if (!a.server.empty()) {
    stage.erase("models");
    json::object server{{"url", a.server}, {"model", a.model}};
    if (!a.token_env.empty()) server["token_env"] = a.token_env;
    stage["server"] = std::move(server);
  }
  if (!a.interval.empty()) stage["interval"] = a.interval;
  if (a.price) stage["price"] = {{"input", a.price->first}, {"output", a.price->second}};
  out.yaml["pipeline"].as_array().push_back(std::move(stage));
  json::object yaml{
      {"run", std::move(run)},
      {"sinks", json::array{json::object{{"use", "console"}, {"chart", false}, {"table", false}}}}};
  for (const char* key : {"plugins", "components", "pipeline"})
    if (const json::value* value = out.yaml.if_contains(key)) yaml[key] = *value;
  out.yaml = std::move(yaml);
  return out;
}

}  // namespace tenon::host
