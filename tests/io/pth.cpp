// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_pth
#include "dinomaly/io/pth.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "dinomaly/io/safetensors.hpp"
#include "tests/io/archive.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using io::DType;
using pickled::Tensor;

namespace {

io::StateDict parse(const std::string& file) {
    return io::parse_pth(bytes_of(file), "f");
}

/// A .pth file whose pickle is a dict of these keys and values.
std::string dict_file(const std::string& keys_and_values) {
    return pth(pickled::dict(keys_and_values));
}

std::string entry(const std::string& key, const std::string& value) {
    return pickled::text(key) + value;
}

bool refused(const std::string& file, std::string_view part) {
    return is_refused([&] { parse(file); }, part);
}

/// The elements of one tensor over the storage 0, 1, 2, 3, 4, 5.
std::vector<float> values_of(const Tensor& tensor) {
    return parse(dict_file(entry("w", pickled::tensor(tensor)))).as<float>("w");
}

bool tensor_is_refused(const Tensor& tensor, std::string_view part) {
    return refused(dict_file(entry("w", pickled::tensor(tensor))), part);
}

const std::string namespace_object = pickled::call(pickled::global("argparse", "Namespace"), "");

/// What a hostile file holds to have a command run when it is loaded.
std::string call_of_system(const std::string& command) {
    return pickled::call(pickled::global("os", "system"), pickled::text(command));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_golden_checkpoint_equals_its_safetensors_twin) {
    const io::StateDict pth = io::read_pth(golden_dir() / "tiny_weights.pth");
    const io::StateDict twin = io::read_safetensors(golden_dir() / "tiny_weights.safetensors");
    BOOST_TEST(pth.size() == twin.size());
    BOOST_TEST(pth.size() > 200U);
    for (const auto& [name, tensor] : twin) {
        BOOST_CHECK(pth.at(name).dtype == tensor.dtype);
        BOOST_TEST(pth.at(name).shape == tensor.shape);
        BOOST_TEST((pth.at(name).bytes.text() == tensor.bytes.text()), name);
    }
}

BOOST_AUTO_TEST_CASE(strided_tensors_become_row_major) {
    using Floats = std::vector<float>;
    BOOST_TEST((values_of({}) == Floats{0, 1, 2, 3, 4, 5}));
    BOOST_TEST((values_of({.sizes = {3, 2}, .strides = {1, 3}}) == Floats{0, 3, 1, 4, 2, 5}));
    BOOST_TEST((values_of({.offset = 1, .sizes = {2, 2}, .strides = {3, 1}}) == Floats{1, 2, 4, 5}));
    BOOST_TEST((values_of({.offset = 5, .sizes = {}, .strides = {}}) == Floats{5}));
    BOOST_TEST((values_of({.offset = 2, .sizes = {2, 2}, .strides = {0, 1}}) == Floats{2, 3, 2, 3}));
    BOOST_TEST((values_of({.sizes = {0, 3}, .strides = {3, 1}}) == Floats{}));
    constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
    BOOST_TEST((values_of({.sizes = {1, 3, 1}, .strides = {any, 2, any}}) == Floats{0, 2, 4}));
}

BOOST_AUTO_TEST_CASE(contiguous_tensors_are_views_of_the_file) {
    const io::SharedBytes file = bytes_of(dict_file(
        entry("w", pickled::tensor()) + entry("tail", pickled::tensor({.offset = 4, .sizes = {2}, .strides = {1}}))));
    const io::StateDict dict = io::parse_pth(file, "f");
    const std::byte* const whole = dict.at("w").bytes.view.data();
    BOOST_CHECK(whole >= file.view.data() && whole < file.view.data() + file.size());
    BOOST_CHECK(dict.at("tail").bytes.view.data() == whole + 16);
}

BOOST_AUTO_TEST_CASE(storages_of_every_type) {
    const auto dtype_of = [](const std::string& storage, std::int64_t count) {
        const Tensor tensor{.storage = storage, .count = count, .sizes = {count}, .strides = {1}};
        return parse(dict_file(entry("w", pickled::tensor(tensor)))).at("w").dtype;
    };
    BOOST_CHECK(dtype_of("DoubleStorage", 3) == DType::f64);
    BOOST_CHECK(dtype_of("FloatStorage", 6) == DType::f32);
    BOOST_CHECK(dtype_of("HalfStorage", 12) == DType::f16);
    BOOST_CHECK(dtype_of("BFloat16Storage", 12) == DType::bf16);
    BOOST_CHECK(dtype_of("LongStorage", 3) == DType::i64);
    BOOST_CHECK(dtype_of("IntStorage", 6) == DType::i32);
    BOOST_CHECK(dtype_of("ShortStorage", 12) == DType::i16);
    BOOST_CHECK(dtype_of("CharStorage", 24) == DType::i8);
    BOOST_CHECK(dtype_of("ByteStorage", 24) == DType::u8);
    BOOST_CHECK(dtype_of("BoolStorage", 24) == DType::boolean);
    BOOST_CHECK(tensor_is_refused({.storage = "ComplexFloatStorage"}, "[f: w] has a storage of type torch.Complex"));
}

BOOST_AUTO_TEST_CASE(tensors_out_of_their_storage) {
    constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    constexpr std::string_view behind = "reaches behind the end of its storage of 6 elements";
    BOOST_CHECK(tensor_is_refused({.offset = 1}, behind));
    BOOST_CHECK(tensor_is_refused({.offset = huge}, behind));
    BOOST_CHECK(tensor_is_refused({.sizes = {7}, .strides = {1}}, behind));
    BOOST_CHECK(tensor_is_refused({.strides = {4, 1}}, behind));
    BOOST_CHECK(tensor_is_refused({.strides = {huge, huge}}, behind));
    BOOST_CHECK(tensor_is_refused({.offset = -1}, "offset is not an integer from 0"));
    BOOST_CHECK(tensor_is_refused({.strides = {-3, 1}}, "stride is not an integer from 0"));
    BOOST_CHECK(tensor_is_refused({.sizes = {2, -3}}, "size is not an integer from 0"));
    BOOST_CHECK(tensor_is_refused({.sizes = {huge, huge}}, "is too large"));
    BOOST_CHECK(tensor_is_refused({.sizes = {2}}, "has 1 sizes and 2 strides"));
    BOOST_CHECK(tensor_is_refused({.sizes = std::vector<std::int64_t>(7, 1)}, "rank 7 is above the limit of 6"));
    BOOST_CHECK(tensor_is_refused({.count = 5}, "storage 0 has 24 bytes, expected 5 elements of F32"));
    BOOST_CHECK(tensor_is_refused({.count = huge}, "storage 0 has 24 bytes"));
    BOOST_CHECK(tensor_is_refused({.key = "1"}, "has no entry model/data/1"));
    BOOST_CHECK(tensor_is_refused({.sizes = {1 << 30}, .strides = {0}}, "repeats more elements"));
    BOOST_CHECK(
        refused(dict_file(entry("w", pickled::call(pickled::global("torch._utils", "_rebuild_tensor_v2"), "N"))),
                "tensor has 1 fields"));
}

BOOST_AUTO_TEST_CASE(dicts_are_flattened_and_prefixes_stripped) {
    const std::string weights = pickled::dict(entry("w", pickled::tensor()) + entry("note", "N"));
    const io::StateDict dict =
        parse(dict_file(entry("epoch", "K\3") + entry("args", namespace_object) + entry("list", "](NNe") +
                        entry("teacher", pickled::dict(entry("backbone", weights))) + entry("model", weights) +
                        entry("optimizer", pickled::dict(pickled::integer(7) + weights))));
    std::string names;
    for (const auto& [name, tensor] : dict) names += name + ' ';
    BOOST_TEST(names == "teacher.backbone.w model.w optimizer.7.w ");
    BOOST_TEST(dict.under("teacher.backbone.").as<float>("w").at(5) == 5.0F);
}

BOOST_AUTO_TEST_CASE(parameters_are_tensors) {
    for (const std::string function : {"_rebuild_parameter", "_rebuild_parameter_with_state"}) {
        const std::string parameter =
            pickled::call(pickled::global("torch._utils", function), pickled::tensor() + "\x88" + "NN");
        BOOST_TEST(parse(dict_file(entry("w", parameter))).as<float>("w").size() == 6U);
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_called_and_objects_are_skipped) {
    const std::filesystem::path witness = scratch_dir("pth") / "called";
    const std::string system_call = call_of_system("touch " + witness.string());
    BOOST_CHECK(refused(pth(system_call), "holds an object made by os.system, expected a dict of tensors"));
    BOOST_CHECK(refused(dict_file(entry("w", system_call)), "holds no tensors; \"w\" is an object made by os.system"));
    // Beside tensors, objects are skipped; but not those that hold what a tensor is made of.
    for (const std::string& object : {system_call, pickled::global("os", "system"), pickled::call(system_call, ""),
                                      pickled::call(pickled::global("torch", "Size"), pickled::integer(3))})
        BOOST_TEST(parse(dict_file(entry("w", pickled::tensor()) + entry("x", object))).size() == 1U);
    const std::string quantised = pickled::call(pickled::global("torch._utils", "_rebuild_qtensor"),
                                                pickled::tuple("](" + pickled::dict(entry("s", "NQ")) + "e"));
    BOOST_CHECK(refused(dict_file(entry("m", pickled::dict(entry("w", pickled::tensor()) + entry("o", system_call) +
                                                           entry("x", quantised)))),
                        "\"m.x\" is an object made by torch._utils._rebuild_qtensor, expected a tensor"));
    BOOST_CHECK(refused(dict_file(entry("w", pickled::tensor()) + entry("x", "NQ")), "\"x\" is a bare storage"));
    BOOST_TEST(!std::filesystem::exists(witness));
}

BOOST_AUTO_TEST_CASE(settings_of_lightning_become_metadata) {
    const auto settings = [](const std::string& keys_and_values) {
        const io::StateDict dict = parse(dict_file(entry("state_dict", pickled::dict(entry("w", pickled::tensor()))) +
                                                   entry("hyper_parameters", pickled::dict(keys_and_values))));
        return dict.metadata.at("hyper_parameters");
    };
    const std::string precision = pickled::call(pickled::global("anomalib", "PrecisionType"), pickled::text("float32"));
    BOOST_TEST(settings(entry("b", "\x89") + entry("precision", precision) + entry("none", "N") +
                        entry("l", "](" + pickled::integer(2) + precision + pickled::text("t") + "e") +
                        entry("t", pickled::tuple("\x88")) +
                        entry("d", pickled::dict(entry("n", pickled::integer(-5)))) +
                        entry("x", std::string("G\x3f\xe0\0\0\0\0\0\0", 9))) ==
               R"({"b":false,"d":{"n":-5},"l":[2,"t"],"none":null,"t":[true],"x":0.5})");
    // Two to the power of thirty texts, by reference, and what never ends.
    std::string doubling = "](" + pickled::text(std::string(1000, 'x')) + "e";
    for (int i = 0; i < 7; ++i)
        doubling = "](" + doubling + std::string("q\x01") +
                   "h\x01"
                   "h\x01"
                   "h\x01"
                   "h\x01"
                   "h\x01"
                   "h\x01"
                   "h\x01"
                   "h\x01"
                   "e";
    BOOST_TEST(settings(entry("d", doubling)).size() < 4'000'000U);
    BOOST_TEST(settings(entry("self", std::string("]q\x02h\x02") + "a")).size() < 100U);
    BOOST_TEST(parse(dict_file(entry("hyper_parameters", "N") + entry("w", pickled::tensor()))).metadata.empty());
}

BOOST_AUTO_TEST_CASE(files_without_tensors_are_refused) {
    BOOST_CHECK(refused(dict_file(""), "[f] holds no tensors"));
    BOOST_CHECK(refused(dict_file(entry("epoch", "K\3")), "holds no tensors"));
    BOOST_CHECK(refused(pth("](NNe"), "holds a list, expected a dict"));
    BOOST_CHECK(refused(pth("N"), "holds a plain value, expected a dict"));
    BOOST_CHECK(refused(zip({{"readme", "x"}}), "not one of PyTorch: it has no NAME/data.pkl"));
    BOOST_CHECK(refused(zip({{"a/data.pkl", "x"}, {"b/data.pkl", "x"}}), "two entries data.pkl"));
    BOOST_CHECK(refused(zip({{"a/data.pkl", "x"}, {"a/byteorder", "big"}}), "big-endian"));
}

BOOST_AUTO_TEST_CASE(hostile_dicts) {
    const auto nested = [](int depth) {
        std::string dict = pickled::dict(entry("w", pickled::tensor()));
        for (int i = 0; i < depth; ++i) dict = pickled::dict(entry("d", dict));
        return pth(dict);
    };
    BOOST_TEST(parse(nested(32)).size() == 1U);
    BOOST_CHECK(refused(nested(33), "nested deeper than 32"));
    BOOST_CHECK(refused(pth(std::string("}q\0", 3) + entry("d", std::string("h\0s", 3))), "nested deeper than 32"));

    std::string doubling = pickled::dict(entry("w", pickled::tensor()));  // 2^30 ways to the tensor
    for (int i = 0; i < 30; ++i) {
        doubling += std::string(
                        "q\x01"
                        "0") +
                    pickled::dict(entry("a", "h\x01") + entry("b", "h\x01"));
    }
    BOOST_CHECK(refused(pth(doubling), "has more than 250000 entries"));
    BOOST_CHECK(refused(dict_file(entry(std::string(1025, 'n'), pickled::tensor())), "a name of 1025 characters"));
    BOOST_CHECK(refused(dict_file(entry("w", pickled::tensor()) + entry("w", pickled::tensor())), "two tensors \"w\""));
    const std::string dotted = entry("a", pickled::dict(entry("b", pickled::tensor())));
    BOOST_CHECK(refused(dict_file(entry("a.b", pickled::tensor()) + dotted), "two tensors \"a.b\""));
}

BOOST_AUTO_TEST_CASE(formats_before_1_6_say_how_to_save_again) {
    std::string tar(512, '\0');
    tar.replace(257, 5, "ustar");
    for (const std::string& old : {std::string("\x80\x02\x8a\x0a"), tar}) {
        BOOST_CHECK(refused(old, "torch.save(state, path, _use_new_zipfile_serialization=True)"));
    }
}
