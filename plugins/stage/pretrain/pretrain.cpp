// The stage `pretrain`: next-token training on the rows of a data set.
// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "fim.h"
#include "mtp.h"
#include "stage_support/row_check.h"
#include "stage_support/step.h"
#include "stage_support/supervised.h"

namespace tenon::pretrain {
namespace {

constexpr const char* kLossOn[] = {"completion", "all", nullptr};

class Pretrain {
 public:
  explicit Pretrain(Host host)
      : host_(host),
        training_(host, host.str("loss_on") == "all" ? stages::LossOn::kAll : stages::LossOn::kCompletion),
        mtp_(MultiToken::of(host, training_.model())),
        fim_(FillInMiddle::of(host, training_.tokenizer(), training_.model().info().max_len)),
        steps_(static_cast<uint64_t>(host.i64("steps"))) {
    training_.check_steps(steps_);
    if (fim_) require_document();
    if (mtp_)
      training_.accumulate_by([this](const tenon_call* call, const Rollout& part, const float* d, float* lp) {
        mtp_->accumulate(call, part, d, lp);
      });
  }

  static void check(Host host, Findings& findings) {
    FillInMiddle::check(host, findings);
    MultiToken::check(host, findings);
    stages::Supervised::check(host, findings);
  }

  void run(const tenon_call* call, const StageIo& io) {
    training_.run(call, io, steps_,
                  [this](const tenon_call* now, uint64_t step) { return batch(now, step); });
  }
  void save(Writer& w) const { training_.save(w); }
  void load(Reader& r, uint32_t) { training_.load(r); }

 private:
  // Throws if none of the rows that can be looked at now is one that fill in the middle may choose.
  void require_document() const {
    std::atomic<bool> any_row = false, any_document = false;
    stages::check_rows(host_, "data", "model.tokenizer", UINT64_MAX, [&](const Row& row) {
      any_row = true;
      if (FillInMiddle::is_document(row)) any_document = true;
    });
    if (any_row && !any_document)
      throw Error(TENON_E_INVALID,
                  "fim_rate: every row of the data has a completion or messages, and only documents are "
                  "filled in the middle: give rows that are a text alone (data set text), or set it to 0");
  }

  stages::Encoded batch(const tenon_call* call, uint64_t step) {
    const std::vector<Row> rows = training_.data().next(call, training_.batch());
    if (!fim_) return training_.encode(rows);
    FillInMiddle::Tally tally;
    stages::Encoded out =
        training_.encode(rows, [&](const Row& row) { return fim_->apply(row, step, tally); });
    host_.metric("fim/rows", static_cast<double>(tally.filled));
    host_.metric("fim/left", static_cast<double>(tally.left));
    if (tally.left > 0 && !left_one_) {
      left_one_ = true;
      host_.warn(
          "fim_rate: a document stays as it is, since with four further tokens it is longer than the model's "
          "context (or has a token of fim_tokens in its text); the metric fim/left counts such documents");
    }
    return out;
  }

  Host host_;
  stages::Supervised training_;
  std::optional<MultiToken> mtp_;
  std::optional<FillInMiddle> fim_;
  uint64_t steps_;
  bool left_one_ = false;
};

}  // namespace
}  // namespace tenon::pretrain

TENON_STAGE_PLUGIN(
    tenon::pretrain::Pretrain, "pretrain", "0.2.0",
    "Next-token training: minimises the mean negative log-probability of the tokens.",
    tenon::stages::kModelOption, tenon::stages::kTrainDataOption, tenon::stages::kOptimizerOption,
    tenon::integer("steps", nullptr, "Optimizer steps.",
                   {.min = "1", .max = "1000000000", .unit = "steps", .flags = TENON_O_REQUIRED}),
    tenon::stages::kBatchOption, tenon::stages::kMicroBatchOption,
    tenon::choice("loss_on", tenon::pretrain::kLossOn, "\"completion\"",
                  "completion: the loss is on the completion, and on the whole text of rows "
                  "without one; all: on every token but the first."),
    tenon::stages::kDomainOption, tenon::stages::kHeldOutByLossOption, tenon::pretrain::kFimRate,
    tenon::pretrain::kFimTokensOption, tenon::pretrain::kMtpOption)
