// The forwarding vtable that falsifies answers.
// SPDX-License-Identifier: Apache-2.0
#include "faults.h"

#include "tenon/conformance/algorithm.hpp"

namespace tenon::test {
namespace {

constexpr std::pair<Fault::Kind, const char*> kKinds[] = {{Fault::kSign, "sign"},
                                                          {Fault::kMissingMask, "missing-mask"},
                                                          {Fault::kMeanOfMeans, "mean-of-means"},
                                                          {Fault::kSwappedClip, "swapped-clip"}};
constexpr std::pair<Fault::Column, const char*> kColumns[] = {{Fault::kLogprob, "d_logprob"},
                                                              {Fault::kEntropy, "d_entropy"},
                                                              {Fault::kValue, "d_value"},
                                                              {Fault::kAdvantage, "advantage"},
                                                              {Fault::kTarget, "value_target"}};

// Derivatives of one call, and where they go.
struct Aside {
  explicit Aside(const tenon_rollout& in, const tenon_gradient_out& like)
      : d_logprob(in.n_tok + 1),  // columns have an address in a rollout of no tokens, too
        d_entropy(in.n_tok + 1),
        d_value(in.n_tok + 1),
        out{sizeof out,
            0,
            0,
            d_logprob.data(),
            like.d_entropy != nullptr ? d_entropy.data() : nullptr,
            like.d_value != nullptr ? d_value.data() : nullptr,
            nullptr,
            nullptr} {}
  std::vector<float> d_logprob, d_entropy, d_value;
  tenon_gradient_out out;
};

// A rollout with its advantages and rewards times a factor.
struct Scaled {
  Scaled(const tenon_rollout& in, double factor) : raw(in) {
    auto scale = [&](const double*& column, std::vector<double>& own, uint64_t n) {
      if (column == nullptr || n == 0) return;
      own.assign(column, column + n);
      for (double& x : own) x *= factor;
      column = own.data();
    };
    scale(raw.advantage, advantage, in.n_tok), scale(raw.reward, reward, in.n_seq),
        scale(raw.token_reward, token_reward, in.n_tok);
  }
  std::vector<double> advantage, reward, token_reward;
  tenon_rollout raw;
};

}  // namespace

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> all = [] {
    std::vector<Fault> out;
    for (const auto& [kind, name] : kKinds)
      for (const auto& [column, text] : kColumns)
        if (kind != Fault::kSwappedClip || column == Fault::kLogprob) out.push_back({kind, column});
    return out;
  }();
  return all;
}
std::string name_of(Fault fault) {
  std::string out;
  for (const auto& [kind, name] : kKinds)
    if (fault.kind == kind) out = name;
  for (const auto& [column, name] : kColumns)
    if (fault.column == column) out += std::string(":") + name;
  return out;
}
Fault fault_of(std::string_view name) {
  for (const Fault& fault : all_faults()) {
    const std::string full = name_of(fault);
    if (name == full || (fault.column == Fault::kLogprob && name == full.substr(0, full.find(':'))))
      return fault;
  }
  return {};
}

struct FaultyTable {
  static const Faulty& self(void* p) { return *static_cast<const Faulty*>(p); }
  static constexpr tenon_surrogate kSurrogate{
      sizeof(tenon_surrogate), 0,
      [](void* p, const tenon_call* call, const tenon_rollout* at, const tenon_rollout* frozen, double* loss,
         tenon_error* err) -> int32_t { return self(p).swapped_surrogate(call, *at, *frozen, loss, err); }};
  static constexpr tenon_life kLife = [] {
    tenon_life life{};
    life.struct_size = sizeof life;
    life.extension = [](void* p, const char* id) -> const void* {
      return self(p).surrogate_ != nullptr && std::string_view(id) == TENON_EXT_SURROGATE ? &kSurrogate
                                                                                          : nullptr;
    };
    return life;
  }();
  static constexpr tenon_algorithm_vt kTable{
      sizeof(tenon_algorithm_vt), 0,
      [](void* p, tenon_algorithm_info* out, tenon_error* err) -> int32_t {
        return self(p).vt().info(self(p).real_.self, out, err);
      },
      [](void* p, const tenon_call* call, const tenon_rollout* in, tenon_advantages_out* out,
         tenon_error* err) -> int32_t {
        return guard(err, [&]() -> int32_t { return self(p).advantages(call, *in, *out, err); });
      },
      [](void* p, const tenon_call* call, const tenon_rollout* in, tenon_gradient_out* out,
         tenon_error* err) -> int32_t {
        return guard(err, [&]() -> int32_t { return self(p).gradient(call, *in, *out, err); });
      }};
};

Faulty::Faulty(const tenon_ref& real, Fault fault)
    : real_(real), fault_(fault), needs_(Algorithm(real).info().needs) {
  if (real.life != nullptr && TENON_FN(real.life, tenon_life, extension))
    surrogate_ = static_cast<const tenon_surrogate*>(real.life->extension(real.self, TENON_EXT_SURROGATE));
  clips_ = find_clips();
}

tenon_ref Faulty::ref() const {
  tenon_ref out = real_;
  out.self = const_cast<Faulty*>(this), out.vt = &FaultyTable::kTable, out.life = &FaultyTable::kLife;
  return out;
}

