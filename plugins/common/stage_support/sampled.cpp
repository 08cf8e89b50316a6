// Generation and scoring of a batch of prompts.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/sampled.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "stage_support/background.h"
#include "stage_support/row_check.h"
#include "stage_support/step.h"
#include "utf8/utf8.h"

namespace tenon::stages {
namespace {

std::string number_json(double v) {
  if (!std::isfinite(v)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", v);
  return text;
}

// Also for texts that did not come from sample().
std::string quote_utf8(std::string_view bytes) {
  return json::quote(utf8::repaired(bytes));
}

std::string_view text_of(const Ragged<char>& texts, uint64_t i) {
  return {texts[i].data(), texts[i].size()};
}

// The ids that sampling starts from; they leave room for a token in a context of max_len.
std::vector<int32_t> fitting_prompt(const Row& row, const Tokenizer& tokenizer, uint64_t max_len) {
  std::vector<int32_t> ids = encode_prompt(row, tokenizer);
  if (ids.size() >= max_len)
    throw Error(
        TENON_E_INVALID,
        "the prompt has " + std::to_string(ids.size()) +
            " tokens, and the model's context of max_len = " + std::to_string(max_len) +
            " tokens leaves no room for a completion: leave such rows out, or raise the model's max_len");
  return ids;
}

struct RewardName {
  static constexpr const char* kKind = "reward";
  explicit RewardName(const tenon_ref& ref) : text(ref.name) {}
  std::string text;
};

// As the configuration calls them; the second of one name is "name#2".
std::vector<std::string> names_of_rewards(const Host& host, const std::string& list) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  std::string slot = list;
  std::replace(slot.begin(), slot.end(), '.', '/');
  for (uint64_t k = 0; k < host.count(list.c_str()); ++k) {
    const std::string name = host.get_component<RewardName>(slot + "/" + std::to_string(k)).text;
    names.push_back(name);
    for (int n = 2; !taken.insert(names.back()).second; ++n) names.back() = name + "#" + std::to_string(n);
  }
  return names;
}

}  // namespace

std::string Sampled::to_json(uint64_t i) const {
  std::string out =
      "{\"sample\":" + std::to_string(rollout.sample_id[i]) +
      ",\"group\":" + std::to_string(rollout.group_id[i]) + ",\"prompt\":" + quote_utf8(text_of(prompts, i)) +
      ",\"completion\":" + quote_utf8(text_of(completions, i)) +
      ",\"finish\":" + (rollout.finish[i] == TENON_FINISH_STOP ? "\"stop\"" : "\"length\"") +
      ",\"tokens\":" + (completion_len(i) == kUnknownTokens ? "null" : std::to_string(completion_len(i))) +
      ",\"reward\":" +
      (rollout.valid[i] != 0 ? number_json(earned.empty() ? rollout.total_reward(i) : earned[i]) : "null");
  if (!terms.empty()) out += ",\"rewards\":" + rewards_json(i);
  if (!rollout.advantage.empty())
    out += ",\"advantage\":" + number_json(rollout.advantage[rollout.ids.offsets[i] + rollout.prompt_len[i]]);
  return out + "}";
}

std::string Sampled::rewards_json(uint64_t i) const {
  std::string out;
  for (size_t k = 0; k < terms.size(); ++k)
    out += (k == 0 ? "{" : ",") + quote_utf8(reward_names[k]) + ":" + number_json(terms[k][i]);
  return out.empty() ? "{}" : out + "}";
}

void Sampled::push(const Sampled& from, uint64_t i) {
  const Rollout& r = from.rollout;
  const uint64_t begin = r.ids.offsets[i], end = r.ids.offsets[i + 1], prompt = r.prompt_len[i];
  rollout.push(r.ids[i].first(prompt), r.ids[i].subspan(prompt),
               std::span(r.lp_sample).subspan(begin + prompt, end - begin - prompt), r.group_id[i],
               r.sample_id[i], r.finish[i]);
  rollout.reward.back() = r.reward[i], rollout.valid.back() = r.valid[i];
  rollout.version.insert(rollout.version.end(), r.version.begin() + static_cast<ptrdiff_t>(begin),
                         r.version.begin() + static_cast<ptrdiff_t>(end));
  if (!r.token_reward.empty() || !rollout.token_reward.empty()) {
    rollout.token_reward.resize(rollout.tokens() - (end - begin), std::nan(""));
    for (uint64_t t = begin; t < end; ++t)
      rollout.token_reward.push_back(r.token_reward.empty() ? std::nan("") : r.token_reward[t]);
  }
  prompts.push(text_of(from.prompts, i)), completions.push(text_of(from.completions, i));
  meta.push(text_of(from.meta, i));
  row_index.push_back(from.row_index[i]);
  if (!from.prompt_tokens.empty()) prompt_tokens.push_back(from.prompt_tokens[i]);
  if (!from.completion_tokens.empty()) completion_tokens.push_back(from.completion_tokens[i]);
  earned.push_back(from.earned[i]), first.push_back(from.first[i]);
  terms.resize(from.terms.size()), reward_names = from.reward_names;
  for (size_t k = 0; k < terms.size(); ++k) terms[k].push_back(from.terms[k][i]);
}

double number_of(const Host& host, const std::string& element, const char* name) {
  const auto own = element.empty() ? std::nullopt : host.f64_if((element + name).c_str());
  return own ? *own : host.f64(name);
}
int64_t integer_of(const Host& host, const std::string& element, const char* name) {
  const auto own = element.empty() ? std::nullopt : host.i64_if((element + name).c_str());
  return own ? *own : host.i64(name);
}

RewardList::RewardList(const Host& host, const std::string& element)
    : host_(host), list_(element + "rewards"), names_(names_of_rewards(host, list_)) {}

void RewardList::score(const tenon_call* call, Sampled& batch) const {
  if (names_.empty()) {
    batch.earned.assign(batch.rollout.size(), 0);
    batch.first.assign(batch.rollout.size(), std::nan(""));
    return;
  }
  RewardTerms terms =
      score_rewards(host_, list_.c_str(), call, batch.rollout, batch.prompts, batch.completions, batch.meta);
  for (uint64_t i = 0; i < batch.rollout.size(); ++i) batch.earned.push_back(batch.rollout.total_reward(i));
  batch.first = std::move(terms.first), batch.terms = std::move(terms.rewards);
  batch.reward_names = names_;
}

CompletionSampler::CompletionSampler(const Host& host, const std::string& element, Filters filters)
    : host_(host),
      rewards_(host, element),
      sampler_(host.get_component<Sampler>("sampler")),
      sampling_{sizeof(tenon_sampling),
                static_cast<float>(number_of(host, element, "temperature")),
                0,
                0,
                0,
                0,
                host.seed()},
      max_new_tokens_(static_cast<uint64_t>(integer_of(host, element, "max_new_tokens"))),
      overlap_(host.boolean("overlap_rewards")) {
  if (filters == Filters::kNone) return;
  sampling_.top_p = static_cast<float>(number_of(host, element, "top_p"));
  sampling_.min_p = static_cast<float>(number_of(host, element, "min_p"));
  sampling_.top_k = static_cast<uint32_t>(integer_of(host, element, "top_k"));
}

void CompletionSampler::check_prompts(const std::string& data, const Model& model, const Tokenizer& tokenizer,
                                      const std::string& tokenizer_slot, uint64_t most,
                                      const std::function<Row(const Row&)>& asked) const {
  require_next_token(model);
  const uint64_t max_len = model.info().max_len;
  if (max_new_tokens_ >= max_len)
    host_.warn("max_new_tokens = " + std::to_string(max_new_tokens_) +
               " is never reached: prompt and completion share the context of model " + model.ref()->name +
               ", max_len = " + std::to_string(max_len) + " tokens, and are cut there");
  check_rows(host_, data, tokenizer_slot, most,
             [&](const Row& row) { fitting_prompt(asked ? asked(row) : row, tokenizer, max_len); });
}

Sampled CompletionSampler::sample(const tenon_call* call, const Model& model, const Tokenizer& tokenizer,
                                  std::span<const Row> rows, uint64_t per_row, uint64_t first_id,
                                  uint64_t version) const {
  const uint64_t max_len = model.info().max_len;
  Ragged<int32_t> prompts;
  std::vector<uint64_t> sample_id, group_id;
  std::vector<std::string> prompt_texts;
  for (const Row& row : rows) {
    const std::vector<int32_t> ids = about_row(row, [&] { return fitting_prompt(row, tokenizer, max_len); });
    const uint64_t group = first_id + prompts.size();
    for (uint64_t k = 0; k < per_row; ++k) {
      sample_id.push_back(first_id + prompts.size());
      group_id.push_back(group);
      prompts.push(ids);
    }
    prompt_texts.push_back(utf8::repaired(tokenizer.decode(ids)));
  }
  std::vector<Completion> completions(prompts.size());
  std::vector<std::string> texts(prompts.size());

  const auto scored = [&](const std::vector<uint64_t>& groups) {
    Sampled out;
    for (uint64_t g : groups)
      for (uint64_t i = g * per_row; i < (g + 1) * per_row; ++i) {
        const Completion& done = completions[i];
        out.rollout.push(prompts[i], done.ids, done.logprobs, group_id[i], sample_id[i], done.finish);
        out.rollout.version.resize(out.rollout.tokens(), version);
        out.prompts.push(prompt_texts[g]), out.completions.push(texts[i]), out.meta.push(rows[g].meta_json);
        out.row_index.push_back(rows[g].index);
      }
    rewards_.score(call, out);
    return out;
  };
  struct Part {
    std::vector<uint64_t> groups;
    Sampled sampled;
  };
  std::vector<Part> parts;
  Background scoring(
      [&](std::vector<uint64_t> groups) {
        std::sort(groups.begin(), groups.end());
        Sampled sampled = scored(groups);
        parts.push_back({std::move(groups), std::move(sampled)});
      },
      overlap_);
  {
    Timed timed(host_, "rollout");
    const std::vector<int32_t> stops = tokenizer.stop_ids();
    const tenon_generate_in in{sizeof in,       0,          prompts.size(),  prompts.raw(), sample_id.data(),
                               group_id.data(), &sampling_, max_new_tokens_, stops.data(),  stops.size()};
    std::vector<uint64_t> left(rows.size(), per_row);
    sampler_.generate(call, model, in, [&](uint64_t i, const Completion& completion) {
      // A sampled token, or the last one, may end inside a character; rewards are promised UTF-8.
      completions[i] = completion, texts[i] = utf8::repaired(tokenizer.decode(completion.ids));
      if (--left[i / per_row] == 0) scoring.add(i / per_row);
    });
  }
  Timed timed(host_, "reward");
  scoring.finish();
  if (parts.size() == 1) return std::move(parts.front().sampled);
  // In the order of the rows, whichever came first.
  std::vector<std::pair<const Sampled*, uint64_t>> where(rows.size());
  for (const Part& part : parts)
    for (size_t k = 0; k < part.groups.size(); ++k) where[part.groups[k]] = {&part.sampled, k * per_row};
  Sampled out;
  for (const auto& [sampled, begin] : where)
    for (uint64_t k = 0; k < per_row; ++k) out.push(*sampled, begin + k);
  return out;
}

}  // namespace tenon::stages
