// The components of one stage.
// SPDX-License-Identifier: Apache-2.0
#include "host/components.h"

#include <algorithm>

#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/rows_dataset.h"
#include "host/run_error.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

constexpr char kReference[] = "reference";

std::string dotted(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

// Equal for specifications that make equal components.
std::string spec_key(const Spec& spec) {
  std::string key = std::string(spec.component->kind) + " " + spec.component->id + " " +
                    json_text(spec.options, JsonOrder::kSorted);
  for (const Slot& slot : spec.slots)
    key += " (" + slot.name + " " + slot.stage + " " + slot.rows + " " +
           (slot.spec ? spec_key(*slot.spec) : "") + ")";
  return key;
}

void throw_unread(const Instance& instance, const std::vector<std::pair<std::string, Mark>>& unread) {
  if (unread.empty()) return;
  std::string text;
  for (const auto& [path, mark] : unread)
    text += (text.empty() ? "" : "\n" + place_text(mark)) + instance.title() + ": option " + path +
            " is given, but the component did not read it: with these options it has no effect. Remove it";
  throw UserError(unread.front().second, text);
}

// A curriculum decides which rows come next, and only who draws rows with `next` asks it; a data set reads another one by index.
void check_no_curriculum_inside(const Instance& instance) {
  if (instance.kind() != "dataset") return;
  for (const Slot& slot : instance.spec().slots)
    if (const Instance* inner = instance.slot(slot.name); inner->curriculum() != nullptr)
      throw UserError(slot.mark, instance.title() + ": option " + dotted(slot.name) + ": " + inner->title() +
                                     " chooses the order of a stage's rows, and inside another data set "
                                     "nobody asks it for one. Put it outside, around this one: {use: " +
                                     inner->spec().component->id + ", data: …}");
}

}  // namespace

Components::Components(HostServices& services, const StagePlan& plan, StageInputs inputs,
                       const Checkpoint* resume)
    : services_(services), plan_(plan), inputs_(std::move(inputs)), resume_(resume) {
  std::map<std::string, Instance*> slots;
  for (const Slot& slot : plan_.spec.slots) slots[slot.name] = create_slot(slot, slot.name, slot.name, false);

  auto stage = std::make_unique<Instance>(services_, plan_.spec, plan_.name, plan_.name);
  for (const auto& [name, instance] : slots) {
    stage->put(name, instance);
    if (instance->kind() != "reward") continue;
    stage->mark_read(dotted(name));  // the host itself scores with it
    for (const char* attribute : {"weight", "scope", "sources", "source_field", "only_if", "only_above"})
      stage->mark_read(dotted(name) + "." + attribute);
  }
  stage->set_fallback([this](const std::string& name) -> Instance* {
    if (name == "from") return plan_.from.empty() ? nullptr : find("model");
    return reference();
  });
  stage_ = stage.get();
  stage->create();
  instances_.all.push_back(std::move(stage));
  throw_unread(*stage_, stage_->unread(false));
  by_key_.emplace_back("stage", stage_);
  if (resume_ != nullptr && resume_->has("stage")) resume_->restore("stage", *stage_);
}

Instance* Components::find(const std::string& key) const {
  auto found = std::find_if(by_key_.begin(), by_key_.end(),
                            [&](const auto& entry) { return entry.first == dotted(key); });
  return found == by_key_.end() ? nullptr : found->second;
}

const Spec& Components::rows_spec(const Slot& slot) {
  auto spec = std::make_unique<Spec>();
  spec->component = &rows_component();
  spec->name = slot.stage + "." + slot.rows;
  spec->options["path"] = inputs_.rows(slot.stage, slot.rows).string();
  spec->mark = slot.mark;
  specs_.push_back(std::move(spec));
  return *specs_.back();
}

Instance* Components::create_slot(const Slot& slot, const std::string& path, const std::string& seed_path,
                                  bool is_reference) {
  const Spec& spec = slot.rows.empty() ? *slot.spec : rows_spec(slot);
  const bool shareable = slot.kind == "tokenizer" && (spec.component->flags & TENON_C_STATELESS) != 0;
  // Rewards may judge while a stage generates (tenon_host.score): they do not use its instances at the same time.
  const bool is_of_reward = path.starts_with("rewards/") || path.find("/rewards/") != std::string::npos;
  const std::string shared_key = shareable ? (is_of_reward ? "rewards " : "") + spec_key(spec) : "";
  if (shareable && shared_.contains(shared_key)) return shared_.at(shared_key);

  Instance* instance = create(spec, path, seed_path, is_reference);
  if (shareable) shared_[shared_key] = instance;
  if (instance->model() != nullptr) load_weights(*instance, slot, dotted(path));
  return instance;
}

