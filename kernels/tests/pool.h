// A small thread pool behind tenon_executor, for tests and benches.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_TESTS_POOL_H_
#define TENON_KERNELS_TESTS_POOL_H_

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "tenon/kernels/executor.h"

namespace tenon::kernels {

// Pieces of exactly `grain` items are handed out in order to whoever is free; the caller works too. One
// caller at a time.
class Pool {
 public:
  // spins: how often a thread looks for work before it sleeps. Worth it where nothing else runs.
  explicit Pool(uint32_t threads, int spins = 0) : spins_(spins) {
    executor_ = {sizeof(tenon_executor), 0, this, &Pool::parallel_for, threads, 0};
    for (uint32_t i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_.store(true);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  const tenon_executor* executor() const { return &executor_; }

 private:
  struct Job {
    uint64_t n, grain;
    void (*fn)(void*, uint64_t, uint64_t);
    void* arg;
    std::atomic<uint64_t> next{0};

    void run() {
      for (uint64_t i; (i = next.fetch_add(grain)) < n;) fn(arg, i, std::min(n, i + grain));
    }
  };

  static void parallel_for(void* ctx, uint64_t n, uint64_t grain, void (*fn)(void*, uint64_t, uint64_t),
                           void* arg) {
    Pool& pool = *static_cast<Pool*>(ctx);
    Job job{n, grain, fn, arg};
    pool.busy_.store(static_cast<uint32_t>(pool.workers_.size()));
    {
      const std::lock_guard<std::mutex> lock(pool.mutex_);
      pool.job_ = &job;
      pool.generation_.fetch_add(1);
    }
    pool.wake_.notify_all();
    job.run();
    for (int spins = 0; pool.busy_.load() > 0; ++spins) {
      spins > pool.spins_ ? std::this_thread::yield() : relax();
    }
  }

  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  void work() {
    uint64_t seen = 0;
    while (true) {
      for (int spins = 0; generation_.load() == seen && !stop_.load() && spins < spins_; ++spins) relax();
      if (generation_.load() == seen && !stop_.load()) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load() != seen || stop_.load(); });
      }
      if (stop_.load()) return;
      Job* job;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        job = job_;
        seen = generation_.load();
      }
      job->run();
      busy_.fetch_sub(1);
    }
  }

  const int spins_;
  tenon_executor executor_{};
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Job* job_ = nullptr;
  std::atomic<uint64_t> generation_{0};
  std::atomic<uint32_t> busy_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace tenon::kernels

#endif  // TENON_KERNELS_TESTS_POOL_H_
