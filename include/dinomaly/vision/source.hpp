// SPDX-License-Identifier: Apache-2.0
// Source: what the network is to see: a picture file, or a window of one. And reading many windows of few files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/tiling.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// A picture file, or a window of it.
struct Source {
    std::filesystem::path path;
    std::optional<Window> window;  ///< none: the whole picture

    /// "", or "@left,top" of the window.
    std::string place() const {
        if (!window) return "";
        std::ostringstream text;
        text << '@' << window->left << ',' << window->top;
        return text.str();
    }
};

/// The windows of a picture file as they are judged with tiles of `tile` pixels; without tiles, or where the picture is
/// no larger than one, the picture alone. Reads the file's header when there are tiles.
inline std::vector<Source> sources_of(const std::filesystem::path& path, const Preprocess& sizes, PictureSize tile) {
    if (tile == PictureSize{}) return {{path, std::nullopt}};
    const Tiling tiling(read_size(path), sizes, tile);
    if (tiling.is_whole()) return {{path, std::nullopt}};
    std::vector<Source> sources;
    for (std::size_t i = 0; i < tiling.count(); ++i) sources.push_back({path, tiling.window(i)});
    return sources;
}

/// Reads sources. Of the pictures whose windows were asked for, the last few stay decoded. Any number of threads may
/// read.
class SourceReader {
public:
    explicit SourceReader(std::size_t kept) : kept_(std::max<std::size_t>(1, kept)) {}

    /// The pixels of a source, as many channels as its file has. Errors as for read_picture.
    Image read(const Source& source) {
        if (!source.window) return read_picture(source.path);
        return cut(*picture(source.path), *source.window);
    }

private:
    using Decoded = std::shared_future<std::shared_ptr<const Image>>;

    /// Whoever asks first decodes; the others wait for it.
    std::shared_ptr<const Image> picture(const std::filesystem::path& path) {
        std::promise<std::shared_ptr<const Image>> promise;
        Decoded decoded;
        {
            const std::lock_guard lock(mutex_);
            const auto found = std::ranges::find(latest_, path, &std::pair<std::filesystem::path, Decoded>::first);
            if (found != latest_.end()) {
                latest_.splice(latest_.begin(), latest_, found);
                decoded = found->second;
            } else {
                latest_.emplace_front(path, promise.get_future().share());
                if (latest_.size() > kept_) latest_.pop_back();
            }
        }
        if (decoded.valid()) return decoded.get();
        try {
            auto image = std::make_shared<const Image>(read_picture(path));
            promise.set_value(image);
            return image;
        } catch (...) {
            promise.set_exception(std::current_exception());
            throw;
        }
    }

    std::size_t kept_;
    std::mutex mutex_;
    std::list<std::pair<std::filesystem::path, Decoded>> latest_;  ///< the one used last first
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
