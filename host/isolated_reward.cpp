// The proxy before a reward that lives in a tenon-worker.
// SPDX-License-Identifier: Apache-2.0
#include "host/isolated_reward.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <deque>
#include <numeric>
#include <optional>
#include <utility>

#include "host/command_line.h"
#include "host/monotonic.h"
#include "host/reward_outcome.h"
#include "host/spec_json.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

namespace json = boost::json;

// Fills offsets and values of one ragged column with the rows `which` of `from`.
template <class T>
void copy_rows(const tenon_ragged& from, const std::vector<uint64_t>& which, uint64_t* offsets, T* values) {
  uint64_t at = 0;
  for (size_t k = 0; k < which.size(); ++k) {
    const uint64_t begin = from.offsets[which[k]], length = from.offsets[which[k] + 1] - begin;
    offsets[k] = at;
    if (length > 0) std::memcpy(values + at, static_cast<const T*>(from.values) + begin, length * sizeof(T));
    at += length;
  }
  offsets[which.size()] = at;
}

uint64_t count_of(const tenon_ragged& from, const std::vector<uint64_t>& which) {
  return std::accumulate(which.begin(), which.end(), uint64_t{0}, [&](uint64_t sum, uint64_t i) {
    return sum + from.offsets[i + 1] - from.offsets[i];
  });
}

std::string text_of(const Spec& spec) try { return spec_text(spec); } catch (const std::invalid_argument& e) {
  throw Error(TENON_E_INVALID, std::string("isolation: ") + e.what());
}

}  // namespace

// Samples of a call that are judged together, and where their outcomes go.
struct IsolatedReward::Part {
  const std::vector<uint64_t>& which;  // of `in`
  const tenon_call* call;
  const tenon_reward_in& in;
  tenon_reward_out& out;
  int64_t limit_ns;  // 0: none
};

// What was said of a sample; given on when it has an outcome.
struct IsolatedReward::Said {
  std::string reason;
  std::vector<std::pair<std::string, double>> notes;
};

// How an attempt ended.
struct IsolatedReward::Ending {
  enum { kDone, kLate, kGone } kind = kDone;
  int32_t code = TENON_OK;                 // kDone: of the component's score
  std::string text;                        // its error, or how the process ended
  std::vector<uint64_t> begun, untouched;  // not kDone: samples without an outcome
};

IsolatedReward::IsolatedReward(HostServices& services, const Spec& spec, std::string place)
    : services_(services), text_(text_of(spec)), place_(std::move(place)) {
  start();
}

IsolatedReward::~IsolatedReward() {
  if (process_ == nullptr || process_->has_ended() || !process_->send({FrameType::kEnd})) return;
  try {
    Frame frame;  // what it logs on its way out
    const auto until = Clock::now() + kEndLimit;
    while (process_->receive(until, frame) == WorkerProcess::Wait::kFrame && Clock::now() < until)
      take(frame);
  } catch (const std::exception& e) {
    if (services_.log) services_.log->warn("{}: {}", place_, e.what());
  }
}

void IsolatedReward::start() try {
  process_ = std::make_unique<WorkerProcess>();
  const json::object what{
      {"tenon", version()}, {"place", place_}, {"seed", std::to_string(services_.seed)}, {"spec", text_}};
  process_->send({FrameType::kCreate, services_.pool->threads(), 0, json::serialize(what)});
  const auto until = Clock::now() + kStartLimit;
  Frame frame;
  WorkerProcess::Wait wait;
  while ((wait = process_->receive(until, frame)) == WorkerProcess::Wait::kFrame &&
         frame.type != FrameType::kCreated && frame.type != FrameType::kFailed && Clock::now() < until)
    take(frame);
  if (wait == WorkerProcess::Wait::kFrame && frame.type == FrameType::kCreated) {
    options_read_ = json::value_to<std::vector<std::string>>(json::parse(frame.text));
    return;
  }
  const std::string end = process_->end();
  process_.reset();
  if (wait == WorkerProcess::Wait::kFrame && frame.type == FrameType::kFailed)
    throw Error(static_cast<int32_t>(frame.a), frame.text);
  throw Error(TENON_E_IO, "isolation: it was being created, and " +
                              (wait == WorkerProcess::Wait::kGone
                                   ? end
                                   : "was not ready after " + std::to_string(kStartLimit.count()) + " s"));
} catch (const Error&) {
  throw;
} catch (const std::exception& e) {
  process_.reset();
  throw Error(TENON_E_IO, std::string("isolation: ") + e.what());
}

