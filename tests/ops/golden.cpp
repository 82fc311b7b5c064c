// SPDX-License-Identifier: Apache-2.0
// Every entry of ops.safetensors against the row of the table that names it: values and gradients as PyTorch has them.
#define BOOST_TEST_MODULE ops_golden

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "dinomaly/anomaly/metrics.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "tests/cases.hpp"
#include "tests/close.hpp"
#include "tests/support.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<float>;

const io::StateDict& golden() {
    static const io::StateDict file = io::read_safetensors(test::golden_dir() / "ops.safetensors");
    return file;
}

/// Entries that some test has read.
std::set<std::string>& covered() {
    static std::set<std::string> entries;
    return entries;
}

Tensor<D> expected(const std::string& name) {
    return Tensor<D>(golden().at(name).shape, golden().as<float>(name));
}

struct AgainstGolden {
    template <class F> void operator()(const test::Case<F>&) const {}
    template <class F> void operator()(const test::Case<F, test::Golden>& row) const {
        const auto& [entry, names, tolerance] = row.golden;
        BOOST_TEST_CONTEXT(row.name) {
            covered().insert(entry);
            std::vector<Var<D>> inputs;
            for (const std::string& name : names) inputs.push_back(parameter(expected(entry + "/in/" + name)));
            const Var<D> y = row.run(inputs);
            BOOST_TEST(test::mismatch(y.value(), expected(entry + "/out"), tolerance) == "");
            if (!golden().contains(entry + "/dout")) return;
            y.backward(expected(entry + "/dout"));
            for (std::size_t i = 0; i < names.size(); ++i) {
                BOOST_TEST_INFO_SCOPE("gradient of " << names[i]);
                const Tensor<D> wanted = expected(entry + "/grad/" + names[i]);
                BOOST_TEST(test::mismatch(inputs[i].grad(), wanted, tolerance) == "");
            }
        }
    }
};

/// The same without a gradient, which may take another path.
struct InferenceAgainstGolden {
    template <class F> void operator()(const test::Case<F>&) const {}
    template <class F> void operator()(const test::Case<F, test::Golden>& row) const {
        const auto& [entry, names, tolerance] = row.golden;
        BOOST_TEST_CONTEXT(row.name) {
            std::vector<Var<D>> inputs;
            for (const std::string& name : names) inputs.push_back(expected(entry + "/in/" + name));
            const Var<D> y = row.run(inputs);
            BOOST_TEST(!y.wants_grad());
            BOOST_TEST(test::mismatch(y.value(), expected(entry + "/out"), tolerance) == "");
        }
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(values_and_gradients) {
    test::all_cases(AgainstGolden{});
}
BOOST_AUTO_TEST_CASE(values_without_gradients) {
    test::all_cases(InferenceAgainstGolden{});
}

BOOST_AUTO_TEST_CASE(nearest_mask) {
    const std::string entry = "mask_nearest_392_to_256";
    covered().insert(entry);
    const auto mask = golden().as<float>(entry + "/in/x"), wanted = golden().as<float>(entry + "/out");
    BOOST_TEST(anomaly::nearest_mask(mask, 392, 392, 256, 256) == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_entry_is_covered, *boost::unit_test::depends_on("values_and_gradients")) {
    for (const auto& [name, tensor] : golden()) {
        const std::string entry = name.substr(0, name.find('/'));
        BOOST_TEST(covered().contains(entry), entry << " is compared with nothing");
    }
}
