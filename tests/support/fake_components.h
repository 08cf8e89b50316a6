// Small components for tests of plugins: a model whose numbers can be recomputed by hand, and the naive version of everything around it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "support/fake_host.h"

namespace tenon::test {

// A reference to `object`, an instance of a class with the vtable of Shim (RewardShim<T>, …). No life but its extensions.
template <class Shim, class T>
tenon_ref ref_to(T& object, const char* id, const char* name = "fake") {
  static constexpr tenon_life life = [] {
    tenon_life l{};
    l.struct_size = sizeof l;
    if constexpr (requires(T & t) { t.extension(std::string_view()); })
      l.extension = [](void* self, const char* what) -> const void* {
        return static_cast<T*>(self)->extension(what);
      };
    return l;
  }();
  return {sizeof(tenon_ref),
          TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT,
          &object,
          &Shim::kTable,
          id,
          name,
          &life};
}

// A language model whose logits are z_j(t) = W[x_{t-1}][j] + 0.5·cos(h + j), h being a hash of all of x_{<t}, so that a token that is lost, doubled
// or put into the wrong slot shows. Parameters: W [vocab, vocab] fp32 and, for values, V [vocab]: value(t) = V[x_{t-1}]. Everything is computed row by
// row in double, so it is batch invariant; gradients are summed in fp32 in the order of the tokens.
class HashModel {
 public:
  // W is drawn from U(-1, 1) by `seed`.
  HashModel(const FakeHost& host, uint64_t vocab, uint64_t max_len, uint64_t seed = 1);
  tenon_ref ref(const char* name = "model") { return ref_to<ModelShim<HashModel>>(*this, "hash", name); }

  std::vector<float> weight, grad;              // [vocab, vocab]
  std::vector<float> value_weight, value_grad;  // [vocab]
  uint64_t version = 0;
  bool has_value_head = true;

  // What was asked of it.
  struct Counts {
    uint64_t score = 0, backward = 0, accumulate = 0, decode = 0, open = 0, close = 0, fork = 0;
    uint64_t trained_tokens = 0;  // given to score with a tape, or to accumulate
    uint64_t appended = 0;        // tokens given to decode
    uint64_t widest = 0;          // most sequences in one decode
    uint64_t longest = 0;         // most tokens in one score or accumulate
  } counts;
  float logprob_error =
      0;  // added to what accumulate and score report, to provoke a difference from the sampler
  float value_error = 0;  // added to values

  // log-softmax(z/τ) of the token after `context` (at least one token), [vocab].
  std::vector<double> distribution(std::span<const int32_t> context, double temperature) const;

  void info(tenon_model_info& out);
  void param(uint64_t i, tenon_param& out);
  void score(const tenon_call*, const tenon_tokens& in, tenon_score_out& out);
  void backward(const tenon_call*, uint64_t tape, const float* d_logprob, const float* d_entropy,
                const float* d_value);
  void drop_tape(uint64_t tape) { tapes_.erase(tape); }
  void accumulate(const tenon_call*, const tenon_tokens& in, const float* d_logprob, float* logprob_out);
  void zero_grad(const tenon_call*);
  void finish_grad(const tenon_call*) {}
  void params_updated(const tenon_call*, uint64_t v) { version = v; }
  uint64_t session_open(const tenon_call*, uint64_t slots, uint64_t max_len);
  void decode(const tenon_call*, uint64_t session, const tenon_tokens& append, const tenon_sampling* sampling,
              const uint64_t* sample_id, int32_t* token, float* logprob);
  void session_fork(const tenon_call*, uint64_t session, uint64_t src, uint64_t len,
                    std::span<const uint64_t> dst);
  void session_close(uint64_t session);
  uint64_t open_sessions() const { return sessions_.size(); }
  uint64_t open_tapes() const { return tapes_.size(); }

 private:
  struct Tape {
    Ragged<int32_t> ids;
    std::vector<uint8_t> mask;
    float temperature;
  };
  struct Session {
    uint64_t max_len;
    std::vector<std::vector<int32_t>> slots;
  };
  Tape copy(const tenon_tokens& in) const;

