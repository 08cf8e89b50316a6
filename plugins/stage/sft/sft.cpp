// The stage `sft`: supervised fine-tuning on the answers of a data set.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/supervised.h"
#include "stage_support/training_length.h"

namespace {

class Sft {
 public:
  explicit Sft(tenon::Host host)
      : training_(host, tenon::stages::LossOn::kAnswer),
        length_(host, training_.data(), training_.optimizer(), training_.batch()) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::stages::TrainingLength::check(host, findings);
    tenon::stages::Supervised::check(host, findings);
  }

  void run(const tenon_call* call, const tenon::StageIo& io) {
    training_.run(call, io, length_.total_steps());
  }
  void save(tenon::Writer& w) const { training_.save(w); }
  void load(tenon::Reader& r, uint32_t) { training_.load(r); }

 private:
  tenon::stages::Supervised training_;
  tenon::stages::TrainingLength length_;
};

}  // namespace

TENON_STAGE_PLUGIN(Sft, "sft", "0.2.0",
                   "Supervised fine-tuning: trains on the answers of chats or of prompts.",
                   tenon::stages::kModelOption, tenon::stages::kTrainDataOption,
                   tenon::stages::kOptimizerOption, tenon::stages::kEpochsOption, tenon::stages::kStepsOption,
                   tenon::stages::kBatchOption, tenon::stages::kMicroBatchOption,
                   tenon::stages::kDomainOption, tenon::stages::kHeldOutByLossOption)
