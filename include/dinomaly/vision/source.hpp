// SPDX-License-Identifier: Apache-2.0
// Source: what the network is to see: a picture file, a window of one, or a picture with its depths. And reading many
// windows of few files.
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
#include "dinomaly/vision/depth.hpp"
#include "dinomaly/vision/sample.hpp"
#include "dinomaly/vision/tiling.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// A window of a picture of these sides, where a width or height of 0 reaches to its border. Throws, naming the file,
/// when it begins beyond.
inline Window window_within(const Window& window, PictureSize picture, const std::filesystem::path& path) {
    check(window.left < picture.width && window.top < picture.height, path.c_str(), "a picture of ", picture,
          " has no part that begins at ", window.left, ',', window.top);
    return {window.left, window.top, window.width > 0 ? window.width : picture.width - window.left,
            window.height > 0 ? window.height : picture.height - window.top};
}

/// A picture file, or a window of it, or a picture and its depths.
struct Source {
    std::filesystem::path path;
    std::optional<Window> window;   ///< none: the whole picture; a side of 0 reaches to its border
    std::filesystem::path depth{};  ///< a TIFF of depths (depth.hpp); empty: none

    /// Pictures that the network sees of it, each of three channels.
    std::size_t pictures() const { return depth.empty() ? 1 : 2; }

    /// "", or "@left,top" of the window.
    std::string place() const {
        if (!window) return "";
        std::ostringstream text;
        text << '@' << window->left << ',' << window->top;
        return text.str();
    }
};

/// What is seen of a sample.
inline Source source_of(const Sample& sample) {
    return {sample.picture, sample.window, sample.depth};
}

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

/// The same of a sample. Throws when there are tiles and the sample is a part of its picture or has depths.
inline std::vector<Source> sources_of(const Sample& sample, const Preprocess& sizes, PictureSize tile) {
    if (!sample.window && sample.depth.empty()) return sources_of(sample.picture, sizes, tile);
    check(tile == PictureSize{}, sample.picture.c_str(),
          "views and pictures with depths are seen as a whole, tiles of ", tile, " asked for");
    return {source_of(sample)};
}

/// The depths of a file; see decode_depth.
inline DepthMap read_depth(const std::filesystem::path& path) {
    return decode_depth(detail::read_bytes(path), path.string());
}

/// Reads sources. Of the pictures whose windows were asked for, the last few stay decoded. Any number of threads may
/// read.
class SourceReader {
public:
    explicit SourceReader(std::size_t kept) : kept_(std::max<std::size_t>(1, kept)) {}

    /// The pixels of a source's picture, as many channels as its file has. Errors as for read_picture.
    Image read(const Source& source) {
        if (!source.window) return read_picture(source.path);
        const std::shared_ptr<const Image> whole = picture(source.path);
        return cut(*whole, window_within(*source.window, {whole->width, whole->height}, source.path));
    }

    /// All pictures that the network sees of a source: its picture alone or, where it has depths, the picture, black
    /// where there are none, and that of its depths.
    std::vector<Image> read_all(const Source& source) {
        std::vector<Image> pictures;
        pictures.push_back(read(source));
        if (source.depth.empty()) return pictures;
        const DepthMap depth = read_depth(source.depth);
        pictures[0] = to_rgb(std::move(pictures[0]));
        blacken_without_depth(pictures[0], depth, source.depth.string());
        pictures.push_back(depth_picture(depth));
        return pictures;
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
