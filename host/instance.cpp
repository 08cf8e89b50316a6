// One component that has been created.
// SPDX-License-Identifier: Apache-2.0
#include "host/instance.h"

#include <algorithm>
#include <boost/json.hpp>

#include "host/diagnostics.h"
#include "host/isolated_reward.h"
#include "host/json_text.h"
#include "host/last_words.h"
#include "host/option_values.h"
#include "host/presets.h"
#include "host/services.h"
#include "host/sha256.h"
#include "host/step_values.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

// "rewards/0" to "rewards.0".
std::string dotted(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

// What a slot may be called besides the option's path.
bool is_reserved_slot(const std::string& slot) {
  return slot == "reference" || slot == "from";
}

}  // namespace

std::string place_text(const Mark& mark) {
  if (mark.file.empty()) return "";
  return mark.file + ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column) + ": ";
}

uint64_t instance_seed(uint64_t run_seed, const std::string& place) {
  return std::stoull(sha256_of("tenon seed " + std::to_string(run_seed) + " " + place).substr(0, 16), nullptr,
                     16);
}

Instance::Instance(HostServices& services, const Spec& spec, std::string place, const std::string& seed_place)
    : services_(services), spec_(spec), place_(std::move(place)) {
  table_ = make_host_table(this, place_.c_str(), instance_seed(services.seed, seed_place),
                           services.pool->threads());
}

Instance::~Instance() {
  optimizer_.reset();
  cursor_.reset();
  model_.reset();
  if (created_) spec_.component->life->destroy(self_);
}

std::string title_of(const Spec& spec) {
  const std::string id = spec.component->id;
  return std::string(spec.component->kind) + " " + spec.name + (spec.name == id ? "" : " (" + id + ")");
}

void Instance::create() {
  const Doing doing("creating " + title());
  ErrorBuffer err;
  try {
    if (spec_.isolated) {
      isolated_ = std::make_unique<IsolatedReward>(services_, spec_, place_);
      for (const std::string& path : isolated_->options_read()) mark_read(path);
      return;
    }
    err.check(spec_.component->life->create(&table_, &self_, err));
    created_ = true;
  } catch (const Error& e) {
    // Its text begins with the option, if it is about one ("file: …", "models/0.tokenizer: …").
    const std::string text = e.what();
    const auto [mark, of_preset] = spec_.blame(dotted(text.substr(0, text.find(':'))));
    throw UserError(mark, title() + ": " + text + (of_preset ? kFromPreset : ""));
  }
  if (kind() == "model")
    model_ =
        std::make_unique<ModelProxy>(self_, static_cast<const tenon_model_vt*>(spec_.component->vt), place_);
  if (kind() == "optimizer")
    optimizer_ =
        std::make_unique<OptimizerProxy>(self_, static_cast<const tenon_optimizer_vt*>(spec_.component->vt));
  if (kind() == "dataset") {
    cursor_ = std::make_unique<Cursor>(self_, static_cast<const tenon_dataset_vt*>(spec_.component->vt),
                                       curriculum(), table_.seed);
    if (cursor_->count() == 0)
      throw UserError(spec_.mark, title() + ": the data set is empty: it has no rows");
  }
}

const tenon_curriculum* Instance::curriculum() const {
  const auto* table = static_cast<const tenon_curriculum*>(extension(TENON_EXT_CURRICULUM));
  return TENON_FN(table, tenon_curriculum, choose) && TENON_FN(table, tenon_curriculum, outcome) ? table
                                                                                                 : nullptr;
}

