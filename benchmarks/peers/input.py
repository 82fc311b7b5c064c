#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times metrics and picture preparation against their peers, in turn, on the same data, and prints the ratios.

    input.py [--program build/bin/benchmark_input] [--rounds N] [--threads N] [--oracle DIR] [--json]

Metrics: 100 maps of 256x256 with 300 defects; the peers are scikit-learn's AUROC, AP and precision_recall_curve (for F1)
and the AUPRO of DIR/train_torch.py (by default ../shared/oracle beside the checkout), one mask rule; ours are all
figures of both mask rules. Pictures: 1024x1024, photo-like, decoded, resized to 448, cropped to 392 and normalised on
one thread; the peer is Pillow with numpy. Our figures and every prepared value must equal the peers'."""
import argparse
import ast
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import zlib

import numpy as np
import PIL
import sklearn
from PIL import Image
from safetensors.numpy import save_file
from skimage import measure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

root = pathlib.Path(__file__).resolve().parents[2]
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def drawn_stack():
    """Maps and masks [100, 256, 256]: smooth noise, as maps of real pictures are, and round defects."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:256, 0:256]
    masks = np.zeros((100, 256, 256), np.float32)
    for defect in range(300):
        radius = random.integers(3, 13)
        cy, cx = random.integers(radius, 256 - radius, 2)
        masks[defect % 100][(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 1
    maps = random.normal(size=masks.shape)
    for axis in (1, 2):
        for step in (1, 2, 4):
            maps = (np.roll(maps, step, axis) + maps + np.roll(maps, -step, axis)) / 3
    return (0.2 + 0.5 * maps + 0.05 * masks).astype(np.float32), masks


def drawn_picture():
    """Gradients, discs with sharp edges, and the noise of a camera, [1024, 1024, 3]."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[0:1024, 0:1024] / 1024
    picture = np.stack([120 + 60 * np.sin(6 * x + c) + 50 * np.cos(15 * x * y + c) for c in range(3)], axis=-1)
    for _ in range(30):
        cy, cx, radius = random.random(3) * (1, 1, 0.12)
        picture[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] += random.uniform(-40, 40, 3)
    picture += 2 * random.normal(size=(1024, 1024, 1)) + random.normal(size=picture.shape)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def oracle_function(path, name):
    """One function of a script that would start to train if it were imported."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not tree.body:
        sys.exit(f"error: {path} has no function {name}")
    scope = {"np": np, "measure": measure}
    exec(compile(tree, str(path), "exec"), scope)
    return scope[name]


def best_f1(labels, scores):
    precision, recall, _ = precision_recall_curve(labels, scores)
    return (2 * precision * recall / (precision + recall + 1e-7))[:-1].max()


def prepared(file):
    picture = Image.open(io.BytesIO(file)).convert("RGB").resize((448, 448), Image.BILINEAR).crop((28, 28, 420, 420))
    pixels = np.asarray(picture, np.float32)
    return np.ascontiguousarray(((pixels / np.float32(255) - MEAN) / DEVIATION).transpose(2, 0, 1))


def timed_ms(work, *arguments):
    start = time.perf_counter()
    value = work(*arguments)
    return value, 1e3 * (time.perf_counter() - start)


def require_equal(name, ours, theirs, tolerance):
    if abs(ours - theirs) > tolerance:
        sys.exit(f"error: {name} is {ours}, the peer says {theirs}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=root / "build" / "bin" / "benchmark_input")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--oracle", type=pathlib.Path, default=root.parent / "shared" / "oracle")
    parser.add_argument("--json", action="store_true", help="one object on standard output instead of the table")
    arguments = parser.parse_args()

    maps, masks = drawn_stack()
    labels, scores = (masks > 0).astype(np.uint8), maps.ravel()
    peers = {
        "auroc": lambda: roc_auc_score(labels.ravel(), scores),
        "ap": lambda: average_precision_score(labels.ravel(), scores),
        "f1_max": lambda: best_f1(labels.ravel(), scores),
        "aupro": lambda: oracle_function(arguments.oracle / "train_torch.py", "aupro")(labels, maps),
    }
    ours, theirs = {}, {}  # least times in milliseconds

    def note(times, name, value):
        times[name] = min(times.get(name, value), value)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        save_file({"maps": maps, "masks": masks}, folder / "stack.safetensors")
        drawn_picture().save(folder / "picture.png")
        drawn_picture().save(folder / "picture.jpg", quality=90)
        for _ in range(arguments.rounds):
            command = [arguments.program, folder, "9", str(arguments.threads), "--json"]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            note(ours, "metrics", found["metrics"]["ms"])
            for name, peer in peers.items():
                value, elapsed = timed_ms(peer)
                require_equal(name, found["metrics"][name], value, 1e-5 if name == "aupro" else 1e-6)
                note(theirs, name, elapsed)
            for picture in found["pictures"]:
                note(ours, picture["name"], picture["ms"])
                file = (folder / picture["name"]).read_bytes()
                for _ in range(9):
                    value, elapsed = timed_ms(prepared, file)
                    note(theirs, picture["name"], elapsed)
                require_equal(picture["name"], picture["crc32"], zlib.crc32(value.tobytes()), 0)
    theirs["metrics"] = sum(theirs[name] for name in peers)

    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "ours_ms": ours, "peers_ms": theirs,
                          "ratios": {name: theirs[name] / ours[name] for name in ours}}))
        return
    print(f"scikit-learn {sklearn.__version__}, Pillow {PIL.__version__}, numpy {np.__version__}; "
          f"metrics on {arguments.threads} threads, pictures on one")
    print(f"{'least times':<14} {'ours, ms':>10} {'peer, ms':>10} {'peer / ours':>12}")
    for name in ours:
        print(f"{name:<14} {ours[name]:>10.2f} {theirs[name]:>10.2f} {theirs[name] / ours[name]:>12.2f}")
    print("the metrics' peers, ms: " + ", ".join(f"{name} {theirs[name]:.0f}" for name in peers))


if __name__ == "__main__":
    main()
