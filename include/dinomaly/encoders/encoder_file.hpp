// SPDX-License-Identifier: Apache-2.0
// A published encoder's file as this library sees all of them: tensors under DINOv2's names and the sizes and parts of
// the network.
//
// Strict: each tensor of the file is used, or known to be of no use in its family, or the file is refused with the
// nearest family and everything that is missing, not known or of another shape.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/encoders/container.hpp"
#include "dinomaly/encoders/draft.hpp"
#include "dinomaly/encoders/encoder_options.hpp"
#include "dinomaly/encoders/family.hpp"
#include "dinomaly/encoders/joined.hpp"
#include "dinomaly/encoders/layout.hpp"
#include "dinomaly/encoders/names.hpp"
#include "dinomaly/encoders/relative_table.hpp"
#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/nn/vit_config.hpp"

namespace dinomaly::encoders {

/// An encoder read from a file.
struct EncoderFile {
    io::StateDict tensors;            ///< under DINOv2's names, in the order of layout_of()
    nn::VitConfig config;             ///< what the tensors are of
    std::string family;               ///< "DINOv3"
    std::string naming;               ///< "official", "timm", "Hugging Face", or "ours"
    std::string reason;               ///< why it was taken for that: "it has storage_tokens"
    std::vector<std::string> unused;  ///< names of tensors in the file that the encoder does not need
};

namespace detail {

/// Names and counts of what is wrong, the first few of each kind.
class Faults {
public:
    std::vector<std::string> missing, unknown, misshaped;

    bool none() const { return missing.empty() && unknown.empty() && misshaped.empty(); }

