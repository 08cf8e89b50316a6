// What an algorithm should give, in float64, written from the papers and from nothing of the plugins: the interface, and reading of options.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tenon/conformance/rollouts.hpp"
#include "tenon/testing.hpp"

namespace tenon::test::reference {

struct Loss {
  explicit Loss(const Rollout& r)
      : d_logprob(r.tokens()),
        d_entropy(r.entropy.empty() ? 0 : r.tokens()),
        d_value(r.value.empty() ? 0 : r.tokens()) {}
  double loss = 0;
  std::vector<double> d_logprob, d_entropy, d_value;
};

class Reference {
 public:
  virtual ~Reference() = default;
  // Fills `advantage` and, of an algorithm with a critic, `target`, both zero and of the length of r.
  virtual void advantages(const Rollout& r, std::vector<double>& advantage,
                          std::vector<double>& target) const = 0;
  // r has the weights and advantages.
  virtual void gradient(const Rollout& r, Loss& out) const = 0;
};

// The options of a case: the given ones, and the defaults of the component's table. Remembers what was asked for, so that an option that a reference does not
// know makes it fail instead of agreeing by chance.
class Given {
 public:
  Given(const tenon_component* component, std::map<std::string, std::string> options)
      : component_(component), host_(component, std::move(options)) {}
  std::string str(const char* name) { return asked_.insert(name), host_.host().str(name); }
  // otherwise: of a component that has no such option.
  std::string str_or(const char* name, const char* otherwise) { return has(name) ? str(name) : otherwise; }
  double num(const char* name) { return asked_.insert(name), host_.host().f64(name); }
  double num_or(const char* name, double otherwise) {
    return asked_.insert(name), host_.host().f64_if(name).value_or(otherwise);
  }
  bool flag(const char* name) { return asked_.insert(name), host_.host().boolean(name); }
  // Of the normaliser alone, which is the host's.
  void not_mine(std::initializer_list<const char*> names) { asked_.insert(names.begin(), names.end()); }
  bool has(const char* name) const {
    auto o = component_->options;
    while (o != nullptr && *o != nullptr && std::string_view((*o)->name) != name) ++o;
    return o != nullptr && *o != nullptr;
  }
  // The first option of the component's table that nothing has asked for; "" if there is none.
  std::string unknown() const {
    for (auto o = component_->options; o != nullptr && *o != nullptr; ++o)
      if (!asked_.contains((*o)->name)) return (*o)->name;
    return "";
  }

 private:
  const tenon_component* component_;
  testing::TestHost host_;
  std::set<std::string> asked_;
};

// Null for an algorithm that no reference is written for.
std::unique_ptr<Reference> make_reference(const std::string& id, Given& given);

// Rows of each group of valid sequences, in no particular order.
inline std::vector<std::vector<uint64_t>> groups_of(const Rollout& r) {
  std::map<uint64_t, std::vector<uint64_t>> by_id;
  for (uint64_t i = 0; i < r.size(); ++i)
    if (r.valid[i] != 0) by_id[r.group_id[i]].push_back(i);
  std::vector<std::vector<uint64_t>> out;
  for (auto& [id, rows] : by_id) out.push_back(std::move(rows));
  return out;
}
// The tokens of sequence i that count, in order.
inline std::vector<uint64_t> tokens_of(const Rollout& r, uint64_t i) {
  std::vector<uint64_t> out;
  for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
    if (conformance::counts(r, i, t)) out.push_back(t);
  return out;
}
// What the sequence earned: its outcome and what its tokens earned.
inline double outcome(const Rollout& r, uint64_t i) {
  double sum = r.reward[i];
  if (!r.token_reward.empty())
    for (uint64_t t : tokens_of(r, i))
      if (!std::isnan(r.token_reward[t])) sum += r.token_reward[t];
  return sum;
}
inline double mean_of(const std::vector<double>& x) {
  long double sum = 0;
  for (double v : x) sum += v;
  return x.empty() ? 0 : static_cast<double>(sum / static_cast<long double>(x.size()));
}
// Standard deviation with n − lost in the denominator, two passes.
inline double deviation_of(const std::vector<double>& x, double lost) {
  if (static_cast<double>(x.size()) <= lost) return 0;
  const double mean = mean_of(x);
  long double squares = 0;
  for (double v : x) squares += (v - mean) * static_cast<long double>(v - mean);
  return std::sqrt(static_cast<double>(squares / (static_cast<long double>(x.size()) - lost)));
}

}  // namespace tenon::test::reference
