// SPDX-License-Identifier: Apache-2.0
// The ops of the model at its shapes, for S and B: each is verified against double precision and then timed.
//
// A case is named "S x8 fc1 + bias + gelu": the architecture, how many pictures of 789 tokens, and what is computed.
// GB/s counts what has to be read and written once, TFLOP/s the products' arithmetic; the share is of the machine's
// peak, measured beside (backend/cpu/peak.hpp). `benchmark_ops --help` tells the options.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "benchmarks/op_runner.hpp"
#include "dinomaly/backend/cpu/machine.hpp"
#include "dinomaly/backend/cpu/peak.hpp"
#include "dinomaly/nn.hpp"
#include "dinomaly/optim/stable_adamw.hpp"

namespace dinomaly::benchmark {

namespace {

constexpr std::int64_t tokens = 789;

struct Sizes {
    std::string name;  // "S x8 "
    std::int64_t pictures, width, heads;

    std::int64_t rows() const { return pictures * tokens; }
    /// Elements of [rows, width], as a unit of costs.
    double plane() const { return static_cast<double>(rows() * width); }
    Shape grid(std::int64_t columns) const { return {pictures, tokens, columns}; }
};

/// A linear layer of the model: [rows, inputs] -> [rows, outputs].
struct Layer {
    const Sizes& sizes;
    std::int64_t inputs, outputs;

