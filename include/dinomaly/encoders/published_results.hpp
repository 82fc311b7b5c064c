// SPDX-License-Identifier: Apache-2.0
// What Dinomaly reached with an encoder on MVTec-AD, all 15 classes in one model, where that is published.
//
// Sources: arXiv 2405.14325, the tables of scaling and of pre-trained foundations; for DINOv3 the log of the fork that
// Dinomaly's author links to. Another protocol, or a figure that was only drawn, is left out.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <vector>

namespace dinomaly::encoders {

/// A result, in per cent: of pictures AUROC, AP and best F1; of pixels these and AUPRO.
struct PublishedResult {
    std::string_view key;  ///< of the encoder in the catalogue
    int size, crop;
    std::array<double, 3> image;
    std::array<double, 4> pixel;
    std::string_view source;
};

namespace detail {

inline constexpr std::string_view scaling = "arXiv 2405.14325, scaling", foundations = "arXiv 2405.14325, foundations",
                                  fork = "log of the fork with DINOv3, 10,000 iterations";

inline constexpr PublishedResult results[] = {
    {"dinov2reg_vit_small_14", 448, 392, {99.26, 99.67, 98.72}, {98.07, 68.29, 67.78, 94.36}, scaling},
    {"dinov2reg_vit_base_14", 448, 392, {99.60, 99.78, 99.04}, {98.35, 69.29, 69.17, 94.79}, scaling},
    {"dinov2reg_vit_base_14", 256, 224, {99.34, 99.73, 99.03}, {98.09, 63.04, 64.48, 92.59}, foundations},
    {"dinov2reg_vit_large_14", 448, 392, {99.77, 99.92, 99.45}, {98.54, 70.53, 70.04, 95.09}, scaling},
    {"dinov2_vit_base_14", 448, 392, {99.55, 99.81, 99.13}, {98.26, 68.35, 68.79, 94.83}, foundations},
    {"dinov2_vit_base_14", 256, 224, {99.26, 99.70, 98.60}, {97.95, 62.27, 64.39, 92.80}, foundations},
    {"dinov3_vit_base_16", 512, 448, {99.51, 99.77, 98.96}, {98.52, 73.38, 70.76, 94.91}, fork},
    {"dinov3_vit_large_16", 512, 448, {99.62, 99.85, 99.18}, {98.74, 73.70, 71.52, 95.55}, fork},
    {"dino_vit_base_16", 512, 448, {98.97, 99.58, 98.14}, {98.52, 70.89, 69.02, 93.48}, foundations},
    {"dino_vit_base_16", 256, 224, {99.20, 99.72, 98.77}, {98.16, 64.16, 65.07, 92.02}, foundations},
    {"ibot_vit_base_16", 512, 448, {99.22, 99.67, 98.57}, {98.60, 70.78, 69.92, 93.33}, foundations},
    {"ibot_vit_base_16", 256, 224, {99.31, 99.74, 98.77}, {98.25, 64.01, 65.37, 91.68}, foundations},
    {"mae_vit_base_16", 512, 448, {96.27, 98.33, 95.44}, {96.96, 62.89, 63.32, 89.85}, foundations},
    {"mae_vit_base_16", 256, 224, {97.25, 98.84, 96.94}, {97.78, 63.00, 64.01, 90.95}, foundations},
    {"deit_vit_base_16", 512, 448, {98.19, 99.24, 97.64}, {97.93, 68.98, 67.91, 91.45}, foundations},
    {"deit_vit_base_16", 256, 224, {97.65, 99.05, 97.40}, {97.80, 62.58, 63.39, 89.98}, foundations},
    {"digpt_vit_base_16", 512, 448, {98.75, 99.24, 97.70}, {98.30, 65.77, 66.16, 92.34}, foundations},
    {"digpt_vit_base_16", 256, 224, {99.21, 99.66, 98.47}, {98.08, 60.05, 63.05, 91.78}, foundations},
    {"beitv2_vit_base_16", 256, 224, {97.70, 99.11, 97.39}, {97.61, 59.79, 62.53, 90.10}, foundations},
};

}  // namespace detail

/// The results of an encoder of the catalogue; that at its recommended sizes first.
inline std::vector<PublishedResult> published_results(std::string_view key) {
    std::vector<PublishedResult> found;
    std::ranges::copy_if(detail::results, std::back_inserter(found),
                         [&](const PublishedResult& result) { return result.key == key; });
    return found;
}

}  // namespace dinomaly::encoders