tenon_ref Instance::ref() const {
  tenon_ref r{sizeof(tenon_ref),  spec_.component->flags, self_, spec_.component->vt, spec_.component->id,
              spec_.name.c_str(), spec_.component->life};
  if (isolated_) {
    static constexpr tenon_life kNothingElse{
        sizeof(tenon_life), 0, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
    r.self = isolated_.get();
    r.vt = IsolatedReward::table();
    r.life = &kNothingElse;
  }
  if (model_) r.vt = model_->table();
  if (optimizer_) r.vt = optimizer_->table();
  if (cursor_) {
    r.self = cursor_.get();
    r.vt = Cursor::table();
    r.life = Cursor::life();
  }
  return r;
}

Instance* Instance::slot(const std::string& name) const {
  auto found = slots_.find(name);
  return found == slots_.end() ? nullptr : found->second;
}

const void* Instance::extension(const char* id) const {
  if (isolated_) return nullptr;
  return TENON_FN(spec_.component->life, tenon_life, extension) ? spec_.component->life->extension(self_, id)
                                                                : nullptr;
}

bool Instance::check_value_name(std::string_view name) {
  const std::string fault = name_fault(name);
  if (fault.empty()) return true;
  std::lock_guard lock(mutex_);
  if (name_faults_.insert(fault).second && services_.log)
    services_.log->warn("{}: {}: a value's name {}: it is not recorded", place_, title(), fault);
  return false;
}

void Instance::mark_read(const std::string& path) {
  std::lock_guard lock(mutex_);
  read_.insert(path);
}

std::vector<std::string> Instance::options_read() const {
  std::lock_guard lock(mutex_);
  return {read_.begin(), read_.end()};
}

std::vector<std::pair<std::string, Mark>> Instance::unread(bool references) const {
  std::lock_guard lock(mutex_);
  // Itself, or all of what it is part of as JSON.
  auto was_read = [&](const std::string& path) {
    for (size_t end = path.size(); end != std::string::npos && end > 0; end = path.rfind('.', end - 1))
      if (read_.contains(path.substr(0, end))) return true;
    return false;
  };
  std::vector<std::pair<std::string, Mark>> out;
  for (const auto& [path, mark] : spec_.marks) {
    const tenon_option* option = find_option(spec_.component->options, path);
    if (option == nullptr || (option->type == TENON_T_REF) != references) continue;
    const boost::json::value* value = find_value(spec_.options, path);
    const bool is_container = value != nullptr && (value->is_array() || option->type == TENON_T_OBJECT);
    if (!is_container && !was_read(path)) out.emplace_back(path, mark);
  }
  return out;
}

int32_t Instance::get(const char* path, std::initializer_list<int32_t> types,
                      const boost::json::value** value) {
  const tenon_option* option = find_option(spec_.component->options, path);
  if (option == nullptr || std::find(types.begin(), types.end(), option->type) == types.end())
    return TENON_E_INVALID;
  mark_read(path);
  *value = find_value(spec_.options, path);
  return *value == nullptr || (*value)->is_null() ? TENON_END : TENON_OK;
}

int32_t Instance::get_json(const char* path, tenon_str* out) {
  if (find_option(spec_.component->options, path) == nullptr) return TENON_E_INVALID;
  mark_read(path);
  const boost::json::value* value = find_value(spec_.options, path);
  if (value == nullptr) return TENON_END;
  std::lock_guard lock(mutex_);
  const std::string& text = json_.try_emplace(path, json_text(*value)).first->second;
  *out = {text.data(), text.size()};
  return TENON_OK;
}

int32_t Instance::count(const char* slot, uint64_t* n) {
  const std::string path = dotted(slot);
  const tenon_option* option = find_option(spec_.component->options, path);
  if (option == nullptr || (option->flags & TENON_O_LIST) == 0) return TENON_E_INVALID;
  const boost::json::value* value = find_value(spec_.options, path);
  *n = value != nullptr && value->is_array() ? value->get_array().size() : 0;
  return TENON_OK;
}

int32_t Instance::lookup(const char* slot, const char* kind, tenon_ref* out, tenon_error* err) {
  const std::string path = dotted(slot);
  mark_read(path);
  // "model.tokenizer": the longest beginning that is a slot of this component, then on inside that one.
  for (size_t end = path.size(); end != std::string::npos && end > 0; end = path.rfind('.', end - 1)) {
    const std::string head = path.substr(0, end);
    auto found = std::find_if(slots_.begin(), slots_.end(),
                              [&](const auto& entry) { return dotted(entry.first) == head; });
    Instance* instance = found != slots_.end() ? found->second : nullptr;
    if (instance == nullptr && fallback_ && is_reserved_slot(head)) instance = fallback_(head);
    if (instance == nullptr) continue;
    if (end < path.size()) {
      mark_read(head);
      return instance->lookup(path.c_str() + end + 1, kind, out, err);
    }
    if (kind != nullptr && instance->kind() != kind)
      return set_error(err, TENON_E_INVALID,
                       place_ + ": slot " + slot + " holds a " + instance->kind() + ", not a " + kind);
    const tenon_ref ref = instance->ref();
    const uint32_t size = std::min<uint32_t>(out->struct_size, sizeof ref);
    std::memcpy(out, &ref, size);
    out->struct_size = size;
    return TENON_OK;
  }
  const bool known =
      find_option(spec_.component->options, path) != nullptr || (fallback_ && is_reserved_slot(path));
  if (!known && path.find('.') == std::string::npos)
    return set_error(err, TENON_E_INVALID,
                     place_ + ": there is no slot " + slot + ": the option table of " + spec_.component->id +
                         " has no such option");
  return TENON_END;
}

}  // namespace tenon::host
