// The tables of a host and of a stage's io, over plain containers.
// SPDX-License-Identifier: Apache-2.0
#include "support/fake_host.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*) __attribute__((weak));

namespace tenon::test {

void philox(uint64_t key, uint64_t hi, uint64_t lo, uint64_t out[2]) {
  auto low = [](uint64_t v) { return static_cast<uint32_t>(v); };
  auto high = [](uint64_t v) { return static_cast<uint32_t>(v >> 32); };
  uint32_t c[4] = {low(lo), high(lo), low(hi), high(hi)};
  uint32_t k[2] = {low(key), high(key)};
  for (int round = 0; round < 10; ++round, k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u) {
    uint64_t a = uint64_t{0xD2511F53u} * c[0], b = uint64_t{0xCD9E8D57u} * c[2];
    uint32_t next[4] = {high(b) ^ c[1] ^ k[0], low(b), high(a) ^ c[3] ^ k[1], low(a)};
    for (int i = 0; i < 4; ++i) c[i] = next[i];
  }
  out[0] = uint64_t{c[1]} << 32 | c[0];
  out[1] = uint64_t{c[3]} << 32 | c[2];
}

tenon_call cpu_call(uint64_t step) {
  return {sizeof(tenon_call), kDLCPU, 0, 0, step, 0, nullptr};
}

const tenon_component& plugin_component() {
  if (tenon_plugin_query_v1 == nullptr) throw std::logic_error("no plugin is linked into this test");
  tenon_host_info info{sizeof info, TENON_ABI_LEVEL, TENON_ABI_DRAFT, 0, "test", "0"};
  const tenon_plugin* plugin = tenon_plugin_query_v1(&info);
  if (plugin->components[0] == nullptr || plugin->components[1] != nullptr)
    throw std::logic_error("the plugin has not just one component");
  return *plugin->components[0];
}

namespace {

boost::json::object parse_options(std::string_view text) {
  return boost::json::parse({text.data(), text.size()}).as_object();
}

void fill_defaults(boost::json::object& options, const tenon_option* const* table, const std::string& where);

// An element of an option with children gets its defaults; a reference written as a bare name becomes an object.
void fill_children(boost::json::value& value, const tenon_option& option, const std::string& where) {
  if (option.children == nullptr) return;
  if (!value.is_object()) value = boost::json::object{{"of", value}};
  if (option.type != TENON_T_REF) {
    fill_defaults(value.as_object(), option.children, where);
    return;
  }
  for (const auto* child = option.children; *child != nullptr; ++child)
    if ((*child)->default_json != nullptr && !value.as_object().contains((*child)->name))
      value.as_object()[(*child)->name] = boost::json::parse((*child)->default_json);
}

void fill_defaults(boost::json::object& options, const tenon_option* const* table, const std::string& where) {
  for (const auto& [key, value] : options) {
    bool known = false;
    for (const auto* o = table; *o != nullptr; ++o) known = known || key == (*o)->name;
    if (!known) throw std::logic_error("no option " + where + std::string(key));
  }
  for (const auto* o = table; *o != nullptr; ++o) {
    const tenon_option& option = **o;
    std::string path = where + option.name;
    if (!options.contains(option.name)) {
      if (option.default_json != nullptr) {
        options[option.name] = boost::json::parse(option.default_json);
      } else if (option.type == TENON_T_OBJECT && (option.flags & TENON_O_LIST) == 0) {
        options[option.name] = boost::json::object();
      } else if ((option.flags & TENON_O_REQUIRED) != 0 && option.type != TENON_T_REF) {
        throw std::logic_error("option " + path + " is required");
      } else {
        continue;
      }
    }
    boost::json::value& value = options[option.name];
    if ((option.flags & TENON_O_LIST) == 0) {
      fill_children(value, option, path + ".");
    } else {
      if (!value.is_array()) value = boost::json::array{value};
      for (auto& element : value.as_array()) fill_children(element, option, path + ".");
    }
  }
}

double aggregate_weight(const tenon_algorithm_info& info, uint64_t sequences, uint64_t tokens,
                        uint64_t mine) {
  switch (info.aggregation) {
    case TENON_TOKEN_MEAN:
      return 1.0 / static_cast<double>(tokens);
    case TENON_SEQUENCE_MEAN:
      return 1.0 / (static_cast<double>(sequences) * static_cast<double>(mine));
    case TENON_CONSTANT_LENGTH:
      return 1.0 / (static_cast<double>(sequences) * info.constant);
    default:
      throw Error(TENON_E_INVALID, "unknown aggregation " + std::to_string(info.aggregation));
  }
}

}  // namespace

// The functions behind the table.
struct Table {
  static FakeHost& of(const tenon_host* h) { return *static_cast<FakeHost*>(h->ctx); }

