// The values of one step, from any thread.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace tenon::host {

// By name, so that their order does not depend on threads.
using Values = std::map<std::string, double, std::less<>>;

// Bytes of a value's name.
inline constexpr size_t kMaxNameBytes = 200;
// What is wrong with the name of a value that a component records ("is empty"); empty: nothing.
std::string name_fault(std::string_view name);

class StepValues {
 public:
  // The last value given counts.
  void metric(std::string_view name, double value) {
    std::lock_guard lock(mutex_);
    metrics_.insert_or_assign(std::string(name), value);
  }
  // Values of one name are added up.
  void timing(std::string_view name, double value) {
    std::lock_guard lock(mutex_);
    timings_[std::string(name)] += value;
  }
  bool has_metrics() const {
    std::lock_guard lock(mutex_);
    return !metrics_.empty();
  }
  // Metrics and timings since the last call.
  std::pair<Values, Values> take() {
    std::lock_guard lock(mutex_);
    return {std::exchange(metrics_, {}), std::exchange(timings_, {})};
  }

 private:
  mutable std::mutex mutex_;
  Values metrics_, timings_;
};

}  // namespace tenon::host
