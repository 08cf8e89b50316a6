// Judging one row of the matrix.
// SPDX-License-Identifier: Apache-2.0
#include "matrix.h"

#include "reference/reference.h"
#include "tenon/conformance/algorithm.hpp"

namespace tenon::test {
namespace {

using conformance::detail::number;
using conformance::detail::place;

// |a − b| ≤ 1e-6 of the larger one, or of a millionth of `scale`, the largest of the column: where much is taken from much, little is left that is exact.
bool near(double a, double b, double scale) {
  return std::abs(a - b) <= 1e-6 * std::max({std::abs(a), std::abs(b), 1e-6 * scale});
}
template <class A, class B>
std::string unlike(const Rollout& r, const char* name, const A& is, const B& should_be) {
  double scale = 1e-300;
  for (double x : should_be) scale = std::max(scale, std::abs(x));
  for (uint64_t t = 0; t < should_be.size(); ++t)
    if (!near(is[t], should_be[t], scale))
      return std::string(name) + " of " + place(r, t) + " is " + number(is[t]) + ", of the reference " +
             number(should_be[t]);
  return "";
}

// What the rollouts differ in: extreme rewards, rewards of tokens, a KL controller's factor, a policy that has not moved, one that is far away.
std::vector<Rollout> rollouts(uint32_t needs) {
  std::vector<Rollout> out = {
      conformance::random_rollout(needs, 11),
      conformance::random_rollout(needs, 12, {.drift = 0, .far_drift = 0}),
      conformance::random_rollout(needs, 13, {.extreme = 30, .token_rewards = true}),
      conformance::random_rollout(needs, 14, {.groups = 12, .group_size = 3, .tokens = 20, .extreme = 3}),
      conformance::random_rollout(needs, 15, {.drift = 2.5, .extreme = 3, .token_rewards = true})};
  out[2].kl_scale = 1.7, out[4].kl_scale = 0.5;
  for (double& reward : out[4].reward) reward *= 1e-9;
  return out;
}

std::string wrong_advantages(const conformance::detail::Subject& s, const reference::Reference& reference) {
  for (Rollout r : rollouts(s.info.needs)) {
    std::vector<double> advantage(r.tokens()), target(s.has(TENON_NEEDS_VALUE) ? r.tokens() : 0);
    reference.advantages(r, advantage, target);
    s.advantages(r);
    // Of samples that are not valid an advantage has no meaning.
    for (uint64_t i = 0; i < r.size(); ++i)
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
        if (!conformance::counts(r, i, t)) r.advantage[t] = advantage[t] = 0;
    std::string text = unlike(r, "the advantage", r.advantage, advantage);
    if (text.empty()) text = unlike(r, "the value target", r.value_target, target);
    if (!text.empty()) return text;
  }
  return "";
}

std::string wrong_gradient(const conformance::detail::Subject& s, const reference::Reference& reference) {
  for (Rollout r : rollouts(s.info.needs)) {
    s.advantages(r), s.weigh(r);
    // As a stage that corrects for the sampler gives them.
    if (r.kl_scale != 1 && !s.has(TENON_FIXED_ADVANTAGE))
      for (uint64_t t = 0; t < r.tokens(); ++t) r.advantage[t] *= 0.5 + static_cast<double>(t % 3);
    conformance::fill_meaningless(r, std::nan(""));
    reference::Loss wanted(r);
    reference.gradient(r, wanted);
    const Algorithm::Columns c = s.gradient(r).columns;
    std::string text = unlike(r, "d_logprob", c.d_logprob, wanted.d_logprob);
    if (text.empty()) text = unlike(r, "d_entropy", c.d_entropy, wanted.d_entropy);
    if (text.empty()) text = unlike(r, "d_value", c.d_value, wanted.d_value);
    if (text.empty() && std::abs(c.loss - wanted.loss) > 1e-9 * conformance::detail::loss_scale(s, r))
      text = "the loss is " + number(c.loss) + ", of the reference " + number(wanted.loss);
    if (!text.empty()) return text;
  }
  return "";
}

// What `tenon check` would call a mistake.
std::string mistakes(const Case& of) {
  std::string text;
  const testing::TestHost host(of.component, of.options);
  tenon_diag diag{sizeof diag, 0, &text,
                  [](void* to, const char* path, int32_t severity, const char* message) {
                    if (severity == TENON_FINDING_ERROR)
                      *static_cast<std::string*>(to) += std::string(path) + ": " + message + ". ";
                  }};
  if (TENON_FN(of.component->life, tenon_life, check)) of.component->life->check(host.raw(), &diag);
  return text;
}

}  // namespace

std::vector<std::string> columns() {
  std::vector<std::string> out = {"options"};
  for (const auto& check : conformance::kAlgorithmChecks) out.push_back(check.name);
  out.insert(out.end(), {"advantages", "gradient"});
  return out;
}

std::vector<Verdict> judge(const Case& of, Fault fault, std::string_view only) {
  std::vector<Verdict> out;
  const std::vector<std::string> names = columns();
  // Whether the next column is asked for; if not, it has no verdict.
  auto skip = [&] {
    const bool is_asked = only.empty() || names[out.size()] == only;
    if (!is_asked) out.push_back({Verdict::kNone, ""});
    return !is_asked;
  };
  auto add = [&](const std::string& text) {
    out.push_back({text.empty() ? Verdict::kGreen : Verdict::kRed, text});
  };
  try {
    const testing::Instance<tenon_algorithm_vt> instance(of.component, of.options);
    const Faulty faulty(instance.ref(), fault);
    const tenon_ref ref = fault.kind == Fault::kNone ? instance.ref() : faulty.ref();
    if (!skip()) add(mistakes(of));
    for (const auto& check : conformance::kAlgorithmChecks)
      if (!skip()) add(check.run(ref));

    reference::Given given(of.component, of.options);
    const auto reference = reference::make_reference(of.component->id, given);
    if (reference == nullptr) {
      out.insert(out.end(), 2, {Verdict::kNone, ""});
      return out;
    }
    if (const std::string option = given.unknown(); !option.empty())
      throw Error("the reference does not know the option " + option);
    const conformance::detail::Subject s(ref);
    for (auto* compare : {wrong_advantages, wrong_gradient}) {
      if (skip()) continue;
      try {
        add(compare(s, *reference));
      } catch (const std::exception& e) {
        add(std::string("an error on a good rollout: ") + e.what());
      }
    }
  } catch (const std::exception& e) {  // no instance, or no reference: nothing of what is left can be judged
    while (out.size() < names.size()) add(e.what());
  }
  return out;
}

bool has_fault(const Case& of, Fault fault) {
  const testing::Instance<tenon_algorithm_vt> instance(of.component, of.options);
  return Faulty(instance.ref(), fault).falsifies();
}

}  // namespace tenon::test
