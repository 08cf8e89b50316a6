// What stages ask of a host and of their io, over plain containers.
// SPDX-License-Identifier: Apache-2.0
#include "support/fake_host.h"

#include <algorithm>
#include <cmath>

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*) __attribute__((weak));

namespace tenon::test {

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

std::map<std::string, std::string> fields_of(std::string_view object) {
  std::map<std::string, std::string> out;
  json::each_field(object, [&](const std::string& name, std::string_view value) {
    out[name] = value;
    return true;
  });
  return out;
}

}  // namespace

// The functions behind the table.
struct Services {
  static FakeHost& of(const tenon_host* h) { return static_cast<FakeHost&>(FakeHost::self(h)); }

  // Σ weight · reward over the terms that apply; a sample with another outcome than OK or NOT_APPLICABLE, or without any term, is not valid.
  static int32_t score(const tenon_host* h, const char* slot, const tenon_call* call,
                       const tenon_reward_in* in, tenon_scored* out, tenon_error* err) {
    return guard(err, [&] {
      std::vector<int> terms(in->n, 0);
      for (uint64_t i = 0; i < in->n; ++i) out->total[i] = 0, out->valid[i] = 1;
      if (in->tokens.n == in->n && out->token_total != nullptr)
        std::fill_n(out->token_total, in->tokens.offsets[in->n], std::nan(""));
      const uint64_t n = of(h).host().count(slot);
      for (uint64_t r = 0; r < n; ++r) {
        std::string name = std::string(slot) + "/" + std::to_string(r);
        std::replace(name.begin(), name.end(), '.',
                     '/');  // "benchmarks.0.rewards" is in slot benchmarks/0/rewards
        tenon_ref ref = of(h).at(name);
        const std::string option = std::string(slot) + "." + std::to_string(r) + ".weight";
        const double weight = of(h).host().f64_if(option.c_str()).value_or(1);
        std::vector<double> reward(in->n, 0),
            earned(in->tokens.n == in->n ? in->tokens.offsets[in->n] : 0, std::nan(""));
        std::vector<int32_t> status(in->n, TENON_R_UNSET);
        struct Notes {
          std::map<std::string, std::pair<double, double>> of;
        } notes;
        tenon_reward_out o{sizeof o,
                           0,
                           reward.data(),
                           status.data(),
                           earned.data(),
                           &notes,
                           nullptr,
                           [](void* c, uint64_t, const char* key, double v) {
                             auto& s = static_cast<Notes*>(c)->of[key];
                             s.first += v, s.second += 1;
                           },
                           nullptr};
        ErrorBuffer inner;
        inner.check(static_cast<const tenon_reward_vt*>(ref.vt)->score(ref.self, call, in, &o, inner));
        for (const auto& [key, s] : notes.of)
          of(h).metrics["reward/" + std::string(ref.name) + "/" + key] = s.first / s.second;
        for (uint64_t i = 0; i < in->n; ++i) {
          if (r == 0 && out->first != nullptr)
            out->first[i] = status[i] == TENON_R_OK ? reward[i] : std::nan("");
          if (out->terms != nullptr)
            out->terms[r * in->n + i] = status[i] == TENON_R_OK ? reward[i] : std::nan("");
          if (status[i] == TENON_R_OK) {
            out->total[i] += weight * reward[i];
            ++terms[i];
            for (uint64_t t = 0; !earned.empty() && t < in->tokens.offsets[i + 1] - in->tokens.offsets[i];
                 ++t) {
              const double token = earned[in->tokens.offsets[i] + t];
              double& sum = out->token_total[in->tokens.offsets[i] + t];
              if (!std::isnan(token)) sum = (std::isnan(sum) ? 0 : sum) + weight * token;
            }
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
  static const void* extension(const tenon_host* h, const char* id) {
    static constexpr tenon_output_folder table{
        sizeof table, 0, [](const tenon_host* host) { return of(host).output_folder.c_str(); }};
    return !of(h).output_folder.empty() && std::string_view(id) == TENON_EXT_OUTPUT_FOLDER ? &table : nullptr;
  }
  static uint64_t sample_ids(const tenon_host* h, uint64_t n) { return (of(h).next_sample_id += n) - n; }
};

FakeHost::FakeHost(const tenon_component* component, std::string_view options)
    : TestHost(component, fields_of(options)) {
  table_.score = Services::score;
  table_.row_out = Services::row_out;
  table_.sample_out = Services::sample_out;
  table_.artifact = Services::artifact;
  table_.sample_ids = Services::sample_ids;
  table_.extension = Services::extension;
}
FakeHost::FakeHost(std::string_view options) : FakeHost(nullptr, options) {}
FakeHost::FakeHost(const tenon_component& component, std::string_view options)
    : FakeHost(&component, options) {}

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
      const std::string key = std::string(model) + "/" + benchmark + "/" + metric;
      if (!static_cast<FakeIo*>(ctx)->results.emplace(key, value).second)
        throw Error(TENON_E_INVALID, "the result " + key + " is there already");
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
