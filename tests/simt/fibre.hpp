// SPDX-License-Identifier: Apache-2.0
// A fibre: a stack of its own on which a function runs until it suspends itself, to be resumed there later.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#error "the emulation switches stacks in x86-64 assembly"
#endif

namespace simt::detail {

/// Leaves the stack at hand, storing its pointer at the first argument, and goes on at the second, a pointer stored so.
/// What the calling convention lets a callee change is the compiler's to save; the rest is pushed here.
[[gnu::naked, gnu::noinline]] inline void switch_stack(void**, void*) {
    asm volatile(
        "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        "ret\n");
}

/// Runs one function after the other on its stack. Not to be moved: the stack knows its address.
class Fibre {
public:
    Fibre() {
        void* memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        bottom_ = static_cast<std::byte*>(memory);
        mprotect(bottom_, guard_bytes, PROT_NONE);  // an overflow ends the program instead of spoiling the next stack
        // What switch_stack() finds: six registers, the address to return to, and the slot that a call would have left.
        auto* top = reinterpret_cast<void**>(bottom_ + stack_bytes - next_line() * line_bytes);
        pointer_ = top - 8;
        top[-2] = reinterpret_cast<void*>(&Fibre::enter);
    }
    ~Fibre() {
#if defined(__SANITIZE_ADDRESS__)
        __asan_unpoison_memory_region(bottom_ + guard_bytes, stack_bytes - guard_bytes);
#endif
        munmap(bottom_, stack_bytes);
    }
    Fibre(const Fibre&) = delete;
    Fibre& operator=(const Fibre&) = delete;

    /// Sets what the next resume() starts. The function before must have returned.
    void start(const std::function<void()>& body) {
        body_ = &body;
        returned_ = false;
    }

    /// Runs the function until it suspends itself or returns. Throws what it throws.
    void resume() {
        Fibre* const outer = std::exchange(current, this);
        begin_switch(&outer_fake_stack_, bottom_, stack_bytes);
        switch_stack(&outer_pointer_, pointer_);
        end_switch(outer_fake_stack_, nullptr, nullptr);
        current = outer;
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }
    bool returned() const {
        return returned_;
    }

    /// Called on the fibre: goes back to whoever resumed it.
    void suspend() {
        begin_switch(&fake_stack_, outer_bottom_, outer_bytes_);
        switch_stack(&pointer_, outer_pointer_);
        end_switch(fake_stack_, &outer_bottom_, &outer_bytes_);
    }

private:
    static constexpr std::size_t stack_bytes = 256 * 1024;  // pages are taken as they are touched
    static constexpr std::size_t guard_bytes = 4096;        // a page
    static constexpr std::size_t line_bytes = 64;
    inline static constinit thread_local Fibre* current = nullptr;

    /// Stacks begin at different lines of their pages; otherwise all would compete for the same few sets of the cache.
    static std::size_t next_line() {
        static thread_local std::size_t made = 0;
        return made++ % (guard_bytes / line_bytes);
    }

    [[noreturn]] static void enter() {
        Fibre& self = *current;
        end_switch(nullptr, &self.outer_bottom_, &self.outer_bytes_);
        for (;;) {
            self.run();
            self.suspend();
        }
    }

    void run() {
        try {
            (*body_)();
        } catch (...) {
            error_ = std::current_exception();
        }
        returned_ = true;
    }

    // The address sanitizer wants to know which stack is in use.
    static void begin_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* bottom,
                             [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#endif
    }
    static void end_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** bottom,
                           [[maybe_unused]] std::size_t* bytes) {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
#endif
    }

    std::byte* bottom_ = nullptr;
    void* pointer_ = nullptr;
    void* fake_stack_ = nullptr;
    void* outer_pointer_ = nullptr;
    void* outer_fake_stack_ = nullptr;
    const void* outer_bottom_ = nullptr;
    std::size_t outer_bytes_ = 0;
    const std::function<void()>* body_ = nullptr;
    std::exception_ptr error_;
    bool returned_ = true;
};

}  // namespace simt::detail
