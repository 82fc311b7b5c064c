// SPDX-License-Identifier: Apache-2.0
#include "judging/latency.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace dinomaly::program {

namespace {

/// The smallest value that a share of all values does not exceed.
double quantile(std::vector<double> values, double share) {
    const double rank = std::max(1.0, std::ceil(share * static_cast<double>(values.size())));
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank) - 1;
    std::ranges::nth_element(values, at);
    return *at;
}

}  // namespace

void Latency::add(const PictureTime& time) {
    constexpr std::size_t max_kept = 100000;  // a line may run for months
    ++count_;
    if (!first_)
        first_ = time;
    else if (later_.size() < max_kept)
        later_.push_back(time);
    else
        later_[count_ % max_kept] = time;
}

std::string Latency::summary() const {
    std::ostringstream text;
    text << std::fixed << std::setprecision(1) << count_ << (count_ == 1 ? " picture" : " pictures");
    if (!first_) return text.str();
    const auto parts = [&](double reading, double judging) {
        text << " ms (reading " << reading << ", judging " << judging << ')';
    };
    if (later_.empty()) {
        text << ": " << first_->total();
        parts(first_->reading, first_->judging);
        text << ", not warm yet: later ones take less";
        return text.str();
    }
    std::vector<double> totals, reading, judging;
    for (const PictureTime& time : later_) {
        totals.push_back(time.total());
        reading.push_back(time.reading);
        judging.push_back(time.judging);
    }
    text << ": median " << quantile(totals, 0.5);
    parts(quantile(reading, 0.5), quantile(judging, 0.5));
    text << ", 95th percentile " << quantile(totals, 0.95) << " ms; warm, without the first, which took "
         << first_->total() << " ms";
    return text.str();
}

}  // namespace dinomaly::program
