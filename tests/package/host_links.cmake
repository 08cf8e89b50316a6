# Fails if the program HOST needs LibTorch or CUDA: those belong to plugins.
# SPDX-License-Identifier: Apache-2.0
execute_process(COMMAND ${READELF} -d ${HOST} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "NEEDED[^\n]*" needed "${dynamic}")
list(TRANSFORM needed REPLACE ".*\\[(.*)\\]" "\\1")
if(NOT needed)
  message(FATAL_ERROR "readelf found no needed library in ${HOST}; is it the program?")
endif()
list(FILTER needed INCLUDE REGEX "torch|c10|cuda|cublas|cudnn|nccl|nvrtc|cupti")
if(needed)
  list(JOIN needed "\n  " lines)
  message(FATAL_ERROR "${HOST} links what only plugins may:\n  ${lines}")
endif()
