// A reward plugin for tests of the loader; macros say what is wrong with it.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tenon/abi.h"

#ifndef FAKE_ID
#define FAKE_ID "good"
#endif
#ifndef FAKE_KIND
#define FAKE_KIND "reward"
#endif
#ifndef FAKE_LEVEL
#define FAKE_LEVEL TENON_ABI_LEVEL
#endif
#ifndef FAKE_MIN
#define FAKE_MIN FAKE_LEVEL
#endif
#ifndef FAKE_DRAFT
#define FAKE_DRAFT TENON_ABI_DRAFT
#endif
#ifndef FAKE_RUNTIME
#define FAKE_RUNTIME nullptr
#endif
#ifndef FAKE_DEFAULT
#define FAKE_DEFAULT "256"
#endif
#ifndef FAKE_SCORE
#define FAKE_SCORE score
#endif

namespace {

int32_t create(const tenon_host*, void** self, tenon_error*) {
  *self = nullptr;
  return TENON_OK;
}
void destroy(void*) {}
[[maybe_unused]] int32_t score(void*, const tenon_call*, const tenon_reward_in*, tenon_reward_out*,
                               tenon_error*) {
  return TENON_OK;
}

const tenon_option kTarget{
    sizeof(tenon_option), TENON_T_INT, 0,     0,       "target", "Wanted length.", "bytes",
    FAKE_DEFAULT,         "1",         "1e6", nullptr, nullptr,  nullptr};
const tenon_option* const kOptions[] = {&kTarget, nullptr};
#ifdef FAKE_BAD_PRESET
const char kPresetOptions[] = "{\"target\": 0}";
#else
const char kPresetOptions[] = "{\"target\": 512}";
#endif
const tenon_preset kPreset{
    sizeof(tenon_preset),       0, "long", "Pays for long answers (a paper, 2026).", kPresetOptions,
    "{\"max_new_tokens\": 512}"};
const tenon_preset* const kPresets[] = {&kPreset, nullptr};
const tenon_life kLife{sizeof(tenon_life), 0, create, destroy, nullptr, nullptr, nullptr, nullptr};
const tenon_reward_vt kVtable{sizeof(tenon_reward_vt), 0, FAKE_SCORE};
const tenon_component kComponent{sizeof(tenon_component),
                                 TENON_C_STATELESS,
                                 FAKE_KIND,
                                 FAKE_ID,
                                 "1.0.0",
                                 "Pays for length.",
                                 "",
                                 kOptions,
                                 &kLife,
                                 &kVtable,
                                 1,
                                 0,
                                 kPresets};
const tenon_component* const kComponents[] = {&kComponent, nullptr};
const tenon_plugin kPlugin{
    sizeof(tenon_plugin), FAKE_LEVEL, FAKE_MIN, FAKE_DRAFT,   "fake",     "1.0.0", "Tenon",
    "Apache-2.0",         "",         "c",      FAKE_RUNTIME, kComponents};

#ifdef FAKE_CRASHES
struct Crash {
  Crash() { std::abort(); }
} crash;
#endif

}  // namespace

extern "C" TENON_EXPORT const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*) {
#ifdef FAKE_DECLINES
  return nullptr;
#else
  return &kPlugin;
#endif
}
