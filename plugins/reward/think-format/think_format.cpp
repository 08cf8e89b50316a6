// Reward `think-format`: does the completion think in <think>…</think> and answer in <answer>…</answer>?
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 (arXiv 2501.12948, §2.2.2): a format reward makes the model put its thinking between tags; its
// weight is that of the accuracy reward. The paper gives no expression. `strict` accepts what
// "^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$" (open-r1) does, if each tag is there once.
// A tag inside Markdown code is text: it neither opens, closes nor repeats a block.

#include <algorithm>

#include "answer_text/extract.h"
#include "reward_support/code_spans.h"
#include "tenon/reward.hpp"
#include "utf8/utf8.h"

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

// The code point of the character at text[0], of so many bytes; 0 bytes: it is no UTF-8.
std::pair<char32_t, size_t> first_character(string_view text) {
  const size_t n = tenon::utf8::length(text, 0);
  if (n < 2) return {n == 0 ? 0 : static_cast<unsigned char>(text[0]), n};
  char32_t c = static_cast<unsigned char>(text[0]) & (0xFF >> (n + 1));
  for (size_t i = 1; i < n; ++i) c = (c << 6) | (static_cast<unsigned char>(text[i]) & 0x3F);
  return {c, n};
}

// Unicode 15: controls, white space, default ignorable characters, and the empty Braille pattern.
bool is_invisible(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x00, 0x20},       {0x7F, 0xA0},      {0xAD, 0xAD},     {0x34F, 0x34F},   {0x61C, 0x61C},
      {0x115F, 0x1160},   {0x1680, 0x1680},  {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x2000, 0x200F},
      {0x2028, 0x202F},   {0x205F, 0x206F},  {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
      {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},  {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3},
      {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [&](const auto& range) { return c >= range.first && c <= range.second; });
}

// Nothing in it to be seen.
bool is_blank(string_view text) {
  while (!text.empty()) {
    const auto [c, n] = first_character(text);
    if (n == 0 || !is_invisible(c)) return false;
    text.remove_prefix(n);
  }
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
    const std::string text = tenon::reward_support::without_code(sample.completion, 'x');
    const char* fault = fault_of(text);
    if (fault != nullptr) sample.reason(fault);
    return fault == nullptr ? right_ : wrong_;
  }

 private:
  // The first thing wrong with the form; null if nothing is.
  const char* fault_of(string_view text) const {
    if (const char* fault = fault_of_counts(text)) return fault;
    if (!strict_) text = tenon::answer_text::trim(text);
    if (!opened_ && !take(text, kOpen)) return "something stands before <think>";

    const size_t close = text.find(kClose);
    if (close == string_view::npos) return "</think> before <think>";
    if (const char* fault = fault_of_block(text.substr(0, close), opened_)) return fault;
    text.remove_prefix(close + kClose.size());
    if (strict_ && !take(text, "\n")) return "</think> is not followed by a line break";

    const string_view rest = strict_ ? text : tenon::answer_text::trim(text);
    if (!answer_tags_) return is_blank(rest) ? "no answer after </think>" : nullptr;
    string_view answer = rest;
    if (!take(answer, kAnswer)) return "something other than <answer> follows </think>";
    if (!answer.ends_with(kEnd)) return "something stands after </answer>";
    return fault_of_block(answer.substr(0, answer.size() - kEnd.size()), false);
  }

  // Each tag exactly once: nested or repeated blocks are how a format reward is gamed.
  const char* fault_of_counts(string_view text) const {
    if (opened_ && count(text, kOpen) != 0) return "<think> again, which the prompt has opened";
    if (!opened_ && count(text, kOpen) != 1) return "not exactly one <think>";
    if (count(text, kClose) != 1) return "not exactly one </think>";
    if (!answer_tags_) return nullptr;
    if (count(text, kAnswer) != 1) return "not exactly one <answer>";
    return count(text, kEnd) != 1 ? "not exactly one </answer>" : nullptr;
  }

  // The content of a block: not blank; strict: on lines of its own. The first line break of a block that the
  // prompt has opened is the prompt's.
  const char* fault_of_block(string_view inside, bool first_line_is_the_prompts) const {
    if (is_blank(inside)) return "a block is blank";
    if (!strict_) return nullptr;
    if (!first_line_is_the_prompts && !inside.starts_with('\n')) return "a tag is not on a line of its own";
    return inside.ends_with('\n') ? nullptr : "a tag is not on a line of its own";
  }

  bool strict_, opened_, answer_tags_;
  double right_, wrong_;
};

constexpr const char* kModes[] = {"lenient", "strict", nullptr};

}  // namespace

TENON_REWARD_PLUGIN(
    ThinkFormat, "think-format", "1.1.0",
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
