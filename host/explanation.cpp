// What `tenon explain` answers.
// SPDX-License-Identifier: Apache-2.0
#include "host/explanation.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <limits>

#include "host/json_text.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace json = boost::json;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

json::array rewards_of(const Trace& trace, uint64_t i) {
  json::array out;
  for (size_t k = 0; k < trace.rewards.size(); ++k)
    out.push_back(
        json::object{{"name", trace.rewards[k]},
                     {"weight", trace.weights[k]},
                     {"value", trace.terms.empty() ? kNone : trace.terms[k * trace.rollout.size() + i]}});
  return out;
}

// By sample id.
json::array members_of(const Trace& trace, uint64_t group) {
  const Rollout& r = trace.rollout;
  std::vector<uint64_t> members;
  for (uint64_t i = 0; i < r.size(); ++i)
    if (r.group_id[i] == group) members.push_back(i);
  std::sort(members.begin(), members.end(),
            [&](uint64_t a, uint64_t b) { return r.sample_id[a] < r.sample_id[b]; });
  json::array out;
  for (const uint64_t i : members)
    out.push_back(json::object{{"sample", r.sample_id[i]},
                               {"reward", r.total_reward(i)},
                               {"valid", r.valid[i] != 0},
                               {"trained", trace.trained[i] != 0}});
  return out;
}

json::array updates_of(const Trace& trace, uint64_t i, uint64_t t) {
  json::array out;
  for (size_t u = 0; u < trace.updates.size(); ++u) {
    const Trace::Update& update = trace.updates[u];
    const std::optional<uint64_t> place = update.place(i);
    if (!place) continue;
    const uint64_t at = *place + t - trace.rollout.ids.offsets[i];
    const double lp_new = update.lp_new[at], lp_old = trace.rollout.lp_old[t];
    json::object o{{"update", u},
                   {"lp_new", lp_new},
                   {"ratio", std::exp(lp_new - lp_old)},
                   {"weight", update.weight[at]},
                   {"d_logprob", static_cast<double>(update.d_logprob[at])}};
    if (!update.value.empty()) o["value"] = static_cast<double>(update.value[at]);
    if (!update.entropy.empty()) o["entropy"] = static_cast<double>(update.entropy[at]);
    out.push_back(std::move(o));
  }
  return out;
}

json::object token_of(const Trace& trace, uint64_t i, uint64_t t, const TokenText& text) {
  const Rollout& r = trace.rollout;
  const std::optional<std::string> word = text(r.ids.values[t]);
  json::object o{{"index", t - trace.completion_begin(i)},
                 {"id", r.ids.values[t]},
                 {"text", word ? json::value(*word) : json::value(nullptr)},
                 {"mask", r.mask[t] != 0},
                 {"reward", r.token_reward.empty() ? kNone : r.token_reward[t]},
                 {"advantage", r.advantage[t]},
                 {"importance", trace.importance.empty() ? 1.0 : trace.importance[t]},
                 {"lp_sample", static_cast<double>(r.lp_sample[t])},
                 {"lp_old", static_cast<double>(r.lp_old[t])}};
  if (!r.lp_ref.empty()) o["lp_ref"] = static_cast<double>(r.lp_ref[t]);
  if (!r.value_old.empty()) o["value_old"] = static_cast<double>(r.value_old[t]);
  if (!r.value_target.empty()) o["value_target"] = r.value_target[t];
  o["updates"] = updates_of(trace, i, t);
  return o;
}

// Such a loss is made of what is in the loss alone; what is not may still be in another algorithm's baseline.
bool has_loss_of_groups(const Instance& algorithm) {
  return (Algorithm(algorithm.ref()).info().needs & TENON_WHOLE_GROUPS) != 0;
}

json::array links(const tenon_explain& table, const Instance& algorithm, const Trace& trace,
                  const Trace::Update* update, uint64_t i, uint64_t t) {
  const Rollout rollout = trace.whole(update, has_loss_of_groups(algorithm));
  const tenon_rollout raw = rollout.raw();
  const tenon_call call{sizeof call, kDLCPU, 0, 0, trace.step, 0, nullptr};
  json::array out;
  const tenon_explanation to{sizeof to, 0, &out,
                             [](void* ctx, const char* quantity, double value, const char* how) {
                               static_cast<json::array*>(ctx)->push_back(
                                   json::object{{"quantity", quantity}, {"value", value}, {"how", how}});
                             }};
  ErrorBuffer err;
  err.check(table.explain(algorithm.self(), &call, &raw, i, t, &to, err));
  return out;
}

// Without an update there is no weight, no ratio and no gradient to explain.
json::array up_to_advantage(json::array links) {
  const auto last = std::find_if(links.begin(), links.end(), [](const json::value& link) {
    return link.at("quantity").as_string() == "advantage";
  });
  if (last != links.end()) links.erase(last + 1, links.end());
  return links;
}

