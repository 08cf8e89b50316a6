// Tokenizer byte-bpe: the byte-level BPE of a pre-trained model, with its chat template.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json/object.hpp>
#include <charconv>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "byte_bpe/byte_bpe.h"
#include "chat_template/chat_template.h"
#include "file/mapped_file.h"
#include "json/json_document.h"
#include "tenon/sdk.hpp"

namespace {

// Runs `body`; what the file-format libraries throw is the user's input, not a bug of the plugin. `about`: the option to blame, "file: ", or "".
template <typename Body>
auto reporting(const char* about, Body&& body) {
  const auto fail = [about](const std::exception& error) -> tenon::Error {
    return {TENON_E_INVALID, std::string(about) + error.what()};
  };
  try {
    return body();
  } catch (const tenon::io::FormatError& error) {
    throw fail(error);
  } catch (const tenon::bpe::EncodingError& error) {
    throw fail(error);
  } catch (const tenon::chat::TemplateError& error) {
    throw fail(error);
  }
}
template <typename Body>
auto reporting(Body&& body) {
  return reporting("", std::forward<Body>(body));
}

// "YYYY-MM-DD" at midnight, with the weekday filled in; nothing when it is not a date.
std::optional<std::tm> parse_date(std::string_view text) {
  int fields[3] = {};
  const size_t begin[] = {0, 5, 8}, length[] = {4, 2, 2};
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  for (size_t i = 0; i < 3; ++i) {
    const char* first = text.data() + begin[i];
    const auto [end, error] = std::from_chars(first, first + length[i], fields[i]);
    if (error != std::errc() || end != first + length[i] || fields[i] < 0) return std::nullopt;
  }
  std::tm date{};
  date.tm_year = fields[0] - 1900;
  date.tm_mon = fields[1] - 1;
  date.tm_mday = fields[2];
  std::tm normal = date;
  if (::timegm(&normal) == -1) return std::nullopt;  // midnight is never one second before 1970
  if (normal.tm_mon != date.tm_mon || normal.tm_mday != date.tm_mday) return std::nullopt;  // 30 February
  return normal;
}

boost::json::object parse_variables(const std::string& text) {
  const boost::json::value value = tenon::json::parse(text, "chat_variables");
  return tenon::json::Ref(value, "chat_variables").object();
}

class ByteBpe {
 public:
  static constexpr uint32_t kFlags = TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT | TENON_C_REENTRANT;
  static constexpr const char* kDoc =
      "Ids equal Hugging Face's tokenizers on valid UTF-8. Other bytes are kept, not replaced by U+FFFD; a "
      "byte without a token is an error unless "
      "missing_bytes is skip; strftime_now exists in chat templates only when date is given.";

  explicit ByteBpe(tenon::Host host)
      : tokenizer_(reporting("file: ", [&] { return tenon::bpe::Tokenizer::open(host.str("file")); })) {
    if (host.str("missing_bytes") == "skip") missing_byte_ = tenon::bpe::MissingByte::kSkip;
    if (tokenizer_.eos()) add_stop(*tokenizer_.eos());
    for (const int32_t id : tokenizer_.generation_eos()) add_stop(id);
    for (const std::string& text : host.strs("stop")) {
      const auto id = tokenizer_.find_token(text);
      if (!id) throw tenon::Error("stop: \"" + text + "\" is not a token of " + tokenizer_.path());
      add_stop(*id);
    }
    read_template(host);
    // Left unread otherwise: the host reports options that are given and that nobody read.
    if (template_) read_variables(host);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.str_if("chat_template") && host.str_if("chat_template_file")) {
      findings.error("chat_template_file", "give chat_template or chat_template_file, not both");
    }
    if (const auto date = host.str_if("date"); date && !parse_date(*date)) {
      findings.error("date", "\"" + *date + "\" is not a date; write YYYY-MM-DD");
    }
    try {
      parse_variables(host.str("chat_variables"));
    } catch (const tenon::io::FormatError& error) {
      findings.error("chat_variables", error.what());
    }
  }

  std::vector<int32_t> encode(std::string_view text, uint32_t flags) const {
    return reporting([&] {
      return tokenizer_.encode(text, {.parse_special = (flags & TENON_ENCODE_SPECIAL) != 0,
                                      .add_prefix = (flags & TENON_ENCODE_BOS) != 0,
                                      .missing_byte = missing_byte_});
    });
  }

  std::string decode(std::span<const int32_t> ids, uint32_t flags) const {
    return reporting([&] { return tokenizer_.decode(ids, (flags & TENON_DECODE_SPECIAL) == 0); });
  }

  std::string chat(std::string_view messages_json, uint32_t flags) const {
    if (!template_) {
      throw tenon::Error(
          TENON_E_UNSUPPORTED,
          tokenizer_.path() +
              " has no chat template: set chat_template or chat_template_file, or give rows with `prompt`");
    }
    return reporting([&] {
      const boost::json::value messages = tenon::json::parse(messages_json, "messages");
      check_messages(tenon::json::Ref(messages, "messages"));
      boost::json::object variables = variables_;
      variables["messages"] = messages;
      variables["add_generation_prompt"] = (flags & TENON_CHAT_GENERATE) != 0;
      return template_->render(variables, render_);
    });
  }

  uint64_t size() const { return tokenizer_.vocab_size(); }

  int64_t special(std::string_view name) const {
    if (name == "bos") return tokenizer_.bos().value_or(-1);
    if (name == "eos") return tokenizer_.eos().value_or(-1);
    if (name == "pad") return tokenizer_.pad().value_or(-1);
    if (name == "unk") return tokenizer_.unk().value_or(-1);
    return tokenizer_.find_token(name).value_or(-1);
  }

  std::vector<int32_t> stop_ids() const { return stop_ids_; }

 private:
  void add_stop(int32_t id) {
    if (std::find(stop_ids_.begin(), stop_ids_.end(), id) == stop_ids_.end()) stop_ids_.push_back(id);
  }

  void read_template(tenon::Host host) {
    const auto text = host.str_if("chat_template"), file = host.str_if("chat_template_file");
    if (text && file)
      throw tenon::Error("chat_template_file: give chat_template or chat_template_file, not both");
    // An empty text is no template.
    const auto set = [&](const char* about, std::string_view source, const std::string& name) {
      if (!source.empty())
        template_ = reporting(about, [&] { return tenon::chat::ChatTemplate::parse(source, name); });
    };
    if (text) {
      set("", *text, "chat_template");
    } else if (file) {
      constexpr char kOption[] = "chat_template_file: ";
      set(kOption, reporting(kOption, [&] { return std::string(tenon::io::MappedFile(*file).text()); }),
          *file);
    } else {
      set("file: ", tokenizer_.chat_template(), tokenizer_.path() + ": chat template");
    }
  }

  void read_variables(tenon::Host host) {
    variables_ = reporting([&] { return parse_variables(host.str("chat_variables")); });
    if (const auto date = host.str_if("date")) {
      render_.now = parse_date(*date);
      if (!render_.now) throw tenon::Error("date: \"" + *date + "\" is not a date; write YYYY-MM-DD");
    }
    add_token_variables();
  }

  // The variables that transformers gives every template; chat_variables go before them.
  void add_token_variables() {
    const auto add = [&](const char* name, std::optional<int32_t> id) {
      if (id && !variables_.contains(name)) variables_[name] = std::string(tokenizer_.token_bytes(*id));
    };
    add("bos_token", tokenizer_.bos());
    add("eos_token", tokenizer_.eos());
    add("pad_token", tokenizer_.pad());
    add("unk_token", tokenizer_.unk());
    for (const char* name : {"tools", "documents"}) variables_.emplace(name, nullptr);
  }

  static void check_messages(const tenon::json::Ref& messages) {
    if (messages.size() == 0) messages.fail("there are no messages");
    for (size_t i = 0; i < messages.size(); ++i) messages[i].at("role").string();
  }

  tenon::bpe::Tokenizer tokenizer_;
  boost::json::object variables_;
  std::optional<tenon::chat::ChatTemplate> template_;
  tenon::chat::RenderOptions render_;
  tenon::bpe::MissingByte missing_byte_ = tenon::bpe::MissingByte::kError;
  std::vector<int32_t> stop_ids_;
};

constexpr const char* kMissingBytes[] = {"error", "skip", nullptr};

}  // namespace

TENON_TOKENIZER_PLUGIN(
    ByteBpe, "byte-bpe", "1.0.0", "The byte-level BPE of a pre-trained model, with its chat template.",
    tenon::path("file", "A tokenizer.json, a Hugging Face folder that holds one, or a .gguf.",
                {.flags = TENON_O_REQUIRED}),
    tenon::text("chat_template", nullptr,
                "Jinja text that replaces the model's chat template. Default: the model's own."),
    tenon::path("chat_template_file", "A file with such a text; not together with chat_template."),
    tenon::text("chat_variables", "\"{}\"",
                "A JSON object of further variables for the template, such as {\"enable_thinking\": false}."),
    tenon::text(
        "date", nullptr,
        "YYYY-MM-DD: the day that a template's strftime_now formats. Default: the function is not defined."),
    tenon::text("stop", "[]",
                "Texts of further tokens that end a completion; the tokenizer's eos and those of a "
                "generation_config.json always do.",
                {.flags = TENON_O_LIST}),
    tenon::choice("missing_bytes", kMissingBytes, "\"error\"",
                  "What a byte without a token is: an error, or left out as Hugging Face's tokenizers does."))
