// SPDX-License-Identifier: Apache-2.0
// How long pictures take.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dinomaly::program {

/// Milliseconds that one picture took.
struct PictureTime {
    double reading = 0;  ///< the file and its decoding
    double judging = 0;  ///< resizing and the model, up to score and map
    double total() const { return reading + judging; }
};

/// The times of many pictures. The first one also makes ready what later ones find, so it is kept apart.
class Latency {
public:
    void add(const PictureTime& time);
    /// "12 pictures: median 8.1 ms (reading 1.0, judging 7.1), 95th percentile 9.2 ms, both without the first, 40.3
    /// ms".
    std::string summary() const;

private:
    std::size_t count_ = 0;
    std::optional<PictureTime> first_;
    std::vector<PictureTime> later_;  ///< the last ones
};

}  // namespace dinomaly::program
