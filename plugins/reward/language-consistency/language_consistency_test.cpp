// Shares of known mixtures, hacks that must not pay, and public sentences.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;
using tenon::testing::Verdict;

const tenon::testing::Instance<tenon_reward_vt>& by_row() {
  static const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)));
  return reward;
}
Verdict of(std::string_view lang, std::string_view completion) {
  return tenon::testing::judge(by_row(), completion, R"({"lang":")" + std::string(lang) + "\"}");
}
double share(std::string_view lang, std::string_view completion) {
  const Verdict v = of(lang, completion);
  EXPECT_EQ(v.status, TENON_R_OK) << v.why;
  return v.reward;
}

const std::string kEnglish =
    "First I need to find how many eggs are left each morning. The ducks lay sixteen eggs and three are "
    "eaten at breakfast. "
    "After that four of them go into muffins, so nine are sold at the market.";
const std::string kGerman =
    "Zuerst muss ich herausfinden, wie viele Eier jeden Morgen \u00FCbrig bleiben. Die Enten legen sechzehn "
    "Eier, und drei werden zum "
    "Fr\u00FChst\u00FCck gegessen. Danach kommen vier davon in die Muffins, also werden neun auf dem Markt "
    "verkauft.";
const std::string kChinese =
    "首先我需要计算每天早上还剩下多少个鸡蛋。鸭子每天下十六个蛋，早餐吃掉三个。然后用四个做松饼，所以还有九个"
    "可以在市场上出售。";
const std::string kJapanese =
    "まず、毎朝残っている卵の数を計算します。アヒルは一日に十六個の卵を産み、朝食に三個食べます。";
const std::string kRussian =
    "Сначала нужно найти, сколько яиц остаётся каждое утро. Утки несут шестнадцать яиц, три из них съедают "
    "на завтрак.";

TEST(LanguageConsistency, OneLanguage) {
  EXPECT_EQ(share("en", kEnglish), 1);
  EXPECT_EQ(share("de", kGerman), 1);
  EXPECT_EQ(share("zh", kChinese), 1);
  EXPECT_EQ(share("ja", kJapanese), 1);
  EXPECT_EQ(share("ru", kRussian), 1);
}

TEST(LanguageConsistency, AnotherLanguage) {
  const std::map<std::string, std::string> all = {
      {"en", kEnglish}, {"de", kGerman}, {"zh", kChinese}, {"ja", kJapanese}, {"ru", kRussian}};
  for (const auto& [target, own] : all)
    for (const auto& [language, text] : all)
      if (language != target) {
        EXPECT_LT(share(target, text), 0.05) << target << " of " << language << ": " << of(target, text).why;
      }
}

TEST(LanguageConsistency, MixturesHaveTheShareOfTheirWords) {
  const Verdict english = of("en", kEnglish + "\n" + kChinese);
  const double n_english = of("en", kEnglish).notes.at("target_words"),
               n_chinese = of("zh", kChinese).notes.at("target_words");
  EXPECT_NEAR(english.reward, n_english / (n_english + n_chinese), 1e-9);
  EXPECT_NEAR(share("zh", kChinese + kEnglish), n_chinese / (n_english + n_chinese), 0.03)
      << "short lone words are neutral";
  const Verdict german = of("de", kEnglish + "\n" + kGerman);
  const double n_german = of("de", kGerman).notes.at("target_words");
  EXPECT_NEAR(german.reward, n_german / (n_english + n_german), 0.03);
  EXPECT_NE(german.why.find("most are en"), std::string::npos) << german.why;
}

TEST(LanguageConsistency, FormulasCodeAndNumbersAreNoWords) {
  const std::string filled = "$x^2 + \\alpha_{speed} = \\frac{a}{b}$ " + kChinese +
                             " 16 - 3 - 4 = 9, \\[ \\sin x \\] `eggs_left` sin LCM x_1 " +
                             "https://example.org/eggs\n```python\nprint(eggs)\n```\n";
  EXPECT_EQ(share("zh", filled), 1) << of("zh", filled).why;
}