  template <class T, class Convert>
  static int32_t get(const tenon_host* h, const char* path, T* out, Convert&& convert) {
    return guard(nullptr, [&]() -> int32_t {
      const boost::json::value* v = of(h).find(path);
      if (v == nullptr) return TENON_END;
      ++of(h).read_[path];
      return convert(*v, *out) ? TENON_OK : TENON_E_INVALID;
    });
  }
  static int32_t get_i64(const tenon_host* h, const char* path, int64_t* out) {
    return get(h, path, out, [](const boost::json::value& v, int64_t& to) {
      if (v.is_int64()) return to = v.get_int64(), true;
      if (v.is_uint64()) return to = static_cast<int64_t>(v.get_uint64()), true;
      return false;
    });
  }
  static int32_t get_f64(const tenon_host* h, const char* path, double* out) {
    return get(h, path, out, [](const boost::json::value& v, double& to) {
      return v.is_number() ? (to = v.to_number<double>(), true) : false;
    });
  }
  static int32_t get_bool(const tenon_host* h, const char* path, int32_t* out) {
    return get(h, path, out, [](const boost::json::value& v, int32_t& to) {
      return v.is_bool() ? (to = v.get_bool(), true) : false;
    });
  }
  static int32_t get_str(const tenon_host* h, const char* path, tenon_str* out) {
    return get(h, path, out, [](const boost::json::value& v, tenon_str& to) {
      if (!v.is_string()) return false;
      to = {v.get_string().data(), v.get_string().size()};
      return true;
    });
  }
  static int32_t get_json(const tenon_host* h, const char* path, tenon_str* out) {
    return get(h, path, out, [h](const boost::json::value& v, tenon_str& to) {
      to = str(of(h).texts_.emplace_back(boost::json::serialize(v)));
      return true;
    });
  }
  static int32_t slot_count(const tenon_host* h, const char* slot, uint64_t* n) {
    return guard(nullptr, [&]() -> int32_t {
      const boost::json::value* v = of(h).find(slot);
      *n = 0;
      if (v != nullptr) {
        if (!v->is_array()) return TENON_E_INVALID;
        ++of(h).read_[slot];
        *n = v->get_array().size();
      }
      // Slots that the test filled without writing the option.
      while (of(h).slots_.count(std::string(slot) + "/" + std::to_string(*n)) != 0) ++*n;
      return TENON_OK;
    });
  }
  static int32_t lookup(const tenon_host* h, const char* slot, const char*, tenon_ref* out, tenon_error*) {
    auto at = of(h).slots_.find(slot);
    if (at == of(h).slots_.end()) return TENON_END;
    ++of(h).read_[slot];
    *out = at->second;
    return TENON_OK;
  }

