// Rewards: from the outcomes of several to one number per sample.
// SPDX-License-Identifier: Apache-2.0
#include "host/scoring.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <set>

#include "host/json_text.h"
#include "host/last_words.h"
#include "host/monotonic.h"
#include "host/run_error.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

uint64_t id_of(const tenon_reward_in& in, uint64_t i) {
  return in.sample_id != nullptr ? in.sample_id[i] : i;
}

// The samples that a reward is at, as it says so itself. [any thread]
class Begun {
 public:
  explicit Begun(const tenon_reward_in& in) : in_(in) {}

  void mark(uint64_t i, bool begins) {
    std::lock_guard lock(mutex_);
    if (begins)
      since_[i] = monotonic_ns();
    else
      since_.erase(i);
  }
  // " sample 4711: 31s" of the one that began first, or nothing.
  std::string oldest() const {
    std::lock_guard lock(mutex_);
    const auto first = std::min_element(since_.begin(), since_.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    if (first == since_.end() || first->first >= in_.n) return "";
    return " sample " + std::to_string(id_of(in_, first->first)) + ": " +
           duration_text(std::chrono::nanoseconds(monotonic_ns() - first->second));
  }

 private:
  const tenon_reward_in& in_;
  mutable std::mutex mutex_;
  std::map<uint64_t, int64_t> since_;
};

// What a reward says during one call.
struct Said {
  std::vector<std::string>* reasons;
  std::map<std::string, std::vector<std::pair<uint64_t, double>>>* notes;
  Begun* begun;
  const tenon_reward_in& in;
};

// A reason as one line of bounded length, cut between characters.
std::string shortened(std::string_view text) {
  const bool cut = text.size() > Scoring::kMaxReasonBytes;
  size_t n = cut ? Scoring::kMaxReasonBytes : text.size();
  while (cut && n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
  std::string line(text.substr(0, n));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return cut ? line + "…" : line;
}

void on_reason(void* ctx, uint64_t i, const char* text, uint64_t n) {
  guard(nullptr, [&] { static_cast<Said*>(ctx)->reasons->at(i) = shortened({text, n}); });
}
void on_note(void* ctx, uint64_t i, const char* key, double value) {
  guard(nullptr, [&] {
    const Said& said = *static_cast<Said*>(ctx);
    if (i < said.in.n) (*said.notes)[key].emplace_back(id_of(said.in, i), value);
  });
}

void on_judging(void* ctx, uint64_t i, int32_t begins) {
  guard(nullptr, [&] { static_cast<Said*>(ctx)->begun->mark(i, begins != 0); });
}

// Puts them in the order of their ids.
double sum_by_id(std::vector<std::pair<uint64_t, double>>& values) {
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  double sum = 0;
  for (const auto& [id, value] : values) sum += value;
  return sum;
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Of the completions' tokens, packed; 0 if the rewards are not given them.
uint64_t token_count(const tenon_reward_in& in) {
  return in.tokens.n == in.n && in.n > 0 ? in.tokens.offsets[in.n] : 0;
}
uint64_t first_token(const tenon_reward_in& in, uint64_t i) {
  return token_count(in) > 0 ? in.tokens.offsets[i] : 0;
}

// The token rewards of sample i into token_total or, where nobody takes them, into its total.
void put_token_rewards(const tenon_reward_in& in, uint64_t i, bool valid, const std::vector<double>& tokens,
                       double& total, tenon_scored& out) {
  double* to = TENON_HAS(&out, tenon_scored, token_total) ? out.token_total : nullptr;
  for (uint64_t t = first_token(in, i), end = first_token(in, i + 1); t < end; ++t)
    if (to != nullptr)
      to[t] = valid ? tokens[t] : kNone;
    else if (!std::isnan(tokens[t]))
      total += tokens[t];
}

}  // namespace

const char* reward_status_name(int32_t status) {
  switch (status) {
    case TENON_R_OK:
      return "ok";
    case TENON_R_NOT_APPLICABLE:
      return "not applicable";
    case TENON_R_TIMED_OUT:
      return "timed out";
    case TENON_R_REFUSED:
      return "refused";
    default:
      return "crashed";
  }
}

Scoring::Scoring(std::vector<Term> terms, double max_failures)
    : terms_(std::move(terms)), steps_(terms_.size()), max_failures_(max_failures) {
  std::set<std::string> names;
  for (Term& t : terms_) {
    const std::string name = t.name;
    for (int k = 2; !names.insert(t.name).second; ++k) t.name = name + "#" + std::to_string(k);
  }
}

Scoring::Outcome Scoring::call_term(size_t term, const tenon_call* call, const tenon_reward_in& in) {
  if (terms_[term].rules.is_plain()) return ask(term, call, in);
  const RewardView view(terms_[term].rules, in);
  Outcome all{std::vector<double>(in.n, 0.0), std::vector<double>(token_count(in), kNone),
              std::vector<int32_t>(in.n, TENON_R_NOT_APPLICABLE), std::vector<std::string>(in.n)};
  for (uint64_t i = 0; i < in.n; ++i) all.why[i] = view.left_out(i);
  steps_[term].samples += in.n - view.in().n;
  if (in.n > view.in().n) steps_[term].outcomes[TENON_R_NOT_APPLICABLE] += in.n - view.in().n;
  if (view.in().n == 0) return all;
  Outcome seen = ask(term, call, view.in());
  for (uint64_t k = 0; k < view.in().n; ++k) {
    const uint64_t i = view.place(k);
    all.reward[i] = seen.reward[k], all.status[i] = seen.status[k], all.why[i] = std::move(seen.why[k]);
    if (!seen.token_reward.empty())
      std::copy(seen.token_reward.begin() + static_cast<ptrdiff_t>(first_token(view.in(), k)),
                seen.token_reward.begin() + static_cast<ptrdiff_t>(first_token(view.in(), k + 1)),
                all.token_reward.begin() + static_cast<ptrdiff_t>(first_token(in, i)));
  }
  return all;
}

Scoring::Outcome Scoring::ask(size_t term, const tenon_call* call, const tenon_reward_in& in) {
  const Term& t = terms_[term];
  Outcome out{std::vector<double>(in.n, 0.0), std::vector<double>(token_count(in), kNone),
              std::vector<int32_t>(in.n, TENON_R_UNSET), std::vector<std::string>(in.n)};
  Begun begun(in);
  Said said{&out.why, &steps_[term].notes, &begun, in};
  tenon_reward_out raw{sizeof raw,
                       0,
                       out.reward.data(),
                       out.status.data(),
                       out.token_reward.empty() ? nullptr : out.token_reward.data(),
                       &said,
                       on_reason,
                       on_note,
                       on_judging};

  const int64_t begin = monotonic_ns();
  std::string error;
  const int32_t rc = call_in_time(
      t, call, in, raw, [&begun] { return begun.oldest(); }, error);
  steps_[term].seconds += static_cast<double>(monotonic_ns() - begin) * 1e-9;

  if (rc < 0) {
    if (rc == TENON_E_CANCELLED) throw Error(rc, error);
    if (rc != TENON_E_TIMEOUT && rc != TENON_E_TRANSIENT && rc != TENON_E_IO)
      throw RunError("reward " + t.name + ": " + error);
    std::fill(out.status.begin(), out.status.end(),
              rc == TENON_E_TIMEOUT ? TENON_R_TIMED_OUT : TENON_R_CRASHED);
    std::fill(out.why.begin(), out.why.end(), shortened(error));
  }
  for (uint64_t i = 0; i < in.n; ++i) {
    int32_t& status = out.status[i];
    std::string& why = out.why[i];
    if (status == TENON_R_UNSET) {
      status = TENON_R_CRASHED;
      why = "the reward left the sample unanswered";
    } else if (status < TENON_R_UNSET || status > TENON_R_REFUSED) {
      why = "the reward gave the unknown status " + std::to_string(status);
      status = TENON_R_CRASHED;
    } else if (status == TENON_R_OK && !std::isfinite(out.reward[i])) {
      status = TENON_R_CRASHED;
      why = "the reward is not a finite number";
    } else if (status == TENON_R_OK && has_infinite_token(out, in, i)) {
      status = TENON_R_CRASHED;
      why = "the reward of a token is not a finite number";
    }
    ++steps_[term].outcomes[status];
    if (status == TENON_R_OK) steps_[term].ok.emplace_back(id_of(in, i), out.reward[i]);
    if (status != TENON_R_OK && status != TENON_R_NOT_APPLICABLE)
      count_reason(t.name + " " + reward_status_name(status) + (why.empty() ? "" : ": " + why), in, i);
  }
  steps_[term].samples += in.n;
  return out;
}

bool Scoring::has_infinite_token(const Outcome& out, const tenon_reward_in& in, uint64_t i) {
  const auto begin = out.token_reward.begin();
  return std::any_of(begin + static_cast<ptrdiff_t>(first_token(in, i)),
                     begin + static_cast<ptrdiff_t>(first_token(in, i + 1)),
                     [](double x) { return std::isinf(x); });
}

int32_t Scoring::call_in_time(const Term& term, const tenon_call* call, const tenon_reward_in& in,
                              tenon_reward_out& out, const Watchdog::Call::At& at, std::string& why) {
  tenon_call own{sizeof own, kDLCPU, 0, 0, 0, 0, nullptr};
  if (call != nullptr) std::memcpy(&own, call, std::min<size_t>(call->struct_size, sizeof own));
  own.struct_size = sizeof own;
  if (timeout_.count() > 0) {
    const int64_t deadline = monotonic_ns() + timeout_.count();
    own.deadline_ns = own.deadline_ns == 0 ? deadline : std::min(own.deadline_ns, deadline);
  }
  std::optional<Watchdog::Call> watched;
  // Of one that ends itself it is a sign of life only.
  if (dog_ != nullptr)
    watched.emplace(*dog_, "reward '" + term.name + "'",
                    std::to_string(in.n) + (in.n == 1 ? " sample" : " samples"), "run.reward_timeout",
                    term.ends_itself ? std::chrono::nanoseconds(0) : timeout_, at);
  char text[2048];
  tenon_error err{sizeof err, 0, text, sizeof text, 0};
  const Doing doing("reward " + term.name);
  const int32_t rc = term.vt->score(term.self, &own, &in, &out, &err);
  if (rc < 0) why.assign(text, std::min<uint64_t>(err.len, sizeof text));
  // Whoever stops because `cancelled` says so may take the deadline for the end of the run.
  const bool is_late = own.deadline_ns != 0 && monotonic_ns() >= own.deadline_ns;
  return rc == TENON_E_CANCELLED && is_late ? TENON_E_TIMEOUT : rc;
}

void Scoring::count_reason(std::string reason, const tenon_reward_in& in, uint64_t i) {
  const bool is_known = reasons_.contains(reason), is_own = is_known || reasons_.size() < kMaxReasons;
  Reason& counted = reasons_[is_own ? std::move(reason) : "other reasons"];
  ++counted.times;
  if (is_own && in.sample_id != nullptr)
    counted.sample = std::min(counted.sample.value_or(UINT64_MAX), in.sample_id[i]);
}

void Scoring::score(const tenon_call* call, const tenon_reward_in& in, tenon_scored& out) {
  std::vector<double> total(in.n, 0.0), tokens(token_count(in), kNone);
  std::vector<uint8_t> applied(in.n, 0), failed(in.n, 0);
  std::vector<std::string> not_applicable(in.n);
  std::vector<std::vector<double>> given;  // by each term: its reward, NaN where it is not OK
  for (size_t term = 0; term < terms_.size(); ++term) {
    const Outcome outcome = call_term(term, call, in);
    const RewardRules& rules = terms_[term].rules;
    given.emplace_back(in.n, kNone);
    for (uint64_t i = 0; i < in.n; ++i) {
      const bool ok = outcome.status[i] == TENON_R_OK;
      if (ok) given[term][i] = outcome.reward[i];
      const bool counts = !rules.only_if || given[*rules.only_if][i] > rules.only_above;
      if (ok) applied[i] = 1;
      if (ok && counts) {
        total[i] += terms_[term].weight * outcome.reward[i];
        for (uint64_t t = first_token(in, i), end = first_token(in, i + 1); t < end; ++t)
          if (const double earned = outcome.token_reward[t]; !std::isnan(earned))
            tokens[t] = (std::isnan(tokens[t]) ? 0 : tokens[t]) + terms_[term].weight * earned;
      } else if (!ok && outcome.status[i] != TENON_R_NOT_APPLICABLE) {
        failed[i] = 1;
      } else if (!ok && not_applicable[i].empty() && !outcome.why[i].empty()) {
        not_applicable[i] = ": " + terms_[term].name + ": " + outcome.why[i];
      }
      if (term == 0 && out.first != nullptr) out.first[i] = ok ? outcome.reward[i] : kNone;
      if (TENON_HAS(&out, tenon_scored, terms) && out.terms != nullptr)
        out.terms[term * in.n + i] = ok ? outcome.reward[i] : kNone;
    }
  }
  for (uint64_t i = 0; i < in.n; ++i) {
    bool finite = std::isfinite(total[i]);
    for (uint64_t t = first_token(in, i), end = first_token(in, i + 1); t < end; ++t)
      finite = finite && !std::isinf(tokens[t]);
    if (!finite) {
      failed[i] = 1;
      count_reason("the weighted sum of the rewards is not finite", in, i);
    }
    const bool valid = applied[i] != 0 && failed[i] == 0;
    if (applied[i] == 0 && failed[i] == 0) count_reason("no reward applies" + not_applicable[i], in, i);
    put_token_rewards(in, i, valid, tokens, total[i], out);
    out.total[i] = valid ? total[i] : 0.0;
    out.valid[i] = valid ? 1 : 0;
    arrived_.emplace_back(id_of(in, i), valid ? '1' : '0');
  }
}

uint64_t Scoring::failed() const {
  return static_cast<uint64_t>(std::count(window_.begin(), window_.end(), '0'));
}

void Scoring::check_full_window() const {
  if (window_.size() >= kWindow) check_rate();
}

void Scoring::check_rate() const {
  if (static_cast<double>(failed()) <= max_failures_ * static_cast<double>(window_.size())) return;
  throw RunError(std::to_string(failed()) + " of the last " + std::to_string(window_.size()) +
                 " samples have no valid reward; run.max_reward_failures allows " +
                 json_number(100 * max_failures_) + " %. The commonest reasons:" + commonest_reasons());
}

std::optional<std::string> Scoring::first_failures() {
  if (has_warned_ || reasons_.empty() || failed() == 0) return std::nullopt;
  has_warned_ = true;
  return std::to_string(failed()) + " of the last " + std::to_string(window_.size()) +
         " samples have no valid reward and count for nothing (above " + json_number(100 * max_failures_) +
         " %, run.max_reward_failures, the run stops). The commonest reasons:" + commonest_reasons();
}

std::string Scoring::commonest_reasons() const {
  std::vector<std::pair<uint64_t, std::string>> commonest;
  for (const auto& [text, reason] : reasons_)
    commonest.emplace_back(reason.times,
                           text + (reason.sample ? " (sample " + std::to_string(*reason.sample) + ")" : ""));
  std::stable_sort(commonest.begin(), commonest.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string lines;
  for (size_t i = 0; i < std::min<size_t>(3, commonest.size()); ++i)
    lines += "\n  " + std::to_string(commonest[i].first) + " times: " + commonest[i].second;
  return lines;
}

void Scoring::flush(StepValues& values) {
  for (size_t term = 0; term < terms_.size(); ++term) {
    Step step = std::exchange(steps_[term], {});
    if (step.samples == 0) continue;
    const std::string prefix = "reward/" + terms_[term].name;
    const auto n = static_cast<double>(step.ok.size());
    const double mean = sum_by_id(step.ok) / n;
    double variance = 0;
    for (const auto& [id, r] : step.ok) variance += (r - mean) * (r - mean) / n;
    const double none = std::numeric_limits<double>::quiet_NaN();
    values.metric(prefix + "/mean", n > 0 ? mean : none);
    values.metric(prefix + "/std", n > 0 ? std::sqrt(variance) : none);
    double not_ok = 0;
    for (const auto& [status, count] : step.outcomes) {
      if (status == TENON_R_OK) continue;
      const double share = static_cast<double>(count) / static_cast<double>(step.samples);
      if (status != TENON_R_NOT_APPLICABLE) not_ok += share;
      std::string name = reward_status_name(status);
      std::replace(name.begin(), name.end(), ' ', '_');
      values.metric(prefix + "/" + name, share);
    }
    values.metric(prefix + "/not_ok", not_ok);
    for (auto& [key, noted] : step.notes)
      values.metric(prefix + "/" + key, sum_by_id(noted) / static_cast<double>(noted.size()));
    values.timing(prefix, step.seconds);
  }
  std::stable_sort(arrived_.begin(), arrived_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const size_t kept = std::max<size_t>(kWindow, arrived_.size());
  for (const auto& [id, outcome] : std::exchange(arrived_, {})) window_ += outcome;
  if (window_.size() > kept) window_.erase(0, window_.size() - kept);
}

}  // namespace tenon::host
