// `tenon eval`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_eval.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>

#include "host/check.h"
#include "host/command_line.h"
#include "host/commands_run.h"
#include "host/content_hash.h"
#include "host/eval_report.h"
#include "host/files.h"
#include "host/json_text.h"
#include "host/loader.h"
#include "host/resolved_yaml.h"
#include "host/run_folder.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

int print_list(bool as_json) {
  Diagnostics diagnostics;
  const std::vector<BenchmarkFile> all = all_benchmarks(diagnostics);
  if (as_json) {
    json::array out;
    for (const BenchmarkFile& b : all)
      out.push_back(json::object{{"name", b.name},
                                 {"file", b.path.string()},
                                 {"about", b.about},
                                 {"source", b.source},
                                 {"licence", b.licence}});
    std::cout << json_text(out) << '\n';
    return kExitOk;
  }
  for (const BenchmarkFile& b : all) {
    std::string name = b.name;
    name.resize(std::max<size_t>(name.size() + 2, 16), ' ');
    std::cout << name << b.about << "\n" << std::string(16, ' ') << b.source << ", " << b.licence << '\n';
  }
  if (all.empty())
    std::cout << "no benchmarks beside the program; --bench takes the path of a benchmark file\n";
  return kExitOk;
}

// The finished stages of the other run become those of this one, as links; what is not finished there is not trained here.
void take_stages(const EvalConfig& config, const EvalArguments& a, const fs::path& file,
                 const fs::path& run) {
  Diagnostics diagnostics;
  Loader loader(plugin_search_path(a.plugin_path));
  const Plan plan = make_plan(file, a.set, loader, diagnostics, true);
  if (diagnostics.has_errors()) return;  // the run will say so
  const std::map<std::string, std::string> hashes = hash_stages(plan);
  for (const std::string& stage : config.taken->stages) {
    const StageFolder there(config.taken->folder, stage, hashes.at(stage)),
        here(run, stage, hashes.at(stage));
    if (!there.done())
      throw UserError("stage " + stage + " of " + config.taken->folder.string() +
                      " is not finished with these plugins: finish it with `tenon resume " +
                      config.taken->folder.string() + "`");
    std::error_code ignored;
    if (fs::exists(here.path())) continue;
    fs::remove(here.path(), ignored);  // a link that leads nowhere
    make_folder(here.path().parent_path());
    fs::create_directory_symlink(fs::canonical(there.path()), here.path());
  }
}

std::string head(const EvalConfig& config, const fs::path& folder) {
  return "# A configuration that `tenon eval` made. " +
         (config.taken ? "`tenon resume " + folder.string() + "` repeats it.\n"
                       : std::string("`tenon run` with this file repeats it.\n"));
}

// The lines of eval.yaml that an option of the command line set, or could mend, end with its name: messages show the line that is wrong.
class OptionNotes {
 public:
  OptionNotes(const EvalArguments& a, const std::vector<BenchmarkFile>& benchmarks, std::string stage)
      : stage_(std::move(stage)) {
    const auto note = [&](bool is_given, const char* key, const char* option) {
      if (is_given) of_stage_[key] = option;
    };
    note(a.problems.has_value(), "problems", "--problems");
    note(a.samples.has_value(), "samples", "--samples");
    note(a.temperature.has_value(), "temperature", "--temperature");
    note(a.top_p.has_value(), "top_p", "--top-p");
    note(a.max_new_tokens.has_value(), "max_new_tokens", "--max-new-tokens");
    note(!a.pass_at.empty(), "pass_at", "--pass-at");
    note(!a.cons_at.empty(), "cons_at", "--cons-at");
    note(!a.interval.empty(), "interval", "--interval");
    note(a.price.has_value(), "price", "--price");
    const bool has_chats = std::any_of(benchmarks.begin(), benchmarks.end(), [](const BenchmarkFile& b) {
      return b.data.contains("as") && b.data.at("as") == "messages";
    });
    note(has_chats && a.server.empty() && !a.is_text, "data", "a model without a chat template needs --text");
    if (!a.name.empty()) before_["  name"] = "--name";
    if (a.seed) before_["  seed"] = "--seed";
    if (a.max_len) before_["    max_len"] = "--max-len";
  }

  std::string on(const std::string& yaml) const {
    std::istringstream lines(yaml);
    std::string out;
    bool is_in_stage = false;
    for (std::string line; std::getline(lines, line);) {
      is_in_stage = is_in_stage || line == "  - name: " + stage_;
      std::string key = line.substr(0, line.find(':'));
      if (is_in_stage) key.erase(0, key.find_first_not_of(" -"));
      const auto& notes = is_in_stage ? of_stage_ : before_;
      const auto found = notes.find(key);
      out += line + (found != notes.end() ? "  # " + found->second : "") + "\n";
    }
    return out;
  }

 private:
  std::string stage_;
  std::map<std::string, std::string> before_, of_stage_;  // by key; before the stage with its indentation
};

}  // namespace

int eval_command(const EvalArguments& a) {
  if (a.list) return print_list(a.json);
  Diagnostics diagnostics;
  std::vector<BenchmarkFile> benchmarks;
  try {
    for (const std::string& name : a.bench) benchmarks.push_back(find_benchmark(name, diagnostics));
  } catch (const UserError& e) {
    diagnostics.add(e);
    diagnostics.print(std::cerr);
    return kExitUser;
  }
  const EvalConfig config = make_eval_config(a, benchmarks);
  const fs::path folder = fs::absolute(a.runs / config.run).lexically_normal(), file = folder / "eval.yaml";
  make_folder(folder);
  write_file(file, head(config, folder) + OptionNotes(a, benchmarks, config.stage).on(to_yaml(config.yaml)));
  if (config.taken) take_stages(config, a, file, folder);

  RunArguments run;
  run.config = file, run.set = a.set, run.plugin_path = a.plugin_path, run.threads = a.threads;
  run.json = a.json, run.silent = true, run.is_resolved = config.taken.has_value();
  if (const int code = run_command(run); code != kExitOk) return code;
  const json::object report = eval_report(folder, config.stage, config.model);
  if (a.json)
    std::cout << json_text(report) << '\n';
  else
    std::cout << eval_table(report) << "\nsamples, configuration: " << RunFolder(folder).shown()
              << "/samples.jsonl, eval.yaml\n";
  return kExitOk;
}

}  // namespace tenon::host
