// Rewards: from the outcomes of several to one number per sample.
// SPDX-License-Identifier: Apache-2.0
#include "host/scoring.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <set>

#include "host/json_text.h"
#include "host/last_words.h"
#include "host/monotonic.h"
#include "host/reward_watch.h"
#include "host/run_error.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

// What a reward says during one call.
struct Said {
  std::vector<std::string>* reasons;
  std::map<std::string, std::vector<std::pair<uint64_t, double>>>* notes;
  Begun* begun;
  const tenon_reward_in& in;
  std::vector<size_t> n_notes = std::vector<size_t>(in.n);
  std::set<std::string> faults{};  // of notes
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
    Said& said = *static_cast<Said*>(ctx);
    if (i >= said.in.n) return;
    const std::string_view name = key != nullptr ? key : "";
    if (std::string fault = note_fault(name, said.n_notes[i]); !fault.empty()) {
      said.faults.insert(std::move(fault));
      return;
    }
    ++said.n_notes[i];
    (*said.notes)[std::string(name)].emplace_back(said.in.sample_id[i], value);
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

std::string_view shown(const tenon_ragged& texts, uint64_t i) {
  return texts.n > i ? text_of(texts, i) : std::string_view();
}

// A line of samples.jsonl for a sample without a valid reward.
std::string record_of(const tenon_reward_in& in, uint64_t i, const std::string& why) {
  return "{\"sample\":" + std::to_string(in.sample_id[i]) + ",\"group\":" + std::to_string(in.group_id[i]) +
         ",\"prompt\":" + json_quote(shown(in.prompt, i)) +
         ",\"completion\":" + json_quote(shown(in.completion, i)) +
         ",\"reward\":null,\"failure\":" + json_quote(why) + "}";
}

}  // namespace

Scoring::Scoring(std::vector<Term> terms, double max_failures)
    : terms_(std::move(terms)), steps_(terms_.size()), max_failures_(max_failures) {
  std::vector<std::string> names;
  for (const Term& t : terms_) names.push_back(t.name);
  names = distinct_names(std::move(names));
  for (size_t i = 0; i < names.size(); ++i) terms_[i].name = std::move(names[i]);
  const bool any_counts =
      std::any_of(terms_.begin(), terms_.end(), [](const Term& t) { return t.weight != 0; });
  for (size_t i = 0; i < terms_.size(); ++i) {
    const bool decides =
        std::any_of(terms_.begin(), terms_.end(), [&](const Term& t) { return t.rules.only_if == i; });
    is_monitor_.push_back(any_counts && terms_[i].weight == 0 && !decides ? 1 : 0);
  }
}

Scoring::Outcome Scoring::call_term(size_t term, const tenon_call* call, const tenon_reward_in& in) {
  if (terms_[term].rules.is_plain()) return ask(term, call, in);
  const RewardView view(terms_[term].rules, in);
  Outcome all{std::vector<double>(in.n, 0.0), std::vector<double>(token_count(in), kNone),
              std::vector<int32_t>(in.n, TENON_R_NOT_APPLICABLE), std::vector<std::string>(in.n)};
  for (uint64_t i = 0; i < in.n; ++i) all.why[i] = view.left_out(i);
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
  Begun begun;
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
      t, call, in, raw,
      [&] {
        return begun.oldest(
            [&](uint64_t i) { return "sample " + std::to_string(i < in.n ? in.sample_id[i] : i); });
      },
      error);
  steps_[term].seconds += static_cast<double>(monotonic_ns() - begin) * 1e-9;

  for (const std::string& fault : said.faults)
    warn_once("reward " + t.name + ": " + fault + ": it is not recorded");
  if (rc == TENON_E_CANCELLED) throw Error(rc, error);
  if (rc < 0 && !is_error_of_samples(rc)) throw RunError("reward " + t.name + ": " + error);
  error = shortened(error);
  for (uint64_t i = 0; i < in.n; ++i) {
    const std::span<const double> tokens =
        std::span(out.token_reward).subspan(first_token(in, i), first_token(in, i + 1) - first_token(in, i));
    settle(rc, error, tokens, out.reward[i], out.status[i], out.why[i]);
  }
  return out;
}

