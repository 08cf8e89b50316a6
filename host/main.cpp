// The program `tenon`: tunes the allocator, undoes what it inherited of signals, prepares its last words, then hands over to the command line.
// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <signal.h>

#include "host/command_line.h"
#include "host/last_words.h"

namespace {

// Training asks for the same large buffers at every step. glibc would give each its own mapping, return it to
// the system, and let the kernel zero it page by page the next time; from the heap, and never trimmed, they
// are reused as they are.
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}

// Whoever starts tenon may have told its children to ignore the death of theirs, which would then leave no word of how they ended.
void hear_of_children() {
  ::signal(SIGCHLD, SIG_DFL);
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  hear_of_children();
  tenon::host::install_last_words();
  return tenon::host::command_line(argc, argv);
}
