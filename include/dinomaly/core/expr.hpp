// SPDX-License-Identifier: Apache-2.0
// The kernel form of an elementwise formula: a tree of functors over leaves that a backend walks packet by packet.
//
//   forward   y = f(leaves), each inner value kept in a Tape, which lives in registers
//   backward  dy is pushed down the tree: each functor multiplies by its slope, each leaf stores what arrives
//
// One pass therefore writes the gradient of every leaf. A leaf that was broadcast sums what arrives: over the columns
// of a row in a register, over rows in memory that its task owns (the backend adds the tasks' sums in fixed order). On
// a GPU a thread walks down its columns and keeps their sums in registers too; leaves that sum over the columns take a
// second pass, along the rows.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dinomaly/core/math.hpp"
#include "dinomaly/core/packet.hpp"
#include "dinomaly/core/random.hpp"
#include "dinomaly/core/view.hpp"

namespace dinomaly::inline DINOMALY_ABI::kernel {

/// A whole packet of a row, from column `col`. T is the type of arithmetic; memory may hold bfloat16 instead.
template <class T> struct Whole {
    static constexpr bool owns_columns = false;  // whether the same packet is met in row after row
    using Lanes = Packet<T>;
    std::int64_t col;

    template <class S> DINOMALY_HD Lanes load(const S* p) const { return Lanes::load(p + col); }
    template <class S> DINOMALY_HD void store(S* p, Lanes x) const { x.store(p + col); }
    DINOMALY_HD Lanes keep(Lanes x) const { return x; }
};

/// The first `count` lanes of a packet: the end of a row. Lanes beyond are computed from zeros and never used.
template <class T> struct Part {
    static constexpr bool owns_columns = false;
    using Lanes = Packet<T>;
    std::int64_t col;
    int count;

    template <class S> DINOMALY_HD Lanes load(const S* p) const { return Lanes::load(p + col, count); }
    template <class S> DINOMALY_HD void store(S* p, Lanes x) const { x.store(p + col, count); }
    DINOMALY_HD Lanes keep(Lanes x) const { return keep_first(x, count, T(0)); }
};

/// A packet that one thread meets in row after row.
template <class T> struct Column : Part<T> { static constexpr bool owns_columns = true; };

/// Who adds up a row's gradient: on the CPU one thread; on a GPU a block, whose first thread then writes the sum.
struct Alone {
    template <class T> DINOMALY_HD T sum(T x) const { return x; }
    DINOMALY_HD bool leads() const { return true; }
};

/// Packets that a formula computes stage by stage: 16 of floats.
inline constexpr int strip_packets = 16;

/// A whole packet of the strip that begins at column `first`, for which stage() was called.
template <class T> struct Staged : Whole<T> {
    std::int64_t first;

    DINOMALY_HD Staged(std::int64_t column, std::int64_t first_column) : Whole<T>{column}, first(first_column) {}
};

/// The operand of a long function within another one, for a strip. One function after the other over a strip keeps the
/// processor's window full of independent packets; nested, each packet would be one long chain of dependent
/// instructions.
template <class T> struct Strip { alignas(64) T values[strip_packets * Packet<T>::width]; };
struct NoStrip {};

/// What a leaf does with the gradient that arrives.
enum class Arrival : std::uint8_t { dropped, assigned, added };

/// Leaves by what their gradient needs: a sum over the columns of a row, or none.
enum class Pass : std::uint8_t { columns, rows };

/// A tensor of S broadcast over the grid, and the place of its gradient: `grad` in the tensor's own shape and type, or,
/// where the tensor is repeated, `sums` of type T that are added to, one set a task.
template <class S, class T = S> struct TensorLeaf {
    static constexpr bool takes_gradient = true;
    struct Tape {};

    const S* value = nullptr;
    S* grad = nullptr;
    T* sums = nullptr;
    Strides strides{};
    bool moves = true;  // along the row; otherwise one element serves the whole row
    Arrival arrival = Arrival::dropped;
    std::int64_t task_stride = 0;  // between the sums of two tasks
    std::int64_t offset = 0;
    Packet<T> held = Packet<T>(T(0));  // a sum in registers: of a row, or of the columns that a thread owns
    std::int64_t held_offset = -1;     // where the latter belongs

    static constexpr bool is_long = false, is_staged = false;  // see Unary

    DINOMALY_HD void begin_task(std::int64_t task) { sums += task * task_stride; }
    template <class V> DINOMALY_HD void begin_panel(const V*, std::int64_t) {}
    DINOMALY_HD void begin_row(const Row& row, std::int64_t) { offset = row.offset(strides); }
    /// Drops the gradients that another pass is for; returns whether this one is wanted.
    bool keep_pass(Pass pass) {
        if ((pass == Pass::rows) == moves) arrival = Arrival::dropped;
        return arrival != Arrival::dropped;
    }

    template <class At> DINOMALY_HD Packet<T> forward(Tape&, At at) const {
        return moves ? at.load(value + offset) : Packet<T>(static_cast<T>(value[offset]));
    }

    template <class At> DINOMALY_HD void backward(Packet<T> g, const Tape&, At at) {
        if (arrival == Arrival::dropped) return;
        if (!moves) {
            held += at.keep(g);
        } else if (sums != nullptr) {
            if constexpr (At::owns_columns) {
                if (held_offset != offset) end_columns(at);
                held_offset = offset;
                held += g;
            } else {
                at.store(sums + offset, at.load(sums + offset) + g);
            }
        } else {
            S* target = grad + offset;
            at.store(target, arrival == Arrival::added ? at.load(target) + g : g);
        }
    }

    /// Writes the sum of the columns that `at` owns.
    template <class At> DINOMALY_HD void end_columns(At at) {
        if (held_offset < 0) return;
        at.store(sums + held_offset, at.load(sums + held_offset) + held);
        held = Packet<T>(T(0));
        held_offset = -1;
    }

    template <class Team> DINOMALY_HD void end_row(const Team& team) {
        if (arrival == Arrival::dropped || moves) return;
        const T sum = team.sum(held.sum());
        held = Packet<T>(T(0));
        if (!team.leads()) return;
        if (sums != nullptr)
            sums[offset] += sum;
        else
            grad[offset] = static_cast<S>(sum + (arrival == Arrival::added ? static_cast<T>(grad[offset]) : T(0)));
    }
};

/// The value of a matrix product, which covers the grid: forward its sums as they leave the accumulators, one panel of
/// rows at a time, in T or as they are stored; backward what was saved of them. Its gradient is assigned to `grad`.
template <class S, class T> struct ProductLeaf {
    static constexpr bool takes_gradient = true;
    struct Tape {};

    const S* saved = nullptr;
    S* grad = nullptr;
    const T* panel = nullptr;
    std::int64_t first_row = 0, offset = 0;

    static constexpr bool is_long = false, is_staged = false;

    DINOMALY_HD void begin_task(std::int64_t) {}
    template <class V> DINOMALY_HD void begin_panel(const V* sums, std::int64_t first) {
        if constexpr (std::is_same_v<V, T>)
            panel = sums;
        else
            saved = sums;
        first_row = first;
    }
    DINOMALY_HD void begin_row(const Row& row, std::int64_t cols) { offset = (row.index - first_row) * cols; }

    template <class At> DINOMALY_HD Packet<T> forward(Tape&, At at) const {
        return panel != nullptr ? at.load(panel + offset) : at.load(saved + offset);
    }
    template <class At> DINOMALY_HD void backward(Packet<T> g, const Tape&, At at) {
        if (grad != nullptr) at.store(grad + offset, g);
    }
    bool keep_pass(Pass pass) {
        if (pass == Pass::rows) grad = nullptr;
        return grad != nullptr;
    }
    template <class At> DINOMALY_HD void end_columns(At) {}
    template <class Team> DINOMALY_HD void end_row(const Team&) {}
};

/// A number in a formula.
template <class T> struct ConstantLeaf {
    static constexpr bool takes_gradient = false;
    struct Tape {};

    T value;

    static constexpr bool is_long = false, is_staged = false;

    DINOMALY_HD void begin_task(std::int64_t) {}
    template <class V> DINOMALY_HD void begin_panel(const V*, std::int64_t) {}
    DINOMALY_HD void begin_row(const Row&, std::int64_t) {}
    template <class At> DINOMALY_HD Packet<T> forward(Tape&, At) const { return Packet<T>(value); }
    bool keep_pass(Pass) { return false; }
    template <class At> DINOMALY_HD void end_columns(At) {}
    template <class Team> DINOMALY_HD void end_row(const Team&) {}
};

/// Inverted dropout's factor: 0 with probability p, else 1/(1-p), a function of the element's index alone. Where `step`
/// is not null, *step is added to the stream.
template <class T> struct DropoutLeaf {
    static constexpr bool takes_gradient = false;
    struct Tape {};

    Philox random;
    T probability, scale;
    const std::uint64_t* step = nullptr;
    Philox shifted = {};
    std::int64_t first = 0;  // index of the row's first element

    static constexpr bool is_long = true, is_staged = false;

    DINOMALY_HD void begin_task(std::int64_t) {}
    template <class V> DINOMALY_HD void begin_panel(const V*, std::int64_t) {}
    DINOMALY_HD void begin_row(const Row& row, std::int64_t cols) {
        first = row.index * cols;
        shifted = {random.seed, random.stream + (step != nullptr ? *step : 0)};
    }
    template <class At> DINOMALY_HD Packet<T> forward(Tape&, At at) const {
        const Packet<T> u = shifted.template uniform_packet<T>(static_cast<std::uint64_t>(first + at.col));
        return math::select(u < Packet<T>(probability), Packet<T>(T(0)), Packet<T>(scale));
    }
    bool keep_pass(Pass) { return false; }
    template <class At> DINOMALY_HD void end_columns(At) {}
    template <class Team> DINOMALY_HD void end_row(const Team&) {}
};

/// y = op(a); Op gives value(x) and slope(x, y). A formula is_long when it holds a function of dozens of instructions,
/// and is_staged when one stands within another: then stage() computes the inner ones for a strip.
template <class T, class Op, class A> struct Unary {
    static constexpr bool takes_gradient = A::takes_gradient;
    static constexpr bool is_long = Op::is_long || A::is_long;
    static constexpr bool keeps_strip = native::has_strips && Op::is_long && A::is_long;
    static constexpr bool is_staged = keeps_strip || A::is_staged;
    using P = Packet<T>;
    struct Tape {
        typename A::Tape a;
        P x, y;
    };

    Op op;
    A a;
    [[no_unique_address]] std::conditional_t<keeps_strip, Strip<T>, NoStrip> strip = {};

    void stage(std::int64_t first) {
        if constexpr (A::is_staged) a.stage(first);
        if constexpr (keeps_strip)
            for (int i = 0; i < strip_packets; ++i) {
                typename A::Tape tape;
                a.forward(tape, Staged<T>(first + i * P::width, first)).store(strip.values + i * P::width);
            }
    }

    DINOMALY_HD void begin_task(std::int64_t task) { a.begin_task(task); }
    template <class V> DINOMALY_HD void begin_panel(const V* sums, std::int64_t first) { a.begin_panel(sums, first); }
    DINOMALY_HD void begin_row(const Row& row, std::int64_t cols) { a.begin_row(row, cols); }
    bool keep_pass(Pass pass) { return a.keep_pass(pass); }
    template <class At> DINOMALY_HD void end_columns(At at) { a.end_columns(at); }
    template <class Team> DINOMALY_HD void end_row(const Team& team) { a.end_row(team); }

    template <class At> DINOMALY_HD P forward(Tape& tape, At at) const {
        if constexpr (keeps_strip && std::is_same_v<At, Staged<T>>)
            tape.x = P::load(strip.values + (at.col - at.first));
        else
            tape.x = a.forward(tape.a, at);
        return tape.y = op.value(tape.x);
    }
    template <class At> DINOMALY_HD void backward(P g, const Tape& tape, At at) {
        if constexpr (A::takes_gradient) a.backward(g * op.slope(tape.x, tape.y), tape.a, at);
    }
};

/// y = op(a, b); Op gives value(a, b), slope_a(a, b, y) and slope_b(a, b, y).
template <class T, class Op, class A, class B> struct Binary {
    static constexpr bool takes_gradient = A::takes_gradient || B::takes_gradient;
    static constexpr bool is_long = A::is_long || B::is_long;
    static constexpr bool is_staged = A::is_staged || B::is_staged;
    using P = Packet<T>;
    struct Tape {
        typename A::Tape a;
        typename B::Tape b;
        P x, z, y;
    };

    Op op;
    A a;
    B b;

    void stage(std::int64_t first) {
        if constexpr (A::is_staged) a.stage(first);
        if constexpr (B::is_staged) b.stage(first);
    }

    DINOMALY_HD void begin_task(std::int64_t task) { a.begin_task(task), b.begin_task(task); }
    template <class V> DINOMALY_HD void begin_panel(const V* sums, std::int64_t first) {
        a.begin_panel(sums, first), b.begin_panel(sums, first);
    }
    DINOMALY_HD void begin_row(const Row& row, std::int64_t cols) { a.begin_row(row, cols), b.begin_row(row, cols); }
    bool keep_pass(Pass pass) {
        const bool kept = a.keep_pass(pass);
        return b.keep_pass(pass) || kept;
    }
    template <class At> DINOMALY_HD void end_columns(At at) { a.end_columns(at), b.end_columns(at); }
    template <class Team> DINOMALY_HD void end_row(const Team& team) { a.end_row(team), b.end_row(team); }

    template <class At> DINOMALY_HD P forward(Tape& tape, At at) const {
        tape.x = a.forward(tape.a, at);
        tape.z = b.forward(tape.b, at);
        return tape.y = op.value(tape.x, tape.z);
    }
    template <class At> DINOMALY_HD void backward(P g, const Tape& tape, At at) {
        if constexpr (A::takes_gradient) a.backward(g * op.slope_a(tape.x, tape.z, tape.y), tape.a, at);
        if constexpr (B::takes_gradient) b.backward(g * op.slope_b(tape.x, tape.z, tape.y), tape.b, at);
    }
};

/// y = a where c is not zero, else b. No gradient reaches the condition.
template <class T, class C, class A, class B> struct Choice {
    static constexpr bool takes_gradient = A::takes_gradient || B::takes_gradient;
    static constexpr bool is_long = C::is_long || A::is_long || B::is_long;
    static constexpr bool is_staged = C::is_staged || A::is_staged || B::is_staged;
    using P = Packet<T>;
    struct Tape {
        typename C::Tape c;
        typename A::Tape a;
        typename B::Tape b;
        P condition;
    };

    C c;
    A a;
    B b;

    void stage(std::int64_t first) {
        if constexpr (C::is_staged) c.stage(first);
        if constexpr (A::is_staged) a.stage(first);
        if constexpr (B::is_staged) b.stage(first);
    }

    DINOMALY_HD void begin_task(std::int64_t task) { c.begin_task(task), a.begin_task(task), b.begin_task(task); }
    template <class V> DINOMALY_HD void begin_panel(const V* sums, std::int64_t first) {
        c.begin_panel(sums, first), a.begin_panel(sums, first), b.begin_panel(sums, first);
    }
    DINOMALY_HD void begin_row(const Row& row, std::int64_t cols) {
        c.begin_row(row, cols), a.begin_row(row, cols), b.begin_row(row, cols);
    }
    bool keep_pass(Pass pass) {
        c.keep_pass(pass);
        const bool kept = a.keep_pass(pass);
        return b.keep_pass(pass) || kept;
    }
    template <class At> DINOMALY_HD void end_columns(At at) { a.end_columns(at), b.end_columns(at); }
    template <class Team> DINOMALY_HD void end_row(const Team& team) { a.end_row(team), b.end_row(team); }

    template <class At> DINOMALY_HD P forward(Tape& tape, At at) const {
        tape.condition = c.forward(tape.c, at);
        return math::select(tape.condition != P(T(0)), a.forward(tape.a, at), b.forward(tape.b, at));
    }
    template <class At> DINOMALY_HD void backward(P g, const Tape& tape, At at) {
        const auto chosen = tape.condition != P(T(0));
        if constexpr (A::takes_gradient) a.backward(math::select(chosen, g, P(T(0))), tape.a, at);
        if constexpr (B::takes_gradient) b.backward(math::select(chosen, P(T(0)), g), tape.b, at);
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI::kernel
