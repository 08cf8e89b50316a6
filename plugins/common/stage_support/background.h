// Work that goes on while something else does.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tenon::stages {

// Does work on a thread of its own: each time all that is waiting then. add and finish are for one thread.
class Background {
 public:
  using Work = std::function<void(std::vector<uint64_t> items)>;  // one call at a time

  // at_once: begins with the first item; otherwise all items are one call, of the thread that calls finish.
  Background(Work work, bool at_once);
  // Leaves what has not begun, waits for what has.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Throws what the work has thrown.
  void add(uint64_t item);
  // Waits until all is done. Throws what the work has thrown.
  void finish();

 private:
  void serve();

  const Work work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint64_t> waiting_;
  bool busy_ = false, stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tenon::stages