json::value chain_of(const Trace& trace, uint64_t i, uint64_t t, const Instance& algorithm) {
  const auto* table = static_cast<const tenon_explain*>(algorithm.extension(TENON_EXT_EXPLAIN));
  if (!TENON_FN(table, tenon_explain, explain)) return nullptr;
  json::array chain;
  if (trace.rollout.valid[i] == 0 || trace.rollout.mask[t] == 0) return chain;
  if (trace.trained[i] == 0 && has_loss_of_groups(algorithm)) return chain;
  for (size_t u = 0; u < trace.updates.size(); ++u)
    if (trace.updates[u].place(i))
      chain.push_back(
          json::object{{"update", u}, {"links", links(*table, algorithm, trace, &trace.updates[u], i, t)}});
  if (chain.empty())
    chain.push_back(json::object{{"update", nullptr},
                                 {"links", up_to_advantage(links(*table, algorithm, trace, nullptr, i, t))}});
  return chain;
}

// ---- As text ----

// To seven digits, which tell two floats apart in most cases; --json has all of them.
std::string number(const json::value& value) {
  const double x = value.to_number<double>();
  if (std::isnan(x)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", x);
  return text;
}

std::string count(const json::value& value) {
  return std::to_string(value.to_number<uint64_t>());
}

// With what a terminal cannot show written as \n, \x1b…
std::string visible(const json::value& text) {
  return text.is_string() ? json_quote({text.get_string().data(), text.get_string().size()}) : "";
}

// Columns as wide as their widest cell; the text is to the left, numbers to the right.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& is_text) {
  std::vector<size_t> widths(is_text.size(), 0);
  auto width = [](const std::string& s) {  // characters, not bytes
    return static_cast<size_t>(
        std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
  };
  for (const auto& row : rows)
    for (size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], width(row[k]));
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t k = 0; k < row.size(); ++k) {
      const std::string space(widths[k] - width(row[k]), ' ');
      line += (k > 0 ? "  " : "") + (is_text[k] ? row[k] + space : space + row[k]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string tokens(const json::value& n) {
  return count(n) + (n.to_number<uint64_t>() == 1 ? " token" : " tokens");
}

std::string heading(const json::object& s) {
  std::string text = "sample " + count(s.at("sample")) + " of group " + count(s.at("group")) +
                     ": prompt of " + tokens(s.at("prompt_tokens")) + ", completion of " +
                     tokens(s.at("completion_tokens")) +
                     (s.at("finish").as_string() == "stop" ? ", which ended" : ", which was cut off") + "\n";
  if (!s.at("valid").as_bool())
    text += "  no valid reward, or its group was dropped: it is in no baseline and in no loss\n";
  else if (!s.at("trained").as_bool())
    text += "  the stage left it out of the loss; it counts in baselines\n";
  return text;
}

std::string rewards_text(const json::object& s) {
  std::vector<std::vector<std::string>> rows;
  double sum = 0;
  for (const json::value& reward : s.at("rewards").as_array()) {
    const double value = reward.at("value").to_number<double>();
    if (!std::isnan(value)) sum += value * reward.at("weight").to_number<double>();
    rows.push_back({"  " + std::string(reward.at("name").as_string()), number(reward.at("value")), "×",
                    number(reward.at("weight")), std::isnan(value) ? "not ok, or does not apply" : ""});
  }
  const double seen = s.at("reward").to_number<double>();
  rows.push_back({"  reward", number(s.at("reward")), "", "",
                  !s.at("valid").as_bool() ? "it is not valid"
                  : seen == sum            ? "the sum"
                                           : "as the algorithm saw it: not the sum, " + number(sum) +
                                      ", but normalised by the stage"});
  std::string text = table(rows, {true, false, true, false, true});
  text += "group " + count(s.at("group")) + "\n";
  rows.clear();
  for (const json::value& member : s.at("members").as_array()) {
    const bool is_this = member.at("sample") == s.at("sample");
    rows.push_back({is_this ? "→" : " ", "sample " + count(member.at("sample")), number(member.at("reward")),
                    !member.at("valid").as_bool()     ? "not valid"
                    : !member.at("trained").as_bool() ? "not trained"
                                                      : ""});
  }
  return text + table(rows, {true, true, false, true});
}

std::string tokens_text(const json::object& s) {
  const json::array& took_part = s.at("took_part").as_array();
  const bool has_update = !took_part.empty();
  std::vector<std::vector<std::string>> rows{
      {"token", "id", "text", "reward", "advantage", "lp_old", "ratio", "weight", "d_logprob"}};
  for (const json::value& token : s.at("tokens").as_array()) {
    auto of_update = [&](const char* key) {
      return has_update ? number(token.at("updates").as_array().back().at(key)) : std::string("-");
    };
    rows.push_back({count(token.at("index")), std::to_string(token.at("id").as_int64()),
                    visible(token.at("text")), number(token.at("reward")), number(token.at("advantage")),
                    number(token.at("lp_old")), of_update("ratio"), of_update("weight"),
                    of_update("d_logprob")});
  }
  std::string text = table(rows, {false, false, true, false, false, false, false, false, false});
  const std::string of = " of the step's " + count(s.at("updates")) + " optimizer updates";
  if (!has_update) return text + "It had no part in any" + of + ".\n";
  return text + "ratio, weight and d_logprob are those of update " + count(took_part.back()) +
         ", the last of the " + std::to_string(took_part.size()) + " that it had a part in," + of + ".\n";
}

std::string chain_text(const json::object& s) {
  const json::object& token = s.at("tokens").as_array().at(0).as_object();
  const std::string word = visible(token.at("text"));
  std::string text = "token " + count(token.at("index")) + ": id " +
                     std::to_string(token.at("id").as_int64()) + (word.empty() ? "" : " " + word) + "\n";
  if (!std::isnan(token.at("reward").to_number<double>()))
    text += "  it earned " + number(token.at("reward")) + " by itself\n";
  if (!token.at("mask").as_bool()) return text + "  it is not trained: its mask is 0\n";
  if (s.at("chain").is_null())
    return text + "  the algorithm does not explain itself (it has no " TENON_EXT_EXPLAIN ")\n" +
           tokens_text(s);
  const json::array& chain = s.at("chain").as_array();
  for (const json::value& step : chain) {
    if (step.at("update").is_null()) {
      text += "no optimizer update of the step had this sample: no token of it had a gradient\n";
    } else {
      text += "update " + count(step.at("update")) + " of " + count(s.at("updates")) + "\n";
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::value& link : step.at("links").as_array())
      rows.push_back({"  " + std::string(link.at("quantity").as_string()), number(link.at("value")),
                      link.at("how").as_string().c_str()});
    if (const json::value& factor = token.at("importance"); factor.to_number<double>() != 1)
      rows.push_back({"  importance", number(factor), "the stage's factor of the advantage"});
    for (const json::value& update : token.at("updates").as_array())
      if (update.at("update") == step.at("update"))
        rows.push_back({"  d_logprob", number(update.at("d_logprob")), "what the optimizer's update had"});
    text += table(rows, {true, false, true});
  }
  return text;
}

}  // namespace

json::object explain_sample(const Trace& trace, uint64_t i, std::optional<uint64_t> token,
                            const Instance& algorithm, const TokenText& text) {
  const Rollout& r = trace.rollout;
  json::object out{{"sample", r.sample_id[i]},
                   {"group", r.group_id[i]},
                   {"prompt_tokens", r.prompt_len[i]},
                   {"completion_tokens", r.completion_len(i)},
                   {"finish", r.finish[i] == TENON_FINISH_STOP ? "stop" : "length"},
                   {"valid", r.valid[i] != 0},
                   {"trained", trace.trained[i] != 0},
                   {"rewards", rewards_of(trace, i)},
                   {"reward", r.reward[i]},
                   {"members", members_of(trace, r.group_id[i])},
                   {"updates", trace.updates.size()}};
  json::array took_part, tokens;
  for (size_t u = 0; u < trace.updates.size(); ++u)
    if (trace.updates[u].place(i)) took_part.emplace_back(u);
  out["took_part"] = std::move(took_part);
  const uint64_t begin = trace.completion_begin(i), end = r.ids.offsets[i + 1];
  for (uint64_t t = token ? begin + *token : begin; t < (token ? begin + *token + 1 : end); ++t)
    tokens.push_back(token_of(trace, i, t, text));
  out["tokens"] = std::move(tokens);
  if (token) out["chain"] = chain_of(trace, i, begin + *token, algorithm);
  return out;
}

std::optional<std::string> chain_difference(const json::object& sample) {
  const json::value* chain = sample.if_contains("chain");
  if (chain == nullptr || chain->is_null()) return std::nullopt;
  const json::array& updates = sample.at("tokens").at(0).at("updates").as_array();
  for (const json::value& step : chain->as_array()) {
    const auto had = std::find_if(updates.begin(), updates.end(), [&](const json::value& update) {
      return update.at("update") == step.at("update");
    });
    if (had == updates.end()) continue;
    const std::string which = "the explanation of update " + count(step.at("update")) + " ends ";
    const json::array& links = step.at("links").as_array();
    if (links.empty() || links.back().at("quantity").as_string() != "gradient")
      return which + "without a link `gradient`";
    const double said = links.back().at("value").to_number<double>(),
                 was = had->at("d_logprob").to_number<double>();
    if (!(std::abs(said - was) <= 1e-6 * std::abs(was)))
      return which + "in the gradient " + json_number(said) + ", and the optimizer's update had " +
             json_number(was);
  }
  return std::nullopt;
}

std::string explanation_text(const json::object& sample) {
  return heading(sample) + rewards_text(sample) +
         (sample.contains("chain") ? chain_text(sample) : tokens_text(sample));
}

}  // namespace tenon::host
