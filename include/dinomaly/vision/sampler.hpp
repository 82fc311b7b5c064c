// SPDX-License-Identifier: Apache-2.0
// The order in which training sees its pictures: every epoch a new shuffle, the last incomplete batch dropped. Fewer
// pictures than a batch holds can be repeated: batches are cut from the epochs one behind the other then.
//
// The shuffle is a function of (seed, epoch) alone, so a run that is resumed at any iteration goes on as if it had
// never stopped. Fisher-Yates over std::mt19937_64 with bounded draws of our own, because std::shuffle and the standard
// distributions differ between libraries.
#pragma once

#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// A whole number in 0 .. bound-1, each equally likely: draws above the last full multiple of bound are thrown away.
inline std::uint64_t draw_below(std::mt19937_64& engine, std::uint64_t bound) {
    const std::uint64_t excess = (std::mt19937_64::max() % bound + 1) % bound;  // 2^64 mod bound
    std::uint64_t value = engine();
    while (value > std::mt19937_64::max() - excess) value = engine();
    return value % bound;
}

}  // namespace detail

/// The numbers 0 .. count-1 shuffled by (seed, epoch).
inline std::vector<std::size_t> epoch_order(std::size_t count, std::uint64_t seed, std::int64_t epoch) {
    const auto word = [](std::uint64_t value, int shift) { return static_cast<std::uint32_t>(value >> shift); };
    const auto number = static_cast<std::uint64_t>(epoch);
    std::seed_seq mixed{word(seed, 0), word(seed, 32), word(number, 0), word(number, 32)};
    std::mt19937_64 engine(mixed);
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t left = count; left > 1; --left)
        std::swap(order[left - 1], order[static_cast<std::size_t>(detail::draw_below(engine, left))]);
    return order;
}

/// What a Sampler does when there are fewer pictures than a batch holds.
enum class TooFew { refuse, repeat };

/// Cuts the epochs' orders into batches.
class Sampler {
public:
    /// Throws when there are fewer pictures than a batch holds, unless they are to be repeated.
    Sampler(std::size_t pictures, std::size_t batch_size, std::uint64_t seed, TooFew too_few = TooFew::refuse)
        : pictures_(pictures), batch_size_(batch_size), seed_(seed) {
        check(batch_size > 0, "sampler", "a batch of 0 pictures, at least 1 expected");
        check(pictures >= batch_size || (too_few == TooFew::repeat && pictures > 0), "sampler", pictures,
              " training pictures are fewer than a batch of ", batch_size);
    }

    /// Full batches of one epoch; 0 where pictures are repeated.
    std::int64_t batches_per_epoch() const { return static_cast<std::int64_t>(pictures_ / batch_size_); }

    /// The numbers of the pictures of an iteration, counted from 0.
    std::vector<std::size_t> batch(std::int64_t iteration) {
        check(iteration >= 0, "sampler", "iteration ", iteration, " is below 0");
        if (batches_per_epoch() == 0) return repeated_batch(iteration);
        go_to(iteration / batches_per_epoch());
        const auto begin = order_.begin() + (iteration % batches_per_epoch()) * static_cast<std::int64_t>(batch_size_);
        return {begin, begin + static_cast<std::int64_t>(batch_size_)};
    }

private:
    void go_to(std::int64_t epoch) {
        if (epoch == epoch_) return;
        order_ = epoch_order(pictures_, seed_, epoch);
        epoch_ = epoch;
    }

    std::vector<std::size_t> repeated_batch(std::int64_t iteration) {
        std::vector<std::size_t> batch;
        for (std::size_t at = static_cast<std::size_t>(iteration) * batch_size_; batch.size() < batch_size_; ++at) {
            go_to(static_cast<std::int64_t>(at / pictures_));
            batch.push_back(order_[at % pictures_]);
        }
        return batch;
    }

    std::size_t pictures_;
    std::size_t batch_size_;
    std::uint64_t seed_;
    std::int64_t epoch_ = -1;  ///< whose order is kept
    std::vector<std::size_t> order_;
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
