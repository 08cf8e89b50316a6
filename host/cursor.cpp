// The host's cursor over a data set.
// SPDX-License-Identifier: Apache-2.0
#include "host/cursor.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>
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

Cursor::Cursor(void* self, const tenon_dataset_vt* vt, const tenon_curriculum* curriculum, uint64_t key)
    : self_(self), vt_(vt), curriculum_(curriculum), key_(key) {}

void Cursor::follow_order(std::vector<uint64_t>& index) {
  const uint64_t n = count();
  for (uint64_t i = 0; i < index.size(); ++i) {
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
}

int32_t Cursor::choose(const tenon_call* call, std::vector<uint64_t>& index, tenon_error* err) const {
  const int32_t rc = curriculum_->choose(self_, call, index.size(), index.data(), err);
  if (rc < 0) return rc;
  for (const uint64_t i : index)
    if (i >= count())
      return set_error(err, TENON_E_INTERNAL,
                       "the curriculum chose row " + std::to_string(i) + " of " + std::to_string(count()));
  return TENON_OK;
}

int32_t Cursor::next(const tenon_call* call, uint64_t max_n, const tenon_row_sink* sink, tenon_error* err) {
  if (count() == 0) return set_error(err, TENON_E_INVALID, "the data set is empty");
  std::vector<uint64_t> index(max_n);
  if (curriculum_ == nullptr)
    follow_order(index);
  else if (const int32_t rc = choose(call, index, err); rc < 0)
    return rc;

  struct Indexed {
    const tenon_row_sink* to;
    const std::vector<uint64_t>& index;
    uint64_t given = 0;
  } indexed{sink, index};
  const tenon_row_sink with_index{sizeof with_index, 0, &indexed,
                                  [](void* ctx, const tenon_row* row) -> int32_t {
                                    auto& rows = *static_cast<Indexed*>(ctx);
                                    if (rows.given == rows.index.size()) return TENON_E_INTERNAL;
                                    tenon_row own{};
                                    std::memcpy(&own, row, std::min<size_t>(row->struct_size, sizeof own));
                                    own.struct_size = sizeof own;
                                    own.index = rows.index[rows.given++];
                                    return rows.to->row(rows.to->ctx, &own);
                                  }};
  const int32_t rc = vt_->read(self_, call, index.data(), max_n, &with_index, err);
  if (rc >= 0) position_ += max_n;
  return rc;
}

const tenon_life* Cursor::life() {
  static constexpr tenon_curriculum kCurriculum{
      sizeof(tenon_curriculum), 0, nullptr,
      [](void* self, const tenon_call* call, uint64_t n, const uint64_t* index, const double* mean_reward,
         const uint64_t* n_valid, tenon_error* err) -> int32_t {
        const auto& cursor = *static_cast<Cursor*>(self);
        return cursor.curriculum_->outcome(cursor.self_, call, n, index, mean_reward, n_valid, err);
      }};
  static constexpr tenon_life kLife = [] {
    tenon_life life{};
    life.struct_size = sizeof life;
    life.extension = [](void* self, const char* id) -> const void* {
      const bool has = static_cast<Cursor*>(self)->curriculum_ != nullptr;
      return has && std::string_view(id) == TENON_EXT_CURRICULUM ? &kCurriculum : nullptr;
    };
    return life;
  }();
  return &kLife;
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
