// What the checks of algorithm.hpp are made of: an algorithm under test and its answers, comparisons that say where they fail, finite differences.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdio>
#include <cstring>

#include "tenon/conformance/rollouts.hpp"
#include "tenon/stage.hpp"
#include "tenon/testing.hpp"

namespace tenon::conformance {

namespace detail {

inline std::string number(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", x);
  return text;
}
// "token 3 of sample 700014", of its sequence's tokens.
inline std::string place(const Rollout& r, uint64_t t) {
  const uint64_t i = sequence_of(r, t);
  return "token " + std::to_string(t - r.ids.offsets[i]) + " of sample " + std::to_string(r.sample_id[i]);
}
inline bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// What both functions of an algorithm gave.
struct Answer {
  Algorithm::Columns columns;
  Algorithm::Metrics metrics;
};

class Subject {
 public:
  explicit Subject(const tenon_ref& ref) : ref_(ref), algorithm(ref), info(algorithm.info()) {
    if (ref.life != nullptr && TENON_FN(ref.life, tenon_life, extension))
      surrogate_ = static_cast<const tenon_surrogate*>(ref.life->extension(ref.self, TENON_EXT_SURROGATE));
  }
  bool has(uint32_t flag) const { return (info.needs & flag) != 0; }

  void weigh(Rollout& r) const {
    testing::TestHost host(nullptr);
    loss_weights(host.host(), info, r);
  }
  Algorithm::Metrics advantages(Rollout& r) const {
    Algorithm::Metrics metrics;
    algorithm.advantages(nullptr, r, metrics);
    return metrics;
  }
  // A random rollout as `gradient` is given it.
  Rollout rollout(uint64_t seed, const Shape& shape = {}) const {
    Rollout r = random_rollout(info.needs, seed, shape);
    advantages(r), weigh(r);
    fill_meaningless(r, std::numeric_limits<double>::quiet_NaN());
    return r;
  }
  // What random rollouts of the checks differ in. A critic's loss goes with the square of rewards: extreme ones would leave nothing of the policy's part.
  std::vector<Rollout> rollouts() const {
    return {rollout(1, {.extreme = has(TENON_NEEDS_VALUE) ? 30.0 : 1e6}), rollout(2, {.drift = 0, .extreme = 1}), rollout(3, {.extreme = 30, .token_rewards = true}), rollout(4, {.groups = 9, .group_size = 3, .far_drift = 1, .extreme = 3})};
  }
  Answer gradient(const Rollout& r) const {
    Answer a;
    a.columns = algorithm.gradient(nullptr, r, a.metrics);
    return a;
  }
  // The function whose derivative `gradient` gives, at `at`.
  double loss(const Rollout& at, const Rollout& frozen) const {
    if (surrogate_ == nullptr) return gradient(at).columns.loss;
    const tenon_rollout a = at.raw(), f = frozen.raw();
    double loss = 0;
    ErrorBuffer err;
    err.check(surrogate_->loss(ref_.self, nullptr, &a, &f, &loss, err));
    return loss;
  }

  // What may not be divided over calls of `gradient`: sequences, or groups.
  std::vector<std::vector<uint64_t>> units(const Rollout& r) const {
    std::vector<std::vector<uint64_t>> out;
    std::map<uint64_t, size_t> where;
    for (uint64_t i = 0; i < r.size(); ++i) {
      if (!has(TENON_WHOLE_GROUPS)) {
        out.push_back({i});
        continue;
      }
      auto [at, is_new] = where.try_emplace(r.group_id[i], out.size());
      if (is_new) out.emplace_back();
      out[at->second].push_back(i);
    }
    return out;
  }

 private:
  tenon_ref ref_;
  const tenon_surrogate* surrogate_ = nullptr;

