// SPDX-License-Identifier: Apache-2.0
// Rows of the table: softmax and losses, and the ops of a transformer.
#define BOOST_TEST_MODULE ops_model_ops

#include <boost/test/unit_test.hpp>

#include "tests/ops/check_case.hpp"

BOOST_AUTO_TEST_CASE(softmax_and_loss_cases) {
    dinomaly::test::softmax_cases(dinomaly::test::CheckCase{});
}
BOOST_AUTO_TEST_CASE(model_cases) {
    dinomaly::test::model_cases(dinomaly::test::CheckCase{});
}
BOOST_AUTO_TEST_CASE(resample_cases) {
    dinomaly::test::resample_cases(dinomaly::test::CheckCase{});
}

// More keys than one stretch holds: the running maximum grows on the way, and what was summed before is rescaled.
BOOST_AUTO_TEST_CASE(attention_over_several_stretches_is_the_composition) {
    using namespace dinomaly;
    using namespace dinomaly::test;
    using D = Cpu<double>;
    Generator random(4);
    const Tensor<D> qkv = draw({1, 700, 2 * 3 * 8}).scaled(2).tensor<D>(random),
                    dy = draw({1, 700, 16}).tensor<D>(random);
    const Var<D> fused = parameter(qkv), single = parameter(qkv);
    const Var<D> y = attention(fused, 2), z = attention_composed(single, 2);
    BOOST_TEST(mismatch(y.value(), z.value(), 1e-12) == "");
    y.backward(dy);
    z.backward(dy);
    BOOST_TEST(mismatch(fused.grad(), single.grad(), 1e-11) == "");

    const Tensor<D> bias = draw({2, 700, 700}).tensor<D>(random);
    Tensor<D> out({1, 700, 16});
    backend::attention_forward(D{}, {1, 700, 2, 8}, qkv.data(), out.data(), static_cast<double*>(nullptr), bias.data());
    BOOST_TEST(mismatch(out, attention_composed(Var<D>(qkv), 2, Var<D>(bias)).value(), 1e-12) == "");
}

// Sums are cut by size: a task that added to another one's sums would add in the order in which threads come.
BOOST_AUTO_TEST_CASE(gradients_of_a_product_are_the_same_on_any_number_of_threads) {
    using namespace dinomaly;
    using namespace dinomaly::test;
    using D = Cpu<float>;
    const int normally = backend::thread_pool().threads();
    const auto gradients_with = [](int threads) {
        backend::thread_pool().resize(threads);
        Generator random(7);
        const Var<D> x = parameter(draw({2000, 48}).tensor<D>(random)), s = parameter(draw({48}).tensor<D>(random)),
                     w = parameter(draw({33, 48}).tensor<D>(random)), b = parameter(draw({33}).tensor<D>(random));
        const Var<D> y = gelu(linear(x * s, w, b));
        y.backward(draw(y.shape()).tensor<D>(random));
        std::vector<std::vector<float>> gradients;
        for (const auto& parameter : {x, s, w, b}) gradients.push_back(parameter.grad().to_vector());
        return gradients;
    };
    const auto alone = gradients_with(1);
    for (const int threads : {2, 3, 5}) BOOST_TEST((gradients_with(threads) == alone), threads << " threads");
    backend::thread_pool().resize(normally);
}
