// SPDX-License-Identifier: Apache-2.0
// What a data set holds, told before it is worked on: counts, sizes, masks, and what is odd.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "dinomaly/vision/dataset.hpp"

namespace dinomaly::program {

/// Writes a line on the data set, one on each class, and a note on all that is odd. Opens the headers of the pictures,
/// or of an even choice where there are more than 20,000, and decodes one picture a class. Returns a sentence for each
/// picture and mask that is missing or unreadable.
std::vector<std::string> describe_data(std::ostream& out, const vision::DataSet& data);

/// Throws, with the first of them, when there are pictures that cannot be used.
void check_pictures(const vision::DataSet& data, const std::vector<std::string>& unusable);

}  // namespace dinomaly::program