// Whether its gate is open is known only where the gate gave a number.
void Scoring::leave_to_gate(const Term& term, const std::vector<double>& gate, Outcome& outcome) const {
  for (size_t i = 0; i < gate.size(); ++i) {
    if (outcome.status[i] != TENON_R_OK || !std::isnan(gate[i])) continue;
    outcome.status[i] = TENON_R_NOT_APPLICABLE;
    outcome.why[i] = "its only_if, " + terms_[*term.rules.only_if].name + ", gave no number";
  }
}

void Scoring::count(Step& step, const tenon_reward_in& in, const Outcome& outcome) {
  for (uint64_t i = 0; i < in.n; ++i) {
    ++step.outcomes[outcome.status[i]];
    if (outcome.status[i] == TENON_R_OK) step.ok.emplace_back(in.sample_id[i], outcome.reward[i]);
  }
  step.samples += in.n;
}

void Scoring::tell_of_samples(const tenon_reward_in& in, std::vector<SampleRecord> records) const {
  std::string_view last;  // samples of a group have the same meta
  std::shared_ptr<const BoundedMeta> meta;
  for (uint64_t i = 0; i < in.n; ++i) {
    const std::string_view text = shown(in.meta_json, i);
    if (text != last) meta = std::make_shared<BoundedMeta>(bounded_meta(text, kMaxMetaBytes)), last = text;
    records[i].meta = meta;
    if (!records[i].outcomes.empty()) records[i].outcomes += "}";
    tell_(in.sample_id[i], std::move(records[i]));
  }
}

void Scoring::warn_once(const std::string& text) {
  if (warn_ && warnings_.insert(text).second) warn_(text);
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
                    term.ends_itself ? std::chrono::nanoseconds(0) : timeout_, at, term.advice);
  char text[2048];
  tenon_error err{sizeof err, 0, text, sizeof text, 0};
  const Doing doing("reward " + term.name);
  const int32_t rc = term.vt->score(term.self, &own, &in, &out, &err);
  if (rc < 0) why.assign(text, std::min<uint64_t>(err.len, sizeof text));
  return settled_code(rc, own.deadline_ns);
}

void Scoring::score(const tenon_call* call, const tenon_reward_in& in, tenon_scored& out) {
  std::vector<double> total(in.n, 0.0), tokens(token_count(in), kNone);
  std::vector<uint8_t> applied(in.n, 0);
  std::vector<std::string> failure(in.n), not_applicable(in.n);
  std::vector<SampleRecord> records(in.n);
  std::vector<std::vector<double>> given;  // by each term: its reward, NaN where it is not OK
  for (size_t term = 0; term < terms_.size(); ++term) {
    Outcome outcome = call_term(term, call, in);
    const Term& t = terms_[term];
    if (t.rules.only_if) leave_to_gate(t, given[*t.rules.only_if], outcome);
    count(steps_[term], in, outcome);
    given.emplace_back(in.n, kNone);
    for (uint64_t i = 0; i < in.n; ++i) {
      const int32_t status = outcome.status[i];
      const std::string why = outcome.why[i].empty() ? "" : ": " + outcome.why[i];
      const bool ok = status == TENON_R_OK;
      if (!ok && tell_)
        records[i].outcomes += (records[i].outcomes.empty() ? "{" : ",") + json_quote(t.name) + ":" +
                               json_quote(reward_status_name(status) + why);
      if (ok) given[term][i] = outcome.reward[i];
      const bool counts = !t.rules.only_if || given[*t.rules.only_if][i] > t.rules.only_above;
      if (term == 0 && out.first != nullptr) out.first[i] = ok ? outcome.reward[i] : kNone;
      if (TENON_HAS(&out, tenon_scored, terms) && out.terms != nullptr)
        out.terms[term * in.n + i] = ok ? outcome.reward[i] : kNone;
      if (is_monitor_[term] != 0) {
        if (!ok && status != TENON_R_NOT_APPLICABLE)
          steps_[term].failures.emplace(in.sample_id[i], reward_status_name(status) + why);
        continue;
      }
      if (ok) applied[i] = 1;
      if (ok && counts) {
        total[i] += t.weight * outcome.reward[i];
        for (uint64_t k = first_token(in, i), end = first_token(in, i + 1); k < end; ++k)
          if (const double earned = outcome.token_reward[k]; !std::isnan(earned))
            tokens[k] = (std::isnan(tokens[k]) ? 0 : tokens[k]) + t.weight * earned;
      } else if (!ok && status != TENON_R_NOT_APPLICABLE && failure[i].empty()) {
        failure[i] = t.name + " " + reward_status_name(status) + why;
      } else if (status == TENON_R_NOT_APPLICABLE && not_applicable[i].empty() && !why.empty()) {
        not_applicable[i] = ": " + t.name + why;
      }
    }
  }
  for (uint64_t i = 0; i < in.n; ++i) {
    bool finite = std::isfinite(total[i]);
    for (uint64_t t = first_token(in, i), end = first_token(in, i + 1); t < end; ++t)
      finite = finite && !std::isinf(tokens[t]);
    if (!finite && failure[i].empty()) failure[i] = "the weighted sum of the rewards is not finite";
    if (applied[i] == 0 && failure[i].empty()) failure[i] = "no reward applies" + not_applicable[i];
    const bool valid = failure[i].empty();
    put_token_rewards(in, i, valid, tokens, total[i], out);
    out.total[i] = valid ? total[i] : 0.0;
    out.valid[i] = valid ? 1 : 0;
    if (valid)
      window_.add_valid(in.sample_id[i]);
    else
      window_.add_failed(in.sample_id[i], in.group_id[i], failure[i], record_of(in, i, failure[i]));
    records[i].failure = failure[i];
  }
  if (tell_) tell_of_samples(in, std::move(records));
}

