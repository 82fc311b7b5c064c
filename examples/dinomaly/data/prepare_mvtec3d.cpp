// SPDX-License-Identifier: Apache-2.0
// The command prepare mvtec3d: depths with filled holes, from the places that MVTec 3D-AD is shipped with.
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/depth_writer.hpp"
#include "dinomaly/vision/folder_layout.hpp"
#include "dinomaly/vision/source.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

/// The files CLASS/{train,validation,test}/KIND/xyz/NAME.tiff, sorted; `root` may be a class itself.
std::vector<fs::path> find_places(const fs::path& root) {
    std::vector<fs::path> found;
    const auto add = [&](const fs::path& folder) {
        for (const char* part : {"test", "train", "validation"})
            for (const fs::path& kind : vision::detail::sorted_folders(folder / part))
                for (const fs::path& file : vision::list_pictures(kind / "xyz")) found.push_back(file);
    };
    add(root);
    for (const fs::path& folder : vision::detail::sorted_folders(root)) add(folder);
    return found;
}

}  // namespace

int run_prepare_mvtec3d(const PrepareMvtec3dOptions& options) {
    std::error_code problem;
    check(fs::is_directory(options.data, problem), options.data.c_str(), "no such folder");
    const std::vector<fs::path> files = find_places(options.data);
    check(!files.empty(), options.data.c_str(), "no places: CLASS/{train,test}/KIND/xyz/NAME.tiff expected");
    Progress progress("preparing MVTec 3D-AD", "files", static_cast<std::int64_t>(files.size()));
    std::size_t written = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const fs::path folder = files[i].parent_path().parent_path() / "z",
                       to = folder / (files[i].stem().string() + ".tiff");
        if (!fs::exists(to, problem)) {
            fs::create_directories(folder, problem);
            check(!problem, folder.c_str(), "cannot be made: ", problem.message());
            const vision::DepthMap depth = vision::read_depth(files[i]);
            const std::vector<std::byte> file = vision::encode_float_tiff(depth.values, depth.width, depth.height);
            io::write_atomically(to, [&](io::OutputFile& out) { out.write(file); });
            ++written;
        }
        progress.update(static_cast<std::int64_t>(i + 1));
    }
    progress.pause();
    std::cout << "wrote " << written << " files of depths, " << files.size() - written << " were there already"
              << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
