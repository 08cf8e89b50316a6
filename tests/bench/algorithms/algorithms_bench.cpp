// Milliseconds that advantages and gradient of algorithm plugins take for 8,192 completions of 1,024 tokens on one core, beside the machine's memory
// bandwidth, and what the C ABI has of it: `bench_algorithms [--set option=JSON]... PLUGIN.so...`
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tenon/rollout.hpp"
#include "tenon/stage.hpp"
#include "tenon/testing.hpp"

namespace {

using tenon::Rollout;
using Clock = std::chrono::steady_clock;
using Options = std::map<std::string, std::string>;

constexpr uint64_t kGroups = 512, kGroupSize = 16, kPrompt = 8, kCompletion = 1024, kRepeats = 9;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The least of several times that f takes: what it takes when nothing else is in the way.
template <class F>
double seconds_of(F&& f, uint64_t repeats = kRepeats) {
  double best = 1e9;
  for (uint64_t i = 0; i < repeats; ++i) {
    const auto begin = Clock::now();
    f();
    best = std::min(best, seconds_since(begin));
  }
  return best;
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
  const double seconds = seconds_of([&] {
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

  void measure(Rollout r, double bandwidth) {
    const tenon_algorithm_info info = algorithm_.info();
    if ((info.needs & TENON_NEEDS_ENTROPY) == 0) r.entropy.clear();
    if ((info.needs & TENON_NEEDS_VALUE) == 0) r.value.clear(), r.value_old.clear();
    if ((info.needs & TENON_NEEDS_REFERENCE) == 0) r.lp_ref.clear();
    std::vector<double> advantage(r.tokens()), target(r.tokens());
    std::vector<float> d_logprob(r.tokens()), d_entropy(r.entropy.size()), d_value(r.value.size());
    tenon_advantages_out to{sizeof to, 0,      advantage.data(), r.value.empty() ? nullptr : target.data(),
                            nullptr,   nullptr};
    tenon_rollout raw = r.raw();
    const double advantages = seconds_of([&] { check(vt_.advantages(self_, nullptr, &raw, &to, err_)); });

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
    double gradient = 1e9;
    for (uint64_t i = 0; i < kRepeats; ++i) {
      std::fill(d_logprob.begin(), d_logprob.end(), 0.0f),
          std::fill(d_entropy.begin(), d_entropy.end(), 0.0f);
      std::fill(d_value.begin(), d_value.end(), 0.0f);
      gradient =
          std::min(gradient, seconds_of([&] { check(vt_.gradient(self_, nullptr, &raw, &out, err_)); }, 1));
    }
    const double both = advantages + gradient, bytes = column_bytes(r, info.needs);
    const double crossing = crossing_seconds(r), calls = 1 + static_cast<double>(r.size()) / kGroupSize;
    std::printf("%-24s %7.1f %9.1f %8.1f %7.1f %8.0f%% %10.0f %9.4f%%\n", instance_.component()->id,
                advantages * 1e3, gradient * 1e3, both * 1e3, bytes / both * 1e-9,
                bytes / both / bandwidth * 100, crossing * 1e9, crossing * calls / both * 100);
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
    return seconds_of([&] {
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
  std::printf("%-24s %7s %9s %8s %7s %9s %10s %10s\n", "algorithm", "adv ms", "grad ms", "both ms", "GB/s",
              "of memory", "ns a call", "ABI share");
  for (const std::string& file : files)
    for (auto component = open(file)->components; *component != nullptr; ++component)
      if (std::string_view((*component)->kind) == "algorithm")
        Bench(*component, options).measure(r, bandwidth);
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
