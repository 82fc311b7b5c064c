// SPDX-License-Identifier: Apache-2.0
// Defects that can befall any surface. Each changes a relief at a random place on the part, and nowhere else.
#pragma once

#include "demo/drawing/relief.hpp"

namespace dinomaly::demo {

/// A long thin groove that bares `inside`, with a raised burr along it.
void add_scratch(Relief& relief, Random& random, Color inside);

/// A soaked-in spot with a ragged rim that tints what it covers.
void add_stain(Relief& relief, Random& random, Color tint);

/// Several crumbs that lie on the surface.
void add_crumbs(Relief& relief, Random& random, Color color);

/// A curled thread that lies on the surface.
void add_fibre(Relief& relief, Random& random, Color color);

}  // namespace dinomaly::demo
