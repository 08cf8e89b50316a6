// What `tenon explain` answers, as JSON and as text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "host/instance.h"
#include "host/trace.h"

namespace tenon::host {

// The text of a token id; nothing: it is not known.
using TokenText = std::function<std::optional<std::string>(int32_t id)>;

// Of sequence i of a trace: {sample, group, prompt_tokens, completion_tokens, finish, valid, trained, rewards: [{name, weight, value}], reward,
// members: [{sample, reward, valid, trained}], updates, took_part: [update], tokens: [{index, id, text, mask, reward, advantage, importance,
// lp_sample, lp_old, lp_ref, updates: [{update, lp_new, ratio, weight, d_logprob}]}]}; of one token, `tokens` holds it alone, and `chain` is
// [{update, links: [{quantity, value, how}]}] from the algorithm's tenon.ext.explain/1, or null if it does not have that. NaN: not there.
// Throws tenon::Error if the algorithm cannot explain.
boost::json::object explain_sample(const Trace& trace, uint64_t i, std::optional<uint64_t> token,
                                   const Instance& algorithm, const TokenText& text);

// Of explain_sample's answer about one token: the first update whose chain does not end in the link `gradient` with the d_logprob that the update had, to
// 1e-6 of it, as the end of a sentence; nothing: all do, or there is no chain.
std::optional<std::string> chain_difference(const boost::json::object& sample);

// For people: the sample, and its tokens in a table or the chain of one.
std::string explanation_text(const boost::json::object& sample);

}  // namespace tenon::host
