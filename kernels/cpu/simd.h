// Sixteen floats at a time, for the instruction set this file is compiled for.
// SPDX-License-Identifier: Apache-2.0
//
// Every source that does arithmetic is compiled once per instruction set, with TENON_ISA naming its namespace
// (avx512, avx2 or scalar). An F16 has the same sixteen lanes everywhere and every operation rounds as IEEE
// 754 says, so the bits agree. Only functions of this namespace may be inlined into such a source: an inline
// function of the standard library, emitted here with AVX-512 instructions, could be the copy that the linker
// keeps for the whole program.
#ifndef TENON_KERNELS_CPU_SIMD_H_
#define TENON_KERNELS_CPU_SIMD_H_

#include <stdint.h>
#include <string.h>

#if defined(TENON_ISA_AVX512) || defined(TENON_ISA_AVX2)
#include <immintrin.h>
#endif

namespace tenon::kernels::TENON_ISA {

inline constexpr uint64_t kLanes = 16;

inline uint64_t min_of(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}
inline uint64_t max_of(uint64_t a, uint64_t b) {
  return a < b ? b : a;
}
inline uint64_t ceil_div(uint64_t a, uint64_t b) {
  return (a + b - 1) / b;
}
inline uint64_t round_up(uint64_t a, uint64_t b) {
  return ceil_div(a, b) * b;
}

#if defined(TENON_ISA_AVX512)

struct F16 {
  __m512 v;
};
struct Mask16 {
  __mmask16 m;
};

inline F16 zero16() {
  return {_mm512_setzero_ps()};
}
inline F16 set16(float a) {
  return {_mm512_set1_ps(a)};
}
inline F16 load16(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline void store16(float* p, F16 a) {
  _mm512_storeu_ps(p, a.v);
}
// Lanes below n (n <= 16; more counts as 16).
inline Mask16 first_lanes(uint64_t n) {
  return {static_cast<__mmask16>(n >= 16 ? 0xffffu : (1u << n) - 1u)};
}
inline F16 load16(const float* p, Mask16 m) {
  return {_mm512_maskz_loadu_ps(m.m, p)};
}
// Whole stores as such: what a masked store wrote cannot be forwarded to a load that follows.
inline void store16(float* p, F16 a, Mask16 m) {
  if (m.m == 0xffffu) {
    _mm512_storeu_ps(p, a.v);
  } else {
    _mm512_mask_storeu_ps(p, m.m, a.v);
  }
}
inline F16 select16(Mask16 m, F16 a, F16 b) {
  return {_mm512_mask_blend_ps(m.m, b.v, a.v)};
}
inline F16 operator+(F16 a, F16 b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F16 operator-(F16 a, F16 b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F16 operator*(F16 a, F16 b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F16 operator/(F16 a, F16 b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline F16 fma16(F16 a, F16 b, F16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F16 sqrt16(F16 a) {
  return {_mm512_sqrt_ps(a.v)};
}
// a > b ? a : b in each lane, so b where either is NaN.
inline F16 max16(F16 a, F16 b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline F16 min16(F16 a, F16 b) {
  return {_mm512_min_ps(a.v, b.v)};
}
// a · 2^n for n = t − 1.5·2^23, |n| < 200; t is that sum. Rounded once.
inline F16 scale_by_power16(F16 a, F16 t) {
  return {_mm512_scalef_ps(a.v, _mm512_sub_ps(t.v, _mm512_set1_ps(12582912.0f)))};
}

// x = m · 2^e with m in [√½, √2), for finite x that are positive and normal; e is returned.
inline F16 split_power16(F16 x, F16* m) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i e = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);
  m->v = _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(e, 23)));
  return {_mm512_cvtepi32_ps(e)};
}

struct Half {
  __m256 v;
};
inline Half low_half(F16 a) {
  return {_mm512_castps512_ps256(a.v)};
}
inline Half high_half(F16 a) {
  return {_mm512_extractf32x8_ps(a.v, 1)};
}

#elif defined(TENON_ISA_AVX2)

struct F16 {
  __m256 lo, hi;
};
struct Mask16 {
  __m256i lo, hi;
};

inline F16 zero16() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
inline F16 set16(float a) {
  return {_mm256_set1_ps(a), _mm256_set1_ps(a)};
}
inline F16 load16(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline void store16(float* p, F16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
inline Mask16 first_lanes(uint64_t n) {
  const __m256i count = _mm256_set1_epi32(static_cast<int>(n > 16 ? 16 : n));
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_cmpgt_epi32(count, lane),
          _mm256_cmpgt_epi32(count, _mm256_add_epi32(lane, _mm256_set1_epi32(8)))};
}
inline F16 load16(const float* p, Mask16 m) {
  return {_mm256_maskload_ps(p, m.lo), _mm256_maskload_ps(p + 8, m.hi)};
}
// Whole stores as such: what a masked store wrote cannot be forwarded to a load that follows.
inline void store16(float* p, F16 a, Mask16 m) {
  if (_mm256_movemask_ps(_mm256_castsi256_ps(m.hi)) == 0xff) {
    store16(p, a);
  } else {
    _mm256_maskstore_ps(p, m.lo, a.lo);
    _mm256_maskstore_ps(p + 8, m.hi, a.hi);
  }
}
inline F16 select16(Mask16 m, F16 a, F16 b) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(m.lo)),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(m.hi))};
}
inline F16 operator+(F16 a, F16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
inline F16 operator-(F16 a, F16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
inline F16 operator*(F16 a, F16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
inline F16 operator/(F16 a, F16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
inline F16 fma16(F16 a, F16 b, F16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline F16 sqrt16(F16 a) {
  return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)};
}
inline F16 max16(F16 a, F16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
inline F16 min16(F16 a, F16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
// In two steps, of which only the second can round: 2^n itself may be out of range.
inline __m256 scale_by_power8(__m256 a, __m256 t) {
  const __m256i n = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(0x4b400000));
  const __m256i half = _mm256_srai_epi32(n, 1), bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23);
  return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}
inline F16 scale_by_power16(F16 a, F16 t) {
  return {scale_by_power8(a.lo, t.lo), scale_by_power8(a.hi, t.hi)};
}

inline __m256 split_power8(__m256 x, __m256* m) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i e = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
  *m = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23)));
  return _mm256_cvtepi32_ps(e);
}
// x = m · 2^e with m in [√½, √2), for finite x that are positive and normal; e is returned.
inline F16 split_power16(F16 x, F16* m) {
  return {split_power8(x.lo, &m->lo), split_power8(x.hi, &m->hi)};
}

