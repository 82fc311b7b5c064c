# SPDX-License-Identifier: Apache-2.0
"""How far the results of two devices are apart: one model file judges the same pictures on both, by `dinomaly eval`.

Where no model is given, the one is taken that `dinomaly demo` makes in two iterations, and the parts that it draws.
"""
import array
import json
import pathlib
import struct
import subprocess

DEMO_CLASS = "flange"


def run(command):
    """Throws RuntimeError with what the program says where it refuses."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())


def make_demo(program, folder):
    """The model and the data of a short demo in this folder."""
    run([program, "demo", "--out", folder, "--iterations", 2])
    return folder / "run/model.safetensors", folder / "parts"


def read_floats(path):
    """All tensors of a safetensors file of floats, as one array."""
    data = pathlib.Path(path).read_bytes()
    (header,) = struct.unpack("<Q", data[:8])
    values = array.array("f")
    values.frombytes(data[8 + header:])
    return values


def judge(program, model, data, folder, device, precision, classes=()):
    """Scores and map values of all test pictures."""
    scores, maps = folder / "scores.json", folder / "maps.safetensors"
    command = [program, "eval", "--model", model, "--data", data, "--device", device, "--precision", precision,
               "--json", scores, "--maps", maps]
    if classes:
        command += ["--classes", ",".join(classes)]
    run(command)
    found = json.loads(scores.read_text(encoding="utf-8"))
    return [picture["score"] for picture in found["pictures"]], read_floats(maps)


def largest(found, expected):
    """The largest difference, as a part of the range of what is expected."""
    if len(found) != len(expected):
        raise RuntimeError(f"{len(found)} values where there are {len(expected)}")
    return max(abs(a - b) for a, b in zip(found, expected)) / (max(expected) - min(expected))


def differences(program, model, data, folder, cases, classes=()):
    """For each (device, precision) how far its scores and maps are from those of the first; a text where it is refused."""
    first = judge(program, model, data, folder, *cases[0], classes)
    for device, precision in cases[1:]:
        try:
            scores, maps = judge(program, model, data, folder, device, precision, classes)
        except RuntimeError as error:
            yield {"device": device, "precision": precision, "refused": str(error)}
        else:
            yield {"device": device, "precision": precision, "scores": largest(scores, first[0]),
                   "maps": largest(maps, first[1]), "pictures": len(scores)}
