// One process an input, its output compared.
// SPDX-License-Identifier: Apache-2.0
#include "stdio_tests.h"

#include <tuple>

namespace tenon::code {

Result judge_printed(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                     const Settings& settings, const RunOnce& run) {
  Limits limits = settings.limits;
  uint64_t late = 0;
  Result result;
  result.total = inputs.size();
  for (size_t k = 0; k < inputs.size(); ++k) {
    Limits used = limits;
    Printed printed = run(inputs[k], used);
    if (deserves_another_try(printed.outcome, used)) {
      used = limits.patient();
      limits.may_try_again = false;
      printed = run(inputs[k], used);
    }
    result.count(printed.outcome, used);
    auto [verdict, why] = classify(printed.outcome, printed.errors, used);
    if (verdict == Verdict::kOk &&
        !same_output(printed.out, outputs[k], settings.compare, settings.tolerance))
      verdict = Verdict::kWrong;
    if (verdict == Verdict::kOk) {
      ++result.passed;
      continue;
    }
    result.fail(verdict, "test " + std::to_string(k + 1) + " of " + std::to_string(inputs.size()) +
                             (why.empty() ? "" : ": " + why));
    // A program that is none for one input is none for the others.
    if (verdict == Verdict::kSandboxError || verdict == Verdict::kCompileError || !settings.all_tests) break;
    if (verdict == Verdict::kTime && ++late == kMostTimeOuts) break;
  }
  return result;
}

}  // namespace tenon::code
