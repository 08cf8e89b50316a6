// The stage `sft`: supervised fine-tuning on the answers of a data set.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "stage_support/row_check.h"
#include "stage_support/supervised.h"

namespace {

class Sft {
 public:
  explicit Sft(tenon::Host host)
      : training_(host, tenon::stages::LossOn::kAnswer),
        steps_(host.i64_if("steps")),
        epochs_(host.f64_if("epochs")) {
    if (!steps_ && tenon::stages::is_endless(training_.data()))
      throw tenon::Error(TENON_E_INVALID,
                         "epochs: the data set has no end, so it has no epochs: give `steps`");
    if (steps_ || training_.data().count() != TENON_COUNT_UNBOUNDED) training_.check_steps(total_steps());
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.i64_if("steps") && host.f64_if("epochs"))
      findings.error("epochs", "`steps` and `epochs` both say how long to train: give one of them");
    if (!host.i64_if("steps") && !host.f64_if("epochs"))
      findings.error("steps", "give `steps` or `epochs`: how long to train");
  }

  void run(const tenon_call* call, const tenon::StageIo& io) { training_.run(call, io, total_steps()); }

 private:
  uint64_t total_steps() const {
    if (steps_) return static_cast<uint64_t>(*steps_);
    const auto rows = static_cast<double>(training_.data().count());
    return static_cast<uint64_t>(std::ceil(*epochs_ * rows / static_cast<double>(training_.batch())));
  }

  tenon::stages::Supervised training_;
  std::optional<int64_t> steps_;
  std::optional<double> epochs_;
};

}  // namespace

TENON_STAGE_PLUGIN(
    Sft, "sft", "0.1.0", "Supervised fine-tuning: trains on the answers of chats or of prompts.",
    tenon::stages::kModelOption, tenon::stages::kTrainDataOption, tenon::stages::kOptimizerOption,
    tenon::number("epochs", nullptr,
                  "Times that every row is trained on; the last batch may reach into the next epoch.",
                  {.min = "0.000001", .max = "1000000"}),
    tenon::integer("steps", nullptr, "Optimizer steps, instead of `epochs`.",
                   {.min = "1", .max = "1000000000", .unit = "steps"}),
    tenon::stages::kBatchOption, tenon::stages::kMicroBatchOption)
