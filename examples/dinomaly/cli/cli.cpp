// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.hpp"

#include "cli/cli_parts.hpp"
#include "commands.hpp"
#include "dinomaly/version.hpp"
#include "engine/gpu.hpp"

namespace dinomaly::program {

int run_command_line(int argc, char** argv) {
    CLI::App app("Dinomaly: finds what is not as it should be, after learning from good parts alone.", "dinomaly");
    app.footer(
        "'dinomaly COMMAND --help' says what a command takes.\n"
        "Exit status: 0 done, 1 bad input, 2 wrong usage, 130 interrupted.");
    app.set_version_flag("--version", std::string("dinomaly ") + version);
    app.require_subcommand(1);
    Action action;
    add_train(app, action);
    add_eval(app, action);
    add_calibrate(app, action);
    add_predict(app, action);
    add_info(app, action);
    add_encoders(app, action);
    add_convert(app, action);
    add_prepare(app, action);
    add_export(app, action);
    add_demo(app, action);
    add_bench(app, action);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? status_done : status_wrong_usage;
    }
    const int status = action();
    keep_gpu_choices();
    return status;
}

}  // namespace dinomaly::program