struct Half {
  __m256 v;
};
inline Half low_half(F16 a) {
  return {a.lo};
}
inline Half high_half(F16 a) {
  return {a.hi};
}

#else

struct F16 {
  float v[16];
};
struct Mask16 {
  uint64_t n;  // lanes below n
};

#define TENON_EACH_LANE(expression)                   \
  F16 r;                                              \
  for (int i = 0; i < 16; ++i) r.v[i] = (expression); \
  return r
inline F16 zero16() {
  return F16{};
}
inline F16 set16(float a) {
  TENON_EACH_LANE(a);
}
inline F16 load16(const float* p) {
  TENON_EACH_LANE(p[i]);
}
inline void store16(float* p, F16 a) {
  memcpy(p, a.v, sizeof a.v);
}
inline Mask16 first_lanes(uint64_t n) {
  return {min_of(n, 16)};
}
inline F16 load16(const float* p, Mask16 m) {
  TENON_EACH_LANE(static_cast<uint64_t>(i) < m.n ? p[i] : 0.0f);
}
inline void store16(float* p, F16 a, Mask16 m) {
  memcpy(p, a.v, m.n * sizeof(float));
}
inline F16 select16(Mask16 m, F16 a, F16 b) {
  TENON_EACH_LANE(static_cast<uint64_t>(i) < m.n ? a.v[i] : b.v[i]);
}
inline F16 operator+(F16 a, F16 b) {
  TENON_EACH_LANE(a.v[i] + b.v[i]);
}
inline F16 operator-(F16 a, F16 b) {
  TENON_EACH_LANE(a.v[i] - b.v[i]);
}
inline F16 operator*(F16 a, F16 b) {
  TENON_EACH_LANE(a.v[i] * b.v[i]);
}
inline F16 operator/(F16 a, F16 b) {
  TENON_EACH_LANE(a.v[i] / b.v[i]);
}
inline F16 fma16(F16 a, F16 b, F16 c) {
  TENON_EACH_LANE(__builtin_fmaf(a.v[i], b.v[i], c.v[i]));
}
inline F16 sqrt16(F16 a) {
  TENON_EACH_LANE(__builtin_sqrtf(a.v[i]));
}
inline F16 max16(F16 a, F16 b) {
  TENON_EACH_LANE(a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
}
inline F16 min16(F16 a, F16 b) {
  TENON_EACH_LANE(a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
}
inline float power_of_two(int32_t n) {
  const uint32_t bits = static_cast<uint32_t>(n + 127) << 23;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
inline float scale_by_power(float a, float t) {
  int32_t n;
  memcpy(&n, &t, sizeof n);
  n = (n - 0x4b400000) % 512;  // the remainder only matters for NaN, and then to nobody
  const int32_t half = n >> 1;
  return a * power_of_two(half) * power_of_two(n - half);
}
inline F16 scale_by_power16(F16 a, F16 t) {
  TENON_EACH_LANE(scale_by_power(a.v[i], t.v[i]));
}
#undef TENON_EACH_LANE
// x = m · 2^e with m in [√½, √2), for finite x that are positive and normal; e is returned.
inline F16 split_power16(F16 x, F16* m) {
  F16 exponent;
  for (int i = 0; i < 16; ++i) {
    int32_t bits;
    memcpy(&bits, &x.v[i], sizeof bits);
    const int32_t e = static_cast<int32_t>(static_cast<uint32_t>(bits) - 0x3f3504f3u) >> 23;
    bits = static_cast<int32_t>(static_cast<uint32_t>(bits) - (static_cast<uint32_t>(e) << 23));
    memcpy(&m->v[i], &bits, sizeof bits);
    exponent.v[i] = static_cast<float>(e);
  }
  return exponent;
}

#endif

// The sum and the greatest of sixteen lanes, as a tree: l and l + 8, l + 4, l + 2, l + 1.
#if defined(TENON_ISA_AVX512) || defined(TENON_ISA_AVX2)
inline float sum_of_lanes(F16 a) {
  const __m256 s8 = _mm256_add_ps(low_half(a).v, high_half(a).v);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
inline float max_of_lanes(F16 a) {
  const __m256 s8 = _mm256_max_ps(low_half(a).v, high_half(a).v);
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}
#else
inline float sum_of_lanes(F16 a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a.v[i] = a.v[i] + a.v[i + width];
  }
  return a.v[0];
}
inline float max_of_lanes(F16 a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
  }
  return a.v[0];
}
#endif

inline float fma1(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_SIMD_H_
