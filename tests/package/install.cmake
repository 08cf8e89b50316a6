# Installs BUILD into STAGE, then moves that to PREFIX: whatever still points to STAGE is broken, as it would be for
# somebody who unpacks an archive.
# SPDX-License-Identifier: Apache-2.0
file(REMOVE_RECURSE ${STAGE} ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${STAGE}
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${STAGE} ${PREFIX})
foreach(file IN ITEMS include/tenon/abi.h include/dlpack/dlpack.h lib/cmake/Tenon/TenonConfig.cmake)
  if(NOT EXISTS ${PREFIX}/${file})
    message(FATAL_ERROR "${file} was not installed")
  endif()
endforeach()
file(GLOB_RECURSE texts ${PREFIX}/lib/cmake/*)
foreach(file IN LISTS texts)
  file(READ ${file} text)
  string(FIND "${text}" "${STAGE}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${file} names the folder it was installed to: the prefix cannot be moved")
  endif()
endforeach()