  Host host_;
  uint64_t vocab_, max_len_, next_ = 1;
  std::map<uint64_t, Tape> tapes_;
  std::map<uint64_t, Session> sessions_;
  int64_t shape_[2] = {0, 0};
  DLTensor tensors_[4]{};  // weight, grad, value weight, value grad
};

// The naive sampler that judges fast ones: one sequence at a time, the whole prompt appended at once, one token per call.
struct NaiveSampler {
  void generate(const tenon_call*, const Model&, const tenon_generate_in&, const tenon_generate_out&);
  tenon_ref ref(const char* name = "sampler") {
    return ref_to<SamplerShim<NaiveSampler>>(*this, "naive", name);
  }
  uint64_t calls = 0;
};

// One id per character of `alphabet`, which starts with the end of sequence.
struct LetterTokenizer {
  std::string alphabet = "$0123456789+-=<>,abcdef";
  std::vector<int32_t> encode(std::string_view text, uint32_t flags) const;
  std::string decode(std::span<const int32_t> ids,
                     uint32_t flags) const;  // without "$" unless TENON_DECODE_SPECIAL
  std::string chat(std::string_view messages_json,
                   uint32_t flags) const;  // contents joined, "=" opens the answer
  uint64_t size() const { return alphabet.size(); }
  int64_t special(std::string_view name) const { return name == "eos" ? 0 : -1; }
  std::vector<int32_t> stop_ids() const { return {0}; }
  tenon_ref ref(const char* name = "tokenizer") {
    return ref_to<TokenizerShim<LetterTokenizer>>(*this, "letters", name);
  }
};

// Rows from memory; `next` goes round.
class RowSet {
 public:
  explicit RowSet(std::vector<Row> rows) : rows_(std::move(rows)) {}
  tenon_ref ref(const char* name = "data");
  uint64_t taken = 0;  // by next
  bool is_curriculum = false;
  struct Outcome {
    uint64_t index, n_valid;
    double mean;
  };
  std::vector<Outcome> outcomes;  // told to a curriculum
  const void* extension(std::string_view id);

 private:
  friend struct RowSetTable;
  std::vector<Row> rows_;
};

struct LambdaReward {
  std::function<double(const Sample&)> f;
  double operator()(const Sample& s) { return f(s); }
  tenon_ref ref(const char* name = "reward") {
    return ref_to<RewardShim<LambdaReward>>(*this, "lambda", name);
  }
};

// A = r − mean of the group; loss −weight·ρ·A with ρ = exp(lp_new − lp_old), plus, with a reference, beta·kl_scale·weight·k3, plus, with values, whose
// target is the total reward, weight·½(value − target)².
struct PlainReinforce {
  uint32_t needs = 0;  // TENON_NEEDS_…
  int32_t aggregation = TENON_TOKEN_MEAN;
  double beta = 0, entropy_bonus = 0;
  double slope_error = 0;     // added to dL/d lp_new
  std::vector<Rollout> seen;  // what gradient was given; not all columns
  tenon_algorithm_info info() const { return {sizeof(tenon_algorithm_info), needs, aggregation, 0, 0}; }
  void advantages(const RolloutView&, Advantages&) const;
  void gradient(const RolloutView&, Gradient&);
  tenon_ref ref(const char* name = "algorithm") {
    return ref_to<AlgorithmShim<PlainReinforce>>(*this, "plain", name);
  }
};

// w -= learning_rate · g.
struct PlainSgd {
  double learning_rate = 0.1;
  std::vector<tenon_param> params;
  uint64_t steps = 0, total_steps = 0;
  void bind(std::span<const tenon_param* const> p, uint64_t total);
  void step(const tenon_call*, tenon_optimizer_stats& stats);
  tenon_ref ref(const char* name = "sgd") { return ref_to<OptimizerShim<PlainSgd>>(*this, "sgd", name); }
};

}  // namespace tenon::test
