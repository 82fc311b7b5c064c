#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Repeats a PyTorch training run on real pictures with the C++ program and compares them number by number.

    bottle_run.py PROGRAM SHARED    SHARED: the directory with oracle/, golden/real/, weights/ and real/

Both start from the same initial weights and see the same pictures in the same order, without dropout; the losses of the
40 iterations must agree within 2e-4 relative, every metric within 0.003. Where PyTorch is absent one line says so and
the exit status is 77 (skipped). DINOMALY_PYTHON names an interpreter that has it.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the shared directory stays as it is, and this one
import peers

LOSS_TOLERANCE = 2e-4  # relative
METRIC_TOLERANCE = 0.003
SEED = 1


def write_initial_weights(oracle, path):
    """The trained part as train_torch.py draws it: one generator, parameters in the order of the module."""
    sys.path.insert(0, str(oracle))
    try:
        import torch
        from safetensors.torch import save_file
        from dinomaly_torch import Dinomaly
    except ImportError as error:
        peers.skip("the initial weights need PyTorch and safetensors", error)
    net = Dinomaly("small", drop=0.0, registers=0)
    generator = torch.Generator().manual_seed(SEED)
    weights = {}
    for name, parameter in net.named_parameters():
        if name.startswith("encoder"):
            continue
        if "norm" in name:
            value = torch.full(parameter.shape, 1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            value = torch.zeros(parameter.shape)
        else:
            value = (torch.randn(parameter.shape, generator=generator) * 0.01).clamp(-0.03, 0.03)
        weights[name] = value.contiguous()
    save_file(weights, path)


def train(program, shared, scratch):
    init, run = scratch / "init.safetensors", scratch / "run"
    write_initial_weights(shared / "oracle", init)
    settings = {
        "data": shared / "real/mvtec", "classes": "bottle", "encoder": shared / "weights/dinov2_vits14.pth",
        "size": 288, "crop": 252, "batch": 8, "iterations": 40, "warmup": 10, "hard-mining-ramp": 30, "dropout": 0,
        "init": init, "order": shared / "golden/real/bottle_run/order.json", "out": run,
    }
    subprocess.run([program, "train", *(f"--{name}={value}" for name, value in settings.items())], check=True)
    return run


def read_log(path):
    return [json.loads(line)["loss"] for line in path.read_text().splitlines()]


def compare_losses(found, expected):
    """Prints the largest relative difference and returns whether all are within the tolerance."""
    if len(found) != len(expected):
        print(f"losses: {len(expected)} iterations expected, found {len(found)}")
        return False
    differences = [abs(f - e) / abs(e) for f, e in zip(found, expected)]
    worst = max(range(len(expected)), key=lambda i: differences[i])
    print(f"losses: largest relative difference {differences[worst]:.2e} at iteration {worst} "
          f"({found[worst]} against {expected[worst]}), at most {LOSS_TOLERANCE:.0e} expected")
    return all(math.isfinite(d) and d <= LOSS_TOLERANCE for d in differences)


def compare_metrics(found, expected):
    good = True
    for group, values in expected.items():
        for name, value in values.items():
            difference = abs(found[group][name] - value)
            good_one = difference <= METRIC_TOLERANCE  # false for NaN
            good = good and good_one
            print(f"{group:14} {name:7} {found[group][name]:.6f} against {value:.6f}, difference {difference:.1e}"
                  + ("" if good_one else f", at most {METRIC_TOLERANCE} expected"))
    return good


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    peers.restart("DINOMALY_PYTHON")
    program, shared = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    golden = shared / "golden/real/bottle_run"
    with tempfile.TemporaryDirectory(prefix="dinomaly-bottle-") as scratch:
        run = train(program, shared, pathlib.Path(scratch))
        expected = json.loads((golden / "metrics.json").read_text())
        found = json.loads((run / "metrics.json").read_text())
        losses_agree = compare_losses(read_log(run / "log.jsonl"), read_log(golden / "log.jsonl"))
        metrics_agree = compare_metrics(found["classes"]["bottle"], expected["metrics"]["bottle"])
        scores = {picture["path"]: picture["score"] for picture in found["pictures"]}
        furthest = max(abs(scores[path] - score) for path, score in expected["scores"]["bottle"].items())
        print(f"picture scores: largest difference {furthest:.1e}")
    return 0 if losses_agree and metrics_agree else 1


if __name__ == "__main__":
    sys.exit(main())
