// SPDX-License-Identifier: Apache-2.0
// cuBLASLt's functions, as far as products on a GPU call them; the library is loaded by the first call. Linked, its
// half gigabyte would cost every start of the program 0.15 s and 200 MB, also where there is no GPU.
#include <cublasLt.h>
#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "dinomaly/core/error.hpp"

namespace {

void* load_library() {
    const std::string file = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
    void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) dinomaly::fail("cuda", "cuBLASLt cannot be loaded: ", dlerror());
    return library;
}

/// The library's function of this name. Throws Error when it is not there.
template <class F> F* function(const char* name) {
    static void* const library = load_library();
    void* const found = dlsym(library, name);
    if (found == nullptr) dinomaly::fail("cuda", "cuBLASLt has no function ", name, ": ", dlerror());
    return reinterpret_cast<F*>(found);
}

}  // namespace

// --- the library itself

std::size_t cublasLtGetVersion() {
    static const auto call = function<decltype(cublasLtGetVersion)>("cublasLtGetVersion");
    return call();
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    static const auto call = function<decltype(cublasLtCreate)>("cublasLtCreate");
    return call(handle);
}
const char* cublasLtGetStatusName(cublasStatus_t status) {
    static const auto call = function<decltype(cublasLtGetStatusName)>("cublasLtGetStatusName");
    return call(status);
}
const char* cublasLtGetStatusString(cublasStatus_t status) {
    static const auto call = function<decltype(cublasLtGetStatusString)>("cublasLtGetStatusString");
    return call(status);
}

// --- what describes a product

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t cols, std::int64_t ld) {
    static const auto call = function<decltype(cublasLtMatrixLayoutCreate)>("cublasLtMatrixLayoutCreate");
    return call(layout, type, rows, cols, ld);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    static const auto call = function<decltype(cublasLtMatrixLayoutDestroy)>("cublasLtMatrixLayoutDestroy");
    return call(layout);
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t name,
                                                const void* value, std::size_t bytes) {
    static const auto call = function<decltype(cublasLtMatrixLayoutSetAttribute)>("cublasLtMatrixLayoutSetAttribute");
    return call(layout, name, value, bytes);
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
    static const auto call = function<decltype(cublasLtMatmulDescCreate)>("cublasLtMatmulDescCreate");
    return call(product, compute, scale);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
    static const auto call = function<decltype(cublasLtMatmulDescDestroy)>("cublasLtMatmulDescDestroy");
    return call(product);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t name,
                                              const void* value, std::size_t bytes) {
    static const auto call = function<decltype(cublasLtMatmulDescSetAttribute)>("cublasLtMatmulDescSetAttribute");
    return call(product, name, value, bytes);
}

// --- how it is computed

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    static const auto call = function<decltype(cublasLtMatmulPreferenceCreate)>("cublasLtMatmulPreferenceCreate");
    return call(preference);
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    static const auto call = function<decltype(cublasLtMatmulPreferenceDestroy)>("cublasLtMatmulPreferenceDestroy");
    return call(preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    std::size_t bytes) {
    static const auto call =
        function<decltype(cublasLtMatmulPreferenceSetAttribute)>("cublasLtMatmulPreferenceSetAttribute");
    return call(preference, name, value, bytes);
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int asked,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
    static const auto call = function<decltype(cublasLtMatmulAlgoGetHeuristic)>("cublasLtMatmulAlgoGetHeuristic");
    return call(handle, product, a, b, c, d, preference, asked, results, found);
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
    static const auto call = function<decltype(cublasLtMatmul)>("cublasLtMatmul");
    return call(handle, product, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout, algorithm, workspace,
                workspace_bytes, stream);
}
