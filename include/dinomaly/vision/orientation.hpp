// SPDX-License-Identifier: Apache-2.0
// A picture turned and mirrored as the orientation tag of EXIF and TIFF asks for: 1 as it is, 2 mirrored, 3 upside
// down, 4 mirrored upside down, 5 to 8 with rows for columns (6: turned right, 8: turned left).
#pragma once

#include <algorithm>
#include <cstddef>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision {

/// The sides of a picture once it is turned.
inline PictureSize oriented(PictureSize size, int orientation) {
    return orientation >= 5 ? PictureSize{size.height, size.width} : size;
}

/// The picture turned and mirrored. Numbers other than 2 to 8 change nothing.
inline Image oriented(Image from, int orientation) {
    if (orientation < 2 || orientation > 8) return from;
    const PictureSize size = oriented(PictureSize{from.width, from.height}, orientation);
    Image out = make_image(size.width, size.height, from.channels);
    const bool swaps = orientation >= 5;
    const bool flips_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool flips_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const auto channels = static_cast<std::size_t>(from.channels);
    for (int y = 0; y < size.height; ++y)
        for (int x = 0; x < size.width; ++x) {
            int source_x = swaps ? y : x, source_y = swaps ? x : y;
            if (flips_x) source_x = from.width - 1 - source_x;
            if (flips_y) source_y = from.height - 1 - source_y;
            std::copy_n(from.row(source_y) + static_cast<std::size_t>(source_x) * channels, channels,
                        out.row(y) + static_cast<std::size_t>(x) * channels);
        }
    return out;
}

}  // namespace dinomaly::vision
