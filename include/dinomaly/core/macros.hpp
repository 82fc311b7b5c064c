// SPDX-License-Identifier: Apache-2.0
// The only macros of the library.
//
// DINOMALY_HD   marks a function that runs on the host and on the device.
// DINOMALY_ABI  names the inline namespace of the compiler at work: a function that both g++ and nvcc compile would
//               otherwise be merged at link time, and link order would pick the body. User code never writes it:
//               dinomaly::Tensor means dinomaly::host::Tensor or dinomaly::nvcc::Tensor.
#pragma once

#ifdef __CUDACC__
#define DINOMALY_HD __host__ __device__
#define DINOMALY_ABI nvcc
#else
#define DINOMALY_HD
#define DINOMALY_ABI host
#endif
