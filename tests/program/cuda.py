#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program with --device cuda against the program on the CPU: losses, judgements, resumed runs. Without a GPU the
tests are skipped; a program whose GPU is the emulation needs none."""
import json
import os
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, log_of, run

STEPS = {"iterations": 7, "batch": 2}


def scores(path):
    return [json.loads(line)["score"] for line in path.read_text().splitlines()]


class OnCuda(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.environ["XDG_CACHE_HOME"] = str(cls.folder / "cache")

    def judged(self, model, device, precision="fp32"):
        path = self.folder / f"{device}_{precision}.jsonl"
        done = run("predict", "--model", model, self.data / "disc/test", "--device", device, "--precision", precision,
                   "--json", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return scores(path)

    def assert_near(self, found, expected, tolerance):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.assertLess(abs(a / b - 1), tolerance, f"{a} where {b} is expected")

    def test_the_same_numbers_as_on_the_cpu(self):
        runs = {device: self.train(device, device=device, **STEPS) for device in ("cpu", "cuda")}
        for field, tolerance in (("loss", 1e-4), ("grad_norm", 1e-3), ("lr", 1e-9)):
            values = {device: [line[field] for line in log_of(folder)][1:] for device, folder in runs.items()}
            self.assert_near(values["cuda"], values["cpu"], tolerance)
        model = runs["cuda"] / "model.safetensors"
        expected = self.judged(model, "cpu")
        self.assert_near(self.judged(model, "cuda"), expected, 1e-3)
        self.assert_near(self.judged(model, "cuda", "bf16"), expected, 0.05)
        rounded = self.judged(model, "cuda", "tf32")
        self.assert_near(rounded, expected, 0.01)
        self.assertNotEqual(rounded, self.judged(model, "cuda"))

    def test_runs_are_equal_bit_for_bit(self):
        """Whole, cut in two, with losses read at every step, and with features that are not kept or kept in a file."""
        whole = self.train("whole", device="cuda", **STEPS)
        self.assertEqual([line["iteration"] for line in log_of(whole)], list(range(STEPS["iterations"])))
        self.train("cut", device="cuda", **STEPS | {"iterations": 4}, schedule=STEPS["iterations"])
        self.assert_equal_runs(whole, self.train("cut", device="cuda", resume=True, **STEPS,
                                                 schedule=STEPS["iterations"]))
        self.assert_equal_runs(whole, self.train("each", device="cuda", log_every=1, **STEPS))
        on_disk = self.train("disk", device="cuda", cache_features="disk", **STEPS)
        self.assertEqual(log_of(whole), log_of(on_disk))

    def test_bfloat16_follows_float(self):
        single = self.train("single", device="cuda", **STEPS)
        half = self.train("half", device="cuda", precision="bf16", **STEPS)
        losses = [[line["loss"] for line in log_of(folder)] for folder in (half, single)]
        self.assert_near(*losses, 0.02)

    def test_tf32_lies_between(self):
        single = self.train("exact", device="cuda", **STEPS)
        rounded = self.train("rounded", device="cuda", precision="tf32", **STEPS)
        losses = [[line["loss"] for line in log_of(folder)] for folder in (rounded, single)]
        self.assert_near(*losses, 0.005)
        self.assertNotEqual(*losses)

    def test_products_are_chosen_once(self):
        self.train("first", device="cuda", **STEPS)
        kept = list((self.folder / "cache" / "dinomaly").iterdir())
        self.assertEqual(len(kept), 1)
        before = kept[0].read_text()
        self.train("second", device="cuda", **STEPS)
        self.assertEqual(kept[0].read_text(), before)

    def test_the_gpu_s_memory_is_bounded(self):
        done = run(*self.training(self.folder / "small", device="cuda", memory_limit="5MB"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("GPU", done.stderr)


if __name__ == "__main__":
    scene.PROGRAM = sys.argv[1] if len(sys.argv) > 1 else sys.exit("usage: cuda.py PROGRAM [unittest's options]")
    if "cuda:0" not in (devices := run("info").stdout):
        print("skipped:", devices.splitlines()[-1])
        sys.exit(77)
    scene.main()
