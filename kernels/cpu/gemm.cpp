// Linear layers: which tiles a thread does, and how their operands are laid out for the cache.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/gemm.h"
#include "support.h"
#include "tile.h"

namespace tenon::kernels::TENON_ISA {
namespace {

constexpr uint64_t kPanel = TENON_LINEAR_PANEL;
constexpr uint64_t kWorkPerTask = uint64_t{1} << 18;  // fused multiply-adds: some ten microseconds
constexpr uint64_t kRowsInCache = uint64_t{1} << 16;  // floats of x that stay in L2 while a panel's rows pass
constexpr uint64_t kWeightsInCache = uint64_t{1} << 17;  // floats of all of W when it may stay in L2
constexpr uint64_t kTokensInCache = 256;        // tokens of a dw step: one packed panel of x is then 32 KiB
constexpr uint64_t kRowsOfDw = 32 * kTileRows;  // rows of dw to a task
constexpr uint64_t kRowsAhead = 8;              // that are asked for before they are laid out
constexpr uint64_t kOutputsInCache = 512;       // outputs of a dx step: one packed panel of w is then 64 KiB
constexpr uint64_t kRowsOfDx = 252;             // rows of dx to a task: they share the packing of w

// A grid of blocks of rows and panels. Blocks are as even as they can be.
struct Grid {
  uint64_t rows, panels, row_blocks, panel_blocks;

  uint64_t tasks() const { return row_blocks * panel_blocks; }
  uint64_t first_row(uint64_t task) const { return row_edge(task % row_blocks); }
  uint64_t last_row(uint64_t task) const { return row_edge(task % row_blocks + 1); }
  uint64_t first_panel(uint64_t task) const { return task / row_blocks * panels / panel_blocks; }
  uint64_t last_panel(uint64_t task) const { return (task / row_blocks + 1) * panels / panel_blocks; }