// What is not about a sample.
void IsolatedReward::take(const Frame& frame) const {
  StageServices* stage = services_.stage.load(std::memory_order_acquire);
  if (frame.type == FrameType::kLog && services_.log)
    services_.log->log(
        static_cast<spdlog::level::level_enum>(std::clamp<int64_t>(frame.a, 0, spdlog::level::err)), "{}",
        frame.text);
  if (stage == nullptr || !name_fault(frame.text).empty()) return;
  if (frame.type == FrameType::kMetric) stage->metric(frame.text.c_str(), frame.value);
  if (frame.type == FrameType::kTiming) stage->timing(frame.text.c_str(), frame.value);
}

// What is about a sample of the call.
void IsolatedReward::keep(const Frame& frame, std::vector<Said>& said) const {
  if (frame.type != FrameType::kReason && frame.type != FrameType::kNote) return take(frame);
  if (frame.call != call_ || frame.a < 0 || static_cast<uint64_t>(frame.a) >= said.size()) return;
  Said& of = said[static_cast<size_t>(frame.a)];
  if (frame.type == FrameType::kReason)
    of.reason = frame.text.substr(0, kMaxReasonText);
  else if (of.notes.size() < kMaxNotesSent)
    of.notes.emplace_back(frame.text.substr(0, kMaxKeyText), frame.value);
}

// Gives on the outcomes of the samples that have one, and lists the others.
void IsolatedReward::give_answers(const Part& part, const ScoreHead& head, const std::vector<Said>& said,
                                  bool is_done, Ending& ending) {
  const ScoreColumns from(head, process_->memory(head.memory_bytes));
  tenon_reward_out& out = part.out;
  uint64_t first_token = 0;
  for (size_t k = 0; k < part.which.size(); ++k) {
    const uint64_t i = part.which[k];
    const uint64_t n_tokens =
        head.has_tokens != 0 ? part.in.tokens.offsets[i + 1] - part.in.tokens.offsets[i] : 0;
    const uint64_t token = std::exchange(first_token, first_token + n_tokens);
    const SampleState state = std::atomic_ref(from.state[k]).load(std::memory_order_acquire);
    if (!is_done && state != SampleState::kAnswered) {
      (state == SampleState::kBegun ? ending.begun : ending.untouched).push_back(i);
      continue;
    }
    out.reward[i] = from.reward[k], out.status[i] = from.status[k];
    if (head.has_token_rewards != 0 && n_tokens > 0)
      std::memcpy(out.token_reward + part.in.tokens.offsets[i], from.token_reward + token,
                  n_tokens * sizeof(double));
    if (out.reason != nullptr && !said[k].reason.empty())
      out.reason(out.ctx, i, said[k].reason.data(), said[k].reason.size());
    for (const auto& [key, value] : said[k].notes)
      if (out.note != nullptr) out.note(out.ctx, i, key.c_str(), value);
  }
}

ScoreHead IsolatedReward::fill_memory(const Part& part) {
  const tenon_reward_in& in = part.in;
  ScoreHead head;
  head.call = ++call_;
  head.n = part.which.size();
  head.prompt_bytes = count_of(in.prompt, part.which);
  head.completion_bytes = count_of(in.completion, part.which);
  head.meta_bytes = count_of(in.meta_json, part.which);
  head.has_tokens = in.tokens.n > 0 ? 1 : 0, head.has_finish = in.finish != nullptr ? 1 : 0;
  head.n_tokens = head.has_tokens != 0 ? count_of(in.tokens, part.which) : 0;
  head.has_token_rewards = head.has_tokens != 0 && TENON_HAS(&part.out, tenon_reward_out, token_reward) &&
                                   part.out.token_reward != nullptr
                               ? 1
                               : 0;
  head.step = part.call != nullptr ? part.call->step : 0;
  unsigned char* base = process_->memory(ScoreColumns(head, nullptr).bytes);
  head.memory_bytes = process_->memory_bytes();
  const ScoreColumns to(head, base);
  std::memset(base, 0, to.bytes);
  for (size_t k = 0; k < part.which.size(); ++k) {
    to.sample_id[k] = in.sample_id[part.which[k]], to.group_id[k] = in.group_id[part.which[k]];
    if (head.has_finish != 0) to.finish[k] = in.finish[part.which[k]];
  }
  copy_rows(in.prompt, part.which, to.prompt_offsets, to.prompt);
  copy_rows(in.completion, part.which, to.completion_offsets, to.completion);
  copy_rows(in.meta_json, part.which, to.meta_offsets, to.meta);
  if (head.has_tokens != 0) copy_rows(in.tokens, part.which, to.token_offsets, to.tokens);
  if (head.has_token_rewards != 0) std::fill_n(to.token_reward, head.n_tokens, std::nan(""));
  return head;
}

