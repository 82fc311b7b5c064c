// SPDX-License-Identifier: Apache-2.0
// A TIFF in memory, opened with libtiff: memory instead of a file, messages kept instead of printed. Its readers derive
// from it: tiff.hpp makes pictures, depth.hpp reads floating-point values.
#pragma once

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// A TIFF in memory, opened, and the sides of its first picture.
class TiffInMemory {
public:
    TiffInMemory(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {
        open();
        require(tiff_ != nullptr);
        std::uint32_t width = 0, height = 0;
        check(TIFFGetField(tiff_.get(), TIFFTAG_IMAGEWIDTH, &width) == 1 &&
                  TIFFGetField(tiff_.get(), TIFFTAG_IMAGELENGTH, &height) == 1,
              name_.c_str(), "not a sound TIFF: it has no width or no height");
        size_ = check_size(name_, width, height);
    }
    TiffInMemory(const TiffInMemory&) = delete;
    TiffInMemory& operator=(const TiffInMemory&) = delete;

protected:
    ~TiffInMemory() = default;

    void require(bool condition) const {
        check(condition && !is_damaged_, name_.c_str(),
              "not a sound TIFF: ", message_[0] != '\0' ? message_.data() : "libtiff refused it");
    }

    template <class T> T field(std::uint32_t tag) {
        T value{};
        require(TIFFGetFieldDefaulted(tiff_.get(), tag, &value) == 1);
        return value;
    }

    TIFF* tiff() const { return tiff_.get(); }

    std::span<const std::byte> file_;
    const std::string& name_;
    PictureSize size_;  ///< as stored
    bool decodes_ = false;
    std::uint16_t compression_ = 0;  ///< once the reader looked

private:
    struct Closing {
        void operator()(TIFF* tiff) const { TIFFClose(tiff); }
    };

    void open() {
#if TIFFLIB_VERSION >= 20221213  // 4.5: handlers and limits of one file
        TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
        check(options != nullptr, name_.c_str(), "libtiff could not start (out of memory)");
        TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, this);
        TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, this);
        TIFFOpenOptionsSetMaxSingleMemAlloc(options, std::int64_t{1} << 31);
        tiff_.reset(TIFFClientOpenExt("picture", "rm", this, read_bytes, write_bytes, seek, close, length, nullptr,
                                      nullptr, options));  // m: not mapped
        TIFFOpenOptionsFree(options);
#else  // handlers are the process's: they are turned off, and messages are lost
        static const bool silent = [] {
            TIFFSetErrorHandler(nullptr);
            TIFFSetWarningHandler(nullptr);
            return true;
        }();
        static_cast<void>(silent);
        tiff_.reset(
            TIFFClientOpen("picture", "rm", this, read_bytes, write_bytes, seek, close, length, nullptr, nullptr));
#endif
    }

    static tmsize_t read_bytes(thandle_t handle, void* to, tmsize_t count) {
        auto& self = *static_cast<TiffInMemory*>(handle);
        const std::size_t left = self.at_ < self.file_.size() ? self.file_.size() - self.at_ : 0;
        const std::size_t taken = std::min(left, static_cast<std::size_t>(std::max<tmsize_t>(count, 0)));
        if (taken > 0) std::memcpy(to, self.file_.data() + self.at_, taken);
        self.at_ += taken;
        return static_cast<tmsize_t>(taken);
    }
    static tmsize_t write_bytes(thandle_t, void*, tmsize_t) {
        return -1;
    }
    static toff_t seek(thandle_t handle, toff_t offset, int whence) {
        auto& self = *static_cast<TiffInMemory*>(handle);
        const toff_t base = whence == SEEK_CUR ? self.at_ : whence == SEEK_END ? self.file_.size() : 0;
        return self.at_ = base + offset;
    }
    static int close(thandle_t) {
        return 0;
    }
    static toff_t length(thandle_t handle) {
        return static_cast<TiffInMemory*>(handle)->file_.size();
    }

    static int on_error(TIFF*, void* self, const char*, const char* format, va_list values) {
        static_cast<TiffInMemory*>(self)->note(format, values);
        return 1;
    }
    /// Warnings about fields that nobody needs are common. Those while pixels are decoded say that some are made up.
    static int on_warning(TIFF*, void* self, const char*, const char* format, va_list values) {
        auto& reader = *static_cast<TiffInMemory*>(self);
        if (reader.decodes_ && reader.compression_ != COMPRESSION_LZW) {
            reader.note(format, values);
            reader.is_damaged_ = true;
        }
        return 1;
    }
    /// Keeps the first message: later ones follow from it.
    void note(const char* format, va_list values) {
        if (message_[0] == '\0') std::vsnprintf(message_.data(), message_.size(), format, values);
    }

    toff_t at_ = 0;
    std::array<char, 256> message_{};
    bool is_damaged_ = false;
    std::unique_ptr<TIFF, Closing> tiff_;
};

}  // namespace detail

}  // namespace dinomaly::vision::inline DINOMALY_ABI
