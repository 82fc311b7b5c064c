// SPDX-License-Identifier: Apache-2.0
// cuBLASLt, which multiplies matrices on the GPU: one handle, one workspace, and a table of the algorithms that were
// the fastest for each problem that came up.
//
// An algorithm is chosen when a problem comes up first: the library's best guesses are timed on the operands at hand.
// Which one wins may differ from process to process, and with it the last bits of results; save_algorithms() and
// load_algorithms() carry the choice over.
#pragma once

#include <cublasLt.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "dinomaly/backend/cuda/blas_call.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

namespace detail {

/// Milliseconds that the stream takes for the work between start() and stop().
class StreamTimer {
public:
    StreamTimer() {
        for (cudaEvent_t* event : {&first_, &last_}) expect_success(cudaEventCreate(event), "cudaEventCreate");
    }
    ~StreamTimer() {
        for (const cudaEvent_t event : {first_, last_}) static_cast<void>(cudaEventDestroy(event));
    }
    StreamTimer(const StreamTimer&) = delete;
    StreamTimer& operator=(const StreamTimer&) = delete;

    void start() { expect_success(cudaEventRecord(first_, stream()), "cudaEventRecord"); }
    float stop() {
        expect_success(cudaEventRecord(last_, stream()), "cudaEventRecord");
        expect_success(cudaEventSynchronize(last_), "cudaEventSynchronize");
        float milliseconds = 0;
        expect_success(cudaEventElapsedTime(&milliseconds, first_, last_), "cudaEventElapsedTime");
        return milliseconds;
    }

private:
    cudaEvent_t first_ = nullptr, last_ = nullptr;
};

/// The library with its workspace and the algorithms chosen so far. Thread safe.
class Blas {
public:
    /// Made at the first use and never destroyed: at the end of a program the driver may be gone first.
    static Blas& instance() {
        static Blas* const blas = new Blas;
        return *blas;
    }

    /// False where the library has no algorithm for it.
    bool multiply(const BlasProduct& product) {
        const BlasCall call(product);
        const std::optional<BlasAlgorithm> chosen = algorithm(call);
        if (chosen) expect_blas(call.run(handle_, workspace_.get(), *chosen), "cublasLtMatmul");
        return chosen.has_value();
    }

    void save(std::ostream& out) {
        const std::lock_guard lock(mutex_);
        out << identity() << '\n' << chosen_.size() << '\n';
        for (const auto& [key, algorithm] : chosen_) {
            for (const std::int64_t part : key) out << part << ' ';
            for (const std::uint64_t word : algorithm.data) out << word << ' ';
            out << '\n';
        }
    }

    bool load(std::istream& in) {
        std::string title;
        std::size_t count = 0;
        if (!std::getline(in, title) || title != identity() || !(in >> count)) return false;
        std::map<BlasKey, BlasAlgorithm> loaded;
        for (; count > 0 && in; --count) {
            BlasKey key{};
            BlasAlgorithm algorithm{};
            for (std::int64_t& part : key) in >> part;
            for (std::uint64_t& word : algorithm.data) in >> word;
            loaded.insert_or_assign(key, algorithm);
        }
        if (!in) return false;
        const std::lock_guard lock(mutex_);
        loaded.merge(chosen_);
        chosen_.swap(loaded);
        return true;
    }

private:
    Blas() {
        expect_no_recording();
        workspace_ = scratch<unsigned char>(blas_workspace_bytes);
        const cublasStatus_t status = cublasLtCreate(&handle_);
        check(status != CUBLAS_STATUS_NOT_INITIALIZED, "cublasLt",
              "the library finds no GPU that it can use: no device, no driver or too old a driver");
        expect_blas(status, "cublasLtCreate");
    }

    /// The form of the file, and what an algorithm's words are valid for.
    static std::string identity() {
        int device = 0;
        cudaDeviceProp properties{};
        expect_success(cudaGetDevice(&device), "cudaGetDevice");
        expect_success(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
        return "algorithms 1 of cublasLt " + std::to_string(cublasLtGetVersion()) + " on " + properties.name;
    }

    static void expect_no_recording() {
        check(!is_recording(), "cublasLt",
              "a product of a new form while a graph is captured: run the step once before capturing it");
    }

    std::optional<BlasAlgorithm> algorithm(const BlasCall& call) {
        const std::lock_guard lock(mutex_);
        const BlasKey key = call.key();
        if (const auto known = chosen_.find(key); known != chosen_.end()) return known->second;
        if (impossible_.contains(key)) return std::nullopt;
        expect_no_recording();
        std::optional<BlasAlgorithm> best = choose(call);
        if (best)
            chosen_.emplace(key, *best);
        else
            impossible_.insert(key);
        return best;
    }

    /// The fastest algorithm, of a small product the first, that runs.
    std::optional<BlasAlgorithm> choose(const BlasCall& call) {
        constexpr std::int64_t too_small_to_time = 1'000'000;
        const std::shared_ptr<void> d = call.stand_in();
        std::vector<BlasAlgorithm> candidates = call.candidates(handle_);
        const auto fails = [&](const BlasAlgorithm& algorithm) {  // the first run loads code, too
            return call.run(handle_, workspace_.get(), algorithm, d.get()) != CUBLAS_STATUS_SUCCESS;
        };
        if (call.multiply_adds() < too_small_to_time) {
            const auto first = std::ranges::find_if_not(candidates, fails);
            return first == candidates.end() ? std::nullopt : std::optional(*first);
        }
        std::erase_if(candidates, fails);
        return candidates.empty() ? std::nullopt : std::optional(fastest(call, candidates, d.get()));
    }

    /// By the shortest of a few rounds over all of them, so that a clock that still rises favours none.
    BlasAlgorithm fastest(const BlasCall& call, const std::vector<BlasAlgorithm>& candidates, void* d) {
        constexpr int rounds = 4, repeats = 3;
        StreamTimer timer;
        std::vector<float> shortest(candidates.size(), std::numeric_limits<float>::max());
        for (int round = 0; round < rounds; ++round)
            for (std::size_t i = 0; i < candidates.size(); ++i) {
                bool runs = true;
                timer.start();
                for (int repeat = 0; repeat < repeats; ++repeat)
                    runs = call.run(handle_, workspace_.get(), candidates[i], d) == CUBLAS_STATUS_SUCCESS && runs;
                const float time = timer.stop();
                if (runs && round > 0) shortest[i] = std::min(shortest[i], time);  // the first fills caches
            }
        const auto winner = std::min_element(shortest.begin(), shortest.end()) - shortest.begin();
        return candidates[static_cast<std::size_t>(winner)];
    }

    std::mutex mutex_;
    cublasLtHandle_t handle_ = nullptr;
    std::shared_ptr<unsigned char> workspace_;
    std::map<BlasKey, BlasAlgorithm> chosen_;
    std::set<BlasKey> impossible_;
};

}  // namespace detail

/// Computes the product on the stream, or returns false for one that the library cannot do. Throws Error without a GPU,
/// and for a product of a new form while the stream is captured.
inline bool multiply(const BlasProduct& product) {
    return detail::Blas::instance().multiply(product);
}

/// Writes the algorithms chosen so far, as text: which library and device they are for, then one a line.
inline void save_algorithms(std::ostream& out) {
    detail::Blas::instance().save(out);
}

/// Takes over algorithms that save_algorithms() wrote, before those chosen here. What is for another version of the
/// library or another device, or is damaged, is ignored: false.
inline bool load_algorithms(std::istream& in) {
    return detail::Blas::instance().load(in);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
