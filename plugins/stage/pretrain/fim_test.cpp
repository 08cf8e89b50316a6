// Fill in the middle: what becomes of a document, how often, and the training on it.
// SPDX-License-Identifier: Apache-2.0
#include "fim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "support/fake_components.h"
#include "utf8/utf8.h"

namespace tenon::test {
namespace {

using pretrain::FillInMiddle;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A token a byte, and four more.
struct ByteTokenizer {
  static constexpr int32_t kBegin = 256, kHole = 257, kEnd = 258, kEos = 259, kBos = 260;
  bool has_bos = false;
  std::vector<int32_t> encode(std::string_view text, uint32_t flags) const {
    std::vector<int32_t> out;
    if (has_bos && (flags & TENON_ENCODE_BOS) != 0) out.push_back(kBos);
    for (size_t at = 0; at < text.size(); ++at) {
      const bool hole = (flags & TENON_ENCODE_SPECIAL) != 0 && text.substr(at).starts_with("<hole>");
      out.push_back(hole ? kHole : static_cast<unsigned char>(text[at]));
      if (hole) at += 5;
    }
    return out;
  }
  std::string decode(std::span<const int32_t> ids, uint32_t) const {
    std::string out;
    for (int32_t id : ids)
      if (id < 256) out.push_back(static_cast<char>(id));
    return out;
  }
  uint64_t size() const { return 261; }
  int64_t special(std::string_view name) const {
    const std::map<std::string_view, int64_t> known{
        {"<begin>", kBegin}, {"<hole>", kHole}, {"<end>", kEnd}, {"eos", kEos}};
    const auto at = known.find(name);
    return at == known.end() ? -1 : at->second;
  }
  std::vector<int32_t> stop_ids() const { return {kEos}; }
  tenon_ref ref() { return ref_to<TokenizerShim<ByteTokenizer>>(*this, "bytes", "tokenizer"); }
};

constexpr const char* kTokens = R"("fim_tokens": {"begin": "<begin>", "hole": "<hole>", "end": "<end>"})";

struct Middle {
  explicit Middle(double rate, uint64_t max_len = 1000, ByteTokenizer of = {})
      : tokenizer(of),
        host(plugin_component(),
             R"({"steps": 1, "fim_rate": )" + std::to_string(rate) + ", " + kTokens + "}"),
        fim(*FillInMiddle::of(Host(host.raw()), Tokenizer(tokenizer.ref()), max_len)) {}

  std::optional<std::vector<int32_t>> apply(const std::string& text, uint64_t index, uint64_t step = 0) {
    Row row{text, "", "", "{}"};
    row.index = index;
    auto found = fim.apply(row, step, tally);
    if (!found) return std::nullopt;
    EXPECT_EQ(found->prompt.size(), 1u);
    std::vector<int32_t> ids = found->prompt;
    ids.insert(ids.end(), found->completion.begin(), found->completion.end());
    return ids;
  }

