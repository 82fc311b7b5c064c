#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the sources against the rules of the layers.

    include_order.py ROOT         prints every violation as file:line: text; exit status 1 when there is one
    include_order.py --self-test  plants each kind of violation in a scratch tree and expects it to be found

Rules: a header of include/dinomaly includes its own layer and those listed for it below; Eigen appears in backend/cpu
only; the layers up to nn use nothing but the standard library otherwise; headers have at most 450 lines and open with
#pragma once; every source file names its licence; backend/cpu and backend/cuda do not see each other.
"""
import pathlib
import re
import sys
import tempfile

OPS_AND_BELOW = {"core", "backend", "autodiff", "ops"}
# layer: what it may include besides itself (the folder's name, or one header)
LAYERS = {
    "core": set(),
    "backend": {"core"},
    "autodiff": {"core", "backend"},
    "ops": {"core", "backend", "autodiff"},
    "nn": OPS_AND_BELOW,
    "optim": OPS_AND_BELOW | {"nn/module.hpp"},
    "io": OPS_AND_BELOW | {"nn/module.hpp"},
    "vision": {"core", "backend", "io"},
    "anomaly": OPS_AND_BELOW | {"vision"},
    "encoders": {"core", "io", "vision", "nn/vit_config.hpp", "model_config.hpp"},
}
# These layers need the standard library alone, and in backend/cpu Eigen.
WITHOUT_THIRD_PARTY = {"core", "backend", "autodiff", "ops", "nn"}
SYSTEM_HEADERS = {
    "core": {"immintrin.h", "cuda_runtime.h", "cuda_fp16.h", "cuda_bf16.h"},
    "backend/cpu": {"immintrin.h", "sys/mman.h", "sys/resource.h", "sys/utsname.h", "unistd.h", "sched.h",
                    "pthread.h"},
    "backend/cuda": {"cuda_runtime.h", "cuda_fp16.h", "cuda_bf16.h", "cublasLt.h", "cublas_v2.h"},
}
MAX_LINES = 450

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD = re.compile(r"^[a-z_0-9]+$")  # <vector>, <cmath>: no dot, no folder
SOURCE_FOLDERS = ("include", "tests", "examples", "benchmarks", ".cmake", ".ci")
SOURCE_SUFFIXES = {".hpp", ".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".cmake"}


def is_source(path):
    return path.suffix in SOURCE_SUFFIXES or path.name == "CMakeLists.txt" or path.name.endswith(".cmake.in")


def lacks_licence(text):
    return not any("SPDX-License-Identifier: Apache-2.0" in line for line in text.splitlines()[:2])


def wrong_include(place, bracket, name):
    """Says what is wrong with an include in the header at `place` (relative to include/dinomaly), or returns None."""
    layer = place.parts[0] if len(place.parts) > 1 else "top"
    folder = "/".join(place.parts[:2]) if layer == "backend" else layer
    if name.startswith("dinomaly/"):
        if bracket != '"':
            return f'<{name}> is our own: "..." expected'
        target = name.removeprefix("dinomaly/")
        parts = target.split("/")
        if layer == "top":
            return None
        if len(parts) == 1 and target not in LAYERS[layer]:
            return f"{layer} may not include the convenience header {name}"
        if parts[0] == "backend" and layer == "backend" and len(place.parts) > 2 and len(parts) > 2 and parts[1] != place.parts[1]:
            return f"{folder} may not include the other backend's {name}"
        if parts[0] != layer and parts[0] not in LAYERS[layer] and target not in LAYERS[layer]:
            return f"{layer} may not include {name}"
        return None
    if bracket == '"':
        return f'"{name}": our headers are included from the root, as "dinomaly/...", others as <...>'
    if name.split("/")[0] in ("Eigen", "eigen3", "unsupported"):
        return None if folder == "backend/cpu" else f"<{name}>: Eigen belongs in backend/cpu"
    if layer in WITHOUT_THIRD_PARTY and not STANDARD.match(name) and name not in SYSTEM_HEADERS.get(folder, ()):
        return f"<{name}>: {layer} uses the standard library only"
    return None


def check_header(place, text):
    """Yields (line, message) for the header at `place`."""
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines, at most {MAX_LINES} expected"
    if "#pragma once" not in lines:
        yield 1, "no #pragma once"
    if len(place.parts) > 1 and place.parts[0] not in LAYERS:
        yield 1, f"{place.parts[0]} is not a layer"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        message = match and wrong_include(place, match[1], match[2])
        if message:
            yield number, message


def violations(root):
    headers = root / "include" / "dinomaly"
    found = [*root.glob("*"), *(path for folder in SOURCE_FOLDERS for path in (root / folder).rglob("*"))]
    for path in sorted(path for path in found if path.is_file() and is_source(path)):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root)
        if lacks_licence(text):
            yield f"{name}:1: no SPDX-License-Identifier line"
        if headers in path.parents and path.suffix == ".hpp":
            for line, message in check_header(path.relative_to(headers), text):
                yield f"{name}:{line}: {message}"


SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
GOOD = SPDX + "#pragma once\n"
# file under include/dinomaly, its text, what must be said about it (None: nothing)
PLANTED = [
    ("core/good.hpp", GOOD + "#include <vector>\n#include <immintrin.h>\n", None),
    ("backend/cpu/good.hpp", GOOD + '#include <Eigen/Core>\n#include "dinomaly/core/good.hpp"\n', None),
    ("backend/verbs.hpp", GOOD + '#include "dinomaly/backend/cpu/good.hpp"\n', None),
    ("io/good.hpp", GOOD + '#include <nlohmann/json.hpp>\n#include "dinomaly/nn/module.hpp"\n', None),
    ("model.hpp", GOOD + '#include "dinomaly/vision/resize.hpp"\n', None),
    ("core/upwards.hpp", GOOD + '#include "dinomaly/ops/matmul.hpp"\n', "core may not include dinomaly/ops"),
    ("ops/upwards.hpp", GOOD + '# include "dinomaly/nn/module.hpp"\n', "ops may not include dinomaly/nn"),
    ("io/module.hpp", GOOD + '#include "dinomaly/nn/linear.hpp"\n', "io may not include dinomaly/nn/linear.hpp"),
    ("vision/ops.hpp", GOOD + '#include "dinomaly/ops/matmul.hpp"\n', "vision may not include dinomaly/ops"),
    ("encoders/good.hpp", GOOD + '#include "dinomaly/model_config.hpp"\n', None),
    ("encoders/top.hpp", GOOD + '#include "dinomaly/model_file.hpp"\n', "convenience header"),
    ("nn/top.hpp", GOOD + '#include "dinomaly/tensor.hpp"\n', "convenience header"),
    ("ops/eigen.hpp", GOOD + "#include <Eigen/Dense>\n", "Eigen belongs in backend/cpu"),
    ("backend/cuda/eigen.hpp", GOOD + "#include <Eigen/Dense>\n", "Eigen belongs in backend/cpu"),
    ("backend/cuda/cpu.hpp", GOOD + '#include "dinomaly/backend/cpu/map.hpp"\n', "the other backend"),
    ("core/json.hpp", GOOD + "#include <nlohmann/json.hpp>\n", "standard library only"),
    ("core/angle.hpp", GOOD + "#include <dinomaly/core/good.hpp>\n", "is our own"),
    ("core/relative.hpp", GOOD + '#include "good.hpp"\n', "from the root"),
    ("core/unlicensed.hpp", "#pragma once\n", "no SPDX"),
    ("core/twice.hpp", SPDX, "no #pragma once"),
    ("core/long.hpp", GOOD + "\n" * MAX_LINES, "at most 450"),
    ("misc/new.hpp", GOOD, "misc is not a layer"),
]


def self_test():
    wrong = 0
    for name, text, expected in PLANTED:
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / "include" / "dinomaly" / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            found = list(violations(pathlib.Path(scratch)))
        as_expected = len(found) == 1 and expected in found[0] if expected else not found
        if not as_expected:
            wrong += 1
            print(f"{name}: expected {expected or 'nothing'}, found {found or 'nothing'}")
    print(f"{len(PLANTED)} planted files, {wrong} judged wrongly")
    return wrong


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    if sys.argv[1] == "--self-test":
        return 1 if self_test() else 0
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "no violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
