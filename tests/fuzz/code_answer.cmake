# Fuzzer of what the reward code reads outside the box: completions, rows, and the answers of programs.
# SPDX-License-Identifier: Apache-2.0
set(code_folder ${PROJECT_SOURCE_DIR}/plugins/reward/code)
if(EXISTS ${code_folder}/task.cpp)
  tenon_add_fuzzer(code_answer CORPUS code_answer_corpus MAX_LEN 16384 INCLUDES ${code_folder} ${PROJECT_SOURCE_DIR}/plugins/common
    LINKS tenon::sdk
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/code_answer_fuzz.cpp ${code_folder}/value.cpp ${code_folder}/output.cpp
            ${code_folder}/completion.cpp ${code_folder}/cpp_function.cpp ${code_folder}/task.cpp
            ${PROJECT_SOURCE_DIR}/plugins/common/utf8/utf8.cpp)
endif()
