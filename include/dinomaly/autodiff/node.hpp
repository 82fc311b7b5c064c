// SPDX-License-Identifier: Apache-2.0
// Node: one step of a recorded computation, and backward(): the sweep over all of them.
//
// A node is not a template, so that nodes of different element types share one graph. It holds edges to the nodes its
// inputs came from and knows how to push its own gradient to them. Nodes keep what they need and nothing else; the
// sweep lets go of it as it passes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"

namespace dinomaly::inline DINOMALY_ABI {

struct Node;
/// Nodes that a computation depends on, one an input; null where an input wants no gradient.
using Edges = std::vector<std::shared_ptr<Node>>;

struct Node {
    Edges inputs;
    const char* name = "parameter";
    int depth = 0;  // above that of every input, so that falling depth is a valid order for the sweep

    Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// Frees a long chain of nodes in a loop: member-wise destruction would recurse once a node.
    virtual ~Node() {
        Edges orphans = std::move(inputs);
        while (!orphans.empty()) {
            const std::shared_ptr<Node> node = std::move(orphans.back());
            orphans.pop_back();
            if (node && node.use_count() == 1)
                orphans.insert(orphans.end(), std::make_move_iterator(node->inputs.begin()),
                               std::make_move_iterator(node->inputs.end()));
        }
    }

    /// Adds this node's gradient, through its formula, to those of its inputs, and drops what was kept for it.
    virtual void backward() {}

    void connect(Edges edges) {
        inputs = std::move(edges);
        for (const auto& input : inputs)
            if (input) depth = std::max(depth, input->depth + 1);
    }
};

/// All nodes that root depends on, root included, deepest first: the order of the backward sweep.
inline Edges sweep_order(const std::shared_ptr<Node>& root) {
    Edges order;
    std::unordered_set<const Node*> seen;
    if (root) {
        order.push_back(root);
        seen.insert(root.get());
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Edges& inputs = order[i]->inputs;
        for (std::size_t j = 0; j < inputs.size(); ++j)
            if (inputs[j] && seen.insert(inputs[j].get()).second) order.push_back(std::shared_ptr<Node>(inputs[j]));
    }
    std::ranges::stable_sort(order, std::greater{}, [](const auto& node) { return node->depth; });
    return order;
}

/// Runs the backward sweep from root, whose gradient must be set. Each node is let go as soon as it has run.
inline void sweep(const std::shared_ptr<Node>& root) {
    for (std::shared_ptr<Node>& node : sweep_order(root)) {
        node->backward();
        node.reset();
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI
