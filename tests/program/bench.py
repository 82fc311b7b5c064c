#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench: its JSON stands alone and its figures fit together; wrong usage and bad input are refused."""
import json
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, run

# Multiply-adds of a picture of 392 x 392 with the scene's encoder: 785 tokens of 64 channels in one head, 784 patches.
LINEAR = 12 * 64 * 64 * 785
ENCODING = 3 * 14 * 14 * 64 * 784 + 10 * (LINEAR + 2 * 64 * 785 * 785)
DECODING = 8 * (LINEAR + 2 * 64 * 64 * 785) + 8 * 64 * 64 * 785
FIRST_LAYER = 4 * 64 * 64 * 785


class Bench(Scene):
    def measured(self, *arguments):
        """The object that bench prints with --json, and nothing else."""
        done = run("bench", "--json", "--encoder", self.encoder, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def check_figures(self, found, least, median, multiply_adds):
        """`least` and `median` in seconds, `multiply_adds` of a round."""
        self.assertGreater(least, 0)
        self.assertLessEqual(least, median)
        self.assertAlmostEqual(found["gflops"] * 1e9 * median / (2 * multiply_adds), 1, delta=1e-6)
        self.assertAlmostEqual(found["peak_share"] * found["peak_gflops"], found["gflops"], delta=1e-6 * found["gflops"])
        # The peak is measured before the network; what else the machine does may halve it meanwhile.
        self.assertTrue(0.01 < found["peak_share"] < 2, found)
        self.assertTrue(5 < found["peak_mb"] < 4000, found)
        self.assertTrue(found["machine"])
        self.assertRegex(found["version"], r"^\d+\.\d+\.\d+$")

    def test_infer(self):
        found = self.measured("--repeat", 2, "--batch", 3, "--threads", 1)
        expected = {"mode": "infer", "arch": "width 64", "device": "cpu", "precision": "fp32", "batch": 3, "threads": 1,
                    "repeat": 2}
        self.assertEqual({name: found[name] for name in expected}, expected)
        self.check_figures(found, found["min_ms"] * 3e-3, found["median_ms"] * 3e-3, 3 * (ENCODING + DECODING))

    def test_precisions(self):
        for precision in ("bf16", "int8"):
            found = self.measured("--precision", precision, "--repeat", 1)
            self.assertEqual(found["precision"], precision)
            self.check_figures(found, found["min_ms"] * 1e-3, found["median_ms"] * 1e-3, ENCODING + DECODING)
        done = run("bench", "--mode", "train", "--precision", "int8", "--encoder", self.encoder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("int8", done.stderr)

    def test_train(self):
        work = 2 * (3 * DECODING - FIRST_LAYER)
        for cache, expected in (("off", work + 2 * ENCODING), ("memory", work)):
            found = self.measured("--mode", "train", "--batch", 2, "--repeat", 1, "--cache-features", cache)
            self.assertEqual((found["mode"], found["batch"], found["cache_features"]), ("train", 2, cache))
            self.assertEqual(found["min_seconds"], found["median_seconds"])
            self.check_figures(found, found["min_seconds"], found["median_seconds"], expected)

    def test_random_weights(self):
        done = run("bench", "--json", "--repeat", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["mode"], found["arch"], found["precision"], found["batch"]), ("infer", "small", "fp32", 1))
        # 37.4 M weights of 4 bytes are resident at least.
        self.assertGreater(found["peak_mb"], 37.4 * 4)

    def test_table(self):
        done = run("bench", "--repeat", 1, "--encoder", self.encoder)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("width 64", "judging in fp32, batch 1, 448/392", "ms a picture, of 1 round", "GFLOP/s", "MB"):
            self.assertIn(word, done.stdout)

    def test_wrong_usage(self):
        for option, value in (("--mode", "guess"), ("--arch", "huge"), ("--precision", "fp16"), ("--batch", "0"),
                              ("--batch", "two"), ("--threads", "-1"), ("--repeat", "0"), ("--cache-features", "tape")):
            done = run("bench", option, value)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(option, done.stderr)
        self.assertEqual(run("bench", "--arch", "base", "--encoder", self.encoder).returncode, 2)

    def test_bad_input(self):
        done = run("bench", "--json", "--encoder", self.folder / "nothing.pth")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nothing.pth", done.stderr)
        done = run("bench", "--json", "--cache-features", "memory", "--encoder", self.encoder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("--mode train", done.stderr)


if __name__ == "__main__":
    scene.main()
