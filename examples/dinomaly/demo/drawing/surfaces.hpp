// SPDX-License-Identifier: Apache-2.0
// The kinds of parts. Each function draws one part: `random` decides what differs from part to part (position, angle,
// grain), `fault` what is wrong with it. The same `random` with and without a fault gives the same part.
#pragma once

#include <string_view>

#include "demo/drawing/relief.hpp"

namespace dinomaly::demo {

/// What is wrong with a part: one of its kind's fault names, or nothing for a good part; and the fault's own draws.
struct Fault {
    std::string_view name;
    Random random;
};

/// A turned steel flange with a bore and four bolt holes. Faults: scratch, rust, chip, undrilled.
Relief draw_flange(Random random, Fault fault);

/// Twill cloth. Faults: broken_thread, hole, oil, fibre.
Relief draw_fabric(Random random, Fault fault);

/// A printed circuit with pads, traces and vias. Faults: missing_pad, cut_trace, bridge, scratch.
Relief draw_circuit(Random random, Fault fault);

/// A foil blister with six capsules. Faults: missing, broken, wrong_color, crumbs.
Relief draw_blister(Random random, Fault fault);

}  // namespace dinomaly::demo
