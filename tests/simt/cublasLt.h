// SPDX-License-Identifier: Apache-2.0
// Stands in for NVIDIA's <cublasLt.h>: the functions that the library calls, with their names, numbers, defaults and
// refusals, as plain loops over column-major matrices.
//
// As on a GPU several algorithms are on offer, which cut k differently and so differ in their last bits. An algorithm
// remembers what it was asked for: calls with other types or transposes, with addresses less aligned than promised or
// with too small a workspace are refused.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "primitives.hpp"

enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16BF = 14 };
using cudaDataType = cudaDataType_t;

enum cublasStatus_t {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
};
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum cublasLtEpilogue_t { CUBLASLT_EPILOGUE_DEFAULT = 1, CUBLASLT_EPILOGUE_BIAS = 4 };
enum cublasLtReductionScheme_t {
    CUBLASLT_REDUCTION_SCHEME_NONE = 0,
    CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2,
    CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE = 4,
    CUBLASLT_REDUCTION_SCHEME_MASK = 7,
};
enum cublasLtMatmulDescAttributes_t {
    CUBLASLT_MATMUL_DESC_TRANSA = 3,
    CUBLASLT_MATMUL_DESC_TRANSB = 4,
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
};
enum cublasLtMatrixLayoutAttribute_t {
    CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5,
    CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6,
};
enum cublasLtMatmulPreferenceAttributes_t {
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
};

struct cublasLtContext {};
using cublasLtHandle_t = cublasLtContext*;

struct cublasLtMatmulDescOpaque_t {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
    std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void* bias = nullptr;
};
using cublasLtMatmulDesc_t = cublasLtMatmulDescOpaque_t*;

struct cublasLtMatrixLayoutOpaque_t {
    cudaDataType_t type;
    std::uint64_t rows, cols;
    std::int64_t stride;  // from column to column
    std::int32_t batch = 1;
    std::int64_t batch_stride = 0;

    bool operator==(const cublasLtMatrixLayoutOpaque_t&) const = default;
};
using cublasLtMatrixLayout_t = cublasLtMatrixLayoutOpaque_t*;

struct cublasLtMatmulPreferenceOpaque_t {
    std::uint64_t workspace_bytes = 0;
    std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
    std::uint32_t alignments[4] = {256, 256, 256, 256};  // of A, B, C and D
};
using cublasLtMatmulPreference_t = cublasLtMatmulPreferenceOpaque_t*;

struct cublasLtMatmulAlgo_t {
    std::uint64_t data[8];
};
struct cublasLtMatmulHeuristicResult_t {
    cublasLtMatmulAlgo_t algo;
    cublasStatus_t state;
};

namespace simt::blas {

inline float load(const void* data, cudaDataType_t type, std::int64_t index) {
    if (type == CUDA_R_32F) return static_cast<const float*>(data)[index];
    return detail::widen(static_cast<const std::uint16_t*>(data)[index]);
}
inline void store(void* data, cudaDataType_t type, std::int64_t index, float value) {
    if (type == CUDA_R_32F)
        static_cast<float*>(data)[index] = value;
    else
        static_cast<std::uint16_t*>(data)[index] = static_cast<std::uint16_t>(detail::narrow(value));
}

inline std::uint32_t lowest_bit(std::uint64_t bits) {
    return static_cast<std::uint32_t>(bits & (~bits + 1));
}

/// As TF32 takes a float: 10 bits of mantissa, to nearest.
inline float round_to_tf32(float value) {
    if (std::isnan(value)) return value;
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x1000U) & ~0x1fffU);
}

/// What the words of an algorithm mean. Alignments are those of the operands that it was asked for, in bytes.
struct Algorithm {
    std::uint32_t parts;   // that k is cut into; more than one are summed in the workspace
    std::uint32_t rounds;  // whether the parts are rounded to the output's type first
    std::uint64_t form;    // types, transposes and epilogue
    std::uint32_t addresses[4], strides[4];
    std::uint64_t unused[2];
};

/// A call: D [m, n] = alpha op(A) [m, k] op(B) [k, n] + beta C, all column-major.
struct Product {
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t a_layout, b_layout, c_layout, d_layout;
    const void *a = nullptr, *b = nullptr, *c = nullptr;
    void *d = nullptr, *workspace = nullptr;
    float alpha = 1, beta = 0;

