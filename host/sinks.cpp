// The sinks of a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/sinks.h"

#include "host/run_error.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

const tenon_sink_vt* table(const Instance& sink) {
  return static_cast<const tenon_sink_vt*>(sink.spec().component->vt);
}

// Calls f(sink, vt, err) of every sink.
template <class F>
void each(const std::vector<std::unique_ptr<Instance>>& sinks, F&& f) {
  for (const auto& sink : sinks) {
    ErrorBuffer err;
    try {
      err.check(f(*sink, table(*sink), err));
    } catch (const Error& e) {
      throw RunError(sink->title() + ": " + e.what());
    }
  }
}

}  // namespace

Sinks::Sinks(HostServices& services, const std::vector<Spec>& specs, std::string run) : run_(std::move(run)) {
  for (const Spec& spec : specs) {
    const std::string place = "sinks/" + std::to_string(sinks_.size());
    auto sink = std::make_unique<Instance>(services, spec, place, place);
    sink->create();
    sinks_.push_back(std::move(sink));
  }
}

void Sinks::record(const std::string& stage, uint64_t step, uint64_t total, double seconds,
                   const Values& metrics, const Values& timings) {
  std::vector<std::string> names;
  std::vector<double> values;
  for (const auto& [name, value] : metrics) names.push_back(name), values.push_back(value);
  for (const auto& [name, value] : timings) names.push_back("time/" + name), values.push_back(value);
  std::vector<const char*> pointers;
  for (const std::string& name : names) pointers.push_back(name.c_str());
  const tenon_record r{sizeof r,      0,      run_.c_str(),  stage.c_str(),
                       step,          total,  values.size(), pointers.data(),
                       values.data(), seconds};
  const tenon_call call{sizeof call, kDLCPU, 0, 0, step, 0, nullptr};
  each(sinks_, [&](Instance& sink, const tenon_sink_vt* vt, tenon_error* err) {
    return vt->record(sink.self(), &call, &r, err);
  });
}

void Sinks::event(int32_t event, const std::string& stage, const std::string& text) {
  const tenon_call call{sizeof call, kDLCPU, 0, 0, 0, 0, nullptr};
  each(sinks_, [&](Instance& sink, const tenon_sink_vt* vt, tenon_error* err) -> int32_t {
    return TENON_FN(vt, tenon_sink_vt, event)
               ? vt->event(sink.self(), &call, event, stage.c_str(), text.c_str(), err)
               : TENON_OK;
  });
}

void Sinks::progress(const std::string& stage, double done, double total, const std::string& text) {
  for (const auto& sink : sinks_)
    if (TENON_FN(table(*sink), tenon_sink_vt, progress))
      table(*sink)->progress(sink->self(), stage.c_str(), done, total, text.c_str());
}

}  // namespace tenon::host
