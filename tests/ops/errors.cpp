// SPDX-License-Identifier: Apache-2.0
// A broken rule gives an Error that names the op, the shapes and the rule.
#define BOOST_TEST_MODULE ops_errors

#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>

#include "dinomaly/tensor.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<float>;

Var<D> of(const Shape& shape) {
    return ones<D>(shape);
}

void expect(const std::string& message, const std::function<void()>& act) {
    BOOST_CHECK_EXCEPTION(act(), Error, [&](const Error& error) {
        BOOST_TEST(error.what() == message);
        return true;
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(elementwise) {
    expect("[multiply] shapes [2, 3] and [2] do not broadcast: 3 against 2 at axis -1 (equal or 1 expected)", [] {
        of({2, 3}) * of({2});
    });
    expect("[dropout] probability 1, 0 <= p < 1 expected", [] { dropout(of({2}), 1, Philox{}); });
}

BOOST_AUTO_TEST_CASE(products) {
    expect("[matmul] a [2, 3] and b [4, 5]: the last axis of a (3) must equal the last but one of b (4)", [] {
        matmul(of({2, 3}), of({4, 5}));
    });
    expect("[matmul] a [3] and b [3, 5]: a [.., M, K] and b [.., K, N] expected", [] { matmul(of({3}), of({3, 5})); });
    expect("[matmul] shapes [2] and [3] do not broadcast: 2 against 3 at axis -1 (equal or 1 expected)", [] {
        matmul(of({2, 4, 4}), of({3, 4, 4}));
    });
    expect("[linear] x [2, 3] and w [5, 4]: x [..., K] and w [N, K] expected", [] { linear(of({2, 3}), of({5, 4})); });
    expect("[linear] w [5, 3] and b [4]: w [N, K] and b [N] expected", [] { linear(of({2, 3}), of({5, 3}), of({4})); });
}

BOOST_AUTO_TEST_CASE(shapes) {
    expect("[reshape] [2, 3] holds 6 elements, [4] needs 4", [] { reshape(of({2, 3}), {4}); });
    expect("[reshape] [2, 3] holds 6 elements, which the given sizes, of product 4, do not divide", [] {
        reshape(of({2, 3}), {4, -1});
    });
    expect("[reshape] -1 is given 2 times: one size at most can be left open", [] { reshape(of({2, 3}), {-1, -1}); });
    expect("[reshape] size -2: a size or a single -1 expected", [] { reshape(of({2, 3}), {-2, 3}); });
    expect("[permute] 2 axes given for [2, 3, 4], 3 expected", [] { permute(of({2, 3, 4}), {1, 0}); });
    expect("[permute] axis -1 of [2, 3] is named twice", [] { permute(of({2, 3}), {1, -1}); });
    expect("[shape] axis 2 does not exist in [2, 3]", [] { transpose(of({2, 3}), 0, 2); });
    expect("[slice] 3 entries from 1 of axis 1 of [2, 3]: a range within 0 .. 3 expected", [] {
        slice(of({2, 3}), 1, 1, 3);
    });
    expect("[average] inputs [2, 3] and [3, 2]: equal shapes expected", [] { average({of({2, 3}), of({3, 2})}); });
    expect("[average] 65 inputs, 1 to 64 expected", [] { average(std::vector(65, of({2}))); });
    expect("[concat] inputs [2, 3] and [3, 3]: equal sizes expected except along axis 1", [] {
        concat({of({2, 3}), of({3, 3})}, -1);
    });
    expect("[stack] inputs [2, 3] and [2, 1]: equal shapes expected", [] { stack({of({2, 3}), of({2, 1})}, 0); });
    expect("[stack] axis 3 does not exist in a stack of [2, 3]", [] { stack({of({2, 3})}, 3); });
    expect("[flatten] axes 1 .. 0 of [2, 3]: the first after the last", [] { flatten(of({2, 3}), 1, 0); });
    expect("[scale_grad] factor [3, 3] does not broadcast to x [3]", [] { scale_grad(of({3}), ones<D>({3, 3})); });
}

BOOST_AUTO_TEST_CASE(reductions_and_losses) {
    expect("[sum] axis 2 does not exist in [2, 3]", [] { sum(of({2, 3}), {2}); });
    expect("[mean] axis -2 is named twice", [] { mean(of({2, 3}), {0, -2}); });
    expect("[mean] no elements in [0, 3]", [] { mean(of({0, 3})); });
    expect("[amax] no elements along the axes of [2, 0]", [] { amax(of({2, 0}), {1}); });
    expect("[mse] a [2] and b [3]: equal shapes with elements expected", [] { mse(of({2}), of({3})); });
    expect("[softmax] x []: x [.., C] expected", [] { softmax(of({})); });
    expect("[cross_entropy] logits [2, 3] and 1 labels: logits [N, C] and N labels expected", [] {
        cross_entropy(of({2, 3}), {0});
    });
    expect("[cross_entropy] label 3 of row 1: 0 .. 2 expected", [] { cross_entropy(of({2, 3}), {0, 3}); });
    expect("[kth_largest] k 7 for 6 elements of [2, 3]: 1 .. 6 expected", [] { kth_largest(of({2, 3}), 7); });
}

BOOST_AUTO_TEST_CASE(ops_of_a_transformer) {
    expect("[layer_norm] x [2, 3], w [4] and b [4]: x [..., C], w [C] and b [C] expected", [] {
        layer_norm(of({2, 3}), of({4}), of({4}), 1e-6);
    });
    BOOST_CHECK_THROW(attention(of({1, 2, 12}), 5), Error);
    BOOST_CHECK_THROW(linear_attention(of({1, 2, 12}), 0), Error);
    BOOST_CHECK_THROW(cosine_similarity(of({2, 3}), of({3})), Error);
    expect("[patch_embed] image [1, 3, 28, 13]: at least one patch of 14 x 14 expected", [] {
        patch_embed(of({1, 3, 28, 13}), of({8, 3, 14, 14}), of({8}));
    });
    expect("[attention] qkv [1, 2, 12] and bias [2, 2, 3]: bias [heads, N, N] expected", [] {
        attention(of({1, 2, 12}), 2, of({2, 2, 3}));
    });
    expect(
        "[rotary] qkv [1, 2, 12] with 1 heads, cosines [3, 2] and sines [3, 2]: [P, head_dim / 2] of an even "
        "head_dim, P up to N, expected",
        [] {
            rotary(of({1, 2, 12}), {of({3, 2}).value(), of({3, 2}).value()}, 1);
        });
    expect("[gather] row 3 of x [3, 2]: one of its rows expected", [] { gather(of({3, 2}), {0, 3}); });
    expect("[gather] x [] and 1 rows: x [T, ..] and numbers of 31 bits expected", [] { gather(of({}), {0}); });
    BOOST_CHECK_THROW(resize_bilinear(of({4, 4}), 0, 4, false), Error);
}
