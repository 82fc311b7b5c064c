#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws small encoders of every family, under every published naming, and what they give.

    make_encoders.py ORACLE OUT [--seed 1] [--width 24] [--heads 2] [--depth 2]

ORACLE is the directory of variants_torch.py, whose functions are the reference. For each case two files are written:
NAME.pth or NAME.safetensors, as its publisher would, and NAME.expected.safetensors: a picture, the outputs of all
blocks for it, and in the metadata what a reader has to find, with shape and CRC-32 of each tensor under DINOv2's names.
And relative_tables.safetensors: BEiT's table of a window of 5 for other windows, which needs SciPy.
"""
import argparse
import json
import math
import pathlib
import re
import sys
import zlib

import torch
from safetensors.torch import save_file

GRID = 5          # of learned positions
WINDOW = 4        # of relative positions


class Drawer:
    """Random networks under DINOv2's names; no bias or scale is one that could be left out."""

    def __init__(self, seed, width, heads, depth):
        self.generator = torch.Generator().manual_seed(seed)
        self.width, self.heads, self.depth = width, heads, depth

    def normal(self, *shape, std=0.1, mean=0.0):
        return mean + std * torch.randn(*shape, generator=self.generator)

    def linear(self, name, rows, columns):
        return {f"{name}.weight": self.normal(rows, columns, std=1.5 / math.sqrt(columns)),
                f"{name}.bias": self.normal(rows)}

    def norm(self, name):
        return {f"{name}.weight": self.normal(self.width, mean=1.0), f"{name}.bias": self.normal(self.width)}

    def network(self, patch, registers=0, position="absolute", gated=False, scale=False, bias="all", norm=True):
        c = self.width
        net = {"cls_token": self.normal(1, 1, c, std=0.5), "patch_embed.proj.weight": self.normal(c, 3, patch, patch),
               "patch_embed.proj.bias": self.normal(c)}
        if registers:
            net["register_tokens"] = self.normal(1, registers, c, std=0.5)
        if position == "absolute":
            net["pos_embed"] = self.normal(1, 1 + GRID * GRID, c, std=0.5)
        hidden = 2 * c if not gated else 3 * c // 2
        for i in range(self.depth):
            b = f"blocks.{i}."
            net |= self.norm(b + "norm1") | self.norm(b + "norm2")
            net |= self.linear(b + "attn.qkv", 3 * c, c) | self.linear(b + "attn.proj", c, c)
            if bias != "all":  # of queries and values alone, or none
                net[b + "attn.qkv.bias"][c:2 * c] = 0
            if bias == "none":
                net[b + "attn.qkv.bias"][:] = 0
            if gated:
                net |= self.linear(b + "mlp.w12", 2 * hidden, c) | self.linear(b + "mlp.w3", c, hidden)
            else:
                net |= self.linear(b + "mlp.fc1", hidden, c) | self.linear(b + "mlp.fc2", c, hidden)
            if scale:
                net[b + "ls1.gamma"] = self.normal(c, mean=0.7)
                net[b + "ls2.gamma"] = self.normal(c, mean=0.7)
            if position == "relative":
                net[b + "attn.rel_table"] = self.normal((2 * WINDOW - 1) ** 2 + 3, self.heads, std=1.0)
        if norm:
            net |= self.norm("norm")
        return net


# --- namings: canonical names -> those of a publisher

def renamed(net, rules):
    out = {}
    for name, tensor in net.items():
        for pattern, text in rules:
            name = re.sub(pattern, text, name)
        out[name] = tensor
    return out


def split(net, old, new, dim=0):
    """Replaces tensor `old` of each block by equal parts; a name of None drops its part."""
    out = dict(net)
    for name in net:
        if re.search(old + "$", name):
            for part, to in zip(net[name].chunk(len(new), dim), new):
                if to is not None:
                    out[re.sub(old + "$", to, name)] = part.clone()
            del out[name]
    return out


