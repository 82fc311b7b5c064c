#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The losses of the same training on several devices, side by side: the same first weights, pictures, noise and order.

    losses.py [--devices cpu,cuda,cuda] [--precision fp32] [--iterations 100] [--json FILE]

A small encoder and the parts that `dinomaly demo` draws are trained on by `dinomaly train`. A device named twice has to
give the same bits twice: the status is 1 where it does not, and where a device is refused.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "build/bin/dinomaly"
EVERY = 10  # iterations from line to line of the table


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=lambda text: text.split(","), default=["cpu", "cuda", "cuda"])
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--json", type=pathlib.Path, help="write all losses to this file")
    arguments = parser.parse_args()
    arguments.program = arguments.program.resolve()
    return arguments


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())


def train(arguments, device, demo, out):
    """The loss of each iteration."""
    run(arguments.program, "train", "--data", demo / "parts", "--classes", "flange", "--encoder",
        demo / "encoder.safetensors", "--out", out, "--size", 196, "--crop", 196, "--batch", 4, "--warmup", 10,
        "--hard-mining-ramp", 50, "--cache-features", "off", "--save-every", 0, "--iterations", arguments.iterations,
        "--precision", arguments.precision, "--device", device)
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="dinomaly-losses-") as folder:
        folder = pathlib.Path(folder)
        run(arguments.program, "demo", "--out", folder / "demo", "--iterations", 1)
        losses = [train(arguments, device, folder / "demo", folder / f"run{i}")
                  for i, device in enumerate(arguments.devices)]
    print(arguments.precision + "".join(f"{device:>14}" for device in ["iteration", *arguments.devices]))
    for i in range(0, len(losses[0]), EVERY):
        print("    " + f"{i:14}" + "".join(f"{run[i]:14.8f}" for run in losses))
    report = {"precision": arguments.precision, "devices": arguments.devices, "losses": losses, "largest_difference": []}
    same_bits = True
    for i, device in enumerate(arguments.devices[1:], 1):
        first = losses[arguments.devices.index(device)]
        if first is not losses[i]:
            same_bits &= first == losses[i]
            print(f"{device} again: {'the same bits' if first == losses[i] else 'NOT the same bits'}")
            continue
        largest = max(abs(a / b - 1) for a, b in zip(losses[i], losses[0]))
        report["largest_difference"].append({"device": device, "relative": largest})
        print(f"{device} against {arguments.devices[0]}: at most {largest:.1e} of the loss")
    if arguments.json:
        arguments.json.write_text(json.dumps(report | {"same_bits": same_bits}, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if same_bits else 1)


if __name__ == "__main__":
    main()
