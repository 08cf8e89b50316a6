// What the plugin finds in its LibTorch half, which is opened when the first model is created.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/abi.h"

// Plugin and part are of one build: `version` is compared before anything else is touched.
typedef struct tenon_transformer_part {
  const char* version;
  const tenon_life* life;
  const tenon_model_vt* vt;
} tenon_transformer_part;

#define TENON_TRANSFORMER_VERSION "0.2.0"
#define TENON_TRANSFORMER_PART_ENTRY "tenon_transformer_part_v1"

extern "C" TENON_EXPORT const tenon_transformer_part* tenon_transformer_part_v1(void);
