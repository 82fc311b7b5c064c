// SPDX-License-Identifier: Apache-2.0
// Which pictures a command works on, as its options say.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dinomaly/vision/dataset.hpp"

namespace dinomaly::program {

struct DataOptions {
    std::filesystem::path data;           ///< the data set's root
    std::string dataset = "auto";         ///< auto, mvtec, visa, realiad, mpdd, manta, mulsen, mvtec3d or folder
    std::string lists = "realiad_jsons";  ///< Real-IAD: the folder of lists
    bool multi_view = false;              ///< Real-IAD: pictures are views of objects
    std::vector<std::string> classes;     ///< empty: all that are found
};

/// The data set that the options ask for. Errors as those of vision::scan.
inline vision::DataSet find_data(const DataOptions& options) {
    return vision::scan(options.data, vision::ScanOptions{.dataset = vision::data_set_kind(options.dataset),
                                                          .lists = options.lists,
                                                          .multi_view = options.multi_view,
                                                          .classes = options.classes});
}

}  // namespace dinomaly::program
