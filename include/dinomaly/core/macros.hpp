// SPDX-License-Identifier: Apache-2.0
// The only macros of the library.
//
// DINOMALY_CUDA  is defined where there are CUDA devices: under nvcc, and under g++ with DINOMALY_SIMT, which runs the
//                same kernels on the host (tests/simt).
// DINOMALY_HD    marks a function that runs on the host and on the device.
// DINOMALY_ABI   names the inline namespace of the compiler at work: a function that both g++ and nvcc compile would
//                otherwise be merged at link time, and link order would pick the body. User code never writes it:
//                dinomaly::Tensor means dinomaly::host::Tensor or dinomaly::nvcc::Tensor.
//                What holds no device, no packet and no loop that may become packets, and calls nothing that does
//                (errors, shapes, files, settings), stands outside it: the halves of one program share it.
#pragma once

#if defined(__CUDACC__)
#define DINOMALY_CUDA
#define DINOMALY_HD __host__ __device__
#define DINOMALY_ABI nvcc
#elif defined(DINOMALY_SIMT)
#define DINOMALY_CUDA
#define DINOMALY_HD
#define DINOMALY_ABI simt
#else
#define DINOMALY_HD
#define DINOMALY_ABI host
#endif
