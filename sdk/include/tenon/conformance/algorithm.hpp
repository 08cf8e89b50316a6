// Is an algorithm right? Checks that need no reference to compare with, and so run against any algorithm plugin, whoever wrote it.
// SPDX-License-Identifier: Apache-2.0
//
//   tenon::testing::Instance<tenon_algorithm_vt> mine(component, options);
//   for (const auto& check : tenon::conformance::kAlgorithmChecks) EXPECT_EQ(check.run(mine.ref()), "") << check.name;
//
// Each check gives "" or a sentence that says what differs, and where. All call the component through the C ABI, on random rollouts (rollouts.hpp) with the
// columns that its info().needs asks for. They prove that an algorithm keeps the contract of tenon_algorithm_vt and that its derivatives are those of its loss;
// that the loss is the one of the paper, only a reference can show.
#pragma once

#include <array>

#include "tenon/conformance/bad_numbers.hpp"
#include "tenon/conformance/explanations.hpp"
#include "tenon/conformance/subject.hpp"

namespace tenon::conformance {

// ---- The checks. Each is given an instance and returns "" or what is wrong; an error of the instance's own on a good rollout is thrown. -----------------------

// info() is filled in, and the same each time.
inline std::string info_is_fixed(const tenon_ref& ref) {
  const Algorithm algorithm(ref);
  const tenon_algorithm_info a = algorithm.info(), b = algorithm.info();
  if (a.needs != b.needs || a.aggregation != b.aggregation || a.constant != b.constant) return "info() differs from call to call";
  const uint32_t known = TENON_NEEDS_REFERENCE | TENON_NEEDS_ENTROPY | TENON_NEEDS_VALUE | TENON_NEEDS_GROUPS | TENON_WHOLE_GROUPS | TENON_FIXED_ADVANTAGE |
                         TENON_ON_POLICY | TENON_NEEDS_TOKEN_REWARD;
  if ((a.needs & ~known) != 0) return "info().needs has bits that mean nothing: " + std::to_string(a.needs & ~known);
  if (a.aggregation < TENON_TOKEN_MEAN || a.aggregation > TENON_CONSTANT_LENGTH) return "info().aggregation is " + std::to_string(a.aggregation) + ", not TENON_TOKEN_MEAN or its like";
  if (a.aggregation == TENON_CONSTANT_LENGTH && !(a.constant > 0)) return "info().constant is " + detail::number(a.constant) + "; the loss is divided by it";
  return "";
}

// d_logprob, d_entropy and d_value are the derivatives of the loss by finite differences, to 1e-5 relative (or 1e-8 of the largest of the sequence, of the group
// with TENON_WHOLE_GROUPS); at a kink they lie between the two slopes. The loss is that of the extension tenon.ext.surrogate/1 where the algorithm has it, else
// gradient's own; both are the same number where nothing moves.
inline std::string derivatives_are_those_of_the_loss(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts()) {
    if (const double given = s.gradient(r).columns.loss, frozen = s.loss(r, r); !(std::abs(given - frozen) <= 1e-11 * (detail::loss_scale(s, r) + 1e-300)))
      return "the loss is " + detail::number(given) + ", and " + detail::number(frozen) + " of tenon.ext.surrogate/1 for the same policy";
    std::string text = detail::wrong_derivative(s, r, "d_logprob", &Rollout::lp_new, &Algorithm::Columns::d_logprob);
    if (text.empty()) text = detail::wrong_derivative(s, r, "d_entropy", &Rollout::entropy, &Algorithm::Columns::d_entropy);
    if (text.empty()) text = detail::wrong_derivative(s, r, "d_value", &Rollout::value, &Algorithm::Columns::d_value);
    if (!text.empty()) return text;
  }
  return "";
}

// Not one bit of a derivative changes with the size of micro-batches; loss and metrics change by rounding alone.
inline std::string micro_batches_change_nothing(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts())
    for (uint64_t n : {1, 2, 3, 7}) {
      std::vector<std::vector<uint64_t>> parts;
      uint64_t held = 0;
      for (const auto& unit : s.units(r)) {
        if (held++ % n == 0) parts.emplace_back();
        parts.back().insert(parts.back().end(), unit.begin(), unit.end());
      }
      std::string text = detail::split_changes(s, r, parts, "in micro-batches of " + std::to_string(n));
      if (!text.empty()) return text;
    }
  return "";
}

