# The installed program HOST finds its own plugins, and a stranger's in the folder PLUGINS.
# SPDX-License-Identifier: Apache-2.0
execute_process(COMMAND ${HOST} plugins --plugin-path ${PLUGINS}
  OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
foreach(name IN ITEMS brevity)
  if(NOT result EQUAL 0 OR NOT output MATCHES "${name}")
    message(FATAL_ERROR "`tenon plugins` ended with ${result} and does not list ${name}:\n${output}\n${errors}")
  endif()
endforeach()
