// SPDX-License-Identifier: Apache-2.0
// BMP: Windows and OS/2 bitmaps of 1, 4, 8, 16, 24 and 32 bits, uncompressed, to RGB.
//
// An own strict reader, for a bitmap is a header and rows: every offset is checked, a file shorter than its header
// says is an error, run lengths and embedded JPEG or PNG are refused by name. Alpha is dropped; an index outside the
// palette is black. A 5 or 6 bit sample v becomes 255 v / 31 or 255 v / 63, rounded down, as Pillow has it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// Where one channel sits in a little-endian pixel of 16, 24 or 32 bits.
struct BmpField {
    int shift = 0;
    std::uint32_t limit = 255;  ///< the largest value, 31, 63 or 255

    static BmpField of_mask(std::uint32_t mask) {
        const int shift = mask == 0 ? 0 : std::countr_zero(mask);
        return {shift, mask >> shift};
    }
    std::uint8_t value(std::uint32_t pixel) const {
        return static_cast<std::uint8_t>(((pixel >> shift) & limit) * 255U / limit);
    }
};

/// One bitmap being read: the header's figures, then the rows.
class BmpReader {
public:
    BmpReader(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

    PictureSize size() {
        read_header();
        return check_size(name_, width_, height_);
    }

    Image read() {
        const PictureSize size = this->size();
        const std::int64_t stride = (width_ * bits_ + 31) / 32 * 4;
        const auto end = offset_ + static_cast<std::uint64_t>(stride) * static_cast<std::uint64_t>(height_);
        check(end <= file_.size(), name_.c_str(), "not a sound BMP: the file is cut short: ", file_.size(),
              " bytes, at least ", end, " expected");

        Image image = make_image(size.width, size.height, 3);
        for (std::int64_t y = 0; y < height_; ++y) {
            const std::int64_t line = top_down_ ? y : height_ - 1 - y;
            const auto begin = offset_ + static_cast<std::uint64_t>(line * stride);
            read_row(file_.subspan(begin, static_cast<std::size_t>(stride)), image.row(static_cast<int>(y)));
        }
        return image;
    }

private:
    /// Little-endian unsigned integer of `bytes` bytes at an offset.
    std::uint32_t number(std::size_t offset, std::size_t bytes) const {
        check(offset + bytes <= file_.size(), name_.c_str(),
              "not a sound BMP: the file is cut short in its header, at ", file_.size(), " bytes");
        std::uint32_t value = 0;
        for (std::size_t i = bytes; i > 0; --i)
            value = value << 8 | std::to_integer<std::uint32_t>(file_[offset + i - 1]);
        return value;
    }

    void read_header() {
        offset_ = number(10, 4);
        const std::uint32_t size = number(14, 4);
        const bool old = size == 12;  // OS/2 1.x: 16-bit sides, palette entries of 3 bytes
        constexpr std::array<std::uint32_t, 6> sizes{40, 52, 56, 64, 108, 124};
        check(old || std::ranges::find(sizes, size) != sizes.end(), name_.c_str(), "not a sound BMP: header of ", size,
              " bytes, 12, 40, 52, 56, 64, 108 or 124 expected");
        std::uint32_t compression = 0;
        std::uint32_t colors = 0;
        if (old) {
            width_ = number(18, 2);
            height_ = number(20, 2);
            bits_ = static_cast<int>(number(24, 2));
        } else {
            width_ = static_cast<std::int32_t>(number(18, 4));
            height_ = static_cast<std::int32_t>(number(22, 4));
            bits_ = static_cast<int>(number(28, 2));
            compression = number(30, 4);
            colors = number(46, 4);
            top_down_ = height_ < 0;
            height_ = top_down_ ? -height_ : height_;
        }
        constexpr std::array depths{1, 4, 8, 16, 24, 32};
        check(std::ranges::find(depths, bits_) != depths.end(), name_.c_str(), "not a sound BMP: ", bits_,
              " bits a pixel, 1, 4, 8, 16, 24 or 32 expected");
        std::size_t end = 14 + size;
        if (bits_ == 16) fields_ = {BmpField{10, 31}, BmpField{5, 31}, BmpField{0, 31}};
        if (compression == 3) {
            read_masks();
            end = std::max<std::size_t>(end, 14 + 40 + 12);
        } else {
            check(compression == 0, name_.c_str(), "a compressed BMP (method ", compression,
                  ") is not supported, an uncompressed one expected");
        }
        if (bits_ <= 8) end = read_palette(end, old ? 3 : 4, colors);
        check(offset_ >= end, name_.c_str(), "not a sound BMP: pixels begin at byte ", offset_,
              ", inside the header, which ends at ", end);
    }

    /// Bit fields: three masks, behind the first 40 bytes of the header in every version of it.
    void read_masks() {
        check(bits_ >= 16, name_.c_str(), "not a sound BMP: bit fields with ", bits_, " bits a pixel");
        for (std::size_t c = 0; c < 3; ++c) {
            const std::uint32_t mask = number(54 + 4 * c, 4);
            fields_[c] = BmpField::of_mask(mask);
            const std::uint32_t limit = fields_[c].limit;
            check(limit == 31 || limit == 63 || limit == 255, name_.c_str(), "a BMP with the bit field ", mask,
                  " is not supported, 5, 6 or 8 adjacent bits expected");
        }
    }

    /// Reads the palette at `begin` and returns its end. Zero colours in the header mean all that the depth allows.
    std::size_t read_palette(std::size_t begin, std::size_t entry, std::uint32_t colors) {
        const std::uint32_t most = 1U << bits_;
        const std::uint32_t count = colors == 0 ? most : colors;
        check(count <= 65536, name_.c_str(), "not a sound BMP: a palette of ", count, " colours");
        const std::size_t end = begin + entry * count;
        if (offset_ == begin) offset_ = end;  // some writers forget the palette when they note where pixels begin
        for (std::uint32_t i = 0; i < std::min(count, most); ++i)
            for (std::size_t c = 0; c < 3; ++c)
                palette_[i][c] = static_cast<std::uint8_t>(number(begin + entry * i + 2 - c, 1));
        return end;
    }

    void read_row(std::span<const std::byte> from, std::uint8_t* to) const {
        for (std::size_t x = 0; x < static_cast<std::size_t>(width_); ++x, to += 3) {
            if (bits_ <= 8) {
                const std::size_t bit = x * static_cast<std::size_t>(bits_);
                const int shift = 8 - bits_ - static_cast<int>(bit % 8);
                const auto byte = std::to_integer<unsigned>(from[bit / 8]);
                std::ranges::copy(palette_[(byte >> shift) & ((1U << bits_) - 1U)], to);
            } else {
                const std::size_t bytes = static_cast<std::size_t>(bits_) / 8;
                std::uint32_t pixel = 0;
                for (std::size_t i = 0; i < bytes; ++i)
                    pixel |= std::to_integer<std::uint32_t>(from[x * bytes + i]) << (8 * i);
                for (std::size_t c = 0; c < 3; ++c) to[c] = fields_[c].value(pixel);
            }
        }
    }

    std::span<const std::byte> file_;
    const std::string& name_;
    std::int64_t width_ = 0;
    std::int64_t height_ = 0;
    int bits_ = 0;
    bool top_down_ = false;
    std::uint64_t offset_ = 0;
    std::array<BmpField, 3> fields_{BmpField{16, 255}, BmpField{8, 255}, BmpField{0, 255}};
    std::array<std::array<std::uint8_t, 3>, 256> palette_{};
};

}  // namespace detail

/// True when the bytes begin as a BMP file does.
inline bool is_bmp(std::span<const std::byte> file) {
    return file.size() >= 2 && file[0] == std::byte{'B'} && file[1] == std::byte{'M'};
}

/// The sides of a BMP, from its header alone.
inline PictureSize bmp_size(std::span<const std::byte> file, const std::string& name) {
    return detail::BmpReader(file, name).size();
}

/// Decodes a whole BMP file to RGB. Errors carry `name` and the field at fault.
inline Image decode_bmp(std::span<const std::byte> file, const std::string& name) {
    return detail::BmpReader(file, name).read();
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