TEST(LanguageConsistency, TermsOfThePromptAreNeutral) {
  const tenon::testing::Instance<tenon_reward_vt>& r = by_row();
  auto judged = [&](std::string_view prompt, std::string_view completion, const Options& options) {
    const tenon::testing::Instance<tenon_reward_vt> own(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
    tenon::Ragged<char> prompts, completions, metas;
    prompts.push(prompt), completions.push(completion), metas.push(std::string_view(R"({"lang":"zh"})"));
    const uint64_t id = 0;
    double reward = 0;
    int32_t status = 0;
    tenon_reward_in in{sizeof in, 0, 1, &id, &id, prompts.raw(), completions.raw(), metas.raw(), {}, nullptr};
    tenon_reward_out out{sizeof out, 0, &reward, &status, nullptr, nullptr, nullptr, nullptr, nullptr};
    tenon::ErrorBuffer err;
    err.check(r.vt->score(own.self, nullptr, &in, &out, err));
    return reward;
  };
  const std::string_view thought = "Janet 每天早上吃三个鸡蛋，所以 Janet 还剩下十三个。";
  EXPECT_EQ(judged("Janet 的鸭子每天下十六个蛋。她还剩多少个？", thought, {}), 1);
  EXPECT_LT(judged("她的鸭子每天下十六个蛋。", thought, {}), 1);
  EXPECT_LT(judged("Janet 的鸭子每天下十六个蛋。", thought, {{"quoted_terms", "\"count\""}}), 1);
  EXPECT_LT(judged("How many eggs does Janet have?", kEnglish, {}), 0.05)
      << "an English prompt frees no English";
}

// ---- hacks: none of them may earn more than the honest foreign thought, and none may lower what an honest one is charged ----

TEST(LanguageConsistencyHacks, AThoughtWithoutWordsEarnsNothing) {
  EXPECT_EQ(share("en", ""), 0);
  EXPECT_EQ(share("en", "<think></think>"), 0);
  std::string formulas, code = "```python\n";
  for (int i = 0; i < 50; ++i)
    formulas += "$x_{" + std::to_string(i) + "} = \\frac{a+b}{2} \\Rightarrow y$ ", code += "x = x + 1\n";
  EXPECT_EQ(share("en", formulas), 0);
  EXPECT_EQ(share("zh", formulas), 0);
  EXPECT_EQ(share("en", code + "```"), 0);
  EXPECT_LT(share("en", formulas + " so yes"), 0.5);
}

TEST(LanguageConsistencyHacks, LanguageInsideFormulasAndCodeCounts) {
  for (const std::string& dressed :
       {"$\\text{" + kEnglish + "}$", "\\[\\text{" + kEnglish + "}\\]", "$" + kEnglish + "$",
        "$$" + kEnglish + "$$", "\\boxed{\\text{" + kEnglish + "}}", "`" + kEnglish + "`",
        "```\n" + kEnglish + "\n```", "```python\n# " + kEnglish + "\nx = 1\n```",
        "```cpp\n// " + kEnglish + "\n```", "\\begin{align}\\text{" + kEnglish + "}\\end{align}",
        "$\\mathrm{" + kEnglish + "}$", "\\textbf{" + kEnglish + "}"}) {
    EXPECT_LT(share("zh", dressed), 0.05) << dressed;
    const double honest = share("zh", kEnglish + "\n" + kChinese);
    EXPECT_LT(share("zh", dressed + "\n" + kChinese), honest + 0.1)
        << dressed << ": " << of("zh", dressed + "\n" + kChinese).why;
  }
  for (const std::string& dressed : {"$\\text{" + kChinese + "}$", "$" + kChinese + "$", "`" + kChinese + "`",
                                     "```\n" + kChinese + "\n```"})
    EXPECT_LT(share("en", dressed + "\n" + kEnglish), share("en", kChinese + "\n" + kEnglish) + 0.05)
        << dressed;
}

TEST(LanguageConsistencyHacks, RepeatedFillerDoesNotPay) {
  const double honest = share("zh", kEnglish + "\n" + kChinese);
  std::string word, sentence, lines;
  for (int i = 0; i < 200; ++i)
    word += "好的 ", sentence += "首先我需要计算每天早上还剩下多少个鸡蛋。", lines += "我们继续计算。\n";
  for (const std::string& filler : {word, sentence, lines}) {
    EXPECT_LT(share("zh", kEnglish + "\n" + filler), honest) << filler.substr(0, 40);
    EXPECT_LT(share("zh", kEnglish + "\n" + kChinese + filler), honest + 0.2);
  }
  std::string ok;
  for (int i = 0; i < 500; ++i) ok += "so then we go on and ";
  EXPECT_LT(share("en", kChinese + "\n" + ok), share("en", kChinese + "\n" + kEnglish));
}

TEST(LanguageConsistencyHacks, HomoglyphsMakeNothingTarget) {
  std::string mixed;  // Latin a, e, o and c as Cyrillic
  for (char c : kEnglish) {
    if (c == 'a')
      mixed += "а";
    else if (c == 'e')
      mixed += "е";
    else if (c == 'o')
      mixed += "о";
    else
      mixed += c;
  }
  EXPECT_LT(share("ru", mixed), 0.2) << of("ru", mixed).why;
  EXPECT_LT(share("en", mixed), 0.6) << "and they are not English either";
  std::string bold;  // U+1D41A…: mathematical letters
  for (char c : kEnglish) {
    if (c < 'a' || c > 'z') {
      bold += c;
      continue;
    }
    bold += "\xF0\x9D\x90";
    bold += static_cast<char>(0x9A + (c - 'a'));
  }
  EXPECT_LT(share("zh", bold + "\n" + kChinese), share("zh", kEnglish + "\n" + kChinese) + 0.02);
}

TEST(LanguageConsistencyHacks, ProseInTheDressOfNamesCounts) {
  std::string snake, digits;
  for (char c : kEnglish) snake += c == ' ' ? '_' : c, digits += c == ' ' ? "1 " : std::string(1, c);
  for (const std::string& dressed : {snake, digits}) {
    EXPECT_LT(share("zh", dressed), 0.05) << of("zh", dressed).why;
    EXPECT_LT(share("zh", dressed + "\n好的，所以我们。"), 0.6)
        << of("zh", dressed + "\n好的，所以我们。").why;
  }
}

// Each word for itself in something that is no prose.
TEST(LanguageConsistencyHacks, ProseWordByWordInTheDressOfFormulasCodeAndTagsCounts) {
  std::vector<std::string> words;
  std::istringstream in(kEnglish);
  for (std::string word; in >> word; words.push_back(word))
    while (!word.empty() && !std::isalpha(static_cast<unsigned char>(word.back()))) word.pop_back();
  const auto dressed = [&](const std::string& begin, const std::string& before, const std::string& after,
                           const std::string& end) {
    std::string out = begin;
    for (const std::string& word : words) out += before + word + after;
    return out + end;
  };
  std::string spelt, strings = "```python\n", flags;
  for (char c : kEnglish) spelt += std::string(1, c) + " ";
  for (size_t i = 0; i + 2 < words.size(); i += 3)
    strings += "print(\"" + words[i] + " " + words[i + 1] + " " + words[i + 2] + "\")\n";
  for (char c : kEnglish) {
    if (!std::isalpha(static_cast<unsigned char>(c))) {
      flags += c;
      continue;
    }
    flags += "\xF0\x9F\x87";  // U+1F1E6 and so on
    flags += static_cast<char>(0xA6 + (std::tolower(c) - 'a'));
  }
  const double honest = share("zh", kEnglish + "\n" + kChinese);
  for (const std::string& text :
       {dressed("", "`", "` ", ""), dressed("", "$", "$ ", ""), dressed("$", "", "+", "x$"),
        dressed("$", "", "_", "x$"), dressed("$", "{", "}", "$"), dressed("$", "", " & ", "$"),
        dressed("", "<", ">", ""), dressed("https://x.org", "/", "", " "), dressed("", "\\", " ", ""),
        dressed("", "", "", ""), dressed("```\n", "", "\n", "```"), dressed("", "", "1 ", ""),
        dressed("$", "\\operatorname{", "}", "$"), strings + "```", spelt, flags}) {
    EXPECT_LT(share("zh", text + "\n" + kChinese), honest + 0.12) << text << ": " << of("zh", text).why;
    EXPECT_LT(share("zh", text + "\n好的，我们开始。"), 0.25) << text << ": " << of("zh", text).why;
  }
}

TEST(LanguageConsistencyHacks, AForeignPassageInASentenceOfItsTarget) {
  std::string quoted = kEnglish;  // without an end of a sentence in it
  std::replace(quoted.begin(), quoted.end(), '.', ',');
  const std::string mixed =
      "Er sagt dazu das Folgende, und wir halten uns dann alle daran: \"" + quoted + "\"";
  EXPECT_LT(share("de", mixed), 0.4) << of("de", mixed).why;
  EXPECT_GT(share("en", mixed), 0.6) << of("en", mixed).why;
}

TEST(LanguageConsistencyHacks, NonsenseIsInNoLanguage) {
  std::string turned;  // by 13 letters
  for (char c : kEnglish)
    turned += std::islower(static_cast<unsigned char>(c)) ? static_cast<char>('a' + (c - 'a' + 13) % 26) : c;
  EXPECT_LT(share("en", turned + "\nSo we go on with this."), 0.3) << of("en", turned).why;
}

TEST(LanguageConsistencyHacks, WhatStandsBeforeTheTagIsThought) {
  EXPECT_LT(share("zh", kEnglish + "<think>好的，我们开始。</think>9"), 0.2);
}

TEST(LanguageConsistencyHacks, ManyEnvironmentsThatNothingClosesCostLittle) {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += "\\begin{align}x ";
  EXPECT_EQ(of("en", text).status, TENON_R_OK);
}

TEST(LanguageConsistencyHacks, ZeroWidthCharactersHideNothing) {
  std::string parted;
  for (char c : kEnglish) (parted += c) += c == ' ' ? "" : "\u200B";
  EXPECT_NEAR(share("zh", parted + "\n" + kChinese), share("zh", kEnglish + "\n" + kChinese), 1e-9);
  EXPECT_EQ(share("en", parted), 1) << "and cost nothing either";
}

TEST(LanguageConsistency, TransliterationIsNotTheTarget) {
  EXPECT_LT(
      share("zh", "Shouxian women xuyao jisuan meitian zaoshang haiyou duoshao jidan, ranhou chengyi jiage."),
      0.1);
}

// Own sentences, Mandarin in pinyin and Russian in Latin letters.
const std::vector<std::string> kTransliterated = {
    "Women xian suan yi xia.",
    "Yigong you shi liu ge jidan.",
    "Ta meitian chi san ge jidan.",
    "Suoyi hai sheng xia jiu ge.",
    "Ranhou women ba jiage cheng yi shuliang.",
    "Zhege wenti de daan yinggai shi ershi si.",
    "Wo xuyao zhidao meitian zaoshang hai you duoshao jidan.",
    "Shouxian jisuan zongshu, ranhou jian qu yijing chi diao de bufen.",
    "Snachala poschitaem vse yaitsa.",
    "Ostalos devyat yaits na prodazhu.",
    "Znachit otvet budet vosemnadtsat dollarov.",
    "Teper umnozhim tsenu na kolichestvo.",
    "Nuzhno nayti skolko yaits ostaetsya kazhdoe utro.",
    "Potom vychtem tri, potomu chto ikh syeli na zavtrak.",
    "My znaem chto vsego bylo shestnadtsat i chetyre ushli v testo.",
    "Itak, posle etogo u nas ostaetsya rovno polovina ot pervogo chisla."};

// The README gives these figures.
TEST(LanguageConsistencyHacks, TransliteratedTextIsTheTargetOnlyWhereItIsShort) {
  double alone = 0;
  std::string all;
  for (const std::string& sentence : kTransliterated) {
    alone += share("en", sentence) / static_cast<double>(kTransliterated.size());
    all += sentence + " ";
  }
  EXPECT_LT(alone, 0.25);
  EXPECT_LT(share("en", all), 0.25) << of("en", all).why;
}

TEST(LanguageConsistencyHacks, PaddingEarnsItsShareOfTheWordsAndNoMore) {
  EXPECT_EQ(share("en", kChinese), 0);
  const Verdict v = of("en", kChinese + "\n" + kEnglish);
  EXPECT_NEAR(v.reward, 0.5, 0.1) << "as many words again: half, as in the paper's equation";
  EXPECT_NEAR(v.reward,
              v.notes.at("target_words") / (v.notes.at("target_words") + v.notes.at("foreign_words")), 0.02);
  const double half = share("en", kChinese + "\n" + kEnglish.substr(0, kEnglish.size() / 2));
  EXPECT_LT(half, v.reward);
  EXPECT_LT(share("en", kChinese + "\n" + kEnglish + " " + kEnglish), v.reward + 0.05)
      << "said again it earns hardly anything";
}

TEST(LanguageConsistencyHacks, ThinkingBehindTheTagIsSeenByTheRegionWhole) {
  const std::string hidden = "<think>Let me think about it.</think>" + kChinese;
  const tenon::testing::Instance<tenon_reward_vt> whole(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
      Options{{"region", "\"whole\""}, {"language", "\"en\""}});
  EXPECT_EQ(share("en", hidden), 1) << "it is no thought to this region";
  EXPECT_NEAR(tenon::testing::judge(whole, hidden).reward, 0.15, 0.05);
  EXPECT_LT(share("en", "<think>" + kChinese + "</think>Let me think about it."), 0.05);
}

// ---- options ----

TEST(LanguageConsistency, Regions) {
  const std::string text = "<think>" + kEnglish + "</think><answer>" + kChinese + "</answer>";
  auto reward = [&](const char* region, std::string_view completion) {
    const tenon::testing::Instance<tenon_reward_vt> r(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
        Options{{"region", region}, {"language", "\"en\""}});
    return tenon::testing::judge(r, completion).reward;
  };
  EXPECT_EQ(reward("\"think\"", text), 1);
  EXPECT_EQ(reward("\"answer\"", text), 0);
  EXPECT_GT(reward("\"whole\"", text), 0.3);
  EXPECT_LT(reward("\"whole\"", text), 0.7);
  EXPECT_EQ(reward("\"think\"", kEnglish + "</think>" + kChinese), 1) << "opened by the prompt";
  EXPECT_EQ(reward("\"think\"", kEnglish), 1) << "without tags all of it";
}

TEST(LanguageConsistency, OneLanguageForAllRows) {
  const Options german = {{"language", "\"de\""}};
  const auto* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  const tenon::testing::Instance<tenon_reward_vt> r(component, german);
  EXPECT_EQ(tenon::testing::judge(r, kGerman, R"({"lang":"en"})").reward, 1) << "whatever the rows say";
  EXPECT_EQ(
      tenon::testing::findings_of(component, Options{{"language", "\"de\""}, {"field", "\"l\""}}).size(), 1u);
}

TEST(LanguageConsistency, AllOrNothing) {
  const tenon::testing::Instance<tenon_reward_vt> r(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), Options{{"threshold", "0.9"}});
  EXPECT_EQ(tenon::testing::judge(r, kEnglish, R"({"lang":"en"})").reward, 1);
  EXPECT_EQ(tenon::testing::judge(r, kEnglish + kChinese, R"({"lang":"en"})").reward, 0);
}

