// What a reward's answer comes to.
// SPDX-License-Identifier: Apache-2.0
#include "host/reward_outcome.h"

#include <algorithm>
#include <cmath>

#include "host/monotonic.h"
#include "host/step_values.h"

namespace tenon::host {

const char* reward_status_name(int32_t status) {
  switch (status) {
    case TENON_R_OK:
      return "ok";
    case TENON_R_NOT_APPLICABLE:
      return "not applicable";
    case TENON_R_TIMED_OUT:
      return "timed out";
    case TENON_R_REFUSED:
      return "refused";
    default:
      return "crashed";
  }
}

int32_t settled_code(int32_t code, int64_t deadline_ns) {
  const bool is_late = deadline_ns != 0 && monotonic_ns() >= deadline_ns;
  return code == TENON_E_CANCELLED && is_late ? TENON_E_TIMEOUT : code;
}

bool is_error_of_samples(int32_t code) {
  return code == TENON_E_TIMEOUT || code == TENON_E_TRANSIENT || code == TENON_E_IO;
}

void settle(int32_t code, const std::string& error, std::span<const double> tokens, double& reward,
            int32_t& status, std::string& why) {
  const auto crashed = [&](const std::string& text) { status = TENON_R_CRASHED, why = text; };
  if (code < 0) {
    crashed(error);
    if (code == TENON_E_TIMEOUT) status = TENON_R_TIMED_OUT;
  } else if (status == TENON_R_UNSET) {
    crashed("the reward left the sample unanswered");
  } else if (status < TENON_R_UNSET || status > TENON_R_REFUSED) {
    crashed("the reward gave the unknown status " + std::to_string(status));
  } else if (status == TENON_R_OK && !std::isfinite(reward)) {
    crashed("the reward is not a finite number");
  } else if (status == TENON_R_OK &&
             std::any_of(tokens.begin(), tokens.end(), [](double x) { return std::isinf(x); })) {
    crashed("the reward of a token is not a finite number");
  }
  if (status != TENON_R_OK) reward = 0;
}

std::string note_fault(std::string_view name, size_t before) {
  // What the host records of each reward itself.
  constexpr std::string_view kTaken[] = {"mean",      "std",     "not_ok", "not_applicable",
                                         "timed_out", "crashed", "refused"};
  if (before >= kMaxNotes) return "a sample has more than " + std::to_string(kMaxNotes) + " notes";
  if (std::string why = name_fault(name); !why.empty()) return "a note's name " + why;
  if (std::find(std::begin(kTaken), std::end(kTaken), name) != std::end(kTaken))
    return "a note is called \"" + std::string(name) + "\", as what is recorded of every reward";
  return "";
}

}  // namespace tenon::host
