// The options of `grpo` and the rules between them.
// SPDX-License-Identifier: Apache-2.0
#include "grpo.h"

namespace tenon::grpo {
namespace {

namespace support = algorithm_support;

// The enumerator at the place of the host's choice among `names`.
template <class Enum, size_t N>
Enum choice_of(const Host& host, const char* option, const char* const (&names)[N]) {
  const std::string value = host.str(option);
  for (size_t i = 0; i + 1 < N; ++i)
    if (value == names[i]) return static_cast<Enum>(i);
  throw Error(TENON_E_INTERNAL, std::string(option) + " has no choice \"" + value + "\"");
}

constexpr const char* kRatios[] = {"token", "sequence", "geometric-mean", "geometric-mean-token", nullptr};
constexpr const char* kObjectives[] = {"clip", "cispo", "gmpo", nullptr};
constexpr const char* kAdvantages[] = {"outcome", "process", nullptr};
constexpr const char* kStds[] = {"sample", "population", "none", nullptr};
constexpr const char* kScales[] = {"group", "batch", nullptr};
constexpr const char* kKlPlaces[] = {"loss", "reward", nullptr};

// What the ratio and the objective allow each other, and the aggregation and the advantage that go with them.
void check_objective(const Host& host, Findings& findings) {
  const std::string ratio = host.str("ratio"), objective = host.str("objective");
  if (objective == "cispo" && ratio != "token")
    findings.error("ratio",
                   "objective: cispo weighs each token by its own ratio: leave ratio: " + ratio + " out");
  if (objective == "gmpo" && ratio != "geometric-mean")
    findings.error(
        "ratio",
        "objective: gmpo is about the geometric mean of a completion's ratios: give ratio: geometric-mean");
  if (ratio != "token" && host.str("aggregation") != "sequence-mean")
    findings.error("aggregation",
                   "ratio: " + ratio +
                       " gives each completion one ratio, whose loss is a mean over completions: give "
                       "aggregation: sequence-mean");
  if (host.str("advantage") == "process" && (ratio == "sequence" || ratio == "geometric-mean"))
    findings.error("advantage",
                   "ratio: " + ratio +
                       " has one term for a completion, advantage: process one for each token: use ratio: "
                       "geometric-mean-token or ratio: token");
}

void check_bounds(const Host& host, Findings& findings) {
  support::check_clip(host, findings);
  support::check_dual_clip(host, findings);
  const auto dual = host.f64_if("dual_clip"), delta = host.f64_if("delta");
  if (delta && *delta <= 1 + host.f64("clip_high"))
    findings.error("delta", "delta is " + support::number_text(*delta) +
                                ", but must be above 1 + clip_high = " +
                                support::number_text(1 + host.f64("clip_high")) +
                                ": below that bound it changes nothing, or takes its place. INTELLECT-2's "
                                "value is 4");
  if (dual && delta)
    findings.error(
        "delta", "delta and dual_clip bound the same ratios, those above 1 of negative advantages: give one");
  for (const char* cap : {"dual_clip", "delta"})
    if (host.f64_if(cap) && host.str("objective") != "clip")
      findings.error(cap, std::string(cap) + " is a bound of objective: clip; objective: " +
                              host.str("objective") + " has its own");
}

void check_scale(const Host& host, Findings& findings) {
  if (host.str("std") != "none") return;
  findings.no_effect("std_epsilon", "std: none divides by nothing");
  if (host.str("scale") == "batch")
    findings.error("scale", "scale: batch divides by the batch's deviation, std: none by nothing: give one");
  else
    findings.no_effect("scale", "std: none divides by nothing");
}

void check_kl(const Host& host, Findings& findings) {
  if (host.f64("beta") == 0) {
    for (const char* option : {"kl", "kl_in"})
      findings.no_effect(option, "with beta: 0 there is no divergence to estimate");
  } else if (host.str("kl_in") == "loss" && host.str("kl") == "k1") {
    findings.warning("kl",
                     "as a loss k1 has a gradient of mean 0, which holds nothing back and adds noise: use k2 "
                     "or k3, or kl_in: reward");
  } else if (host.str("kl_in") == "reward") {
    findings.no_effect("kl", "in the reward it is k1, the log-ratio itself");
    if (host.str("advantage") == "process")
      findings.error("kl_in",
                     "kl_in: reward is about the reward of a completion, advantage: process about those of "
                     "its steps: use kl_in: loss");
  }
}

}  // namespace

Options::Options(const Host& host)
    : ratio(choice_of<Ratio>(host, "ratio", kRatios)),
      objective(choice_of<Objective>(host, "objective", kObjectives)),
      process(host.str("advantage") == "process"),
      std(choice_of<Std>(host, "std", kStds)),
      std_epsilon(host.f64("std_epsilon")),
      batch_scale(host.str("scale") == "batch"),
      clip(support::read_clip(host, host.f64_if(host.f64_if("dual_clip") ? "dual_clip" : "delta"))),
      beta(host.f64("beta")),
      kl(support::read_kl(host.str("kl"))),
      kl_in_reward(host.str("kl_in") == "reward"),
      entropy(host.f64("entropy")) {}

Grpo::Grpo(Host host) : o_(host), info_(support::read_info(host, TENON_NEEDS_GROUPS)) {
  if (o_.entropy != 0) info_.needs |= TENON_NEEDS_ENTROPY;
  if (o_.process) info_.needs |= TENON_NEEDS_TOKEN_REWARD;
}

void Grpo::check(Host host, Findings& findings) {
  support::check_aggregation(host, findings, "Dr. GRPO: the longest completion");
  check_objective(host, findings);
  check_bounds(host, findings);
  check_scale(host, findings);
  check_kl(host, findings);
}

const void* Grpo::extension(std::string_view id) const {
  const void* table = explain_extension<Grpo>(id);
  return table != nullptr ? table : surrogate_extension<Grpo>(id);
}

}  // namespace tenon::grpo

