// SPDX-License-Identifier: Apache-2.0
// The table of op cases. One row is an op on some shapes, written once for every device:
//
//   visit(Case{"gelu", {draw({5, 301}).scaled(3)}, [](const auto& in) { return gelu(in[0]); }, Golden{"gelu", {"x"}}});
//
// Each row is checked by gradcheck in double, in float against double, and, where it names a golden entry, against
// PyTorch's values. Nothing here depends on a test framework, so that benchmarks read the same table.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/core/random.hpp"
#include "dinomaly/tensor.hpp"

namespace dinomaly::test {

/// How one input is drawn: normal numbers, rounded to float so that every device gets the same ones.
struct Draw {
    Shape shape;
    double deviation = 1, mean = 0;
    double gap = 0;         // distance kept from zero on both sides, for ops with a kink there
    bool positive = false;  // the absolute value, before the mean is added

    Draw scaled(double factor) const {
        Draw out = *this;
        out.deviation *= factor;
        return out;
    }
    Draw shifted(double by) const {
        Draw out = *this;
        out.mean += by;
        return out;
    }
    Draw above(double lowest) const {
        Draw out = shifted(lowest);
        out.positive = true;
        return out;
    }
    Draw away_from_zero() const {
        Draw out = *this;
        out.gap = 0.1;
        return out;
    }

