# SPDX-License-Identifier: Apache-2.0
# How our own executables are compiled. None of this reaches a project that links dinomaly.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)  # clang-tidy and editors read them

add_library(dinomaly_build_flags INTERFACE)
# cxx_flags(FLAG...): flags for what the host's compiler compiles; nvcc has its own.
function(cxx_flags)
    foreach(flag IN LISTS ARGN)
        target_compile_options(dinomaly_build_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${flag}>")
    endforeach()
endfunction()
cxx_flags(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(DINOMALY_NATIVE)
    cxx_flags(-march=native)
endif()
target_compile_options(dinomaly_build_flags INTERFACE
                       "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Werror all-warnings>")

# g++ 12 sees overlapping copies in "text" + std::string that are not there (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    cxx_flags(-Wno-restrict)
endif()

# g++ collects its garbage from 128 MB on. Where there is memory for it, not to do so below 2 GB makes it a tenth faster.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    cmake_host_system_information(RESULT memory QUERY TOTAL_PHYSICAL_MEMORY)
    cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
    math(EXPR memory_of_a_job "${memory} / ${cores}")
    if(memory_of_a_job GREATER 8000)
        cxx_flags(--param=ggc-min-heapsize=2097152)
    endif()
endif()

if(DINOMALY_SANITIZE)
    # -Og: half the compile time of -O1 with instrumentation. With either g++ 12 sees uninitialised values in
    # <immintrin.h> and in Eigen that are not there.
    cxx_flags(-fsanitize=${DINOMALY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -Og -g1
              -Wno-maybe-uninitialized)
    target_link_options(dinomaly_build_flags INTERFACE -fsanitize=${DINOMALY_SANITIZE})
endif()

# dinomaly_program(TARGET SOURCES a.cpp ... [LIBS other::library ...])
# An executable build/bin/TARGET that uses the library.
function(dinomaly_program target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
        message(FATAL_ERROR "dinomaly_program(${target}): SOURCES and LIBS expected, found '${ARGN}'")
    endif()
    add_executable(${target} ${arg_SOURCES})
    target_link_libraries(${target} PRIVATE dinomaly::dinomaly dinomaly_build_flags ${arg_LIBS})
endfunction()
