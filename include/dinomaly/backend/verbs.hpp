// SPDX-License-Identifier: Apache-2.0
// The contract between ops and devices: what a backend must be able to do. Ops are written over these verbs alone.
//
//   map               y = formula, one pass over a grid (core/expr.hpp)
//   map_backward      the gradients of all leaves of a formula, one pass
//   product           z = x w^T row panel by row panel, with a formula before and one after it
//   product_backward  the gradients of all leaves of both formulas and of w, row panel by row panel
//   gemm              batched matrix products with transposes
//   reduce            sum, max or min over the middle of [outer, n, inner]
//   rows              a kernel once a row, with sums and maxima over the row
//   move              copy between strided layouts (permute, slice, concat)
//   select            the k-th largest value, the mean of the k largest
//   add               y = a + b
//   rotary            queries and keys turned by their tokens' places
//   frozen_blocks     transformer blocks whose weights never change, and their patches and MLP beside (nn/frozen.hpp)
//   Replay            runs a sequence of verbs again and again; a GPU records it
//
// A device also has whole ops for speed: attention, linear attention, frozen blocks; a GPU the gradients of layer norm
// and StableAdamW too. The composition in ops/, nn/ or optim/ stays the reference. Each verb takes the device as its
// first argument, and the files are named alike in every backend.
#pragma once

#include "dinomaly/backend/cpu/attention.hpp"
#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/frozen_block.hpp"
#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/linear_attention.hpp"
#include "dinomaly/backend/cpu/map.hpp"
#include "dinomaly/backend/cpu/move.hpp"
#include "dinomaly/backend/cpu/product.hpp"
#include "dinomaly/backend/cpu/reduce.hpp"
#include "dinomaly/backend/cpu/replay.hpp"
#include "dinomaly/backend/cpu/rows.hpp"
#include "dinomaly/backend/cpu/select.hpp"
#include "dinomaly/backend/rotary.hpp"

#ifdef DINOMALY_CUDA
#include "dinomaly/backend/cuda/attention.hpp"
#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/cuda/frozen_block.hpp"
#include "dinomaly/backend/cuda/gemm.hpp"
#include "dinomaly/backend/cuda/layer_norm.hpp"
#include "dinomaly/backend/cuda/linear_attention.hpp"
#include "dinomaly/backend/cuda/map.hpp"
#include "dinomaly/backend/cuda/move.hpp"
#include "dinomaly/backend/cuda/product.hpp"
#include "dinomaly/backend/cuda/reduce.hpp"
#include "dinomaly/backend/cuda/replay.hpp"
#include "dinomaly/backend/cuda/rounded.hpp"
#include "dinomaly/backend/cuda/rows.hpp"
#include "dinomaly/backend/cuda/select.hpp"
#include "dinomaly/backend/cuda/stable_adamw.hpp"
#endif
