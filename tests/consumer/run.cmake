# SPDX-License-Identifier: Apache-2.0
# cmake -D FORM=package|component|cuda|subdirectory -D SOURCE= -D BUILD= -D COMPILER= -D GENERATOR= -D NVCC= -P run.cmake
# Builds the outside project in a scratch directory of the build and runs it.
#   package        find_package(dinomaly) of an installation
#   component      the same with COMPONENTS core, where only Eigen can be found
#   cuda           the same with COMPONENTS core cuda: nvcc compiles and links the program
#   subdirectory   add_subdirectory() of the checkout, which must bring none of our own programs
set(scratch "${BUILD}/consumer/${FORM}")
set(prefix "${scratch}/prefix")
file(REMOVE_RECURSE "${scratch}")

function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(options "")
if(FORM STREQUAL "subdirectory")
    list(APPEND options -D "DINOMALY_SOURCE=${SOURCE}")
else()
    run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}" --component development)
    list(APPEND options -D "CMAKE_PREFIX_PATH=${prefix}")
endif()
if(FORM STREQUAL "component")
    list(APPEND options -D COMPONENTS=core -D LIBRARY=dinomaly::core)
elseif(FORM STREQUAL "cuda")
    list(APPEND options -D COMPONENTS=core,cuda -D LIBRARY=dinomaly::cuda -D LANGUAGE=CUDA
                        -D CMAKE_CUDA_ARCHITECTURES=90 -D "CMAKE_CUDA_COMPILER=${NVCC}")
endif()
if(FORM MATCHES "component|cuda")
    foreach(unneeded ZLIB PNG JPEG TIFF libdeflate nlohmann_json xxhash)
        list(APPEND options -D CMAKE_DISABLE_FIND_PACKAGE_${unneeded}=ON)
    endforeach()
endif()

run("${CMAKE_COMMAND}" -S "${SOURCE}/tests/consumer" -B "${scratch}/build" -G "${GENERATOR}"
    -D "CMAKE_CXX_COMPILER=${COMPILER}" ${options})
run("${CMAKE_COMMAND}" --build "${scratch}/build")
execute_process(COMMAND "${scratch}/build/consumer" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "the consumer printed: ${output}")

set(expected "loss 2, gradient [-1.33333, -1.33333, 2.66667] [3]")
string(STRIP "${output}" output)
if(NOT output STREQUAL "${expected}")
    message(FATAL_ERROR "'${expected}' expected")
endif()
