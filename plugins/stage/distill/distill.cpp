// The stage `distill`: on-policy distillation. The student writes, and the teacher's log-probabilities of what it wrote say how to change.
// SPDX-License-Identifier: Apache-2.0
//
// Generalized knowledge distillation on the student's own samples (Agarwal et al., arXiv 2306.13649, eq. 4 with λ = 1 and the reverse divergence; MiniLLM, arXiv
// 2306.08543). Of a token y behind the context x, with student s and teacher t,
//
//   KL(s ‖ t)(x) = E_{y~s} [ log s(y|x) − log t(y|x) ]      d/dθ KL = E_{y~s} [ (log s(y|x) − log t(y|x)) d/dθ log s(y|x) ]
//
// for E_{y~s}[d/dθ log s] = 0. The stage takes the mean of the second over the tokens that were sampled, each context as it came: what a token changes of later contexts
// is left out (discount 0, as the first paper does by not differentiating through sampling), which keeps the variance low.
#include <cmath>

#include "stage_support/held_out.h"
#include "stage_support/sampled.h"
#include "stage_support/step.h"
#include "stage_support/supervised.h"
#include "stage_support/tape.h"

namespace {

using tenon::Error;
using tenon::Rollout;
using tenon::Row;

class Distill {
 public:
  explicit Distill(tenon::Host host)
      : host_(host),
        sampler_(host, "", tenon::stages::CompletionSampler::Filters::kNone),
        student_(host.get_component<tenon::Model>("model")),
        teacher_(host.get_component<tenon::Model>("teacher")),
        tokenizer_(host.get_component<tenon::Tokenizer>("model.tokenizer")),
        data_(host.get_component<tenon::Dataset>("data")),
        optimizer_(host.get_component<tenon::Optimizer>("optimizer")),
        steps_(static_cast<uint64_t>(host.i64("steps"))),
        prompts_(static_cast<uint64_t>(host.i64("prompts"))),
        samples_(static_cast<uint64_t>(host.i64("samples"))),
        micro_batch_tokens_(static_cast<uint64_t>(host.i64("micro_batch_tokens"))),
        samples_per_step_(static_cast<uint64_t>(host.i64("samples_per_step"))) {
    check_teacher();
    tenon::stages::check_optimizer_steps(optimizer_, steps_);
    sampler_.check_prompts("data", student_, tokenizer_, "model.tokenizer", UINT64_MAX);
    held_out_ = tenon::stages::HeldOut::of(host, student_, tokenizer_);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::stages::HeldOut::check(host, findings);
  }

  void run(const tenon_call* call, const tenon::StageIo& io) {
    io.begin(steps_);
    io.bind("optimizer", "model", steps_);
    tenon::stages::train(call, io, steps_, held_out_, [&](const tenon_call* now, uint64_t step) {
      one_step(now, step);
      return step + 1;
    });
  }

  void save(tenon::Writer& w) const {
    if (held_out_) held_out_->save(w);
  }
  void load(tenon::Reader& r, uint32_t) {
    if (held_out_) held_out_->load(r);
  }

 private:
  // Both read the same ids, or the teacher's log-probabilities are of other texts.
  void check_teacher() const {
    const tenon_model_info student = student_.info(), teacher = teacher_.info();
    if (teacher.vocab != student.vocab)
      throw Error(TENON_E_INVALID, "teacher: model " + std::string(teacher_.ref()->name) + " has " +
                                       std::to_string(teacher.vocab) + " token ids, and the student has " +
                                       std::to_string(student.vocab) +
                                       ": they must have one tokenizer. A teacher with another one can write "
                                       "texts (stage rejection-sample), and the student learn them (sft)");
    if (teacher.max_len < student.max_len)
      throw Error(TENON_E_INVALID, "teacher: model " + std::string(teacher_.ref()->name) + " reads " +
                                       std::to_string(teacher.max_len) + " tokens, and the student writes " +
                                       std::to_string(student.max_len) + ": raise the teacher's max_len");
    const auto teachers = host_.get_component<tenon::Tokenizer>("teacher.tokenizer");
    for (uint64_t id = 0; id < student.vocab && id < tokenizer_.size(); ++id) {
      const auto one = std::vector{static_cast<int32_t>(id)};
      const std::string own = tokenizer_.decode(one, TENON_DECODE_SPECIAL);
      if (const std::string other = teachers.decode(one, TENON_DECODE_SPECIAL); own != other)
        throw Error(TENON_E_INVALID, "teacher: its tokenizer has \"" + other + "\" at id " +
                                         std::to_string(id) + ", and the student's \"" + own +
                                         "\": they must have one tokenizer");
    }
  }

  void one_step(const tenon_call* call, uint64_t step) const {
    const tenon::stages::Stopwatch watch;
    const uint64_t first_id = host_.raw()->sample_ids(host_.raw(), prompts_ * samples_);
    const std::vector<Row> rows = data_.next(call, prompts_);
    if (rows.empty()) throw Error(TENON_E_INVALID, "the data set gave no rows");
    tenon::stages::Sampled batch =
        sampler_.sample(call, student_, tokenizer_, rows, samples_, first_id, step);
    // What a reward says here teaches nothing, so a sample that none judged teaches as well.
    std::fill(batch.rollout.valid.begin(), batch.rollout.valid.end(), uint8_t{1});
    update(call, batch.rollout, step + 1);
    report(batch, watch.seconds());
  }

