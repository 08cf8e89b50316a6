// A stand-in for the host, for unit tests of plugins: option values, Philox, a parallel_for that really
// splits, recorded logs and metrics.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tenon/json.hpp"
#include "tenon/plugin.hpp"

namespace tenon::testing {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): one block of 128
// bits.
inline void philox(uint64_t key, uint64_t hi, uint64_t lo, uint64_t out[2]) {
  uint32_t c[4] = {static_cast<uint32_t>(lo), static_cast<uint32_t>(lo >> 32), static_cast<uint32_t>(hi),
                   static_cast<uint32_t>(hi >> 32)};
  uint32_t k[2] = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    uint32_t next[4] = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
                        static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9, k[1] += 0xBB67AE85;
  }
  out[0] = c[0] | uint64_t{c[1]} << 32;
  out[1] = c[2] | uint64_t{c[3]} << 32;
}

// The host's table for one component. `values` are options by path as JSON text ("7", "\"cosine\"", "[1,
// 2]"); the others have the defaults of the component's table. An option that is not in the table is an
// Error. It must outlive the instance. Of services for stages and components behind references it has none.
class TestHost {
 public:
  explicit TestHost(const tenon_component* component, std::map<std::string, std::string> values = {},
                    uint64_t seed = 7)
      : component_(component), values_(std::move(values)) {
    for (const auto& [path, value] : values_)
      if (find(path) == nullptr) throw Error(std::string(component->id) + " has no option " + path);
    table_.struct_size = sizeof table_;
    table_.abi_level = TENON_ABI_LEVEL;
    table_.ctx = this;
    table_.instance = "test";
    table_.host_version = "test";
    table_.seed = seed;
    table_.threads = 2;
    fill();
  }
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  const tenon_host* raw() const { return &table_; }

  std::vector<std::pair<int32_t, std::string>> logs;
  std::map<std::string, double> metrics;
  bool cancelled = false;

 private:
  static TestHost& self(const tenon_host* h) { return *static_cast<TestHost*>(h->ctx); }

  // The option that a path ("a.b", "list.0") leads to, or NULL.
  const tenon_option* find(const std::string& path) const {
    const tenon_option* const* table = component_->options;
    const tenon_option* at = nullptr;
    for (size_t begin = 0; begin <= path.size();) {
      size_t end = std::min(path.find('.', begin), path.size());
      std::string part = path.substr(begin, end - begin);
      begin = end + 1;
      if (at != nullptr && (at->flags & TENON_O_LIST) != 0 && !part.empty() &&
          part.find_first_not_of("0123456789") == std::string::npos)
        continue;
      at = nullptr;
      for (; table != nullptr && *table != nullptr; ++table)
        if (part == (*table)->name) break;
      if (table == nullptr || *table == nullptr) return nullptr;
      at = *table;
      table = at->children;
    }
    return at;
  }
  // The elements of a JSON list.
  static std::vector<std::string> elements(std::string_view list) {
    std::vector<std::string> out;
    json::detail::Scanner in{list};
    in.expect('[');
    while (in.peek() != ']') {
      if (!out.empty()) in.expect(',');
      in.space();
      size_t begin = in.i;
      in.skip();
      out.emplace_back(list.substr(begin, in.i - begin));
    }
    return out;
  }
  // The JSON text at a path, or nothing. Throws for an option that the table does not have.
  std::optional<std::string> value(const std::string& path) const {
    const tenon_option* option = find(path);
    if (option == nullptr) throw Error(std::string(component_->id) + " has no option " + path);
    if (auto it = values_.find(path); it != values_.end()) return it->second;
    size_t dot = path.rfind('.');
    if (dot != std::string::npos && path.find_first_not_of("0123456789", dot + 1) == std::string::npos) {
      auto list = value(path.substr(0, dot));
      auto items = list ? elements(*list) : std::vector<std::string>();
      size_t i = std::stoul(path.substr(dot + 1));
      return i < items.size() ? std::optional(items[i]) : std::nullopt;
    }
    return option->default_json != nullptr ? std::optional<std::string>(option->default_json) : std::nullopt;
  }
  template <class F>
  static int32_t read(const tenon_host* h, const char* path, F&& f) {
    return guard(nullptr, [&]() -> int32_t {
      auto text = self(h).value(path);
      if (!text) return TENON_END;
      return f(*text) ? TENON_OK : TENON_E_INVALID;
    });
  }
  template <class T, class Parse>
  static bool parse(const std::string& text, T* out, Parse f) {
    char* end = nullptr;
    *out = static_cast<T>(f(text.c_str(), &end));
    return !text.empty() && *end == '\0';
  }
  // "10s", "5m", "1h" with its quotes.
  static bool seconds(const std::string& quoted, double* out) {
    char* unit = nullptr;
    *out = std::strtod(quoted.c_str() + 1, &unit);
    *out *= *unit == 'h' ? 3600 : *unit == 'm' ? 60 : 1;
    return std::string_view("smh").find(*unit) != std::string_view::npos && unit[1] == '"';
  }
  int32_t keep(std::string text, tenon_str* out) {
    std::lock_guard lock(mutex_);
    strings_.push_back(std::move(text));
    *out = str(strings_.back());
    return TENON_OK;
  }