// Nor with the split over ranks, in which neighbours are separated.
inline std::string ranks_change_nothing(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts())
    for (uint64_t ranks = 1; ranks <= 4; ++ranks) {
      std::vector<std::vector<uint64_t>> parts(ranks);
      uint64_t next = 0;
      for (const auto& unit : s.units(r)) {
        auto& part = parts[next++ * 7 % ranks];
        part.insert(part.end(), unit.begin(), unit.end());
      }
      std::string text = detail::split_changes(s, r, parts, "on " + std::to_string(ranks) + " ranks");
      if (!text.empty()) return text;
    }
  return "";
}

// Advantages, value targets and derivatives go with their sequence wherever it stands, to the bit.
inline std::string order_changes_nothing(const tenon_ref& ref) {
  const detail::Subject s(ref);
  std::mt19937_64 random(5);
  for (const Rollout& r : s.rollouts()) {
    std::vector<uint64_t> rows = detail::all_rows(r);
    std::reverse(rows.begin(), rows.end());
    for (const char* where : {"with the sequences in reverse", "with the sequences shuffled"}) {
      std::string text = detail::move_changes(s, r, r.select(rows), rows, 0, where);
      if (!text.empty()) return text;
      std::shuffle(rows.begin(), rows.end(), random);
    }
  }
  return "";
}

// A longer prompt, and padding, change nothing.
inline std::string padding_changes_nothing(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts())
    for (auto [front, back] : {std::pair<uint64_t, uint64_t>{1, 0}, {5, 0}, {0, 3}, {2, 9}}) {
      std::string text = detail::move_changes(s, r, padded(r, front, back), detail::all_rows(r), front,
                                              "with " + std::to_string(front) + " tokens before each sequence and " + std::to_string(back) + " behind it");
      if (!text.empty()) return text;
    }
  return "";
}

// A group is known by its id, whatever the id is.
inline std::string group_ids_are_only_names(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts()) {
    Rollout renamed = r;
    for (uint64_t& id : renamed.group_id) id = (id * 0x9E3779B97F4A7C15) >> 1;
    std::string text = detail::move_changes(s, r, renamed, detail::all_rows(r), 0, "with other ids of the groups");
    if (!text.empty()) return text;
  }
  return "";
}

// Masked tokens and samples that are not valid have derivative 0, masked tokens advantage 0; what stands there influences nothing, nor does it matter whether
// such samples are given at all.
inline std::string masked_tokens_have_no_part(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts()) {
    Rollout given = r;
    s.advantages(given);
    const Algorithm::Columns c = s.gradient(r).columns;
    for (uint64_t i = 0; i < r.size(); ++i)
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
        if (counts(r, i, t)) continue;
        const std::string why = r.valid[i] == 0 ? ", a sample that is not valid" : ", which is masked";
        auto nonzero = [&](const char* name, const auto& column) {
          return column.empty() || column[t] == 0 ? std::string() : std::string(name) + " of " + detail::place(r, t) + why + ", is " + detail::number(column[t]) + ", not 0";
        };
        std::string text = r.mask[t] == 0 ? nonzero("the advantage", given.advantage) : "";
        if (text.empty() && r.mask[t] == 0) text = nonzero("the value target", given.value_target);
        if (text.empty()) text = nonzero("d_logprob", c.d_logprob);
        if (text.empty()) text = nonzero("d_entropy", c.d_entropy);
        if (text.empty()) text = nonzero("d_value", c.d_value);
        if (!text.empty()) return text;
      }
    Rollout other = r;
    fill_meaningless(other, 1e30);
    std::string text = detail::move_changes(s, r, other, detail::all_rows(r), 0, "with other numbers at masked tokens and invalid samples");
    if (!text.empty()) return text;
    std::vector<uint64_t> valid;
    for (uint64_t i = 0; i < r.size(); ++i)
      if (r.valid[i] != 0) valid.push_back(i);
    Rollout left = r.select(valid);
    s.advantages(left);
    auto kept = [&](const auto& column) {
      std::vector<double> out(column.empty() ? 0 : r.tokens(), 0.0);
      for (uint64_t k = 0, t = 0; k < valid.size() && !column.empty(); ++k)
        for (uint64_t to = r.ids.offsets[valid[k]]; to < r.ids.offsets[valid[k] + 1]; ++to, ++t) out[to] = column[t];
      return out;
    };
    auto of_valid = [&](std::vector<double> column) {
      for (uint64_t t = 0; t < column.size(); ++t)
        if (r.valid[sequence_of(r, t)] == 0) column[t] = 0;
      return column;
    };
    const std::string without = "without the samples that are not valid";
    text = detail::difference(r, "the advantage", of_valid(given.advantage), kept(left.advantage), without);
    if (text.empty()) text = detail::difference(r, "the value target", of_valid(given.value_target), kept(left.value_target), without);
    if (!text.empty()) return text;
    text = detail::split_changes(s, r, {valid}, without);
    if (!text.empty()) return text;
  }
  return "";
}

