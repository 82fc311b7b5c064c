# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share: a small drawn data set, a tiny encoder of random values, and a way to run it.

Only the standard library is used. A test file ends with scene.main(), which takes the program's path from the command
line.
"""
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

WIDTH, DEPTH, PATCH, GRID = 64, 12, 14, 2  # of the encoder
SIZES = ["--size", "32", "--crop", "28"]  # as many patches as the encoder's position grid has
PROGRAM = None
EXAMPLE = None  # an example's path, in tests of one


def run(*arguments, **options):
    """The finished program: returncode, stdout, stderr."""
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)


def run_example(*arguments, **options):
    """The finished example."""
    return subprocess.run([EXAMPLE, *map(str, arguments)], capture_output=True, text=True, timeout=600, **options)


# --- pictures


def write_png(path, rows, channels=3):
    """rows: lists of bytes, width * channels each."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width, height = len(rows[0]) // channels, len(rows)
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def draw(kind, seed, bad, side=40):
    """A picture of stripes or of a disc, and the mask of its fault, a bright square where it is bad."""
    numbers = random.Random(f"{kind} {seed}")
    shift, left, top = numbers.randrange(4), numbers.randrange(4, 24), numbers.randrange(4, 24)
    picture, mask = [], []
    for y in range(side):
        row, mask_row = [], []
        for x in range(side):
            inside = (x + shift) // 4 % 2 if kind == "stripes" else (x - 20) ** 2 + (y - 20 - shift) ** 2 < 150
            is_fault = bad and left <= x < left + 10 and top <= y < top + 10
            color = (250, 240, 60) if is_fault else (60, 90, 160) if inside else (30, 40, 50)
            row += [min(255, c + numbers.randrange(8)) for c in color]
            mask_row.append(255 if is_fault else 0)
        picture.append(row)
        mask.append(mask_row)
    return picture, mask


def write_data(root, kinds=("disc", "stripes"), train=6):
    for kind in kinds:
        for i in range(train):
            write_png(root / kind / f"train/good/{i:03}.png", draw(kind, i, False)[0])
        for i in range(2):
            write_png(root / kind / f"test/good/{i:03}.png", draw(kind, 100 + i, False)[0])
            picture, mask = draw(kind, 200 + i, True)
            write_png(root / kind / f"test/spot/{i:03}.png", picture)
            write_png(root / kind / f"ground_truth/spot/{i:03}_mask.png", mask, channels=1)


# --- weights


def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> (shape, floats)."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """name -> (dtype, shape, bytes), and the metadata."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + length])
    data = content[8 + length:]
    metadata = header.pop("__metadata__", {})
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}, metadata


def write_decision(model, out, decision):
    """A copy of a model's file with another decision; see dinomaly/decision.hpp."""
    tensors, metadata = read_safetensors(model)
    about = json.loads(metadata["dinomaly"])
    about["decision"] = decision
    write_safetensors(out, {name: (shape, struct.unpack(f"<{len(data) // 4}f", data))
                            for name, (_, shape, data) in tensors.items()}, {"dinomaly": json.dumps(about)})


def decision_at(score, class_name):
    """A decision that calls pictures bad from this score on."""
    thresholds = {"image": score, "pixel": None}
    each = thresholds | {"bad": 0, "good_scores": [], "good_peaks": []}
    return {"rule": "best F1", "source": "a test", "all": thresholds, "classes": {class_name: each}}


