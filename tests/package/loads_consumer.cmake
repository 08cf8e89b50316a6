# The installed program HOST finds its own plugins, and a stranger's in the folder PLUGINS. With QUICKSTART, the installed
# configuration of that name, a few steps of it are run in the folder RUNS with that stranger's reward beside its own.
# SPDX-License-Identifier: Apache-2.0
execute_process(COMMAND ${HOST} plugins --plugin-path ${PLUGINS}
  OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
foreach(name IN ITEMS brevity)
  if(NOT result EQUAL 0 OR NOT output MATCHES "${name}")
    message(FATAL_ERROR "`tenon plugins` ended with ${result} and does not list ${name}:\n${output}\n${errors}")
  endif()
endforeach()
execute_process(COMMAND ${HOST} plugins --json --plugin-path ${PLUGINS} OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0 OR NOT output MATCHES "\"vendor\": ?\"Example Ltd\"" OR NOT output MATCHES "\"vendor\": ?\"Tenon\"")
  message(FATAL_ERROR "`tenon plugins --json` ended with ${result} and does not say who made the plugins:\n${output}")
endif()
if(NOT QUICKSTART)
  return()
endif()

file(REMOVE_RECURSE ${RUNS})
execute_process(
  COMMAND ${HOST} run ${QUICKSTART} --plugin-path ${PLUGINS} --set run.runs=${RUNS}
    --set "components.brief={use: brevity, limit: 100}"
    --set "pipeline.zero.rewards=[{of: correct}, {of: brief, weight: 0.1}]"
    --set pipeline.base.steps=2 --set pipeline.base.batch=4
    --set pipeline.zero.steps=2 --set pipeline.zero.optimizer.warmup=0 --set pipeline.zero.prompts=2
    --set pipeline.zero.group_size=2 --set pipeline.table.problems=2 --set pipeline.table.samples=1
  OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the quickstart with a stranger's reward ended with ${result}:\n${output}\n${errors}")
endif()
file(STRINGS ${RUNS}/quickstart/metrics.jsonl lines REGEX "\"stage\": ?\"zero\"")
list(LENGTH lines steps)
if(NOT steps EQUAL 2)
  message(FATAL_ERROR "metrics.jsonl has ${steps} lines of the stage zero, not 2")
endif()
foreach(line IN LISTS lines)
  # A completion of an untrained model ends anywhere, so the reward is some number from 0 to 1.
  if(NOT line MATCHES "\"reward/brief/mean\": ?(0\\.[0-9]|0[,}]|1[,}]|[0-9.]+e-)")
    message(FATAL_ERROR "a step without a number for reward/brief/mean: ${line}")
  endif()
endforeach()
