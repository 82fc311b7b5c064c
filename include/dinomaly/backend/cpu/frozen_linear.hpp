// SPDX-License-Identifier: Apache-2.0
// FrozenLinear: x w^T for weights that never change, packed once, in float, bfloat16 or 8-bit codes.
//
// Codes (W = Code): a weight of output c is scale_c q, q from -127 to 127; a row of x is step u + low, u from 0 to 255,
// its scale its own (Dettmers et al., LLM.int8, 2022, without outliers). Then
//     sum_k x w = scale_c (step sum_k u q + low sum_k q)
// where the first sum is done in integers and the last is known beforehand.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/rows.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// For each row y = f(sums + bias, y, at); rows of y lie `stride` elements apart.
template <class T, class Y, class F>
void finish_rows(std::int64_t rows, std::int64_t cols, const T* sums, const T* bias, Y* y, std::int64_t stride,
                 const F& f) {
    const Lane<T> lane;
    for (std::int64_t r = 0; r < rows; ++r, sums += cols, y += stride)
        lane.each(cols, [&](auto at) { at.store(y, f(at.load(sums) + at.load(bias), y, at)); });
}

}  // namespace detail

/// y = f(x w^T + bias, y) for weights w [n, k] and a bias [n]. T is the type of sums.
template <class W, class T = float> class FrozenLinear {
public:
    FrozenLinear() = default;
    FrozenLinear(std::int64_t n, std::int64_t k, const T* w, std::vector<T> bias)
        : n_(n), k_(k), weights_(packed(n, k, w)), bias_(std::move(bias)) {}
    FrozenLinear(FrozenLinear&&) = default;
    FrozenLinear& operator=(FrozenLinear&&) = default;

    std::int64_t out() const { return n_; }
    std::int64_t in() const { return k_; }
    const T* bias() const { return bias_.data(); }

    /// Outputs first .. first + count - 1 for rows of x [rows, k] on the calling thread: y = f(sum, y, at), the sum
    /// with its bias, where y points at the first of these outputs and its rows lie `stride` apart.
    template <class Y, class F>
    void apply(std::int64_t rows, const W* x, std::int64_t first, std::int64_t count, Y* y, std::int64_t stride,
               const F& f) const {
        const std::shared_ptr<T> sums = scratch<T>(rows * count);
        detail::multiply_rows(rows, count, k_, Matrix<const W>{x, k_}, weights_.from(0, first),
                              Matrix<T>{sums.get(), count}, false);
        detail::finish_rows(rows, count, sums.get(), bias() + first, y, stride, f);
    }

    /// sums [rows, n] = or += x [rows, count] with inputs first .. first + count - 1 of w, without the bias.
    void multiply_part(std::int64_t rows, const W* x, std::int64_t first, std::int64_t count, T* sums,
                       bool adds) const {
        detail::multiply_rows(rows, n_, count, Matrix<const W>{x, count}, weights_.from(first, 0), Matrix<T>{sums, n_},
                              adds);
    }

private:
    /// In double the weights are read where they lie, and are copied so that they stay.
    Panels<W> packed(std::int64_t n, std::int64_t k, const T* w) {
        if constexpr (std::is_same_v<W, double>) {
            copy_.assign(w, w + n * k);
            w = copy_.data();
        }
        return Panels<W>(k, n, Matrix<const T>{w, k, true});
    }

    std::int64_t n_ = 0, k_ = 0;
    std::vector<T> copy_;
    Panels<W> weights_;
    std::vector<T> bias_;
};

namespace detail {

/// The codes of a row of x and what they stand for: x is about step u + low.
struct RowCodes {
    float step, low;
};

template <class X> RowCodes quantize_row(const X* x, std::int64_t n, Code* codes) {
    const Lane<float> lane;
    const float high = std::max(0.0F, lane.max(n, [&](auto at) { return at.load(x); }));
    const float low = std::min(0.0F, -lane.max(n, [&](auto at) { return -at.load(x); }));
    const float step = std::max((high - low) / 255, 1e-30F);
    const Packet<float> inverse(1 / step), start(low), half(0.5F);
    std::int64_t i = 0;
    for (constexpr int width = Packet<float>::width; i + width <= n; i += width)
        native::store_bytes(codes + i, ((Packet<float>::load(x + i) - start) * inverse + half).lanes);
    for (; i < n; ++i) codes[i] = static_cast<Code>((static_cast<float>(x[i]) - low) / step + 0.5F);
    return {step, low};
}

}  // namespace detail