HF_LAYERS = [(r"^blocks\.(\d+)\.", r"encoder.layer.\1."), (r"^(cls_token|register_tokens|mask_token)$", r"embeddings.\1"),
             (r"^pos_embed$", "embeddings.position_embeddings"), (r"^norm\.", "layernorm."),
             (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."), (r"attn\.proj\.", "attention.output.dense.")]
HF_QKV = ["attention.attention.query", "attention.attention.key", "attention.attention.value"]


def hf_qkv(net, names=HF_QKV, key_bias=True):
    net = split(net, r"attn\.qkv\.weight", [name + ".weight" for name in names])
    biases = [name + ".bias" for name in names]
    return split(net, r"attn\.qkv\.bias", biases if key_bias else [biases[0], None, biases[2]])


def dinov2_hf(net):
    rules = [(r"ls(\d)\.gamma", r"layer_scale\1.lambda1"), (r"mlp\.w12\.", "mlp.weights_in."), (r"mlp\.w3\.", "mlp.weights_out.")]
    out = renamed(hf_qkv(net), HF_LAYERS + rules)
    return out | {"embeddings.mask_token": torch.zeros(1, out["embeddings.cls_token"].shape[-1])}


def vit_hf(net, prefix="vit."):
    rules = [(r"norm1\.", "layernorm_before."), (r"norm2\.", "layernorm_after."),
             (r"mlp\.fc1\.", "intermediate.dense."), (r"mlp\.fc2\.", "output.dense.")]
    return {prefix + name: tensor for name, tensor in renamed(hf_qkv(net), HF_LAYERS + rules).items()}


def beit_hf(net):
    rules = [(r"norm1\.", "layernorm_before."), (r"norm2\.", "layernorm_after."),
             (r"mlp\.fc1\.", "intermediate.dense."), (r"mlp\.fc2\.", "output.dense."), (r"ls(\d)\.gamma", r"lambda_\1"),
             (r"attn\.rel_table", "attention.attention.relative_position_bias.relative_position_bias_table")]
    return {"beit." + name: tensor for name, tensor in renamed(hf_qkv(net, key_bias=False), HF_LAYERS + rules).items()}


def beit(net):
    out = split(net, r"attn\.qkv\.bias", ["attn.q_bias", None, "attn.v_bias"])
    out = renamed(out, [(r"ls(\d)\.gamma", r"gamma_\1"), (r"attn\.rel_table", "attn.relative_position_bias_table")])
    count = 1 + WINDOW * WINDOW
    return out | {f"blocks.{i}.attn.relative_position_index": torch.zeros(count, count, dtype=torch.int64)
                  for i in range(len([n for n in out if n.endswith("q_bias")]))}


def timm_reg(net):
    """Class position inside the class token."""
    out = renamed(net, [(r"^register_tokens$", "reg_token"), (r"mlp\.w12\.", "mlp.fc1."), (r"mlp\.w3\.", "mlp.fc2.")])
    return out | {"cls_token": net["cls_token"] + net["pos_embed"][:, :1], "pos_embed": net["pos_embed"][:, 1:].clone()}


def dinov3(net, width):
    out = renamed(net, [(r"^register_tokens$", "storage_tokens"), (r"^rope\.periods$", "rope_embed.periods")])
    if any(".w12." in name for name in net):
        for part in ("weight", "bias"):
            out = split(out, rf"mlp\.w12\.{part}", [f"mlp.w1.{part}", f"mlp.w2.{part}"])
    mask = torch.ones(3 * width)
    mask[width:2 * width] = 0
    for name in [name for name in out if name.endswith("attn.qkv.bias")]:
        out[name] = out[name].clone()
        out[name][width:2 * width] = 7.0  # what the mask hides may be anything
        out[name + "_mask"] = mask.clone()
    return out | {"mask_token": torch.zeros(1, width)}


def dinov3_timm(net, biases):
    names = ["attn.q_bias", None, "attn.v_bias"] if biases else [None, None, None]
    out = split(net, r"attn\.qkv\.bias", names)
    if any(".w12." in name for name in net):
        for part in ("weight", "bias"):
            out = split(out, rf"mlp\.w12\.{part}", [f"mlp.fc1_g.{part}", f"mlp.fc1_x.{part}"])
        out = renamed(out, [(r"mlp\.w3\.", "mlp.fc2.")])
    return renamed(out, [(r"^register_tokens$", "reg_token"), (r"ls(\d)\.gamma", r"gamma_\1")])


def dinov3_hf(net):
    out = hf_qkv(net, ["attention.q_proj", "attention.k_proj", "attention.v_proj"], key_bias=False)
    gated = any(".w12." in name for name in net)
    for part in ("weight", "bias"):
        out = split(out, rf"mlp\.w12\.{part}", [f"mlp.gate_proj.{part}", f"mlp.up_proj.{part}"])
    rules = [(r"^blocks\.", "layer."), (r"^(cls_token|register_tokens)$", r"embeddings.\1"), (r"^patch_embed\.proj\.", "embeddings.patch_embeddings."),
             (r"attn\.proj\.", "attention.o_proj."), (r"ls(\d)\.gamma", r"layer_scale\1.lambda1"),
             (r"mlp\.(w3|fc2)\.", "mlp.down_proj.")] + ([] if gated else [(r"mlp\.fc1\.", "mlp.up_proj.")])
    out = renamed(out, rules)
    return out | {"embeddings.mask_token": torch.zeros(1, 1, out["embeddings.cls_token"].shape[-1])}


def behind(prefix, net):
    return {prefix + name: tensor for name, tensor in net.items()}


# --- cases: name -> (family, naming, what the file holds, the network under canonical names, further settings)

def cases(draw):
    c = draw.width
    v2 = dict(patch=7, scale=True)
    v3 = dict(patch=4, registers=4, position="rotary", scale=True, bias="qv")
    args = argparse.Namespace(arch="vit", lr=1e-3)
    head = {"head.weight": draw.normal(3, c), "head.bias": draw.normal(3)}

    net = draw.network(**v2)
    yield "dinov2", "DINOv2", "official", net | {"mask_token": torch.zeros(1, c)}, net, {}
    net = draw.network(**v2, registers=4)
    yield "dinov2reg", "DINOv2 with registers", "official", net | {"mask_token": torch.zeros(1, c)}, net, {}
    half = {name: tensor.half().float() for name, tensor in draw.network(**v2, registers=4).items()}
    yield ("dinov2reg_half", "DINOv2 with registers", "official", {n: t.half() for n, t in half.items()}, half,
           {"file": "safetensors"})
    net = draw.network(**v2)
    chunked = {re.sub(r"^blocks\.(\d+)\.", lambda m: f"blocks.{int(m[1]) // 2}.{m[1]}.", n): t for n, t in net.items()}
    yield ("dinov2_training", "DINOv2", "official",
           {"teacher": behind("backbone.", chunked) | {"dino_head.mlp.0.weight": draw.normal(2, 2)}, "iteration": 7}, net,
           {"oracle": False})
    net = draw.network(**v2)
    yield "dinov2_hf", "DINOv2", "Hugging Face", dinov2_hf(net), net, {"file": "safetensors"}
    net = draw.network(**v2, registers=4)
    yield ("dinov2reg_hf", "DINOv2 with registers", "Hugging Face",
           behind("dinov2_with_registers.", dinov2_hf(net)) | {"classifier.weight": draw.normal(3, c)}, net,
           {"file": "safetensors"})
    net = draw.network(**v2, registers=4)
    folded = net | {"cls_token": net["cls_token"] + net["pos_embed"][:, :1]}
    folded["pos_embed"] = torch.cat([torch.zeros(1, 1, c), net["pos_embed"][:, 1:]], 1)
    yield "dinov2reg_timm", "DINOv2 with registers", "timm", timm_reg(net), folded, {"file": "safetensors"}
    net = draw.network(**v2, gated=True)
    yield "giant", "DINOv2", "official", net | {"mask_token": torch.zeros(1, c)}, net, {}
    net = draw.network(**v2, gated=True)
    yield "giant_hf", "DINOv2", "Hugging Face", dinov2_hf(net), net, {"file": "safetensors"}
    net = draw.network(**v2, gated=True)
    yield ("giant_timm", "DINOv2", "official", renamed(net, [(r"mlp\.w12\.", "mlp.fc1."), (r"mlp\.w3\.", "mlp.fc2.")]), net,
           {"file": "safetensors"})

    quarter = c // draw.heads // 4
    formula = 100 ** (torch.arange(quarter, dtype=torch.float32) / quarter)
    for plus in (False, True):
        name, more = ("dinov3plus", v3 | {"gated": True}) if plus else ("dinov3", v3)
        net = draw.network(**more) | {"rope.periods": formula.bfloat16().float()}
        yield name, "DINOv3", "official", dinov3(net, c) | ({} if plus else {"local_cls_norm.weight": torch.ones(c)}), net, {}
        net = draw.network(**more | {"bias": "none"})
        yield (name + "_timm", "DINOv3", "timm", dinov3_timm(net, False), net | {"rope.periods": formula},
               {"file": "safetensors"})
        net = draw.network(**more)
        yield name + "_hf", "DINOv3", "Hugging Face", dinov3_hf(net), net | {"rope.periods": formula}, {"file": "safetensors"}
    net = draw.network(**v3)
    yield ("dinov3_timm_qkvb", "DINOv3", "timm", dinov3_timm(net, True), net | {"rope.periods": formula},
           {"file": "safetensors"})

    net = draw.network(patch=8)
    yield "dino", "DINO", "official", net, net, {}
    net, student = draw.network(patch=4), draw.network(patch=4)
    yield ("dino_training", "DINO", "official",
           {"student": behind("module.backbone.", {n: t for n, t in student.items() if "blocks" not in n}),
            "teacher": behind("backbone.", net) | {"head.mlp.0.weight": draw.normal(2, c)},
            "optimizer": {"state": {0: {"step": 5, "exp_avg": draw.normal(2)}}, "param_groups": [{"lr": 0.1}]},
            "epoch": 3, "args": args, "dino_loss": {"center": draw.normal(1, 2)}}, net, {})
    net = draw.network(patch=4)
    yield "ibot", "iBOT", "official", {"state_dict": net | {"masked_embed": torch.zeros(1, c)}, "arch": "vit"}, net, {}
    net = draw.network(patch=4)
    net["pos_embed"][:, 0] = 0
    yield "mae", "MAE or MoCo-v3", "official", {"model": net}, net, {}
    net = draw.network(patch=4)
    net["pos_embed"][:, 0] = 0
    decoder = {"decoder.decoder_pred.weight": draw.normal(2, c)}
    yield "mae_hf", "MAE or MoCo-v3", "Hugging Face", vit_hf(net) | decoder, net, {"file": "safetensors", "oracle": False}
    net = draw.network(patch=4)
    yield "deit", "DeiT", "official", {"model": net | head}, net, {}
    net = draw.network(patch=4)
    net["pos_embed"][:, 0] = 0
    momentum = draw.network(patch=4)
    yield ("moco", "MoCo-v3", "official",
           {"state_dict": behind("module.momentum_encoder.", {n: t for n, t in momentum.items() if "blocks" not in n}) |
            behind("module.base_encoder.", net | {"head.0.weight": draw.normal(2, c)}) |
            {"module.predictor.0.weight": draw.normal(2, 2)}, "optimizer": {"state": {}}, "epoch": 300, "arch": "vit_small"}, net, {})
    net = draw.network(patch=4, norm=False)
    extra = {"ar_token": draw.normal(1, 1, c), "kd_head.weight": draw.normal(2, c), "decoder_embed.weight": draw.normal(2, c),
             "mask": torch.ones(3, 3)}
    yield "digpt", "D-iGPT", "official", {"model": net | extra}, net, {}
    relative = dict(patch=4, position="relative", scale=True, bias="qv")
    net = draw.network(**relative, norm=False)
    yield "beit", "BEiT", "official", {"model": beit(net) | head | {"fc_norm.weight": draw.normal(c)}}, net, {}
    net = draw.network(**relative)
    yield "beitv2", "BEiT", "official", {"model": beit(net) | head | {"mask_token": draw.normal(1, 1, c)}}, net, {}
    net = draw.network(**relative)
    yield ("beit_hf", "BEiT", "Hugging Face", beit_hf(net) | {"classifier.weight": draw.normal(2, c)}, net,
           {"file": "safetensors", "oracle": False})


def crc(tensor):
    return zlib.crc32(tensor.contiguous().numpy().tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("oracle", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--depth", type=int, default=2)
    options = parser.parse_args()
    sys.path.insert(0, str(options.oracle))
    import variants_torch as oracle
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    draw = Drawer(options.seed, options.width, options.heads, options.depth)
    names = []
    for name, family, naming, file, net, more in cases(draw):
        if more.get("oracle", True):  # it knows this naming: it must see what was drawn
            seen = {n: t for n, t in oracle.canonical(file).items() if n in net}
            for n, tensor in net.items():
                zero = n.endswith("qkv.bias") and n not in seen
                made = n == "rope.periods" and n not in seen
                assert made or torch.equal(torch.zeros_like(tensor) if zero else seen[n], tensor), (name, n)
        patch = net["patch_embed.proj.weight"].shape[-1]
        relative = "blocks.0.attn.rel_table" in net
        rows, columns = (WINDOW, WINDOW) if relative else (4, 6)
        picture = draw.normal(1, 3, rows * patch, columns * patch, std=1.0)
        with torch.no_grad():
            features = oracle.encode(net, picture, options.heads, range(options.depth), 1e-5 if family == "DINOv3" else 1e-6)
        if more.get("file") == "safetensors":
            save_file({n: t.contiguous() for n, t in file.items()}, options.out / f"{name}.safetensors")
        else:
            torch.save(file, options.out / f"{name}.pth")
        expected = {"family": family, "naming": naming, "heads": options.heads, "file": f"{name}.{more.get('file', 'pth')}",
                    "grid": 0 if "rope.periods" in net else WINDOW if relative else GRID,
                    "tensors": {n: [list(t.shape), crc(t)] for n, t in net.items()}}
        save_file({"picture": picture} | {f"block.{i}": f for i, f in enumerate(features)},
                  options.out / f"{name}.expected.safetensors", {"expected": json.dumps(expected)})
        names.append(name)
    table = draw.normal(9 * 9 + 3, 2, std=1.0)  # of a window of 5
    save_file({"window.5": table} | {f"window.{g}": oracle.resize_rel_table(table, g) for g in (3, 4, 7, 12)},
              options.out / "relative_tables.safetensors")
    print(f"{len(names)} cases in {options.out}: {' '.join(names)}")


if __name__ == "__main__":
    main()