TEST(LanguageConsistency, WithoutATargetItIsRefused) {
  EXPECT_EQ(tenon::testing::judge(by_row(), kEnglish, "{}").status, TENON_R_REFUSED) << "no prompt, no field";
  EXPECT_EQ(of("klingon", kEnglish).status, TENON_R_REFUSED);
  const auto* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_EQ(tenon::testing::findings_of(component, Options{{"language", "\"english\""}}).size(), 1u);
  EXPECT_EQ(tenon::testing::findings_of(component, Options{{"language", "\"fr\""}}).size(), 0u);
}

TEST(LanguageConsistency, AnyBytesAreHarmless) {
  std::string bytes;
  for (int c = 255; c >= 0; --c) bytes += static_cast<char>(c);
  EXPECT_EQ(of("en", bytes + bytes).status, TENON_R_OK);
  EXPECT_EQ(of("zh", std::string(1 << 20, '$')).status, TENON_R_OK);
}

// ---- public sentences ----

struct Rates {
  size_t rows = 0, own_right = 0, others = 0, others_right = 0;
  std::map<std::string, size_t> own_wrong;
};
// Right: more than half for the row's own language, less than half for each other language of the file.
Rates rates_of(const std::string& file, const char* text_field, bool prints) {
  std::vector<std::pair<std::string, std::string>> rows;
  std::set<std::string> languages;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    rows.emplace_back(*tenon::json::text_field(line, "lang"), *tenon::json::text_field(line, text_field));
    languages.insert(rows.back().first);
  }
  Rates rates;
  rates.rows = rows.size();
  for (const auto& [lang, text] : rows)
    for (const std::string& target : languages) {
      const Verdict v = of(target, text);
      const bool is_right = target == lang ? v.reward > 0.5 : v.reward < 0.5;
      if (target == lang) {
        rates.own_right += is_right ? 1 : 0;
        if (!is_right) ++rates.own_wrong[lang];
      } else {
        ++rates.others;
        rates.others_right += is_right ? 1 : 0;
      }
      if (!is_right && prints)
        std::printf("%s for %s: %.2f %s: %s\n", lang.c_str(), target.c_str(), v.reward, v.why.c_str(),
                    text.c_str());
    }
  for (const auto& [lang, n] : rates.own_wrong) std::printf("%s: %zu wrong\n", lang.c_str(), n);
  std::printf("%s: own %zu of %zu, others %zu of %zu\n", file.c_str(), rates.own_right, rates.rows,
              rates.others_right, rates.others);
  return rates;
}

