// Work that goes on while something else does.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/background.h"

#include <utility>

namespace tenon::stages {

Background::Background(Work work, bool at_once) : work_(std::move(work)) {
  if (at_once) thread_ = std::thread([this] { serve(); });
}

Background::~Background() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Background::add(uint64_t item) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    waiting_.push_back(item);
  }
  changed_.notify_all();
}

void Background::finish() {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable() && !waiting_.empty()) {
    std::vector<uint64_t> items = std::exchange(waiting_, {});
    lock.unlock();
    work_(std::move(items));
    return;
  }
  changed_.wait(lock, [&] { return failure_ || (waiting_.empty() && !busy_); });
  if (failure_) std::rethrow_exception(failure_);
}

void Background::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    std::vector<uint64_t> items = std::exchange(waiting_, {});
    busy_ = true;
    lock.unlock();
    std::exception_ptr thrown;
    try {
      work_(std::move(items));
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    failure_ = thrown;
    changed_.notify_all();
    if (failure_) return;
  }
}

}  // namespace tenon::stages
