// One component that has been created, and the table of services it was given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/cursor.h"
#include "host/model_proxy.h"
#include "host/plan.h"
#include "host/thread_pool.h"
#include "tenon/abi.h"

namespace tenon::host {

// What the running stage does for the components in it; the calls of tenon_host that are about a step. They throw.
class StageServices {
 public:
  virtual ~StageServices() = default;
  virtual void metric(const char* name, double value) = 0;
  virtual void timing(const char* name, double value) = 0;
  virtual void progress(double done, double total, const char* text) = 0;
  virtual bool cancelled() const = 0;
  virtual void score(const std::string& slot, const tenon_call*, const tenon_reward_in&, tenon_scored&) = 0;
  virtual void row_out(const std::string& name, const tenon_row&) = 0;
  virtual void sample_out(std::string_view object) = 0;
  virtual void artifact(const std::string& name, std::string_view bytes) = 0;
  virtual uint64_t sample_ids(uint64_t n) = 0;
};

// What all components of a process share.
struct HostServices {
  uint64_t seed = 0;
  ThreadPool* pool = nullptr;
  std::shared_ptr<spdlog::logger> log;
  // Of the stage whose components are created: tenon_stage_io.folder. Changes between stages only.
  std::string output_folder;
  // The stage that is running; null while components are only being created.
  std::atomic<StageServices*> stage{nullptr};
};

class IsolatedReward;  // isolated_reward.h

// "model policy (transformer)"
std::string title_of(const Spec& spec);

class Instance {
 public:
  // place: "zero/model"; seed_place: the place whose seed it gets (that of slot "model" for a reference). `spec` outlives the instance.
  Instance(HostServices& services, const Spec& spec, std::string place, const std::string& seed_place);
  // Destroys the component.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Before create: another component that a slot of this one holds.
  void put(const std::string& slot, Instance* other) { slots_[slot] = other; }
  // Called for slots that are not in the table, "reference"; may create. Returns nullptr for "absent".
  void set_fallback(std::function<Instance*(const std::string&)> fallback) {
    fallback_ = std::move(fallback);
  }
  // Throws UserError that starts with the component's place in the file. A data set without rows is one, too.
  void create();

  const Spec& spec() const { return spec_; }
  const std::string& place() const { return place_; }
  std::string kind() const { return spec_.component->kind; }
  std::string title() const { return title_of(spec_); }
  void* self() const { return self_; }
  // What others get, and call: with the proxies in front.
  tenon_ref ref() const;
  ModelProxy* model() const { return model_.get(); }
  OptimizerProxy* optimizer() const { return optimizer_.get(); }
  Cursor* cursor() const { return cursor_.get(); }
  Instance* slot(const std::string& name) const;
  const std::map<std::string, Instance*>& slots() const { return slots_; }
  // The component's extension, or nullptr.
  const void* extension(const char* id) const;
  // Of a data set that has the extension, whole; else nullptr.
  const tenon_curriculum* curriculum() const;

  // The host itself uses an option ("rewards.0.weight").
  void mark_read(const std::string& path);
  // Paths of the options that were read.
  std::vector<std::string> options_read() const;
  // Options that the file states and nobody read: path and place. `references`: those of type TENON_T_REF, else the others.
  std::vector<std::pair<std::string, Mark>> unread(bool references) const;

  // The calls of tenon_host; return codes and text as there.
  int32_t get(const char* path, std::initializer_list<int32_t> types, const boost::json::value** value);
  int32_t get_json(const char* path, tenon_str* out);
  int32_t count(const char* slot, uint64_t* n);
  int32_t lookup(const char* slot, const char* kind, tenon_ref* out, tenon_error* err);
  HostServices& services() { return services_; }
  // Whether a value that the component records may be called so; if not, warns, once for each kind of mistake. [any thread]
  bool check_value_name(std::string_view name);

 private:
  HostServices& services_;
  const Spec& spec_;
  std::string place_;
  tenon_host table_;
  std::map<std::string, Instance*> slots_;
  std::function<Instance*(const std::string&)> fallback_;

  mutable std::mutex mutex_;
  std::set<std::string> read_;
  std::map<std::string, std::string> json_;  // texts handed out
  std::set<std::string> name_faults_;        // that were told

  void* self_ = nullptr;
  bool created_ = false;
  std::unique_ptr<IsolatedReward> isolated_;
  std::unique_ptr<ModelProxy> model_;
  std::unique_ptr<OptimizerProxy> optimizer_;
  std::unique_ptr<Cursor> cursor_;
};

// "experiment.yaml:12:3: " or "" for a place that is not in a file.
std::string place_text(const Mark& mark);

// The seed of an instance: a hash of the run's seed and its place.
uint64_t instance_seed(uint64_t run_seed, const std::string& place);

}  // namespace tenon::host
