// Chat templates against jinja2 as transformers sets it up, and their errors.
// SPDX-License-Identifier: Apache-2.0
#include "chat_template/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

namespace tenon::chat {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// 2026-03-09 07:05:03, as in testdata/make_fixture.py.
std::tm fixed_time() {
  std::tm now{};
  now.tm_year = 126;
  now.tm_mon = 2;
  now.tm_mday = 9;
  now.tm_wday = 1;
  now.tm_yday = 67;
  now.tm_hour = 7;
  now.tm_min = 5;
  now.tm_sec = 3;
  return now;
}

std::string render(std::string_view source, const boost::json::object& variables = {},
                   bool with_time = true) {
  RenderOptions options;
  if (with_time) options.now = fixed_time();
  return ChatTemplate::parse(source, "t").render(variables, options);
}

std::string error_of(std::string_view source, const boost::json::object& variables = {}) {
  try {
    return "(no error) " + render(source, variables, false);
  } catch (const TemplateError& error) {
    return error.what();
  }
}

// Renders every row of a file that make_fixture.py wrote; returns {equal, differing, refused by name}.
struct Comparison {
  size_t equal = 0, different = 0;
  std::map<std::string, std::string> refused;
};

Comparison compare_file(const std::string& path, bool report_refusals) {
  Comparison result;
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  for (std::string line; std::getline(in, line);) {
    const boost::json::value row = boost::json::parse(line);
    const std::string name(row.at("name").as_string()), source(row.at("template").as_string());
    const bool raises = row.at("text").is_null();
    try {
      const std::string text = render(source, row.at("variables").as_object());
      const bool same = !raises && text == row.at("text").as_string();
      ++(same ? result.equal : result.different);
      EXPECT_FALSE(raises) << name << ": jinja2 raises; here: " << text << "\n" << source.substr(0, 300);
      if (!raises) {
        EXPECT_EQ(text, std::string(row.at("text").as_string())) << name << "\n" << source.substr(0, 300);
      }
    } catch (const TemplateError& error) {
      if (raises) {
        ++result.equal;
      } else {
        result.refused[name.substr(0, name.find(' '))] = error.what();
        EXPECT_FALSE(report_refusals) << name << ": " << error.what() << "\n" << source.substr(0, 300);
      }
    }
  }
  return result;
}

TEST(ChatTemplate, RendersAsJinja2) {
  const Comparison result = compare_file("testdata/expected.jsonl", true);
  EXPECT_EQ(result.equal, 137u);
}

TEST(ChatTemplate, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_THAT(error_of("a\n  {{ 1 + }}"), StartsWith("t:2:10: expected an expression, found \"}}\""));
  EXPECT_THAT(error_of("{% if x %}"), HasSubstr("the template ends before {% endif %}"));
  EXPECT_THAT(error_of("{% endif %}"), HasSubstr("unexpected tag \"endif\""));
  EXPECT_THAT(error_of("{% include 'x' %}"), StartsWith("t:1:4: the tag \"include\" is not supported"));
  EXPECT_THAT(error_of("\n{{ x|frobnicate }}"),
              StartsWith("t:2:6: the filter \"frobnicate\" is not supported"));
  EXPECT_THAT(error_of("{{ x is prime }}"), HasSubstr("the test \"prime\" is not supported"));
  EXPECT_THAT(error_of("{{ 'abc }}"), HasSubstr("the string is not closed"));
  EXPECT_THAT(error_of("{{ x"), HasSubstr("not closed by }}"));
  EXPECT_THAT(error_of("{# x"), HasSubstr("the comment is not closed"));
  EXPECT_THAT(error_of("{{ a ! b }}"), HasSubstr("unexpected character \"!\""));
  EXPECT_THAT(error_of("{% break %}"), HasSubstr("outside a for statement"));
  EXPECT_THAT(error_of("{{ f(*x) }}"), HasSubstr("not supported"));
  EXPECT_THAT(error_of("{{ 99999999999999999999 }}"), HasSubstr("too large"));
  EXPECT_THAT(error_of("{{ '\\ud800' }}"), HasSubstr("not a character"));
}

TEST(ChatTemplate, RenderingErrorsHaveLineAndColumn) {
  EXPECT_THAT(error_of("a\n{{ x.y }}"), StartsWith("t:2:5: \"x\" is undefined"));
  EXPECT_THAT(error_of("{{ 'a' + 1 }}"), StartsWith("t:1:8: \"+\" does not work on str and int"));
  EXPECT_THAT(error_of("{{ raise_exception('roles must alternate') }}"), HasSubstr("roles must alternate"));
  EXPECT_THAT(error_of("{{ 'a'.encode() }}"), HasSubstr("str has no method \"encode\""));
  EXPECT_THAT(error_of("{{ [1].append(2) }}"), HasSubstr("list has no method \"append\""));
  EXPECT_THAT(error_of("{{ 'a'.split(1) }}"), HasSubstr("the separator must be a string"));
  EXPECT_THAT(error_of("{{ 'a'.strip(frob=1) }}"), HasSubstr("no argument frob"));
  EXPECT_THAT(error_of("{{ open('x') }}"), HasSubstr("\"open\" is undefined"));
  EXPECT_THAT(error_of("{{ ''.__class__ }}"),
              StartsWith("(no error)"));  // undefined, and so printed as nothing
  EXPECT_THAT(error_of("{{ ''.__class__.__mro__ }}"), HasSubstr("is undefined"));
}

TEST(ChatTemplate, TheDateIsDefinedOnlyWhenGiven) {
  const char* source = "{{ strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' }}";
  EXPECT_EQ(render(source, {}, true), "09 Mar 2026");
  EXPECT_EQ(render(source, {}, false), "26 Jul 2024");
}

TEST(ChatTemplate, WorkIsBounded) {
  EXPECT_THAT(error_of("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
              HasSubstr("too much work"));
  EXPECT_THAT(error_of("{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + "
                       "ns.s %}{% endfor %}"),
              HasSubstr("too much work"));
  EXPECT_THAT(error_of("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
              HasSubstr("macros call each other"));
  EXPECT_THAT(error_of("{{ range(1000000000) }}"), HasSubstr("a range over"));
  EXPECT_THAT(
      error_of(
          "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}"),
      HasSubstr("nested more than"));
  std::string deep(100000, '(');
  EXPECT_THAT(error_of("{{ " + deep + "1" + std::string(100000, ')') + " }}"),
              HasSubstr("nested more than 200 deep"));
  std::string negations = "{{ ";
  for (int i = 0; i < 100000; ++i) negations += "not ";
  EXPECT_THAT(error_of(negations + "1 }}"), HasSubstr("nested more than 200 deep"));
  std::string blocks;
  for (int i = 0; i < 100000; ++i) blocks += "{% if x %}";
  EXPECT_THAT(error_of(blocks), HasSubstr("nested more than 200 deep"));
  std::string branches = "{% if x %}";
  for (int i = 0; i < 100000; ++i) branches += "{% elif x %}";
  EXPECT_THAT(error_of(branches), HasSubstr("nested more than 200 deep"));
}

// Damaged templates are errors or render; they never crash.
TEST(ChatTemplate, DamagedTemplatesNeverCrash) {
  std::ifstream in("testdata/expected.jsonl");
  std::mt19937 random(3);
  size_t refused = 0, rendered = 0;
  for (std::string line; std::getline(in, line);) {
    const boost::json::value row = boost::json::parse(line);
    const std::string source(row.at("template").as_string());
    for (int i = 0; i < 40 && !source.empty(); ++i) {
      std::string damaged = source;
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged.resize(at);
          break;
        case 1:
          damaged.erase(at, 1 + random() % 3);
          break;
        default:
          damaged[at] = "{}%#|.()[]'\"+-:=, x1"[random() % 20];
      }
      try {
        render(damaged, row.at("variables").as_object());
        ++rendered;
      } catch (const TemplateError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 500u);
  EXPECT_GT(rendered, 500u);
}

// Real templates through transformers. Needs TENON_PEER_PYTHON, a Python with transformers, and
// TENON_CHAT_TEMPLATES, a folder of .jinja files (TRL's trl/chat_templates). A template may be refused with an error
// (it uses more than the supported part), but what is rendered must be equal.
TEST(ChatTemplatePeer, FamiliesRenderAsInTransformers) {
  const char* python = std::getenv("TENON_PEER_PYTHON");
  const char* folder = std::getenv("TENON_CHAT_TEMPLATES");
  if (python == nullptr || folder == nullptr)
    GTEST_SKIP() << "TENON_PEER_PYTHON and TENON_CHAT_TEMPLATES are not set";
  const std::string rows =
      (std::filesystem::temp_directory_path() / ("tenon_chat_" + std::to_string(::getpid()) + ".jsonl"))
          .string();
  const std::string command = "PYTHONDONTWRITEBYTECODE=1 '" + std::string(python) +
                              "' testdata/make_fixture.py '" + rows + "' '" + folder + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const Comparison result = compare_file(rows, false);
  std::filesystem::remove(rows);
  EXPECT_GT(result.equal, 300u);
  for (const char* file : {"qwen2_5.jinja", "qwen3.jinja", "llama3.jinja", "llama3_1.jinja", "llama3_2.jinja",
                           "deepseekv3.jinja", "deepseek_r1_distill.jinja"}) {
    EXPECT_FALSE(result.refused.contains(file)) << result.refused.at(file);
  }
  std::printf("%zu renders equal, %zu different; refused:\n", result.equal, result.different);
  for (const auto& [name, why] : result.refused) std::printf("  %s: %s\n", name.c_str(), why.c_str());
}

}  // namespace
}  // namespace tenon::chat
