// The register tile: the one inner loop of every matrix product in this folder.
// SPDX-License-Identifier: Apache-2.0
//
//   c[r][j] = (init[r][j] or 0) + Σ_i a(r, i) · b(i, j),   r < rows, j < cols, i < steps
//
// Each element is a chain of fused multiply-adds in ascending i. The tile's size only decides which elements
// are in registers together.
#ifndef TENON_KERNELS_CPU_TILE_H_
#define TENON_KERNELS_CPU_TILE_H_

#include "simd.h"

namespace tenon::kernels::TENON_ISA {

// How many rows and vectors of sixteen columns fit the registers: accumulators, one row of b, one broadcast.
#if defined(TENON_ISA_AVX512)
inline constexpr uint64_t kTileRows = 12;
inline constexpr uint64_t kTileVectors = 2;
#elif defined(TENON_ISA_AVX2)
inline constexpr uint64_t kTileRows = 6;
inline constexpr uint64_t kTileVectors = 1;
#else
inline constexpr uint64_t kTileRows = 4;
inline constexpr uint64_t kTileVectors = 1;
#endif
inline constexpr uint64_t kTileColumns = kTileVectors * kLanes;

struct Tile {
  uint64_t rows, cols, steps;
  const float* a;  // a(r, i) = a[r·a_row + i·a_step]
  int64_t a_row, a_step;
  const float* b;  // b(i, j) = b[(j / panel)·b_panel + i·b_step + j mod panel], see run_panels
  int64_t b_step, b_panel;
  const float* init;  // [rows][cols] with stride c_row; may be c; NULL: 0
  float* c;           // [rows][cols]
  int64_t c_row;
  bool b_exact;       // rows of b end at cols: what lies beyond must not be read
  const float* bias;  // [cols] or NULL: added after the sum
  const float* add;   // [rows][cols] with stride add_row, or NULL: added after the bias; may be c
  int64_t add_row;
};

// One row of a against all of b, panel by panel, is latency-bound: so a tile of few rows takes several panels
// at once. kPanels panels of kVectors vectors each; the panels' columns follow each other in c.
template <int kRows, int kPanels, int kVectors, bool kExact>
inline void tile_kernel(const Tile& t) {
  constexpr int kWidth = kPanels * kVectors;
  // The lines of c are asked for now, all at once, to be there when the sums are done: stores leave the core
  // one by one.
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kWidth; ++v) __builtin_prefetch(t.c + r * t.c_row + v * 16, 1);
  }
  F16 acc[kRows][kWidth];
  const Mask16 last = first_lanes(t.cols - (kWidth - 1) * kLanes);
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kWidth; ++v) {
      acc[r][v] = zero16();
      if (t.init == nullptr) continue;
      const float* p = t.init + r * t.c_row + v * 16;
      acc[r][v] = v + 1 == kWidth ? load16(p, last) : load16(p);
    }
  }
  // Rows are addressed three to a pointer (base, base + stride, base + 2·stride): so many pointers fit the
  // registers.
  constexpr int kBases = (kRows + 2) / 3;
  const float* a[kBases];
  for (int i = 0; i < kBases; ++i) a[i] = t.a + 3 * i * t.a_row;
  const float* b = t.b;
  const int64_t a_row = t.a_row, a_step = t.a_step, b_step = t.b_step, b_panel = t.b_panel;
  for (uint64_t i = 0; i < t.steps; ++i) {
    F16 bv[kWidth];
    for (int p = 0; p < kPanels; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        const float* q = b + p * b_panel + v * 16;
        bv[p * kVectors + v] = kExact && p * kVectors + v + 1 == kWidth ? load16(q, last) : load16(q);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const F16 x = set16(a[r / 3][(r % 3) * a_row]);
      for (int v = 0; v < kWidth; ++v) acc[r][v] = fma16(x, bv[v], acc[r][v]);
    }
    b += b_step;
    for (int g = 0; g < kBases; ++g) a[g] += a_step;
  }
  for (int v = 0; v < kWidth; ++v) {
    const bool partial = v + 1 == kWidth;
    F16 bias = zero16();
    if (t.bias != nullptr) bias = partial ? load16(t.bias + v * 16, last) : load16(t.bias + v * 16);
    for (int r = 0; r < kRows; ++r) {
      F16 y = acc[r][v];
      if (t.bias != nullptr) y = y + bias;
      if (t.add != nullptr) {
        const float* p = t.add + r * t.add_row + v * 16;
        y = y + (partial ? load16(p, last) : load16(p));
      }
      float* p = t.c + r * t.c_row + v * 16;
      if (partial) {
        store16(p, y, last);
      } else {
        store16(p, y);
      }
    }
  }
}

// Any rows and cols, with b in panels of 16 or 32 columns. All rows pass a panel while it is in the cache.
template <uint64_t kPanel>
void run_panels(const Tile& t);

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_TILE_H_
