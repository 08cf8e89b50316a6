# Fails unless PLUGIN exports one symbol, tenon_plugin_query_v1, and can be loaded from any folder (no unresolved symbol
# was left by the linker's -z defs; no text relocation; no old-style RPATH).
# SPDX-License-Identifier: Apache-2.0
execute_process(COMMAND ${READELF} --dyn-syms --wide ${PLUGIN} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" symbols "${symbols}")
set(exported "")
foreach(line IN LISTS symbols)
  # Num: Value Size Type Bind Visibility Index Name
  if(line MATCHES "^ *[0-9]+: +[0-9a-f]+ +[0-9a-fx]+ +[A-Z_]+ +(GLOBAL|WEAK|UNIQUE) +(DEFAULT|PROTECTED) +[0-9]+ ([^ @]+)")
    list(APPEND exported ${CMAKE_MATCH_3})
  endif()
endforeach()
if(NOT exported STREQUAL "tenon_plugin_query_v1")
  list(JOIN exported "\n  " lines)
  message(FATAL_ERROR "${PLUGIN} must export tenon_plugin_query_v1 alone; it exports:\n  ${lines}")
endif()
execute_process(COMMAND ${READELF} -d ${PLUGIN} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
if(dynamic MATCHES "(TEXTREL|\\(RPATH\\)[^\n]*)")
  message(FATAL_ERROR "${PLUGIN}: ${CMAKE_MATCH_1}")
endif()
