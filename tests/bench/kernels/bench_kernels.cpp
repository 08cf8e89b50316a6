// How fast the kernels are on this machine, as a share of what its multipliers can do.
// SPDX-License-Identifier: Apache-2.0
//
// Times are the best of several repetitions; the ceiling is measured again before each section, for other
// programs share the cores. With one thread, processor time is counted and not the clock on the wall.
#include <time.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "calibrate.h"
#include "tenon/kernels/adamw.h"
#include "tenon/kernels/attention.h"
#include "tenon/kernels/gemm.h"
#include "tenon/kernels/head.h"
#include "tenon/kernels/rmsnorm.h"
#include "tenon/kernels/swiglu.h"
#include "tests/pool.h"

namespace tenon::bench {
namespace {

using Floats = std::vector<float>;

uint32_t threads = 2;
const tenon_executor* executor = nullptr;
double peak = 0;  // floating-point operations a second, all threads

double now() {
  timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Seconds of one call, the best of many within about a quarter of a second.
double best_time(const std::function<void()>& body) {
  body();
  const double start = now();
  body();
  const double once = std::max(now() - start, 1e-9);
  const int batch = std::max(1, static_cast<int>(1e-4 / once));
  double best = 1e9;
  for (double spent = 0; spent < 0.25;) {
    const double begin = now();
    for (int i = 0; i < batch; ++i) body();
    const double took = now() - begin;
    spent += took;
    best = std::min(best, took / batch);
  }
  return best;
}

Floats random_floats(size_t n) {
  Floats x(n);
  uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
  }
  return x;
}

void calibrate() {
  const char* isa = tenon_kernels_isa_name();
  double operations = 0;
  const double seconds = best_time([&] {
    std::vector<double> done(threads);
    const auto body = [](void* arg, uint64_t begin, uint64_t end) {
      for (uint64_t i = begin; i < end; ++i)
        static_cast<double*>(arg)[i] = multiply_add_loop(tenon_kernels_isa_name(), 100000);
    };
    if (executor == nullptr) {
      body(done.data(), 0, threads);
    } else {
      executor->parallel_for(executor->ctx, threads, 1, body, done.data());
    }
    operations = std::accumulate(done.begin(), done.end(), 0.0);
  });
  peak = operations / seconds;
  std::printf("\n%s, %u threads: ceiling %.1f GFLOP/s\n", isa, threads, peak * 1e-9);
}

void report(const std::string& name, double flops, double seconds) {
  std::printf("%-44s %10.1f us %8.1f GFLOP/s %5.0f %%\n", name.c_str(), seconds * 1e6, flops / seconds * 1e-9,
              100 * flops / seconds / peak);
}

double time_linear(size_t m, size_t n, size_t k, bool print) {
  const Floats x = random_floats(m * k), packed = random_floats(tenon_linear_packed_size(n, k));
  Floats y(m * n);
  const double seconds = best_time(
      [&] { tenon_linear(executor, m, n, k, x.data(), k, packed.data(), nullptr, nullptr, 0, y.data(), n); });
  if (print)
    report("linear " + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k),
           2.0 * m * n * k, seconds);
  return seconds;
}

void time_gradients(size_t m, size_t n, size_t k) {
  const Floats x = random_floats(m * k), w = random_floats(n * k), dy = random_floats(m * n);
  Floats dx(m * k), dw(n * k);
  const std::string shape = std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k);
  report("linear_dx " + shape, 2.0 * m * n * k,
         best_time([&] { tenon_linear_dx(executor, m, n, k, dy.data(), n, w.data(), k, 0, dx.data(), k); }));
  report("linear_dw " + shape, 2.0 * m * n * k,
         best_time([&] { tenon_linear_dw(executor, m, n, k, dy.data(), n, x.data(), k, dw.data(), k); }));
}

