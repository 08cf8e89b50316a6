// Waiting for programs in the box: their output, their end, their limits.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "sandbox/sandbox.h"

namespace tenon::sandbox {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kKillSeconds =
    10;  // a killed program's end is reported within this time, or the box is broken

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Reads what is there. Returns false at the end of the stream.
bool take(Stream& s) {
  char block[65536];
  for (;;) {
    const ssize_t n = read(s.fd.get(), block, sizeof block);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    const uint64_t room = s.most > s.data.size() ? s.most - s.data.size() : 0;
    s.data.append(block, std::min<uint64_t>(room, static_cast<uint64_t>(n)));
    s.seen += static_cast<uint64_t>(n);
    if (s.seen > s.fatal) return true;
  }
}

class Attendance {
 public:
  Attendance(const std::vector<Fd*>& status, const std::vector<Stream*>& streams, double limit)
      : status_(status), streams_(streams), limit_(limit), outcomes_(status.size()), ended_(status.size()) {
    for (Stream* s : streams_) fcntl(s->fd.get(), F_SETFL, O_NONBLOCK);
  }

  std::vector<Outcome> run() {
    while (std::find(ended_.begin(), ended_.end(), false) != ended_.end()) {
      const double passed = seconds_since(begin_);
      if (!killed_ && passed >= limit_) kill(&Outcome::timed_out);
      if (killed_ && seconds_since(killed_at_) > kKillSeconds) break;
      const double left = killed_ ? kKillSeconds : limit_ - passed;
      wait(static_cast<int>(left * 1000) + 1);
    }
    for (Stream* s : streams_)
      if (s->fd.valid()) take(*s);
    return outcomes_;
  }

 private:
  // Kills all that have not ended, for that reason.
  void kill(bool Outcome::*reason) {
    if (killed_) return;
    killed_ = true;
    killed_at_ = Clock::now();
    for (size_t k = 0; k < status_.size(); ++k) {
      if (ended_[k]) continue;
      outcomes_[k].*reason = true;
      shutdown(status_[k]->get(), SHUT_WR);
    }
  }
  void wait(int milliseconds) {
    std::vector<pollfd> all;
    for (size_t k = 0; k < status_.size(); ++k)
      all.push_back({ended_[k] ? -1 : status_[k]->get(), POLLIN, 0});
    for (Stream* s : streams_) all.push_back({s->fd.valid() ? s->fd.get() : -1, POLLIN, 0});
    const int ready = poll(all.data(), all.size(), milliseconds);
    if (ready < 0 && errno != EINTR) throw Error(std::string("poll: ") + std::strerror(errno));
    if (ready <= 0) return;
    for (size_t k = 0; k < streams_.size(); ++k) {
      Stream& s = *streams_[k];
      if (all[status_.size() + k].revents == 0) continue;
      if (!take(s)) s.fd.reset();
      if (s.seen > s.fatal) {
        kill(&Outcome::output_limit);
        s.fd.reset();
      }
    }
    for (size_t k = 0; k < status_.size(); ++k)
      if (all[k].revents != 0) end(k);
  }
  void end(size_t k) {
    Outcome& o = outcomes_[k];
    o.reported =
        recv(status_[k]->get(), &o.report, sizeof o.report, 0) == static_cast<ssize_t>(sizeof o.report);
    o.wall_seconds = seconds_since(begin_);
    ended_[k] = true;
    if (status_.size() > 1) kill(&Outcome::stopped);
  }

  const std::vector<Fd*>& status_;
  const std::vector<Stream*>& streams_;
  const double limit_;
  const Clock::time_point begin_ = Clock::now();
  std::vector<Outcome> outcomes_;
  std::vector<bool> ended_;
  bool killed_ = false;
  Clock::time_point killed_at_;
};

}  // namespace

std::vector<Outcome> attend(const std::vector<Fd*>& status, const std::vector<Stream*>& streams,
                            double wall_seconds) {
  return Attendance(status, streams, wall_seconds).run();
}

}  // namespace tenon::sandbox
