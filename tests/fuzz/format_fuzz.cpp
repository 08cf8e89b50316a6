// libFuzzer target over the form of completions: code spans lie in order inside the text, leaving them out keeps every offset and line, and
// think-format gives one of its two values with a reason.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "reward_support/code_spans.h"
#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Reward = tenon::testing::Instance<tenon_reward_vt>;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_spans(std::string_view text) {
  size_t last = 0;
  for (const tenon::reward_support::CodeSpan& span : tenon::reward_support::code_spans(text)) {
    require(last <= span.begin && span.begin < span.end && span.end <= text.size());
    require(span.begin <= span.inner_begin && span.inner_begin <= span.inner_end &&
            span.inner_end <= span.end);
    require(text[span.begin] == '`' || text[span.begin] == '~' || text[span.begin] == ' ');
    last = span.end;
  }
  const std::string plain = tenon::reward_support::without_code(text);
  require(plain.size() == text.size());
  for (size_t k = 0; k < text.size(); ++k) {
    require((plain[k] == '\n') == (text[k] == '\n'));
    require(plain[k] == text[k] || plain[k] == ' ');
  }
}

void check_reward(const Reward& reward, std::string_view text) {
  const tenon::testing::Verdict v = tenon::testing::judge(reward, text);
  require(v.status == TENON_R_OK && (v.reward == 0 || v.reward == 1));
  require(v.why.empty() == (v.reward == 1));
  // Without a tag there is no form, and a tag inside code is none.
  if (text.find("</think>") == std::string_view::npos) require(v.reward == 0);
  const std::string hidden = "````\n" + std::string(text) + "\n````\n";
  if (text.find("````") == std::string_view::npos) require(tenon::testing::judge(reward, hidden).reward == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const tenon_component* const component =
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  static const Reward strict(component, {{"mode", "\"strict\""}}), lenient(component, {}),
      opened(component, {{"opened_by_prompt", "true"}, {"answer_tags", "false"}});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_spans(text);
  for (const Reward* reward : {&strict, &lenient, &opened}) check_reward(*reward, text);
  // What is right strictly is right leniently.
  if (tenon::testing::judge(strict, text).reward == 1)
    require(tenon::testing::judge(lenient, text).reward == 1);
  return 0;
}
