#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole model over a grid of sizes, batches, precisions and devices, each measured by `dinomaly bench`.

    dinomaly.py [--devices cpu,cuda] [--mode infer train] [--arch small base] [--precision fp32 bf16] [--batch 1 16]
                [--threads 1 2] [--json FILE] [--plot FILE.svg]

Prints a table; what the program refuses is said there. Where several devices are compared, it also says how far their
results are apart for one model and the same pictures (difference.py), and the energy of a picture is told for GPUs
whose driver counts it (gpu_energy.py). The status is 0 when anything ran.
"""
import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import difference
from gpu_energy import GpuEnergy

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "build/bin/dinomaly"
COLUMNS = "{:6} {:6} {:9} {:>5} {:7} {:>7}   "
FIGURES = "{:>11} {:>11} {:>10} {:>9} {:>8} {:>10} {:>9} {:>8}"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=lambda text: text.split(","), default=["cpu"], metavar="cpu,cuda",
                        help="cpu, cuda, cuda:1, ..; times and results are held against those of the first")
    parser.add_argument("--mode", nargs="+", default=["infer", "train"], choices=("infer", "train"))
    parser.add_argument("--arch", nargs="+", default=["small", "base"], choices=("small", "base", "large"))
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "bf16", "int8", "tf32"))
    parser.add_argument("--batch", nargs="+", type=int, help="by default 1 is judged, 16 are trained on")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}), help="of the CPU")
    parser.add_argument("--cache-features", choices=("memory", "off"), default="off", help="in training")
    parser.add_argument("--repeat", type=int, help="rounds of a run; by default 5, in training on the CPU 1")
    parser.add_argument("--model", type=pathlib.Path, help="model for the differences, in place of the demo's")
    parser.add_argument("--data", type=pathlib.Path, help="its pictures, as `dinomaly eval` takes them")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw pictures a second: an .svg or .png file")
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.data is None):
        parser.error("--model and --data go together")
    arguments.program = arguments.program.resolve()
    if not arguments.program.is_file():
        parser.error(f"{arguments.program} is not there: build it, or name it with --program")
    return arguments


def is_gpu(device):
    return device != "cpu"


def cases(arguments):
    """Mode, architecture, precision and batch of each comparison."""
    for mode in arguments.mode:
        batches = arguments.batch or [1 if mode == "infer" else 16]
        yield from itertools.product([mode], arguments.arch, arguments.precision, batches)


def bench(arguments, case, device, threads, repeat):
    """What the program tells, or throws RuntimeError with its reason not to."""
    mode, arch, precision, batch = case
    command = [arguments.program, "bench", "--json", "--device", device, "--mode", mode, "--arch", arch, "--precision",
               precision, "--batch", batch, "--repeat", repeat]
    if not is_gpu(device):
        command += ["--threads", threads]
    if mode == "train":
        command += ["--cache-features", arguments.cache_features]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def find_energy(device):
    """The meter of a GPU, or None where there is none."""
    try:
        return GpuEnergy(int(device.partition(":")[2] or 0))
    except RuntimeError:
        return None


def measure(arguments, case, device, threads, meter):
    """The program's figures with seconds a round, pictures a second and joules a picture beside."""
    mode, _, _, batch = case
    repeat = arguments.repeat or (1 if mode == "train" and not is_gpu(device) else 5)
    found = bench(arguments, case, device, threads, repeat)
    scale = 1e-3 * batch if mode == "infer" else 1  # a prediction is told in milliseconds a picture
    unit = "ms" if mode == "infer" else "seconds"
    median, least = found[f"median_{unit}"] * scale, found[f"min_{unit}"] * scale
    found |= {"device": device, "round_seconds": median, "least_round_seconds": least,
              "pictures_per_second": batch / median, "joules_a_picture": None}
    if meter:
        rounds = lambda repeat: bench(arguments, case, device, threads, repeat)
        found["joules_a_picture"] = meter.of_a_round(rounds, median) / batch
    return found


