// Data set `jsonl`: rows from a file with one JSON object a line.
// SPDX-License-Identifier: Apache-2.0
//
// The whole file is checked when the data set is made: a line that is no object, lacks a field or is not
// UTF-8 is an error that names file and line, before any training. Afterwards rows are read from the mapped
// file by offset.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "file/format_error.h"
#include "json/json_document.h"
#include "line_index.h"
#include "tenon/dataset.hpp"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::jsonl::Line;

// f(), whose errors then begin with the option that names the file.
template <class F>
auto about_file(F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Error(e.code(), std::string("file: ") + e.what());
  } catch (const tenon::io::FormatError& e) {
    throw Error(TENON_E_IO, std::string("file: ") + e.what());
  }
}

class Jsonl {
 public:
  explicit Jsonl(tenon::Host host)
      : index_(about_file([&] { return tenon::jsonl::LineIndex(host.str("file")); })),
        form_(host),
        prompt_(host.str_if("prompt").value_or("")),
        messages_(host.str_if("messages").value_or("")),
        completion_(host.str_if("completion").value_or("")),
        answer_(host.str_if("answer").value_or("")) {
    if (auto t = host.str_if("template")) template_.emplace(*t);
    about_file([&] {
      if (index_.lines().empty()) throw Error(host.str("file") + ": the file has no rows");
      for (const Line& line : index_.lines()) check_line(line);
    });
    choose(host);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    int sources = 0;
    for (const char* option : {"prompt", "template", "messages"}) sources += host.str_if(option).has_value();
    if (sources != 1)
      findings.error(
          "prompt",
          std::string(sources == 0 ? "nothing says" : "more than one option says") +
              " what is asked; give one of prompt: <field>, template: \"… {field} …\", messages: <field>");
    if (host.str_if("messages")) {
      for (const char* option : {"as", "system"})
        findings.no_effect(option, "the file's messages are used as they are");
    } else {
      support::PromptForm::check(host, findings);
    }
    if (host.str("split") == "all") findings.no_effect("test_fraction", "split: all takes every row");
    if (host.str("split") != "all" && !host.f64_if("test_fraction"))
      findings.error("split", "needs test_fraction, the share of rows that is `test`");
  }

  uint64_t size() const { return rows_.size(); }

  tenon::Row at(uint64_t index) const {
    if (index >= rows_.size())
      throw Error("row " + std::to_string(index) + " of " + std::to_string(rows_.size()) + " was asked for");
    return row(rows_[index]);
  }

 private:
  // A field's text; the line has it, for it was checked.
  static std::string text(std::string_view object, const std::string& name) {
    return tenon::json::text_field(object, name).value();
  }

  tenon::Row row(const Line& line) const {
    const std::string_view object = index_.text(line);
    tenon::Row r;
    r.source = index_.place(line);
    if (!messages_.empty())
      r.messages_json = tenon::json::raw_field(object, messages_).value();
    else
      form_.set(r, question(object));
    if (!completion_.empty()) r.completion = text(object, completion_);
    r.meta_json = meta(object);
    return r;
  }

  std::string question(std::string_view object) const {
    return template_ ? template_->fill([&](const std::string& name) { return text(object, name); })
                     : text(object, prompt_);
  }

  // The line as it stands; with the option `answer`, that field's value as `answer` before the other fields. Values keep their text, so that no number is rounded.
  std::string meta(std::string_view object) const {
    if (answer_.empty() || answer_ == "answer") return std::string(object);
    std::string out = "{\"answer\":" + std::string(tenon::json::raw_field(object, answer_).value());
    tenon::json::each_field(object, [&](const std::string& name, std::string_view value) {
      if (name != "answer") out += "," + tenon::json::quote(name) + ":" + std::string(value);
      return true;
    });
    return out + "}";
  }

