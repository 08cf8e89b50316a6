// The stage `reward-model`: trains a scalar head on what people prefer.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ranking_loss.h"
#include "scalar_reading/scalar_reading.h"
#include "stage_support/preferred.h"
#include "stage_support/row_check.h"
#include "stage_support/step.h"
#include "stage_support/supervised.h"
#include "stage_support/training_length.h"

namespace tenon::reward_model {
namespace {

using stages::HeldOutNumbers;
using stages::HeldOutRows;

// A row as the model reads it.
struct Example {
  std::vector<std::vector<int32_t>> texts;
  Judgement judgement;
  size_t tokens() const {
    size_t n = 0;
    for (const auto& ids : texts) n += ids.size();
    return n;
  }
};

class RewardModel {
 public:
  explicit RewardModel(Host host)
      : host_(host),
        reader_(host),
        data_(host.get_component<Dataset>("data")),
        optimizer_(host.get_component<Optimizer>("optimizer")),
        rejected_(host.str("rejected")),
        ranked_(host.str("ranked")),
        label_(host.str("label")),
        margin_(host.str_if("margin")),
        center_(host.f64("center")),
        batch_(static_cast<uint64_t>(host.i64("batch"))),
        micro_batch_tokens_(static_cast<uint64_t>(host.i64("micro_batch_tokens"))),
        length_(host, data_, optimizer_, batch_) {
    const auto can_be_used = [this](const Row& row) { example(row); };
    stages::check_rows(host, "data", "model.tokenizer", UINT64_MAX, can_be_used);
    held_out_ = HeldOutRows::of(
        host, reader_.model(), HeldOutRows::By::kOption, can_be_used,
        [this](const tenon_call* call, const Dataset& data, uint64_t n) { return judge(call, data, n); });
  }

  static void check(Host host, Findings& findings) {
    stages::TrainingLength::check(host, findings);
    HeldOutRows::check(host, findings);
  }

  void run(const tenon_call* call, const StageIo& io) {
    const uint64_t steps = length_.total_steps();
    io.begin(steps);
    io.bind("optimizer", "model", steps);
    stages::train(call, io, steps, held_out_, [&](const tenon_call* now, uint64_t s) {
      step(now, data_.next(now, batch_), s + 1);
      return s + 1;
    });
  }

  void save(Writer& w) const {
    if (held_out_) held_out_->save(w);
  }
  void load(Reader& r, uint32_t) {
    if (held_out_) held_out_->load(r);
  }

 private:
  std::vector<int32_t> read(const Row& row, const std::string& completion) const {
    try {
      return reader_.ids({row.prompt, completion, row.meta_json, row.messages_json});
    } catch (const NoReward& e) {
      throw Error(TENON_E_INVALID, e.why);
    }
  }

  // Throws Error with the reason why a row cannot be used.
  Example example(const Row& row) const {
    Example out;
    if (const auto texts = stages::best_first(row, rejected_, ranked_)) {
      for (const std::string& one : *texts) out.texts.push_back(read(row, one));
      if (json::raw_field(row.meta_json, ranked_)) {
        out.judgement = all_pairs(out.texts.size());
        return out;
      }
      out.judgement.pairs.push_back({0, 1, margin_ ? number(row, *margin_) : 0});
      if (out.texts[0] == out.texts[1])
        throw Error(TENON_E_INVALID,
                    "the completion and field \"" + rejected_ + "\" are the same to the model");
      return out;
    }
    if (row.completion.empty()) throw Error(TENON_E_INVALID, "the row has no completion");
    out.texts.push_back(read(row, row.completion));
    if (!json::raw_field(row.meta_json, label_))
      throw Error(TENON_E_INVALID,
                  "it has neither field \"" + rejected_ + "\" (the worse completion) nor \"" + ranked_ +
                      "\" (completions, best first) nor \"" + label_ + "\" (1: good, 0: bad)");
    const double label = number(row, label_);
    if (label < 0 || label > 1)
      throw Error(TENON_E_INVALID, "field \"" + label_ + "\" is not between 0 and 1");
    out.judgement.labels.push_back(label);
    return out;
  }
  static double number(const Row& row, const std::string& field) {
    const std::string text = row.meta(field).value_or("");
    if (text == "true" || text == "false") return text == "true" ? 1 : 0;
    const auto value = json::number_field(row.meta_json, field);
    if (!value || !std::isfinite(*value))
      throw Error(TENON_E_INVALID, "field \"" + field + "\" is not a number");
    return *value;
  }

  struct Tally {
    double loss = 0, right = 0, judged = 0, gap = 0, pairs = 0, score = 0, texts = 0;
    void add(const Example& one, std::span<const float> scores, double row_loss) {
      loss += row_loss;
      for (const Judgement::Pair& pair : one.judgement.pairs) {
        right += scores[pair.better] > scores[pair.worse] ? 1 : 0;
        gap += static_cast<double>(scores[pair.better]) - static_cast<double>(scores[pair.worse]);
        ++pairs, ++judged;
      }
      for (size_t i = 0; i < one.judgement.labels.size(); ++i) {
        right += (scores[i] > 0) == (one.judgement.labels[i] > 0.5) ? 1 : 0;
        ++judged;
      }
      for (const float s : scores) score += static_cast<double>(s), ++texts;
    }
  };

