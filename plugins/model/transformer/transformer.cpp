// The model behind tenon_model_vt: parameters, passes, tapes and sessions.
// SPDX-License-Identifier: Apache-2.0
#include "transformer.h"

#include <algorithm>
#include <cstring>

#include "multi_token/multi_token.h"
#include "part.h"

namespace tenon::transformer {
namespace {

Tokenizer tokenizer_of(const Host& host) {
  return host.get_component<Tokenizer>("tokenizer");
}

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

// The host's checker has reported them; a model created without it must not go wrong silently.
void check_device(const Host& host) {
  if (host.str("device") != "cpu")
    throw Error(TENON_E_UNSUPPORTED,
                "device: " + host.str("device") +
                    ": the kernels of this version run on the CPU alone; use `device: cpu`");
  if (host.str("precision") != "f32")
    throw Error(TENON_E_UNSUPPORTED,
                "precision: " + host.str("precision") + ": this version computes in f32");
}

// A file that cannot be read is the user's to mend, not a bug; the option that names it stands first.
template <class Body>
auto reading(const Body& body) {
  try {
    return body();
  } catch (const checkpoint::FormatError& e) {
    throw Error(TENON_E_INVALID, std::string("weights: ") + e.what());
  }
}

checkpoint::Pretrained open_weights(const std::string& path) {
  return reading([&] { return checkpoint::open_pretrained(path); });
}

void read_weights(const checkpoint::Pretrained& from, Parameters& to) {
  reading([&] {
    for (const auto& tensor : checkpoint::expected_tensors(from.config)) {
      const Parameter* p = to.find(tensor.name);
      if (p == nullptr) throw Error(TENON_E_INTERNAL, "no parameter for tensor " + tensor.name);
      from.tensors->read_f32(tensor.name, to.value(p->offset));
    }
  });
}

// A column of the call at the batch's head rows; empty if it is NULL or 0 everywhere.
std::vector<float> gather(const Batch& batch, const float* column) {
  std::vector<float> out;
  if (column == nullptr) return out;
  out.resize(batch.heads.size());
  bool any = false;
  for (uint64_t i = 0; i < out.size(); ++i) {
    out[i] = column[batch.heads[i].column];
    any = any || out[i] != 0.0f;
  }
  if (!any) out.clear();
  return out;
}

// The values at the columns of those head rows that are (not) the scalar head's, 0 in the others. A token may
// have a row of each kind.
void scatter(const Batch& batch, const std::vector<float>& values, bool scalar, float* column) {
  if (column == nullptr) return;
  std::fill_n(column, batch.tokens, 0.0f);
  for (uint64_t i = 0; i < values.size(); ++i)
    if ((batch.heads[i].target < 0) == scalar) column[batch.heads[i].column] = values[i];
}

}  // namespace

Transformer::Transformer(Host host)
    : host_(host),
      tokenizer_(tokenizer_of(host)),
      options_(read_shape_options(host)),
      executor_(executor_of(host)) {
  check_device(host);
  use_one_torch_thread();
  const uint64_t ids = tokenizer_.size();
  const double std = host.f64("init_std");
  std::optional<checkpoint::Pretrained> pretrained;
  Shape shape;
  if (options_.weights) {
    pretrained.emplace(open_weights(*options_.weights));
    shape = pretrained->config;
    check_agreement(options_, shape, *options_.weights);
    check_tokenizer_size(ids, shape.vocab, *options_.weights);
  } else {
    shape = shape_from_scratch(options_, ids);
  }
  max_len_ = static_cast<uint64_t>(options_.max_len.value_or(static_cast<int64_t>(shape.context)));
  parameters_ = std::make_unique<Parameters>(shape, ids, options_.value_head, options_.scalar_head,
                                             static_cast<uint64_t>(options_.mtp_depth));
  parameters_->initialise(host, std, pretrained.has_value());
  if (pretrained) read_weights(*pretrained, *parameters_);
  network_ = std::make_unique<Network>(*parameters_, arena_, &executor_, max_len_);
  heads_ = std::make_unique<Heads>(*network_);
  for (uint64_t k = 1; k <= mtp_depth(); ++k) module_heads_.emplace_back(*network_, k);
}

void Transformer::info(tenon_model_info& out) const {
  out.heads = 1u << TENON_HEAD_LANGUAGE | (options_.value_head ? 1u << TENON_HEAD_VALUE : 0) |
              (options_.scalar_head ? 1u << TENON_HEAD_SCALAR : 0);
  out.vocab = parameters_->usable_vocab();
  out.max_len = max_len_;
  out.n_params = parameters_->numbers();
  out.n_tensors = parameters_->count();
  out.arch = parameters_->shape().architecture.c_str();
}

const Parameter& Transformer::parameter(uint64_t i) const {
  if (i >= parameters_->count())
    throw Error("parameter " + std::to_string(i) + ": the model has " + std::to_string(parameters_->count()));
  return (*parameters_)[i];
}

void Transformer::param(uint64_t i, tenon_param& out) {
  const Parameter& p = parameter(i);
  parameters_->need_gradients();
  out.flags = p.flags;
  out.name = p.name.c_str();
  out.value = &p.value;
  out.grad = &p.grad;
}

Batch Transformer::make(const tenon_tokens& tokens, bool every_row, uint64_t ahead) const {
  uint64_t n = tokens.ids.n == 0 ? 0 : tokens.ids.offsets[tokens.ids.n];
  return make_batch(tokens, {parameters_->usable_vocab(), max_len_, network_->chunk_rows(n),
                             executor_.threads, ahead, every_row});
}

void Transformer::check_heads(const tenon_tokens& tokens, const tenon_score_out& out) const {
  if (tokens.head < TENON_HEAD_LANGUAGE || tokens.head > TENON_HEAD_SCALAR)
    throw Error("head " + std::to_string(tokens.head) + " is unknown");
  if (tokens.head == TENON_HEAD_SCALAR && !options_.scalar_head)
    throw Error(TENON_E_UNSUPPORTED, "this model has no scalar head: give it `scalar_head: true`");
  if (out.value != nullptr && tokens.head != TENON_HEAD_SCALAR && !options_.value_head)
    throw Error(TENON_E_UNSUPPORTED, "this model has no value head: give it `value_head: true`");
}

void Transformer::score(const tenon_call*, const tenon_tokens& tokens, tenon_score_out& out) {
  check_heads(tokens, out);
  Batch batch = make(tokens);
  parameters_->pack(&executor_);
  Wanted wanted;
  wanted.logprob = out.logprob != nullptr;
  wanted.entropy = out.entropy != nullptr;
  wanted.value = out.value != nullptr && options_.value_head && tokens.head != TENON_HEAD_SCALAR;
  auto fill = [&](const Batch& b, const HeadState& s) {
    scatter(b, s.logprob, false, out.logprob);
    scatter(b, s.entropy, false, out.entropy);
    scatter(b, s.value, tokens.head == TENON_HEAD_SCALAR, out.value);
  };
  if (out.tape != nullptr) {
    parameters_->need_gradients();
    Graph graph(*network_, *heads_, std::move(batch), tokens.temperature, wanted);
    fill(graph.batch(), graph.outputs());
    tapes_.emplace(next_handle_, Tape{std::move(graph), changes_});
    *out.tape = next_handle_++;
    return;
  }
  const Arena::Block x = arena_.lend(batch.rows * parameters_->shape().width);
  network_->forward(batch, x.data());
  fill(batch, heads_->forward(batch, x.data(), tokens.temperature, wanted));
}

void Transformer::backward(const tenon_call*, uint64_t handle, const float* d_logprob, const float* d_entropy,
                           const float* d_value) {
  auto node = tapes_.extract(handle);
  if (node.empty())
    throw Error(TENON_E_STATE, "tape " + std::to_string(handle) +
                                   " is not open: it was used up, dropped, or never given out");
  Tape& tape = node.mapped();
  if (tape.version != changes_)
    throw Error(TENON_E_STATE, "tape " + std::to_string(handle) +
                                   " was recorded before the parameters were changed: score again");
  const Batch& batch = tape.graph.batch();
  const HeadState& outputs = tape.graph.outputs();
  HeadGradients g{gather(batch, d_logprob), gather(batch, d_entropy), gather(batch, d_value)};
  auto check = [](bool there, const std::vector<float>& gradient, const char* name) {
    if (!there && !gradient.empty())
      throw Error(TENON_E_STATE, std::string("backward is given a gradient of ") + name +
                                     ", which the score of this tape was not asked for");
  };
  check(outputs.wanted.logprob, g.logprob, "logprob");
  check(outputs.wanted.entropy, g.entropy, "entropy");
  check(!outputs.value.empty() || outputs.n == 0, g.value, "value");
  if (g.logprob.empty() && g.entropy.empty() && g.value.empty()) return;
  tape.graph.backward(std::move(g));
}

void Transformer::drop_tape(uint64_t tape) {
  tapes_.erase(tape);
}

namespace {

// The mask of the call, twice: of the sequences that a gradient flows into, and of the others.
struct SplitMask {
  std::vector<uint8_t> trained, scored;
  bool any_trained = false;

