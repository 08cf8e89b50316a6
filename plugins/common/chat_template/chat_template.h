// Chat templates: a small, safe renderer of the part of Jinja that they use.
// SPDX-License-Identifier: Apache-2.0
//
// Renders as transformers' apply_chat_template does: jinja2 with trim_blocks and lstrip_blocks, the loop controls, and
// the additions tojson, raise_exception, strftime_now and {% generation %} (which only marks text, and is transparent).
//
// Statements: for (with `if`, else, break, continue), if/elif/else, set (name, namespace attribute, block), macro,
//   generation.
// Expressions: literals, names, . [] slices, calls, + - * / // % ** ~, comparisons, in, and/or/not, x if c else y.
// Filters: abs capitalize count d default dictsort first float int items join last length list lower map reject
//   rejectattr replace reverse safe select selectattr string title tojson trim upper.
// Tests: boolean defined divisibleby eq equalto even false float in integer iterable lower mapping ne none number odd
//   sameas sequence string true undefined upper.
// Methods of strings: capitalize count endswith find lower lstrip replace rsplit rstrip split splitlines startswith
//   strip title upper; of dictionaries: get items keys values.
// Globals: namespace, raise_exception, range, dict, and strftime_now when the time is given.
// A tuple is a list (and prints as one), a dictionary's keys are strings, and a final sigma is not special to lower().
// Everything else is an error with line and column: unknown filters, tests and statements when the template is parsed,
// unknown methods and functions when they are called.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tenon::chat {

// "<name>:<line>:<column>: <what>"; line and column count from 1, columns in bytes.
class TemplateError : public std::runtime_error {
 public:
  TemplateError(const std::string& name, uint32_t line, uint32_t column, const std::string& what)
      : std::runtime_error(name + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + what) {}
};

struct RenderOptions {
  // What strftime_now() formats. Without it the function is not defined, so that a template which asks for the date
  // takes its fixed fallback, and a run does not depend on the day it is made.
  std::optional<std::tm> now;
};

// A parsed template. Immutable: any thread may render.
class ChatTemplate {
 public:
  // `name` is for error messages. Throws TemplateError for a syntax error or an unsupported construct.
  static ChatTemplate parse(std::string_view source, const std::string& name);

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // Renders with `variables` as the globals: messages, add_generation_prompt, bos_token, ... Throws TemplateError for
  // what jinja2 would raise, for raise_exception() (with the template's own text), and when the work exceeds a bound
  // that no chat template of a real conversation reaches (2^28 units of about a nanosecond), or macros call each
  // other more than 64 deep.
  std::string render(const boost::json::object& variables, const RenderOptions& options = {}) const;

 private:
  struct State;
  explicit ChatTemplate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tenon::chat