 private:
  // Edges between tiles, so that a block is whole tiles.
  uint64_t row_edge(uint64_t block) const {
    const uint64_t tiles = ceil_div(rows, kTileRows);
    return min_of(rows, block * tiles / row_blocks * kTileRows);
  }
};

// `steps`: multiply-adds to an element. max_rows: the greatest block of rows. tasks_per_thread: more of them even out
// threads of unequal speed, fewer lay out less anew.
Grid make_grid(const tenon_executor* ex, uint64_t rows, uint64_t panels, uint64_t steps, uint64_t max_rows,
               uint64_t tasks_per_thread = 4) {
  Grid grid{rows, panels, 1, 1};
  const uint64_t tiles = ceil_div(rows, kTileRows);
  grid.row_blocks = min_of(tiles, max_of(1, ceil_div(rows, max_rows)));
  const uint64_t threads = thread_count(ex);
  if (threads == 1) return grid;
  const uint64_t worth = rows * panels * kPanel * steps / kWorkPerTask;
  const uint64_t wanted = min_of(tasks_per_thread * threads, worth);
  if (grid.row_blocks >= wanted) return grid;
  grid.panel_blocks = min_of(panels, ceil_div(wanted, grid.row_blocks));
  if (grid.tasks() < wanted) grid.row_blocks = min_of(tiles, ceil_div(wanted, grid.panel_blocks));
  return grid;
}

// Splits n outputs by `panels` of dw so that what the tasks lay out anew is least: a block of rows lays out its panels of x,
// a block of panels its rows of dy, which lie apart and cost about twice as much.
Grid make_dw_grid(const tenon_executor* ex, uint64_t n, uint64_t panels, uint64_t steps) {
  const Grid even = make_grid(ex, n, panels, steps, kRowsOfDw, 2);
  if (even.tasks() <= 1) return even;
  const uint64_t tiles = ceil_div(n, kTileRows), least = ceil_div(n, kRowsOfDw);
  Grid best = even;
  uint64_t best_cost = UINT64_MAX;
  for (uint64_t panel_blocks = 1; panel_blocks <= min_of(panels, even.tasks()); ++panel_blocks) {
    const uint64_t row_blocks = min_of(tiles, max_of(least, ceil_div(even.tasks(), panel_blocks)));
    const uint64_t cost = 2 * panel_blocks * n + row_blocks * panels * kPanel;
    if (row_blocks * panel_blocks < even.tasks() || cost >= best_cost) continue;
    best = {n, panels, row_blocks, panel_blocks};
    best_cost = cost;
  }
  return best;
}

// Rows whose starts are a multiple of 4 KiB apart fall into the same few lines of the cache.
bool stride_collides(uint64_t stride) {
  return stride % 1024 == 0;
}

void copy_rows(const float* from, uint64_t stride, uint64_t rows, uint64_t width, float* to,
               uint64_t to_stride) {
  for (uint64_t r = 0; r < rows; ++r) memcpy(to + r * to_stride, from + r * stride, width * sizeof(float));
}

// to[rows][32] = the columns column … column + 31 of from[rows][width], 0 beyond the width.
void pack_panel(const float* from, uint64_t stride, uint64_t rows, uint64_t column, uint64_t width,
                float* to) {
  const uint64_t cols = min_of(kPanel, width - column);
  from += column;
  if (cols == kPanel) {
    for (uint64_t r = 0; r < rows; ++r) {
      __builtin_prefetch(from + (r + kRowsAhead) * stride);
      __builtin_prefetch(from + (r + kRowsAhead) * stride + kLanes);
      store16(to + r * kPanel, load16(from + r * stride));
      store16(to + r * kPanel + 16, load16(from + r * stride + 16));
    }
    return;
  }
  const Mask16 low = first_lanes(cols), high = first_lanes(cols > 16 ? cols - 16 : 0);
  for (uint64_t r = 0; r < rows; ++r) {
    store16(to + r * kPanel, load16(from + r * stride, low));
    store16(to + r * kPanel + 16, cols > 16 ? load16(from + r * stride + 16, high) : zero16());
  }
}

// Tile i of to[tiles][.][16] = the columns from kTileRows·i on of from[rows][width], kTileRows of them; tiles are
// tile_stride apart. Row by row, for a row's columns lie together and the rows far apart.
void pack_tiles(const float* from, uint64_t stride, uint64_t rows, uint64_t width, float* to,
                uint64_t tile_stride) {
  const uint64_t whole = width / kTileRows, rest = width % kTileRows;
  const Mask16 mask = first_lanes(kTileRows), last = first_lanes(rest);
  for (uint64_t r = 0; r < rows; ++r) {
    const float* row = from + r * stride;
    float* tile = to + r * kLanes;
    for (uint64_t i = 0; i < width; i += kLanes) __builtin_prefetch(row + kRowsAhead * stride + i);
    for (uint64_t i = 0; i < whole; ++i) store16(tile + i * tile_stride, load16(row + i * kTileRows, mask));
    if (rest > 0) store16(tile + whole * tile_stride, load16(row + whole * kTileRows, last));
  }
}

}  // namespace

void linear_pack(const tenon_executor* ex, uint64_t n, uint64_t k, uint64_t first_row, uint64_t rows,
                 const float* w, uint64_t ldw, float* packed) {
  if (rows == 0 || k == 0) return;
  const uint64_t end = first_row + rows;
  const uint64_t end_with_padding = end == n ? round_up(n, kPanel) : end;
  const uint64_t first_panel = first_row / kPanel, panels = ceil_div(end_with_padding, kPanel) - first_panel;
  parallel(ex, panels, grain_for(8 * kPanel * k), [&](uint64_t begin, uint64_t panel_end) {
    for (uint64_t p = first_panel + begin; p < first_panel + panel_end; ++p) {
      const uint64_t from = max_of(first_row, p * kPanel), to = min_of(end_with_padding, (p + 1) * kPanel);
      float* panel = packed + p * kPanel * k;
      for (uint64_t j = from; j < to; ++j) {
        float* column = panel + j % kPanel;
        if (j >= end) {
          for (uint64_t i = 0; i < k; ++i) column[i * kPanel] = 0.0f;
          continue;
        }
        const float* row = w + (j - first_row) * ldw;
        for (uint64_t i = 0; i < k; ++i) column[i * kPanel] = row[i];
      }
    }
  });
}

void linear(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* x, uint64_t ldx,
            const float* w_packed, const float* bias, const float* add, uint64_t ldadd, float* y,
            uint64_t ldy) {
  if (m == 0 || n == 0) return;
  // Either a block of rows stays in the cache while W streams past it, or, for a small W, W stays and the
  // rows stream, few at a time so that a row of y is written together.
  const uint64_t max_rows =
      n * k <= kWeightsInCache ? kRowsInCache / 4 / (n + k) : kRowsInCache / max_of(1, k);
  const Grid grid = make_grid(ex, m, ceil_div(n, kPanel), k, max_of(kTileRows, max_rows));
  parallel(ex, grid.tasks(), 1, [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t row = grid.first_row(task), panel = grid.first_panel(task), column = panel * kPanel;
      Tile t{};
      t.rows = grid.last_row(task) - row;
      t.cols = min_of(n, grid.last_panel(task) * kPanel) - column;
      t.steps = k;
      t.a = x + row * ldx;
      t.a_row = static_cast<int64_t>(ldx);
      if (t.rows > 4 && stride_collides(ldx)) {
        float* rows = scratch(Scratch::kPackA, t.rows * (k + 16));
        copy_rows(t.a, ldx, t.rows, k, rows, k + 16);
        t.a = rows;
        t.a_row = static_cast<int64_t>(k + 16);
      }
      t.a_step = 1;
      t.b = w_packed + column * k;
      t.b_step = kPanel;
      t.b_panel = static_cast<int64_t>(kPanel * k);
      t.c = y + row * ldy + column;
      t.c_row = static_cast<int64_t>(ldy);
      t.bias = bias == nullptr ? nullptr : bias + column;
      t.add = add == nullptr ? nullptr : add + row * ldadd + column;
      t.add_row = static_cast<int64_t>(ldadd);
      run_panels<kPanel>(t);
    }
  });
}

