// SPDX-License-Identifier: Apache-2.0
// RoundedWeights on a GPU: the trained parameters in the type that products take, made once for a step.
//
// A step multiplies by each weight twice, forward and back, and in bfloat16 either product would round it anew: for B
// two hundred launches a step, which read and write as much as the optimiser. Here one launch rounds all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dinomaly/backend/cuda/map.hpp"
#include "dinomaly/backend/operands.hpp"
#include "dinomaly/core/tensor.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// Copies by what they are copies of.
using RoundedCopies = std::unordered_map<const float*, const bfloat16*>;

/// While one lives, this thread's products read these copies.
class UsesRounded {
public:
    explicit UsesRounded(const RoundedCopies& copies) : before_(std::exchange(current(), &copies)) {}
    ~UsesRounded() { current() = before_; }
    UsesRounded(const UsesRounded&) = delete;
    UsesRounded& operator=(const UsesRounded&) = delete;

    /// The copy of a parameter, or null.
    static const bfloat16* copy_of(const float* values) {
        if (current() == nullptr) return nullptr;
        const auto found = current()->find(values);
        return found == current()->end() ? nullptr : found->second;
    }

private:
    static const RoundedCopies*& current() {
        thread_local const RoundedCopies* copies = nullptr;
        return copies;
    }

    const RoundedCopies* before_;
};

/// A stretch of a parameter, a block's work.
struct RoundedPiece {
    static constexpr std::int64_t most = 16384;

    const float* from;
    bfloat16* to;
    std::int64_t count;
};

template <class T> __global__ void round_kernel(const RoundedPiece* pieces) {
    const RoundedPiece piece = pieces[blockIdx.x];
    const std::int64_t step = static_cast<std::int64_t>(blockDim.x) * Packet<T>::width;
    for (std::int64_t col = threadIdx.x * Packet<T>::width; col < piece.count; col += step) {
        const kernel::Part<T> at = part_at<T>(col, piece.count);
        at.store(piece.to, at.load(piece.from));
    }
}

}  // namespace cuda

template <> class RoundedWeights<Cuda<bfloat16>> {
public:
    /// For parameters that stay where they are.
    explicit RoundedWeights(std::vector<Tensor<Cuda<float>>> parameters) : parameters_(std::move(parameters)) {
        std::vector<cuda::RoundedPiece> pieces;
        for (const Tensor<Cuda<float>>& parameter : parameters_) {
            Tensor<Cuda<bfloat16>>& copy = copies_.emplace_back(parameter.shape());
            places_.emplace(parameter.data(), copy.data());
            for (std::int64_t first = 0; first < parameter.count(); first += cuda::RoundedPiece::most)
                pieces.push_back({parameter.data() + first, copy.data() + first,
                                  std::min(parameter.count() - first, cuda::RoundedPiece::most)});
        }
        piece_count_ = static_cast<std::int64_t>(pieces.size());
        pieces_ = cuda::scratch<cuda::RoundedPiece>(piece_count_);
        Cuda<float>::upload(pieces_.get(), pieces.data(), pieces.size() * sizeof(cuda::RoundedPiece));
    }

    /// Rounds the parameters as they are now; while the result lives, this thread's products read the copies.
    [[nodiscard]] cuda::UsesRounded round() const {
        if (piece_count_ > 0)
            cuda::launch({static_cast<unsigned>(piece_count_), cuda::map_threads}, cuda::round_kernel<float>,
                         pieces_.get());
        return cuda::UsesRounded(places_);
    }

private:
    std::vector<Tensor<Cuda<float>>> parameters_;
    std::vector<Tensor<Cuda<bfloat16>>> copies_;
    cuda::RoundedCopies places_;
    std::int64_t piece_count_ = 0;
    std::shared_ptr<cuda::RoundedPiece> pieces_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
