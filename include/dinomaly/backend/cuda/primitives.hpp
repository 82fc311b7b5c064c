// SPDX-License-Identifier: Apache-2.0
// What kernels do that C++ has no words for: dynamic shared memory, asynchronous copies, the tensor cores' product.
//
// Under g++ the emulation of tests/simt supplies the same functions, so every kernel is the same source there. Shared
// memory is always dynamic: the emulation poisons it anew for each block.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "dinomaly/core/bfloat16.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

#ifdef __CUDACC__

/// The block's dynamic shared memory, aligned to 16 bytes.
__device__ inline unsigned char* shared_memory() {
    extern __shared__ __align__(16) unsigned char dinomaly_shared_bytes[];
    return dinomaly_shared_bytes;
}

namespace detail {

__device__ inline unsigned shared_address(const void* shared) {
    return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

}  // namespace detail

/// Starts a copy of 16 bytes from global to shared memory, both aligned to 16; without `valid` zeros are written and
/// nothing is read.
__device__ inline void copy_async(void* shared, const void* global, bool valid) {
    const int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(detail::shared_address(shared)), "l"(global),
                 "r"(bytes)
                 : "memory");
}
/// Ends a group of this thread's copies.
__device__ inline void commit_copies() {
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}
/// Waits until at most `pending` of this thread's groups are under way. Other threads see the copies after a barrier.
template <int pending> __device__ inline void wait_copies() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(pending) : "memory");
}

/// Four 8x8 matrices of 16-bit values from shared memory, spread over the warp: lane i names row i % 8 of matrix
/// i / 8, 16 aligned bytes; of matrix m lane i receives in to[m] the columns 2 (i % 4) and the next of row i / 4.
__device__ inline void load_matrices(std::uint32_t (&to)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(detail::shared_address(row))
                 : "memory");
}
/// The same with each matrix transposed.
__device__ inline void load_matrices_transposed(std::uint32_t (&to)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(detail::shared_address(row))
                 : "memory");
}

/// c [16, 8] += a [16, 16] b [16, 8] by the warp, a and b in bfloat16, c in float. With g = lane / 4 and t = lane % 4 a
/// lane holds of c rows g (c[0], c[1]) and g + 8 (c[2], c[3]), columns 2t and 2t + 1; of a rows g (a[0], a[2]) and
/// g + 8 (a[1], a[3]), columns 2t, 2t + 1 and, in a[2] and a[3], 8 more; of b column g, rows 2t, 2t + 1 and, in b[1], 8
/// more.
__device__ inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};\n"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Two floats rounded to bfloat16 in one word, `low` in its lower half.
__device__ inline std::uint32_t pack_bfloat16(float low, float high) {
    std::uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

/// 2^x within 2 ulp.
__device__ inline float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

#else

using namespace ::simt::primitives;

#endif

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
