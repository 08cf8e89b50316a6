// `tenon eval`: a model on benchmarks, without a configuration.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/eval_config.h"

namespace tenon::host {

// Writes the configuration to <runs>/<name>/eval.yaml and runs it as `tenon run` does: the same command again goes on where it stopped, or shows what there is. Prints a
// table, a row a benchmark, or with `json` one object; progress goes to the standard error. Returns an exit code of command_line.h; throws UserError.
int eval_command(const EvalArguments& arguments);

}  // namespace tenon::host