// NaN and infinity in a column at a token that counts, and a log-probability so far off that no ratio holds: an error that names the sample, or no effect on
// others and finite numbers, metrics among them. (A number of a sample's group or of the whole rollout may reach others through `advantages`; then the error may
// name one of those.) A reward of a valid sample that is not finite is always an error that names that very sample: a group of which one is NaN has no baseline,
// and an algorithm that goes on has taken it for something.
inline std::string nothing_that_is_not_finite_comes_out(const tenon_ref& ref) {
  const detail::Subject s(ref);
  const Rollout good = s.rollout(3, {.extreme = 30, .token_rewards = true});
  std::string text = detail::bad_columns_come_out(s, good);
  return text.empty() ? detail::bad_rewards_come_out(s, good) : text;
}

// Both functions are pure: the same bits at each call, whatever was called in between, and their inputs as they were.
inline std::string calls_are_pure(const tenon_ref& ref) {
  const detail::Subject s(ref);
  const std::vector<Rollout> rollouts = s.rollouts();
  std::vector<Rollout> given = rollouts;
  std::vector<Algorithm::Columns> first;
  for (Rollout& r : given) {
    const std::string advantages_before = detail::bytes_of(r);
    Rollout again = r;
    s.advantages(again);
    if (detail::bytes_of(r) != advantages_before) return "`advantages` writes into its inputs";
    const std::string before = detail::bytes_of(r);
    first.push_back(s.gradient(r).columns);
    if (detail::bytes_of(r) != before) return "`gradient` writes into its inputs";
    r.advantage = again.advantage;
  }
  for (size_t k = rollouts.size(); k-- > 0;) {
    Rollout again = rollouts[k];
    s.advantages(again);
    std::string text = detail::difference(again, "the advantage", given[k].advantage, again.advantage, "when called again");
    const Algorithm::Columns second = s.gradient(rollouts[k]).columns;
    if (text.empty()) text = detail::difference(again, first[k], second, "when called again");
    if (text.empty() && first[k].loss != second.loss) text = "the loss is another when called again";
    if (!text.empty()) return text;
  }
  return "";
}

// Every metric is finite, has a count that is not negative, and of one family ("ratio/min", "ratio/mean", "ratio/max") the mean is between the others.
inline std::string metrics_are_what_they_say(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts()) {
    Rollout given = r;
    for (const Algorithm::Metrics& m : {s.advantages(given), s.gradient(r).metrics}) {
      if (std::string bad = detail::metric_that_is_not_finite(m); !bad.empty()) return bad;
      for (const auto& [name, sum] : m.sums) {
        if (!(sum.second >= 0)) return "metric " + name + " is a mean over " + detail::number(sum.second);
        if (sum.second == 0 && sum.first != 0) return "metric " + name + " is " + detail::number(sum.first) + " over nothing";
      }
      for (const auto& [name, low] : m.least) {
        if (!name.ends_with("/min")) continue;
        const std::string family = name.substr(0, name.size() - 3);
        const auto most = m.most.find(family + "max");
        const auto mean = m.sums.find(family + "mean");
        if (most != m.most.end() && most->second < low) return name + " is " + detail::number(low) + ", more than " + family + "max, " + detail::number(most->second);
        if (mean == m.sums.end() || mean->second.second == 0) continue;
        const double at = mean->second.first / mean->second.second, slack = 1e-9 * (std::abs(low) + std::abs(at));
        if (at < low - slack || (most != m.most.end() && at > most->second + slack + 1e-9 * std::abs(most->second)))
          return family + "mean is " + detail::number(at) + ", outside of " + family + "min and " + family + "max";
      }
    }
  }
  return "";
}

