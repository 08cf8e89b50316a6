// The texts' bytes, put in by the assembler.
// SPDX-License-Identifier: Apache-2.0
#include "embedded.h"

#define TENON_EMBED(name, file)                                               \
  asm(".section .rodata." #name                                               \
      ",\"a\"\n"                                                              \
      ".hidden " #name "_begin\n.global " #name "_begin\n" #name              \
      "_begin:\n"                                                             \
      ".incbin \"" file                                                       \
      "\"\n"                                                                  \
      ".hidden " #name "_end\n.global " #name "_end\n" #name                  \
      "_end:\n"                                                               \
      ".previous\n");                                                         \
  extern "C" const char name##_begin[] __attribute__((visibility("hidden"))); \
  extern "C" const char name##_end[] __attribute__((visibility("hidden")))

TENON_EMBED(tenon_code_python, TENON_CODE_FOLDER "/driver.py");
TENON_EMBED(tenon_code_cpp, TENON_CODE_FOLDER "/driver_cpp.h");

namespace tenon::code {

std::string_view python_driver() {
  return {tenon_code_python_begin, static_cast<size_t>(tenon_code_python_end - tenon_code_python_begin)};
}
std::string_view cpp_driver() {
  return {tenon_code_cpp_begin, static_cast<size_t>(tenon_code_cpp_end - tenon_code_cpp_begin)};
}

}  // namespace tenon::code
