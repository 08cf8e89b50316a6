// Next-token training with the loss where the mask is 1.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/supervised.h"

#include <cmath>

#include "stage_support/row_check.h"
#include "stage_support/step.h"

namespace tenon::stages {

Supervised::Supervised(const Host& host, LossOn loss_on)
    : host_(host),
      loss_on_(loss_on),
      model_(host.get_component<Model>("model")),
      tokenizer_(host.get_component<Tokenizer>("model.tokenizer")),
      data_(host.get_component<Dataset>("data")),
      optimizer_(host.get_component<Optimizer>("optimizer")),
      batch_(static_cast<uint64_t>(host.i64("batch"))),
      micro_batch_tokens_(static_cast<uint64_t>(host.i64("micro_batch_tokens"))),
      max_len_(model_.info().max_len),
      domain_(host.str_if("domain").value_or("")) {
  require_next_token(model_);
  check_rows(host, "data", "model.tokenizer", UINT64_MAX, [this](const Row& row) { sequence(row); });
  held_out_ = HeldOutRows::of(
      host, model_, HeldOutRows::By::kLoss, [this](const Row& row) { sequence(row); },
      [this](const tenon_call* call, const Dataset& data, uint64_t n) { return judge(call, data, n); });
}

void Supervised::check_steps(uint64_t steps) const {
  check_optimizer_steps(optimizer_, steps);
}

void Supervised::run(const tenon_call* call, const StageIo& io, uint64_t steps, const Batch& batch) {
  io.begin(steps);
  io.bind("optimizer", "model", steps);
  train(call, io, steps, held_out_, [&](const tenon_call* now, uint64_t s) {
    step(now, batch ? batch(now, s) : encode(data_.next(now, batch_)), s + 1);
    return s + 1;
  });
}

void Supervised::save(Writer& w) const {
  if (held_out_) held_out_->save(w);
}

void Supervised::load(Reader& r) {
  if (held_out_) held_out_->load(r);
}

HeldOutNumbers Supervised::judge(const tenon_call* call, const Dataset& data, uint64_t n) const {
  double loss = 0, tokens = 0;
  for (uint64_t begin = 0; begin < n; begin += batch_) {
    const Rollout batch = encode(data.read(call, begin, std::min(batch_, n - begin))).rollout;
    for (const auto& rows : batch.micro_batches(micro_batch_tokens_)) {
      host_.throw_if_cancelled(call);
      const Rollout part = batch.select(rows);
      std::vector<float> logprob(part.tokens());
      model_.score(call, part.tokens_for_model(1.0f), logprob.data(), nullptr, nullptr, nullptr);
      for (uint64_t t = 0; t < part.tokens(); ++t)
        if (part.mask[t] != 0) loss -= static_cast<double>(logprob[t]), ++tokens;
    }
  }
  HeldOutNumbers out;
  out.measured("loss", loss / tokens);
  return out;
}

Encoded Supervised::encode(std::span<const Row> rows, const Instead& instead) const {
  Timed timed(host_, "data");
  if (rows.empty()) throw Error(TENON_E_INVALID, "the data set gave no rows");
  Encoded out;
  Rollout& batch = out.rollout;
  for (const Row& row : rows) {
    PromptAndCompletion text = about_row(row, [&] {
      if (instead)
        if (std::optional<PromptAndCompletion> other = instead(row)) return std::move(*other);
      return sequence(row);
    });
    uint64_t index = batch.size();
    batch.push(text.prompt, text.completion, {}, index, index, 0);
    if (!domain_.empty()) out.domains.push_back(domain_of(row.meta_json, domain_));
  }
  return out;
}

PromptAndCompletion Supervised::sequence(const Row& row) const {
  PromptAndCompletion text = encode_row(row, tokenizer_);
  if (text.completion.empty() && loss_on_ == LossOn::kAnswer)
    throw Error(
        TENON_E_INVALID,
        "there is no answer to train on: neither a `completion` nor a last message of the role assistant");
  if (text.completion.empty() || loss_on_ == LossOn::kAll) {
    // The loss is on everything but the first token, which nothing precedes.
    text.completion.insert(text.completion.begin(), text.prompt.begin() + 1, text.prompt.end());
    text.prompt.resize(1);
  }
  uint64_t length = text.prompt.size() + text.completion.size();
  if (length > max_len_)
    throw Error(TENON_E_INVALID, std::to_string(length) + " tokens, and the model's context is max_len = " +
                                     std::to_string(max_len_) +
                                     ": leave such rows out, or raise the model's max_len");
  return text;
}

void Supervised::step(const tenon_call* call, Encoded encoded, uint64_t version) const {
  Stopwatch watch;
  Rollout& batch = encoded.rollout;
  DomainMeans by_domain;
  tenon_algorithm_info info{sizeof info, 0, TENON_TOKEN_MEAN, 0, 0};
  loss_weights(host_, info, batch);
  double loss = 0, tokens = 0;
  {
    Timed timed(host_, "update");
    model_.zero_grad(call);
    for (const auto& rows : batch.micro_batches(micro_batch_tokens_)) {
      host_.throw_if_cancelled(call);
      Rollout part = batch.select(rows);
      std::vector<float> d_logprob(part.tokens()), logprob(part.tokens());
      for (uint64_t t = 0; t < part.tokens(); ++t) d_logprob[t] = static_cast<float>(-part.weight[t]);
      if (accumulate_)
        accumulate_(call, part, d_logprob.data(), logprob.data());
      else
        model_.accumulate(call, part.tokens_for_model(1.0f), d_logprob.data(), logprob.data());
      for (uint64_t t = 0; t < part.tokens(); ++t)
        if (part.mask[t] != 0) loss -= part.weight[t] * static_cast<double>(logprob[t]), ++tokens;
      for (uint64_t i = 0; i < part.size() && !encoded.domains.empty(); ++i)
        for (uint64_t t = part.ids.offsets[i]; t < part.ids.offsets[i + 1]; ++t)
          if (part.mask[t] != 0) by_domain.add(encoded.domains[rows[i]], -static_cast<double>(logprob[t]), 1);
    }
    if (tokens == 0)
      throw Error(TENON_E_INVALID, "none of the " + std::to_string(batch.size()) +
                                       " rows of this batch has a token to train on");
    tenon_optimizer_stats stats = optimizer_step(call, model_, optimizer_, version);
    host_.metric("grad_norm", stats.grad_norm);
    host_.metric("learning_rate", stats.learning_rate);
  }
  host_.metric("loss", loss);
  by_domain.record(host_, "loss");
  host_.metric("perplexity", std::exp(loss));
  host_.metric("tokens", tokens);
  host_.timing("tokens_per_second", static_cast<double>(batch.tokens()) / watch.seconds());
}

}  // namespace tenon::stages
