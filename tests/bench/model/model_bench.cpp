// Tokens a second of model transformer, through its C ABI: decoding at several batch sizes, scoring, and
// forward with backward. SPDX-License-Identifier: Apache-2.0
//
// Usage: bench_model [word...]   shapes quickstart, toy, smollm2; phases train, score, decode; all of those
// that are not named. TENON_THREADS (default 2).
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>

#include "host/thread_pool.h"
#include "support/fake_host.h"

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

host::ThreadPool* pool = nullptr;
void parallel_for(const tenon_host*, uint64_t n, uint64_t grain, void (*fn)(void*, uint64_t, uint64_t),
                  void* arg) {
  pool->parallel_for(n, grain, fn, arg);
}

// A tokenizer that only has a size.
struct Ids {
  uint64_t n;
  static uint64_t size(void* self) { return static_cast<Ids*>(self)->n; }
  static constexpr tenon_tokenizer_vt kTable{
      sizeof(tenon_tokenizer_vt), 0, nullptr, nullptr, nullptr, size, nullptr, nullptr};
};

struct Setting {
  const char* name;
  uint64_t vocab;
  const char* options;
  uint64_t sequences, prompt, length;  // of the training batch
  std::vector<uint64_t> decode;        // batch sizes
  uint64_t steps;                      // tokens decoded for each of a batch
};

const std::vector<Setting> kSettings = {
    {"quickstart",
     18,
     R"({"layers": 3, "width": 64, "heads": 4, "ffn": 256, "max_len": 128})",
     48,
     14,
     60,
     {1, 32, 256},
     48},
    {"toy",
     256,
     R"({"layers": 4, "width": 128, "heads": 4, "ffn": 512, "max_len": 256})",
     128,
     32,
     96,
     {1, 8, 32, 128},
     64},
    {"smollm2",
     49152,
     R"({"layers": 30, "width": 576, "heads": 9, "kv_heads": 3, "ffn": 1536, "rope_theta": 1e5, "max_len": 512})",
     8,
     64,
     128,
     {1, 8, 32},
     24},
};

class Bench {
 public:
  Bench(const tenon_component& component, const Setting& s)
      : s_(s), ids_{s.vocab}, fake_(component, s.options), host_(*fake_.raw()), component_(component) {
    fake_.slot("tokenizer", {sizeof(tenon_ref), 0, &ids_, &Ids::kTable, "ids", "tokenizer", nullptr});
    host_.threads = pool->threads();
    host_.parallel_for = parallel_for;
    ErrorBuffer err;
    err.check(component.life->create(&host_, &self_, err));
  }
  ~Bench() { component_.life->destroy(self_); }
  Bench(const Bench&) = delete;

  void run(bool training, bool scoring, bool decoding) {
    const Model m = model();
    std::printf("%s: %.2fM parameters, %u threads\n", s_.name, static_cast<double>(m.info().n_params) / 1e6,
                host_.threads);
    if (training) train(false), train(true);
    if (scoring) score();
    for (uint64_t batch : s_.decode)
      if (decoding) decode(batch);
  }

 private:
  Model model() const {
    return Model({sizeof(tenon_ref), 0, self_, component_.vt, "transformer", "policy", component_.life});
  }

  // Median tokens a second of `body`, over at least a second and five rounds; and tokens to a second of
  // processor time, which says more where other programs are busy too.
  void report(const char* what, uint64_t tokens, const std::function<void()>& body) {
    body();
    std::vector<double> rates;
    const auto begin = Clock::now();
    const std::clock_t processor = std::clock();
    while (rates.size() < 5 || seconds_since(begin) < 1.0) {
      const auto t = Clock::now();
      body();
      rates.push_back(static_cast<double>(tokens) / seconds_since(t));
    }
    std::sort(rates.begin(), rates.end());
    const double used = static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
    std::printf("  %-40s %9.0f tok/s (best %9.0f), %9.0f to a processor second\n", what,
                rates[rates.size() / 2], rates.back(), static_cast<double>(tokens * rates.size()) / used);
    std::fflush(stdout);
  }

  // Whole sequences of the setting's lengths, in groups of 8 with common prompts.
  struct Sequences {
    Ragged<int32_t> ids;
    std::vector<uint8_t> mask;
    std::vector<uint64_t> group, prompt;
    tenon_tokens raw(bool groups) const {
      return {sizeof(tenon_tokens),
              0,
              ids.raw(),
              mask.data(),
              nullptr,
              groups ? group.data() : nullptr,
              groups ? prompt.data() : nullptr,
              nullptr,
              1.0f,
              0};
    }
  };
  Sequences sequences() const {
    Sequences s;
    std::mt19937 rng(1);
    std::vector<int32_t> start(s_.prompt);
    for (uint64_t i = 0; i < s_.sequences; ++i) {
      if (i % 8 == 0)
        for (int32_t& id : start) id = static_cast<int32_t>(rng() % s_.vocab);
      std::vector<int32_t> row = start;
      while (row.size() < s_.length) row.push_back(static_cast<int32_t>(rng() % s_.vocab));
      s.ids.push(row);
      s.group.push_back(i / 8);
      s.prompt.push_back(s_.prompt);
      for (uint64_t t = 0; t < s_.length; ++t) s.mask.push_back(t >= s_.prompt ? 1 : 0);
    }
    return s;
  }