using tenon::grpo::Grpo;
using namespace tenon::grpo;

TENON_ALGORITHM_PLUGIN(
    Grpo, "grpo", "1.1.0", "Group Relative Policy Optimization (DeepSeekMath, DeepSeek-R1) and its variants.",
    tenon::choice("ratio", kRatios, "\"token\"",
                  "New over old probability: of each token (DeepSeekMath); of the completion, a product "
                  "(DeepSeek-R1); the geometric mean over "
                  "it (GSPO); that as a constant, with each token's own gradient (GSPO-token)."),
    tenon::choice("objective", kObjectives, "\"clip\"",
                  "clip: PPO's bounded ratio. cispo: log-probabilities, weighted by the bounded ratio as a "
                  "constant. gmpo: the geometric mean "
                  "of bounded ratios, the bounds being of their logarithm."),
    tenon::choice("advantage", kAdvantages, "\"outcome\"",
                  "outcome: one for a completion. process: of the rewards that come at or after a token "
                  "(DeepSeekMath 4.1.3)."),
    tenon::choice("std", kStds, "\"sample\"",
                  "What advantages are divided by: the sample (n − 1) or population (n) standard deviation, "
                  "or nothing."),
    tenon::number("std_epsilon", "1e-4", "Added to the standard deviation.", {.min = "0"}),
    tenon::choice("scale", kScales, "\"group\"",
                  "Whose standard deviation it is: the group's, or that of all rewards of the rollout. The "
                  "mean is the group's in any case."),
    tenon::algorithm_support::kClipLow, tenon::algorithm_support::kClipHigh,
    tenon::algorithm_support::kDualClip,
    tenon::number(
        "delta", nullptr,
        "Above 1 + clip_high. The same bound under INTELLECT-2's name (arXiv 2505.07291: 4), as TRL has it.",
        {.min = "1"}),
    tenon::number(
        "beta", "0",
        "Weight of the divergence from the reference model; 0: none, and no reference model is made.",
        {.min = "0"}),
    tenon::choice("kl", tenon::algorithm_support::kKlNames, "\"k3\"",
                  "Its estimator in the loss, of beta > 0."),
    tenon::choice("kl_in", kKlPlaces, "\"loss\"",
                  "Where it is, of beta > 0: in the loss, or taken from the reward of the completion before "
                  "groups are compared (k1)."),
    tenon::number("entropy", "0", "Weight of the bonus for entropy in the loss; 0: none.", {.min = "0"}),
    tenon::algorithm_support::kAggregation, tenon::algorithm_support::kLength)
