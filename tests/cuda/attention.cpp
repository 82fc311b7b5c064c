// SPDX-License-Identifier: Apache-2.0
// Attention and linear attention on a GPU, or in the emulation, against the formulas in plain loops of doubles.
#define BOOST_TEST_MODULE cuda_attention
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "dinomaly/backend/cuda/attention.hpp"
#include "dinomaly/backend/cuda/linear_attention.hpp"
#include "dinomaly/core/random.hpp"
#include "tests/cuda/on_cuda.hpp"

using namespace dinomaly;
using backend::AttentionSizes;

namespace {

using Values = std::vector<double>;

std::size_t at(std::int64_t index) {
    return static_cast<std::size_t>(index);
}

/// Normal values, as S holds them.
template <class S> Values draw(std::int64_t count, std::uint64_t stream, double deviation = 1) {
    Generator random(29, stream);
    Values values(at(count));
    for (double& value : values)
        value = static_cast<float>(static_cast<S>(static_cast<float>(deviation * random.normal())));
    return values;
}

/// Values on the device.
template <class S> class Uploaded {
public:
    explicit Uploaded(const Values& values) : count_(values.size()), memory_(Cuda<S>::allocate(count_ * sizeof(S))) {
        std::vector<S> stored;
        for (const double value : values) stored.push_back(static_cast<S>(static_cast<float>(value)));
        Cuda<S>::upload(memory_.get(), stored.data(), count_ * sizeof(S));
    }
    S* data() const { return static_cast<S*>(memory_.get()); }
    Values values() const {
        std::vector<S> stored(count_);
        Cuda<S>::download(stored.data(), memory_.get(), count_ * sizeof(S));
        return {stored.begin(), stored.end()};
    }

private:
    std::size_t count_;
    std::shared_ptr<void> memory_;
};

/// An attention's tensors.
struct Attention {
    Values qkv, out, lse, dout, dqkv;
};

/// Which elements of the tensors a head has.
struct Head {
    AttentionSizes s;
    std::int64_t picture, head;

