// Tests of the tokenizer byte-bpe: files, flags, special names, chat, errors.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tenon/testing.hpp"
#include "tenon/tokenizer.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Ids = std::vector<int32_t>;
using Options = std::map<std::string, std::string>;

const tenon_component* component() {
  return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
}

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

template <class F>
std::string error_of(F&& f, int32_t* code = nullptr) {
  try {
    f();
  } catch (const tenon::Error& error) {
    if (code != nullptr) *code = error.code();
    return error.what();
  }
  return "(no error)";
}

// A folder with a tokenizer of a, b, c, ab and all other bytes.
class ByteBpeTest : public testing::Test {
 protected:
  ByteBpeTest() : folder_(fs::temp_directory_path() / ("tenon_byte_bpe_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    std::string vocab;
    int id = 3;
    for (char c = '!'; c <= '~'; ++c) {
      if (c == '"' || c == '\\') continue;
      vocab += "\"" + std::string(1, c) + "\":" + std::to_string(id++) + ",";
    }
    vocab += R"("\u0120":100,"\u010a":101,"ab":102)";
    write("tokenizer.json", R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[
      {"id":0,"content":"<s>","special":true},{"id":1,"content":"</s>","special":true},{"id":2,"content":"<|end|>","special":true}],
      "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
      "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],
        "special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}},
      "decoder":{"type":"ByteLevel"},"model":{"type":"BPE","merges":["a b"],"vocab":{)" +
                                vocab + "}}}");
    write(
        "tokenizer_config.json",
        R"json({"bos_token":"<s>","eos_token":"</s>","chat_template":"{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}{% if tools is none %}{{ mood }}{% endif %}{{ strftime_now('%a %d %b %Y') if strftime_now is defined }}"})json");
  }
  ~ByteBpeTest() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  Options options(Options more = {}) {
    more.emplace("file", quoted(folder_.string()));
    return more;
  }

  fs::path folder_;
};

using Instance = tenon::testing::Instance<tenon_tokenizer_vt>;

TEST_F(ByteBpeTest, EncodesAndDecodes) {
  const Instance instance(component(), options());
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_EQ(tokenizer.size(), 103u);
  EXPECT_EQ(tokenizer.encode("abab a"), (Ids{102, 102, 100, static_cast<int32_t>(tokenizer.special("a"))}));
  EXPECT_EQ(tokenizer.decode(Ids{102, 101, 1}), "ab\n");
  EXPECT_EQ(tokenizer.decode(Ids{102, 1}, TENON_DECODE_SPECIAL), "ab</s>");
  EXPECT_EQ(tokenizer.encode("ab", TENON_ENCODE_BOS), (Ids{0, 102}));
  EXPECT_EQ(tokenizer.encode("ab</s>", TENON_ENCODE_SPECIAL), (Ids{102, 1}));
  EXPECT_EQ(tokenizer.encode("ab</s>").size(), 5u);
}

TEST_F(ByteBpeTest, SpecialNamesAndStops) {
  const Instance instance(component(), options({{"stop", R"(["<|end|>"])"}}));
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_EQ(tokenizer.special("bos"), 0);
  EXPECT_EQ(tokenizer.special("eos"), 1);
  EXPECT_EQ(tokenizer.special("pad"), -1);
  EXPECT_EQ(tokenizer.special("<|end|>"), 2);
  EXPECT_EQ(tokenizer.special("\n"), 101);
  EXPECT_THAT(tokenizer.stop_ids(), ElementsAre(1, 2));
  EXPECT_THAT(error_of([&] {
                Instance(component(), options({{"stop", R"(["<|nowhere|>"])"}}));
              }),
              HasSubstr("\"<|nowhere|>\" is not a token"));
}

TEST_F(ByteBpeTest, GenerationConfigEndsCompletionsToo) {
  const auto stops = [&](const std::string& config, Options more = {}) {
    write("generation_config.json", config);
    const Instance instance(component(), options(std::move(more)));
    return tenon::Tokenizer(instance.ref()).stop_ids();
  };
  EXPECT_THAT(stops(R"({"eos_token_id": 2, "temperature": 0.6})"), ElementsAre(1, 2));
  EXPECT_THAT(stops(R"({"eos_token_id": [2, 1, 102]})"), ElementsAre(1, 2, 102)) << "each once";
  EXPECT_THAT(stops(R"({"eos_token_id": [2]})", {{"stop", R"(["<|end|>", "ab"])"}}), ElementsAre(1, 2, 102));
  EXPECT_THAT(stops(R"({"eos_token_id": null})"), ElementsAre(1));
  EXPECT_THAT(stops(R"({"bos_token_id": 0})"), ElementsAre(1));
  const auto fault = [&](const std::string& config) { return error_of([&] { stops(config); }); };
  EXPECT_THAT(fault(R"({"eos_token_id": [1, 4000]})"),
              AllOf(StartsWith("file: "), HasSubstr("generation_config.json"), HasSubstr("eos_token_id[1]"),
                    HasSubstr("4000 is not the id of a token")));
  EXPECT_THAT(fault(R"({"eos_token_id": "</s>"})"), HasSubstr("eos_token_id"));
  EXPECT_THAT(fault("{"), HasSubstr("generation_config.json"));
}

TEST_F(ByteBpeTest, FileErrorsBeginWithTheOption) {
  EXPECT_THAT(error_of([&] {
                Instance(component(), {{"file", quoted((folder_ / "none.gguf").string())}});
              }),
              StartsWith("file: " + (folder_ / "none.gguf").string()));
  EXPECT_THAT(
      error_of([&] {
        Instance(component(), options({{"chat_template_file", quoted((folder_ / "no.jinja").string())}}));
      }),
      StartsWith("chat_template_file: " + (folder_ / "no.jinja").string()));
}

TEST_F(ByteBpeTest, RendersChats) {
  const std::string messages = R"([{"role":"user","content":"hi"}])";
  const Instance instance(component(), options());
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_TRUE(tokenizer.can_chat());
  EXPECT_EQ(tokenizer.chat(messages), "<s><user>hi</s><assistant>");
  EXPECT_EQ(tokenizer.chat(messages, 0), "<s><user>hi</s>");

  const Instance dated(
      component(), options({{"date", R"("2026-02-28")"}, {"chat_variables", R"("{\"mood\": \"calm\"}")"}}));
  EXPECT_EQ(tenon::Tokenizer(dated.ref()).chat(messages), "<s><user>hi</s><assistant>calmSat 28 Feb 2026");

  const Instance other(component(), options({{"chat_template", R"("{{ messages|length }}")"}}));
  EXPECT_EQ(tenon::Tokenizer(other.ref()).chat(messages), "1");
  const Instance from_file(
      component(),
      options({{"chat_template_file", quoted(write("own.jinja", "file {{ messages[0].role }}"))}}));
  EXPECT_EQ(tenon::Tokenizer(from_file.ref()).chat(messages), "file user");
}

TEST_F(ByteBpeTest, ChatErrorsNameThePlace) {
  const Instance instance(component(), options({{"chat_template", R"("a\n{{ messages[0].content + 1 }}")"}}));
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_THAT(error_of([&] { tokenizer.chat(R"([{"role":"user","content":"hi"}])"); }),
              HasSubstr("chat_template:2:"));
  EXPECT_THAT(error_of([&] { tokenizer.chat("[]"); }), HasSubstr("there are no messages"));
  EXPECT_THAT(error_of([&] { tokenizer.chat("{"); }), HasSubstr("messages: byte 1"));
  EXPECT_THAT(error_of([&] { tokenizer.chat(R"([{"content":"hi"}])"); }),
              HasSubstr("member \"role\" is missing"));
  EXPECT_THAT(error_of([&] {
                Instance(component(), options({{"chat_template", R"("{{ x")"}}));
              }),
              HasSubstr("chat_template:1:"));

  fs::remove(folder_ / "tokenizer_config.json");
  const Instance bare(component(), options());
  int32_t code = 0;
  EXPECT_THAT(error_of([&] { tenon::Tokenizer(bare.ref()).chat("[]"); }, &code),
              HasSubstr("has no chat template"));
  EXPECT_EQ(code, TENON_E_UNSUPPORTED);
  EXPECT_TRUE(tenon::Tokenizer(bare.ref()).stop_ids().empty());
}

TEST_F(ByteBpeTest, BytesWithoutATokenAreErrorsUnlessSkipped) {
  const Instance instance(component(), options());
  int32_t code = 0;
  EXPECT_THAT(error_of([&] { tenon::Tokenizer(instance.ref()).encode("a\x01"); }, &code),
              HasSubstr("byte 0x01"));
  EXPECT_EQ(code, TENON_E_INVALID);
  const Instance skipping(component(), options({{"missing_bytes", R"("skip")"}}));
  EXPECT_EQ(tenon::Tokenizer(skipping.ref())
                .decode(tenon::Tokenizer(skipping.ref())
                            .encode("a\x01"
                                    "c")),
            "ac");
}

TEST_F(ByteBpeTest, BadFilesAreInvalidNotInternal) {
  int32_t code = 0;
  EXPECT_THAT(error_of(
                  [&] {
                    Instance(component(), {{"file", quoted(write("broken.json", "{\"model\": "))}});
                  },
                  &code),
              HasSubstr("broken.json: byte "));
  EXPECT_EQ(code, TENON_E_INVALID);
  EXPECT_THAT(error_of(
                  [&] {
                    Instance(component(), {{"file", quoted((folder_ / "absent").string())}});
                  },
                  &code),
              HasSubstr("does not exist"));
  EXPECT_EQ(code, TENON_E_INVALID);
  EXPECT_THAT(error_of(
                  [&] {
                    Instance(component(), {{"file", quoted(write("short.gguf", "GGUF"))}});
                  },
                  &code),
              HasSubstr("short.gguf: byte 4: truncated"));
  EXPECT_EQ(code, TENON_E_INVALID);
}

TEST_F(ByteBpeTest, CheckReportsAtTheOption) {
  tenon::testing::TestHost host(component(), options({{"date", R"("2026-02-30")"},
                                                      {"chat_variables", R"("[1]")"},
                                                      {"chat_template", R"("x")"},
                                                      {"chat_template_file", R"("/y")"}}));
  std::vector<std::string> found;
  tenon_diag diag{sizeof diag, 0, &found, [](void* ctx, const char* path, int32_t, const char* text) {
                    static_cast<std::vector<std::string>*>(ctx)->push_back(std::string(path) + ": " + text);
                  }};
  component()->life->check(host.raw(), &diag);
  EXPECT_THAT(found, ElementsAre(HasSubstr("chat_template_file: give chat_template or"),
                                 HasSubstr("date: \"2026-02-30\" is not a date"),
                                 HasSubstr("chat_variables: chat_variables: (root): expected an object")));
}

// SmolLM2's own file. Needs TENON_SMOLLM2_GGUF.
TEST(ByteBpeModel, SmolLM2) {
  const char* gguf = std::getenv("TENON_SMOLLM2_GGUF");
  if (gguf == nullptr) GTEST_SKIP() << "TENON_SMOLLM2_GGUF is not set";
  const Instance instance(component(), {{"file", quoted(gguf)}});
  const tenon::Tokenizer tokenizer(instance.ref());
  EXPECT_EQ(tokenizer.size(), 49152u);
  EXPECT_THAT(tokenizer.stop_ids(), ElementsAre(2));
  const std::string text = tokenizer.chat(R"([{"role":"user","content":"What is 12+30?"}])");
  EXPECT_EQ(
      text,
      "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
      "<|im_start|>user\nWhat is 12+30?<|im_end|>\n<|im_start|>assistant\n");
  const Ids ids = tokenizer.encode(text, TENON_ENCODE_SPECIAL);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 2);
  EXPECT_EQ(tokenizer.decode(ids, TENON_DECODE_SPECIAL), text);
}

}  // namespace
