#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where a run's values come from, and runs of several: presets, --config, --dry-run, --setting class-separated, --seeds."""
import itertools
import json
import math
import re
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import scene
from scene import Scene, log_of, run

# The paper's table: iterations of a model, dropout, eps of StableAdamW.
PUBLISHED = {("mvtec", "multi-class"): (10000, 0.2, 1e-10), ("visa", "multi-class"): (10000, 0.2, 1e-10),
             ("realiad", "multi-class"): (50000, 0.4, 1e-10), ("mpdd", "multi-class"): (10000, 0.2, 1e-10),
             ("mvtec", "class-separated"): (5000, 0.2, 1e-8), ("visa", "class-separated"): (5000, 0.2, 1e-8),
             ("realiad", "class-separated"): (5000, 0.2, 1e-10), ("mpdd", "class-separated"): (5000, 0.2, 1e-8)}
OF_THE_ENCODER = {"size": 448, "crop": 392}
IN_ALL = {"batch": 16, "lr": 2e-3, "final-lr": 2e-4, "warmup": 100, "hard-mining-ramp": 1000,
          "schedule": 0, "attention-eps": 0}


def figures_of(metrics):
    """(group, figure) -> value."""
    return {(group, name): value for group, values in metrics.items() for name, value in values.items()}


def hash_of(model):
    return re.search(r"^hash: (\S+)$", run("info", model).stdout, re.M)[1]


