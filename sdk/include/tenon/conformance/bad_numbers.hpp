// What an algorithm makes of numbers that are not finite, and of such that lead there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/conformance/subject.hpp"

namespace tenon::conformance::detail {

inline bool names_sample(const std::string& text, const Rollout& r, uint64_t i) {
  const std::string id = std::to_string(r.sample_id[i]);
  auto is_digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  for (size_t at = text.find(id); at != std::string::npos; at = text.find(id, at + 1))
    if ((at == 0 || !is_digit(at - 1)) && !is_digit(at + id.size())) return true;
  return false;
}

// "metric kl is inf" of the first that is not finite; "" if all are.
inline std::string metric_that_is_not_finite(const Algorithm::Metrics& m) {
  auto say = [](const std::string& name, double value) { return "metric " + name + " is " + number(value); };
  for (const auto& [name, sum] : m.sums)
    if (!std::isfinite(sum.first) || !std::isfinite(sum.second)) return say(name, std::isfinite(sum.first) ? sum.second : sum.first);
  for (const auto* extremes : {&m.least, &m.most})
    for (const auto& [name, value] : *extremes)
      if (!std::isfinite(value)) return say(name, value);
  return "";
}

// Both functions (or `gradient` alone) on r, where `what` is the bad number of sequence i of `good`; `before` is what `gradient` gave for `good`.
inline std::string bad_number_comes_out(const Subject& s, const Rollout& good, const Algorithm::Columns& before, Rollout r, uint64_t i, double bad,
                                        const std::string& what, bool with_advantages) {
  const auto is_own = [&](uint64_t k) { return k == i || (s.has(TENON_WHOLE_GROUPS) && good.group_id[k] == good.group_id[i]); };
  Algorithm::Metrics early;
  Answer a;
  try {
    if (with_advantages) early = s.advantages(r);
    a = s.gradient(r);
  } catch (const Error& e) {
    for (uint64_t k = 0; k < good.size(); ++k)
      if ((with_advantages || is_own(k)) && names_sample(e.what(), good, k)) return "";
    return what + " is an error that does not name the sample: " + e.what();
  }
  std::string where;
  if (all_finite(r, a.columns, where)) where = metric_that_is_not_finite(early);
  if (where.empty()) where = metric_that_is_not_finite(a.metrics);
  if (!where.empty()) return "with " + what + ", " + where + " and there is no error";
  if (with_advantages) return "";
  for (uint64_t u = 0; u < good.tokens(); ++u) {
    const bool own = is_own(sequence_of(good, u));
    const float d = a.columns.d_logprob[u];
    if (!own && d != before.d_logprob[u]) return "with " + what + ", d_logprob of " + place(good, u) + " changes, which is another sample";
    if (own && std::isnan(bad) && d != 0 && d != before.d_logprob[u])
      return what + " makes d_logprob of " + place(good, u) + " " + number(d) + " instead of " + number(before.d_logprob[u]) + " and there is no error";
  }
  return "";
}

// Bad numbers in each column at three tokens.
inline std::string bad_columns_come_out(const Subject& s, const Rollout& good) {
  const Algorithm::Columns before = s.gradient(good).columns;
  std::vector<uint64_t> tokens;
  for_counting_tokens(good, [&](uint64_t, uint64_t t) {
    if (before.d_logprob[t] != 0) tokens.push_back(t);
  });
  if (tokens.empty()) return "no token of a random rollout has a derivative";
  const double inf = std::numeric_limits<double>::infinity();
  std::string text;
  Rollout r = good;
  for (uint64_t t : {tokens.front(), tokens[tokens.size() / 2], tokens.back()})
    for (double bad : {std::nan(""), inf, -inf, -1000.0})  // e^1000 is no number
      for_columns(r, [&](const std::string& name, auto& column, bool early) {
        if (!text.empty() || name == "token_reward" || (bad == -1000.0 && !name.starts_with("lp_"))) return;
        const auto kept = column[t];
        column[t] = static_cast<std::remove_reference_t<decltype(column[t])>>(bad);
        const std::string what = number(bad) + " as " + name + " of " + place(good, t);
        text = bad_number_comes_out(s, good, before, r, sequence_of(good, t), bad, what, false);
        if (early && text.empty()) text = bad_number_comes_out(s, good, before, r, sequence_of(good, t), bad, what, true);
        column[t] = kept;
      });
  return text;
}

// Whether anything that comes out changes if `change` is done to a rollout.
template <class F>
bool is_read(const Subject& s, const Rollout& good, F&& change) {
  Rollout one = good, other = good;
  change(other);
  s.advantages(one), s.advantages(other);
  const Algorithm::Columns a = s.gradient(one).columns, b = s.gradient(other).columns;
  auto differ = [](const auto& x, const auto& y) { return !std::equal(x.begin(), x.end(), y.begin(), y.end(), same); };
  return differ(one.advantage, other.advantage) || differ(one.value_target, other.value_target) || differ(a.d_logprob, b.d_logprob) || differ(a.d_value, b.d_value);
}

// A reward of a valid sample, or of a token of one, that is not finite (a token's NaN means none): an error that names the sample, whatever the others of its
// group earned. Of an algorithm that reads no rewards: nothing.
inline std::string bad_rewards_come_out(const Subject& s, const Rollout& good) {
  const double inf = std::numeric_limits<double>::infinity();
  auto judge = [&](const Rollout& r, uint64_t i, const std::string& what) -> std::string {
    try {
      Rollout given = r;
      s.advantages(given), s.gradient(given);
    } catch (const Error& e) {
      return names_sample(e.what(), good, i) ? "" : what + " is an error that does not name the sample: " + e.what();
    }
    return what + " is no error";
  };
  Rollout r = good;
  const bool reads_rewards = is_read(s, good, [](Rollout& other) {
    for (uint64_t i = 0; i < other.size(); ++i) other.reward[i] = static_cast<double>(i * i % 7);
  });
  for (uint64_t i = 0; i < r.size() && reads_rewards; ++i) {
    if (r.valid[i] == 0) continue;
    for (double bad : {std::nan(""), inf, -inf}) {
      r.reward[i] = bad;
      if (std::string text = judge(r, i, number(bad) + " as reward of sample " + std::to_string(r.sample_id[i])); !text.empty()) return text;
    }
    r.reward[i] = good.reward[i];
  }
  const bool reads_token_rewards = is_read(s, good, [](Rollout& other) { std::fill(other.token_reward.begin(), other.token_reward.end(), std::nan("")); });
  std::string text;
  for_counting_tokens(good, [&](uint64_t i, uint64_t t) {
    for (double bad : {inf, -inf}) {
      if (!reads_token_rewards || !text.empty()) return;
      r.token_reward[t] = bad;
      text = judge(r, i, number(bad) + " as token_reward of " + place(good, t));
    }
    r.token_reward[t] = good.token_reward[t];
  });
  return text;
}

}  // namespace tenon::conformance::detail
