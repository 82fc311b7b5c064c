// SPDX-License-Identifier: Apache-2.0
// The gemm verb on the GPU against sums in double: all types, transposes and edges, strides and steps, what is added on
// the way; and the table of algorithms, which captures and saved files rely on.
#define BOOST_TEST_MODULE cuda_gemm
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/backend/cuda/gemm.hpp"
#include "dinomaly/core/random.hpp"
#include "dinomaly/core/tensor.hpp"
#include "tests/cuda/on_cuda.hpp"

using namespace dinomaly;
using backend::Addends;
using backend::Matrix;

namespace {

template <class T> double as_double(T value) {
    return static_cast<double>(static_cast<float>(value));
}

template <class T> std::vector<T> drawn(std::int64_t count, std::uint64_t stream) {
    Generator random(7, stream);
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(static_cast<float>(random.normal()));
    return values;
}

struct Sizes {
    std::int64_t batch, m, n, k;
};

/// How matrices lie: transposed or not; elements that belong to none before the first, after each row and after each
/// matrix; one matrix for the whole batch or one each.
struct Lie {
    bool transposed = false;
    std::int64_t gap = 0, offset = 0;
    bool shared = false;
};

/// Random matrices [rows, cols] on the device, and what they held at first.
template <class T> class Stored {
public:
    Stored(std::int64_t batch, std::int64_t rows, std::int64_t cols, const Lie& lie, std::uint64_t stream)
        : stride_((lie.transposed ? rows : cols) + lie.gap),
          step_(lie.shared ? 0 : (lie.transposed ? cols : rows) * stride_ + lie.gap),
          lie_(lie),
          first_(drawn<T>(lie.offset + batch * step_ + (lie.transposed ? cols : rows) * stride_, stream)),
          memory_({static_cast<std::int64_t>(first_.size())}, first_) {}

    Matrix<T> matrix() { return {memory_.data() + lie_.offset, stride_, lie_.transposed, step_}; }
    Matrix<const T> operand() const { return {memory_.data() + lie_.offset, stride_, lie_.transposed, step_}; }

    std::size_t index(std::int64_t i, std::int64_t row, std::int64_t col) const {
        if (lie_.transposed) std::swap(row, col);
        return static_cast<std::size_t>(lie_.offset + i * step_ + row * stride_ + col);
    }
    double at(std::int64_t i, std::int64_t row, std::int64_t col) const {
        return as_double(first_[index(i, row, col)]);
    }
    const std::vector<T>& first() const { return first_; }
    std::vector<T> now() const { return memory_.to_vector(); }

private:
    std::int64_t stride_, step_;
    Lie lie_;
    std::vector<T> first_;
    Tensor<Cuda<T>> memory_;
};

/// What is wrong with c after a product, or nothing. added(i, row, col) is what c takes up besides the product.
template <class A, class C, class Added>
std::string fault(const Sizes& s, const Stored<A>& a, const Stored<A>& b, const Stored<C>& c, double tolerance,
                  const Added& added) {
    const std::vector<C> found = c.now();
    std::vector<bool> inside(found.size());
    std::ostringstream text;
    for (std::int64_t i = 0; i < s.batch; ++i)
        for (std::int64_t row = 0; row < s.m; ++row)
            for (std::int64_t col = 0; col < s.n; ++col) {
                double sum = added(i, row, col);
                for (std::int64_t j = 0; j < s.k; ++j) sum += a.at(i, row, j) * b.at(i, j, col);
                const std::size_t at = c.index(i, row, col);
                inside[at] = true;
                const double rounding = std::is_same_v<C, bfloat16> ? std::abs(sum) / 256 : 0;
                const double bound = tolerance * std::sqrt(static_cast<double>(s.k + 1)) + rounding;
                if (std::abs(as_double(found[at]) - sum) <= bound) continue;
                text << "matrix " << i << " [" << row << ", " << col << "] is " << as_double(found[at]) << ", expected "
                     << sum;
                return text.str();
            }
    for (std::size_t at = 0; at < found.size(); ++at)
        if (!inside[at] && as_double(found[at]) != as_double(c.first()[at]))
            return "elements between rows have changed";
    return {};
}

/// Checks one product; T is the type of the products, A that of the operands, C that of the result.
template <class T, class A, class C>
void expect_product(const Sizes& s, const Lie& a_lie, const Lie& b_lie, const Lie& c_lie, bool adds,
                    double tolerance = 4e-6) {
    const Stored<A> a(s.batch, s.m, s.k, a_lie, 1), b(s.batch, s.k, s.n, b_lie, 2);
    Stored<C> c(s.batch, s.m, s.n, c_lie, 3);
    backend::gemm(Cuda<T>{}, s.batch, s.m, s.n, s.k, a.operand(), b.operand(), c.matrix(), adds);
    const std::string found = fault(s, a, b, c, tolerance, [&](std::int64_t i, std::int64_t row, std::int64_t col) {
        return adds ? c.at(i, row, col) : 0;
    });
    BOOST_TEST(found.empty(), "batch " << s.batch << " m " << s.m << " n " << s.n << " k " << s.k << " transposed "
                                       << a_lie.transposed << b_lie.transposed << " adds " << adds << ": " << found);
}

/// Every pair of these sizes meets in every pair of places.
template <class T, class A, class C> void check_all_forms() {
    constexpr std::array<std::int64_t, 5> sizes{1, 3, 17, 65, 129};
    for (std::size_t i = 0; i < sizes.size(); ++i)
        for (std::size_t j = 0; j < sizes.size(); ++j)
            for (int form = 0; form < 8; ++form)
                expect_product<T, A, C>({1, sizes[i], sizes[j], sizes[(i + j) % sizes.size()]}, {(form & 1) != 0},
                                        {(form & 2) != 0}, {}, (form & 4) != 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(floats) {
    check_all_forms<float, float, float>();
}
BOOST_AUTO_TEST_CASE(bfloat16_in_and_out) {
    check_all_forms<bfloat16, bfloat16, bfloat16>();
}
BOOST_AUTO_TEST_CASE(bfloat16_in_float_out) {
    check_all_forms<bfloat16, bfloat16, float>();
}
BOOST_AUTO_TEST_CASE(bfloat16_taken_as_floats) {
    check_all_forms<float, bfloat16, float>();
    check_all_forms<float, bfloat16, bfloat16>();
}

BOOST_AUTO_TEST_CASE(batches_and_strides) {
    const auto check_all = []<class A, class C>(A, C) {
        for (int form = 0; form < 8; ++form)
            for (const std::int64_t gap : {0, 3, 16})
                for (const bool shared_a : {false, true})
                    for (const bool shared_b : {false, true}) {
                        const Lie a{(form & 1) != 0, gap, gap / 3, shared_a},
                            b{(form & 2) != 0, gap + 1, gap, shared_b};
                        expect_product<A, A, C>({3, 17, 5, 33}, a, b, {false, gap, gap / 3}, (form & 4) != 0);
                    }
    };
    check_all(0.0F, 0.0F);
    check_all(bfloat16{}, bfloat16{});
    check_all(bfloat16{}, 0.0F);
}

// What was chosen for well aligned operands does not serve those that begin at odd places or have odd rows.
BOOST_AUTO_TEST_CASE(alignments_make_other_problems) {
    const auto check_all = []<class T>(T) {
        const Lie even, odd_place{false, 0, 1}, odd_rows{false, 1, 0};
        const Sizes s{1, 32, 48, 64};
        expect_product<T, T, T>(s, even, even, even, true);
        for (const Lie& other : {odd_place, odd_rows}) {
            expect_product<T, T, T>(s, other, even, even, true);
            expect_product<T, T, T>(s, even, other, even, true);
            expect_product<T, T, T>(s, even, even, other, true);
        }
    };
    check_all(0.0F);
    check_all(bfloat16{});
}

// As many heads of attention lie side by side: the step from one to the next is shorter than a row.
BOOST_AUTO_TEST_CASE(matrices_side_by_side) {
    constexpr std::int64_t heads = 3, tokens = 20, width = 8;
    const Stored<bfloat16> q(1, tokens, heads * width, {}, 1), k(1, tokens, heads * width, {}, 2);
    Stored<float> scores(heads, tokens, tokens, {}, 3);
    const auto head = [&](const Stored<bfloat16>& x, bool transposed) {
        return Matrix<const bfloat16>{x.operand().data, heads * width, transposed, width};
    };
    backend::gemm<bfloat16>(Cuda<bfloat16>{}, heads, tokens, tokens, width, head(q, false), head(k, true),
                            scores.matrix());
    const auto found = scores.now();
    double worst = 0;
    for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t i = 0; i < tokens; ++i)
            for (std::int64_t j = 0; j < tokens; ++j) {
                double sum = 0;
                for (std::int64_t c = 0; c < width; ++c) sum += q.at(0, i, h * width + c) * k.at(0, j, h * width + c);
                worst = std::max(worst, std::abs(as_double(found[scores.index(h, i, j)]) - sum));
            }
    BOOST_TEST(worst < 1e-5);
}

namespace {

/// In steps, results of bfloat16 are rounded up to three times.
void check_bias_and_residual(const std::vector<Sizes>& all_sizes, bool in_steps) {
    const auto check_all = [&]<class A, class C>(A, C) {
        const double tolerance = in_steps && std::is_same_v<C, bfloat16> ? 0.02 : 4e-6;
        for (const Sizes& s : all_sizes)
            for (const bool with_bias : {false, true})
                for (const int residual : {0, 1, 2}) {  // none, apart, in place
                    const Stored<A> a(s.batch, s.m, s.k, {}, 1), b(s.batch, s.k, s.n, {true}, 2);
                    Stored<C> c(s.batch, s.m, s.n, {}, 3);
                    const Stored<C> other(s.batch, s.m, s.n, {false, 8}, 4), bias(1, 1, s.n, {}, 5);
                    Addends<C> addends;
                    if (with_bias) addends.bias = bias.operand().data;
                    if (residual == 1) addends.residual = other.operand();
                    if (residual == 2) addends.residual = std::as_const(c).operand();
                    backend::gemm(Cuda<A>{}, s.batch, s.m, s.n, s.k, a.operand(), b.operand(), c.matrix(), addends);
                    const auto added = [&](std::int64_t i, std::int64_t row, std::int64_t col) {
                        return (with_bias ? bias.at(0, 0, col) : 0) + (residual == 1   ? other.at(i, row, col)
                                                                       : residual == 2 ? c.at(i, row, col)
                                                                                       : 0);
                    };
                    const std::string found = fault(s, a, b, c, tolerance, added);
                    BOOST_TEST(found.empty(), "batch " << s.batch << " m " << s.m << " bias " << with_bias
                                                       << " residual " << residual << ": " << found);
                }
    };
    check_all(0.0F, 0.0F);
    check_all(bfloat16{}, bfloat16{});
    check_all(bfloat16{}, 0.0F);
}

}  // namespace

BOOST_AUTO_TEST_CASE(bias_and_residual) {
    check_bias_and_residual({{1, 17, 24, 33}, {1, 129, 65, 40}, {3, 9, 16, 8}, {1, 150, 96, 128}}, false);
}

#ifdef DINOMALY_SIMT
BOOST_AUTO_TEST_CASE(bias_and_residual_where_the_library_has_neither) {
    ::simt::options().blas_takes_addends = false;
    check_bias_and_residual({{1, 18, 24, 33}, {1, 131, 65, 40}, {3, 10, 16, 8}, {1, 151, 96, 128}}, true);
    ::simt::options().blas_takes_addends = true;
}
#endif

BOOST_AUTO_TEST_CASE(nothing_to_sum_and_nothing_to_compute) {
    for (const bool adds : {false, true}) {
        expect_product<float, float, float>({2, 5, 7, 0}, {}, {}, {false, 3, 1}, adds);
        expect_product<bfloat16, bfloat16, bfloat16>({2, 5, 7, 0}, {}, {}, {false, 3, 1}, adds);
        for (const Sizes& s : {Sizes{0, 5, 7, 3}, {2, 0, 7, 3}, {2, 5, 0, 3}, {2, 0, 7, 0}, {2, 5, 0, 0}})
            expect_product<float, float, float>(s, {}, {}, {false, 3, 1}, adds);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_is_refused_in_words) {
    const Stored<float> x(1, 16, 16, {}, 1);
    Stored<float> y(1, 16, 16, {}, 2);
    const auto refusal = [&](std::int64_t k, Matrix<const float> b, Matrix<float> c, const Addends<float>& addends) {
        try {
            backend::gemm(Cuda<float>{}, 1, 16, 16, k, x.operand(), b, c, addends);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("no refusal");
    };
    const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
    const Matrix<float> turned{y.matrix().data, 16, true};
    BOOST_TEST(says(refusal(16, x.operand(), turned, {}), "[gemm] a transposed result"));
    BOOST_TEST(says(refusal(0, x.operand(), y.matrix(), {x.operand().data, {}}), "[gemm] a sum over nothing"));
    BOOST_TEST(says(refusal(16, x.operand(), y.matrix(), {x.operand().data + 1, {}}), "a multiple of 16"));
    BOOST_TEST(says(refusal(16, {x.operand().data, 15}, y.matrix(), {}), "no algorithm for 1 x [16, 16] by [16, 16]"));
}

namespace {

/// A product large enough for its algorithm to be chosen by time.
class LargeProduct {
public:
    static constexpr Sizes sizes{1, 160, 128, 96};

    void hand_out() {
        const auto& [batch, m, n, k] = sizes;
        backend::gemm(Cuda<float>{}, batch, m, n, k, a_.operand(), b_.operand(), c_.matrix());
    }
    void clear() { Cuda<float>::zero(c_.matrix().data, sizeof(float) * static_cast<std::size_t>(sizes.m * sizes.n)); }
    std::vector<float> result() const { return c_.now(); }
    std::vector<float> run() {
        hand_out();
        return result();
    }
    std::string fault(double tolerance) const {
        return ::fault(sizes, a_, b_, c_, tolerance, [](auto...) { return 0.0; });
    }

private:
    Stored<float> a_{1, sizes.m, sizes.k, {}, 1}, b_{1, sizes.k, sizes.n, {}, 2}, c_{1, sizes.m, sizes.n, {}, 3};
};

std::string saved_algorithms() {
    std::ostringstream out;
    backend::cuda::save_algorithms(out);
    return out.str();
}
bool load_algorithms(const std::string& text) {
    std::istringstream in(text);
    return backend::cuda::load_algorithms(in);
}

}  // namespace

BOOST_AUTO_TEST_CASE(tf32_only_when_asked) {
    LargeProduct product;
    const std::vector<float> exact = product.run();
    BOOST_TEST(product.fault(4e-6) == "");
    backend::cuda::allow_tf32 = true;
    product.run();
    backend::cuda::allow_tf32 = false;
    BOOST_TEST(product.fault(6e-3) == "");
    BOOST_TEST((product.run() == exact));
}

BOOST_AUTO_TEST_CASE(the_same_bits_again) {
    LargeProduct product;
    const std::vector<float> first = product.run();
    for (int i = 0; i < 3; ++i) BOOST_TEST((product.run() == first));
}

BOOST_AUTO_TEST_CASE(saved_algorithms_are_taken_over) {
    LargeProduct product;
    const std::vector<float> first = product.run();
    const std::string saved = saved_algorithms();
    BOOST_TEST(load_algorithms(saved));
    BOOST_TEST(saved_algorithms() == saved);
    BOOST_TEST((product.run() == first));

    // What is loaded comes before what is there: an entry for a batch that never runs, twice, in other last words.
    std::istringstream lines(saved);
    std::string title, count, entry;
    std::getline(lines, title);
    std::getline(lines, count);
    std::getline(lines, entry);
    const std::string key_and_words =
        "123456789" + entry.substr(entry.find(' '), entry.find_last_of(' ', entry.size() - 2) - entry.find(' '));
    for (const char* last : {" 1 ", " 2 "}) BOOST_TEST(load_algorithms(title + "\n1\n" + key_and_words + last + "\n"));
    BOOST_TEST(saved_algorithms().find(key_and_words + " 1 \n") == std::string::npos);
    BOOST_TEST(saved_algorithms().find(key_and_words + " 2 \n") != std::string::npos);
    BOOST_TEST(saved_algorithms().find(entry) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_or_damaged_files_are_ignored) {
    LargeProduct().run();
    const std::string saved = saved_algorithms();
    const std::string body = saved.substr(saved.find('\n'));
    for (const std::string& text :
         {std::string(), "algorithms 1 of cublasLt 1 on another device" + body, saved.substr(0, saved.size() / 2),
          saved.substr(0, saved.find('\n') + 1) + "many" + body, saved.substr(0, saved.find('\n') + 1) + "1\n1 2 x"})
        BOOST_TEST(!load_algorithms(text));
    BOOST_TEST(saved_algorithms() == saved);
}

BOOST_AUTO_TEST_CASE(captured_products_must_have_run_before) {
    LargeProduct product;
    const std::vector<float> first = product.run();
    const Stored<float> x(1, 31, 31, {}, 1);
    Stored<float> y(1, 31, 31, {}, 2);
    const auto unknown = [&] { backend::gemm(Cuda<float>{}, 1, 31, 31, 31, x.operand(), x.operand(), y.matrix()); };
    const cudaStream_t stream = backend::cuda::stream();
    backend::cuda::expect_success(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "begin");
    product.hand_out();
    std::optional<std::string> refusal;
    try {
        unknown();
    } catch (const Error& error) {
        refusal = error.what();
    }
    cudaGraph_t graph = nullptr;
    backend::cuda::expect_success(cudaStreamEndCapture(stream, &graph), "end");
    BOOST_REQUIRE(refusal.has_value());
    BOOST_TEST(refusal->find("run the step once before capturing") != std::string::npos);

    cudaGraphExec_t ready = nullptr;
    backend::cuda::expect_success(cudaGraphInstantiate(&ready, graph, 0), "instantiate");
    product.clear();
    backend::cuda::expect_success(cudaGraphLaunch(ready, stream), "launch");
    BOOST_TEST((product.result() == first));
    backend::cuda::expect_success(cudaGraphExecDestroy(ready), "destroy");
    backend::cuda::expect_success(cudaGraphDestroy(graph), "destroy");
    BOOST_CHECK_NO_THROW(unknown());
}
