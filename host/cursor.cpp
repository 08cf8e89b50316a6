// The host's cursor over a data set.
// SPDX-License-Identifier: Apache-2.0
#include "host/cursor.h"

#include <numeric>
#include <utility>

#include "tenon/error.hpp"
#include "tenon/philox.h"

namespace tenon::host {

std::vector<uint64_t> epoch_order(uint64_t n, uint64_t key, uint64_t epoch) {
  std::vector<uint64_t> order(n), draws(n);
  std::iota(order.begin(), order.end(), uint64_t{0});
  tenon_philox(key, epoch, 0, draws.data(), n);
  for (uint64_t i = n; i > 1; --i) {
    // A number below i: the high half of the product (Lemire, arXiv 1805.10941; the bias of at most i / 2^64 is left in).
    const auto j = static_cast<uint64_t>(static_cast<unsigned __int128>(draws[i - 1]) * i >> 64);
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

Cursor::Cursor(void* self, const tenon_dataset_vt* vt, uint64_t key) : self_(self), vt_(vt), key_(key) {}

int32_t Cursor::next(const tenon_call* call, uint64_t max_n, const tenon_row_sink* sink, tenon_error* err) {
  const uint64_t n = count();
  if (n == 0) return set_error(err, TENON_E_INVALID, "the data set is empty");
  std::vector<uint64_t> index(max_n);
  for (uint64_t i = 0; i < max_n; ++i) {
    const uint64_t at = position_ + i;
    if (n == TENON_COUNT_UNBOUNDED) {
      index[i] = at;
      continue;
    }
    if (order_.empty() || at / n != epoch_) {
      epoch_ = at / n;
      order_ = epoch_order(n, key_, epoch_);
    }
    index[i] = order_[at % n];
  }
  const int32_t rc = vt_->read(self_, call, index.data(), max_n, sink, err);
  if (rc >= 0) position_ += max_n;
  return rc;
}

const tenon_dataset_vt* Cursor::table() {
  static constexpr tenon_dataset_vt kTable{
      sizeof(tenon_dataset_vt), 0, [](void* self) { return static_cast<Cursor*>(self)->count(); },
      [](void* self, const tenon_call* call, const uint64_t* index, uint64_t n, const tenon_row_sink* sink,
         tenon_error* err) -> int32_t {
        auto& cursor = *static_cast<Cursor*>(self);
        return cursor.vt_->read(cursor.self_, call, index, n, sink, err);
      },
      [](void* self, const tenon_call* call, uint64_t max_n, const tenon_row_sink* sink,
         tenon_error* err) -> int32_t {
        return guard(err, [&] { return static_cast<Cursor*>(self)->next(call, max_n, sink, err); });
      }};
  return &kTable;
}

}  // namespace tenon::host
