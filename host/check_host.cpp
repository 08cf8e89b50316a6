// A tenon_host for life.check: it answers options; everything else is not there yet.
// SPDX-License-Identifier: Apache-2.0
#include "host/check_host.h"

#include <cstring>

#include "host/command_line.h"
#include "host/last_words.h"
#include "host/option_reader.h"
#include "host/presets.h"

namespace tenon::host {

namespace {

constexpr char kTooEarly[] = "not during check: nothing has been created yet";

int32_t refuse(tenon_error* error) {
  if (error != nullptr) {
    error->code = TENON_E_STATE;
    error->len = std::min<uint64_t>(error->cap, sizeof kTooEarly - 1);
    if (error->msg != nullptr) std::memcpy(error->msg, kTooEarly, error->len);
  }
  return TENON_E_STATE;
}

const OptionReader& options(const tenon_host* host) {
  return *static_cast<const OptionReader*>(host->ctx);
}

tenon_host make_table(const OptionReader& reader, const std::string& instance, uint32_t threads) {
  tenon_host host{};
  host.struct_size = sizeof host;
  host.abi_level = TENON_ABI_LEVEL;
  host.ctx = const_cast<OptionReader*>(&reader);
  host.instance = instance.c_str();
  host.host_version = version();
  host.threads = threads;

  host.get_i64 = [](const tenon_host* h, const char* path, int64_t* out) {
    return options(h).get_i64(path, out);
  };
  host.get_f64 = [](const tenon_host* h, const char* path, double* out) {
    return options(h).get_f64(path, out);
  };
  host.get_bool = [](const tenon_host* h, const char* path, int32_t* out) {
    return options(h).get_bool(path, out);
  };
  host.get_str = [](const tenon_host* h, const char* path, tenon_str* out) {
    return options(h).get_str(path, out);
  };
  host.get_json = [](const tenon_host* h, const char* path, tenon_str* out) {
    return options(h).get_json(path, out);
  };
  host.slot_count = [](const tenon_host* h, const char* slot, uint64_t* n) {
    return options(h).slot_count(slot, n);
  };

  host.log = [](const tenon_host*, int32_t, const char*, uint64_t) {};
  host.metric = [](const tenon_host*, const char*, double) {};
  host.timing = [](const tenon_host*, const char*, double) {};
  host.progress = [](const tenon_host*, double, double, const char*) {};
  host.cancelled = [](const tenon_host*, const tenon_call*) -> int32_t { return 0; };
  host.lookup = [](const tenon_host*, const char*, const char*, tenon_ref*, tenon_error* e) {
    return refuse(e);
  };
  host.rng = [](const tenon_host*, uint64_t, uint64_t, uint64_t, uint64_t* out, uint64_t n) {
    std::memset(out, 0, n * sizeof *out);
  };
  host.parallel_for = [](const tenon_host*, uint64_t n, uint64_t, void (*fn)(void*, uint64_t, uint64_t),
                         void* arg) {
    if (n > 0) fn(arg, 0, n);
  };
  host.loss_weights = [](const tenon_host*, const tenon_algorithm_info*, uint64_t, const uint64_t*,
                         const uint8_t*, const uint8_t*, double*, tenon_error* e) { return refuse(e); };
  host.score = [](const tenon_host*, const char*, const tenon_call*, const tenon_reward_in*, tenon_scored*,
                  tenon_error* e) { return refuse(e); };
  host.row_out = [](const tenon_host*, const char*, const tenon_row*, tenon_error* e) { return refuse(e); };
  host.sample_out = [](const tenon_host*, const char*, uint64_t, tenon_error* e) { return refuse(e); };
  host.artifact = [](const tenon_host*, const char*, const void*, uint64_t, tenon_error* e) {
    return refuse(e);
  };
  host.sample_ids = [](const tenon_host*, uint64_t) -> uint64_t { return 0; };
  host.extension = [](const tenon_host*, const char*) -> const void* { return nullptr; };
  return host;
}

struct FindingContext {
  Spec& spec;
  const std::string& path;
  Diagnostics& diagnostics;
};

void report_finding(void* ctx, const char* path, int32_t severity, const char* message) {
  auto& context = *static_cast<FindingContext*>(ctx);
  const std::string option = path != nullptr ? path : "";
  std::string text = message != nullptr ? message : "is refused without a reason";
  if (severity == TENON_FINDING_NO_EFFECT && !context.spec.marks.contains(option)) {
    context.spec.idle.insert(option);
    return;
  }
  const auto [mark, of_preset] = context.spec.blame(option);
  if (of_preset) text += kFromPreset;
  const std::string full = option.empty() ? context.path : context.path + "." + option;
  if (severity == TENON_FINDING_WARNING) {
    context.diagnostics.warning(mark, full, text);
  } else if (severity == TENON_FINDING_NO_EFFECT) {
    context.diagnostics.error(mark, full, "has no effect: " + text + ". Leave it out");
  } else {
    context.diagnostics.error(mark, full, text);
  }
}

}  // namespace

void run_life_check(Spec& spec, const std::string& path, uint32_t threads, Diagnostics& diagnostics) {
  const tenon_life* life = spec.component->life;
  if (!TENON_FN(life, tenon_life, check)) return;
  OptionReader reader(spec);
  const tenon_host host = make_table(reader, path, threads);
  FindingContext context{spec, path, diagnostics};
  tenon_diag diag{};
  diag.struct_size = sizeof diag;
  diag.ctx = &context;
  diag.at = report_finding;

  size_t errors_before = diagnostics.error_reports();
  const Doing doing("the check of " + path);
  int32_t code = life->check(&host, &diag);
  if (code < 0 && diagnostics.error_reports() == errors_before)
    diagnostics.error(spec.mark, path,
                      std::string("the check of ") + spec.component->id + " failed with code " +
                          std::to_string(code) + " and no text");
}

}  // namespace tenon::host
