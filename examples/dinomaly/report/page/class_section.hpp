// SPDX-License-Identifier: Apache-2.0
// The part of the page about one class: its scores and verdicts, its curves, its pictures.
#pragma once

#include <cstddef>
#include <ostream>

#include "report/report.hpp"

namespace dinomaly::page {

/// Writes the section; `number` is the class's place among all, by which links reach it: "#class-3".
void write_class(std::ostream& out, const ReportClass& item, std::size_t number);

/// "2 pictures", "1 picture".
std::string counted(std::size_t count, const char* one, const char* many);

}  // namespace dinomaly::page
