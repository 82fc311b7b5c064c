// SPDX-License-Identifier: Apache-2.0
// Preprocess: which part of a picture the network sees, and in what size.
#pragma once

#include <cstddef>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision {

/// The sizes, in pixels: pictures become size x size, of which the middle crop x crop is used, cut into patches.
struct Preprocess {
    int size = 448;
    int crop = 392;
    int patch = 14;

    /// Throws unless patch divides crop and 0 < crop <= size.
    void validate() const {
        check(size > 0 && crop > 0 && patch > 0, "preprocess", "size ", size, ", crop ", crop, ", patch ", patch,
              ", all above zero expected");
        check(crop <= size, "preprocess", "crop ", crop, " is larger than size ", size);
        check(crop % patch == 0, "preprocess", "crop ", crop, " is not a multiple of the patch, ", patch);
        check_size("preprocess", size, size);
    }

    /// Pixels cut off at the left and at the top: (size - crop) / 2, a half rounded to the even number.
    int offset() const {
        const int below = (size - crop) / 2;
        const bool half = (size - crop) % 2 != 0;
        return below + (half && below % 2 != 0 ? 1 : 0);
    }

    /// Values of one picture of the network's input, [3, crop, crop].
    std::size_t count() const { return 3 * static_cast<std::size_t>(crop) * static_cast<std::size_t>(crop); }

    friend bool operator==(const Preprocess&, const Preprocess&) = default;
};

}  // namespace dinomaly::vision
