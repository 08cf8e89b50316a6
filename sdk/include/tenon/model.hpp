// Models and samplers, as a stage or a sampler uses them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "tenon/plugin.hpp"

namespace tenon {

// A model to use. All calls throw Error; threads as in abi.h.
class Model {
 public:
  static constexpr const char* kKind = "model";
  explicit Model(const tenon_ref& ref) : ref_(ref), vt_(static_cast<const tenon_model_vt*>(ref.vt)) {}
  const tenon_ref* ref() const { return &ref_; }
  const tenon_model_vt& vt() const { return *vt_; }

  tenon_model_info info() const {
    tenon_model_info info{};
    info.struct_size = sizeof info;
    ErrorBuffer err;
    err.check(vt_->info(ref_.self, &info, err));
    return info;
  }
  // `tape` (may be null) receives a handle for backward or drop_tape.
  void score(const tenon_call* call, const tenon_tokens& tokens, float* logprob, float* entropy, float* value, uint64_t* tape) const {
    tenon_score_out out{sizeof out, 0, logprob, entropy, value, tape};
    ErrorBuffer err;
    err.check(vt_->score(ref_.self, call, &tokens, &out, err));
  }
  void backward(const tenon_call* call, uint64_t tape, const float* d_logprob, const float* d_entropy, const float* d_value) const {
    ErrorBuffer err;
    err.check(vt_->backward(ref_.self, call, tape, d_logprob, d_entropy, d_value, err));
  }
  void accumulate(const tenon_call* call, const tenon_tokens& tokens, const float* d_logprob, float* logprob_out) const {
    ErrorBuffer err;
    err.check(vt_->accumulate(ref_.self, call, &tokens, d_logprob, logprob_out, err));
  }
  void zero_grad(const tenon_call* call) const {
    ErrorBuffer err;
    err.check(vt_->zero_grad(ref_.self, call, err));
  }
  void finish_grad(const tenon_call* call) const {
    ErrorBuffer err;
    err.check(vt_->finish_grad(ref_.self, call, err));
  }
  void params_updated(const tenon_call* call, uint64_t version) const {
    ErrorBuffer err;
    err.check(vt_->params_updated(ref_.self, call, version, err));
  }
  uint64_t session_open(const tenon_call* call, uint64_t n_slots, uint64_t max_len) const {
    uint64_t session = 0;
    ErrorBuffer err;
    err.check(vt_->session_open(ref_.self, call, n_slots, max_len, &session, err));
    return session;
  }
  // sampling null: no token is drawn.
  void decode(const tenon_call* call, uint64_t session, const tenon_tokens& append, const tenon_sampling* sampling, const uint64_t* sample_id,
              int32_t* token, float* logprob) const {
    ErrorBuffer err;
    err.check(vt_->decode(ref_.self, call, session, &append, sampling, sample_id, token, logprob, err));
  }
  void session_fork(const tenon_call* call, uint64_t session, uint64_t src, uint64_t len, std::span<const uint64_t> dst) const {
    ErrorBuffer err;
    err.check(vt_->session_fork(ref_.self, call, session, src, len, dst.data(), dst.size(), err));
  }
  void session_close(uint64_t session) const { vt_->session_close(ref_.self, session); }

