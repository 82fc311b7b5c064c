// SPDX-License-Identifier: Apache-2.0
// A trained model on the line: judges the pictures named as arguments or, without any, on standard input, one a line.
//     example_deploy RUN/model.safetensors part.png ...
#include <cmath>
#include <exception>
#include <iostream>
#include <string>

#include "dinomaly/decision.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/vision/codec.hpp"

using namespace dinomaly;

int main(int argc, char** argv) try {
    check(argc > 1, "usage", "example_deploy MODEL [PICTURE ...]");
    const Predictor predictor(argv[1]);  // in fp32; Predictor<Cpu<bfloat16>> is faster where the processor has it
    const float threshold = read_decision(predictor.info()).all.thresholds.image;  // NaN where the file has none
    int status = 0;

    const auto judge = [&](const std::string& path) {
        try {
            const float score = predictor(vision::read_rgb(path)).score;
            const char* verdict = std::isnan(threshold) ? "no threshold" : score >= threshold ? "bad" : "good";
            std::cout << path << '\t' << score << '\t' << verdict << std::endl;
        } catch (const Error& error) {  // a picture that cannot be read does not stop the line
            std::cerr << "error: " << error.what() << std::endl;
            status = 1;
        }
    };
    for (int i = 2; i < argc; ++i) judge(argv[i]);
    for (std::string path; argc == 2 && std::getline(std::cin, path);) judge(path);
    return status;
} catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << std::endl;
    return 1;
}
