// SPDX-License-Identifier: Apache-2.0
// The kernels of a training step on a GPU, at the shapes of ViT-B and 16 pictures of 448/392: each is verified against
// double precision, at these very shapes, and then timed (gpu_runner.hpp).
//
// GB/s counts what has to be read and written once, and stands beside the speed of a copy from GPU memory to GPU
// memory. A product stands beside the best of the algorithms that cuBLASLt suggests for it, each timed alone in the
// same way. `benchmark_cuda --help` tells the options.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "benchmarks/gpu_runner.hpp"
#include "dinomaly/optim/stable_adamw.hpp"

namespace dinomaly::benchmark {

namespace {

struct Sizes {
    std::int64_t pictures, tokens, width, heads, blocks;

    std::int64_t rows() const { return pictures * tokens; }
    /// Elements of [rows, width], as a unit of costs.
    double plane() const { return static_cast<double>(rows() * width); }
    Shape grid(std::int64_t columns) const { return {pictures, tokens, columns}; }
};

constexpr Sizes tiny{1, 70, 128, 2, 1};  // for --check: more than one tile of everything

template <class D> void op_cases(GpuRunner<D>& run, const std::string& name, const Sizes& s) {
    const double plane = s.plane(), head_dim = static_cast<double>(s.width / s.heads);
    const Input x{s.grid(s.width)}, hidden{s.grid(4 * s.width)}, vector{{s.width}}, qkv{s.grid(3 * s.width)};

    const auto scaled = [](const auto& in) { return as_var(in.x[0] + in.w[0] * in.x[1]); };
    run.forward(name + "x + g a", {0, 3 * plane}, {{x, x}, {vector}}, scaled);
    const auto activation = [](const auto& in) { return as_var(gelu(in.x[0])); };
    run.forward(name + "gelu", {0, 8 * plane}, {{hidden}, {}}, activation);
    run.backward(name + "gelu backward", {0, 12 * plane}, {{hidden.with_grad()}, {}}, activation);

    const auto norm = [](const auto& in) { return layer_norm(in.x[0], in.w[0], in.w[1], 1e-6); };
    run.forward(name + "layer_norm", {0, 2 * plane}, {{x}, {vector, vector}}, norm);
    run.backward(name + "layer_norm backward", {0, 3 * plane},
                 {{x.with_grad()}, {vector.with_grad(), vector.with_grad()}}, norm);

    const auto softmax_attention = [&](const auto& in) { return attention(in.x[0], s.heads); };
    const double scores = static_cast<double>(s.tokens) * plane;  // multiply-adds of q k^T
    run.forward(name + "attention", {4 * scores, 4 * plane}, {{qkv}, {}}, softmax_attention);
    const auto linear_attended = [&](const auto& in) { return linear_attention(in.x[0], s.heads); };
    run.forward(name + "linear attention", {4 * plane * head_dim, 4 * plane}, {{qkv}, {}}, linear_attended);
    run.backward(name + "linear attention backward", {8 * plane * head_dim, 8 * plane}, {{qkv.with_grad()}, {}},
                 linear_attended);
}

// --- products

/// c [m, n] = a [m, k] b [k, n] + bias [n], the operands transposed where they lie so in memory.
struct Product {
    std::string name;
    std::int64_t m, n, k;
    bool a_transposed, b_transposed, has_bias;

    template <class P> backend::Matrix<P> a(P* data) const { return {data, a_transposed ? m : k, a_transposed}; }
    template <class P> backend::Matrix<P> b(P* data) const { return {data, b_transposed ? k : n, b_transposed}; }
    template <class P> backend::Matrix<P> c(P* data) const { return {data, n}; }
    Cost cost() const {
        const auto elements = static_cast<double>(m * k + k * n + m * n);
        return {2 * static_cast<double>(m) * static_cast<double>(n * k), elements};
    }
};

/// cuBLASLt for ourselves, so that one of its algorithms can be timed alone. Never destroyed: at the end of the program
/// the driver may be gone first.
struct Library {
    cublasLtHandle_t handle = nullptr;
    std::shared_ptr<unsigned char> workspace =
        backend::cuda::scratch<unsigned char>(backend::cuda::detail::blas_workspace_bytes);

