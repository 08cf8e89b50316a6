// The run's one pool of threads.
// SPDX-License-Identifier: Apache-2.0
#include "host/thread_pool.h"

#include <algorithm>

namespace tenon::host {

namespace {

thread_local bool inside_region = false;

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// A pause takes 40 to 140 cycles: about 50 µs of watching before a worker sleeps, 10 µs before a caller lets others have the core.
constexpr int kWatchRounds = 1500;
constexpr int kCallerRounds = 300;
constexpr int kCallerYields = 200;

// Several pieces to a thread, so that one that is slow, or loses its core for a moment, does not keep the others waiting.
constexpr uint32_t kPiecesPerThread = 4;

}  // namespace

ThreadPool::ThreadPool(uint32_t threads)
    : threads_(std::max<uint32_t>(1, threads)),
      slots_(threads_ * kPiecesPerThread),
      pieces_(new Piece[slots_]) {
  workers_.reserve(threads_ - 1);
  for (uint32_t i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  signal_.fetch_add(1);
  signal_.notify_all();
  for (std::thread& t : workers_) t.join();
}

bool ThreadPool::take(uint32_t slot) {
  uint64_t offered = pieces_[slot].state.load(std::memory_order_relaxed);
  // Only the taker of a piece may look at the region: it cannot end, and so cannot change, before the piece is done.
  if (offered == 0 || !pieces_[slot].state.compare_exchange_strong(offered, 0, std::memory_order_acquire,
                                                                   std::memory_order_relaxed))
    return false;
  const uint64_t piece = pieces_[slot].number;
  // n / count items each, the first n % count pieces one more.
  const uint64_t base = n_ / count_, extra = n_ % count_;
  const uint64_t begin = piece * base + std::min(piece, extra);
  inside_region = true;
  fn_(arg_, begin, begin + base + (piece < extra ? 1 : 0));
  inside_region = false;
  if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) remaining_.notify_one();
  return true;
}

void ThreadPool::work(uint32_t own) {
  uint32_t seen = 0;  // not signal_: a thread that starts late must still see the end
  while (true) {
    while (!stop_.load(std::memory_order_relaxed)) {
      bool took = false;
      for (uint32_t i = 0; i < slots_; ++i) took |= take((own * kPiecesPerThread + i) % slots_);
      if (!took) break;
    }
    for (int round = 0; round < kWatchRounds && signal_.load(std::memory_order_acquire) == seen; ++round)
      pause_briefly();
    if (signal_.load() == seen) {
      asleep_.fetch_add(1);
      signal_.wait(seen);
      asleep_.fetch_sub(1);
    }
    seen = signal_.load();
    if (stop_.load()) return;
  }
}

void ThreadPool::parallel_for(uint64_t n, uint64_t grain, Fn fn, void* arg) {
  if (n == 0) return;
  const uint64_t pieces = std::min<uint64_t>(slots_, std::max<uint64_t>(1, n / std::max<uint64_t>(1, grain)));
  if (threads_ == 1 || pieces == 1 || inside_region || !busy_.try_lock()) {
    fn(arg, 0, n);
    return;
  }
  std::lock_guard<std::mutex> lock(busy_, std::adopt_lock);
  ++region_;
  fn_ = fn;
  arg_ = arg;
  n_ = n;
  count_ = static_cast<uint32_t>(pieces);
  remaining_.store(count_, std::memory_order_relaxed);
  for (uint32_t i = 0; i < count_;
       ++i) {  // spread over the slots, so that each thread finds its own share first
    Piece& p = pieces_[static_cast<uint64_t>(i) * slots_ / count_];
    p.number = i;
    p.state.store(region_, std::memory_order_release);
  }
  signal_.fetch_add(1);
  if (asleep_.load() > 0) signal_.notify_all();

  for (uint32_t i = 0; i < slots_; ++i) take(i);
  for (int round = 0; round < kCallerRounds; ++round) {
    if (remaining_.load(std::memory_order_acquire) == 0) return;
    pause_briefly();
  }
  for (int round = 0; round < kCallerYields; ++round) {
    if (remaining_.load(std::memory_order_acquire) == 0) return;
    std::this_thread::yield();
  }
  while (uint32_t left = remaining_.load(std::memory_order_acquire)) remaining_.wait(left);
}

}  // namespace tenon::host
