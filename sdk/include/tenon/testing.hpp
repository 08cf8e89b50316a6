// A stand-in for the host, for unit tests of plugins: option values, components behind references, Philox, a
// parallel_for that really splits, loss weights, recorded logs, metrics and timings.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tenon/json.hpp"
#include "tenon/philox.h"
#include "tenon/plugin.hpp"

namespace tenon::testing {

// The host's table for one component. `values` are options by path as JSON text ("7", "\"cosine\"", "[1,
// 2]"); the others have the defaults of the component's table. An option that is not in the table is an
// Error; without a component every option is known and none has a default. Ranges are not checked. It must
// outlive the instance. Of services for stages it has loss_weights alone.
class TestHost {
 public:
  explicit TestHost(const tenon_component* component, std::map<std::string, std::string> values = {},
                    uint64_t seed = 7)
      : component_(component), values_(std::move(values)) {
    for (const auto& entry : values_) find(entry.first);
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
  Host host() const { return Host(&table_); }

  // Fills slot `name` ("model", "rewards/0", "model.tokenizer"); the caller keeps the component alive.
  void slot(const std::string& name, const tenon_ref& ref) { slots_[name] = ref; }
  // As `lookup`; throws if the slot is empty.
  tenon_ref at(const std::string& name) const {
    auto found = slots_.find(name);
    if (found == slots_.end()) throw Error("the test did not fill slot " + name);
    return found->second;
  }
  // Whether the option is among `values`, and not just a default.
  bool gives(const std::string& path) const { return given(path).has_value(); }

  std::vector<std::pair<int32_t, std::string>> logs;  // level, text
  std::map<std::string, double> metrics, timings;
  std::function<bool()> cancelled = [] { return false; };

 protected:
  static TestHost& self(const tenon_host* h) { return *static_cast<TestHost*>(h->ctx); }

  tenon_host table_{};

 private:
  static bool is_index(std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  }
  // The option that a path ("a.b", "list.0") leads to. Throws if there is none.
  const tenon_option* find(const std::string& path) const {
    if (component_ == nullptr) return nullptr;
    const tenon_option* const* table = component_->options;
    const tenon_option* at = nullptr;
    for (size_t begin = 0; begin <= path.size();) {
      size_t end = std::min(path.find('.', begin), path.size());
      std::string_view part(path.data() + begin, end - begin);
      begin = end + 1;
      if (at != nullptr && (at->flags & TENON_O_LIST) != 0 && is_index(part)) continue;
      for (; table != nullptr && *table != nullptr; ++table)
        if (part == (*table)->name) break;
      if (table == nullptr || *table == nullptr)
        throw Error(std::string(component_->id) + " has no option " + path);
      at = *table;
      table = at->children;
    }
    return at;
  }
  // The JSON text that the test gave for a path, itself or inside of what it is a part of.
  std::optional<std::string> given(const std::string& path) const {
    if (auto found = values_.find(path); found != values_.end()) return found->second;
    size_t dot = path.rfind('.');
    if (dot == std::string::npos) return std::nullopt;
    std::string part = path.substr(dot + 1);
    auto around = given(path.substr(0, dot));
    if (!around) return std::nullopt;
    if (is_index(part)) return element(*around, std::stoul(part));
    auto field = around->starts_with('{') ? json::raw_field(*around, part) : std::nullopt;
    return field ? std::optional<std::string>(*field) : std::nullopt;
  }
  static std::optional<std::string> element(const std::string& list, size_t i) {
    auto items = json::elements(list);
    return i < items.size() ? std::optional<std::string>(items[i]) : std::nullopt;
  }
  // What is given, or the default; nothing: absent. Throws for an option that the table does not have.
  std::optional<std::string> value(const std::string& path) const {
    const tenon_option* option = find(path);
    if (auto text = given(path)) return text;
    if (option == nullptr || option->default_json == nullptr) return std::nullopt;
    size_t dot = path.rfind('.');
    if (dot != std::string::npos && is_index(std::string_view(path).substr(dot + 1)))
      return gives(path.substr(0, dot)) ? std::nullopt
                                        : element(option->default_json, std::stoul(path.substr(dot + 1)));
    return option->default_json;
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
  // "64MiB" with its quotes.
  static bool bytes(const std::string& quoted, int64_t* out) {
    char* unit = nullptr;
    *out = std::strtoll(quoted.c_str() + 1, &unit, 10);
    const std::string_view name(unit, static_cast<size_t>(quoted.c_str() + quoted.size() - unit));
    constexpr std::string_view kUnits[] = {"B\"", "KiB\"", "MiB\"", "GiB\""};
    for (const std::string_view known : kUnits) {
      if (name == known) return true;
      *out *= 1024;
    }
    return false;
  }
  bool keep(std::string text, tenon_str* out) {
    std::lock_guard lock(mutex_);
    strings_.push_back(std::move(text));
    *out = str(strings_.back());
    return true;
  }

  // The naive reference of what the host computes: over valid sequences and their masked tokens.
  static void loss_weights(const tenon_algorithm_info& info, uint64_t n_seq, const uint64_t* offsets,
                           const uint8_t* mask, const uint8_t* valid, double* weight) {
    double sequences = 0, tokens = 0;
    auto scored = [&](uint64_t i) {
      return static_cast<double>(
          std::count_if(mask + offsets[i], mask + offsets[i + 1], [](uint8_t m) { return m != 0; }));
    };
    auto counts = [&](uint64_t i) { return valid == nullptr || valid[i] != 0; };
    for (uint64_t i = 0; i < n_seq; ++i)
      if (counts(i)) sequences += 1, tokens += scored(i);
    for (uint64_t i = 0; i < n_seq; ++i) {
      double of = info.aggregation == TENON_TOKEN_MEAN      ? tokens
                  : info.aggregation == TENON_SEQUENCE_MEAN ? sequences * scored(i)
                                                            : sequences * info.constant;
      for (uint64_t t = offsets[i]; t < offsets[i + 1]; ++t)
        weight[t] = counts(i) && mask[t] != 0 ? 1 / of : 0;
    }
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
    table_.timing = [](const tenon_host* h, const char* name, double v) {
      std::lock_guard lock(self(h).mutex_);
      self(h).timings[name] += v;
    };
    table_.progress = [](const tenon_host*, double, double, const char*) {};
    table_.cancelled = [](const tenon_host* h, const tenon_call*) -> int32_t {
      return self(h).cancelled() ? 1 : 0;
    };
    table_.get_i64 = [](const tenon_host* h, const char* path, int64_t* out) {
      return read(h, path, [&](const std::string& s) {
        if (s.starts_with('"')) return bytes(s, out);
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
        return s.starts_with('"') && self(h).keep(json::detail::Scanner{s}.string(), out);
      });
    };
    table_.get_json = [](const tenon_host* h, const char* path, tenon_str* out) {
      return read(h, path, [&](const std::string& s) { return self(h).keep(s, out); });
    };
    // Slots that the test filled without writing the option count, too.
    table_.slot_count = [](const tenon_host* h, const char* slot, uint64_t* n) {
      *n = 0;
      int32_t rc = read(h, slot, [&](const std::string& s) { return *n = json::elements(s).size(), true; });
      while (self(h).slots_.contains(std::string(slot) + "/" + std::to_string(*n))) ++*n;
      return rc == TENON_END ? TENON_OK : rc;
    };
    table_.lookup = [](const tenon_host* h, const char* slot, const char*, tenon_ref* out,
                       tenon_error*) -> int32_t {
      auto found = self(h).slots_.find(slot);
      if (found == self(h).slots_.end()) return TENON_END;
      *out = found->second;
      return TENON_OK;
    };
    table_.rng = [](const tenon_host*, uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n) {
      tenon_philox(key, hi, lo, out, n);
    };
    // In pieces of `grain`, last piece first: a body whose result depends on the split or the order is
    // caught.
    table_.parallel_for = [](const tenon_host*, uint64_t n, uint64_t grain,
                             void (*fn)(void*, uint64_t, uint64_t), void* arg) {
      grain = std::max<uint64_t>(grain, 1);
      for (uint64_t piece = (n + grain - 1) / grain; piece-- > 0;)
        fn(arg, piece * grain, std::min(n, (piece + 1) * grain));
    };
    table_.loss_weights = [](const tenon_host*, const tenon_algorithm_info* info, uint64_t n_seq,
                             const uint64_t* offsets, const uint8_t* mask, const uint8_t* valid,
                             double* weight, tenon_error* err) {
      return guard(err, [&] { loss_weights(*info, n_seq, offsets, mask, valid, weight); });
    };
    table_.extension = [](const tenon_host*, const char*) -> const void* { return nullptr; };
  }

  const tenon_component* component_;
  std::map<std::string, std::string> values_;
  std::map<std::string, tenon_ref> slots_;
  std::mutex mutex_;
  std::deque<std::string> strings_;
};

// The component `id` of a plugin (its first one if `id` is NULL).
inline const tenon_component* component_of(const tenon_plugin* plugin, const char* id = nullptr) {
  for (auto c = plugin->components; *c != nullptr; ++c)
    if (id == nullptr || std::string_view(id) == (*c)->id) return *c;
  throw Error(std::string("the plugin has no component ") + id);
}

// What `check` finds wrong: "path: text" of every error, in order, with "warning: " before a warning. That an
// option has no effect is wrong only of one that is given.
inline std::vector<std::string> findings_of(const tenon_component* component, const TestHost& host) {
  struct Context {
    const TestHost& host;
    std::vector<std::string> out;
  } ctx{host, {}};
  tenon_diag diag{sizeof diag, 0, &ctx, [](void* c, const char* path, int32_t severity, const char* msg) {
                    auto& to = *static_cast<Context*>(c);
                    if (severity == TENON_FINDING_NO_EFFECT && !to.host.gives(path)) return;
                    to.out.push_back((severity == TENON_FINDING_WARNING ? "warning: " : "") +
                                     std::string(path) + ": " + msg);
                  }};
  if (TENON_FN(component->life, tenon_life, check) && component->life->check(host.raw(), &diag) < 0 &&
      ctx.out.empty())
    ctx.out.push_back("check failed");
  return std::move(ctx.out);
}
inline std::vector<std::string> findings_of(const tenon_component* component,
                                            std::map<std::string, std::string> values) {
  return findings_of(component, TestHost(component, std::move(values)));
}

// An instance of a component, on a host that outlives it; what fails throws Error.
class Created {
 public:
  Created(const tenon_component* component, const tenon_host* host) : component_(component) {
    ErrorBuffer err;
    err.check(component->life->create(host, &self, err));
  }
  ~Created() { component_->life->destroy(self); }
  Created(const Created&) = delete;
  Created& operator=(const Created&) = delete;

  const tenon_component* component() const { return component_; }
  tenon_ref ref(const char* name = "test") const {
    return {sizeof(tenon_ref), component_->flags, self, component_->vt, component_->id, name,
            component_->life};
  }
  // Empty if the component has no state.
  std::string save() const {
    std::string bytes;
    if (!TENON_FN(component_->life, tenon_life, save)) return bytes;
    tenon_writer w{sizeof w, 0, &bytes, [](void* ctx, const void* p, uint64_t n) -> int32_t {
                     static_cast<std::string*>(ctx)->append(static_cast<const char*>(p), n);
                     return TENON_OK;
                   }};
    ErrorBuffer err;
    err.check(component_->life->save(self, &w, err));
    return bytes;
  }
  void load(std::string_view bytes) const {
    if (!TENON_FN(component_->life, tenon_life, load)) return;
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

  void* self = nullptr;

 private:
  const tenon_component* component_;
};

namespace detail {
struct OwnHost {
  TestHost host;
};
}  // namespace detail

// An instance with a TestHost of its own. Vt is its kind's vtable.
template <class Vt>
class Instance : private detail::OwnHost, public Created {
 public:
  explicit Instance(const tenon_component* component, std::map<std::string, std::string> values = {},
                    uint64_t seed = 7)
      : OwnHost{TestHost(component, std::move(values), seed)},
        Created(component, OwnHost::host.raw()),
        vt(static_cast<const Vt*>(component->vt)) {}

  using OwnHost::host;
  const Vt* const vt;
};

// What a reward says of one completion.
struct Verdict {
  double reward = std::numeric_limits<double>::quiet_NaN();
  int32_t status = TENON_R_UNSET;  // TENON_R_…
  std::string why;
  std::map<std::string, double> notes;
};
// meta_json: of the row.
inline Verdict judge(const Created& reward, std::string_view completion, std::string_view meta_json = "{}") {
  Ragged<char> prompts, completions, meta;
  prompts.push(std::string_view());
  completions.push(completion);
  meta.push(meta_json);
  const uint64_t id = 0;
  Verdict v;
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = 1;
  in.sample_id = in.group_id = &id;
  in.prompt = prompts.raw(), in.completion = completions.raw(), in.meta_json = meta.raw();
  tenon_reward_out out{
      sizeof out,
      0,
      &v.reward,
      &v.status,
      nullptr,
      &v,
      [](void* ctx, uint64_t, const char* s, uint64_t n) { static_cast<Verdict*>(ctx)->why.assign(s, n); },
      [](void* ctx, uint64_t, const char* key, double x) { static_cast<Verdict*>(ctx)->notes[key] = x; },
      nullptr};
  ErrorBuffer err;
  err.check(
      static_cast<const tenon_reward_vt*>(reward.ref().vt)->score(reward.self, nullptr, &in, &out, err));
  return v;
}

}  // namespace tenon::testing
