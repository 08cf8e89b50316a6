// Mistakes that are made in algorithms, put into any algorithm from outside: a vtable before its own that passes everything on and falsifies the answers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "tenon/algorithm.hpp"

namespace tenon::test {

enum class Fault {
  kNone,
  kSign,         // d_logprob negated
  kMissingMask,  // masked tokens have the derivative of their neighbour
  kMeanOfMeans,  // loss and derivatives divided by the number of sequences of the call
  kSwappedClip,  // max instead of min of the two surrogates; of an algorithm that clips nothing, the advantages' sign is swapped
};
inline constexpr std::array kFaults = {Fault::kSign, Fault::kMissingMask, Fault::kMeanOfMeans,
                                       Fault::kSwappedClip};
const char* name_of(Fault fault);
// kNone for a name that there is not.
Fault fault_of(std::string_view name);

// An algorithm with a fault. Its parts that are consistent stay so: with swapped bounds the loss is wrong like its derivative, and so is the loss of
// tenon.ext.surrogate/1.
class Faulty {
 public:
  // `real` outlives this.
  Faulty(const tenon_ref& real, Fault fault);
  Faulty(const Faulty&) = delete;
  tenon_ref ref() const;
  // Whether the algorithm has bounds that could be swapped.
  bool clips() const { return clips_; }

 private:
  friend struct FaultyTable;
  const tenon_algorithm_vt& vt() const { return *static_cast<const tenon_algorithm_vt*>(real_.vt); }
  int32_t gradient(const tenon_call* call, const tenon_rollout& in, tenon_gradient_out& out,
                   tenon_error* err) const;
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
