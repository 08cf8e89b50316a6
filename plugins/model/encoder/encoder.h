// The model behind tenon_model_vt: scalars of sequences, and the extension for masked tokens.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "heads.h"
#include "masked_lm/masked_lm.h"

namespace tenon::encoder {

// Not thread safe: one call at a time, as the ABI says.
class Encoder {
 public:
  static constexpr const char* kDoc =
      "A transformer that reads in both directions (BERT, Devlin et al. 2018, arXiv 1810.04805): embeddings "
      "of "
      "tokens, positions and segments, GELU, layer norms behind the sub-layers or before them, a pooled "
      "first "
      "token. It predicts no next token, so nothing can be generated with it. The stage mlm-nsp trains it; "
      "with "
      "scalar_head it is a reward model. Gradients have the same bits for every split into micro-batches and "
      "every "
      "number of threads. Random weights come from the run's Philox stream, keyed by the parameter's name. "
      "What "
      "differs from BERT: no dropout.";

  explicit Encoder(Host host);
  static void check(Host host, Findings& findings);

  void info(tenon_model_info& out) const;
  void param(uint64_t i, tenon_param& out);
  // Scalars of sequences alone. `[CLS]` is put before each; tokens behind the first `[SEP]` are the second segment.
  void score(const tenon_call* call, const tenon_tokens& tokens, tenon_score_out& out);
  void backward(const tenon_call* call, uint64_t tape, const float* d_logprob, const float* d_entropy,
                const float* d_value);
  void drop_tape(uint64_t tape) { tapes_.erase(tape); }
  void accumulate(const tenon_call* call, const tenon_tokens& tokens, const float* d_logprob, float* logprob);
  void zero_grad(const tenon_call* call);
  void finish_grad(const tenon_call* call);
  void params_updated(const tenon_call* call, uint64_t version);
  uint64_t session_open(const tenon_call* call, uint64_t n_slots, uint64_t max_len);
  void decode(const tenon_call* call, uint64_t session, const tenon_tokens& append,
              const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token, float* logprob);
  void session_fork(const tenon_call* call, uint64_t session, uint64_t src, uint64_t len,
                    std::span<const uint64_t> dst);
  void session_close(uint64_t) {}

  const void* extension(std::string_view id);
  void masked_info(tenon_masked_lm_info& out) const;
  void masked_pass(const tenon_masked_batch& batch, const float* d_logprob, const float* d_next,
                   tenon_masked_out& out);
  const Parameter& parameter(uint64_t i) const;
  uint64_t parameters() const { return parameters_->count(); }

 private:
  struct Tape {
    Activations activations;
    PooledRows scalars;
    std::vector<uint64_t> columns;  // where the scalars are in `value`
    uint64_t changes;
  };
  Batch scored_batch(const tenon_tokens& tokens) const;
  Batch masked_batch(const tenon_masked_batch& batch) const;
  void push_token(Batch& to, int32_t id, uint64_t position, int32_t segment) const;

  Host host_;
  Tokenizer tokenizer_;
  tenon_executor executor_{};
  int32_t cls_, sep_, mask_;
  std::unique_ptr<Parameters> parameters_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Heads> heads_;
  uint64_t changes_ = 0, next_handle_ = 1;
  std::map<uint64_t, Tape> tapes_;
};

}  // namespace tenon::encoder
