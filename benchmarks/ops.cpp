// SPDX-License-Identifier: Apache-2.0
// The ops of the model at its shapes, for S and B: each is verified against double precision and then timed.
//
// A case is named "bf16 S x8 fc1 + bias + gelu": what activations are stored and multiplied in, the architecture, how
// many pictures of 789 tokens, and what is computed. "packed" layers are those of a frozen network, whose weights are
// packed beforehand, and the only ones in int8. GB/s counts what has to be read and written once, TFLOP/s the products'
// arithmetic; the share is of the machine's peak in that precision, measured beside (backend/cpu/peak.hpp).
// `benchmark_ops --help` tells the options.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "benchmarks/op_runner.hpp"
#include "dinomaly/backend/cpu/frozen_block.hpp"
#include "dinomaly/backend/cpu/machine.hpp"
#include "dinomaly/backend/cpu/peak.hpp"
#include "dinomaly/nn.hpp"
#include "dinomaly/optim/stable_adamw.hpp"

namespace dinomaly::benchmark {

namespace {

constexpr std::int64_t tokens = 789;

struct Sizes {
    std::string name;  // "bf16 S x8 "
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
    /// Elements of its result.
    double plane() const { return static_cast<double>(sizes.rows() * outputs); }
    /// Of its product, or of one of the two products of its backward pass; `planes` more results are read.
    Cost cost(double planes = 0) const {
        const auto m = static_cast<double>(sizes.rows()), n = static_cast<double>(outputs),
                   k = static_cast<double>(inputs);
        return {2 * m * n * k, m * k + m * n * (1 + planes), n * k};
    }
};

template <Device D> void product_cases(Runner<D>& run, const Sizes& s) {
    const std::int64_t c = s.width;
    const Layer qkv{s, c, 3 * c}, proj{s, c, c}, fc1{s, c, 4 * c}, fc2{s, 4 * c, c};
    const auto plain = [](const auto& in) { return as_var(linear(in.x[0], in.w[0], in.w[1])); };
    const auto activated = [](const auto& in) { return as_var(gelu(linear(in.x[0], in.w[0], in.w[1]))); };
    const auto added = [](const auto& in) { return as_var(in.x[1] + in.w[2] * linear(in.x[0], in.w[0], in.w[1])); };
    const auto forward = [&](const std::string& name, const Layer& l, const auto& formula) {
        run.forward(s.name + name, l.cost(), {{l.x()}, {l.weight(), l.vector()}}, formula);
    };
    const auto forward_added = [&](const std::string& name, const Layer& l) {
        run.forward(s.name + name, l.cost(1), {{l.x(), l.residual()}, {l.weight(), l.vector(), l.vector()}}, added);
    };
    forward("qkv + bias", qkv, plain);
    forward_added("proj + bias, scale, residual", proj);
    forward("fc1 + bias", fc1, plain);
    forward("fc1 + bias + gelu", fc1, activated);
    forward_added("fc2 + bias, scale, residual", fc2);

    const auto product = [](const auto& in) { return as_var(linear(in.x[0], in.w[0])); };
    for (const auto& [name, l] : {std::pair{"qkv", qkv}, {"proj", proj}, {"fc1", fc1}, {"fc2", fc2}}) {
        run.backward(s.name + name + " input gradient", l.cost(), {{l.x().with_grad()}, {l.weight()}}, product);
        run.backward(s.name + name + " weight gradient", l.cost(), {{l.x()}, {l.weight().with_grad()}}, product);
    }
}

/// A layer of a frozen network on its own: y = f(x w^T + bias, y) by panels of rows, as backend/cpu/frozen_block.hpp
/// has them, 768 outputs at a time; codes are made once for all.
template <class W, class X, class Y, class F>
void by_panels(const backend::FrozenLinear<W>& layer, std::int64_t rows, const X* x, Y* y, const F& f) {
    const std::int64_t n = layer.out(), at_a_time = std::is_same_v<W, backend::Code> ? n : 768;
    const backend::RowPanels panels(rows, backend::detail::FrozenRows<X, W, float>::most);
    backend::parallel_for(panels.count(), [&](std::int64_t panel) {
        const std::int64_t row = panels.first(panel), count = panels.first(panel + 1) - row;
        for (std::int64_t first = 0; first < n; first += at_a_time)
            layer.apply(count, x + row * layer.in(), first, std::min(at_a_time, n - first), y + row * n + first, n, f);
    });
}

/// What is wrong, or nothing: each element is held against the largest, and the error of the whole against the whole.
template <Device D>
std::string whole_mismatch(const Tensor<D>& found, const Tensor<Cpu<double>>& wanted, double tolerance) {
    const auto a = in_double(found);
    double error = 0, size = 0;
    for (std::int64_t i = 0; i < wanted.count(); ++i) {
        error += std::pow(a.data()[i] - wanted.data()[i], 2);
        size += std::pow(wanted.data()[i], 2);
    }
    if (std::sqrt(error / size) <= tolerance) return test::mismatch(a, wanted, tolerance);
    return "an error of " + std::to_string(100 * std::sqrt(error / size)) + " % of the whole";
}

/// Layers in W, float, bfloat16 or codes, that take inputs and leave hidden values in D.
template <class W, Device D> class PackedCases {
public:
    PackedCases(Runner<D>& run, const Sizes& sizes) : run_(run), sizes_(sizes) {}

    void all() {
        const std::int64_t c = sizes_.width;
        const Layer qkv{sizes_, c, 3 * c}, proj{sizes_, c, c}, fc1{sizes_, c, 4 * c}, fc2{sizes_, 4 * c, c};
        inner(
            "packed qkv + bias", qkv, [](auto z) { return z; }, [](const Var<Exact>& z) { return z; });
        added("packed proj + bias, residual", proj);
        inner(
            "packed fc1 + bias + gelu", fc1, [](auto z) { return z * math::normal_cdf(z); },
            [](const Var<Exact>& z) { return as_var(gelu(z)); });
        added("packed fc2 + bias, residual", fc2);
        mlp(fc1, fc2);
    }

private:
    using Exact = Cpu<double>;
    using Value = typename D::value_type;
    static constexpr double tolerance = std::is_same_v<W, backend::Code> ? 2e-2 : benchmark::tolerance<D>;

    /// A layer packed, and its values in double.
    struct Drawn {
        backend::FrozenLinear<W> packed;
        Var<Exact> w, b;

        Drawn(const Layer& l, std::uint64_t stream)
            : Drawn(draw<Cpu<float>>(l.weight(), stream), draw<Cpu<float>>(l.vector(), stream + 1)) {}
        Drawn(const Tensor<Cpu<float>>& weight, const Tensor<Cpu<float>>& bias)
            : packed(weight.size(0), weight.size(1), weight.data(), bias.to_vector()),
              w(in_double(weight)),
              b(in_double(bias)) {}
    };

    /// Left in D, for the next product or for attention.
    template <class F, class Formula>
    void inner(const std::string& name, const Layer& l, const F& f, const Formula& formula) {
        if (!run_.is_wanted(sizes_.name + name)) return;
        const Drawn layer(l, 1);
        const Tensor<D> x = draw<D>(l.x(), 0);
        Tensor<D> y(sizes_.grid(l.outputs));
        const auto body = [&] {
            by_panels(layer.packed, sizes_.rows(), x.data(), y.data(),
                      [&](Packet<float> sum, const Value*, auto) { return f(sum); });
        };
        const auto compare = [&] {
            body();
            return whole_mismatch(y, formula(linear(Var<Exact>(in_double(x)), layer.w, layer.b)).value(), tolerance);
        };
        run_.other(sizes_.name + name, l.cost(), compare, body);
    }

    /// Added to what is in full precision, in place.
    void added(const std::string& name, const Layer& l) {
        if (!run_.is_wanted(sizes_.name + name)) return;
        const Drawn layer(l, 1);
        const Tensor<D> x = draw<D>(l.x(), 0);
        Tensor<Cpu<float>> y = draw<Cpu<float>>(l.residual(), 3);
        const auto body = [&] {
            by_panels(layer.packed, sizes_.rows(), x.data(), y.data(),
                      [](Packet<float> sum, const float* before, auto at) { return at.load(before) + sum; });
        };
        const auto compare = [&] {
            const Var<Exact> before = in_double(y);
            body();
            return whole_mismatch(y, as_var(before + linear(Var<Exact>(in_double(x)), layer.w, layer.b)).value(),
                                  tolerance);
        };
        Cost cost = l.cost();  // in full precision are read and written
        cost.elements -= l.plane(), cost.parameters += 2 * l.plane();
        run_.other(sizes_.name + name, cost, compare, body);
    }

    /// Both layers of the MLP, a panel through both.
    void mlp(const Layer& l1, const Layer& l2) {
        const std::string name = sizes_.name + "packed mlp";
        if (!run_.is_wanted(name)) return;
        Drawn first(l1, 1), second(l2, 3);
        const backend::FrozenMlp<backend::FrozenLinear<W>> both{std::move(first.packed), std::move(second.packed)};
        const Tensor<Cpu<float>> x = draw<Cpu<float>>(l1.x(), 0);
        Tensor<Cpu<float>> y(x.shape());
        const auto body = [&] { backend::frozen_mlp(D{}, both, sizes_.rows(), x.data(), y.data()); };
        const auto compare = [&] {
            body();
            const Var<Exact> hidden = gelu(linear(Var<Exact>(in_double(x)), first.w, first.b));
            return whole_mismatch(y, as_var(linear(hidden, second.w, second.b)).value(), tolerance);
        };
        run_.other(name, {2 * l1.cost().operations, 0, 2 * sizes_.plane() + 2 * l1.cost().parameters}, compare, body);
    }

    Runner<D>& run_;
    const Sizes& sizes_;
};

template <Device D> void other_cases(Runner<D>& run, const Sizes& s) {
    const std::int64_t c = s.width;
    const double plane = s.plane(), head_dim = static_cast<double>(c) / static_cast<double>(s.heads);
    const Input x{s.grid(c)}, hidden{s.grid(4 * c)}, vector{{c}}, qkv{s.grid(3 * c)};

    const auto norm = [](const auto& in) { return layer_norm(in.x[0], in.w[0], in.w[1], 1e-6); };
    run.forward(s.name + "layer_norm", {0, 2 * plane}, {{x}, {vector, vector}}, norm);
    run.backward(s.name + "layer_norm backward", {0, 3 * plane},
                 {{x.with_grad()}, {vector.with_grad(), vector.with_grad()}}, norm);

    const auto softmax_attention = [&](const auto& in) { return attention(in.x[0], s.heads); };
    const double scores = static_cast<double>(tokens) * plane;  // multiply-adds of q k^T
    run.forward(s.name + "attention", {4 * scores, 4 * plane}, {{qkv}, {}}, softmax_attention);
    // Five products: the scores are not kept, and are computed again.
    run.backward(s.name + "attention backward", {10 * scores, 8 * plane}, {{qkv.with_grad()}, {}}, softmax_attention);
    const auto linear_attended = [&](const auto& in) { return linear_attention(in.x[0], s.heads); };
    run.forward(s.name + "linear attention", {4 * plane * head_dim, 4 * plane}, {{qkv}, {}}, linear_attended);
    run.backward(s.name + "linear attention backward", {8 * plane * head_dim, 8 * plane}, {{qkv.with_grad()}, {}},
                 linear_attended);

    const auto activation = [](const auto& in) { return as_var(gelu(in.x[0])); };
    run.forward(s.name + "gelu", {0, 8 * plane}, {{hidden}, {}}, activation);
    run.backward(s.name + "gelu backward", {0, 12 * plane}, {{hidden.with_grad()}, {}}, activation);
    const auto noisy = [](const auto& in) { return as_var(dropout(gelu(in.x[0]), 0.2, Philox{1, 7})); };
    run.forward(s.name + "gelu + dropout", {0, 8 * plane}, {{hidden}, {}}, noisy);
    run.backward(s.name + "gelu + dropout backward", {0, 12 * plane}, {{hidden.with_grad()}, {}}, noisy);
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
            auto wrong = test::mismatch(parameters[i].value(), exact[i].value(), benchmark::tolerance<D>);
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
    std::vector<std::string> precisions = {"fp32", "bf16", "int8"};
    int threads = 0, repeat = 7;
    std::vector<std::int64_t> pictures = {1, 8, 16};
    bool json = false;
};

/// Prints results as they come, or all of them as JSON.
class Table {
public:
    explicit Table(bool json) : json_(json) {
        if (!json_) std::printf("%s, %d threads\n", machine_.c_str(), backend::thread_pool().threads());
    }