    std::int64_t m() const { return static_cast<std::int64_t>(d_layout.rows); }
    std::int64_t n() const { return static_cast<std::int64_t>(d_layout.cols); }
    std::int64_t k() const {
        return static_cast<std::int64_t>(operation.transpose_a == CUBLAS_OP_N ? a_layout.cols : a_layout.rows);
    }
    std::uint64_t form() const {
        std::uint64_t word = 0;
        for (const int part :
             {static_cast<int>(operation.compute), static_cast<int>(a_layout.type), static_cast<int>(d_layout.type),
              operation.transpose_a, operation.transpose_b, static_cast<int>(operation.epilogue)})
            word = word << 8 | static_cast<std::uint64_t>(part);
        return word;
    }
    std::size_t workspace_bytes(std::size_t parts) const {
        return parts == 1 ? 0 : parts * static_cast<std::size_t>(m() * n()) * sizeof(float);
    }

    /// By how much, up to 16 bytes, the columns of A, B, C and D stay aligned.
    std::array<std::uint32_t, 4> stride_alignments() const {
        const auto of = [](const cublasLtMatrixLayoutOpaque_t& x) {
            return lowest_bit(static_cast<std::uint64_t>(x.stride) * (x.type == CUDA_R_32F ? 4 : 2) | 16U);
        };
        return {of(a_layout), of(b_layout), of(c_layout), of(d_layout)};
    }

    /// What the library would say of types, sizes and strides.
    cublasStatus_t status() const {
        if (operation.scale != CUDA_R_32F || a_layout.type != b_layout.type || c_layout.type != d_layout.type ||
            (a_layout.type == CUDA_R_32F ? d_layout.type != CUDA_R_32F : operation.compute != CUBLAS_COMPUTE_32F))
            return CUBLAS_STATUS_NOT_SUPPORTED;
        if (!options().blas_takes_addends && (operation.epilogue == CUBLASLT_EPILOGUE_BIAS || (beta != 0 && c != d)))
            return CUBLAS_STATUS_NOT_SUPPORTED;
        for (const auto* layout : {&a_layout, &b_layout, &c_layout, &d_layout})
            if (layout->rows == 0 || layout->cols == 0 || layout->batch != d_layout.batch ||
                layout->stride < static_cast<std::int64_t>(layout->rows))
                return CUBLAS_STATUS_INVALID_VALUE;
        auto [left_rows, inner] = std::pair(a_layout.rows, a_layout.cols);
        auto [right_rows, right_cols] = std::pair(b_layout.rows, b_layout.cols);
        if (operation.transpose_a == CUBLAS_OP_T) std::swap(left_rows, inner);
        if (operation.transpose_b == CUBLAS_OP_T) std::swap(right_rows, right_cols);
        if (left_rows != d_layout.rows || inner != right_rows || right_cols != d_layout.cols ||
            c_layout.rows != d_layout.rows || c_layout.cols != d_layout.cols ||
            (operation.epilogue == CUBLASLT_EPILOGUE_BIAS && operation.bias == nullptr))
            return CUBLAS_STATUS_INVALID_VALUE;
        return CUBLAS_STATUS_SUCCESS;
    }

    /// The same of this call by that algorithm.
    cublasStatus_t status(const Algorithm& algorithm, std::size_t given_bytes) const {
        if (status() != CUBLAS_STATUS_SUCCESS) return status();
        if (algorithm.form != form() || algorithm.parts == 0) return CUBLAS_STATUS_NOT_SUPPORTED;
        if (a == nullptr || b == nullptr || c == nullptr || d == nullptr || (c == d && c_layout != d_layout) ||
            given_bytes < workspace_bytes(algorithm.parts) || (workspace == nullptr && algorithm.parts > 1))
            return CUBLAS_STATUS_INVALID_VALUE;
        const void* const addresses[] = {a, b, c, d};
        for (std::size_t i = 0; i < 4; ++i)
            if (reinterpret_cast<std::uintptr_t>(addresses[i]) % algorithm.addresses[i] != 0 ||
                stride_alignments()[i] < algorithm.strides[i])
                return CUBLAS_STATUS_INVALID_VALUE;
        return CUBLAS_STATUS_SUCCESS;
    }

