# LibTorch for the plugins that want it: finds one and makes the target tenon::torch.
#
#   tenon_find_torch([REQUIRED])   sets TENON_TORCH_FOUND and TENON_TORCH_ROOT (the folder with include/ and lib/)
#   tenon_add_torch_pch()          the precompiled header that every TORCH target of this tree shares
#   tenon_install_torch()          installs its libraries into lib/torch/lib, where installed plugins look first
#
# Looked for in TENON_TORCH_DIR (variable, then environment) and nowhere else if that is set; else in CMAKE_PREFIX_PATH;
# else in build/deps/torch, which `make deps` fills. LibTorch's own TorchConfig.cmake is not used: that of a CUDA wheel
# stops without a CUDA toolkit, and it links every library. Ours links torch_cpu and c10, and torch_cuda and c10_cuda
# with TENON_CUDA=ON where they exist.
# SPDX-License-Identifier: Apache-2.0

# Folders that may hold include/ATen and lib/libtorch_cpu.so, for one prefix: LibTorch's zip, a site-packages or a
# `pip install --target` folder, or what torch.utils.cmake_prefix_path prints (<root>/share/cmake).
function(_tenon_torch_roots out)
  set(roots "")
  foreach(prefix IN LISTS ARGN)
    if(prefix)
      list(APPEND roots ${prefix} ${prefix}/torch ${prefix}/libtorch ${prefix}/../.. ${prefix}/lib/torch)
    endif()
  endforeach()
  set(${out} ${roots} PARENT_SCOPE)
endfunction()

function(tenon_find_torch)
  cmake_parse_arguments(PARSE_ARGV 0 arg "REQUIRED" "" "")
  if(TENON_TORCH_DIR)
    set(prefixes ${TENON_TORCH_DIR})
  elseif(NOT "$ENV{TENON_TORCH_DIR}" STREQUAL "")
    set(prefixes "$ENV{TENON_TORCH_DIR}")
  else()
    string(REPLACE ":" ";" from_environment "$ENV{CMAKE_PREFIX_PATH}")
    set(prefixes ${CMAKE_PREFIX_PATH} ${from_environment})
    if(Tenon_SOURCE_DIR)
      list(APPEND prefixes ${Tenon_SOURCE_DIR}/build/deps/torch)
    endif()
  endif()

  set(root "")
  _tenon_torch_roots(candidates ${prefixes})
  foreach(candidate IN LISTS candidates)
    if(EXISTS ${candidate}/include/ATen/ATen.h AND EXISTS ${candidate}/lib/libtorch_cpu.so)
      get_filename_component(root ${candidate} REALPATH)
      break()
    endif()
  endforeach()

  if(NOT root)
    set(TENON_TORCH_FOUND FALSE PARENT_SCOPE)
    if(arg_REQUIRED)
      list(JOIN prefixes "\n    " searched)
      message(FATAL_ERROR "LibTorch was not found. Searched:\n    ${searched}\n"
        "Either run `make deps`, or name one: -DTENON_TORCH_DIR=<folder with torch/> (or CMAKE_PREFIX_PATH), "
        "or build without it: cmake --preset core")
    endif()
    message(STATUS "LibTorch: not found")
    return()
  endif()

  set(version "unknown")
  foreach(header IN ITEMS include/torch/headeronly/version.h include/torch/csrc/api/include/torch/version.h)
    if(version STREQUAL "unknown" AND EXISTS ${root}/${header})
      file(READ ${root}/${header} text)
      if(text MATCHES "#define TORCH_VERSION[ \\\n]+\"([^\"]+)\"")
        set(version ${CMAKE_MATCH_1})
      endif()
    endif()
  endforeach()

  if(EXISTS ${root}/share/cmake/Torch/TorchConfig.cmake)
    file(STRINGS ${root}/share/cmake/Torch/TorchConfig.cmake old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
    if(old_abi)
      message(FATAL_ERROR "LibTorch ${version} in ${root} was built for the C++ ABI from before C++11, "
        "which the other libraries do not use. Take a newer LibTorch (2.7 and later are right).")
    endif()
  endif()

  if(NOT TARGET tenon::torch)
    add_library(tenon::torch INTERFACE IMPORTED GLOBAL)
    set(libraries torch_cpu c10)
    if(TENON_CUDA AND EXISTS ${root}/lib/libtorch_cuda.so)
      list(APPEND libraries torch_cuda c10_cuda)
    endif()
    foreach(library IN LISTS libraries)
      add_library(tenon::${library} SHARED IMPORTED GLOBAL)
      set_target_properties(tenon::${library} PROPERTIES
        IMPORTED_LOCATION ${root}/lib/lib${library}.so IMPORTED_NO_SONAME OFF)
      target_link_libraries(tenon::torch INTERFACE tenon::${library})
    endforeach()
    target_include_directories(tenon::torch SYSTEM INTERFACE
      ${root}/include ${root}/include/torch/csrc/api/include)
    # libtorch_cpu.so needs CUDA's run-time libraries, which the loader finds beside it and the linker does not.
    target_link_options(tenon::torch INTERFACE -Wl,--allow-shlib-undefined)
  endif()
  message(STATUS "LibTorch: ${version} in ${root}")
  set(TENON_TORCH_FOUND TRUE PARENT_SCOPE)
  set(TENON_TORCH_ROOT ${root} PARENT_SCOPE)
  set(TENON_TORCH_VERSION ${version} PARENT_SCOPE)
endfunction()

# LibTorch's headers take 10 s a file to parse; read once, 2 s.
function(tenon_add_torch_pch)
  file(WRITE ${CMAKE_BINARY_DIR}/torch_pch/pch.cpp.new "// Carries the shared precompiled header of LibTorch.\n")
  file(COPY_FILE ${CMAKE_BINARY_DIR}/torch_pch/pch.cpp.new ${CMAKE_BINARY_DIR}/torch_pch/pch.cpp ONLY_IF_DIFFERENT)
  add_library(tenon_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch/pch.cpp)
  target_link_libraries(tenon_torch_pch PRIVATE tenon_flags tenon::torch)
  target_precompile_headers(tenon_torch_pch PRIVATE
    <ATen/ATen.h>
    <torch/csrc/autograd/custom_function.h>
    <torch/csrc/autograd/variable.h>)
endfunction()

function(tenon_install_torch)
  if(NOT TENON_TORCH_FOUND)
    message(FATAL_ERROR "TENON_INSTALL_TORCH is ON and there is no LibTorch to install (TENON_WITH_TORCH=OFF?)")
  endif()
  set(unwanted REGEX "libtorch_python|libshm|libcaffe2_nvrtc" EXCLUDE)
  if(NOT TENON_CUDA)
    list(APPEND unwanted REGEX "libtorch_cuda|libc10_cuda|libtorch_nvshmem|libtorch\\.so" EXCLUDE)
  endif()
  install(DIRECTORY ${TENON_TORCH_ROOT}/lib/ DESTINATION lib/torch/lib COMPONENT torch
    FILES_MATCHING PATTERN "*.so*" ${unwanted})
  # PyPI's wheels of CUDA's run-time libraries lie beside torch/, and LibTorch looks for them there.
  install(DIRECTORY ${TENON_TORCH_ROOT}/../nvidia DESTINATION lib COMPONENT torch OPTIONAL
    FILES_MATCHING PATTERN "*.so*")
endfunction()
