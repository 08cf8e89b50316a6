// The model behind tenon_model_vt: parameters, passes, tapes and sessions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "graph.h"
#include "session.h"
#include "tenon/sdk.hpp"

namespace tenon::transformer {

// Not thread safe: one call at a time, as the ABI says.
class Transformer {
 public:
  explicit Transformer(Host host);

  void info(tenon_model_info& out) const;
  void param(uint64_t i, tenon_param& out);
  void score(const tenon_call* call, const tenon_tokens& tokens, tenon_score_out& out);
  void backward(const tenon_call* call, uint64_t tape, const float* d_logprob, const float* d_entropy,
                const float* d_value);
  void drop_tape(uint64_t tape);
  void accumulate(const tenon_call* call, const tenon_tokens& tokens, const float* d_logprob, float* logprob);
  // tenon_multi_token.
  uint64_t mtp_depth() const { return parameters_->modules.size(); }
  void accumulate_ahead(const tenon_call* call, const tenon_tokens& tokens, const float* d_logprob,
                        float* logprob);
  void zero_grad(const tenon_call* call);
  void finish_grad(const tenon_call* call);
  void params_updated(const tenon_call* call, uint64_t version);
  uint64_t session_open(const tenon_call* call, uint64_t n_slots, uint64_t max_len);
  void decode(const tenon_call* call, uint64_t session, const tenon_tokens& append,
              const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token, float* logprob);
  void session_fork(const tenon_call* call, uint64_t session, uint64_t src, uint64_t len,
                    std::span<const uint64_t> dst);
  void session_close(uint64_t session);

  const void* extension(std::string_view id);
  void logits(const tenon_tokens& tokens, float* out);
  const Parameter& parameter(uint64_t i) const;
  uint64_t parameters() const { return parameters_->count(); }
  // Writes config.json, model.safetensors and, of weights from a Hugging Face folder, the tokenizer's files.
  // dtype: "f32", "bf16", "f16".
  void write(const std::string& folder, const std::string& dtype) const;

 private:
  struct Tape {
    Graph graph;
    uint64_t version;  // of the parameters it was recorded with
  };
  Batch make(const tenon_tokens& tokens, bool every_row = false, uint64_t ahead = 0) const;
  void check_heads(const tenon_tokens& tokens, const tenon_score_out& out) const;
  Session& session(uint64_t handle);

  Host host_;
  Tokenizer tokenizer_;
  ShapeOptions options_;
  tenon_executor executor_{};
  Arena arena_;
  uint64_t max_len_ = 0;
  std::unique_ptr<Parameters> parameters_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Heads> heads_;
  std::vector<Heads> module_heads_;
  uint64_t version_ = 0, changes_ = 0, next_handle_ = 1;
  std::map<uint64_t, Tape> tapes_;
  std::map<uint64_t, Session> sessions_;
};

}  // namespace tenon::transformer