    void compute(const Algorithm& algorithm) const {
        expect_held(a, a_layout);
        expect_held(b, b_layout);
        if (beta != 0) expect_held(c, c_layout);
        expect_held(d, d_layout);
        if (d == a || d == b) detail::fail("cublasLtMatmul: D is written over an operand");
        ++counts().products;
        if (!options().runs) return;
        for (std::int64_t i = 0; i < d_layout.batch; ++i) compute(algorithm, i);
    }

private:
    /// Fails unless all matrices of the batch lie in one block of device memory.
    static void expect_held(const void* x, const cublasLtMatrixLayoutOpaque_t& layout) {
        const std::size_t element = layout.type == CUDA_R_32F ? 4 : 2;
        const std::int64_t last = (layout.batch - 1) * layout.batch_stride +
                                  static_cast<std::int64_t>(layout.cols - 1) * layout.stride +
                                  static_cast<std::int64_t>(layout.rows);
        if (!detail::DeviceMemory::instance().holds(x, static_cast<std::size_t>(last) * element))
            detail::fail("cublasLtMatmul reaches outside device memory");
    }

    static constexpr std::int64_t rows_at_once = 64;  // whose sums stay near

    /// op(x) of one matrix as floats, from column to column `stride`, with zeros below its rows.
    std::vector<float> widened(const void* x, const cublasLtMatrixLayoutOpaque_t& layout, std::int32_t transpose,
                               std::int64_t which, std::int64_t stride) const {
        const auto rows = static_cast<std::int64_t>(layout.rows), cols = static_cast<std::int64_t>(layout.cols);
        std::vector<float> out(static_cast<std::size_t>(stride * (transpose == CUBLAS_OP_N ? cols : rows)));
        for (std::int64_t col = 0; col < cols; ++col)
            for (std::int64_t row = 0; row < rows; ++row) {
                const float value = load(x, layout.type, which * layout.batch_stride + col * layout.stride + row);
                out[static_cast<std::size_t>(transpose == CUBLAS_OP_N ? col * stride + row : row * stride + col)] =
                    operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? round_to_tf32(value) : value;
            }
        return out;
    }

    /// sums [m, n] = left [m, k] right [k, n] over the rows first .. last-1 of right.
    void sum_part(const float* left, std::int64_t left_stride, const float* right, std::int64_t first,
                  std::int64_t last, float* sums) const {
        const std::int64_t rows = m(), cols = n(), inner = k();
        for (std::int64_t row = 0; row < rows; row += rows_at_once)
            for (std::int64_t col = 0; col < cols; ++col) {
                float column[rows_at_once] = {};
                for (std::int64_t i = first; i < last; ++i) {
                    const float* from = left + i * left_stride + row;
                    const float factor = right[col * inner + i];
                    for (std::int64_t r = 0; r < rows_at_once; ++r) column[r] += from[r] * factor;
                }
                std::copy_n(column, std::min(rows_at_once, rows - row), sums + col * rows + row);
            }
    }

    void compute(const Algorithm& algorithm, std::int64_t which) const {
        const std::int64_t left_stride = (m() + rows_at_once - 1) / rows_at_once * rows_at_once;
        const std::vector<float> left = widened(a, a_layout, operation.transpose_a, which, left_stride);
        const std::vector<float> right = widened(b, b_layout, operation.transpose_b, which, k());
        const auto parts = static_cast<std::int64_t>(algorithm.parts), count = m() * n();
        std::vector<float> own(parts == 1 ? static_cast<std::size_t>(count) : 0);
        float* const sums = parts == 1 ? own.data() : static_cast<float*>(workspace);
        for (std::int64_t part = 0; part < parts; ++part)
            sum_part(left.data(), left_stride, right.data(), k() * part / parts, k() * (part + 1) / parts,
                     sums + part * count);
        if (algorithm.rounds && d_layout.type == CUDA_R_16BF)
            for (std::int64_t i = 0; i < parts * count; ++i) sums[i] = detail::widen(detail::narrow(sums[i]));
        for (std::int64_t part = 1; part < parts; ++part)
            for (std::int64_t i = 0; i < count; ++i) sums[i] += sums[part * count + i];
        for (std::int64_t col = 0; col < n(); ++col)
            for (std::int64_t row = 0; row < m(); ++row) {
                float value = alpha * sums[col * m() + row];
                if (beta != 0)
                    value += beta * load(c, c_layout.type, which * c_layout.batch_stride + col * c_layout.stride + row);
                if (operation.epilogue == CUBLASLT_EPILOGUE_BIAS) value += load(operation.bias, d_layout.type, row);
                store(d, d_layout.type, which * d_layout.batch_stride + col * d_layout.stride + row, value);
            }
    }
};

