// Reward `think-format`: does the completion think in <think>…</think> and answer in <answer>…</answer>?
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 (arXiv 2501.12948, §2.2.2): a format reward makes the model put its thinking between tags; its
// weight is that of the accuracy reward. The paper gives no expression. `strict` accepts what
// "^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$" (open-r1) does, if each tag is there once.

#include "answer_text/extract.h"
#include "tenon/reward.hpp"

namespace {

using std::string_view;
constexpr string_view kOpen = "<think>", kClose = "</think>", kAnswer = "<answer>", kEnd = "</answer>";

size_t count(string_view text, string_view tag) {
  size_t n = 0;
  for (size_t at = text.find(tag); at != string_view::npos; at = text.find(tag, at + tag.size())) ++n;
  return n;
}

// Takes `prefix` off the front of `text`; false if it is not there.
bool take(string_view& text, string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

class ThinkFormat {
 public:
  explicit ThinkFormat(tenon::Host host)
      : strict_(host.str("mode") == "strict"),
        opened_(host.boolean("opened_by_prompt")),
        answer_tags_(host.boolean("answer_tags")),
        right_(host.f64("right")),
        wrong_(host.f64("wrong")) {}

  double operator()(const tenon::Sample& sample) const {
    return well_formed(sample.completion) ? right_ : wrong_;
  }

 private:
  bool well_formed(string_view text) const {
    // Each tag exactly once: nested or repeated blocks are how a format reward is gamed.
    if (count(text, kOpen) != (opened_ ? 0u : 1u) || count(text, kClose) != 1) return false;
    if (answer_tags_ && (count(text, kAnswer) != 1 || count(text, kEnd) != 1)) return false;
    if (!strict_) text = tenon::answer_text::trim(text);
    if (!opened_ && !take(text, kOpen)) return false;

    size_t close = text.find(kClose);
    if (!block(text.substr(0, close), opened_)) return false;
    text.remove_prefix(close + kClose.size());
    if (strict_ && !take(text, "\n")) return false;

    string_view rest = strict_ ? text : tenon::answer_text::trim(text);
    if (!answer_tags_) return !tenon::answer_text::trim(rest).empty();
    return take(rest, kAnswer) && rest.ends_with(kEnd) &&
           block(rest.substr(0, rest.size() - kEnd.size()), false);
  }

  // The content of a block: not blank; strict: on lines of its own. The first line break of a block that the
  // prompt has opened is the prompt's.
  bool block(string_view inside, bool first_line_is_the_prompts) const {
    if (tenon::answer_text::trim(inside).empty()) return false;
    return !strict_ || ((first_line_is_the_prompts || inside.starts_with('\n')) && inside.ends_with('\n'));
  }

  bool strict_, opened_, answer_tags_;
  double right_, wrong_;
};

constexpr const char* kModes[] = {"lenient", "strict", nullptr};

}  // namespace

TENON_REWARD_PLUGIN(
    ThinkFormat, "think-format", "1.0.0",
    "1 if the completion thinks in <think> tags and then answers, else 0.",
    tenon::choice(
        "mode", kModes, "\"lenient\"",
        "strict: every tag on a line of its own and nothing else outside; lenient: white space is free."),
    tenon::boolean(
        "answer_tags", "true",
        "Whether the answer must stand in <answer></answer>; else any text after </think> will do."),
    tenon::boolean(
        "opened_by_prompt", "false",
        "Whether the prompt already ends in <think>, so that the completion must not begin with it."),
    tenon::number("right", "1", "The reward of the right form."),
    tenon::number("wrong", "0", "The reward of any other."))