    /// What follows is of this precision.
    void start(Precision precision) {
        precision_ = precision;
        peak_ = backend::measure_peak(precision);
        if (!json_) std::printf("%s, peak %.3f TFLOP/s\n", precision_name(precision), peak_ / 1e12);
    }

    void add(const Timing& t) {
        const bool is_product = t.operations > 0;
        // Another process may have slowed it before.
        if (is_product) peak_ = std::max(peak_, backend::measure_peak(precision_));
        const double milliseconds = 1e3 * t.seconds, bandwidth = t.bytes / t.seconds / 1e9;
        const double speed = t.operations / t.seconds / 1e12, share = t.operations / t.seconds / peak_;
        if (json_) {
            nlohmann::ordered_json one = {{"name", t.name}, {"ms", milliseconds}, {"gbytes_per_s", bandwidth}};
            if (is_product) one["tflops"] = speed, one["peak_share"] = share;
            if (is_product) peaks_[precision_name(precision_)] = peak_ / 1e12;
            cases_.push_back(one);
            return;
        }
        std::printf("%-42s %10.3f ms %8.1f GB/s", t.name.c_str(), milliseconds, bandwidth);
        if (is_product) std::printf(" %8.3f TFLOP/s %5.1f %%", speed, 100 * share);
        std::printf("\n");
        std::fflush(stdout);
    }

