// The host's services as a C++ class. Every plugin object is constructed from one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "tenon/error.hpp"

namespace tenon {

// The body of a parallel region, from whose pieces no exception escapes: `run` is given to an executor with a pointer to this as its argument.
template <class Body>
struct GuardedBody {
  Body& body;
  std::atomic<bool> failed{false};
  std::exception_ptr error = nullptr;

  static void run(void* arg, uint64_t begin, uint64_t end) noexcept {
    auto& self = *static_cast<GuardedBody*>(arg);
    try {
      self.body(begin, end);
    } catch (...) {
      if (!self.failed.exchange(true)) self.error = std::current_exception();
    }
  }
  // After the region has ended.
  void rethrow() const {
    if (error) std::rethrow_exception(error);
  }
};

// A view of the host's table; copy it freely. Lives from the object's construction to the end of its destruction. All calls: any thread.
class Host {
 public:
  explicit Host(const tenon_host* host) : host_(host) {}
  const tenon_host* raw() const { return host_; }
  std::string_view instance() const { return host_->instance; }
  uint64_t seed() const { return host_->seed; }
  uint32_t threads() const { return host_->threads; }

  // Options by path ("schedule.steps", "rewards.0.weight"). Throw if the option is absent and has no default.
  int64_t i64(const char* path) const { return get<int64_t>(path, host_->get_i64); }
  double f64(const char* path) const { return get<double>(path, host_->get_f64); }
  bool boolean(const char* path) const { return get<int32_t>(path, host_->get_bool) != 0; }
  std::string str(const char* path) const { return std::string(view(get<tenon_str>(path, host_->get_str))); }
  std::string json(const char* path) const { return std::string(view(get<tenon_str>(path, host_->get_json))); }
  // The same for options that may be absent.
  std::optional<int64_t> i64_if(const char* path) const { return get_if<int64_t>(path, host_->get_i64); }
  std::optional<double> f64_if(const char* path) const { return get_if<double>(path, host_->get_f64); }
  std::optional<std::string> str_if(const char* path) const {
    auto s = get_if<tenon_str>(path, host_->get_str);
    return s ? std::optional<std::string>(view(*s)) : std::nullopt;
  }
  // The elements of a list of strings; empty if it is absent.
  std::vector<std::string> strs(const char* path) const {
    std::vector<std::string> out(count(path));
    for (size_t i = 0; i < out.size(); ++i) out[i] = str((std::string(path) + "." + std::to_string(i)).c_str());
    return out;
  }
  // Elements of a list option; 0 if it is absent.
  uint64_t count(const char* slot) const {
    uint64_t n = 0;
    int32_t rc = host_->slot_count(host_, slot, &n);
    if (rc < 0) throw Error(rc, std::string("option ") + slot + ": not a list");
    return n;
  }

  // The component behind a reference option, wrapped as Handle (tenon::Model, tenon::Dataset…); throws if there is none.
  template <class Handle>
  Handle get_component(const std::string& slot) const {
    tenon_ref ref{};
    ref.struct_size = sizeof ref;
    ErrorBuffer err;
    if (err.check(host_->lookup(host_, slot.c_str(), Handle::kKind, &ref, err)) == TENON_END)
      throw Error(TENON_E_INVALID, "slot " + slot + " is empty: give a " + Handle::kKind);
    return Handle(ref);
  }
  template <class Handle>
  std::optional<Handle> get_component_if(const std::string& slot) const {
    tenon_ref ref{};
    ref.struct_size = sizeof ref;
    ErrorBuffer err;
    if (err.check(host_->lookup(host_, slot.c_str(), Handle::kKind, &ref, err)) == TENON_END) return std::nullopt;
    return Handle(ref);
  }

  // The extension `id` of the component in a slot, as a table of type Table with the instance to call it on; throws if the component has none.
  template <class Table>
  std::pair<const Table*, void*> get_extension(const std::string& slot, const char* kind, const char* id) const {
    tenon_ref ref{};
    ref.struct_size = sizeof ref;
    ErrorBuffer err;
    if (err.check(host_->lookup(host_, slot.c_str(), kind, &ref, err)) == TENON_END) throw Error(TENON_E_INVALID, "slot " + slot + " is empty: give a " + kind);
    const void* table = TENON_FN(ref.life, tenon_life, extension) ? ref.life->extension(ref.self, id) : nullptr;
    if (table == nullptr) throw Error(TENON_E_UNSUPPORTED, std::string(kind) + " " + ref.id + " has no extension " + id);
    return {static_cast<const Table*>(table), ref.self};
  }

  void log(int32_t level, std::string_view text) const { host_->log(host_, level, text.data(), text.size()); }
  void info(std::string_view text) const { log(TENON_LOG_INFO, text); }
  void warn(std::string_view text) const { log(TENON_LOG_WARN, text); }
  void metric(const char* name, double value) const { host_->metric(host_, name, value); }
  void timing(const char* name, double seconds) const { host_->timing(host_, name, seconds); }
  void progress(double done, double total, const char* text) const { host_->progress(host_, done, total, text); }
  // Throws TENON_E_CANCELLED if the run is stopping.
  void throw_if_cancelled(const tenon_call* call) const {
    if (host_->cancelled(host_, call) != 0) throw Error(TENON_E_CANCELLED, "cancelled");
  }

  // Philox4x32-10: n numbers of stream `hi`, from block `lo` on, two a block.
  void rng(uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n) const { host_->rng(host_, key, hi, lo, out, n); }

  // body(begin, end) over [0, n) on the run's pool. The first exception of a piece is thrown here once all pieces have returned.
  template <class Body>
  void parallel_for(uint64_t n, uint64_t grain, Body&& body) const {
    GuardedBody<std::remove_reference_t<Body>> guarded{body};
    host_->parallel_for(host_, n, grain, guarded.run, &guarded);
    guarded.rethrow();
  }

 private:
  template <class T, class F>
  std::optional<T> get_if(const char* path, F f) const {
    T value{};
    int32_t rc = f(host_, path, &value);
    if (rc == TENON_END) return std::nullopt;
    if (rc < 0) throw Error(rc, std::string("option ") + path + ": not in the option table, or read as another type");
    return value;
  }
  template <class T, class F>
  T get(const char* path, F f) const {
    auto value = get_if<T>(path, f);
    if (!value) throw Error(TENON_E_INVALID, std::string("option ") + path + " is required");
    return *value;
  }

  const tenon_host* host_;
};

// Findings of a static `check(Host, Findings&)`: rules between options, reported at the option's place in the file.
class Findings {
 public:
  explicit Findings(const tenon_diag* diag) : diag_(diag) {}
  void error(const char* path, const std::string& text) { diag_->at(diag_->ctx, path, TENON_FINDING_ERROR, text.c_str()); }
  void warning(const char* path, const std::string& text) { diag_->at(diag_->ctx, path, TENON_FINDING_WARNING, text.c_str()); }
  // With the other options this one is not used, and why: an error if the configuration gives it.
  void no_effect(const char* path, const std::string& why) { diag_->at(diag_->ctx, path, TENON_FINDING_NO_EFFECT, why.c_str()); }

 private:
  const tenon_diag* diag_;
};

}  // namespace tenon