    static const Library& instance() {
        static const Library* const library = new Library;
        return *library;
    }

private:
    Library() { backend::cuda::detail::expect_blas(cublasLtCreate(&handle), "cublasLtCreate"); }
};

/// Products of T whose results are stored as C.
template <class T, class C> class ProductCase {
public:
    ProductCase(GpuRunner<Cuda<T>>& run, const Product& product) : run_(run), p_(product) {}

    void operator()() const {
        std::vector<Buffers> sets;
        for (std::size_t i = 0; i < run_.rounds().sets(run_.bytes(p_.cost())); ++i) sets.emplace_back(p_);
        multiply(sets[0]);
        require(p_.name, test::mismatch(sets[0].c, exact(sets[0]), tolerance<Cuda<T>>));
        const double ours = run_.rounds().seconds(sets.size(), [&](std::size_t i) { multiply(sets[i]); });
        run_.report(p_.name, p_.cost(), ours, best_alone(sets));
    }

private:
    struct Buffers {
        Tensor<Cuda<T>> a, b;
        Tensor<Cuda<C>> bias, c;

        explicit Buffers(const Product& p)
            : a(draw<Cuda<T>>({{p.m * p.k}}, 0)),
              b(draw<Cuda<T>>({{p.k * p.n}, 1 / std::sqrt(static_cast<double>(p.k))}, 1)),
              bias(p.has_bias ? draw<Cuda<C>>({{p.n}}, 2) : Tensor<Cuda<C>>()),
              c({p.m, p.n}) {}
    };

    void multiply(Buffers& x) const {
        const T *a = x.a.data(), *b = x.b.data();
        const backend::Addends<C> addends{x.bias.data()};
        backend::gemm<T, T, T, C>(Cuda<T>{}, 1, p_.m, p_.n, p_.k, p_.a(a), p_.b(b), p_.c(x.c.data()), addends);
    }

    Tensor<Cpu<double>> exact(const Buffers& x) const {
        using Exact = Cpu<double>;
        const Tensor<Exact> a = in_double(x.a), b = in_double(x.b);
        Tensor<Exact> c({p_.m, p_.n});
        backend::gemm<double>(Exact{}, 1, p_.m, p_.n, p_.k, p_.a(a.data()), p_.b(b.data()), p_.c(c.data()));
        return p_.has_bias ? as_var(Var<Exact>(c) + Var<Exact>(in_double(x.bias))).value() : c;
    }

    /// Seconds of the fastest of what the library suggests.
    double best_alone(std::vector<Buffers>& sets) const {
        namespace blas = backend::cuda::detail;
        const Library& library = Library::instance();
        std::vector<blas::BlasCall> calls;
        for (Buffers& x : sets) {
            const T *a = x.a.data(), *b = x.b.data();
            calls.emplace_back(backend::cuda::BlasProduct{1, p_.m, p_.n, p_.k, p_.a(a), p_.b(b),
                                                          backend::Matrix<const C>{}, p_.c(x.c.data()), x.bias.data()});
        }
        double best = std::numeric_limits<double>::infinity();
        for (const blas::BlasAlgorithm& algorithm : calls[0].candidates(library.handle)) {
            const auto run = [&](std::size_t i) {
                return calls[i].run(library.handle, library.workspace.get(), algorithm);
            };
            if (run(0) != CUBLAS_STATUS_SUCCESS) continue;
            best = std::min(best, run_.rounds().seconds(sets.size(), [&](std::size_t i) {
                blas::expect_blas(run(i), "cublasLtMatmul");
            }));
        }
        return best;
    }

    GpuRunner<Cuda<T>>& run_;
    const Product& p_;
};

/// The products of a block's four linear layers, forward and back. Weight gradients are in full precision.
template <class T> void product_cases(GpuRunner<Cuda<T>>& run, const std::string& name, const Sizes& s) {
    const std::int64_t rows = s.rows(), c = s.width;
    struct Layer {
        const char* name;
        std::int64_t inputs, outputs;
    };
    for (const auto& [layer, in, out] :
         {Layer{"qkv", c, 3 * c}, {"proj", c, c}, {"fc1", c, 4 * c}, {"fc2", 4 * c, c}}) {
        const Product forward{name + layer + " + bias", rows, out, in, false, true, true},
            input_gradient{name + layer + " input gradient", rows, in, out, false, false, false},
            weight_gradient{name + layer + " weight gradient", out, in, rows, true, false, false};
        for (const Product& product : {forward, input_gradient})
            if (run.is_wanted(product.name)) ProductCase<T, T>(run, product)();
        if (run.is_wanted(weight_gradient.name)) ProductCase<T, float>(run, weight_gradient)();
    }
}

// --- the optimiser and the threshold of hard mining

/// All matrices that are trained, the bottleneck's and the decoder's, with gradients.
template <class D> std::vector<Var<D>> trained_matrices(const Sizes& s) {
    const std::int64_t c = s.width;
    std::vector<Shape> shapes = {{4 * c, c}, {c, 4 * c}};
    for (std::int64_t i = 0; i < s.blocks; ++i)
        for (const Shape& shape : {Shape{3 * c, c}, Shape{c, c}, Shape{4 * c, c}, Shape{c, 4 * c}})
            shapes.push_back(shape);
    std::vector<Var<D>> matrices;
    for (const Shape& shape : shapes) {
        const auto drawn = [&](std::uint64_t stream) {
            const auto values = draw<Cpu<float>>({shape, 0.01}, 2 * matrices.size() + stream).to_vector();
            return Tensor<D>(shape, std::vector<typename D::value_type>(values.begin(), values.end()));
        };
        matrices.push_back(parameter(drawn(0)));
        matrices.back().node()->accumulate(drawn(1));
    }
    return matrices;
}

void optimizer_case(GpuRunner<Cuda<float>>& run, const Sizes& s) {
    const std::string name = "fp32 clipping and StableAdamW";
    constexpr double limit = 0.1;
    if (!run.is_wanted(name)) return;
    const auto parameters = trained_matrices<Cuda<float>>(s);
    optim::StableAdamW<Cuda<float>> optimizer(parameters);
    Tensor<Cuda<float>> norm({1});
    {
        const auto exact = trained_matrices<Cpu<double>>(s);
        optim::StableAdamW<Cpu<double>> reference(exact);
        Tensor<Cpu<double>> exact_norm({1});
        for (int i = 0; i < 2; ++i) {
            optimizer.prepare(1e-3), optimizer.apply(limit, norm.data());
            reference.prepare(1e-3), reference.apply(limit, exact_norm.data());
        }
        for (std::size_t i = 0; i < exact.size(); ++i)
            require(name, test::mismatch(parameters[i].value(), exact[i].value(), tolerance<Cuda<float>>));
    }
    double values = 0;
    for (const auto& p : parameters) values += static_cast<double>(p.count());
    // Reads the gradient three times, v once, vmax twice, m and p; writes v, vmax, m and p. All of it is far larger
    // than any cache.
    run.report(name, {0, 12 * values},
               run.rounds().seconds(1, [&](std::size_t) { optimizer.apply(limit, norm.data()); }));
}

void threshold_case(GpuRunner<Cuda<float>>& run, const Sizes& s) {
    const std::string name = "fp32 kth_largest";
    if (!run.is_wanted(name)) return;
    const std::int64_t count = s.pictures * 784, k = count / 10;
    const Tensor<Cuda<float>> x = draw<Cuda<float>>({{count}}, 0);
    const Cell<Cuda<float>, std::int64_t> rank(k);
    Tensor<Cuda<float>> y({1});
    const auto select = [&](std::size_t) {
        backend::kth_largest(Cuda<float>{}, count, x.data(), rank.data(), y.data());
    };
    select(0);
    std::vector<float> values = x.to_vector();
    std::ranges::nth_element(values, values.begin() + (k - 1), std::ranges::greater{});
    const float wanted = values[static_cast<std::size_t>(k - 1)];
    check(y.item() == wanted, name.c_str(), "wrong, and so not timed: ", y.item(), " where ", wanted, " is expected");
    run.report(name, {0, static_cast<double>(count)}, run.rounds().seconds(2, select));
}

// --- the program

struct Options {
    std::string filter;
    std::vector<std::string> precisions = {"bf16"};
    int repeat = 5;
    std::int64_t pictures = 16;
    bool check = false, json = false;
};

/// Prints results as they come, or all of them as JSON.
class Table {
public:
    Table(const Options& options, const cudaDeviceProp& device, double copy_speed)
        : options_(options), device_(device), copy_speed_(copy_speed) {
        if (!options.json && !options.check)
            std::printf("%s, %d multiprocessors, %d MB of second cache; a copy: %.0f GB/s\n", device.name,
                        device.multiProcessorCount, device.l2CacheSize >> 20, copy_speed / 1e9);
    }