  void fill() {
    table_.log = [](const tenon_host* h, int32_t level, const char* msg, uint64_t n) {
      std::lock_guard lock(self(h).mutex_);
      self(h).logs.emplace_back(level, std::string(msg, n));
    };
    table_.metric = [](const tenon_host* h, const char* name, double v) {
      std::lock_guard lock(self(h).mutex_);
      self(h).metrics[name] = v;
    };
    table_.timing = [](const tenon_host*, const char*, double) {};
    table_.progress = [](const tenon_host*, double, double, const char*) {};
    table_.cancelled = [](const tenon_host* h, const tenon_call*) -> int32_t {
      return self(h).cancelled ? 1 : 0;
    };
    table_.get_i64 = [](const tenon_host* h, const char* path, int64_t* out) {
      return read(h, path, [&](const std::string& s) {
        return parse(s, out, [](const char* p, char** e) { return std::strtoll(p, e, 10); });
      });
    };
    table_.get_f64 = [](const tenon_host* h, const char* path, double* out) {
      return read(h, path, [&](const std::string& s) {
        if (s.starts_with('"')) return seconds(s, out);
        return parse(s, out, [](const char* p, char** e) { return std::strtod(p, e); });
      });
    };
    table_.get_bool = [](const tenon_host* h, const char* path, int32_t* out) {
      return read(h, path,
                  [&](const std::string& s) { return *out = s == "true", s == "true" || s == "false"; });
    };
    table_.get_str = [](const tenon_host* h, const char* path, tenon_str* out) {
      return read(h, path, [&](const std::string& s) {
        json::detail::Scanner in{s};
        return self(h).keep(s.starts_with('"') ? in.string() : s, out) == TENON_OK;
      });
    };
    table_.get_json = [](const tenon_host* h, const char* path, tenon_str* out) {
      return read(h, path, [&](const std::string& s) { return self(h).keep(s, out) == TENON_OK; });
    };
    table_.slot_count = [](const tenon_host* h, const char* slot, uint64_t* n) {
      *n = 0;
      int32_t rc = read(h, slot, [&](const std::string& s) { return *n = elements(s).size(), true; });
      return rc == TENON_END ? TENON_OK : rc;
    };
    table_.lookup = [](const tenon_host*, const char* slot, const char*, tenon_ref*, tenon_error* err) {
      return set_error(err, TENON_E_UNSUPPORTED, std::string("a TestHost has no component ") + slot);
    };
    table_.rng = [](const tenon_host*, uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n) {
      for (uint64_t i = 0; i < n; i += 2) {
        uint64_t block[2];
        philox(key, hi, lo + i / 2, block);
        std::copy(block, block + std::min<uint64_t>(2, n - i), out + i);
      }
    };
    // In pieces of `grain`, last piece first: a body whose result depends on the split or the order is
    // caught.
    table_.parallel_for = [](const tenon_host*, uint64_t n, uint64_t grain,
                             void (*fn)(void*, uint64_t, uint64_t), void* arg) {
      grain = std::max<uint64_t>(grain, 1);
      for (uint64_t piece = (n + grain - 1) / grain; piece-- > 0;)
        fn(arg, piece * grain, std::min(n, (piece + 1) * grain));
    };
    table_.extension = [](const tenon_host*, const char*) -> const void* { return nullptr; };
  }

