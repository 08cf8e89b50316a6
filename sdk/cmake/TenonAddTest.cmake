# tenon_add_test(): one GoogleTest binary, each of its cases a test of CTest's.
#
#   tenon_add_test(<name> SOURCES <file>... [LINKS <target>...] [LABELS <label>...] [TIMEOUT <seconds>] [TORCH])
#
# A test case may take 300 seconds, if TIMEOUT says nothing else.
# Labels: unit (the default), abi, e2e, package, gpu, slow. TORCH adds tenon::torch, the shared precompiled header and
# the label torch, and leaves the test out where there is no LibTorch. Nothing happens with TENON_BUILD_TESTS=OFF.
# The test's working directory is its source folder.
#
#   tenon_add_bench(<name> SOURCES <file>... [LINKS <target>...] [ARGS <argument>...] [TORCH])
#
# A program that measures and prints its table; the target `bench` builds and runs them all, one after another.
# SPDX-License-Identifier: Apache-2.0

include_guard(GLOBAL)
if(TENON_BUILD_TESTS)
  include(GoogleTest)
endif()

function(tenon_add_test name)
  if(NOT TENON_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "TIMEOUT" "SOURCES;LINKS;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_add_test(${name}): arguments not understood: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_TORCH AND NOT TARGET tenon::torch)
    message(STATUS "Skipped test ${name}: it needs LibTorch")
    return()
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} tenon_flags GTest::gmock GTest::gtest_main)
  if(arg_TORCH)
    target_link_libraries(${name} PRIVATE tenon::torch)
    # The precompiled header was made with -fPIC; an executable's own -fPIE would make it useless.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
    target_precompile_headers(${name} REUSE_FROM tenon_torch_pch)
    list(APPEND arg_LABELS torch)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX ${name}.
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # gtest_discover_tests would keep the first of several labels only; CTest reads this after the tests are discovered.
  set(labels ${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake)
  file(CONFIGURE OUTPUT ${labels} @ONLY CONTENT
    "set_tests_properties(\${@name@_TESTS} PROPERTIES LABELS \"@arg_LABELS@\")\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels})
endfunction()

if(NOT TARGET bench)
  add_custom_target(bench)
endif()

function(tenon_add_bench name)
  if(NOT TENON_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;LINKS;ARGS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_add_bench(${name}): arguments not understood: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_TORCH AND NOT TARGET tenon::torch)
    message(STATUS "Skipped bench ${name}: it needs LibTorch")
    return()
  endif()
  add_executable(${name} EXCLUDE_FROM_ALL ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} tenon_flags)
  if(arg_TORCH)
    target_link_libraries(${name} PRIVATE tenon::torch)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  add_custom_target(run_${name} COMMAND ${name} ${arg_ARGS} USES_TERMINAL)
  add_dependencies(bench run_${name})
endfunction()
