// The last samples that were scored: how many have no valid reward, and why.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/reason_shape.h"

namespace tenon::host {

// The samples of a step are added in any order; what becomes of them depends on their ids alone.
class FailureWindow {
 public:
  // Samples that it reaches back; of a longer step, all of it.
  static constexpr size_t kLength = 200;
  // Reasons that are told apart (by reason_shape), those beyond them together; reasons that get a sample in one step.
  static constexpr size_t kMaxReasons = 256, kMaxSamples = 8;

  // A sample of the step that is going on.
  void add_valid(uint64_t id) { step_.push_back({id, 0, "", ""}); }
  // group: that of its prompt, in this step. record: what is worth keeping of it, if it comes to stand for its reason.
  void add_failed(uint64_t id, uint64_t group, std::string reason, std::string record) {
    step_.push_back({id, group, std::move(reason), std::move(record)});
  }
  // Ends the step. Returns ids and records of the samples that stand for their reasons from now on, which `commonest_reasons` names: the first of the step for
  // each reason that has none, or none among the last samples any more; of the kMaxSamples commonest such reasons.
  std::vector<std::pair<uint64_t, std::string>> end_step();

  // Of the samples of whole steps.
  size_t size() const { return outcomes_.size(); }
  size_t failed() const;
  // Groups that the failed ones are of; those of before a resume of a tenon that kept no groups are one.
  size_t failed_groups() const;
  // The three commonest reasons among them, a line each, as the sample that stands for it has it; reasons of one shape are one (reason_shape).
  std::string commonest_reasons() const;

  // For a checkpoint, between two steps.
  boost::json::object to_json() const;
  // What to_json gave, or the text of outcomes alone ('1' valid, '0' not) of a tenon that kept no reasons. Throws std::invalid_argument.
  static FailureWindow of_json(const boost::json::value& value);

 private:
  struct Arrived {
    uint64_t id, group;  // group: of one that failed
    std::string reason;  // empty: valid
    std::string record;
  };
  static constexpr uint32_t kValid = UINT32_MAX;
  struct Outcome {
    uint64_t id;
    uint64_t group;   // of one that failed: the first of its group that did
    uint32_t reason;  // index; kValid: none
  };
  struct Reason {
    explicit Reason(std::string example) : text(std::move(example)), shape(reason_shape(text)) {}
    std::string text;   // of the sample that stands for it
    std::string shape;  // what is counted as this reason
    std::optional<uint64_t> sample{};
  };

  uint32_t index_of(const std::string& text);
  void drop_old(size_t kept);

  std::vector<Arrived> step_;
  std::deque<Outcome> outcomes_;  // oldest first
  std::vector<Reason> reasons_;   // of `outcomes_`, in the order in which they first occur there
};

}  // namespace tenon::host
