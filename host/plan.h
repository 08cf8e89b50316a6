// A configuration that has been checked: what the run will create, in which order.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/mark.h"
#include "tenon/abi.h"

namespace tenon::host {

struct LoadedPlugin;  // loader.h

struct Spec;

// A reference option of a component, resolved.
struct Slot {
  std::string name;  // the option's path with slashes: "model", "rewards/0", "tokenizer"
  std::string kind;  // "model", "dataset", …
  // The component to create. For a model that an earlier stage trained, the specification of that stage's
  // model.
  std::shared_ptr<const Spec> spec;
  // An earlier stage whose result this is: its final checkpoint (kind model) or rows (kind dataset). Empty:
  // none.
  std::string stage;
  std::string rows;  // kind dataset: the name of the row set of that stage
  Mark mark;
};

// Whom a message about an option is for.
struct Blame {
  Mark mark;
  bool of_preset = false;  // the file does not state the option: a preset named at `mark` does
};

// One component as configured.
struct Spec {
  // The place of the option at `path`, of the nearest one around it, or of the component.
  Blame blame(std::string path) const;
  // The slots whose components this process makes: none of a component that has a process of its own.
  std::span<const Slot> own_slots() const {
    return isolated ? std::span<const Slot>() : std::span<const Slot>(slots);
  }

  const tenon_component* component = nullptr;
  const LoadedPlugin* plugin = nullptr;
  std::string name;    // in the configuration ("policy"); the plugin's id if it was written in place
  std::string preset;  // whose options are the defaults of `options`; empty: none
  // All options with their defaults filled in (one that is absent and has no default is left out): bool,
  // int64, double, string; paths absolute; durations double, in seconds; sizes int64, in bytes. References as
  // they were written; one whose option has attributes (`children`) is always an object, {"of": name,
  // "weight": 1.0}, with the attributes filled in.
  boost::json::object options;
  // Where each option stands that the file states, by path ("rewards.0.weight"), so that one nobody reads can
  // be reported.
  std::map<std::string, Mark> marks;
  // Of the options that have their value from a preset: where its name stands.
  std::map<std::string, Mark> preset_marks;
  // Options that the file does not state and that, says the component, have no effect with the others.
  std::set<std::string> idle;
  std::vector<Slot> slots;  // in the order of the option table
  bool isolated = false;    // isolation: process
  Mark mark;
};

struct StagePlan {
  std::string name;
  Spec spec;         // of the stage component; `slots` has "model" filled from `from` where it was not given
  std::string from;  // the stage whose model this one starts from; empty: none
  std::vector<std::string> inputs;  // all earlier stages that this one reads, `from` included
  uint64_t checkpoint_every = 0;    // steps; 0: not by number of steps
  Mark mark;
};

struct Plan {
  std::filesystem::path config_path;  // absolute
  std::string name;                   // of the run
  uint64_t seed = 0;
  uint32_t threads = 0;  // never 0 after check
  double max_reward_failures =
      0.05;  // share of samples without an OK reward, over the last 200, above which the run stops
  double reward_timeout = 0;       // seconds a reward's call may take; 0: as long as it likes
  double checkpoint_interval = 0;  // seconds of work between checkpoints; 0: none by time
  std::filesystem::path runs;      // folder that holds run folders, absolute
  Mark runs_mark;  // where that is said, or the configuration's beginning; empty: by the command line
  std::vector<Spec> sinks;
  std::vector<StagePlan> stages;
  std::string resolved;  // YAML: the configuration after --set, defaults filled in
};

}  // namespace tenon::host
