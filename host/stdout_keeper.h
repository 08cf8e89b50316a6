// The standard output, kept for tenon's own answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace tenon::host {

// While it lives, what would go to the standard output (a sink's lines, a plugin's) goes to the standard error.
class StdoutKeeper {
 public:
  explicit StdoutKeeper(bool wanted = true)
      : saved_(wanted ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1) {
    if (saved_ >= 0) ::dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  ~StdoutKeeper() { give_back(); }
  StdoutKeeper(const StdoutKeeper&) = delete;
  StdoutKeeper& operator=(const StdoutKeeper&) = delete;
  // Where the standard output is meanwhile.
  int descriptor() const { return saved_ >= 0 ? saved_ : STDOUT_FILENO; }
  void give_back() {
    if (saved_ < 0) return;
    std::cout.flush();
    std::fflush(stdout);
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
    saved_ = -1;
  }

 private:
  int saved_;
};

}  // namespace tenon::host