// Loss and derivatives are proportional to the weights: twice the weights, twice both, to the bit.
inline std::string weights_are_factors(const tenon_ref& ref) {
  const detail::Subject s(ref);
  for (const Rollout& r : s.rollouts()) {
    Rollout twice = r;
    for (double& w : twice.weight) w *= 2;
    Algorithm::Columns one = s.gradient(r).columns;
    const Algorithm::Columns two = s.gradient(twice).columns;
    if (two.loss != 2 * one.loss) return "the loss is " + detail::number(one.loss) + ", and " + detail::number(two.loss) + " with twice the weights";
    for (auto* column : {&one.d_logprob, &one.d_entropy, &one.d_value})
      for (float& d : *column) d *= 2;
    std::string text = detail::difference(r, one, two, "with twice the weights (the first number is twice that with the weights)");
    if (!text.empty()) return text;
  }
  return "";
}

// The policy's part of loss and derivatives is proportional to the advantages, c ≥ 0 times: so that a stage may correct by importance weights. Not of an
// algorithm that says TENON_FIXED_ADVANTAGE.
inline std::string advantages_are_factors(const tenon_ref& ref) {
  const detail::Subject s(ref);
  if (s.has(TENON_FIXED_ADVANTAGE)) return "";
  for (const Rollout& r : s.rollouts()) {
    auto at = [&](double c) {
      Rollout scaled = r;
      for (double& a : scaled.advantage) a *= c;
      return s.gradient(scaled).columns;
    };
    const Algorithm::Columns none = at(0), one = at(1);
    const double scale_of_loss = detail::loss_scale(s, r);
    for (double c : {0.25, 3.0, 10.0}) {
      const Algorithm::Columns much = at(c);
      const std::string times = " with the advantages times " + detail::number(c) + ", not ";
      const double loss = none.loss + c * (one.loss - none.loss);
      if (!(std::abs(much.loss - loss) <= 1e-10 * (1 + c) * (scale_of_loss + std::abs(none.loss))))
        return "the loss is " + detail::number(much.loss) + times + detail::number(loss);
      for (uint64_t t = 0; t < r.tokens(); ++t) {
        const double wanted = none.d_logprob[t] + c * (double{one.d_logprob[t]} - none.d_logprob[t]);
        if (std::abs(much.d_logprob[t] - wanted) > 1e-6 * (1 + c) * (std::abs(wanted) + std::abs(double{one.d_logprob[t]}) + std::abs(double{none.d_logprob[t]})))
          return "d_logprob of " + detail::place(r, t) + " is " + detail::number(much.d_logprob[t]) + times + detail::number(wanted);
      }
      std::string text = detail::difference(r, "d_entropy", one.d_entropy, much.d_entropy, "with the advantages times " + detail::number(c));
      if (text.empty()) text = detail::difference(r, "d_value", one.d_value, much.d_value, "with the advantages times " + detail::number(c));
      if (!text.empty()) return text;
    }
  }
  return "";
}

// Where the policy is still the one that sampled, nothing bounds a ratio: each token with an advantage and a weight has a derivative.
inline std::string every_token_has_a_part(const tenon_ref& ref) {
  const detail::Subject s(ref);
  const Rollout r = s.rollout(5, {.drift = 0, .far_drift = 0, .extreme = 3});
  const Algorithm::Columns columns = s.gradient(r).columns;
  uint64_t with_advantage = 0;
  std::string text;
  for_counting_tokens(r, [&](uint64_t, uint64_t t) {
    if (r.advantage[t] == 0 || r.weight[t] == 0) return;
    ++with_advantage;
    if (columns.d_logprob[t] == 0 && text.empty()) text = "d_logprob of " + detail::place(r, t) + " is 0, its advantage " + detail::number(r.advantage[t]) + " and its ratio 1";
  });
  return with_advantage == 0 ? "no token has an advantage, though rewards differ" : text;
}

