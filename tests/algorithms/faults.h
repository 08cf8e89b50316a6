// Mistakes that are made in algorithms, put into any algorithm from outside: a vtable before its own that passes everything on and falsifies one column of the answers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tenon/algorithm.hpp"

namespace tenon::test {

struct Fault {
  enum Kind {
    kNone,
    kSign,         // negated
    kMissingMask,  // masked tokens have the number of their neighbour
    kMeanOfMeans,  // divided by the number of sequences of the call; the loss too where it is a derivative by log-probabilities
    kSwappedClip,  // max instead of min of the two surrogates; of an algorithm that clips nothing, the advantages' sign is swapped
  };
  enum Column { kLogprob, kEntropy, kValue, kAdvantage, kTarget };
  Kind kind = kNone;
  Column column = kLogprob;  // of kSwappedClip always

  friend bool operator==(const Fault&, const Fault&) = default;
};
// Every fault there is.
const std::vector<Fault>& all_faults();
// "sign:d_value".
std::string name_of(Fault fault);
// kNone for a name that there is not. "sign" alone is that of d_logprob.
Fault fault_of(std::string_view name);

// An algorithm with a fault. Its parts that are consistent stay so: with swapped bounds the loss is wrong like its derivative, and so is the loss of
// tenon.ext.surrogate/1.
class Faulty {
 public:
  // `real` outlives this.
  Faulty(const tenon_ref& real, Fault fault);
  Faulty(const Faulty&) = delete;
  tenon_ref ref() const;
  // Whether there is anything to falsify: the algorithm writes numbers other than 0 into the column.
  bool falsifies() const;

 private:
  friend struct FaultyTable;
  const tenon_algorithm_vt& vt() const { return *static_cast<const tenon_algorithm_vt*>(real_.vt); }
  int32_t advantages(const tenon_call* call, const tenon_rollout& in, tenon_advantages_out& out,
                     tenon_error* err) const;
  int32_t gradient(const tenon_call* call, const tenon_rollout& in, tenon_gradient_out& out,
                   tenon_error* err) const;
  // Of kSign, kMissingMask and kMeanOfMeans; NULL is left alone.
  template <class T>
  void falsify(const tenon_rollout& in, T* column) const;
  // The real gradient with the advantages (and rewards) times `factor`; without metrics if is_aside.
  int32_t with_advantages(double factor, bool is_aside, const tenon_call* call, const tenon_rollout& in,
                          tenon_gradient_out& out, tenon_error* err) const;
  int32_t swapped(const tenon_call* call, const tenon_rollout& in, tenon_gradient_out& out,
                  tenon_error* err) const;
  int32_t swapped_surrogate(const tenon_call* call, const tenon_rollout& at, const tenon_rollout& frozen,
                            double* loss, tenon_error* err) const;
  bool find_clips() const;

  tenon_ref real_;
  Fault fault_;
  uint32_t needs_;
  const tenon_surrogate* surrogate_ = nullptr;
  bool clips_ = false;
};

}  // namespace tenon::test
