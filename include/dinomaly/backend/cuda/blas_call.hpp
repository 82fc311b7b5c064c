// SPDX-License-Identifier: Apache-2.0
// A product of matrices in the terms of cuBLASLt.
//
// Row-major D = A B is asked for as the column-major D^T = B^T A^T, which is the same memory. The features of a linear
// layer are then the rows of what cuBLASLt sees, as its bias needs.
#pragma once

#include <cublasLt.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

/// Whether products of floats may round their operands to 10 bits of mantissa, which makes them several times as fast.
inline std::atomic<bool> allow_tf32 = false;

/// A matrix of float or bfloat16, or a batch of them, its type as a value.
struct BlasMatrix {
    template <class T>
    BlasMatrix(const Matrix<T>& x)
        : data(const_cast<std::remove_const_t<T>*>(x.data)),  // written to as a result alone
          type(std::is_same_v<std::remove_const_t<T>, float> ? CUDA_R_32F : CUDA_R_16BF),
          stride(x.stride),
          transposed(x.transposed),
          batch_stride(x.batch_stride) {
        static_assert(std::is_same_v<std::remove_const_t<T>, float> ||
                      std::is_same_v<std::remove_const_t<T>, bfloat16>);
    }

    std::int64_t element_bytes() const { return type == CUDA_R_32F ? 4 : 2; }

    void* data;
    cudaDataType_t type;
    std::int64_t stride;
    bool transposed;
    std::int64_t batch_stride;
};

/// d [m, n] = a [m, k] b [k, n] for each of a batch, plus c [m, n] and bias [n] where their data are not null, summed
/// in float. a and b are of one type; d, c and bias are of another or the same. c may be d itself. The bias is packed,
/// aligned to 16 bytes and the same for the whole batch. No size is 0.
struct BlasProduct {
    std::int64_t batch, m, n, k;
    BlasMatrix a, b, c, d;
    const void* bias;
};

namespace detail {

inline constexpr std::size_t blas_workspace_bytes = std::size_t{32} << 20;  // what the library asks for on Hopper

inline void expect_blas(cublasStatus_t status, const char* call) {
    if (status != CUBLAS_STATUS_SUCCESS)
        fail("cublasLt", call, ": ", cublasLtGetStatusName(status), ", ", cublasLtGetStatusString(status));
}

template <class T>
void set_attribute(cublasLtMatmulDesc_t of, cublasLtMatmulDescAttributes_t attribute, const T& value) {
    expect_blas(cublasLtMatmulDescSetAttribute(of, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}
template <class T>
void set_attribute(cublasLtMatrixLayout_t of, cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
    expect_blas(cublasLtMatrixLayoutSetAttribute(of, attribute, &value, sizeof value),
                "cublasLtMatrixLayoutSetAttribute");
}
template <class T>
void set_attribute(cublasLtMatmulPreference_t of, cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    expect_blas(cublasLtMatmulPreferenceSetAttribute(of, attribute, &value, sizeof value),
                "cublasLtMatmulPreferenceSetAttribute");
}

struct BlasDeleter {
    void operator()(cublasLtMatmulDesc_t operation) const { cublasLtMatmulDescDestroy(operation); }
    void operator()(cublasLtMatrixLayout_t layout) const { cublasLtMatrixLayoutDestroy(layout); }
    void operator()(cublasLtMatmulPreference_t preference) const { cublasLtMatmulPreferenceDestroy(preference); }
};
template <class Descriptor> using BlasOwner = std::unique_ptr<std::remove_pointer_t<Descriptor>, BlasDeleter>;

/// The largest power of two that divides all of these, at most 256, beyond which the library does not ask.
template <class... Numbers> std::uint32_t common_alignment(Numbers... numbers) {
    const std::uint64_t bits = (static_cast<std::uint64_t>(numbers) | ... | 256U);
    return static_cast<std::uint32_t>(bits & (~bits + 1));
}

/// How far every matrix of a batch is aligned.
inline std::uint32_t alignment(const BlasMatrix& x) {
    return common_alignment(reinterpret_cast<std::uintptr_t>(x.data), x.batch_stride * x.element_bytes());
}

/// All that the choice of an algorithm depends on. Of addresses and strides these are the alignments.
using BlasKey = std::array<std::int64_t, 19>;

/// How the library is to compute a product. The library's own struct has no name, and nvcc 13.0 breaks over vectors of
/// such.
struct BlasAlgorithm : cublasLtMatmulAlgo_t {};

/// A product in the library's terms, where b comes first and matrices are column-major.
class BlasCall {
public:
    explicit BlasCall(const BlasProduct& product)
        : p_(product),
          addend_(p_.c.data == nullptr     ? Addend::none
                  : p_.c.data == p_.d.data ? Addend::in_place
                                           : Addend::apart),
          compute_(p_.a.type == CUDA_R_32F && allow_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F) {
        check(common_alignment(reinterpret_cast<std::uintptr_t>(p_.bias)) >= 16, "cublasLt", "a bias at ", p_.bias,
              ", expected an address that is a multiple of 16");
        if (addend_ != Addend::apart) p_.c = p_.d;
        if (p_.batch == 1)
            for (BlasMatrix* x : {&p_.a, &p_.b, &p_.c, &p_.d}) x->batch_stride = 0;  // it makes no other key
        b_ = layout(p_.b, p_.k, p_.n);
        a_ = layout(p_.a, p_.m, p_.k);
        c_ = layout(p_.c, p_.m, p_.n);
        d_ = layout(p_.d, p_.m, p_.n);

        cublasLtMatmulDesc_t operation = nullptr;
        expect_blas(cublasLtMatmulDescCreate(&operation, compute_, CUDA_R_32F), "cublasLtMatmulDescCreate");
        operation_.reset(operation);
        set_attribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, p_.b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
        set_attribute(operation, CUBLASLT_MATMUL_DESC_TRANSB, p_.a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
        if (p_.bias != nullptr) {
            set_attribute(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
            set_attribute(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p_.bias);
        }
    }

    BlasKey key() const {
        const auto stride_alignment = [](const BlasMatrix& x) {
            return common_alignment(x.stride * x.element_bytes());
        };
        return {p_.batch,
                p_.m,
                p_.n,
                p_.k,
                compute_,
                p_.a.type,
                p_.d.type,
                p_.a.transposed,
                p_.b.transposed,
                static_cast<std::int64_t>(addend_),
                p_.bias == nullptr ? 0 : common_alignment(reinterpret_cast<std::uintptr_t>(p_.bias)),
                alignment(p_.a),
                alignment(p_.b),
                alignment(p_.c),
                alignment(p_.d),
                stride_alignment(p_.a),
                stride_alignment(p_.b),
                stride_alignment(p_.c),
                stride_alignment(p_.d)};
    }

    std::int64_t multiply_adds() const { return p_.batch * p_.m * p_.n * p_.k; }

    /// The library's best guesses. Partial sums of a split k are kept in float only.
    std::vector<BlasAlgorithm> candidates(cublasLtHandle_t handle) const {
        cublasLtMatmulPreference_t preference = nullptr;
        expect_blas(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
        const BlasOwner<cublasLtMatmulPreference_t> owner(preference);
        const std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
        set_attribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
        set_attribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{blas_workspace_bytes});
        set_attribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(p_.b));
        set_attribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(p_.a));
        set_attribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(p_.c));
        set_attribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p_.d));

        std::array<cublasLtMatmulHeuristicResult_t, 16> guesses{};
        int count = 0;
        const cublasStatus_t status =
            cublasLtMatmulAlgoGetHeuristic(handle, operation_.get(), b_.get(), a_.get(), c_.get(), d_.get(), preference,
                                           static_cast<int>(guesses.size()), guesses.data(), &count);
        std::vector<BlasAlgorithm> found;
        if (status == CUBLAS_STATUS_SUCCESS)
            for (int i = 0; i < count; ++i)
                if (const auto& guess = guesses[static_cast<std::size_t>(i)]; guess.state == CUBLAS_STATUS_SUCCESS)
                    found.push_back({guess.algo});
        return found;
    }

