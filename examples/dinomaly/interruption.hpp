// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and a supervisor's request to end, noted so that what was begun can be finished.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

/// Notes SIGINT and SIGTERM while it lives; there is one at a time. A second signal ends the program at once.
class Interruption {
public:
    Interruption() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        noted = 0;
        wakes = event_.get();
        struct sigaction action {};
        action.sa_handler = note;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        ::sigaction(SIGINT, &action, &before_int_);
        ::sigaction(SIGTERM, &action, &before_term_);
    }
    ~Interruption() {
        ::sigaction(SIGINT, &before_int_, nullptr);
        ::sigaction(SIGTERM, &before_term_, nullptr);
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    bool asked() const { return noted != 0; }
    /// Readable once a signal came: for ::poll(), which the signal itself interrupts only in the thread that it hits.
    int descriptor() const { return event_.get(); }

private:
    static void note(int) {
        const int before = errno;
        noted = 1;
        const std::uint64_t one = 1;
        // Nothing can be done where this fails; `noted` is seen later then.
        [[maybe_unused]] const ssize_t written = ::write(wakes, &one, sizeof one);
        errno = before;
    }

    static inline volatile std::sig_atomic_t noted = 0;  // all that a handler may touch
    static inline volatile std::sig_atomic_t wakes = -1;
    io::Descriptor event_;
    struct sigaction before_int_ {
    }, before_term_{};
};

}  // namespace dinomaly::program