    std::size_t qkv(std::int64_t part, std::int64_t row, std::int64_t channel) const {
        return at((((picture * s.tokens + row) * 3 + part) * s.heads + head) * s.head_dim + channel);
    }
    std::size_t out(std::int64_t row, std::int64_t channel) const {
        return at(((picture * s.tokens + row) * s.heads + head) * s.head_dim + channel);
    }
    std::size_t lse(std::int64_t row) const { return at((picture * s.heads + head) * s.tokens + row); }
};

template <class F> void for_each_head(const AttentionSizes& s, const F& f) {
    for (std::int64_t picture = 0; picture < s.batch; ++picture)
        for (std::int64_t head = 0; head < s.heads; ++head) f(Head{s, picture, head});
}

/// qkv and dout drawn, the rest zeros of the right size.
template <class S> Attention drawn(const AttentionSizes& s, double deviation) {
    const std::int64_t count = s.batch * s.tokens * s.width();
    return {draw<S>(3 * count, 1, deviation), Values(at(count)), Values(at(s.batch * s.heads * s.tokens)),
            draw<S>(count, 2), Values(at(3 * count))};
}

/// out = softmax(q k^T / sqrt(d) + bias) v, its lse, and dqkv; bias [H, N, N] or empty.
template <class S> Attention softmax_attention(const AttentionSizes& s, const Values& bias = {}) {
    Attention a = drawn<S>(s, 2);
    const double scale = 1 / std::sqrt(static_cast<double>(s.head_dim));
    for_each_head(s, [&](const Head& head) {
        const std::int64_t n = s.tokens, d = s.head_dim;
        for (std::int64_t i = 0; i < n; ++i) {
            Values weights(at(n));
            double sum = 0;
            for (std::int64_t j = 0; j < n; ++j) {
                double score = 0;
                for (std::int64_t c = 0; c < d; ++c) score += a.qkv[head.qkv(0, i, c)] * a.qkv[head.qkv(1, j, c)];
                score *= scale;
                if (!bias.empty()) score += bias[at((head.head * n + i) * n + j)];
                sum += weights[at(j)] = std::exp(score);
            }
            a.lse[head.lse(i)] = std::log(sum);
            double common = 0;
            for (std::int64_t c = 0; c < d; ++c) {
                double& out = a.out[head.out(i, c)];
                for (std::int64_t j = 0; j < n; ++j) out += weights[at(j)] / sum * a.qkv[head.qkv(2, j, c)];
                common += out * a.dout[head.out(i, c)];
            }
            for (std::int64_t j = 0; j < n; ++j) {
                const double weight = weights[at(j)] / sum;
                double dweight = 0;
                for (std::int64_t c = 0; c < d; ++c) {
                    dweight += a.dout[head.out(i, c)] * a.qkv[head.qkv(2, j, c)];
                    a.dqkv[head.qkv(2, j, c)] += weight * a.dout[head.out(i, c)];
                }
                const double dscore = weight * (dweight - common) * scale;
                for (std::int64_t c = 0; c < d; ++c) {
                    a.dqkv[head.qkv(0, i, c)] += dscore * a.qkv[head.qkv(1, j, c)];
                    a.dqkv[head.qkv(1, j, c)] += dscore * a.qkv[head.qkv(0, i, c)];
                }
            }
        }
    });
    return a;
}

double feature(double x) {
    return x > 0 ? x + 1 : std::exp(x);
}
double slope(double x) {
    return x > 0 ? 1 : std::exp(x);
}

/// out = sum_j w_ij v_j / n_i with w_ij = p_i . r_j and n_i = sum_j w_ij + eps, and dqkv: the sums over tokens are not
/// shared, so this is another way to the same values.
template <class S> Attention linear_attention(const AttentionSizes& s, double eps) {
    Attention a = drawn<S>(s, 1);
    for_each_head(s, [&](const Head& head) {
        const std::int64_t n = s.tokens, d = s.head_dim;
        for (std::int64_t i = 0; i < n; ++i) {
            Values weights(at(n));
            double norm = eps;
            for (std::int64_t j = 0; j < n; ++j) {
                for (std::int64_t c = 0; c < d; ++c)
                    weights[at(j)] += feature(a.qkv[head.qkv(0, i, c)]) * feature(a.qkv[head.qkv(1, j, c)]);
                norm += weights[at(j)];
            }
            double common = 0;
            for (std::int64_t c = 0; c < d; ++c) {
                double& out = a.out[head.out(i, c)];
                for (std::int64_t j = 0; j < n; ++j) out += weights[at(j)] / norm * a.qkv[head.qkv(2, j, c)];
                common += out * a.dout[head.out(i, c)];
            }
            for (std::int64_t j = 0; j < n; ++j) {
                double dweight = -common;
                for (std::int64_t c = 0; c < d; ++c) {
                    dweight += a.dout[head.out(i, c)] * a.qkv[head.qkv(2, j, c)];
                    a.dqkv[head.qkv(2, j, c)] += weights[at(j)] / norm * a.dout[head.out(i, c)];
                }
                dweight /= norm;
                for (std::int64_t c = 0; c < d; ++c) {
                    const double q = a.qkv[head.qkv(0, i, c)], k = a.qkv[head.qkv(1, j, c)];
                    a.dqkv[head.qkv(0, i, c)] += dweight * feature(k) * slope(q);
                    a.dqkv[head.qkv(1, j, c)] += dweight * feature(q) * slope(k);
                }
            }
        }
    });
    return a;
}

/// The largest difference, relative to the largest value wanted; infinite for a NaN.
double error(const Values& found, const Values& wanted) {
    BOOST_REQUIRE(found.size() == wanted.size());
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (std::isnan(found[i])) return std::numeric_limits<double>::infinity();
        difference = std::max(difference, std::abs(found[i] - wanted[i]));
        largest = std::max(largest, std::abs(wanted[i]));
    }
    return largest == 0 ? difference : difference / largest;
}

template <class S> constexpr double tolerance = std::is_same_v<S, float> ? 1e-5 : 1e-2;

Values plus(Values a, const Values& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
}

std::string describe(const AttentionSizes& s) {
    return "batch " + std::to_string(s.batch) + ", tokens " + std::to_string(s.tokens) + ", heads " +
           std::to_string(s.heads) + ", head_dim " + std::to_string(s.head_dim);
}