    /// Memory that can stand for d, all zeros.
    std::shared_ptr<void> stand_in() const {
        const std::int64_t count = (p_.batch - 1) * p_.d.batch_stride + (p_.m - 1) * p_.d.stride + p_.n;
        const auto bytes = static_cast<std::size_t>(count * p_.d.element_bytes());
        std::shared_ptr<void> memory = DeviceHeap::allocate(bytes);
        expect_success(cudaMemsetAsync(memory.get(), 0, bytes, stream()), "cudaMemsetAsync");
        return memory;
    }

    /// Hands the product out to the stream, its result going to d, which may stand for the product's own.
    cublasStatus_t run(cublasLtHandle_t handle, void* workspace, const BlasAlgorithm& algorithm, void* d) const {
        const float alpha = 1, beta = addend_ == Addend::none ? 0 : 1;
        return cublasLtMatmul(handle, operation_.get(), &alpha, p_.b.data, b_.get(), p_.a.data, a_.get(), &beta,
                              addend(d), c_.get(), d, d_.get(), &algorithm, workspace, blas_workspace_bytes, stream());
    }
    cublasStatus_t run(cublasLtHandle_t handle, void* workspace, const BlasAlgorithm& algorithm) const {
        return run(handle, workspace, algorithm, p_.d.data);
    }

private:
    enum class Addend { none, in_place, apart };

    /// Of a matrix that is read as [rows, cols].
    BlasOwner<cublasLtMatrixLayout_t> layout(const BlasMatrix& x, std::int64_t rows, std::int64_t cols) const {
        if (x.transposed) std::swap(rows, cols);
        cublasLtMatrixLayout_t made = nullptr;
        expect_blas(cublasLtMatrixLayoutCreate(&made, x.type, static_cast<std::uint64_t>(cols),
                                               static_cast<std::uint64_t>(rows), x.stride),
                    "cublasLtMatrixLayoutCreate");
        BlasOwner<cublasLtMatrixLayout_t> owner(made);
        set_attribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(p_.batch));
        set_attribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, x.batch_stride);
        return owner;
    }

    /// What the library is to take for c when it writes to d.
    const void* addend(void* d) const { return addend_ == Addend::apart ? p_.c.data : d; }

    BlasProduct p_;
    Addend addend_;
    cublasComputeType_t compute_;
    BlasOwner<cublasLtMatrixLayout_t> a_, b_, c_, d_;
    BlasOwner<cublasLtMatmulDesc_t> operation_;
};

}  // namespace detail

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