  SplitMask(const tenon_tokens& tokens, const float* d_logprob) {
    const uint64_t n = tokens.ids.n == 0 ? 0 : tokens.ids.offsets[tokens.ids.n];
    trained.assign(n, 0), scored.assign(n, 0);
    for (uint64_t i = 0; i < tokens.ids.n && tokens.mask != nullptr; ++i) {
      const uint64_t begin = tokens.ids.offsets[i], end = tokens.ids.offsets[i + 1];
      bool flows = false;
      for (uint64_t t = begin; t < end; ++t)
        flows = flows || (tokens.mask[t] != 0 && d_logprob != nullptr && d_logprob[t] != 0.0f);
      std::copy(tokens.mask + begin, tokens.mask + end,
                (flows ? trained : scored).begin() + static_cast<ptrdiff_t>(begin));
      any_trained = any_trained || flows;
    }
  }
};

}  // namespace

// Sequences without a gradient add exact zeros to every sum, so they need no backward, and no forward either
// if nobody asks for it.
void Transformer::accumulate(const tenon_call* call, const tenon_tokens& tokens, const float* d_logprob,
                             float* logprob) {
  const SplitMask split(tokens, d_logprob);
  tenon_tokens part = tokens;
  part.head = TENON_HEAD_LANGUAGE;
  part.mask = split.scored.data();
  if (logprob != nullptr) {
    tenon_score_out out{sizeof out, 0, logprob, nullptr, nullptr, nullptr};
    score(call, part, out);
  } else if (!split.any_trained) {
    make(part);  // for its errors; nothing is to be computed
  }
  if (!split.any_trained) return;

  part.mask = split.trained.data();
  Batch batch = make(part);
  parameters_->pack(&executor_);
  parameters_->need_gradients();
  const std::vector<HeadRow> heads = batch.heads;
  std::vector<float> d = gather(batch, d_logprob);
  const std::vector<float> found = transformer::accumulate(
      *network_, *heads_, std::move(batch), tokens.temperature, std::move(d), logprob != nullptr);
  for (uint64_t i = 0; i < found.size(); ++i) logprob[heads[i].column] = found[i];
}

// Without gradients of modules it is `accumulate`, and their log-probabilities, if wanted, are a forward of their own.
void Transformer::accumulate_ahead(const tenon_call* call, const tenon_tokens& tokens, const float* d_logprob,
                                   float* logprob) {
  const uint64_t n = tokens.ids.n == 0 ? 0 : tokens.ids.offsets[tokens.ids.n],
                 columns = (mtp_depth() + 1) * n;
  const bool trains_modules =
      d_logprob != nullptr && std::any_of(d_logprob + n, d_logprob + columns, [](float d) { return d != 0; });
  tenon_tokens apart = tokens;
  apart.head = TENON_HEAD_LANGUAGE;
  apart.group_id = nullptr;
  if (logprob != nullptr) std::fill_n(logprob, columns, 0.0f);
  if (!trains_modules) accumulate(call, apart, d_logprob, logprob);
  if (!trains_modules && logprob == nullptr) return;

  parameters_->pack(&executor_);
  std::vector<Visit> visits;
  std::vector<std::vector<HeadRow>> rows;
  for (uint64_t k = 0; k <= mtp_depth(); ++k) {
    Visit v{k == 0 ? *heads_ : module_heads_[k - 1], make(apart, false, k), {}};
    rows.push_back(v.batch.heads);
    if (trains_modules)
      for (const HeadRow& row : v.batch.heads) v.d_logprob.push_back(d_logprob[k * n + row.column]);
    visits.push_back(std::move(v));
  }
  if (visits[0].batch.rows == 0) return;
  if (trains_modules) parameters_->need_gradients();
  const auto found = trains_modules ? transformer::accumulate(*network_, std::move(visits),
                                                              tokens.temperature, logprob != nullptr)
                                    : modules_forward(*network_, visits, tokens.temperature);
  for (uint64_t k = 0; k < found.size() && logprob != nullptr; ++k)
    for (uint64_t i = 0; i < found[k].size(); ++i) logprob[k * n + rows[k][i].column] = found[k][i];
}

void Transformer::zero_grad(const tenon_call*) {
  parameters_->zero_gradients(&executor_);
}

void Transformer::finish_grad(const tenon_call*) {
  parameters_->need_gradients();
  parameters_->finish_gradients(&executor_);
}

void Transformer::params_updated(const tenon_call*, uint64_t version) {
  version_ = version;
  ++changes_;
  parameters_->changed();
}

uint64_t Transformer::session_open(const tenon_call*, uint64_t n_slots, uint64_t max_len) {
  if (n_slots == 0 || max_len == 0) throw Error("a session needs at least one slot and one token");
  if (max_len > max_len_)
    throw Error("a session of " + std::to_string(max_len) +
                " tokens is asked for; the model takes at most max_len = " + std::to_string(max_len_));
  sessions_.emplace(std::piecewise_construct, std::forward_as_tuple(next_handle_),
                    std::forward_as_tuple(*network_, n_slots, max_len));
  return next_handle_++;
}

Session& Transformer::session(uint64_t handle) {
  const auto at = sessions_.find(handle);
  if (at == sessions_.end()) throw Error(TENON_E_STATE, "session " + std::to_string(handle) + " is not open");
  return at->second;
}

void Transformer::decode(const tenon_call*, uint64_t handle, const tenon_tokens& append,
                         const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token,
                         float* logprob) {
  parameters_->pack(&executor_);
  session(handle).decode(*heads_, host_, changes_, append, sampling, sample_id, token, logprob);
}

void Transformer::session_fork(const tenon_call*, uint64_t handle, uint64_t src, uint64_t len,
                               std::span<const uint64_t> dst) {
  session(handle).fork(src, len, dst);
}

void Transformer::session_close(uint64_t handle) {
  sessions_.erase(handle);
}

void Transformer::logits(const tenon_tokens& tokens, float* out) {
  const Batch batch = make(tokens, true);
  parameters_->pack(&executor_);
  const Arena::Block x = arena_.lend(batch.rows * parameters_->shape().width);
  network_->forward(batch, x.data());
  heads_->logits(batch, x.data(), out);
}

// ---- Extensions -------------------------------------------------------------------------------------------

namespace {

Transformer& of(void* self) {
  return *static_cast<Transformer*>(self);
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
constexpr tenon_export kExport{
    sizeof(tenon_export), 0,
    [](void* self, const tenon_call*, const char* folder, const char* dtype, tenon_error* err) {
      return guard(err, [&] { of(self).write(folder, dtype); });
    }};
constexpr tenon_logits kLogits{
    sizeof(tenon_logits), 0,
    [](void* self, const tenon_call*, const tenon_tokens* tokens, float* out, tenon_error* err) {
      return guard(err, [&] { of(self).logits(*tokens, out); });
    }};

constexpr tenon_multi_token kMultiToken{
    sizeof(tenon_multi_token), 0, [](void* self) { return of(self).mtp_depth(); },
    [](void* self, const tenon_call* call, const tenon_tokens* tokens, const float* d_logprob, float* logprob,
       tenon_error* err) {
      return guard(err, [&] { of(self).accumulate_ahead(call, *tokens, d_logprob, logprob); });
    }};

}  // namespace

const void* Transformer::extension(std::string_view id) {
  if (id == TENON_EXT_STATE_TENSORS) return &kStateTensors;
  if (id == TENON_EXT_EXPORT) return &kExport;
  if (id == TENON_EXT_LOGITS) return &kLogits;
  if (id == TENON_EXT_MULTI_TOKEN) return &kMultiToken;
  return nullptr;
}

}  // namespace tenon::transformer

extern "C" const tenon_transformer_part* tenon_transformer_part_v1(void) {
  using tenon::transformer::Transformer;
  static constexpr tenon_transformer_part part{TENON_TRANSFORMER_VERSION, &tenon::Life<Transformer>::kTable,
                                               &tenon::ModelShim<Transformer>::kTable};
  return &part;
}
