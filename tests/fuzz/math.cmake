# Fuzzers of math answers: where the answer is (math_scan), tokens and parser (math_parse), the comparison (math_compare).
# SPDX-License-Identifier: Apache-2.0
if(TARGET tenon_common_math_answer)
  set(math_library tenon_common_math_answer)
  if(TENON_FUZZ)
    # The library once more, with coverage, for the three of them.
    set(math_library fuzz_math_answer)
    get_target_property(math_folder tenon_common_math_answer SOURCE_DIR)
    get_target_property(math_sources tenon_common_math_answer SOURCES)
    list(TRANSFORM math_sources PREPEND ${math_folder}/)
    add_library(fuzz_math_answer STATIC EXCLUDE_FROM_ALL ${math_sources})
    target_include_directories(fuzz_math_answer PUBLIC ${math_folder}/..)
    target_compile_features(fuzz_math_answer PUBLIC cxx_std_20)
    target_compile_options(fuzz_math_answer PRIVATE ${TENON_FUZZ_FLAGS})
    target_link_libraries(fuzz_math_answer PUBLIC ${ARB_LIBRARY} ${FLINT_LIBRARY} ${GMP_LIBRARY})
  endif()
  set(number 1)
  foreach(what IN ITEMS scan parse compare)
    tenon_add_fuzzer(math_${what} SOURCES ${CMAKE_CURRENT_LIST_DIR}/math_fuzz.cpp CORPUS math_corpus LINKS ${math_library}
      DEFINES TENON_FUZZ_MATH=${number} MAX_LEN 2048)
    math(EXPR number "${number} + 1")
  endforeach()
endif()
