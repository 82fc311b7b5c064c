// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and a supervisor's request to end, noted so that what was begun can be finished.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace dinomaly::program {

/// Notes SIGINT and SIGTERM while it lives. A second signal ends the program at once. One may live inside another: both
/// then know of a signal.
class Interruption {
public:
    Interruption() {
        if (alive++ > 0) return;
        noted = 0;
        wakes = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        struct sigaction action {};
        action.sa_handler = note;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        ::sigaction(SIGINT, &action, &before_int);
        ::sigaction(SIGTERM, &action, &before_term);
    }
    ~Interruption() {
        if (--alive > 0) return;
        ::sigaction(SIGINT, &before_int, nullptr);
        ::sigaction(SIGTERM, &before_term, nullptr);
        ::close(wakes);
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    bool asked() const { return noted != 0; }
    /// Readable once a signal came: for ::poll(), which the signal itself interrupts only in the thread that it hits.
    int descriptor() const { return wakes; }

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
    static inline int alive = 0;
    static inline struct sigaction before_int { }, before_term{}; };

}  // namespace dinomaly::program
