#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of the variants of Dinomaly, from a PyTorch oracle of them (variants_torch.py).

    make_variants.py ORACLE OUT [--seed N] [--width N] [--heads N] [--registers N] [--grid N]

ORACLE is the folder of variants_torch.py. OUT gets dinomaly2.safetensors and dinov3.safetensors: features of eight
layers, the weights of bottleneck and decoder, both sides of the comparison, maps and scores, and of Dinomaly2 a run of
30 steps. What the network is made of stands in the metadata under "config". tests/model/variants.cpp reads them.
"""
import argparse
import json
import sys

import torch
from safetensors.torch import save_file

LAYERS, BATCHES, PICTURES, PATCH = 8, 3, 2, 14
RUN = dict(iterations=30, warmup=10, ramp=8, lr=2e-3, neck_lr=2e-4, decay_ratio=0.2, clip=0.1)


def linear(out, width, inputs, outputs):
    out[width + ".weight"] = torch.randn(outputs, inputs) * 0.08
    out[width + ".bias"] = torch.randn(outputs) * 0.02


def decoder(width):
    out = {}
    for i in range(LAYERS):
        b = f"decoder.{i}."
        for norm in ("norm1", "norm2"):
            out[b + norm + ".weight"] = 1 + 0.1 * torch.randn(width)
            out[b + norm + ".bias"] = 0.05 * torch.randn(width)
        linear(out, b + "attn.qkv", width, 3 * width)
        linear(out, b + "attn.proj", width, width)
        linear(out, b + "mlp.fc1", width, 4 * width)
        linear(out, b + "mlp.fc2", 4 * width, width)
    return out


def tokens(maps):
    """[B, C, h, w] -> [B, h w, C]."""
    return maps.flatten(2).transpose(1, 2).contiguous()


def judged(oracle, out, name, en, de, size):
    amap = oracle.anomaly_map(en, de, size)
    out[name + "/map"] = amap[:, 0, ::4, ::4].contiguous()  # every fourth row and column
    out[name + "/score"] = oracle.top_mean(amap.flatten(1))


def compared(out, name, en, de):
    for g, (a, b) in enumerate(zip(en, de)):
        out[f"{name}/en/{g}"], out[f"{name}/de/{g}"] = tokens(a), tokens(b)


def train(oracle, weights, features, heads, prefix):
    """30 steps without dropout: losses, rates, and the weights after them."""
    tensors = {name: value.clone().requires_grad_() for name, value in weights.items()}
    state, losses, rates = {}, [], []
    for i in range(RUN["iterations"]):
        feats = list(features[i % BATCHES])
        en, de = oracle.dinomaly2(tensors, feats, heads, prefix)
        loss = oracle.loose_loss(en, de, min(0.9 * i / RUN["ramp"], 0.9))
        names = list(tensors)
        grads = dict(zip(names, torch.autograd.grad(loss, [tensors[n] for n in names])))
        grads = oracle.clip(grads, RUN["clip"])
        rate = [oracle.lr2(i, base, RUN["iterations"], RUN["warmup"], RUN["decay_ratio"])
                for base in (RUN["lr"], RUN["neck_lr"])]
        with torch.no_grad():
            oracle.adam_step(tensors, grads, state, i + 1,
                             {n: rate[1] if n.startswith("bottleneck.0.") else rate[0] for n in names})
        losses.append(loss.item())
        rates.append(rate)
    final = {f"train/final/{name}": value.detach().clone() for name, value in tensors.items()}
    return {"train/loss": torch.tensor(losses, dtype=torch.float64),
            "train/lr": torch.tensor(rates, dtype=torch.float64), **final}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("oracle")
    parser.add_argument("out")
    for name, value in (("seed", 7), ("width", 16), ("heads", 2), ("registers", 2), ("grid", 3)):
        parser.add_argument("--" + name, type=int, default=value)
    args = parser.parse_args()
    sys.path.insert(0, args.oracle)
    import variants_torch as oracle
    torch.manual_seed(args.seed)
    width, heads, prefix, size = args.width, args.heads, 1 + args.registers, args.grid * PATCH
    features = torch.randn(BATCHES, LAYERS, PICTURES, prefix + args.grid ** 2, width) * 1.5 + torch.randn(width)
    config = {"config": json.dumps({**{k: v for k, v in vars(args).items() if isinstance(v, int)}, "patch": PATCH, **RUN})}

    weights = decoder(width)
    linear(weights, "bottleneck.0.0", width, 256)
    linear(weights, "bottleneck.1.0", 256, 4 * width)
    linear(weights, "bottleneck.1.3", 4 * width, width)
    out = {"weights/" + name: value for name, value in weights.items()} | {"features": features}
    for lc in oracle.GROUPS:
        for recentre in (True, False):
            compared(out, f"lc{lc}-{'recentred' if recentre else 'plain'}",
                     *oracle.dinomaly2(weights, list(features[0]), heads, prefix, lc, recentre))
    en, de = oracle.dinomaly2(weights, list(features[0]), heads, prefix)
    judged(oracle, out, "lc2-recentred", en, de, size)
    compared(out, "softmax", *oracle.dinomaly2(weights, list(features[0]), heads, prefix, linear=False))
    merged = oracle.merge_modalities(list(features[0]), list(features[1]))
    compared(out, "merged", *oracle.dinomaly2(weights, merged, heads, prefix))
    out |= train(oracle, weights, features, heads, prefix)
    save_file(out, f"{args.out}/dinomaly2.safetensors", config)

    weights = decoder(width)
    linear(weights, "bottleneck.0.fc1", width, 4 * width)
    linear(weights, "bottleneck.0.fc2", 4 * width, width)
    out = {"weights/" + name: value for name, value in weights.items()} | {"features": features[:1].clone()}
    en, de = oracle.dinomaly_v3(weights, list(features[0]), heads, prefix)
    compared(out, "patches", en, de)
    judged(oracle, out, "patches", en, de, size)
    save_file(out, f"{args.out}/dinov3.safetensors", config)


if __name__ == "__main__":
    main()
