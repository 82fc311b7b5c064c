// SPDX-License-Identifier: Apache-2.0
// Convenience include: tensors, all ops, all modules and optimisers.
#pragma once

#include "dinomaly/nn/attention.hpp"
#include "dinomaly/nn/block.hpp"
#include "dinomaly/nn/gated_mlp.hpp"
#include "dinomaly/nn/init.hpp"
#include "dinomaly/nn/layer_norm.hpp"
#include "dinomaly/nn/layer_scale.hpp"
#include "dinomaly/nn/linear.hpp"
#include "dinomaly/nn/linear_attention.hpp"
#include "dinomaly/nn/mlp.hpp"
#include "dinomaly/nn/module.hpp"
#include "dinomaly/nn/noisy_bottleneck.hpp"
#include "dinomaly/nn/patch_embed.hpp"
#include "dinomaly/nn/relative_bias.hpp"
#include "dinomaly/nn/rotary_position.hpp"
#include "dinomaly/nn/vit.hpp"
#include "dinomaly/optim/clip.hpp"
#include "dinomaly/optim/schedule.hpp"
#include "dinomaly/optim/sgd.hpp"
#include "dinomaly/optim/stable_adamw.hpp"
#include "dinomaly/tensor.hpp"