 public:
  Algorithm algorithm;
  tenon_algorithm_info info;
};

// What `gradient` says in parts, each of some sequences of r, put together again in the order of r. The metrics are those of all calls.
inline Answer in_parts(const Subject& s, const Rollout& r, const std::vector<std::vector<uint64_t>>& parts) {
  Answer all;
  all.columns.d_logprob.resize(r.tokens());
  if (!r.entropy.empty()) all.columns.d_entropy.resize(r.tokens());
  if (!r.value.empty()) all.columns.d_value.resize(r.tokens());
  for (const auto& rows : parts) {
    if (rows.empty()) continue;
    const Algorithm::Columns part = s.algorithm.gradient(nullptr, r.select(rows), all.metrics);
    all.columns.loss += part.loss;
    uint64_t from = 0;
    for (uint64_t i : rows)
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t, ++from) {
        all.columns.d_logprob[t] = part.d_logprob[from];
        if (!part.d_entropy.empty()) all.columns.d_entropy[t] = part.d_entropy[from];
        if (!part.d_value.empty()) all.columns.d_value[t] = part.d_value[from];
      }
  }
  return all;
}

// The first token where two columns differ; "" if they are equal.
template <class V>
std::string difference(const Rollout& r, const char* name, const V& whole, const V& other, const std::string& other_is) {
  for (uint64_t t = 0; t < whole.size(); ++t)
    if (!same(whole[t], other[t]))
      return std::string(name) + " of " + place(r, t) + " is " + number(whole[t]) + ", and " + number(other[t]) + " " + other_is;
  return "";
}
inline std::string difference(const Rollout& r, const Algorithm::Columns& whole, const Algorithm::Columns& other, const std::string& other_is) {
  std::string text = difference(r, "d_logprob", whole.d_logprob, other.d_logprob, other_is);
  if (text.empty()) text = difference(r, "d_entropy", whole.d_entropy, other.d_entropy, other_is);
  if (text.empty()) text = difference(r, "d_value", whole.d_value, other.d_value, other_is);
  return text;
}

// How large the parts of a loss are, whose sum may be small: what rounding is relative to.
inline double loss_scale(const Subject& s, const Rollout& r) {
  double scale = 0;
  for (const auto& unit : s.units(r)) scale += std::abs(s.gradient(r.select(unit)).columns.loss);
  return scale;
}

// Loss and metrics of whole and parts may differ by rounding alone, their smallest and largest values not at all.
inline std::string totals_differ(const Subject& s, const Rollout& r, const Answer& whole, const Answer& parts, const std::string& parts_are) {
  if (!(std::abs(whole.columns.loss - parts.columns.loss) <= 1e-11 * (loss_scale(s, r) + 1e-300)))
    return "the loss is " + number(whole.columns.loss) + ", and " + number(parts.columns.loss) + " " + parts_are;
  auto names_differ = [&](const auto& a, const auto& b) {
    return a.size() != b.size() || !std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) { return x.first == y.first; });
  };
  const auto &a = whole.metrics, &b = parts.metrics;
  if (names_differ(a.sums, b.sums) || names_differ(a.least, b.least) || names_differ(a.most, b.most)) return "other metrics are reported " + parts_are;
  for (const auto& [name, sum] : a.sums) {
    const auto& other = b.sums.at(name);
    const double scale = std::abs(sum.first) + std::abs(other.first) + std::abs(sum.second);
    if (std::abs(sum.first - other.first) > 1e-9 * scale || std::abs(sum.second - other.second) > 1e-9 * std::abs(sum.second))
      return "metric " + name + " is " + number(sum.first) + " / " + number(sum.second) + ", and " + number(other.first) + " / " + number(other.second) + " " +
             parts_are;
  }
  for (const auto& [name, value] : a.least)
    if (value != b.least.at(name)) return "metric " + name + " is " + number(value) + ", and " + number(b.least.at(name)) + " " + parts_are;
  for (const auto& [name, value] : a.most)
    if (value != b.most.at(name)) return "metric " + name + " is " + number(value) + ", and " + number(b.most.at(name)) + " " + parts_are;
  return "";
}

inline std::string split_changes(const Subject& s, const Rollout& r, const std::vector<std::vector<uint64_t>>& parts, const std::string& parts_are) {
  const Answer whole = s.gradient(r), other = in_parts(s, r, parts);
  std::string text = difference(r, whole.columns, other.columns, parts_are);
  return text.empty() ? totals_differ(s, r, whole, other, parts_are) : text;
}

// Each per-token column of `moved` taken back to where its sequence stands in r: sequence k of moved is sequence rows[k] of r, after `front` more tokens.
template <class V>
V taken_back(const Rollout& r, const Rollout& moved, std::span<const uint64_t> rows, uint64_t front, const V& column) {
  V out(column.empty() ? 0 : r.tokens());
  for (uint64_t k = 0; k < rows.size() && !column.empty(); ++k)
    for (uint64_t t = r.ids.offsets[rows[k]], from = moved.ids.offsets[k] + front; t < r.ids.offsets[rows[k] + 1]; ++t, ++from) out[t] = column[from];
  return out;
}

// That both functions give the same bits for `moved`, a rollout with the sequences `rows` of r each after `front` more tokens; the weights are those of r.
inline std::string move_changes(const Subject& s, const Rollout& r, Rollout moved, std::span<const uint64_t> rows, uint64_t front, const std::string& where) {
  auto back = [&](const auto& column) { return taken_back(r, moved, rows, front, column); };
  Rollout given = r;
  s.advantages(given);
  Rollout theirs = moved;
  s.advantages(theirs);
  std::string text = difference(r, "the advantage", given.advantage, back(theirs.advantage), where);
  if (text.empty()) text = difference(r, "the value target", given.value_target, back(theirs.value_target), where);
  if (!text.empty()) return text;
  const Answer whole = s.gradient(r);
  Answer other = s.gradient(moved);
  auto& c = other.columns;
  c.d_logprob = back(c.d_logprob), c.d_entropy = back(c.d_entropy), c.d_value = back(c.d_value);
  text = difference(r, whole.columns, c, where);
  return text.empty() ? totals_differ(s, r, whole, other, where) : text;
}

