// SPDX-License-Identifier: Apache-2.0
// Image: an 8-bit picture in memory, row by row, channels interleaved, and the two conversions between grey and RGB.
//
// Grey from RGB is the ITU-R 601-2 luma in 16-bit fixed point, L = (19595 R + 38470 G + 7471 B + 2^15) >> 16, the
// figures that Pillow's convert("L") uses; RGB from grey repeats the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "dinomaly/core/error.hpp"

namespace dinomaly::vision {

/// The largest picture that is accepted, in pixels; a header that claims more is taken for hostile.
inline constexpr std::int64_t max_pixels = std::int64_t{1} << 28;

/// Sides in pixels; one number stands for a square.
struct PictureSize {
    int width = 0;
    int height = 0;

    constexpr PictureSize() = default;
    constexpr PictureSize(int side) : width(side), height(side) {}
    constexpr PictureSize(int w, int h) : width(w), height(h) {}

    constexpr std::int64_t pixels() const { return std::int64_t{width} * height; }

    friend bool operator==(const PictureSize&, const PictureSize&) = default;
    /// "448x392".
    friend std::ostream& operator<<(std::ostream& out, const PictureSize& size) {
        return out << size.width << 'x' << size.height;
    }
};

/// An 8-bit picture: pixels [height, width, channels], channels 1 (grey) or 3 (RGB).
struct Image {
    int width = 0;
    int height = 0;
    int channels = 0;
    std::vector<std::uint8_t> pixels;

    /// Bytes of one row.
    std::size_t stride() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels); }
    const std::uint8_t* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * stride(); }
    std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * stride(); }

    friend bool operator==(const Image&, const Image&) = default;
};

/// The two sides. Throws unless they are at least 1 and the picture holds at most max_pixels. `name` is the file to
/// blame.
inline PictureSize check_size(const std::string& name, std::int64_t width, std::int64_t height) {
    check(width > 0 && height > 0, name.c_str(), "a picture of ", width, "x", height, ", at least 1x1 expected");
    check(width <= max_pixels && height <= max_pixels / width, name.c_str(), "a picture of ", width, "x", height,
          " is above the limit of ", max_pixels, " pixels");
    return {static_cast<int>(width), static_cast<int>(height)};
}

/// A black picture.
inline Image make_image(int width, int height, int channels) {
    check_size("image", width, height);
    check(channels == 1 || channels == 3, "image", channels, " channels, 1 or 3 expected");
    Image image{width, height, channels, {}};
    image.pixels.resize(image.stride() * static_cast<std::size_t>(height));
    return image;
}

/// Throws unless `image` has 1 or 3 channels and as many pixels as its sides say. `place` goes into the message.
inline void check_image(const char* place, const Image& image) {
    check_size(place, image.width, image.height);
    check(image.channels == 1 || image.channels == 3, place, image.channels, " channels, 1 or 3 expected");
    const std::size_t expected = image.stride() * static_cast<std::size_t>(image.height);
    check(image.pixels.size() == expected, place, image.pixels.size(), " bytes of pixels, ", expected, " expected");
}

/// The picture with 3 channels; a grey value is repeated.
inline Image to_rgb(Image image) {
    if (image.channels == 3) return image;
    Image out = make_image(image.width, image.height, 3);
    std::uint8_t* to = out.pixels.data();
    for (std::uint8_t value : image.pixels)
        for (int c = 0; c < 3; ++c) *to++ = value;
    return out;
}

/// The picture with 1 channel; RGB becomes luma.
inline Image to_grey(Image image) {
    if (image.channels == 1) return image;
    Image out = make_image(image.width, image.height, 1);
    const std::uint8_t* from = image.pixels.data();
    for (std::uint8_t& value : out.pixels) {
        value = static_cast<std::uint8_t>((19595U * from[0] + 38470U * from[1] + 7471U * from[2] + 0x8000U) >> 16);
        from += 3;
    }
    return out;
}

}  // namespace dinomaly::vision
