// SPDX-License-Identifier: Apache-2.0
// The golden model against PyTorch on Cuda<float>.
#define BOOST_TEST_MODULE cuda_golden
#include <boost/test/unit_test.hpp>

#include "tests/cuda/on_cuda.hpp"
#include "tests/model/golden_cases.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cuda<float>;

BOOST_AUTO_TEST_CASE(encoder_blocks) {
    check_encoder_blocks<D>();
}
BOOST_AUTO_TEST_CASE(groups_and_map) {
    check_groups_and_map<D>("tiny_weights.safetensors");
    check_groups_and_map<D>("tiny_weights.pth");
}
BOOST_AUTO_TEST_CASE(loss_and_gradients) {
    check_loss_and_gradients<D>();
}
BOOST_AUTO_TEST_CASE(twelve_steps) {
    check_twelve_steps<D>();
}