Instance* Components::create(const Spec& spec, const std::string& path, const std::string& seed_path,
                             bool is_reference) {
  std::map<std::string, Instance*> slots;
  for (const Slot& slot : spec.own_slots())
    slots[slot.name] = create_slot(slot, path + "." + slot.name, seed_path + "." + slot.name, is_reference);

  auto owned =
      std::make_unique<Instance>(services_, spec, plan_.name + "/" + path, plan_.name + "/" + seed_path);
  Instance* instance = owned.get();
  for (const auto& [name, other] : slots) instance->put(name, other);
  instance->create();
  instances_.all.push_back(std::move(owned));
  check_no_curriculum_inside(*instance);
  if (is_reference) return instance;

  std::vector<std::pair<std::string, Mark>> unread = instance->unread(false);
  for (auto& reference : instance->unread(true)) unread.push_back(std::move(reference));
  throw_unread(*instance, unread);

  const std::string key = dotted(path);
  by_key_.emplace_back(key, instance);
  if (resume_ == nullptr) return instance;
  if (instance->cursor() != nullptr) {
    const auto& cursors = resume_->manifest().at("cursors").as_object();
    if (cursors.contains(key)) instance->cursor()->seek(cursors.at(key).to_number<uint64_t>());
  }
  // A model's state goes with its weights; an optimizer's waits until it is bound.
  if (instance->model() == nullptr && instance->optimizer() == nullptr && resume_->has(key))
    resume_->restore(key, *instance);
  return instance;
}

void Components::load_weights(Instance& model, const Slot& slot, const std::string& key) {
  if (resume_ != nullptr && resume_->has(key)) {
    resume_->restore(key, model);
    model.model()->restored();
    return;
  }
  if (slot.stage.empty()) return;
  const std::filesystem::path path = inputs_.checkpoint(slot.stage);
  if (path.empty()) return;
  const Checkpoint checkpoint = Checkpoint::open(path);
  if (!checkpoint.has("model"))
    throw RunError(place_text(slot.mark) + "stage " + slot.stage + " has no model to go on from: " +
                   path.string() + " holds none. Remove " + path.parent_path().parent_path().string() +
                   " and run the configuration again, which runs that stage again and keeps its model");
  checkpoint.verify();
  checkpoint.restore("model", model);
}

Instance* Components::reference() {
  std::lock_guard lock(reference_mutex_);
  if (reference_ != nullptr) return reference_;
  for (const Slot& slot : plan_.spec.slots)
    if (slot.name == "model") return reference_ = create_slot(slot, kReference, "model", true);
  return nullptr;
}

Instance* Components::changed_reference() {
  std::lock_guard lock(reference_mutex_);
  return reference_ != nullptr && reference_->model()->changed() ? reference_ : nullptr;
}

void Components::bind(const std::string& optimizer_slot, const std::string& model_slot,
                      uint64_t total_steps) {
  Instance* optimizer = find(optimizer_slot);
  Instance* model = find(model_slot);
  if (optimizer == nullptr || optimizer->optimizer() == nullptr)
    throw Error(TENON_E_INVALID, "bind: slot " + optimizer_slot + " holds no optimizer");
  if (model == nullptr || model->model() == nullptr)
    throw Error(TENON_E_INVALID, "bind: slot " + model_slot + " holds no model");
  if (optimizer->optimizer()->model() != nullptr)
    throw Error(TENON_E_STATE, "bind: the optimizer in slot " + optimizer_slot + " is bound already");
  stage_->mark_read(dotted(optimizer_slot));
  stage_->mark_read(dotted(model_slot));

  const tenon_model_vt& vt = *model->model()->behind();
  tenon_model_info info{};
  info.struct_size = sizeof info;
  ErrorBuffer err;
  err.check(vt.info(model->self(), &info, err));
  std::vector<const tenon_param*>& pointers = param_lists_.emplace_back();
  for (uint64_t i = 0; i < info.n_tensors; ++i) {
    tenon_param& param = params_.emplace_back();
    param.struct_size = sizeof param;
    err.check(vt.param(model->self(), i, &param, err));
    pointers.push_back(&param);
  }
  err.check(optimizer->optimizer()->behind()->bind(optimizer->self(), pointers.data(), pointers.size(),
                                                   total_steps, err));
  optimizer->optimizer()->attach(model->model());
  if (resume_ != nullptr && resume_->has(dotted(optimizer_slot)))
    resume_->restore(dotted(optimizer_slot), *optimizer);
}

void Components::check_references_read() const {
  throw_unread(*stage_, stage_->unread(true));
  for (const Slot& slot : plan_.spec.slots) {
    const Instance* instance = find(slot.name);
    if (instance != nullptr && instance->curriculum() != nullptr && instance->cursor()->position() == 0)
      throw UserError(slot.mark, stage_->title() + ": option " + dotted(slot.name) + ": " +
                                     instance->title() +
                                     " chooses the order of rows, and this stage reads them in their own. "
                                     "Name the data set in it instead");
  }
}

}  // namespace tenon::host
