// SPDX-License-Identifier: Apache-2.0
// loose_loss: Dinomaly's loss, a global cosine distance between groups of features, with hard mining.
//
//   loss = mean over groups of mean over pictures of 1 - cos(en, de), each picture's tokens taken as one long vector
//
// The gradient that reaches a token of `de` is scaled by `factor` where its own distance 1 - cos(en_i, de_i) is below
// the k-th largest of the batch, k = int(tokens (1 - p)): what is reconstructed well already stops pulling.
// Guo et al., Dinomaly, CVPR 2025, section 3.4; their global_cosine_hm_percent.
//
// One pass over the features gives each token's en.de, |en|^2 and |de|^2. A picture's are their sums, so the distances
// of tokens and of pictures both come from it. Backward is one pass too; it keeps the features, and numbers a token.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dinomaly/ops/cosine.hpp"
#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/quantile.hpp"
#include "dinomaly/ops/reduce.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

/// en.de, |en|^2 and |de|^2 of one token.
template <class T> struct TokenProducts {
    const T *en, *de;
    T *dot, *en_square, *de_square;
    std::int64_t channels;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t token) const {
        const T *a = en + token * channels, *b = de + token * channels;
        dot[token] = lane.sum(channels, [&](auto at) { return at.load(a) * at.load(b); });
        en_square[token] = lane.sum(channels, [&](auto at) { return at.load(a) * at.load(a); });
        de_square[token] = lane.sum(channels, [&](auto at) { return at.load(b) * at.load(b); });
    }
};

/// The gradient of one token of de: that of its picture's cosine, scaled by how hard the token is.
template <class T> struct MinedGradient {
    const T *en, *de;
    const T* scale;            // a token each
    const T *along, *against;  // a picture each
    T* grad;
    bool adds;
    std::int64_t channels, tokens;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t token) const {
        const T *a = en + token * channels, *b = de + token * channels;
        T* out = grad + token * channels;
        const std::int64_t picture = token / tokens;
        const Packet<T> toward(scale[token] * along[picture]), away(scale[token] * against[picture]);
        lane.each(channels, [&](auto at) {
            const Packet<T> d = toward * at.load(a) - away * at.load(b);
            at.store(out, adds ? at.load(out) + d : d);
        });
    }
};

}  // namespace kernel

namespace op {

/// One group's part: the mean over pictures of 1 - cos(en, de). en takes no gradient.
template <Device D> struct MinedCosine {
    static constexpr const char* name = "loose_loss";
    using T = typename D::value_type;

    Tensor<D> en;
    Cell<D, std::int64_t> hard;
    double factor;
    Tensor<D> de = {}, scale = {}, cosine = {}, en_square = {}, de_square = {};  // scale a token, the rest a picture

    Tensor<D> forward(const Tensor<D>& found) {
        de = found;
        const Shape tokens{de.size(0), de.size(1)};
        Tensor<D> dot(tokens), a(tokens), b(tokens);
        backend::rows(D{}, tokens.count(), de.size(2),
                      kernel::TokenProducts<T>{en.data(), de.data(), dot.data(), a.data(), b.data(), de.size(2)});
        const Var<D> distance = 1 - cosine_of(dot, a, b);  // [B, N]
        scale = as_var(where(less(distance, kth_largest(distance, hard)), factor, 1.0)).value();
        en_square = sum(a, {1}).value();  // [B]
        de_square = sum(b, {1}).value();
        cosine = as_var(cosine_of(sum(dot, {1}).value(), en_square, de_square)).value();
        return mean(1 - Var<D>(cosine)).value();
    }

    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const auto length = [](const Tensor<D>& square) { return maximum(kernel::cosine_eps, sqrt(square)); };
        const Var<D> slope = dy * (-1 / static_cast<double>(cosine.count()));
        const Var<D> along = slope / (length(en_square) * length(de_square));
        const Var<D> against = where(less(sqrt(de_square), kernel::cosine_eps), 0.0,
                                     slope * cosine / (length(de_square) * length(de_square)));
        const GradTarget<D> target = dx.target(de.shape());
        backend::rows(
            D{}, de.size(0) * de.size(1), de.size(2),
            kernel::MinedGradient<T>{en.data(), de.data(), scale.data(), along.value().data(), against.value().data(),
                                     target.data, target.adds, de.size(2), de.size(1)});
    }

private:
    static auto cosine_of(const Tensor<D>& dot, const Tensor<D>& a, const Tensor<D>& b) {
        return dot / (maximum(kernel::cosine_eps, sqrt(a)) * maximum(kernel::cosine_eps, sqrt(b)));
    }
};

}  // namespace op

}  // namespace dinomaly::inline DINOMALY_ABI

namespace dinomaly::inline DINOMALY_ABI::anomaly {

/// Groups of features of the same pictures, each [B, h w, C].
template <Device D> using Groups = std::vector<Var<D>>;

/// Distance of each token from its reconstruction: 1 - cos over the channels, [B, h w].
template <Device D> Var<D> point_distance(const Var<D>& en, const Var<D>& de) {
    return 1 - cosine_similarity(en, de);
}

/// The fraction p of tokens that count as easy at an iteration: 0 at first, `largest` from `ramp` on.
inline double easy_fraction(std::int64_t iteration, std::int64_t ramp, double largest = 0.9) {
    return ramp > 0 ? std::min(largest * static_cast<double>(iteration) / static_cast<double>(ramp), largest) : largest;
}

/// How many of `tokens` tokens count as hard when a fraction `easy_part` is easy; at least one.
inline std::int64_t hard_count(std::int64_t tokens, double easy_part) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(tokens) * (1 - easy_part)));
}

/// The loss (one element) of decoder groups `de` against encoder groups `en`, which take no gradient. `hard` tokens of
/// a batch (hard_count) keep their gradient, that of the others is scaled by `factor`.
template <Device D>
Var<D> loose_loss(const Groups<D>& en, const Groups<D>& de, const Cell<D, std::int64_t>& hard, double factor = 0.1) {
    check(!en.empty() && en.size() == de.size(), "loose_loss", en.size(), " and ", de.size(),
          " groups: equal numbers above zero expected");
    Var<D> total;
    for (std::size_t i = 0; i < en.size(); ++i) {
        check(en[i].rank() == 3 && en[i].shape() == de[i].shape(), "loose_loss", "features ", en[i].shape(), " and ",
              de[i].shape(), ": equal shapes [B, N, C] expected");
        const Var<D> loss = record(op::MinedCosine<D>{en[i].value(), hard, factor}, de[i]);
        total = i == 0 ? loss : Var<D>(total + loss);
    }
    return total / static_cast<double>(en.size());
}

/// The same when a fraction `easy_part` of the tokens is easy.
template <Device D> Var<D> loose_loss(const Groups<D>& en, const Groups<D>& de, double easy_part, double factor = 0.1) {
    const Shape& shape = en[0].shape();
    return loose_loss(en, de, Cell<D, std::int64_t>(hard_count(shape[0] * shape[1], easy_part)), factor);
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
