// Does an algorithm explain what it does? The check of the extension tenon.ext.explain/1.
// SPDX-License-Identifier: Apache-2.0
//
// The chain of a token ends with `gradient`, its d_logprob. Where d_entropy or d_value of the token is not 0, a link `gradient by entropy` or `gradient by value`
// has it. One link is `advantage`, what `advantages` gave; where the stage has multiplied it by an importance weight, a link `importance weight` has the factor.
// One is `weight`. A link with the name of another quantity of the rollout has that number: `reward` (of the outcome alone), `total reward` (with those of its
// tokens), `token reward`, `value` (before the first update), `value now`, `value target`, `log-ratio` (lp_new − lp_old). All others are the algorithm's own.
#pragma once

#include "tenon/conformance/subject.hpp"

namespace tenon::conformance {

namespace detail {

struct Link {
  std::string quantity;
  double value;
};

// The chain of token t of sequence i.
inline std::vector<Link> chain_of(const tenon_explain& table, void* self, const Rollout& r, uint64_t i, uint64_t t) {
  std::vector<Link> links;
  const tenon_explanation out{sizeof out, 0, &links, [](void* ctx, const char* quantity, double value, const char*) {
                                static_cast<std::vector<Link>*>(ctx)->push_back({quantity != nullptr ? quantity : "", value});
                              }};
  const tenon_rollout raw = r.raw();
  ErrorBuffer err;
  err.check(table.explain(self, nullptr, &raw, i, t, &out, err));
  return links;
}

// What is wrong with the chain of token t of sequence i, whose derivatives are c; "" if nothing is.
inline std::string wrong_chain(const std::vector<Link>& links, const Rollout& r, const Algorithm::Columns& c, uint64_t i, uint64_t t) {
  const std::string of = " in the explanation of " + place(r, t);
  std::map<std::string, double> by_name;
  std::string twice;
  for (const auto& [quantity, value] : links) {
    if (quantity.empty()) return "a link has no name" + of;
    if (!std::isfinite(value)) return quantity + of + " is " + number(value);
    if (!by_name.emplace(quantity, value).second) twice = quantity;
  }
  auto differs = [&](const char* name, double wanted, double tolerance) -> std::string {
    const auto at = by_name.find(name);
    if (at == by_name.end() || std::abs(at->second - wanted) <= tolerance * std::abs(wanted)) return "";
    return std::string(name) + of + " is " + number(at->second) + ", not " + number(wanted);
  };
  auto missing = [&](const char* name) { return by_name.contains(name) ? std::string() : "no link is named `" + std::string(name) + "`" + of; };

  if (links.empty() || links.back().quantity != "gradient") return "the last link is not `gradient`" + of;
  if (std::string text = differs("gradient", c.d_logprob[t], 1e-6); !text.empty()) return text;
  for (const auto& [name, column] : {std::pair{"gradient by entropy", &c.d_entropy}, std::pair{"gradient by value", &c.d_value}}) {
    const double d = column->empty() ? 0 : (*column)[t];
    std::string text = d != 0 ? missing(name) : "";
    if (text.empty()) text = differs(name, d, 1e-6);
    if (!text.empty()) return text;
  }
  for (const char* name : {"advantage", "weight"})
    if (std::string text = missing(name); !text.empty()) return text;
  const double factor = by_name.contains("importance weight") ? by_name["importance weight"] : 1, advantage = by_name["advantage"] * factor;
  if (std::abs(advantage - r.advantage[t]) > 1e-12 * (1 + std::abs(r.advantage[t])))
    return "advantage" + of + (factor != 1 ? " times its importance weight is " : " is ") + number(advantage) + ", not " + number(r.advantage[t]);

  std::string text = differs("weight", r.weight[t], 1e-12);
  if (text.empty()) text = differs("reward", r.reward[i], 1e-12);
  if (text.empty()) text = differs("total reward", r.total_reward(i), 1e-9);
  if (text.empty() && !r.token_reward.empty() && !std::isnan(r.token_reward[t])) text = differs("token reward", r.token_reward[t], 1e-12);
  if (text.empty() && !r.value.empty()) text = differs("value", r.value_old[t], 1e-12);
  if (text.empty() && !r.value.empty()) text = differs("value now", r.value[t], 1e-12);
  if (text.empty() && !r.value_target.empty()) text = differs("value target", r.value_target[t], 1e-9);
  if (text.empty()) text = differs("log-ratio", double{r.lp_new[t]} - double{r.lp_old[t]}, 1e-12);
  if (text.empty() && !twice.empty()) text = "two links are named `" + twice + "`" + of;
  return text;
}

}  // namespace detail

// Where the algorithm explains itself: the chain of every token that counts is as the file's head says.
inline std::string explanations_give_the_derivatives(const tenon_ref& ref) {
  if (ref.life == nullptr || !TENON_FN(ref.life, tenon_life, extension)) return "";
  const auto* table = static_cast<const tenon_explain*>(ref.life->extension(ref.self, TENON_EXT_EXPLAIN));
  if (!TENON_FN(table, tenon_explain, explain)) return "";
  const detail::Subject s(ref);
  std::vector<Rollout> rollouts = s.rollouts();
  if (!s.has(TENON_FIXED_ADVANTAGE)) {  // as a stage gives them that corrects for the sampler
    rollouts.push_back(rollouts[0]);
    uint64_t k = 0;
    for (double& a : rollouts.back().advantage) a *= 0.25 * static_cast<double>(1 + k++ % 6);
  }
  for (const Rollout& r : rollouts) {
    const Algorithm::Columns c = s.gradient(r).columns;
    std::string text;
    for_counting_tokens(r, [&](uint64_t i, uint64_t t) {
      if (text.empty()) text = detail::wrong_chain(detail::chain_of(*table, ref.self, r, i, t), r, c, i, t);
    });
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace tenon::conformance
