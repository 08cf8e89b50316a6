// Descriptors: from a C++ class to a tenon_component, and from components to the one exported function.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "tenon/host.hpp"
#include "tenon/options.hpp"
#include "tenon/state.hpp"

#define TENON_SDK_VERSION "c++ 0.1.0"

namespace tenon {

namespace detail {
// The hosts of this plugin's instances, for what must be said where there is no tenon_error. Any thread.
class Instances {
 public:
  static void add(const void* self, const tenon_host* host) {
    std::lock_guard lock(all().mutex);
    all().hosts[self] = host;
  }
  static void remove(const void* self) {
    std::lock_guard lock(all().mutex);
    all().hosts.erase(self);
  }
  // Into the log of the run; of an instance that Life has not made, to the standard error.
  static void log_error(const void* self, const std::string& text) {
    std::lock_guard lock(all().mutex);
    auto found = all().hosts.find(self);
    if (found != all().hosts.end()) return Host(found->second).log(TENON_LOG_ERROR, text);
    std::fprintf(stderr, "%s\n", text.c_str());
  }

 private:
  static Instances& all() {
    static Instances instances;
    return instances;
  }
  std::mutex mutex;
  std::map<const void*, const tenon_host*> hosts;
};
}  // namespace detail

// As guard, for tenon_life.check: what `body` throws becomes a finding.
template <class Body>
int32_t guard_check(const tenon_diag* diag, Body&& body) noexcept {
  Findings findings(diag);
  ErrorBuffer err;
  int32_t code = guard(err, [&] { body(findings); });
  if (code < 0) guard(nullptr, [&] { findings.error("", err.text()); });
  return code;
}

// As guard, for functions that can report nothing: what `body` throws goes into the log, and the answer stays what it was before. False: it threw.
template <class Body>
bool guard_logged(const void* self, const char* function, Body&& body) noexcept {
  ErrorBuffer err;
  if (guard(err, std::forward<Body>(body)) >= 0) return true;
  guard(nullptr, [&] { detail::Instances::log_error(self, std::string(function) + ": " + err.text()); });
  return false;
}

// As guard_logged, where no answer would be honest: ends the process, after saying why to log and standard error.
template <class Body>
void guard_or_abort(const void* self, const char* function, Body&& body) noexcept {
  if (guard_logged(self, function, std::forward<Body>(body))) return;
  std::fprintf(stderr, "tenon: %s threw an exception (see the log), and its answer can report no error; a plugin's %s must not throw\n", function,
               function);
  std::abort();
}

// The life of a class T that is constructed from a Host. T may further have, each optional:
//   static constexpr uint32_t kFlags          TENON_C_…; default deterministic | batch invariant
//   static constexpr uint32_t kStateVersion   default 1
//   static constexpr const char* kDoc         what differs from the paper; printed by `tenon describe`
//   static void check(Host, Findings&)        rules between options; opens nothing
//   void save(Writer&) const; void load(Reader&, uint32_t version)
//   const void* extension(std::string_view id)
//   static constexpr Presets kPresets{preset(…), …}   published variants
template <class T>
struct Life {
  static int32_t create(const tenon_host* host, void** self, tenon_error* err) {
    return guard(err, [&] {
      auto made = std::make_unique<T>(Host(host));
      detail::Instances::add(made.get(), host);
      *self = made.release();
    });
  }
  static void destroy(void* self) {
    detail::Instances::remove(self);
    delete static_cast<T*>(self);
  }
  static int32_t check(const tenon_host* host, const tenon_diag* diag) {
    return guard_check(diag, [&]([[maybe_unused]] Findings& findings) {
      if constexpr (requires(Findings f) { T::check(Host(host), f); }) T::check(Host(host), findings);
    });
  }
  static int32_t save(void* self, const tenon_writer* out, tenon_error* err) {
    return guard(err, [&] {
      Writer w(out);
      if constexpr (kHasState) static_cast<const T*>(self)->save(w);
    });
  }
  static int32_t load(void* self, const tenon_reader* in, uint32_t version, tenon_error* err) {
    return guard(err, [&] {
      Reader r(in);
      if constexpr (kHasState) static_cast<T*>(self)->load(r, version);
    });
  }
  static const void* extension(void* self, const char* id) {
    const void* table = nullptr;
    if constexpr (requires(T& t) { t.extension(std::string_view()); })
      guard_logged(self, "extension", [&] { table = static_cast<T*>(self)->extension(id); });
    return table;
  }

