// Benchmark files: finding and reading them.
// SPDX-License-Identifier: Apache-2.0
#include "host/eval_benchmarks.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

#include "host/config.h"
#include "host/files.h"
#include "host/option_values.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const std::vector<std::string> kKeys{"about", "source", "licence", "data", "rewards", "evaluate"};

const Value& wanted(const Value& root, const std::string& file, const char* key, Value::Kind kind,
                    const char* what) {
  const Value* value = root.find(key);
  if (value == nullptr) throw UserError({file, 1, 1}, std::string(key) + " is missing: give " + what);
  if (value->kind != kind)
    throw UserError(value->mark, std::string(key) + ": takes " + what + ", not " + describe(*value));
  return *value;
}

BenchmarkFile read_benchmark(const fs::path& path, Diagnostics& diagnostics) {
  const std::string file = path.string(), text = read_file(path);
  diagnostics.add_source(file, text);
  const Value root = parse_yaml(file, text);
  if (!root.is_map()) throw UserError({file, 1, 1}, "a benchmark file is a map, not " + describe(root));
  for (const Entry& entry : root.entries)
    if (std::find(kKeys.begin(), kKeys.end(), entry.key) == kKeys.end())
      throw UserError(entry.key_mark,
                      "unknown key \"" + entry.key + "\" of a benchmark." + did_you_mean(entry.key, kKeys));
  BenchmarkFile out;
  out.name = path.stem().string(), out.path = path;
  const auto text_of = [&](const char* key) {
    return wanted(root, file, key, Value::Kind::kScalar, "a text").text;
  };
  out.about = text_of("about"), out.source = text_of("source"), out.licence = text_of("licence");
  out.data =
      to_json(wanted(root, file, "data", Value::Kind::kMap, "a data set, {use: jsonl, file: …}")).as_object();
  if (const json::value* use = out.data.if_contains("use"); use == nullptr || !use->is_string())
    throw UserError(root.find("data")->mark, "data: takes a data set in place, {use: jsonl, …}");
  out.rewards = to_json(wanted(root, file, "rewards", Value::Kind::kList, "a list of rewards"));
  if (root.find("evaluate") != nullptr)
    out.evaluate =
        to_json(wanted(root, file, "evaluate", Value::Kind::kMap, "options of a benchmark")).as_object();
  if (const json::value* data = out.data.if_contains("file"); data != nullptr && data->is_string())
    out.data["file"] =
        (fs::absolute(path).parent_path() / data->as_string().c_str()).lexically_normal().string();
  return out;
}

}  // namespace

std::vector<fs::path> benchmark_folders() {
  std::vector<fs::path> out;
  if (const char* path = std::getenv("TENON_BENCH_PATH"); path != nullptr) {
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, ':');)
      if (!part.empty()) out.emplace_back(part);
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) out.push_back(program.parent_path().parent_path() / "share/tenon/configs/bench");
  return out;
}

std::vector<BenchmarkFile> all_benchmarks(Diagnostics& diagnostics) {
  std::vector<BenchmarkFile> out;
  std::set<std::string> names;
  for (const fs::path& folder : benchmark_folders()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (entry.path().extension() == ".yaml" && names.insert(entry.path().stem().string()).second)
        out.push_back(read_benchmark(entry.path(), diagnostics));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

BenchmarkFile find_benchmark(const std::string& name, Diagnostics& diagnostics) {
  if (name.ends_with(".yaml")) {
    if (!fs::is_regular_file(name)) throw UserError("--bench " + name + ": no such file");
    return read_benchmark(name, diagnostics);
  }
  for (const fs::path& folder : benchmark_folders())
    if (const fs::path file = folder / (name + ".yaml"); fs::is_regular_file(file))
      return read_benchmark(file, diagnostics);
  std::vector<std::string> names;
  std::string all;
  for (const BenchmarkFile& one : all_benchmarks(diagnostics))
    names.push_back(one.name), all += (all.empty() ? "" : ", ") + one.name;
  throw UserError("--bench " + name + ": there is no such benchmark." + did_you_mean(name, names) +
                  (all.empty() ? " There are none beside the program; give the path of a benchmark file."
                               : " There are: " + all + "; or give the path of a file that ends in .yaml."));
}

}  // namespace tenon::host
