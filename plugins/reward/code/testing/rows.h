// Several rows scored in one call, for tests and benches of this reward.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

namespace tenon::code::testing {

struct Row {
  std::string completion, meta, prompt;
};

// One verdict a row, in their order.
inline std::vector<tenon::testing::Verdict> judge_rows(const tenon::testing::Created& reward,
                                                       const std::vector<Row>& rows) {
  using Verdicts = std::vector<tenon::testing::Verdict>;
  Ragged<char> prompts, completions, meta;
  for (const Row& row : rows) {
    prompts.push(std::string_view(row.prompt));
    completions.push(std::string_view(row.completion));
    meta.push(std::string_view(row.meta));
  }
  Verdicts all(rows.size());
  std::vector<uint64_t> ids(rows.size());
  std::vector<double> values(rows.size());
  std::vector<int32_t> status(rows.size(), TENON_R_UNSET);
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = rows.size();
  in.sample_id = in.group_id = ids.data();
  in.prompt = prompts.raw(), in.completion = completions.raw(), in.meta_json = meta.raw();
  tenon_reward_out out{};
  out.struct_size = sizeof out;
  out.reward = values.data(), out.status = status.data(), out.ctx = &all;
  out.reason = [](void* ctx, uint64_t i, const char* text, uint64_t n) {
    (*static_cast<Verdicts*>(ctx))[i].why.assign(text, n);
  };
  out.note = [](void* ctx, uint64_t i, const char* key, double x) {
    (*static_cast<Verdicts*>(ctx))[i].notes[key] = x;
  };
  ErrorBuffer err;
  err.check(
      static_cast<const tenon_reward_vt*>(reward.ref().vt)->score(reward.self, nullptr, &in, &out, err));
  for (size_t i = 0; i < rows.size(); ++i) all[i].reward = values[i], all[i].status = status[i];
  return all;
}

}  // namespace tenon::code::testing
