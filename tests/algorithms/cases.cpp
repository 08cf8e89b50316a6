// Opening plugins and listing the rows of the matrix.
// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tenon/json.hpp"
#include "tenon/plugin.hpp"

namespace tenon::test {
namespace {

const tenon_plugin* open_plugin(const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Error(dlerror());
  auto query = reinterpret_cast<tenon_plugin_query_fn>(dlsym(library, TENON_ENTRY));
  if (query == nullptr) throw Error(file + " does not export " TENON_ENTRY);
  const tenon_host_info info{sizeof info, TENON_ABI_LEVEL, TENON_ABI_DRAFT, 0, "tenon", "test"};
  const tenon_plugin* plugin = query(&info);
  if (plugin == nullptr) throw Error(file + " refuses this host");
  return plugin;
}

const std::vector<const tenon_component*>& algorithms() {
  static const std::vector<const tenon_component*> all = [] {
    std::vector<const tenon_component*> out;
    std::istringstream files(TENON_ALGORITHM_PLUGINS);
    for (std::string file; std::getline(files, file, '|');)
      for (auto c = open_plugin(file)->components; *c != nullptr; ++c)
        if (std::string_view((*c)->kind) == "algorithm") out.push_back(*c);
    std::sort(out.begin(), out.end(), [](auto a, auto b) { return std::string_view(a->id) < b->id; });
    return out;
  }();
  return all;
}

std::map<std::string, std::string> fields(const char* object) {
  std::map<std::string, std::string> out;
  if (object != nullptr)
    json::each_field(
        object, [&](std::string name, std::string_view value) { return out[std::move(name)] = value, true; });
  return out;
}

// Options beside the presets, so that every branch of an algorithm has a row.
struct Variant {
  const char *algorithm, *name, *options;
};
constexpr Variant kVariants[] = {
    {"dpo", "best-worst", R"({"pairs": "best-worst", "beta": 1})"},
    {"dpo", "smoothing", R"({"beta": 2, "label_smoothing": 0.2})"},
    {"grpo", "batch", R"({"scale": "batch", "aggregation": "sequence-mean"})"},
    {"grpo", "clip", R"({"clip_low": 0.1, "clip_high": 0.28})"},
    {"grpo", "delta", R"({"delta": 1.5})"},
    {"grpo", "dual-clip", R"({"dual_clip": 1.1, "clip_high": 0.28})"},
    {"grpo", "dual-clip-kl", R"({"dual_clip": 1.1, "beta": 0.5})"},
    {"grpo", "entropy", R"({"entropy": 0.01})"},
    {"grpo", "k1", R"({"beta": 0.1, "kl": "k1"})"},
    {"grpo", "k2", R"({"beta": 0.1, "kl": "k2"})"},
    {"grpo", "k3-ratio", R"({"beta": 0.1, "kl": "k3-ratio"})"},
    {"grpo", "kl-in-reward", R"({"beta": 0.1, "kl_in": "reward"})"},
    {"grpo", "population", R"({"std": "population", "aggregation": "sequence-mean"})"},
    {"grpo", "process", R"({"advantage": "process"})"},
    {"grpo", "process-batch", R"({"advantage": "process", "scale": "batch", "std": "population"})"},
    {"grpo", "sequence",
     R"({"ratio": "sequence", "aggregation": "sequence-mean", "beta": 0.001, "clip_low": 10, "clip_high": 10})"},
    {"grpo", "sequence-dual-clip",
     R"({"ratio": "sequence", "aggregation": "sequence-mean", "dual_clip": 2})"},
    {"grpo", "sequence-k1",
     R"({"ratio": "sequence", "aggregation": "sequence-mean", "beta": 0.1, "kl": "k1"})"},
    {"grpo", "sequence-k2",
     R"({"ratio": "sequence", "aggregation": "sequence-mean", "beta": 0.1, "kl": "k2"})"},
    {"grpo", "sequence-k3-ratio",
     R"({"ratio": "sequence", "aggregation": "sequence-mean", "beta": 0.1, "kl": "k3-ratio"})"},
    {"grpo", "gspo-k3-ratio",
     R"({"ratio": "geometric-mean", "aggregation": "sequence-mean", "beta": 0.2, "kl": "k3-ratio"})"},
    {"grpo", "gspo-token-process",
     R"({"ratio": "geometric-mean-token", "aggregation": "sequence-mean", "advantage": "process", "beta": 0.1})"},
    {"grpo", "cispo-entropy", R"({"objective": "cispo", "clip_low": 0.1, "beta": 0.2, "entropy": 0.1})"},
    {"grpo", "gspo-kl", R"({"ratio": "geometric-mean", "aggregation": "sequence-mean", "beta": 0.04})"},
    {"grpo", "cispo-kl",
     R"({"objective": "cispo", "beta": 0.04, "kl": "k2", "clip_low": 0.2, "clip_high": 0.28})"},
    {"grpo", "gmpo-kl",
     R"({"objective": "gmpo", "ratio": "geometric-mean", "aggregation": "sequence-mean", "beta": 0.04})"},
    {"ppo", "all",
     R"({"gamma": 0.97, "lambda": 0.9, "beta": 0.05, "dual_clip": 1.5, "value_clip": 0.2, "entropy": 0.01, "aggregation": "sequence-mean"})"},
    {"ppo", "length",
     R"({"value_clip": 0.5, "lambda": 0.95, "beta": 0.1, "aggregation": "constant-length", "length": 9})"},
    {"ppo", "one-step", R"({"lambda": 0, "beta": 0.5, "whiten": false})"},
    {"ppo", "plain", R"({"whiten": false, "value_coef": 1})"},
    {"reinforce", "no-baseline", R"({"baseline": "none"})"},
    {"reinforce++", "discount",
     R"({"gamma": 0.9, "beta": 0.05, "aggregation": "constant-length", "length": 12})"},
    {"reinforce++", "narrow", R"({"clip_low": 0.1, "clip_high": 0.3, "beta": 0.1})"},
    {"reinforce++", "baseline-narrow",
     R"({"baseline": "group", "clip_low": 0.1, "clip_high": 0.3, "beta": 0.2, "aggregation": "sequence-mean"})"},
    {"rloo", "narrow",
     R"({"clip_low": 0.05, "clip_high": 0.3, "beta": 0.1, "aggregation": "sequence-mean"})"},
    {"rloo", "sequence", R"({"ratio": "sequence", "clip_low": 0.5, "aggregation": "sequence-mean"})"},
    {"rloo", "kl", R"({"beta": 0.05, "aggregation": "sequence-mean"})"},
    {"rloo", "reinforce", R"({"loss": "reinforce", "aggregation": "constant-length", "length": 1})"},
};

}  // namespace

const tenon_component* load_component(const std::string& file) {
  return std::filesystem::exists(file) ? open_plugin(file)->components[0] : nullptr;
}

const tenon_component* find_algorithm(const std::string& id) {
  for (const tenon_component* c : algorithms())
    if (id == c->id) return c;
  return nullptr;
}

Case algorithm_case(const std::string& id, const std::string& preset,
                    std::map<std::string, std::string> options) {
  const tenon_component* component = find_algorithm(id);
  if (component == nullptr) throw Error("the build has no algorithm " + id);
  if (preset.empty()) return {id, component, std::move(options)};
  for (auto p = component->presets; p != nullptr && *p != nullptr; ++p)
    if (preset == (*p)->name) {
      options.merge(fields((*p)->options_json));
      return {id + "/" + preset, component, std::move(options)};
    }
  throw Error("algorithm " + id + " has no preset " + preset);
}

std::vector<Case> all_cases() {
  std::vector<Case> out;
  for (const tenon_component* c : algorithms()) {
    out.push_back(algorithm_case(c->id));
    for (auto p = c->presets; p != nullptr && *p != nullptr; ++p)
      out.push_back(algorithm_case(c->id, (*p)->name));
    for (const Variant& v : kVariants)
      if (std::string_view(c->id) == v.algorithm)
        out.push_back({std::string(c->id) + "+" + v.name, c, fields(v.options)});
  }
  return out;
}

}  // namespace tenon::test