  static void log(const tenon_host* h, int32_t level, const char* text, uint64_t n) {
    static const char* names[] = {"debug: ", "info: ", "warn: ", "error: "};
    of(h).logs.push_back(names[level] + std::string(text, n));
  }
  static void metric(const tenon_host* h, const char* name, double v) { of(h).metrics[name] = v; }
  static void timing(const tenon_host* h, const char* name, double v) { of(h).timings[name] += v; }
  static void progress(const tenon_host*, double, double, const char*) {}
  static int32_t cancelled(const tenon_host* h, const tenon_call*) { return of(h).cancelled() ? 1 : 0; }
  static void rng(const tenon_host*, uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n) {
    for (uint64_t i = 0; i < n; i += 2) {
      uint64_t block[2];
      philox(key, hi, lo + i / 2, block);
      out[i] = block[0];
      if (i + 1 < n) out[i + 1] = block[1];
    }
  }
  static void parallel_for(const tenon_host*, uint64_t n, uint64_t, void (*fn)(void*, uint64_t, uint64_t),
                           void* arg) {
    if (n > 0) fn(arg, 0, n);
  }

  static int32_t loss_weights(const tenon_host*, const tenon_algorithm_info* info, uint64_t n_seq,
                              const uint64_t* offsets, const uint8_t* mask, const uint8_t* valid,
                              double* weight, tenon_error* err) {
    return guard(err, [&] {
      uint64_t sequences = 0, tokens = 0;
      auto scored = [&](uint64_t i) {
        uint64_t n = 0;
        for (uint64_t t = offsets[i]; t < offsets[i + 1]; ++t) n += mask[t] != 0 ? 1 : 0;
        return n;
      };
      for (uint64_t i = 0; i < n_seq; ++i)
        if (valid == nullptr || valid[i] != 0) ++sequences, tokens += scored(i);
      for (uint64_t i = 0; i < n_seq; ++i) {
        bool counts = valid == nullptr || valid[i] != 0;
        double w = counts ? aggregate_weight(*info, sequences, tokens, scored(i)) : 0;
        for (uint64_t t = offsets[i]; t < offsets[i + 1]; ++t) weight[t] = mask[t] != 0 ? w : 0;
      }
    });
  }

  // Σ weight · reward over the terms that apply; a sample with another outcome than OK or NOT_APPLICABLE, or without any term, is not valid.
  static int32_t score(const tenon_host* h, const char* slot, const tenon_call* call,
                       const tenon_reward_in* in, tenon_scored* out, tenon_error* err) {
    return guard(err, [&] {
      std::vector<int> terms(in->n, 0);
      for (uint64_t i = 0; i < in->n; ++i) out->total[i] = 0, out->valid[i] = 1;
      uint64_t n = 0;
      slot_count(h, slot, &n);
      for (uint64_t r = 0; r < n; ++r) {
        std::string name = std::string(slot) + "/" + std::to_string(r);
        tenon_ref ref = of(h).at(name);
        double weight = 1;
        get_f64(h, (std::string(slot) + "." + std::to_string(r) + ".weight").c_str(), &weight);
        std::vector<double> reward(in->n, 0), sums;
        std::vector<int32_t> status(in->n, TENON_R_UNSET);
        struct Notes {
          std::map<std::string, std::pair<double, double>> of;
        } notes;
        tenon_reward_out o{sizeof o,
                           0,
                           reward.data(),
                           status.data(),
                           nullptr,
                           &notes,
                           nullptr,
                           [](void* c, uint64_t, const char* key, double v) {
                             auto& s = static_cast<Notes*>(c)->of[key];
                             s.first += v, s.second += 1;
                           }};
        ErrorBuffer inner;
        inner.check(static_cast<const tenon_reward_vt*>(ref.vt)->score(ref.self, call, in, &o, inner));
        for (const auto& [key, s] : notes.of)
          of(h).metrics["reward/" + std::string(ref.name) + "/" + key] = s.first / s.second;
        for (uint64_t i = 0; i < in->n; ++i) {
          if (r == 0 && out->first != nullptr)
            out->first[i] = status[i] == TENON_R_OK ? reward[i] : std::nan("");
          if (status[i] == TENON_R_OK) {
            out->total[i] += weight * reward[i];
            ++terms[i];
          } else if (status[i] != TENON_R_NOT_APPLICABLE) {
            out->valid[i] = 0;
          }
        }
      }
      for (uint64_t i = 0; i < in->n; ++i)
        if (terms[i] == 0) out->valid[i] = 0;
    });
  }

