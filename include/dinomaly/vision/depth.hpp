// SPDX-License-Identifier: Apache-2.0
// Depths as a second picture of a part (MVTec 3D-AD): TIFFs of floating-point values, and the picture made of them.
//
//   z/NAME.tiff     [height, width], a depth a pixel, 0 where there is none
//   xyz/NAME.tiff   [height, width, 3], places; the third value is the depth, whose holes are filled in three passes
//
// The picture: t = 1 - 0.8 (z - least) / (largest - least) where z > 0, else 0; the level is 255 t without its
// fraction, the colour that of OpenCV's table "hot". So near is bright, far is dark red, nothing is black.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/colormap_hot.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/tiff_memory.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Depths [height, width]; 0 or below, or NaN: none is known.
struct DepthMap {
    int width = 0, height = 0;
    std::vector<float> values;
};

namespace detail {

/// Reads a TIFF of 32-bit floating-point values, one or three a pixel.
class FloatTiffReader : private TiffInMemory {
public:
    FloatTiffReader(std::span<const std::byte> file, const std::string& name) : TiffInMemory(file, name) {
        const auto bits = field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE),
                   format = field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT);
        samples_ = field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL);
        check(format == SAMPLEFORMAT_IEEEFP && bits == 32 && (samples_ == 1 || samples_ == 3), name.c_str(),
              "a TIFF of ", samples_, format == SAMPLEFORMAT_IEEEFP ? " floating-point" : " whole", " values of ", bits,
              " bits a pixel, 1 depth or 3 coordinates of 32 bits in floating point expected");
        check(TIFFIsTiled(tiff()) == 0 &&
                  (samples_ == 1 || field<std::uint16_t>(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_CONTIG),
              name.c_str(), "a TIFF of depths in tiles or planes is not supported; strips of whole pixels expected");
        compression_ = field<std::uint16_t>(TIFFTAG_COMPRESSION);
        check(TIFFIsCODECConfigured(compression_) == 1, name.c_str(), "a TIFF of compression ", compression_,
              " is not supported");
        const std::uint64_t bytes = static_cast<std::uint64_t>(size_.pixels()) * samples_ * sizeof(float);
        const std::uint64_t most = compression_ == COMPRESSION_NONE ? 1 : 65536;
        check(bytes / most <= file.size(), name.c_str(), "not a sound TIFF: ", file.size(), " bytes cannot hold ",
              size_, " depths");
    }

    PictureSize size() const { return size_; }
    std::size_t samples() const { return samples_; }

    /// [height, width, samples].
    std::vector<float> read() {
        const auto width = static_cast<std::size_t>(size_.width), height = static_cast<std::size_t>(size_.height);
        const std::size_t row = width * samples_;
        const std::size_t rows = std::min<std::size_t>(field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP), height);
        check(rows > 0 && TIFFScanlineSize(tiff()) == static_cast<tmsize_t>(row * sizeof(float)), name_.c_str(),
              "not a sound TIFF: strips of ", rows, " rows");
        decodes_ = true;
        std::vector<float> values(row * height);
        for (std::size_t y = 0; y < height; y += rows) {
            const auto bytes = static_cast<tmsize_t>(std::min(rows, height - y) * row * sizeof(float));
            const std::uint32_t strip = TIFFComputeStrip(tiff(), static_cast<std::uint32_t>(y), 0);
            require(TIFFReadEncodedStrip(tiff(), strip, values.data() + y * row, bytes) == bytes);
        }
        return values;
    }

private:
    std::uint16_t samples_ = 1;
};

}  // namespace detail

/// Depths with holes (0) filled: three times, each hole by the mean of the positive depths in its 3 x 3 window, where
/// there are any.
inline DepthMap filled_depth(DepthMap depth) {
    const int width = depth.width, height = depth.height;
    const auto at = [&](int x, int y) {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
    };
    constexpr int passes = 3;
    for (int pass = 0; pass < passes; ++pass) {
        const std::vector<float> before = depth.values;
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) {
                if (before[at(x, y)] != 0.0F) continue;
                float sum = 0;
                int count = 0;
                for (int v = std::max(0, y - 1); v <= std::min(height - 1, y + 1); ++v)
                    for (int u = std::max(0, x - 1); u <= std::min(width - 1, x + 1); ++u)
                        if (const float value = before[at(u, v)]; value > 0) sum += value, ++count;
                if (count > 0) depth.values[at(x, y)] = sum / static_cast<float>(count);
            }
    }
    return depth;
}

/// The depths of a TIFF in memory: as they are where it has one value a pixel, else the filled third ones. Throws,
/// naming it, for another kind of file.
inline DepthMap decode_depth(std::span<const std::byte> file, const std::string& name) {
    detail::FloatTiffReader reader(file, name);
    std::vector<float> values = reader.read();
    DepthMap depth{reader.size().width, reader.size().height, {}};
    if (reader.samples() == 1) {
        depth.values = std::move(values);
        return depth;
    }
    for (std::size_t i = 2; i < values.size(); i += 3) depth.values.push_back(values[i]);
    return filled_depth(std::move(depth));
}

/// The depths as an RGB picture; black where there are none.
inline Image depth_picture(const DepthMap& depth) {
    float least = std::numeric_limits<float>::infinity(), largest = 0;
    for (const float z : depth.values)
        if (z > 0) least = std::min(least, z), largest = std::max(largest, z);
    const float range = largest - least;
    Image picture = make_image(depth.width, depth.height, 3);
    check(3 * depth.values.size() == picture.pixels.size(), "depth", depth.values.size(), " depths of ", depth.width,
          'x', depth.height, " pixels");
    for (std::size_t i = 0; i < depth.values.size(); ++i) {
        const float z = depth.values[i];
        if (!(z > 0)) continue;
        const float t = range > 0 ? 1.0F - 0.8F * (z - least) / range : 1.0F;
        std::ranges::copy(hot_color(static_cast<std::uint8_t>(t * 255.0F)),
                          picture.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i));
    }
    return picture;
}

/// Blackens an RGB picture where there are no depths. Throws, naming it, unless both have the same sides.
inline void blacken_without_depth(Image& rgb, const DepthMap& depth, const std::string& name) {
    check(rgb.width == depth.width && rgb.height == depth.height && rgb.channels == 3, name.c_str(), "depths of ",
          depth.width, 'x', depth.height, " for a picture of ", rgb.width, 'x', rgb.height, ", the same expected");
    for (std::size_t i = 0; i < depth.values.size(); ++i)
        if (!(depth.values[i] > 0))
            std::fill_n(rgb.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, std::uint8_t{0});
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
