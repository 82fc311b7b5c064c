#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ours and the peers in one run: the same network and weights, the same pictures, measured in turn.

    compare.py --oracle DIR [--device cuda | CONTEST ...] [--rounds N] [--json FILE] [--plot FILE.svg]

DIR holds dinomaly_torch.py. Every peer is a process that stands still (SIGSTOP) while another one is measured; what is
not installed is left out. Each peer's result is checked against PyTorch's in fp32 before it is timed; ours is by the
golden tests. A ratio is the peer's time by ours: of the least times, and the range of those of single rounds.
The program is measured by its own command, `dinomaly bench --json`, with the same encoder file.
"""
import argparse
import collections
import datetime
import importlib.util
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {  # name: (script, module that must be installed, arguments)
    "OpenVINO": ("open_vino.py", "openvino", []),
    "ONNX Runtime": ("onnx_runtime.py", "onnxruntime", []),
    "PyTorch eager": ("pytorch.py", "torch", []),
    "PyTorch compile": ("pytorch.py", "torch", ["--compile"]),
    "PyTorch at best": ("pytorch.py", "torch", ["--device", "cuda", "--compile", "--best"]),
    "PyTorch as used": ("pytorch.py", "torch", ["--device", "cuda", "--compile"]),
}
# ratios: what the project wants to reach against a peer; megabytes: of our own peak memory; milliseconds: of our own
# rounds, on an H100. Without a batch one picture is judged, and as many are trained on as the command line says.
Contest = collections.namedtuple("Contest", "name mode arch precision cached peers ratios megabytes device batch "
                                 "milliseconds", defaults=(False, (), {}, None, "cpu", None, None))
INFER_FP32, INFER_BF16 = ("OpenVINO", "ONNX Runtime", "PyTorch eager"), ("OpenVINO", "PyTorch compile", "PyTorch eager")
TRAIN_BF16 = ("PyTorch compile", "PyTorch eager")
CONTESTS = (
    Contest("infer-small-fp32", "infer", "small", "fp32", False, INFER_FP32, {"OpenVINO": 1.1}),
    Contest("infer-base-fp32", "infer", "base", "fp32", False, INFER_FP32, {"OpenVINO": 1.1}),
    Contest("infer-small-bf16", "infer", "small", "bf16", False, INFER_BF16, {"OpenVINO": 1.2}, 250),
    Contest("infer-base-bf16", "infer", "base", "bf16", False, INFER_BF16, {"OpenVINO": 1.2}),
    Contest("infer-small-int8", "infer", "small", "int8", False, ("ONNX Runtime",)),
    Contest("infer-base-int8", "infer", "base", "int8", False, ("ONNX Runtime",), {"ONNX Runtime": 1.4}),
    Contest("train-small-fp32", "train", "small", "fp32", False, ("PyTorch eager",), {"PyTorch eager": 3.0}),
    Contest("train-small-bf16", "train", "small", "bf16", False, TRAIN_BF16, {"PyTorch compile": 2.4}, 2000),
    Contest("train-small-bf16-cached", "train", "small", "bf16", True, TRAIN_BF16, {"PyTorch compile": 3.6}, 2000),
    Contest("cuda-infer-16", "infer", "base", "bf16", False, ("PyTorch at best",), {"PyTorch at best": 1.05},
            device="cuda", batch=16, milliseconds=16e3 / 1650),
    Contest("cuda-infer-1", "infer", "base", "bf16", False, ("PyTorch at best",), {"PyTorch at best": 1.3},
            device="cuda", batch=1, milliseconds=1.5),
    Contest("cuda-train", "train", "base", "bf16", False, ("PyTorch at best", "PyTorch as used"),
            {"PyTorch at best": 1.15, "PyTorch as used": 1.5}, 4500, device="cuda", batch=16, milliseconds=18.5),
    Contest("cuda-train-cached", "train", "base", "bf16", True, device="cuda", batch=16, milliseconds=13),
)


def machine(devices):
    if devices == {"cuda"}:
        try:
            command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "a GPU that nvidia-smi does not know"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


class Peer:
    """A worker process, stopped but for the time it is asked something. It gets ready while others do."""

    def __init__(self, name, contest, files, settings):
        script, _, options = PEERS[name]
        command = [sys.executable, HERE / "peers" / script, *options, "--files", files, "--mode", contest.mode,
                   "--precision", contest.precision, "--batch", str(settings.batch(contest)),
                   "--threads", str(settings.threads)]
        if script == "pytorch.py":
            command += ["--oracle", settings.oracle, "--arch", contest.arch, "--compile-mode", settings.compile_mode]
        self.name = name
        self.log = tempfile.TemporaryFile("w+")
        environment = os.environ | {"OMP_NUM_THREADS": str(settings.threads), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=environment)
        self.warm = 2 if contest.mode == "infer" else 0

    def wait(self):
        """Until it is ready; throws RuntimeError when it ends instead."""
        self.about = self.answer()
        self.ask(self.warm, 0)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"{self.name} ended:\n{self.log.read()[-2000:]}")
        self.process.send_signal(signal.SIGSTOP)
        return json.loads(line)

    def ask(self, warm, repeat):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{warm} {repeat}\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Ours:
    """The program, started anew for each measurement: it is ready in a second."""

    name = "dinomaly"

    def __init__(self, contest, files, settings):
        self.command = [settings.program, "bench", "--json", "--mode", contest.mode, "--encoder",
                        files / "encoder.safetensors", "--precision", contest.precision,
                        "--batch", str(settings.batch(contest)), "--device", contest.device]
        if contest.device == "cpu":
            self.command += ["--threads", str(settings.threads)]
        if contest.cached:
            self.command += ["--cache-features", "memory"]
        self.scale = 1e-3 * settings.batch(contest) if contest.mode == "infer" else 1
        self.unit = "ms" if contest.mode == "infer" else "seconds"
        self.about = {}

    def ask(self, warm, repeat):
        done = subprocess.run([*self.command, "--repeat", str(repeat)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        found = json.loads(done.stdout)
        self.about = {name: found[name] for name in ("version", "gflops", "peak_share")}
        return {"seconds": [found[f"min_{self.unit}"] * self.scale, found[f"median_{self.unit}"] * self.scale],
                "peak_mb": found["peak_mb"]}

    def end(self):
        pass


def run_contest(contest, files, settings):
    """Measures in turn and returns a row for each that took part, ours first."""
    runners = []
    rows = {}
    try:
        try:
            ours = Ours(contest, files, settings)
            ours.ask(0, 1)
            runners.append(ours)
        except RuntimeError as error:
            print(f"  dinomaly is left out: {error}", flush=True)
        peers = []
        for name in contest.peers:
            if importlib.util.find_spec(PEERS[name][1]) is None:
                print(f"  {name} is left out: {PEERS[name][1]} is not installed", flush=True)
            else:
                peers.append(Peer(name, contest, files, settings))
        for peer in peers:
            try:
                peer.wait()
            except RuntimeError as error:
                print(f"  {peer.name} is left out: {error}", flush=True)
                peer.end()
                continue
            runners.append(peer)
            print(f"  {peer.name} {peer.about['version']}: differs by {peer.about['difference']:.1e}", flush=True)
        warm, repeat = settings.turn(contest)
        for runner in runners:
            rows[runner.name] = {"name": runner.name, "least_of_rounds": [], "median_of_rounds": [], "peak_mb": 0}
        for _ in range(settings.rounds):
            for runner in runners:
                found = runner.ask(warm, repeat)
                row = rows[runner.name]
                row["least_of_rounds"].append(min(found["seconds"]))
                row["median_of_rounds"].append(statistics.median(found["seconds"]) if runner.name != Ours.name
                                               else found["seconds"][1])
                row["peak_mb"] = max(row["peak_mb"], found["peak_mb"])
        for runner in runners:
            rows[runner.name] |= runner.about
    finally:
        for runner in runners:
            runner.end()
    ours_least = rows.get(Ours.name, {}).get("least_of_rounds")
    for row in rows.values():
        row["least"] = min(row["least_of_rounds"])
        row["median"] = statistics.median(row["median_of_rounds"])
        if ours_least and row["name"] != Ours.name:
            single = [peer / our for peer, our in zip(row["least_of_rounds"], ours_least)]
            row |= {"ratio": row["least"] / min(ours_least), "ratio_low": min(single), "ratio_high": max(single)}
    return list(rows.values())


def print_rows(contest, rows):
    in_seconds = contest.mode == "train" and contest.device == "cpu"
    scale, unit, digits = (1, "s", 2) if in_seconds else (1e3, "ms", 1 if contest.device == "cpu" else 2)
    print(f"  {'':16}{'median':>10}{'least':>10}   {'memory':>9}   peer / ours")
    for row in rows:
        ratio = ""
        if "ratio" in row:
            ratio = f"{row['ratio']:.2f} ({row['ratio_low']:.2f} - {row['ratio_high']:.2f})"
            if row["name"] in contest.ratios:
                ratio += f", target {contest.ratios[row['name']]}"
        elif row["name"] == Ours.name:
            words = [f"{100 * row['peak_share']:.0f} % of the machine's peak"] if row["peak_share"] else []
            if contest.milliseconds:
                words.append(f"target {contest.milliseconds:.3g} ms on an H100")
            if contest.megabytes:
                words.append(f"memory: target {contest.megabytes} MB")
            ratio = "; ".join(words)
        print(f"  {row['name']:16}{scale * row['median']:10.{digits}f}{scale * row['least']:10.{digits}f} {unit:2}"
              f"{row['peak_mb']:9.0f} MB   {ratio}", flush=True)


def plot(results, path, title):
    """The ratios as bars, the targets as marks; a line that says so where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "dinomaly"
    from matplotlib import pyplot

    bars = [(contest, row) for contest, rows in results for row in rows if "ratio" in row]
    if not bars:
        print("no plot: there is no ratio to show")
        return
    colors = dict(zip(PEERS, ("#3b6ea5", "#6aa84f", "#e0a050", "#b05a3c", "#b05a3c", "#e0a050")))
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.3 * len(bars)))
    for y, (contest, row) in enumerate(bars):
        axes.barh(y, row["ratio"], color=colors[row["name"]])
        target = contest.ratios.get(row["name"], 0)
        axes.text(max(row["ratio"], target), y, f" {row['ratio']:.2f}", va="center", fontsize=8)  # beside both
        if target:
            axes.plot([target] * 2, [y - 0.45, y + 0.45], color="black", linewidth=2)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.margins(x=0.08)
    axes.set_yticks(range(len(bars)), [f"{contest.name}: {row['name']}" for contest, row in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("peer's time / ours; black: target", fontsize=8)
    axes.set_title(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [contest.name for contest in CONTESTS]
    parser.add_argument("contests", nargs="*", metavar="CONTEST", help=", ".join(names) + "; by default all of the device")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="whose contests, where none is named")
    parser.add_argument("--oracle", type=pathlib.Path, required=True, help="folder of dinomaly_torch.py")
    parser.add_argument("--program", type=pathlib.Path, default=HERE.parent / "build/bin/dinomaly")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--train-batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5, help="how often everyone has a turn")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of a turn; on a CPU a training turn is one step")
    parser.add_argument("--compile-mode", default="default",
                        help="of torch.compile, e.g. max-autotune-no-cudagraphs, which takes minutes to start")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw the ratios: an .svg or .png file")
    settings = parser.parse_args()
    settings.program = settings.program.resolve()
    for name in settings.contests:
        if name not in names:
            parser.error(f"no contest '{name}'; there are {', '.join(names)}")
    settings.contests = [contest for contest in CONTESTS if contest.name in settings.contests or
                         not settings.contests and contest.device == settings.device]
    settings.batch = lambda contest: contest.batch or (1 if contest.mode == "infer" else settings.train_batch)

    def turn(contest):
        """Rounds that do not count and rounds that do, of each turn."""
        if contest.mode == "train" and contest.device == "cpu":
            return 0, 1
        return (1, settings.repeat) if contest.device == "cpu" else (3, 4 * settings.repeat)

    settings.turn = turn
    return settings


def files_of(contest):
    """The name of the folder with a contest's files; several contests may share them."""
    return f"{contest.mode}-{contest.arch}" if contest.device == "cpu" else contest.arch


def prepare(contest, folder, settings):
    """The files of a contest, written once for all that share them."""
    files = folder / files_of(contest)
    if files.exists():
        return files
    files.mkdir()
    command = [sys.executable, HERE / "peers" / "prepare.py", "--oracle", settings.oracle, "--arch", contest.arch,
               "--out", files, "--pictures",
               max(settings.batch(other) for other in settings.contests if files_of(other) == files_of(contest))]
    if contest.mode == "infer" and contest.device == "cpu":
        command += ["--onnx", str(settings.batch(contest))]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"prepare.py failed:\n{done.stderr[-2000:]}")
    return files


def main():
    settings = parse_arguments()
    if importlib.util.find_spec("torch") is None:
        sys.exit("PyTorch is needed: the network, its weights and what is expected of it come from there")
    name = machine({contest.device for contest in settings.contests})
    title = f"{name}, {settings.threads} threads, {datetime.date.today()}"
    print(title, flush=True)
    if os.getloadavg()[0] > 0.5:
        print(f"warning: the machine is busy (load {os.getloadavg()[0]:.1f}); ratios count on a quiet one", flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="dinomaly-compare-") as folder:
        for contest in settings.contests:
            print(contest.name, flush=True)
            rows = run_contest(contest, prepare(contest, pathlib.Path(folder), settings), settings)
            print_rows(contest, rows)
            results.append((contest, rows))
    if settings.json:
        report = {"machine": name, "threads": settings.threads, "date": str(datetime.date.today()),
                  "contests": [contest._asdict() | {"rows": rows} for contest, rows in results]}
        settings.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if settings.plot:
        plot(results, settings.plot, title)


if __name__ == "__main__":
    main()
