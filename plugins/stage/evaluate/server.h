// A model behind an OpenAI-compatible server, measured as those of this process are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "http/options.h"
#include "stage_support/sampled.h"

namespace tenon::evaluate {

// How completions are asked for; the seed of each is its sample id.
struct Asking {
  double temperature, top_p;  // top_p 0: left to the server
  int64_t max_tokens;
};

// Texts in, texts out: no sampler of the ABI, which has tokens and their log-probabilities, and a model of this process. [one thread]
class Server {
 public:
  // Reads the option `server`; asks once whether somebody is there (`probe`).
  explicit Server(const Host& host);
  static void check(const Host& host, Findings& findings);

  const std::string& model() const { return model_; }
  // per_row completions of each row, neighbours, judged by `rewards`. Tokens are counted as the server says (`usage`). A server's reasoning_content is put before the
  // answer, in <think> tags. Records the timings `rollout` and `reward`. Throws Error if one request has no answer of use after all its attempts.
  stages::Sampled sample(const tenon_call* call, const std::vector<Row>& rows, uint64_t per_row,
                         uint64_t first_id, const Asking& asking, const stages::RewardList& rewards) const;

 private:
  http::Request request_of(const Row& row, uint64_t seed, const Asking& asking) const;

  Host host_;
  http::Endpoint endpoint_;
  http::Client client_;
  std::string model_;
};

inline constexpr OptionTable kServerChildren{
    http::kUrl,
    text("model", nullptr, "The model's name there, and in the results.", {.flags = TENON_O_REQUIRED}),
    http::kHeaders,
    http::kTokenEnv,
    http::kProbe,
    option(TENON_T_DURATION, "timeout", "\"10m\"", "Of one attempt, to the last byte of its answer."),
    http::kConnectTimeout,
    http::kAttempts,
    http::kBackoff,
    http::kConcurrency,
    http::kProxy,
    http::kCaFile,
    http::kVerify};

}  // namespace tenon::evaluate
