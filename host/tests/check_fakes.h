// A plugin inside the test: components of every kind and options of every type, to be checked, not run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <string>

#include "tenon/host.hpp"
#include "tenon/options.hpp"

namespace tenon::host::fakes {

inline int32_t create(const tenon_host*, void**, tenon_error*) {
  return TENON_E_UNSUPPORTED;
}
inline void destroy(void*) {}
inline constexpr tenon_life kLife{sizeof(tenon_life), 0, create, destroy, nullptr, nullptr, nullptr, nullptr};

// A rule between options, as plugins have them: the width must be a multiple of the heads.
inline int32_t check_model(const tenon_host* host, const tenon_diag* diag) {
  Host h(host);
  Findings findings(diag);
  if (h.i64("width") % h.i64("heads") != 0)
    findings.error("heads", "must divide width: " + std::to_string(h.i64("heads")) + " does not divide " +
                                std::to_string(h.i64("width")));
  if (h.i64("layers") == 13) findings.warning("layers", "thirteen is an unusual number of layers");
  return TENON_OK;
}
inline constexpr tenon_life kModelLife{sizeof(tenon_life), 0,       create,  destroy,
                                       check_model,        nullptr, nullptr, nullptr};

// And an option that another one makes useless.
inline int32_t check_optimizer(const tenon_host* host, const tenon_diag* diag) {
  if (Host(host).str("schedule.kind") == "constant")
    Findings(diag).no_effect("schedule.warmup", "a constant schedule has no warm-up");
  return TENON_OK;
}
inline constexpr tenon_life kOptimizerLife{sizeof(tenon_life), 0,       create,  destroy,
                                           check_optimizer,    nullptr, nullptr, nullptr};

// With presets, one of which gives an option that its other one makes useless.
inline int32_t check_vine(const tenon_host* host, const tenon_diag* diag) {
  if (Host(host).str("ratio") == "sequence")
    Findings(diag).no_effect("clip", "whole sequences are not clipped");
  return TENON_OK;
}
inline constexpr tenon_life kVineLife{sizeof(tenon_life), 0,       create,  destroy,
                                      check_vine,         nullptr, nullptr, nullptr};

// A stage that refuses a number of its own, whoever gives it.
inline int32_t check_rl(const tenon_host* host, const tenon_diag* diag) {
  if (Host(host).i64("steps") == 13) Findings(diag).error("steps", "thirteen is refused");
  return TENON_OK;
}
inline constexpr tenon_life kRlLife{sizeof(tenon_life), 0,       create,  destroy,
                                    check_rl,           nullptr, nullptr, nullptr};

// What only the host fills in.
template <class Vtable>
void leave_to_host(Vtable&) {}
inline void leave_to_host(tenon_dataset_vt& vt) {
  vt.next = nullptr;
}

// A vtable whose every other pointer is set, to a function that nobody calls.
template <class Vtable>
const Vtable* vtable() {
  static const Vtable* table = [] {
    auto* vt = new Vtable{};
    void (*nobody)() = [] {};
    for (size_t at = 2 * sizeof(uint32_t); at < sizeof(Vtable); at += sizeof nobody)
      std::memcpy(reinterpret_cast<char*>(vt) + at, &nobody, sizeof nobody);
    vt->struct_size = sizeof(Vtable);
    leave_to_host(*vt);
    return vt;
  }();
  return table;
}

constexpr Limits limits(const char* min, const char* max, const char* unit = nullptr, uint32_t flags = 0) {
  return {min, max, unit, flags};
}
constexpr Limits flags(uint32_t flags) {
  return {nullptr, nullptr, nullptr, flags};
}

inline constexpr const char* kKinds[] = {"constant", "cosine", "linear", nullptr};
inline constexpr OptionTable kSchedule{
    choice("kind", kKinds, "\"constant\"", "Shape of the schedule."),
    integer("warmup", "0", "Steps of linear warm-up.", limits("0", nullptr, "steps"))};
inline constexpr OptionTable kWeight{number("weight", "1", "Factor of this reward in the sum.")};

inline constexpr OptionTable kNone{};
inline constexpr OptionTable kSums{
    integer("operands", "7", "Numbers in a sum.", limits("1", "20")), path("file", "Rows to read."),
    option(TENON_T_BYTES, "cache", "\"64KiB\"", "Memory for rows.", limits("\"1KiB\"", "\"1GiB\"")),
    boolean("shuffle", "true", "Whether rows are shuffled.")};
inline constexpr OptionTable kPair{
    reference("data", "dataset", nullptr, "What to copy.", flags(TENON_O_REQUIRED)),
    text("title", nullptr, "What to call it.")};
inline constexpr OptionTable kModel{
    integer("layers", "2", "Decoder layers.", limits("1", "64")),
    integer("width", "64", "Hidden width.", limits("1", nullptr)),
    integer("heads", "4", "Attention heads.", limits("1", nullptr)),
    number("dropout", "0", "Share of activations dropped.", limits("0", "1")),
    boolean("flash", nullptr, "Use `attention` instead.", flags(TENON_O_DEPRECATED)),
    reference("tokenizer", "tokenizer", nullptr, "Text to ids.", flags(TENON_O_REQUIRED))};
inline constexpr OptionTable kAdamw{number("learning_rate", "1e-3", "Step size.", limits("0", nullptr)),
                                    object("schedule", kSchedule, "Learning rate over time.")};
inline constexpr OptionTable kPretrain{
    reference("data", "dataset", nullptr, "What to learn.", flags(TENON_O_REQUIRED)),
    reference("model", "model", nullptr, "What learns.", flags(TENON_O_REQUIRED)),
    reference("optimizer", "optimizer", "\"adamw\"", "How it learns."),
    integer("steps", nullptr, "Optimizer steps.", limits("1", nullptr, "steps", TENON_O_REQUIRED))};
inline constexpr OptionTable kRl{
    reference("data", "dataset", nullptr, "Prompts.", flags(TENON_O_REQUIRED)),
    reference("model", "model", nullptr, "The policy.", flags(TENON_O_REQUIRED)),
    reference("rewards", "reward", nullptr, "What pays.", flags(TENON_O_REQUIRED | TENON_O_LIST), kWeight),
    reference("algorithm", "algorithm", "\"grpo\"", "How advantages are made."),
    option(TENON_T_DURATION, "timeout", "\"10s\"", "Limit of a reward call.", limits("0", "3600", "seconds")),
    integer("steps", "10", "Rollouts.", limits("1", nullptr, "steps"))};
inline constexpr OptionTable kEvaluate{
    reference("models", "model", nullptr, "What to compare.", flags(TENON_O_REQUIRED | TENON_O_LIST)),
    reference("data", "dataset", nullptr, "Questions.", flags(TENON_O_REQUIRED))};

inline constexpr const char* kRatios[] = {"token", "sequence", nullptr};
inline constexpr OptionTable kVine{choice("ratio", kRatios, "\"token\"", "What is weighed."),
                                   number("clip", "0.2", "Largest change.", limits("0", "1")),
                                   object("schedule", kSchedule, "Of the clipping.")};
inline constexpr Presets kVinePresets{
    preset("wide", "A wide clip (a paper, 2026).", R"({"clip": 0.4, "schedule": {"kind": "linear"}})",
           R"({"steps": 30, "timeout": "20s"})"),
    preset("whole", "Whole sequences.", R"({"ratio": "sequence", "clip": 0.3})", R"({"turns": 4})"),
    preset("unlucky", "A number that its stage refuses.", "{}", R"({"steps": 13})"),
    preset("endless", "More steps than a stage may have.", "{}", R"({"steps": 0})")};
inline constexpr Presets kSternPresets{
    preset("long", "Needs time.", "{}", R"({"steps": 31, "timeout": "20s"})")};
inline constexpr Presets kRlPresets{preset("brief", "Few steps.", R"({"steps": 3})")};
inline constexpr OptionTable kNamed{text("preset", nullptr, "An option of its own.")};

template <class Vtable>
tenon_component component(const char* kind, const char* id, const tenon_option* const* options,
                          const tenon_life* life = &kLife, const tenon_preset* const* presets = nullptr) {
  return {sizeof(tenon_component), 0, kind, id,     "1.0.0", "A fake.", "", options, life,
          vtable<Vtable>(),        1, 0,    presets};
}

inline const tenon_plugin* plugin() {
  static const tenon_component components[] = {
      component<tenon_dataset_vt>("dataset", "sums", kSums),
      component<tenon_dataset_vt>("dataset", "jsonl", kSums),
      component<tenon_dataset_vt>("dataset", "pair", kPair),
      component<tenon_tokenizer_vt>("tokenizer", "char", kNone),
      component<tenon_model_vt>("model", "tiny", kModel, &kModelLife),
      component<tenon_reward_vt>("reward", "answer", kNone),
      component<tenon_reward_vt>("reward", "format", kNone),
      component<tenon_algorithm_vt>("algorithm", "grpo", kNone),
      component<tenon_algorithm_vt>("algorithm", "rloo", kNone),
      component<tenon_algorithm_vt>("algorithm", "vine", kVine, &kVineLife, kVinePresets),
      component<tenon_reward_vt>("reward", "stern", kNone, &kLife, kSternPresets),
      component<tenon_reward_vt>("reward", "named", kNamed, &kLife, kSternPresets),
      component<tenon_optimizer_vt>("optimizer", "adamw", kAdamw, &kOptimizerLife),
      component<tenon_stage_vt>("stage", "pretrain", kPretrain),
      component<tenon_stage_vt>("stage", "rl", kRl, &kRlLife, kRlPresets),
      component<tenon_stage_vt>("stage", "evaluate", kEvaluate),
      component<tenon_sink_vt>("sink", "console", kNone),
      component<tenon_sink_vt>("sink", "jsonl", kNone)};
  static const tenon_component* pointers[std::size(components) + 1] = {};
  for (size_t i = 0; i < std::size(components); ++i) pointers[i] = &components[i];
  static const tenon_plugin plugin{sizeof(tenon_plugin),
                                   TENON_ABI_LEVEL,
                                   TENON_ABI_LEVEL,
                                   TENON_ABI_DRAFT,
                                   "fakes",
                                   "1.0.0",
                                   "Tenon",
                                   "Apache-2.0",
                                   "",
                                   "c++",
                                   nullptr,
                                   pointers};
  return &plugin;
}

}  // namespace tenon::host::fakes
