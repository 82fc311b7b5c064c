// SPDX-License-Identifier: Apache-2.0
// EncoderOptions: what no file of an encoder tells.
#pragma once

#include <cstdint>

namespace dinomaly::encoders {

/// How a file is to be read where it does not tell.
struct EncoderOptions {
    std::int64_t heads = 0;     ///< 0: what is known of the family, mostly one for 64 of the width
    bool bf16_periods = false;  ///< rotary periods rounded to bfloat16, as DINOv3's official files have them
    std::int64_t window = 0;    ///< patches a side that BEiT's relative positions are resized to; 0: as in the file

    friend bool operator==(const EncoderOptions&, const EncoderOptions&) = default;
};

}  // namespace dinomaly::encoders