  void update(const tenon_call* call, Rollout& rollout, uint64_t version) const {
    const tenon::Timed timed(host_, "update");
    const tenon_algorithm_info mean{sizeof mean, 0, TENON_TOKEN_MEAN, 0, 0};
    tenon::loss_weights(host_, mean, rollout);
    student_.zero_grad(call);
    double loss = 0;
    for (const auto& members : rollout.micro_batches(micro_batch_tokens_)) {
      host_.throw_if_cancelled(call);
      const Rollout part = rollout.select(members);
      const tenon_tokens tokens = part.tokens_for_model(sampler_.temperature());
      std::vector<float> own(part.tokens()), wanted(part.tokens()), slope(part.tokens());
      teacher_.score(call, tokens, wanted.data(), nullptr, nullptr, nullptr);
      tenon::stages::Tape tape(student_);
      tape.score(call, tokens, own.data(), nullptr, nullptr);
      for (uint64_t t = 0; t < part.tokens(); ++t) {
        if (part.mask[t] == 0) continue;
        const double d = part.weight[t] * (static_cast<double>(own[t]) - static_cast<double>(wanted[t]));
        loss += d;
        slope[t] = static_cast<float>(d);
      }
      if (!std::isfinite(loss))
        throw Error(TENON_E_INVALID,
                    "the loss is not finite: a log-probability of the student or the teacher is not. The "
                    "update is not made: go on from the last checkpoint with a lower learning rate");
      tape.backward(call, slope.data(), nullptr, nullptr);
    }
    const tenon_optimizer_stats stats = tenon::stages::optimizer_step(call, student_, optimizer_, version);
    host_.metric("loss", loss);
    host_.metric("grad_norm", stats.grad_norm);
    host_.metric("learning_rate", stats.learning_rate);
  }

  void report(const tenon::stages::Sampled& batch, double seconds) const {
    const Rollout& r = batch.rollout;
    double tokens = 0, cut = 0;
    for (uint64_t i = 0; i < r.size(); ++i) {
      tokens += static_cast<double>(r.completion_len(i));
      cut += r.finish[i] == TENON_FINISH_LENGTH ? 1 : 0;
    }
    const auto n = static_cast<double>(r.size());
    host_.metric("tokens", tokens);
    host_.metric("completion/length_mean", tokens / n);
    host_.metric("completion/truncated", cut / n);
    for (uint64_t i = 0; i < std::min(samples_per_step_, r.size()); ++i)
      tenon::sample_out(host_, batch.to_json(i));
    host_.timing("tokens_per_second", tokens / seconds);
  }

  tenon::Host host_;
  tenon::stages::CompletionSampler sampler_;
  tenon::Model student_, teacher_;
  tenon::Tokenizer tokenizer_;
  tenon::Dataset data_;
  tenon::Optimizer optimizer_;
  std::optional<tenon::stages::HeldOut> held_out_;
  uint64_t steps_, prompts_, samples_, micro_batch_tokens_, samples_per_step_;
};

}  // namespace

TENON_STAGE_PLUGIN(
    Distill, "distill", "0.2.0",
    "On-policy distillation: the student writes, and learns from the teacher's log-probabilities of it.",
    tenon::reference("model", "model", nullptr, "The student, which is trained; `from` fills it in.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::reference("teacher", "model", nullptr,
                     "Whose log-probabilities the student learns, most often an earlier stage. It has the "
                     "student's tokenizer and does not change.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::reference("data", "dataset", nullptr, "Prompts.", {.flags = TENON_O_REQUIRED}),
    tenon::stages::kOptimizerOption, tenon::stages::kSamplerOption,
    tenon::reference("rewards", "reward", nullptr,
                     "Rewards whose means are metrics. Nothing is learnt from them.", {.flags = TENON_O_LIST},
                     tenon::stages::kRewardChildren),
    tenon::integer("steps", nullptr, "Optimizer steps, each on new samples.",
                   {.min = "1", .max = "1000000000", .unit = "steps", .flags = TENON_O_REQUIRED}),
    tenon::integer("prompts", "64", "Prompts of one step.",
                   {.min = "1", .max = "1000000", .unit = "prompts"}),
    tenon::integer("samples", "1", "Completions of each prompt.",
                   {.min = "1", .max = "65536", .unit = "completions"}),
    tenon::stages::kMicroBatchOption,
    tenon::number("temperature", "1",
                  "Of sampling; log-probabilities of both models are taken at the same temperature.",
                  {.min = "0.01", .max = "100"}),
    tenon::stages::kMaxNewTokensOption, tenon::stages::kOverlapRewardsOption, tenon::stages::kHeldOutOption,
    tenon::integer("samples_per_step", "4", "Completions of a step written to samples.jsonl; 0: none.",
                   {.min = "0", .max = "1000000"}))
