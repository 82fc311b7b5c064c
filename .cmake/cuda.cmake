# SPDX-License-Identifier: Apache-2.0
# nvcc for our own programs, where there is one: DINOMALY_HAS_CUDA says so, and dinomaly::cuda is what they link.
#
# Architectures are always named: `native` on a machine without a GPU would mean sm_75, which has no bfloat16.
set(DINOMALY_HAS_CUDA FALSE)
if(DINOMALY_CUDA STREQUAL "OFF" OR DINOMALY_SANITIZE)
    return()
endif()

find_program(DINOMALY_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
if(NOT DINOMALY_NVCC)
    if(DINOMALY_CUDA STREQUAL "ON")
        message(FATAL_ERROR "DINOMALY_CUDA=ON, but no nvcc was found: put it on the PATH or set DINOMALY_NVCC")
    endif()
    message(STATUS "No nvcc: the programs are built for the CPU alone")
    return()
endif()

# Where a GPU is, programs are built for it alone; else to run anywhere: Ampere, Hopper, Blackwell, and what comes later
# by PTX. Tests that only a GPU can run are then built on demand, for one architecture: that they compile is checked.
execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader OUTPUT_VARIABLE capabilities
                RESULT_VARIABLE failed ERROR_QUIET)
if(NOT failed AND capabilities MATCHES "([0-9]+)\\.([0-9]+)")
    set(has_gpu ON)
    set(architectures "${CMAKE_MATCH_1}${CMAKE_MATCH_2}-real")
    set(DINOMALY_TEST_ARCHITECTURES "${architectures}")
else()
    set(has_gpu OFF)
    set(architectures 80-real 90-real 100-real 120)
    set(DINOMALY_TEST_ARCHITECTURES 90-real)
endif()
if(DINOMALY_CUDA_ARCHITECTURES)
    set(architectures ${DINOMALY_CUDA_ARCHITECTURES})
    set(DINOMALY_TEST_ARCHITECTURES ${DINOMALY_CUDA_ARCHITECTURES})
endif()
option(DINOMALY_GPU_TESTS "Build the tests that need a GPU" ${has_gpu})
message(STATUS "CUDA: ${DINOMALY_NVCC} for ${architectures}")

set(CMAKE_CUDA_COMPILER "${DINOMALY_NVCC}")
set(CMAKE_CUDA_ARCHITECTURES "${architectures}")
enable_language(CUDA)
include(.cmake/dinomalyCuda.cmake)
if(TARGET dinomaly::cuda)
    set(DINOMALY_HAS_CUDA TRUE)
elseif(DINOMALY_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DINOMALY_CUDA=ON, but the CUDA toolkit of ${DINOMALY_NVCC} has no cuBLASLt")
else()
    message(STATUS "nvcc without cuBLASLt: the programs are built for the CPU alone")
endif()
