// The stage `mlm-nsp`: BERT's pre-training, masked tokens and next sentences.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "examples.h"
#include "stage_support/row_check.h"
#include "stage_support/step.h"
#include "stage_support/supervised.h"

namespace tenon::mlm_nsp {
namespace {

using stages::HeldOutNumbers;
using stages::HeldOutRows;

// The model's extension.
class MaskedModel {
 public:
  explicit MaskedModel(const Host& host) : model_(host.get_component<Model>("model")) {
    const tenon_ref& ref = *model_.ref();
    table_ = TENON_FN(ref.life, tenon_life, extension)
                 ? static_cast<const tenon_masked_lm*>(ref.life->extension(ref.self, TENON_EXT_MASKED_LM))
                 : nullptr;
    if (!TENON_FN(table_, tenon_masked_lm, info) || !TENON_FN(table_, tenon_masked_lm, pass))
      throw Error(TENON_E_INVALID, "model: " + std::string(ref.name) + " (" + ref.id +
                                       ") does not predict masked tokens: give a model that reads in both "
                                       "directions, {use: encoder, …}");
  }
  const Model& model() const { return model_; }
  tenon_masked_lm_info info() const {
    tenon_masked_lm_info info{};
    info.struct_size = sizeof info;
    ErrorBuffer err;
    err.check(table_->info(model_.ref()->self, &info, err));
    return info;
  }
  void pass(const tenon_call* call, const tenon_masked_batch& batch, const float* d_logprob,
            const float* d_next, tenon_masked_out out) const {
    out.struct_size = sizeof out;
    ErrorBuffer err;
    err.check(table_->pass(model_.ref()->self, call, &batch, d_logprob, d_next, &out, err));
  }

 private:
  Model model_;
  const tenon_masked_lm* table_;
};

// Examples as columns.
struct Packed {
  Ragged<int32_t> ids;
  std::vector<uint8_t> segment;
  std::vector<int32_t> target, next;
  explicit Packed(std::span<const Example> examples) {
    for (const Example& e : examples) {
      ids.push(e.ids);
      segment.insert(segment.end(), e.segment.begin(), e.segment.end());
      target.insert(target.end(), e.target.begin(), e.target.end());
      next.push_back(e.next);
    }
  }
  tenon_masked_batch raw() const {
    return {sizeof(tenon_masked_batch), 0, ids.raw(), segment.data(), target.data(), next.data()};
  }
};

// Sums over masked tokens and over pairs.
struct Tally {
  double masked_loss = 0, masked_right = 0, masked = 0, next_loss = 0, next_right = 0, pairs = 0, tokens = 0;
  double mlm_loss() const { return masked_loss / masked; }
  double mlm_accuracy() const { return masked_right / masked; }
  double nsp_loss() const { return next_loss / pairs; }
  double nsp_accuracy() const { return next_right / pairs; }
};

class MlmNsp {
 public:
  explicit MlmNsp(Host host)
      : host_(host),
        model_(host),
        tokenizer_(host.get_component<Tokenizer>("model.tokenizer")),
        data_(host.get_component<Dataset>("data")),
        optimizer_(host.get_component<Optimizer>("optimizer")),
        separator_(host.str("separator")),
        rules_{model_.info(), static_cast<uint64_t>(host.i64("segment_sentences")), host.f64("mask_rate"),
               ordinary_ids(tokenizer_, model_.info())},
        steps_(static_cast<uint64_t>(host.i64("steps"))),
        batch_(static_cast<uint64_t>(host.i64("batch"))),
        micro_batch_tokens_(static_cast<uint64_t>(host.i64("micro_batch_tokens"))) {
    if (rules_.model.max_len < 5)
      throw Error(TENON_E_INVALID, "model: its max_len of " + std::to_string(rules_.model.max_len) +
                                       " leaves no room for two segments and three special tokens");
    if (rules_.ordinary.empty())
      throw Error(TENON_E_INVALID, "model.tokenizer: it has no tokens but the special ones");
    stages::check_optimizer_steps(optimizer_, steps_);
    auto try_row = [this](const Row& row) { read_document(row, tokenizer_, separator_); };
    stages::check_rows(host, "data", "model.tokenizer", UINT64_MAX, try_row);
    require_two(data_, "data");
    held_out_ = HeldOutRows::of(
        host, model_.model(), HeldOutRows::By::kLoss, try_row,
        [this](const tenon_call* call, const Dataset& data, uint64_t n) { return judge(call, data, n); });
    if (held_out_) require_two(held_out_->data(), "held_out.data");
  }

