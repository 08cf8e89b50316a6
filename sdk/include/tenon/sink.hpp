// Sinks: copies of what a run records.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/plugin.hpp"

namespace tenon {

// T: constructor T(Host); `void record(const tenon_record&)`; optional `void event(int32_t event, std::string_view stage, std::string_view text)` and
// `void progress(std::string_view stage, double done, double total, std::string_view text)` (any thread).
template <class T>
struct SinkShim {
  static constexpr const char* kKind = "sink";
  static int32_t record(void* self, const tenon_call*, const tenon_record* r, tenon_error* err) {
    return guard(err, [&] { static_cast<T*>(self)->record(*r); });
  }
  static int32_t event(void* self, const tenon_call*, int32_t event, const char* stage, const char* text, tenon_error* err) {
    return guard(err, [&] {
      if constexpr (requires(T& t) { t.event(0, std::string_view(), std::string_view()); }) static_cast<T*>(self)->event(event, stage, text);
    });
  }
  static void progress(void* self, const char* stage, double done, double total, const char* text) {
    guard_logged(self, "progress", [&] {
      if constexpr (requires(T& t) { t.progress(std::string_view(), 0.0, 0.0, std::string_view()); })
        static_cast<T*>(self)->progress(stage, done, total, text);
    });
  }
  static constexpr tenon_sink_vt kTable{sizeof(tenon_sink_vt), 0, record, event, progress};
};

}  // namespace tenon

#define TENON_SINK_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, SinkShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
