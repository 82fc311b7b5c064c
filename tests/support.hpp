// SPDX-License-Identifier: Apache-2.0
// Where the tests find their data, and where they may write.
//
//   golden_dir()        tensors and pictures to compare with; the environment's DINOMALY_GOLDEN names another set
//   shared_dir()        real weights and pictures beside the checkout, which not every machine has
//   scratch_dir(name)   a fresh empty directory, removed when the test program ends
#pragma once

#include <stdlib.h>  // mkdtemp is POSIX, not in <cstdlib>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <system_error>

namespace dinomaly::test {

namespace detail {

/// One directory for each run of a test program: programs that run side by side never meet.
class ScratchRoot {
public:
    ScratchRoot() {
        const std::string name = "dinomaly-test-" + std::string(6, 'X');  // mkdtemp fills in the letters
        std::string pattern = (std::filesystem::temp_directory_path() / name).string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a directory like " + pattern);
        path_ = pattern;
    }
    ~ScratchRoot() {
        std::error_code ignored;  // a leftover directory must not turn a passed test into a failed one
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchRoot(const ScratchRoot&) = delete;
    ScratchRoot& operator=(const ScratchRoot&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace detail

/// The root of the checkout.
inline std::filesystem::path source_dir() {
    const std::filesystem::path here = std::source_location::current().file_name();
    return std::filesystem::absolute(here).lexically_normal().parent_path().parent_path();
}

/// The golden set: DINOMALY_GOLDEN where it is set, else tests/golden.
inline std::filesystem::path golden_dir() {
    const char* other = std::getenv("DINOMALY_GOLDEN");
    return other != nullptr && *other != '\0' ? std::filesystem::path(other) : source_dir() / "tests" / "golden";
}

/// The directory `shared` beside the checkout, where there is one.
inline std::optional<std::filesystem::path> shared_dir() {
    const std::filesystem::path path = source_dir().parent_path() / "shared";
    return std::filesystem::is_directory(path) ? std::optional(path) : std::nullopt;
}

/// A fresh empty directory for one test case; what an earlier call with this name left is removed.
inline std::filesystem::path scratch_dir(const std::string& name) {
    static const detail::ScratchRoot root;
    const std::filesystem::path path = root.path() / name;
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    return path;
}

}  // namespace dinomaly::test