    template <Device D> Tensor<D> tensor(Generator& random) const {
        std::vector<typename D::value_type> values(static_cast<std::size_t>(shape.count()));
        for (auto& value : values) {
            double x = deviation * random.normal();
            if (positive) x = std::abs(x);
            value = static_cast<float>(x + std::copysign(gap, x) + mean);
        }
        return Tensor<D>(shape, values);
    }
};

inline Draw draw(const Shape& shape) {
    return {shape};
}

/// Where a row's expected values are in ops.safetensors: ENTRY/in/NAME, ENTRY/out, ENTRY/dout, ENTRY/grad/NAME.
struct Golden {
    std::string entry;
    std::vector<std::string> inputs;
    double tolerance = 2e-5;  // of the largest value
};

/// The row is in no golden set.
struct NoGolden {
    double tolerance = 2e-5;
};

template <class F, class Expected = NoGolden> struct Case {
    std::string name;
    std::vector<Draw> inputs;
    F formula;  // of a vector of Var<D>, for any D; gives a Var<D> or what becomes one
    Expected golden = {};
    bool is_derivative = true;  // backward gives the derivative of forward

    /// The drawn inputs; the same numbers on every device.
    template <Device D> std::vector<Var<D>> parameters() const {
        Generator random(1);
        std::vector<Var<D>> drawn;
        for (const Draw& input : inputs) drawn.push_back(parameter(input.template tensor<D>(random)));
        return drawn;
    }
    template <Device D> Var<D> run(const std::vector<Var<D>>& in) const { return formula(in); }
};

template <class Visit> void arithmetic_cases(const Visit& visit) {
    const Draw x = draw({5, 301}), z = draw({301}), wide = x.scaled(3);
    visit(Case{"add", {x, z}, [](const auto& in) { return in[0] + in[1]; }});
    visit(Case{"subtract", {z, x}, [](const auto& in) { return in[0] - in[1]; }});
    visit(Case{"multiply", {x, z}, [](const auto& in) { return in[0] * in[1]; }});
    visit(Case{"divide", {x, z.above(0.5)}, [](const auto& in) { return in[0] / in[1]; }});
    visit(Case{"negate", {x}, [](const auto& in) { return -in[0]; }});
    visit(Case{"number on the left", {x.above(0.5)}, [](const auto& in) { return 1 - 2 / in[0]; }});
    visit(Case{"number on the right", {x}, [](const auto& in) { return (in[0] - 1) / 3; }});
    visit(Case{"minimum", {x, z}, [](const auto& in) { return minimum(in[0], in[1]); }});
    visit(Case{"maximum", {x.away_from_zero()}, [](const auto& in) { return maximum(0, in[0]); }});
    visit(Case{"less", {x, z}, [](const auto& in) { return less(in[0], in[1]) * in[0]; }});
    visit(Case{"equal", {x}, [](const auto& in) { return equal(in[0], in[0]) * in[0]; }});
    visit(Case{
        "where", {x, z, draw({5, 1})}, [](const auto& in) { return where(less(in[0], 0.25), in[1], in[2] * in[0]); }});
    visit(Case{"exp", {x}, [](const auto& in) { return exp(in[0]); }});
    visit(Case{"log", {x.above(0.1)}, [](const auto& in) { return log(in[0]); }});
    visit(Case{"sqrt", {x.above(0.1)}, [](const auto& in) { return sqrt(in[0]); }});
    visit(Case{"abs", {x.away_from_zero()}, [](const auto& in) { return abs(in[0]); }});
    visit(Case{"square", {x}, [](const auto& in) { return square(in[0]); }});
    visit(Case{"pow", {x.above(0.1)}, [](const auto& in) { return pow(in[0], 1.7); }});
    visit(Case{"tanh", {wide}, [](const auto& in) { return tanh(in[0]); }});
    visit(Case{"sigmoid", {wide}, [](const auto& in) { return sigmoid(in[0]); }});
    visit(Case{"erf", {wide}, [](const auto& in) { return erf(in[0]); }});
    visit(Case{"relu", {wide.away_from_zero()}, [](const auto& in) { return relu(in[0]); }});
    visit(Case{"elu", {wide}, [](const auto& in) { return elu(in[0]); }});
    visit(Case{"elu + 1", {wide}, [](const auto& in) { return elu(in[0]) + 1; }, Golden{"elu_plus_one", {"x"}}});
    visit(Case{"gelu", {wide}, [](const auto& in) { return gelu(in[0]); }, Golden{"gelu", {"x"}}});
    // Run strip by strip where a row is long enough (core/expr.hpp), here with a rest.
    const Draw small = x.scaled(0.5);
    visit(Case{"long functions in one another", {small, z}, [](const auto& in) {
                   return tanh(exp(erf(in[0]) * in[1]) + in[0]);
               }});
    visit(Case{"long functions in a choice", {small.away_from_zero()}, [](const auto& in) {
                   return where(less(in[0], 0), gelu(tanh(in[0])), sigmoid(exp(in[0])) / 2);
               }});
    visit(Case{"silu", {wide}, [](const auto& in) { return silu(in[0]); }, Golden{"silu", {"x"}}});
    visit(Case{"dropout", {x}, [](const auto& in) { return dropout(in[0], 0.3, Philox{7, 1}); }});
}

/// One formula over many shapes: rows and columns below and above a packet, operands repeated over inner, outer and
/// middle axes, empty ones, and sizes that are cut into several tasks by rows or by columns.
template <class Visit> void broadcast_cases(const Visit& visit) {
    const auto chain = [](const auto& in) {
        const auto &x = in[0], &s = in[1], &t = in[2], &c = in[3];
        return tanh(x * s + t) * sigmoid(x - c) / (1 + x * x);
    };
    const std::vector<std::vector<Shape>> rows = {
        {{}, {}, {}, {}},
        {{1}, {1}, {}, {1, 1}},
        {{7}, {1}, {7}, {}},
        {{17, 1}, {1, 7}, {17, 7}, {7}},
        {{1, 301}, {3, 1}, {301}, {3, 1}},
        {{2, 3, 4, 5, 6}, {3, 1, 5, 1}, {2, 1, 1, 1, 1}, {1, 4, 1, 6}},
        {{5, 1, 9, 33}, {1, 8, 1, 33}, {5, 1, 1, 1}, {8, 9, 1}},
        {{0, 5}, {5}, {0, 1}, {}},
        {{4, 0}, {4, 1}, {1, 0}, {1}},
        {{3, 70001}, {70001}, {3, 1}, {1}},
        {{700, 301}, {301}, {700, 1}, {}},
        {{1, 140000}, {1}, {140000}, {1, 1}},
        {{40, 60, 64}, {40, 1, 64}, {60, 1}, {60, 64}},
    };
    const std::vector<Draw> golden = {draw({2, 37, 48}), draw({48}), draw({2, 37, 1}), draw({1})};
    visit(Case{"chain", golden, chain, Golden{"broadcast_chain", {"x", "s", "t", "c"}}});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<Draw> inputs;
        for (const Shape& shape : rows[i]) inputs.push_back(draw(shape));
        visit(Case{"chain on shapes " + std::to_string(i), inputs, chain});
    }
    const auto patterns = [](const auto& in) { return in[0] + in[0] * in[1] + (in[0] - in[1] * in[0]) * 2; };
    for (const Shape& s : {Shape{48}, Shape{2, 37, 48}, Shape{37, 1}, Shape{}})
        visit(Case{"one input several times", {draw({2, 37, 48}), draw(s)}, patterns});
    visit(Case{"a sum hands its gradient on", {draw({3, 41}), draw({3, 41})}, [](const auto& in) {
                   const auto y = as_var(in[0] + in[1]);
                   const auto z = as_var(y + in[0]);
                   return as_var(tanh(z) + (y - in[1])) + z * in[1];
               }});
}

