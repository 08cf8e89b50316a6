# tenon_add_plugin(): one plugin, in this tree and, after find_package(Tenon), in anybody's.
#
#   tenon_add_plugin(<id> KIND <kind>
#     SOURCES <file>...          the plugin's sources
#     [LINKS <target>...]        libraries it needs; tenon::sdk is always among them
#     [VENDOR <text>] [LICENSE <SPDX id>] [URL <text>]
#                                who made it; without, TENON_PLUGIN_VENDOR, _LICENSE and _URL, and without those empty
#     [TORCH]                    it uses LibTorch: links tenon::torch, is left out where there is no LibTorch
#     [TESTS <file>...]          GoogleTest sources; each becomes a test of its own that has the plugin's objects in it
#     [TEST_LINKS <target>...])  libraries that only the tests need
#
# makes the module <build>/lib/tenon/plugins/<kind>.<id>.so (target plugin_<kind>_<id>), which exports nothing but
# tenon_plugin_query_v1, and installs it. Its objects are the target plugin_<kind>_<id>_objects.
#
#   tenon_add_plugin_part(<id> KIND <kind> PART <part> SOURCES ... [LINKS ...] [TORCH] [TESTS ...] [TEST_LINKS ...])
#
# makes a library that the plugin itself opens later (it exports tenon_*), so that the plugin stays quick to open:
# <build>/lib/tenon/plugins/parts/<kind>.<id>.<part>.so (target plugin_<kind>_<id>_<part>).
# SPDX-License-Identifier: Apache-2.0

include_guard(GLOBAL)

# GNUInstallDirs is not asked for: the host looks for its plugins in ../lib/tenon/plugins.
set(_tenon_plugin_dir lib/tenon/plugins)
set(_tenon_cmake_dir ${CMAKE_CURRENT_LIST_DIR})

# Adds target, a module called output in dir that exports what the version script exports says, and target_objects.
function(_tenon_add_module target output dir exports torch)
  cmake_parse_arguments(PARSE_ARGV 5 arg "" "" "SOURCES;LINKS;TESTS;TEST_LINKS")
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "${target}: SOURCES is empty")
  endif()
  if(torch AND NOT TARGET tenon::torch)
    message(STATUS "Skipped ${output}: it needs LibTorch")
    return()
  endif()

  add_library(${target}_objects OBJECT ${arg_SOURCES})
  target_link_libraries(${target}_objects PUBLIC tenon::sdk ${arg_LINKS})
  target_compile_features(${target}_objects PUBLIC cxx_std_20)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target}_objects PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
  endif()
  if(TARGET tenon_flags)
    target_link_libraries(${target}_objects PRIVATE tenon_flags)
  endif()
  if(torch)
    target_link_libraries(${target}_objects PUBLIC tenon::torch)
    if(TARGET tenon_torch_pch)
      target_precompile_headers(${target}_objects REUSE_FROM tenon_torch_pch)
    endif()
  endif()
  set_target_properties(${target}_objects PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    CXX_EXTENSIONS OFF)

  add_library(${target} MODULE)
  target_link_libraries(${target} PRIVATE ${target}_objects)
  set_target_properties(${target} PROPERTIES
    PREFIX "" SUFFIX ".so" OUTPUT_NAME ${output} LINKER_LANGUAGE CXX
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${dir})
  # No undefined symbols; nothing of a static library is exported.
  target_link_options(${target} PRIVATE
    -Wl,-z,defs -Wl,--exclude-libs,ALL -Wl,--version-script=${_tenon_cmake_dir}/${exports})
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${_tenon_cmake_dir}/${exports})
  if(torch)
    # First a LibTorch installed in the same prefix (lib/torch/lib), then the one it was built with.
    string(REGEX REPLACE "[^/]+" ".." up ${dir})
    set_target_properties(${target} PROPERTIES
      INSTALL_RPATH "$ORIGIN/${up}/lib/torch/lib;${TENON_TORCH_ROOT}/lib")
  endif()
  install(TARGETS ${target} LIBRARY DESTINATION ${dir} COMPONENT plugins)

  if(COMMAND tenon_add_test)
    foreach(file IN LISTS arg_TESTS)
      get_filename_component(stem ${file} NAME_WE)
      set(needs "")
      if(torch)
        set(needs TORCH)
      endif()
      tenon_add_test(${target}_${stem} SOURCES ${file} LINKS ${target}_objects ${arg_TEST_LINKS}
        LABELS unit ${needs})
    endforeach()
  endif()
endfunction()

function(_tenon_check_plugin_arguments id kind unparsed)
  if(unparsed)
    message(FATAL_ERROR "tenon_add_plugin(${id}): arguments not understood: ${unparsed}")
  endif()
  set(kinds reward dataset tokenizer model sampler algorithm optimizer stage communicator sink)
  if(NOT kind IN_LIST kinds)
    list(JOIN kinds ", " names)
    message(FATAL_ERROR "tenon_add_plugin(${id}): KIND is \"${kind}\"; it must be one of ${names}")
  endif()
endfunction()

function(tenon_add_plugin id)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "KIND;VENDOR;LICENSE;URL" "SOURCES;LINKS;TESTS;TEST_LINKS")
  _tenon_check_plugin_arguments("${id}" "${arg_KIND}" "${arg_UNPARSED_ARGUMENTS}")
  _tenon_add_module(plugin_${arg_KIND}_${id} ${arg_KIND}.${id} ${_tenon_plugin_dir} plugin.map ${arg_TORCH}
    SOURCES ${arg_SOURCES} LINKS ${arg_LINKS} TESTS ${arg_TESTS} TEST_LINKS ${arg_TEST_LINKS})
  if(TARGET plugin_${arg_KIND}_${id})
    foreach(what IN ITEMS VENDOR LICENSE URL)
      if(NOT DEFINED arg_${what})
        set(arg_${what} "${TENON_PLUGIN_${what}}")
      endif()
      if(arg_${what})
        target_compile_definitions(plugin_${arg_KIND}_${id}_objects PRIVATE "TENON_PLUGIN_${what}=\"${arg_${what}}\"")
      endif()
    endforeach()
    set_property(GLOBAL APPEND PROPERTY TENON_PLUGINS plugin_${arg_KIND}_${id})
  endif()
endfunction()

function(tenon_add_plugin_part id)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "KIND;PART" "SOURCES;LINKS;TESTS;TEST_LINKS")
  _tenon_check_plugin_arguments("${id}" "${arg_KIND}" "${arg_UNPARSED_ARGUMENTS}")
  _tenon_add_module(plugin_${arg_KIND}_${id}_${arg_PART} ${arg_KIND}.${id}.${arg_PART} ${_tenon_plugin_dir}/parts
    plugin_part.map ${arg_TORCH} SOURCES ${arg_SOURCES} LINKS ${arg_LINKS} TESTS ${arg_TESTS} TEST_LINKS ${arg_TEST_LINKS})
endfunction()
