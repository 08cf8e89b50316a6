// Says so when a call runs past its limit, or a stage gives no sign of life.
// SPDX-License-Identifier: Apache-2.0
#include "host/watchdog.h"

#include <algorithm>
#include <utility>

namespace tenon::host {

namespace {

constexpr int kPatienceFactor = 5;

}  // namespace

std::string duration_text(std::chrono::nanoseconds duration) {
  using namespace std::chrono;
  if (duration < seconds(1)) return std::to_string(duration_cast<milliseconds>(duration).count()) + "ms";
  const int64_t s = duration_cast<seconds>(duration).count();
  auto part = [](int64_t n, const char* unit) { return n > 0 ? std::to_string(n) + unit : std::string(); };
  if (s < 60) return part(s, "s");
  if (s < 3600) return part(s / 60, "m") + part(s % 60, "s");
  return part(s / 3600, "h") + part(s % 3600 / 60, "m");
}

Watchdog::Watchdog(Say say, std::string place, Clock::duration patience, std::string way_out)
    : say_(std::move(say)),
      place_(std::move(place)),
      patience_(patience),
      way_out_(std::move(way_out)),
      next_quiet_(patience),
      thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::alive(std::string what) {
  std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  longest_ = std::max(longest_, now - last_);
  next_quiet_ = std::max(patience_, kPatienceFactor * longest_);
  last_ = now;
  last_sign_ = std::move(what);
}

Watchdog::Call::Call(Watchdog& dog, const std::string& what, const std::string& doing,
                     const std::string& option, Clock::duration limit, At at, const std::string& advice)
    : dog_(dog),
      what_(what),
      doing_(doing),
      option_(option),
      advice_(advice.empty() ? "" : advice + " "),
      at_(std::move(at)),
      limit_(limit),
      next_(limit) {
  dog_.alive(what_ + " was given " + doing_);
  {
    std::lock_guard lock(dog_.mutex_);
    dog_.calls_.push_back(this);
  }
  dog_.changed_.notify_one();
}

Watchdog::Call::~Call() {
  bool was_late = false;
  {
    std::lock_guard lock(dog_.mutex_);
    dog_.calls_.remove(this);
    was_late = next_ != limit_;
  }
  dog_.changed_.notify_one();
  if (was_late)
    dog_.say_(dog_.place_ + ": " + what_ + " has returned, after " + duration_text(Clock::now() - begin_));
  dog_.alive(what_ + " returned");
}

std::list<std::string> Watchdog::due(Clock::time_point now, Clock::time_point& next) {
  std::list<std::string> lines;
  bool has_limit = false;
  std::string at_what;
  for (Call* call : calls_) {
    const std::string at = call->at_ ? call->at_() : "";
    if (!at.empty()) at_what += "; " + call->what_ + at;
    if (call->limit_ <= Clock::duration::zero()) continue;
    has_limit = true;
    const Clock::duration age = now - call->begin_;
    if (age >= call->next_) {
      lines.push_back(place_ + ": " + call->what_ + at + (at.empty() ? " has" : "; it has") +
                      " not returned for " + duration_text(age) + " (" + call->doing_ + "); " +
                      call->option_ + " is " + duration_text(call->limit_) + ". tenon waits. " +
                      call->advice_ + way_out_);
      while (call->next_ <= age) call->next_ *= 2;
    }
    next = std::min(next, call->begin_ + call->next_);
  }
  if (has_limit) return lines;
  const Clock::duration quiet = now - last_;
  if (quiet >= next_quiet_) {
    lines.push_back(place_ + ": no sign of life for " + duration_text(quiet) + ", since " + last_sign_ +
                    at_what + ". If it hangs: " + way_out_);
    while (next_quiet_ <= quiet) next_quiet_ *= 2;
  }
  next = std::min(next, last_ + next_quiet_);
  return lines;
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    Clock::time_point next = Clock::now() + std::chrono::hours(1);
    std::list<std::string> lines = due(Clock::now(), next);
    if (lines.empty()) {
      changed_.wait_until(lock, next);
      continue;
    }
    lock.unlock();
    for (const std::string& line : lines) say_(line);
    lock.lock();
  }
}

}  // namespace tenon::host
