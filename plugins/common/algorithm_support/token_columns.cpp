// Columns of one completion, and generalised advantage estimation on them.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/token_columns.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "algorithm_support/lanes.h"
#include "algorithm_support/text.h"

namespace tenon::algorithm_support {
namespace {

// A token_reward column, 0 where there is none.
TENON_FOR_EACH_PROCESSOR
void take_rewards(const double* __restrict from, uint64_t n, double* __restrict to) {
  for (uint64_t k = 0; k < n; ++k) to[k] = from[k] == from[k] ? from[k] : 0;
}

TENON_FOR_EACH_PROCESSOR
void take_off_divergence(const float* __restrict lp, const float* __restrict lp_ref, uint64_t n,
                         double weight, double* __restrict from) {
  for (uint64_t k = 0; k < n; ++k)
    from[k] -= weight * (static_cast<double>(lp[k]) - static_cast<double>(lp_ref[k]));
}

// reward_k += gamma · value_{k+1} − value_k for k < n.
TENON_FOR_EACH_PROCESSOR
void make_deltas(double* __restrict reward, const float* __restrict value, uint64_t n, double gamma) {
  for (uint64_t k = 0; k < n; ++k)
    reward[k] = reward[k] + gamma * static_cast<double>(value[k + 1]) - static_cast<double>(value[k]);
}

TENON_FOR_EACH_PROCESSOR
void add(const double* __restrict a, const float* __restrict b, uint64_t n, double* __restrict sum) {
  for (uint64_t k = 0; k < n; ++k) sum[k] = a[k] + static_cast<double>(b[k]);
}

// The sums to come of a block by themselves, half by half, then what comes after the block: only this waits for the block before.
TENON_FOR_EACH_PROCESSOR
void sum_up(double* x, uint64_t n, double decay) {
  constexpr uint64_t kHalf = 4, kWhole = 2 * kHalf;
  double power[kWhole + 1];  // [l]: decay to the kWhole − l
  power[kWhole] = 1;
  for (uint64_t l = kWhole; l-- > 0;) power[l] = power[l + 1] * decay;
  double next = 0;
  uint64_t k = n;
  for (; k >= kWhole; k -= kWhole) {
    double* block = x + (k - kWhole);
    double y[kWhole];
    for (uint64_t l = 0; l < kWhole; ++l) y[l] = block[l];
    for (uint64_t l = kHalf - 1; l-- > 0;) y[l] += decay * y[l + 1], y[kHalf + l] += decay * y[kHalf + l + 1];
    for (uint64_t l = 0; l < kHalf; ++l) y[l] += power[kHalf + l] * y[kHalf];
    for (uint64_t l = 0; l < kWhole; ++l) block[l] = y[l] + power[l] * next;
    next = y[0] + power[0] * next;
  }
  while (k-- > 0) next = x[k] += decay * next;
}

#if defined(__SSE2__)
void write_past_caches(const double* from, uint64_t n, double* to) {
  uint64_t k = 0;
  for (; k < n && reinterpret_cast<uintptr_t>(to + k) % 16 != 0; ++k) to[k] = from[k];
  for (; k + 2 <= n; k += 2) _mm_stream_pd(to + k, _mm_loadu_pd(from + k));
  for (; k < n; ++k) to[k] = from[k];
}
void order_writes() {
  _mm_sfence();
}
#else
void write_past_caches(const double* from, uint64_t n, double* to) {
  std::copy(from, from + n, to);
}
void order_writes() {}
#endif

}  // namespace

void ScoredTokens::find(const RolloutView& r, uint64_t i) {
  runs_.clear(), count_ = 0;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    runs_.emplace_back(begin, end);
    count_ += end - begin;
  });
}

uint64_t ScoredTokens::place_of(uint64_t t) const {
  uint64_t before = 0;
  for (const auto& [begin, end] : runs_)
    if (t >= end)
      before += end - begin;
    else if (t >= begin)
      before += t - begin;
  return before;
}

std::string what_is_not_finite(const RolloutView& r, uint64_t i, const std::string& otherwise) {
  const std::pair<const char*, const float*> columns[] = {
      {"lp_old", r.raw().lp_old}, {"lp_ref", r.raw().lp_ref}, {"value_old", r.raw().value_old}};
  for (uint64_t t = r.begin(i); t < r.end(i); ++t)
    for (const auto& [name, column] : columns)
      if (r.scored(t) && column != nullptr && !std::isfinite(column[t]))
        return std::string(name) + " is " + number_text(column[t]) + " at token " +
               std::to_string(t - r.begin(i));
  return otherwise;
}

const float* gather(const ScoredTokens& tokens, const float* column, std::vector<float>& copy) {
  if (const auto first = tokens.first_of_one_run()) return column + *first;
  copy.clear();
  tokens.for_runs(
      [&](uint64_t begin, uint64_t end) { copy.insert(copy.end(), column + begin, column + end); });
  return copy.data();
}

ColumnWriter::~ColumnWriter() {
  order_writes();
}

void ColumnWriter::put(const ScoredTokens& tokens, const std::vector<double>& values, double* column) {
  const double* from = values.data();
  tokens.for_runs([&](uint64_t begin, uint64_t end) {
    write_past_caches(from, end - begin, column + begin);
    from += end - begin;
  });
}

void token_rewards(const RolloutView& r, uint64_t i, const ScoredTokens& tokens, double kl_weight,
                   std::vector<double>& out) {
  out.assign(tokens.count(), 0.0);
  if (out.empty()) return;
  double* to = out.data();
  const tenon_rollout& c = r.raw();
  tokens.for_runs([&](uint64_t begin, uint64_t end) {
    const uint64_t n = end - begin;
    if (c.token_reward != nullptr) take_rewards(c.token_reward + begin, n, to);
    if (kl_weight != 0) take_off_divergence(c.lp_old + begin, c.lp_ref + begin, n, kl_weight, to);
    to += n;
  });
  out.back() += r.reward(i);
}

void discounted_sums(std::vector<double>& x, double decay) {
  sum_up(x.data(), x.size(), decay);
}

void Estimates::estimate(const ScoredTokens& tokens, const float* value_old, double gamma, double lambda) {
  const uint64_t n = tokens.count();
  value_ = gather(tokens, value_old, gathered_);
  if (n != 0) {
    make_deltas(advantage.data(), value_, n - 1, gamma);
    advantage[n - 1] -= static_cast<double>(value_[n - 1]);
  }
  discounted_sums(advantage, gamma * lambda);
  target.resize(n);
  add(advantage.data(), value_, n, target.data());
}

}  // namespace tenon::algorithm_support
