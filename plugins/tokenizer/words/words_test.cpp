// Tests of the tokenizer words: ids, round trips, the end token, errors.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenon/testing.hpp"
#include "tenon/tokenizer.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using testing::HasSubstr;
using Ids = std::vector<int32_t>;
using Instance = tenon::testing::Instance<tenon_tokenizer_vt>;

Instance make(const char* vocabulary, const char* eos = nullptr) {
  std::map<std::string, std::string> options{{"vocabulary", vocabulary}};
  if (eos != nullptr) options["eos"] = eos;
  return Instance(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const tenon::Error& error) {
    return error.what();
  }
  return "(no error)";
}

class TwoScripts : public testing::Test {
 protected:
  Instance instance_ = make(R"(["three", "plus", "is", "七", ";"])", R"("$")");
  tenon::Tokenizer tokenizer_{instance_.ref()};
};

TEST_F(TwoScripts, IdsFollowTheVocabulary) {
  EXPECT_EQ(tokenizer_.size(), 6u);
  EXPECT_EQ(tokenizer_.encode("three plus three is 七 ;"), (Ids{0, 1, 0, 2, 3, 4}));
  EXPECT_TRUE(tokenizer_.encode("").empty());
  EXPECT_EQ(tokenizer_.special("七"), 3);
}

TEST_F(TwoScripts, DecodingGivesTheTextBack) {
  for (const char* text : {"", "three", "七 is 七", "three plus three is 七 ;"})
    EXPECT_EQ(tokenizer_.decode(tokenizer_.encode(text)), text);
}

TEST_F(TwoScripts, EndToken) {
  EXPECT_EQ(tokenizer_.special("eos"), 5);
  EXPECT_EQ(tokenizer_.special("bos"), -1);
  EXPECT_EQ(tokenizer_.stop_ids(), Ids{5});
  EXPECT_EQ(tokenizer_.encode("七 $", TENON_ENCODE_SPECIAL), (Ids{3, 5}));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("七 $"); }), HasSubstr("end token"));
  EXPECT_EQ(tokenizer_.decode(Ids{3, 5}), "七");
  EXPECT_EQ(tokenizer_.decode(Ids{3, 5}, TENON_DECODE_SPECIAL), "七 $");
}

TEST_F(TwoScripts, UnknownWordsAndStraySpacesAreNamed) {
  EXPECT_THAT(error_of([&] { tokenizer_.encode("three minus 七"); }), HasSubstr("\"minus\" at byte 6 of"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("threeplus"); }), HasSubstr("\"threeplus\" at byte 0"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode(" three"); }), HasSubstr("space at byte 0"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("three "); }), HasSubstr("space at byte 5"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("three  is"); }), HasSubstr("space at byte 6"));
  EXPECT_THAT(error_of([&] { tokenizer_.decode(Ids{6}); }), HasSubstr("ids are 0 to 5"));
}

TEST(Words, WithoutAnEndTokenThereIsNone) {
  const Instance instance = make(R"(["a"])");
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_EQ(tokenizer.special("eos"), -1);
  EXPECT_TRUE(tokenizer.stop_ids().empty());
}

TEST(Words, BadVocabulariesAreErrors) {
  EXPECT_THAT(error_of([] { make("[]"); }), HasSubstr("empty"));
  EXPECT_THAT(error_of([] { make(R"(["a", "b", "a"])"); }), HasSubstr("\"a\" is in the vocabulary twice"));
  EXPECT_THAT(error_of([] { make(R"(["a", "b c"])"); }), HasSubstr("vocabulary.1: \"b c\" has a space"));
  EXPECT_THAT(error_of([] { make(R"(["a", ""])"); }), HasSubstr("vocabulary.1"));
  EXPECT_THAT(error_of([] { make(R"(["a"])", R"("a")"); }), HasSubstr("eos: \"a\" is also"));
  EXPECT_THAT(error_of([] { make("[\"a\", \"\xff\"]"); }), HasSubstr("UTF-8"));
}

}  // namespace