  // Gives each row of `rows`, whole rows of at most micro_batch_tokens together, to use(examples, scores by row, tape).
  template <class F>
  void for_parts(const tenon_call* call, const std::vector<Row>& rows, bool wants_tape, F&& use) const {
    std::vector<Example> part;
    size_t tokens = 0;
    auto flush = [&] {
      if (part.empty()) return;
      host_.throw_if_cancelled(call);
      std::vector<std::vector<int32_t>> sequences;
      for (const Example& one : part) sequences.insert(sequences.end(), one.texts.begin(), one.texts.end());
      uint64_t tape = 0;
      const std::vector<float> scores = reader_.scores(call, sequences, wants_tape ? &tape : nullptr);
      use(part, sequences, scores, tape);
      part.clear();
      tokens = 0;
    };
    for (const Row& row : rows) {
      Example one = stages::about_row(row, [&] { return example(row); });
      if (!part.empty() && tokens + one.tokens() > micro_batch_tokens_) flush();
      tokens += one.tokens();
      part.push_back(std::move(one));
    }
    flush();
  }

  // The loss is the mean over the rows of the batch.
  void step(const tenon_call* call, const std::vector<Row>& rows, uint64_t version) const {
    const stages::Stopwatch watch;
    Tally tally;
    double tokens = 0;
    {
      const Timed timed(host_, "update");
      reader_.model().zero_grad(call);
      for_parts(call, rows, true,
                [&](const std::vector<Example>& part, const std::vector<std::vector<int32_t>>& sequences,
                    const std::vector<float>& scores, uint64_t tape) {
                  std::vector<float> slope;
                  for (const Example& one : part) {
                    const auto own = std::span(scores).subspan(slope.size(), one.texts.size());
                    const Loss loss = loss_of(one.judgement, own, center_);
                    for (const double d : loss.slope)
                      slope.push_back(static_cast<float>(d / static_cast<double>(rows.size())));
                    tally.add(one, own, loss.value);
                    tokens += static_cast<double>(one.tokens());
                  }
                  reader_.backward(call, tape, sequences, slope);
                });
      if (!std::isfinite(tally.loss))
        throw Error(TENON_E_INVALID, "the loss is not finite: a score of the model is not");
      const tenon_optimizer_stats stats = stages::optimizer_step(call, reader_.model(), optimizer_, version);
      host_.metric("grad_norm", stats.grad_norm);
      host_.metric("learning_rate", stats.learning_rate);
    }
    host_.metric("loss", tally.loss / static_cast<double>(rows.size()));
    host_.metric("accuracy", tally.right / tally.judged);
    host_.metric("margin", tally.pairs > 0 ? tally.gap / tally.pairs : std::nan(""));
    host_.metric("score", tally.score / tally.texts);
    host_.metric("tokens", tokens);
    host_.timing("tokens_per_second", tokens / watch.seconds());
  }

  HeldOutNumbers judge(const tenon_call* call, const Dataset& data, uint64_t n) const {
    Tally tally;
    for (uint64_t begin = 0; begin < n; begin += batch_)
      for_parts(call, data.read(call, begin, std::min(batch_, n - begin)), false,
                [&](const std::vector<Example>& part, const std::vector<std::vector<int32_t>>&,
                    const std::vector<float>& scores, uint64_t) {
                  size_t at = 0;
                  for (const Example& one : part) {
                    const auto own = std::span(scores).subspan(at, one.texts.size());
                    tally.add(one, own, loss_of(one.judgement, own, center_).value);
                    at += one.texts.size();
                  }
                });
    HeldOutNumbers out;
    out.measured("loss", tally.loss / static_cast<double>(n));
    out.measured("accuracy", tally.right / tally.judged);
    return out;
  }

  Host host_;
  scalar_reading::Reader reader_;
  Dataset data_;
  Optimizer optimizer_;
  std::string rejected_, ranked_, label_;
  std::optional<std::string> margin_;
  double center_;
  uint64_t batch_, micro_batch_tokens_;
  stages::TrainingLength length_;
  std::optional<HeldOutRows> held_out_;
};

}  // namespace
}  // namespace tenon::reward_model

TENON_STAGE_PLUGIN(
    tenon::reward_model::RewardModel, "reward-model", "0.2.0",
    "Trains a scalar head on pairs, rankings or labels of completions.",
    tenon::reference("model", "model", nullptr, "What is trained; it has a scalar head. `from` fills it in.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::stages::kTrainDataOption, tenon::stages::kOptimizerOption, tenon::stages::kEpochsOption,
    tenon::stages::kStepsOption,
    tenon::integer("batch", "32", "Rows per optimizer step.", {.min = "1", .max = "1048576", .unit = "rows"}),
    tenon::stages::kMicroBatchOption, tenon::stages::kRejectedOption, tenon::stages::kRankedOption,
    tenon::text("label", "\"label\"",
                "Field of the row's meta that says whether its completion is good: 1 or true, 0 or false."),
    tenon::text("margin", nullptr, "Field of the row's meta with the margin of a pair. Left out: none."),
    tenon::number("center", "0",
                  "Factor of the squared sum of a pair's scores in the loss, which keeps scores near 0; TRL "
                  "recommends 0.01.",
                  {.min = "0", .max = "1000"}),
    tenon::stages::kHeldOutByOption, tenon::scalar_reading::kFormatOption,
    tenon::scalar_reading::kRegionOption, tenon::scalar_reading::kQuestionOption)
