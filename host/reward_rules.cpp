// How a reward of a list takes part.
// SPDX-License-Identifier: Apache-2.0
#include "host/reward_rules.h"

#include <algorithm>
#include <set>

#include "host/diagnostics.h"
#include "host/option_values.h"
#include "tenon/json.hpp"

namespace tenon::host {

namespace json = boost::json;

namespace {

RewardScope read_scope(const std::string& name) {
  return name == "think"    ? RewardScope::kThink
         : name == "answer" ? RewardScope::kAnswer
                            : RewardScope::kWhole;
}

// The places of the rewards of the list by name; a name that stands there twice is that of the first.
std::vector<std::string> names_of(const Spec& stage, const std::string& slot) {
  std::vector<std::string> names;
  for (const Slot& s : stage.slots) {
    if (s.name != slot + "/" + std::to_string(names.size()) || !s.spec) continue;
    names.push_back(s.spec->name);
  }
  return names;
}

size_t gate_of(const Spec& stage, const std::string& path, const std::string& wanted,
               const std::vector<std::string>& names, size_t own) {
  const auto at = std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(own), wanted);
  if (at != names.begin() + static_cast<ptrdiff_t>(own)) return static_cast<size_t>(at - names.begin());
  const std::vector<std::string> earlier(names.begin(), names.begin() + static_cast<ptrdiff_t>(own));
  throw UserError(stage.blame(path).mark,
                  path + ": no reward before this one in the list is called \"" + wanted + "\"." +
                      did_you_mean(wanted, earlier) +
                      (std::find(names.begin(), names.end(), wanted) != names.end()
                           ? " It stands behind: put it before the one that it decides on."
                           : ""));
}

}  // namespace

std::vector<RewardRules> reward_rules(const Spec& stage, const std::string& list) {
  std::string slot = list, option = list;
  std::replace(slot.begin(), slot.end(), '.', '/');
  std::replace(option.begin(), option.end(), '/', '.');
  const std::vector<std::string> names = names_of(stage, slot);
  std::vector<RewardRules> out(names.size());
  for (size_t k = 0; k < names.size(); ++k) {
    const std::string path = option + "." + std::to_string(k) + ".";
    const auto value = [&](const char* key) { return find_value(stage.options, path + key); };
    const auto needs = [&](const char* key, const char* other, bool has_other) {
      if (stage.marks.contains(path + key) && !has_other)
        throw UserError(stage.blame(path + key).mark,
                        path + key + ": has no effect without `" + other + "`. Leave it out");
    };
    RewardRules& rules = out[k];
    if (const json::value* scope = value("scope")) rules.scope = read_scope(scope->as_string().c_str());
    if (const json::value* sources = value("sources"))
      for (const json::value& source : sources->as_array()) rules.sources.emplace_back(source.as_string());
    if (const json::value* field = value("source_field")) rules.source_field = field->as_string().c_str();
    if (const json::value* gate = value("only_if"))
      rules.only_if = gate_of(stage, path + "only_if", gate->as_string().c_str(), names, k);
    if (const json::value* above = value("only_above")) rules.only_above = above->to_number<double>();
    needs("source_field", "sources", !rules.sources.empty());
    needs("only_above", "only_if", rules.only_if.has_value());
  }
  return out;
}

std::vector<std::string> distinct_names(std::vector<std::string> names) {
  std::set<std::string> taken;
  for (std::string& own : names) {
    const std::string name = own;
    for (int k = 2; !taken.insert(own).second; ++k) own = name + "#" + std::to_string(k);
  }
  return names;
}

std::string why_left_out(const RewardRules& rules, std::string_view meta_json) {
  if (rules.sources.empty()) return "";
  const std::string source = tenon::json::text_field(meta_json, rules.source_field).value_or("");
  const bool is_one = std::find(rules.sources.begin(), rules.sources.end(), source) != rules.sources.end();
  return is_one ? "" : "its " + rules.source_field + " is \"" + source + "\"";
}

RewardView::RewardView(const RewardRules& rules, const tenon_reward_in& in) : left_out_(in.n) {
  for (uint64_t i = 0; i < in.n; ++i) {
    left_out_[i] = why_left_out(rules, text_of(in.meta_json, i));
    if (!left_out_[i].empty()) continue;
    places_.push_back(i);
    sample_id_.push_back(in.sample_id[i]), group_id_.push_back(in.group_id[i]);
    if (in.finish != nullptr) finish_.push_back(in.finish[i]);
    const std::string_view prompt = text_of(in.prompt, i), completion = text_of(in.completion, i);
    prompt_.add(prompt), completion_.add(part_of(prompt, completion, rules.scope));
    meta_.add(text_of(in.meta_json, i));
    if (!rules.shows_tokens() || in.tokens.n <= i) continue;
    const auto* ids = static_cast<const int32_t*>(in.tokens.values);
    tokens_.insert(tokens_.end(), ids + in.tokens.offsets[i], ids + in.tokens.offsets[i + 1]);
    token_offsets_.push_back(tokens_.size());
  }
  view_.struct_size = sizeof view_;
  view_.n = places_.size();
  view_.sample_id = sample_id_.data(), view_.group_id = group_id_.data();
  view_.prompt = prompt_.raw(), view_.completion = completion_.raw(), view_.meta_json = meta_.raw();
  if (token_offsets_.size() == places_.size() + 1)
    view_.tokens = {tokens_.data(), token_offsets_.data(), places_.size()};
  view_.finish = in.finish != nullptr ? finish_.data() : nullptr;
}

}  // namespace tenon::host
