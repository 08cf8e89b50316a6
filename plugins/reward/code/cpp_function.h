// The text of C++ solutions and tests of one function: which function, and what is compiled of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenon::code {

// Tests of one C++ function: a program whose main() asserts.
struct CppTests {
  std::string
      declaration;  // helpers and the head of the function, up to its "{" or into its body: what a completion continues
  std::string includes;  // a text with further #include lines
  std::string test;      // with main()
};

// The head of the function that a declaration ends in.
struct FunctionHead {
  std::string before;                   // everything ahead of it
  std::string text;                     // "bool f(vector<float> numbers, float threshold)"
  std::string name;                     // "f"
  size_t name_at = 0;                   // in text
  std::vector<std::string> parameters;  // names
};
// Nothing where it cannot be read: `why` says so.
bool read_head(const std::string& declaration, FunctionHead& out, std::string& why);

// Whether an #include line of `source` has `what`. Linear.
bool includes(const std::string& source, std::string_view what);
// The #include lines of a text.
std::string include_lines(const std::string& text);

// The program of a completion's code: the code itself where it defines the function, with what the row has ahead of it; otherwise the row's declaration,
// continued. Linear in `code`.
std::string join_cpp(const CppTests& tests, const std::string& code);

// What is compiled of the tests and of a solution, each with the driver (driver_cpp.h), which calls the one from the other.
std::string tests_source(const CppTests& tests, const FunctionHead& head, std::string_view driver);
std::string solution_source(const std::string& program, const FunctionHead& head, std::string_view driver);

}  // namespace tenon::code