template <class Visit> void reduce_cases(const Visit& visit) {
    const auto sum_all = [](const auto& in) { return sum(in[0]); };
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{17, 301}, Shape{0, 3}, Shape{3, 50001}})
        visit(Case{"sum", {draw(shape).scaled(0.01).shifted(0.01)}, sum_all});  // small and without cancellation
    const auto sum_outer = [](const auto& in) { return sum(in[0], {0, -1}); };
    for (const Shape& shape : {Shape{3, 5, 7}, Shape{1, 5, 1}, Shape{2, 0}, Shape{3, 4, 0, 5}, Shape{70, 9, 130}})
        visit(Case{"sum over the outer axes", {draw(shape)}, sum_outer});
    const auto sum_middle = [](const auto& in) { return sum(in[0], {1, 2}, Keep::yes); };
    for (const Shape& shape : {Shape{3, 5, 7}, Shape{2, 3, 4, 5}, Shape{2, 300, 1, 301}})
        visit(Case{"sum over middle axes", {draw(shape)}, sum_middle});
    const auto sum_first = [](const auto& in) { return sum(in[0], {0}); };
    for (const Shape& shape : {Shape{70001, 3}, Shape{33, 1}, Shape{100, 45}, Shape{16, 64}})
        visit(Case{"sum over rows", {draw(shape)}, sum_first});
    visit(Case{"mean", {draw({3, 5, 7})}, [](const auto& in) { return mean(in[0]); }});
    visit(Case{"mean over axes", {draw({3, 5, 7})}, [](const auto& in) { return mean(in[0], {-2}); }});
    visit(Case{"amax", {draw({5, 301})}, [](const auto& in) { return amax(in[0], {1}); }});
    visit(Case{"amin", {draw({5, 7, 3})}, [](const auto& in) { return amin(in[0], {0, 2}, Keep::yes); }});
    visit(Case{"variance", {draw({5, 37})}, [](const auto& in) {
                   return mean(square(in[0] - mean(in[0], {1}, Keep::yes)), {1});
               }});
    visit(Case{"mse", {draw({3, 50001}), draw({3, 50001})}, [](const auto& in) { return mse(in[0], in[1]); }});
    visit(Case{"mse of formulas", {draw({3, 7})}, [](const auto& in) { return mse(in[0] * 2, tanh(in[0])); }});
    visit(Case{"kth_largest", {draw({5, 301})}, [](const auto& in) {
                   return less(in[0], kth_largest(in[0], 100)) * square(in[0]);
               }});
}

