# SPDX-License-Identifier: Apache-2.0
# dinomaly::cuda, what CUDA sources that use the library link: its headers for nvcc, the runtime, cuBLASLt.
# They are compiled by nvcc: enable_language(CUDA), files named .cu, and CMAKE_CUDA_ARCHITECTURES 80 or newer.
find_package(CUDAToolkit 12 QUIET)
if(NOT TARGET CUDA::cublasLt OR NOT TARGET CUDA::cudart_static)
    return()
endif()
add_library(dinomaly_cuda INTERFACE)
add_library(dinomaly::cuda ALIAS dinomaly_cuda)
target_link_libraries(dinomaly_cuda INTERFACE dinomaly::core CUDA::cudart_static CUDA::cublasLt)
# CMake 3.25 does not know how nvcc is told the standard.
target_compile_options(dinomaly_cuda INTERFACE
                       "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-std=c++20 --expt-relaxed-constexpr>")