TEST(LanguageConsistencyData, SentencesInFifteenLanguages) {
  const char* folder = std::getenv("TENON_DATA");
  if (folder == nullptr) GTEST_SKIP() << "TENON_DATA is not set";
  const Rates rates = rates_of(std::string(folder) + "/langid/sentences.jsonl", "text",
                               std::getenv("TENON_PRINT") != nullptr);
  ASSERT_EQ(rates.rows, 2250u);
  EXPECT_GE(static_cast<double>(rates.own_right), 0.97 * static_cast<double>(rates.rows));
  EXPECT_GE(static_cast<double>(rates.others_right), 0.97 * static_cast<double>(rates.others));
}

TEST(LanguageConsistencyData, QuestionsInElevenLanguages) {
  const char* folder = std::getenv("TENON_DATA");
  if (folder == nullptr) GTEST_SKIP() << "TENON_DATA is not set";
  const Rates rates =
      rates_of(std::string(folder) + "/mgsm/mgsm.jsonl", "question", std::getenv("TENON_PRINT") != nullptr);
  ASSERT_EQ(rates.rows, 2750u);
  EXPECT_GE(static_cast<double>(rates.own_right), 0.99 * static_cast<double>(rates.rows));
  EXPECT_GE(static_cast<double>(rates.others_right), 0.99 * static_cast<double>(rates.others));
}

}  // namespace
