// SPDX-License-Identifier: Apache-2.0
// FeatureSlots: numbered places for features of one size, written once and read again and again.
//
// They lie in the device's own memory where it has one apart from the host's and they fit there, else in the host's, or
// in a mapped file that outlives the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dinomaly/backend/verbs.hpp"
#include "dinomaly/core/tensor.hpp"
#include "dinomaly/io/slot_store.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <Device D> class FeatureSlots {
public:
    using T = typename D::value_type;

    /// Slots of `elements` values each, in memory. Throws Error when there is no room.
    FeatureSlots(std::size_t slots, std::int64_t elements) : elements_(elements) {
        if (backend::has_own_room(D{}, slots * slot_bytes())) {
            on_device_ = Tensor<D>({static_cast<std::int64_t>(slots), elements});
            is_filled_.resize(slots);
        } else {
            on_host_.emplace(slots, slot_bytes());
        }
    }
    /// Slots in the file `path`; see io::SlotStore.
    FeatureSlots(const std::filesystem::path& path, std::size_t slots, std::int64_t elements, const std::string& key)
        : elements_(elements) {
        on_host_.emplace(path, slots, slot_bytes(), key);
    }

    std::size_t slot_bytes() const { return static_cast<std::size_t>(elements_) * sizeof(T); }
    bool is_filled(std::size_t slot) const { return on_host_ ? on_host_->is_filled(slot) : is_filled_.at(slot); }
    std::size_t filled() const { return on_host_ ? on_host_->filled() : filled_; }

    /// Fills a slot from the device's memory.
    void write(std::size_t slot, const T* features) {
        if (on_host_) {
            std::vector<T> values(static_cast<std::size_t>(elements_));
            D::download(values.data(), features, slot_bytes());
            on_host_->write(slot, std::as_bytes(std::span(values)));
        } else {
            D::copy(place(slot), features, slot_bytes());
            if (!is_filled_.at(slot)) ++filled_;
            is_filled_[slot] = true;
        }
    }

    /// Copies a slot that is filled to the device's memory.
    void read(std::size_t slot, T* target) {
        if (on_host_)
            D::upload(target, on_host_->read(slot).data(), slot_bytes());
        else
            D::copy(target, place(slot), slot_bytes());
    }

private:
    T* place(std::size_t slot) { return on_device_.data() + static_cast<std::int64_t>(slot) * elements_; }

    std::int64_t elements_;
    std::optional<io::SlotStore> on_host_;
    Tensor<D> on_device_;
    std::vector<bool> is_filled_;  // of those on the device
    std::size_t filled_ = 0;
};

}  // namespace dinomaly::inline DINOMALY_ABI