/// Weights in codes; rows of x are turned into codes as they come.
template <> class FrozenLinear<Code, float> {
public:
    FrozenLinear() = default;
    FrozenLinear(std::int64_t n, std::int64_t k, const float* w, std::vector<float> bias)
        : n_(n), k_(k), bias_(std::move(bias)), scales_(static_cast<std::size_t>(n)), sums_(scales_) {
        std::vector<Code> codes(static_cast<std::size_t>(n * k));
        for (std::int64_t c = 0; c < n; ++c) {
            float largest = 0;
            for (std::int64_t i = 0; i < k; ++i) largest = std::max(largest, std::abs(w[c * k + i]));
            const float scale = std::max(largest / 127, 1e-30F);
            std::int64_t sum = 0;
            for (std::int64_t i = 0; i < k; ++i) {
                const auto code = static_cast<std::int8_t>(std::lround(w[c * k + i] / scale));
                codes[static_cast<std::size_t>(c * k + i)] = static_cast<Code>(code);
                sum += code;
            }
            scales_[static_cast<std::size_t>(c)] = scale;
            sums_[static_cast<std::size_t>(c)] = scale * static_cast<float>(sum);
        }
        weights_ = Panels<Code>(k, n, Matrix<const Code>{codes.data(), k, true});
    }

    std::int64_t out() const { return n_; }
    std::int64_t in() const { return k_; }
    const float* bias() const { return bias_.data(); }

    /// As that of other weights, about, for x of any type; each call makes codes of x anew.
    template <class X, class Y, class F>
    void apply(std::int64_t rows, const X* x, std::int64_t first, std::int64_t count, Y* y, std::int64_t stride,
               const F& f) const {
        const std::int64_t k = words_of<Code>(k_) * Tile<Code>::per_word;
        const std::shared_ptr<Code> codes = scratch<Code>(rows * k);
        std::vector<detail::RowCodes> row(static_cast<std::size_t>(rows));
        for (std::int64_t r = 0; r < rows; ++r) {
            row[static_cast<std::size_t>(r)] = detail::quantize_row(x + r * k_, k_, codes.get() + r * k);
            std::fill(codes.get() + r * k + k_, codes.get() + (r + 1) * k, Code{0});
        }
        const std::int64_t at_a_time = std::min(count, outputs_at_a_time);
        const std::shared_ptr<std::int32_t> whole = scratch<std::int32_t>(rows * at_a_time);
        float line[outputs_at_a_time];
        for (std::int64_t done = 0; done < count; done += at_a_time) {
            const std::int64_t from = first + done, n = std::min(at_a_time, count - done);
            detail::multiply_rows(rows, n, k, Matrix<const Code>{codes.get(), k}, weights_.from(0, from),
                                  Matrix<std::int32_t>{whole.get(), n}, false);
            const float *scales = scales_.data() + from, *sums = sums_.data() + from, *shift = bias() + from;
            for (std::int64_t r = 0; r < rows; ++r) {
                const auto [step, low] = row[static_cast<std::size_t>(r)];
                const std::int32_t* products = whole.get() + r * n;
                for (std::int64_t c = 0; c < n; ++c)
                    line[c] = scales[c] * step * static_cast<float>(products[c]) + low * sums[c] + shift[c];
                Y* to = y + r * stride + done;
                Lane<float>{}.each(n, [&](auto at) { at.store(to, f(at.load(line), to, at)); });
            }
        }
    }

private:
    static constexpr std::int64_t outputs_at_a_time = 768;  // whole panels; their sums stay near

    std::int64_t n_ = 0, k_ = 0;
    Panels<Code> weights_;
    std::vector<float> bias_, scales_, sums_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