  ByteTokenizer tokenizer;
  FakeHost host;
  FillInMiddle fim;
  FillInMiddle::Tally tally;
};

struct Parts {
  std::string prefix, suffix, middle;
};

Parts parts_of(const std::vector<int32_t>& ids) {
  auto at = [&](int32_t id) { return std::find(ids.begin(), ids.end(), id) - ids.begin(); };
  const auto begin = at(ByteTokenizer::kBegin), hole = at(ByteTokenizer::kHole),
             end = at(ByteTokenizer::kEnd), eos = at(ByteTokenizer::kEos);
  EXPECT_EQ(begin, 0);
  EXPECT_LT(hole, end);
  EXPECT_EQ(eos, static_cast<ptrdiff_t>(ids.size()) - 1);
  auto text = [&](ptrdiff_t from, ptrdiff_t to) {
    return ByteTokenizer().decode(
        std::span(ids).subspan(static_cast<size_t>(from + 1), static_cast<size_t>(to - from - 1)), 0);
  };
  return {text(begin, hole), text(hole, end), text(end, eos)};
}

TEST(FillInMiddle, ThePartsAreTheDocumentCutBetweenCharacters) {
  Middle lab(1);
  const std::string text = "na\xC3\xAFve \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80!";
  for (uint64_t index = 0; index < 500; ++index) {
    const auto ids = lab.apply(text, index);
    ASSERT_TRUE(ids);
    EXPECT_EQ(ids->size(), text.size() + 4);
    const Parts parts = parts_of(*ids);
    EXPECT_EQ(parts.prefix + parts.middle + parts.suffix, text);
    for (const std::string& part : {parts.prefix, parts.middle, parts.suffix})
      EXPECT_EQ(utf8::repaired(part), part) << "cut inside a character";
  }
  EXPECT_EQ(lab.tally.filled, 500u);
  EXPECT_EQ(lab.tally.left, 0u);
}

TEST(FillInMiddle, BothCutsAreDrawnEvenlyFromAllPlaces) {
  Middle lab(1);
  constexpr double kRows = 16000;
  std::map<std::pair<size_t, size_t>, double> seen;
  for (uint64_t index = 0; index < kRows; ++index) {
    const Parts parts = parts_of(*lab.apply("abc", index));
    ++seen[{parts.prefix.size(), parts.prefix.size() + parts.middle.size()}];
  }
  EXPECT_EQ(seen.size(), 10u);
  for (const auto& [cuts, count] : seen) {
    const double p = cuts.first == cuts.second ? 1.0 / 16 : 2.0 / 16;
    EXPECT_NEAR(count, kRows * p, 5 * std::sqrt(kRows * p * (1 - p))) << cuts.first << " " << cuts.second;
  }
}

TEST(FillInMiddle, TheRateIsThatOfDocumentsWhateverTheirLength) {
  for (const double rate : {0.1, 0.5}) {
    Middle lab(rate);
    constexpr double kRows = 20000;
    for (uint64_t index = 0; index < kRows; ++index)
      lab.apply(std::string(index % 50, 'x'), index, index / 64);
    EXPECT_NEAR(static_cast<double>(lab.tally.filled), kRows * rate,
                5 * std::sqrt(kRows * rate * (1 - rate)));
  }
}

TEST(FillInMiddle, ARowAndAStepDecideAndNothingBefore) {
  Middle forward(0.5), backward(0.5);
  const std::string text = "what was, is not always what will be";
  std::vector<std::optional<std::vector<int32_t>>> there, back;
  for (uint64_t i = 0; i < 64; ++i) there.push_back(forward.apply(text, i % 16, i / 16));
  for (uint64_t i = 64; i-- > 0;) back.push_back(backward.apply(text, i % 16, i / 16));
  std::reverse(back.begin(), back.end());
  EXPECT_EQ(there, back);
  uint64_t changed = 0;
  for (uint64_t i = 0; i < 16; ++i) changed += there[i] != there[16 + i] ? 1 : 0;
  EXPECT_GE(changed, 8u) << "the next epoch cuts elsewhere";
}

TEST(FillInMiddle, ATokenizersHabitOfABeginningStaysFirst) {
  ByteTokenizer with_bos;
  with_bos.has_bos = true;
  Middle lab(1, 1000, with_bos);
  const auto ids = lab.apply("abc", 3);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->at(0), ByteTokenizer::kBos);
  EXPECT_EQ(ids->at(1), ByteTokenizer::kBegin);
  EXPECT_EQ(std::count(ids->begin(), ids->end(), ByteTokenizer::kBos), 1);
}

TEST(FillInMiddle, WhatDoesNotFitOrHoldsATokenOfTheFormStaysAndIsCounted) {
  Middle lab(1, 12);
  EXPECT_TRUE(lab.apply("12345678", 0));
  EXPECT_FALSE(lab.apply("123456789", 0));
  EXPECT_EQ(lab.tally.left, 1u);
  Middle wide(1);
  uint64_t left = 0;
  for (uint64_t i = 0; i < 50; ++i) left += wide.apply("ab<hole>cd", i) ? 0 : 1;
  EXPECT_EQ(left, wide.tally.left);
  EXPECT_GT(left, 0u);
  Row answered{"abc", "", "de", "{}"}, chat{"", "[]", "", "{}"};
  EXPECT_FALSE(wide.fim.apply(answered, 0, wide.tally));
  EXPECT_FALSE(wide.fim.apply(chat, 0, wide.tally));
  EXPECT_EQ(left, wide.tally.left) << "rows that are no documents are not counted";
}

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", model.ref());
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref());
    host.slot("optimizer", sgd.ref());
  }
  void run() { run_stage(plugin_component(), host, io); }
  std::string error() {
    try {
      run();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }

  FakeHost host;
  FakeIo io;
  ByteTokenizer tokenizer;
  HashModel model{host, 261, 40};
  RowSet data{{{"some document", "", "", "{}"},
               {"2+2=", "", "4", "{}"},
               {"another one, longer", "", "", "{}"},
               {"and a third", "", "", "{}"}}};
  PlainSgd sgd;
};

