// The run's one pool of threads: short parallel regions with a cost of about a microsecond.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tenon::host {

// `threads` workers, the caller of parallel_for being one of them. Kernels call it thousands of times a second with regions of microseconds, so a
// worker that runs out of work watches for the next region for a moment before it sleeps; a caller never waits for a sleeping worker: it does the
// pieces that nobody has taken itself.
class ThreadPool {
 public:
  using Fn = void (*)(void* arg, uint64_t begin, uint64_t end);

  // threads >= 1. Starts threads - 1 threads.
  explicit ThreadPool(uint32_t threads);
  // No region may be running.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  uint32_t threads() const { return threads_; }

  // Calls fn(arg, begin, end) on a few contiguous pieces per thread that cover [0, n), of at least `grain` items each unless n is smaller, and
  // returns when all have returned. Each thread looks for pieces in its own share of the range first. Any thread may call it; a call from inside fn, or while
  // another thread's region is running, runs inline as one piece. fn must not throw.
  void parallel_for(uint64_t n, uint64_t grain, Fn fn, void* arg);

 private:
  // A place for one piece of a region. state: 0 when there is nothing to take, else the number of the region that offers it. number: which piece.
  struct alignas(64) Piece {
    std::atomic<uint64_t> state{0};
    uint32_t number = 0;
  };

  void work(uint32_t own);
  bool take(uint32_t slot);  // runs the piece in this slot if it is on offer

  uint32_t threads_, slots_;
  std::vector<std::thread> workers_;
  std::unique_ptr<Piece[]> pieces_;

  std::mutex busy_;  // held by the caller whose region is running
  uint64_t region_ = 0;
  // Of the running region; written before its pieces are offered, read only by who took one.
  Fn fn_ = nullptr;
  void* arg_ = nullptr;
  uint64_t n_ = 0;
  uint32_t count_ = 0;

  alignas(64) std::atomic<uint32_t> signal_{0};  // changes with every region, and at the end
  alignas(64) std::atomic<uint32_t> remaining_{0};
  alignas(64) std::atomic<uint32_t> asleep_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace tenon::host
