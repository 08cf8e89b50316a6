// The bytes of the box's program, put in by the assembler: so a plugin stays one file, and nothing needs to be looked for.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/program.h"

asm(".section .rodata.tenon_box,\"a\"\n"
    ".balign 16\n"
    ".hidden tenon_box_begin\n"
    ".global tenon_box_begin\n"
    "tenon_box_begin:\n"
    ".incbin \"" TENON_BOX_FILE
    "\"\n"
    ".hidden tenon_box_end\n"
    ".global tenon_box_end\n"
    "tenon_box_end:\n"
    ".previous\n");

extern "C" const char tenon_box_begin[] __attribute__((visibility("hidden")));
extern "C" const char tenon_box_end[] __attribute__((visibility("hidden")));

namespace tenon::sandbox {

std::string_view box_program() {
  return {tenon_box_begin, static_cast<size_t>(tenon_box_end - tenon_box_begin)};
}

}  // namespace tenon::sandbox
