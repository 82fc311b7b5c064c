// SPDX-License-Identifier: Apache-2.0
// Ten lines from outside: broadcasts two shapes.
#include <dinomaly/core/shape.hpp>
#include <iostream>

int main() {
    using dinomaly::Shape;
    std::cout << "shape " << dinomaly::broadcast("+", Shape{4, 1}, Shape{3}) << '\n';
}