// All linear layers of SmolLM2-135M: 30 layers of q|k|v, o, gate|up, down, and the head; each layer with
// weights of its own, as in a model.
void smollm2_decode(size_t batch) {
  struct Layer {
    size_t n, k;
    Floats packed;
  };
  std::vector<Layer> layers;
  for (int i = 0; i < 30; ++i) {
    for (const auto& [n, k] : {std::pair<size_t, size_t>{960, 576}, {576, 576}, {3072, 576}, {576, 1536}}) {
      layers.push_back({n, k, random_floats(tenon_linear_packed_size(n, k))});
    }
  }
  layers.push_back({49152, 576, random_floats(tenon_linear_packed_size(49152, 576))});
  const Floats x = random_floats(batch * 1536);
  Floats y(batch * 49152);
  double flops = 0;
  for (const Layer& layer : layers) flops += 2.0 * static_cast<double>(batch * layer.n * layer.k);
  const double seconds = best_time([&] {
    for (const Layer& layer : layers) {
      tenon_linear(executor, batch, layer.n, layer.k, x.data(), layer.k, layer.packed.data(), nullptr,
                   nullptr, 0, y.data(), layer.n);
    }
  });
  report("SmolLM2-135M linears, batch " + std::to_string(batch), flops, seconds);
  std::printf("%-44s %10.1f tokens/s\n", "", static_cast<double>(batch) / seconds);
}

void bench_gemm() {
  calibrate();
  std::printf("quickstart (width 64, ff 256)\n");
  for (const size_t m : {16, 256, 1500, 10000}) {
    for (const auto& [n, k] : {std::pair<size_t, size_t>{64, 64}, {192, 64}, {512, 64}, {64, 256}})
      time_linear(m, n, k, true);
  }
  for (const auto& [n, k] : {std::pair<size_t, size_t>{64, 64}, {512, 64}, {64, 256}})
    time_gradients(1500, n, k);
  std::printf("toy (width 128, ff 512)\n");
  for (const size_t m : {1, 32, 128, 1024}) {
    for (const auto& [n, k] : {std::pair<size_t, size_t>{384, 128}, {1024, 128}, {128, 512}})
      time_linear(m, n, k, true);
  }
  time_gradients(1024, 1024, 128);
  calibrate();
  std::printf("SmolLM2-135M\n");
  for (const size_t m : {512, 4096}) {
    for (const auto& [n, k] : {std::pair<size_t, size_t>{960, 576}, {576, 576}, {3072, 576}, {576, 1536}}) {
      time_linear(m, n, k, true);
      time_gradients(m, n, k);
    }
  }
  for (const size_t batch : {1, 8, 32, 128}) smollm2_decode(batch);
}

void time_attention(size_t sequences, size_t length, uint32_t heads, uint32_t kv_heads, uint32_t d) {
  const size_t tokens = sequences * length, qw = size_t{heads} * d, kw = size_t{kv_heads} * d;
  std::vector<uint64_t> offsets(sequences + 1);
  for (size_t i = 0; i <= sequences; ++i) offsets[i] = i * length;
  const tenon_attention_batch batch{sizeof(tenon_attention_batch),
                                    heads,
                                    kv_heads,
                                    d,
                                    1.0f / std::sqrt(static_cast<float>(d)),
                                    0,
                                    sequences,
                                    offsets.data(),
                                    nullptr};
  const Floats q = random_floats(tokens * qw), k = random_floats(tokens * kw), v = random_floats(tokens * kw),
               dout = random_floats(tokens * qw);
  Floats out(tokens * qw), lse(tokens * heads), dq(tokens * qw), dk(tokens * kw), dv(tokens * kw);
  const std::string shape = std::to_string(sequences) + " x " + std::to_string(length) + ", " +
                            std::to_string(heads) + "/" + std::to_string(kv_heads) + " x " +
                            std::to_string(d);
  const double flops =
      2.0 * static_cast<double>(tokens * (length + 1) * qw);  // two products over the triangle
  report("attention " + shape, flops, best_time([&] {
           tenon_attention(executor, &batch, q.data(), qw, k.data(), kw, v.data(), kw, out.data(), qw,
                           lse.data());
         }));
  report("attention_backward " + shape, 2.5 * flops, best_time([&] {
           tenon_attention_backward(executor, &batch, q.data(), qw, k.data(), kw, v.data(), kw, out.data(),
                                    qw, lse.data(), dout.data(), qw, dq.data(), qw, dk.data(), kw, dv.data(),
                                    kw);
         }));
}

