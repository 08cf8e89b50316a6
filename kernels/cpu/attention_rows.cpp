// What attention's forward, backward and cache share.
// SPDX-License-Identifier: Apache-2.0
#include "attention_rows.h"

namespace tenon::kernels::TENON_ISA {

namespace {

#if defined(TENON_ISA_AVX512)
// to[i][0 … 15] = from[0 … 15][i]: sixteen rows (stride ld) of sixteen columns, transposed in registers.
void transpose16(const float* from, uint64_t ld, float* to) {
  __m512 a[16], b[16];
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(from + static_cast<uint64_t>(i) * ld);
  for (int i = 0; i < 16;
       i += 4) {  // 4 by 4 within the 128-bit lanes: b[i + c] has column 4l + c of rows i … i + 3 in lane l
    const __m512 t0 = _mm512_unpacklo_ps(a[i], a[i + 1]), t1 = _mm512_unpackhi_ps(a[i], a[i + 1]);
    const __m512 t2 = _mm512_unpacklo_ps(a[i + 2], a[i + 3]), t3 = _mm512_unpackhi_ps(a[i + 2], a[i + 3]);
    b[i] = _mm512_shuffle_ps(t0, t2, 0x44);
    b[i + 1] = _mm512_shuffle_ps(t0, t2, 0xee);
    b[i + 2] = _mm512_shuffle_ps(t1, t3, 0x44);
    b[i + 3] = _mm512_shuffle_ps(t1, t3, 0xee);
  }
  for (int c = 0; c < 4; ++c) {  // then 4 by 4 of the lanes
    const __m512 low01 = _mm512_shuffle_f32x4(b[c], b[c + 4], 0x44),
                 high01 = _mm512_shuffle_f32x4(b[c], b[c + 4], 0xee);
    const __m512 low23 = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0x44),
                 high23 = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0xee);
    _mm512_storeu_ps(to + c * 16, _mm512_shuffle_f32x4(low01, low23, 0x88));
    _mm512_storeu_ps(to + (c + 4) * 16, _mm512_shuffle_f32x4(low01, low23, 0xdd));
    _mm512_storeu_ps(to + (c + 8) * 16, _mm512_shuffle_f32x4(high01, high23, 0x88));
    _mm512_storeu_ps(to + (c + 12) * 16, _mm512_shuffle_f32x4(high01, high23, 0xdd));
  }
}
#else
void transpose16(const float* from, uint64_t ld, float* to) {
  for (uint64_t j = 0; j < 16; ++j) {
    for (uint64_t i = 0; i < 16; ++i) to[i * 16 + j] = from[j * ld + i];
  }
}
#endif

}  // namespace

void pack_keys(const float* x, uint64_t ldx, uint64_t count, uint64_t d, uint64_t first, float* blocks) {
  for (uint64_t j = 0; j < count;) {
    const uint64_t position = first + j;
    float* lane = blocks + position / kLanes * d * kLanes + position % kLanes;
    const float* row = x + j * ldx;
    if (position % kLanes == 0 && count - j >= kLanes && d % kLanes == 0) {
      for (uint64_t i = 0; i < d; i += kLanes) transpose16(row + i, ldx, lane + i * kLanes);
      j += kLanes;
      continue;
    }
    for (uint64_t i = 0; i < d; ++i) lane[i * kLanes] = row[i];
    ++j;
  }
}

Families find_families(const tenon_attention_batch& batch) {
  const uint64_t n = batch.sequences;
  uint64_t* memory = reinterpret_cast<uint64_t*>(scratch(Scratch::kFamilies, 2 * (3 * n + 2)));
  uint64_t* first = memory;          // [n + 1]
  uint64_t* member = first + n + 1;  // [n]
  uint64_t* family = member + n;     // [n + 1]: of each sequence; then where its family's next member goes
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
  // Members in ascending order, which puts the prefix first. first[f] serves as the cursor and is put back
  // afterwards.
  for (uint64_t i = 0; i < n; ++i) member[first[family[i]]++] = i;
  for (uint64_t f = families.count; f > 0; --f) first[f] = first[f - 1];
  first[0] = 0;
  return families;
}

}  // namespace tenon::kernels::TENON_ISA