  void train(bool groups) {
    const Sequences s = sequences();
    const tenon_tokens tokens = s.raw(groups);
    const std::vector<float> gradient(s.mask.size(), -1e-3f);
    std::vector<float> logprob(s.mask.size());
    const Model m = model();
    auto train_step = [&] {
      m.zero_grad(nullptr);
      m.accumulate(nullptr, tokens, gradient.data(), logprob.data());
      m.finish_grad(nullptr);
      m.params_updated(nullptr, 1);
    };
    char name[96];
    std::snprintf(name, sizeof name, "train %llu x %llu%s", static_cast<unsigned long long>(s_.sequences),
                  static_cast<unsigned long long>(s_.length), groups ? ", prompts of 8 once" : "");
    report(name, s.mask.size(), train_step);
  }

  void score() {
    const Sequences s = sequences();
    const tenon_tokens tokens = s.raw(false);
    std::vector<float> logprob(s.mask.size());
    const Model m = model();
    report("score", s.mask.size(),
           [&] { m.score(nullptr, tokens, logprob.data(), nullptr, nullptr, nullptr); });
  }

  void decode(uint64_t batch) {
    const Model m = model();
    const uint64_t session = m.session_open(nullptr, batch, s_.prompt + s_.steps + 1);
    std::vector<uint64_t> slots(batch), samples(batch);
    std::iota(slots.begin(), slots.end(), 0), std::iota(samples.begin(), samples.end(), 0);
    const tenon_sampling sampling{sizeof sampling, 1.0f, 0, 0, 0, 0, 1};
    char name[96];
    std::snprintf(name, sizeof name, "decode B=%llu, %llu + %llu tokens",
                  static_cast<unsigned long long>(batch), static_cast<unsigned long long>(s_.prompt),
                  static_cast<unsigned long long>(s_.steps));
    std::vector<int32_t> prompt(s_.prompt - 1, 1), token(batch, 1);
    std::vector<float> logprob(batch);
    report(name, batch * s_.steps, [&] {
      m.session_fork(nullptr, session, 0, 0, slots);
      Ragged<int32_t> first;
      first.push(prompt);
      const uint64_t zero = 0;
      const tenon_tokens append{sizeof append, 0,       first.raw(), nullptr, &zero,
                                nullptr,       nullptr, nullptr,     0,       0};
      m.decode(nullptr, session, append, nullptr, nullptr, nullptr, nullptr);
      if (batch > 1)
        m.session_fork(nullptr, session, 0, prompt.size(), std::span<const uint64_t>(slots).subspan(1));
      for (uint64_t step = 0; step < s_.steps; ++step) {
        Ragged<int32_t> ids;
        for (int32_t id : token) ids.push(&id, 1);
        const tenon_tokens one{sizeof one, 0,       ids.raw(), nullptr, slots.data(),
                               nullptr,    nullptr, nullptr,   0,       0};
        m.decode(nullptr, session, one, &sampling, samples.data(), token.data(), logprob.data());
      }
    });
    m.session_close(session);
  }

  const Setting& s_;
  Ids ids_;
  test::FakeHost fake_;
  tenon_host host_;
  const tenon_component& component_;
  void* self_ = nullptr;
};

int run(int argc, char** argv) {
  void* library = dlopen(TENON_PLUGIN_FILE, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto query = reinterpret_cast<tenon_plugin_query_fn>(dlsym(library, TENON_ENTRY));
  tenon_host_info info{sizeof info, TENON_ABI_LEVEL, TENON_ABI_DRAFT, 0, "bench", "0"};
  const tenon_component& component = *query(&info)->components[0];
  const char* threads = std::getenv("TENON_THREADS");
  host::ThreadPool threads_of_run(threads != nullptr ? static_cast<uint32_t>(std::atoi(threads)) : 2);
  pool = &threads_of_run;
  // A word chooses; where no word of its kind is there, all are chosen.
  auto chosen = [&](std::string_view word, std::initializer_list<std::string_view> kind) {
    bool any = false, this_one = false;
    for (int i = 1; i < argc; ++i)
      for (std::string_view k : kind) any = any || k == argv[i], this_one = this_one || word == argv[i];
    return !any || this_one;
  };
  const std::initializer_list<std::string_view> phases{"train", "score", "decode"};
  for (const Setting& s : kSettings)
    if (chosen(s.name, {"quickstart", "toy", "smollm2"}))
      Bench(component, s).run(chosen("train", phases), chosen("score", phases), chosen("decode", phases));
  return 0;
}

}  // namespace
}  // namespace tenon

int main(int argc, char** argv) {
  try {
    return tenon::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_model: %s\n", e.what());
    return 1;
  }
}