  static void check(Host host, Findings& findings) {
    if (host.str("separator").empty())
      findings.error("separator", "is empty: give the text that parts sentences, such as \"\\n\"");
    HeldOutRows::check(host, findings);
    if (stages::has_held_out(host) && host.i64("held_out.rows") < 2)
      findings.error("held_out.rows", "a pair may need two documents: give 2 at least");
  }

  void run(const tenon_call* call, const StageIo& io) {
    io.begin(steps_);
    io.bind("optimizer", "model", steps_);
    stages::train(call, io, steps_, held_out_, [&](const tenon_call* now, uint64_t s) {
      step(now, s);
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
  // Streams of random numbers: one a step, and behind them one a batch of the data set `held_out`.
  static constexpr uint64_t kHeldOutStream = uint64_t{1} << 63;

  static void require_two(const Dataset& data, const std::string& option) {
    if (data.count() < 2)
      throw Error(TENON_E_INVALID, option + ": it has " + std::to_string(data.count()) +
                                       (data.count() == 1 ? " row" : " rows") +
                                       ", and a pair may need two documents");
  }

  std::vector<Example> examples(const std::vector<Row>& rows, uint64_t stream) const {
    if (rows.size() < 2)
      throw Error(TENON_E_INVALID, "the data set gave " + std::to_string(rows.size()) +
                                       " rows for a batch, and a pair may need two documents");
    std::vector<Document> documents;
    for (const Row& row : rows)
      documents.push_back(stages::about_row(row, [&] { return read_document(row, tokenizer_, separator_); }));
    std::vector<Example> out;
    for (size_t i = 0; i < documents.size(); ++i) {
      Draws draws(host_, stream, i);
      out.push_back(make_pair(documents, i, rules_, draws));
      mask_tokens(rules_, draws, out.back());
    }
    return out;
  }

  // Examples that go through the model together: neighbours, of at most micro_batch_tokens.
  template <class F>
  void for_parts(const tenon_call* call, std::span<const Example> all, F&& use) const {
    for (size_t begin = 0; begin < all.size();) {
      size_t end = begin, tokens = 0;
      while (end < all.size() && (end == begin || tokens + all[end].ids.size() <= micro_batch_tokens_))
        tokens += all[end++].ids.size();
      host_.throw_if_cancelled(call);
      use(Packed(all.subspan(begin, end - begin)));
      begin = end;
    }
  }

  // The forward, and with slopes above 0 the backward of slope_masked · Σ masked losses + slope_pair · Σ losses of pairs.
  void pass(const tenon_call* call, const Packed& part, double slope_masked, double slope_pair,
            Tally& tally) const {
    const size_t n = part.target.size(), pairs = part.next.size();
    const bool trains = slope_masked > 0;
    std::vector<float> logprob(n), next_logprob(pairs), d_logprob,
        d_next(pairs, static_cast<float>(-slope_pair));
    std::vector<int32_t> most_likely(n);
    for (int32_t target : part.target)
      d_logprob.push_back(target < 0 ? 0.0f : static_cast<float>(-slope_masked));
    model_.pass(call, part.raw(), trains ? d_logprob.data() : nullptr, trains ? d_next.data() : nullptr,
                {sizeof(tenon_masked_out), 0, logprob.data(), most_likely.data(), next_logprob.data()});
    for (size_t t = 0; t < n; ++t) {
      if (part.target[t] < 0) continue;
      tally.masked_loss -= static_cast<double>(logprob[t]);
      tally.masked_right += most_likely[t] == part.target[t] ? 1 : 0;
      ++tally.masked;
    }
    for (float lp : next_logprob) {
      tally.next_loss -= static_cast<double>(lp);
      tally.next_right += lp > std::log(0.5f) ? 1 : 0;
      ++tally.pairs;
    }
    tally.tokens += static_cast<double>(n);
  }

  // The loss is the mean over the masked tokens of the batch and, added to it, the mean over its pairs.
  void step(const tenon_call* call, uint64_t s) const {
    const stages::Stopwatch watch;
    std::vector<Example> batch;
    {
      const Timed timed(host_, "data");
      batch = examples(data_.next(call, batch_), s);
    }
    double masked = 0;
    for (const Example& e : batch)
      masked += static_cast<double>(
          std::count_if(e.target.begin(), e.target.end(), [](int32_t t) { return t >= 0; }));
    Tally tally;
    {
      const Timed timed(host_, "update");
      model_.model().zero_grad(call);
      for_parts(call, batch, [&](const Packed& part) {
        pass(call, part, 1 / masked, 1 / static_cast<double>(batch.size()), tally);
      });
      if (!std::isfinite(tally.masked_loss + tally.next_loss))
        throw Error(TENON_E_INVALID,
                    "the loss is not finite: lower the optimizer's learning_rate, or clip more");
      const tenon_optimizer_stats stats = stages::optimizer_step(call, model_.model(), optimizer_, s + 1);
      host_.metric("grad_norm", stats.grad_norm);
      host_.metric("learning_rate", stats.learning_rate);
    }
    host_.metric("loss", tally.mlm_loss() + tally.nsp_loss());
    host_.metric("mlm_loss", tally.mlm_loss());
    host_.metric("mlm_accuracy", tally.mlm_accuracy());
    host_.metric("nsp_loss", tally.nsp_loss());
    host_.metric("nsp_accuracy", tally.nsp_accuracy());
    host_.metric("tokens", tally.tokens);
    host_.timing("tokens_per_second", tally.tokens / watch.seconds());
  }

  HeldOutNumbers judge(const tenon_call* call, const Dataset& data, uint64_t n) const {
    Tally tally;
    // The last batch reaches back where one row alone would be left: it would have no other document.
    for (uint64_t begin = 0; begin < n; begin += batch_) {
      const uint64_t left = n - begin, first = left == 1 ? begin - 1 : begin;
      const auto batch =
          examples(data.read(call, first, std::min(batch_, n - first)), kHeldOutStream + begin);
      for_parts(call, std::span(batch).subspan(begin - first),
                [&](const Packed& part) { pass(call, part, 0, 0, tally); });
    }
    HeldOutNumbers out;
    out.measured("loss", tally.mlm_loss() + tally.nsp_loss());
    out.measured("mlm_loss", tally.mlm_loss());
    out.measured("mlm_accuracy", tally.mlm_accuracy());
    out.measured("nsp_loss", tally.nsp_loss());
    out.measured("nsp_accuracy", tally.nsp_accuracy());
    return out;
  }

  Host host_;
  MaskedModel model_;
  Tokenizer tokenizer_;
  Dataset data_;
  Optimizer optimizer_;
  std::string separator_;
  ExampleRules rules_;
  uint64_t steps_, batch_, micro_batch_tokens_;
  std::optional<HeldOutRows> held_out_;
};

}  // namespace
}  // namespace tenon::mlm_nsp

TENON_STAGE_PLUGIN(
    tenon::mlm_nsp::MlmNsp, "mlm-nsp", "0.2.0", "BERT's pre-training: masked tokens and next sentences.",
    tenon::reference("model", "model", nullptr,
                     "What is trained; it reads in both directions (`encoder`). `from` fills it in.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::stages::kTrainDataOption, tenon::stages::kOptimizerOption,
    tenon::integer("steps", nullptr, "Optimizer steps.",
                   {.min = "1", .max = "1000000000", .unit = "steps", .flags = TENON_O_REQUIRED}),
    tenon::integer("batch", "32", "Documents per optimizer step, one pair of each.",
                   {.min = "2", .max = "1048576", .unit = "documents"}),
    tenon::stages::kMicroBatchOption,
    tenon::text("separator", "\"\\n\"", "What parts the sentences of a document; it is no part of them."),
    tenon::integer("segment_sentences", "0", "Most sentences of a segment; 0: as many as the model reads.",
                   {.min = "0", .max = "1000000", .unit = "sentences"}),
    tenon::number("mask_rate", "0.15", "Share of the tokens that are masked; at least one of each pair is.",
                  {.min = "0.001", .max = "1"}),
    tenon::stages::kHeldOutByLossOption)
