// What is code in a text, and what only looks like it.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "reward_support/code_spans.h"
#include "reward_support/think_tags.h"

namespace {

using tenon::reward_support::answer_part;
using tenon::reward_support::code_spans;
using tenon::reward_support::thought_part;
using tenon::reward_support::without_code;

std::vector<std::string> inner(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& span : code_spans(text))
    out.emplace_back(text.substr(span.inner_begin, span.inner_end - span.inner_begin));
  return out;
}
using Texts = std::vector<std::string>;

TEST(CodeSpans, FencedBlocks) {
  EXPECT_EQ(inner("a\n```py\nx = 1\n```\nb"), Texts{"x = 1\n"});
  EXPECT_EQ(inner("~~~\n```\n~~~"), Texts{"```\n"}) << "the other mark is content";
  EXPECT_EQ(inner("````\n```\n````"), Texts{"```\n"}) << "a shorter fence is content";
  EXPECT_EQ(inner("```\n```"), Texts{""});
  EXPECT_EQ(inner("   ```\nx\n   ```"), Texts{"x\n"});
  EXPECT_EQ(inner("```\na\n``` b\n```"), Texts{"a\n``` b\n"}) << "a line with text closes nothing";
}

TEST(CodeSpans, InlineSpans) {
  EXPECT_EQ(inner("a `b` c `d`"), (Texts{"b", "d"}));
  EXPECT_EQ(inner("``a ` b``"), Texts{"a ` b"});
  EXPECT_EQ(inner("```a```"), Texts{"a"});
}

TEST(CodeSpans, WhatIsNotClosedHidesNothing) {
  EXPECT_EQ(inner("```\nx = 1"), Texts());
  EXPECT_EQ(inner("a ` b\nc ` d"), Texts());
  EXPECT_EQ(inner("```\nx `y` z"), Texts{"y"});
  EXPECT_EQ(inner(""), Texts());
}

TEST(CodeSpans, WithoutCodeKeepsOffsets) {
  EXPECT_EQ(without_code("a `b` c\n```\nd\n```\ne"), "a     c\n   \n \n   \ne");
}

TEST(CodeSpans, ManyFencesThatNothingClosesCostLittle) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += "```x\n";
  EXPECT_EQ(code_spans(text).size(), 0u);
  text.clear();
  for (int i = 1; i < 1000; ++i) text += std::string(static_cast<size_t>(i), '`') + "a";
  EXPECT_EQ(code_spans(text).size(), 0u);
}

TEST(ThinkTags, Answers) {
  EXPECT_EQ(answer_part("q", "<think>a</think>4"), "4");
  EXPECT_EQ(answer_part("q <think>\n", "a</think>4"), "4");
  EXPECT_EQ(answer_part("q", "<think>a</think>4</think>5"), "5");
  EXPECT_EQ(answer_part("q", "4"), "4");
  EXPECT_EQ(answer_part("q", "<think>a, so 4"), "") << "thinking that does not end";
  EXPECT_EQ(answer_part("q <think>", "a, so 4"), "");
  EXPECT_EQ(answer_part("q", "</think>4<think>a"), "");
}

TEST(ThinkTags, Thoughts) {
  EXPECT_EQ(thought_part("<think>a</think>4"), "<think>a");
  EXPECT_EQ(thought_part("b <think>a</think>4</think>5"), "b <think>a</think>4");
  EXPECT_EQ(thought_part("<think>a"), "<think>a");
  EXPECT_EQ(thought_part("a"), "a");
}

}  // namespace
