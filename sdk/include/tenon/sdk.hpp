// The C++20 wrapper of the plugin ABI, all of it. A reward needs only tenon/reward.hpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/abi.h"
#include "tenon/algorithm.hpp"
#include "tenon/dataset.hpp"
#include "tenon/model.hpp"
#include "tenon/optimizer.hpp"
#include "tenon/reward.hpp"
#include "tenon/rollout.hpp"
#include "tenon/sink.hpp"
#include "tenon/stage.hpp"
#include "tenon/tokenizer.hpp"
