// SPDX-License-Identifier: Apache-2.0
// The plain values in a pickle as JSON: numbers, texts, lists and dicts; objects are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/io/pickle.hpp"

namespace dinomaly::io::pickle {

/// The value as JSON; nothing for an object. What lies deeper than 8 is left out too, and what comes when `budget`, in
/// characters of texts and values of one each, is spent: hostile input cannot ask for much.
inline std::optional<nlohmann::json> to_json(const Document& document, Ref ref, std::size_t& budget, int depth = 0) {
    constexpr int max_depth = 8;
    if (budget == 0 || depth > max_depth) return std::nullopt;
    --budget;
    const auto fits = [&](const std::string& text) {
        const bool is_affordable = text.size() <= budget;
        budget -= is_affordable ? text.size() : budget;
        return is_affordable;
    };
    const auto list_of = [&](const std::vector<Ref>& items) {
        nlohmann::json list = nlohmann::json::array();
        for (const Ref item : items)
            if (auto value = to_json(document, item, budget, depth + 1)) list.push_back(std::move(*value));
        return list;
    };
    if (document.get<None>(ref) != nullptr) return nlohmann::json();
    if (const auto* const value = document.get<bool>(ref)) return *value;
    if (const auto* const value = document.get<std::int64_t>(ref)) return *value;
    if (const auto* const value = document.get<double>(ref)) return *value;
    if (const auto* const value = document.get<std::string>(ref))
        return fits(*value) ? std::optional<nlohmann::json>(*value) : std::nullopt;
    if (const auto* const value = document.get<List>(ref)) return list_of(value->items);
    if (const auto* const value = document.get<Tuple>(ref)) return list_of(value->items);
    const auto* const dict = document.get<Dict>(ref);
    if (dict == nullptr) return std::nullopt;
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, item] : dict->items) {
        if (budget == 0) break;
        const auto* const name = document.get<std::string>(key);
        if (name == nullptr || !fits(*name)) continue;
        if (auto value = to_json(document, item, budget, depth + 1)) object[*name] = std::move(*value);
    }
    return object;
}

}  // namespace dinomaly::io::pickle
