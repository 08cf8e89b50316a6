// The model behind tenon_model_vt: scalars of sequences, and the extension for masked tokens.
// SPDX-License-Identifier: Apache-2.0
#include "encoder.h"

#include <cmath>

namespace tenon::encoder {
namespace {

tenon_executor executor_of(const Host& host) {
  return {sizeof(tenon_executor),
          0,
          const_cast<tenon_host*>(host.raw()),
          [](void* ctx, uint64_t n, uint64_t grain, void (*fn)(void*, uint64_t, uint64_t), void* arg) {
            const auto* h = static_cast<const tenon_host*>(ctx);
            h->parallel_for(h, n, grain, fn, arg);
          },
          std::max<uint32_t>(1, host.threads()),
          0};
}

int32_t special_id(const Host& host, const Tokenizer& tokenizer, const char* option) {
  const std::string text = host.str(option);
  const int64_t id = tokenizer.special(text.c_str());
  if (id < 0)
    throw Error(TENON_E_INVALID, std::string(option) + ": the tokenizer has no token \"" + text +
                                     "\": add it to the tokenizer's vocabulary, or say here which of its "
                                     "tokens does that work");
  return static_cast<int32_t>(id);
}

Shape shape_of(const Host& host, uint64_t vocab) {
  Shape s;
  s.layers = static_cast<uint64_t>(host.i64("layers"));
  s.width = static_cast<uint64_t>(host.i64("width"));
  s.heads = static_cast<uint64_t>(host.i64("heads"));
  s.ffn = static_cast<uint64_t>(host.i64_if("ffn").value_or(4 * host.i64("width")));
  s.vocab = vocab;
  s.positions = static_cast<uint64_t>(host.i64("max_len"));
  s.eps = static_cast<float>(host.f64("norm_eps"));
  s.pre_norm = host.str("norm") == "pre";
  s.scalar_head = host.boolean("scalar_head");
  if (s.width % s.heads != 0)
    throw Error(TENON_E_INVALID, "heads: width " + std::to_string(s.width) + " is not a multiple of heads " +
                                     std::to_string(s.heads));
  return s;
}

[[noreturn]] void refuse(const char* what) {
  throw Error(
      TENON_E_UNSUPPORTED,
      std::string("model encoder reads in both directions and has no next token: ") + what +
          ". Train it with the stage mlm-nsp, or, with scalar_head: true, reward-model; for text to be "
          "generated or continued use a decoder (transformer)");
}

bool any(const uint8_t* mask, uint64_t n) {
  return mask != nullptr && std::any_of(mask, mask + n, [](uint8_t m) { return m != 0; });
}

}  // namespace

Encoder::Encoder(Host host)
    : host_(host),
      tokenizer_(host.get_component<Tokenizer>("tokenizer")),
      executor_(executor_of(host)),
      cls_(special_id(host, tokenizer_, "cls")),
      sep_(special_id(host, tokenizer_, "sep")),
      mask_(special_id(host, tokenizer_, "mask")) {
  parameters_ = std::make_unique<Parameters>(shape_of(host, tokenizer_.size()));
  parameters_->initialise(host, host.f64("init_std"));
  network_ = std::make_unique<Network>(*parameters_, &executor_);
  heads_ = std::make_unique<Heads>(*network_, *parameters_);
}

void Encoder::check(Host host, Findings& findings) {
  const int64_t width = host.i64("width"), heads = host.i64("heads");
  if (width % heads != 0)
    findings.error("heads", "width " + std::to_string(width) + " is not a multiple of heads " +
                                std::to_string(heads) + ": change one of them");
  const std::string cls = host.str("cls"), sep = host.str("sep"), mask = host.str("mask");
  if (cls == sep) findings.error("sep", "is the token that `cls` is: they must differ");
  if (mask == cls || mask == sep)
    findings.error("mask", "is the token that `cls` or `sep` is: they must differ");
}

void Encoder::info(tenon_model_info& out) const {
  const Shape& s = parameters_->shape();
  out.heads = s.scalar_head ? 1u << TENON_HEAD_SCALAR : 0;
  out.vocab = s.vocab;
  out.max_len = s.positions - 1;  // [CLS] is put before
  out.n_params = parameters_->numbers();
  out.n_tensors = parameters_->count();
  out.arch = "bert";
}

const Parameter& Encoder::parameter(uint64_t i) const {
  if (i >= parameters_->count())
    throw Error("parameter " + std::to_string(i) + ": the model has " + std::to_string(parameters_->count()));
  return (*parameters_)[i];
}

void Encoder::param(uint64_t i, tenon_param& out) {
  const Parameter& p = parameter(i);
  parameters_->need_gradients();
  out.flags = p.flags;
  out.name = p.name.c_str();
  out.value = &p.value;
  out.grad = &p.grad;
}

// ---- Batches ----------------------------------------------------------------------------------------------

void Encoder::push_token(Batch& to, int32_t id, uint64_t position, int32_t segment) const {
  const Shape& s = parameters_->shape();
  if (id < 0 || static_cast<uint64_t>(id) >= s.vocab)
    throw Error("token id " + std::to_string(id) + " is outside the vocabulary of " +
                std::to_string(s.vocab));
  if (position >= s.positions)
    throw Error("a sequence is longer than the model's max_len = " + std::to_string(s.positions) +
                ", its special tokens included");
  to.ids.push_back(id);
  to.positions.push_back(static_cast<int32_t>(position));
  to.segments.push_back(segment);
}

Batch Encoder::scored_batch(const tenon_tokens& tokens) const {
  Batch batch;
  for (uint64_t i = 0; i < tokens.ids.n; ++i) {
    const std::span<const int32_t> ids = row<int32_t>(tokens.ids, i);
    if (ids.empty()) throw Error("sequence " + std::to_string(i) + " has no token");
    push_token(batch, cls_, 0, 0);
    int32_t segment = 0;
    for (uint64_t t = 0; t < ids.size(); ++t) {
      push_token(batch, ids[t], t + 1, segment);
      if (ids[t] == sep_) segment = 1;
    }
    batch.offsets.push_back(batch.rows());
  }
  return batch;
}

Batch Encoder::masked_batch(const tenon_masked_batch& in) const {
  const auto vocab = static_cast<int64_t>(parameters_->shape().vocab);
  Batch batch;
  for (uint64_t i = 0; i < in.ids.n; ++i) {
    const std::span<const int32_t> ids = row<int32_t>(in.ids, i);
    if (ids.empty()) throw Error("sequence " + std::to_string(i) + " has no token");
    if (in.next[i] < -1 || in.next[i] > 1)
      throw Error("class " + std::to_string(in.next[i]) + " of segments: it is 0, 1 or -1");
    for (uint64_t t = 0; t < ids.size(); ++t) {
      const uint64_t column = in.ids.offsets[i] + t;
      if (in.segment[column] > 1)
        throw Error("segment " + std::to_string(in.segment[column]) + ": there are two, 0 and 1");
      if (in.target[column] < -1 || in.target[column] >= vocab)
        throw Error("target " + std::to_string(in.target[column]) + " is outside the vocabulary of " +
                    std::to_string(vocab));
      push_token(batch, ids[t], t, in.segment[column]);
    }
    batch.offsets.push_back(batch.rows());
  }
  return batch;
}

// ---- Scalars ----------------------------------------------------------------------------------------------

void Encoder::score(const tenon_call*, const tenon_tokens& tokens, tenon_score_out& out) {
  const uint64_t n = tokens.ids.n == 0 ? 0 : tokens.ids.offsets[tokens.ids.n];
  if (any(tokens.mask, n) && (out.logprob != nullptr || out.entropy != nullptr))
    refuse("it gives no log-probabilities of a text");
  if (tokens.head != TENON_HEAD_SCALAR)
    refuse("it has a scalar for a whole sequence and no other head to score with");
  if (!parameters_->shape().scalar_head)
    throw Error(TENON_E_UNSUPPORTED, "this model has no scalar head: give it `scalar_head: true`");
  for (float* column : {out.logprob, out.entropy, out.value})
    if (column != nullptr) std::fill_n(column, n, 0.0f);

  parameters_->pack(&executor_);
  Tape made;
  made.activations = network_->forward(scored_batch(tokens));
  const std::vector<uint64_t>& offsets = made.activations.batch.offsets;
  made.scalars = heads_->pooled(made.activations, parameters_->scalar, {offsets.begin(), offsets.end() - 1});
  for (uint64_t i = 0; i < tokens.ids.n; ++i) {
    made.columns.push_back(tokens.ids.offsets[i + 1] - 1);
    if (out.value != nullptr) out.value[made.columns[i]] = made.scalars.out.data()[i];
  }
  if (out.tape == nullptr) return;
  made.changes = changes_;
  tapes_.emplace(next_handle_, std::move(made));
  *out.tape = next_handle_++;
}

void Encoder::backward(const tenon_call*, uint64_t handle, const float* d_logprob, const float* d_entropy,
                       const float* d_value) {
  const auto node = tapes_.extract(handle);
  if (node.empty())
    throw Error(TENON_E_STATE, "tape " + std::to_string(handle) +
                                   " is not open: it was used up, dropped, or never given out");
  const Tape& tape = node.mapped();
  if (tape.changes != changes_)
    throw Error(TENON_E_STATE, "tape " + std::to_string(handle) +
                                   " was recorded before the parameters were changed: score again");
  if (d_logprob != nullptr || d_entropy != nullptr)
    throw Error(TENON_E_STATE, "backward is given a gradient of log-probabilities, which this model has not");
  if (d_value == nullptr) return;
  parameters_->need_gradients();
  std::vector<float> d_scalar;
  for (uint64_t column : tape.columns) d_scalar.push_back(d_value[column]);
  Floats dx(tape.activations.batch.rows() * parameters_->shape().width);
  heads_->pooled_backward(tape.scalars, parameters_->scalar, d_scalar, dx.data());
  network_->backward(tape.activations, std::move(dx));
}

// ---- Masked tokens ----------------------------------------------------------------------------------------

void Encoder::masked_info(tenon_masked_lm_info& out) const {
  out.cls = cls_, out.sep = sep_, out.mask = mask_;
  out.vocab = parameters_->shape().vocab;
  out.max_len = parameters_->shape().positions;
}

namespace {

// Log-probabilities of two classes, and their derivative with respect to the two outputs.
struct TwoClasses {
  explicit TwoClasses(const float* z)
      : lse(std::max(z[0], z[1]) + std::log1p(std::exp(-std::abs(z[0] - z[1])))),
        logprob{z[0] - lse, z[1] - lse} {}
  float lse, logprob[2];
  void slope(int32_t chosen, float d, float* dz) const {
    for (int32_t k = 0; k < 2; ++k) dz[k] = d * ((k == chosen ? 1.0f : 0.0f) - std::exp(logprob[k]));
  }
};

}  // namespace

void Encoder::masked_pass(const tenon_masked_batch& in, const float* d_logprob, const float* d_next,
                          tenon_masked_out& out) {
  parameters_->pack(&executor_);
  const Activations a = network_->forward(masked_batch(in));
  const uint64_t n = a.batch.rows();
  std::vector<uint64_t> masked_rows, asked, first_rows;
  std::vector<int32_t> target;
  for (uint64_t t = 0; t < n; ++t)
    if (in.target[t] >= 0) masked_rows.push_back(t), target.push_back(in.target[t]);
  for (uint64_t i = 0; i < in.ids.n; ++i)
    if (in.next[i] >= 0) asked.push_back(i), first_rows.push_back(a.batch.offsets[i]);

  const MaskedRows masked = heads_->masked(a, std::move(masked_rows), std::move(target));
  const PooledRows pooled = heads_->pooled(a, parameters_->next, std::move(first_rows));
  if (out.logprob != nullptr) {
    std::fill_n(out.logprob, n, 0.0f);
    for (uint64_t k = 0; k < masked.rows.size(); ++k) out.logprob[masked.rows[k]] = masked.logprob[k];
  }
  if (out.most_likely != nullptr) {
    std::fill_n(out.most_likely, n, 0);
    const std::vector<int32_t> found = heads_->most_likely(masked);
    for (uint64_t k = 0; k < found.size(); ++k) out.most_likely[masked.rows[k]] = found[k];
  }
  if (out.next_logprob != nullptr) {
    std::fill_n(out.next_logprob, in.ids.n, 0.0f);
    for (uint64_t k = 0; k < asked.size(); ++k)
      out.next_logprob[asked[k]] = TwoClasses(pooled.out.data() + 2 * k).logprob[in.next[asked[k]]];
  }
  if (d_logprob == nullptr && d_next == nullptr) return;

  parameters_->need_gradients();
  Floats dx(n * parameters_->shape().width);
  if (d_logprob != nullptr) {
    std::vector<float> d;
    for (uint64_t t : masked.rows) d.push_back(d_logprob[t]);
    heads_->masked_backward(masked, d, dx.data());
  }
  if (d_next != nullptr) {
    std::vector<float> d(2 * asked.size());
    for (uint64_t k = 0; k < asked.size(); ++k)
      TwoClasses(pooled.out.data() + 2 * k).slope(in.next[asked[k]], d_next[asked[k]], d.data() + 2 * k);
    heads_->pooled_backward(pooled, parameters_->next, d, dx.data());
  }
  network_->backward(a, std::move(dx));
}

// ---- The rest of the table --------------------------------------------------------------------------------

void Encoder::zero_grad(const tenon_call*) {
  parameters_->zero_gradients();
}

void Encoder::finish_grad(const tenon_call*) {
  parameters_->need_gradients();
  parameters_->finish_gradients();
}

void Encoder::params_updated(const tenon_call*, uint64_t) {
  ++changes_;
  parameters_->changed();
}

void Encoder::accumulate(const tenon_call*, const tenon_tokens&, const float*, float*) {
  refuse("it cannot be trained on the next one");
}
uint64_t Encoder::session_open(const tenon_call*, uint64_t, uint64_t) {
  refuse("it cannot generate");
}
void Encoder::decode(const tenon_call*, uint64_t, const tenon_tokens&, const tenon_sampling*, const uint64_t*,
                     int32_t*, float*) {
  refuse("it cannot generate");
}
void Encoder::session_fork(const tenon_call*, uint64_t, uint64_t, uint64_t, std::span<const uint64_t>) {
  refuse("it cannot generate");
}

namespace {

Encoder& of(void* self) {
  return *static_cast<Encoder*>(self);
}

constexpr tenon_state_tensors kStateTensors{
    sizeof(tenon_state_tensors), 0, [](void* self) { return of(self).parameters(); },
    [](void* self, uint64_t i, const char** name, DLTensor* view, tenon_error* err) {
      return guard(err, [&] {
        const Parameter& p = of(self).parameter(i);
        *name = p.name.c_str();
        *view = p.value;
      });
    }};
constexpr tenon_masked_lm kMaskedLm{
    sizeof(tenon_masked_lm), 0,
    [](void* self, tenon_masked_lm_info* out, tenon_error* err) {
      return guard(err, [&] { of(self).masked_info(*out); });
    },
    [](void* self, const tenon_call*, const tenon_masked_batch* batch, const float* d_logprob,
       const float* d_next, tenon_masked_out* out, tenon_error* err) {
      return guard(err, [&] { of(self).masked_pass(*batch, d_logprob, d_next, *out); });
    }};

}  // namespace

const void* Encoder::extension(std::string_view id) {
  if (id == TENON_EXT_STATE_TENSORS) return &kStateTensors;
  if (id == TENON_EXT_MASKED_LM) return &kMaskedLm;
  return nullptr;
}

}  // namespace tenon::encoder
