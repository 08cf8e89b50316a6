// The components of one stage: created from its plan, destroyed in the reverse order.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "host/checkpoint.h"
#include "host/instance.h"
#include "host/plan.h"

namespace tenon::host {

// Results of earlier stages. Both return an empty path while components are only being tried and the stage has not run.
struct StageInputs {
  std::function<std::filesystem::path(const std::string& stage)>
      checkpoint;  // the final one that holds its model
  std::function<std::filesystem::path(const std::string& stage, const std::string& rows)>
      rows;  // a JSON Lines file
};

class Components {
 public:
  // Creates everything that the stage's plan names, a component's slots before the component itself, the stage last. A model that comes from an earlier
  // stage gets that stage's weights. With `resume`, everything but optimizers (see bind) is restored from it. Tokenizers without state are shared
  // between places of equal specification. Throws UserError with the place in the file: a component refused its options, or one of its options was
  // stated and not read; RunError for a checkpoint that cannot be used. `plan` outlives this object.
  Components(HostServices& services, const StagePlan& plan, StageInputs inputs, const Checkpoint* resume);
  Components(const Components&) = delete;
  Components& operator=(const Components&) = delete;

  Instance& stage() { return *stage_; }
  // By key: "stage", "model", "rewards.0", "model.tokenizer". What a checkpoint consists of, but for the reference.
  const std::vector<std::pair<std::string, Instance*>>& by_key() const { return by_key_; }
  Instance* find(const std::string& key) const;
  // The reference, if the stage has changed it: frozen, it is made from what the stage received again. Its key in checkpoints is "reference".
  Instance* changed_reference();

  // tenon_stage_io.bind: gives the optimizer its model's parameters, then restores it from `resume`.
  void bind(const std::string& optimizer_slot, const std::string& model_slot, uint64_t total_steps);

  // Throws UserError for reference options of the stage that were stated and that it never looked up.
  void check_references_read() const;

 private:
  Instance* create_slot(const Slot& slot, const std::string& path, const std::string& seed_path,
                        bool is_reference);
  Instance* create(const Spec& spec, const std::string& path, const std::string& seed_path,
                   bool is_reference);
  Instance* reference();
  void load_weights(Instance& model, const Slot& slot, const std::string& key);
  const Spec& rows_spec(const Slot& slot);

  HostServices& services_;
  const StagePlan& plan_;
  StageInputs inputs_;
  const Checkpoint* resume_;
  // In the order in which their `create` returned.
  struct Owned {
    ~Owned() {
      while (!all.empty()) all.pop_back();
    }
    std::vector<std::unique_ptr<Instance>> all;
  };

  std::vector<std::unique_ptr<Spec>> specs_;  // of row sets
  std::deque<tenon_param> params_;            // lent to optimizers
  std::deque<std::vector<const tenon_param*>> param_lists_;
  Owned instances_;
  std::vector<std::pair<std::string, Instance*>> by_key_;
  std::map<std::string, Instance*> shared_;  // by specification
  Instance* stage_ = nullptr;
  std::mutex reference_mutex_;  // any thread may be the first to look it up
  Instance* reference_ = nullptr;
};

}  // namespace tenon::host
