// Hostile programs: what each tries, in Python or C++.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace tenon::attack {

enum class Form {
  kStdio,     // a program that should print "3"
  kFunction,  // a function f(x) that should return x + 1, or in C++ int f(int x)
  kApart      // the same in Python, with tests that run in a process of their own
};

struct Attack {
  const char* group;
  const char* name;
  const char* language;  // "python", "cpp"
  Form form;
  std::string code;
  // Verdicts that are right, separated by '|'. "ok": the attack did no harm and the program goes on to print what it should.
  const char* expected;
};

// secret: a file that this user can read and no program may; port: where the judge listens on loopback.
std::vector<Attack> attacks(const std::string& secret, int port);

// Parts of the list.
std::vector<Attack> more_of_processes(const std::string& secret);
std::vector<Attack> more_of_files(const std::string& secret);
std::vector<Attack> more_of_others(const std::string& secret);
std::vector<Attack> more_of_verdicts(const std::string& secret);

// What hostile programs are made of: Python and C++ that tries something and prints "3" if it did not work, "worked" if it did; C++ with everything included.
std::string py_try(const std::string& expression);
// The same of an expression in `x` for each of some values: one that does not work keeps no other from being tried.
std::string py_each(const std::string& values, const std::string& expression);
std::string cpp_try(const std::string& includes, const std::string& expression);
std::string cpp(const std::string& body);

}  // namespace tenon::attack
