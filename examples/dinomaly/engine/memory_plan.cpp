// SPDX-License-Identifier: Apache-2.0
#include "engine/memory_plan.hpp"

#include <optional>
#include <sstream>
#include <system_error>

#include "console.hpp"
#include "dinomaly/backend/cpu/available_memory.hpp"
#include "dinomaly/feature_cache.hpp"
#include "engine/gpu.hpp"

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
    const int patch = static_cast<int>(config.encoder.patch);
    while (use.crop.width > patch && use.crop.height > patch) {
        use.crop = {use.crop.width - patch, use.crop.height - patch};
        if (fits(use))
            return (use.trains ? "a batch of 1 with --crop " : "--crop ") + size_text(use.crop) + " would fit";
    }
    return "no batch and no --crop would fit";
}

/// The part of a use that the model's own memory serves. Beside a GPU's the host has pictures and maps, and features
/// where the GPU has no room for them.
MemoryUse own_use(const Engine& engine, MemoryUse use) {
    if (!engine.target().gpu) return use;
    use.pictures = 0;
    use.batches_waiting = use.judged = 0;
    if (!gpu_has_room(use.features)) use.features = 0;
    return use;
}

/// Memory that a model's tensors have already and what may still be had, where that is known.
struct Supply {
    std::size_t held;
    std::optional<std::size_t> available;
};

Supply supply_of(const Engine& engine) {
    if (!engine.target().gpu) return {backend::HostCache::statistics().held, backend::available_memory()};
    const GpuMemory memory = gpu_memory();
    return {memory.held, memory.free};
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

const char* memory_name(const Engine& engine) {
    return engine.target().gpu ? "GPU memory" : "memory";
}

std::size_t check_memory(const Engine& engine, const MemoryUse& all_use, std::size_t limit) {
    const MemoryUse use = own_use(engine, all_use);
    const MemoryEstimate estimate = memory_estimate(engine.config(), use);
    const std::size_t total = estimate.total();
    check(limit == 0 || total <= limit, "--memory-limit", megabytes(limit), " of ", memory_name(engine),
          " are allowed, about ", megabytes(total), " would be needed: ", parts_text(estimate), "; ",
          what_fits(engine.config(), use, limit));
    const Supply supply = supply_of(engine);
    const std::size_t missing = total - std::min(total, supply.held);
    if (supply.available && missing > *supply.available)
        warn("about " + megabytes(missing) + " of " + memory_name(engine) + " will be needed, " +
             megabytes(*supply.available) + " are available: " + parts_text(estimate) + "; " +
             what_fits(engine.config(), use, supply.held + *supply.available));
    return total;
}

std::size_t feature_bytes(const Engine& engine, const FeatureStore& store) {
    const FeatureSizes sizes = FeatureSizes::of(engine.config(), engine.sizes().crop);
    return store.pictures.size() * sizes.bytes(engine.element_size());
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
        MemoryUse with = use;
        with.features = bytes;
        const bool within_limit =
            options.memory_limit == 0 ||
            memory_estimate(engine.config(), own_use(engine, with)).total() <= options.memory_limit;
        const auto available = backend::available_memory();
        const bool has_room = (engine.target().gpu && gpu_has_room(bytes)) || !available || bytes <= *available / 2;
        if (within_limit && has_room) return store;
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
