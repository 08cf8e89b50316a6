// DPO (Rafailov et al., arXiv 2305.18290, eq. 7) and IPO (Azar et al., arXiv 2310.12036, eq. 17) on pairs of the samples of a group.
// SPDX-License-Identifier: Apache-2.0
#include "reference/reference.h"
#include "reference/references.h"

namespace tenon::test::reference {
namespace {

class DpoReference : public Reference {
 public:
  explicit DpoReference(Given& given)
      : beta_(given.num("beta")),
        is_ipo_(given.str("loss") == "ipo"),
        smoothing_(given.num("label_smoothing")),
        all_pairs_(given.str("pairs") == "all") {}

  void advantages(const Rollout& r, std::vector<double>& advantage, std::vector<double>&) const override {
    for (const auto& group : groups_of(r)) {
      const auto pairs = pairs_of(r, group);
      for (uint64_t i : group) {
        double won = 0;
        for (const auto& [chosen, rejected] : pairs) won += (chosen == i ? 1 : 0) - (rejected == i ? 1 : 0);
        for (uint64_t t : tokens_of(r, i))
          advantage[t] = pairs.empty() ? 0 : won / static_cast<double>(pairs.size());
      }
    }
  }

  void gradient(const Rollout& r, Loss& out) const override {
    for (const auto& group : groups_of(r)) {
      const auto pairs = pairs_of(r, group);
      double members = 0, share = 0;  // share: 1 / N, the host's weight of any token
      for (uint64_t i : group)
        if (const auto tokens = tokens_of(r, i); !tokens.empty()) members += 1, share = r.weight[tokens[0]];
      for (const auto& [chosen, rejected] : pairs) {
        const double factor = share * members / static_cast<double>(pairs.size());
        const double u = beta_ * (gain(r, chosen) - gain(r, rejected));
        double loss = 0, slope = 0;  // slope: by u
        if (is_ipo_) {
          loss = std::pow(u / beta_ - 1 / (2 * beta_), 2), slope = 2 / beta_ * (u / beta_ - 1 / (2 * beta_));
        } else {
          auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
          loss = -(1 - smoothing_) * std::log(sigmoid(u)) - smoothing_ * std::log(sigmoid(-u));
          slope = -(1 - smoothing_) * sigmoid(-u) + smoothing_ * sigmoid(u);
        }
        out.loss += factor * loss;
        for (uint64_t t : tokens_of(r, chosen)) out.d_logprob[t] += factor * beta_ * slope;
        for (uint64_t t : tokens_of(r, rejected)) out.d_logprob[t] -= factor * beta_ * slope;
      }
    }
  }

 private:
  static double gain(const Rollout& r, uint64_t i) {
    double sum = 0;
    for (uint64_t t : tokens_of(r, i)) sum += double{r.lp_new[t]} - double{r.lp_ref[t]};
    return sum;
  }
  // (chosen, rejected); of samples with tokens. Ties for best and worst go to the smaller sample id.
  std::vector<std::pair<uint64_t, uint64_t>> pairs_of(const Rollout& r, std::vector<uint64_t> group) const {
    std::erase_if(group, [&](uint64_t i) { return tokens_of(r, i).empty(); });
    std::sort(group.begin(), group.end(),
              [&](uint64_t a, uint64_t b) { return r.sample_id[a] < r.sample_id[b]; });
    std::vector<std::pair<uint64_t, uint64_t>> out;
    if (all_pairs_) {
      for (uint64_t a : group)
        for (uint64_t b : group)
          if (outcome(r, a) > outcome(r, b)) out.emplace_back(a, b);
    } else if (!group.empty()) {
      uint64_t best = group[0], worst = group[0];
      for (uint64_t i : group) {
        if (outcome(r, i) > outcome(r, best)) best = i;
        if (outcome(r, i) < outcome(r, worst)) worst = i;
      }
      if (outcome(r, best) > outcome(r, worst)) out.emplace_back(best, worst);
    }
    return out;
  }
  double beta_;
  bool is_ipo_;
  double smoothing_;
  bool all_pairs_;
};

}  // namespace

std::unique_ptr<Reference> make_dpo(Given& given) {
  return std::make_unique<DpoReference>(given);
}

}  // namespace tenon::test::reference
