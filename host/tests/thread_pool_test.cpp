// The pool: every index once, whatever the number of threads, callers and nestings.
// SPDX-License-Identifier: Apache-2.0
#include "host/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tenon/host.hpp"

namespace tenon::host {
namespace {

template <class Body>
void each(ThreadPool& pool, uint64_t n, uint64_t grain, Body&& body) {
  pool.parallel_for(
      n, grain,
      [](void* arg, uint64_t begin, uint64_t end) {
        (*static_cast<std::remove_reference_t<Body>*>(arg))(begin, end);
      },
      &body);
}

class Pool : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Threads, Pool, testing::Values(1, 2, 3, 4));

TEST_P(Pool, EveryIndexOnceInContiguousPiecesOfAtLeastGrain) {
  ThreadPool pool(GetParam());
  for (uint64_t n : {0, 1, 2, 3, 7, 64, 1000, 4097}) {
    for (uint64_t grain : {0, 1, 5, 64, 5000}) {
      std::vector<std::atomic<int>> seen(n);
      std::mutex mutex;
      std::vector<std::pair<uint64_t, uint64_t>> pieces;
      each(pool, n, grain, [&](uint64_t begin, uint64_t end) {
        for (uint64_t i = begin; i < end; ++i) ++seen[i];
        std::lock_guard lock(mutex);
        pieces.emplace_back(begin, end);
      });
      EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](auto& x) { return x == 1; })) << n << " " << grain;
      EXPECT_LE(pieces.size(), 4 * GetParam());
      for (auto [begin, end] : pieces) EXPECT_GE(end - begin, std::min(n, grain));
    }
  }
}

TEST_P(Pool, ManyShortRegionsLoseNothing) {
  ThreadPool pool(GetParam());
  uint64_t total = 0;
  for (int round = 0; round < 20000; ++round) {
    std::atomic<uint64_t> sum{0};
    each(pool, 16, 1, [&](uint64_t begin, uint64_t end) { sum += end - begin; });
    total += sum;
  }
  EXPECT_EQ(total, 320000u);
}

TEST_P(Pool, NestedCallsRunInline) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> seen(64);
  each(pool, 8, 1, [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) {
      const std::thread::id outside = std::this_thread::get_id();
      each(pool, 8, 1, [&](uint64_t b, uint64_t e) {
        EXPECT_EQ(std::this_thread::get_id(), outside);
        for (uint64_t j = b; j < e; ++j) ++seen[i * 8 + j];
      });
    }
  });
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](auto& x) { return x == 1; }));
}

TEST_P(Pool, SeveralCallersAtOnce) {
  ThreadPool pool(GetParam());
  std::atomic<uint64_t> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 2000; ++round)
        each(pool, 10, 1, [&](uint64_t begin, uint64_t end) { total += end - begin; });
    });
  }
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(total, 60000u);
}

// The pool's own functions must not throw; tenon::Host keeps what a body throws and throws it to the caller.
TEST_P(Pool, WhatABodyThrowsReachesTheCallerAndThePoolGoesOn) {
  ThreadPool pool(GetParam());
  tenon_host table{};
  table.struct_size = sizeof table;
  table.ctx = &pool;
  table.parallel_for = [](const tenon_host* h, uint64_t n, uint64_t grain,
                          void (*fn)(void*, uint64_t, uint64_t),
                          void* arg) { static_cast<ThreadPool*>(h->ctx)->parallel_for(n, grain, fn, arg); };
  const tenon::Host host(&table);
  for (int round = 0; round < 200; ++round) {
    const auto bad = static_cast<uint64_t>(round % 64);
    std::atomic<uint64_t> others{0};
    try {
      host.parallel_for(64, 1, [&](uint64_t begin, uint64_t end) {
        if (begin <= bad && bad < end) throw std::runtime_error("item " + std::to_string(bad));
        others += end - begin;
      });
      FAIL() << "the exception was lost";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), "item " + std::to_string(bad));
    }
    EXPECT_EQ(others > 0, GetParam() > 1) << "the other pieces run all the same";
    std::atomic<uint64_t> sum{0};
    host.parallel_for(1000, 1, [&](uint64_t begin, uint64_t end) { sum += end - begin; });
    EXPECT_EQ(sum, 1000u);
  }
  // Every piece throws: one exception arrives.
  EXPECT_THROW(host.parallel_for(64, 1, [](uint64_t, uint64_t) { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST_P(Pool, WakesAfterSleeping) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than a worker watches
    std::atomic<uint64_t> sum{0};
    each(pool, 1000, 1, [&](uint64_t begin, uint64_t end) { sum += end - begin; });
    EXPECT_EQ(sum, 1000u);
  }
}

}  // namespace
}  // namespace tenon::host