void time_decode(uint32_t slots, uint32_t length, uint32_t heads, uint32_t kv_heads, uint32_t d) {
  tenon_kv_cache cache{sizeof(tenon_kv_cache), slots, kv_heads, d, (length + 16) / 16 * 16, nullptr, nullptr};
  Floats k = random_floats(tenon_kv_cache_size(&cache)), v = k;
  cache.k = k.data();
  cache.v = v.data();
  std::vector<uint64_t> offsets(slots + 1);
  std::iota(offsets.begin(), offsets.end(), 0);
  std::vector<uint32_t> slot(slots);
  std::iota(slot.begin(), slot.end(), 0);
  const std::vector<int32_t> position(slots, static_cast<int32_t>(length) - 1);
  const size_t width = size_t{heads} * d;
  const Floats q = random_floats(slots * width);
  Floats out(slots * width);
  report("attention_cached " + std::to_string(slots) + " x " + std::to_string(length) + ", " +
             std::to_string(heads) + "/" + std::to_string(kv_heads) + " x " + std::to_string(d),
         4.0 * static_cast<double>(slots * length * width), best_time([&] {
           tenon_attention_cached(executor, &cache, heads, 0.125f, slots, offsets.data(), slot.data(),
                                  position.data(), q.data(), width, out.data(), width);
         }));
}

void bench_attention() {
  calibrate();
  time_attention(256, 40, 4, 4, 16);
  time_attention(128, 96, 4, 4, 32);
  time_attention(32, 128, 9, 3, 64);
  time_attention(4, 1024, 9, 3, 64);
  time_decode(256, 32, 4, 4, 16);
  time_decode(128, 64, 4, 4, 32);
  time_decode(32, 128, 9, 3, 64);
  time_decode(8, 1024, 9, 3, 64);
}

void time_head(size_t n, size_t d, size_t vocabulary) {
  const Floats w = random_floats(vocabulary * d), h = random_floats(n * d), u(n, 0.5f), g(n, 0.01f);
  Floats packed(tenon_linear_packed_size(vocabulary, d)), logp(n), lse(n), dh(n * d), dw(vocabulary * d);
  tenon_linear_pack(executor, vocabulary, d, 0, vocabulary, w.data(), d, packed.data());
  const tenon_head head{sizeof(tenon_head), 1.0f, d, vocabulary, packed.data(), w.data()};
  std::vector<int32_t> target(n, 3), token(n);
  const std::string shape =
      std::to_string(n) + " x " + std::to_string(vocabulary) + " x " + std::to_string(d);
  const double product = 2.0 * static_cast<double>(n * d * vocabulary);
  report("head_sample " + shape, product, best_time([&] {
           tenon_head_sample(executor, &head, n, nullptr, h.data(), d, u.data(), nullptr, token.data(),
                             logp.data());
         }));
  report("head_forward " + shape, product, best_time([&] {
           tenon_head_forward(executor, &head, n, nullptr, h.data(), d, target.data(), logp.data(), nullptr,
                              lse.data());
         }));
  report("head_backward " + shape, 3 * product, best_time([&] {
           tenon_head_backward(executor, &head, n, nullptr, h.data(), d, target.data(), lse.data(), nullptr,
                               g.data(), nullptr, dh.data(), d, dw.data());
         }));
  report("head_visit " + shape, 3 * product, best_time([&] {
           tenon_head_visit(executor, &head, n, nullptr, h.data(), d, target.data(), g.data(), nullptr,
                            logp.data(), nullptr, dh.data(), d, dw.data());
         }));
}

void bench_head() {
  calibrate();
  time_head(256, 64, 19);
  time_head(10000, 64, 19);
  time_head(1024, 128, 256);
  time_head(32, 576, 49152);
  time_head(512, 576, 49152);
}

// Peak resident memory of the process since the last reset, MiB. Linux: VmHWM, which a 5 in clear_refs resets.
double peak_mib() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  char line[128];
  double kib = 0;
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr)
    if (std::sscanf(line, "VmHWM: %lf kB", &kib) == 1) break;
  if (status != nullptr) std::fclose(status);
  return kib / 1024;
}
void reset_peak() {
  if (std::FILE* refs = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", refs);
    std::fclose(refs);
  }
}

