// SPDX-License-Identifier: Apache-2.0
#include "memory_plan.hpp"

#include <sstream>
#include <system_error>

#include "console.hpp"
#include "dinomaly/backend/cpu/available_memory.hpp"
#include "dinomaly/feature_cache.hpp"

namespace dinomaly::program {

namespace {

std::string parts_text(const MemoryEstimate& estimate) {
    std::string text;
    for (const MemoryPart& part : estimate.parts)
        text += (text.empty() ? "" : ", ") + std::string(part.name) + ' ' + megabytes(part.bytes);
    return text;
}

/// What could be asked for instead: a smaller batch, features on the disk, smaller pictures.
std::string what_fits(const DinomalyConfig& config, MemoryUse use, std::size_t limit) {
    const auto fits = [&](const MemoryUse& other) { return memory_estimate(config, other).total() <= limit; };
    if (const std::int64_t batch = largest_batch(config, use, limit); use.trains && batch > 0)
        return "a batch of " + std::to_string(batch) + " would fit";
    MemoryUse without = use;
    without.features = 0;
    if (fits(without)) return "--cache-features disk would fit";
    use = without;
    if (use.trains) use.batch = 1;
    for (use.crop -= config.encoder.patch; use.crop > 0; use.crop -= config.encoder.patch)
        if (fits(use))
            return (use.trains ? "a batch of 1 with --crop " : "--crop ") + std::to_string(use.crop) + " would fit";
    return "no batch and no --crop would fit";
}

}  // namespace

std::string megabytes(std::size_t bytes) {
    if (bytes < 10'000'000) {
        const std::string tenths = std::to_string((bytes + 50'000) / 100'000);
        return (tenths.size() < 2 ? "0" : tenths.substr(0, 1)) + "." + tenths.back() + " MB";
    }
    std::string digits = std::to_string((bytes + 500'000) / 1'000'000);
    for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
    return digits + " MB";
}

void check_memory(const Engine& engine, const MemoryUse& use, std::size_t limit) {
    const MemoryEstimate estimate = memory_estimate(engine.config(), use);
    const std::size_t total = estimate.total();
    check(limit == 0 || total <= limit, "--memory-limit", megabytes(limit), " are allowed, about ", megabytes(total),
          " would be needed: ", parts_text(estimate), "; ", what_fits(engine.config(), use, limit));
    const std::size_t held = backend::BlockCache::statistics().held, missing = total - std::min(total, held);
    const auto available = backend::available_memory();
    if (available && missing > *available)
        warn("about " + megabytes(missing) + " of memory will be needed, " + megabytes(*available) +
             " are available: " + parts_text(estimate) + "; " + what_fits(engine.config(), use, held + *available));
}

std::size_t feature_bytes(const Engine& engine, const FeatureStore& store) {
    const FeatureSizes sizes = FeatureSizes::of(engine.config(), engine.sizes().crop);
    return store.pictures.size() * 2 * sizes.group_bytes(engine.element_size());
}

FeatureStore choose_feature_store(const TrainOptions& options, const Engine& engine, const MemoryUse& use,
                                  const std::vector<std::vector<std::size_t>>& batches,
                                  const std::filesystem::path& file) {
    FeatureStore store;
    if (options.cache_features == "off") return store;
    store.pictures = repeated(batches);
    if (store.pictures.empty() || options.cache_features == "memory") return store;
    if (options.cache_features.empty()) {
        const std::size_t bytes = feature_bytes(engine, store);
        const std::size_t planned = memory_estimate(engine.config(), use).total() + bytes;
        const auto available = backend::available_memory();
        const bool within_limit = options.memory_limit == 0 || planned <= options.memory_limit;
        if (within_limit && (!available || bytes <= *available / 2)) return store;
        std::error_code unknown;
        std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
        while (!std::filesystem::exists(folder, unknown) && folder.has_relative_path()) folder = folder.parent_path();
        const auto disk = std::filesystem::space(folder, unknown);
        if (!unknown && disk.available < bytes) return {};
    }
    store.file = file;
    return store;
}

}  // namespace dinomaly::program