template <class Visit> void shape_cases(const Visit& visit) {
    visit(Case{"reshape", {draw({4, 6})}, [](const auto& in) { return reshape(in[0], {2, -1, 3}); }});
    visit(Case{"flatten", {draw({2, 3, 4, 5})}, [](const auto& in) { return flatten(in[0] * in[0], 1, 2); }});
    const auto reversed = [](const auto& in) { return permute(in[0], {4, 2, 0, 3, 1}); };
    for (const Shape& shape : {Shape{2, 3, 4, 5, 6}, Shape{1, 7, 1, 3, 1}, Shape{2, 0, 1, 2, 3}})
        visit(Case{"permute", {draw(shape)}, reversed});
    visit(Case{"transpose", {draw({301, 7})}, [](const auto& in) { return transpose(in[0], 0, -1); }});
    visit(Case{"transpose twice used", {draw({3, 7, 5})}, [](const auto& in) {
                   const auto y = transpose(in[0], 1, 2);
                   return as_var(y * y + transpose(in[0], 1, 2));
               }});
    visit(Case{"slice of rows", {draw({7, 5})}, [](const auto& in) { return slice(in[0], 0, 2, 3); }});
    visit(Case{"slice of columns", {draw({7, 33})}, [](const auto& in) { return slice(in[0], -1, 8, 17); }});
    visit(Case{"overlapping slices", {draw({3, 9, 2})}, [](const auto& in) {
                   return slice(in[0], 1, 0, 6) * slice(in[0], 1, 3, 6) + slice(in[0], 1, 2, 6);
               }});
    visit(Case{"empty slice", {draw({3, 4})}, [](const auto& in) { return slice(in[0], 1, 4, 0); }});
    visit(Case{"concat", {draw({2, 3}), draw({2, 0}), draw({2, 5})}, [](const auto& in) { return concat(in, -1); }});
    visit(Case{"concat of rows", {draw({3, 4}), draw({1, 4})}, [](const auto& in) {
                   return concat({in[0], in[1], in[0]}, 0);
               }});
    visit(Case{"stack", {draw({3, 4}), draw({3, 4})}, [](const auto& in) { return stack({in[0], in[1]}, -1); }});
    const Draw token = draw({2, 37, 48});
    visit(Case{"mean of a stack",
               {token, token, token},
               [](const auto& in) { return mean(stack(in, 0), {0}); },
               Golden{"mean_of_stack", {"a", "b", "c"}}});
    visit(Case{"average",
               {token, token, token},
               [](const auto& in) { return average(in); },
               Golden{"mean_of_stack", {"a", "b", "c"}}});
    visit(Case{"average of what else is used, too", {draw({5, 13}), draw({5, 13})}, [](const auto& in) {
                   const auto y = as_var(in[0] * in[1]);
                   return as_var(average({in[0], y, in[0], y}) * y);
               }});
    visit(Case{"average of scalars", {draw({}), draw({})}, [](const auto& in) { return average(in); }});
}

template <class Visit> void matmul_cases(const Visit& visit) {
    const auto product = [](const auto& in) { return matmul(in[0], in[1]); };
    const std::vector<std::pair<Shape, Shape>> shapes = {
        {{5, 7}, {7, 3}},
        {{1, 1}, {1, 1}},
        {{4, 5, 7}, {7, 3}},
        {{5, 7}, {2, 7, 3}},
        {{6, 5, 7}, {6, 7, 3}},
        {{2, 1, 5, 7}, {3, 7, 4}},
        {{3, 1, 2, 5, 7}, {4, 1, 7, 3}},
        {{3, 0}, {0, 4}},
        {{0, 4}, {4, 3}},
        {{130, 90}, {90, 70}},
        {{2, 4, 60, 40}, {2, 4, 40, 60}},
        {{1, 301}, {301, 1}},
    };
    for (const auto& [a, b] : shapes) visit(Case{"matmul", {draw(a), draw(b)}, product});
    visit(Case{
        "matmul with itself", {draw({7, 7})}, [](const auto& in) { return as_var(matmul(in[0], in[0]) + in[0]); }});
    const Draw x = draw({2, 37, 48}), w = draw({96, 48}), b = draw({96});
    visit(Case{"linear",
               {x, w, b},
               [](const auto& in) { return linear(in[0], in[1], in[2]); },
               Golden{"linear", {"x", "w", "b"}}});
    visit(Case{"linear without bias", {draw({7}), draw({5, 7})}, [](const auto& in) { return linear(in[0], in[1]); }});
    visit(
        Case{"linear to one", {draw({9, 7}), draw({1, 7})}, [](const auto& in) { return tanh(linear(in[0], in[1])); }});
    visit(Case{"gelu(linear)",
               {x, w.scaled(0.2), b},
               [](const auto& in) { return gelu(linear(in[0], in[1], in[2])); },
               Golden{"linear_gelu", {"x", "w", "b"}}});
    const auto residual = [](const auto& in) { return in[0] + in[1] * linear(gelu(in[2]), in[3], in[4]); };
    for (const Shape& rows : {Shape{2, 37}, Shape{600}, Shape{0}, Shape{1, 1, 1}}) {
        Shape from = rows, to = rows;
        from.push_back(48), to.push_back(33);
        visit(Case{"x + s linear(gelu(z))", {draw(to), draw({33}), draw(from), draw({33, 48}), draw({33})}, residual});
    }
    visit(Case{"linear of what repeats, over many panels",
               {draw({600, 48}), draw({48}), draw({600, 1}), draw({9, 48})},
               [](const auto& in) { return tanh(linear(in[0] * in[1] + in[2], in[3])) * in[2]; }});
    visit(Case{"linear of its own residual", {draw({5, 7}), draw({7, 7})}, [](const auto& in) {
                   return in[0] - linear(in[0] * 2, in[1]) * in[0];
               }});
    visit(Case{"dropout between two products", {draw({6, 8}), draw({8, 8}), draw({8})}, [](const auto& in) {
                   const auto h = as_var(
                       dropout(gelu(linear(dropout(in[0], 0.5, Philox{1, 2}), in[1], in[2])), 0.2, Philox{1, 3}));
                   return in[0] + dropout(linear(h, in[1], in[2]), 0.2, Philox{1, 4});
               }});
}