void Scoring::check_window() const {
  const bool none = window_.failed() == window_.size() && window_.failed_groups() >= kEnoughForNone;
  if (none || window_.size() >= FailureWindow::kLength) check_rate();
}

void Scoring::check_rate() const {
  const size_t failed = window_.failed(), of = window_.size();
  if (static_cast<double>(failed) <= max_failures_ * static_cast<double>(of)) return;
  throw RunError(std::to_string(failed) + " of the last " + std::to_string(of) +
                 " samples have no valid reward; run.max_reward_failures allows " +
                 json_number(100 * max_failures_) +
                 " %. The commonest reasons:" + window_.commonest_reasons());
}

std::optional<std::string> Scoring::first_failures() {
  if (has_warned_ || window_.failed() == 0) return std::nullopt;
  has_warned_ = true;
  const bool is_full = window_.size() >= FailureWindow::kLength;
  return std::to_string(window_.failed()) + " of the last " + std::to_string(window_.size()) +
         " samples have no valid reward and count for nothing. The run stops where it is more than " +
         json_number(100 * max_failures_) + " % (run.max_reward_failures) of the last " +
         std::to_string(FailureWindow::kLength) + " samples" +
         (is_full ? ""
                  : ", looked at when there are so many and at the end of the stage, and at once where no "
                    "sample of " +
                        std::to_string(kEnoughForNone) + " prompts has one") +
         ". The commonest reasons:" + window_.commonest_reasons();
}

// Its failures show nowhere else.
void Scoring::warn_of_monitor(const Term& term, const Step& step) {
  if (step.failures.empty() || !warn_ || !warnings_.insert("monitor " + term.name).second) return;
  const auto& [sample, why] = *step.failures.begin();
  warn_("reward " + term.name + ", weight 0: " + std::to_string(step.failures.size()) + " of " +
        std::to_string(step.samples) + " samples of a step got no number: " + why + " (sample " +
        std::to_string(sample) + "). They stay in training; reward/" + term.name +
        "/not_ok goes on counting");
}

std::vector<std::pair<uint64_t, std::string>> Scoring::flush(StepValues& values) {
  for (size_t term = 0; term < terms_.size(); ++term) {
    Step step = std::exchange(steps_[term], {});
    if (step.samples == 0) continue;
    warn_of_monitor(terms_[term], step);
    const std::string prefix = prefix_ + "reward/" + terms_[term].name;
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
  return window_.end_step();
}

}  // namespace tenon::host
