// SPDX-License-Identifier: Apache-2.0
// Stands in for CUDA's header of this name: g++ with -D DINOMALY_SIMT and this folder first on its include path
// compiles kernels as C++ and runs them on the host, a block after the other, the threads of a block as fibres.
//
// What CUDA leaves undefined, a kernel pays for here: memory that nobody wrote holds NaN, a thread that waits in vain
// is named, indices outside a buffer are found. It supplies what the library uses and no more.
#pragma once

#include "device.hpp"
#include "device_functions.hpp"
#include "language.hpp"
#include "launch.hpp"
#include "memory.hpp"
#include "primitives.hpp"
#include "stream.hpp"
