// The options of the stage `rl` and the rules between them.
// SPDX-License-Identifier: Apache-2.0
#include "rl.h"

namespace tenon::rl {

Options::Options(const Host& host)
    : steps(static_cast<uint64_t>(host.i64("steps"))),
      prompts(static_cast<uint64_t>(host.i64("prompts"))),
      group_size(static_cast<uint64_t>(host.i64("group_size"))),
      mini_batches(static_cast<uint64_t>(host.i64("mini_batches"))),
      epochs(static_cast<uint64_t>(host.i64("epochs"))),
      micro_batch_tokens(static_cast<uint64_t>(host.i64("micro_batch_tokens"))),
      samples_per_step(static_cast<uint64_t>(host.i64("samples_per_step"))),
      mask_overlong(host.str("overlong") == "mask"),
      max_logprob_diff(host.f64("max_logprob_diff")) {
  host.boolean("allow_truncation");  // a matter of `check` alone
}

void Rl::check(Host host, Findings& findings) {
  const bool allowed = host.boolean("allow_truncation");
  bool any = false;
  for (const char* filter : {"top_k", "top_p", "min_p"}) {
    const bool is_set = host.f64(filter) != 0;
    any = any || is_set;
    if (is_set && !allowed)
      findings.error(filter, std::string(filter) +
                                 " makes the sampler draw from another distribution than the one that is "
                                 "trained: leave it out, or set allow_truncation: true");
  }
  if (!any) findings.no_effect("allow_truncation", "none of top_k, top_p and min_p is set");
  int64_t sequences = host.i64("prompts") * host.i64("group_size");
  if (sequences > kMostSequences)
    findings.error("prompts", "prompts * group_size = " + std::to_string(sequences) +
                                  " sequences in one rollout; at most " + std::to_string(kMostSequences) +
                                  " are allowed");
  if (host.i64("mini_batches") > sequences)
    findings.error("mini_batches", std::to_string(host.i64("mini_batches")) +
                                       " mini-batches, but a rollout has prompts * group_size = " +
                                       std::to_string(sequences) + " sequences");
}

}  // namespace tenon::rl