 private:
  tenon_ref ref_;
  const tenon_model_vt* vt_;
};

// The shim for authors of models: T has the methods of tenon_model_vt with the same arguments less `self` and `err`, returning void (session_open:
// the handle) and throwing Error.
template <class T>
struct ModelShim {
  static constexpr const char* kKind = "model";
  static T& of(void* self) { return *static_cast<T*>(self); }
  static int32_t info(void* s, tenon_model_info* o, tenon_error* e) {
    return guard(e, [&] { of(s).info(*o); });
  }
  static int32_t param(void* s, uint64_t i, tenon_param* o, tenon_error* e) {
    return guard(e, [&] { of(s).param(i, *o); });
  }
  static int32_t score(void* s, const tenon_call* c, const tenon_tokens* t, tenon_score_out* o, tenon_error* e) {
    return guard(e, [&] { of(s).score(c, *t, *o); });
  }
  static int32_t backward(void* s, const tenon_call* c, uint64_t tape, const float* dl, const float* de, const float* dv, tenon_error* e) {
    return guard(e, [&] { of(s).backward(c, tape, dl, de, dv); });
  }
  static void drop_tape(void* s, uint64_t tape) {
    guard_logged(s, "drop_tape", [&] { of(s).drop_tape(tape); });
  }
  static int32_t accumulate(void* s, const tenon_call* c, const tenon_tokens* t, const float* dl, float* lp, tenon_error* e) {
    return guard(e, [&] { of(s).accumulate(c, *t, dl, lp); });
  }
  static int32_t zero_grad(void* s, const tenon_call* c, tenon_error* e) {
    return guard(e, [&] { of(s).zero_grad(c); });
  }
  static int32_t finish_grad(void* s, const tenon_call* c, tenon_error* e) {
    return guard(e, [&] { of(s).finish_grad(c); });
  }
  static int32_t params_updated(void* s, const tenon_call* c, uint64_t version, tenon_error* e) {
    return guard(e, [&] { of(s).params_updated(c, version); });
  }
  static int32_t session_open(void* s, const tenon_call* c, uint64_t n, uint64_t len, uint64_t* o, tenon_error* e) {
    return guard(e, [&] { *o = of(s).session_open(c, n, len); });
  }
  static int32_t decode(void* s, const tenon_call* c, uint64_t session, const tenon_tokens* t, const tenon_sampling* p, const uint64_t* id,
                        int32_t* token, float* lp, tenon_error* e) {
    return guard(e, [&] { of(s).decode(c, session, *t, p, id, token, lp); });
  }
  static int32_t session_fork(void* s, const tenon_call* c, uint64_t session, uint64_t src, uint64_t len, const uint64_t* dst, uint64_t n,
                              tenon_error* e) {
    return guard(e, [&] { of(s).session_fork(c, session, src, len, std::span<const uint64_t>(dst, n)); });
  }
  static void session_close(void* s, uint64_t session) {
    guard_logged(s, "session_close", [&] { of(s).session_close(session); });
  }
  static constexpr tenon_model_vt kTable{sizeof(tenon_model_vt), 0,         info,           param,        score,  backward,     drop_tape,    accumulate,
                                         zero_grad,              finish_grad, params_updated, session_open, decode, session_fork, session_close};
};

// A finished completion.
struct Completion {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;  // log-softmax(z/τ) before any filter
  int32_t finish = 0;           // TENON_FINISH_…
};

// A sampler to use.
class Sampler {
 public:
  static constexpr const char* kKind = "sampler";
  explicit Sampler(const tenon_ref& ref) : self_(ref.self), vt_(static_cast<const tenon_sampler_vt*>(ref.vt)) {}
  // Completes every prompt; result i belongs to prompt i. `done(i, completion)` is called as completion i arrives.
  template <class Done>
  std::vector<Completion> generate(const tenon_call* call, const Model& model, const tenon_generate_in& in, Done&& done) const {
    struct Context {
      std::vector<Completion> out;
      std::remove_reference_t<Done>* done;
      Caught caught;
    } ctx{std::vector<Completion>(in.n), &done, {}};
    tenon_generate_out out{sizeof out, 0, &ctx, [](void* c, uint64_t i, const int32_t* ids, const float* lp, uint64_t len, int32_t finish) -> int32_t {
                             auto& to = *static_cast<Context*>(c);
                             return to.caught.run([&] {
                               if (len == 0 || (finish != TENON_FINISH_STOP && finish != TENON_FINISH_LENGTH) || to.out.at(i).finish != 0)
                                 throw Error(TENON_E_INTERNAL, "completion " + std::to_string(i) + " is empty, has no known finish or came twice");
                               to.out.at(i) = {{ids, ids + len}, {lp, lp + len}, finish};
                               (*to.done)(i, std::as_const(to.out[i]));
                             });
                           }};
    ErrorBuffer err;
    int32_t code = vt_->generate(self_, call, model.ref(), &in, &out, err);
    ctx.caught.rethrow();
    err.check(code);
    for (uint64_t i = 0; i < in.n; ++i)
      if (ctx.out[i].finish == 0) throw Error(TENON_E_INTERNAL, "the sampler lost completion " + std::to_string(i) + " of " + std::to_string(in.n));
    return std::move(ctx.out);
  }

 private:
  void* self_;
  const tenon_sampler_vt* vt_;
};

// T: constructor T(Host); `void generate(const tenon_call*, const Model&, const tenon_generate_in&, const tenon_generate_out&)`.
template <class T>
struct SamplerShim {
  static constexpr const char* kKind = "sampler";
  static int32_t generate(void* self, const tenon_call* call, const tenon_ref* model, const tenon_generate_in* in, const tenon_generate_out* out,
                          tenon_error* err) {
    return guard(err, [&] { static_cast<T*>(self)->generate(call, Model(*model), *in, *out); });
  }
  static constexpr tenon_sampler_vt kTable{sizeof(tenon_sampler_vt), 0, generate};
};

}  // namespace tenon

#define TENON_SAMPLER_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, SamplerShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