std::string options(const std::string& rate, const std::string& more = "") {
  return R"({"steps": 6, "batch": 3, "fim_rate": )" + rate + ", " + kTokens + more + "}";
}

TEST(FillInMiddleStage, TheLossIsOnEveryTokenButTheFirst) {
  Lab lab(R"({"steps": 1, "batch": 4, "fim_rate": 1, )" + std::string(kTokens) + "}");
  lab.run();
  const FakeIo::Step& step = lab.io.steps.at(0);
  EXPECT_EQ(step.metric("fim/rows"), 3);
  EXPECT_EQ(step.metric("fim/left"), 0);
  EXPECT_EQ(step.metric("tokens"), (13 + 3) + 2 + (19 + 3) + (11 + 3));
}

TEST(FillInMiddleStage, WithoutItTheStageIsWhatItWas) {
  Lab off(R"({"steps": 6, "batch": 3})"), zero(R"({"steps": 6, "batch": 3, "fim_rate": 0})");
  off.run(), zero.run();
  EXPECT_EQ(off.model.weight, zero.model.weight);
  EXPECT_THROW(off.io.steps[0].metric("fim/rows"), std::exception);
}

TEST(FillInMiddleStage, ARunThatGoesOnIsTheRunThatWasNotStopped) {
  Lab whole(options("0.5"));
  whole.run();
  Lab first(options("0.5"));
  first.io.stop_after = 2;
  EXPECT_NE(first.error(), "no error");
  Lab second(options("0.5", R"(, "micro_batch_tokens": 1)"));
  second.model.weight = first.model.weight;
  second.data.taken = first.data.taken;
  second.io.set_first_step(3);
  second.run();
  EXPECT_EQ(second.model.weight, whole.model.weight);
  double rows = 0;
  for (uint64_t s = 3; s < 6; ++s) {
    EXPECT_EQ(second.io.steps[s - 3].metrics, whole.io.steps[s].metrics);
    rows += whole.io.steps[s].metric("fim/rows");
  }
  EXPECT_GT(rows, 0);
}

TEST(FillInMiddleStage, AnotherSeedCutsElsewhere) {
  Lab one(options("1")), other(options("1"));
  other.host.set_seed(77);
  one.run(), other.run();
  EXPECT_NE(one.model.weight, other.model.weight);
}

TEST(FillInMiddleStage, WrongTokensAndDataWithoutDocumentsAreErrorsBeforeTheFirstStep) {
  Lab unknown(
      R"({"steps": 1, "fim_rate": 0.1, "fim_tokens": {"begin": "<begin>", "hole": "<hol>", "end": "<end>"}})");
  EXPECT_THAT(unknown.error(), HasSubstr("fim_tokens.hole: the model's tokenizer has no token \"<hol>\""));
  Lab twice(
      R"({"steps": 1, "fim_rate": 0.1, "fim_tokens": {"begin": "<begin>", "hole": "<end>", "end": "<end>"}})");
  EXPECT_THAT(twice.error(), HasSubstr("four different tokens"));
  Lab ending(
      R"({"steps": 1, "fim_rate": 0.1, "fim_tokens": {"begin": "<begin>", "hole": "eos", "end": "<end>"}})");
  EXPECT_THAT(ending.error(), HasSubstr("four different tokens"));
  RowSet answer{{{"2+2=", "", "4", "{}"}}};
  Lab none(options("0.1"));
  none.host.slot("data", answer.ref());
  EXPECT_THAT(none.error(), HasSubstr("fim_rate: every row of the data has a completion or messages"));
}

TEST(FillInMiddleStage, OptionsThatBelongTogether) {
  const FakeHost lonely(plugin_component(), R"({"steps": 1, "fim_rate": 0.1})"),
      unused(plugin_component(), R"({"steps": 1, )" + std::string(kTokens) + "}"),
      good(plugin_component(), options("0.1"));
  EXPECT_THAT(check_findings(plugin_component(), lonely), ElementsAre(HasSubstr("needs `fim_tokens`")));
  EXPECT_THAT(check_findings(plugin_component(), unused), ElementsAre(HasSubstr("fim_rate is 0")));
  EXPECT_THAT(check_findings(plugin_component(), good), ElementsAre());
}

}  // namespace
}  // namespace tenon::test
