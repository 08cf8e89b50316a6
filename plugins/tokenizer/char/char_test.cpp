// Tests of the tokenizer char: ids, round trips, the end token, errors.
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

Instance make(std::map<std::string, std::string> options) {
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

class Quickstart : public testing::Test {
 protected:
  Instance instance_ = make({{"alphabet", R"("0123456789+-=<>,")"}, {"eos", R"("$")"}});
  tenon::Tokenizer tokenizer_{instance_.ref()};
};

TEST_F(Quickstart, IdsFollowTheAlphabet) {
  EXPECT_EQ(tokenizer_.size(), 17u);
  EXPECT_EQ(tokenizer_.encode("3+4=<>7"), (Ids{3, 10, 4, 12, 13, 14, 7}));
  EXPECT_EQ(tokenizer_.decode(Ids{3, 10, 4, 12, 13, 14, 7}), "3+4=<>7");
  EXPECT_TRUE(tokenizer_.encode("").empty());
}

TEST_F(Quickstart, EndToken) {
  EXPECT_EQ(tokenizer_.special("eos"), 16);
  EXPECT_EQ(tokenizer_.special("$"), 16);
  EXPECT_EQ(tokenizer_.special("7"), 7);
  EXPECT_EQ(tokenizer_.special("bos"), -1);
  EXPECT_EQ(tokenizer_.stop_ids(), Ids{16});
  EXPECT_EQ(tokenizer_.encode("5$", TENON_ENCODE_SPECIAL), (Ids{5, 16}));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("5$"); }), HasSubstr("end token"));
  EXPECT_EQ(tokenizer_.decode(Ids{5, 16}), "5");
  EXPECT_EQ(tokenizer_.decode(Ids{5, 16}, TENON_DECODE_SPECIAL), "5$");
}

TEST_F(Quickstart, UnknownCharactersAreNamed) {
  const std::string message = error_of([&] { tokenizer_.encode("3+é"); });
  EXPECT_THAT(message, HasSubstr("\"é\" at byte 2 of \"3+é\""));
  EXPECT_THAT(message, HasSubstr("alphabet \"0123456789+-=<>,\""));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("3\n"); }),
              HasSubstr(R"(character "\n" at byte 1 of "3\n" is)"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode(std::string(100, '3') + "x" + std::string(100, '4')); }),
              HasSubstr("character \"x\" at byte 100 of …\"" + std::string(30, '3') + "x" +
                        std::string(30, '4') + "\"… is not"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("éx" + std::string(28, '3')); }),
              HasSubstr("character \"é\" at byte 0"));
  EXPECT_THAT(error_of([&] { tokenizer_.encode("3\xff"); }), HasSubstr("byte 1 of the text is not UTF-8"));
  EXPECT_THAT(error_of([&] { tokenizer_.decode(Ids{17}); }),
              HasSubstr("token id 17 is out of range; ids are 0 to 16"));
  EXPECT_THAT(error_of([&] { tokenizer_.decode(Ids{-1}); }), HasSubstr("token id -1"));
}

TEST_F(Quickstart, HasNoChatTemplate) {
  EXPECT_FALSE(tokenizer_.can_chat());
  EXPECT_THAT(error_of([&] { tokenizer_.chat("[]"); }), HasSubstr("has no chat template"));
}

TEST(Char, DefaultIsPrintableAsciiAndNewline) {
  const Instance instance = make({});
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_EQ(tokenizer.size(), 96u);
  std::string all = "\n";
  for (char c = ' '; c <= '~'; ++c) all.push_back(c);
  const Ids ids = tokenizer.encode(all);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], static_cast<int32_t>(i));
  EXPECT_EQ(tokenizer.decode(ids), all);
  EXPECT_TRUE(tokenizer.stop_ids().empty());
  EXPECT_EQ(tokenizer.special("eos"), -1);
}

TEST(Char, MessagesHaveNoLineBreaksAndCutNoCharacter) {
  const Instance instance = make({{"alphabet", R"("\n\"é")"}});
  const tenon::Tokenizer tokenizer(instance.ref());
  std::string before;
  for (int i = 0; i < 40; ++i) before += "é";
  const std::string message = error_of([&] { tokenizer.encode(before + "\n\tx"); });
  EXPECT_THAT(message, HasSubstr(R"(character "\t" at byte 81 of …"é)"));
  EXPECT_THAT(message, HasSubstr(R"(\n\tx" is not in the alphabet "\n\"é")"));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(Char, CodePointsAreCharacters) {
  const Instance instance = make({{"alphabet", R"("aé日😀")"}, {"eos", R"("■")"}});
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_EQ(tokenizer.size(), 5u);
  EXPECT_EQ(tokenizer.encode("😀日éa"), (Ids{3, 2, 1, 0}));
  EXPECT_EQ(tokenizer.decode(Ids{3, 2, 1, 0}), "😀日éa");
}

TEST(Char, BadOptionsAreErrors) {
  EXPECT_THAT(error_of([] { make({{"alphabet", R"("")"}}); }), HasSubstr("the alphabet is empty"));
  EXPECT_THAT(error_of([] {
                make({{"alphabet", R"("abca")"}});
              }),
              HasSubstr("\"a\" is in the alphabet twice"));
  EXPECT_THAT(error_of([] { make({{"eos", R"("$")"}}); }), HasSubstr("\"$\" is also in the alphabet"));
  EXPECT_THAT(error_of([] { make({{"eos", R"("éé")"}}); }), HasSubstr("must be one character"));
}

TEST(Char, CheckReportsAtTheOption) {
  const tenon_component* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  tenon::testing::TestHost host(component, {{"eos", R"("ab")"}});
  std::vector<std::string> found;
  tenon_diag diag{
      sizeof diag, 0, &found, [](void* ctx, const char* path, int32_t severity, const char* text) {
        static_cast<std::vector<std::string>*>(ctx)->push_back(std::string(path) + " " +
                                                               std::to_string(severity) + " " + text);
      }};
  component->life->check(host.raw(), &diag);
  EXPECT_THAT(found, testing::ElementsAre("eos 2 \"ab\" must be one character"));
}

}  // namespace
