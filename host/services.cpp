// The table of services that a component is given: tenon_host, function by function.
// SPDX-License-Identifier: Apache-2.0
#include "host/services.h"

#include <boost/json.hpp>
#include <cmath>

#include "host/command_line.h"
#include "host/instance.h"
#include "host/loss_weights.h"
#include "host/monotonic.h"
#include "host/run_error.h"
#include "host/shown_text.h"
#include "tenon/error.hpp"
#include "tenon/philox.h"

namespace tenon::host {

namespace {

Instance& of(const tenon_host* host) {
  return *static_cast<Instance*>(host->ctx);
}
StageServices* stage_of(const tenon_host* host) {
  return of(host).services().stage.load(std::memory_order_acquire);
}

void log(const tenon_host* host, int32_t level, const char* text, uint64_t n) {
  using spdlog::level::level_enum;
  const level_enum to = level <= TENON_LOG_DEBUG  ? level_enum::debug
                        : level == TENON_LOG_INFO ? level_enum::info
                        : level == TENON_LOG_WARN ? level_enum::warn
                                                  : level_enum::err;
  guard(nullptr, [&] {
    Instance& instance = of(host);
    if (instance.services().log)
      instance.services().log->log(to, "{}: {}", instance.place(), shown_text({text, n}));
  });
}
void metric(const tenon_host* host, const char* name, double value) {
  guard(nullptr, [&] {
    StageServices* stage = stage_of(host);
    if (stage != nullptr && of(host).check_value_name(name)) stage->metric(name, value);
  });
}
void timing(const tenon_host* host, const char* name, double value) {
  guard(nullptr, [&] {
    StageServices* stage = stage_of(host);
    if (stage != nullptr && of(host).check_value_name(name)) stage->timing(name, value);
  });
}
void progress(const tenon_host* host, double done, double total, const char* text) {
  guard(nullptr, [&] {
    if (StageServices* stage = stage_of(host)) stage->progress(done, total, text != nullptr ? text : "");
  });
}
int32_t cancelled(const tenon_host* host, const tenon_call* call) {
  const StageServices* stage = stage_of(host);
  if (stage != nullptr && stage->cancelled()) return 1;
  if (call == nullptr || call->deadline_ns == 0) return 0;
  return monotonic_ns() >= call->deadline_ns ? 1 : 0;
}

int32_t get_i64(const tenon_host* host, const char* path, int64_t* out) {
  return guard(nullptr, [&]() -> int32_t {
    const boost::json::value* v = nullptr;
    if (int32_t rc = of(host).get(path, {TENON_T_INT, TENON_T_BYTES}, &v); rc != TENON_OK) return rc;
    boost::system::error_code error;
    *out = v->to_number<int64_t>(error);
    return error ? TENON_E_INVALID : TENON_OK;
  });
}
int32_t get_f64(const tenon_host* host, const char* path, double* out) {
  return guard(nullptr, [&]() -> int32_t {
    const boost::json::value* v = nullptr;
    if (int32_t rc = of(host).get(path, {TENON_T_FLOAT, TENON_T_INT, TENON_T_DURATION, TENON_T_BYTES}, &v);
        rc != TENON_OK)
      return rc;
    boost::system::error_code error;
    *out = v->to_number<double>(error);
    return error ? TENON_E_INVALID : TENON_OK;
  });
}
int32_t get_bool(const tenon_host* host, const char* path, int32_t* out) {
  return guard(nullptr, [&]() -> int32_t {
    const boost::json::value* v = nullptr;
    if (int32_t rc = of(host).get(path, {TENON_T_BOOL}, &v); rc != TENON_OK) return rc;
    if (!v->is_bool()) return TENON_E_INVALID;
    *out = v->get_bool() ? 1 : 0;
    return TENON_OK;
  });
}
int32_t get_str(const tenon_host* host, const char* path, tenon_str* out) {
  return guard(nullptr, [&]() -> int32_t {
    const boost::json::value* v = nullptr;
    if (int32_t rc = of(host).get(path, {TENON_T_STR, TENON_T_ENUM, TENON_T_PATH}, &v); rc != TENON_OK)
      return rc;
    if (!v->is_string()) return TENON_E_INVALID;
    *out = {v->get_string().data(), v->get_string().size()};
    return TENON_OK;
  });
}
int32_t get_json(const tenon_host* host, const char* path, tenon_str* out) {
  return guard(nullptr, [&] { return of(host).get_json(path, out); });
}
int32_t slot_count(const tenon_host* host, const char* slot, uint64_t* n) {
  return guard(nullptr, [&] { return of(host).count(slot, n); });
}
int32_t lookup(const tenon_host* host, const char* slot, const char* kind, tenon_ref* out, tenon_error* err) {
  return guard(err, [&] { return of(host).lookup(slot, kind, out, err); });
}

void rng(const tenon_host*, uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n) {
  tenon_philox(key, hi, lo, out, n);
}
void parallel_for(const tenon_host* host, uint64_t n, uint64_t grain, void (*fn)(void*, uint64_t, uint64_t),
                  void* arg) {
  of(host).services().pool->parallel_for(n, grain, fn, arg);
}

int32_t weights(const tenon_host*, const tenon_algorithm_info* info, uint64_t n_seq, const uint64_t* offsets,
                const uint8_t* mask, const uint8_t* valid, double* weight, tenon_error* err) {
  return guard(err, [&]() -> int32_t {
    try {
      loss_weights(*info, n_seq, offsets, mask, valid, weight);
      return TENON_OK;
    } catch (const std::invalid_argument& e) {
      return set_error(err, TENON_E_INVALID, e.what());
    }
  });
}

// Runs body(stage) for calls that only a running stage's components may make.
template <class Body>
int32_t in_stage(const tenon_host* host, tenon_error* err, Body&& body) {
  StageServices* stage = stage_of(host);
  if (stage == nullptr)
    return set_error(err, TENON_E_STATE,
                     "no stage is running: this may be called during a stage's `run` only");
  return guard(err, [&] { body(*stage); });
}
int32_t score(const tenon_host* host, const char* slot, const tenon_call* call, const tenon_reward_in* in,
              tenon_scored* out, tenon_error* err) {
  return in_stage(host, err, [&](StageServices& stage) { stage.score(slot, call, *in, *out); });
}
int32_t row_out(const tenon_host* host, const char* name, const tenon_row* row, tenon_error* err) {
  return in_stage(host, err, [&](StageServices& stage) { stage.row_out(name, *row); });
}
int32_t sample_out(const tenon_host* host, const char* object, uint64_t n, tenon_error* err) {
  return in_stage(host, err, [&](StageServices& stage) { stage.sample_out({object, n}); });
}
int32_t artifact(const tenon_host* host, const char* name, const void* bytes, uint64_t n, tenon_error* err) {
  return in_stage(host, err, [&](StageServices& stage) {
    stage.artifact(name, {static_cast<const char*>(bytes), n});
  });
}
uint64_t sample_ids(const tenon_host* host, uint64_t n) {
  StageServices* stage = stage_of(host);
  return stage != nullptr ? stage->sample_ids(n) : 0;
}
const void* extension(const tenon_host*, const char* id) {
  static constexpr tenon_output_folder output_folder{sizeof output_folder, 0, [](const tenon_host* host) {
                                                       return of(host).services().output_folder.c_str();
                                                     }};
  return std::string_view(id) == TENON_EXT_OUTPUT_FOLDER ? &output_folder : nullptr;
}

}  // namespace

tenon_host make_host_table(Instance* instance, const char* place, uint64_t seed, uint32_t threads) {
  tenon_host t{};
  t.struct_size = sizeof t;
  t.abi_level = TENON_ABI_LEVEL;
  t.ctx = instance;
  t.instance = place;
  t.host_version = version();
  t.seed = seed;
  t.log = log;
  t.metric = metric;
  t.timing = timing;
  t.progress = progress;
  t.cancelled = cancelled;
  t.get_i64 = get_i64;
  t.get_f64 = get_f64;
  t.get_bool = get_bool;
  t.get_str = get_str;
  t.get_json = get_json;
  t.slot_count = slot_count;
  t.lookup = lookup;
  t.rng = rng;
  t.parallel_for = parallel_for;
  t.threads = threads;
  t.loss_weights = weights;
  t.score = score;
  t.row_out = row_out;
  t.sample_out = sample_out;
  t.artifact = artifact;
  t.sample_ids = sample_ids;
  t.extension = extension;
  return t;
}

}  // namespace tenon::host
