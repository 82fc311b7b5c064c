// SPDX-License-Identifier: Apache-2.0
// TIFF through libtiff: the first picture of a file, from memory, in strips or tiles, to an 8-bit Image.
//
// The values are those of Pillow's convert. Grey of 1, 2 and 4 bits is stretched to 0..255, palettes are looked up (the
// high byte of their 16 bits), further channels and alpha are dropped, colours that were multiplied by alpha are
// divided by it. 16 bit: the high byte, but grey without alpha is clipped at 255, as in PNG. Where white is zero, grey
// is turned round up to 8 bits and, as in Pillow, not at 16. Unlike in other formats the orientation is applied, as
// Pillow does.
#pragma once

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/orientation.hpp"
#include "dinomaly/vision/tiff_memory.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// A TIFF in memory whose header has been checked.
class TiffReader : private TiffInMemory {
public:
    TiffReader(std::span<const std::byte> file, const std::string& name) : TiffInMemory(file, name) { read_header(); }

    /// The sides as they are shown, after the orientation.
    PictureSize size() const { return orientation_ >= 5 ? PictureSize{size_.height, size_.width} : size_; }

    Image read() {
        check_type();
        check_length();
        // Colours of a JPEG are converted by libjpeg.
        if (photometric_ == PHOTOMETRIC_YCBCR)
            require(TIFFSetField(tiff(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) == 1);
        samples_.resize(static_cast<std::size_t>(size_.pixels()) * samples_a_pixel_);
        decodes_ = true;
        if (TIFFIsTiled(tiff()) != 0)
            read_tiles();
        else
            read_strips();
        return oriented(image(), orientation_);
    }

private:
    // --- what the header says

    void read_header() {
        orientation_ = field<std::uint16_t>(TIFFTAG_ORIENTATION);
        if (orientation_ < 1 || orientation_ > 8) orientation_ = 1;
    }

    /// Reads what the pixels are, and throws where it is no kind that is supported.
    void check_type() {
        compression_ = field<std::uint16_t>(TIFFTAG_COMPRESSION);
        constexpr std::array known{COMPRESSION_NONE,          COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3,
                                   COMPRESSION_CCITTFAX4,     COMPRESSION_LZW,      COMPRESSION_JPEG,
                                   COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,  COMPRESSION_PACKBITS,
                                   COMPRESSION_ZSTD,          COMPRESSION_LZMA};
        check(std::ranges::find(known, int{compression_}) != known.end() && TIFFIsCODECConfigured(compression_) == 1,
              name_.c_str(), "a TIFF of compression ", compression_,
              " is not supported; none, CCITT, LZW, JPEG, deflate or PackBits expected");
        bits_ = field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE);
        samples_a_pixel_ = field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL);
        planes_ = field<std::uint16_t>(TIFFTAG_PLANARCONFIG);
        check(TIFFGetField(tiff(), TIFFTAG_PHOTOMETRIC, &photometric_) == 1, name_.c_str(),
              "not a sound TIFF: it does not say what its values are (photometric interpretation)");
        const auto format = field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT);
        check(format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_VOID, name_.c_str(), "a TIFF of ",
              format == SAMPLEFORMAT_IEEEFP ? "floating-point"
              : format == SAMPLEFORMAT_INT  ? "signed"
                                            : "complex",
              " values of ", bits_, " bits is not supported, unsigned values of 1 to 16 bits expected");
        check(bits_ == 1 || bits_ == 2 || bits_ == 4 || bits_ == 8 || bits_ == 16, name_.c_str(), "a TIFF of ", bits_,
              " bits a value is not supported, 1, 2, 4, 8 or 16 expected");
        check(samples_a_pixel_ >= 1 && samples_a_pixel_ <= 16, name_.c_str(), "a TIFF of ", samples_a_pixel_,
              " values a pixel is not supported, 1 to 16 expected");
        check_colors();
    }

    void check_colors() {
        const std::uint16_t* extra = nullptr;
        std::uint16_t extras = 0;
        TIFFGetFieldDefaulted(tiff(), TIFFTAG_EXTRASAMPLES, &extras, &extra);
        is_multiplied_ = extras > 0 && extra[0] == EXTRASAMPLE_ASSOCALPHA;
        std::size_t colors = 1;
        switch (photometric_) {
            case PHOTOMETRIC_MINISWHITE:
            case PHOTOMETRIC_MINISBLACK:
                check(!is_multiplied_, name_.c_str(), "a grey TIFF multiplied by its alpha is not supported");
                break;
            case PHOTOMETRIC_PALETTE: read_palette(); break;
            case PHOTOMETRIC_YCBCR:
                check(compression_ == COMPRESSION_JPEG && planes_ == PLANARCONFIG_CONTIG, name_.c_str(),
                      "a TIFF of YCbCr values is supported with JPEG compression only");
                [[fallthrough]];
            case PHOTOMETRIC_RGB: colors = 3; break;
            case PHOTOMETRIC_SEPARATED: colors = 4; break;
            default:
                fail(name_, "a TIFF of photometric interpretation ", photometric_,
                     " is not supported; grey, RGB, palette, CMYK or YCbCr expected");
        }
        check(samples_a_pixel_ >= colors && (colors == 1 || bits_ >= 8), name_.c_str(),
              "not a sound TIFF: ", samples_a_pixel_, " values of ", bits_, " bits a pixel for ", colors, " colours");
    }

    void read_palette() {
        std::array<std::uint16_t*, 3> maps{};
        check(bits_ <= 8 && TIFFGetField(tiff(), TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) == 1, name_.c_str(),
              "not a sound TIFF: a palette picture of ", bits_, " bits without its palette");
        for (std::size_t i = 0; i < std::size_t{1} << bits_; ++i)
            for (std::size_t c = 0; c < 3; ++c) palette_[i][c] = static_cast<std::uint8_t>(maps[c][i] >> 8);
    }

    /// Refuses a file too short for its own header before it is given memory.
    void check_length() const {
        const std::uint64_t bytes = (static_cast<std::uint64_t>(size_.pixels()) * samples_a_pixel_ * bits_ + 7) / 8;
        const std::uint64_t most = compression_ == COMPRESSION_NONE ? 1 : 65536;  // CCITT and LZW shrink that much
        check(bytes / most <= file_.size(), name_.c_str(), "not a sound TIFF: ", file_.size(), " bytes cannot hold ",
              size_, " pixels");
    }

    // --- pixels

    bool is_wide_grey() const { return bits_ == 16 && samples_a_pixel_ == 1; }

    /// One row of a strip or tile to samples: `count` values that begin at `from`, each `step` samples from the last.
    void unpack(const std::uint8_t* from, std::size_t count, std::uint8_t* to, std::size_t step) const {
        const unsigned most = bits_ < 8 ? (1U << bits_) - 1U : 255U;
        const unsigned stretch = photometric_ == PHOTOMETRIC_PALETTE ? 1U : 255U / most;
        for (std::size_t i = 0; i < count; ++i, to += step) {
            if (bits_ == 8) {
                *to = from[i];
            } else if (bits_ == 16) {
                std::uint16_t value = 0;
                std::memcpy(&value, from + 2 * i, 2);
                *to = static_cast<std::uint8_t>(is_wide_grey() ? std::min<unsigned>(value, 255U) : value >> 8U);
            } else {
                const std::size_t bit = i * bits_;
                const unsigned value = static_cast<unsigned>(from[bit / 8]) >> (8 - bits_ - bit % 8) & most;
                *to = static_cast<std::uint8_t>(value * stretch);
            }
        }
    }

    /// Puts a decoded block whose upper left corner is (x, y) into the samples. `stride`: bytes of its rows.
    void place(const std::uint8_t* block, std::size_t stride, std::size_t x, std::size_t y, std::size_t width,
               std::size_t height, std::size_t plane) {
        const std::size_t samples = samples_a_pixel_;
        const bool together = planes_ == PLANARCONFIG_CONTIG;
        for (std::size_t row = 0; row < height; ++row) {
            std::uint8_t* to = samples_.data() + ((y + row) * static_cast<std::size_t>(size_.width) + x) * samples;
            unpack(block + row * stride, together ? width * samples : width, together ? to : to + plane,
                   together ? 1 : samples);
        }
    }

    std::size_t planes() const { return planes_ == PLANARCONFIG_SEPARATE ? samples_a_pixel_ : 1; }

    /// A buffer for one strip or tile, at least as long as `rows` rows.
    std::vector<std::uint8_t> make_block(tmsize_t bytes, std::size_t stride, std::size_t rows) const {
        require(bytes > 0);
        const std::size_t most = std::size_t{1} << 31;
        check(static_cast<std::size_t>(bytes) <= most && stride * rows <= static_cast<std::size_t>(bytes),
              name_.c_str(), "not a sound TIFF: a block of ", bytes, " bytes for ", rows, " rows of ", stride);
        return std::vector<std::uint8_t>(static_cast<std::size_t>(bytes));
    }

    void read_strips() {
        const auto width = static_cast<std::size_t>(size_.width), height = static_cast<std::size_t>(size_.height);
        const std::size_t rows = std::min<std::size_t>(field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP), height);
        check(rows > 0, name_.c_str(), "not a sound TIFF: strips of no rows");
        const auto stride = static_cast<std::size_t>(std::max<tmsize_t>(TIFFScanlineSize(tiff()), 0));
        check_stride(stride, width);
        std::vector<std::uint8_t> block = make_block(TIFFStripSize(tiff()), stride, rows);
        for (std::size_t plane = 0; plane < planes(); ++plane)
            for (std::size_t y = 0; y < height; y += rows) {
                const std::size_t here = std::min(rows, height - y);
                const std::uint32_t strip =
                    TIFFComputeStrip(tiff(), static_cast<std::uint32_t>(y), static_cast<std::uint16_t>(plane));
                const tmsize_t bytes = static_cast<tmsize_t>(here * stride);
                require(TIFFReadEncodedStrip(tiff(), strip, block.data(), bytes) == bytes);
                place(block.data(), stride, 0, y, width, here, plane);
            }
    }

    void read_tiles() {
        const auto width = static_cast<std::size_t>(size_.width), height = static_cast<std::size_t>(size_.height);
        const std::size_t across = field<std::uint32_t>(TIFFTAG_TILEWIDTH),
                          down = field<std::uint32_t>(TIFFTAG_TILELENGTH);
        check(across > 0 && down > 0 && across <= std::size_t{1} << 20 && down <= std::size_t{1} << 20, name_.c_str(),
              "not a sound TIFF: tiles of ", across, "x", down);
        const auto stride = static_cast<std::size_t>(std::max<tmsize_t>(TIFFTileRowSize(tiff()), 0));
        check_stride(stride, across);
        std::vector<std::uint8_t> block = make_block(TIFFTileSize(tiff()), stride, down);
        for (std::size_t plane = 0; plane < planes(); ++plane)
            for (std::size_t y = 0; y < height; y += down)
                for (std::size_t x = 0; x < width; x += across) {
                    const std::uint32_t tile =
                        TIFFComputeTile(tiff(), static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), 0,
                                        static_cast<std::uint16_t>(plane));
                    const auto bytes = static_cast<tmsize_t>(block.size());
                    require(TIFFReadEncodedTile(tiff(), tile, block.data(), bytes) == bytes);
                    place(block.data(), stride, x, y, std::min(across, width - x), std::min(down, height - y), plane);
                }
    }

    void check_stride(std::size_t stride, std::size_t width) const {
        const std::size_t values = planes_ == PLANARCONFIG_SEPARATE ? width : width * samples_a_pixel_;
        check(stride >= (values * bits_ + 7) / 8, name_.c_str(), "not a sound TIFF: rows of ", stride, " bytes for ",
              values, " values of ", bits_, " bits");
    }

    /// The samples as grey or RGB.
    Image image() const {
        const bool grey = photometric_ == PHOTOMETRIC_MINISBLACK || photometric_ == PHOTOMETRIC_MINISWHITE;
        Image out = make_image(size_.width, size_.height, grey ? 1 : 3);
        std::uint8_t* to = out.pixels.data();
        const bool turned = photometric_ == PHOTOMETRIC_MINISWHITE && bits_ <= 8;
        for (std::size_t i = 0; i < samples_.size(); i += samples_a_pixel_) {
            const std::uint8_t* from = samples_.data() + i;
            if (grey) {
                *to++ = static_cast<std::uint8_t>(turned ? 255 - from[0] : from[0]);
            } else if (photometric_ == PHOTOMETRIC_PALETTE) {
                to = std::ranges::copy(palette_[from[0]], to).out;
            } else {
                for (std::size_t c = 0; c < 3; ++c) *to++ = color(from, c);
            }
        }
        return out;
    }

    /// One of red, green and blue of a pixel.
    std::uint8_t color(const std::uint8_t* pixel, std::size_t c) const {
        unsigned value = pixel[c];
        if (photometric_ == PHOTOMETRIC_SEPARATED) {
            const unsigned paper = 255U - pixel[3], product = value * paper + 128U;
            value = paper - ((product + (product >> 8)) >> 8);
        } else if (is_multiplied_ && photometric_ == PHOTOMETRIC_RGB) {
            value = pixel[3] == 0 ? 0U : std::min(255U, value * 255U / pixel[3]);
        }
        return static_cast<std::uint8_t>(value);
    }

    std::uint16_t orientation_ = 1, bits_ = 0, samples_a_pixel_ = 0, planes_ = 0, photometric_ = 0;
    bool is_multiplied_ = false;  ///< colours by alpha
    std::array<std::array<std::uint8_t, 3>, 256> palette_{};
    std::vector<std::uint8_t> samples_;  ///< [height, width, samples a pixel], 8 bit
};

}  // namespace detail

/// True when the bytes begin as a TIFF or BigTIFF file does.
inline bool is_tiff(std::span<const std::byte> file) {
    if (file.size() < 4) return false;
    const auto at = [&](std::size_t i) { return std::to_integer<int>(file[i]); };
    const bool little = at(0) == 'I' && at(1) == 'I' && at(3) == 0 && (at(2) == 42 || at(2) == 43);
    const bool big = at(0) == 'M' && at(1) == 'M' && at(2) == 0 && (at(3) == 42 || at(3) == 43);
    return little || big;
}

/// The sides of the first picture of a TIFF, as they are shown.
inline PictureSize tiff_size(std::span<const std::byte> file, const std::string& name) {
    return detail::TiffReader(file, name).size();
}

/// Decodes the first picture of a TIFF file to grey or RGB. Errors carry `name` and libtiff's message.
inline Image decode_tiff(std::span<const std::byte> file, const std::string& name) {
    return detail::TiffReader(file, name).read();
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
