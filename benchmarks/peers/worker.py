# SPDX-License-Identifier: Apache-2.0
"""What every peer is: a process that loads the network once, checks it, and measures when it is asked to.

On standard input a line "WARM REPEAT" asks for WARM rounds that do not count and REPEAT that do. On standard output every
answer is one JSON object a line: first what the peer is and how far its result is from PyTorch's in fp32, then for each
request the seconds of the rounds and the peak so far of the process's memory, or of what it took of a GPU's.
"""
import argparse
import json
import os
import pathlib
import sys
import time


def parse_arguments(description, precisions, modes=("infer",)):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--files", type=pathlib.Path, required=True, help="folder that prepare.py filled")
    parser.add_argument("--mode", choices=modes, default="infer")
    parser.add_argument("--precision", choices=precisions, default=precisions[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    if "train" in modes:
        parser.add_argument("--device", default="cpu", help="cpu or cuda")
        parser.add_argument("--compile", action="store_true", help="with torch.compile; frozen for inference")
        parser.add_argument("--compile-mode", default="default", help="of torch.compile: max-autotune-no-cudagraphs, ..")
        parser.add_argument("--best", action="store_true", help="all that is known to be fast on a GPU")
        parser.add_argument("--oracle", type=pathlib.Path, required=True, help="folder of dinomaly_torch.py")
        parser.add_argument("--arch", default="small")
    return parser.parse_args()


def own_output():
    """Standard output for answers alone: whatever libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def peak_megabytes():
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def map_difference(found, expected):
    """The largest difference of two maps, as a part of the expected one's range."""
    return float(abs(found - expected).max() / (expected.max() - expected.min()))


def serve(answers, version, difference, work, peak_megabytes=peak_megabytes):
    """Answers requests until standard input ends."""
    print(json.dumps({"version": version, "difference": difference}), file=answers, flush=True)
    for line in sys.stdin:
        warm, repeat = map(int, line.split())
        seconds = []
        for i in range(warm + repeat):
            start = time.perf_counter()
            work()
            if i >= warm:
                seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "peak_mb": peak_megabytes()}), file=answers, flush=True)
