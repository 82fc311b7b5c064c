// SPDX-License-Identifier: Apache-2.0
// guarded_call: runs a piece of libpng or libjpeg work, whose errors are long jumps, without a jump over C++ objects.
//
// Both libraries report an error by a callback that must not return. Ours notes the message and jumps back here. A
// jump may not skip a destructor, so every object lives in the state, outside; the work is a plain function of it that
// holds only trivial locals while the library runs. Exceptions thrown by the work itself pass through unharmed.
#pragma once

#include <array>
#include <csetjmp>
#include <cstdio>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Base of a codec's state: where to jump and the library's message.
struct JumpGuard {
    std::jmp_buf jump;
    std::array<char, 256> message{};

    /// Notes the message and returns to the guarded_call at work.
    [[noreturn]] void raise(const char* text) {
        std::snprintf(message.data(), message.size(), "%s", text);
        std::longjmp(jump, 1);
    }
};

/// Calls work(state); false when the library raised an error, whose text is then in state.message.
template <class State> bool guarded_call(State& state, void (*work)(State&)) {
    if (setjmp(state.jump) != 0) return false;
    work(state);
    return true;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
