// Hostile programs: what each tries, in Python or C++.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace tenon::attack {

enum class Form {
  kStdio,
  kFunction
};  // a program that should print "3"; a function f(x) that should return x + 1, or in C++ int f(int x)

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

}  // namespace tenon::attack
