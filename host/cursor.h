// The host's cursor over a data set: rows in the order of the run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/abi.h"

namespace tenon::host {

// The order of a bounded set's rows in one epoch: a permutation of 0..n-1 drawn with Philox under `key`, stream `epoch` (Fisher and Yates). 8 n bytes.
std::vector<uint64_t> epoch_order(uint64_t n, uint64_t key, uint64_t epoch);

// Stands between a component and a data set, with the same vtable: `next` gives the rows of a bounded set in epoch_order, epoch after epoch, those of
// an unbounded one by index from 0, and those of a curriculum as it chooses; all with their index. `count` and `read` pass through.
class Cursor {
 public:
  // self, vt, curriculum (or null): of the data set, which outlives the cursor. key: of the shuffling.
  Cursor(void* self, const tenon_dataset_vt* vt, const tenon_curriculum* curriculum, uint64_t key);
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // To be called with `this` as self.
  static const tenon_dataset_vt* table();
  // For its extensions: those of the data set that make sense with a cursor.
  static const tenon_life* life();

  uint64_t count() const { return vt_->count(self_); }
  // Rows given since the beginning of the stage; all the state there is.
  uint64_t position() const { return position_; }
  void seek(uint64_t position) { position_ = position; }

 private:
  int32_t next(const tenon_call* call, uint64_t max_n, const tenon_row_sink* sink, tenon_error* err);
  int32_t choose(const tenon_call* call, std::vector<uint64_t>& index, tenon_error* err) const;
  void follow_order(std::vector<uint64_t>& index);

  void* self_;
  const tenon_dataset_vt* vt_;
  const tenon_curriculum* curriculum_;
  uint64_t key_;
  uint64_t position_ = 0;
  std::vector<uint64_t> order_;  // of epoch_
  uint64_t epoch_ = UINT64_MAX;
};

}  // namespace tenon::host