  static int32_t row_out(const tenon_host* h, const char* name, const tenon_row* row, tenon_error* err) {
    return guard(err, [&] { of(h).rows[name].push_back(Row::copy(*row)); });
  }
  static int32_t sample_out(const tenon_host* h, const char* json, uint64_t n, tenon_error* err) {
    return guard(err, [&] {
      boost::json::parse({json, n});
      of(h).samples.emplace_back(json, n);
    });
  }
  static int32_t artifact(const tenon_host* h, const char* name, const void* bytes, uint64_t n,
                          tenon_error* err) {
    return guard(err, [&] { of(h).artifacts[name].assign(static_cast<const char*>(bytes), n); });
  }
  static uint64_t sample_ids(const tenon_host* h, uint64_t n) { return (of(h).next_sample_id += n) - n; }
  static const void* extension(const tenon_host*, const char*) { return nullptr; }
};

FakeHost::FakeHost(std::string_view options) : options_(parse_options(options)) {
  host_ = {sizeof(tenon_host),
           TENON_ABI_LEVEL,
           this,
           "test/instance",
           "0",
           7,
           Table::log,
           Table::metric,
           Table::timing,
           Table::progress,
           Table::cancelled,
           Table::get_i64,
           Table::get_f64,
           Table::get_bool,
           Table::get_str,
           Table::get_json,
           Table::slot_count,
           Table::lookup,
           Table::rng,
           Table::parallel_for,
           1,
           0,
           Table::loss_weights,
           Table::score,
           Table::row_out,
           Table::sample_out,
           Table::artifact,
           Table::sample_ids,
           Table::extension};
}

FakeHost::FakeHost(const tenon_component& component, std::string_view options) : FakeHost(options) {
  fill_defaults(options_, component.options, "");
}

tenon_ref FakeHost::at(const std::string& name) const {
  auto it = slots_.find(name);
  if (it == slots_.end()) throw std::logic_error("slot " + name + " is empty");
  return it->second;
}

const boost::json::value* FakeHost::find(std::string_view path) const {
  const boost::json::value* at = nullptr;
  while (!path.empty()) {
    size_t cut = path.find_first_of("./");
    std::string key(path.substr(0, cut));
    path = cut == std::string_view::npos ? std::string_view() : path.substr(cut + 1);
    if (at != nullptr && at->is_array()) {
      size_t i = std::strtoull(key.c_str(), nullptr, 10);
      if (i >= at->get_array().size()) return nullptr;
      at = &at->get_array()[i];
    } else {
      const boost::json::object* object = at == nullptr ? &options_ : at->if_object();
      at = object == nullptr ? nullptr : object->if_contains(key);
    }
    if (at == nullptr || at->is_null()) return nullptr;
  }
  return at;
}

Instance::Instance(const tenon_component& component, const FakeHost& host) : component_(component) {
  ErrorBuffer err;
  err.check(component.life->create(host.raw(), &self_, err));
}
Instance::~Instance() {
  component_.life->destroy(self_);
}

tenon_ref Instance::ref(const char* name) const {
  return {sizeof(tenon_ref), component_.flags, self_, component_.vt, component_.id, name, component_.life};
}

std::string Instance::save() const {
  std::string state;
  if (component_.life->save == nullptr) return state;
  tenon_writer to{sizeof to, 0, &state, [](void* ctx, const void* p, uint64_t n) -> int32_t {
                    static_cast<std::string*>(ctx)->append(static_cast<const char*>(p), n);
                    return TENON_OK;
                  }};
  ErrorBuffer err;
  err.check(component_.life->save(self_, &to, err));
  return state;
}

void Instance::load(const std::string& state) const {
  if (component_.life->load == nullptr) return;
  std::string_view left = state;
  tenon_reader from{sizeof from, 0, &left, [](void* ctx, void* p, uint64_t n) -> int64_t {
                      auto& text = *static_cast<std::string_view*>(ctx);
                      n = std::min<uint64_t>(n, text.size());
                      std::memcpy(p, text.data(), n);
                      text.remove_prefix(n);
                      return static_cast<int64_t>(n);
                    }};
  ErrorBuffer err;
  err.check(component_.life->load(self_, &from, component_.state_version, err));
}

std::vector<std::string> check_findings(const tenon_component& component, const FakeHost& host) {
  std::vector<std::string> found;
  tenon_diag diag{sizeof diag, 0, &found, [](void* ctx, const char* path, int32_t, const char* msg) {
                    static_cast<std::vector<std::string>*>(ctx)->push_back(std::string(path) + ": " + msg);
                  }};
  if (component.life->check != nullptr && component.life->check(host.raw(), &diag) < 0)
    throw std::logic_error("check failed");
  return found;
}

FakeIo::FakeIo(FakeHost& host, std::string output) : folder(std::move(output)), host_(host) {
  io_.struct_size = sizeof io_;
  io_.ctx = this;
  io_.folder = folder.c_str();
  io_.begin = [](void* ctx, uint64_t total) { static_cast<FakeIo*>(ctx)->total_steps = total; };
  io_.step_end = [](void* ctx, uint64_t step, tenon_error* err) -> int32_t {
    return guard(err, [&] {
      auto& io = *static_cast<FakeIo*>(ctx);
      io.steps.push_back(
          {step, std::move(io.host_.metrics), std::move(io.host_.timings), std::move(io.host_.samples)});
      io.host_.metrics.clear(), io.host_.timings.clear(), io.host_.samples.clear();
      if (io.on_step) io.on_step(step);
      if (io.stop_after && step >= *io.stop_after) throw Error(TENON_E_CANCELLED, "stopped by the test");
    });
  };
  io_.bind = [](void* ctx, const char* optimizer_slot, const char* model_slot, uint64_t total,
                tenon_error* err) -> int32_t {
    return guard(err, [&] {
      const FakeHost& from = static_cast<FakeIo*>(ctx)->host_;
      tenon_ref optimizer = from.at(optimizer_slot), model = from.at(model_slot);
      const auto* vt = static_cast<const tenon_model_vt*>(model.vt);
      ErrorBuffer inner;
      std::vector<tenon_param> params(Model(model).info().n_tensors);
      std::vector<const tenon_param*> pointers;
      for (uint64_t i = 0; i < params.size(); ++i) {
        params[i].struct_size = sizeof(tenon_param);
        inner.check(vt->param(model.self, i, &params[i], inner));
        pointers.push_back(&params[i]);
      }
      inner.check(static_cast<const tenon_optimizer_vt*>(optimizer.vt)
                      ->bind(optimizer.self, pointers.data(), pointers.size(), total, inner));
    });
  };
  io_.result = [](void* ctx, const char* model, const char* benchmark, const char* metric, double value,
                  tenon_error* err) -> int32_t {
    return guard(err, [&] {
      static_cast<FakeIo*>(ctx)->results[std::string(model) + "/" + benchmark + "/" + metric] = value;
    });
  };
}

double FakeIo::Step::metric(const std::string& name) const {
  auto it = metrics.find(name);
  if (it == metrics.end())
    throw std::logic_error("metric " + name + " was not recorded in step " + std::to_string(step));
  return it->second;
}

void run_stage(const tenon_component& component, FakeHost& host, FakeIo& io) {
  Instance stage(component, host);
  tenon_call call = cpu_call();
  ErrorBuffer err;
  err.check(static_cast<const tenon_stage_vt*>(component.vt)->run(stage.self(), &call, io.raw(), err));
}

}  // namespace tenon::test
