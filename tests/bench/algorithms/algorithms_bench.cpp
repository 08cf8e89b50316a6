// Milliseconds that advantages and gradient of algorithm plugins take for 8,192 completions of 1,024 tokens on one core, beside the machine's memory
// bandwidth, and what the C ABI has of it: `bench_algorithms [--set option=JSON]... PLUGIN.so...`. Without --set each algorithm is measured with its
// defaults, with every preset, and each of these again with what makes it heavier: the divergence from a reference, a bonus for entropy.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tenon/json.hpp"
#include "tenon/rollout.hpp"
#include "tenon/stage.hpp"
#include "tenon/testing.hpp"

namespace {

using tenon::Rollout;
using Clock = std::chrono::steady_clock;
using Options = std::map<std::string, std::string>;

// What every algorithm stays below, of the two functions together.
constexpr double kLimit = 60e-3;
constexpr uint64_t kGroups = 512, kGroupSize = 16, kPrompt = 8, kCompletion = 1024, kRepeats = 9;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

template <class F>
double seconds_of(F&& f) {
  const auto begin = Clock::now();
  f();
  return seconds_since(begin);
}

// The least of several times that f takes: what it takes when nothing else is in the way.
template <class F>
double least_seconds_of(F&& f) {
  double best = 1e9;
  for (uint64_t i = 0; i < kRepeats; ++i) best = std::min(best, seconds_of(f));
  return best;
}

double least(const std::vector<double>& x) {
  return *std::min_element(x.begin(), x.end());
}
double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x[x.size() / 2];
}

// After some updates: ratios around 1, a tenth of them outside of 1 ± 0.2. All columns that an algorithm may ask for.
Rollout rollout() {
  Rollout r;
  std::mt19937 random(1);
  std::uniform_real_distribution<float> logprob(-3, 0), drift(-0.2f, 0.2f);
  const std::vector<int32_t> prompt(kPrompt, 1), completion(kCompletion, 2);
  std::vector<float> lp(kCompletion);
  for (uint64_t i = 0; i < kGroups * kGroupSize; ++i) {
    for (float& x : lp) x = logprob(random);
    r.push(prompt, completion, lp, i / kGroupSize, i, TENON_FINISH_STOP);
    r.reward.back() = static_cast<double>(random() % 2);
  }
  r.lp_old = r.lp_new = r.lp_ref = r.entropy = r.value = r.value_old = r.lp_sample;
  for (uint64_t t = 0; t < r.tokens(); ++t)
    r.lp_new[t] += drift(random), r.lp_ref[t] += drift(random), r.value[t] += drift(random);
  return r;
}