  static constexpr bool kHasState = requires(T& t, const T& c, Writer w, Reader r) {
    c.save(w);
    t.load(r, 1u);
  };
  static constexpr uint32_t flags() {
    uint32_t flags = TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT;
    if constexpr (requires { T::kFlags; }) flags = T::kFlags;
    return kHasState ? flags : flags | TENON_C_STATELESS;
  }
  static constexpr uint32_t state_version() {
    if constexpr (requires { T::kStateVersion; }) return T::kStateVersion;
    return 1;
  }
  static constexpr const char* doc() {
    if constexpr (requires { T::kDoc; }) return T::kDoc;
    return "";
  }
  static constexpr const tenon_preset* const* presets() {
    if constexpr (requires { T::kPresets; }) return T::kPresets;
    return nullptr;
  }
  static constexpr tenon_life kTable{sizeof(tenon_life), 0, create, destroy, check, kHasState ? save : nullptr, kHasState ? load : nullptr, extension};
};

// The component of class T with the vtable of Shim (RewardShim<T>, …).
template <class T, class Shim>
constexpr tenon_component component(const char* id, const char* version, const char* summary, const tenon_option* const* options) {
  return {sizeof(tenon_component), Life<T>::flags(), Shim::kKind,        id, version, summary, Life<T>::doc(), options, &Life<T>::kTable,
          &Shim::kTable,           Life<T>::state_version(), 0,  Life<T>::presets()};
}

}  // namespace tenon

// Who made the plugin, each a string literal: defined before this header is included, or by the build (VENDOR, LICENSE, URL of tenon_add_plugin).
#ifndef TENON_PLUGIN_VENDOR
#define TENON_PLUGIN_VENDOR ""
#endif
#ifndef TENON_PLUGIN_LICENSE
#define TENON_PLUGIN_LICENSE ""
#endif
#ifndef TENON_PLUGIN_URL
#define TENON_PLUGIN_URL ""
#endif

// Exports a plugin made of the given components (pointers to static tenon_component), with no further runtime.
#define TENON_PLUGIN(id, version, ...) TENON_PLUGIN_WITH_RUNTIME(id, version, nullptr, __VA_ARGS__)
#define TENON_PLUGIN_WITH_RUNTIME(id, version, runtime, ...)                                                                          \
  extern "C" TENON_EXPORT const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*) {                                         \
    static constexpr const tenon_component* components[] = {__VA_ARGS__, nullptr};                                                    \
    static constexpr tenon_plugin plugin{sizeof(tenon_plugin),                                                                        \
                                         TENON_ABI_LEVEL,                                                                             \
                                         TENON_ABI_MIN_OF_WRAPPERS,                                                                   \
                                         TENON_ABI_DRAFT,                                                                             \
                                         id,                                                                                          \
                                         version,                                                                                     \
                                         TENON_PLUGIN_VENDOR,                                                                         \
                                         TENON_PLUGIN_LICENSE,                                                                        \
                                         TENON_PLUGIN_URL,                                                                            \
                                         TENON_SDK_VERSION,                                                                           \
                                         runtime,                                                                                     \
                                         components};                                                                                 \
    return &plugin;                                                                                                                   \
  }

// A plugin of one component: class, shim, id, version, summary, options….
#define TENON_SINGLE_PLUGIN(Type, Shim, id, version, summary, ...)                                                                    \
  namespace {                                                                                                                         \
  constexpr tenon::OptionTable tenon_options_{__VA_ARGS__};                                                                           \
  constexpr tenon_component tenon_component_ = tenon::component<Type, tenon::Shim<Type>>(id, version, summary, tenon_options_);       \
  }                                                                                                                                   \
  TENON_PLUGIN(id, version, &tenon_component_)
