# Fuzzers of math answers: where the answer is (math_scan), tokens and parser (math_parse), the comparison (math_compare).
# SPDX-License-Identifier: Apache-2.0
set(math_folder ${PROJECT_SOURCE_DIR}/plugins/common/math_answer)
if(EXISTS ${math_folder}/CMakeLists.txt)
  file(GLOB math_sources CONFIGURE_DEPENDS ${math_folder}/*.cpp)
  list(FILTER math_sources EXCLUDE REGEX "_test\\.cpp$")
  # The library once, with coverage, for the three of them.
  add_library(fuzz_math_answer STATIC EXCLUDE_FROM_ALL ${math_sources})
  target_include_directories(fuzz_math_answer PUBLIC ${math_folder}/..)
  target_compile_features(fuzz_math_answer PUBLIC cxx_std_20)
  target_compile_options(fuzz_math_answer PRIVATE ${TENON_FUZZ_FLAGS})
  target_link_libraries(fuzz_math_answer PUBLIC ${ARB_LIBRARY} ${FLINT_LIBRARY} ${GMP_LIBRARY})
  set(number 1)
  foreach(what IN ITEMS scan parse compare)
    tenon_add_fuzzer(math_${what} SOURCES ${CMAKE_CURRENT_LIST_DIR}/math_fuzz.cpp CORPUS math_corpus LINKS fuzz_math_answer
      DEFINES TENON_FUZZ_MATH=${number} MAX_LEN 2048)
    math(EXPR number "${number} + 1")
  endforeach()
endif()