/// Forward and backward of one attention, called as forward(qkv, out, lse) and backward(qkv, out, lse, dout, dqkv,
/// adds).
template <class S, class Forward, class Backward>
void check_both(const AttentionSizes& s, const Attention& wanted, const Forward& forward, const Backward& backward) {
    const Uploaded<S> qkv(wanted.qkv), out(Values(wanted.out.size(), NAN)), stored_out(wanted.out), dout(wanted.dout);
    const Uploaded<float> lse(wanted.lse);
    forward(qkv.data(), out.data());
    BOOST_TEST(error(out.values(), wanted.out) < tolerance<S>, "out: " << describe(s));
    const Values before = draw<S>(static_cast<std::int64_t>(wanted.dqkv.size()), 3);
    for (const bool adds : {false, true}) {
        const Uploaded<S> dqkv(before);
        backward(qkv.data(), stored_out.data(), lse.data(), dout.data(), dqkv.data(), adds);
        BOOST_TEST(error(dqkv.values(), adds ? plus(before, wanted.dqkv) : wanted.dqkv) < 2 * tolerance<S>,
                   "dqkv: " << describe(s) << ", adds " << adds);
    }
}

template <class S> void check_softmax(const AttentionSizes& s) {
    const Attention wanted = softmax_attention<S>(s);
    const Uploaded<float> lse(Values(wanted.lse.size(), NAN));
    check_both<S>(
        s, wanted, [&](const S* qkv, S* out) { backend::attention_forward(Cuda<S>{}, s, qkv, out, lse.data()); },
        [&](const S* qkv, const S* out, const float* sums, const S* dout, S* dqkv, bool adds) {
            backend::attention_backward(Cuda<S>{}, s, qkv, out, sums, dout, dqkv, adds);
        });
    BOOST_TEST(error(lse.values(), wanted.lse) < tolerance<float>, "lse: " << describe(s));
}

template <class S> void check_linear(const AttentionSizes& s, float eps) {
    check_both<S>(
        s, linear_attention<S>(s, eps),
        [&](const S* qkv, S* out) { backend::linear_attention_forward(Cuda<S>{}, s, eps, qkv, out); },
        [&](const S* qkv, const S* out, const float*, const S* dout, S* dqkv, bool adds) {
            backend::linear_attention_backward(Cuda<S>{}, s, eps, qkv, out, dout, dqkv, adds);
        });
}

/// Every number of tokens with every head_dim, batch and heads in turn.
template <class F> void for_sizes(const F& f) {
    std::int64_t turn = 0;
    for (const std::int64_t tokens : {1, 5, 63, 64, 65, 149})
        for (const std::int64_t head_dim : {8, 32, 64}) {
            f(AttentionSizes{1 + turn % 2, tokens, 1 + turn % 3, head_dim});
            ++turn;
        }
}

}  // namespace

BOOST_AUTO_TEST_CASE(attention_matches_its_formula) {
    for_sizes([](const AttentionSizes& s) {
        check_softmax<float>(s);
        check_softmax<bfloat16>(s);
    });
    for (const AttentionSizes& s : {AttentionSizes{1, 70, 2, 5}, {2, 9, 3, 96}, {1, 33, 1, 130}}) {
        check_softmax<float>(s);
        check_softmax<bfloat16>(s);
    }
}

template <class S> void check_biased(const AttentionSizes& s) {
    const Values bias = draw<float>(s.heads * s.tokens * s.tokens, 4, 2);
    const Attention wanted = softmax_attention<S>(s, bias);
    const Uploaded<S> qkv(wanted.qkv), out(Values(wanted.out.size(), NAN));
    const Uploaded<float> lse(Values(wanted.lse.size(), NAN)), added(bias);
    backend::attention_forward(Cuda<S>{}, s, qkv.data(), out.data(), lse.data(), added.data());
    BOOST_TEST(error(out.values(), wanted.out) < tolerance<S>, "out: " << describe(s));
    BOOST_TEST(error(lse.values(), wanted.lse) < tolerance<float>, "lse: " << describe(s));
}

BOOST_AUTO_TEST_CASE(a_bias_is_added_to_the_scores) {
    for (const AttentionSizes& s : {AttentionSizes{2, 65, 2, 64}, {1, 17, 3, 8}}) {
        check_biased<float>(s);
        check_biased<bfloat16>(s);
    }
}