template <class Visit> void softmax_cases(const Visit& visit) {
    const auto along = [](const auto& in) { return softmax(in[0]); };
    for (const Shape& shape : {Shape{7}, Shape{3, 1}, Shape{5, 301}, Shape{0, 3}, Shape{900, 37}})
        visit(Case{"softmax", {draw(shape)}, along});
    visit(Case{"softmax of large values", {draw({2, 4, 37, 37}).scaled(5)}, along, Golden{"softmax", {"x"}}});
    visit(Case{"log_softmax", {draw({5, 17}).scaled(5)}, [](const auto& in) { return log_softmax(in[0]); }});
    visit(Case{"log_softmax of a formula, added", {draw({5, 17})}, [](const auto& in) {
                   return log_softmax(in[0] * 3) + in[0] * softmax(in[0]);
               }});
    visit(Case{"cross_entropy", {draw({4, 7})}, [](const auto& in) { return cross_entropy(in[0], {6, 0, 3, 3}); }});
    visit(Case{"scale_grad",
               {draw({5, 7})},
               [](const auto& in) {
                   const auto factor = as_var(0.1 + 0.9 * less(in[0], 0)).value();
                   return tanh(scale_grad(in[0] * 2, factor));
               },
               {},
               false});
}

template <class Visit> void model_cases(const Visit& visit) {
    const Draw x = draw({2, 37, 48}).scaled(4).shifted(1), c = draw({48});
    visit(Case{"layer_norm",
               {x, c, c},
               [](const auto& in) { return layer_norm(in[0], in[1], in[2], 1e-6); },
               Golden{"layer_norm", {"x", "w", "b"}}});
    for (const std::int64_t cols : {390, 801, 1030})  // as far as a GPU keeps a row in registers, and beyond
        visit(Case{"layer_norm of " + std::to_string(cols) + " channels",
                   {draw({19, cols}), draw({cols}).scaled(0.3).shifted(1), draw({cols})},
                   [](const auto& in) { return layer_norm(in[0], in[1], in[2], 1e-6); }});
    visit(Case{"layer_norm of nearly equal values",
               {draw({2, 37, 48}).scaled(1e-3).shifted(5), c, c},
               [](const auto& in) { return layer_norm(in[0], in[1], in[2], 1e-8); },
               Golden{"layer_norm_small_variance", {"x", "w", "b"}, 1e-3}});
    const Draw qkv = draw({2, 37, 144});
    visit(Case{
        "attention", {qkv}, [](const auto& in) { return attention(in[0], 4); }, Golden{"softmax_attention", {"qkv"}}});
    visit(Case{
        "attention with a bias", {qkv, draw({4, 37, 37})}, [](const auto& in) { return attention(in[0], 4, in[1]); }});
    for (const std::int64_t patches : {0, 12, 37})  // the last tokens; half a head is 6 wide
        visit(Case{"rotary of " + std::to_string(patches), {qkv}, [patches](const auto& in) {
                       using F = Full<device_of<decltype(in[0])>>;
                       Generator random(5);
                       const Draw table = draw({patches, 6});
                       const Rotation<F> rotation{table.tensor<F>(random), table.tensor<F>(random)};
                       return rotary(in[0], rotation, 4);
                   }});
    const auto gathered = [](const auto& in) { return tanh(gather(in[0], {2, 0, 0, 3, 2, 2})) + in[1]; };
    visit(Case{"gather", {draw({5, 2, 40}), draw({2, 40})}, gathered});
    visit(Case{"linear_attention",
               {qkv},
               [](const auto& in) { return linear_attention(in[0], 4); },
               Golden{"linear_attention", {"qkv"}}});
    visit(Case{"linear_attention with eps",
               {qkv},
               [](const auto& in) { return linear_attention(in[0], 4, 1e-6); },
               Golden{"linear_attention_eps", {"qkv"}}});
    visit(Case{"linear_attention from single ops",
               {qkv},
               [](const auto& in) { return linear_attention_composed(in[0], 4, 1e-6); },
               Golden{"linear_attention_eps", {"qkv"}}});
    const Draw map = draw({2, 48, 5, 5});
    visit(Case{"cosine_similarity",
               {map, map},
               [](const auto& in) { return cosine_similarity(in[0], in[1], 1); },
               Golden{"cosine_similarity_channels", {"a", "b"}}});
    const auto embedded = [](const auto& in) { return patch_embed(in[0], in[1], in[2]); };
    visit(Case{"patch_embed",
               {draw({2, 3, 42, 56}), draw({48, 3, 14, 14}).scaled(0.05), c},
               embedded,
               Golden{"patch_embed", {"img", "w", "b"}}});
    visit(Case{"patch_embed with a rest", {draw({2, 3, 9, 14}), draw({5, 3, 4, 4}), draw({5})}, embedded});
}

