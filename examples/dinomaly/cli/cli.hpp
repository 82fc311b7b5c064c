// SPDX-License-Identifier: Apache-2.0
// The command line: which commands and options there are, and what their help says.
#pragma once

namespace dinomaly::program {

/// Runs the command that the arguments name and returns its exit status: 0, 1 for bad input, 2 for wrong usage.
/// Throws dinomaly::Error for bad input.
int run_command_line(int argc, char** argv);

}  // namespace dinomaly::program