BOOST_AUTO_TEST_CASE(linear_attention_matches_its_formula) {
    for_sizes([](const AttentionSizes& s) {
        check_linear<float>(s, 0);
        check_linear<bfloat16>(s, 0);
    });
    // Several tiles of channels, heads that are no multiple of eight wide, tokens in two parts and in eight.
    for (const AttentionSizes& s :
         {AttentionSizes{1, 70, 2, 5}, {2, 9, 3, 96}, {1, 33, 1, 130}, {1, 330, 2, 64}, {1, 2100, 1, 4}}) {
        check_linear<float>(s, 0.5F);
        check_linear<bfloat16>(s, 0.5F);
    }
}

BOOST_AUTO_TEST_CASE(sizes_of_nothing_and_heads_too_wide) {
    const Uploaded<float> memory(Values(8, 3.0));
    for (const AttentionSizes& s : {AttentionSizes{0, 4, 2, 8}, {2, 0, 2, 8}}) {
        backend::attention_forward(Cuda<float>{}, s, memory.data(), memory.data(), nullptr);
        backend::linear_attention_forward(Cuda<float>{}, s, 0, memory.data(), memory.data());
        backend::linear_attention_backward(Cuda<float>{}, s, 0, memory.data(), memory.data(), memory.data(),
                                           memory.data(), false);
    }
    BOOST_TEST(error(memory.values(), Values(8, 3.0)) == 0);
    BOOST_CHECK_THROW(backend::linear_attention_forward(Cuda<float>{}, {1, 1, 1, 193}, 0, memory.data(), memory.data()),
                      Error);
}

BOOST_AUTO_TEST_CASE(attention_without_lse_and_from_any_address) {
    const AttentionSizes s{1, 70, 2, 64};
    for (const bool linear : {false, true}) {
        const Attention wanted = linear ? linear_attention<bfloat16>(s, 0) : softmax_attention<bfloat16>(s);
        for (const std::ptrdiff_t shift : {0, 1}) {  // an odd address is not one for reads of 16 bytes
            Values shifted = wanted.qkv;
            shifted.insert(shifted.begin(), at(shift), 0.0);
            const Uploaded<bfloat16> qkv(shifted), out(Values(wanted.out.size(), NAN));
            if (linear)
                backend::linear_attention_forward(Cuda<bfloat16>{}, s, 0, qkv.data() + shift, out.data());
            else
                backend::attention_forward(Cuda<bfloat16>{}, s, qkv.data() + shift, out.data(), nullptr);
            BOOST_TEST(error(out.values(), wanted.out) < tolerance<bfloat16>, "linear " << linear << ", " << shift);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_same_bits_however_threads_are_scheduled) {
    const AttentionSizes s{2, 149, 2, 64}, longer{1, 270, 2, 64};
    const Attention softmax = softmax_attention<bfloat16>(s), linear = linear_attention<bfloat16>(longer, 0);
    std::vector<Values> first;
    test::for_each_schedule([&](const std::string& way) {
        const Uploaded<bfloat16> qkv(softmax.qkv), out(Values(softmax.out.size(), NAN));
        const Uploaded<float> lse(Values(softmax.lse.size(), NAN));
        backend::attention_forward(Cuda<bfloat16>{}, s, qkv.data(), out.data(), lse.data());
        BOOST_TEST(error(out.values(), softmax.out) < tolerance<bfloat16>, way);
        BOOST_TEST(error(lse.values(), softmax.lse) < tolerance<float>, way);

        const Uploaded<bfloat16> linear_qkv(linear.qkv), linear_out(Values(linear.out.size(), NAN)), dout(linear.dout),
            dqkv(Values(linear.dqkv.size(), NAN));
        backend::linear_attention_forward(Cuda<bfloat16>{}, longer, 0, linear_qkv.data(), linear_out.data());
        backend::linear_attention_backward(Cuda<bfloat16>{}, longer, 0, linear_qkv.data(), linear_out.data(),
                                           dout.data(), dqkv.data(), false);
        BOOST_TEST(error(linear_out.values(), linear.out) < tolerance<bfloat16>, way);
        BOOST_TEST(error(dqkv.values(), linear.dqkv) < 2 * tolerance<bfloat16>, way);

        const std::vector<Values> found{out.values(), lse.values(), linear_out.values(), dqkv.values()};
        if (first.empty()) first = found;
        BOOST_TEST((found == first), way);
    });
}
