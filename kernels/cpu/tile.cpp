// Cuts a matrix product into register tiles.
// SPDX-License-Identifier: Apache-2.0
#include "tile.h"

namespace tenon::kernels::TENON_ISA {
namespace {

using Kernel = void (*)(const Tile&);

template <int kRows, int kPanels, int kVectors, bool kExact>
void kernel(const Tile& t) {
  tile_kernel<kRows, kPanels, kVectors, kExact>(t);
}

// The kernel for 1 <= rows <= kMaxRows.
template <int kMaxRows, int kPanels, int kVectors, bool kExact>
inline Kernel kernel_for(uint64_t rows) {
  if constexpr (kMaxRows == 12) {
    static constexpr Kernel kTable[] = {
        kernel<1, kPanels, kVectors, kExact>,  kernel<2, kPanels, kVectors, kExact>,
        kernel<3, kPanels, kVectors, kExact>,  kernel<4, kPanels, kVectors, kExact>,
        kernel<5, kPanels, kVectors, kExact>,  kernel<6, kPanels, kVectors, kExact>,
        kernel<7, kPanels, kVectors, kExact>,  kernel<8, kPanels, kVectors, kExact>,
        kernel<9, kPanels, kVectors, kExact>,  kernel<10, kPanels, kVectors, kExact>,
        kernel<11, kPanels, kVectors, kExact>, kernel<12, kPanels, kVectors, kExact>};
    return kTable[rows - 1];
  } else if constexpr (kMaxRows > 1) {
    if (rows < kMaxRows) return kernel_for<kMaxRows - 1, kPanels, kVectors, kExact>(rows);
  }
  return kernel<kMaxRows, kPanels, kVectors, kExact>;
}

constexpr int kMost = static_cast<int>(kTileRows);

// How many panels of how many vectors a tile takes, and the kernel for a number of rows.
struct Shape {
  uint64_t panels, vectors;
  Kernel kernel;
};

// The widest tile for so many rows, at most `vectors` wide, in panels of kPanelVectors.

#if defined(TENON_ISA_AVX512)
template <uint64_t kPanelVectors>
inline Shape wide_shape(uint64_t rows, uint64_t vectors) {
  if constexpr (kPanelVectors == 2) {
    if (rows <= 3 && vectors >= 8) return {4, 2, kernel_for<3, 4, 2, false>(rows)};
    if (rows <= 6 && vectors >= 4) return {2, 2, kernel_for<6, 2, 2, false>(rows)};
    if (vectors >= 2) return {1, 2, kernel_for<kMost, 1, 2, false>(rows)};
  } else {
    if (rows <= 3 && vectors >= 8) return {8, 1, kernel_for<3, 8, 1, false>(rows)};
    if (rows <= 6 && vectors >= 4) return {4, 1, kernel_for<6, 4, 1, false>(rows)};
    if (vectors >= 2) return {2, 1, kernel_for<kMost, 2, 1, false>(rows)};
  }
  return {1, 1, kernel_for<kMost, 1, 1, false>(rows)};
}
#else
// Panels of 32 are taken as two of 16 where two vectors of sixteen lanes by so many rows do not fit the
// registers.
template <uint64_t kPanelVectors>
inline Shape wide_shape(uint64_t rows, uint64_t vectors) {
#if defined(TENON_ISA_AVX2)
  if (rows <= 3 && vectors >= 2) {
    if constexpr (kPanelVectors == 2) return {1, 2, kernel_for<3, 1, 2, false>(rows)};
    return {2, 1, kernel_for<3, 2, 1, false>(rows)};
  }
#endif
  static_cast<void>(vectors);
  return {1, 1, kernel_for<kMost, 1, 1, false>(rows)};
}
#endif

// Some rows of t against the columns that start at j, where b points.
void run_columns(const Tile& t, uint64_t j, const Shape& shape, Kernel k, uint64_t first_row, uint64_t rows,
                 const float* b) {
  Tile part = t;
  part.rows = rows;
  part.cols = min_of(t.cols - j, shape.panels * shape.vectors * kLanes);
  part.a = t.a + static_cast<int64_t>(first_row) * t.a_row;
  part.b = b;
  part.c = t.c + static_cast<int64_t>(first_row) * t.c_row + j;
  if (t.init != nullptr) part.init = t.init + static_cast<int64_t>(first_row) * t.c_row + j;
  if (t.bias != nullptr) part.bias = t.bias + j;
  if (t.add != nullptr) part.add = t.add + static_cast<int64_t>(first_row) * t.add_row + j;
  k(part);
}

}  // namespace

template <uint64_t kPanel>
void run_panels(const Tile& t) {
  if (t.rows == 0 || t.cols == 0) return;
  constexpr uint64_t kPanelVectors = kPanel / kLanes;
  const uint64_t all_vectors = ceil_div(t.cols, kLanes);
  const uint64_t row_tiles = ceil_div(t.rows, kTileRows);
  const uint64_t small = t.rows / row_tiles, larger = t.rows % row_tiles;  // so many tiles have one row more
  const uint64_t greatest = small + (larger > 0 ? 1 : 0);
  for (uint64_t v = 0; v < all_vectors;) {
    const uint64_t j = v * kLanes;
    const uint64_t in_panel = v % kPanelVectors;
    // Whole panels may be taken together; the rest of a panel that was begun only alone.
    uint64_t vectors = all_vectors - v;
    if (in_panel != 0) vectors = min_of(vectors, kPanelVectors - in_panel);
    const bool partial = t.b_exact && t.cols % kLanes != 0;
    if (partial && vectors > 1) vectors -= 1;  // the partial vector last, by itself
    const bool exact = partial && v + 1 == all_vectors;
    Shape shape = wide_shape<kPanelVectors>(greatest, vectors);
    const float* b = t.b + static_cast<int64_t>(v / kPanelVectors) * t.b_panel + in_panel * kLanes;
    uint64_t row = 0;
    for (uint64_t i = 0; i < row_tiles; ++i) {
      const uint64_t rows = small + (i < larger ? 1 : 0);
      Kernel k;
      if (exact) {
        k = kernel_for<kMost, 1, 1, true>(rows);
      } else {
        k = rows == greatest ? shape.kernel
                             : wide_shape<kPanelVectors>(rows, shape.panels * shape.vectors).kernel;
      }
      run_columns(t, j, shape, k, row, rows, b);
      row += rows;
    }
    v += shape.panels * shape.vectors;
  }
}

template void run_panels<16>(const Tile& t);
template void run_panels<32>(const Tile& t);

}  // namespace tenon::kernels::TENON_ISA
