#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Thresholds: found in training and by calibrate, from labels or good pictures alone, kept in the model's file, used and
replaced by predict, told by eval."""
import json
import math
import shutil
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, draw, read_safetensors, run, write_png


class Decision(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.parts, cls.fresh = cls.folder / "parts", cls.folder / "fresh"  # good pictures alone
        for i in range(20):
            write_png(cls.parts / f"{i:03}.png", draw("disc", i, False)[0])
        for i in range(12):
            write_png(cls.fresh / f"{i:03}.png", draw("disc", 300 + i, False)[0])
        cls.bad = cls.folder / "bad.png"
        write_png(cls.bad, draw("disc", 900, True)[0])

    def done(self, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refused(self, arguments, *words, status=1):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def decision_of(self, model):
        return json.loads(read_safetensors(model)[1]["dinomaly"])["decision"]

    def lines(self, model, *arguments):
        return [json.loads(line) for line in self.done("predict", "--model", model, "--jsonl",
                                                       *arguments).stdout.splitlines()]

    def assert_kth(self, threshold, values, rate):
        """The threshold lies just above the k-th of the values, k = ceil((n + 1)(1 - rate))."""
        k = min(len(values), math.ceil((len(values) + 1) * (1 - rate) - 1e-9))
        kth = sorted(values)[k - 1]
        self.assertGreater(threshold, kth)
        self.assertLess(threshold, kth * (1 + 1e-6))

    def test_labelled_pictures_decide_where_there_are_any(self):
        run_folder = self.train("labelled", iterations=40, warmup=4)
        decision = self.decision_of(run_folder / "model.safetensors")
        self.assertEqual((decision["rule"], sorted(decision["classes"])), ("best F1", ["disc", "stripes"]))
        pictures = json.loads((run_folder / "metrics.json").read_text())["pictures"]
        for name, each in decision["classes"].items():
            mine = [p for p in pictures if p["path"].startswith(name)]
            f1 = self.f1(mine, each["image"])
            self.assertGreaterEqual(f1 + 1e-9, max(self.f1(mine, p["score"]) for p in mine))
            self.assertEqual(sorted(p["score"] for p in mine if not p["label"]), each["good_scores"])
        told = self.done("eval", "--model", run_folder, "--data", self.data).stdout
        self.assertIn("at the model's thresholds", told)

    def f1(self, pictures, threshold):
        called = [p for p in pictures if p["score"] >= threshold]
        hits = sum(p["label"] for p in called)
        return 2 * hits / (len(called) + sum(p["label"] for p in pictures))

    def test_good_pictures_alone_are_held_out(self):
        done = run(*self.training(self.folder / "good", data=self.parts, hold_out=0.5, false_alarm_rate=0.2))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("10 of the good pictures are held out", done.stdout)
        self.assertNotIn("cannot promise", done.stderr)
        decision = self.decision_of(self.folder / "good/model.safetensors")
        self.assertEqual((decision["rule"], decision["false_alarm_rate"]), ("good pictures", 0.2))
        each = decision["classes"]["parts"]
        self.assertEqual(len(each["good_scores"]), 10)
        self.assert_kth(each["image"], each["good_scores"], 0.2)
        self.assert_kth(each["pixel"], each["good_peaks"], 0.2)
        self.assertEqual(decision["all"], {"image": each["image"], "pixel": each["pixel"]})

    def test_few_pictures_promise_little(self):
        done = run(*self.training(self.folder / "few", data=self.parts))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("5 of the good pictures are held out", done.stdout)
        self.assertIn("5 good pictures cannot promise a false-alarm rate of 0.01, only 0.17", done.stderr)
        self.assertIn("reached by at most 16.7 % of good pictures", done.stdout)

    def test_nothing_held_out_is_said(self):
        done = run(*self.training(self.folder / "none", data=self.parts, hold_out=0))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pictures that were learnt from", done.stderr)
        self.assertIn("learnt from", self.decision_of(self.folder / "none/model.safetensors")["source"])

    def test_calibrate_and_predict(self):
        model = self.train("calibrated", data=self.parts) / "model.safetensors"
        before = read_safetensors(model)
        other = self.folder / "other.safetensors"
        told = self.done("calibrate", "--model", model, "--data", self.fresh, "--false-alarm-rate", "0.1", "--out", other)
        self.assertIn("wrote " + str(other), told.stdout)
        self.assertEqual(read_safetensors(model), before)
        after = read_safetensors(other)
        self.assertEqual(after[0], before[0])  # the weights
        each = self.decision_of(other)["classes"]["parts"]  # the model's one class, though the folder is named otherwise
        self.assertEqual(len(each["good_scores"]), 12)

        # The good scores in the file are those that predict gives, and its verdicts follow.
        scores = [line["score"] for line in self.lines(other, self.fresh)]
        self.assertEqual(sorted(scores), each["good_scores"])
        for rate in (0.1, 0.3, 0.5):
            lines = self.lines(other, "--false-alarm-rate", rate, self.fresh)
            self.assert_kth(lines[0]["threshold"], scores, rate)
            self.assertEqual([line["score"] for line in lines], scores)
            rejected = sum(line["verdict"] == "bad" for line in lines)
            self.assertEqual(rejected, sum(score >= lines[0]["threshold"] for score in scores))
            self.assertLessEqual(rejected / 13, rate)
        by_class = self.lines(other, "--class", "parts", self.bad)[0]
        self.assertEqual(by_class["threshold"], each["image"])
        line = self.lines(other, "--threshold", "0.0001", "--pixel-threshold", "1.9", self.bad)[0]
        self.assertAlmostEqual(line["threshold"], 0.0001, places=9)
        self.assertEqual((line["verdict"], line["defects"]), ("bad", []))

        # Into its own file, from labelled pictures.
        self.done("calibrate", "--model", model, "--data", self.data, "--classes", "disc")
        self.assertEqual(self.decision_of(model)["rule"], "best F1")
        self.assertEqual(read_safetensors(model)[0], before[0])

    def test_the_training_pictures_are_recognised(self):
        model = self.train("known", data=self.parts) / "model.safetensors"
        known = self.done("calibrate", "--model", model, "--data", self.parts, "--false-alarm-rate", "0.2")
        self.assertIn("these are the pictures that the model learnt from", known.stderr)
        fresh = self.done("calibrate", "--model", model, "--data", self.fresh, "--false-alarm-rate", "0.2")
        self.assertNotIn("learnt from", fresh.stderr)

    def test_what_cannot_be_decided_is_refused(self):
        model = self.train("refusals", data=self.parts) / "model.safetensors"
        without = self.folder / "without.safetensors"
        tensors, metadata = read_safetensors(model)
        scene.write_decision(model, without, {})
        self.refused(["predict", "--model", without, "--false-alarm-rate", "0.1", self.bad], "without.safetensors",
                     "has no thresholds", "dinomaly calibrate")
        self.assertNotIn("verdict", self.lines(without, self.bad)[0])
        self.assertEqual(self.lines(without, "--threshold", "0.5", self.bad)[0]["threshold"], 0.5)
        self.refused(["predict", "--model", model, "--class", "cap", self.bad], "no class 'cap'", "parts")
        self.refused(["calibrate", "--model", model, "--data", self.fresh, "--decide", "labels"],
                     "class 'parts' lacks good or bad test pictures", "--decide good goes without")
        self.refused(["calibrate", "--model", self.encoder, "--data", self.fresh], "encoder alone: train first")
        shutil.copy(model, self.folder / "model.pth")
        self.refused(["calibrate", "--model", self.folder / "model.pth", "--data", self.fresh],
                     "a model is written as .safetensors; name one with --out")
        self.refused(self.training(self.folder / "x", data=self.parts, decide="labels"),
                     "--decide labels", "class 'parts' lacks good or bad test pictures")
        self.refused(self.training(self.folder / "x", data=self.parts, hold_out=0.9, batch=4), "fewer than a batch")
        for rate in ("0", "1", "two"):
            self.refused(["predict", "--model", model, "--false-alarm-rate", rate, self.bad],
                         "is no rate; above 0 and below 1 expected", status=2)


if __name__ == "__main__":
    scene.main()
