#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/choose_encoder.cpp: a row for each encoder, as the program's figures are, and what it says of bad input."""
import json
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, run_example


class ChooseEncoder(Scene):
    def rows(self, done):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
        self.assertEqual((lines[0][0], lines[0][-1], set(lines[1])), ("encoder", "memory", {"---"}))
        self.assertEqual({len(line) for line in lines}, {12})
        return {line[0]: line for line in lines[2:]}

    def test_a_row_for_each(self):
        other = self.folder / "other.safetensors"
        scene.write_safetensors(other, scene.encoder_tensors(seed=2))
        done = run_example(self.data, self.encoder, other, "--iterations", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pictures of 448x448, middle 392x392, 3 iterations", done.stderr)
        rows = self.rows(done)
        self.assertEqual(list(rows), ["encoder.safetensors", "other.safetensors"])
        self.assertNotEqual(rows["encoder.safetensors"][2:9], rows["other.safetensors"][2:9])
        for name, row in rows.items():
            self.assertRegex(" | ".join(row), r"^\S+ \| 0\.6 M \|( \d+\.\d\d \|){7} \d+ s \| \d+ ms \| 0\.\d\d GB$")
            self.assertGreater(float(row[-1].split()[0]), 0.02)

        run = self.train("same", encoder=other, size=None, crop=None, batch=12, iterations=3, warmup=100,
                         hard_mining_ramp=1000)
        mean = json.loads((run / "metrics.json").read_text())["mean"]
        figures = [mean["image"][key] for key in ("auroc", "ap", "f1_max")]
        figures += [mean["pixel gt>0"][key] for key in ("auroc", "ap", "f1_max", "aupro")]
        for found, expected in zip(rows["other.safetensors"][2:9], figures, strict=True):
            self.assertAlmostEqual(float(found), 100 * expected, delta=0.006)

    def test_bad_input(self):
        done = run_example(self.data, self.folder / "none.pth", self.encoder, "--iterations", 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.pth] cannot be opened", done.stderr)
        self.assertEqual(list(self.rows(done)), ["encoder.safetensors"])  # the next one is tried all the same
        for arguments, words in (([self.data], "[usage]"), ([self.data, self.encoder, "--iterations"], "above 0"),
                                 ([self.folder / "none", self.encoder], "no such folder")):
            done = run_example(*arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    scene.main(with_example=True)