def figures(found, reference):
    """The right half of a row; `reference` are seconds of the first device, to which the last column is a ratio."""

    def text(value, digits, unit):
        return "-" if value is None else f"{value:.{digits}f} {unit}".strip()

    share = found["peak_share"]
    return FIGURES.format(text(1e3 * found["round_seconds"], 2, "ms"), text(1e3 * found["least_round_seconds"], 2, "ms"),
                          text(found["pictures_per_second"], 1, "/s"), text(found["gflops"] / 1e3, 2, ""),
                          text(share and 100 * share, 0, "%"), text(found["peak_mb"], 0, "MB"),
                          text(found["joules_a_picture"], 3, "J"),
                          text(reference and reference / found["round_seconds"], 2, "x"))


def measure_all(arguments):
    """Prints the table and returns its rows, those of a case together."""
    print(COLUMNS.format("mode", "arch", "precision", "batch", "device", "threads") +
          FIGURES.format("median", "least", "pictures", "TFLOP/s", "of peak", "memory", "a picture", "faster"))
    meters = {device: find_energy(device) for device in arguments.devices if is_gpu(device)}
    rows = []
    for case in cases(arguments):
        reference = None
        for device in arguments.devices:
            for threads in ["-"] if is_gpu(device) else arguments.threads:
                row = COLUMNS.format(*case, device, threads)
                try:
                    found = measure(arguments, case, device, threads, meters.get(device))
                except RuntimeError as error:
                    print(row + str(error), flush=True)
                    continue
                rows.append(found)
                print(row + figures(found, reference if device != arguments.devices[0] else None), flush=True)
                if device == arguments.devices[0]:
                    reference = min(reference or found["round_seconds"], found["round_seconds"])
    return rows


def compare_results(arguments):
    """Prints how far scores and maps of all devices and precisions are from the first device's in fp32."""
    # The first precision may be another one, but what the others are held against is always the most exact.
    precisions = ["fp32", *(name for name in arguments.precision if name != "fp32")]
    cases = list(itertools.product(arguments.devices, precisions))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model, data, classes = arguments.model, arguments.data, ()
        try:
            if model is None:
                model, data = difference.make_demo(arguments.program, folder / "demo")
                classes = (difference.DEMO_CLASS,)
            print(f"\nlargest difference from {cases[0][0]} in fp32, in parts of the range")
            found = []
            for one in difference.differences(arguments.program, model, data, folder, cases, classes):
                found.append(one)
                text = one.get("refused") or (f"maps {one['maps']:.1e}, scores {one['scores']:.1e}, of "
                                              f"{one['pictures']} pictures")
                print(f"{one['device']:7} {one['precision']:5} {text}", flush=True)
            return found
        except RuntimeError as error:
            print(f"\nno differences: {error}")
            return []


def plot(rows, path):
    """Pictures a second as bars, a group for each case; a line that says so where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "dinomaly"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.3 * len(rows)))
    names = list(dict.fromkeys(row["device"] for row in rows))
    colors = dict(zip(names, ("#3b6ea5", "#6aa84f", "#e0a050", "#b05a3c")))
    labels = []
    for y, row in enumerate(rows):
        axes.barh(y, row["pictures_per_second"], color=colors.get(row["device"], "grey"))
        energy = f", {row['joules_a_picture']:.2g} J each" if row["joules_a_picture"] else ""
        axes.text(row["pictures_per_second"], y, f" {row['pictures_per_second']:.4g}{energy}", va="center", fontsize=8)
        threads = f", {row['threads']} threads" if row["device"] == "cpu" else ""
        labels.append(f"{row['mode']} {row['arch']} {row['precision']} x{row['batch']}, {row['device']}{threads}")
    speeds = [row["pictures_per_second"] for row in rows]
    axes.set_xscale("log")
    axes.set_xlim(min(speeds) / 3, max(speeds) * (max(speeds) / min(speeds)) ** 0.4 * 3)  # room for the words
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("pictures a second", fontsize=8)
    axes.set_title(", ".join(dict.fromkeys(str(row["machine"]) for row in rows)), fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main():
    arguments = parse_arguments()
    rows = measure_all(arguments)
    found = compare_results(arguments) if rows and len(arguments.devices) > 1 else []
    if arguments.json:
        arguments.json.write_text(json.dumps({"runs": rows, "differences": found}, indent=2) + "\n", encoding="utf-8")
    if arguments.plot and rows:
        plot(rows, arguments.plot)
    sys.exit(0 if rows else 1)


if __name__ == "__main__":
    main()
