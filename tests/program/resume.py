#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A run that was interrupted and resumed equals one that was not, bit for bit, with dropout on."""
import json
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import scene
from scene import Scene, log_of, run


class Resume(Scene):
    def test_a_run_cut_in_two(self):
        whole = self.train("whole")
        self.assertEqual([line["iteration"] for line in log_of(whole)], list(range(6)))
        cut = self.train("cut", iterations=3, schedule=6)
        self.assertNotEqual(log_of(whole), log_of(cut))
        with (cut / "log.jsonl").open("a") as log:  # two iterations that were lost when the power went
            log.write('{"iteration": 3, "loss": 9, "grad_norm": 9, "lr": 9, "seconds": 9}\n{"iteration": 4, "lo')
        again = self.train("cut", schedule=6, resume=True)
        self.assert_equal_runs(whole, again)

    def test_the_seed_matters(self):
        self.assertNotEqual(log_of(self.train("seed_1", seed=1)), log_of(self.train("seed_2", seed=2)))

    def test_interrupted_by_a_signal(self):
        iterations = 60
        whole = self.train("long", iterations=iterations)
        stopped = self.folder / "stopped"
        log = stopped / "log.jsonl"
        arguments = self.training(stopped, iterations=iterations)
        process = subprocess.Popen([scene.PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < 3):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 130, output)
        self.assertIn("--resume", output)
        self.assertFalse((stopped / "model.safetensors").exists())
        self.assertLess(len(log_of(stopped)), iterations)
        again = self.train("stopped", iterations=iterations, resume=True)
        self.assert_equal_runs(whole, again)
        seconds = [json.loads(line)["seconds"] for line in log.read_text().splitlines()]
        self.assertEqual(seconds, sorted(seconds), "the seconds go on where the run stopped")

    def test_other_settings_are_refused(self):
        first = self.train("settings", iterations=3, schedule=6)
        before = (first / "log.jsonl").read_text()
        for change in ({"batch": 3}, {"lr": 0.001}, {"dropout": 0}, {"seed": 7}, {"crop": 14}, {"classes": "disc"},
                       {"schedule": 5}):
            done = run(*self.training(first, **{"schedule": 6, "resume": True} | change))
            self.assertEqual(done.returncode, 1, done.stdout)
            name = {"classes": "pictures"}.get(*change, *change)
            self.assertIn(f"cannot be resumed with another {name}", done.stderr)
        self.assertEqual((first / "log.jsonl").read_text(), before)


if __name__ == "__main__":
    scene.main()
