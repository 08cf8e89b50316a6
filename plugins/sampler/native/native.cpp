// The sampler `native`: drives the decoding session of a model in this process.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "generation.h"

namespace tenon::native {

class NativeSampler {
 public:
  explicit NativeSampler(Host host)
      : host_(host),
        max_slots_(static_cast<uint64_t>(host.i64("slots"))),
        ignore_stop_(host.boolean("ignore_stop")) {}

  void generate(const tenon_call* call, const Model& model, tenon_generate_in in,
                const tenon_generate_out& out) {
    if (in.n == 0) return;
    if (ignore_stop_) in.n_stop = 0;
    Generation generation(host_, call, model, in, out);
    uint64_t slots = max_slots_ == 0 ? in.n : std::min(max_slots_, in.n);
    open(call, model, slots, generation.longest());
    generation.run(session_, slots);
  }

 private:
  // A session is kept for the next call, which most often has the same shape; it ends with its model.
  void open(const tenon_call* call, const Model& model, uint64_t slots, uint64_t length) {
    if (owner_ && owner_->ref()->self == model.ref()->self && slots <= slots_ && length <= length_) return;
    if (owner_) owner_->session_close(session_);
    owner_.reset();
    length_ = std::min((length + 63) / 64 * 64, model.info().max_len);
    slots_ = slots;
    session_ = model.session_open(call, slots_, length_);
    owner_ = model;
  }

  Host host_;
  uint64_t max_slots_;
  bool ignore_stop_;
  std::optional<Model> owner_;  // of the session; none: there is no session
  uint64_t session_ = 0, slots_ = 0, length_ = 0;
};

}  // namespace tenon::native

TENON_SAMPLER_PLUGIN(
    tenon::native::NativeSampler, "native", "0.1.0",
    "Samples from a model in this process: continuous batching, each prompt computed once per group.",
    tenon::integer("slots", "64",
                   "Sequences decoded at the same time; 0: all of a call. It bounds the memory for keys and "
                   "values and never changes a result.",
                   {.min = "0", .max = "65536", .unit = "sequences"}),
    tenon::boolean("ignore_stop", "false",
                   "Whether every completion goes on to the limit, stop ids or not: to measure speed.",
                   {.flags = TENON_O_ADVANCED}))