inline std::vector<uint64_t> all_rows(const Rollout& r) {
  std::vector<uint64_t> rows(r.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// One-sided differences of the loss.
struct Slopes {
  double below, above;
  double noise;  // what rounding of the loss makes of them
};

// The one-sided differences of the loss by element t of a column of `part`.
template <class Column>
Slopes slopes(const Subject& s, Rollout& part, const Rollout& frozen, Column column, uint64_t t, float step) {
  float& x = (part.*column)[t];
  const float at = x, up = at + step, down = at - step;
  const double here = s.loss(part, frozen);
  x = up;
  const double above = s.loss(part, frozen);
  x = down;
  const double below = s.loss(part, frozen);
  x = at;
  return {(here - below) / (double{at} - double{down}), (above - here) / (double{up} - double{at}), 0x1p-50 * std::abs(here) / step};
}

// Whether d is the derivative between the two; at a kink (where they differ by more than curvature can make) anything from one to the other is.
inline bool is_derivative(double d, const Slopes& by, double scale, double step) {
  const double tolerance = 1e-5 * std::max(std::abs(d), 1e-3 * scale) + by.noise, low = std::min(by.below, by.above), high = std::max(by.below, by.above);
  if (high - low <= 100 * step * std::max({std::abs(low), std::abs(high), scale})) return std::abs((low + high) / 2 - d) <= tolerance;
  return d >= low - tolerance && d <= high + tolerance;
}

template <class Column>
std::string wrong_derivative(const Subject& s, const Rollout& r, const char* name, Column column, std::vector<float> Algorithm::Columns::*derivative) {
  if ((r.*column).empty()) return "";
  for (const auto& unit : s.units(r)) {
    Rollout part = r.select(unit);
    const Rollout frozen = part;
    const auto d = s.gradient(part).columns.*derivative;
    double scale = 0;
    for (float x : d) scale = std::max(scale, std::abs(double{x}));
    std::string text;
    for_counting_tokens(frozen, [&](uint64_t, uint64_t t) {
      if (!text.empty()) return;
      Slopes by{};
      for (float step : {0x1p-12f, 0x1p-14f, 0x1p-16f}) {  // a smaller one where a kink is near
        by = slopes(s, part, frozen, column, t, step);
        if (is_derivative(d[t], by, scale, step)) return;
      }
      text = std::string(name) + " of " + place(frozen, t) + " is " + number(d[t]) + ", but the loss changes by " + number((by.below + by.above) / 2) +
             " (finite differences)";
    });
    if (!text.empty()) return text;
  }
  return "";
}

inline bool all_finite(const Rollout& r, const Algorithm::Columns& c, std::string& where) {
  if (!std::isfinite(c.loss)) return where = "the loss is " + number(c.loss), false;
  auto check = [&](const char* name, const std::vector<float>& column) {
    for (uint64_t t = 0; t < column.size(); ++t)
      if (!std::isfinite(column[t])) return where = std::string(name) + " of " + place(r, t) + " is " + number(column[t]), false;
    return true;
  };
  return check("d_logprob", c.d_logprob) && check("d_entropy", c.d_entropy) && check("d_value", c.d_value);
}

// Calls f with every column of numbers that r has, as (name, column, whether `advantages` is given it).
template <class F>
void for_columns(Rollout& r, F&& f) {
  auto per_token = [&](const char* name, auto& column, bool early) {
    if (!column.empty()) f(name, column, early);
  };
  per_token("lp_old", r.lp_old, true), per_token("lp_ref", r.lp_ref, true), per_token("value_old", r.value_old, true);
  per_token("token_reward", r.token_reward, true), per_token("lp_new", r.lp_new, false), per_token("entropy", r.entropy, false);
  per_token("value", r.value, false), per_token("advantage", r.advantage, false), per_token("value_target", r.value_target, false);
  per_token("weight", r.weight, false);
}

// Bytes of all that an algorithm is given.
inline std::string bytes_of(const Rollout& r) {
  std::string out;
  auto add = [&](const auto& column) { out.append(reinterpret_cast<const char*>(column.data()), column.size() * sizeof column[0]); };
  add(r.ids.offsets), add(r.ids.values), add(r.group_id), add(r.sample_id), add(r.version), add(r.mask), add(r.reward), add(r.valid), add(r.token_reward);
  add(r.lp_sample), add(r.lp_old), add(r.lp_new), add(r.lp_ref), add(r.entropy), add(r.value), add(r.value_old), add(r.advantage), add(r.value_target);
  add(r.weight);
  return out;
}

}  // namespace detail

}  // namespace tenon::conformance
