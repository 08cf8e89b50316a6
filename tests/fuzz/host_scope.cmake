# Fuzzer of the part of a completion that a reward with a scope sees.
# SPDX-License-Identifier: Apache-2.0
tenon_add_fuzzer(host_scope CORPUS host_scope_corpus MAX_LEN 8192 INCLUDES ${PROJECT_SOURCE_DIR}
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/host_scope_fuzz.cpp ${PROJECT_SOURCE_DIR}/host/reward_scope.cpp)
