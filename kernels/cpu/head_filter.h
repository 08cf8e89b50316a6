// Sampling from a filtered distribution: top-k, top-p, min-p.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_HEAD_FILTER_H_
#define TENON_KERNELS_CPU_HEAD_FILTER_H_

#include <stdint.h>

#include "tenon/kernels/head.h"

namespace tenon::kernels {

// Whether the filter leaves anything out.
bool filters(const tenon_head_filter* filter);

// Draws from one row's logits (all finite below +inf, at least one of them finite) by u in [0, 1), as
// tenon_head_sample says.
int32_t draw_filtered(const float* logits, uint64_t vocabulary, float inverse_temperature,
                      const tenon_head_filter& filter, float u);

}  // namespace tenon::kernels

#endif  // TENON_KERNELS_CPU_HEAD_FILTER_H_
