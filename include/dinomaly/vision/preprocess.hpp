// SPDX-License-Identifier: Apache-2.0
// Preprocess: which part of a picture the network sees, and in what size.
#pragma once

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
        check(crop.width <= size.width && crop.height <= size.height, "preprocess", "crop ", crop,
              " is larger than size ", size);
        check(crop.width % patch == 0 && crop.height % patch == 0, "preprocess", "crop ", crop,
              " is not a multiple of the patch, ", patch);
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
    /// (whole - part) / 2, a half rounded to the even number.
    static int offset(int whole, int part) {
        const int below = (whole - part) / 2;
        const bool half = (whole - part) % 2 != 0;
        return below + (half && below % 2 != 0 ? 1 : 0);
    }
};

}  // namespace dinomaly::vision