int32_t Faulty::with_advantages(double factor, bool is_aside, const tenon_call* call, const tenon_rollout& in,
                                tenon_gradient_out& out, tenon_error* err) const {
  const Scaled scaled(in, factor);
  auto* const metric = out.metric;
  if (is_aside) out.metric = nullptr;
  const int32_t rc = vt().gradient(real_.self, call, &scaled.raw, &out, err);
  out.metric = metric;
  return rc;
}

// With P(A) the policy's part of the loss and R the rest: −min(ρA, cA) = P(A) becomes −max(ρA, cA) = −P(−A).
int32_t Faulty::swapped(const tenon_call* call, const tenon_rollout& in, tenon_gradient_out& out,
                        tenon_error* err) const {
  if (!clips_) return with_advantages(-1, false, call, in, out, err);
  Aside rest(in, out);
  if (const int32_t rc = with_advantages(0, true, call, in, rest.out, err); rc < 0) return rc;
  if (const int32_t rc = with_advantages(-1, false, call, in, out, err); rc < 0) return rc;
  out.loss = 2 * rest.out.loss - out.loss;
  for (uint64_t t = 0; t < in.n_tok; ++t) out.d_logprob[t] = 2 * rest.d_logprob[t] - out.d_logprob[t];
  return TENON_OK;
}

int32_t Faulty::swapped_surrogate(const tenon_call* call, const tenon_rollout& at,
                                  const tenon_rollout& frozen, double* loss, tenon_error* err) const {
  auto with = [&](double factor, double* out) {
    const Scaled a(at, factor), f(frozen, factor);
    return surrogate_->loss(real_.self, call, &a.raw, &f.raw, out, err);
  };
  if (fault_.kind != Fault::kSwappedClip) return with(1, loss);
  if (!clips_) return with(-1, loss);
  double rest = 0, minus = 0;
  if (const int32_t rc = with(0, &rest); rc < 0) return rc;
  if (const int32_t rc = with(-1, &minus); rc < 0) return rc;
  *loss = 2 * rest - minus;
  return TENON_OK;
}

int32_t Faulty::advantages(const tenon_call* call, const tenon_rollout& in, tenon_advantages_out& out,
                           tenon_error* err) const {
  if (const int32_t rc = vt().advantages(real_.self, call, &in, &out, err); rc < 0) return rc;
  if (fault_.column == Fault::kAdvantage) falsify(in, out.advantage);
  if (fault_.column == Fault::kTarget) falsify(in, out.value_target);
  return TENON_OK;
}

int32_t Faulty::gradient(const tenon_call* call, const tenon_rollout& in, tenon_gradient_out& out,
                         tenon_error* err) const {
  if (fault_.kind == Fault::kSwappedClip) return swapped(call, in, out, err);
  if (const int32_t rc = vt().gradient(real_.self, call, &in, &out, err); rc < 0) return rc;
  if (fault_.column == Fault::kLogprob) falsify(in, out.d_logprob);
  if (fault_.column == Fault::kEntropy) falsify(in, out.d_entropy);
  if (fault_.column == Fault::kValue) falsify(in, out.d_value);
  if (fault_ == Fault{Fault::kMeanOfMeans, Fault::kLogprob} && in.n_seq > 0)
    out.loss /= static_cast<double>(in.n_seq);
  return TENON_OK;
}

template <class T>
void Faulty::falsify(const tenon_rollout& in, T* column) const {
  for (uint64_t i = 0; i < in.n_seq && column != nullptr; ++i) {
    T last = 0;
    for (uint64_t t = in.offsets[i]; t < in.offsets[i + 1]; ++t) {
      T& x = column[t];
      if (fault_.kind == Fault::kSign) x = -x;
      if (fault_.kind == Fault::kMeanOfMeans)
        x = static_cast<T>(static_cast<double>(x) / static_cast<double>(in.n_seq));
      if (fault_.kind == Fault::kMissingMask && in.mask[t] == 0) x = last;
      last = x;
    }
  }
}

bool Faulty::falsifies() const {
  const conformance::detail::Subject s(real_);
  auto is_written = [](const auto& column) {
    return std::any_of(column.begin(), column.end(), [](auto x) { return x != 0; });
  };
  for (Rollout r : s.rollouts()) {
    const Algorithm::Columns c = s.gradient(r).columns;
    s.advantages(r);
    const bool found[] = {is_written(c.d_logprob), is_written(c.d_entropy), is_written(c.d_value),
                          is_written(r.advantage), is_written(r.value_target)};
    if (found[fault_.column]) return true;
  }
  return false;
}

// Where nothing is clipped, the policy's part is odd in the advantages.
bool Faulty::find_clips() const {
  const conformance::detail::Subject s(real_);
  if ((needs_ & TENON_FIXED_ADVANTAGE) != 0) return false;
  for (const Rollout& r : s.rollouts()) {
    auto at = [&](double factor) {
      Rollout scaled = r;
      for (double& a : scaled.advantage) a *= factor;
      return s.gradient(scaled).columns.d_logprob;
    };
    const std::vector<float> one = at(1), none = at(0), minus = at(-1);
    for (uint64_t t = 0; t < r.tokens(); ++t)
      if (std::abs(one[t] + minus[t] - 2 * none[t]) > 1e-4f * (std::abs(one[t]) + std::abs(minus[t])))
        return true;
  }
  return false;
}

}  // namespace tenon::test
