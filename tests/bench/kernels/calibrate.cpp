// The machine's ceilings, by loops that do nothing else.
// SPDX-License-Identifier: Apache-2.0
#include "calibrate.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tenon::bench {
namespace {

volatile float sink;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) double loop512(uint64_t iterations) {
  __m512 acc[24];
  for (__m512& a : acc) a = _mm512_set1_ps(1.0f);
  const __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  for (uint64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; ++j) acc[j] = _mm512_fmadd_ps(acc[j], x, y);
  }
  for (const __m512& a : acc) sink = sink + _mm512_cvtss_f32(a);
  return 24.0 * 16 * 2 * static_cast<double>(iterations);
}

__attribute__((target("avx2,fma"))) double loop256(uint64_t iterations) {
  __m256 acc[12];
  for (__m256& a : acc) a = _mm256_set1_ps(1.0f);
  const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  for (uint64_t i = 0; i < 2 * iterations; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) acc[j] = _mm256_fmadd_ps(acc[j], x, y);
  }
  for (const __m256& a : acc) sink = sink + _mm256_cvtss_f32(a);
  return 24.0 * 8 * 2 * static_cast<double>(iterations);
}
#endif

double loop_plain(uint64_t iterations) {
  float acc[32];
  for (float& a : acc) a = 1.0f;
  for (uint64_t i = 0; i < iterations; ++i) {
    for (float& a : acc) a = a * 0.999f + 0.001f;
  }
  for (const float a : acc) sink = sink + a;
  return 32.0 * 2 * static_cast<double>(iterations);
}

}  // namespace

double multiply_add_loop(const char* isa, uint64_t iterations) {
#if defined(__x86_64__)
  if (std::strcmp(isa, "avx512") == 0) return loop512(iterations);
  if (std::strcmp(isa, "avx2") == 0) return loop256(iterations);
#endif
  static_cast<void>(isa);
  return loop_plain(iterations);
}

}  // namespace tenon::bench
