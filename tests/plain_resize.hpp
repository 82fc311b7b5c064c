// SPDX-License-Identifier: Apache-2.0
// plain_resize: the resize written down as it is defined, pixel by pixel, for tests and benchmarks to compare with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::test {

namespace detail {

using vision::Image;

inline Image transposed(const Image& image) {
    Image out = vision::make_image(image.height, image.width, image.channels);
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
            std::copy_n(image.row(y) + x * image.channels, image.channels, out.row(x) + y * image.channels);
    return out;
}

/// The rows of the picture resized to another width, pixel by pixel.
inline Image plain_width(const Image& image, int width) {
    if (width == image.width) return image;
    Image out = vision::make_image(width, image.height, image.channels);
    const double scale = static_cast<double>(image.width) / width, support = std::max(scale, 1.0);
    for (int x = 0; x < width; ++x) {
        const double center = (x + 0.5) * scale;
        const int first = std::max(static_cast<int>(center - support + 0.5), 0);
        const int end = std::min(static_cast<int>(center + support + 0.5), image.width);
        std::vector<double> weights;
        double sum = 0;
        for (int i = first; i < end; ++i) {
            weights.push_back(std::max(0.0, 1 - std::abs((i - center + 0.5) * (1 / support))));
            sum += weights.back();
        }
        for (int y = 0; y < image.height; ++y)
            for (int c = 0; c < image.channels; ++c) {
                std::int64_t total = 1 << 21;
                for (int i = first; i < end; ++i)
                    total +=
                        image.row(y)[i * image.channels + c] *
                        static_cast<std::int64_t>(0.5 + weights[static_cast<std::size_t>(i - first)] / sum * (1 << 22));
                out.row(y)[x * image.channels + c] =
                    static_cast<std::uint8_t>(std::min<std::int64_t>(total >> 22, 255));
            }
    }
    return out;
}

}  // namespace detail

/// What Pillow's resize with BILINEAR gives.
inline vision::Image plain_resize(const vision::Image& image, int width, int height) {
    using detail::plain_width, detail::transposed;
    const auto plain_height = [&](const vision::Image& from) {
        return transposed(plain_width(transposed(from), height));
    };
    const bool height_first = image.height > height && image.height - height > 2 * (image.width - width);
    return height_first ? plain_width(plain_height(image), width) : plain_height(plain_width(image, width));
}

}  // namespace dinomaly::test
