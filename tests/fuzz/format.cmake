# Fuzzer of the form of completions: where Markdown has code, and the reward think-format with it.
# SPDX-License-Identifier: Apache-2.0
set(plugins ${PROJECT_SOURCE_DIR}/plugins)
if(EXISTS ${plugins}/reward/think-format/think_format.cpp AND EXISTS ${plugins}/common/reward_support/code_spans.cpp)
  tenon_add_fuzzer(format CORPUS format_corpus MAX_LEN 16384 INCLUDES ${plugins}/common LINKS tenon::sdk
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/format_fuzz.cpp ${plugins}/reward/think-format/think_format.cpp
            ${plugins}/common/reward_support/code_spans.cpp ${plugins}/common/answer_text/extract.cpp
            ${plugins}/common/utf8/utf8.cpp)
endif()