  // Everything that `row` relies on, or an error with file and line.
  void check_line(const Line& line) const {
    std::string place = index_.place(line);
    boost::json::value value;
    try {
      value = tenon::json::parse(index_.text(line), place);
    } catch (const tenon::io::FormatError& e) {
      throw Error(e.what());
    }
    if (!value.is_object())
      throw Error(place + ": expected one JSON object on the line, found " + kind(value));
    const auto& object = value.as_object();
    auto require = [&](const std::string& name) -> const boost::json::value& {
      if (const auto* found = object.if_contains(name)) {
        if (found->is_null()) throw Error(place + ": field \"" + name + "\" is null");
        return *found;
      }
      std::string names;
      for (const auto& member : object) names += (names.empty() ? "" : ", ") + std::string(member.key());
      throw Error(place + ": there is no field \"" + name + "\"; the line has " +
                  (names.empty() ? "none" : names));
    };
    auto require_text = [&](const std::string& name) {
      const auto& found = require(name);
      if (!found.is_string())
        throw Error(place + ": field \"" + name + "\" is " + kind(found) + "; expected a string");
      if (found.as_string().empty()) throw Error(place + ": field \"" + name + "\" is empty");
    };
    if (!prompt_.empty()) require_text(prompt_);
    if (!completion_.empty()) require_text(completion_);
    if (!answer_.empty()) require(answer_);
    if (!messages_.empty()) check_messages(require(messages_), place);
    if (template_)
      for (const std::string& name : template_->names()) require(name);
  }

  void check_messages(const boost::json::value& messages, const std::string& place) const {
    auto is_text = [](const boost::json::value* v) { return v != nullptr && v->is_string(); };
    if (!messages.is_array() || messages.as_array().empty())
      throw Error(place + ": field \"" + messages_ + "\" is not a list of messages");
    for (const auto& m : messages.as_array())
      if (!m.is_object() || !is_text(m.as_object().if_contains("role")) ||
          !is_text(m.as_object().if_contains("content")))
        throw Error(place + ": a message in field \"" + messages_ +
                    "\" is not {\"role\": …, \"content\": …} with two strings");
  }

  static std::string kind(const boost::json::value& v) {
    if (v.is_null()) return "null";
    return v.is_object()   ? "an object"
           : v.is_array()  ? "a list"
           : v.is_string() ? "a string"
           : v.is_bool()   ? "a boolean"
                           : "a number";
  }

  // Applies split, then offset, then limit.
  void choose(const tenon::Host& host) {
    std::string split = host.str("split");
    double fraction = host.f64_if("test_fraction").value_or(0);
    uint64_t offset = static_cast<uint64_t>(host.i64("offset")), limit = UINT64_MAX, seen = 0;
    if (auto l = host.i64_if("limit")) limit = static_cast<uint64_t>(*l);
    for (const Line& line : index_.lines()) {
      if (split != "all") {
        tenon::Row r = row(line);
        bool test = support::held_out(r.prompt.empty() ? r.messages_json : r.prompt, fraction);
        if (test != (split == "test")) continue;
      }
      if (seen++ >= offset && rows_.size() < limit) rows_.push_back(line);
    }
    if (rows_.empty())
      throw Error(host.str("file") + ": no row is left of " + std::to_string(index_.lines().size()) +
                  "; split: " + split + " has " + std::to_string(seen) +
                  ", offset: " + std::to_string(offset));
  }

  tenon::jsonl::LineIndex index_;
  support::PromptForm form_;
  std::optional<support::Template> template_;
  std::string prompt_, messages_, completion_, answer_;
  std::vector<Line> rows_;
};

constexpr const char* kSplits[] = {"all", "train", "test", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(
    Jsonl, "jsonl", "1.0.0", "Rows from a file with one JSON object a line.",
    tenon::path("file", "The file: UTF-8, one JSON object a line.", {.flags = TENON_O_REQUIRED}),
    tenon::text("prompt", nullptr, "Name of the field with the question; or give `template` or `messages`."),
    tenon::text("template", nullptr,
                "The question, with {field} for the fields of the row; {{ and }} are braces."),
    tenon::text("messages", nullptr,
                "Name of the field with a chat: a list of {role, content}, used as it is."),
    tenon::text("completion", nullptr,
                "Name of the field with what training puts the loss on; absent: rows have none."),
    tenon::text(
        "answer", nullptr,
        "Name of the field that becomes `answer` in the row's meta; absent: meta is the line as it stands."),
    support::kAs, support::kSystem,
    tenon::choice("split", kSplits, "\"all\"",
                  "Which rows; train and test are told apart by a hash of the question."),
    tenon::number("test_fraction", nullptr, "Of split: train and test. The share of rows that is `test`.",
                  {.min = "0.000001", .max = "0.999999"}),
    tenon::integer("offset", "0", "Rows of the split to leave out at its beginning.",
                   {.min = "0", .max = "1000000000000", .unit = "rows"}),
    tenon::integer("limit", nullptr, "Most rows to take after that; absent: all.",
                   {.min = "1", .max = "1000000000000", .unit = "rows"}))
