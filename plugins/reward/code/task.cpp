// Rows and completions to programs and tests.
// SPDX-License-Identifier: Apache-2.0
#include "task.h"

#include <algorithm>

#include "completion.h"
#include "tenon/reward.hpp"

namespace tenon::code {

namespace {

// A field's JSON value; where it is a string, the JSON in the string.
std::string json_value(std::string_view object, std::string_view key) {
  return json::text_field(object, key).value_or("");
}

std::string text(std::string_view raw) {
  return json::text_field("{\"x\":" + std::string(raw) + "}", "x").value_or("");
}

std::vector<std::string> texts(std::string_view list) {
  std::vector<std::string> out;
  for (std::string_view one : json::elements(list)) {
    if (one.starts_with('[') || one.starts_with('{')) not_applicable("a test of the row is no text");
    out.push_back(text(one));
  }
  return out;
}

void read_stdio(const std::string& tests, Task& task) {
  if (tests.starts_with('[')) {
    for (std::string_view one : json::elements(tests)) {
      task.inputs.push_back(json::text_field(one, "input").value_or(""));
      auto output = json::text_field(one, "output");
      if (!output) not_applicable("a test of the row has no output");
      task.outputs.push_back(*output);
    }
  } else {
    const std::string inputs = json_value(tests, "inputs"), outputs = json_value(tests, "outputs");
    if (!inputs.starts_with('[') || !outputs.starts_with('['))
      not_applicable("the row's tests have no lists inputs and outputs");
    if (json::text_field(tests, "fn_name"))
      not_applicable("tests that call a function by fn_name are not supported; give test_list");
    task.inputs = texts(inputs);
    task.outputs = texts(outputs);
  }
  if (task.inputs.empty() || task.inputs.size() != task.outputs.size())
    not_applicable("the row has " + std::to_string(task.inputs.size()) + " inputs and " +
                   std::to_string(task.outputs.size()) + " outputs");
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Where a line begins that defines the function; npos if none does.
size_t definition_at(const std::string& program, const std::string& name) {
  for (const char* how : {"def ", "async def ", "class "}) {
    const std::string wanted = how + name;
    for (size_t at = program.find(wanted); at != std::string::npos; at = program.find(wanted, at + 1)) {
      const size_t end = at + wanted.size();
      if ((at == 0 || program[at - 1] == '\n') && (end == program.size() || !is_word(program[end])))
        return at;
    }
  }
  return std::string::npos;
}

// `from __future__` has to come before everything else.
std::string with_future_first(const std::string& program) {
  std::string first, rest;
  for (size_t at = 0; at < program.size();) {
    const size_t end = std::min(program.find('\n', at), program.size() - 1) + 1;
    const std::string_view line = std::string_view(program).substr(at, end - at);
    (line.starts_with("from __future__ import ") && line.find('(') == std::string_view::npos ? first
                                                                                             : rest) += line;
    at = end;
  }
  return first + rest;
}

std::string python_program(const Task& task, std::string_view answer) {
  const auto block = last_block(answer, {"python", "py", "python3"});
  const std::string code = block ? block->code : std::string(answer);
  const std::string& entry = task.python.entry;
  if (task.form != Task::Form::kPythonTests || entry.empty()) return code;
  const size_t head = definition_at(task.prompt, entry);
  if (head == std::string::npos) return code;
  if (definition_at(code, entry) != std::string::npos)
    return with_future_first(task.prompt.substr(0, head) + "\n" + code);
  return task.prompt + (block ? code : std::string(until_function_ends(answer, true)));
}

std::string cpp_program(const Task& task, std::string_view answer) {
  const auto block = last_block(answer, {"cpp", "c++", "cc", "cxx", "c"});
  if (task.form != Task::Form::kCppTests) return block ? block->code : std::string(answer);
  return join_cpp(task.cpp, block ? block->code : std::string(answer));
}

Task read(std::string_view meta, std::string_view row_prompt) {
  Task task;
  task.language = language_of(json_value(meta, "language"));
  task.prompt = json::text_field(meta, "prompt").value_or(std::string(row_prompt));
  for (const char* field : {"tests", "input_output"})
    if (const std::string tests = json_value(meta, field); !tests.empty()) {
      read_stdio(tests, task);
      return task;
    }
  if (const std::string list = json_value(meta, "test_list"); list.starts_with('[')) {
    task.form = Task::Form::kPythonTests;
    task.python.tests = texts(list);
    task.python.setup = json_value(meta, "test_setup_code") + json_value(meta, "test_setup");
    task.python.entry = json_value(meta, "entry_point");
    task.language = "python";
    if (task.python.tests.empty()) not_applicable("the row's test_list is empty");
    return task;
  }
  const std::string test = json_value(meta, "test");
  if (test.empty())
    not_applicable("the row has no tests: none of the fields tests, input_output, test_list, test");
  if (task.language == "cpp" ||
      (test.find("int main") != std::string::npos && test.find("def check") == std::string::npos)) {
    task.form = Task::Form::kCppTests;
    task.cpp.includes = json_value(meta, "declaration");
    task.cpp.declaration = task.prompt.find('{') == std::string::npos ? task.cpp.includes : task.prompt;
    task.cpp.test = test;
    task.language = "cpp";
    return task;
  }
  task.form = Task::Form::kPythonTests;
  task.language = "python";
  task.python.entry = json_value(meta, "entry_point");
  if (task.python.entry.empty()) not_applicable("the row has a test and no entry_point");
  task.python.prelude = task.prompt;
  task.python.tests = {test};
  task.python.check = true;
  return task;
}

}  // namespace

std::string language_of(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (name == "c++") return "cpp";
  return name == "python3" || name == "py" ? "python" : name;
}

Task read_task(std::string_view meta, std::string_view row_prompt) {
  try {
    return read(meta, row_prompt);
  } catch (const Error& e) {  // JSON in a text of the row
    not_applicable(std::string("the row cannot be read: ") + e.what());
  }
}

std::string program_of(const Task& task, std::string_view completion, const std::string& fallback,
                       std::string& language) {
  const std::string_view answer = after_thought(completion);
  if (answer.find_first_not_of(" \t\r\n") == std::string_view::npos) return "";
  language = task.language;
  if (language.empty() && fallback != "auto") language = fallback;
  if (language.empty()) {
    const auto block = last_block(answer, {"python", "py", "python3", "cpp", "c++", "cc", "cxx"});
    language = block && block->language.starts_with('c') ? "cpp" : "python";
  }
  if (language == "python") return python_program(task, answer);
  if (language == "cpp") return cpp_program(task, answer);
  const auto block = last_block(answer, {language});
  return block ? block->code : std::string(answer);
}

}  // namespace tenon::code
