// The stage `pretrain`: next-token training on the rows of a data set.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/supervised.h"

namespace {

constexpr const char* kLossOn[] = {"completion", "all", nullptr};

class Pretrain {
 public:
  explicit Pretrain(tenon::Host host)
      : training_(host, host.str("loss_on") == "all" ? tenon::stages::LossOn::kAll
                                                     : tenon::stages::LossOn::kCompletion),
        steps_(static_cast<uint64_t>(host.i64("steps"))) {
    training_.check_steps(steps_);
  }

  void run(const tenon_call* call, const tenon::StageIo& io) { training_.run(call, io, steps_); }

 private:
  tenon::stages::Supervised training_;
  uint64_t steps_;
};

}  // namespace

TENON_STAGE_PLUGIN(
    Pretrain, "pretrain", "0.1.0",
    "Next-token training: minimises the mean negative log-probability of the tokens.",
    tenon::stages::kModelOption, tenon::stages::kTrainDataOption, tenon::stages::kOptimizerOption,
    tenon::integer("steps", nullptr, "Optimizer steps.",
                   {.min = "1", .max = "1000000000", .unit = "steps", .flags = TENON_O_REQUIRED}),
    tenon::stages::kBatchOption, tenon::stages::kMicroBatchOption,
    tenon::choice("loss_on", kLossOn, "\"completion\"",
                  "completion: the loss is on the completion, and on the whole text of rows "
                  "without one; all: on every token but the first."))