    Input x() const { return {sizes.grid(inputs)}; }
    Input weight() const { return {{outputs, inputs}, 1 / std::sqrt(static_cast<double>(inputs))}; }
    Input vector() const { return {{outputs}}; }
    Input residual() const { return {sizes.grid(outputs)}; }
    /// Of its product, or of one of the two products of its backward pass; `planes` more results are read.
    Cost cost(double planes = 0) const {
        const auto m = static_cast<double>(sizes.rows()), n = static_cast<double>(outputs),
                   k = static_cast<double>(inputs);
        return {2 * m * n * k, m * k + n * k + m * n * (1 + planes)};
    }
};

template <Device D> void product_cases(Runner<D>& run, const Sizes& s) {
    const std::int64_t c = s.width;
    const Layer qkv{s, c, 3 * c}, proj{s, c, c}, fc1{s, c, 4 * c}, fc2{s, 4 * c, c};
    const auto plain = [](const auto& in) { return as_var(linear(in[0], in[1], in[2])); };
    const auto activated = [](const auto& in) { return as_var(gelu(linear(in[0], in[1], in[2]))); };
    const auto added = [](const auto& in) { return as_var(in[3] + in[4] * linear(in[0], in[1], in[2])); };
    const auto forward = [&](const std::string& name, const Layer& l, const auto& formula) {
        run.forward(s.name + name, l.cost(), {l.x(), l.weight(), l.vector()}, formula);
    };
    const auto forward_added = [&](const std::string& name, const Layer& l) {
        run.forward(s.name + name, l.cost(1), {l.x(), l.weight(), l.vector(), l.residual(), l.vector()}, added);
    };
    forward("qkv + bias", qkv, plain);
    forward_added("proj + bias, scale, residual", proj);
    forward("fc1 + bias", fc1, plain);
    forward("fc1 + bias + gelu", fc1, activated);
    forward_added("fc2 + bias, scale, residual", fc2);

    const auto product = [](const auto& in) { return as_var(linear(in[0], in[1])); };
    for (const auto& [name, layer] : {std::pair{"qkv", qkv}, {"proj", proj}, {"fc1", fc1}, {"fc2", fc2}}) {
        run.backward(s.name + name + " input gradient", layer.cost(), {layer.x().with_grad(), layer.weight()}, product);
        run.backward(s.name + name + " weight gradient", layer.cost(), {layer.x(), layer.weight().with_grad()},
                     product);
    }
}

template <Device D> void other_cases(Runner<D>& run, const Sizes& s) {
    const std::int64_t c = s.width;
    const double plane = s.plane(), head_dim = static_cast<double>(c) / static_cast<double>(s.heads);
    const Input x{s.grid(c)}, hidden{s.grid(4 * c)}, vector{{c}}, qkv{s.grid(3 * c)};

    const auto norm = [](const auto& in) { return layer_norm(in[0], in[1], in[2], 1e-6); };
    run.forward(s.name + "layer_norm", {0, 2 * plane}, {x, vector, vector}, norm);
    run.backward(s.name + "layer_norm backward", {0, 3 * plane},
                 {x.with_grad(), vector.with_grad(), vector.with_grad()}, norm);

    const auto softmax_attention = [&](const auto& in) { return attention(in[0], s.heads); };
    const double scores = static_cast<double>(tokens) * plane;  // multiply-adds of q k^T
    run.forward(s.name + "attention", {4 * scores, 4 * plane}, {qkv}, softmax_attention);
    const auto linear_attended = [&](const auto& in) { return linear_attention(in[0], s.heads); };
    run.forward(s.name + "linear attention", {4 * plane * head_dim, 4 * plane}, {qkv}, linear_attended);
    run.backward(s.name + "linear attention backward", {8 * plane * head_dim, 8 * plane}, {qkv.with_grad()},
                 linear_attended);

    const auto activation = [](const auto& in) { return as_var(gelu(in[0])); };
    run.forward(s.name + "gelu", {0, 8 * plane}, {hidden}, activation);
    run.backward(s.name + "gelu backward", {0, 12 * plane}, {hidden.with_grad()}, activation);
    const auto noisy = [](const auto& in) { return as_var(dropout(gelu(in[0]), 0.2, Philox{1, 7})); };
    run.forward(s.name + "gelu + dropout", {0, 8 * plane}, {hidden}, noisy);
    run.backward(s.name + "gelu + dropout backward", {0, 12 * plane}, {hidden.with_grad()}, noisy);
}

/// The matrices of one decoder block with gradients.
template <Device D> std::vector<Var<D>> block_parameters(std::int64_t c) {
    std::vector<Var<D>> parameters;
    for (const Shape& shape : {Shape{3 * c, c}, Shape{c, c}, Shape{4 * c, c}, Shape{c, 4 * c}}) {
        const auto draw_float = [&](std::uint64_t stream) {
            const auto values = draw<Cpu<float>>({shape, 0.01}, 2 * parameters.size() + stream).to_vector();
            return Tensor<D>(shape, std::vector<typename D::value_type>(values.begin(), values.end()));
        };
        parameters.push_back(parameter(draw_float(0)));
        parameters.back().node()->accumulate(draw_float(1));
    }
    return parameters;
}

template <Device D> void optimizer_case(Runner<D>& run, const std::string& name, std::int64_t width) {
    const std::vector<Var<D>> parameters = block_parameters<D>(width);
    optim::StableAdamW<D> optimizer(parameters);
    const auto check_two_steps = [&]() -> std::string {
        const auto exact = block_parameters<Cpu<double>>(width);
        optim::StableAdamW<Cpu<double>> reference(exact);
        for (int i = 0; i < 2; ++i) optimizer.step(1e-3), reference.step(1e-3);
        for (std::size_t i = 0; i < exact.size(); ++i) {
            auto wrong = test::mismatch(parameters[i].value(), exact[i].value(), Runner<D>::tolerance);
            if (!wrong.empty()) return wrong;
        }
        return "";
    };
    // Reads the parameter, its gradient and three moments; writes all but the gradient.
    const double elements = 9 * 12 * static_cast<double>(width * width);
    run.other(name + "StableAdamW, one block", {0, elements}, check_two_steps, [&] { optimizer.step(1e-3); });
}

struct Options {
    std::string filter;
    int threads = 0, repeat = 7;
    std::vector<std::int64_t> pictures = {1, 8, 16};
    bool json = false;
};

template <Device D> void run_all(const Options& options, Precision precision) {
    if (options.threads > 0) backend::thread_pool().resize(options.threads);
    double peak = backend::measure_peak(precision);
    auto cases = nlohmann::ordered_json::array();
    const auto report = [&](const Timing& t) {
        const bool is_product = t.operations > 0;
        if (is_product) peak = std::max(peak, backend::measure_peak(precision));  // another process may have slowed it
        const double milliseconds = 1e3 * t.seconds, bandwidth = t.bytes / t.seconds / 1e9;
        const double speed = t.operations / t.seconds / 1e12, share = t.operations / t.seconds / peak;
        if (options.json) {
            nlohmann::ordered_json one = {{"name", t.name}, {"ms", milliseconds}, {"gbytes_per_s", bandwidth}};
            if (is_product) one["tflops"] = speed, one["peak_share"] = share;
            cases.push_back(one);
            return;
        }
        std::printf("%-40s %10.3f ms %8.1f GB/s", t.name.c_str(), milliseconds, bandwidth);
        if (is_product) std::printf(" %8.3f TFLOP/s %5.1f %%", speed, 100 * share);
        std::printf("\n");
        std::fflush(stdout);
    };
    const std::string machine = backend::processor_name();
    if (!options.json)
        std::printf("%s, %d threads, %s, peak %.3f TFLOP/s\n", machine.c_str(), backend::thread_pool().threads(),
                    precision_name(precision), peak / 1e12);
    Runner<D> run(options.filter, options.repeat, report);
    for (const auto& [letter, width, heads] : {std::tuple{"S ", 384, 6}, {"B ", 768, 12}}) {
        for (const std::int64_t pictures : options.pictures) {
            const Sizes sizes{letter + ("x" + std::to_string(pictures)) + ' ', pictures, width, heads};
            product_cases(run, sizes);
            other_cases(run, sizes);
        }
        optimizer_case(run, letter, width);
    }
    if (options.json)
        std::cout << nlohmann::ordered_json{{"machine", machine},
                                            {"threads", backend::thread_pool().threads()},
                                            {"precision", precision_name(precision)},
                                            {"peak_tflops", peak / 1e12},
                                            {"cases", cases}}
                         .dump(2)
                  << std::endl;
}

Options parse(int argc, char** argv) {
    CLI::App app("Verifies and times the ops of Dinomaly at its shapes.", "benchmark_ops");
    Options options;
    app.add_option("--filter", options.filter, "Only cases whose name has this text in it");
    app.add_option("--threads", options.threads, "Threads; 0 means one for each core")->check(CLI::NonNegativeNumber);
    app.add_option("--repeat", options.repeat, "Runs, of which the fastest counts")->check(CLI::PositiveNumber);
    app.add_option("--pictures", options.pictures, "Pictures of 789 tokens at once")
        ->check(CLI::PositiveNumber)
        ->delimiter(',')
        ->capture_default_str();
    app.add_flag("--json", options.json, "Print one JSON object instead of a table");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    return options;
}

}  // namespace

}  // namespace dinomaly::benchmark

int main(int argc, char** argv) {
    try {
        dinomaly::benchmark::run_all<dinomaly::Cpu<float>>(dinomaly::benchmark::parse(argc, argv),
                                                           dinomaly::Precision::fp32);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << std::endl;
        return 1;
    }
    return 0;
}