/// Sets a field as the library does: the value must have the field's size.
template <class Field> cublasStatus_t set(Field& field, const void* value, std::size_t bytes) {
    if (value == nullptr || bytes != sizeof field) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&field, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

template <class Descriptor> cublasStatus_t destroy(Descriptor* descriptor) {
    delete descriptor;
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace simt::blas

inline const char* cublasLtGetStatusName(cublasStatus_t status) {
    if (status == CUBLAS_STATUS_INVALID_VALUE) return "CUBLAS_STATUS_INVALID_VALUE";
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_SUCCESS";
}
inline const char* cublasLtGetStatusString(cublasStatus_t status) {
    return cublasLtGetStatusName(status);
}

/// Of the emulation: no release of the library has it.
inline std::size_t cublasLtGetVersion() {
    return 1;
}

inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = new cublasLtContext;
    return CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                               cudaDataType_t scale) {
    *made = new cublasLtMatmulDescOpaque_t{compute, scale};
    return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
    return simt::blas::destroy(operation);
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t of, cublasLtMatmulDescAttributes_t attribute,
                                                     const void* value, std::size_t bytes) {
    switch (attribute) {
        case CUBLASLT_MATMUL_DESC_TRANSA: return simt::blas::set(of->transpose_a, value, bytes);
        case CUBLASLT_MATMUL_DESC_TRANSB: return simt::blas::set(of->transpose_b, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE: return simt::blas::set(of->epilogue, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return simt::blas::set(of->bias, value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType type, std::uint64_t rows,
                                                 std::uint64_t cols, std::int64_t stride) {
    *made = new cublasLtMatrixLayoutOpaque_t{type, rows, cols, stride};
    return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    return simt::blas::destroy(layout);
}
inline cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t of,
                                                       cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                       std::size_t bytes) {
    switch (attribute) {
        case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return simt::blas::set(of->batch, value, bytes);
        case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return simt::blas::set(of->batch_stride, value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
    *made = new cublasLtMatmulPreferenceOpaque_t;
    return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    return simt::blas::destroy(preference);
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t of,
                                                           cublasLtMatmulPreferenceAttributes_t attribute,
                                                           const void* value, std::size_t bytes) {
    switch (attribute) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return simt::blas::set(of->workspace_bytes, value, bytes);
        case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return simt::blas::set(of->reductions, value, bytes);
        default: break;
    }
    return simt::blas::set(of->alignments[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
}

/// Cuts k into four where the preference allows, or leaves it whole, in this order.
inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                                     cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t preference, int most,
                                                     cublasLtMatmulHeuristicResult_t* results, int* found) {
    *found = 0;
    const simt::blas::Product product{*operation, *a, *b, *c, *d};
    if (most <= 0) return CUBLAS_STATUS_INVALID_VALUE;
    if (product.status() != CUBLAS_STATUS_SUCCESS) return product.status();
    const auto offer = [&](std::uint32_t parts, bool rounds) {
        if (*found == most || product.workspace_bytes(parts) > preference->workspace_bytes || parts > product.k())
            return;
        simt::blas::Algorithm algorithm{parts, rounds, product.form(), {}, {}, {}};
        std::ranges::copy(preference->alignments, algorithm.addresses);
        std::ranges::copy(product.stride_alignments(), algorithm.strides);
        results[(*found)++] = {std::bit_cast<cublasLtMatmulAlgo_t>(algorithm), CUBLAS_STATUS_SUCCESS};
    };
    if (preference->reductions & CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE) offer(4, true);
    if (preference->reductions & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) offer(4, false);
    offer(1, false);
    return CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                                     cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                                     const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                                     cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                                     std::size_t workspace_bytes, cudaStream_t stream) {
    simt::blas::Product product{*operation, *a_layout, *b_layout, *c_layout, *d_layout};
    product.a = a, product.b = b, product.c = c, product.d = d, product.workspace = workspace;
    product.alpha = *static_cast<const float*>(alpha), product.beta = *static_cast<const float*>(beta);
    const auto algorithm = std::bit_cast<simt::blas::Algorithm>(*algo);
    const cublasStatus_t status = product.status(algorithm, workspace_bytes);
    if (status == CUBLAS_STATUS_SUCCESS) simt::submit(stream, [product, algorithm] { product.compute(algorithm); });
    return status;
}
