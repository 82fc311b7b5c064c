// SPDX-License-Identifier: Apache-2.0
// Every row of the table on Cuda<float> against double: values and gradients.
#define BOOST_TEST_MODULE cuda_ops
#include <boost/test/unit_test.hpp>

#include "tests/cuda/on_cuda.hpp"
#include "tests/ops/check_case.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

struct OnCuda {
    template <class F, class Golden> void operator()(const Case<F, Golden>& row) const {
        BOOST_TEST_CONTEXT(row.name) {
            for_each_schedule([&] { compare_with_double<Cuda<float>>(row, row.golden.tolerance); });
        }
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(arithmetic) {
    arithmetic_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(broadcasts) {
    broadcast_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(reductions) {
    reduce_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(shapes) {
    shape_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(products) {
    matmul_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(softmax_and_loss) {
    softmax_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(resampling) {
    resample_cases(OnCuda{});
}
BOOST_AUTO_TEST_CASE(model_ops) {
    model_cases(OnCuda{});
}
