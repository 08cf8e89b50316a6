// Components of a plan that are made outside of a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/lone_components.h"

#include <spdlog/sinks/null_sink.h>

#include <map>

#include "host/diagnostics.h"

namespace tenon::host {

LoneComponents::LoneComponents(uint64_t seed, std::string stage, uint32_t threads,
                               std::shared_ptr<spdlog::logger> log, StageServices* running)
    : stage_(std::move(stage)), pool_(threads) {
  services_.seed = seed;
  services_.pool = &pool_;
  services_.log = log != nullptr ? std::move(log)
                                 : std::make_shared<spdlog::logger>(
                                       "tenon", std::make_shared<spdlog::sinks::null_sink_mt>());
  services_.stage = running;
}

LoneComponents::~LoneComponents() {
  while (!instances_.empty()) instances_.pop_back();
}

Instance& LoneComponents::create(const Spec& spec, const std::string& path) {
  std::map<std::string, Instance*> slots;
  for (const Slot& slot : spec.own_slots()) {
    if (slot.spec == nullptr)
      throw UserError(slot.mark, "slot " + slot.name + " of " + spec.name +
                                     " holds what a stage made, which is there only while a run lasts");
    slots[slot.name] = &create(*slot.spec, path + "." + slot.name);
  }
  const std::string place = stage_ + "/" + path;
  auto instance = std::make_unique<Instance>(services_, spec, place, place);
  for (const auto& [name, other] : slots) instance->put(name, other);
  instance->create();
  instances_.push_back(std::move(instance));
  return *instances_.back();
}

}  // namespace tenon::host