class Settings(Scene):
    def done(self, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, arguments, *words, status=1):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def write(self, name, values):
        path = self.folder / name
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        return path

    def options(self, *more):
        """What --dry-run --json tells about each option, and its note."""
        found = json.loads(self.done("train", "--data", self.data, "--encoder", self.encoder, "--out",
                                     self.folder / "none", "--dry-run", "--json", *more))
        return found["options"], found["note"]

    # --- where values come from

    def test_presets_are_the_papers_table(self):
        for (name, setting), (iterations, dropout, eps) in PUBLISHED.items():
            options, note = self.options("--preset", name, "--setting", setting)
            expected = {**IN_ALL, "iterations": iterations, "dropout": dropout, "adam-eps": eps}
            self.assertEqual({key: options[key]["value"] for key in expected}, expected, (name, setting))
            self.assertEqual({options[key]["from"] for key in expected}, {f"preset {name}, {setting}"})
            for key, value in OF_THE_ENCODER.items():
                self.assertEqual(options[key], {"value": value, "from": f"encoder {self.encoder}"})
            self.assertEqual("not published" in note, (name, setting) == ("mpdd", "multi-class"), note)
            self.assertIn("every size of the encoder", note)
        self.refused(self.training(self.folder / "x", preset="mvtek"), "--preset", "mvtec", status=2)

    def test_the_stronger_source_has_its_way(self):
        file = self.write("some.json", {"lr": 0.001, "dropout": 0.1, "preset": "realiad", "setting": "class-separated",
                                        "classes": ["disc"], "size": "32x48", "data": "elsewhere"})
        options, _ = self.options("--config", file, "--lr", "0.004", "--setting", "multi-class")
        for name, value, source in (("lr", 0.004, "command line"), ("setting", "multi-class", "command line"),
                                    ("data", str(self.data), "command line"), ("dropout", 0.1, f"config {file}"),
                                    ("size", "32x48", f"config {file}"), ("classes", ["disc"], f"config {file}"),
                                    ("preset", "realiad", f"config {file}"),
                                    ("iterations", 50000, "preset realiad, multi-class"),
                                    ("threads", 0, "default"), ("log-every", None, "default"),
                                    ("device", "cpu", "default")):
            self.assertEqual(options[name], {"value": value, "from": source}, name)

    def test_required_options_may_stand_in_a_file(self):
        file = self.write("data.json", {"data": str(self.data)})
        self.refused(["train", "--config", file, "--out", self.folder / "x"], "--encoder", "required", status=2)
        self.done(*self.training(self.folder / "x", data=None, config=file, dry_run=True))

    def test_dry_run_leaves_nothing(self):
        out = self.folder / "dry"
        for more, words in (({}, ["class disc: 6 pictures", "class stripes: 6 pictures"]),
                            ({"setting": "class-separated"}, ["class stripes: 6 pictures", "each of 2 classes"]),
                            ({"seeds": "1,2", "preset": "visa"}, ["published with ViT-B/14", "class disc: 6 pictures"]),
                            ({"seeds": "3,4", "setting": "class-separated"}, ["each of 2 seeds", "each of 2 classes"])):
            shown = self.done(*self.training(out, dry_run=True, **more))
            self.assertRegex(shown, r"(?m)^  iterations +6 +command line$")
            self.assertRegex(shown, r"(?m)^  device +cpu +default$")
            for word in [*words, "encoder ", "of memory in all"]:
                self.assertIn(word, shown)
            self.assertFalse(out.exists())
        self.refused(self.training(out, dry_run=True, encoder=self.folder / "absent.pth"), "absent.pth")
        self.refused([*self.training(out), "--json"], "--dry-run", status=2)

    # --- files

    def test_a_stored_config_repeats_its_run(self):
        first = self.train("first", lr=0.00123456789012345, adam_eps=3e-9, seed=2**64 - 1, classes="stripes,disc",
                           memory_limit="2GB")
        config = json.loads((first / "config.json").read_text())
        self.assertEqual({key: config[key] for key in ("lr", "adam-eps", "seed", "classes", "size", "setting")},
                         {"lr": 0.00123456789012345, "adam-eps": 3e-9, "seed": 2**64 - 1, "size": 32,
                          "classes": ["stripes", "disc"], "setting": "multi-class"})
        self.assertTrue({"out", "resume", "config", "dry-run"}.isdisjoint(config), config)
        again = self.folder / "again"
        self.done("train", "--config", first / "config.json", "--out", again)
        self.assert_equal_runs(first, again)
        self.assertEqual(hash_of(first / "model.safetensors"), hash_of(again / "model.safetensors"))
        self.assertEqual(json.loads((again / "config.json").read_text()), config)
        self.assertEqual(json.loads((self.train("all") / "config.json").read_text())["classes"], ["disc", "stripes"])

    def test_to_resume_only_the_folder_is_named(self):
        whole = self.train("resumed_whole")
        cut = self.train("resumed", iterations=3, schedule=6, lr=0.002)
        self.done("train", "--out", cut, "--resume", "--iterations", 6)
        self.assert_equal_runs(whole, cut)

    def test_bad_files(self):
        out = self.folder / "bad"
        for values, words in (
                ({"learning-rate": 1}, ['unknown key "learning-rate"', "known are", "final-lr"]),
                ({"iteration": 5}, ['unknown key "iteration"', 'is "iterations" meant?']),
                ({"warmpu": 5}, ['is "warmup" meant?']),
                ({"resume": True}, ['"resume"', "command line"]),
                ({"batch": "4"}, ['"batch": "4" found, a whole number expected']),
                ({"batch": 4.5}, ['"batch": 4.5 found, a whole number expected']),
                ({"batch": None}, ['"batch": null found']),
                ({"batch": 0}, ['"batch": 0 is not taken', "--batch"]),
                ({"seed": -1}, ['"seed": -1 is not taken', "0 or more expected"]),
                ({"lr": -0.5}, ['"lr": -0.5 is not taken', "0 or more expected"]),
                ({"lr": True}, ['"lr": true found, a number expected']),
                ({"data": 5}, ['"data": 5 found, a text expected']),
                ({"classes": "disc"}, ['"classes": "disc" found, a list of texts expected']),
                ({"classes": [1]}, ['"classes": [1] found, a list of texts expected']),
                ({"seeds": ["1"]}, ['"seeds": ["1"] found, a list of whole numbers expected']),
                ({"size": [32, 32]}, ['"size": [32,32] found', "512x448"]),
                ({"size": "large"}, ['"size": "large" is not taken']),
                ({"precision": "fp64"}, ['"precision": "fp64" is not taken', "fp32", "bf16"]),
                ({"preset": "mvtek"}, ['"preset": "mvtek" is not taken', "mvtec"]),
                ({"dinomaly": 1}, ['"dinomaly": 1 found']),
                ("[1]", ["a JSON array found, an object expected"]),
                ("{", ["not JSON"])):
            file = self.write("bad.json", values)
            with self.subTest(values):
                self.refused(self.training(out, config=file, batch=None, size=None), str(file), *words)
        self.refused(self.training(out, config=self.folder / "absent.json"), "absent.json")
        self.assertFalse(out.exists())
        old = self.write("old.json", {"dinomaly": "0.0.1"})
        done = run(*self.training(out, config=old, dry_run=True))
        self.assertIn("was written by dinomaly 0.0.1", done.stderr)

    def test_eps_reaches_the_optimizer(self):
        plain, other = self.train("eps_10"), self.train("eps_3", adam_eps=1e-3)
        self.assertNotEqual(hash_of(plain / "model.safetensors"), hash_of(other / "model.safetensors"))
        small = {"preset": "mvtec", "setting": "class-separated", "classes": "disc", "dropout": None}
        self.train("eps_8", **small)
        self.assertEqual(json.loads((self.folder / "eps_8/disc/config.json").read_text())["adam-eps"], 1e-8)
        self.train("eps_8_alone", classes="disc", adam_eps=1e-8)
        self.assert_equal_runs(self.folder / "eps_8/disc", self.folder / "eps_8_alone")
        self.train("eps_10_alone", classes="disc")
        self.assertNotEqual(hash_of(self.folder / "eps_8/disc/model.safetensors"),
                            hash_of(self.folder / "eps_10_alone/model.safetensors"))

    # --- one model a class

    def test_class_separated(self):
        whole = self.folder / "separated"
        table = self.done(*self.training(whole, setting="class-separated"))
        self.assertRegex(table, r"(?m)^disc .*\n^stripes .*\n^mean ")
        metrics = json.loads((whole / "metrics.json").read_text())
        for name in ("disc", "stripes"):
            self.assert_equal_runs(whole / name, self.train(f"only_{name}", classes=name))
            own = json.loads((whole / name / "metrics.json").read_text())
            self.assertEqual(metrics["classes"][name], own["classes"][name])
        self.assertEqual(len(metrics["pictures"]), 8)
        for key, value in figures_of(metrics["mean"]).items():
            both = [figures_of(metrics["classes"][name])[key] for name in ("disc", "stripes")]
            self.assertAlmostEqual(value, statistics.mean(both), 12)

        found = self.folder / "separated.json"
        self.done("eval", "--model", whole, "--data", self.data, "--json", found)
        self.assertEqual(json.loads(found.read_text()), metrics)
        one = self.folder / "disc.json"
        self.done("eval", "--model", whole / "disc", "--data", self.data, "--classes", "disc", "--json", one)
        self.assertEqual(json.loads(one.read_text())["mean"], metrics["classes"]["disc"])
        self.refused(["predict", "--model", whole, self.data], "several runs", str(whole / "disc/model.safetensors"))
        self.refused(["predict", "--model", self.data, self.data], "without a model")
        (whole / "stripes/model.safetensors").unlink()
        self.refused(["eval", "--model", whole, "--data", self.data], "class 'stripes' has no model", "--classes")
        again = self.folder / "separated_again"
        self.done("train", "--config", whole / "config.json", "--out", again)
        self.assertEqual(json.loads((again / "metrics.json").read_text()), metrics)

    def stop(self, out, log, **changes):
        """Begins a run of several, and interrupts it in the third iteration of the part that has this log."""
        process = subprocess.Popen([scene.PROGRAM, *map(str, self.training(out, iterations=60, **changes))],
                                   stdout=subprocess.PIPE, text=True)
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < 3):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 130, output)
        self.assertIn(f"'dinomaly train --out {out} --resume' goes on", output)
        return output

    def test_class_separated_in_the_middle(self):
        whole, cut = self.folder / "middle_whole", self.folder / "middle_cut"
        self.done(*self.training(whole, iterations=60, setting="class-separated"))
        output = self.stop(cut, cut / "stripes/log.jsonl", setting="class-separated")
        self.assertIn("1 of 2 classes are done", output)
        self.assertFalse((cut / "metrics.json").exists())
        before = (cut / "disc/model.safetensors").stat().st_mtime_ns
        self.refused(["train", "--config", cut / "config.json", "--out", cut], "--resume")
        self.refused(["train", "--out", cut, "--resume", "--lr", "0.001"], "another lr", "0.002", "0.001")
        self.assertIn("disc is finished", self.done("train", "--out", cut, "--resume"))
        self.assertEqual((cut / "disc/model.safetensors").stat().st_mtime_ns, before)
        for name in ("disc", "stripes"):
            self.assert_equal_runs(whole / name, cut / name)
        self.assertEqual(json.loads((whole / "metrics.json").read_text()), json.loads((cut / "metrics.json").read_text()))

        (cut / "stripes/model.safetensors").unlink()  # killed before the first state was saved
        (cut / "stripes/state.safetensors").unlink()
        self.done("train", "--out", cut, "--resume")
        self.assert_equal_runs(whole / "stripes", cut / "stripes")

    # --- several seeds

    def test_seeds(self):
        out = self.folder / "seeds"
        output = self.done(*self.training(out, seeds="1,7,4", iterations=12))
        metrics = json.loads((out / "metrics.json").read_text())
        runs = {seed: json.loads((out / f"seed-{seed}/metrics.json").read_text()) for seed in (1, 7, 4)}
        self.assert_equal_runs(out / "seed-7", self.train("seed_7", seed=7, iterations=12))
        self.assertEqual(set(metrics["seeds"]), {"1", "4", "7"})
        for seed, run_metrics in runs.items():
            for key, value in figures_of(metrics["seeds"][str(seed)]).items():
                self.assertAlmostEqual(value, figures_of(run_metrics["mean"])[key], 12)
        rows = [(metrics["mean"], metrics["deviation"]["mean"], [r["mean"] for r in runs.values()])]
        rows += [(metrics["classes"][name], metrics["deviation"]["classes"][name],
                  [r["classes"][name] for r in runs.values()]) for name in ("disc", "stripes")]
        deviations = 0
        for (mean, deviation, each) in rows:
            for key in figures_of(mean):
                values = [figures_of(one)[key] for one in each]
                self.assertAlmostEqual(figures_of(mean)[key], statistics.mean(values), 12)
                self.assertAlmostEqual(figures_of(deviation)[key], statistics.stdev(values), 12)
                deviations += statistics.stdev(values) > 0
        self.assertGreater(deviations, 10, "the seeds make a difference")
        self.refused(["eval", "--model", out, "--data", self.data], "several runs", "seed-7/model.safetensors")
        table = (out / "metrics.md").read_text()
        self.assertTrue(output.endswith(table))
        pixel = metrics["mean"]["pixel gt>0"], metrics["deviation"]["mean"]["pixel gt>0"]
        self.assertIn(f"{100 * pixel[0]['ap']:.2f} ± {100 * pixel[1]['ap']:.2f}", table.splitlines()[-1])
        self.assertIn("| mean |", table)

        more = self.done("train", "--out", out, "--resume", "--seeds", "1,7,4,5")  # one more, later
        self.assertEqual(more.count("is finished"), 3)
        self.assertEqual(len(json.loads((out / "metrics.json").read_text())["seeds"]), 4)
        one = self.folder / "seeds_one"
        self.done("train", "--config", out / "config.json", "--seed", 7, "--out", one)
        self.assert_equal_runs(out / "seed-7", one)

    def test_seeds_in_the_middle_of_classes(self):
        out = self.folder / "both"
        output = self.stop(out, out / "seed-2/disc/log.jsonl", seeds="1,2", setting="class-separated")
        self.assertIn("0 of 2 classes are done", output)
        self.assertIn("1 of 2 seeds are done", output)
        self.assertEqual(self.done("train", "--out", out, "--resume").count("is finished"), 2)
        for seed, name in itertools.product((1, 2), ("disc", "stripes")):
            self.assertEqual(len(log_of(out / f"seed-{seed}" / name)), 60)
        metrics = json.loads((out / "metrics.json").read_text())
        self.assertTrue(math.isfinite(metrics["deviation"]["classes"]["disc"]["pixel gt>0"]["ap"]))

    def test_refused(self):
        out = self.folder / "refused"
        self.refused(self.training(out, seeds="1,2,1"), "--seeds", "twice")
        self.refused(self.training(out, seeds="1,2", seed=3), "--seed", status=2)
        self.refused(self.training(out, seeds="1,-2"), "--seeds", status=2)
        self.refused(self.training(out, setting="per-class"), "--setting", status=2)
        order = self.write("order.json", "[]")
        self.refused(self.training(out, setting="class-separated", order=order), "--order", "multi-class expected")
        self.refused(self.training(out, setting="class-separated", batch=7), "class 'disc' has 6 pictures", "7")
        self.refused(self.training(out, setting="class-separated", classes="cube"), "no class 'cube'")
        self.refused(self.training(out, setting="class-separated", resume=True), "nothing to resume")
        self.assertFalse(out.exists())


if __name__ == "__main__":
    scene.main()
