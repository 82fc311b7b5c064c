// SPDX-License-Identifier: Apache-2.0
// Preprocess: which part of a picture the network sees, and in what size.
#pragma once

#include <algorithm>
#include <cstddef>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision {

/// The sizes, in pixels: pictures become `size`, of which the middle `crop` is used, cut into square patches.
struct Preprocess {
    PictureSize size = 448;
    PictureSize crop = 392;
    int patch = 14;

    /// Throws unless patch divides both sides of crop and these are above 0 and at most those of size.
    void validate() const {
        check(patch > 0, "preprocess", "patch ", patch, ", above zero expected");
        check_size("preprocess", size.width, size.height);
        check_size("preprocess", crop.width, crop.height);
        check_side("width", crop.width, size.width);
        check_side("height", crop.height, size.height);
    }

    /// Replaces the sizes by those that are given: above 0. Throws as validate() does.
    void replace(PictureSize new_size, PictureSize new_crop) {
        if (new_size != PictureSize{}) size = new_size;
        if (new_crop != PictureSize{}) crop = new_crop;
        validate();
    }

    /// Pixels cut off at the left and at the top.
    PictureSize offset() const { return {offset(size.width, crop.width), offset(size.height, crop.height)}; }

    /// Values of one picture of the network's input, [3, height, width].
    std::size_t count() const { return 3 * static_cast<std::size_t>(crop.pixels()); }

    friend bool operator==(const Preprocess&, const Preprocess&) = default;

private:
    /// Throws unless a side of the crop fits in that of the size and holds whole patches.
    void check_side(const char* side, int crop_side, int size_side) const {
        check(crop_side <= size_side, "preprocess", "crop ", crop, " is larger than size ", size, ": ", side, ' ',
              crop_side, ", at most ", size_side, " expected");
        const int below = std::max(1, crop_side / patch) * patch;
        check(crop_side % patch == 0, "preprocess", "crop ", crop, " is not a multiple of the patch, ", patch, ": ",
              side, ' ', crop_side, ", ", below, " or ", below + patch, " expected");
    }

    /// (whole - part) / 2, a half rounded to the even number.
    static int offset(int whole, int part) {
        const int below = (whole - part) / 2;
        const bool half = (whole - part) % 2 != 0;
        return below + (half && below % 2 != 0 ? 1 : 0);
    }
};

/// Throws unless both sides of a tile, in the picture's own pixels, are 1 .. 100000.
inline void check_tile(PictureSize tile) {
    constexpr int max_side = 100000;
    check(tile.width > 0 && tile.height > 0 && tile.width <= max_side && tile.height <= max_side, "tile", tile,
          ": sides of 1 to ", max_side, " pixels expected");
}

}  // namespace dinomaly::vision