// Bytes a second that one core reads and writes in out[i] = a[i] + b[i], over arrays that no cache holds: 24 bytes an element.
double memory_bandwidth(uint64_t n) {
  std::vector<double> a(n, 1), b(n, 2), out(n, 0);
  const double seconds = least_seconds_of([&] {
    for (uint64_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
  });
  return static_cast<double>(n) * 24 / seconds;
}

// Bytes of the columns that an algorithm with these needs has to read and write once, both functions together.
double column_bytes(const Rollout& r, uint32_t needs) {
  double advantages = 1 + 8;                // mask; advantage
  double gradient = 1 + 4 + 4 + 8 + 8 + 4;  // mask, lp_new, lp_old, advantage, weight; d_logprob
  if (needs & TENON_NEEDS_REFERENCE) gradient += 4;
  if (needs & TENON_NEEDS_ENTROPY) gradient += 8;  // entropy; d_entropy
  if (needs & TENON_NEEDS_VALUE)
    advantages += 4 + 8,
        gradient += 4 + 4 + 8 + 4;  // value_old; target; value, value_old, value_target; d_value
  return static_cast<double>(r.tokens()) * (advantages + gradient);
}

class Bench {
 public:
  Bench(const tenon_component* component, const Options& options)
      : instance_(component, options),
        vt_(*instance_.vt),
        self_(instance_.self),
        algorithm_(instance_.ref()) {}

  // Prints a row; whether it is within the limit.
  bool measure(const std::string& name, Rollout r, double bandwidth) {
    const tenon_algorithm_info info = algorithm_.info();
    if ((info.needs & TENON_NEEDS_ENTROPY) == 0) r.entropy.clear();
    if ((info.needs & TENON_NEEDS_VALUE) == 0) r.value.clear(), r.value_old.clear();
    if ((info.needs & TENON_NEEDS_REFERENCE) == 0) r.lp_ref.clear();
    std::vector<double> advantage(r.tokens()), target(r.tokens());
    std::vector<float> d_logprob(r.tokens()), d_entropy(r.entropy.size()), d_value(r.value.size());
    tenon_advantages_out to{sizeof to, 0,      advantage.data(), r.value.empty() ? nullptr : target.data(),
                            nullptr,   nullptr};
    tenon_rollout raw = r.raw();
    std::vector<double> advantages, gradient, both;
    for (uint64_t i = 0; i < kRepeats; ++i)
      advantages.push_back(seconds_of([&] { check(vt_.advantages(self_, nullptr, &raw, &to, err_)); }));

    r.advantage = advantage, r.value_target = target;
    tenon::loss_weights(instance_.host.host(), info, r);
    raw = r.raw();
    tenon_gradient_out out{sizeof out,
                           0,
                           0,
                           d_logprob.data(),
                           d_entropy.empty() ? nullptr : d_entropy.data(),
                           d_value.empty() ? nullptr : d_value.data(),
                           nullptr,
                           nullptr};
    // With derivatives of 0, as it is called; filling them is the stage's and not in the time.
    for (uint64_t i = 0; i < kRepeats; ++i) {
      std::fill(d_logprob.begin(), d_logprob.end(), 0.0f);
      std::fill(d_entropy.begin(), d_entropy.end(), 0.0f);
      std::fill(d_value.begin(), d_value.end(), 0.0f);
      gradient.push_back(seconds_of([&] { check(vt_.gradient(self_, nullptr, &raw, &out, err_)); }));
      both.push_back(advantages[i] + gradient[i]);
    }
    const double best = least(advantages) + least(gradient), bytes = column_bytes(r, info.needs);
    const double crossing = crossing_seconds(r), calls = 1 + static_cast<double>(r.size()) / kGroupSize;
    std::printf("%-34s %7.1f %8.1f %8.1f %9.1f %6.1f %8.0f%% %9.0f %9.4f%%%s\n", name.c_str(),
                least(advantages) * 1e3, least(gradient) * 1e3, best * 1e3, median(both) * 1e3,
                bytes / best * 1e-9, bytes / best / bandwidth * 100, crossing * 1e9,
                crossing * calls / best * 100, best > kLimit ? "  over the limit" : "");
    return best <= kLimit;
  }

 private:
  void check(int32_t rc) const { err_.check(rc); }

  // One call of gradient for no sequence: all that crossing the ABI costs a call, be it large or small.
  double crossing_seconds(const Rollout& r) const {
    tenon_rollout none = r.raw();
    none.n_seq = none.n_tok = 0;
    float d[1] = {};
    tenon_gradient_out out{sizeof out, 0, 0, d, d, d, nullptr, nullptr};
    constexpr uint64_t kCalls = 10000;
    return least_seconds_of([&] {
             for (uint64_t i = 0; i < kCalls; ++i) check(vt_.gradient(self_, nullptr, &none, &out, err_));
           }) /
           static_cast<double>(kCalls);
  }

  tenon::testing::Instance<tenon_algorithm_vt> instance_;
  const tenon_algorithm_vt& vt_;
  void* self_;
  tenon::Algorithm algorithm_;
  mutable tenon::ErrorBuffer err_;
};

const tenon_plugin* open(const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw tenon::Error(dlerror());
  auto query = reinterpret_cast<const tenon_plugin* (*)(const tenon_host_info*)>(
      dlsym(library, "tenon_plugin_query_v1"));
  if (query == nullptr) throw tenon::Error(file + " is no plugin: it does not export tenon_plugin_query_v1");
  const tenon_host_info host{};
  return query(&host);
}

struct Variant {
  std::string name;
  Options options;
};

// Whether there is such an option, and it is off by default: a weight of 0, or one without effect of its own.
bool can_turn_on(const tenon_component* component, std::string_view name) {
  for (auto option = component->options; *option != nullptr; ++option)
    if (name == (*option)->name)
      return (*option)->type != TENON_T_FLOAT || (*option)->default_json == std::string_view("0");
  return false;
}
// A configuration that nobody can run is not measured.
bool is_legal(const tenon_component* component, const Options& options) {
  for (const std::string& finding : tenon::testing::findings_of(component, options))
    if (!finding.starts_with("warning: ")) return false;
  return true;
}

// Defaults and presets, and each of them with every option that is more to compute.
std::vector<Variant> variants(const tenon_component* component) {
  std::vector<Variant> out{{component->id, {}}};
  for (auto preset = component->presets; preset != nullptr && *preset != nullptr; ++preset) {
    Variant v{std::string(component->id) + " " + (*preset)->name, {}};
    tenon::json::each_field((*preset)->options_json, [&](const std::string& key, std::string_view raw) {
      v.options[key] = std::string(raw);
      return true;
    });
    out.push_back(std::move(v));
  }
  const Variant heavier[] = {{"beta 0.04", {{"beta", "0.04"}}},
                             {"beta 0.04 k3-ratio", {{"beta", "0.04"}, {"kl", "\"k3-ratio\""}}},
                             {"entropy 0.01", {{"entropy", "0.01"}}}};
  const size_t plain = out.size();
  for (size_t i = 0; i < plain; ++i)
    for (const Variant& more : heavier) {
      Variant v{out[i].name + ", " + more.name, more.options};
      bool is_new = true;
      for (const auto& entry : more.options)
        is_new = is_new && can_turn_on(component, entry.first) && out[i].options.count(entry.first) == 0;
      v.options.insert(out[i].options.begin(), out[i].options.end());
      if (is_new && is_legal(component, v.options)) out.push_back(std::move(v));
    }
  return out;
}

int run(int argc, char** argv) {
  Options options;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text != "--set") {
      files.push_back(text);
      continue;
    }
    const std::string pair = i + 1 < argc ? argv[++i] : "";
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) throw tenon::Error("--set wants option=JSON");
    options[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (files.empty()) throw tenon::Error("usage: bench_algorithms [--set option=JSON]... PLUGIN.so...");
  const Rollout r = rollout();
  const double bandwidth = memory_bandwidth(r.tokens());
  std::printf("%llu completions of %llu tokens, one core; memory %.1f GB/s\n",
              static_cast<unsigned long long>(r.size()), static_cast<unsigned long long>(kCompletion),
              bandwidth * 1e-9);
  std::printf("%-34s %7s %8s %8s %9s %6s %9s %9s %10s\n", "algorithm", "adv ms", "grad ms", "both ms",
              "median ms", "GB/s", "of memory", "ns a call", "ABI share");
  uint64_t rows = 0, slow = 0;
  for (const std::string& file : files)
    for (auto component = open(file)->components; *component != nullptr; ++component) {
      if (std::string_view((*component)->kind) != "algorithm") continue;
      const std::vector<Variant> all =
          options.empty() ? variants(*component) : std::vector<Variant>{{(*component)->id, options}};
      for (const Variant& v : all)
        ++rows, slow += Bench(*component, v.options).measure(v.name, r, bandwidth) ? 0 : 1;
    }
  std::printf("%llu of %llu within %.0f ms\n", static_cast<unsigned long long>(rows - slow),
              static_cast<unsigned long long>(rows), kLimit * 1e3);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_algorithms: %s\n", e.what());
    return 1;
  }
}
