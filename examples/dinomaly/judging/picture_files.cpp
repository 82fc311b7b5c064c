// SPDX-License-Identifier: Apache-2.0
#include "judging/picture_files.hpp"

#include <cmath>
#include <system_error>
#include <vector>

#include "dinomaly/anomaly/defects.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/color_bar.hpp"
#include "dinomaly/vision/outline.hpp"
#include "dinomaly/vision/overlay.hpp"
#include "dinomaly/vision/picture_map.hpp"

namespace dinomaly::program {

namespace fs = std::filesystem;

namespace {

nlohmann::ordered_json box_json(const vision::Window& box) {
    return {box.left, box.top, box.width, box.height};
}

nlohmann::ordered_json defects_json(const std::vector<anomaly::Defect>& defects) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const anomaly::Defect& defect : defects)
        list.push_back({{"area", defect.area},
                        {"box", box_json(defect.box)},
                        {"peak", defect.peak},
                        {"peak_at", {defect.peak_x, defect.peak_y}},
                        {"mean", defect.mean}});
    return list;
}

vision::OverlayStyle style_for(const PictureOutput& output, float middle) {
    vision::OverlayStyle style = vision::absolute_style(middle);
    if (output.range.first < output.range.second) {
        style.low = output.range.first;
        style.high = output.range.second;
    }
    return style;
}

vision::Image draw_overlay(const PictureOutput& output, const vision::Image& picture, const vision::PictureMap& map,
                           float threshold) {
    constexpr float usual = 0.3F;  // the middle of the colours where nothing is known of the model's maps
    const vision::OverlayStyle style = style_for(output, threshold > 0 ? threshold : usual);
    vision::Image drawn = vision::overlay(picture, map, style);
    vision::draw_outline(drawn, vision::outline(map, threshold));
    return vision::with_color_bar(drawn, style, threshold);
}

}  // namespace

const std::map<std::string, vision::MapFormat>& map_formats() {
    static const std::map<std::string, vision::MapFormat> formats{
        {"png", vision::MapFormat::png}, {"tiff", vision::MapFormat::tiff}, {"npy", vision::MapFormat::npy}};
    return formats;
}

void make_output_folders(const PictureOutput& output) {
    for (const fs::path& folder : {output.overlays, output.maps}) {
        if (folder.empty()) continue;
        std::error_code problem;
        fs::create_directories(folder, problem);
        check(!problem && fs::is_directory(folder), folder.c_str(), "the folder cannot be made: ", problem.message());
    }
}

nlohmann::ordered_json write_picture_outputs(const PictureOutput& output, const std::string& name,
                                             const vision::Image& picture, const vision::PictureMap& map,
                                             float pixel_threshold) {
    nlohmann::ordered_json line{{"width", picture.width},
                                {"height", picture.height},
                                {"map_width", map.map_width()},
                                {"map_height", map.map_height()},
                                {"covered", box_json(map.covered())},
                                {"pixel_threshold", nullptr},
                                {"defects", nullptr}};
    if (!std::isnan(pixel_threshold)) {
        line["pixel_threshold"] = pixel_threshold;
        line["defects"] = defects_json(anomaly::find_defects(map, pixel_threshold, output.min_area));
    }
    if (!output.overlays.empty()) {
        const fs::path path = output.overlays / (name + "-overlay.png");
        vision::write_png(path, draw_overlay(output, picture, map, pixel_threshold));
        line["overlay"] = path.string();
    }
    if (!output.maps.empty()) {
        const fs::path path = output.maps / (name + "-map" + vision::extension(output.format));
        vision::write_map(path, map, output.format);
        line["map"] = path.string();
    }
    return line;
}

}  // namespace dinomaly::program
