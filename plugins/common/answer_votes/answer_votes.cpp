// Extraction and equality of votes.
// SPDX-License-Identifier: Apache-2.0
#include "answer_votes/answer_votes.h"

#include <algorithm>

#include "answer_text/extract.h"
#include "answer_text/number.h"
#include "math_answer/math_answer.hpp"
#include "reward_support/think_tags.h"

namespace tenon::answer_votes {
namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return text;
}

math_answer::Policies read_policies(const Host& host, const std::string& at) {
  math_answer::Policies policies;
  if (host.str((at + ".region").c_str()) == "whole") math_answer::set_policy(policies, "region", "whole");
  const std::vector<std::string> given = host.strs((at + ".policies").c_str());
  for (size_t i = 0; i < given.size(); ++i) {
    const size_t sign = given[i].find('=');
    if (sign == std::string::npos ||
        !math_answer::set_policy(policies, given[i].substr(0, sign), given[i].substr(sign + 1)))
      throw Error(TENON_E_INVALID,
                  at + ".policies." + std::to_string(i) + ": \"" + given[i] +
                      "\" is no option of the reward math with a value that it takes, such as "
                      "extract=boxed; `tenon describe math` lists them");
  }
  return policies;
}

}  // namespace

struct Voting::Method {
  std::string by, extract;
  bool is_whole, ignore_case;
  answer_text::Marks marks;
  math_answer::Policies policies;

  // What answers have in common that are the same; nothing: there is no answer. Not by math.
  std::optional<std::string> key(std::string_view answer) const {
    if (by == "text") return ignore_case ? lower(std::string(answer)) : std::string(answer);
    const std::optional<answer_text::Rational> number = answer_text::parse_number(answer);
    return number ? std::optional(number->str()) : std::nullopt;
  }

  Ballot by_key(std::string_view prompt, const std::vector<std::string_view>& completions) const {
    Ballot out;
    std::vector<std::string> keys;
    for (std::string_view completion : completions) {
      const std::string_view where = is_whole ? completion : reward_support::answer_part(prompt, completion);
      const auto answer = answer_text::find_answer(extract, where, marks);
      const std::optional<std::string> own = answer ? key(*answer) : std::nullopt;
      out.votes.emplace_back();
      if (!own) continue;
      const auto found = std::find(keys.begin(), keys.end(), *own);
      out.votes.back() = static_cast<size_t>(found - keys.begin());
      if (found == keys.end()) keys.push_back(*own), out.answers.emplace_back(*answer);
    }
    return out;
  }

  // Each completion is judged with the answers before it as golds, so that extraction and equality are the reward's own.
  Ballot by_math(const std::vector<std::string_view>& completions) const {
    Ballot out;
    std::vector<math_answer::Gold> golds;
    const math_answer::Gold any("0", policies);
    for (std::string_view completion : completions) {
      out.votes.emplace_back();
      const math_answer::Result read = math_answer::judge(any, completion, policies);
      if (read.answer.empty() || read.verdict == math_answer::Verdict::kUnparsedPrediction ||
          read.verdict == math_answer::Verdict::kLimit)
        continue;
      size_t same = 0;
      while (same < golds.size() &&
             math_answer::judge(golds[same], completion, policies).verdict != math_answer::Verdict::kEqual)
        ++same;
      if (same == golds.size()) {
        math_answer::Gold gold(read.answer, policies);
        if (gold.parsed().verdict != math_answer::Verdict::kEqual) continue;
        golds.push_back(std::move(gold));
        out.answers.push_back(read.answer);
      }
      out.votes.back() = same;
    }
    return out;
  }
};

Voting::Voting(const Host& host, const std::string& at) {
  const auto text = [&](const char* option) { return host.str((at + "." + option).c_str()); };
  method_ = std::make_unique<const Method>(Method{text("by"),
                                                  text("extract"),
                                                  text("region") == "whole",
                                                  host.boolean((at + ".ignore_case").c_str()),
                                                  {text("open"), text("close"), text("tag")},
                                                  read_policies(host, at)});
}
Voting::~Voting() = default;
Voting::Voting(Voting&&) noexcept = default;

Ballot Voting::count(std::string_view prompt, const std::vector<std::string_view>& completions) const {
  return method_->by == "math" ? method_->by_math(completions) : method_->by_key(prompt, completions);
}

void check_vote(const Host& host, const std::string& at, Findings& findings) {
  const std::string by = host.str((at + ".by").c_str()), extract = host.str((at + ".extract").c_str());
  const auto idle = [&](const char* option, const char* why) {
    findings.no_effect((at + "." + option).c_str(), why);
  };
  if (by == "math") idle("extract", "by: math looks where the reward math does; its `policies` say more");
  if (by == "math" || extract != "after-tag") idle("tag", "only extract: after-tag looks for it");
  for (const char* option : {"open", "close"})
    if (by == "math" || extract != "between-tags") idle(option, "only extract: between-tags looks for it");
  if (by != "text") idle("ignore_case", "only by: text has letters");
  if (by != "math") {
    idle("policies", "only by: math has them");
    return;
  }
  try {
    read_policies(host, at);
  } catch (const Error& e) {
    const std::string what = e.what();
    const size_t colon = what.find(": ");
    findings.error(what.substr(0, colon).c_str(), what.substr(colon + 2));
  }
}

}  // namespace tenon::answer_votes
