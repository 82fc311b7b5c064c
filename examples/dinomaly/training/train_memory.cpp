// SPDX-License-Identifier: Apache-2.0
#include "training/train_memory.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>
#include <system_error>

#include "dinomaly/vision/loader.hpp"
#include "engine/memory_plan.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

/// What the features of the pictures depend on, besides the shapes: a file of features is used again for the same only.
std::string feature_key(const Plan& plan, const Engine& engine) {
    std::ostringstream text;
    text << engine.encoder_hash() << ' ' << precision_name(engine.target().precision)
         << (engine.target().gpu ? " gpu " : " cpu ") << engine.sizes().size << ' ' << engine.sizes().crop << '\n';
    std::error_code unknown;  // an unreadable picture is reported when it is read
    for (const vision::Source& picture : plan.pictures)
        text << picture.path.string() << picture.place() << ' ' << fs::file_size(picture.path, unknown) << ' '
             << fs::last_write_time(picture.path, unknown).time_since_epoch().count() << ' ' << picture.depth.string()
             << '\n';
    return text.str();
}

/// The memory that a run asks for, without its features.
MemoryUse memory_use(const Plan& plan, const Engine& engine) {
    MemoryUse use{.crop = engine.sizes().crop,
                  .batch = 1,
                  .element_size = engine.element_size(),
                  .on_gpu = engine.target().gpu.has_value()};
    for (const auto& batch : plan.batches) use.batch = std::max(use.batch, static_cast<std::int64_t>(batch.size()));
    use.batches_waiting = static_cast<std::int64_t>(vision::LoaderLimits{}.batches_ahead) + 1;
    for (const vision::ClassData& data : plan.classes)
        use.judged = std::max(use.judged, static_cast<std::int64_t>(data.test.size()));
    return use;
}

}  // namespace

MemoryPlan plan_memory(const TrainOptions& options, const Plan& plan, const Engine& engine, const RunFolder& folder) {
    MemoryUse use = memory_use(plan, engine);
    MemoryPlan memory;
    memory.features = choose_feature_store(options, engine, use, plan.batches, folder.features());
    memory.feature_bytes = feature_bytes(engine, memory.features);
    if (memory.features.file.empty()) use.features = memory.feature_bytes;
    use.pictures = kept_pixels(plan, engine, memory.features);
    memory.total = check_memory(engine, use, options.memory_limit);
    if (!memory.features.file.empty()) memory.features.key = feature_key(plan, engine);
    return memory;
}

std::size_t kept_pixels(const Plan& plan, const Engine& engine, const FeatureStore& features) {
    if (!features.pictures.empty()) return 0;
    const std::size_t each =
        plan.draws ? 3 * static_cast<std::size_t>(engine.sizes().size.pixels()) : engine.sizes().count();
    return std::min(vision::LoaderLimits{}.cache_bytes, plan.pictures.size() * plan.pictures.front().pictures() * each);
}

const char* store_name(const FeatureStore& store) {
    return store.pictures.empty() ? "off" : store.file.empty() ? "memory" : "disk";
}

void describe_memory(const TrainOptions& options, const Engine& engine, const MemoryPlan& memory) {
    const FeatureStore& store = memory.features;
    std::cout << "features ";
    if (!store.pictures.empty())
        std::cout << "of " << store.pictures.size() << " pictures, " << megabytes(memory.feature_bytes)
                  << ", are kept in " << (store.file.empty() ? "memory" : store.file.string());
    else if (options.shot > 0)
        std::cout << "are not kept: each time a picture is augmented in another way";
    else if (options.cache_features == "off")
        std::cout << "are not kept";
    else
        std::cout << "are not kept: no picture comes twice, or there is no room";
    std::cout << "; about " << megabytes(memory.total) << " of " << memory_name(engine) << " in all" << std::endl;
}

}  // namespace dinomaly::program
