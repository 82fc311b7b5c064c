// SPDX-License-Identifier: Apache-2.0
// Tensors as text.
#define BOOST_TEST_MODULE core_print

#include "dinomaly/core/print.hpp"

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <string>

#include "dinomaly/backend/cpu/device.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<float>;

std::string text_of(const Tensor<D>& tensor) {
    std::ostringstream text;
    text << tensor;
    return text.str();
}

}  // namespace

BOOST_AUTO_TEST_CASE(nested_rows) {
    BOOST_TEST(text_of(Tensor<D>({2, 3}, {1, 2.5F, 3, 4, 5, -6})) == "[[1, 2.5, 3],\n [4, 5, -6]] [2, 3]");
    BOOST_TEST(text_of(Tensor<D>({2, 1, 2}, {1, 2, 3, 4})) == "[[[1, 2]],\n [[3, 4]]] [2, 1, 2]");
    BOOST_TEST(text_of(full<D>({}, 7)) == "7 []");
}

BOOST_AUTO_TEST_CASE(nothing_to_show) {
    BOOST_TEST(text_of(zeros<D>({0, 3})) == "[0, 3]");
    BOOST_TEST(text_of(Tensor<D>()) == "(undefined)");
}

BOOST_AUTO_TEST_CASE(large_tensors_show_their_ends) {
    BOOST_TEST(text_of(zeros<D>({2000})) == "[0, 0, 0, ..., 0, 0, 0] [2000]");
    BOOST_TEST(text_of(ones<D>({2, 501})) == "[[1, 1, 1, ..., 1, 1, 1],\n [1, 1, 1, ..., 1, 1, 1]] [2, 501]");
    BOOST_TEST(text_of(ones<D>({1000})).size() == 3000 + std::string(" [1000]").size());
}
