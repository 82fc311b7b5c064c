// SPDX-License-Identifier: Apache-2.0
// Loader: reads pictures in background threads, so that the next batch is ready when the computation asks for it.
//
// The threads share out the pictures of the next few batches, one picture at a time; batches leave in the order given,
// whatever order their pictures were finished in. Decoded pictures can be kept in memory, cut to what the network sees
// in 8 bit, so that later epochs decode nothing. Where pictures are augmented they are kept as they are before that.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/augment.hpp"
#include "dinomaly/vision/normalize.hpp"
#include "dinomaly/vision/source.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Pictures ready for the network.
struct Batch {
    std::vector<float> pixels;         ///< [B, 3 m, height, width], normalised; m: Source::pictures()
    std::vector<std::size_t> indices;  ///< [B], which pictures they are
};

/// How much a Loader may use.
struct LoaderLimits {
    int threads = 1;
    std::size_t batches_ahead = 2;                     ///< batches in work or waiting
    std::size_t cache_bytes = std::size_t{256} << 20;  ///< for decoded pictures; 0 keeps none
};

/// Pictures that are seen in another way each time (augment.hpp): number d of an order is draw d, which shows picture
/// pictures[d], augmented by (seed, d).
struct Draws {
    std::uint64_t seed = 0;
    std::vector<std::size_t> pictures;
};

