// From a configuration file to a plan, or to the list of all that is wrong with it. Writes nothing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/diagnostics.h"
#include "host/loader.h"
#include "host/plan.h"

namespace tenon::host {

// Reads `file`, applies the overrides `set` ("a.b=value"), opens the plugins that it names and checks it
// against their option tables and their life.check. All mistakes go into `diagnostics`; the plan may be used
// only if diagnostics.has_errors() is false. is_resolved: the file is Plan::resolved of an earlier call.
Plan make_plan(const std::filesystem::path& file, const std::vector<std::string>& set, Loader& loader,
               Diagnostics& diagnostics, bool is_resolved = false);

// As make_plan, for a command that looks at one component: that nothing refers to a component is no mistake. component: that of `components` with this name, of
// this kind, whether or not something refers to it; nullptr if there is none, or it has mistakes.
struct PlanAndComponent {
  Plan plan;
  std::shared_ptr<const Spec> component;
  std::vector<std::string> names;  // of `components`
};
PlanAndComponent make_plan_and_component(const std::filesystem::path& file,
                                         const std::vector<std::string>& set, Loader& loader,
                                         Diagnostics& diagnostics, const std::string& kind,
                                         const std::string& name);

// What the host itself understands: the keys of `run:`, of the top level besides run, components and
// pipeline, and of every stage besides name, use and the options of its type.
const tenon_option* const* run_options();
const tenon_option* const* top_options();
const tenon_option* const* stage_options();

}  // namespace tenon::host