def encoder_tensors(seed=1):
    """A transformer with the published names; its blocks change little, so that its features tell pictures apart."""
    numbers = random.Random(seed)

    def normal(*shape, deviation):
        count = 1
        for size in shape:
            count *= size
        return list(shape), [numbers.gauss(0, deviation) for _ in range(count)]

    def constant(value, *shape):
        return list(shape), [value] * shape[0]

    tensors = {
        "cls_token": normal(1, 1, WIDTH, deviation=0.1),
        "pos_embed": normal(1, 1 + GRID * GRID, WIDTH, deviation=0.1),
        "patch_embed.proj.weight": normal(WIDTH, 3, PATCH, PATCH, deviation=0.04),
        "patch_embed.proj.bias": constant(0.0, WIDTH),
        "norm.weight": constant(1.0, WIDTH),
        "norm.bias": constant(0.0, WIDTH),
    }
    for i in range(DEPTH):
        block = f"blocks.{i}."
        for name in ("norm1", "norm2"):
            tensors[f"{block}{name}.weight"] = constant(1.0, WIDTH)
            tensors[f"{block}{name}.bias"] = constant(0.0, WIDTH)
        for name, outputs, inputs in (("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)):
            deviation = (inputs * WIDTH) ** -0.5
            tensors[f"{block}{name}.weight"] = normal(outputs * WIDTH, inputs * WIDTH, deviation=deviation)
            tensors[f"{block}{name}.bias"] = constant(0.0, outputs * WIDTH)
        for name in ("ls1", "ls2"):
            tensors[f"{block}{name}.gamma"] = constant(0.3, WIDTH)
    return tensors


def of_family(family, tensors):
    """The same network as another family has it, under the names of its authors: "dino", "beit", "dinov3"."""
    numbers = random.Random(family)
    out = {}

    def drawn(shape, deviation):
        count = 1
        for size in shape:
            count *= size
        return list(shape), [numbers.gauss(0, deviation) for _ in range(count)]

    def rows(tensor, first, last):
        shape, values = tensor
        row = len(values) // shape[0]
        return [last - first, *shape[1:]], values[first * row:last * row]

    for name, tensor in tensors.items():
        block, end = name.rpartition("attn.qkv")[0], name.rsplit(".", 1)[-1]
        if family == "dino" and end == "gamma" or family != "dino" and name == "pos_embed":
            continue
        if family == "beit" and end == "gamma":
            name = name[:-len("ls1.gamma")] + "gamma_" + name[-len("1.gamma")]
        if family == "beit" and name.endswith("qkv.bias"):
            out[block + "attn.q_bias"], out[block + "attn.v_bias"] = drawn([WIDTH], 0.1), drawn([WIDTH], 0.1)
            out[block + "attn.relative_position_bias_table"] = drawn([(2 * GRID - 1) ** 2 + 3, WIDTH // 64], 0.5)
            continue
        if family == "dinov3" and ".mlp.fc1." in name:
            half = tensor[0][0] // 2
            for part, first in (("w1", 0), ("w2", half)):
                out[name.replace("fc1", part)] = rows(tensor, first, first + half)
            continue
        if family == "dinov3" and ".mlp.fc2." in name:
            name = name.replace("fc2", "w3")
            tensor = drawn([WIDTH, 2 * WIDTH], 0.1) if end == "weight" else tensor
        if family == "dinov3" and name.endswith("qkv.bias"):
            out[name + "_mask"] = [3 * WIDTH], [1.0] * WIDTH + [0.0] * WIDTH + [1.0] * WIDTH
        out[name] = tensor
    if family == "dinov3":
        out["storage_tokens"] = drawn([1, 4, WIDTH], 0.1)
        out["rope_embed.periods"] = [16], [100 ** (j / 16) for j in range(16)]
    return out


# --- runs


def log_of(folder):
    """The lines of a log without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("seconds")
    return lines


# --- the scene


class Scene(unittest.TestCase):
    """A test with a scratch folder that holds data/ and encoder.safetensors."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dinomaly-program-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.data, cls.encoder = cls.folder / "data", cls.folder / "encoder.safetensors"
        write_data(cls.data)
        cls.weights = encoder_tensors()
        write_safetensors(cls.encoder, cls.weights)

    def training(self, out, **changes):
        """The arguments of a small training run; changes replace or, as None, leave out options."""
        options = {"data": self.data, "encoder": self.encoder, "out": out, "size": 32, "crop": 28, "batch": 4,
                   "iterations": 6, "warmup": 2, "hard_mining_ramp": 4} | changes
        arguments = ["train"]
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            if value is True:
                arguments.append(option)
            elif value is not None:
                arguments += [option, value]
        return arguments

    def train(self, name, **changes):
        """Trains into folder/name, which is returned."""
        done = run(*self.training(self.folder / name, **changes))
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / name

    def assert_equal_runs(self, one, other):
        """Checks that two runs have the same log, weights and state, bit for bit."""
        self.assertEqual(log_of(one), log_of(other))
        for file in ("model.safetensors", "state.safetensors"):
            self.assertEqual(read_safetensors(one / file)[0], read_safetensors(other / file)[0], file)


def main(with_example=False):
    global PROGRAM, EXAMPLE
    names = "PROGRAM EXAMPLE" if with_example else "PROGRAM"
    if len(sys.argv) < 1 + len(names.split()):
        sys.exit(f"usage: {sys.argv[0]} {names} [unittest's options]")
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    if with_example:
        EXAMPLE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    sys.modules["scene"].PROGRAM, sys.modules["scene"].EXAMPLE = PROGRAM, EXAMPLE
    unittest.main(module="__main__")