template <class Visit> void resample_cases(const Visit& visit) {
    const auto position = [](std::int64_t from, std::int64_t height, std::int64_t width) {
        return [=](const auto& in) {
            const auto scale = [from](std::int64_t to) {
                return (static_cast<double>(to) + 0.1) / static_cast<double>(from);
            };
            return resize_bicubic(in[0], height, width, scale(height), scale(width));
        };
    };
    visit(Case{"bicubic 37 to 28",
               {draw({1, 8, 37, 37})},
               position(37, 28, 28),
               Golden{"position_bicubic_37_to_28x28", {"x"}}});
    visit(Case{"bicubic 37 to 16",
               {draw({1, 8, 37, 37})},
               position(37, 16, 16),
               Golden{"position_bicubic_37_to_16x16", {"x"}}});
    visit(Case{"bicubic 37 to 32",
               {draw({1, 8, 37, 37})},
               position(37, 32, 32),
               Golden{"position_bicubic_37_to_32x32", {"x"}}});
    visit(Case{"bicubic 16 to 28 x 20",
               {draw({1, 8, 16, 16})},
               position(16, 28, 20),
               Golden{"position_bicubic_16_to_28x20", {"x"}}});
    const auto bilinear = [](std::int64_t to, bool align_corners) {
        return [=](const auto& in) { return resize_bilinear(in[0], to, to, align_corners); };
    };
    visit(Case{"bilinear to 392, corners aligned",
               {draw({1, 1, 28, 28})},
               bilinear(392, true),
               Golden{"bilinear_align_corners_392", {"x"}}});
    visit(Case{"bilinear to 256, corners aligned",
               {draw({1, 1, 28, 28})},
               bilinear(256, true),
               Golden{"bilinear_align_corners_256", {"x"}}});
    visit(Case{
        "bilinear 392 to 256", {draw({1, 1, 392, 392})}, bilinear(256, false), Golden{"bilinear_392_to_256", {"x"}}});
}

/// Every row of the table.
template <class Visit> void all_cases(const Visit& visit) {
    arithmetic_cases(visit);
    broadcast_cases(visit);
    reduce_cases(visit);
    shape_cases(visit);
    matmul_cases(visit);
    softmax_cases(visit);
    model_cases(visit);
    resample_cases(visit);
}

}  // namespace dinomaly::test