  const tenon_component* component_;
  std::map<std::string, std::string> values_;
  tenon_host table_{};
  std::mutex mutex_;
  std::deque<std::string> strings_;
};

// The component `id` of a plugin (its first one if `id` is NULL).
inline const tenon_component* component_of(const tenon_plugin* plugin, const char* id = nullptr) {
  for (auto c = plugin->components; *c != nullptr; ++c)
    if (id == nullptr || std::string_view(id) == (*c)->id) return *c;
  throw Error(std::string("the plugin has no component ") + id);
}

// What `check` finds: "path: text" of every error, then of every warning with "warning: " before it.
inline std::vector<std::string> findings_of(const tenon_component* component,
                                            std::map<std::string, std::string> values) {
  TestHost host(component, std::move(values));
  std::vector<std::string> out;
  tenon_diag diag{sizeof diag, 0, &out, [](void* ctx, const char* path, int32_t severity, const char* msg) {
                    static_cast<std::vector<std::string>*>(ctx)->push_back(
                        (severity == 1 ? "warning: " : "") + std::string(path) + ": " + msg);
                  }};
  if (TENON_FN(component->life, tenon_life, check) && component->life->check(host.raw(), &diag) < 0)
    out.push_back("check failed");
  return out;
}

// An instance of a component on a TestHost; what fails throws Error. Vt is its kind's vtable.
template <class Vt>
class Instance {
 public:
  explicit Instance(const tenon_component* component, std::map<std::string, std::string> values = {},
                    uint64_t seed = 7)
      : host(component, std::move(values), seed),
        vt(static_cast<const Vt*>(component->vt)),
        component_(component) {
    ErrorBuffer err;
    err.check(component->life->create(host.raw(), &self, err));
  }
  ~Instance() { component_->life->destroy(self); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const tenon_component* component() const { return component_; }
  tenon_ref ref() const { return {sizeof(tenon_ref), 0, self, vt, component_->id, "test", component_->life}; }
  std::string save() const {
    std::string bytes;
    tenon_writer w{sizeof w, 0, &bytes, [](void* ctx, const void* p, uint64_t n) -> int32_t {
                     static_cast<std::string*>(ctx)->append(static_cast<const char*>(p), n);
                     return TENON_OK;
                   }};
    ErrorBuffer err;
    err.check(component_->life->save(self, &w, err));
    return bytes;
  }
  void load(std::string_view bytes) {
    tenon_reader r{sizeof r, 0, &bytes, [](void* ctx, void* p, uint64_t n) -> int64_t {
                     auto* rest = static_cast<std::string_view*>(ctx);
                     n = std::min<uint64_t>(n, rest->size());
                     std::memcpy(p, rest->data(), n);
                     rest->remove_prefix(n);
                     return static_cast<int64_t>(n);
                   }};
    ErrorBuffer err;
    err.check(component_->life->load(self, &r, component_->state_version, err));
  }

  TestHost host;
  const Vt* vt;
  void* self = nullptr;

 private:
  const tenon_component* component_;
};

}  // namespace tenon::testing
