// The fake components' arithmetic: double, row by row, nothing clever.
// SPDX-License-Identifier: Apache-2.0
#include "support/fake_components.h"

#include <algorithm>
#include <cmath>

namespace tenon::test {

HashModel::HashModel(const FakeHost& host, uint64_t vocab, uint64_t max_len, uint64_t seed)
    : weight(vocab * vocab),
      grad(vocab * vocab),
      value_weight(vocab),
      value_grad(vocab),
      host_(host.raw()),
      vocab_(vocab),
      max_len_(max_len) {
  std::vector<uint64_t> bits(weight.size() + vocab);
  host_.rng(seed, 0, 0, bits.data(), bits.size());
  auto uniform = [](uint64_t b) {
    return static_cast<float>(static_cast<double>(b >> 11) * 0x1p-53 * 2 - 1);
  };
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = uniform(bits[i]);
  for (size_t i = 0; i < vocab; ++i) value_weight[i] = uniform(bits[weight.size() + i]);
  shape_[0] = shape_[1] = static_cast<int64_t>(vocab);
  float* data[4] = {weight.data(), grad.data(), value_weight.data(), value_grad.data()};
  for (int i = 0; i < 4; ++i) {
    tensors_[i].data = data[i];
    tensors_[i].device = {kDLCPU, 0};
    tensors_[i].ndim = i < 2 ? 2 : 1;
    tensors_[i].dtype = {kDLFloat, 32, 1};
    tensors_[i].shape = shape_;
  }
}

namespace {
uint64_t hash_of(std::span<const int32_t> ids) {
  uint64_t h = 1469598103934665603ull;
  for (int32_t id : ids) h = (h ^ static_cast<uint64_t>(id)) * 1099511628211ull;
  return h;
}
}  // namespace

std::vector<double> HashModel::distribution(std::span<const int32_t> context, double temperature) const {
  std::vector<double> z(vocab_);
  const float* row = weight.data() + static_cast<uint64_t>(context.back()) * vocab_;
  double h = static_cast<double>(hash_of(context) % 1000) * 0.01;
  for (uint64_t j = 0; j < vocab_; ++j)
    z[j] = (static_cast<double>(row[j]) + 0.5 * std::cos(h + static_cast<double>(j))) / temperature;
  double top = *std::max_element(z.begin(), z.end()), sum = 0;
  for (double v : z) sum += std::exp(v - top);
  for (double& v : z) v -= top + std::log(sum);
  return z;
}

void HashModel::info(tenon_model_info& out) {
  out.heads = 1u << TENON_HEAD_LANGUAGE | (has_value_head ? 1u << TENON_HEAD_VALUE : 0);
  out.vocab = vocab_;
  out.max_len = max_len_;
  out.n_params = weight.size() + value_weight.size();
  out.n_tensors = 2;
  out.arch = "hash";
}

void HashModel::param(uint64_t i, tenon_param& out) {
  out.flags = i == 0 ? TENON_P_MATRIX : 0;
  out.name = i == 0 ? "weight" : "value_weight";
  out.value = &tensors_[2 * i];
  out.grad = &tensors_[2 * i + 1];
}

HashModel::Tape HashModel::copy(const tenon_tokens& in) const {
  Tape tape;
  for (uint64_t i = 0; i < in.ids.n; ++i) tape.ids.push(row<int32_t>(in.ids, i));
  tape.mask.assign(in.mask, in.mask + tape.ids.values.size());
  tape.temperature = in.temperature;
  for (uint64_t i = 0; i < in.ids.n; ++i)
    if (!tape.ids[i].empty() && tape.mask[tape.ids.offsets[i]] != 0)
      throw Error(TENON_E_INVALID, "mask is 1 at the first token of a sequence");
  return tape;
}

void HashModel::score(const tenon_call*, const tenon_tokens& in, tenon_score_out& out) {
  Tape tape = copy(in);
  ++counts.score;
  counts.longest = std::max<uint64_t>(counts.longest, tape.ids.values.size());
  for (uint64_t i = 0; i < tape.ids.size(); ++i) {
    std::span<const int32_t> ids = tape.ids[i];
    for (uint64_t t = 0; t < ids.size(); ++t) {
      uint64_t at = tape.ids.offsets[i] + t;
      if (tape.mask[at] == 0) {
        if (out.logprob != nullptr) out.logprob[at] = 0;
        if (out.entropy != nullptr) out.entropy[at] = 0;
        if (out.value != nullptr) out.value[at] = 0;
        continue;
      }
      std::vector<double> lp = distribution(ids.first(t), tape.temperature);
      if (out.logprob != nullptr)
        out.logprob[at] = static_cast<float>(lp[static_cast<uint64_t>(ids[t])]) + logprob_error;
      if (out.entropy != nullptr) {
        double h = 0;
        for (double l : lp) h -= std::exp(l) * l;
        out.entropy[at] = static_cast<float>(h);
      }
      if (out.value != nullptr) out.value[at] = value_weight[static_cast<uint64_t>(ids[t - 1])] + value_error;
    }
  }
  if (out.tape != nullptr) {
    counts.trained_tokens += tape.ids.values.size();
    *out.tape = next_++;
    tapes_.emplace(*out.tape, std::move(tape));
  }
}

// ∂ℓ/∂z_j = (1[j = x_t] − p_j)/τ; ∂H/∂z_j = −p_j (log p_j + H)/τ.
void HashModel::backward(const tenon_call*, uint64_t handle, const float* d_logprob, const float* d_entropy,
                         const float* d_value) {
  auto it = tapes_.find(handle);
  if (it == tapes_.end()) throw Error(TENON_E_STATE, "unknown tape");
  const Tape& tape = it->second;
  ++counts.backward;
  for (uint64_t i = 0; i < tape.ids.size(); ++i) {
    std::span<const int32_t> ids = tape.ids[i];
    for (uint64_t t = 1; t < ids.size(); ++t) {
      uint64_t at = tape.ids.offsets[i] + t;
      if (tape.mask[at] == 0) continue;
      std::vector<double> lp = distribution(ids.first(t), tape.temperature);
      double dl = d_logprob != nullptr ? d_logprob[at] : 0, dh = d_entropy != nullptr ? d_entropy[at] : 0,
             entropy = 0;
      for (double l : lp) entropy -= std::exp(l) * l;
      float* g = grad.data() + static_cast<uint64_t>(ids[t - 1]) * vocab_;
      for (uint64_t j = 0; j < vocab_; ++j) {
        double p = std::exp(lp[j]), hit = j == static_cast<uint64_t>(ids[t]) ? 1 : 0;
        g[j] += static_cast<float>((dl * (hit - p) - dh * p * (lp[j] + entropy)) / tape.temperature);
      }
      if (d_value != nullptr) value_grad[static_cast<uint64_t>(ids[t - 1])] += d_value[at];
    }
  }
  tapes_.erase(it);
}

void HashModel::accumulate(const tenon_call* call, const tenon_tokens& in, const float* d_logprob,
                           float* logprob_out) {
  uint64_t tape = 0;
  std::vector<float> unused(in.ids.offsets[in.ids.n]);
  tenon_score_out out{sizeof out, 0,       logprob_out != nullptr ? logprob_out : unused.data(),
                      nullptr,    nullptr, &tape};
  score(call, in, out);
  backward(call, tape, d_logprob, nullptr, nullptr);
  --counts.score, --counts.backward, ++counts.accumulate;
}

void HashModel::zero_grad(const tenon_call*) {
  std::fill(grad.begin(), grad.end(), 0.0f);
  std::fill(value_grad.begin(), value_grad.end(), 0.0f);
}

uint64_t HashModel::session_open(const tenon_call*, uint64_t slots, uint64_t max_len) {
  if (slots == 0) throw Error(TENON_E_INVALID, "a session without slots");
  if (max_len == 0 || max_len > max_len_)
    throw Error(TENON_E_INVALID, "a session of " + std::to_string(max_len) + " tokens; the model allows " +
                                     std::to_string(max_len_));
  ++counts.open;
  sessions_[next_] = {max_len, std::vector<std::vector<int32_t>>(slots)};
  return next_++;
}

void HashModel::decode(const tenon_call*, uint64_t session, const tenon_tokens& append,
                       const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token,
                       float* logprob) {
  Session& s = sessions_.at(session);
  ++counts.decode;
  counts.widest = std::max(counts.widest, append.ids.n);
  std::vector<uint8_t> used(s.slots.size(), 0);
  for (uint64_t i = 0; i < append.ids.n; ++i) {
    uint64_t where = append.seq_id[i];
    if (where >= s.slots.size() || used[where]++ != 0)
      throw Error(TENON_E_INVALID, "a slot that is not there, or given twice");
    std::span<const int32_t> ids = row<int32_t>(append.ids, i);
    auto& slot = s.slots[where];
    slot.insert(slot.end(), ids.begin(), ids.end());
    counts.appended += ids.size();
    if (slot.size() > s.max_len)
      throw Error(TENON_E_INVALID, "slot " + std::to_string(where) + " is longer than the session allows");
    if (sampling == nullptr) continue;
    std::vector<double> lp = distribution(slot, sampling->temperature > 0 ? sampling->temperature : 1);
    uint64_t pick = 0;
    if (sampling->temperature == 0) {
      pick = static_cast<uint64_t>(std::max_element(lp.begin(), lp.end()) - lp.begin());
    } else {
      uint64_t bits[2];
      host_.rng(sampling->seed, sample_id[i], static_cast<uint64_t>(slot.size()) << 32, bits, 2);
      double u = static_cast<double>(bits[0] >> 11) * 0x1p-53, sum = 0;
      while (pick + 1 < vocab_ && (sum += std::exp(lp[pick])) <= u) ++pick;
    }
    token[i] = static_cast<int32_t>(pick);
    logprob[i] = static_cast<float>(lp[pick]);
  }
}

void HashModel::session_fork(const tenon_call*, uint64_t session, uint64_t src, uint64_t len,
                             std::span<const uint64_t> dst) {
  Session& s = sessions_.at(session);
  ++counts.fork;
  std::vector<int32_t> prefix = s.slots.at(src);
  if (len > prefix.size())
    throw Error(TENON_E_INVALID,
                "slot " + std::to_string(src) + " has less than " + std::to_string(len) + " tokens");
  prefix.resize(len);
  for (uint64_t d : dst) s.slots.at(d) = prefix;
}

void HashModel::session_close(uint64_t session) {
  counts.close += sessions_.erase(session);
}

void NaiveSampler::generate(const tenon_call* call, const Model& model, const tenon_generate_in& in,
                            const tenon_generate_out& out) {
  ++calls;
  uint64_t max_len = model.info().max_len;
  for (uint64_t i = 0; i < in.n; ++i) {
    uint64_t session = model.session_open(call, 1, max_len), slot = 0, held = 0;
    std::span<const int32_t> prompt = row<int32_t>(in.prompt_ids, i);
    std::vector<int32_t> next(prompt.begin(), prompt.end()), ids;
    std::vector<float> logprobs;
    int32_t finish = 0;
    while (finish == 0) {
      Ragged<int32_t> append;
      append.push(next);
      held += next.size();
      tenon_tokens tokens{sizeof tokens,
                          0,
                          append.raw(),
                          nullptr,
                          &slot,
                          nullptr,
                          nullptr,
                          nullptr,
                          in.sampling->temperature,
                          0};
      int32_t token = 0;
      float lp = 0;
      model.decode(call, session, tokens, in.sampling, in.sample_id + i, &token, &lp);
      ids.push_back(token);
      logprobs.push_back(lp);
      next = {token};
      if (std::find(in.stop_ids, in.stop_ids + in.n_stop, token) != in.stop_ids + in.n_stop)
        finish = TENON_FINISH_STOP;
      else if (ids.size() == in.max_new_tokens || held + 1 >= max_len)
        finish = TENON_FINISH_LENGTH;
    }
    model.session_close(session);
    if (int32_t rc = out.done(out.ctx, i, ids.data(), logprobs.data(), ids.size(), finish); rc < 0)
      throw Error(rc, "a completion was refused");
  }
}

std::vector<int32_t> LetterTokenizer::encode(std::string_view text, uint32_t) const {
  std::vector<int32_t> ids;
  for (char c : text) {
    size_t id = alphabet.find(c);
    if (id == std::string::npos)
      throw Error(TENON_E_INVALID, std::string("the tokenizer does not know \"") + c + '"');
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

std::string LetterTokenizer::decode(std::span<const int32_t> ids, uint32_t flags) const {
  std::string text;
  for (int32_t id : ids)
    if (id != 0 || (flags & TENON_DECODE_SPECIAL) != 0) text += alphabet.at(static_cast<size_t>(id));
  return text;
}

std::string LetterTokenizer::chat(std::string_view messages_json, uint32_t flags) const {
  std::string text;
  boost::json::value messages = boost::json::parse({messages_json.data(), messages_json.size()});
  for (const auto& m : messages.as_array()) {
    if (m.at("role").as_string() == "assistant") text += '=';
    text += m.at("content").as_string();
  }
  return (flags & TENON_CHAT_GENERATE) != 0 ? text + '=' : text;
}

struct RowSetTable {
  static int32_t read(void* self, const tenon_call*, const uint64_t* index, uint64_t n,
                      const tenon_row_sink* out, tenon_error* err) {
    return guard(err, [&] {
      for (uint64_t i = 0; i < n; ++i) give(static_cast<RowSet*>(self)->rows_.at(index[i]), out);
    });
  }
  static int32_t next(void* self, const tenon_call*, uint64_t n, const tenon_row_sink* out,
                      tenon_error* err) {
    return guard(err, [&] {
      auto& set = *static_cast<RowSet*>(self);
      for (uint64_t i = 0; i < n; ++i, ++set.taken) {
        Row row = set.rows_.at(set.taken % set.rows_.size());
        row.index = set.taken % set.rows_.size();
        give(row, out);
      }
    });
  }
  static uint64_t count(void* self) { return static_cast<RowSet*>(self)->rows_.size(); }
  static void give(const Row& row, const tenon_row_sink* out) {
    tenon_row raw = row.raw();
    if (int32_t rc = out->row(out->ctx, &raw); rc < 0) throw Error(rc, "a row was refused");
  }
  static constexpr tenon_dataset_vt kTable{sizeof(tenon_dataset_vt), 0, count, read, next};
};

const void* RowSet::extension(std::string_view id) {
  static constexpr tenon_curriculum kTable{
      sizeof(tenon_curriculum), 0, nullptr,
      [](void* self, const tenon_call*, uint64_t n, const uint64_t* index, const double* mean,
         const uint64_t* n_valid, tenon_error* err) -> int32_t {
        return guard(err, [&] {
          for (uint64_t i = 0; i < n; ++i)
            static_cast<RowSet*>(self)->outcomes.push_back({index[i], n_valid[i], mean[i]});
        });
      }};
  return is_curriculum && id == TENON_EXT_CURRICULUM ? &kTable : nullptr;
}

tenon_ref RowSet::ref(const char* name) {
  return ref_to<RowSetTable>(*this, "rows", name);
}

void PlainReinforce::advantages(const RolloutView& in, Advantages& out) const {
  for (const auto& group : in.groups()) {
    double mean = 0;
    for (uint64_t i : group) mean += in.total_reward(i) / static_cast<double>(group.size());
    for (uint64_t i : group) {
      out.set(i, in.total_reward(i) - mean);
      for (uint64_t t = in.begin(i); t < in.end(i); ++t)
        if (in.scored(t)) out.set_value_target(t, in.total_reward(i));
    }
    out.metric("groups", 1);
  }
}

void PlainReinforce::gradient(const RolloutView& in, Gradient& out) {
  Rollout copy;
  copy.sample_id.assign(in.raw().sample_id, in.raw().sample_id + in.sequences());
  copy.weight.assign(in.raw().weight, in.raw().weight + in.tokens());
  copy.advantage.assign(in.raw().advantage, in.raw().advantage + in.tokens());
  if (in.raw().lp_old != nullptr) copy.lp_old.assign(in.raw().lp_old, in.raw().lp_old + in.tokens());
  if (in.raw().lp_new != nullptr) copy.lp_new.assign(in.raw().lp_new, in.raw().lp_new + in.tokens());
  if (in.raw().lp_ref != nullptr) copy.lp_ref.assign(in.raw().lp_ref, in.raw().lp_ref + in.tokens());
  if (in.raw().token_reward != nullptr)
    copy.token_reward.assign(in.raw().token_reward, in.raw().token_reward + in.tokens());
  if (in.raw().value_target != nullptr)
    copy.value_target.assign(in.raw().value_target, in.raw().value_target + in.tokens());
  copy.mask.assign(in.raw().mask, in.raw().mask + in.tokens());
  copy.group_id.assign(in.raw().group_id, in.raw().group_id + in.sequences());
  copy.valid.assign(in.raw().valid, in.raw().valid + in.sequences());
  copy.kl_scale = in.kl_scale();
  seen.push_back(std::move(copy));
  for (uint64_t t = 0; t < in.tokens(); ++t) {
    if (!in.scored(t)) continue;
    double ratio = std::exp(in.lp_new(t) - in.lp_old(t)), a = in.advantage(t), w = in.weight(t);
    out.add(t, -w * ratio * a, -w * ratio * a + slope_error);
    if ((needs & TENON_NEEDS_REFERENCE) != 0) {
      double d = in.lp_ref(t) - in.lp_new(t);
      const double scaled = beta * in.kl_scale() * w;
      out.add(t, scaled * (std::exp(d) - d - 1), scaled * (1 - std::exp(d)));
    }
    if ((needs & TENON_NEEDS_VALUE) != 0) {
      const double error = double{in.raw().value[t]} - in.raw().value_target[t];
      out.add_value(t, w * error * error / 2, w * error);
    }
    if ((needs & TENON_NEEDS_ENTROPY) != 0)
      out.add_entropy(t, -entropy_bonus * w * in.raw().entropy[t], -entropy_bonus * w);
  }
}

void PlainSgd::bind(std::span<const tenon_param* const> p, uint64_t total) {
  for (const tenon_param* one : p) params.push_back(*one);
  total_steps = total;
}

void PlainSgd::step(const tenon_call*, tenon_optimizer_stats& stats) {
  if (params.empty()) throw Error(TENON_E_STATE, "not bound");
  double norm = 0;
  for (const tenon_param& p : params) {
    uint64_t n = 1;
    for (int d = 0; d < p.value->ndim; ++d) n *= static_cast<uint64_t>(p.value->shape[d]);
    auto* w = static_cast<float*>(p.value->data);
    const auto* g = static_cast<const float*>(p.grad->data);
    for (uint64_t i = 0; i < n; ++i) {
      norm += static_cast<double>(g[i]) * g[i];
      w[i] = static_cast<float>(w[i] - learning_rate * g[i]);
    }
  }
  ++steps;
  stats.grad_norm = std::sqrt(norm);
  stats.learning_rate = learning_rate;
}

}  // namespace tenon::test
