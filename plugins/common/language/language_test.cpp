// What is prose, which words count, and in which language they are.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "language/consistency.h"
#include "language/prose.h"
#include "language/words.h"

namespace {

using namespace tenon::language;

// The prose with single spaces.
std::string prose(std::string_view text) {
  std::istringstream in(prose_of(text).text);
  std::string out;
  for (std::string word; in >> word;) out += (out.empty() ? "" : " ") + word;
  return out;
}

TEST(Prose, FormulasGo) {
  EXPECT_EQ(prose("So $x^2 + y$ is \\(a\\) and \\[b = c\\] or $$d$$."), "So is and or .");
  EXPECT_EQ(prose("\\begin{align*} a &= b \\\\ c \\end{align*} done"), "done");
  EXPECT_EQ(prose("It is \\boxed{\\frac{1}{2}}!"), "It is !");
  EXPECT_EQ(prose("\\textbf{Step one} \\alpha"), "Step one");
  EXPECT_EQ(prose("\\begin{itemize} \\item one \\end{itemize}"), "itemize one itemize");
}

TEST(Prose, PricesAreNoFormulas) {
  EXPECT_EQ(prose("She pays $5 and then $10 more."), "She pays $5 and then $10 more.");
  EXPECT_EQ(prose("$2 each; I have $ and so on $"), "$2 each; I have $ and so on $");
  EXPECT_EQ(prose("costs $3\n\nand then $x"), "costs $3 and then $x");
}

TEST(Prose, LanguageInFormulasStays) {
  EXPECT_EQ(prose("$v = \\text{speed of the car}$"), "speed of the car");
  EXPECT_EQ(prose("$$\\mbox{first we add}\\quad x$$"), "first we add");
  EXPECT_EQ(prose("$we\\ compute\\ the\\ sum$"), "we compute the sum");
  EXPECT_EQ(prose("$we compute the sum$"), "we compute the sum");
  EXPECT_EQ(prose("$\\frac{distance}{time}$"), "");
  EXPECT_EQ(prose("$速度 = 5$ and $v=时间$"), "速度 and 时间");
  EXPECT_EQ(prose("\\boxed{\\text{die Antwort}}"), "die Antwort");
}

TEST(Prose, CodeGoesAndItsCommentsStay) {
  EXPECT_EQ(prose("Use `x_1` here"), "Use here");
  EXPECT_EQ(prose("Use `first add them up` here"), "Use first add them up here");
  EXPECT_EQ(prose("a\n```python\nx = 1  # erst addieren\nreturn x\n```\nb"), "a erst addieren b");
  EXPECT_EQ(prose("```\nfirst we add all numbers together\n```"), "first we add all numbers together");
}

TEST(Prose, TagsAndAddressesGo) {
  EXPECT_EQ(prose("<think>a</think> <answer>b</answer> 1 < 2 <not a tag>"), "a b 1 < 2 <not a tag>");
  EXPECT_EQ(prose("see https://example.org/a?b=c and www.example.org now"), "see and now");
}

TEST(Prose, HostileTextsCostLittle) {
  for (std::string_view piece :
       {"$$", "$", "\\[", "\\(", "\\begin{align}", "{", "\\text{", "`", "<a", "\\boxed{", "\\"}) {
    std::string text;
    while (text.size() < 200000) text += piece;
    prose_of(text);
    prose_of("$" + text + "$");
  }
}

TEST(Words, ScriptsAndWhatIsNotSeen) {
  const auto sentences =
      sentences_of("Hel\u200Blo w\u00ADorld. \U0001D400\U0001D401\U0001D402 p\u0430ss x_1 camelCase LCM");
  ASSERT_EQ(sentences.size(), 2u);
  ASSERT_EQ(sentences[0].words.size(), 2u);
  EXPECT_EQ(sentences[0].words[0].text, "hello");
  EXPECT_EQ(sentences[0].words[1].text, "world");
  const auto& words = sentences[1].words;
  ASSERT_EQ(words.size(), 5u);
  EXPECT_EQ(words[0].text, "abc") << "mathematical letters are letters";
  EXPECT_LT(words[1].script, 0) << "Latin and Cyrillic in one word";
  EXPECT_TRUE(words[2].is_identifier);
  EXPECT_TRUE(words[3].is_identifier);
  EXPECT_TRUE(words[4].is_capitals);
}

TEST(Words, ChineseIsSegmented) {
  const auto sentences =
      sentences_of("\u6211\u4EEC\u5148\u8BA1\u7B97\u603B\u6570\u3002");  // 我们先计算总数。
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_GE(sentences[0].words.size(), 3u);
  EXPECT_LE(sentences[0].words.size(), 5u);
}

TEST(Detector, Codes) {
  EXPECT_EQ(code_of(*language_of_code("pt-BR")), "pt");
  EXPECT_EQ(code_of(*language_of_code("he")), "he");
  EXPECT_EQ(language_of_code("zh-Hant"), language_of_code("zh"));
  EXPECT_FALSE(language_of_code("xx"));
  EXPECT_FALSE(language_of_code(""));
  EXPECT_FALSE(language_of_code("english language"));
}

TEST(Detector, LanguageOfAPrompt) {
  EXPECT_EQ(language_of("Wie viele Eier hat Janet am Ende des Tages noch \u00FCbrig? $x^2$"),
            language_of_code("de"));
  EXPECT_EQ(language_of("\u4E00\u5171\u6709\u591A\u5C11\u4E2A\u82F9\u679C\uFF1F"), language_of_code("zh"));
  EXPECT_FALSE(language_of("$x^2$ 12"));
}

}  // namespace