    std::string text() const {
        return listed("missing", missing) + listed("not known", unknown) +
               listed("of another shape or type", misshaped);
    }

private:
    static std::string listed(const char* kind, const std::vector<std::string>& names) {
        constexpr std::size_t most = 6;
        if (names.empty()) return "";
        std::string text = std::string("\n  ") + kind + " (" + std::to_string(names.size()) + "): ";
        for (std::size_t i = 0; i < std::min(most, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
        return text + (names.size() > most ? ", .." : "");
    }
};

/// The class token's row of the position embedding is zero.
inline bool has_zero_class_position(const Draft& draft) {
    if (!draft.has("pos_embed")) return false;
    const io::RawTensor& position = draft.parts.at("pos_embed").tensor;
    if (position.shape.rank() != 3 || position.shape[0] != 1 || position.shape[1] < 1 || position.shape[2] < 1)
        return false;
    const auto row =
        position.bytes.view.first(static_cast<std::size_t>(position.shape[2]) * io::dtype_size(position.dtype));
    return std::ranges::all_of(row, [](std::byte byte) { return byte == std::byte{0}; });
}

/// The periods P_j = 100^(4 j / head_dim) of rotary positions, where the file has none.
inline void add_periods(Draft& draft, std::int64_t head_dim, bool bf16) {
    std::vector<float> periods;
    if (draft.has("rope.periods")) {
        periods = draft.parts.at("rope.periods").tensor.as<float>(draft.file + ": rope.periods");
        if (!bf16) return;
    } else {
        periods = nn::rotary_periods(head_dim);
    }
    if (bf16)
        for (float& period : periods) period = static_cast<float>(bfloat16(period));
    const Shape shape{static_cast<std::int64_t>(periods.size())};
    const io::RawTensor tensor{io::DType::f32, shape, own_bytes(periods)};
    draft.put("rope.periods", Part{tensor, ""});
}

/// Reads the encoder whose names begin with `prefix`; if it is `alone`, other tensors must be known too.
class Reader {
public:
    Reader(const io::StateDict& file, const std::string& prefix, bool alone, const EncoderOptions& options)
        : file_(file), prefix_(prefix), is_alone_(alone), options_(options) {
        draft_.file = file.source();
    }

    EncoderFile read() {
        take_names();
        seen_.prefix = prefix_;
        seen_.has_zero_class_position = has_zero_class_position(draft_);
        family_ = recognise_family(seen_);
        const std::int64_t depth = depth_of(draft_);
        join_blocks(draft_, depth);
        if (draft_.has("pos_embed") && is_square(draft_.shape("pos_embed"))) add_class_position(draft_);
        const bool is_dinov3 = family_.name == "DINOv3";
        config_ = sizes_of(draft_, depth, is_dinov3, refusal());
        config_.eps = is_dinov3 ? 1e-5 : 1e-6;
        find_heads();
        if (config_.position == nn::Position::rotary) add_periods(draft_, config_.head_dim(), options_.bf16_periods);
        return compared();
    }

private:
    /// How a message about this file begins.
    std::string refusal() const {
        const std::string& naming = family_.naming;
        const std::string whose = naming == "ours" ? "our" : naming == "official" ? naming : naming + "'s";
        return "fits no encoder that is known; the nearest is " + family_.name + " under " + whose + " names, since " +
               family_.reason;
    }

    void take_names() {
        for (const auto& [name, tensor] : file_) {
            if (!name.starts_with(prefix_)) {
                if (is_alone_) (is_beside_encoder(name) ? unused_ : faults_.unknown).push_back(name);
                continue;
            }
            const Place place = place_of(std::string_view(name).substr(prefix_.size()));
            (place.block ? seen_.blocks : seen_.top).emplace(place.rest);
            draft_.add(rename(place), tensor, name);
        }
    }

    /// One for 64 of the width, but for MoCo-v3's small network, whose heads have 32. Tables and periods tell better.
    void find_heads() {
        constexpr std::int64_t head = 64, moco_width = 384, moco_heads = 12;
        const std::int64_t width = config_.width;
        const char* from = "heads of 64";
        if (config_.position == nn::Position::relative) {
            config_.heads = draft_.shape("blocks.0.attn.rel_table")[1];
            from = "the columns of blocks.0's table of relative positions";
        } else if (draft_.has("rope.periods") && draft_.shape("rope.periods").count() > 0) {
            config_.heads = width / (4 * draft_.shape("rope.periods").count());
            from = "the rotary periods, four values of a head each";
        } else if (options_.heads > 0) {
            config_.heads = options_.heads;
            from = "as asked for";
        } else {
            const bool is_small_moco = width == moco_width && family_.name.ends_with("MoCo-v3");
            config_.heads = is_small_moco ? moco_heads : width / head;
            check(is_small_moco || width % head == 0, draft_.file.c_str(), "an encoder of width ", width,
                  ", which heads of 64 do not divide; the number of heads has to be given");
        }
        check(config_.heads > 0 && width % config_.heads == 0, draft_.file.c_str(), "an encoder of width ", width,
              " and ", config_.heads, " heads (", from, "); a divisor of the width expected");
        check(options_.heads == 0 || options_.heads == config_.heads, draft_.file.c_str(), options_.heads,
              " heads are asked for, and the file has ", config_.heads, " (", from, ')');
        check(config_.position != nn::Position::rotary || config_.head_dim() % 4 == 0, draft_.file.c_str(), "heads of ",
              config_.head_dim(), "; a multiple of 4 expected where positions are rotary");
    }

    /// What the network needs, in its order, and an Error when that is not what the file has.
    EncoderFile compared() {
        io::StateDict tensors(draft_.file);
        for (const auto& [name, shape] : layout_of(config_, draft_.has("norm.weight"))) {
            const auto found = draft_.parts.find(name);
            if (found == draft_.parts.end()) {
                faults_.missing.push_back(name);
                continue;
            }
            const auto& [tensor, source] = found->second;
            if (tensor.shape == shape && io::is_floating(tensor.dtype)) {
                if (faults_.none()) tensors.insert(name, tensor);
            } else {
                std::ostringstream text;
                text << (source.empty() ? name : source) << ": found " << io::dtype_name(tensor.dtype) << ' '
                     << tensor.shape << ", expected " << shape;
                faults_.misshaped.push_back(text.str());
            }
            draft_.parts.erase(found);
        }
        for (const auto& [name, part] : draft_.parts)
            (is_unused(place_of(name).rest, family_.name) ? unused_ : faults_.unknown).push_back(part.source);
        check(faults_.none(), draft_.file.c_str(), refusal(), faults_.text());
        return {std::move(tensors), config_, family_.name, family_.naming, family_.reason, std::move(unused_)};
    }

    const io::StateDict& file_;
    std::string prefix_;
    bool is_alone_;
    EncoderOptions options_;
    Draft draft_;
    Evidence seen_;
    Family family_;
    nn::VitConfig config_;
    Faults faults_;
    std::vector<std::string> unused_;
};

}  // namespace detail

/// Whether a file looks like an encoder alone: it has a patch embedding, and is no trained Dinomaly.
inline bool looks_like_encoder(const io::StateDict& file) {
    if (!find_encoder(file)) return false;
    return std::ranges::none_of(file, [](const io::StateDict::Entry& entry) {
        return any_part(entry.first, [](std::string_view part) { return part == "bottleneck"; });
    });
}

/// The encoder whose names in a file begin with `prefix`, as that of a trained model; other tensors are left alone.
/// Throws Error as read_encoder does.
inline EncoderFile read_encoder_at(const io::StateDict& file, const std::string& prefix) {
    return detail::Reader(file, prefix, false, {}).read();
}

}  // namespace dinomaly::encoders

namespace dinomaly::encoders::inline DINOMALY_ABI {

/// The encoder for pictures of grid x grid patches, where its positions are relative. Throws Error for another encoder.
inline EncoderFile with_window(EncoderFile file, std::int64_t grid) {
    check(file.config.position == nn::Position::relative, file.tensors.source().c_str(),
          "has no relative positions to resize to a window of ", grid);
    io::StateDict tensors(file.tensors.source());
    for (const auto& [name, tensor] : file.tensors) {
        if (!name.ends_with("attn.rel_table")) {
            tensors.insert(name, tensor);
            continue;
        }
        const auto table = resize_relative_table(tensor.as<float>(name), file.config.heads, grid);
        tensors.insert(name, io::DType::f32, {nn::relative_table_rows(grid), file.config.heads},
                       detail::own_bytes(table));
    }
    file.tensors = std::move(tensors);
    file.config.grid = grid;
    return file;
}

/// The encoder in a file of any family and naming that is known. Throws Error for everything else, with the nearest
/// family and what does not fit it.
inline EncoderFile read_encoder(const io::StateDict& file, const EncoderOptions& options = {}) {
    const std::optional<std::string> prefix = find_encoder(file);
    check(prefix.has_value(), file.source().c_str(), "holds no encoder: no patch embedding, \"",
          patch_embeddings.front(), "\" or \"", patch_embeddings[1], "\", is among its ", file.size(), " tensors");
    check(looks_like_encoder(file), file.source().c_str(),
          "is a trained Dinomaly, not an encoder alone (dinomaly convert --to encoder writes that)");
    EncoderFile found = detail::Reader(file, *prefix, true, options).read();
    return options.window > 0 ? with_window(std::move(found), options.window) : found;
}

}  // namespace dinomaly::encoders::inline DINOMALY_ABI
