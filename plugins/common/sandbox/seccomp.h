// The system calls that a program in the box may make, as BPF programs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tenon::sandbox {

// struct sock_filter[] for Policy::kRun: compute, read files, use the standard streams, start threads. What a harmless program may ask for
// (a socket, a file to write, a new process) fails with EPERM; everything else kills the process. Throws std::runtime_error.
std::string run_filter();

// For Policy::kBuild: processes and files besides. may_change_modes: modes and times of files by path, which Landlock does not restrict: only where no file
// of the judge's can be reached or changed.
std::string build_filter(bool may_change_modes);

}  // namespace tenon::sandbox
