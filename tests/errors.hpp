// SPDX-License-Identifier: Apache-2.0
// Errors as tests look at them.
#pragma once

#include <boost/test/unit_test.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

#include "dinomaly/core/error.hpp"

namespace dinomaly::test {

/// The message of the Error that the action throws; "" when it throws none.
template <class Action> std::string error_of(const Action& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

/// Fails the test unless the action throws an Error whose text holds all these parts.
template <class Action> void expect_error(const Action& action, std::initializer_list<std::string_view> parts) {
    try {
        action();
    } catch (const Error& error) {
        const std::string text = error.what();
        for (const std::string_view part : parts)
            BOOST_TEST((text.find(part) != std::string::npos), '"' << part << "\" is not in: " << text);
        return;
    }
    BOOST_ERROR("no error; one was expected about \"" << (parts.size() > 0 ? *parts.begin() : "") << '"');
}

}  // namespace dinomaly::test
