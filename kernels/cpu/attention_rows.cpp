// What attention's forward, backward and cache share.
// SPDX-License-Identifier: Apache-2.0
#include "attention_rows.h"

namespace tenon::kernels::TENON_ISA {

void pack_keys(const float* x, uint64_t ldx, uint64_t count, uint64_t d, uint64_t first, float* blocks) {
  for (uint64_t j = 0; j < count; ++j) {
    const uint64_t position = first + j;
    float* lane = blocks + position / kLanes * d * kLanes + position % kLanes;
    const float* row = x + j * ldx;
    for (uint64_t i = 0; i < d; ++i) lane[i * kLanes] = row[i];
  }
}

Families find_families(const tenon_attention_batch& batch) {
  const uint64_t n = batch.sequences;
  uint64_t* memory = reinterpret_cast<uint64_t*>(scratch(Scratch::kFamilies, 2 * (3 * n + 2)));
  uint64_t* first = memory;           // [n + 1]
  uint64_t* member = first + n + 1;   // [n]
  uint64_t* family = member + n;      // [n + 1]: of each sequence; then where its family's next member goes
  Families families{0, first, member, 0};
  const auto parent = [&](uint64_t i) { return batch.prefix == nullptr ? -1 : batch.prefix[i]; };
  const auto length = [&](uint64_t i) { return batch.offsets[i + 1] - batch.offsets[i]; };
  for (uint64_t i = 0; i <= n; ++i) first[i] = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const int64_t p = parent(i);
    family[i] = p < 0 ? families.count++ : family[p];
    ++first[family[i] + 1];
    families.longest = max_of(families.longest, length(i) + (p < 0 ? 0 : length(static_cast<uint64_t>(p))));
  }
  for (uint64_t f = 0; f < families.count; ++f) first[f + 1] += first[f];
  // Members in ascending order, which puts the prefix first. first[f] serves as the cursor and is put back afterwards.
  for (uint64_t i = 0; i < n; ++i) member[first[family[i]]++] = i;
  for (uint64_t f = families.count; f > 0; --f) first[f] = first[f - 1];
  first[0] = 0;
  return families;
}

}  // namespace tenon::kernels::TENON_ISA
