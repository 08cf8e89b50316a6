// The box: a small static program that walls itself in and then runs other programs as the judge says. Parts of it, one file each.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "sandbox/protocol.h"

namespace tenon::sandbox {

// Says on standard error why the box cannot go on, with errno, and ends the process.
[[noreturn]] void die(const char* what);

// setup.cpp: from a fresh process to one that is walled in as config says; `map_ready`/`map_done` are pipes to the process outside that writes the
// user id map. Returns in the process that serves: pid 1 of the box where there are namespaces.
void enter_box(const BoxConfig& config, int map_ready, int map_done);
// The process outside: waits for the namespace of process `pid` and writes its id maps. False: not allowed.
bool write_id_maps(const BoxConfig& config, pid_t pid);
// A tmpfs of that size on `folder`, which is made if it is not there.
bool mount_memory(const BoxConfig& config, const char* folder, uint64_t bytes, uint64_t files);

// confine.cpp: what a program's process does to itself before it runs the program. Each returns 0 or an errno.
int set_limits(const BoxLimits& limits);
// Landlock, where the kernel has it: reading below config.read_only, writing below `writable` (nullptr: nowhere).
int restrict_files(const BoxConfig& config, const char* writable);
int drop_privileges(const BoxConfig& config);
int load_filter(const std::string& filter);

// jobs.cpp: takes jobs from the control socket until the judge closes it.
[[noreturn]] void serve(const BoxConfig& config);
// folders.cpp: empties and removes a folder, however deep what a program has left there.
void remove_folder(const std::string& path);

// check.cpp: tries from inside what must not work; prints "confined" or the first thing that worked. The program's own exit status.
int check_confinement(const char* layer);

}  // namespace tenon::sandbox
