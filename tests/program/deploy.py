#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/deploy.cpp: scores as the program's, verdicts by the threshold in the file, and what it says of bad input."""
import json
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, run, run_example


class Deploy(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.folder / "run/model.safetensors"
        done = run(*cls.training(cls, cls.model.parent))
        assert done.returncode == 0, done.stderr
        cls.pictures = sorted(map(str, (cls.data / "disc/test").glob("*/*.png")))
        out = cls.folder / "scores.jsonl"
        done = run("predict", "--model", cls.model, *cls.pictures, "--json", out)
        assert done.returncode == 0, done.stderr
        cls.scores = [json.loads(line)["score"] for line in out.read_text().splitlines()]

    def judged(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual([row[0] for row in rows], self.pictures)
        for row, score in zip(rows, self.scores, strict=True):
            self.assertAlmostEqual(float(row[1]), score, delta=1e-4 * score)
        return [row[2] for row in rows]

    def test_verdicts(self):
        between = sum(sorted(self.scores)[1:3]) / 2
        model = self.folder / "decided.safetensors"
        scene.write_decision(self.model, model, scene.decision_at(between, "disc"))
        expected = ["bad" if score > between else "good" for score in self.scores]
        self.assertEqual(sorted(expected), ["bad", "bad", "good", "good"])
        self.assertEqual(self.judged(run_example(model, *self.pictures)), expected)
        self.assertEqual(self.judged(run_example(model, input="\n".join(self.pictures))), expected)

    def test_a_file_without_threshold(self):
        model = self.folder / "undecided.safetensors"
        scene.write_decision(self.model, model, {})
        self.assertEqual(self.judged(run_example(model, *self.pictures)), ["no threshold"] * 4)

    def test_a_bad_picture_does_not_stop_it(self):
        done = run_example(self.model, self.folder / "none.png", self.pictures[0])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^error: \[.*none.png\] no such picture file\n$")
        self.assertTrue(done.stdout.startswith(self.pictures[0] + "\t"))

    def test_bad_input(self):
        for arguments, words in (([], "example_deploy MODEL"), ([self.folder / "none"], "none] cannot be opened"),
                                 ([self.encoder], "train first")):
            done = run_example(*arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    scene.main(with_example=True)