    void finish() const {
        if (json_)
            std::cout << nlohmann::ordered_json{{"machine", machine_},
                                                {"threads", backend::thread_pool().threads()},
                                                {"peak_tflops", peaks_},
                                                {"cases", cases_}}
                             .dump(2)
                      << std::endl;
    }

private:
    bool json_;
    std::string machine_ = backend::processor_name();
    Precision precision_ = Precision::fp32;
    double peak_ = 0;
    nlohmann::ordered_json peaks_ = nlohmann::ordered_json::object();
    nlohmann::ordered_json cases_ = nlohmann::ordered_json::array();
};

/// The cases of one precision, whose products are done in W.
template <Device D, class W> void run_all(const Options& options, Precision precision, Table& table) {
    table.start(precision);
    Runner<D> run(options.filter, options.repeat, [&](const Timing& timing) { table.add(timing); });
    for (const auto& [letter, width, heads] : {std::tuple{" S ", 384, 6}, {" B ", 768, 12}}) {
        const std::string name = precision_name(precision) + std::string(letter);
        for (const std::int64_t pictures : options.pictures) {
            const Sizes sizes{name + "x" + std::to_string(pictures) + ' ', pictures, width, heads};
            PackedCases<W, D>(run, sizes).all();
            if constexpr (!std::is_same_v<W, backend::Code>) {
                product_cases(run, sizes);
                other_cases(run, sizes);
            }
        }
        // Parameters are in full precision always.
        if constexpr (std::is_same_v<W, float>) optimizer_case(run, name, width);
    }
}

void run_all(const Options& options) {
    if (options.threads > 0) backend::thread_pool().resize(options.threads);
    Table table(options.json);
    for (const std::string& name : options.precisions) {
        const Precision precision = find_precision(name);
        switch (precision) {
            case Precision::fp32: run_all<Cpu<float>, float>(options, precision, table); break;
            case Precision::bf16: run_all<Cpu<bfloat16>, bfloat16>(options, precision, table); break;
            case Precision::int8: run_all<Cpu<float>, backend::Code>(options, precision, table); break;
            case Precision::tf32: fail("--precision", "tf32 is for GPUs; fp32, bf16 or int8 expected");
        }
    }
    table.finish();
}

Options parse(int argc, char** argv) {
    CLI::App app("Verifies and times the ops of Dinomaly at its shapes.", "benchmark_ops");
    Options options;
    app.add_option("--filter", options.filter, "Only cases whose name has this text in it");
    app.add_option("--precision", options.precisions, "Of activations and products: fp32, bf16, int8 (packed only)")
        ->check(CLI::IsMember({"fp32", "bf16", "int8"}))
        ->delimiter(',')
        ->capture_default_str();
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
        dinomaly::benchmark::run_all(dinomaly::benchmark::parse(argc, argv));
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << std::endl;
        return 1;
    }
    return 0;
}
