// SPDX-License-Identifier: Apache-2.0
// write_dot: the recorded graph in Graphviz's language, results above, parameters (boxes) below.
//
//   std::ofstream file("graph.dot");
//   write_dot(file, loss);                 then: dot -Tsvg graph.dot > graph.svg
//
// A formula that ran in one pass is one node, labelled with the whole formula. Call it before backward(), which takes
// the graph apart.
#pragma once

#include <ostream>
#include <unordered_map>

#include "dinomaly/autodiff/var.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Writes all nodes that root depends on and their edges; a constant gives an empty graph.
template <Device D> void write_dot(std::ostream& out, const Var<D>& root) {
    const Edges nodes = sweep_order(root.node());
    std::unordered_map<const Node*, std::size_t> number;
    out << "digraph {\n";
    for (const auto& node : nodes) {
        number.emplace(node.get(), number.size());
        const bool is_parameter = node->depth == 0;
        out << "    n" << number.at(node.get()) << " [label=\"" << node->name << '"'
            << (is_parameter ? ", shape=box" : "") << "];\n";
    }
    for (const auto& node : nodes)
        for (const auto& input : node->inputs)
            if (input) out << "    n" << number.at(node.get()) << " -> n" << number.at(input.get()) << ";\n";
    out << "}\n";
}

}  // namespace dinomaly::inline DINOMALY_ABI
