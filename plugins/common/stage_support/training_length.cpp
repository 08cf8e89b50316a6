// How long a stage trains.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/training_length.h"

#include <cmath>

#include "stage_support/row_check.h"
#include "stage_support/step.h"

namespace tenon::stages {

TrainingLength::TrainingLength(const Host& host, const Dataset& data, const Optimizer& optimizer,
                               uint64_t batch)
    : data_(data), steps_(host.i64_if("steps")), epochs_(host.f64_if("epochs")), batch_(batch) {
  if (!steps_ && is_endless(data_))
    throw Error(TENON_E_INVALID, "epochs: the data set has no end, so it has no epochs: give `steps`");
  if (steps_ || data_.count() != TENON_COUNT_UNBOUNDED) check_optimizer_steps(optimizer, total_steps());
}

uint64_t TrainingLength::total_steps() const {
  if (steps_) return static_cast<uint64_t>(*steps_);
  return static_cast<uint64_t>(
      std::ceil(*epochs_ * static_cast<double>(data_.count()) / static_cast<double>(batch_)));
}

void TrainingLength::check(const Host& host, Findings& findings) {
  if (host.i64_if("steps") && host.f64_if("epochs"))
    findings.error("epochs", "`steps` and `epochs` both say how long to train: give one of them");
  if (!host.i64_if("steps") && !host.f64_if("epochs"))
    findings.error("steps", "give `steps` or `epochs`: how long to train");
}

}  // namespace tenon::stages
