// SPDX-License-Identifier: Apache-2.0
// The program dinomaly. Bad input ends in one message on standard error and exit status 1.
#include <exception>
#include <iostream>

#include "cli/cli.hpp"

int main(int argc, char** argv) {
    try {
        return dinomaly::program::run_command_line(argc, argv);
    } catch (const std::bad_alloc&) {
        std::cerr << "error: not enough memory; a smaller --batch, --size or --crop may help" << std::endl;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << std::endl;
    }
    return 1;
}
