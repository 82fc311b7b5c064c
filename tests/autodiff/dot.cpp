// SPDX-License-Identifier: Apache-2.0
// The graph as Graphviz text.
#define BOOST_TEST_MODULE autodiff_dot

#include "dinomaly/autodiff/dot.hpp"

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <string>

#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/reduce.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<float>;

std::string dot_of(const Var<D>& root) {
    std::ostringstream text;
    write_dot(text, root);
    return text.str();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_formula_is_one_node) {
    const Var<D> x = parameter(ones<D>({3}));
    const Var<D> y = tanh(x) * x;
    BOOST_TEST(dot_of(sum(y)) ==
               "digraph {\n"
               "    n0 [label=\"sum\"];\n"
               "    n1 [label=\"multiply(tanh(x), x)\"];\n"
               "    n2 [label=\"parameter\", shape=box];\n"
               "    n0 -> n1;\n"
               "    n1 -> n2;\n"
               "    n1 -> n2;\n"
               "}\n");
}

BOOST_AUTO_TEST_CASE(a_constant_has_no_graph) {
    BOOST_TEST(dot_of(ones<D>({3})) == "digraph {\n}\n");
}
