// SPDX-License-Identifier: Apache-2.0
// Signals that ask the program to stop.
#pragma once

#include <csignal>

namespace dinomaly::program {

/// Notes SIGINT and SIGTERM while it lives, so that work can be brought to a point from which it can go on. A second
/// signal ends the program at once. One may live inside another: both then know of a signal.
class Interruption {
public:
    Interruption() {
        if (alive++ > 0) return;
        noted = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { noted = 1; };
        action.sa_flags = SA_RESETHAND;
        sigaction(SIGINT, &action, &before_int);
        sigaction(SIGTERM, &action, &before_term);
    }
    ~Interruption() {
        if (--alive > 0) return;
        sigaction(SIGINT, &before_int, nullptr);
        sigaction(SIGTERM, &before_term, nullptr);
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    bool asked() const { return noted != 0; }

private:
    static inline volatile std::sig_atomic_t noted = 0;  // all that a handler may touch
    static inline int alive = 0;
    static inline struct sigaction before_int { }, before_term{}; };

}  // namespace dinomaly::program