// A rollout of no sequences, of samples none of which is valid, of masked tokens alone, of empty completions: no error, loss and derivatives 0, no metric that
// is not finite.
inline std::string nothing_gives_nothing(const tenon_ref& ref) {
  const detail::Subject s(ref);
  auto judge = [&](Rollout r, const std::string& what) -> std::string {
    const Algorithm::Metrics early = s.advantages(r);
    s.weigh(r);
    fill_meaningless(r, std::numeric_limits<double>::quiet_NaN());
    const detail::Answer a = s.gradient(r);
    if (a.columns.loss != 0) return "the loss of " + what + " is " + detail::number(a.columns.loss) + ", not 0";
    for (const auto* column : {&a.columns.d_logprob, &a.columns.d_entropy, &a.columns.d_value})
      for (float d : *column)
        if (d != 0) return "a derivative of " + what + " is " + detail::number(d) + ", not 0";
    for (const auto* m : {&early, &a.metrics})
      if (const std::string bad = detail::metric_that_is_not_finite(*m); !bad.empty()) return "of " + what + ", " + bad;
    return "";
  };
  Rollout invalid = random_rollout(s.info.needs, 1), masked = invalid, empty;
  std::fill(invalid.valid.begin(), invalid.valid.end(), 0);
  std::fill(masked.mask.begin(), masked.mask.end(), 0);
  Rollout without = random_rollout(s.info.needs, 1, {.tokens = 0});
  fill_meaningless(invalid, std::numeric_limits<double>::quiet_NaN()), fill_meaningless(masked, std::numeric_limits<double>::quiet_NaN());
  std::string text = judge(invalid, "samples none of which is valid");
  if (text.empty()) text = judge(masked, "masked tokens alone");
  if (text.empty()) text = judge(without, "empty completions");
  if (!text.empty()) return text;

  // No sequences: columns that are there have addresses all the same.
  double numbers[1] = {0};
  float floats[1] = {0};
  uint64_t ids[1] = {0};
  uint8_t bytes[1] = {0};
  tenon_rollout nothing{};
  nothing.struct_size = sizeof nothing, nothing.kl_scale = 1;
  nothing.offsets = nothing.group_id = nothing.sample_id = nothing.version = ids;
  nothing.mask = nothing.valid = bytes, nothing.reward = nothing.advantage = nothing.value_target = nothing.weight = numbers;
  nothing.lp_sample = nothing.lp_old = nothing.lp_new = floats;
  if (s.has(TENON_NEEDS_REFERENCE)) nothing.lp_ref = floats;
  if (s.has(TENON_NEEDS_ENTROPY)) nothing.entropy = floats;
  if (s.has(TENON_NEEDS_VALUE)) nothing.value = nothing.value_old = floats;
  const auto* vt = static_cast<const tenon_algorithm_vt*>(ref.vt);
  Algorithm::Metrics metrics;
  tenon_advantages_out advantages{sizeof advantages, 0, numbers, numbers, &metrics, Algorithm::Metrics::add};
  tenon_gradient_out gradient{sizeof gradient, 0, 0, floats, floats, floats, &metrics, Algorithm::Metrics::add};
  ErrorBuffer err;
  err.check(vt->advantages(ref.self, nullptr, &nothing, &advantages, err));
  err.check(vt->gradient(ref.self, nullptr, &nothing, &gradient, err));
  return gradient.loss == 0 ? "" : "the loss of no sequences is " + detail::number(gradient.loss) + ", not 0";
}

// A check and its name in tables.
struct AlgorithmCheck {
  const char* name;
  std::string (*check)(const tenon_ref&);
  // What the check says; an error of the algorithm on a good rollout is said, too.
  std::string run(const tenon_ref& algorithm) const {
    try {
      return check(algorithm);
    } catch (const std::exception& e) {
      return std::string("an error on a good rollout: ") + e.what();
    }
  }
};

inline constexpr std::array kAlgorithmChecks = {
    AlgorithmCheck{"info", info_is_fixed},
    AlgorithmCheck{"derivatives", derivatives_are_those_of_the_loss},
    AlgorithmCheck{"micro", micro_batches_change_nothing},
    AlgorithmCheck{"ranks", ranks_change_nothing},
    AlgorithmCheck{"order", order_changes_nothing},
    AlgorithmCheck{"padding", padding_changes_nothing},
    AlgorithmCheck{"groups", group_ids_are_only_names},
    AlgorithmCheck{"mask", masked_tokens_have_no_part},
    AlgorithmCheck{"finite", nothing_that_is_not_finite_comes_out},
    AlgorithmCheck{"tokens", every_token_has_a_part},
    AlgorithmCheck{"purity", calls_are_pure},
    AlgorithmCheck{"metrics", metrics_are_what_they_say},
    AlgorithmCheck{"weights", weights_are_factors},
    AlgorithmCheck{"scale", advantages_are_factors},
    AlgorithmCheck{"nothing", nothing_gives_nothing},
    AlgorithmCheck{"explain", explanations_give_the_derivatives},
};

}  // namespace tenon::conformance
