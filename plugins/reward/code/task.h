// What a row asks for: the tests in its meta, in the forms that data sets are published in.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiled.h"
#include "python.h"

namespace tenon::code {

struct Task {
  enum class Form { kStdio, kPythonTests, kCppTests };
  Form form = Form::kStdio;
  std::string language;  // "python", "cpp" or a name of the table; empty: the row does not say
  std::string prompt;    // what a completion may continue
  std::vector<std::string> inputs, outputs;  // kStdio
  PythonTests python;
  CppTests cpp;
};

// A language by one of its names, in any case: "Python3" is "python", "C++" is "cpp".
std::string language_of(std::string name);

// Reads a row's meta (a JSON object). Forms, the first that fits:
//   tests | input_output: {inputs: [], outputs: []}, as an object or as JSON text; or a list of {input, output}
//   test_list: [assert…], test_setup_code | test_setup         (MBPP)
//   test with main(), declaration | prompt                     (HumanEval-X and MBXP in C++)
//   test with check(candidate), prompt, entry_point            (HumanEval)
// `row_prompt` stands in for an absent prompt. Throws NoReward (not applicable) where there are no tests to be read.
Task read_task(std::string_view meta_json, std::string_view row_prompt);

// The program in a completion: the last fenced block in the task's language after the thought, or the text itself; joined with the row's prompt where it
// continues it or leaves its imports out. Empty: there is no code. `language`: of stdio tasks that do not say theirs, what the block says, or `fallback`.
std::string program_of(const Task& task, std::string_view completion, const std::string& fallback,
                       std::string& language);

}  // namespace tenon::code