// What a pass of the head takes beside its inputs and outputs.
void bench_memory() {
  const size_t n = 8192, d = 576, vocabulary = 49152;
  const Floats w = random_floats(vocabulary * d), h = random_floats(n * d), g(n, 0.01f);
  Floats packed(tenon_linear_packed_size(vocabulary, d)), logp(n), entropy(n), lse(n), dh(n * d),
      dw(vocabulary * d);
  tenon_linear_pack(executor, vocabulary, d, 0, vocabulary, w.data(), d, packed.data());
  const tenon_head head{sizeof(tenon_head), 1.0f, d, vocabulary, packed.data(), w.data()};
  const std::vector<int32_t> target(n, 3);
  std::printf("head, %zu tokens x %zu entries; the logits would take %.0f MiB\n", n, vocabulary,
              4.0 * static_cast<double>(n * vocabulary) / (1 << 20));
  const auto measure = [](const char* name, const std::function<void()>& pass) {
    reset_peak();
    const double before = peak_mib();
    pass();
    std::printf("%-44s %10.1f MiB more at its peak\n", name, peak_mib() - before);
    std::fflush(stdout);
  };
  measure("head_forward, log-probability and entropy", [&] {
    tenon_head_forward(executor, &head, n, nullptr, h.data(), d, target.data(), logp.data(), entropy.data(),
                       lse.data());
  });
  measure("head_backward", [&] {
    tenon_head_backward(executor, &head, n, nullptr, h.data(), d, target.data(), lse.data(), nullptr,
                        g.data(), nullptr, dh.data(), d, dw.data());
  });
  measure("head_visit, forward and backward at once", [&] {
    tenon_head_visit(executor, &head, n, nullptr, h.data(), d, target.data(), g.data(), nullptr, logp.data(),
                     nullptr, dh.data(), d, dw.data());
  });
}

void bench_small() {
  calibrate();
  const size_t tokens = 2000, d = 576, ff = 1536;
  const Floats x = random_floats(tokens * 2 * ff), weight = random_floats(d), dy = random_floats(tokens * ff);
  Floats y(tokens * 2 * ff), dx(tokens * 2 * ff), rstd(tokens), dweight(d);
  const auto gigabytes = [](const char* name, double bytes, double seconds) {
    std::printf("%-44s %10.1f us %8.1f GB/s\n", name, seconds * 1e6, bytes / seconds * 1e-9);
  };
  gigabytes("rmsnorm 2000 x 576", 8.0 * tokens * d, best_time([&] {
              tenon_rmsnorm(executor, tokens, 1, d, x.data(), d, weight.data(), 1e-5f, y.data(), d,
                            rstd.data());
            }));
  gigabytes("rmsnorm_backward 2000 x 576", 20.0 * tokens * d, best_time([&] {
              tenon_rmsnorm_backward(executor, tokens, 1, d, x.data(), d, weight.data(), rstd.data(),
                                     dy.data(), d, 0, dx.data(), d, dweight.data());
            }));
  gigabytes("swiglu 2000 x 1536", 12.0 * tokens * ff,
            best_time([&] { tenon_swiglu(executor, tokens, ff, x.data(), 2 * ff, y.data(), ff); }));
  gigabytes("swiglu_backward 2000 x 1536", 20.0 * tokens * ff, best_time([&] {
              tenon_swiglu_backward(executor, tokens, ff, x.data(), 2 * ff, dy.data(), ff, dx.data(), 2 * ff,
                                    nullptr, 0);
            }));
  const size_t n = size_t{8} << 20;
  Floats p = random_floats(n), g = p, m = p, v(n, 0.1f);
  const tenon_adamw_args args{sizeof(tenon_adamw_args), 1, 1e-5, 0.9, 0.99, 1e-8, 0.1, 1.0, 10};
  gigabytes("adamw 8 Mi, zeroing", 32.0 * n,
            best_time([&] { tenon_adamw(executor, &args, n, p.data(), g.data(), m.data(), v.data()); }));
}

}  // namespace
}  // namespace tenon::bench

int main(int argc, char** argv) {
  using namespace tenon::bench;
  std::string wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      threads = static_cast<uint32_t>(std::atoi(argv[++i]));
    } else {
      wanted = argv[i];
    }
  }
  if (!wanted.empty() && wanted != "gemm" && wanted != "attention" && wanted != "head" && wanted != "small" &&
      wanted != "memory") {
    std::fprintf(stderr, "usage: tenon_bench_kernels [--threads N] [gemm|attention|head|small|memory]\n");
    return 2;
  }
  tenon::kernels::Pool pool(threads, 20000);
  if (threads > 1) executor = pool.executor();
  if (wanted.empty() || wanted == "gemm") bench_gemm();
  if (wanted.empty() || wanted == "attention") bench_attention();
  if (wanted.empty() || wanted == "head") bench_head();
  if (wanted.empty() || wanted == "small") bench_small();
  if (wanted.empty() || wanted == "memory") bench_memory();
  return 0;
}