    void add(const GpuTiming& t) {
        if (options_.check) {
            std::printf("%s: right\n", t.name.c_str());
            return;
        }
        const double microseconds = 1e6 * t.seconds, bandwidth = t.bytes / t.seconds;
        const double speed = t.operations / t.seconds / 1e12, of_best = t.best_seconds / t.seconds;
        const bool is_product = t.best_seconds > 0, computes = t.operations > 0;
        if (options_.json) {
            nlohmann::ordered_json one = {{"name", t.name}, {"us", microseconds}, {"gbytes_per_s", bandwidth / 1e9}};
            if (!is_product) one["copy_share"] = bandwidth / copy_speed_;
            if (computes) one["tflops"] = speed;
            if (is_product) one["best_share"] = of_best;
            cases_.push_back(one);
            return;
        }
        std::printf("%-36s %9.1f us %8.1f GB/s", t.name.c_str(), microseconds, bandwidth / 1e9);
        std::printf(is_product ? "                   " : " %5.1f %% of a copy", 100 * bandwidth / copy_speed_);
        if (computes) std::printf(" %8.1f TFLOP/s", speed);
        if (is_product) std::printf(" %5.1f %% of the best", 100 * of_best);
        std::printf("\n");
        std::fflush(stdout);
    }

    void finish() const {
        if (options_.json)
            std::cout << nlohmann::ordered_json{{"device", device_.name},
                                                {"multiprocessors", device_.multiProcessorCount},
                                                {"cublaslt", cublasLtGetVersion()},
                                                {"pictures", options_.pictures},
                                                {"copy_gbytes_per_s", copy_speed_ / 1e9},
                                                {"cases", cases_}}
                             .dump(2)
                      << std::endl;
    }

private:
    const Options& options_;
    const cudaDeviceProp& device_;
    double copy_speed_;
    nlohmann::ordered_json cases_ = nlohmann::ordered_json::array();
};

/// Bytes a second, read and written, of a copy within the GPU's memory.
double measure_copy(const Rounds& rounds, std::int64_t bytes) {
    using Bytes = Cuda<float>;
    std::vector<std::shared_ptr<void>> from, to;
    const std::size_t sets = rounds.sets(2 * static_cast<double>(bytes)), size = static_cast<std::size_t>(bytes);
    for (std::size_t i = 0; i < sets; ++i) {
        from.push_back(Bytes::allocate(size)), to.push_back(Bytes::allocate(size));
        Bytes::zero(from[i].get(), size);
    }
    const auto copy = [&](std::size_t i) { Bytes::copy(to[i].get(), from[i].get(), size); };
    return 2 * static_cast<double>(bytes) / rounds.seconds(sets, copy);
}

template <class T>
void run_precision(const std::string& name, const Options& options, const Rounds& rounds, const Sizes& sizes,
                   Table& table) {
    GpuRunner<Cuda<T>> run(options.filter, rounds, [&](const GpuTiming& timing) { table.add(timing); });
    op_cases(run, name + ' ', sizes);
    product_cases(run, name + ' ', sizes);
}

void run_all(const Options& options) {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    check(status == cudaSuccess && count > 0, "benchmark_cuda", "no GPU here: ", cudaGetErrorString(status));
    cudaDeviceProp device{};
    backend::cuda::expect_success(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");

    const Sizes sizes = options.check ? tiny : Sizes{options.pictures, 789, 768, 12, 8};
    const Rounds rounds =
        options.check ? Rounds{1, 0, 0} : Rounds{options.repeat, 10, std::int64_t{4} * device.l2CacheSize};
    Table table(options, device, measure_copy(rounds, options.check ? 4096 : std::int64_t{64} << 20));
    for (const std::string& precision : options.precisions) {
        if (precision == "bf16") run_precision<bfloat16>(precision, options, rounds, sizes, table);
        if (precision == "fp32") run_precision<float>(precision, options, rounds, sizes, table);
    }
    // Parameters and what the loss sees are in full precision always.
    GpuRunner<Cuda<float>> run(options.filter, rounds, [&](const GpuTiming& timing) { table.add(timing); });
    optimizer_case(run, sizes);
    threshold_case(run, sizes);
    table.finish();
}

Options parse(int argc, char** argv) {
    CLI::App app("Verifies and times the kernels of Dinomaly on a GPU, at the shapes of ViT-B.", "benchmark_cuda");
    Options options;
    app.add_option("--filter", options.filter, "Only cases whose name has this text in it");
    app.add_option("--precision", options.precisions, "Of activations and products: fp32, bf16")
        ->check(CLI::IsMember({"fp32", "bf16"}))
        ->delimiter(',')
        ->capture_default_str();
    app.add_option("--repeat", options.repeat, "Rounds, of which the fastest counts")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--pictures", options.pictures, "Pictures of 789 tokens at once")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    CLI::Option* check = app.add_flag("--check", options.check, "Only verify, at small shapes");
    app.add_flag("--json", options.json, "Print one JSON object instead of a table")->excludes(check);
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