// Waits for the frame that ends the call, keeps what comes before it, and tells whoever has called which samples the reward is at. kFrame: that one is in `frame`.
WorkerProcess::Wait IsolatedReward::await_end(const Part& part, const ScoreHead& head,
                                              std::optional<Clock::time_point> until, std::vector<Said>& said,
                                              Frame& frame) {
  const ScoreColumns columns(head, process_->memory(head.memory_bytes));
  std::vector<uint8_t> is_at(part.which.size(), 0);
  const auto tell = [&](size_t k, bool begins) {
    if (part.out.judging == nullptr || (is_at[k] != 0) == begins) return;
    is_at[k] = begins ? 1 : 0;
    part.out.judging(part.out.ctx, part.which[k], begins ? 1 : 0);
  };
  WorkerProcess::Wait wait = WorkerProcess::Wait::kGone;
  for (auto look = Clock::now() + kLook;;) {
    wait = process_->receive(until ? std::min(*until, look) : look, frame);
    if (wait == WorkerProcess::Wait::kGone) break;
    if (wait == WorkerProcess::Wait::kFrame) {
      if (frame.type == FrameType::kDone && frame.call == call_) break;
      keep(frame, said);
    }
    const auto now = Clock::now();
    if (until && now >= *until) {
      wait = WorkerProcess::Wait::kLate;
      break;
    }
    if (now < look) continue;
    look = now + kLook;
    for (size_t k = 0; k < is_at.size(); ++k)
      tell(k, std::atomic_ref(columns.state[k]).load(std::memory_order_acquire) == SampleState::kBegun);
  }
  for (size_t k = 0; k < is_at.size(); ++k) tell(k, false);
  return wait;
}

IsolatedReward::Ending IsolatedReward::attempt(const Part& part) {
  Ending ending;
  if (process_ == nullptr || process_->has_ended()) start();  // what ends between two calls costs nothing
  ScoreHead head = fill_memory(part);
  std::optional<Clock::time_point> until;
  if (part.limit_ns > 0) {
    head.deadline_ns = monotonic_ns() + part.limit_ns;
    until = Clock::now() + std::chrono::nanoseconds(part.limit_ns) + kGrace;
  }
  std::vector<Said> said(part.which.size());
  WorkerProcess::Wait wait = WorkerProcess::Wait::kGone;
  Frame frame;
  if (process_->send(
          {FrameType::kScore, 0, 0, std::string(reinterpret_cast<const char*>(&head), sizeof head), call_}))
    wait = await_end(part, head, until, said, frame);
  if (wait == WorkerProcess::Wait::kFrame) {
    ending.code = settled_code(static_cast<int32_t>(frame.a), head.deadline_ns);
    ending.text = frame.text;
    if (ending.code >= 0) give_answers(part, head, said, true, ending);
    return ending;
  }
  ending.kind = wait == WorkerProcess::Wait::kGone ? Ending::kGone : Ending::kLate;
  const std::string end = process_->end();
  // What it had said before that. A child of its that has left its group may still be talking.
  for (const auto stop = Clock::now() + kLook; Clock::now() < stop && process_->receive_rest(frame);)
    keep(frame, said);
  ending.text = ending.kind == Ending::kGone
                    ? end
                    : "it had not returned when its time (run.reward_timeout) was up; its process was killed";
  give_answers(part, head, said, false, ending);
  process_.reset();
  return ending;
}

