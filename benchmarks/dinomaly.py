#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole model over a grid of sizes, batches, precisions and threads, each measured by `dinomaly bench`.

    dinomaly.py [--mode infer train] [--arch small base] [--precision fp32] [--batch 1 8] [--threads 1 2] [--json FILE]

Prints a table; with --json the objects of all runs go into a file as well, one list. What the program refuses is said
in the table.
"""
import argparse
import itertools
import json
import os
import pathlib
import subprocess

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "build/bin/dinomaly"
COLUMNS = "{:6} {:6} {:9} {:>5} {:>7}   {}"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", nargs="+", default=["infer", "train"], choices=("infer", "train"))
    parser.add_argument("--arch", nargs="+", default=["small", "base"], choices=("small", "base", "large"))
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "bf16", "int8"))
    parser.add_argument("--batch", nargs="+", type=int, help="by default 1 is judged, 16 are trained on")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--cache-features", choices=("memory", "off"), default="off", help="in training")
    parser.add_argument("--repeat", type=int, help="rounds of a run; by default 5, in training 1")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--json", type=pathlib.Path, help="write the objects of all runs to this file")
    return parser.parse_args()


def measure(arguments, mode, arch, precision, batch, threads):
    """The finished program."""
    repeat = arguments.repeat or (5 if mode == "infer" else 1)
    command = [arguments.program, "bench", "--json", "--mode", mode, "--arch", arch, "--precision", precision,
               "--batch", batch, "--threads", threads, "--repeat", repeat]
    if mode == "train":
        command += ["--cache-features", arguments.cache_features]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def main():
    arguments = parse_arguments()
    print(COLUMNS.format("mode", "arch", "precision", "batch", "threads",
                         "     median       least    GFLOP/s  of peak     memory"))
    results = []
    for mode in arguments.mode:
        batches = arguments.batch or [1 if mode == "infer" else 16]
        for row in itertools.product(arguments.arch, arguments.precision, batches, arguments.threads):
            done = measure(arguments, mode, *row)
            if done.returncode != 0:
                figures = done.stderr.strip()
            else:
                found = json.loads(done.stdout)
                results.append(found)
                key, unit, digits = ("ms", "ms", 1) if mode == "infer" else ("seconds", "s ", 2)
                figures = (f"{found[f'median_{key}']:8.{digits}f} {unit} {found[f'min_{key}']:8.{digits}f} {unit} "
                           f"{found['gflops']:10.0f} {100 * found['peak_share']:6.0f} % {found['peak_mb']:7.0f} MB")
            print(COLUMNS.format(mode, *row, figures), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