void linear_dx(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy, uint64_t lddy,
               const float* w, uint64_t ldw, int accumulate, float* dx, uint64_t lddx) {
  if (m == 0 || k == 0) return;
  const Grid grid = make_grid(ex, m, ceil_div(k, kPanel), n, kRowsOfDx);
  parallel(ex, grid.tasks(), 1, [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t row = grid.first_row(task), rows = grid.last_row(task) - row;
      for (uint64_t j = 0; j == 0 || j < n; j += kOutputsInCache) {
        const uint64_t outputs = min_of(kOutputsInCache, n - j);
        float* panel = scratch(Scratch::kPackB, max_of(1, outputs) * kPanel);
        Tile t{};
        t.rows = rows;
        t.steps = outputs;
        t.a = dy + row * lddy + j;
        t.a_row = static_cast<int64_t>(lddy);
        t.a_step = 1;
        if (rows > 4 && stride_collides(lddy)) {
          float* packed = scratch(Scratch::kPackA, rows * (outputs + 16));
          copy_rows(t.a, lddy, rows, outputs, packed, outputs + 16);
          t.a = packed;
          t.a_row = static_cast<int64_t>(outputs + 16);
        }
        t.b = panel;
        t.b_step = kPanel;
        t.c_row = static_cast<int64_t>(lddx);
        for (uint64_t p = grid.first_panel(task); p < grid.last_panel(task); ++p) {
          pack_panel(w + j * ldw, ldw, outputs, p * kPanel, k, panel);
          t.cols = min_of(kPanel, k - p * kPanel);
          t.c = dx + row * lddx + p * kPanel;
          t.init = accumulate != 0 || j > 0 ? t.c : nullptr;
          run_panels<kPanel>(t);
        }
      }
    }
  });
}

void linear_dw(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy, uint64_t lddy,
               const float* x, uint64_t ldx, float* dw, uint64_t lddw) {
  if (m == 0 || n == 0 || k == 0) return;
  const Grid grid = make_dw_grid(ex, n, ceil_div(k, kPanel), m);
  const uint64_t steps = ceil_div(m, kTokensInCache);
  parallel(ex, grid.tasks(), 1, [&](uint64_t begin, uint64_t end) {
    for (uint64_t task = begin; task < end; ++task) {
      const uint64_t row = grid.first_row(task), rows = grid.last_row(task) - row;
      const uint64_t first = grid.first_panel(task), last = grid.last_panel(task);
      for (uint64_t s = 0; s < steps; ++s) {
        const uint64_t token = s * m / steps, tokens = (s + 1) * m / steps - token;
        float* panel = scratch(Scratch::kPackB, tokens * kPanel);
        const uint64_t tiles = ceil_div(rows, kTileRows);
        const uint64_t tile_stride = (tokens + 1) * kLanes;  // so that tiles do not collide in the cache
        float* packed = scratch(Scratch::kPackA, tiles * tile_stride);
        pack_tiles(dy + token * lddy + row, lddy, tokens, rows, packed, tile_stride);
        for (uint64_t p = first; p < last; ++p) {
          pack_panel(x + token * ldx, ldx, tokens, p * kPanel, k, panel);
          Tile t{};
          t.cols = min_of(kPanel, k - p * kPanel);
          t.steps = tokens;
          t.a_row = 1;
          t.a_step = kLanes;
          t.b = panel;
          t.b_step = kPanel;
          t.c_row = static_cast<int64_t>(lddw);
          for (uint64_t i = 0; i < tiles; ++i) {
            t.rows = min_of(kTileRows, rows - i * kTileRows);
            t.a = packed + i * tile_stride;
            t.c = dw + (row + i * kTileRows) * lddw + p * kPanel;
            t.init = t.c;
            run_panels<kPanel>(t);
          }
        }
      }
    }
  });
}

void linear_dbias(const tenon_executor* ex, uint64_t m, uint64_t n, const float* dy, uint64_t lddy,
                  float* dbias) {
  parallel(ex, ceil_div(n, kLanes), grain_for(m * kLanes), [&](uint64_t begin, uint64_t end) {
    for (uint64_t v = begin; v < end; ++v) {
      const uint64_t column = v * kLanes;
      const Mask16 mask = first_lanes(n - column);
      F16 sum = load16(dbias + column, mask);
      for (uint64_t t = 0; t < m; ++t) sum = sum + load16(dy + t * lddy + column, mask);
      store16(dbias + column, sum, mask);
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