// Of the first, second, fourth, eighth… time, with the number of times: who crashes at every sample does not fill the log.
void IsolatedReward::tell_loss(uint64_t sample, const std::string& why) {
  if (!std::has_single_bit(++losses_) || !services_.log) return;
  services_.log->warn("{}: sample {}: {}{}", place_, sample, why,
                      losses_ == 1 ? ""
                                   : "; this reward has cost " + std::to_string(losses_) +
                                         " processes so far, which is told again when it is twice as many");
}

int32_t IsolatedReward::score(const tenon_call* call, const tenon_reward_in& in, tenon_reward_out& out,
                              tenon_error* err) {
  std::lock_guard lock(mutex_);
  const int64_t begin = monotonic_ns();
  const int64_t limit =
      call != nullptr && call->deadline_ns != 0 ? std::max<int64_t>(1'000'000, call->deadline_ns - begin) : 0;
  const auto give = [&](const std::vector<uint64_t>& which, int32_t status, const std::string& why) {
    for (uint64_t i : which) {
      out.reward[i] = 0, out.status[i] = status;
      if (out.reason != nullptr) out.reason(out.ctx, i, why.data(), why.size());
    }
  };
  std::vector<uint64_t> all(in.n);
  std::iota(all.begin(), all.end(), 0);
  std::deque<std::vector<uint64_t>> parts;
  if (in.n > 0) parts.push_back(std::move(all));
  const int64_t patience = 2 * kMostInARow * (limit + std::chrono::nanoseconds(kGrace).count());
  int64_t in_a_row = 0, answered = begin;  // samples that hung since the last answer, and when that was
  while (!parts.empty()) {
    const std::vector<uint64_t> which = std::move(parts.front());
    parts.pop_front();
    if (in_a_row > kMostInARow || (limit > 0 && monotonic_ns() - answered > patience)) {
      give(which, TENON_R_TIMED_OUT,
           "not tried: more than " + std::to_string(kMostInARow) +
               " samples in a row had hung, or died slowly (run.reward_timeout)");
      continue;
    }
    Ending ending;
    try {
      ending = attempt({which, call, in, out, limit});
    } catch (const Error& e) {  // it cannot be started again
      give(which, TENON_R_CRASHED, e.what());
      continue;
    }
    if (ending.kind == Ending::kDone || ending.begun.size() + ending.untouched.size() < which.size())
      in_a_row = 0, answered = monotonic_ns();
    if (ending.kind == Ending::kDone) {
      if (ending.code >= 0) continue;
      if (which.size() == in.n || !is_error_of_samples(ending.code))
        return set_error(err, ending.code, ending.text);
      give(which, ending.code == TENON_E_TIMEOUT ? TENON_R_TIMED_OUT : TENON_R_CRASHED, ending.text);
      continue;
    }
    if (ending.begun.empty() && ending.untouched.size() == 1) ending.begun.swap(ending.untouched);
    if (ending.begun.size() == 1) {
      give(ending.begun, ending.kind == Ending::kLate ? TENON_R_TIMED_OUT : TENON_R_CRASHED, ending.text);
      tell_loss(in.sample_id[ending.begun.front()], ending.text);
      if (ending.kind == Ending::kLate) {
        ++in_a_row;
        const uint64_t group = in.group_id[ending.begun.front()];
        std::stable_partition(ending.untouched.begin(), ending.untouched.end(),
                              [&](uint64_t i) { return in.group_id[i] != group; });
      }
      if (!ending.untouched.empty()) parts.push_front(std::move(ending.untouched));
      continue;
    }
    // Which of them it was is not known.
    const std::vector<uint64_t>& suspects = ending.begun.empty() ? ending.untouched : ending.begun;
    if (!ending.begun.empty() && !ending.untouched.empty()) parts.push_back(ending.untouched);
    for (uint64_t i : suspects) parts.push_back({i});
  }
  return TENON_OK;
}

const tenon_reward_vt* IsolatedReward::table() {
  static constexpr tenon_reward_vt kTable{
      sizeof(tenon_reward_vt), 0,
      [](void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
         tenon_error* err) -> int32_t {
        int32_t code = TENON_OK;
        const int32_t thrown =
            guard(err, [&] { code = static_cast<IsolatedReward*>(self)->score(call, *in, *out, err); });
        return thrown < 0 ? thrown : code;
      }};
  return &kTable;
}

}  // namespace tenon::host
