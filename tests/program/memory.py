#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--cache-features and --memory-limit: runs with and without a feature cache are equal, also when they are resumed, and
what will not fit is refused at once."""
import json
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import scene
from scene import Scene, read_safetensors, run


def about_features(folder):
    """What the model's file says about the features."""
    return json.loads(read_safetensors(folder / "model.safetensors")[1]["dinomaly"])["training"]["features"]


class Memory(Scene):
    def assert_same_end(self, one, other):
        self.assert_equal_runs(one, other)
        self.assertFalse((other / "features.cache").exists(), "a run that ended well has no use for it")

    # --- features

    def test_runs_are_equal_wherever_features_are_kept(self):
        off = self.train("off", iterations=9, cache_features="off")
        self.assertEqual(about_features(off)["store"], "off")
        for store in ("memory", "disk", None):
            other = self.train(f"store_{store}", iterations=9, cache_features=store)
            self.assert_same_end(off, other)
            # 36 pictures in 9 batches, each of 12 encoded once; 5 tokens of 64 channels in two groups.
            self.assertEqual(about_features(other), {"store": store or "memory", "pictures": 12, "asked": 36,
                                                     "hits": 24, "bytes": 12 * 2 * 5 * scene.WIDTH * 4})

    def test_what_is_shown(self):
        for store, place in (("memory", "memory"), ("disk", "features.cache")):
            done = run(*self.training(self.folder / f"shown_{store}", iterations=9, cache_features=store))
            self.assertRegex(done.stdout, rf"features of 12 pictures, .* MB, are kept in .*{place}")
            self.assertIn("24 of 36 features asked for were at hand", done.stdout)
        done = run(*self.training(self.folder / "shown_once", iterations=3))
        self.assertIn("no picture comes twice", done.stdout)

    def interrupted(self, name, iterations):
        """The folder of a run with features on the disk, stopped by a signal after its first epoch."""
        folder = self.folder / name
        process = subprocess.Popen([scene.PROGRAM, *map(str, self.training(folder, iterations=iterations,
                                                                           cache_features="disk"))],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        log = folder / "log.jsonl"
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < 4):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 130, output)
        self.assertTrue((folder / "features.cache").exists())
        return folder

    def test_a_resumed_run_uses_the_file(self):
        whole = self.train("whole", iterations=200, cache_features="off")
        stopped = self.interrupted("stopped", 200)
        self.assert_same_end(whole, self.train("stopped", iterations=200, cache_features="disk", resume=True))
        found = about_features(stopped)
        self.assertEqual(found["hits"], found["asked"], "no picture was encoded again")

    def test_a_damaged_file_is_made_anew(self):
        whole = self.train("undamaged", iterations=200, cache_features="off")
        for damage in (lambda content: content[:1000], lambda content: content[:-100] + bytes(100)):
            stopped = self.interrupted("damaged", 200)
            file = stopped / "features.cache"
            file.write_bytes(damage(file.read_bytes()))
            self.assert_same_end(whole, self.train("damaged", iterations=200, cache_features="disk", resume=True))
            self.assertLess(about_features(stopped)["hits"], about_features(stopped)["asked"])
            scene.shutil.rmtree(stopped)

    def test_a_changed_picture_is_noticed(self):
        stopped = self.interrupted("changed", 200)
        picture = self.data / "disc/train/good/000.png"
        content = picture.read_bytes()
        try:
            scene.write_png(picture, scene.draw("disc", 999, False)[0])
            self.train("changed", iterations=200, cache_features="disk", resume=True)
        finally:
            picture.write_bytes(content)
        self.assertLess(about_features(stopped)["hits"], about_features(stopped)["asked"])

    # --- the limit

    def planned(self, **changes):
        """The planned memory in MB, as a run says it."""
        self.runs = getattr(self, "runs", 0) + 1
        done = run(*self.training(self.folder / f"planned_{self.runs}", **changes))
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(re.search(r"about (\d+) MB of memory in all", done.stdout)[1])

    def test_what_does_not_fit_is_refused(self):
        out = self.folder / "refused"
        done = run(*self.training(out, memory_limit="5MB"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"--memory-limit\] 5.0 MB of memory are allowed, about \d+ MB would be needed: weights \d")
        self.assertFalse(out.exists(), "a refused run leaves nothing behind")
        model = self.train("limited", memory_limit="0.5GB") / "model.safetensors"
        for command in (["eval", "--data", self.data], ["predict", self.data]):
            done = run(*command, "--model", model, "--memory-limit", "3MiB")
            self.assertEqual(done.returncode, 1)
            self.assertIn("3.1 MB of memory are allowed", done.stderr)
            self.assertEqual(run(*command, "--model", model, "--memory-limit", "500MB").returncode, 0)

    def test_the_cache_keeps_within_the_limit(self):
        settings = {"size": 280, "crop": 280, "iterations": 6}  # features of 2.5 MB
        limit = f"{self.planned(**settings, cache_features='disk') + 1}MB"
        folder = self.train("within", **settings, memory_limit=limit)
        self.assertEqual(about_features(folder)["store"], "disk")
        refused = self.training(self.folder / "refused", **settings, memory_limit=limit, cache_features="memory")
        done = run(*refused)
        self.assertEqual(done.returncode, 1)
        self.assertIn("a batch of 3 would fit", done.stderr)
        self.assertEqual(run(*self.training(self.folder / "fits", **settings | {"batch": 3}, memory_limit=limit,
                                            cache_features="memory")).returncode, 0)

    def test_wrong_usage(self):
        for option, values in (("cache_features", ["ram", ""]), ("memory_limit", ["abc", "-1", "0", "5", "3XB"])):
            for value in values:
                done = run(*self.training(self.folder / "refused", **{option: value}))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("--" + option.replace("_", "-"), done.stderr)
        self.assertFalse((self.folder / "refused").exists())


if __name__ == "__main__":
    scene.main()