/// Delivers batches of pictures, or of windows of pictures, in a given order. One thread may call next(); destroying it
/// early is safe.
class Loader {
public:
    /// `order` lists the batches, each a list of numbers of `pictures`, or of `draws` where there are any. Throws when
    /// a number or a limit is out of range.
    Loader(std::vector<Source> pictures, std::vector<std::vector<std::size_t>> order, const Preprocess& sizes,
           const LoaderLimits& limits = {}, std::optional<Draws> draws = {})
        : pictures_(std::move(pictures)),
          draws_(std::move(draws)),
          reader_(static_cast<std::size_t>(std::max(0, limits.threads)) + 1),
          sizes_(sizes),
          limits_(limits),
          slots_(order.size()),
          cache_(pictures_.size()) {
        sizes_.validate();
        check(limits.threads > 0 && limits.batches_ahead > 0, "loader", limits.threads, " threads, ",
              limits.batches_ahead, " batches ahead, at least 1 of each expected");
        for (const Source& source : pictures_)
            check(source.pictures() == pictures_.front().pictures(), source.path.c_str(),
                  "depths of some pictures, but not of all");
        if (draws_)
            for (const std::size_t picture : draws_->pictures)
                check(picture < pictures_.size(), "loader", "a draw of picture ", picture, " of ", pictures_.size(),
                      ", counted from 0");
        const std::size_t count = draws_ ? draws_->pictures.size() : pictures_.size();
        for (std::size_t i = 0; i < order.size(); ++i) {
            check(!order[i].empty(), "loader", "batch ", i, " is empty");
            for (std::size_t index : order[i])
                check(index < count, "loader", "batch ", i, " asks for ", draws_ ? "draw " : "picture ", index, " of ",
                      count, ", counted from 0");
            slots_[i].missing = order[i].size();
            slots_[i].batch.indices = std::move(order[i]);
        }
        for (int i = 0; i < limits.threads; ++i)
            threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
    /// The same for whole pictures.
    Loader(const std::vector<std::filesystem::path>& pictures, std::vector<std::vector<std::size_t>> order,
           const Preprocess& sizes, const LoaderLimits& limits = {})
        : Loader(whole(pictures), std::move(order), sizes, limits) {}
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;
    /// Ends the threads; each finishes at most the picture it is at.
    ~Loader() {
        for (std::jthread& thread : threads_) thread.request_stop();
        threads_.clear();
    }

    /// The next batch, or nothing after the last. A picture that cannot be read throws here, in its batch's turn and
    /// then every time: a run must not go on without it.
    std::optional<Batch> next() {
        std::unique_lock lock(mutex_);
        if (delivered_ == slots_.size()) return std::nullopt;
        Slot& slot = slots_[delivered_];
        finished_.wait(lock, [&] { return slot.missing == 0; });
        if (slot.error) std::rethrow_exception(slot.error);
        ++delivered_;
        room_.notify_all();
        return std::move(slot.batch);
    }

private:
    /// A batch to be filled. Workers write disjoint parts of its pixels; `missing` and `error` are under mutex_.
    struct Slot {
        Batch batch;
        std::mutex allocation;  ///< for whoever comes first and makes room for the pixels
        std::size_t missing = 0;
        std::exception_ptr error;
    };
    struct Task {
        Slot& slot;
        std::size_t place;
    };

    using Pictures = std::vector<Image>;  ///< of one source

    static std::vector<Source> whole(const std::vector<std::filesystem::path>& pictures) {
        std::vector<Source> sources;
        for (const std::filesystem::path& path : pictures) sources.push_back({path, std::nullopt});
        return sources;
    }

    /// The next picture to read, or nothing when all are taken or the loader is being destroyed.
    std::optional<Task> take(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        room_.wait(lock, stop, [this] { return slot_ == slots_.size() || slot_ - delivered_ < limits_.batches_ahead; });
        if (stop.stop_requested() || slot_ == slots_.size()) return std::nullopt;
        Task task{slots_[slot_], place_++};
        if (place_ == task.slot.batch.indices.size()) {
            ++slot_;
            place_ = 0;
        }
        return task;
    }

    void work(const std::stop_token& stop) {
        while (const std::optional<Task> task = take(stop)) {
            std::exception_ptr error;
            try {
                fill(task->slot, task->place);
            } catch (...) {
                error = std::current_exception();
            }
            const std::lock_guard lock(mutex_);
            if (error && !task->slot.error) task->slot.error = error;
            if (--task->slot.missing == 0) finished_.notify_one();
        }
    }

    void fill(Slot& slot, std::size_t place) {
        const std::size_t number = slot.batch.indices[place];
        const std::shared_ptr<const Pictures> pictures = load(draws_ ? draws_->pictures[number] : number);
        const std::size_t count = sizes_.count();
        {
            const std::lock_guard lock(slot.allocation);
            if (slot.batch.pixels.empty())
                slot.batch.pixels.resize(slot.batch.indices.size() * pictures->size() * count);
        }
        std::span<float> room = std::span(slot.batch.pixels).subspan(place * pictures->size() * count);
        for (const Image& picture : *pictures) {
            if (draws_)
                normalize(augment(picture, draw_augmentation(draws_->seed, number, sizes_), sizes_), room.first(count));
            else
                normalize(picture, room.first(count));
            room = room.subspan(count);
        }
    }

    /// A source's pictures cut to the crop, or resized where they will be augmented; from memory where they are kept.
    std::shared_ptr<const Pictures> load(std::size_t index) {
        {
            const std::lock_guard lock(mutex_);
            if (cache_[index]) return cache_[index];
        }
        Pictures pictures = reader_.read_all(pictures_[index]);
        std::size_t bytes = 0;
        for (Image& picture : pictures) {
            picture = prepare(picture);
            bytes += picture.pixels.size();
        }
        auto prepared = std::make_shared<const Pictures>(std::move(pictures));
        const std::lock_guard lock(mutex_);
        if (!cache_[index] && bytes <= limits_.cache_bytes - cached_bytes_) {
            cache_[index] = prepared;
            cached_bytes_ += bytes;
        }
        return prepared;
    }

    Image prepare(const Image& picture) const {
        return to_rgb(draws_ ? resize(picture, sizes_.size.width, sizes_.size.height)
                             : resize_and_crop(picture, sizes_));
    }

    std::vector<Source> pictures_;
    std::optional<Draws> draws_;
    SourceReader reader_;
    Preprocess sizes_;
    LoaderLimits limits_;

    std::mutex mutex_;
    std::condition_variable_any room_;  ///< a batch was taken away
    std::condition_variable finished_;  ///< a batch is complete
    std::vector<Slot> slots_;           ///< all batches in their order; the pixels live from first fill to delivery
    std::size_t slot_ = 0;              ///< the batch and the place in it of the next picture to read
    std::size_t place_ = 0;
    std::size_t delivered_ = 0;  ///< batches handed over
    std::vector<std::shared_ptr<const Pictures>> cache_;
    std::size_t cached_bytes_ = 0;
    std::vector<std::jthread> threads_;  ///< last, so that they end before what they use
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
