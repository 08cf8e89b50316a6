// `tenon plot`: metrics of a run over its steps, as a picture.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace tenon::host {

struct PlotArguments {
  std::filesystem::path run;
  std::vector<std::string> metrics, right;  // by the scale at the left, and by one of their own at the right
  std::string stage;                        // empty: the one that has them
  std::filesystem::path file;               // SVG; empty: to `out`
  bool json =
      false;  // not the picture but its numbers: {"stage": name, "metrics": {name: [[step, value], …]}}
};

// Of what metrics.jsonl has now, of a run that goes on too; steps in which a metric is null or absent have no point. kExitOk, or UserError: no such run, stage or
// metric, with what there is instead; several stages have them, and none is named.
int plot_command(const PlotArguments& arguments, std::ostream& out);

}  // namespace tenon::host
